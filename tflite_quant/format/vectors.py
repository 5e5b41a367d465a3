"""One vector per table, of many tables at once; copies of them; how long they may be together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from .flatbuffer import File, Positions

__all__ = ["Vectors", "require_modest", "require_room", "split"]

_LONG = 64
"""From this length on vectors are copied whole, shorter ones element by element."""
_SHARED = 64
"""So many times the file's size may be what all of its tables refer to."""


class Vectors:
    """One vector per table: where the elements begin, and how many there are.

    Parameters
    ----------
    file : File
    name : str
        The field that the vectors are.
    dtype : numpy.dtype
        Of the elements.
    targets, lengths : ndarray of int64, shape (N,)
        Byte position of each vector, 0 for none, and number of its elements.
    """

    def __init__(
        self,
        file: File,
        name: str,
        dtype: np.dtype[Any],
        targets: Positions,
        lengths: NDArray[np.int64],
    ) -> None:
        self.file, self.name, self.dtype = file, name, dtype
        self.targets, self.lengths = targets, lengths

    @property
    def starts(self) -> Positions:
        """Byte position of the first element of each."""
        starts: Positions = self.targets + 4
        return starts

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each table has the vector; it may have one of no elements."""
        present: NDArray[np.bool_] = self.targets != 0
        return present

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where each table's elements begin and end in `joined`; shape (N + 1,)."""
        bounds = np.zeros(self.lengths.size + 1, np.int64)
        self.lengths.cumsum(out=bounds[1:])
        return bounds

    def at(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Give the vectors of some tables."""
        return self.of(self.targets[rows], self.lengths[rows])

    def where(self, wanted: NDArray[np.bool_], other: Vectors | None = None) -> Vectors:
        """Give these vectors where they are wanted, and elsewhere another's, or empty ones."""
        targets, lengths = self.targets, self.lengths * wanted
        if other is not None:
            targets = np.where(wanted, targets, other.targets)
            lengths += other.lengths * ~wanted
        return self.of(targets, lengths)

    def of(self, targets: Positions, lengths: NDArray[np.int64]) -> Vectors:
        """Give other vectors of the same field."""
        return Vectors(self.file, self.name, self.dtype, targets, lengths)

    def require_room(self) -> int:
        """Give the number of all elements; refuse vectors that are together longer than the file.

        Where vectors lie over one another, a small file could make a large array.
        """
        count = int(np.add.reduce(self.lengths))
        if count * self.dtype.itemsize > self.file.size:
            require_room(self.file, count * self.dtype.itemsize, f"the vectors '{self.name}'")
        return count

    def places(self) -> Positions:
        """Give the byte position of every element of every vector, one vector after another."""
        width, bounds = self.dtype.itemsize, self.bounds
        self.require_room()
        places: Positions = np.arange(0, int(bounds[-1]) * width, width, dtype=np.int64)
        places += (self.starts - bounds[:-1] * width).repeat(self.lengths)
        return places

    def joined(self) -> NDArray[Any]:
        """Copy the elements of all vectors, 4 bytes each, into one array, one after another."""
        bounds = self.bounds
        self.require_room()
        words = np.arange(bounds[-1])
        words += ((self.targets >> 2) + 1 - bounds[:-1]).repeat(self.lengths)
        return self.file.u4[words].view(self.dtype)


def split(columns: Sequence[Vectors], dtypes: Sequence[np.dtype[Any]]) -> list[list[NDArray[Any]]]:
    """Copy each vector of several columns, as elements of a native 4-byte type.

    Numpy gives all rows of an array in less time than it takes to cut as many pieces off one.
    So vectors of one length and type become the rows of one array, but for long ones, which take
    less time to copy whole than element by element.

    Parameters
    ----------
    columns : sequence of Vectors
        As many vectors each; of 4-byte elements, or of 8-byte ones: the lower halves are kept.
    dtypes : sequence of numpy.dtype
        What the elements of each column are to be.

    Returns
    -------
    list of list of ndarray
        The vectors of each column; those without elements may be one and the same array.

    Raises
    ------
    CorruptModelError
        The vectors of a column lie over one another, so that they are together longer than the
        file.
    """
    count = columns[0].lengths.size
    full = [row for row, column in enumerate(columns) if column.require_room()]
    copies = [[np.empty(0, dtype)] * count for dtype in dtypes]
    if full:
        parts = _parts([columns[row] for row in full], [dtypes[row] for row in full])
        for at, row in enumerate(full):
            copies[row] = parts[at * count : (at + 1) * count]
    return copies


class _Sorted(NamedTuple):
    """Vectors that are to be copied, by length, and of one length by type.

    Attributes
    ----------
    kinds : list of numpy.dtype
    keys : ndarray of int64, shape (N,)
        The length times the number of types, and the index of the type.
    starts, steps : ndarray of int64, shape (N,)
        The word of the file where each begins, and how many words an element takes.
    """

    kinds: list[np.dtype[Any]]
    keys: NDArray[np.int64]
    starts: NDArray[np.int64]
    steps: NDArray[np.int64]

    def lengths(self) -> NDArray[np.int64]:
        """Give the number of elements of each."""
        return self.keys // len(self.kinds)

    def at(self, rows: slice) -> _Sorted:
        """Give some of them."""
        return _Sorted(self.kinds, self.keys[rows], self.starts[rows], self.steps[rows])


def _parts(columns: Sequence[Vectors], dtypes: Sequence[np.dtype[Any]]) -> list[NDArray[Any]]:
    """Copy all vectors of the first column, then of the second, and so on."""
    file, count, kinds = columns[0].file, columns[0].lengths.size, list(dict.fromkeys(dtypes))
    keys = np.concatenate([column.lengths for column in columns]) * len(kinds)
    keys += np.array([kinds.index(dtype) for dtype in dtypes]).repeat(count)
    starts = (np.concatenate([column.targets for column in columns]) >> 2) + 1
    steps = np.array([column.dtype.itemsize >> 2 for column in columns]).repeat(count)
    order = keys.argsort(kind="stable")
    vectors = _Sorted(kinds, keys.take(order), starts.take(order), steps.take(order))
    short = int(vectors.keys.searchsorted(_LONG * len(kinds)))
    parts = _rows(file, vectors.at(slice(short))) if short else []
    if short < keys.size:
        parts += _pieces(file, vectors.at(slice(short, None)))
    where = np.empty(order.size, np.int64)
    where[order] = np.arange(order.size)
    return [parts[place] for place in where.tolist()]


def _rows(file: File, vectors: _Sorted) -> list[NDArray[Any]]:
    """Copy short vectors, those of one length and type as the rows of one array."""
    lengths, keys, steps = vectors.lengths(), vectors.keys, vectors.steps
    ends = lengths.cumsum()
    places = np.arange(ends[-1]) * steps.repeat(lengths)
    places += (vectors.starts - (ends - lengths) * steps).repeat(lengths)
    values = file.u4[places].astype(np.uint32, copy=False)
    edges = (keys[1:] != keys[:-1]).nonzero()[0] + 1
    rows: list[NDArray[Any]] = []
    at = 0
    for first, end in pairwise([0, *edges.tolist(), keys.size]):
        length, kind = divmod(int(keys[first]), len(vectors.kinds))
        begin, at = at, at + length * (end - first)
        rows.extend(values[begin:at].view(vectors.kinds[kind]).reshape(end - first, length))
    return rows


def _pieces(file: File, vectors: _Sorted) -> list[NDArray[Any]]:
    """Copy long vectors, as pieces of one array."""
    lengths, steps = vectors.lengths(), vectors.steps
    ends = vectors.starts + lengths * steps
    columns = zip(vectors.starts.tolist(), ends.tolist(), steps.tolist(), strict=True)
    words = np.concatenate([file.u4[start:end:step] for start, end, step in columns])
    whole = [words.astype(np.uint32, copy=False).view(kind) for kind in vectors.kinds]
    kinds = (vectors.keys % len(whole)).tolist()
    bounds = pairwise([0, *lengths.cumsum().tolist()])
    return [whole[kind][start:end] for kind, (start, end) in zip(kinds, bounds, strict=True)]


def require_room(file: File, size: int, what: str) -> None:
    """Refuse to copy more bytes than the file has: a small file makes no large arrays."""
    if size > file.size:
        raise CorruptModelError(
            f"{what} overlap: together they have {size:_} bytes, the file has {file.size:_}"
        )


def require_modest(file: File, size: int, what: str) -> None:
    """Refuse what is shared so much that showing all of it would take out of all proportion.

    A small file may have ten thousand tables with one name, as long as the file.
    """
    if size > _SHARED * file.size:
        raise CorruptModelError(
            f"{what} overlap: together they have {size:_} bytes, more than {_SHARED} times the "
            f"file's {file.size:_}"
        )
