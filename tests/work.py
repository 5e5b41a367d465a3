"""How much work something takes, by what it calls and allocates: the same on a busy machine."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["TooMuch", "Work", "calls", "measured"]


class TooMuch(BaseException):
    """A limit is passed. No `except Exception` of what is measured must catch it."""


class Work(NamedTuple):
    """What something took.

    Attributes
    ----------
    calls : int
        Of Python and C functions. What numpy does inside of one is not seen.
    peak : int
        Bytes that were allocated at once, above those before it.
    """

    calls: int
    peak: int


def calls(function: Callable[[], Any], limit: int | None = None, peak: int | None = None) -> int:
    """Call a function, and count the calls of Python and C functions that it makes.

    Parameters
    ----------
    function : callable
    limit : int, optional
        After so many calls `TooMuch` ends it, so that a test which fails does not go on for long.
    peak : int, optional
        So do so many bytes, where `tracemalloc` counts them.
    """
    count = 0

    def profile(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")
        if limit is not None and count > limit:
            raise TooMuch(f"more than {limit:_} calls")
        if peak is not None and not count % 1024 and tracemalloc.get_traced_memory()[1] > peak:
            raise TooMuch(f"more than {peak:_} bytes")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count


def measured(
    function: Callable[[], Any], limit: int | None = None, peak: int | None = None
) -> Work:
    """Count calls and bytes at once; where a limit is passed, `TooMuch` says which."""
    tracemalloc.start()
    try:
        count = calls(function, limit, peak)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak is not None and found > peak:
        raise TooMuch(f"{found:_} bytes, more than {peak:_}")
    return Work(count, found)
