"""Checks of single tensors: parameters that cannot be applied, bytes that do not fit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import (
    CorruptModelError,
    ExternalFileError,
    QuantizationError,
    UnsupportedError,
    brief,
)
from ..format.budget import MAX_ARRAY_RANK, Budget
from ..format.compression import HUFFMAN
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.sparsity import DenseDimension
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.compressed import places_of
from ..model.operator import Operator
from ..model.quantization import NotQuantized, PerAxis, PerTensor
from ..model.tensor import Tensor
from .findings import Finding, Subject, counted
from .kinds import KINDS, Severity

_SMALLEST = np.finfo(np.float32).tiny

_BIT_COST = 16
"""What a bit of codes of different lengths costs: they are decoded one at a time."""

_AXIS_OF_BIAS = (
    "LiteRT refuses to open the model; kernels for microcontrollers ignore a bias' axis."
)

_ZERO_IN_BLOCKS = (
    "LiteRT refuses the model unless its default delegate is off; all real values of a block with "
    "scale zero are zero."
)
_READ_AS_FLOAT16 = "LiteRT reads the scales of blocks as FLOAT16, whatever their type."
_UNREAD = "LiteRT's kernels take every zero point of blocks for 0."
_IN_ORDER = (
    "LiteRT reads the scales in the order of the blocks, whatever their shape; programs that go by "
    "the shape cannot tell which scale is whose."
)
_ONE_ZERO_POINT = (
    "LiteRT refuses the model; TensorFlow Lite Micro takes the zero point for all slices."
)
_NO_BYTES = "LiteRT refuses the model; TensorFlow Lite Micro computes the tensor as any other."


class Parameters(NamedTuple):
    """A tensor's scales and zero points, and what most checks ask of them.

    Attributes
    ----------
    scheme : NotQuantized, PerTensor or PerAxis
        The tensor's scheme; NotQuantized in place of any other, such as that of blocks.
    is_plain : bool
        Whether the tensor has no other scheme.
    scale_count : int
        How many scales there are.
    axis : int
        Their axis; 0 if there is none.
    lowest, highest : float
        The least and the greatest scale; not a number if any of them is none.
    zero_points : tuple of int
        The lowest and the highest zero point; empty if there are none.
    """

    scheme: NotQuantized | PerTensor | PerAxis
    is_plain: bool = True
    scale_count: int = 0
    axis: int = 0
    lowest: float = math.nan
    highest: float = math.nan
    zero_points: tuple[int, ...] = ()

    @property
    def first(self) -> float:
        """The first scale, of at least one."""
        return float(self.scheme.scales[0])

    @property
    def are_finite(self) -> bool:
        """Whether there are scales, and all of them are finite."""
        return math.isfinite(self.lowest) and math.isfinite(self.highest)

    def outside(self, low: int, high: int) -> NDArray[np.int64]:
        """Return the zero points that are not in a range."""
        if not self.zero_points or low <= self.zero_points[0] <= self.zero_points[1] <= high:
            return _NO_ZERO_POINTS
        zeros = self.scheme.zero_points
        return zeros[(zeros < low) | (zeros > min(high, (1 << 63) - 1))]


_NO_ZERO_POINTS = np.empty(0, np.int64)
_NOT_QUANTIZED, _OTHER_SCHEME = (Parameters(NotQuantized(), is_plain) for is_plain in (True, False))


def parameters_of(tensor: Tensor) -> Parameters:
    """Return the parameters of a tensor."""
    scheme = tensor.quantization
    if isinstance(scheme, PerTensor):
        scale, zero = scheme.scale, scheme.zero_point
        return Parameters(scheme, True, 1, 0, scale, scale, (zero, zero))
    if isinstance(scheme, PerAxis):
        scales, zeros = scheme.scales, scheme.zero_points
        ends = (int(zeros.min()), int(zeros.max())) if zeros.size else ()
        extremes = float(scales.min()), float(scales.max())
        return Parameters(scheme, True, scales.size, scheme.axis, *extremes, ends)
    return _NOT_QUANTIZED if isinstance(scheme, NotQuantized) else _OTHER_SCHEME


def finding(
    id: str,
    severity: Severity | None,
    tensor: Tensor | None,
    found: str,
    expected: str,
    effect: str | None = None,
    operator: Operator | None = None,
) -> Finding:
    """Return a finding, with the severity and effect of its kind unless others are given."""
    kind = KINDS[id]
    subgraph = tensor.subgraph_index if operator is None else operator.subgraph_index  # type: ignore[union-attr]
    return Finding(
        kind,
        kind.severity if severity is None else severity,
        subgraph,
        None if operator is None else Subject(operator.index, operator.name),
        None if tensor is None else Subject(tensor.index, tensor.name),
        found,
        expected,
        kind.effect if effect is None else effect,
    )


def refused_by_litert(targets: Sequence[str], otherwise: str) -> tuple[Severity, str] | None:
    """Return severity and effect of what only LiteRT refuses; None if it is no target.

    Parameters
    ----------
    targets : sequence of str
    otherwise : str
        What TensorFlow Lite Micro does: "runs it".
    """
    if "litert" not in targets:
        return None
    if "tflm" not in targets:
        return Severity.ERROR, "LiteRT refuses the model."
    return Severity.WARNING, f"LiteRT refuses the model; TensorFlow Lite Micro {otherwise}."


def listed(word: str, values: NDArray[Any], limit: int = 4) -> str:
    """Return a word and numbers: 'scale 0.5', 'scales 0.5, 0.25, 0.125, 0.5 and 30 more'."""
    shown = ", ".join(str(value) for value in values[:limit])
    rest = values.size - limit
    more = f" and {rest} more" if rest > 0 else ""
    return f"{word}{'s' if values.size > 1 else ''} {shown}{more}"


def tensor_findings(
    parameters: Mapping[Tensor, Parameters], targets: Sequence[str], budget: Budget
) -> Iterator[Finding]:
    """Find problems of single tensors, and of tensors that share a buffer.

    Parameters
    ----------
    parameters : mapping of Tensor to Parameters
    targets : sequence of str
        The runtimes that the model is for.
    budget : Budget
        For the values of compressed tensors.
    """
    seen: set[object] = set()
    looked_at: _Faults = {}
    for tensor, its_parameters in parameters.items():
        # An encoded tensor may keep the parameters that it had before.
        if tensor.type in INTEGER_RANGES and tensor.role != "encoded":
            yield from _parameters(tensor, its_parameters, targets, looked_at)
        if tensor.is_constant or tensor.is_compressed:
            yield from _contents(tensor, seen, budget)
        elif tensor.buffer.index and tensor.buffer.offset:
            yield from _empty(tensor, targets)
    yield from _shared(parameters)


def can_decode(tensor: Tensor, budget: Budget) -> bool:
    """Tell whether a budget lasts for the values of a compressed tensor, and charge it.

    Raises
    ------
    TFLiteError
        The compression cannot be read.
    """
    facts = tensor.compression
    if facts is None:
        return True
    cost = facts.dense_nbytes or 0
    if facts.scheme == HUFFMAN:
        cost += _BIT_COST * 8 * facts.nbytes
    if budget.spent + cost > budget.limit:
        return False
    budget.spent += cost
    return True


def _parameters(
    tensor: Tensor, parameters: Parameters, targets: Sequence[str], looked_at: _Faults
) -> Iterator[Finding]:
    scheme = tensor.quantization
    if isinstance(scheme, Blockwise | MultiAxis):
        yield from _of_blocks(tensor, scheme, looked_at)
    if not parameters.scale_count:
        return
    if not _SMALLEST <= parameters.lowest <= parameters.highest < math.inf:
        yield from _scales(tensor, parameters.scheme.scales)
    if isinstance(scheme, PerAxis):
        yield from _counts(tensor, scheme, targets)
    low, high = INTEGER_RANGES[tensor.type]
    outside = parameters.outside(low, high)
    if outside.size:
        expected = f"{low} to {high}, the range of {tensor.type.name}"
        yield finding("TQ105", None, tensor, listed("zero point", outside), expected)


def _of_blocks(
    tensor: Tensor, scheme: Blockwise | MultiAxis, looked_at: _Faults
) -> Iterator[Finding]:
    """Find problems of scales and zero points that are tensors of their own.

    What kernels read of them: google-ai-edge/LiteRT, tflite/kernels/fully_connected.cc and
    tflite/delegates/xnnpack/xnnpack_delegate.cc.
    """
    are_readable = True
    for word, values, index, kinds, expected in (
        ("scales", scheme.scales, scheme.scales_tensor, "f", "floats"),
        ("zero points", scheme.zero_points, scheme.zero_points_tensor, "iu", "integers"),
    ):
        if values is None:
            if index >= 0 or word == "scales":
                are_readable = False
                found = f"no {word} in tensor {index}"
                yield finding("TQ106", None, tensor, found, "a constant tensor of numbers")
            continue
        if values.dtype.kind not in kinds:
            are_readable = False
            found = f"{word} of type {values.dtype.name} in tensor {index}"
            yield finding("TQ106", None, tensor, found, expected)
            continue
        if kinds == "f" and isinstance(scheme, Blockwise) and values.dtype.itemsize != 2:
            found = f"scales in tensor {index} that are not FLOAT16"
            warning = Severity.WARNING
            yield finding("TQ106", warning, tensor, found, "FLOAT16", _READ_AS_FLOAT16)
        for fault in _faults(tensor, values, looked_at):
            yield finding(fault.id, fault.severity, tensor, *fault[2:])
    if are_readable:
        yield from _shapes(tensor, scheme)


class _Fault(NamedTuple):
    """What a finding about some scales or zero points says, whatever tensors share them."""

    id: str
    severity: Severity | None
    found: str
    expected: str
    effect: str | None


_Faults = dict[tuple[object, ...], list[_Fault]]
"""The faults of arrays that have been looked at, by where they are: many tensors may share one."""


def _faults(tensor: Tensor, values: NDArray[Any], looked_at: _Faults) -> list[_Fault]:
    """Return the faults of the scales or zero points of blocks."""
    low, high = INTEGER_RANGES[tensor.type]
    key = (values.__array_interface__["data"][0], values.dtype, values.size, low, high)
    faults = looked_at.get(key)
    if faults is None:
        values = values.reshape(-1)
        if values.dtype.kind == "f":
            faults = list(_unusable(values, Severity.ERROR, _ZERO_IN_BLOCKS))
        else:
            faults = list(_unread(values, low, high, tensor.type))
        looked_at[key] = faults
    return faults


def _unread(zeros: NDArray[Any], low: int, high: int, type: TensorType) -> Iterator[_Fault]:
    """Find zero points that LiteRT's kernels, which take all of blocks for 0, do not read."""
    if zeros.any():
        found = listed("zero point", zeros[zeros != 0])
        yield _Fault("TQ204", Severity.WARNING, found, "0", _UNREAD)
    outside = zeros[(zeros < low) | (zeros > high)]
    if outside.size:
        expected = f"{low} to {high}, the range of {type.name}"
        yield _Fault("TQ105", None, listed("zero point", outside), expected, None)


def _shapes(tensor: Tensor, scheme: Blockwise | MultiAxis) -> Iterator[Finding]:
    """Find scales and zero points in a shape that does not say which values they are for."""
    scales, zeros, shape = scheme.scales, scheme.zero_points, tensor.shape
    assert scales is not None
    if zeros is not None and zeros.size != 1 and zeros.shape != scales.shape:
        found = f"zero points of shape {brief(zeros.shape)}"
        yield finding("TQ103", None, tensor, found, f"{brief(scales.shape)}, that of the scales")
        return
    try:
        scheme.parameters(shape)
    except QuantizationError:
        found = f"scales of shape {brief(scales.shape)} for shape {brief(shape)}"
        if isinstance(scheme, MultiAxis):
            blocks = f" in blocks of {scheme.block_size}" if scheme.block_size else ""
            expected = f"those of axes {brief(scheme.axes)}{blocks}"
            yield finding("TQ103", None, tensor, found, expected)
            return
        block = scheme.block_shape or (scheme.block_size,)
        expected = f"one for each block of {brief(block) if scheme.block_shape else block[0]}"
        has_all = max(len(shape), len(block)) <= MAX_ARRAY_RANK and (
            scales.size * math.prod(block) == math.prod(shape)
        )
        severity, effect = (Severity.NOTE, _IN_ORDER) if has_all else (None, None)
        yield finding("TQ103", severity, tensor, found, expected, effect)


def _scales(tensor: Tensor, scales: NDArray[np.float32]) -> Iterator[Finding]:
    severity, of_zero = Severity.ERROR, "Quantizing a value divides by zero."
    if tensor.is_constant:
        severity = Severity.WARNING
        of_zero = "All real values of a slice with scale zero are zero."
    for fault in _unusable(scales, severity, of_zero):
        yield finding(fault.id, fault.severity, tensor, *fault[2:])


def _unusable(
    scales: NDArray[Any], severity_of_zero: Severity, effect_of_zero: str
) -> Iterator[_Fault]:
    """Find scales that are no positive numbers of at least the smallest normal float32."""
    of_tiny = "Processors that flush denormal numbers to zero read the scale as zero."
    at_least = f"scales of at least {_SMALLEST}"
    for bad, severity, expected, effect in (
        (~np.isfinite(scales) | (scales < 0), None, "finite, positive scales", None),
        (scales == 0, severity_of_zero, "positive scales", effect_of_zero),
        ((scales > 0) & (scales < _SMALLEST), Severity.WARNING, at_least, of_tiny),
    ):
        if bad.any():
            yield _Fault("TQ102", severity, listed("scale", scales[bad]), expected, effect)


def _counts(tensor: Tensor, scheme: PerAxis, targets: Sequence[str]) -> Iterator[Finding]:
    count, zeros = scheme.scales.size, scheme.zero_points.size
    axis, shape = scheme.axis, tensor.shape
    if zeros != count:
        found = f"{counted(count, 'scale')} and {counted(zeros, 'zero point')}"
        severity, effect = None, None
        if zeros == 1 and "tflm" in targets:
            severity, effect = Severity.WARNING, _ONE_ZERO_POINT
        yield finding("TQ103", severity, tensor, found, "as many zero points as scales", effect)
    is_axis = 0 <= axis < len(shape)
    if count == 1 or (is_axis and count == shape[axis]):
        return
    found = f"{count} scales along axis {axis} of shape {brief(shape)}"
    if is_axis:
        expected = "1 scale" if shape[axis] == 1 else f"1 or {shape[axis]} scales"
        yield finding("TQ103", None, tensor, found, expected)
        return
    last = len(shape) - 1
    expected = ("one scale", "axis 0")[last + 1] if last < 1 else f"an axis from 0 to {last}"
    severity, effect = Severity.ERROR, None
    if shape == (count,):
        severity, effect = Severity.WARNING, _AXIS_OF_BIAS
    yield finding("TQ104", severity, tensor, found, expected, effect)


def _contents(tensor: Tensor, seen: set[object], budget: Budget) -> Iterator[Finding]:
    """Find bytes that do not fit. What many tensors share is decoded only once."""
    try:
        if tensor.compression is not None:
            _decode(tensor, seen, budget)
            return
        tensor.stored  # noqa: B018  # reading it checks that it fits
        if tensor.type is TensorType.STRING:
            # Whatever the shape: a wrong count of strings is seen before any of them is decoded.
            # Several buffers may be the same bytes.
            bytes_of = tensor.external_buffer or (tensor.buffer.offset, tensor.nbytes)
            key = (bytes_of, math.prod(tensor.shape[: MAX_ARRAY_RANK + 1]))
            if key not in seen:
                seen.add(key)
                tensor.data  # noqa: B018
        if tensor.is_sparse:
            yield from _blocks(tensor)
    except (CorruptModelError, ExternalFileError) as error:
        place = f"subgraph {tensor.subgraph_index}, tensor {tensor.index} {tensor.name!r}: "
        found = f"an unreadable constant ({str(error).removeprefix(place)})"
        yield finding("TQ301", None, tensor, found, "bytes that fit its shape and type")
    except UnsupportedError:
        # An unknown type is not the fault of the model.
        return


def _decode(tensor: Tensor, seen: set[object], budget: Budget) -> None:
    """Decode a compressed tensor, which checks that it can be."""
    key = places_of(tensor)
    if key not in seen and can_decode(tensor, budget):
        seen.add(key)
        tensor.data  # noqa: B018


def _empty(tensor: Tensor, targets: Sequence[str]) -> Iterator[Finding]:
    """Find a tensor that is not constant, but has a buffer, which has no bytes.

    Vela writes them. For LiteRT whatever has a buffer is constant (google-ai-edge/LiteRT,
    tflite/core/interpreter_builder.cc, ParseTensors); for TensorFlow Lite Micro what has bytes
    (tensorflow/tflite-micro, tensorflow/lite/micro/micro_allocator.cc, GetFlatbufferTensorBuffer).
    """
    is_written = tensor.producer is not None or tensor.is_variable or tensor.role == "input"
    found = f"buffer {tensor.buffer.index}, which has 0 bytes"
    if tensor.consumers and not is_written:
        yield finding("TQ301", None, tensor, found, "bytes that fit its shape and type")
    elif "litert" in targets:
        severity = Severity.ERROR if targets == ("litert",) else Severity.NOTE
        yield finding("TQ301", severity, tensor, found, "no buffer", _NO_BYTES)


def _blocks(tensor: Tensor) -> Iterator[Finding]:
    sparsity, shape = tensor.sparsity, tensor.shape
    assert sparsity is not None
    sizes = dict(zip(sparsity.traversal_order, sparsity.dimensions, strict=False))
    uneven: dict[int, int] = {}
    for number, axis in enumerate(sparsity.block_map, len(shape)):
        dimension = sizes.get(number)
        size = dimension.size if isinstance(dimension, DenseDimension) else 0
        if size > 0 and 0 <= axis < len(shape) and shape[axis] % size:
            uneven.setdefault(axis, size)
    if uneven:
        axis, size = next(iter(uneven.items()))
        found = f"blocks of {size} along axis {axis} of shape {brief(shape)}"
        if len(uneven) > 1:
            found += f", and along {len(uneven) - 1} more"
        yield finding("TQ304", None, tensor, found, "blocks that divide the axis evenly")


def _shared(parameters: Mapping[Tensor, Parameters]) -> Iterator[Finding]:
    sharing: dict[int, list[Tensor]] = defaultdict(list)
    for tensor in parameters:
        if tensor.is_constant and tensor.external_buffer is None and tensor.role != "encoded":
            sharing[tensor.buffer.index].append(tensor)
    for index, (first, *others) in sharing.items():
        for other in others:
            # Schemes of blocks are not compared.
            if parameters[first].scheme != parameters[other].scheme:
                found = f"buffer {index} read as {_reading(other)}"
                by = f"tensor {first.index} of subgraph {first.subgraph_index}"
                yield finding("TQ303", None, other, found, f"{_reading(first)}, as {by} reads it")
                break


def _reading(tensor: Tensor) -> str:
    return f"{tensor.type.name} {tensor.quantization!r}"
