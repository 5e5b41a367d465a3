"""Timing several ways to do one thing, side by side."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

__all__ = ["medians"]


def medians(
    ways: Mapping[str, Callable[[], object]], seconds: float = 2.0, least: int = 7
) -> dict[str, float]:
    """Run each way in turn, again and again, and give the median of each, in seconds.

    Turns keep what slows the machine down for a while from falling on one way alone; in its turn
    each runs once untimed, so that none is timed in the caches that another has left.

    Parameters
    ----------
    ways : mapping of str to callable
    seconds : float
        How long to go on, at least.
    least : int
        How many turns there are, at least.
    """
    times: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.disable()
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end or len(next(iter(times.values()))) < least:
            for name, run in ways.items():
                run()
                start = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}
