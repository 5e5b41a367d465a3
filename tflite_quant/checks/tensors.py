"""Checks of single tensors: parameters that cannot be applied, bytes that do not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.sparsity import DenseDimension
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import PerAxis, PerTensor
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .findings import KINDS, Finding, Named, Severity, counted

__all__ = ["Facts", "facts_of", "finding", "listed", "place_of", "tensor_findings"]

_SMALLEST = np.finfo(np.float32).tiny


class Facts(NamedTuple):
    """A tensor's type, shape and parameters, whatever its quantization scheme.

    Attributes
    ----------
    type : TensorType
    shape : tuple of int
    scales : ndarray of float32, shape (n,)
        Empty if the tensor has none, and for blocks.
    zero_points : ndarray of int64, shape (m,)
    axis : int
    is_plain : bool
        Whether the tensor is not quantized, or per-tensor or per-axis.
    """

    type: TensorType
    shape: tuple[int, ...]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int
    is_plain: bool


_NONE = (np.empty(0, np.float32), np.empty(0, np.int64), 0)


def facts_of(tensor: Tensor) -> Facts:
    """Return the facts of a tensor."""
    match tensor.quantization:
        case PerTensor() as one:
            scales, zeros = np.array([one.scale], np.float32), np.array([one.zero_point], np.int64)
            return Facts(tensor.type, tensor.shape, scales, zeros, 0, True)
        case PerAxis() as many:
            parameters = (many.scales, many.zero_points, many.axis)
            return Facts(tensor.type, tensor.shape, *parameters, True)
        case other:
            return Facts(tensor.type, tensor.shape, *_NONE, other.scheme == "none")


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
        None if operator is None else Named(operator.index, operator.custom_name or operator.name),
        None if tensor is None else Named(tensor.index, tensor.name),
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


def tensor_findings(model: Model) -> Iterator[Finding]:
    """Find problems of single tensors, and of tensors that share a buffer."""
    seen: set[object] = set()
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors:
            facts = facts_of(tensor)
            if facts.type in INTEGER_RANGES:
                yield from _parameters(tensor, facts)
            if tensor.is_constant:
                yield from _contents(tensor, seen)
    yield from _shared(model.subgraphs)


def _parameters(tensor: Tensor, facts: Facts) -> Iterator[Finding]:
    quantization = tensor.quantization
    if isinstance(quantization, Blockwise | MultiAxis):
        yield from _of_blocks(tensor, quantization)
    if not facts.scales.size:
        return
    yield from _scales(tensor, facts.scales)
    yield from _counts(tensor, facts)
    low, high = INTEGER_RANGES[facts.type]
    outside = (facts.zero_points < low) | (facts.zero_points > min(high, (1 << 63) - 1))
    if outside.any():
        found = listed("zero point", facts.zero_points[outside])
        expected = f"{low} to {high}, the range of {facts.type.name}"
        yield finding("TQ105", None, tensor, found, expected)


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
    make = partial(_scale_finding, tensor, scales)
    yield from make(~np.isfinite(scales) | (scales < 0), None, "finite, positive scales")
    severity = Severity.WARNING if tensor.is_constant else Severity.ERROR
    effect = (
        "All real values of a slice with scale zero are zero."
        if tensor.is_constant
        else "Quantizing a value divides by zero."
    )
    yield from make(scales == 0, severity, "positive scales", effect)
    effect = "Processors that flush denormal numbers to zero read the scale as zero."
    tiny = (scales > 0) & (scales < _SMALLEST)
    yield from make(tiny, Severity.WARNING, f"scales of at least {_SMALLEST}", effect)


def _scale_finding(
    tensor: Tensor,
    scales: NDArray[np.float32],
    bad: NDArray[np.bool_],
    severity: Severity | None,
    expected: str,
    effect: str | None = None,
) -> Iterator[Finding]:
    if bad.any():
        yield finding("TQ102", severity, tensor, listed("scale", scales[bad]), expected, effect)


def _counts(tensor: Tensor, facts: Facts) -> Iterator[Finding]:
    count, rank = facts.scales.size, len(facts.shape)
    if facts.zero_points.size != count:
        zeros = counted(facts.zero_points.size, "zero point")
        found = f"{counted(count, 'scale')} and {zeros}"
        yield finding("TQ103", None, tensor, found, "as many zero points as scales")
    if count == 1:
        return
    if not 0 <= facts.axis < rank:
        is_clear = facts.shape == (count,)
        yield finding(
            "TQ104",
            Severity.WARNING if is_clear else Severity.ERROR,
            tensor,
            f"{count} scales along axis {facts.axis} of shape {facts.shape}",
            ("one scale", "axis 0")[rank] if rank < 2 else f"an axis from 0 to {rank - 1}",
            "LiteRT refuses to open the model; kernels for microcontrollers ignore a bias' axis."
            if is_clear
            else None,
        )
    elif count != facts.shape[facts.axis]:
        size = facts.shape[facts.axis]
        found = f"{count} scales along axis {facts.axis} of shape {facts.shape}"
        expected = "1 scale" if size == 1 else f"1 or {size} scales"
        yield finding("TQ103", None, tensor, found, expected)


def _contents(tensor: Tensor, seen: set[object]) -> Iterator[Finding]:
    """Find bytes that do not fit. Strings that many tensors share are decoded only once."""
    try:
        tensor.stored  # noqa: B018  # reading it checks that it fits
        key = (place_of(tensor), tensor.shape)
        if tensor.type is TensorType.STRING and key not in seen:
            seen.add(key)
            tensor.data  # noqa: B018
        if tensor.is_sparse:
            yield from _blocks(tensor)
    except CorruptModelError as error:
        place = f"subgraph {tensor.subgraph_index}, tensor {tensor.index} {tensor.name!r}: "
        found = f"an unreadable constant ({str(error).removeprefix(place)})"
        yield finding("TQ301", None, tensor, found, "bytes that fit its shape and type")
    except UnsupportedError:
        # An unknown type or a missing file is not the fault of the model.
        return


def place_of(tensor: Tensor) -> tuple[str, int]:
    """Return what identifies the bytes of a constant."""
    found = tensor.external_buffer
    return ("buffer", tensor.buffer.index) if found is None else ("external", found.id)


def _blocks(tensor: Tensor) -> Iterator[Finding]:
    sparsity, shape = tensor.sparsity, tensor.shape
    assert sparsity is not None
    sizes = dict(zip(sparsity.traversal_order, sparsity.dimensions, strict=False))
    for number, axis in enumerate(sparsity.block_map, len(shape)):
        dimension = sizes.get(number)
        size = dimension.size if isinstance(dimension, DenseDimension) else 0
        if size > 0 and 0 <= axis < len(shape) and shape[axis] % size:
            found = f"blocks of {size} along axis {axis} of shape {shape}"
            yield finding("TQ304", None, tensor, found, "blocks that divide the axis evenly")


def _shared(subgraphs: tuple[Subgraph, ...]) -> Iterator[Finding]:
    sharing: dict[int, list[Tensor]] = defaultdict(list)
    for subgraph in subgraphs:
        for tensor in subgraph.tensors:
            if tensor.is_constant and tensor.external_buffer is None:
                sharing[tensor.buffer.index].append(tensor)
    for index, (first, *others) in sharing.items():
        for other in others:
            if not _share_parameters(facts_of(first), facts_of(other)):
                yield finding(
                    "TQ303",
                    None,
                    other,
                    f"buffer {index} read as {_reading(other)}",
                    f"{_reading(first)}, as tensor {first.index} of subgraph "
                    f"{first.subgraph_index} reads it",
                )
                break


def _share_parameters(one: Facts, other: Facts) -> bool:
    """Tell whether two tensors have the same parameters. Those of blocks are not compared."""
    return (
        np.array_equal(one.scales, other.scales)
        and np.array_equal(one.zero_points, other.zero_points)
        and one.axis == other.axis
    )


def _reading(tensor: Tensor) -> str:
    return f"{tensor.type.name} {tensor.quantization!r}"
