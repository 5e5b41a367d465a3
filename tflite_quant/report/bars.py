"""Small pictures of many numbers: bars, as the path of an SVG image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST = 64
"""Bars of a picture; of more numbers, several share one."""
_HEIGHT = 100
"""The height of the picture in its own units; a bar is one wide."""


@dataclass(frozen=True)
class Bars:
    """A picture of numbers as bars.

    Attributes
    ----------
    values : tuple of float
        What each bar stands for, from 0 on.
    about : str
        What it shows, in words.
    left, right : str
        What stands below its ends.
    """

    values: tuple[float, ...]
    about: str
    left: str
    right: str

    @property
    def width(self) -> int:
        """The width of the picture in its own units."""
        return len(self.values)

    @property
    def path(self) -> str:
        """The outlines of the bars, of which the highest is 100 high; whatever is there is seen.

        Examples
        --------
        >>> Bars((0.0, 2.0, 4.0), "counts", "0", "2").path
        'M1 100V50h.9V100zM2 100V0h.9V100z'
        """
        most = max(self.values, default=0.0)
        tops = [
            _HEIGHT - max(round(_HEIGHT * each / most), 1) if each else None for each in self.values
        ]
        return "".join(
            f"M{x} {_HEIGHT}V{top}h.9V{_HEIGHT}z" for x, top in enumerate(tops) if top is not None
        )


def in_groups(values: NDArray[Any], how: np.ufunc) -> tuple[Sequence[float], int]:
    """Return numbers, or what a function makes of neighbours if there are too many for a picture.

    Parameters
    ----------
    values : ndarray of numbers, shape (n,)
        What is not finite counts as 0.
    how : ufunc
        Such as `numpy.maximum`.

    Returns
    -------
    numbers : sequence of float
    together : int
        How many are made one.

    Examples
    --------
    >>> in_groups(np.arange(100.0), np.maximum)[0][-2:]
    [97.0, 99.0]
    """
    together = max(-(-values.size // _MOST), 1)
    wide = values.astype(np.float64)
    wide[~np.isfinite(wide)] = 0.0
    found: list[float] = how.reduceat(wide, np.arange(0, wide.size, together)).tolist()
    return found, together
