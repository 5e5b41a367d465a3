"""Counts the operators of a model that the rules say something of, and the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ..model.model import Model
from ..model.operator import Operator
from ..summary.float_operators import CALLS, FLOATS
from .domains import domain_of


@dataclass(frozen=True)
class Coverage:
    """How many operators of a model have been checked against a rule, and how many not.

    Attributes
    ----------
    checked : int
        Those with a rule, and those that only call another subgraph.
    custom : int
        Custom operators, whose tensors may be anything.
    floating : int
        Those that compute in float.
    others : int
        Those without a rule, such as arithmetic with indices.
    """

    checked: int = 0
    custom: int = 0
    floating: int = 0
    others: int = 0

    def __str__(self) -> str:
        """Return it in words.

        Examples
        --------
        >>> str(Coverage(checked=13, custom=2))
        '13 operators checked, 2 custom ones not'
        >>> str(Coverage(checked=1, custom=1, floating=5, others=1))
        '1 operator checked, 1 custom, 5 float and 1 other not'
        >>> str(Coverage(floating=5))
        '0 operators checked, 5 float ones not'
        """
        checked = f"{self.checked} operator{'' if self.checked == 1 else 's'} checked"
        counts = ((self.custom, "custom"), (self.floating, "float"), (self.others, "other"))
        left = [(count, word) for count, word in counts if count]
        if not left:
            return checked
        if len(left) == 1:
            ((count, word),) = left
            ones = "" if word == "other" else " one"
            return f"{checked}, {count} {word}{ones}{'' if count == 1 else 's'} not"
        *first, last = [f"{count} {word}" for count, word in left]
        return f"{checked}, {', '.join(first)} and {last} not"


def coverage(model: Model) -> Coverage:
    """Count the operators of a model that a rule applies to, and the others by the reason.

    Examples
    --------
    >>> from tflite_quant import open
    >>> coverage(open("fixtures/mixed.tflite")).checked > 0
    True
    """
    counts = Counter(_kind(operator) for graph in model.subgraphs for operator in graph.operators)
    return Coverage(**counts)


def _kind(operator: Operator) -> str:
    if operator.code.name == "CUSTOM":
        return "custom"
    if operator.code.name in CALLS or domain_of(operator) is not None:
        return "checked"
    tensors = (*operator.inputs, *operator.outputs)
    if any(tensor is not None and tensor.type in FLOATS for tensor in tensors):
        return "floating"
    return "others"
