"""The bytes that tensors and metadata refer to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import plural
from ..format.flatbuffer import File


class Buffer:
    """Bytes that tensors and metadata refer to by index.

    Attributes
    ----------
    index : int
    offset : int
        Where the bytes begin in the file; 0 if there are none.
    nbytes : int
        The number of bytes.
    """

    index: int
    offset: int
    nbytes: int

    __slots__ = ("_file", "index", "nbytes", "offset")

    def __init__(self, index: int, offset: int, nbytes: int, file: File) -> None:
        self.index, self.offset, self.nbytes, self._file = index, offset, nbytes, file

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Buffer):
            return NotImplemented
        return self.index == other.index and self._file is other._file

    def __hash__(self) -> int:
        return hash((self.index, self._file))

    def __repr__(self) -> str:
        return f"Buffer({self.index}, {self.nbytes} {plural('byte', self.nbytes)} at {self.offset})"

    @property
    def data(self) -> NDArray[np.uint8]:
        """The bytes: a read-only view of the file.

        Raises
        ------
        ValueError
            The model is closed.
        """
        return self._file.view(self.offset, self.nbytes, np.dtype(np.uint8))
