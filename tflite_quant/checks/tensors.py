"""Checks of single tensors: parameters that cannot be applied, bytes that do not fit."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, ExternalFileError, UnsupportedError, brief
from ..format.budget import MAX_ARRAY_RANK
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.sparsity import DenseDimension
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.operator import Operator
from ..model.quantization import NotQuantized, PerAxis, PerTensor
from ..model.tensor import Tensor
from .findings import KINDS, Finding, Severity, Subject, counted

_SMALLEST = np.finfo(np.float32).tiny

_AXIS_OF_BIAS = (
    "LiteRT refuses to open the model; kernels for microcontrollers ignore a bias' axis."
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


def listed(word: str, values: NDArray[Any], limit: int = 4) -> str:
    """Return a word and numbers: 'scale 0.5', 'scales 0.5, 0.25, 0.125, 0.5 and 30 more'."""
    shown = ", ".join(str(value) for value in values[:limit])
    rest = values.size - limit
    more = f" and {rest} more" if rest > 0 else ""
    return f"{word}{'s' if values.size > 1 else ''} {shown}{more}"


def tensor_findings(
    parameters: Mapping[Tensor, Parameters], targets: Sequence[str]
) -> Iterator[Finding]:
    """Find problems of single tensors, and of tensors that share a buffer."""
    seen: set[object] = set()
    for tensor, its_parameters in parameters.items():
        if tensor.type in INTEGER_RANGES:
            yield from _parameters(tensor, its_parameters, targets)
        if tensor.is_constant:
            yield from _contents(tensor, seen)
        elif tensor.buffer.index and tensor.buffer.offset:
            yield from _empty(tensor, targets)
    yield from _shared(parameters)


def _parameters(
    tensor: Tensor, parameters: Parameters, targets: Sequence[str]
) -> Iterator[Finding]:
    scheme = tensor.quantization
    if isinstance(scheme, Blockwise | MultiAxis):
        yield from _of_blocks(tensor, scheme)
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


def _of_blocks(tensor: Tensor, quantization: Blockwise | MultiAxis) -> Iterator[Finding]:
    pairs = (
        ("scales", quantization.scales, quantization.scales_tensor),
        ("zero points", quantization.zero_points, quantization.zero_points_tensor),
    )
    for word, values, index in pairs:
        if values is None and (index >= 0 or word == "scales"):
            found = f"no {word} in tensor {index}"
            yield finding("TQ106", None, tensor, found, "a constant tensor of numbers")


def _scales(tensor: Tensor, scales: NDArray[np.float32]) -> Iterator[Finding]:
    severity, of_zero = Severity.ERROR, "Quantizing a value divides by zero."
    if tensor.is_constant:
        severity = Severity.WARNING
        of_zero = "All real values of a slice with scale zero are zero."
    of_tiny = "Processors that flush denormal numbers to zero read the scale as zero."
    at_least = f"scales of at least {_SMALLEST}"
    for bad, its_severity, expected, effect in (
        (~np.isfinite(scales) | (scales < 0), None, "finite, positive scales", None),
        (scales == 0, severity, "positive scales", of_zero),
        ((scales > 0) & (scales < _SMALLEST), Severity.WARNING, at_least, of_tiny),
    ):
        if bad.any():
            found = listed("scale", scales[bad])
            yield finding("TQ102", its_severity, tensor, found, expected, effect)


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


def _contents(tensor: Tensor, seen: set[object]) -> Iterator[Finding]:
    """Find bytes that do not fit. Strings that many tensors share are decoded only once."""
    try:
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


def _empty(tensor: Tensor, targets: Sequence[str]) -> Iterator[Finding]:
    """Find a tensor that is not constant, but has a buffer, which has no bytes.

    Vela writes them. For LiteRT whatever has a buffer is constant (google-ai-edge/LiteRT,
    tflite/core/interpreter_builder.cc, ParseTensors); for TensorFlow Lite Micro what has bytes
    (tensorflow/tflite-micro, tensorflow/lite/micro/micro_allocator.cc, GetFlatbufferTensorBuffer).
    """
    is_written = (
        tensor.producer is not None or tensor.is_variable or tensor in tensor.subgraph.inputs
    )
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
        if tensor.is_constant and tensor.external_buffer is None:
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
