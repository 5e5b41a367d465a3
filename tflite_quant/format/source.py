"""Loads a model's bytes from a path, from memory, from a file object or from files beside it."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, ExternalFileError, UnsupportedError

InMemory = bytes | bytearray | memoryview | mmap.mmap | NDArray[np.uint8]


class Readable(Protocol):
    """A path that is no file of the system's, such as `zipfile.Path`."""

    def read_bytes(self) -> bytes:
        """Return all bytes."""


Source = str | os.PathLike[str] | InMemory | BinaryIO | Readable
"""What a model can be opened from."""


def load(source: Source) -> NDArray[np.uint8]:
    """Return all bytes of a source as a read-only array.

    Parameters
    ----------
    source : path, bytes-like, ndarray of uint8, or binary file object
        The file at a path is memory-mapped, or read if it is small or the system cannot map it.
        A path inside an archive, such as a `zipfile.Path`, is read. Bytes in memory are not copied:
        do not change them while the model is in use. A file object is read to its end.

    Returns
    -------
    ndarray of uint8, shape (size,)

    Raises
    ------
    OSError
        The path does not exist, is a directory or cannot be read.
    TypeError
        The source is none of these, or its memory is not contiguous.
    """
    if isinstance(source, str | os.PathLike):
        memory = _load_path(source)
    elif isinstance(source, bytes | bytearray | memoryview | mmap.mmap | np.ndarray):
        memory = _view(source)
    elif hasattr(source, "read_bytes"):
        memory = _view(source.read_bytes())
    elif hasattr(source, "read"):
        memory = _view(_read(source))
    else:
        raise TypeError(
            "a model is opened from a path, bytes, bytearray, memoryview, mmap, uint8 array or "
            f"binary file object, not from {type(source).__name__}"
        )
    return _frozen(memory)


def _frozen(memory: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a view from which no writeable array can be made."""
    return np.frombuffer(memory.data.toreadonly(), np.uint8)


_SMALL = 1 << 20
"""A file up to this size is read, which is faster than mapping it and touching its pages."""


def _load_path(path: str | os.PathLike[str], read_up_to: int = _SMALL) -> NDArray[np.uint8]:
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size > sys.maxsize:
            raise UnsupportedError(f"the file has {size:_} bytes, more than Python can address")
        if size > read_up_to:
            # Some file systems cannot map files.
            with contextlib.suppress(OSError, ValueError):
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                return np.frombuffer(mapped, np.uint8)
        content = file.read(size)
        if not size or len(content) < size:
            # Pipes and the like have no size, and the system may return less than was asked for.
            content += file.read()
        return np.frombuffer(content, np.uint8)


def _view(source: InMemory) -> NDArray[np.uint8]:
    if isinstance(source, np.ndarray) and source.dtype != np.uint8:
        raise TypeError(f"the array of a model's bytes is {source.dtype.name}, expected uint8")
    view = source.data if isinstance(source, np.ndarray) else memoryview(source)
    if not view.c_contiguous:
        raise TypeError("a model's bytes must be contiguous in memory")
    return np.frombuffer(view, np.uint8)


def _read(file: BinaryIO) -> bytes:
    content = file.read()
    if not isinstance(content, bytes):
        raise TypeError(
            f"read() returned {type(content).__name__}, expected bytes: "
            "open the model's file in binary mode"
        )
    return content


class Folder:
    """The folder of a model, in which other files may hold values of its tensors.

    Each file is mapped once, however many tensors have their values in it, and the model itself not
    again.

    Parameters
    ----------
    model : str
        The path of the model.
    memory : ndarray of uint8, shape (size,)
        All its bytes.
    """

    path: str

    def __init__(self, model: str, memory: NDArray[np.uint8]) -> None:
        self.path = os.path.dirname(os.path.abspath(model))
        # By its path and by each name of it; resolving a name thousands of times takes long.
        self._files = {os.path.realpath(model): memory}

    def close(self) -> None:
        """Release the files; arrays that are views of them keep them alive."""
        self._files = {}

    def read(self, name: str, offset: int, length: int) -> NDArray[np.uint8]:
        """Return some bytes of a file in the folder.

        Parameters
        ----------
        name : str
            The file's name, which the model gives.
        offset, length : int
            Where the bytes begin, and how many there are.

        Returns
        -------
        ndarray of uint8, shape (length,)
            A read-only view of the mapped file; no other bytes of it are read.

        Raises
        ------
        CorruptModelError
            The name is not that of a file in the folder, or the file is too short.
        ExternalFileError
            The file does not exist or cannot be read.

        Examples
        --------
        >>> model = "fixtures/residual_int8.tflite"
        >>> Folder(model, load(model)).read("manifest.json", 0, 1).tobytes()
        b'{'
        """
        memory = self._files.get(name)
        if memory is None:
            memory = self._files[name] = self._file(name)
        if offset > memory.size or length > memory.size - offset:
            raise CorruptModelError(
                f"the values are bytes {offset:_} to {offset + length:_} of file {name!r}, but its "
                f"size is {memory.size:_}"
            )
        return memory[offset : offset + length]

    def _file(self, name: str) -> NDArray[np.uint8]:
        """Return a file's bytes; refuse names and links that lead out of the folder."""
        if not name or name in (".", "..") or set(name) & set("/\\:\0"):
            raise CorruptModelError(f"{name!r} is not the name of a file beside the model")
        try:
            path = os.path.realpath(os.path.join(self.path, name))
            if path in self._files:
                return self._files[path]
            if os.path.dirname(path) != os.path.realpath(self.path):
                raise CorruptModelError(
                    f"file {name!r} is a link that leads out of the model's folder"
                )
            if not os.path.isfile(path):
                reason = "not a regular file" if os.path.exists(path) else "it does not exist"
                raise ExternalFileError(f"cannot read file {name!r} beside the model: {reason}")
            return self._files.setdefault(path, _frozen(_load_path(path, read_up_to=0)))
        except (OSError, UnicodeError) as error:
            if isinstance(error, ExternalFileError):
                raise
            reason = getattr(error, "strerror", None) or str(error)
            raise ExternalFileError(
                f"cannot read file {name!r} beside the model: {reason}"
            ) from None
