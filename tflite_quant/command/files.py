"""Many files at once: which ones, in several processes, with a progress bar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

from .terminal import RefusedError, error_line, tracked

_BATCH = 8
"""Files that a process is given at a time."""

T = TypeVar("T")


def model_files(paths: Sequence[str]) -> list[str]:
    """Return the files, and the models in the folders, that are named: each once."""
    files: dict[str, None] = {}
    for path in paths:
        models = [path]
        if os.path.isdir(path):
            found = sorted(map(str, Path(path).rglob("*.tflite")))
            # Git carries links, and one to a device could be read without end.
            models = [each for each in found if os.path.isfile(each)]
            for skipped in sorted({*found} - {*models}):
                line = error_line(RefusedError(f"{skipped}: skipped, not a regular file"))
                print(f"tflite-quant: {line}", file=sys.stderr)
        if not models:
            raise RefusedError(f"{path}: no .tflite file in this folder")
        files.update(dict.fromkeys(models))
    return list(files)


def mapped(
    function: Callable[[str], T], paths: Sequence[str], jobs: int, doing: str
) -> Iterator[T]:
    """Yield what a function returns of each path, in order.

    Parameters
    ----------
    function : callable
        One that can be pickled, and raises nothing about a file.
    paths : sequence of str
    jobs : int
        How many processes work at it.
    doing : str
        The title of the progress bar, which is shown for many files.
    """
    if jobs == 1:
        yield from tracked(map(function, paths), len(paths), doing)
        return
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(function, paths, chunksize=_BATCH)
        yield from tracked(results, len(paths), doing)


def positive(text: str) -> int:
    """Return a positive number that an argument gives."""
    number = int(text) if text.isdecimal() and len(text) < 5 else 0
    if not number:
        raise ValueError(text)
    return number
