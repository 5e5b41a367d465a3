"""How any FlatBuffer lies in memory, and a reader of many of its tables at once.

All numbers are little-endian. A *table* begins at a multiple of 4 with a signed 32-bit number: the
distance back to its *vtable*. A vtable is a row of unsigned 16-bit numbers: its own size in bytes,
the size of the table, then one *entry* for each field. The entry says how far into the table the
field's value lies, and is 0 if the table does not have the field. A vtable may end early: fields
past its end are absent. An absent field has the default that the schema gives it.

A number lies in the table itself. Everything else is a *reference*, an unsigned 32-bit number: the
distance forward from the reference to the string, vector or table. A string and a vector begin with
an unsigned 32-bit length (in elements), and the elements follow. The elements of a vector of tables
are references. A union is a reference, with a number beside it that says which table it leads to.

`read_tables` is the only reader. It reads tables of one kind as columns: the positions of N tables,
of their fields and of what these refer to are arrays with a row for each table. For a single table,
N is 1. That function checks every position before anything is read from it, so numbers, strings and
vectors can be taken from the columns without further checks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import Enum
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CorruptModelError
from .budget import ELEMENT_COST, VECTOR_COST, Budget, table_cost
from .source import Folder

Positions = NDArray[np.int64]
"""Byte positions from the start of the file; 0 for what is absent, since no field lies there."""

Label = Callable[[int], str]
"""Returns the name of the n-th of some tables for error messages: 'subgraph 0, tensor 12'."""

_UINT8, _UINT32 = np.dtype(np.uint8), np.dtype("<u4")
_TWO_WORDS = np.arange(2)


class Kind(Enum):
    """What a field holds or refers to."""

    VECTOR = "vector"  # of numbers, or of references to tables
    STRING = "string"
    TABLE = "table"  # or a union
    NUMBER = "number"


class Field(NamedTuple):
    """One field of a table.

    Attributes
    ----------
    name : str
        The field's name in the schema.
    kind : Kind
    entry : int
        The offset of its entry from the start of the vtable, in bytes.
    dtype : numpy.dtype
        The dtype of the number, or of the vector's elements; uint32 for a reference.
    default : int, float or bool
        The value of an absent number.
    """

    name: str
    kind: Kind
    entry: int
    dtype: np.dtype[Any] = _UINT32
    default: float = 0

    @property
    def width(self) -> int:
        """The bytes that the field takes in its table."""
        return self.dtype.itemsize if self.kind is Kind.NUMBER else 4

    @property
    def element_width(self) -> int:
        """The bytes that an element of the vector or string takes; 0 for other fields."""
        return {Kind.VECTOR: self.dtype.itemsize, Kind.STRING: 1}.get(self.kind, 0)

    @property
    def is_copied(self) -> bool:
        """Whether it is a string or a vector that is copied when read: all but vectors of bytes."""
        is_bytes = self.kind is Kind.VECTOR and self.dtype == _UINT8
        return self.element_width > 0 and not is_bytes


class Layout:
    """The fields that the schema has for one kind of table.

    Attributes
    ----------
    name : str
        The name of the table.
    fields : tuple of Field
        First the C strings and vectors that are copied when read, then the other references
        (R references in all), then the numbers.
    columns : dict of str to int
        The index of each field in `fields`, by name.
    copied, references : int
        C and R.
    """

    name: str
    fields: tuple[Field, ...]
    columns: dict[str, int]
    copied: int
    references: int

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name = name
        self.fields = tuple(sorted(fields, key=lambda f: (f.kind is Kind.NUMBER, not f.is_copied)))
        self.columns = {field.name: column for column, field in enumerate(self.fields)}
        self.copied = sum(field.is_copied for field in fields)
        self.references = sum(field.kind is not Kind.NUMBER for field in fields)

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """The index of each field's entry in a vtable, as a row of 16-bit numbers."""
        return tuple(field.entry >> 1 for field in self.fields)

    @cached_property
    def vtable_size(self) -> int:
        """The bytes of a vtable that has an entry for each field."""
        return 2 * max(self.slots, default=1) + 2

    @cached_property
    def widths(self) -> Positions:
        """The bytes that each field takes in its table."""
        return np.array([field.width for field in self.fields], np.int64)

    @cached_property
    def misaligned(self) -> Positions:
        """The bits that must be 0 in each field's position.

        Numbers of 8 bytes may be aligned to 4 bytes only: some builders write no padding.
        """
        return np.minimum(self.widths, 4) - 1

    @cached_property
    def element_widths(self) -> Positions:
        """The bytes of an element of each string or vector; 0 for a reference to a table."""
        references = self.fields[: self.references]
        return np.array([field.element_width for field in references], np.int64)

    @cached_property
    def has_elements(self) -> Positions:
        """1 for each reference to a string or vector, 0 for the others."""
        return np.array([width != 0 for width in self.element_widths], np.int64)

    @cached_property
    def nothing(self) -> tuple[Positions, Positions, Positions]:
        """The columns where there are no tables: positions, targets, lengths."""
        references = np.zeros((0, self.references), np.int64)
        return np.zeros((0, len(self.fields)), np.int64), references, references

    @cached_property
    def cost(self) -> int:
        """What is charged for a table, without what it refers to."""
        return table_cost(self.name, len(self.fields))

    @cached_property
    def element_costs(self) -> Positions:
        """What is charged for an element of each string and vector that is copied."""
        is_array = [
            field.kind is Kind.VECTOR and field.dtype != np.int32
            for field in self.fields[: self.copied]
        ]
        costs: Positions = self.element_widths[: self.copied]
        return costs * np.where(np.array(is_array, bool), VECTOR_COST, ELEMENT_COST)

    @cached_property
    def plural(self) -> str:
        """The name of many tables in error messages."""
        return f"the {self.name} tables and what they refer to"


class File:
    """The bytes of one FlatBuffer, and the budget for what is made from them.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
        The whole file, read-only. It is not copied.
    folder : Folder, optional
        The folder of the file; None if it was opened from memory.
    """

    size: int
    folder: Folder | None
    budget: Budget

    __slots__ = ("_memory", "_words", "budget", "folder", "size")

    def __init__(self, memory: NDArray[np.uint8], folder: Folder | None = None) -> None:
        self._memory: NDArray[np.uint8] | None = memory
        # Made once, since opening even a small model asks for it dozens of times.
        self._words: NDArray[np.uint32] | None = memory[: memory.size & ~3].view(_UINT32)
        self.size, self.folder, self.budget = memory.size, folder, Budget(memory.size)

    @property
    def memory(self) -> NDArray[np.uint8]:
        """All bytes.

        Raises
        ------
        ValueError
            The model is closed.
        """
        if self._memory is None:
            raise ValueError("the model is closed")
        return self._memory

    @property
    def words(self) -> NDArray[np.uint32]:
        """All bytes but the last few as 32-bit numbers; raises what `memory` raises."""
        if self._words is None:
            raise ValueError("the model is closed")
        return self._words

    def close(self) -> None:
        """Release the bytes; arrays that are views of them keep them alive."""
        self._memory = self._words = None
        if self.folder is not None:
            self.folder.close()

    def afresh(self) -> File:
        """Return the same file with a new budget, for one question."""
        return File(self.memory, self.folder)

    def spend(self, count: int, what: str) -> None:
        """Charge bytes that are about to be made from the file; see `Budget.spend`."""
        self.budget.spend(count, what)

    def view(self, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return a view of `count` numbers from byte `start` on; the caller has checked them."""
        return self.memory[start : start + count * dtype.itemsize].view(dtype)

    def numbers(self, positions: Positions, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Copy the numbers at positions that have been checked, in native byte order.

        Indexing works on memory of any alignment and byte order and copies these numbers only;
        `numpy.take` would copy the whole file first.
        """
        numbers: NDArray[Any]
        if dtype.itemsize == 4:
            numbers = self.words[positions >> 2].view(dtype)
        elif dtype.itemsize == 8:
            numbers = self.words[(positions >> 2)[:, None] + _TWO_WORDS].view(dtype)[:, 0]
        else:
            of_bytes = positions[:, None] + np.arange(dtype.itemsize)
            numbers = self.memory[of_bytes].view(dtype)[:, 0]
        return numbers if dtype.isnative else numbers.astype(dtype.newbyteorder("="))


class Vectors:
    """The vectors, or strings, that one field of N tables refers to.

    Attributes
    ----------
    dtype : numpy.dtype
        The dtype of the elements.
    starts : ndarray of int64, shape (N,)
        The byte position of the first element of each; 4 where the vector is absent.
    lengths : ndarray of int64, shape (N,)
        The number of elements.
    """

    file: File
    dtype: np.dtype[Any]
    starts: Positions
    lengths: Positions

    def __init__(
        self, file: File, dtype: np.dtype[Any], starts: Positions, lengths: Positions
    ) -> None:
        self.file, self.dtype, self.starts, self.lengths = file, dtype, starts, lengths

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each table has the vector, even one without elements."""
        present: NDArray[np.bool_] = self.starts != 4
        return present

    @cached_property
    def bounds(self) -> Positions:
        """Where the elements of each vector begin and end among those of all; shape (N + 1,)."""
        bounds = np.zeros(self.lengths.size + 1, np.int64)
        self.lengths.cumsum(out=bounds[1:])
        return bounds

    def positions(self) -> Positions:
        """Return the byte position of every element, one vector after another."""
        width, bounds = self.dtype.itemsize, self.bounds
        if self.lengths.size == 1:
            start = int(self.starts[0])
            return np.arange(start, start + int(bounds[1]) * width, width, dtype=np.int64)
        first = self.starts - bounds[:-1] * width
        # On a 32-bit machine numpy.repeat accepts no 64-bit counts.
        counts = self.lengths.astype(np.intp, copy=False)
        positions: Positions = np.arange(bounds[-1]) * width + first.repeat(counts)
        return positions

    def joined(self) -> NDArray[Any]:
        """Copy all elements into one array."""
        return self.file.numbers(self.positions(), self.dtype)

    def split(self, dtype: DTypeLike | None = None, writeable: bool = True) -> list[NDArray[Any]]:
        """Copy all elements into one array, of `dtype`, and return the part of each vector."""
        joined = self.joined()
        joined = joined if dtype is None else joined.astype(dtype, copy=False)
        joined.flags.writeable = writeable
        return [joined[start:end] for start, end in pairwise(self.bounds.tolist())]

    def lists(self) -> list[list[Any]]:
        """Return the elements of each vector as a list of Python numbers."""
        joined = self.joined().tolist()
        return [joined[start:end] for start, end in pairwise(self.bounds.tolist())]

    def view(self, index: int) -> NDArray[Any]:
        """Return one vector as a view of the file."""
        return self.file.view(int(self.starts[index]), int(self.lengths[index]), self.dtype)

    def each(self, rows: Positions) -> Vectors:
        """Return the vectors of these rows; for row -1, an absent one."""
        starts, lengths = np.append(self.starts, 4), np.append(self.lengths, 0)
        return Vectors(self.file, self.dtype, starts[rows], lengths[rows])

    def followed_by(self, *others: Vectors) -> Vectors:
        """Return these vectors followed by others of the same type."""
        parts = (self, *others)
        starts = np.concatenate([vectors.starts for vectors in parts])
        lengths = np.concatenate([vectors.lengths for vectors in parts])
        return Vectors(self.file, self.dtype, starts, lengths)

    def where(self, wanted: NDArray[np.bool_], other: Vectors) -> Vectors:
        """Return these vectors where `wanted` is true, and the others elsewhere."""
        starts = np.where(wanted, self.starts, other.starts)
        lengths = np.where(wanted, self.lengths, other.lengths)
        return Vectors(self.file, self.dtype, starts, lengths)


class Tables:
    """The fields of N tables of one layout, as columns; made by `read_tables`.

    Attributes
    ----------
    file : File
    layout : Layout
    label : callable
        Returns the name of the n-th table for error messages.
    positions : ndarray of int64, shape (N, F)
        The position of each of the layout's F fields; 0 where it is absent.
    targets : ndarray of int64, shape (N, R)
        The position to which each of the R references leads; 0 where it is absent.
    lengths : ndarray of int64, shape (N, R)
        The number of elements of each vector and string.
    """

    file: File
    layout: Layout
    label: Label
    positions: Positions
    targets: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __init__(
        self,
        file: File,
        layout: Layout,
        label: Label,
        positions: Positions,
        targets: Positions,
        lengths: Positions,
    ) -> None:
        self.file, self.layout, self.label = file, layout, label
        self.positions, self.targets, self.lengths = positions, targets, lengths

    def __len__(self) -> int:
        return len(self.positions)

    def has(self, name: str, rows: slice = slice(None)) -> bool:
        """Return whether any table has a field, or any of some tables."""
        return bool(np.count_nonzero(self.positions[rows, self.layout.columns[name]]))

    def numbers(self, name: str, rows: slice = slice(None)) -> NDArray[Any]:
        """Return a field's number for each table, or for some; its default where it is absent."""
        column = self.layout.columns[name]
        field, positions = self.layout.fields[column], self.positions[rows, column]
        absent = positions == 0
        count = np.count_nonzero(absent)
        if count == absent.size:
            return np.full(count, field.default, field.dtype.newbyteorder("="))
        numbers = self.file.numbers(positions, field.dtype)
        if count:
            numbers[absent] = field.default
        return numbers

    def references(self, name: str) -> Positions:
        """Return the position of the table that each table refers to; 0 for none."""
        return self.targets[:, self.layout.columns[name]]

    def vectors(self, name: str, rows: slice = slice(None)) -> Vectors:
        """Return the vector, or the bytes of the string, of each table, or of some."""
        column = self.layout.columns[name]
        field = self.layout.fields[column]
        dtype = field.dtype if field.kind is Kind.VECTOR else _UINT8
        starts = self.targets[rows, column] + 4
        return Vectors(self.file, dtype, starts, self.lengths[rows, column])

    def strings(self, name: str, rows: slice = slice(None), encoding: str = "utf-8") -> list[str]:
        """Return the string of each table, or of some; an absent one is empty.

        Strings are UTF-8, and bytes that are not are shown as escapes. In encoding `latin-1`, there
        is a character for each byte, whatever the bytes encode.
        """
        # Each call makes its own view: one that threads share can break.
        text, content = self.vectors(name, rows), self.file.memory.data
        return [
            str(content[start : start + length], encoding, "backslashreplace")
            for start, length in zip(text.starts.tolist(), text.lengths.tolist(), strict=True)
        ]

    def child(
        self, name: str, layout: Layout, word: str, wanted: NDArray[np.bool_] | None = None
    ) -> tuple[Tables, Positions]:
        """Read the table that each table refers to, or only each that is `wanted`.

        Returns
        -------
        tables : Tables
            The tables that are referred to.
        rows : ndarray of int64, shape (N,)
            For each of the N tables the row in `tables`; -1 for none.
        """
        references = self.references(name)
        (having,) = (references if wanted is None else references * wanted).nonzero()
        rows = np.full(references.size, -1, np.int64)
        rows[having] = np.arange(having.size)

        def label(row: int) -> str:
            return f"{self.label(int(having[row]))}, {word}"

        return read_tables(self.file, layout, references[having], label), rows

    def children(self, name: str, layout: Layout, word: str) -> tuple[Tables, Positions]:
        """Read all tables that the vector of each table refers to.

        Returns
        -------
        tables : Tables
            The children of all N tables, in their order.
        bounds : ndarray of int64, shape (N + 1,)
            The children of table i are rows `bounds[i]` to `bounds[i + 1] - 1`.
        """
        vectors = self.vectors(name)
        bounds = vectors.bounds
        if not bounds[-1]:
            return Tables(self.file, layout, self.label, *layout.nothing), bounds

        def label(row: int) -> str:
            parent = int(bounds.searchsorted(row, "right")) - 1
            name = f"{word} {row - int(bounds[parent])}"
            return f"{self.label(parent)}, {name}" if self.label(parent) else name

        positions = vectors.positions()
        positions += self.file.words[positions >> 2]
        return read_tables(self.file, layout, positions, label), bounds


def read_tables(file: File, layout: Layout, tables: Positions, label: Label) -> Tables:
    """Read and check tables of one layout.

    Parameters
    ----------
    file : File
        Its budget is charged for each table, and for what each refers to.
    layout : Layout
    tables : ndarray of int64, shape (N,)
        The positions of the tables: not negative, but not checked yet.
    label : callable
        Returns the name of the n-th table for error messages; empty for the root of the file.

    Returns
    -------
    Tables
        Every field, vector and string lies in the file. The tables that they refer to are
        checked when they are read in turn.

    Raises
    ------
    CorruptModelError
        A table, vtable, field, vector or string is not wholly in the file or not aligned, or the
        tables would take more than the file's budget.
    """
    if not tables.size:
        return Tables(file, layout, label, *layout.nothing)
    file.spend(tables.size * layout.cost, layout.plural)
    refuse, last = _Refusal(file, layout, label), file.size - 4
    if np.count_nonzero(past := tables > last):
        refuse(past, tables, "the table is past the end of the file")
    if np.count_nonzero(misaligned := tables & 3):
        refuse(misaligned, tables, "the table is not aligned")
    vtables = tables - file.words[tables >> 2].view("<i4")
    offsets = _offsets(refuse, vtables)
    present = offsets != 0
    positions = (tables[:, None] + offsets) * present
    if np.count_nonzero(misaligned := positions & layout.misaligned):
        refuse(misaligned, positions, "is not aligned")
    if np.count_nonzero(past := positions + layout.widths * present > file.size):
        refuse(past, positions, "is past the end of the file")
    return Tables(file, layout, label, positions, *_follow(refuse, positions))


def _offsets(refuse: _Refusal, vtables: Positions) -> Positions:
    """Return how far into its table each field lies, 0 if it is absent, from the vtables."""
    layout, offsets = refuse.layout, []
    # Thousands of tables share a few vtables.
    distinct = sorted(set(vtables.tolist()))
    for vtable in distinct:
        entries = _entries(refuse.file, vtable, layout.vtable_size)
        if isinstance(entries, str):
            refuse(vtables == vtable, vtables, entries)
        offsets.append([entries[slot] if slot < len(entries) else 0 for slot in layout.slots])
    array = np.array(offsets, np.int64)
    return array if len(array) == 1 else array[np.array(distinct).searchsorted(vtables)]


def _entries(file: File, vtable: int, longest: int) -> tuple[int, ...] | str:
    """Return the numbers in the first `longest` bytes of a vtable, or what is wrong with it."""
    if not 0 <= vtable <= file.size - 4:
        return "the vtable is not in the file"
    if vtable & 1:
        return "the vtable is not aligned"
    content = file.memory[vtable : vtable + longest].tobytes()
    size = content[0] | content[1] << 8
    if vtable + size > file.size:
        return "the vtable runs past the end of the file"
    return struct.unpack_from(f"<{min(size, longest) >> 1}H", content)


def _follow(refuse: _Refusal, positions: Positions) -> tuple[Positions, Positions]:
    """Return where all references lead, and the lengths of the strings and vectors there."""
    file, layout, last = refuse.file, refuse.layout, refuse.file.size - 4
    references = positions[:, : layout.references]
    present = references != 0
    targets = (references + file.words[references >> 2]) * present
    if np.count_nonzero(past := targets > last):
        refuse(past, targets, "is past the end of the file")
    if np.count_nonzero(misaligned := targets & 3):
        refuse(misaligned, targets, "is not aligned")
    lengths = file.words[targets >> 2] * (layout.has_elements * present)
    sizes = lengths * layout.element_widths
    if np.count_nonzero(past := targets + sizes > last):
        refuse(past, targets, "runs past the end of the file")
    costs = lengths[:, : layout.copied] * layout.element_costs
    file.spend(int(np.add.reduce(costs, axis=None)), layout.plural)
    return targets, lengths


class _Refusal(NamedTuple):
    """Raises an error that says which of some tables is wrong, and where."""

    file: File
    layout: Layout
    label: Label

    def __call__(self, bad: NDArray[Any], positions: Positions, fault: str) -> NoReturn:
        """Raise an error about the first table or field that is bad.

        Parameters
        ----------
        bad : ndarray, shape (N,) for tables, (N, n) for their first n fields
            Not 0 for what is bad.
        positions : ndarray, shape of bad
            Where it lies in the file.
        fault : str
            What is wrong with it.
        """
        first = int((bad != 0).argmax())
        row, column = divmod(first, 1 if bad.ndim == 1 else bad.shape[1])
        name = "" if bad.ndim == 1 else f"'{self.layout.fields[column].name}' "
        where = f"offset {int(positions.flat[first]):_} of {self.file.size:_}"
        raise CorruptModelError(f"{self.label(row) or 'the model'}: {name}{fault} ({where})")
