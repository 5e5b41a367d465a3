"""How the values of each tensor type lie in a buffer.

Most types are whole bytes that numpy has a dtype for: their values are a view of the buffer. The
others are decoded:

- INT4, UINT4 and INT2 are packed, two or four values to a byte, the first in the lowest bits; the
  last byte may be filled only in part.
- BFLOAT16 is the upper half of a float32. FLOAT8_E5M2 is the upper half of a float16.
  FLOAT8_E4M3FN has four bits of exponent, three of mantissa, no infinities, and NaN where all of
  these bits are set (Micikevicius et al., FP8 Formats for Deep Learning, arXiv 2209.05433). All
  three are returned as float32, which holds their values exactly.
- STRING has a form of its own: the number of strings, the offset of each from the start of the
  buffer, and the offset of the end of the last, all int32; then the bytes (google-ai-edge/LiteRT,
  tflite/string_util.h).

RESOURCE and VARIANT have values only while a model runs.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError, plural
from .budget import MAX_ARRAY_RANK
from .schema import TensorType

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

# Types that are decoded: the dtype of their values, the dtype in which they are stored, and how
# many bits each takes.
_DECODED: dict[TensorType, tuple[np.dtype[Any], np.dtype[Any], int]] = {
    TensorType.INT2: (np.dtype("i1"), np.dtype("u1"), 2),
    TensorType.INT4: (np.dtype("i1"), np.dtype("u1"), 4),
    TensorType.UINT4: (np.dtype("u1"), np.dtype("u1"), 4),
    TensorType.FLOAT8_E4M3FN: (np.dtype("f4"), np.dtype("u1"), 8),
    TensorType.FLOAT8_E5M2: (np.dtype("f4"), np.dtype("u1"), 8),
    TensorType.BFLOAT16: (np.dtype("f4"), np.dtype("<u2"), 16),
}

VIEWED = frozenset(_DTYPES)
"""Types whose values are a view of the buffer."""

_INT32 = np.dtype("<i4")


def dtype_of(type: TensorType) -> np.dtype[Any]:
    """Return the numpy dtype of a type's values.

    Parameters
    ----------
    type : TensorType

    Returns
    -------
    numpy.dtype
        Little-endian on every machine for values that are a view of the file; object for strings,
        which are `bytes`.

    Raises
    ------
    UnsupportedError
        A file holds no values of this type, or this library does not know the type.

    Examples
    --------
    >>> dtype_of(TensorType.INT8), dtype_of(TensorType.INT4), dtype_of(TensorType.BFLOAT16)
    (dtype('int8'), dtype('int8'), dtype('float32'))
    """
    if type in _DTYPES:
        return _DTYPES[type]
    if type in _DECODED:
        return _DECODED[type][0]
    if type is TensorType.STRING:
        return np.dtype(object)
    if type in (TensorType.RESOURCE, TensorType.VARIANT):
        raise UnsupportedError(f"a {type.name} has no values in a file")
    raise UnsupportedError(f"cannot read values of {type.name}, which this library does not know")


def stored_dtype_of(type: TensorType) -> np.dtype[Any]:
    """Return the dtype of a type's values in a buffer; packed values and strings are uint8.

    Raises
    ------
    UnsupportedError
        As `dtype_of`.

    Examples
    --------
    >>> stored_dtype_of(TensorType.INT4).name, stored_dtype_of(TensorType.BFLOAT16).name
    ('uint8', 'uint16')
    """
    dtype = dtype_of(type)
    if type in _DECODED:
        return _DECODED[type][1]
    return np.dtype(np.uint8) if type is TensorType.STRING else dtype


def is_packed(type: TensorType) -> bool:
    """Return whether a value takes less than a byte."""
    return type in _DECODED and _DECODED[type][2] < 8


def stored_bytes(type: TensorType, shape: tuple[int, ...]) -> int | None:
    """Return the bytes that a dense tensor's values take in a buffer.

    Parameters
    ----------
    type : TensorType
    shape : tuple of int

    Returns
    -------
    int or None
        None where type and shape do not say: strings, resources, variants, unknown types; and for
        shapes that no array has.

    Examples
    --------
    >>> stored_bytes(TensorType.INT16, (2, 3)), stored_bytes(TensorType.INT4, (3,))
    (12, 2)
    """
    if len(shape) > MAX_ARRAY_RANK or any(size < 0 for size in shape):
        return None
    if type in _DTYPES:
        return math.prod(shape) * _DTYPES[type].itemsize
    return (math.prod(shape) * _DECODED[type][2] + 7) // 8 if type in _DECODED else None


def decode(stored: NDArray[Any], type: TensorType, count: int) -> NDArray[Any]:
    """Return the values of a tensor from those that its buffer stores.

    Parameters
    ----------
    stored : ndarray of `stored_dtype_of(type)`, shape (n,)
        As many as `count` values take.
    type : TensorType
        Any but STRING.
    count : int
        How many values there are.

    Returns
    -------
    ndarray of `dtype_of(type)`, shape (count,)
        Read-only: `stored` itself if the type needs no decoding, else a new array.

    Examples
    --------
    >>> decode(np.array([0x21, 0x0F], np.uint8), TensorType.INT4, 3)
    array([ 1,  2, -1], dtype=int8)
    """
    if type not in _DECODED:
        return stored
    if is_packed(type):
        values = _unpack(stored, _DECODED[type][2], _DECODED[type][0])[:count]
    elif type is TensorType.BFLOAT16:
        values = (stored.astype(np.uint32) << 16).view(np.float32)
    elif type is TensorType.FLOAT8_E5M2:
        with np.errstate(invalid="ignore"):
            values = (stored.astype(np.uint16) << 8).view(np.float16).astype(np.float32)
    else:
        values = _float8_e4m3fn()[stored]
    values.flags.writeable = False
    return values


_SPREAD = {4: ((4, 0x0F0F),), 2: ((12, 0x000F000F), (6, 0x03030303))}
"""The shifts and masks that give each value in a byte a byte of its own, by the bits of a value.

For two values of 4 bits, 0xHL is shifted to 0x0HHL and masked to 0x0H0L. Four values of 2 bits are
first parted in two halves, then in quarters.
"""

_BLOCK = 1 << 17


def _unpack(stored: NDArray[np.uint8], bits: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Move each value to a byte of its own, and extend its sign.

    A stored byte becomes one wider integer, whose bytes are the values. The work goes block by
    block, so that it stays in a processor's cache.
    """
    spread = np.empty(stored.size, f"<u{8 // bits}")
    for start in range(0, stored.size, _BLOCK):
        block = spread[start : start + _BLOCK]
        block[...] = stored[start : start + _BLOCK]
        for shift, mask in _SPREAD[bits]:
            block |= block << shift
            block &= mask
        if dtype.kind == "i":
            values = block.view(np.int8)
            values ^= 1 << (bits - 1)
            values -= 1 << (bits - 1)
    return spread.view(dtype)


@lru_cache(maxsize=1)
def _float8_e4m3fn() -> NDArray[np.float32]:
    """Return the value of each of the 256 bytes as a FLOAT8_E4M3FN."""
    byte = np.arange(256)
    sign = np.where(byte < 128, 1.0, -1.0)
    exponent, mantissa = byte >> 3 & 15, (byte & 7) / 8
    # The lowest exponent has no implied 1.
    value = np.where(exponent == 0, np.ldexp(mantissa, -6), np.ldexp(1 + mantissa, exponent - 7))
    value[byte & 127 == 127] = np.nan
    return np.copysign(value, sign).astype(np.float32)


def decode_strings(content: NDArray[np.uint8], count: int) -> NDArray[Any]:
    """Return the strings of a buffer.

    Parameters
    ----------
    content : ndarray of uint8, shape (n,)
        The whole buffer.
    count : int
        How many strings there should be.

    Returns
    -------
    ndarray of object, shape (count,)
        Read-only; each string is `bytes`.

    Raises
    ------
    CorruptModelError
        The buffer has another number of strings, or a string lies outside it.

    Examples
    --------
    >>> buffer = np.array([2, 16, 18, 19], "<i4").tobytes() + b"abc"
    >>> decode_strings(np.frombuffer(buffer, np.uint8), 2)
    array([b'ab', b'c'], dtype=object)
    """
    size = content.size
    if size == count == 0:
        return _objects([])
    stored_count = int(content[:4].view(_INT32)[0]) if size >= 4 else 0
    if size < 4 or stored_count != count:
        strings = f"{stored_count} {plural('string', stored_count)}"
        raise CorruptModelError(f"{strings} in {size:_} bytes, expected {count}")
    header = 4 * (count + 2)
    if header > size:
        raise CorruptModelError(f"the buffer has {size:_} bytes, but its offsets take {header:_}")
    offsets = content[4:header].view(_INT32)
    bad = (offsets < header) | (offsets > size)
    bad[1:] |= offsets[1:] < offsets[:-1]
    if np.count_nonzero(bad):
        index = int(bad.argmax())
        raise CorruptModelError(
            f"the offset of string {index} is {int(offsets[index])}, expected {header} to {size}, "
            "in rising order"
        )
    text, ends = content.tobytes(), offsets.tolist()
    return _objects([text[start:end] for start, end in pairwise(ends)])


def _objects(items: list[bytes]) -> NDArray[Any]:
    values = np.empty(len(items), object)
    values[:] = items
    values.flags.writeable = False
    return values
