"""Bytes of a model that lie in other files, in the folder of the model and nowhere else."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError
from .source import load

__all__ = ["read"]


def read(folder: str | None, name: str, offset: int, length: int) -> NDArray[np.uint8]:
    """Give bytes of a file that stands beside the model.

    Parameters
    ----------
    folder : str or None
        The folder of the model; None if it was opened from memory.
    name : str
        The file's name, as the model says it.
    offset, length : int
        Which bytes.

    Returns
    -------
    ndarray of uint8, shape (length,)
        Read-only; a view of the mapped file, of which no other bytes are read.

    Raises
    ------
    UnsupportedError
        The model has no folder.
    CorruptModelError
        The name is that of no plain file in the folder, or the file is too short.

    Examples
    --------
    >>> read("fixtures", "manifest.json", 0, 1).tobytes()
    b'{'
    """
    if folder is None:
        raise UnsupportedError(
            f"the values are in file {name!r}, beside a model that was not opened from a path"
        )
    path = _path(folder, name)
    memory = load(path)
    if offset > memory.size or length > memory.size - offset:
        raise CorruptModelError(
            f"bytes {offset:_} to {offset + length:_} of file {name!r}, which has {memory.size:_}"
        )
    return memory[offset : offset + length]


def _path(folder: str, name: str) -> str:
    """Refuse names that lead out of the folder, on whatever system, and links that do."""
    if not name or name in (".", "..") or set(name) & set("/\\:\0"):
        raise CorruptModelError(f"{name!r} is not the name of a file beside the model")
    path = os.path.join(folder, name)
    if os.path.dirname(os.path.realpath(path)) != os.path.realpath(folder):
        raise CorruptModelError(f"file {name!r} is a link that leads out of the model's folder")
    if not os.path.isfile(path):
        raise CorruptModelError(f"there is no file {name!r} beside the model")
    return path
