"""The bytes that tensors and metadata refer to: in the model's file, or in one beside it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.structure import Access

__all__ = ["Buffer", "ExternalBuffer"]

_BYTE = np.dtype(np.uint8)


class Buffer:
    """Bytes that tensors and metadata refer to by index.

    Attributes
    ----------
    index : int
    """

    def __init__(self, index: int, access: Access) -> None:
        self.index = index
        self._access = access

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Buffer):
            return NotImplemented
        return (self.index, self._access) == (other.index, other._access)

    def __hash__(self) -> int:
        return hash((self.index, self._access))

    def __repr__(self) -> str:
        return f"Buffer({self.index}, {self.nbytes} bytes at {self.offset})"

    @property
    def nbytes(self) -> int:
        """How many bytes there are."""
        return int(self._get(self._access.structure.buffer_sizes))

    @property
    def offset(self) -> int:
        """Where in the file they begin; 0 if the buffer has none."""
        return int(self._get(self._access.structure.buffer_starts))

    def _get(self, column: NDArray[np.int64]) -> int:
        # A model need not have the buffer 0 that its tensors without data refer to.
        return int(column[self.index]) if self.index < column.size else 0

    @property
    def data(self) -> NDArray[np.uint8]:
        """The bytes: a read-only view of the file."""
        return self._access.structure.file.view(self.offset, self.nbytes, _BYTE)


class ExternalBuffer(NamedTuple):
    """Bytes that lie in a file beside the model.

    Attributes
    ----------
    id : int
        What tensors refer to it by.
    file : str
        The name of the file, in the model's folder.
    offset, length : int
        Which bytes of it.
    packing : str
        How they are packed; empty or "unpacked" if they are not.
    """

    id: int
    file: str
    offset: int
    length: int
    packing: str
