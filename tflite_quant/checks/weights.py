"""Checks of the values of weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..format.budget import MAX_RANK, Budget
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.operator import Operator
from ..model.tensor import Tensor
from .findings import Finding
from .kinds import Severity
from .rule import Operand
from .tensors import Parameters, can_decode, finding, listed

_CROWD = 64
"""The fewest values of a channel of which many at the ends of the range mean anything,"""
_DIFFERENT = 16
"""and the fewest different ones. Weights that are all alike, as of a mean, are all the largest."""

_SUMS = "The sums of products of such weights can exceed 32 bits."
_NO_SUM = "The sums of products of these weights cannot exceed 32 bits."
_HARMLESS = "Kernels that add two products in 16 bits are not affected by these weights."

_BLOCK = 16
"""How many weights of a channel are multiplied at once: in 16 bits are added the products of the
first and the ninth, and so on."""

_IN_PAIRS = {
    "CONV_2D", "FULLY_CONNECTED", "LSTM", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM",
}  # fmt: skip
"""Operators with kernels that do this."""

_LARGEST_SUM = INTEGER_RANGES[TensorType.INT32][1]
_LARGEST_STATE = -INTEGER_RANGES[TensorType.INT16][0]

_DENSE_PER_BYTE = 64
"""Values that a sparse tensor may have for each of its stored bytes."""


class Values:
    """Reads the values of constants, and decodes compressed ones as long as a budget lasts.

    Parameters
    ----------
    budget : Budget
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    def of(self, tensor: Tensor) -> NDArray[Any] | None:
        """Return the values as integers; None if they cannot be read, which `tensors` reports.

        Large sparse tensors that store little are skipped, because a small file can have many.
        """
        constant = constant_of(tensor)
        if constant is None or (_is_spread(constant) and not constant.is_compressed):
            return None
        try:
            if not can_decode(constant, self.budget):
                return None
            data = constant.data
        except TFLiteError:
            return None
        return data if data.dtype.kind in "iu" else None


def weight_findings(
    operator: Operator,
    operand: Operand,
    tensor: Tensor,
    parameters: Parameters,
    is_wide: bool,
    values: Values,
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
    is_wide : bool
        Whether they are multiplied by int16 values.
    values : Values
    """
    data = values.of(tensor)
    if data is None or not data.size or operand.range is None:
        return
    bottom, top = operand.range
    top = min(top, INTEGER_RANGES[tensor.type][1])
    channels = channels_of(data, parameters.axis if parameters.scale_count > 1 else None)
    rows = data.reshape(1, -1) if channels is None else channels
    lowest, highest = rows.min(axis=1), rows.max(axis=1)
    # In a wider type, since int8 has no 128.
    peaks = np.maximum(highest.astype(np.int64), -lowest.astype(np.int64))
    if lowest.min() < bottom or highest.max() > top:
        low, high = int(lowest.min()), int(highest.max())
        count = np.count_nonzero((data < bottom) | (data > top))
        found = f"values from {low} to {high}, {count} of them out of range"
        severity, effect = _of_outside(operator, tensor, data, is_wide, values)
        yield finding("TQ209", severity, tensor, found, f"{bottom} to {top}", effect, operator)
    if channels is None:
        return
    if 2 * peaks.min() < top:
        zeros = peaks == 0
        if zeros.any():
            found = which(zeros, "only zeros")
            yield finding("TQ501", None, tensor, found, "a nonzero value", None, operator)
        unused = (peaks > 0) & (2 * peaks < top)
        if unused.any():
            found = which(unused, f"no absolute value above {int(peaks[unused].max())}")
            yield finding("TQ503", None, tensor, found, f"values up to {top}", None, operator)
    # Of 4 bits, many values are at the ends whatever the scale.
    is_wide_type = tensor.type not in (TensorType.INT4, TensorType.INT2)
    can_crowd = is_wide_type and channels.shape[1] >= _CROWD
    if can_crowd and (crowded := _crowded(channels, top)).any():
        found = which(crowded, f"at least a tenth of the values at -{top} or {top}")
        yield finding("TQ502", None, tensor, found, "few values there", None, operator)


def _of_outside(
    operator: Operator, tensor: Tensor, data: NDArray[Any], is_wide: bool, values: Values
) -> tuple[Severity | None, str | None]:
    """Return what weights out of range do: the severity and the effect."""
    if tensor.type is not TensorType.INT8:
        can_overflow = operator.code.name == "SVDF" and _can_exceed(operator, data, values)
        return (None, _SUMS) if can_overflow else (Severity.NOTE, _NO_SUM)
    if is_wide or not _can_meet(operator, data):
        return Severity.NOTE, _HARMLESS
    return None, None


def _can_meet(operator: Operator, data: NDArray[Any]) -> bool:
    """Tell whether a kernel adds the products of two weights of -128 in an int16.

    It is too small for twice -128 · -128 only. Kernels for Arm processors without a dot product do
    it. Those of LiteRT count blocks through a whole channel, XNNPACK's begin anew at each position
    of an image (google-ai-edge/LiteRT, tflite/kernels/internal/optimized/neon_tensor_utils.cc;
    google/ruy, ruy/kernel_arm64.cc; google/XNNPACK, src/qs8-gemm and src/qs8-dwconv). An SVDF sums
    in 32 bits (google-ai-edge/LiteRT, tflite/kernels/internal/reference/svdf.h).
    """
    is_lowest = data == -128
    if operator.code.name == "DEPTHWISE_CONV_2D":
        return data.ndim == 4 and _meet_by_columns(is_lowest[0])
    if operator.code.name not in _IN_PAIRS or not data.ndim:
        return False
    return _meet_in_blocks(is_lowest.reshape(data.shape[0], -1)) or _meet_in_blocks(is_lowest)


def _meet_in_blocks(is_lowest: NDArray[np.bool_]) -> bool:
    """Tell whether there are two in the same place of the halves of a block of the last axis."""
    half = _BLOCK // 2
    both = is_lowest[..., :-half] & is_lowest[..., half:]
    return bool(both[..., np.arange(both.shape[-1]) % _BLOCK < half].any())


def _meet_by_columns(is_lowest: NDArray[np.bool_]) -> bool:
    """Tell whether there are two at positions whose products are added: 1 and 2, 3 and 4, 5 and 6.

    XNNPACK takes positions column by column.
    """
    height, width, channels = is_lowest.shape
    positions = is_lowest.transpose(1, 0, 2).reshape(height * width, channels)
    pairs = positions[: len(positions) // 2 * 2].reshape(-1, 2, channels)
    return bool(pairs.all(axis=1).any())


def _can_exceed(operator: Operator, data: NDArray[Any], values: Values) -> bool:
    """Tell whether an SVDF's sum of products, over time and rank, and its bias can exceed an int32.

    Source: google-ai-edge/LiteRT, tflite/kernels/internal/reference/svdf.h, EvalIntegerSVDF.
    """
    rank, filters = operator.options.get("rank"), data.shape[0] if data.ndim else 1
    if not isinstance(rank, int) or rank < 1 or filters % rank:
        return True
    units = data.reshape(filters // rank, -1)
    positive, negative = (
        part.sum(axis=1, dtype=np.int64) for part in (np.maximum(units, 0), np.minimum(units, 0))
    )
    bias = None if operator.bias is None else values.of(operator.bias)
    largest = 0 if bias is None or not bias.size else int(np.abs(bias.astype(np.int64)).max())
    return bool((positive - negative).max() * _LARGEST_STATE + largest > _LARGEST_SUM)


def _crowded(channels: NDArray[Any], top: int) -> NDArray[np.bool_]:
    """Tell which channels have at least a tenth of their values at the ends of the range."""
    count, size = channels.shape
    crowded = np.zeros(count, bool)
    # What is further out was not clipped to this range; int8 has one value more.
    at_ends = np.count_nonzero(
        (channels == top) | (channels == -top) | (channels == -top - 1), axis=1
    )
    for index in (at_ends * 10 >= size).nonzero()[0]:
        crowded[index] = np.unique(channels[index]).size >= _DIFFERENT
    return crowded


def constant_of(tensor: Tensor) -> Tensor | None:
    """Return the tensor that has a tensor's values: itself, or what a DENSIFY makes it of."""
    if tensor.is_constant or tensor.is_compressed:
        return tensor
    operator = tensor.converted
    return operator.inputs[0] if operator is not None and operator.code.name == "DENSIFY" else None


def _is_spread(tensor: Tensor) -> bool:
    """Tell whether a sparse tensor is large, but stores little."""
    return tensor.is_sparse and (
        len(tensor.shape) > MAX_RANK
        or math.prod(tensor.shape) > _DENSE_PER_BYTE * (tensor.nbytes or 0)
    )


def channels_of(data: NDArray[Any], axis: int | None) -> NDArray[Any] | None:
    """Return one row for each channel, in any order, or one of all values if there is no axis."""
    if axis is None:
        return data.reshape(1, -1)
    if not 0 <= axis < data.ndim or not data.size:
        return None
    return data.swapaxes(0, axis).reshape(data.shape[axis], -1)


def which(channels: NDArray[np.bool_], what: str) -> str:
    """Return what is true of some channels, and of which: 'only zeros in channels 0, 3'."""
    if channels.size == 1:
        return what
    return f"{what} in {listed('channel', channels.nonzero()[0])}"
