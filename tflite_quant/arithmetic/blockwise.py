"""Computes the real values of integers that have a scale for each block, along any axes.

    real = (q - zero_point) * scale

The difference is rounded to float32 and multiplied in float32, as for scales along an axis (see
`affine`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import QuantizationError
from .affine import BLOCK, are_exact, as_float32, output, require_finite


def dequantize_blockwise(
    q: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike = 0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the real values of integers that have a scale for each block.

    Parameters
    ----------
    q : array_like of integers, any shape and memory layout
    scale : array_like of float, with as many axes as q
        Taken as float32. Along each axis, the length of `q` is a multiple of that of `scale`; the
        quotient is the length of a block, whose values share a scale.
    zero_point : int, or array_like of int, shape of scale
    out : ndarray of float32, shape of q, optional
        Where to put the result; it may have any memory layout, but must not overlap `q`.

    Returns
    -------
    ndarray of float32, shape of q
        `out`, if given: `(q - zero_point) * scale`, with difference and product in float32.

    Raises
    ------
    QuantizationError
        The shapes do not fit each other, or a scale is not finite.
    TypeError, ValueError
        As `dequantize`.

    Examples
    --------
    >>> dequantize_blockwise(np.int8([[2, 2, 2, 2]]), [[0.5, 0.25]])
    array([[1. , 1. , 0.5, 0.5]], dtype=float32)
    """
    values = np.asarray(q)
    if values.dtype.kind not in "iu":
        raise TypeError(f"q has dtype {values.dtype.name}, expected an integer type")
    scales = as_float32(scale)
    require_finite(scales)
    lengths = _block_lengths(values.shape, scales.shape)
    zeros = _block_zeros(zero_point, scales.shape)
    out = output(out, values, np.dtype(np.float32))
    narrow = values.dtype.itemsize <= 2 and are_exact(zeros)
    zeros = zeros.astype(np.float32 if narrow else np.float64)
    shifted = bool(zeros.any())
    for rows in _row_blocks(values.shape):
        # For rank 0 the dots make the result a view; an empty index would return a number.
        index: Any = (*rows, ...)
        source, target = values[index], out[index]
        part = target if narrow else np.empty(source.shape)
        np.copyto(part, source, casting="unsafe")
        if shifted:
            part -= _repeated(zeros, lengths, rows)
        difference = part.astype(np.float32, copy=False)
        with np.errstate(over="ignore"):
            np.multiply(difference, _repeated(scales, lengths, rows), out=target)
    return out


def _block_lengths(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...]:
    """Return the length of a block along each axis."""
    if len(shape) == len(scales) and all(
        not size % count if count else not size for size, count in zip(shape, scales, strict=True)
    ):
        # An axis without values has no blocks.
        return tuple(size // max(count, 1) for size, count in zip(shape, scales, strict=True))
    raise QuantizationError(f"scales of shape {scales} do not divide shape {shape} into blocks")


def _block_zeros(zero_point: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return zero points in the shape of the scales, or a single one that broadcasts."""
    zeros = np.asarray(zero_point)
    if zeros.dtype.kind not in "iu":
        raise TypeError(f"zero_point has dtype {zeros.dtype.name}, expected an integer type")
    if zeros.size == 1:
        return zeros.reshape((1,) * len(shape))
    if zeros.shape != shape:
        raise QuantizationError(f"zero points have shape {zeros.shape}, expected {shape}")
    return zeros


def _row_blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Cut an array along its first axis into blocks that stay in the cache."""
    if not shape:
        yield ()
        return
    step = max(1, BLOCK // max(1, math.prod(shape[1:])))
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])),)


def _repeated(
    parameters: NDArray[Any], lengths: tuple[int, ...], rows: tuple[slice, ...]
) -> NDArray[Any]:
    """Return the parameter of each value in these rows; a single parameter broadcasts."""
    if parameters.size == 1:
        return parameters
    parameters = parameters[np.arange(rows[0].start, rows[0].stop) // lengths[0]]
    for axis, length in enumerate(lengths[1:], 1):
        if length != 1:
            parameters = parameters.repeat(length, axis)
    return parameters
