"""Checks of the values of weights and biases."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..format.budget import MAX_RANK
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.operator import Operator
from ..model.tensor import Tensor
from .findings import Finding
from .rule import Operand
from .tensors import Parameters, finding, listed, parameters_of

_CROWD = 64
"""The fewest values of a channel of which many at the ends of the range mean anything,"""
_DIFFERENT = 16
"""and the fewest different ones. Weights that are all alike, as of a mean, are all the largest."""

_LARGEST_SUM = INTEGER_RANGES[TensorType.INT32][1]

_DENSE_PER_BYTE = 64
"""Values that a sparse tensor may have for each of its stored bytes."""


def weight_findings(
    operator: Operator, operand: Operand, tensor: Tensor, parameters: Parameters
) -> Iterator[Finding]:
    """Find problems in the values of weights.

    Parameters
    ----------
    operator : Operator
    operand : Operand
        What the rule says of the weights.
    tensor : Tensor
        The weights, constant.
    parameters : Parameters
        Those of the weights.
    """
    data = _data(tensor)
    if data is None or not data.size or operand.range is None:
        return
    bottom, top = operand.range
    top = min(top, INTEGER_RANGES[tensor.type][1])
    channels = _channels(data, parameters.axis if parameters.scale_count > 1 else None)
    rows = data.reshape(1, -1) if channels is None else channels
    lowest, highest = rows.min(axis=1), rows.max(axis=1)
    # In a wider type, since int8 has no 128.
    peaks = np.maximum(highest.astype(np.int64), -lowest.astype(np.int64))
    if lowest.min() < bottom or highest.max() > top:
        low, high = int(lowest.min()), int(highest.max())
        count = np.count_nonzero((data < bottom) | (data > top))
        found = f"values from {low} to {high}, {count} of them out of range"
        yield finding("TQ209", None, tensor, found, f"{bottom} to {top}", None, operator)
    if channels is None:
        return
    if 2 * peaks.min() < top:
        zeros = peaks == 0
        if zeros.any():
            found = _which(zeros, "only zeros")
            yield finding("TQ501", None, tensor, found, "a nonzero value", None, operator)
        unused = (peaks > 0) & (2 * peaks < top)
        if unused.any():
            found = _which(unused, f"no absolute value above {int(peaks[unused].max())}")
            yield finding("TQ503", None, tensor, found, f"values up to {top}", None, operator)
    # Of 4 bits, many values are at the ends whatever the scale.
    is_wide = tensor.type not in (TensorType.INT4, TensorType.INT2)
    if is_wide and channels.shape[1] >= _CROWD and (crowded := _crowded(channels, top)).any():
        found = _which(crowded, f"at least a tenth of the values at -{top} or {top}")
        yield finding("TQ502", None, tensor, found, "few values there", None, operator)


def _crowded(channels: NDArray[Any], top: int) -> NDArray[np.bool_]:
    """Tell which channels have at least a tenth of their values at the ends of the range."""
    count, size = channels.shape
    crowded = np.zeros(count, bool)
    at_ends = np.count_nonzero((channels >= top) | (channels <= -top), axis=1)
    for index in (at_ends * 10 >= size).nonzero()[0]:
        crowded[index] = np.unique(channels[index]).size >= _DIFFERENT
    return crowded


def bias_findings(
    operator: Operator, bias: Tensor, weights: Tensor, axis: int | None, read: Tensor
) -> Iterator[Finding]:
    """Find problems in the values of a bias, and in the sums that start with it.

    Parameters
    ----------
    operator : Operator
    bias, weights : Tensor
    axis : int or None
        The axis of the weights that has the operator's channels.
    read : Tensor
        The activation that is multiplied by the weights.
    """
    values = _data(bias)
    if values is None or not values.size:
        return
    values = values.reshape(-1)
    low, high = INTEGER_RANGES[bias.type]
    lowest, highest = int(values.min()), int(values.max())
    if lowest <= low or highest >= high:
        ends = (values <= low) | (values >= high)
        what = "a value" if np.count_nonzero(ends) == 1 else "values"
        found = _which(ends, f"{what} at the end of the {bias.type.name} range")
        yield finding("TQ502", None, bias, found, "values inside the range", None, operator)
    is_int8 = read.type is TensorType.INT8 and bias.type is TensorType.INT32
    if is_int8 and axis is not None and constant_of(weights) is not None:
        zeros = parameters_of(read).scheme.zero_points
        if zeros.size == 1:
            low, high = (end - int(zeros[0]) for end in INTEGER_RANGES[TensorType.INT8])
            # Few weights cannot exceed an int32, whatever their values.
            count = math.prod(weights.shape[:axis] + weights.shape[axis + 1 :])
            of_weight = max(map(abs, INTEGER_RANGES.get(weights.type, (0,))))
            if max(highest, -lowest) + count * of_weight * max(high, -low) > _LARGEST_SUM:
                yield from _overflow(operator, bias, values, weights, axis, low, high)


def _overflow(
    operator: Operator,
    bias: Tensor,
    values: NDArray[Any],
    weights: Tensor,
    axis: int,
    low: int,
    high: int,
) -> Iterator[Finding]:
    """Find channels whose sum of bias and products can exceed an int32.

    The kernel sums `(q - zero_point) * weight` over all weights of a channel; q can be any int8,
    so that the factors are from `low` to `high` (google-ai-edge/LiteRT,
    tflite/kernels/internal/reference/integer_ops/conv.h).
    """
    data = _data(weights)
    channels = None if data is None else _channels(data, axis)
    if channels is None or channels.shape[0] != values.size:
        return
    positive = np.maximum(channels, 0).sum(axis=1, dtype=np.float64)
    negative = np.minimum(channels, 0).sum(axis=1, dtype=np.float64)
    most = values + positive * max(high, 0) + negative * min(low, 0)
    least = values + positive * min(low, 0) + negative * max(high, 0)
    bad = (most > _LARGEST_SUM) | (least < -_LARGEST_SUM - 1)
    if bad.any():
        furthest = max(float(most.max()), -float(least.min()))
        found = _which(bad, f"sums of up to {furthest:.0f}")
        expected = f"at most {_LARGEST_SUM}"
        yield finding("TQ504", None, bias, found, expected, None, operator)


def constant_of(tensor: Tensor) -> Tensor | None:
    """Return the constant that holds a tensor's values: itself, or what a DENSIFY makes it of."""
    if tensor.is_constant:
        return tensor
    operator = tensor.converted
    return operator.inputs[0] if operator is not None and operator.code.name == "DENSIFY" else None


def _data(tensor: Tensor) -> NDArray[Any] | None:
    """Return the values as integers; None if they cannot be read, which `tensors` reports.

    Large sparse tensors that store little are skipped, because a small file can have many.
    """
    constant = constant_of(tensor)
    if constant is None:
        return None
    tensor = constant
    if tensor.is_sparse and (
        len(tensor.shape) > MAX_RANK
        or math.prod(tensor.shape) > _DENSE_PER_BYTE * (tensor.nbytes or 0)
    ):
        return None
    try:
        data = tensor.data
    except TFLiteError:
        return None
    return data if data.dtype.kind in "iu" else None


def _channels(data: NDArray[Any], axis: int | None) -> NDArray[Any] | None:
    """Return one row for each channel, in any order, or one of all values if there is no axis."""
    if axis is None:
        return data.reshape(1, -1)
    if not 0 <= axis < data.ndim or not data.size:
        return None
    return data.swapaxes(0, axis).reshape(data.shape[axis], -1)


def _which(channels: NDArray[np.bool_], what: str) -> str:
    """Return what is true of some channels, and of which: 'only zeros in channels 0, 3'."""
    if channels.size == 1:
        return what
    return f"{what} in {listed('channel', channels.nonzero()[0])}"
