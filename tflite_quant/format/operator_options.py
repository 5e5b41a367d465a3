"""What an operator was told beside its tensors: strides, an axis, an activation, an algorithm.

A builtin operator has a table of options. Which table is said by a number beside it, a member of
the union BuiltinOptions or, for operators newer than 2023, BuiltinOptions2; an operator has at
most one of the two. There are about 150 kinds of table. Their fields are numbers (enumerations
and types of tensors among them), strings, and vectors of numbers, nothing else so far. As for all
tables, layouts come from the generated classes, each when a model first has such a table; only
what is newer than package `tflite` stands here.

A custom operator has bytes, which its author alone understands. Most authors write a FlexBuffer:
data that says of itself what it is, as JSON does. It is read from its end: the last byte is the
width of the root, the one before it the root's type, and before those the root itself. A type is
6 bits that say what a thing is, and 2 that say how wide its parts are. A number lies where it is
named; of anything else there is an offset, an unsigned number, how far *before* itself the thing
begins. Right before a vector, string or blob lies its length; right after a vector of mixed types,
a byte for the type of each element. A map is such a vector, and before its length are the offset
and the width of the vector of its keys. So offsets can make circles, and a thing can be referred
to a thousand times by things that are themselves referred to a thousand times. The accessors of
`flatbuffers.flexbuffers` follow all of that, and do not see an offset that leads before the
first byte, which in Python means from the end; hence the reader here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, NoReturn

import numpy as np
import tflite

from ..errors import CorruptModelError
from .flatbuffer import File, Table, read_table
from .layout import Field, Kind, Layout
from .schema import layout_of

__all__ = ["Options", "builtin_options", "custom_options"]

_NEWER_MEMBERS = {
    # google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs.
    (2, 23): "StablehloCaseOptions",
}
"""Members of the unions that package tflite 2.18 does not have."""

_NEWER_FIELDS = {
    # Same source as above.
    "StablehloCaseOptions": (
        Field("branch_subgraph_indices", Kind.VECTOR, 4, np.dtype("<i4")),
    ),
    # Package ai-edge-litert 2.3.0, schema_py_generated.py; not yet in schema.fbs.
    "FullyConnectedOptions": (Field("quant_spec", Kind.VECTOR, 14, np.dtype("u1")),),
}  # fmt: skip
"""Fields that the tables of package tflite 2.18 do not have."""


class Options(NamedTuple):
    """The options of a builtin operator.

    Attributes
    ----------
    name : str
        The name of the table in the schema, such as Conv2DOptions.
    values : mapping of str to object, read-only
        The value of each field by its name in the schema: an int, float or bool; a str, or None
        if it is absent; a tuple of numbers, but bytes for a vector of bytes. An enumeration is its
        number. A number that is absent is its default, a vector that is absent is empty.
    """

    name: str
    values: Mapping[str, object]


def builtin_options(
    file: File, union: int, member: int, position: int, place: str
) -> Options | None:
    """Read the options of a builtin operator.

    Parameters
    ----------
    file : File
    union : int
        1 for BuiltinOptions, 2 for BuiltinOptions2.
    member : int
        Which member of the union the table is.
    position : int
        Where the table begins, 0 for none; not negative, not checked otherwise.
    place : str
        Whose options they are, for errors: 'subgraph 0, operator 3'.

    Returns
    -------
    Options or None
        None if there are no options. A member that no schema known here has is named by its
        number, and has no values.

    Raises
    ------
    CorruptModelError
        A field lies outside the file, or vectors share their bytes so much that together they
        have more than the file.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     file, operators = model.structure.file, model.structure.operators
    ...     member = int(operators.numbers("builtin_options_type")[0])
    ...     position = int(operators.references("builtin_options")[0])
    ...     options = builtin_options(file, 1, member, position, operators.place(0))
    >>> options.name, options.values["stride_w"], options.values["dilation_w_factor"]
    ('Conv2DOptions', 2, 1)
    """
    if not member or not position:
        return None
    name = _members(union).get(member)
    if name is None:
        unknown = f"{_union(union).__name__}({member})"
        return Options(unknown, MappingProxyType({}))
    table = read_table(file, _layout(name), position, f"{place}, {name}")
    _require_no_overlap(table, place)
    values = {field.name: _value(table, field) for field in table.layout.fields}
    return Options(name, MappingProxyType(values))


def _union(union: int) -> type:
    cls: type = {1: tflite.BuiltinOptions, 2: tflite.BuiltinOptions2}[union]
    return cls


@lru_cache(maxsize=2)
def _members(union: int) -> dict[int, str]:
    """Give the names of the tables of a union by number."""
    known = {number: name for name, number in vars(_union(union)).items() if name[0] != "_"}
    return {number: name for (of, number), name in _NEWER_MEMBERS.items() if of == union} | known


@lru_cache(maxsize=256)
def _layout(name: str) -> Layout:
    """Give the layout of a table of options: from package `tflite`, and what is newer."""
    cls = getattr(tflite, name, None)
    known = _readable_fields(cls) if cls else ()
    entries = {field.entry for field in known}
    newer = (field for field in _NEWER_FIELDS.get(name, ()) if field.entry not in entries)
    return Layout(name, (*known, *newer))


def _readable_fields(cls: type) -> tuple[Field, ...]:
    """Give the fields of a table that are numbers, strings, or vectors of numbers.

    No table of options has others. Should one get a nested table, or a vector of strings, it is
    better left out than shown as the offsets that it is made of. Of vectors, those of numbers
    have a second accessor, for NumPy.
    """

    def is_readable(field: Field) -> bool:
        if field.kind is not Kind.VECTOR:
            return field.kind is not Kind.TABLE
        camel = "".join(word.capitalize() for word in field.name.split("_"))
        return hasattr(cls, f"{camel}AsNumpy")

    return tuple(filter(is_readable, layout_of(cls).fields))


def _require_no_overlap(table: Table, place: str) -> None:
    """Refuse a table whose vectors share their bytes so that a small file makes many values."""
    fields = [field for field in table.layout.fields if field.element_width > 0]
    size = sum(table.count(field.name) * field.element_width for field in fields)
    if size > table.file.size:
        raise CorruptModelError(
            f"{place}, {table.layout.name}: its vectors overlap: together they have {size:_} "
            f"bytes, the file has {table.file.size:_}"
        )


def _value(table: Table, field: Field) -> object:
    """Give the plain value of a field."""
    if field.kind is Kind.NUMBER:
        return table.number(field.name)
    if field.kind is Kind.STRING:
        return table.string(field.name)
    values = table.vector(field.name)
    return values.tobytes() if values.dtype == np.uint8 else tuple(values.tolist())


def custom_options(content: bytes, place: str) -> dict[str, object] | None:
    """Decode the options of a custom operator, if they are a FlexBuffer whose root is a map.

    Nothing in a model tells a FlexBuffer from any other bytes. So the last two bytes decide: if
    they say that the root is a map of a possible width, the content is held to be one, and what
    is wrong in it is an error. Other bytes chosen by an operator's author can end like that by
    chance, so an error here does not make a model a bad one.

    Parameters
    ----------
    content : bytes
        The field `custom_options` of an operator.
    place : str
        Whose options they are, for errors: 'subgraph 0, operator 3'.

    Returns
    -------
    dict or None
        Of str to None, bool, int, float, str, bytes, list or dict. A new one in every call. Of
        several values with the same key the last is there. None if the content does not claim to
        be a map.

    Raises
    ------
    CorruptModelError
        The content claims to be a map, but part of it lies outside it or is of no known type, it
        is nested deeper than 32 levels, or has parts that are shared so much that it would have
        far more values than bytes.

    Examples
    --------
    >>> from flatbuffers import flexbuffers
    >>> custom_options(bytes(flexbuffers.Dumps({"axis": 1, "names": ["a", "b"]})), "operator 0")
    {'axis': 1, 'names': ['a', 'b']}
    >>> custom_options(b"other bytes", "operator 0") is None
    True
    """
    if len(content) < 3 or content[-1] not in _WIDTHS or content[-2] >> 2 != _MAP:
        return None
    width = content[-1]
    reader = _FlexBuffer(content, place)
    root = reader.target(len(content) - 2 - width, width)
    return reader.mapping(_MAP, root, 1 << (content[-2] & 3), 0)


_WIDTHS = {1: 0, 2: 1, 4: 2, 8: 3}
"""The widths in bytes that there are, and their places in a row of letters below."""

# Types, as include/flatbuffers/flexbuffers.h of google/flatbuffers numbers them.
_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING, _INDIRECT_INT = range(7)
_MAP, _VECTOR, _VECTOR_INT = 9, 10, 11
_VECTOR_INT2 = 16
_BLOB, _BOOL, _VECTOR_BOOL = 25, 26, 36

_LETTERS = {_INT: "bhiq", _UINT: "BHIQ", _FLOAT: "  fd", _BOOL: "BHIQ"}
"""How module `struct` calls the numbers of each type, by width."""

_DEEPEST = 32
_COST_OF_VALUE = 8
"""In characters."""
_CHARACTERS_PER_BYTE = 32
"""What the decoded values may cost.

A byte of a FlexBuffer in which nothing is shared makes one value or one character at most. Builders
share keys and strings, so that a map in a list of many alike may have ten times its bytes.
"""


class _FlexBuffer:
    """Reads a FlexBuffer: each read is checked against both ends, each value paid for beforehand.

    Methods that read what an offset leads to have the same parameters: the type, where the thing
    begins, the width of its parts, and how deep it is nested.
    """

    def __init__(self, content: bytes, place: str) -> None:
        self.content, self.place = content, place
        self.budget = _CHARACTERS_PER_BYTE * len(content)

    def refuse(self, at: int, fault: str) -> NoReturn:
        """Say what is wrong, and where."""
        raise CorruptModelError(
            f"{self.place}, custom options: {fault} (offset {at:_} of {len(self.content):_})"
        )

    def pay(self, cost: int, at: int) -> None:
        """Take the cost of what is going to be read from the budget."""
        self.budget -= cost
        if self.budget < 0:
            self.refuse(at, "parts are shared so much that it has far more values than bytes")

    def require(self, at: int, size: int) -> None:
        """Refuse bytes that are not wholly inside."""
        if at < 0 or at + size > len(self.content):
            self.refuse(at, f"{size:_} bytes are not in it")

    def numbers(self, kind: int, at: int, count: int, width: int) -> list[object]:
        """Read numbers, or truth values, that lie one behind the other."""
        self.require(at, count * width)
        letter = _LETTERS[kind][_WIDTHS[width]]
        if letter == " ":
            # A vector that has no elements is as narrow as its length allows.
            return [] if not count else self.refuse(at, f"a float has {width} bytes")
        values = struct.unpack_from(f"<{count}{letter}", self.content, at)
        return [value != 0 for value in values] if kind == _BOOL else list(values)

    def natural(self, at: int, width: int) -> int:
        """Read an unsigned number, such as an offset or a length."""
        self.require(at, width)
        return int.from_bytes(self.content[at : at + width], "little")

    def target(self, at: int, width: int) -> int:
        """Follow an offset; what lies there is checked when it is read."""
        return at - self.natural(at, width)

    def value(self, kind: int, at: int, width: int, own_width: int, depth: int) -> object:
        """Read a value of any type.

        Its parent's width is that of the number, or of the offset; its own width that of the parts
        of what the offset leads to.
        """
        if kind == _NULL:
            return None
        if kind in _LETTERS:
            return self.numbers(kind, at, 1, width)[0]
        if kind not in _READERS:
            self.refuse(at, f"there is no type {kind}")
        return _READERS[kind](self, kind, self.target(at, width), own_width, depth)

    def indirect(self, kind: int, at: int, width: int, depth: int) -> object:
        """Read a number that does not lie where it is named."""
        return self.numbers(kind - _INDIRECT_INT + _INT, at, 1, width)[0]

    def blob(self, kind: int, at: int, width: int, depth: int) -> bytes:
        """Read bytes of a known length."""
        length = self.natural(at - width, width)
        self.require(at, length)
        self.pay(length, at)
        return self.content[at : at + length]

    def string(self, kind: int, at: int, width: int, depth: int) -> str:
        """Read a string; as elsewhere, bytes that are not UTF-8 are shown as escapes."""
        return str(self.blob(kind, at, width, depth), "utf-8", "backslashreplace")

    def key(self, kind: int, at: int, width: int, depth: int) -> str:
        """Read a string of no known length, which ends before a zero."""
        self.require(at, 1)
        end = self.content.find(0, at)
        if end < 0:
            self.refuse(at, "a key has no end")
        self.pay(end - at, at)
        return str(self.content[at:end], "utf-8", "backslashreplace")

    def count(self, at: int, width: int, depth: int) -> int:
        """Read the number of elements before a vector, and pay for them."""
        if depth >= _DEEPEST:
            self.refuse(at, f"it is nested deeper than {_DEEPEST} levels")
        count = self.natural(at - width, width)
        self.require(at, count * width)
        self.pay(count * _COST_OF_VALUE, at)
        return count

    def vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read a vector whose elements have a type each."""
        count = self.count(at, width, depth)
        types = at + count * width
        self.require(types, count)
        packed = self.content[types : types + count]
        return [
            self.value(each >> 2, at + index * width, width, 1 << (each & 3), depth + 1)
            for index, each in enumerate(packed)
        ]

    def typed_vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read a vector of numbers, or of keys."""
        count, element = self.count(at, width, depth), kind - _VECTOR_INT + _INT
        if element in _LETTERS:
            return self.numbers(element, at, count, width)
        # Elements that are strings, which builders no longer write, have lengths of a width that
        # is not told. They end with a zero as keys do, and so flatbuffers reads them, too.
        ends = range(at, at + count * width, width)
        return [self.key(_KEY, self.target(each, width), 1, depth + 1) for each in ends]

    def fixed_vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read 2 to 4 numbers; there is no length before them."""
        count, element = divmod(kind - _VECTOR_INT2, 3)
        self.pay((count + 2) * _COST_OF_VALUE, at)
        return self.numbers(element + _INT, at, count + 2, width)

    def mapping(self, kind: int, at: int, width: int, depth: int) -> dict[str, object]:
        """Read a map: a vector of values, and before it where its vector of keys is."""
        values = self.vector(_VECTOR, at, width, depth)
        keys_width = self.natural(at - 2 * width, width)
        if keys_width not in _WIDTHS:
            self.refuse(at, f"the keys of a map have offsets of {keys_width:_} bytes")
        keys_at = self.target(at - 3 * width, width)
        if self.natural(keys_at - keys_width, keys_width) != len(values):
            self.refuse(at, "a map has not as many keys as values")
        ends = range(keys_at, keys_at + len(values) * keys_width, keys_width)
        keys = [self.key(_KEY, self.target(each, keys_width), 1, depth + 1) for each in ends]
        return dict(zip(keys, values, strict=True))


_READERS: dict[int, Callable[[_FlexBuffer, int, int, int, int], object]] = {
    _KEY: _FlexBuffer.key,
    _STRING: _FlexBuffer.string,
    _BLOB: _FlexBuffer.blob,
    _MAP: _FlexBuffer.mapping,
    _VECTOR: _FlexBuffer.vector,
    _VECTOR_BOOL: _FlexBuffer.typed_vector,
    **dict.fromkeys(range(_INDIRECT_INT, _MAP), _FlexBuffer.indirect),
    **dict.fromkeys(range(_VECTOR_INT, _VECTOR_INT2), _FlexBuffer.typed_vector),
    **dict.fromkeys(range(_VECTOR_INT2, _BLOB), _FlexBuffer.fixed_vector),
}
"""How to read what an offset leads to, by type."""
