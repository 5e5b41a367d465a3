"""The model beside its reference: what quantization cost each constant, the worst first."""

from __future__ import annotations

from pathlib import PurePath

from ..comparison.results import NO_QUANTIZED, NO_REFERENCE, Comparison, TensorComparison, Unmatched
from ..comparison.words import HIGHEST, decibels, headline, percent, quality, remarks, worst_channel
from ..errors import brief
from ..escape import shortened
from .content import Cost, Costs
from .limits import LONGEST_NAME, LONGEST_NAME_IN_ROW, LONGEST_TEXT, MOST_UNMATCHED, MOST_WEIGHTS


def costs_of(comparison: Comparison) -> Costs:
    """Return the rows of a comparison."""
    missing = comparison.unmatched
    return Costs(
        reference=shortened(PurePath(comparison.reference or "reference").name, LONGEST_NAME),
        text=", ".join(headline(comparison)),
        rows=tuple(map(_cost, comparison.worst(MOST_WEIGHTS))),
        left_out=max(len(comparison) - MOST_WEIGHTS, 0),
        unmatched=tuple(map(_unmatched, missing[:MOST_UNMATCHED])),
        unmatched_left_out=max(len(missing) - MOST_UNMATCHED, 0),
    )


def _cost(tensor: TensorComparison) -> Cost:
    measures = tensor.measures
    return Cost(
        operator=_operator(tensor),
        name=shortened(tensor.name, LONGEST_NAME_IN_ROW),
        sqnr=decibels(measures),
        quality=quality(measures.sqnr),
        worst_channel=worst_channel(tensor),
        range_used=percent(measures.range_used, 0),
        at_ends=percent(measures.at_ends, 1),
        bar=bar_of(measures.sqnr),
        remarks=shortened("; ".join(remarks(tensor)), LONGEST_TEXT),
    )


def _operator(tensor: TensorComparison) -> str:
    """Return what reads a constant: '3 CONV_2D bias'."""
    index = "" if tensor.operator_index is None else str(tensor.operator_index)
    bias = "bias" if tensor.role == "bias" else ""
    return " ".join(filter(None, [index, shortened(tensor.operator, LONGEST_NAME), bias]))


def bar_of(sqnr: float) -> float:
    """Return the length of the bar of an SQNR, from 0 to 100; what is exact fills it.

    Examples
    --------
    >>> bar_of(36.0), bar_of(-3.0), bar_of(float("inf"))
    (50.0, 0.0, 100.0)
    """
    return round(100 * min(max(sqnr, 0.0), HIGHEST) / HIGHEST, 1)


def _unmatched(missing: Unmatched) -> tuple[str, str, str]:
    side = "the reference" if missing.side == "reference" else "this model"
    name = shortened(missing.name, LONGEST_NAME)
    is_usual = missing.reason in (NO_REFERENCE, NO_QUANTIZED)
    reason = "no counterpart" if is_usual else shortened(missing.reason, LONGEST_TEXT)
    return side, f"{missing.type} {brief(missing.shape)} {name}".lstrip(), reason
