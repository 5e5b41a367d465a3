"""Decodes compressed weights; module `compression` explains the three schemes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError
from .compression import HUFFMAN, LOOKUP_TABLE, PRUNING, Encoding, Target
from .schema import TensorType

_BLOCK = 1 << 16
"""Values that are decoded at once, so that little memory is used; a multiple of 8."""


def decode(encoding: Encoding) -> NDArray[Any]:
    """Return the values of a compressed tensor, bit by bit those that TFLM's kernels decode.

    Parameters
    ----------
    encoding : Encoding

    Returns
    -------
    ndarray, shape (n,)
        A new array, read-only. It takes at most 64 bytes for each byte of the encoded values.

    Raises
    ------
    CorruptModelError
        There are too few encoded values, an index or a code has no value, or a zero point is out
        of range.
    UnsupportedError
        The scheme is not known.
    """
    scheme, count = encoding.facts.scheme, encoding.target.count
    decoders = {LOOKUP_TABLE: _look_up, PRUNING: _unprune, HUFFMAN: _unhuffman}
    if scheme not in decoders:
        raise UnsupportedError(f"this library cannot decode values compressed by scheme {scheme}")
    # Every code has at least one bit, so nothing larger is made than the bytes allow.
    bits = count * (encoding.facts.bits or 1)
    if 8 * encoding.encoded.size < bits:
        raise CorruptModelError(
            f"{encoding.encoded.size:_} encoded bytes, expected at least {(bits + 7) // 8:_} for "
            f"{count:_} values"
        )
    values = decoders[scheme](encoding)
    values.flags.writeable = False
    return values


def _look_up(encoding: Encoding) -> NDArray[Any]:
    """Source: tensorflow/tflite-micro, tensorflow/lite/micro/kernels/decode_state_lut.cc."""
    facts, target = encoding.facts, encoding.target
    bits, size, axis = facts.bits or 1, facts.values or 0, facts.axis
    table = _typed(encoding.tables, target)
    inner = math.prod(target.shape[axis + 1 :]) if axis is not None else 1
    values = np.empty(target.count, target.dtype)
    for start in range(0, target.count, _BLOCK):
        block = values[start : start + _BLOCK]
        indices = _indices(encoding.encoded, bits, start, block.size)
        if size < 1 << bits and (highest := int(indices.max())) >= size:
            raise CorruptModelError(f"index {highest} into a lookup table of {size} values")
        if axis is not None:
            positions = np.arange(start, start + block.size, dtype=np.intp)
            indices += positions // inner % target.shape[axis] * size
        np.take(table, indices, out=block)
    return values


def _indices(encoded: NDArray[np.uint8], bits: int, start: int, count: int) -> NDArray[np.intp]:
    """Return some of the packed indices; the first is the start of a byte."""
    first = start // 8 * bits
    packed = encoded[first : first + (count * bits + 7) // 8]
    wide = np.zeros((count, 8), np.uint8)
    wide[:, 8 - bits :] = np.unpackbits(packed)[: count * bits].reshape(count, bits)
    return np.packbits(wide.reshape(-1)).astype(np.intp)


def _typed(content: NDArray[np.uint8], target: Target) -> NDArray[Any]:
    """Return bytes as values; a byte that is not zero is true."""
    if target.type is TensorType.BOOL:
        return content.astype(bool)
    whole = content.size // target.dtype.itemsize * target.dtype.itemsize
    return content[:whole].view(target.dtype)


def _unprune(encoding: Encoding) -> NDArray[Any]:
    """Source: tensorflow/tflite-micro, tensorflow/lite/micro/kernels/decode_state_prune.cc."""
    target, stored = encoding.target, _typed(encoding.tables, encoding.target)
    is_stored = np.unpackbits(encoding.encoded[: (target.count + 7) // 8])[: target.count]
    count = int(np.count_nonzero(is_stored))
    if count > stored.size:
        raise CorruptModelError(f"pruning has left {count:_} values, but {stored.size:_} are there")
    values = np.zeros(target.count, target.dtype)
    zeros, axis = _zero_points(target), target.channel_axis
    if zeros is not None and values.size:
        inner = 1 if axis is None else math.prod(target.shape[axis + 1 :])
        values.reshape(-1, zeros.size, inner)[...] = zeros[:, None]
    values[is_stored.view(bool)] = stored[:count]
    return values


def _zero_points(target: Target) -> NDArray[np.int64] | None:
    """Return the values that are not stored: one, or one for each channel; None for zeros.

    As for the kernels, one zero point stands for all channels (tensorflow/tflite-micro,
    tensorflow/lite/micro/micro_allocator.cc, InitializeTfLiteTensorFromFlatbuffer).
    """
    zeros = target.zero_points
    if not target.scales or not zeros.size or not zeros.any():
        return None
    if target.type is not TensorType.INT8:
        raise CorruptModelError(f"pruned {target.type.name} values with a zero point that is not 0")
    if zeros.size not in (1, target.scales):
        raise CorruptModelError(f"{target.scales} scales and {zeros.size} zero points")
    if zeros.min() < -128 or zeros.max() > 127:
        raise CorruptModelError("pruned INT8 values with a zero point that is not in their range")
    return zeros


def _unhuffman(encoding: Encoding) -> NDArray[Any]:
    """Source: tensorflow/tflite-micro, tensorflow/lite/micro/kernels/decode_state_huffman.cc.

    An entry has, from the highest bit on: whether it is a value; 4 bits; the value, or how far the
    next table lies behind this entry. For a value the 4 bits are those of the code that were used
    in this table, all if there are more; else those that index the next table, less 1.
    """
    wide = encoding.entry_bits
    table = encoding.tables[: encoding.tables.size * 8 // wide * wide // 8]
    entries = table.view(f"<u{wide // 8}").tolist()
    found, shift, rest = 1 << (wide - 1), wide - 5, (1 << (wide - 5)) - 1
    # A code may be looked up together with bits that follow the last one.
    content = encoding.encoded.tobytes() + bytes(8)
    end, position, target = 8 * encoding.encoded.size, 0, encoding.target
    values = np.empty(target.count, np.uint32)
    for number in range(target.count):
        width, at, start = encoding.first_bits, 0, position
        while True:
            window = int.from_bytes(content[position >> 3 : (position >> 3) + 4], "big")
            at += window >> (32 - width - (position & 7)) & (1 << width) - 1
            if at >= len(entries):
                raise CorruptModelError(f"the code of value {number:_} leads outside the tables")
            entry = entries[at]
            if entry & found:
                break
            position, at = position + width, at + (entry & rest)
            width = (entry >> shift & 15) + 1
            _check_end(position, end, number)
        position += min(width, entry >> shift & 15)
        if position == start:
            raise CorruptModelError(f"the code of value {number:_} has no bits")
        _check_end(position, end, number)
        values[number] = entry & rest
    narrow = target.dtype.newbyteorder("=")
    return values.astype(f"u{narrow.itemsize}").view(narrow).astype(target.dtype)


def _check_end(position: int, end: int, number: int) -> None:
    if position > end:
        raise CorruptModelError(f"the encoded bytes end within the code of value {number:_}")
