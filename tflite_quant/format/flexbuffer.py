"""FlexBuffers: data that says of itself what it is, as JSON does.

Most authors of custom operators write their options so. A FlexBuffer is read from its end: the last
byte is the width of the root, the one before it the root's type, and before those the root itself.
A type is 6 bits that say what a thing is, and 2 that say how wide its parts are. A number lies
where it is named; of anything else there is an offset, an unsigned number, how far *before* itself
the thing begins. Right before a vector, string or blob lies its length; right after a vector of
mixed types, a byte for the type of each element. A map is such a vector, and before its length are
the offset and the width of the vector of its keys.

So offsets can make circles, and a thing can be referred to a thousand times by things that are
themselves referred to a thousand times. The accessors of `flatbuffers.flexbuffers` follow all of
that, and do not see an offset that leads before the first byte, which in Python means from the end;
hence the reader here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NoReturn

from ..errors import CorruptModelError
from .budget import CHARACTER_COST, MAX_DEPTH, NUMBER_COST, VALUE_COST, Budget


def read_map(content: bytes, label: str, budget: Budget) -> dict[str, object] | None:
    """Read the options of a custom operator, if they are a FlexBuffer whose root is a map.

    Nothing in a model tells a FlexBuffer from any other bytes. So the last two bytes decide: if
    they say that the root is a map of a possible width, the content is held to be one, and what
    is wrong in it is an error. Other bytes chosen by an operator's author can end like that by
    chance, so an error here does not make a model a bad one.

    Parameters
    ----------
    content : bytes
        The field `custom_options` of an operator.
    label : str
        Whose options they are, for errors: 'subgraph 0, operator 3'.
    budget : Budget
        It is charged for each value, however many of them the same bytes are.

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
        is nested deeper than 32 levels, or shares parts so much that it would take more than the
        budget.

    Examples
    --------
    >>> from flatbuffers import flexbuffers
    >>> content = bytes(flexbuffers.Dumps({"axis": 1, "names": ["a", "b"]}))
    >>> read_map(content, "operator 0", Budget(len(content)))
    {'axis': 1, 'names': ['a', 'b']}
    >>> read_map(b"other bytes", "operator 0", Budget(11)) is None
    True
    """
    if len(content) < 3 or content[-1] not in _WIDTHS or content[-2] >> 2 != _MAP:
        return None
    width = content[-1]
    reader = _FlexBuffer(content, label, budget)
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


class _FlexBuffer:
    """Reads a FlexBuffer: each read is checked against both ends, each value paid for beforehand.

    Methods that read what an offset leads to have the same parameters: the type, where the thing
    begins, the width of its parts, and how deep it is nested.
    """

    def __init__(self, content: bytes, label: str, budget: Budget) -> None:
        self.content, self.label, self.budget = content, label, budget

    def refuse(self, at: int, fault: str) -> NoReturn:
        """Say what is wrong, and where."""
        raise CorruptModelError(
            f"{self.label}, custom options: {fault} (offset {at:_} of {len(self.content):_})"
        )

    def pay(self, cost: int) -> None:
        """Charge what is about to be read to the budget."""
        self.budget.spend(cost, f"{self.label}, custom options")

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
        self.pay(VALUE_COST + length * CHARACTER_COST)
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
        self.pay(VALUE_COST + (end - at) * CHARACTER_COST)
        return str(self.content[at:end], "utf-8", "backslashreplace")

    def count(self, at: int, width: int, depth: int) -> int:
        """Read the number of elements before a vector, and pay for them."""
        if depth >= MAX_DEPTH:
            self.refuse(at, f"it is nested deeper than {MAX_DEPTH} levels")
        count = self.natural(at - width, width)
        self.require(at, count * width)
        self.pay(count * NUMBER_COST)
        return count

    def vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read a vector whose elements have a type each."""
        count = self.count(at, width, depth)
        types = at + count * width
        self.require(types, count)
        self.pay(count * VALUE_COST)
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
        self.pay((count + 2) * NUMBER_COST)
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
