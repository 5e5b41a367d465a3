"""Many tables of a FlatBuffer read at once, as columns.

Given the positions of N tables, their vtables, the targets of all references and the lengths of
all vectors are arrays of N columns, and each is one gather. The tables may be of several layouts,
so that one level of a file's tree is one batch. Tables share vtables, a handful for thousands of
tables, so what a vtable says is read once for each *shape*: a vtable as one layout reads it.
Every gather is preceded by a check of all its positions against the file's end, and the first
table that fails is named in the error. Numbers are not gathered until a column is asked for; their
places have been checked by then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptModelError
from .flatbuffer import File, Positions, field_fault, shape_at
from .layout import Field, Layout, Shape, stack

__all__ = ["Group", "Place", "Tables", "Vectors", "read_tables", "require_modest", "require_room"]

_INT32 = np.dtype("<i4")
_SHARED = 64
"""So many times the file's size may be what all of its tables refer to."""

Place = Callable[[int], str]
"""Says in words which table the n-th of some tables is, for errors."""


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

    Attributes
    ----------
    starts : ndarray of int64, shape (N,)
        Byte position of the first element.
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
        self.starts = targets + 4

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

    def at(self, rows: slice) -> Vectors:
        """Give the vectors of some tables."""
        return Vectors(self.file, self.name, self.dtype, self.targets[rows], self.lengths[rows])

    def where(self, wanted: NDArray[np.bool_], other: Vectors | None = None) -> Vectors:
        """Give these vectors where they are wanted, and elsewhere another's, or empty ones."""
        targets, lengths = self.targets, self.lengths * wanted
        if other is not None:
            targets = np.where(wanted, targets, other.targets)
            lengths += other.lengths * ~wanted
        return Vectors(self.file, self.name, self.dtype, targets, lengths)

    def places(self) -> Positions:
        """Give the byte position of every element of every vector, one vector after another.

        Vectors may share their bytes, but all together they may not have more bytes than the
        file: so a small file cannot make a large array.
        """
        width, bounds = self.dtype.itemsize, self.bounds
        total = int(bounds[-1])
        require_room(self.file, total * width, f"the vectors '{self.name}'")
        places: Positions = np.arange(0, total * width, width, dtype=np.int64)
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
        lengths = self.lengths
        ends = lengths.cumsum()
        total = int(ends[-1]) if ends.size else 0
        if not total:
            return [np.empty(0, dtype)] * lengths.size
        require_room(self.file, total * self.dtype.itemsize, f"the vectors '{self.name}'")
        if total <= 64 * lengths.size:
            # In words of 4 bytes; those of 8 bytes are every second one.
            step, starts = self.dtype.itemsize >> 2, ends - lengths
            places: Positions = np.arange(0, total * step, step, dtype=np.int64)
            places += ((self.starts >> 2) - starts * step).repeat(lengths)
            values = self.file.u4[places].view(dtype.newbyteorder("<")).astype(dtype, copy=False)
            pairs = zip(starts.tolist(), ends.tolist(), strict=True)
            return [values[start:end] for start, end in pairs]
        words = self.file.u4.view(dtype.newbyteorder("<"))
        step = self.dtype.itemsize // 4
        starts = self.starts >> 2
        ends = starts + self.lengths * step
        return [
            words[start:end:step].astype(dtype)
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


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


class Tables:
    """N tables of one layout: their fields as columns.

    Parameters
    ----------
    file : File
    group : Group
        Layout, positions and names of the tables.
    rows : dict
        The row of each field in the arrays below, by name.
    shapes : ndarray of int64, shape (N,)
        The shape of each table: a column of `offsets`.
    offsets : ndarray of int64, shape (F, S)
        Where in tables of each shape each field's value lies, 0 where the field is absent.
    targets : ndarray of int64, shape (R, N)
        Where each reference points, 0 where it is absent (no table, vector or string is at 0).
    lengths : ndarray of int64, shape (V, N)
        The lengths of vectors and strings.
    """

    def __init__(
        self,
        file: File,
        group: Group,
        rows: dict[str, int],
        shapes: NDArray[np.int64],
        offsets: NDArray[np.int64],
        targets: Positions,
        lengths: NDArray[np.int64],
    ) -> None:
        self.file, self.rows = file, rows
        self.layout, self.positions, self.place = group
        self.shapes, self.offsets = shapes, offsets
        self.targets, self.lengths = targets, lengths

    def __len__(self) -> int:
        return self.positions.size

    def numbers(self, name: str, rows: slice = slice(None)) -> NDArray[Any]:
        """Gather one number per table, or for some of them; where it is absent, its default."""
        field, offsets = self.layout.field(name), self.offsets[self.rows[name]]
        offsets = offsets[self.shapes[rows]]
        present = offsets != 0
        offsets += self.positions[rows]
        if np.count_nonzero(present) == present.size:
            return self.file.numbers(offsets, field.dtype)
        values = self.file.numbers(offsets * present, field.dtype)
        return np.where(present, values, field.dtype.type(field.default))

    def number(self, name: str, index: int) -> Any:
        """Give the number of one table, as a Python value."""
        field = self.layout.field(name)
        offset = int(self.offsets[self.rows[name], self.shapes[index]])
        if not offset:
            return field.default
        return self.file.view(int(self.positions[index]) + offset, 1, field.dtype)[0].item()

    def has(self, name: str) -> bool:
        """Tell whether any table has a field."""
        # Other columns of `offsets` are shapes of other layouts in the batch.
        return bool(np.count_nonzero(self.offsets[self.rows[name]][self.shapes]))

    def references(self, name: str) -> Positions:
        """Give the position of the table that each table refers to, 0 for none."""
        targets: Positions = self.targets[self.rows[name]]
        return targets

    def vectors(self, name: str) -> Vectors:
        """Give one vector per table."""
        row = self.rows[name]
        dtype = self.layout.field(name).dtype
        return Vectors(self.file, name, dtype, self.targets[row], self.lengths[row])

    def vector(self, name: str, index: int) -> NDArray[Any]:
        """Give the vector of one table, empty if it is absent: a read-only view."""
        row = self.rows[name]
        start = int(self.targets[row, index]) + 4
        return self.file.view(start, int(self.lengths[row, index]), self.layout.field(name).dtype)

    def stacked_vectors(self, names: tuple[str, ...]) -> Vectors:
        """Give the vectors of several fields of one type: all of the first, then the second..."""
        rows = [self.rows[name] for name in names]
        dtype, name = self.layout.field(names[0]).dtype, " and ".join(names)
        targets, lengths = self.targets[rows].ravel(), self.lengths[rows].ravel()
        return Vectors(self.file, name, dtype, targets, lengths)

    def string(self, name: str, index: int) -> str | None:
        """Give the string of one table, or None."""
        row = self.rows[name]
        if not self.targets[row, index]:
            return None
        return self.file.string(int(self.targets[row, index]) + 4, int(self.lengths[row, index]))

    def lengths_of(self, name: str) -> NDArray[np.int64]:
        """Give the length of each table's string, or vector."""
        lengths: NDArray[np.int64] = self.lengths[self.rows[name]]
        return lengths

    def strings(self, name: str, rows: slice = slice(None)) -> list[str]:
        """Give one string per table; an absent one is empty.

        Raises
        ------
        CorruptModelError
            Strings lie over one another, so that they are together longer than the file.
        """
        row = self.rows[name]
        targets, lengths = self.targets[row, rows], self.lengths[row, rows]
        if int(lengths.sum()) <= self.file.size:
            return self._decoded(targets, lengths)
        # Tables may share a string, which is then decoded once.
        targets, first, which = np.unique(targets, return_index=True, return_inverse=True)
        lengths = lengths[first]
        require_room(self.file, int(lengths.sum()), f"the strings '{name}'")
        strings = self._decoded(targets, lengths)
        return [strings[index] for index in which.tolist()]

    def _decoded(self, targets: Positions, lengths: NDArray[np.int64]) -> list[str]:
        starts, text = targets + 4, self.file.text
        ends = starts + lengths
        return [
            str(text[start:end], "utf-8", "backslashreplace")
            for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]


class _Batch:
    """Tables of several layouts while they are read; knows how to name the one that is bad."""

    def __init__(self, file: File, groups: tuple[Group, ...]) -> None:
        self.file, self.groups = file, groups
        self.stack = stack(tuple(group.layout for group in groups))
        self.counts = [group.positions.size for group in groups]
        self.positions = groups[0].positions
        self.layouts = np.zeros(self.counts[0], np.int64)
        if len(groups) > 1:
            self.positions = np.concatenate([group.positions for group in groups])
            self.layouts = np.arange(len(groups)).repeat(self.counts)

    def require(self, bad: NDArray[Any], at: Positions, fault: str) -> None:
        """Refuse the first bad table."""
        if np.count_nonzero(bad):
            table = int((bad != 0).argmax())
            self.refuse(table, int(at[table]), fault)

    def require_of(
        self, there: NDArray[np.int64], bad: NDArray[Any], at: Positions, fault: str
    ) -> None:
        """Refuse the first table with a bad reference; `there` says row and table of each."""
        if np.count_nonzero(bad):
            (found,) = bad.nonzero()
            rows, tables = np.divmod(there[found], self.positions.size)
            first = int(tables.argmin())
            name = self.fields(int(tables[first]))[rows[first]].name
            self.refuse(int(tables[first]), int(at[found[first]]), f"'{name}' {fault}")

    def refuse(self, table: int, at: int, fault: str) -> NoReturn:
        """Say what is wrong with a table, and where."""
        group = int(self.layouts[table])
        place = self.groups[group].place(table - sum(self.counts[:group]))
        raise CorruptModelError(f"{place}: {fault} (offset {at:_} of {self.file.size:_})")

    def fields(self, table: int) -> list[Field]:
        """Give the field of each row, as a table has them."""
        return self.stack.fields[self.layouts[table]]


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
    shapes, offsets = _shapes(batch)
    targets, lengths = _references(batch, shapes, offsets)
    tables, start = [], 0
    for group, rows in zip(groups, batch.stack.rows, strict=True):
        own = slice(start, start + group.positions.size)
        columns = (shapes[own], offsets, targets[:, own], lengths[:, own])
        tables.append(Tables(file, group, rows, *columns))
        start = own.stop
    return tuple(tables)


def _shapes(batch: _Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the shape of each table, and where in tables of each shape the fields lie.

    The fields of all tables have been checked to lie in the file.
    """
    file, positions, require = batch.file, batch.positions, batch.require
    require(positions > file.size - 4, positions, "the table is past the end of the file")
    require(positions & 3, positions, "the table is not aligned")
    vtables = positions - file.u4[positions >> 2].view(_INT32)
    keys = vtables * len(batch.groups) + batch.layouts
    distinct = np.sort(keys)
    is_first = np.ones(keys.size, bool)
    np.not_equal(distinct[1:], distinct[:-1], out=is_first[1:])
    distinct = distinct[is_first]
    which = distinct.searchsorted(keys)
    shapes = []
    for key in distinct.tolist():
        vtable, layout = divmod(key, len(batch.groups))
        one = shape_at(file, batch.stack, layout, vtable)
        if isinstance(one, str):
            batch.refuse(int((keys == key).argmax()), vtable, one)
        shapes.append(one)
    _require_fields(batch, which, shapes)
    rows = len(batch.stack.fields[0])
    offsets = np.concatenate([np.zeros(rows, np.int64), *(one.offsets for one in shapes)])
    return which, offsets.reshape(-1, rows)[1:].T


def _require_fields(batch: _Batch, which: NDArray[np.int64], shapes: list[Shape]) -> None:
    """Refuse the first table with a field that is not aligned, or not wholly in the file."""
    positions, size = batch.positions, batch.file.size
    bad = np.zeros(0, bool)
    unaligned = [index for index, one in enumerate(shapes) if one.unaligned is not None]
    if unaligned:
        bad = which == unaligned[0]
    elif shapes and int(positions.max()) + max(one.extent for one in shapes) > size:
        bad = positions + np.array([one.extent for one in shapes])[which] > size
    if np.count_nonzero(bad):
        table = int(bad.argmax())
        one, position = shapes[which[table]], int(positions[table])
        batch.refuse(table, *field_fault(one, batch.fields(table), position))


def _references(
    batch: _Batch, which: NDArray[np.int64], offsets: NDArray[np.int64]
) -> tuple[Positions, NDArray[np.int64]]:
    """Follow all references: give where they point, and the lengths of vectors and strings."""
    file, rows = batch.file, batch.stack
    count, last = batch.positions.size, file.size - 4
    fields = offsets[: rows.references][:, which].ravel()
    # Most tables lack most fields: go on with the references that are there.
    (there,) = fields.nonzero()
    tables = there % count if count else there
    at = fields[there] + batch.positions[tables]
    at += file.u4[at >> 2]
    batch.require_of(there, at > last, at, "is past the end of the file")
    batch.require_of(there, at & 3, at, "is not aligned")
    vectors = int(there.searchsorted(rows.vectors * count))
    sizes = file.u4[at[:vectors] >> 2].astype(np.int64)
    widths = rows.element_widths[there[:vectors] // (count or 1), batch.layouts[tables[:vectors]]]
    sizes_in_bytes = sizes * widths
    ends = at[:vectors] + sizes_in_bytes
    batch.require_of(there, ends > last, ends, "runs past the end of the file")
    require_modest(file, int(sizes_in_bytes.sum()), "vectors and strings of tables")
    targets = np.zeros(rows.references * count, np.int64)
    targets[there] = at
    lengths = np.zeros(rows.vectors * count, np.int64)
    lengths[there[:vectors]] = sizes
    return targets.reshape(rows.references, count), lengths.reshape(rows.vectors, count)
