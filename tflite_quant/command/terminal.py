"""What all commands share: refusals, error lines, the width of a terminal."""

from __future__ import annotations

import os
import shutil
import sys

from ..escape import for_terminal


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
