"""What all commands share: refusals, error lines, the width of a terminal, its colours."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TypeVar

from ..escape import for_terminal

T = TypeVar("T")


_MANY = 20
"""From this number of things on, a progress bar is shown."""


class RefusedError(Exception):
    """The arguments cannot be followed; the message says why."""


def error_line(error: Exception) -> str:
    """Return an error's message in one line, with the name of the file that it is about."""
    text = str(error)
    if isinstance(error, OSError) and error.filename is not None:
        text = f"{error.filename}: {error.strerror}"
    return for_terminal(" ".join(text.split()))


def unforeseen(error: Exception) -> str:
    """Return a line about an error that no file and no argument should cause."""
    return f"internal error, please report it: {type(error).__name__}: {error_line(error)}"


def width() -> int | None:
    """Return the columns of the terminal; None where nothing is to be folded: a file or a pipe."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def can_print(text: str) -> bool:
    """Return whether standard output can show some characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def tracked(things: Iterable[T], count: int, doing: str) -> Iterable[T]:
    """Return an iterator that draws a progress bar for many things, on a terminal with `rich`."""
    if count < _MANY or not sys.stderr.isatty():
        return things
    try:
        from rich.console import Console  # noqa: PLC0415  # an optional extra
        from rich.progress import track  # noqa: PLC0415
    except ModuleNotFoundError:
        return things
    return track(things, doing, total=count, console=Console(stderr=True), transient=True)


_COLOURS = {
    "weight": "36",
    "bias": "35",
    "input": "1",
    "output": "1",
    "state": "34",
    "constant": "2",
    "encoded": "2",
    "float": "31",
    "bad": "31",
    "poor": "33",
}
"""The codes of colours that can be read on a light and on a dark background."""


def painted(text: str, what: str) -> str:
    """Return a text in the colour of what it is about, on a terminal that has colours.

    NO_COLOR in the environment turns them off (https://no-color.org).
    """
    colour = _COLOURS.get(what)
    if colour is None or not text.strip() or not _has_colours():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def _has_colours() -> bool:
    is_dumb = os.environ.get("TERM", "" if os.name == "nt" else "dumb") == "dumb"
    is_old_console = os.name == "nt" and not {"WT_SESSION", "ANSICON", "TERM"} & set(os.environ)
    is_off = bool(os.environ.get("NO_COLOR"))
    return sys.stdout.isatty() and not (is_dumb or is_old_console or is_off)
