"""Compares what two models computed from the same input, tensor by tensor.

Somebody has run both, on a device or in an interpreter, and recorded what tensors held. Here they
are paired and compared, in the order in which operators write them, so that the first layer whose
error jumps is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from os import PathLike
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import QuantizationError, TFLiteError, brief, plural
from ..format.schema import INTEGER_RANGES
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import PerAxis
from ..model.tensor import Tensor
from .constants import Values
from .references import LazyArray, open_npz
from .results import TensorComparison, Unmatched
from .summing import measure

Recorded = Mapping[str, ArrayLike] | Mapping[int, ArrayLike] | str | PathLike[str]
"""Arrays by the names or indices of tensors: a mapping, or the path of a .npz file."""

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "DENSIFY", "DECODE")
"""Operators that write the real values that they read."""
_MOST_HINTS = 8
"""Unknown names of which the nearest are said."""


def compare_activations(
    reference: Model | None,
    quantized: Model,
    recorded: tuple[Recorded, Recorded] | None,
    stack: ExitStack,
) -> tuple[list[TensorComparison], list[Unmatched]]:
    """Compare recorded tensors, in the order in which operators write them.

    Parameters
    ----------
    reference : Model or None
        None if it is no model; then tensors are paired by the names that they are recorded under.
    quantized : Model
    recorded : (recorded, recorded) or None
        Of the reference, and of the quantized model.
    stack : ExitStack
        It closes .npz files.

    Returns
    -------
    compared : list of TensorComparison
    unmatched : list of Unmatched
    """
    if recorded is None:
        return [], []
    pairs, unmatched = pairs_of_recorded(reference, quantized, recorded, stack)
    compared: list[TensorComparison] = []
    for pair in pairs:
        result = _compared(pair)
        if isinstance(result, str):
            unmatched.append(_unmatched(pair.tensor, result))
        else:
            compared.append(result)
    return compared, unmatched


class RecordedPair(NamedTuple):
    """What was recorded of a tensor, and of the one of the reference that belongs to it.

    Attributes
    ----------
    tensor : Tensor
    array : ndarray
    other : Tensor or str
        The tensor of the reference; its name, if the reference is no model.
    reference : ndarray
    """

    tensor: Tensor
    array: NDArray[Any]
    other: Tensor | str
    reference: NDArray[Any]

    def read(self) -> tuple[Values, NDArray[Any]]:
        """Return the values of the tensor, and the real values that they are compared with.

        Raises
        ------
        TFLiteError
            The values of one of them are not real numbers, or the shapes differ.
        """
        array, reference, other = self.array, self.reference, self.other
        if array.shape != reference.shape:
            raise QuantizationError(
                f"shape {brief(array.shape)}, but {brief(reference.shape)} in the reference"
            )
        if reference.dtype.kind not in "fiu":
            raise QuantizationError(f"{reference.dtype.name} values are not real numbers")
        if isinstance(other, Tensor) and other.is_quantized and reference.dtype.kind in "iu":
            reference = other.dequantize(reference)
        return _values(self.tensor, array), reference


def pairs_of_recorded(
    reference: Model | None,
    quantized: Model,
    recorded: tuple[Recorded, Recorded],
    stack: ExitStack,
) -> tuple[list[RecordedPair], list[Unmatched]]:
    """Pair what was recorded, in the order in which operators write it; see above."""
    originals, arrays = (_arrays(each, stack) for each in recorded)
    unmatched: list[Unmatched] = []
    of_quantized = _by_tensor(quantized, arrays, "quantized", unmatched)
    if reference is None:
        counterparts: dict[Tensor, Any] = {tensor: tensor.name for tensor in of_quantized}
        of_reference: dict[Any, NDArray[Any]] = dict(originals)
    else:
        counterparts = dict(_counterparts(reference, quantized))
        of_reference = dict(_by_tensor(reference, originals, "reference", unmatched))
    pairs: list[RecordedPair] = []
    used = set()
    for tensor in sorted(of_quantized, key=_time):
        other = counterparts.get(tensor)
        if other is None or other not in of_reference:
            why = "nothing that belongs to it was recorded of the reference"
            unmatched.append(_unmatched(tensor, why))
            continue
        used.add(other)
        pairs.append(RecordedPair(tensor, of_quantized[tensor], other, of_reference[other]))
    for other, array in of_reference.items():
        if other not in used:
            why = "nothing that belongs to it was recorded of the quantized model"
            name = other.name if isinstance(other, Tensor) else str(other)
            unmatched.append(Unmatched("reference", name, array.shape, array.dtype.name, why))
    return pairs, unmatched


def _unmatched(tensor: Tensor, why: str) -> Unmatched:
    return Unmatched("quantized", tensor.name, tensor.shape, tensor.type.name, why)


def _arrays(recorded: Recorded, stack: ExitStack) -> dict[str, NDArray[Any]]:
    """Return recorded arrays by name, or by index as text."""
    if isinstance(recorded, Mapping):
        return {str(key): np.asarray(value) for key, value in recorded.items()}
    found: dict[str, LazyArray] = open_npz(recorded, stack)
    return {name: array.read() for name, array in found.items()}


def _by_tensor(
    model: Model, arrays: Mapping[str, NDArray[Any]], side: str, unmatched: list[Unmatched]
) -> dict[Tensor, NDArray[Any]]:
    """Return recorded arrays by the tensors of the first subgraph; constants are left out."""
    graph = model.subgraphs[0]
    found = {}
    unknown = 0
    for name, array in arrays.items():
        is_index = name.isdecimal() and name not in graph and len(name) < 20
        try:
            # To find the nearest names takes long, which is not done for thousands.
            if unknown >= _MOST_HINTS and not is_index and name not in graph:
                raise KeyError(f"no tensor has the name {name!r}")
            tensor = graph[int(name) if is_index else name]
        except LookupError as error:
            why = str(error.args[0])
            unmatched.append(Unmatched(side, name, array.shape, array.dtype.name, why))
            unknown += 1
            continue
        if not tensor.is_constant and tensor.converted is None:
            found[tensor] = array
    return found


def _time(tensor: Tensor) -> tuple[int, int]:
    """Return when a tensor is written: inputs before all others."""
    producer = tensor.producer
    return (-1 if producer is None else producer.index), tensor.index


def _counterparts(reference: Model, quantized: Model) -> dict[Tensor, Tensor]:
    """Return the tensor of the reference that belongs to each of the quantized model.

    By their places, if both have the same operators but for those that convert; else by their
    names, if these are unique.
    """
    steps, others = (_steps(model) for model in (quantized, reference))
    found: dict[Tensor, Tensor] = {}
    if [step.name for step in steps] == [step.name for step in others]:
        sides = [(quantized.inputs, reference.inputs)]
        sides += [
            (_there(a.outputs), _there(b.outputs)) for a, b in zip(steps, others, strict=True)
        ]
        for ours, theirs in sides:
            found |= dict(zip(ours, theirs, strict=False))
        for operator in quantized.operators:
            _convert(operator, found)
    by_name = {name: reference[name] for name in _unique(reference)}
    for name in _unique(quantized):
        if name in by_name:
            found.setdefault(quantized[name], by_name[name])
    return found


def _steps(model: Model) -> list[Operator]:
    return [each for each in model.operators if each.code.name not in _CONVERSIONS]


def _there(tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
    return tuple([tensor for tensor in tensors if tensor is not None])


def _convert(operator: Operator, found: dict[Tensor, Tensor]) -> None:
    """Let the output of a conversion belong to what its input belongs to."""
    if operator.code.name in _CONVERSIONS and operator.inputs and operator.outputs:
        source, target = operator.inputs[0], operator.outputs[0]
        if source in found and target is not None:
            found.setdefault(target, found[source])


def _unique(model: Model) -> Iterator[str]:
    graph = model.subgraphs[0]
    seen: dict[str, int] = {}
    for tensor in graph.tensors:
        seen[tensor.name] = seen.get(tensor.name, 0) + 1
    return (name for name, count in seen.items() if count == 1 and name)


def _compared(pair: RecordedPair) -> TensorComparison | str:
    """Return the error of a recorded tensor, or why there is none."""
    tensor, array, other = pair.tensor, pair.array, pair.other
    name = other.name if isinstance(other, Tensor) else other
    try:
        values, reference = pair.read()
        axis = values.scheme.axis if isinstance(values.scheme, PerAxis) else None
        result = measure(values, reference, axis, is_weight=False)
    except TFLiteError as error:
        return str(error)
    producer = tensor.producer
    return TensorComparison(
        name=tensor.name,
        index=tensor.index,
        subgraph_index=tensor.subgraph_index,
        role=tensor.role,
        operator="" if producer is None else producer.name,
        operator_index=None if producer is None else producer.index,
        type=tensor.type.name,
        scheme=tensor.quantization.scheme,
        shape=array.shape,
        reference_name=name,
        reference_type=pair.reference.dtype.name,
        matched_by="name" if name == tensor.name else "graph",
        layout="",
        measures=result.measures,
        channels=result.channels,
        not_finite=result.not_finite,
        note=result.note(is_named=name == tensor.name),
    )


def _values(tensor: Tensor, array: NDArray[Any]) -> Values:
    """Return what a recorded array stands for: integers by the tensor's scales, or floats."""
    scheme, ends = tensor.quantization, INTEGER_RANGES.get(tensor.type)
    if isinstance(scheme, PerAxis) and not _fits(scheme, array.shape):
        count = scheme.scales.size
        raise QuantizationError(
            f"{count} {plural('scale', count)} along axis {scheme.axis}, but the recorded values "
            f"have shape {brief(array.shape)}"
        )
    if array.dtype.kind == "f":
        return Values(array, None, scheme, ends if tensor.is_quantized else None)
    if array.dtype.kind not in "iu":
        raise QuantizationError(f"{array.dtype.name} values are not real numbers")
    return Values(tensor.dequantize(array), array, scheme, ends)


def _fits(scheme: PerAxis, shape: tuple[int, ...]) -> bool:
    return 0 <= scheme.axis < len(shape) and scheme.scales.size in (1, shape[scheme.axis])
