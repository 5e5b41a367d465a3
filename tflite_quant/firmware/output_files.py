"""The files that a build step writes: only those that change, all of them or none."""

from __future__ import annotations

import builtins
import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence

from ..escape import for_make

__all__ = ["depfile", "write_files"]


def depfile(targets: Sequence[str], source: str) -> str:
    r"""Return the rule that tells make and ninja what some files depend on.

    Parameters
    ----------
    targets : sequence of str
        The files that are made.
    source : str
        The file that they are made from.

    Raises
    ------
    ValueError
        A path has a line break, which no rule can have.

    Examples
    --------
    >>> print(depfile(["out/my model.h", "model.c"], "my model.tflite"), end="")
    out/my\ model.h model.c: my\ model.tflite
    """
    return f"{' '.join(map(for_make, targets))}: {for_make(source)}\n"


def write_files(texts: Mapping[str, str]) -> list[str]:
    """Write files, except those that have their text already.

    A regular file, or the one that a link leads to, is replaced as a whole: the text goes to a new
    file beside it first. None is replaced before all new files are complete. Anything else, such as
    a device or a pipe, is written to.

    Parameters
    ----------
    texts : mapping of str to str
        The text of each path.

    Returns
    -------
    list of str
        The paths that were written.

    Raises
    ------
    OSError
        A file cannot be written; unless the system fails in the middle of renaming, none was.
    """
    changed = {path: os.fsencode(text) for path, text in texts.items() if _changes(path, text)}
    regular = [path for path in changed if os.path.isfile(path) or not os.path.exists(path)]
    staged: dict[str, str] = {}
    try:
        for path in regular:
            staged[path] = _stage(path, changed[path])
        for path in changed.keys() - staged:
            with builtins.open(path, "wb") as file:
                file.write(changed[path])
        for path in regular:
            _replace(path, staged.pop(path))
    finally:
        for temporary in staged.values():
            os.remove(temporary)
    return list(changed)


def _changes(path: str, text: str) -> bool:
    """Tell whether a path does not lead to a regular file with a text."""
    if not os.path.isfile(path):
        return True
    with builtins.open(path, "rb") as file:
        return file.read() != os.fsencode(text)


def _stage(path: str, content: bytes) -> str:
    """Write a new file beside a path, and return the new file's path."""
    target = os.path.realpath(path)
    temporary = f"{target}.{secrets.token_hex(8)}.tmp"
    try:
        # Exclusively: a file or link of that name, which others may have made, is not written to.
        with builtins.open(temporary, "xb") as file:
            file.write(content)
        if os.path.exists(target):
            shutil.copymode(target, temporary)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise OSError(error.errno, error.strerror, path) from None
    return temporary


def _replace(path: str, temporary: str) -> None:
    try:
        os.replace(temporary, os.path.realpath(path))
    except OSError as error:
        os.remove(temporary)
        raise OSError(error.errno, error.strerror, path) from None
