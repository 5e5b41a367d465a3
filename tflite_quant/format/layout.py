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


class Stack:
    """Several layouts beside one another: of each, a row of its references.

    Attributes
    ----------
    layouts : tuple of Layout
    shift : int
        A row has 1 << shift places; a layout that has fewer references leaves some empty.
    places : list of dict
        For each layout, the place of each reference in the row, by name.
    """

    def __init__(self, layouts: tuple[Layout, ...]) -> None:
        self.layouts = layouts
        names = [[f.name for f in lay.fields if f.kind is not Kind.NUMBER] for lay in layouts]
        self.shift = max(max(map(len, names), default=0) - 1, 0).bit_length()
        self.places = [{name: place for place, name in enumerate(own)} for own in names]


class Shape(NamedTuple):
    """What one vtable says to one layout.

    Attributes
    ----------
    layout : Layout
    fields : dict of str to int
        Where in a table those fields lie that are there.
    present : tuple of (int, str, int)
        Of the same offset, name, and the bytes of an element of what it refers to: 0 for a table,
        -1 for a number, which refers to nothing.
    references : ndarray of int32, shape (1 << shift,)
        For each place in a row of references, how far into the table it lies (lower 16 bits), and
        the bytes of an element (the others); 0 where there is none.
    extent : int
        How many bytes from the table's start its last field ends.
    unaligned : str or None
        A field that does not lie where its width asks for.
    """

    layout: Layout
    fields: dict[str, int]
    present: tuple[tuple[int, str, int], ...]
    references: NDArray[np.int32]
    extent: int
    unaligned: str | None


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
    slots = [(field, field.entry >> 1) for field in stack.layouts[layout].fields]
    pairs = [(entries[slot], f) for f, slot in slots if slot < len(entries) and entries[slot]]
    references = np.zeros(1 << stack.shift, np.int32)
    for at, field in pairs:
        if field.kind is not Kind.NUMBER:
            references[stack.places[layout][field.name]] = at + (field.element_width << 16)
    # 8-byte numbers are only 4-aligned where a builder wrote no padding before them.
    unaligned = [field.name for at, field in pairs if at % min(field.width, 4)]
    return Shape(
        stack.layouts[layout],
        {field.name: at for at, field in pairs},
        tuple((at, field.name, field.element_width) for at, field in pairs),
        references,
        max((at + field.width for at, field in pairs), default=0),
        unaligned[0] if unaligned else None,
    )


@lru_cache(maxsize=64)
def stack(layouts: tuple[Layout, ...]) -> Stack:
    """Stack layouts; the same ones are stacked once."""
    return Stack(layouts)
