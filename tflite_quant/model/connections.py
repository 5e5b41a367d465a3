"""How the tensors of a subgraph are connected: who makes and reads them, and what each is for."""

from __future__ import annotations

import weakref
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..format.schema import TensorType
from .compressed import Decoded, decoded_tensors
from .operands import bias_positions, weight_positions
from .operator import Operator
from .tensor import Tensor

if TYPE_CHECKING:
    from .subgraph import Subgraph

_CONVERSIONS = ("DEQUANTIZE", "DENSIFY")
"""Operators whose output has the real values of their input, in another form."""
_FIRST = ("DENSIFY", "CUSTOM")
"""Operators whose output a DEQUANTIZE may convert once more; the only custom one is DECODE."""


class Connections(NamedTuple):
    """The operators around the tensors of a subgraph, by the tensors' indices.

    Attributes
    ----------
    producers : dict of int to Operator
        The operator that writes a tensor; the last one, if there are several.
    consumers : dict of int to list of Operator
        The operators that read it, in the order in which they run.
    converted : dict of int to Operator
        For a tensor that is made of constants alone, the operator that converts them.
    decoded : dict of int to Decoded
        For those of them that a DECODE makes, what it makes them of.
    encoded : dict of int to Operator
        For a constant that only DECODE operators read, the last of them.
    roles : dict of int to str
        What each tensor is for; see `Tensor.role`.
    """

    producers: dict[int, Operator]
    consumers: dict[int, list[Operator]]
    converted: dict[int, Operator]
    decoded: dict[int, Decoded]
    encoded: dict[int, Operator]
    roles: dict[int, str]


def connect(subgraph: Subgraph) -> Connections:
    """Return how the tensors of a subgraph are connected."""
    producers: dict[int, Operator] = {}
    consumers: dict[int, list[Operator]] = defaultdict(list)
    converted: dict[int, Operator] = {}
    decoded: dict[int, Decoded] = {}
    for operator in subgraph.operators:
        for tensor in dict.fromkeys(operator.inputs):
            if tensor is not None:
                consumers[tensor.index].append(operator)
        for tensor in operator.outputs:
            if tensor is not None:
                producers[tensor.index] = operator
        _note_conversion(operator, converted, decoded)
    encoded = _encoded(subgraph, consumers)
    roles = _roles(subgraph, converted, encoded)
    return Connections(producers, dict(consumers), converted, decoded, encoded, roles)


def _encoded(subgraph: Subgraph, consumers: dict[int, list[Operator]]) -> dict[int, Operator]:
    """Return the constants that have no values of their own: only DECODE operators read them."""
    decoding: dict[int, dict[int, Operator]] = defaultdict(dict)
    for operator in subgraph.operators:
        for sources in decoded_tensors(operator):
            for constant in (sources.encoded, sources.ancillary):
                decoding[constant.index][operator.index] = operator
    return {
        index: next(reversed(operators.values()))
        for index, operators in decoding.items()
        if all(reader.index in operators for reader in consumers[index])
    }


def _note_conversion(
    operator: Operator, converted: dict[int, Operator], decoded: dict[int, Decoded]
) -> None:
    """Note the output of an operator that only converts a constant.

    A constant may be made dense or decoded first and dequantized then; nothing longer is followed.
    """
    for sources in decoded_tensors(operator):
        converted[sources.tensor.index] = operator
        decoded[sources.tensor.index] = sources
    if operator.code.name not in _CONVERSIONS or not operator.inputs or not operator.outputs:
        return
    source, target = operator.inputs[0], operator.outputs[0]
    if source is None or target is None or target.is_constant:
        return
    before = converted.get(source.index)
    is_second = operator.code.name == "DEQUANTIZE" and before is not None
    if source.is_constant or (is_second and before is not None and before.code.name in _FIRST):
        converted[target.index] = operator
        decoded.pop(target.index, None)


def _roles(
    subgraph: Subgraph, converted: dict[int, Operator], encoded: dict[int, Operator]
) -> dict[int, str]:
    of_operands: dict[int, str] = {}
    # From the end, since the constant that a DEQUANTIZE reads is what its output is.
    for operator in reversed(subgraph.operators):
        name, count = operator.code.name, len(operator.inputs)
        for find, role in ((bias_positions, "bias"), (weight_positions, "weight")):
            for position in find(name, count):
                tensor = operator.inputs[position]
                if tensor is not None:
                    of_operands[tensor.index] = role
        if name in _CONVERSIONS and operator.outputs and operator.outputs[0] is not None:
            role = of_operands.get(operator.outputs[0].index, "")
            if role and operator.inputs and operator.inputs[0] is not None:
                of_operands.setdefault(operator.inputs[0].index, role)
    of_operands |= dict.fromkeys(encoded, "encoded")
    ends = {tensor.index: "output" for tensor in subgraph.outputs}
    ends |= {tensor.index: "input" for tensor in subgraph.inputs}
    return {
        tensor.index: ends.get(tensor.index) or _role(tensor, of_operands, converted)
        for tensor in subgraph.tensors
    }


_STATES = (TensorType.RESOURCE, TensorType.VARIANT)


def _role(tensor: Tensor, of_operands: dict[int, str], converted: dict[int, Operator]) -> str:
    """Return the role of a tensor that is no input or output of the subgraph."""
    if tensor.is_variable or tensor.type in _STATES:
        return "state"
    if tensor.is_constant or tensor.index in converted:
        return of_operands.get(tensor.index, "constant")
    return "activation"


class Home:
    """Where tensors and operators find their subgraph, which may be gone.

    A subgraph refers to its tensors and operators. If they referred to it, too, only the garbage
    collector would release the file. If it is gone, it is made again, with new tensors and
    operators, and kept as long as the old ones.
    """

    def __init__(self, subgraph: Subgraph) -> None:
        self._subgraph = weakref.ref(subgraph)
        self._again = partial(type(subgraph), subgraph.structure, subgraph.index)
        self._kept: Subgraph | None = None

    @property
    def subgraph(self) -> Subgraph:
        """The subgraph."""
        alive = self._subgraph()
        if alive is not None:
            return alive
        if self._kept is None:
            self._kept = self._again()
        return self._kept
