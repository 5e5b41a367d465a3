"""Fixed-point arithmetic as kernels do it: multipliers, shifts and activation ranges.

A kernel multiplies its sum of integers by a real number, such as the input's scale times the
weights' scale divided by the output's scale. In fixed point this number is a *multiplier*, an int32
with 31 fractional bits, and a *shift* to the left:

    real = multiplier * 2**-31 * 2**shift

A sum of more than 32 bits, such as that of an INT16 convolution with an INT64 bias, is multiplied
by the upper half: `(multiplier + 2**15) >> 16`, with 15 fractional bits (tensorflow/tflite-micro,
tensorflow/lite/kernels/internal/common.cc, MultiplyByQuantizedMultiplier).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import QuantizationError, UnsupportedError
from ..format.schema import INTEGER_RANGES, TensorType

__all__ = ["KERNEL_TYPES", "Multiplier", "activation_range", "quantize_multiplier"]


class Multiplier(NamedTuple):
    """Real numbers in fixed point: one for each channel, or a single one for all channels.

    Attributes
    ----------
    real : ndarray of float64, shape (n,)
    multiplier, shift : ndarray of int32, shape (n,)
        `real = multiplier * 2**-31 * 2**shift`, rounded.
    """

    real: NDArray[np.float64]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]


@overload
def quantize_multiplier(real: float) -> tuple[int, int]: ...
@overload
def quantize_multiplier(
    real: NDArray[Any] | list[float],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
def quantize_multiplier(real: ArrayLike) -> tuple[Any, Any]:
    """Return real numbers in fixed point, as multipliers and shifts.

    Parameters
    ----------
    real : array_like of float
        Finite and not negative.

    Returns
    -------
    (int, int), or (ndarray of int32, ndarray of int32) in the shape of an array
        Multiplier and shift, `real = multiplier * 2**-31 * 2**shift`. The multiplier is the
        significand times 2**31, rounded with halves away from zero; it is at least 2**30, or 0
        for numbers below about 2**-32. Source: tensorflow/tflite-micro,
        tensorflow/lite/kernels/internal/quantization_util.cc, QuantizeMultiplier; the same in
        google-ai-edge/LiteRT, tflite/kernels/internal/quantization_util.cc.

    Raises
    ------
    QuantizationError
        A number is negative, infinite or NaN.

    Examples
    --------
    >>> quantize_multiplier(0.75)
    (1610612736, 0)
    >>> [values.tolist() for values in quantize_multiplier([1.0, 0.001])]
    [[1073741824, 1099511628], [1, -9]]
    """
    values = np.asarray(real, np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise QuantizationError("a multiplier is negative or not finite")
    significand, shift = np.frexp(values)
    # The product and the sum are exact: 22 of the significand's 53 bits are fractional here.
    multiplier = np.trunc(significand * (1 << 31) + 0.5)
    overflows = multiplier == 1 << 31
    multiplier = np.where(overflows, 1 << 30, multiplier)
    shift = shift + overflows
    is_tiny = shift < -31
    multiplier = np.where(is_tiny, 0, multiplier).astype(np.int32)
    shift = np.where(is_tiny, 0, shift).astype(np.int32)
    return (multiplier, shift) if values.ndim else (int(multiplier), int(shift))


KERNEL_TYPES = (TensorType.UINT8, TensorType.INT8, TensorType.INT16)
"""The types of 8 and 16 bits that kernels compute with."""

_CLAMPS: Mapping[int, tuple[float | None, float | None]] = {
    0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0),
}  # fmt: skip
"""The ranges of the fused activations NONE, RELU, RELU_N1_TO_1 and RELU6, by number."""


def activation_range(
    type: TensorType, scale: float, zero_point: int, activation: int = 0
) -> tuple[int, int]:
    """Return the lowest and the highest integer that an output with a fused activation can be.

    Parameters
    ----------
    type : TensorType
        The output's type: INT8, UINT8 or INT16.
    scale : float
        The output's scale.
    zero_point : int
        The output's zero point.
    activation : int
        The number in ActivationFunctionType: 0 NONE, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6.

    Returns
    -------
    (int, int)
        Source: tensorflow/tflite-micro, tensorflow/lite/kernels/kernel_util.cc,
        CalculateActivationRangeQuantized; the same in google-ai-edge/LiteRT,
        tflite/kernels/kernel_util.cc.

    Raises
    ------
    UnsupportedError
        The type or the activation is none of these.
    QuantizationError
        The scale is not positive and finite, or so small that the range does not fit into 32 bits.

    Examples
    --------
    >>> activation_range(TensorType.INT8, 0.05, -128, 3)
    (-128, -8)
    """
    if type not in KERNEL_TYPES:
        name = getattr(type, "name", repr(type))
        raise UnsupportedError(f"the output is {name}; only INT8, UINT8 and INT16 have a range")
    if activation not in _CLAMPS:
        raise UnsupportedError(f"fused activation {activation} is not computed in integers")
    if not 0 < scale < math.inf:
        raise QuantizationError(f"the output's scale is {scale}; it must be positive and finite")
    low, high = INTEGER_RANGES[type]
    lowest, highest = _CLAMPS[activation]
    if lowest is not None:
        low = max(low, zero_point + _rounded(lowest, scale))
    if highest is not None:
        high = min(high, zero_point + _rounded(highest, scale))
    return low, high


def _rounded(real: float, scale: float) -> int:
    """Divide in float32 and round halves away from zero, as the kernels do."""
    with np.errstate(over="ignore"):
        quotient = float(np.float32(real) / np.float32(scale))
    if not abs(quotient) < 1 << 31:
        raise QuantizationError(f"{real} divided by scale {scale} does not fit into 32 bits")
    return int(np.trunc(quotient + np.copysign(0.5, quotient)))
