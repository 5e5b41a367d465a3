"""How TensorFlow Lite Micro stores compressed weights, and how its kernels decode them.

A compressed tensor is *encoded* bytes, and what is needed to decode them. There are three schemes:

- *Lookup table*: each value is an index of 1 to 7 bits into a table of values. There is one table
  for the whole tensor, or one for each index along its first or last axis.
- *Pruning*: a bit for each value says whether it is stored, in the order of the tensor; one that is
  not stored is the zero point.
- *Huffman*: each value is a code of its own length. A table is indexed by the next bits; its entry
  is a value with the number of bits that its code has in this table, or leads to a further table.

Bits go from the highest of a byte to the lowest, without padding between values.

The operator DECODE, a custom operator TFLM_DECODE, has two constants for each of its outputs: the
encoded bytes, and *ancillary data* that begin with a header of 16 bytes:

    byte 0   the scheme: 0 lookup table, 1 Huffman, 2 pruning, from 127 on custom
    byte 1   the version of the header, 1
    byte 4   the version of the scheme, 1
    byte 5   lookup table: in the low 3 bits the bits of an index; in the high 4 the axis of the
             tables, 15 for one table. Huffman: bit 0 is set if entries have 32 bits, not 16; in the
             high 4 bits the bits that index the first table, less 1
    byte 6   lookup table: the number of values in each table

The tables, or the values, follow (tensorflow/tflite-micro, tensorflow/lite/micro/compression,
decode.py and lut.py; kernels/decode_state_lut.cc, decode_state_huffman.cc, decode_state_prune.cc).

Kernels do not read the axis in byte 5: for them there are as many tables as the tensor has scales.
Compressors up to August 2026 wrote 0 there, whatever the axis. A file in which the two disagree is
refused, because a device then computes with other values than those that were compressed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError, brief, plural
from .budget import MAX_ARRAY_RANK
from .compression_metadata import NAME
from .schema import TensorType
from .values import stored_dtype_of

DECODE = "DECODE"
"""The form in which an operator DECODE says how a tensor is compressed; see also `NAME`."""

LOOKUP_TABLE, HUFFMAN, PRUNING = "lookup table", "Huffman", "pruning"

_HEADER, _ONE_TABLE, _FIRST_CUSTOM = 16, 15, 127
_SCHEMES = {0: LOOKUP_TABLE, 1: HUFFMAN, 2: PRUNING}

_T = TensorType
_TYPES = {
    LOOKUP_TABLE: (_T.BOOL, _T.FLOAT32, _T.INT8, _T.INT16, _T.INT32, _T.INT64),
    PRUNING: (_T.BOOL, _T.FLOAT32, _T.INT8, _T.INT16, _T.INT32, _T.INT64),
    HUFFMAN: (_T.INT8, _T.INT16),
}
"""The types that the kernels decode."""


@dataclass(frozen=True, repr=False)
class Compression:
    """How the values of a tensor are compressed.

    Attributes
    ----------
    scheme : str
        "lookup table", "pruning" or "Huffman"; "custom 200", "unknown 5" and the like for one that
        cannot be decoded.
    form : str
        Where the file says so: "DECODE", the operator, or "COMPRESSION_METADATA", the metadata.
    nbytes : int
        The bytes in the file: of the encoded values, and of what is needed to decode them.
    dense_nbytes : int or None
        The bytes of the values when they are decoded; None where no size is known.
    bits : int or None
        The bits of an index into a lookup table.
    tables : int or None
        The number of lookup tables.
    values : int or None
        The number of values in each lookup table; or that pruning has left.
    axis : int or None
        The axis with a lookup table for each index; None if there is one table.
    """

    scheme: str
    form: str
    nbytes: int
    dense_nbytes: int | None
    bits: int | None = None
    tables: int | None = None
    values: int | None = None
    axis: int | None = None

    @property
    def ratio(self) -> float | None:
        """How many times smaller the compressed values are; None where that is not known."""
        if self.dense_nbytes is None or not self.nbytes:
            return None
        return self.dense_nbytes / self.nbytes

    def __repr__(self) -> str:
        return f"Compression({self})"

    def __str__(self) -> str:
        parts = [self.scheme]
        if self.bits is not None:
            parts.append(f"{self.bits} {plural('bit', self.bits)}")
        if self.tables is not None:
            along = "" if self.axis is None else f" along axis {self.axis}"
            tables = f"{self.tables} {plural('table', self.tables)}"
            parts.append(f"{tables} of {self.values} {plural('value', self.values or 0)}{along}")
        elif self.values is not None:
            parts.append(f"{self.values} values left")
        dense = "" if self.dense_nbytes is None else f" for {self.dense_nbytes}"
        return ", ".join([*parts, f"{self.nbytes} bytes{dense}"])


@dataclass(frozen=True, eq=False)
class Target:
    """The tensor that is decoded.

    Attributes
    ----------
    type : TensorType
    shape : tuple of int
    scales : int
        How many scales it has; 0 if none.
    axis : int
        Their axis.
    zero_points : ndarray of int64, shape (n,)
    """

    type: TensorType
    shape: tuple[int, ...]
    scales: int
    axis: int
    zero_points: NDArray[np.int64]

    @property
    def count(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values, little-endian on every machine."""
        return stored_dtype_of(self.type)

    @property
    def channel_axis(self) -> int | None:
        """The axis along which the kernels see channels; None if all values are one."""
        return self.axis if self.scales > 1 else None

    def channels(self, axis: int | None) -> int:
        """Return the number of channels along an axis."""
        return 1 if axis is None or not self.shape else self.shape[axis]


@dataclass(frozen=True, eq=False)
class Encoding:
    """A compressed tensor: what can be told of it, and the bytes.

    Attributes
    ----------
    facts : Compression
    target : Target
    encoded, tables : ndarray of uint8
        The encoded values; and lookup tables, values, or Huffman's tables.
    first_bits : int
        Huffman: the bits that index the first table.
    entry_bits : int
        Huffman: the bits of a table's entry.
    """

    facts: Compression
    target: Target
    encoded: NDArray[np.uint8]
    tables: NDArray[np.uint8]
    first_bits: int = 0
    entry_bits: int = 0


def of_operator(
    encoded: NDArray[np.uint8], ancillary: NDArray[np.uint8], target: Target
) -> Encoding:
    """Return how an operator DECODE makes a tensor of two constants.

    Parameters
    ----------
    encoded, ancillary : ndarray of uint8
        The bytes of the constants.
    target : Target

    Raises
    ------
    CorruptModelError
        The header is cut short, or does not fit the tensor.
    UnsupportedError
        The header or the scheme is of another version, or TFLM does not decode the type.
    """
    if ancillary.size < _HEADER:
        raise CorruptModelError(
            f"the ancillary data of DECODE have {ancillary.size} bytes, expected at least {_HEADER}"
        )
    number, version, *_ = header = ancillary[:_HEADER].tolist()
    if version != 1:
        raise UnsupportedError(f"the ancillary data of DECODE are of version {version}, expected 1")
    kind = "custom" if number >= _FIRST_CUSTOM else "unknown"
    scheme = _SCHEMES.get(number, f"{kind} {number}")
    nbytes, tables = encoded.size + ancillary.size, ancillary[_HEADER:]
    facts = Compression(scheme, DECODE, nbytes, _dense_bytes(target))
    if number not in _SCHEMES:
        return Encoding(facts, target, encoded, tables)
    if header[4] != 1:
        raise UnsupportedError(f"compressed by {scheme} of version {header[4]}, expected 1")
    _check_type(scheme, target)
    if scheme == LOOKUP_TABLE:
        bits, values = header[5] & 7, header[6]
        axis = _checked_axis(header[5] >> 4, values, tables.size, target)
        return _with_tables(facts, bits, values, axis, target, encoded, tables)
    if scheme == PRUNING:
        _check_axis(target.channel_axis, target)
        facts = replace(facts, values=tables.size // target.dtype.itemsize)
        return Encoding(facts, target, encoded, tables)
    entry_bits, first_bits = 32 if header[5] & 1 else 16, (header[5] >> 4) + 1
    if entry_bits == 16 and target.type is not TensorType.INT8:
        raise CorruptModelError(f"Huffman's tables have entries of 16 bits for {target.type.name}")
    return Encoding(facts, target, encoded, tables, first_bits, entry_bits)


def of_metadata(
    encoded: NDArray[np.uint8], tables: NDArray[np.uint8], bits: int, target: Target
) -> Encoding:
    """Return how the values of a tensor are found in a lookup table that the metadata names.

    Source: tensorflow/tflite-micro, tensorflow/lite/micro/micro_allocator.cc,
    InitializeCompressionTensorDataFromFlatbuffer.

    Parameters
    ----------
    encoded, tables : ndarray of uint8
        The tensor's bytes, and those of the buffer with the values.
    bits : int
        The bits of an index.
    target : Target

    Raises
    ------
    CorruptModelError, UnsupportedError
        As `of_operator`.
    """
    facts = Compression(LOOKUP_TABLE, NAME, encoded.size + tables.size, _dense_bytes(target))
    _check_type(LOOKUP_TABLE, target)
    axis = target.channel_axis
    _check_axis(axis, target)
    values = tables.size // target.dtype.itemsize // (target.scales if axis is not None else 1)
    if axis is not None and values > 255:
        raise CorruptModelError(f"lookup tables of {values} values, expected at most 255")
    return _with_tables(facts, bits, values, axis, target, encoded, tables)


def _with_tables(
    facts: Compression,
    bits: int,
    values: int,
    axis: int | None,
    target: Target,
    encoded: NDArray[np.uint8],
    tables: NDArray[np.uint8],
) -> Encoding:
    """Return an encoding by lookup tables, whose sizes have been checked."""
    count = target.channels(axis)
    if not 1 <= bits <= 7:
        raise CorruptModelError(f"indices of {bits} bits into a lookup table, expected 1 to 7")
    needed = count * values * target.dtype.itemsize
    if tables.size < needed:
        raise CorruptModelError(
            f"the lookup tables have {tables.size:_} bytes, expected {needed:_}: {count} of "
            f"{values} values"
        )
    facts = replace(facts, bits=bits, tables=count, values=values, axis=axis)
    return Encoding(facts, target, encoded, tables[:needed])


def _dense_bytes(target: Target) -> int | None:
    """Return the bytes of the decoded values; None for a shape that no array has."""
    if len(target.shape) > MAX_ARRAY_RANK or any(size < 0 for size in target.shape):
        return None
    try:
        return target.count * target.dtype.itemsize
    except UnsupportedError:
        return None


def _check_type(scheme: str, target: Target) -> None:
    """Check that the kernels decode values of this type, and that an array can have the shape."""
    if target.type not in _TYPES[scheme]:
        raise UnsupportedError(f"TFLM decodes no {target.type.name} compressed by {scheme}")
    if _dense_bytes(target) is None:
        raise CorruptModelError(f"no array has shape {brief(target.shape)}")


def _check_axis(axis: int | None, target: Target) -> None:
    """Check that the scales that decide about channels fit the shape, as the kernels read it."""
    if axis is None:
        return
    if axis not in (0, len(target.shape) - 1) or axis < 0:
        raise UnsupportedError(
            f"its scales are along axis {axis} of shape {brief(target.shape)}; TFLM decodes along "
            "the first and the last"
        )
    if not target.shape or target.shape[axis] != target.scales:
        raise CorruptModelError(
            f"{target.scales} scales along axis {axis} of shape {brief(target.shape)}"
        )


def _checked_axis(written: int, values: int, available: int, target: Target) -> int | None:
    """Return the axis of the lookup tables, on which file and kernel must agree.

    Parameters
    ----------
    written : int
        What the header says: an axis, or 15 for one table. 0 may mean that nothing was written.
    values : int
        The number of values in a table.
    available : int
        The bytes of all tables.
    target : Target
    """
    axis = target.channel_axis
    _check_axis(axis, target)
    said = None if written == _ONE_TABLE else written
    if said is not None and said >= len(target.shape):
        if said == 0:
            return axis
        raise CorruptModelError(f"lookup tables along axis {said} of shape {brief(target.shape)}")
    count, said_count = target.channels(axis), target.channels(said)
    is_same = said == axis or count == said_count == 1
    if said == 0 and not is_same:
        # Before the field was written, it was 0. The size tells which of the two it is.
        size = values * target.dtype.itemsize
        needed, said_needed = count * size, said_count * size
        is_same = not (needed < said_needed <= available or available == said_needed < needed)
    if not is_same:
        _refuse_tables(said, axis, target)
    return axis


def _refuse_tables(said: int | None, axis: int | None, target: Target) -> NoReturn:
    def tables(of: int | None) -> str:
        return "one lookup table" if of is None else f"a lookup table for each index of axis {of}"

    scales = f"{target.scales} {plural('scale', target.scales)}"
    raise CorruptModelError(
        f"it was compressed with {tables(said)}, but has {scales}, for which TFLM's kernel reads "
        f"{tables(axis)}: a device computes with other values"
    )
