"""Many tables of a FlatBuffer read at once, as columns.

Given the positions of N tables, the targets of all their references and the lengths of all their
vectors are arrays of N rows, a row for each table, and a column of them is a field. The tables may
be of several layouts, and with them may be read what those of one refer to, so that most of a
file's tree is one batch. Tables share vtables, a handful for thousands of tables, so what a vtable
says is read once for each *shape*: a vtable as one layout reads it. Everything is checked against
the file's end, and the first table that fails is named in the error. Numbers are not gathered
until a column is asked for; their places have been checked by then.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from .flatbuffer import File, Positions, field_fault, shape_at
from .layout import Layout, Shape, Stack, stack
from .vectors import Vectors, require_modest, require_room

__all__ = ["Group", "Inner", "Place", "Tables", "read_tables"]

Place = Callable[[int], str]
"""Says in words which table the n-th of some tables is, for errors."""


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
    places : dict of str to int
        The column of each reference in `targets` and `lengths`, by name.
    shapes : list of Shape
        The shapes of these tables, and of others.
    which : ndarray of int64, shape (N,)
        The shape of each table: an index into `shapes`.
    targets : ndarray of int64, shape (N, R)
        Where each reference points, 0 where it is absent (no table, vector or string is at 0).
    lengths : ndarray of int64, shape (N, R)
        The lengths of vectors and strings.
    """

    def __init__(
        self,
        file: File,
        group: Group,
        places: dict[str, int],
        shapes: list[Shape],
        which: NDArray[np.int64],
        targets: Positions,
        lengths: NDArray[np.int64],
    ) -> None:
        self.file, self.places = file, places
        self.layout, self.positions, self.place = group
        self.shapes, self.which = shapes, which
        self.targets, self.lengths = targets, lengths

    def __len__(self) -> int:
        return self.positions.size

    def numbers(self, name: str, rows: slice = slice(None)) -> NDArray[Any]:
        """Gather one number per table, or for some of them; where it is absent, its default."""
        field, which = self.layout.field(name), self.which[rows]
        # 1 stands for the shapes of other layouts; no field is there.
        offsets = [
            one.fields.get(name, 0) if one.layout is self.layout else 1 for one in self.shapes
        ]
        if max(offsets, default=0) <= 1:
            return np.full(which.size, field.default, field.dtype)
        at = np.array(offsets, np.int64).take(which)
        if 0 not in offsets:
            return self.file.numbers(at + self.positions[rows], field.dtype)
        present = at != 0
        values = self.file.numbers((at + self.positions[rows]) * present, field.dtype)
        return np.where(present, values, field.dtype.type(field.default))

    def number(self, name: str, index: int) -> Any:
        """Give the number of one table, as a Python value."""
        field = self.layout.field(name)
        offset = self.shapes[self.which[index]].fields.get(name)
        if offset is None:
            return field.default
        return self.file.view(int(self.positions[index]) + offset, 1, field.dtype)[0].item()

    def has(self, name: str) -> bool:
        """Tell whether any table has a field."""
        return any(name in one.fields for one in self.shapes if one.layout is self.layout)

    def references(self, name: str) -> Positions:
        """Give the position of the table that each table refers to, 0 for none."""
        targets: Positions = self.targets[:, self.places[name]]
        return targets

    def vectors(self, name: str) -> Vectors:
        """Give one vector per table."""
        place, dtype = self.places[name], self.layout.field(name).dtype
        return Vectors(self.file, name, dtype, self.targets[:, place], self.lengths[:, place])

    def vector(self, name: str, index: int) -> NDArray[Any]:
        """Give the vector of one table, empty if it is absent: a read-only view."""
        place, dtype = self.places[name], self.layout.field(name).dtype
        start, count = int(self.targets[index, place]) + 4, int(self.lengths[index, place])
        return self.file.view(start, count, dtype)

    def stacked_vectors(self, names: tuple[str, ...], rows: slice = slice(None)) -> Vectors:
        """Give the vectors of several fields of one type, first all of the first table."""
        places = [self.places[name] for name in names]
        dtype, name = self.layout.field(names[0]).dtype, " and ".join(names)
        targets = self.targets[rows].take(places, axis=1).ravel()
        lengths = self.lengths[rows].take(places, axis=1).ravel()
        return Vectors(self.file, name, dtype, targets, lengths)

    def string(self, name: str, index: int) -> str | None:
        """Give the string of one table, or None."""
        at = (index, self.places[name])
        if not self.targets[at]:
            return None
        return self.file.string(int(self.targets[at]) + 4, int(self.lengths[at]))

    def lengths_of(self, name: str) -> NDArray[np.int64]:
        """Give the length of each table's string, or vector."""
        lengths: NDArray[np.int64] = self.lengths[:, self.places[name]]
        return lengths

    def strings(self, name: str, rows: slice = slice(None)) -> list[str]:
        """Give one string per table; an absent one is empty.

        Raises
        ------
        CorruptModelError
            Strings lie over one another, so that they are together longer than the file.
        """
        place = self.places[name]
        targets, lengths = self.targets[rows, place], self.lengths[rows, place]
        if int(lengths.sum()) <= self.file.size:
            return self.file.strings(targets + 4, lengths)
        # Tables may share a string, which is then decoded once.
        targets, first, which = np.unique(targets, return_index=True, return_inverse=True)
        lengths = lengths[first]
        require_room(self.file, int(lengths.sum()), f"the strings '{name}'")
        strings = self.file.strings(targets + 4, lengths)
        return [strings[index] for index in which.tolist()]


class _Batch:
    """Tables of several layouts while they are read; knows how to name the one that is bad."""

    def __init__(self, file: File, rows: Stack, groups: tuple[Group, ...], first: int = 0) -> None:
        self.file, self.stack, self.groups = file, rows, groups
        self.counts = [group.positions.size for group in groups]
        self.positions = np.concatenate([group.positions for group in groups])
        self.layouts = np.arange(first, first + len(groups)).repeat(self.counts)

    def require(self, bad: NDArray[Any], at: Positions, fault: str) -> None:
        """Refuse the first bad table."""
        if np.count_nonzero(bad):
            table = int((bad != 0).argmax())
            self.refuse(table, int(at[table]), fault)

    def require_of(
        self, there: NDArray[np.int64], bad: NDArray[Any], at: Positions, fault: str
    ) -> None:
        """Refuse the first table with a bad reference; `there` says where in all rows each is."""
        if np.count_nonzero(bad):
            first = int((bad != 0).argmax())
            table, place = divmod(int(there[first]), 1 << self.stack.shift)
            names = list(self.stack.places[self.layouts[table]])
            self.refuse(table, int(at[first]), f"'{names[place]}' {fault}")

    def refuse(self, table: int, at: int, fault: str) -> NoReturn:
        """Say what is wrong with a table, and where."""
        bounds = [0, *accumulate(self.counts)]
        group = bisect_right(bounds, table) - 1
        place = self.groups[group].place(table - bounds[group])
        raise CorruptModelError(f"{place}: {fault} (offset {at:_} of {self.file.size:_})")


class Inner(NamedTuple):
    """Tables that those of another layout refer to, and that are to be read with them.

    Attributes
    ----------
    field : str
        The reference.
    layout : Layout
    """

    field: str
    layout: Layout


def read_tables(file: File, *groups: Group, inner: Inner | None = None) -> tuple[Tables, ...]:
    """Read and check tables, of several layouts at once.

    Parameters
    ----------
    file : File
    *groups : Group
    inner : Inner, optional
        What tables of the first group refer to.

    Returns
    -------
    tuple of Tables
        One for each group, then one for the inner tables, of those of the first group that have
        any. Every field lies in the file, as does every vector and string. The tables that they
        refer to are checked when they are read in their turn.

    Raises
    ------
    CorruptModelError
        A table, vtable, field, vector or string is not wholly in the file, or not aligned.
    """
    layouts = [group.layout for group in groups]
    rows = stack((*layouts, inner.layout) if inner else tuple(layouts))
    batch = _Batch(file, rows, groups)
    shapes, which = _shapes(batch)
    if inner:
        group = _inner_group(batch, shapes, which, inner)
        inner_shapes, inner_which = _shapes(_Batch(file, rows, (group,), len(groups)))
        which = np.concatenate([which, inner_which + len(shapes)])
        shapes += inner_shapes
        batch = _Batch(file, rows, (*groups, group))
    targets, lengths = _references(batch, shapes, which)
    tables, start = [], 0
    for group, places, count in zip(batch.groups, rows.places, batch.counts, strict=True):
        own = slice(start, start + count)
        tables.append(Tables(file, group, places, shapes, which[own], targets[own], lengths[own]))
        start = own.stop
    return tuple(tables)


def _inner_group(
    batch: _Batch, shapes: list[Shape], which: NDArray[np.int64], inner: Inner
) -> Group:
    """Follow a reference of the first group's tables."""
    outer = batch.groups[0]
    offsets = np.array([one.fields.get(inner.field, 0) for one in shapes], np.int64)
    offsets = offsets.take(which[: outer.positions.size])
    (having,) = offsets.nonzero()
    at = outer.positions.take(having) + offsets.take(having)

    def place(row: int) -> str:
        return f"{outer.place(int(having[row]))}, {inner.field}"

    return Group(inner.layout, batch.file.followed(at), place)


def _shapes(batch: _Batch) -> tuple[list[Shape], NDArray[np.int64]]:
    """Give all shapes of tables, and which of them each table has.

    The fields of all tables have been checked to lie in the file.
    """
    file, positions, layouts = batch.file, batch.positions, len(batch.stack.layouts)
    batch.require(positions & 3, positions, "the table is not aligned")
    try:
        vtables = positions - file.i4[positions >> 2]
    except IndexError:
        last = file.size - 4
        batch.require(positions > last, positions, "the table is past the end of the file")
        raise
    keys = vtables * layouts + batch.layouts
    distinct = keys.copy()
    distinct.sort()
    is_first = np.empty(keys.size, bool)
    is_first[:1] = True
    np.not_equal(distinct[1:], distinct[:-1], out=is_first[1:])
    distinct = distinct[is_first]
    which = distinct.searchsorted(keys)
    shapes = []
    for key in distinct.tolist():
        vtable, layout = divmod(key, layouts)
        one = shape_at(file, batch.stack, layout, vtable)
        if isinstance(one, str):
            batch.refuse(int((keys == key).argmax()), vtable, one)
        shapes.append(one)
    _require_fields(batch, shapes, which)
    return shapes, which


def _require_fields(batch: _Batch, shapes: list[Shape], which: NDArray[np.int64]) -> None:
    """Refuse the first table with a field that is not aligned, or not wholly in the file."""
    positions, size = batch.positions, batch.file.size
    unaligned = [index for index, one in enumerate(shapes) if one.unaligned is not None]
    if unaligned:
        bad = which == unaligned[0]
    elif shapes and int(positions.max()) + max([one.extent for one in shapes]) > size:
        bad = positions + np.array([one.extent for one in shapes])[which] > size
    else:
        return
    if np.count_nonzero(bad):
        table = int(bad.argmax())
        batch.refuse(table, *field_fault(shapes[which[table]], int(positions[table])))


def _references(
    batch: _Batch, shapes: list[Shape], which: NDArray[np.int64]
) -> tuple[Positions, NDArray[np.int64]]:
    """Follow all references: give where they point, and how long what is there says it is.

    Both have a row for each table.
    """
    file, width = batch.file, 1 << batch.stack.shift
    there, fields = _fields(shapes, which, width)
    at = batch.positions.take(there >> batch.stack.shift)
    at += fields & 0xFFFF
    at += file.u4[at >> 2]
    batch.require_of(there, at & 3, at, "is not aligned")
    try:
        sizes = file.u4[at >> 2]
    except IndexError:
        batch.require_of(there, at > file.size - 4, at, "is past the end of the file")
        raise
    sizes_in_bytes = sizes * (fields >> 16)
    ends = at + sizes_in_bytes
    batch.require_of(there, ends > file.size - 4, ends, "runs past the end of the file")
    require_modest(file, int(np.add.reduce(sizes_in_bytes)), "vectors and strings of tables")
    targets, lengths = np.zeros((2, which.size * width), np.int64)
    targets[there] = at
    lengths[there] = sizes
    return targets.reshape(-1, width), lengths.reshape(-1, width)


def _fields(
    shapes: list[Shape], which: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Give which places in the rows of all tables have a reference, and what shapes say of it."""
    if not shapes:
        return np.zeros(0, np.int64), np.zeros(0, np.int32)
    kinds = np.concatenate([one.references for one in shapes]).reshape(-1, width)
    rows = kinds.take(which, axis=0).ravel()
    # Most tables lack most fields: go on with the references that are there.
    (there,) = (rows != 0).nonzero()
    return there, rows.take(there)
