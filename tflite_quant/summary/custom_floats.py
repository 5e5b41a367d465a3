"""Finds custom operators that work in float around a model that computes on quantized integers.

Examples are a detector's post-processing, or a decoder of audio: they do not make the model any
less an integer one, but whoever runs it has to know of them.
"""

from __future__ import annotations

from typing import NamedTuple

from ..escape import for_terminal
from ..model.model import Model
from ..model.operator import Operator
from ..model.tensor import Tensor
from .float_operators import MOVERS, UNCOUNTED, Walk, is_float, is_quantized

__all__ = ["CustomFloats", "custom_floats"]

_NAMED = 3
"""How many operators are called by their names,"""
_LONGEST = 40
"""and how many characters of a name are shown."""


class CustomFloats(NamedTuple):
    """Custom operators in float, and where they stand.

    Attributes
    ----------
    names : tuple of str
        The different names of the operators, in the order of the model.
    place : str
        "at its end" if no operator on integers comes after one of them, else "at its beginning" if
        none comes before, else "inside it".
    tensors : set of Tensor
        What they read, and what they write, up to the operators on integers.
    """

    names: tuple[str, ...]
    place: str
    tensors: set[Tensor]

    def __str__(self) -> str:
        """Return a text: 'a custom operator Decode in float at its end'."""
        shown = [for_terminal(name[:_LONGEST]) for name in self.names[:_NAMED]]
        rest = len(self.names) - len(shown)
        more = f" and {rest} more" if rest else ""
        what = "a custom operator" if len(self.names) == 1 else "custom operators"
        return f"{what} {', '.join(shown)}{more} in float {self.place}"


def custom_floats(model: Model, walk: Walk) -> CustomFloats:
    """Return a model's custom operators that read or write float activations.

    Parameters
    ----------
    model : Model
    walk : Walk
        What the model's operators compute on.

    Returns
    -------
    CustomFloats
        Without names if there are none.
    """
    names: dict[str, None] = {}
    own: set[Tensor] = set()
    # What an operator of either kind had a part in.
    after_float: set[Tensor] = set()
    after_integers: set[Tensor] = set()
    comes_before = comes_after = False
    for operator in (operator for graph in model.subgraphs for operator in graph.operators):
        inputs = [tensor for tensor in operator.inputs if tensor is not None]
        outputs = [tensor for tensor in operator.outputs if tensor is not None]
        has_floats = not after_float.isdisjoint(inputs)
        has_integers = not after_integers.isdisjoint(inputs)
        activations = [tensor for tensor in (*inputs, *outputs) if tensor not in walk.fixed]
        if operator.code.name == "CUSTOM" and any(map(is_float, activations)):
            names[operator.custom_name or "CUSTOM"] = None
            comes_after |= has_integers
            own.update(inputs, outputs)
            has_floats = True
        elif _computes_on_integers(operator, activations):
            comes_before |= has_floats
            has_integers = True
        elif not own.isdisjoint(inputs):
            own.update(outputs)
        if has_floats:
            after_float.update(outputs)
        if has_integers:
            after_integers.update(outputs)
    place = "at its end" if not comes_before else "inside it" if comes_after else "at its beginning"
    return CustomFloats(tuple(names), place, own)


def _computes_on_integers(operator: Operator, activations: list[Tensor]) -> bool:
    if operator.code.name in MOVERS | UNCOUNTED or any(map(is_float, activations)):
        return False
    return any(map(is_quantized, activations))
