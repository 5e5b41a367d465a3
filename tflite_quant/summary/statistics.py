"""What an array of values looks like: its ends, its mean, how much of a range it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import BLOCK
from ..format.schema import INTEGER_RANGES

if TYPE_CHECKING:
    from ..model.tensor import Tensor

BINS = 12
"""Bars of a histogram."""


@dataclass(frozen=True)
class Statistics:
    """The values of an array in a few numbers.

    Attributes
    ----------
    count : int
        How many values there are.
    low, high, mean : float
        Of the finite values; NaN if there are none.
    zeros : float
        The share of values that are zero, from 0 to 1.
    not_finite : int
        How many values are infinite or not a number.
    """

    count: int
    low: float
    high: float
    mean: float
    zeros: float
    not_finite: int


def statistics(values: NDArray[Any]) -> Statistics:
    """Return the statistics of real numbers.

    Parameters
    ----------
    values : ndarray of numbers, any shape

    Examples
    --------
    >>> statistics(np.array([0.0, 1.0, 3.0, np.inf]))
    Statistics(count=4, low=0.0, high=3.0, mean=1.3333333333333333, zeros=0.25, not_finite=1)
    """
    finite = finite_values(values)
    count = values.size
    if not finite.size:
        return Statistics(count, np.nan, np.nan, np.nan, 0.0, count)
    # The sum of 64-bit integers, or of the largest floats, could leave their range.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(finite.mean(dtype=np.float64))
    return Statistics(
        count,
        float(finite.min()),
        float(finite.max()),
        mean,
        int(np.count_nonzero(values == 0)) / count,
        count - finite.size,
    )


def finite_values(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values that are finite, in one dimension; a view if all are."""
    flat = values.reshape(-1)
    if flat.dtype.kind != "f":
        return flat
    is_finite = np.isfinite(flat)
    return flat if is_finite.all() else flat[is_finite]


def integer_range(tensor: Tensor, lowest: float = 0) -> tuple[int, int] | None:
    """Return the ends of the range that a quantized tensor's integers may use; None for others.

    That of signed weights is symmetric: the lowest integer of the type is not used, unless it is
    the lowest that they have.
    """
    ends = INTEGER_RANGES.get(tensor.type)
    if ends is None or not tensor.is_quantized:
        return None
    low, high = ends
    is_symmetric = tensor.role == "weight" and low < 0 and lowest > low
    return (-high if is_symmetric else low), high


def share_at(values: NDArray[Any], low: int, high: int) -> float:
    """Return which share of integers is at or beyond the ends of a range.

    Examples
    --------
    >>> share_at(np.int8([-128, 0, 127, 127]), -128, 127)
    0.75
    """
    at_ends = int(np.count_nonzero(values <= low)) + int(np.count_nonzero(values >= high))
    return at_ends / values.size if values.size else 0.0


def histogram(
    values: NDArray[Any], bins: int = BINS, ends: tuple[int, int] | None = None
) -> list[tuple[float, float, int]]:
    """Return the bars of a histogram: from where, to where, and how many values.

    The bars of integers are whole numbers wide, and their ends are among the values.

    Parameters
    ----------
    values : ndarray of numbers, any shape
    bins : int
        How many bars there are at most.
    ends : (int, int), optional
        The lowest and the highest integer that integers may be; by default those that there are.

    Examples
    --------
    >>> histogram(np.int8([0, 1, 1, 5]))
    [(0, 0, 1), (1, 1, 2), (2, 2, 0), (3, 3, 0), (4, 4, 0), (5, 5, 1)]
    """
    finite = finite_values(values)
    if not finite.size:
        return []
    if finite.dtype.kind in "iu":
        low, high = ends or (int(finite.min()), int(finite.max()))
        step = -(-(high - low + 1) // bins)
        starts = list(range(low, high + 1, step))
        if finite.dtype.itemsize <= 2:
            counts = _counts_of_narrow(finite, low, len(starts), step)
        else:
            counts = _counts(finite, np.array([*starts, starts[-1] + step], np.float64) - 0.5)
        return [(start, start + step - 1, n) for start, n in zip(starts, counts, strict=True)]
    low_end, high_end = float(finite.min()), float(finite.max())
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low_end, high_end, bins + 1)
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        # All values are alike, or too far apart for bars between them.
        return [(low_end, high_end, finite.size)]
    counts = _counts(finite, edges)
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=True))


def _counts(values: NDArray[Any], edges: NDArray[np.float64]) -> list[int]:
    """Return how many values are between edges, block by block: float64 may take 8 times more."""
    counts = np.zeros(edges.size - 1, np.int64)
    for start in range(0, values.size, BLOCK):
        counts += np.histogram(values[start : start + BLOCK].astype(np.float64), edges)[0]
    return counts.tolist()


def _counts_of_narrow(values: NDArray[Any], low: int, bars: int, step: int) -> list[int]:
    """Return how many integers each bar has; ten times as fast, for types of 8 and 16 bits."""
    counts = np.zeros(bars * step, np.int64)
    for start in range(0, values.size, BLOCK):
        offsets = values[start : start + BLOCK].astype(np.intp) - low
        counts += np.bincount(offsets, minlength=counts.size)
    found: list[int] = counts.reshape(bars, step).sum(axis=1).tolist()
    return found
