"""The measures of an error: how far real values are from those that they were quantized from.

With the reference `r`, the real value `x` and the step `s` (the scale) of each value, all sums in
float64:

    SQNR      = 10 log10(sum r^2 / sum (x - r)^2)   in dB
    error     = x - r                               its largest and its mean absolute value
    in steps  = (x - r) / s                         a value that was only rounded: at most 0.5
    bias      = mean((x - r) / s)

The signal-to-quantization-noise ratio is that of A. Gersho and R. M. Gray, Vector Quantization and
Signal Compression (1992), section 5.3; each bit more gives 6.02 dB more. With a numerator and a
denominator that are sums over all values, it is also that of google-ai-edge/ai-edge-quantizer,
utils/validation_utils.py, whose SNR is the same ratio without the logarithm. That the error of
rounding is uniform in half a step to both sides is what makes the two figures in steps telling: the
largest is 0.5, the mean 0.25, the bias 0 where nothing but rounding happened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import BLOCK

Doubles = NDArray[np.float64]

_SHORT, _LONGEST = 256, 1 << 13
"""The fewest values in a row of which products of rows are faster; and the most, from which on some
libraries would start threads, for less work than that takes."""
_LARGEST = float(np.finfo(np.float32).max)
"""Reference values beyond it are infinite in float32, the widest type that weights have."""


@dataclass(frozen=True)
class Measures:
    """How far real values are from their reference.

    Attributes
    ----------
    count : int
        How many values were compared.
    sqnr : float
        The signal-to-quantization-noise ratio in dB: infinity if every value is exact, also where
        all are zero; minus infinity if the reference is all zero, but not the real values.
    max_error, mean_error : float
        The largest and the mean absolute error, in real units.
    max_error_steps, mean_error_steps : float or None
        The same in steps, each value's error in its own. None without a step, as of float16, or if
        a step is 0.
    bias : float or None
        The mean of the error, with its sign, in steps.
    at_ends : float or None
        The share of stored integers at the ends of the range, from 0 to 1. The range is that of
        the type; weights of a signed type, none of which has the lowest integer, have a symmetric
        range: -127 to 127. None where no integers are stored.
    range_used : float or None
        The share of the range between the lowest and the highest stored integer, from 0 to 1.
    step : float or None
        The largest step.
    """

    count: int
    sqnr: float
    max_error: float
    mean_error: float
    max_error_steps: float | None
    mean_error_steps: float | None
    bias: float | None
    at_ends: float | None
    range_used: float | None
    step: float | None

    @property
    def is_exact(self) -> bool:
        """Whether every real value is that of the reference."""
        return self.sqnr == math.inf


@dataclass(frozen=True, eq=False)
class Channels:
    """The measures of each channel of a tensor, as columns.

    Attributes
    ----------
    axis : int
        The axis of the tensor that has the channels.
    count : ndarray of int64, shape (n,)
    sqnr, max_error, mean_error, max_error_steps, mean_error_steps, bias, at_ends, range_used, step
        ndarray of float64, shape (n,). NaN where `Measures` has None.
    """

    axis: int
    count: NDArray[np.int64]
    sqnr: Doubles
    max_error: Doubles
    mean_error: Doubles
    max_error_steps: Doubles
    mean_error_steps: Doubles
    bias: Doubles
    at_ends: Doubles
    range_used: Doubles
    step: Doubles

    def __len__(self) -> int:
        return self.count.size

    def __getitem__(self, index: int) -> Measures:
        """Return the measures of one channel."""
        return _row(self, index)

    def __iter__(self) -> Iterator[Measures]:
        return (self[index] for index in range(len(self)))

    @property
    def worst(self) -> int:
        """The channel with the lowest SQNR; the first of them."""
        return int(np.where(np.isnan(self.sqnr), np.inf, self.sqnr).argmin())

    def __repr__(self) -> str:
        worst = self.worst
        return f"Channels(axis={self.axis}, {len(self)}, worst {worst}: {self.sqnr[worst]:.1f} dB)"


_NAMES = tuple(field.name for field in fields(Measures))


def _row(columns: Channels, index: int) -> Measures:
    """Return one row of columns, with None for NaN."""
    count, *others = (getattr(columns, name)[index] for name in _NAMES)
    numbers = [None if math.isnan(number) else float(number) for number in others]
    return Measures(int(count), *numbers)  # type: ignore[arg-type]  # the first three are numbers


@dataclass(eq=False)
class Sums:
    """What the measures of n groups of values are computed from; it grows block by block.

    Attributes
    ----------
    count, not_finite : ndarray of int64, shape (n,)
        Values that were compared, and reference values that are not finite and were not.
    signal, noise, absolute, signed : ndarray of float64, shape (n,)
        Sums of r^2, (x - r)^2, |x - r| and x - r.
    largest : ndarray of float64, shape (n,)
        The largest |x - r|.
    step : ndarray of float64, shape (n,)
        The step of each group; NaN without one.
    absolute_steps, signed_steps, largest_steps : ndarray of float64, shape (n,)
        As above, of errors in steps; `in_steps` computes them.
    lowest, highest : ndarray of float64, shape (n,)
        The lowest and the highest stored integer; infinite if no integers are stored.
    at_low, at_second, at_high : ndarray of int64, shape (n,)
        How many stored integers are the lowest of their type, the second lowest, the highest.
    """

    count: NDArray[np.int64]
    not_finite: NDArray[np.int64]
    signal: Doubles
    noise: Doubles
    absolute: Doubles
    signed: Doubles
    largest: Doubles
    step: Doubles
    absolute_steps: Doubles
    signed_steps: Doubles
    largest_steps: Doubles
    lowest: Doubles
    highest: Doubles
    at_low: NDArray[np.int64]
    at_second: NDArray[np.int64]
    at_high: NDArray[np.int64]


_LARGEST_OF = frozenset({"largest", "largest_steps", "step", "highest"})


def no_sums(groups: int, step: Doubles | None) -> Sums:
    """Return the sums of no values, for so many groups with these steps."""

    def zeros() -> Doubles:
        return np.zeros(groups)

    def counts() -> NDArray[np.int64]:
        return np.zeros(groups, np.int64)

    return Sums(
        count=counts(), not_finite=counts(),
        signal=zeros(), noise=zeros(), absolute=zeros(), signed=zeros(), largest=zeros(),
        step=np.broadcast_to(np.nan if step is None else step, groups),
        absolute_steps=zeros(), signed_steps=zeros(), largest_steps=zeros(),
        lowest=np.full(groups, np.inf), highest=np.full(groups, -np.inf),
        at_low=counts(), at_second=counts(), at_high=counts(),
    )  # fmt: skip


def blocks(shape: tuple[int, int, int]) -> Iterator[tuple[slice, slice, slice]]:
    """Cut an array of shape (before, groups, after) into blocks that stay in a processor's cache.

    Examples
    --------
    >>> list(blocks((1, 2, BLOCK)))[1]
    (slice(0, 1, None), slice(0, 2, None), slice(8192, 16384, None))
    """
    before, groups, after = shape
    # Each of the arrays that a block takes has 8 bytes a value, and there are several.
    room = BLOCK // 2
    wide = min(after, _LONGEST)
    high = min(groups, max(room // max(wide, 1), 1))
    deep = min(before, max(room // max(wide * high, 1), 1))
    for i in range(0, before, max(deep, 1)):
        for j in range(0, groups, max(high, 1)):
            for k in range(0, after, max(wide, 1)):
                yield (
                    slice(i, min(i + deep, before)),
                    slice(j, min(j + high, groups)),
                    slice(k, min(k + wide, after)),
                )


def workspace() -> Doubles:
    """Return memory for `add`, which is used again and again: new memory costs more than sums."""
    return np.empty((2, BLOCK // 2))


def add(
    sums: Sums, groups: slice, reference: NDArray[Any], real: NDArray[Any], work: Doubles
) -> None:
    """Add a block of values to the sums of their groups.

    Parameters
    ----------
    sums : Sums
    groups : slice
        The groups that the block has values of.
    reference, real : ndarray of real numbers, shape (before, groups, after)
        A real value that is not finite, where the reference is, has an infinite error.
    work : ndarray of float64
        From `workspace`; it is overwritten.
    """
    r, x = (memory[: real.size].reshape(real.shape) for memory in work)
    np.copyto(r, reference)
    np.copyto(x, real)
    signal = _dots(r, r)
    np.subtract(x, r, out=x)
    noise = _dots(x, x)
    left_out: NDArray[Any] | int = 0
    # NaN is not at most anything.
    if not ((signal <= _LARGEST**2).all() and np.isfinite(noise).all()):
        left_out, signal, noise = _without_infinite(r, x)
    ones = np.ones((1, 1, real.shape[2]))
    sums.signed[groups] += _dots(x, ones)
    np.abs(x, out=x)
    sums.absolute[groups] += _dots(x, ones)
    sums.signal[groups] += signal
    sums.noise[groups] += noise
    sums.largest[groups] = np.maximum(sums.largest[groups], _of_groups(np.maximum, x))
    sums.count[groups] += real.shape[0] * real.shape[2] - left_out
    sums.not_finite[groups] += left_out


def _dots(left: Doubles, right: Doubles) -> Doubles:
    """Return for each group the sum of the products of two blocks."""
    sums: Doubles
    if left.shape[2] < _SHORT:
        sums = np.einsum("ijk,ijk->j", left, np.broadcast_to(right, left.shape))
    else:
        sums = np.matmul(left[..., np.newaxis, :], right[..., np.newaxis]).sum(axis=(0, 2, 3))
    return sums


def _of_groups(how: np.ufunc, block: NDArray[Any]) -> NDArray[Any]:
    """Return the largest or smallest value of each group of a block."""
    rows = block[0] if block.shape[0] == 1 else how.reduce(block, axis=0)
    found: NDArray[Any] = rows[:, 0] if rows.shape[1] == 1 else how.reduce(rows, axis=1)
    return found


def _without_infinite(r: Doubles, x: Doubles) -> tuple[NDArray[np.int64], Doubles, Doubles]:
    """Leave out reference values that are not finite; make other errors infinite that are not.

    Returns
    -------
    left_out : ndarray of int64, shape (groups,)
    signal, noise : ndarray of float64, shape (groups,)
    """
    is_left_out = ~(np.abs(r) <= _LARGEST)
    x[~np.isfinite(x)] = np.inf
    x[is_left_out] = r[is_left_out] = 0.0
    return np.count_nonzero(is_left_out, axis=(0, 2)), _dots(r, r), _dots(x, x)


def add_integers(sums: Sums, groups: slice, q: NDArray[Any], ends: tuple[int, int]) -> None:
    """Add a block of stored integers to the sums of their groups.

    Parameters
    ----------
    sums : Sums
    groups : slice
    q : ndarray of integers, shape (before, groups, after)
    ends : (int, int)
        The lowest and the highest integer of the type.
    """
    low, high = ends
    lowest, highest = _of_groups(np.minimum, q), _of_groups(np.maximum, q)
    sums.lowest[groups] = np.minimum(sums.lowest[groups], lowest)
    sums.highest[groups] = np.maximum(sums.highest[groups], highest)
    if lowest.min() > low + 1 and highest.max() < high:
        return
    # Few values are at the ends, of most tensors.
    positions = np.flatnonzero((q <= low + 1) | (q >= high))
    found = q.reshape(-1)[positions] if q.flags.c_contiguous else q.ravel()[positions]
    of_groups = positions // q.shape[2] % q.shape[1]
    for counts, value in ((sums.at_low, low), (sums.at_second, low + 1), (sums.at_high, high)):
        counts[groups] += np.bincount(of_groups[found == value], minlength=q.shape[1])


def in_steps(sums: Sums) -> Sums:
    """Return sums with the errors in steps, too: NaN where the step is no positive number."""
    step = np.where((sums.step > 0) & np.isfinite(sums.step), sums.step, np.nan)
    return replace(
        sums,
        absolute_steps=sums.absolute / step,
        signed_steps=sums.signed / step,
        largest_steps=sums.largest / step,
    )


def together(sums: Sums, shape: tuple[int, ...], axis: int | None) -> Sums:
    """Return the sums of larger groups, which consist of those that there are.

    Parameters
    ----------
    sums : Sums
    shape : tuple of int
        The shape that the groups have, as the scales of blocks do.
    axis : int or None
        The axis whose indices are the new groups; None for all in one.
    """
    others = tuple(i for i in range(len(shape)) if i != axis)

    def over(name: str) -> Any:
        how = np.maximum if name in _LARGEST_OF else np.minimum if name == "lowest" else np.add
        return np.atleast_1d(how.reduce(getattr(sums, name).reshape(shape), axis=others))

    return Sums(**{field.name: over(field.name) for field in fields(Sums)})


def joined(parts: Sequence[Sums]) -> Sums:
    """Return the sums of all values of several tensors, each of which is one group."""
    columns = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])
        for field in fields(Sums)
    }
    return together(Sums(**columns), (len(parts),), None)


def columns(
    sums: Sums, ends: tuple[int, int] | None, is_symmetric: bool
) -> dict[str, NDArray[Any]]:
    """Return the measures of groups, a column each, by the names of `Measures`.

    Parameters
    ----------
    sums : Sums
    ends : (int, int) or None
        The lowest and the highest integer of the type, if integers are stored.
    is_symmetric : bool
        Whether the lowest integer is not part of the range.
    """
    unknown = np.full(sums.count.size, np.nan)
    found: dict[str, NDArray[Any]] = {
        "count": sums.count,
        "sqnr": decibels(sums),
        "max_error": sums.largest,
        "mean_error": _mean(sums.absolute, sums.count),
        "max_error_steps": sums.largest_steps,
        "mean_error_steps": _mean(sums.absolute_steps, sums.count),
        "bias": _mean(sums.signed_steps, sums.count),
        "at_ends": unknown,
        "range_used": unknown,
        "step": np.array(sums.step),
    }
    if ends is not None:
        low, high = ends[0] + is_symmetric, ends[1]
        at_low = sums.at_second if is_symmetric else sums.at_low
        found["at_ends"] = _mean(at_low + sums.at_high, sums.count + sums.not_finite)
        found["range_used"] = (sums.highest - sums.lowest) / (high - low)
    return found


def _mean(total: NDArray[Any], count: NDArray[np.int64]) -> Doubles:
    return total / np.maximum(count, 1)


def decibels(sums: Sums) -> Doubles:
    """Return the SQNR of each group; see `Measures.sqnr`. NaN for no values."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 10 * (np.log10(sums.signal) - np.log10(sums.noise))
    return np.where(sums.count == 0, np.nan, np.where(sums.noise == 0, np.inf, ratio))


def measures_of(found: dict[str, NDArray[Any]]) -> Measures:
    """Return the measures of the only group of some columns."""
    return _row(Channels(0, **found), 0)


def channels_of(axis: int, found: dict[str, NDArray[Any]]) -> Channels:
    """Return the measures of channels; the arrays become read-only."""
    for column in found.values():
        column.flags.writeable = False
    return Channels(axis, **found)
