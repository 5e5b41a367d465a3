"""Counts the values of a tensor in bars, and finds the ends of the range that it can represent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import BLOCK
from ..arithmetic.blockwise import dequantize_blockwise
from ..format.schema import INTEGER_RANGES
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.tensor import Tensor

LARGEST = np.float64(np.finfo(np.float32).max)
"""Larger values, which only FLOAT64 has, count as not finite: no Axes is that wide."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bars:
    """The bars of a histogram.

    Attributes
    ----------
    counts : ndarray of int64, shape (n,)
        How many values each bar stands for.
    edges : ndarray of float64, shape (n + 1,)
        Where the bars begin and end, without gaps.
    low, high : float
        The least and the greatest finite value; NaN without any.
    not_finite : int
        How many values are infinite or not a number, and in no bar.
    """

    counts: NDArray[np.int64]
    edges: Doubles
    low: float
    high: float
    not_finite: int


def bars_of(values: NDArray[Any], most: int, step: float | None = None) -> Bars:
    """Return the histogram of real numbers.

    Parameters
    ----------
    values : ndarray of numbers, any shape
    most : int
        How many bars there are at most.
    step : float, optional
        How far apart values are at least. Each bar is whole steps wide, or some bars would stand
        for more of the values that there can be than others, and a comb would be seen.

    Examples
    --------
    >>> bars = bars_of(np.int8([0, 1, 1, 5]), 3, step=1)
    >>> bars.counts.tolist(), bars.edges.tolist()
    ([3, 0, 1], [-0.5, 1.5, 3.5, 5.5])
    """
    flat = values.reshape(-1)
    low, high, count = _ends(flat)
    not_finite = flat.size - count
    if not count:
        return Bars(np.zeros(0, np.int64), np.zeros(1), np.nan, np.nan, not_finite)
    edges = _edges(low, high, most, step)
    if edges.size == 2:
        return Bars(np.array([count], np.int64), edges, low, high, not_finite)
    counts = np.zeros(edges.size - 1, np.int64)
    for part in _parts(flat):
        counts += np.histogram(part, counts.size, (edges[0], edges[-1]))[0]
    return Bars(counts, edges, low, high, not_finite)


def _parts(flat: NDArray[Any]) -> Iterator[Doubles]:
    """Yield the finite values block by block, so that no copy of all of them is made."""
    for start in range(0, flat.size, BLOCK):
        part = flat[start : start + BLOCK].astype(np.float64)
        yield part[np.abs(part) <= LARGEST]


def _ends(flat: NDArray[Any]) -> tuple[float, float, int]:
    """Return the least and the greatest finite value, and how many there are."""
    low, high, count = np.inf, -np.inf, 0
    for part in _parts(flat):
        if part.size:
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            count += part.size
    return low, high, count


def _edges(low: float, high: float, most: int, step: float | None) -> Doubles:
    """Return the ends of bars for values in a range: whole steps wide, if there is a step."""
    edges: NDArray[Any]
    if step is not None and (steps := (high - low) / step) < 1 << 62:
        steps = round(steps) + 1
        wide = -(-steps // most)
        edges = low - step / 2 + step * wide * np.arange(-(-steps // wide) + 1)
    else:
        edges = np.linspace(low, high, most + 1)
    if (np.diff(edges) >= np.finfo(np.float64).tiny).all():
        return edges.astype(np.float64)
    # All values are alike, or too near each other for bars between them.
    half = max(abs(low), abs(high)) / 2 or 0.5
    return np.array([low - half, high + half])


def real_ends(tensor: Tensor) -> tuple[Doubles, Doubles] | None:
    """Return the real values that the lowest and the highest integer stand for, with each scale.

    Returns
    -------
    (low, high) : ndarray of float64, shape (n,), or None
        One number each for each scale. None for a tensor without integers, or without scales.

    Raises
    ------
    QuantizationError
        The scales do not fit the tensor, or are not finite.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     low, high = real_ends(model.outputs[0])
    >>> low.tolist(), high.tolist()
    ([0.0], [0.99609375])
    """
    scheme, integers = tensor.quantization, INTEGER_RANGES.get(tensor.type)
    if integers is None:
        return None
    if isinstance(scheme, Blockwise | MultiAxis):
        scales, zeros = scheme.parameters(tensor.shape)
        both = [dequantize_blockwise(np.full(scales.shape, q), scales, zeros) for q in integers]
    else:
        ends = tensor.range
        if ends is None:
            return None
        both = list(ends)
    low, high = (each.reshape(-1).astype(np.float64) for each in both)
    return low, high
