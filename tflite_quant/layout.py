"""Which fields the tables of a FlatBuffer have, and where in its vtable each is looked up.

A layout is what a schema says of one kind of table. Layouts stacked beside one another let
tables of several kinds be read in one go.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Field", "Kind", "Layout", "Stack", "stack"]

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


@dataclass(frozen=True, eq=False, repr=False)
class Layout:
    """The fields of one kind of table. Layouts are compared and hashed by identity."""

    name: str
    fields: tuple[Field, ...]

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    def field(self, name: str) -> Field:
        """Give a field by its name in the schema."""
        return self._by_name[name]


_ROWS = ((Kind.VECTOR, Kind.STRING), (Kind.TABLE,), (Kind.NUMBER,))
_NEVER = np.int64(1 << 16)
"""An entry past the end of every vtable."""


class Stack:
    """Several layouts beside one another: a row per field, a column per layout.

    The rows are the vectors and strings, then the other references, then the numbers; a layout
    that has fewer of a kind than another has rows that are always absent.

    Attributes
    ----------
    rows : list of dict
        For each layout, the row of each field by name.
    vectors, references : int
        How many rows are vectors and strings; how many are references of any kind.
    entries, widths, alignments, element_widths : ndarray of int64, shape (rows, layouts)
        The vtable entries; the bytes that a field takes in its table; one less than what its
        position must be a multiple of; the bytes of one element of a vector or string.
    """

    def __init__(self, layouts: tuple[Layout, ...]) -> None:
        by_kind = [
            [[f for f in lay.fields if f.kind in kinds] for lay in layouts] for kinds in _ROWS
        ]
        heights = [max(map(len, columns)) for columns in by_kind]
        starts = (0, heights[0], heights[0] + heights[1])
        self.vectors, self.references = starts[1:]
        self.rows: list[dict[str, int]] = [{} for _ in layouts]
        self.entries = np.full((sum(heights), len(layouts)), _NEVER)
        self.widths = np.full_like(self.entries, 4)
        self.element_widths = np.ones((self.vectors, len(layouts)), np.int64)
        for start, columns in zip(starts, by_kind, strict=True):
            for column, fields in enumerate(columns):
                for row, field in enumerate(fields, start):
                    self._place(field, row, column)
        # 8-byte numbers are only 4-aligned where a builder wrote no padding before them.
        self.alignments = np.minimum(self.widths, 4) - 1

    def _place(self, field: Field, row: int, column: int) -> None:
        self.rows[column][field.name] = row
        self.entries[row, column] = field.entry
        if field.kind is Kind.NUMBER:
            self.widths[row, column] = field.dtype.itemsize
        elif field.kind is Kind.VECTOR:
            self.element_widths[row, column] = field.dtype.itemsize


@lru_cache(maxsize=64)
def stack(layouts: tuple[Layout, ...]) -> Stack:
    """Stack layouts; the same ones are stacked once."""
    return Stack(layouts)
