"""The real numbers that a tensor's values stand for, by the scheme that it is quantized in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import affine
from ..arithmetic.blockwise import dequantize_blockwise
from ..errors import QuantizationError, UnsupportedError
from ..format.schema import TensorType
from .quantization import (
    Blockwise,
    Custom,
    MultiAxis,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
)

__all__ = ["dequantize"]

_FLOATS = (
    TensorType.FLOAT32,
    TensorType.FLOAT16,
    TensorType.BFLOAT16,
    TensorType.FLOAT8_E4M3FN,
    TensorType.FLOAT8_E5M2,
)


def dequantize(
    quantization: Quantization,
    values: NDArray[Any],
    type: TensorType,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Give the real numbers that values stand for.

    Parameters
    ----------
    quantization : Quantization
    values : ndarray
        As `Tensor.data` gives them.
    type : TensorType
        Of the tensor.
    out : ndarray of float32, shape of values, optional

    Returns
    -------
    ndarray of float32, shape of values

    Raises
    ------
    QuantizationError
        The values are not quantized, or the parameters do not fit them.
    UnsupportedError
        The scheme is custom, or not known.

    Examples
    --------
    >>> dequantize(PerTensor(0.5, 1), np.int8([1, 3]), TensorType.INT8)
    array([0., 1.], dtype=float32)
    """
    match quantization:
        case NotQuantized() if type in _FLOATS:
            return affine.to_float32(values, out)
        case NotQuantized():
            raise QuantizationError(f"{type.name} values without scales stand for no others")
        case Custom():
            raise UnsupportedError("nobody here knows how to apply custom quantization")
        case UnknownScheme():
            raise UnsupportedError(f"nobody here knows how to apply {quantization.name}")
        case _ if values.dtype.kind not in "iu":
            raise QuantizationError(f"{type.name} values with scales stand for no others")
        case PerTensor(scale, zero_point):
            return affine.dequantize(values, scale, zero_point, out=out)
        case PerAxis(scales, zero_points, axis):
            if not 0 <= axis < values.ndim:
                raise QuantizationError(
                    f"quantized dimension {axis} is out of range for shape {values.shape}"
                )
            return affine.dequantize(values, scales, zero_points, axis, out)
        case Blockwise() | MultiAxis():
            scales, zero_points = quantization.parameters(values.shape)
            return dequantize_blockwise(values, scales, zero_points, out)
