"""How the values of each tensor type lie in a buffer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import UnsupportedError
from .schema import TensorType

__all__ = ["dtype_of", "stored_bytes"]

_DTYPES: dict[TensorType, np.dtype[Any]] = {
    TensorType.FLOAT32: np.dtype("<f4"),
    TensorType.FLOAT16: np.dtype("<f2"),
    TensorType.FLOAT64: np.dtype("<f8"),
    TensorType.INT8: np.dtype("i1"),
    TensorType.INT16: np.dtype("<i2"),
    TensorType.INT32: np.dtype("<i4"),
    TensorType.INT64: np.dtype("<i8"),
    TensorType.UINT8: np.dtype("u1"),
    TensorType.UINT16: np.dtype("<u2"),
    TensorType.UINT32: np.dtype("<u4"),
    TensorType.UINT64: np.dtype("<u8"),
    TensorType.BOOL: np.dtype("?"),
    TensorType.COMPLEX64: np.dtype("<c8"),
    TensorType.COMPLEX128: np.dtype("<c16"),
}

# Types whose values are not whole bytes that numpy knows; the bits of each value, 0 if it varies.
_BITS: dict[TensorType, int] = {
    TensorType.INT2: 2,
    TensorType.INT4: 4,
    TensorType.UINT4: 4,
    TensorType.FLOAT8_E4M3FN: 8,
    TensorType.FLOAT8_E5M2: 8,
    TensorType.BFLOAT16: 16,
}


def dtype_of(type: TensorType) -> np.dtype[Any]:
    """Give the numpy dtype of a type whose values are whole bytes.

    Parameters
    ----------
    type : TensorType

    Returns
    -------
    numpy.dtype
        Little-endian on every machine.

    Raises
    ------
    UnsupportedError
        The values are packed below a byte, have no dtype in numpy, or are no plain values.

    Examples
    --------
    >>> dtype_of(TensorType.INT8)
    dtype('int8')
    """
    try:
        return _DTYPES[type]
    except KeyError:
        raise UnsupportedError(f"values of type {type.name} cannot be read yet") from None


def stored_bytes(type: TensorType, shape: tuple[int, ...]) -> int | None:
    """Give the bytes that a dense tensor's values take in a buffer.

    Parameters
    ----------
    type : TensorType
    shape : tuple of int

    Returns
    -------
    int or None
        None where type and shape do not tell: strings, resources, variants, unknown types.

    Examples
    --------
    >>> stored_bytes(TensorType.INT16, (2, 3)), stored_bytes(TensorType.INT4, (3,))
    (12, 2)
    """
    bits = _DTYPES[type].itemsize * 8 if type in _DTYPES else _BITS.get(type)
    if bits is None or any(size < 0 for size in shape):
        return None
    return (math.prod(shape) * bits + 7) // 8
