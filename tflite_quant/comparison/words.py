"""The figures of a comparison in words, as screens and pages show them."""

from __future__ import annotations

import math

from ..errors import plural
from ..escape import for_terminal
from .measures import Measures
from .results import Comparison, TensorComparison

_BAD, _POOR = 20.0, 30.0
"""Below them, in dB, a figure has a colour: an error of a tenth, and of a thirtieth."""

HIGHEST = 72.0
"""What the longest bar stands for, in dB: twelve bits."""


def decibels(measures: Measures) -> str:
    """Return an SQNR in words."""
    if measures.sqnr is None:
        return "none"
    if math.isinf(measures.sqnr):
        return "exact" if measures.sqnr > 0 else "-inf dB"
    return f"{measures.sqnr:.1f} dB"


def quality(sqnr: float) -> str:
    """Return how bad an SQNR is: "bad", "poor", or nothing.

    Examples
    --------
    >>> quality(12.0), quality(25.0), quality(40.0)
    ('bad', 'poor', '')
    """
    return "bad" if sqnr < _BAD else "poor" if sqnr < _POOR else ""


def percent(share: float | None, digits: int) -> str:
    """Return a share in percent; nothing if there is none."""
    return "" if share is None else f"{100 * share:.{digits}f} %"


def headline(comparison: Comparison) -> list[str]:
    """Return how many constants were compared, and the SQNR over all weights if there are any."""
    facts = [comparison.matched]
    if comparison.others:
        word = plural("other", comparison.others)
        facts[0] += f", {comparison.others} {word} without real values"
    if comparison.weights is not None:
        facts.append(f"weights: {decibels(comparison.weights)}")
    return facts


def doubts(comparison: Comparison) -> str:
    """Return a question where the two models can hardly belong together; else nothing."""
    if comparison.weights is not None and comparison.weights.sqnr < 0:
        return "the error is larger than the weights: was the one model made from the other?"
    return ""


def worst_channel(tensor: TensorComparison) -> str:
    """Return the channel with the lowest SQNR, and that; nothing if there are no channels."""
    channels = tensor.channels
    if channels is None or tensor.measures.is_exact:
        return ""
    return f"c {channels.worst}  {decibels(channels[channels.worst])}"


def remarks(tensor: TensorComparison) -> list[str]:
    """Return how a tensor was matched, if not by name, and what else is to be said of it."""
    said = [tensor.note] if tensor.note else []
    if tensor.matched_by != "name" or tensor.layout:
        by = f"matched by {tensor.matched_by} with {for_terminal(tensor.reference_name)}"
        said.insert(0, by + (f", {tensor.layout}" if tensor.layout else ""))
    return said
