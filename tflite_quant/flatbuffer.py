"""How a FlatBuffer lies in memory, and how many of its tables are read at once.

All numbers are little-endian. A *table* stands at a multiple of 4 and begins with a signed
32-bit number: how far before the table its *vtable* lies. A vtable is a row of unsigned 16-bit
numbers: its own size in bytes, the size of the table, then one *entry* per field: how far into
the table the field's value lies, 0 if the table does not have it. A vtable may end early; fields
past its end are absent, and an absent field has the default that the schema gives it.

A number lies in the table itself. Everything else is a *reference*: an unsigned 32-bit number,
how far after itself the thing begins. A string and a vector begin with an unsigned 32-bit length
(in elements) and go on with the elements; the elements of a vector of tables are references. A
union is a reference beside a number that says which table it is.

One table is never read alone here. Given the positions of N tables, the vtables, the places of
all fields and the targets of all references are arrays of N columns, and each is one gather. The
tables may be of several layouts, so that one level of a file's tree is one batch. Every gather is
preceded by a check of all its positions against the file's end, and the first table that fails
is named in the error. Numbers are not gathered until a column is asked for; their places have
been checked by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptModelError
from .layout import Layout, stack

__all__ = [
    "File",
    "Group",
    "Place",
    "Positions",
    "Tables",
    "Vectors",
    "read_tables",
]

Positions = NDArray[np.int64]

_INT32 = np.dtype("<i4")
_UINT16 = np.dtype("<u2")
_UINT32 = np.dtype("<u4")
_BOOL = np.dtype("?")
_TWO_WORDS = np.arange(2)
_NO_ROW = np.zeros(1, np.int64)


class File:
    """The bytes of one FlatBuffer, seen as numbers of every width.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
        The whole file, read-only. Nothing is copied from it.
    """

    __slots__ = ("memory", "size", "text", "u2", "u4")

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory = memory
        self.size = memory.size
        self.text = memory.data
        self.u2: NDArray[np.uint16] = memory[: self.size & ~1].view(_UINT16)
        self.u4: NDArray[np.uint32] = memory[: self.size & ~3].view(_UINT32)

    def numbers(self, positions: Positions, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Gather the numbers at these byte positions, which have been checked.

        Indexing works on memory of any alignment and byte order without a copy of the whole;
        `numpy.take` would copy the file first.
        """
        width = dtype.itemsize
        values: NDArray[Any]
        if dtype == _BOOL:
            return np.not_equal(self.memory[positions], 0)
        if width == 1:
            values = self.memory[positions]
        elif width == 2:
            values = self.u2[positions >> 1]
        elif width == 4:
            values = self.u4[positions >> 2]
        else:
            values = self.u4[(positions >> 2)[:, None] + _TWO_WORDS]
        return values.view(dtype).reshape(positions.shape)

    def view(self, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Give `count` numbers from byte `start` on, which have been checked, without a copy."""
        return np.frombuffer(self.text, dtype, count, start)

    def string(self, start: int, length: int) -> str:
        """Decode UTF-8; bytes that are not UTF-8 are shown as escapes, not lost."""
        return self.text[start : start + length].tobytes().decode("utf-8", "backslashreplace")


Place = Callable[[int], str]
"""Says in words which table the n-th of some tables is, for errors."""


@dataclass(frozen=True, eq=False, repr=False)
class Vectors:
    """One vector per table: where the elements begin, and how many there are.

    Attributes
    ----------
    name : str
    starts, lengths : ndarray of int64, shape (N,)
        Byte position of the first element, and number of elements (0 if the vector is absent).
    present : ndarray of bool, shape (N,)
        Whether the table has the vector; it may have one of no elements.
    """

    file: File
    name: str
    dtype: np.dtype[Any]
    starts: Positions
    lengths: NDArray[np.int64]
    present: NDArray[np.bool_]

    def __getitem__(self, row: int) -> NDArray[Any]:
        """Give the elements of one table's vector: a read-only view."""
        return self.file.view(int(self.starts[row]), int(self.lengths[row]), self.dtype)

    @cached_property
    def bounds(self) -> NDArray[np.int64]:
        """Where each table's elements begin and end in `joined`; shape (N + 1,)."""
        bounds = np.zeros(self.lengths.size + 1, np.int64)
        self.lengths.cumsum(out=bounds[1:])
        return bounds

    def at(self, rows: NDArray[np.int64] | slice) -> Vectors:
        """Give the vectors of some tables."""
        return replace(
            self,
            starts=self.starts[rows],
            lengths=self.lengths[rows],
            present=self.present[rows],
        )

    def spread(self, rows: NDArray[np.int64]) -> Vectors:
        """Give the vectors of the tables at these rows, an empty one for row -1."""
        return replace(
            self,
            starts=np.concatenate([self.starts, _NO_ROW])[rows],
            lengths=np.concatenate([self.lengths, _NO_ROW])[rows],
            present=np.concatenate([self.present, _NO_ROW.astype(bool)])[rows],
        )

    def where(self, wanted: NDArray[np.bool_], other: Vectors | None = None) -> Vectors:
        """Give these vectors where they are wanted, and elsewhere another's, or empty ones."""
        if other is None:
            return replace(self, lengths=self.lengths * wanted)
        return replace(
            self,
            starts=np.where(wanted, self.starts, other.starts),
            lengths=np.where(wanted, self.lengths, other.lengths),
            present=np.where(wanted, self.present, other.present),
        )

    def places(self) -> Positions:
        """Give the byte position of every element of every vector, one vector after another.

        Vectors may share their bytes, but all together they may not have more bytes than the
        file: so a small file cannot make a large array.
        """
        bounds, width = self.bounds, self.dtype.itemsize
        total = int(bounds[-1])
        if total * width > self.file.size:
            raise CorruptModelError(
                f"the vectors '{self.name}' overlap: together they have {total * width:_} bytes, "
                f"the file has {self.file.size:_}"
            )
        places: Positions = np.arange(0, total * width, width, dtype=np.int64)
        if self.lengths.size == 1:
            places += self.starts
        else:
            places += (self.starts - bounds[:-1] * width).repeat(self.lengths)
        return places

    def joined(self) -> NDArray[Any]:
        """Copy the elements of all vectors into one array, one vector after another."""
        return self.file.numbers(self.places(), self.dtype)

    def split(self, dtype: np.dtype[Any]) -> list[NDArray[Any]]:
        """Copy each vector, as elements of a native 4-byte type.

        Of 8-byte elements the lower halves are kept. Short vectors are gathered together and are
        parts of one array; where many are long, copying each by itself takes less time.
        """
        if self.bounds[-1] <= 8 * self.lengths.size:
            values = self.file.numbers(self.places(), dtype.newbyteorder("<"))
            values, bounds = values.astype(dtype, copy=False), self.bounds.tolist()
            return [values[start:end] for start, end in pairwise(bounds)]
        words = self.file.u4.view(dtype.newbyteorder("<"))
        step = self.dtype.itemsize // 4
        starts = self.starts >> 2
        ends = starts + self.lengths * step
        return [
            words[start:end:step].astype(dtype)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]

    def first(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Give the first element of each vector, 4 bytes of it; any number for an empty one."""
        return self.file.numbers(self.starts * (self.lengths != 0), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Tables:
    """N tables of one layout: their fields as columns.

    Attributes
    ----------
    place : callable
        Says in words which table the n-th is.
    rows : dict
        The row of each field in the arrays below, by name.
    positions : ndarray of int64, shape (N,)
        Where the tables begin.
    fields : ndarray of int64, shape (F, N)
        Where each field's value lies, 0 where the field is absent.
    present : ndarray of bool, shape (F, N)
    targets : ndarray of int64, shape (R, N)
        Where each reference points, 0 where it is absent (no table, vector or string is at 0).
    lengths : ndarray of int64, shape (V, N)
        The lengths of vectors and strings.
    """

    file: File
    layout: Layout
    place: Place
    rows: dict[str, int]
    positions: Positions
    fields: Positions
    present: NDArray[np.bool_]
    targets: Positions
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return self.positions.size

    def numbers(self, name: str) -> NDArray[Any]:
        """Gather one number per table; where it is absent, its default."""
        row, field = self.rows[name], self.layout.field(name)
        values = self.file.numbers(self.fields[row], field.dtype)
        return np.where(self.present[row], values, field.dtype.type(field.default))

    def has(self, name: str) -> NDArray[np.bool_]:
        """Tell for each table whether a field is present."""
        present: NDArray[np.bool_] = self.present[self.rows[name]]
        return present

    def number(self, name: str, index: int) -> Any:
        """Give the number of one table, as a Python value."""
        row, field = self.rows[name], self.layout.field(name)
        if not self.present[row, index]:
            return field.default
        return self.file.view(int(self.fields[row, index]), 1, field.dtype)[0].item()

    def references(self, name: str) -> Positions:
        """Give the position of the table that each table refers to, 0 for none."""
        targets: Positions = self.targets[self.rows[name]]
        return targets

    def vectors(self, name: str) -> Vectors:
        """Give one vector per table."""
        row = self.rows[name]
        return Vectors(
            self.file,
            name,
            self.layout.field(name).dtype,
            self.targets[row] + 4,
            self.lengths[row],
            self.present[row],
        )

    def vector(self, name: str, index: int) -> NDArray[Any]:
        """Give the vector of one table, empty if it is absent: a read-only view."""
        row = self.rows[name]
        start = int(self.targets[row, index]) + 4
        return self.file.view(start, int(self.lengths[row, index]), self.layout.field(name).dtype)

    def stacked_vectors(self, names: tuple[str, ...]) -> Vectors:
        """Give the vectors of several fields of one type: all of the first, then the second..."""
        rows = [self.rows[name] for name in names]
        return Vectors(
            self.file,
            " and ".join(names),
            self.layout.field(names[0]).dtype,
            self.targets[rows].ravel() + 4,
            self.lengths[rows].ravel(),
            self.present[rows].ravel(),
        )

    def children(self, *names: str) -> tuple[Positions, NDArray[np.int64]]:
        """Give the positions of the tables in every table's vectors of tables, and the bounds.

        Returns
        -------
        positions : ndarray of int64, shape (M,)
            All tables of all vectors: of the first field's N vectors, then of the second's.
        bounds : ndarray of int64, shape (len(names) * N + 1,)
            Those of vector i are positions[bounds[i]:bounds[i + 1]].
        """
        vectors = self.stacked_vectors(names)
        places = vectors.places()
        return places + self.file.u4[places >> 2], vectors.bounds

    def string(self, name: str, index: int) -> str | None:
        """Give the string of one table, or None."""
        row = self.rows[name]
        if not self.present[row, index]:
            return None
        return self.file.string(int(self.targets[row, index]) + 4, int(self.lengths[row, index]))

    def strings(self, name: str, rows: slice = slice(None)) -> list[str]:
        """Give one string per table; an absent one is empty."""
        row = self.rows[name]
        starts = self.targets[row, rows] + 4
        text, ends = self.file.text, starts + self.lengths[row, rows]
        return [
            text[start:end].tobytes().decode("utf-8", "backslashreplace")
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


class Group(NamedTuple):
    """Tables of one layout that are to be read.

    Attributes
    ----------
    layout : Layout
    positions : ndarray of int64, shape (N,)
        Where the tables begin; not negative, not checked otherwise.
    place : callable
        Says in words which table the n-th is: `place(12)` gives 'subgraph 0, tensor 12'.
    """

    layout: Layout
    positions: Positions
    place: Place


class _Batch:
    """Tables of several layouts while they are read; knows how to name the one that is bad."""

    def __init__(self, file: File, groups: tuple[Group, ...]) -> None:
        self.file, self.groups = file, groups
        self.stack = stack(tuple(group.layout for group in groups))
        self.counts = [group.positions.size for group in groups]
        self.positions = np.concatenate([group.positions for group in groups])

    def spread(self, by_layout: NDArray[np.int64]) -> NDArray[np.int64]:
        """Turn a column per layout into a column per table."""
        return by_layout if len(self.groups) == 1 else by_layout.repeat(self.counts, axis=1)

    def require(self, bad: NDArray[Any], at: Positions, fault: str) -> None:
        """Refuse the first bad table; where there is a row per field, with its first bad field."""
        if not np.count_nonzero(bad):
            return
        bad, at = np.atleast_2d(bad) != 0, np.atleast_2d(at)
        table = int(bad.any(axis=0).argmax())
        row = int(bad[:, table].argmax())
        index, group = table, 0
        while index >= self.counts[group]:
            index -= self.counts[group]
            group += 1
        names = {row: f"'{name}' " for name, row in self.stack.rows[group].items()}
        what = (names[row] if len(bad) > 1 else "") + fault
        raise CorruptModelError(
            f"{self.groups[group].place(index)}: {what} "
            f"(offset {int(at[row, table]):_} of {self.file.size:_})"
        )


def read_tables(file: File, *groups: Group) -> tuple[Tables, ...]:
    """Read and check tables, of several layouts at once.

    Parameters
    ----------
    file : File
    *groups : Group

    Returns
    -------
    tuple of Tables
        One for each group. Every field lies in the file, as does every vector and string. The
        tables that they refer to are checked when they are read in their turn.

    Raises
    ------
    CorruptModelError
        A table, vtable, field, vector or string is not wholly in the file, or not aligned.
    """
    batch = _Batch(file, groups)
    rows, positions, require = batch.stack, batch.positions, batch.require
    last = file.size - 4
    require(positions > last, positions, "the table is past the end of the file")
    require(positions & 3, positions, "the table is not aligned")
    vtables = positions - file.u4[positions >> 2].view(_INT32)
    # Seen as unsigned, a position before the file's start is past its end.
    require(vtables.view(np.uint64) > last, vtables, "the vtable is not in the file")
    require(vtables & 1, vtables, "the vtable is not aligned")
    sizes = file.u2[vtables >> 1]
    require(vtables + sizes > file.size, vtables, "the vtable runs past the end of the file")

    entries = batch.spread(rows.entries)
    inside = entries < sizes
    offsets = file.u2[(vtables + entries) * inside >> 1] * inside
    present = offsets != 0
    fields = (positions + offsets) * present
    require(
        fields > file.size - batch.spread(rows.widths),
        fields,
        "is past the end of the file",
    )
    require(fields & batch.spread(rows.alignments), fields, "is not aligned")

    r, v = rows.references, rows.vectors
    targets = (fields[:r] + file.u4[fields[:r] >> 2]) * present[:r]
    require(targets > last, targets, "is past the end of the file")
    require(targets & 3, targets, "is not aligned")
    lengths = (file.u4[targets[:v] >> 2] * present[:v]).astype(np.int64)
    ends = targets[:v] + lengths * batch.spread(rows.element_widths)
    require(ends > last, ends, "runs past the end of the file")
    columns = (present, fields, targets, lengths)
    return tuple(_split(batch, *columns))


def _split(
    batch: _Batch,
    present: NDArray[np.bool_],
    fields: Positions,
    targets: Positions,
    lengths: NDArray[np.int64],
) -> Iterator[Tables]:
    start = 0
    for group, rows in zip(batch.groups, batch.stack.rows, strict=True):
        end = start + group.positions.size
        yield Tables(
            batch.file,
            group.layout,
            group.place,
            rows,
            group.positions,
            fields[:, start:end],
            present[:, start:end],
            targets[:, start:end],
            lengths[:, start:end],
        )
        start = end
