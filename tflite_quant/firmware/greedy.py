"""Where TensorFlow Lite Micro's greedy planner puts buffers in the arena.

Each buffer has a size and a lifetime. Buffers whose place is fixed come first. The others follow,
the largest first; each goes into the first gap between those that are live at the same time.
Source: tensorflow/tflite-micro, tensorflow/lite/micro/memory_planner/greedy_memory_planner.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Request", "largest_sum", "place"]


class Request(NamedTuple):
    """A buffer that needs a place.

    Attributes
    ----------
    size : int
        In bytes, with the alignment.
    first, last : int
        The times at which it is first and last used.
    offset : int or None
        Its place, if that is fixed.
    """

    size: int
    first: int
    last: int
    offset: int | None = None


def place(requests: Sequence[Request]) -> list[int]:
    """Return the offset of each buffer.

    Examples
    --------
    >>> place([Request(16, 0, 1), Request(64, 1, 2), Request(32, 2, 3)])
    [64, 0, 64]
    """
    offsets = [0] * len(requests)
    placed = _Placed(len(requests))
    for index in _order(requests):
        request = requests[index]
        offset = request.offset
        if offset is None:
            offset = placed.gap(request)
        placed.add(request, offset)
        offsets[index] = offset
    return offsets


def _order(requests: Sequence[Request]) -> list[int]:
    """Return the order in which buffers are placed; of equal ones, the last one comes first."""
    fixed = [index for index, request in enumerate(requests) if request.offset is not None]
    free = [index for index, request in enumerate(requests) if request.offset is None]
    return fixed + sorted(free, key=lambda index: (-requests[index].size, -index))


class _Placed:
    """The buffers that have a place, in the order of their offsets."""

    def __init__(self, most: int) -> None:
        self.count = 0
        # One row each: where a buffer begins and ends, and its first and last use.
        self.rows = np.zeros((4, most), np.int64)

    def gap(self, request: Request) -> int:
        """Return the offset of the first gap that is large enough."""
        begins, ends, firsts, lasts = self.rows[:, : self.count]
        is_live = (firsts <= request.last) & (lasts >= request.first)
        # What lies before the first live buffer, and between each of them and the next.
        starts = np.concatenate([[0], np.maximum.accumulate(ends[is_live])])
        fits = begins[is_live] - starts[:-1] >= request.size
        return int(starts[fits.argmax() if fits.any() else -1])

    def add(self, request: Request, offset: int) -> None:
        row = int(self.rows[0, : self.count].searchsorted(offset, "right"))
        self.rows[:, row + 1 : self.count + 1] = self.rows[:, row : self.count].copy()
        self.rows[:, row] = offset, offset + request.size, request.first, request.last
        self.count += 1


def largest_sum(requests: Sequence[Request]) -> tuple[int, int]:
    """Return the largest sum of sizes that are live at once, and the first time at which they are.

    Examples
    --------
    >>> largest_sum([Request(16, 0, 1), Request(64, 1, 2), Request(32, 2, 3)])
    (96, 2)
    """
    if not requests:
        return 0, 0
    sizes, firsts, lasts = (
        np.array(column, np.int64) for column in list(zip(*requests, strict=True))[:3]
    )
    start = int(firsts.min())
    changes: NDArray[np.int64] = np.zeros(int(lasts.max()) - start + 2, np.int64)
    np.add.at(changes, firsts - start, sizes)
    np.subtract.at(changes, lasts - start + 1, sizes)
    sums = changes.cumsum()
    return int(sums.max()), int(sums.argmax()) + start
