"""Which fields the tables of a FlatBuffer have, and where in its vtable each is looked up.

A layout is what a schema says of one kind of table. Layouts stacked beside one another let
tables of several kinds be read in one go.
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Field", "Kind", "Layout", "Shape", "Stack", "shape", "stack"]

_UINT32 = np.dtype("<u4")


class Kind(Enum):
    """What a field is."""

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
        Where its entry stands in the vtable, in bytes from the vtable's start.
    dtype : numpy.dtype
        Of the number, or of the elements of the vector; uint32 for a reference.
    default : int, float or bool
        What an absent number is.
    """

    name: str
    kind: Kind
    entry: int
    dtype: np.dtype[Any] = _UINT32
    default: float = 0

    @property
    def width(self) -> int:
        """How many bytes the field takes in its table."""
        return self.dtype.itemsize if self.kind is Kind.NUMBER else 4

    @property
    def element_width(self) -> int:
        """How many bytes an element of the vector, or a character of the string, takes.

        It is 0 for a reference to a table, -1 for a number.
        """
        if self.kind is Kind.VECTOR:
            return self.dtype.itemsize
        return {Kind.STRING: 1, Kind.TABLE: 0, Kind.NUMBER: -1}[self.kind]


class Layout:
    """The fields of one kind of table. Layouts are compared and hashed by identity.

    Attributes
    ----------
    name : str
    fields : tuple of Field
    """

    def __init__(self, name: str, fields: tuple[Field, ...]) -> None:
        self.name, self.fields = name, fields
        self._by_name = {field.name: field for field in fields}

    def field(self, name: str) -> Field:
        """Give a field by its name in the schema."""
        return self._by_name[name]


_ROWS = ((Kind.VECTOR, Kind.STRING), (Kind.TABLE,), (Kind.NUMBER,))
_NO_FIELD = Field("", Kind.STRING, 1 << 16)
"""Stands where a layout has no field; its entry is past the end of every vtable."""


class Stack:
    """Several layouts beside one another: a row per field, a column per layout.

    The rows are the vectors and strings, then the other references, then the numbers; a layout
    that has fewer of a kind than another has rows that are always absent.

    Attributes
    ----------
    fields : list of list of Field
        For each layout, the field of each row.
    rows : list of dict
        For each layout, the row of each field by name.
    vectors, references : int
        How many rows are vectors and strings; how many are references of any kind.
    element_widths : ndarray of int64, shape (vectors, layouts)
        The bytes of one element of each vector or string.
    """

    def __init__(self, layouts: tuple[Layout, ...]) -> None:
        by_kind = [
            [[f for f in lay.fields if f.kind in kinds] for lay in layouts] for kinds in _ROWS
        ]
        heights = [max(map(len, columns)) for columns in by_kind]
        self.vectors, self.references = heights[0], heights[0] + heights[1]
        self.fields: list[list[Field]] = [[] for _ in layouts]
        for height, columns in zip(heights, by_kind, strict=True):
            for column, fields in enumerate(columns):
                self.fields[column] += fields + [_NO_FIELD] * (height - len(fields))
        self.rows = [{field.name: row for row, field in enumerate(c)} for c in self.fields]
        widths = [[field.element_width for field in c[: self.vectors]] for c in self.fields]
        self.element_widths = np.array(widths, np.int64).T


class Shape(NamedTuple):
    """What one vtable says to one layout.

    Attributes
    ----------
    offsets : ndarray of int64, shape (rows,)
        Where in a table the field of each row lies, 0 if it is absent.
    present : tuple of (int, str, int)
        Of those that are there offset, name, and the bytes of an element of what it refers to:
        0 for a table, -1 for a number, which refers to nothing.
    extent : int
        How many bytes from the table's start its last field ends.
    unaligned : int or None
        The row of a field that does not lie where its width asks for.
    """

    offsets: NDArray[np.int64]
    present: tuple[tuple[int, str, int], ...]
    extent: int
    unaligned: int | None


@lru_cache(maxsize=4096)
def shape(stack: Stack, layout: int, vtable: bytes) -> Shape:
    """Read a vtable; the tables of all models of one converter have the same few.

    Parameters
    ----------
    stack : Stack
    layout : int
        Which of its layouts.
    vtable : bytes
        From the vtable's start; entries past their end are absent.
    """
    entries = np.frombuffer(vtable[: len(vtable) & ~1], "<u2").tolist()
    fields = stack.fields[layout]
    slots = [field.entry >> 1 for field in fields]
    offsets = [entries[slot] if slot < len(entries) else 0 for slot in slots]
    pairs = [(at, field) for at, field in zip(offsets, fields, strict=True) if at]
    present = tuple((at, field.name, field.element_width) for at, field in pairs)
    # 8-byte numbers are only 4-aligned where a builder wrote no padding before them.
    unaligned = [row for row, at in enumerate(offsets) if at % min(fields[row].width, 4)]
    extent = max((at + field.width for at, field in pairs), default=0)
    return Shape(np.array(offsets, np.int64), present, extent, unaligned[0] if unaligned else None)


@lru_cache(maxsize=64)
def stack(layouts: tuple[Layout, ...]) -> Stack:
    """Stack layouts; the same ones are stacked once."""
    return Stack(layouts)
