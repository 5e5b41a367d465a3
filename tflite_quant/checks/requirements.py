"""The gate: whether a model is quantized as its user requires.

A scheme is required by one of these names:

- "float32", "float16", "dynamic-range", "weight-only-int8" (or another type): the scheme that
  `Model.summary` names so, with spaces for hyphens.
- "int8": computed in int8 throughout. Every operator that computes writes int8 and has int8
  weights; other constants may be int16, as those that multiply the state of an LSTM. Only QUANTIZE
  and DEQUANTIZE read or write other types, and operators that only move values, so the model's
  inputs and outputs may be float or uint8. Tensors without a scale, such as shapes and indices, may
  have any type.
- "int8x4", "int16x8", "uint8": likewise. "int8x4" is int8 activations with int4 weights, "int16x8"
  int16 activations with int8 weights.
- "int8-io", "int8x4-io", "int16x8-io", "uint8-io": the same, and all of the model's inputs and
  outputs are of the type of the activations. A float or uint8 input does not meet "int8-io".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ..format.schema import TensorType
from ..model.model import Model
from ..model.operator import Operator
from ..model.tensor import Tensor
from ..summary.float_operators import (
    CALLS,
    CONVERSIONS,
    FLOATS,
    MOVERS,
    NARROW,
    SHAPES,
    is_float,
    is_quantized,
    walk,
)
from .findings import Finding
from .kinds import KINDS

_EDGES = "-io"


class _Scheme(NamedTuple):
    """An integer scheme: the type of all activations, and those of weights and other constants."""

    activations: TensorType
    weights: frozenset[TensorType]
    constants: frozenset[TensorType]


def _scheme(activations: TensorType, *weights: TensorType) -> _Scheme:
    # The constants that multiply an int16 state are int16.
    return _Scheme(activations, frozenset(weights), frozenset({*weights, TensorType.INT16}))


_INT4, _INT8 = TensorType.INT4, TensorType.INT8
_INTEGER: Mapping[str, _Scheme] = {
    "int8": _scheme(_INT8, _INT8),
    "int8x4": _scheme(_INT8, _INT4, _INT8),
    "int16x8": _scheme(TensorType.INT16, _INT8),
    "uint8": _scheme(TensorType.UINT8, TensorType.UINT8),
}
_WEIGHT_ONLY = tuple(f"weight-only-{type.name.lower()}" for type in sorted(NARROW))

REQUIREMENTS = (
    "float32", "float16", "dynamic-range", *_WEIGHT_ONLY,
    *(f"{name}{end}" for name in _INTEGER for end in ("", _EDGES)),
)  # fmt: skip
"""The names of all schemes that can be required."""


def requirements(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of schemes.

    Raises
    ------
    ValueError
        There is no such scheme.
    TypeError
        A string is given in place of several.
    """
    if isinstance(names, str):
        raise TypeError(f"require is {names!r}, expected a tuple of names: ({names!r},)")
    given = tuple(dict.fromkeys(names))
    for name in given:
        if name not in REQUIREMENTS:
            raise ValueError(f"no scheme is called {name!r}; there are {', '.join(REQUIREMENTS)}")
    return given


def requirement_findings(model: Model, required: Sequence[str]) -> Iterator[Finding]:
    """Find that a model has none of the schemes that are required."""
    if not required:
        return
    scheme, fixed = model.summary().scheme, walk(model).fixed
    reasons: list[str] = []
    for name in required:
        reason = _reason(model, fixed, scheme, name)
        if reason is None:
            return
        if reason:
            reasons.append(f"for {name}, {reason}" if len(required) > 1 else reason)
    why = "; ".join(reasons)
    found = f"scheme {scheme!r}" + (f": {why}" if why else "")
    kind = KINDS["TQ402"]
    yield Finding(
        kind, kind.severity, 0, None, None, found, f"scheme {' or '.join(required)}", kind.effect
    )


def _reason(model: Model, fixed: set[Tensor], scheme: str, required: str) -> str | None:
    """Return why a model has not this scheme; None if it has."""
    integer = _INTEGER.get(required.removesuffix(_EDGES))
    if integer is None:
        return None if scheme.replace(" ", "-") == required else ""
    reasons = [*islice(_exceptions(model, fixed, integer), 4)]
    if len(reasons) > 3:
        reasons[3] = "and more"
    elif not reasons and not _computes(model):
        reasons.append("no operator computes on integers")
    if required.endswith(_EDGES):
        reasons += _edges(model, integer.activations)
    return ", ".join(reasons) or None


def _edges(model: Model, type: TensorType) -> Iterator[str]:
    for word, tensors in (("input", model.inputs), ("output", model.outputs)):
        for index, tensor in enumerate(tensors):
            if tensor.type is not type:
                yield f"{word} {index} is {tensor.type.name}"
                break


def _computing(model: Model) -> Iterator[Operator]:
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator.code.name not in CONVERSIONS | CALLS | SHAPES:
                yield operator


def _computes(model: Model) -> bool:
    """Tell whether any operator writes quantized integers."""
    return any(
        tensor is not None and is_quantized(tensor)
        for operator in _computing(model)
        for tensor in operator.outputs
    )


def _exceptions(model: Model, fixed: set[Tensor], scheme: _Scheme) -> Iterator[str]:
    """Yield what does not fit an integer scheme, operator by operator."""
    for operator in _computing(model):
        tensors = [
            tensor
            for tensor in (*operator.inputs, *operator.outputs)
            if tensor is not None and tensor not in fixed
        ]
        if any(map(is_float, tensors)) and operator.code.name not in MOVERS:
            type = next(tensor.type for tensor in tensors if tensor.type in FLOATS)
            yield f"{_place(operator)} computes in {type.name}"
        elif bad := _wrong([t for t in operator.outputs if t not in fixed], {scheme.activations}):
            yield f"{_place(operator)} writes {bad.type.name}"
        elif bad := _wrong([operator.weights], scheme.weights):
            yield f"{_place(operator)} has weights of {bad.type.name}"
        elif bad := _wrong([t for t in operator.inputs if t in fixed], scheme.constants):
            yield f"{_place(operator)} has a constant of {bad.type.name}"


def _wrong(tensors: Sequence[Tensor | None], types: Iterable[TensorType]) -> Tensor | None:
    """Return the first tensor of narrow integers of another type."""
    for tensor in tensors:
        if tensor is None or tensor.type not in NARROW or tensor.type in types:
            continue
        if is_quantized(tensor):
            return tensor
    return None


def _place(operator: Operator) -> str:
    where = f" of subgraph {operator.subgraph_index}" if operator.subgraph_index else ""
    return f"operator {operator.index} {operator.name[:60]}{where}"
