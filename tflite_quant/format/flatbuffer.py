"""How a FlatBuffer lies in memory; one table of it, with every offset checked.

All numbers are little-endian. A *table* stands at a multiple of 4 and begins with a signed
32-bit number: how far before the table its *vtable* lies. A vtable is a row of unsigned 16-bit
numbers: its own size in bytes, the size of the table, then one *entry* per field: how far into
the table the field's value lies, 0 if the table does not have it. A vtable may end early; fields
past its end are absent, and an absent field has the default that the schema gives it.

A number lies in the table itself. Everything else is a *reference*: an unsigned 32-bit number,
how far after itself the thing begins. A string and a vector begin with an unsigned 32-bit length
(in elements) and go on with the elements; the elements of a vector of tables are references. A
union is a reference beside a number that says which table it is.

Tables of which a model has thousands are read many at once, by `columns`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from .layout import Layout, Shape, Stack, shape, stack

__all__ = ["File", "Positions", "Table", "field_fault", "read_table", "shape_at"]

Positions = NDArray[np.int64]

_INT32 = struct.Struct("<i")
_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_U4, _I4 = np.dtype("<u4"), np.dtype("<i4")
_TWO_WORDS = np.arange(2)
_LONGEST = 1024
"""No field of any schema has its entry past this; a vtable may be long, and many may overlap."""
_FAR = 32
"""Strings that have so many times their own bytes between them do not lie near one another."""


class File:
    """The bytes of one FlatBuffer, seen as numbers of every width.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
        The whole file, read-only. Nothing is copied from it.
    """

    __slots__ = ("i4", "memory", "size", "text", "u4")

    def __init__(self, memory: NDArray[np.uint8]) -> None:
        self.memory = memory
        self.size = memory.size
        self.text = memory.data
        self.u4: NDArray[np.uint32] = memory[: self.size & ~3].view(_U4)
        self.i4: NDArray[np.int32] = self.u4.view(_I4)

    def numbers(self, positions: Positions, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Gather the numbers of 1, 4 or 8 bytes at these positions, which have been checked.

        Indexing works on memory of any alignment and byte order without a copy of the whole;
        `numpy.take` would copy the file first.
        """
        values: NDArray[Any]
        if dtype.itemsize == 1:
            values = self.memory[positions].view(dtype)
        elif dtype.itemsize == 4:
            values = self.u4[positions >> 2].view(dtype)
        else:
            values = self.u4[(positions >> 2)[:, None] + _TWO_WORDS].view(dtype)[:, 0]
        return values

    def view(self, start: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Give `count` numbers from byte `start` on, which have been checked, without a copy."""
        return np.frombuffer(self.text, dtype, count, start)

    def string(self, start: int, length: int) -> str:
        """Decode UTF-8; bytes that are not UTF-8 are shown as escapes, not lost."""
        return str(self.text[start : start + length], "utf-8", "backslashreplace")

    def strings(self, starts: Positions, lengths: NDArray[np.int64]) -> list[str]:
        """Decode many strings, like `string`."""
        strings = self.characters(starts, lengths)
        if "".join(strings).isascii():
            return strings
        return [str(s.encode("latin-1"), "utf-8", "backslashreplace") for s in strings]

    def characters(self, starts: Positions, lengths: NDArray[np.int64]) -> list[str]:
        """Give the bytes of many strings as a character each, whatever they encode.

        Where strings lie near one another, as most converters write them, they are cut out of one
        text, which takes less time.
        """
        if not starts.size:
            return []
        first, ends = int(starts.min()), starts + lengths
        size = int(ends.max()) - first
        if size > _FAR * int(lengths.sum()):
            pairs = zip(starts.tolist(), ends.tolist(), strict=True)
            return [str(self.text[start:end], "latin-1") for start, end in pairs]
        whole = str(self.text[first : first + size], "latin-1")
        pairs = zip((starts - first).tolist(), (ends - first).tolist(), strict=True)
        return [whole[start:end] for start, end in pairs]

    def followed(self, places: Positions) -> Positions:
        """Give where the references at these places lead; the places have been checked."""
        positions: Positions = places + self.u4[places >> 2]
        return positions

    def references(self, extents: Sequence[tuple[int, int]]) -> Positions:
        """Give the positions of the tables that vectors refer to, which have been checked.

        Parameters
        ----------
        extents : sequence of (int, int)
            Of each vector where its elements begin, and how many there are.
        """
        places: Positions = np.concatenate(
            [np.arange(start, start + 4 * count, 4, dtype=np.int64) for start, count in extents]
        )
        return self.followed(places)


def shape_at(file: File, stack: Stack, layout: int, vtable: int) -> Shape | str:
    """Read the vtable at a position; or say what is wrong with where it lies."""
    if not 0 <= vtable <= file.size - 4:
        return "the vtable is not in the file"
    if vtable & 1:
        return "the vtable is not aligned"
    end = vtable + _UINT16.unpack_from(file.text, vtable)[0]
    if end > file.size:
        return "the vtable runs past the end of the file"
    return shape(stack, layout, file.text[vtable : min(end, vtable + _LONGEST)].tobytes())


class Table:
    """One table, for those of which a model has few.

    Parameters
    ----------
    file : File
    layout : Layout
    fields : dict of str to int
        Where those fields lie that the table has: a number itself, the thing that a reference
        points to.
    """

    def __init__(self, file: File, layout: Layout, fields: dict[str, int]) -> None:
        self.file, self.layout, self.fields = file, layout, fields

    def number(self, name: str) -> Any:
        """Give a number, as a Python value; if it is absent, its default."""
        field = self.layout.field(name)
        if name not in self.fields:
            return field.default
        return self.file.view(self.fields[name], 1, field.dtype)[0].item()

    def vector(self, name: str) -> NDArray[Any]:
        """Give a vector, empty if it is absent: a read-only view."""
        return self.file.view(*self.extent(name), self.layout.field(name).dtype)

    def count(self, name: str) -> int:
        """Say how many elements a vector has."""
        return self.extent(name)[1]

    def string(self, name: str) -> str | None:
        """Give a string, or None."""
        return self.file.string(*self.extent(name)) if name in self.fields else None

    def children(self, name: str) -> list[int]:
        """Give the positions of the tables in a vector of tables; they are not checked."""
        start, count = self.extent(name)
        words = self.file.u4[start >> 2 : (start >> 2) + count].tolist()
        return [start + 4 * index + word for index, word in enumerate(words)]

    def extent(self, name: str) -> tuple[int, int]:
        """Give where the elements of a vector or string begin, and how many there are."""
        if name not in self.fields:
            return 4, 0
        at = self.fields[name]
        return at + 4, _UINT32.unpack_from(self.file.text, at)[0]


def read_table(file: File, layout: Layout, position: int, place: str) -> Table:
    """Read and check one table.

    Parameters
    ----------
    file : File
    layout : Layout
    position : int
        Where the table begins; not negative, not checked otherwise.
    place : str
        Which table it is, for errors: 'subgraph 0'.

    Returns
    -------
    Table
        Every field lies in the file, as does every vector and string. The tables that it refers
        to are checked when they are read in their turn.

    Raises
    ------
    CorruptModelError
        The table, its vtable, a field, vector or string is not wholly in the file, or not aligned.
    """

    def refuse(at: int, fault: str) -> NoReturn:
        raise CorruptModelError(f"{place}: {fault} (offset {at:_} of {file.size:_})")

    last, text, rows = file.size - 4, file.text, stack((layout,))
    if position > last or position & 3:
        refuse(position, position_fault("the table", position, last))
    vtable = position - _INT32.unpack_from(text, position)[0]
    one = shape_at(file, rows, 0, vtable)
    if isinstance(one, str):
        refuse(vtable, one)
    if one.unaligned is not None or position + one.extent > file.size:
        refuse(*field_fault(one, position))
    fields = {}
    for offset, name, element_width in one.present:
        at = position + offset
        if element_width >= 0:
            at += _UINT32.unpack_from(text, at)[0]
            if at > last or at & 3:
                refuse(at, position_fault(f"'{name}'", at, last))
            if element_width and at + _UINT32.unpack_from(text, at)[0] * element_width > last:
                refuse(at, f"'{name}' runs past the end of the file")
        fields[name] = at
    return Table(file, layout, fields)


def position_fault(what: str, position: int, last: int) -> str:
    """Say what is wrong with where a table or the target of a reference lies."""
    return f"{what} is not aligned" if position <= last else f"{what} is past the end of the file"


def field_fault(one: Shape, position: int) -> tuple[int, str]:
    """Say what is wrong with where a field lies in a table of a shape that does not fit, where."""
    if one.unaligned is not None:
        name, fault = one.unaligned, "is not aligned"
    else:
        name, fault = max(one.fields, key=one.fields.__getitem__), "is past the end of the file"
    return position + one.fields[name], f"'{name}' {fault}"
