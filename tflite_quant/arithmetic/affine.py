"""Converts between quantized integers and real values, with one scale or several along an axis.

    real = (q - zero_point) * scale
    q    = clamp(round(real / scale) + zero_point)

The results are bit-identical to those of LiteRT's reference kernels (google-ai-edge/LiteRT,
tflite/kernels/internal/reference/dequantize.h, integer_ops/dequantize.h and quantize.h), which
work as follows:

- One scale: the kernel multiplies the int32 difference by the scale in float64 and rounds once to
  float32. Where the difference has at most 24 bits, as for 8- and 16-bit values, the float64
  product is exact, so that one float32 multiplication gives the same bits.
- Scales along an axis: the kernel rounds the difference to float32 and multiplies in float32.
- Quantizing divides in float32, rounds halves away from zero, and saturates. Where the C++ cast
  of a large quotient to int32 is undefined, the result here is the nearest value of the type.

The work goes block by block, each small enough for a processor's cache, and writes straight into
the output, so that a large tensor costs one pass over memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..errors import QuantizationError, UnsupportedError, brief, plural

BLOCK = 1 << 17
"""The number of values in a block: half a megabyte of float32."""

_EXACT = 1 << 23
"""Up to this zero point, the difference to a 16-bit value has 24 bits and is exact in float32."""

_BELOW_HALF = np.nextafter(np.float32(0.5), np.float32(0))

_Index = tuple[int | slice, ...]


def dequantize(
    q: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    axis: int | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return the real values of quantized integers: `(q - zero_point) * scale`.

    Parameters
    ----------
    q : array_like of integers, any shape and memory layout
    scale : float, or array_like of float, shape (n,)
        Taken as float32, which is what models hold.
    zero_point : int, or array_like of int, shape (n,) or (1,)
        A single zero point is used with all scales.
    axis : int, optional
        The axis of `q`, of length n, that has a scale for each index; a negative axis counts from
        the end. Not needed for one scale.
    out : ndarray of float32, shape of q, optional
        Where to put the result; it may have any memory layout, but must not overlap `q`.

    Returns
    -------
    ndarray of float32, shape of q
        `out`, if given. The bits are those of LiteRT's reference kernels; see this module's
        docstring for the formula and its source. 64-bit integers, for which LiteRT has no
        kernel, are first converted to float64.

    Raises
    ------
    QuantizationError
        The numbers of scales and zero points do not fit each other or the axis, or a scale is
        not finite.
    TypeError
        `q` or `zero_point` are not integers, or `out` is not float32.
    ValueError
        `axis` is out of range, or `out` has another shape, is read-only or overlaps `q`.

    Examples
    --------
    >>> dequantize(np.int8([-128, 0, 127]), 0.5, -128)
    array([  0. ,  64. , 127.5], dtype=float32)
    >>> dequantize(np.int8([[2, 2], [2, 2]]), [0.5, 0.25], 0, axis=0)
    array([[1. , 1. ],
           [0.5, 0.5]], dtype=float32)
    """
    values = np.asarray(q)
    if values.dtype.kind not in "iu":
        raise TypeError(f"q has dtype {values.dtype.name}, expected an integer type")
    scales, zeros = _parameters(scale, zero_point, values.shape, axis)
    out = output(out, values, np.dtype(np.float32))
    source, target, scales, zeros = _arrange(values, out, scales, zeros, axis)
    narrow = values.dtype.itemsize <= 2 and are_exact(zeros)
    with np.errstate(over="ignore"):
        if narrow:
            _dequantize_narrow(source, target, scales, zeros.astype(np.float32))
        else:
            _dequantize_wide(source, target, scales, zeros.astype(np.float64))
    return out


def _dequantize_narrow(
    q: NDArray[Any], out: NDArray[np.float32], scales: NDArray[Any], zeros: NDArray[Any]
) -> None:
    zeros_or_none = zeros if np.count_nonzero(zeros) else None
    for block in _blocks(q.shape):
        part = None if zeros_or_none is None else _part(zeros_or_none, block)
        dequantize_exactly(q[block], out[block], _part(scales, block), part)


def dequantize_exactly(
    q: NDArray[Any],
    out: NDArray[np.float32],
    scales: NDArray[np.float32],
    zeros: NDArray[np.float32] | None,
) -> None:
    """Write the real values of integers whose difference to the zero point float32 holds exactly.

    Parameters
    ----------
    q : ndarray of integers of at most 16 bits
    out : ndarray of float32, shape of q
    scales : ndarray of float32
        It broadcasts with q.
    zeros : ndarray of float32, or None
        Likewise; `are_exact` tells whether it will do. None if all are 0.
    """
    np.copyto(out, q, casting="unsafe")
    if zeros is not None:
        np.subtract(out, zeros, out=out)
    np.multiply(out, scales, out=out)


def _dequantize_wide(
    q: NDArray[Any], out: NDArray[np.float32], scales: NDArray[Any], zeros: NDArray[Any]
) -> None:
    for block in _blocks(q.shape):
        difference = q[block].astype(np.float64) - _part(zeros, block)
        if scales.size == 1:
            out[block] = difference * scales.astype(np.float64)
        else:
            out[block] = difference.astype(np.float32) * _part(scales, block)


_Integer = TypeVar("_Integer", bound=np.integer[Any])


@overload
def quantize(
    real: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    axis: int | None = None,
    *,
    out: NDArray[np.int8] | None = None,
) -> NDArray[np.int8]: ...
@overload
def quantize(
    real: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    axis: int | None = None,
    dtype: type[_Integer] | np.dtype[_Integer] = ...,
    out: NDArray[_Integer] | None = None,
) -> NDArray[_Integer]: ...
@overload
def quantize(
    real: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    axis: int | None = None,
    dtype: DTypeLike = ...,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]: ...
def quantize(
    real: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    axis: int | None = None,
    dtype: DTypeLike = np.int8,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Return the quantized integers of real values: `clamp(round(real / scale) + zero_point)`.

    Parameters
    ----------
    real : array_like of real numbers, any shape and memory layout
        Taken as float32.
    scale : float, or array_like of float, shape (n,)
        Taken as float32.
    zero_point : int, or array_like of int, shape (n,) or (1,)
    axis : int, optional
        The axis of `real`, of length n, that has a scale for each index; a negative axis counts
        from the end.
    dtype : dtype
        An integer type of at most 32 bits. Results saturate at its limits.
    out : ndarray of dtype, shape of real, optional
        Where to put the result; it may have any memory layout, but must not overlap `real`.

    Returns
    -------
    ndarray of dtype, shape of real
        `out`, if given. The bits are those of LiteRT's reference kernels; see this module's
        docstring for the formula and its source.

    Raises
    ------
    QuantizationError
        A value is NaN, a scale is not positive and finite, a zero point is outside the range of
        the type, or the numbers of scales and zero points do not fit each other or the axis.
    TypeError
        `real` is not real numbers, `dtype` is not an integer type of at most 32 bits, or `out` is
        not of that type.
    ValueError
        `axis` is out of range, or `out` has another shape, is read-only or overlaps `real`.

    Examples
    --------
    >>> quantize([-1.0, 0.25, 0.75, 99.0], 0.5, 0)
    array([ -2,   1,   2, 127], dtype=int8)
    """
    values = np.asarray(real)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"real has dtype {values.dtype.name}, expected real numbers")
    target_type = np.dtype(dtype)
    if target_type.kind not in "iu" or target_type.itemsize > 4:
        raise TypeError(f"dtype is {target_type.name}, expected an integer type of at most 32 bits")
    scales, zeros = _parameters(scale, zero_point, values.shape, axis)
    if scales.min() <= 0:
        raise QuantizationError(f"a scale is {scales.min()}, expected a positive number")
    bounds = np.iinfo(target_type)
    if zeros.min() < bounds.min or zeros.max() > bounds.max:
        outside = zeros[(zeros < bounds.min) | (zeros > bounds.max)][0]
        raise QuantizationError(
            f"a zero point is {outside}, expected one that {target_type.name} can hold"
        )
    out = output(out, values, target_type)
    source, target, scales, zeros = _arrange(values, out, scales, zeros, axis)
    narrow = target_type.itemsize <= 2 and are_exact(zeros)
    zeros = zeros.astype(np.float32 if narrow else np.float64)
    lowest, highest = bounds.min - zeros, bounds.max - zeros
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for block in _blocks(source.shape):
            rounded = _round(source[block].astype(np.float32) / _part(scales, block))
            rounded = np.clip(rounded, _part(lowest, block), _part(highest, block))
            target[block] = (rounded + _part(zeros, block)).astype(target_type)
    return out


def _round(quotients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to whole numbers, halves away from zero, as C's `round` does.

    The number added is just below a half, so that 0.49999997 does not become 1.
    """
    if np.isnan(quotients).any():
        raise QuantizationError("a value is NaN, which cannot be quantized")
    return np.trunc(quotients + np.copysign(_BELOW_HALF, quotients))


def are_exact(zeros: NDArray[Any]) -> bool:
    """Return whether 16-bit values minus these zero points are exact in float32."""
    return not np.count_nonzero((zeros < -_EXACT) | (zeros > _EXACT))


def _parameters(
    scale: ArrayLike, zero_point: ArrayLike, shape: tuple[int, ...], axis: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return scales and zero points as 1-D arrays; check that they fit each other and the shape."""
    scales = as_float32(scale).reshape(-1)
    zeros = np.asarray(zero_point).reshape(-1)
    if zeros.size and zeros.dtype.kind not in "iu":
        raise TypeError(f"zero_point has dtype {zeros.dtype.name}, expected an integer type")
    if zeros.dtype.kind == "u" and (zeros > np.iinfo(np.int64).max).any():
        raise QuantizationError(f"a zero point is {zeros.max()}, expected a signed 64-bit integer")
    require_finite(scales)
    if not scales.size or zeros.size not in (1, scales.size):
        raise QuantizationError(
            f"{scales.size} {plural('scale', scales.size)} and {zeros.size} "
            f"{plural('zero point', zeros.size)}, expected as many of each, or one zero point"
        )
    if axis is not None and not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} is out of range for shape {shape}")
    if scales.size > 1 and axis is None:
        raise QuantizationError(f"the axis is missing, expected one for {scales.size} scales")
    if scales.size > 1 and axis is not None and shape[axis] != scales.size:
        raise QuantizationError(
            f"{scales.size} scales along axis {axis} of shape {shape}, expected {shape[axis]}"
        )
    return scales, zeros.astype(np.int64)


def to_float32(values: NDArray[Any], out: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Copy floats of at most 32 bits to float32; they are their own real values."""
    out = output(out, values, np.dtype(np.float32))
    with np.errstate(invalid="ignore"):
        np.copyto(out, values)
    return out


def as_float32(scale: ArrayLike) -> NDArray[np.float32]:
    """Return scales as float32; too large ones become infinite, which `require_finite` refuses."""
    if isinstance(scale, np.ndarray) and scale.dtype == np.float32:
        return scale
    scales = np.asarray(scale)
    if scales.size and scales.dtype.kind not in "fiu":
        raise TypeError(f"scale has dtype {scales.dtype.name}, expected real numbers")
    with np.errstate(over="ignore"):
        return scales.astype(np.float32)


def require_finite(scales: NDArray[np.float32]) -> None:
    """Check that no scale is infinite or NaN."""
    if np.count_nonzero(np.isfinite(scales)) < scales.size:
        raise QuantizationError(f"a scale is {scales[~np.isfinite(scales)][0]}, expected a number")


def output(out: NDArray[Any] | None, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a new output array, or the one that was given, which may have any byte order.

    Raises
    ------
    UnsupportedError
        There can be no such array: numpy refuses axes whose product is too large even beside one of
        length 0, with which an array of narrower values may exist.
    """
    if out is None:
        try:
            return np.empty(values.shape, dtype)
        except ValueError:
            message = f"no array of {dtype.name} has shape {brief(values.shape)}"
            raise UnsupportedError(message) from None
    name = out.dtype.name if isinstance(out, np.ndarray) else type(out).__name__
    if name != dtype.name:
        raise TypeError(f"out is {name}, expected {dtype.name}")
    if out.shape != values.shape:
        raise ValueError(f"out has shape {out.shape}, expected {values.shape}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    if np.may_share_memory(out, values):
        raise ValueError("out overlaps the input")
    return out


def _arrange(
    values: NDArray[Any],
    out: NDArray[Any],
    scales: NDArray[np.float32],
    zeros: NDArray[np.int64],
    axis: int | None,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32], NDArray[np.int64]]:
    """Return input and output with few axes, and parameters that broadcast with them.

    Contiguous arrays are viewed, not copied, in shape (all,) or (before, along, after the axis).
    """
    contiguous = values.flags.c_contiguous and out.flags.c_contiguous
    if scales.size == 1 or axis is None:
        if contiguous:
            values, out = values.reshape(-1), out.reshape(-1)
        return values, out, scales, zeros
    axis %= values.ndim
    if contiguous:
        shape = values.shape
        split = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
        values, out, axis = values.reshape(split), out.reshape(split), 1
    column = (-1,) + (1,) * (values.ndim - axis - 1)
    if zeros.size == 1:
        zeros = zeros.repeat(scales.size)
    along = (1,) * axis + column
    return values, out, scales.reshape(along), zeros.reshape(along)


def _blocks(shape: tuple[int, ...]) -> Iterator[_Index]:
    """Cut an array into blocks; each is an index for as many leading axes as it takes."""
    if math.prod(shape) <= BLOCK:
        if 0 not in shape:
            yield ()
        return
    inner, axis = math.prod(shape[1:]), 0
    while inner > BLOCK:
        axis += 1
        inner //= shape[axis]
    step = max(1, BLOCK // inner)
    for outer in np.ndindex(shape[:axis]):
        for start in range(0, shape[axis], step):
            yield (*outer, slice(start, start + step))


def _part(parameters: NDArray[Any], block: _Index) -> NDArray[Any]:
    """Return the parameters of a block; along an axis of length 1, every index has the same."""
    if parameters.size == 1 or not block:
        return parameters
    index = tuple(
        part if size > 1 else (0 if isinstance(part, int) else slice(None))
        for part, size in zip(block, parameters.shape, strict=False)
    )
    return parameters[index]
