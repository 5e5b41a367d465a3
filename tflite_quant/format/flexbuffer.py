"""Reads FlexBuffers: data that describes its own types, as JSON does.

Most custom operators have their options in this form. A FlexBuffer is read from its end: the last
byte is the width of the root, the byte before it is the root's type, and before that lies the root
itself. A type byte has 6 bits for the type of a value and 2 bits for the width of its parts. A
number lies in place. For any other value there is an offset, an unsigned number: the distance
*back* from the offset to the value. Right before a vector, string or blob lies its length; right
after a vector of mixed types lies a type byte for each element. A map is such a vector, and before
its length lie the offset and the width of the vector of its keys.

So offsets can form cycles, and a value can be referred to a thousand times by values that are
themselves referred to a thousand times. The accessors of `flatbuffers.flexbuffers` follow all of
these. They also follow an offset to before the first byte, which Python counts from the end.
Therefore this library has a reader of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NoReturn

from ..errors import CorruptModelError, plural
from .budget import CHARACTER_COST, MAX_DEPTH, NUMBER_COST, VALUE_COST, Budget


def read_map(content: bytes, label: str, budget: Budget) -> dict[str, object] | None:
    """Read the options of a custom operator, if they are a FlexBuffer whose root is a map.

    Nothing in a model distinguishes a FlexBuffer from other bytes. So the last two bytes decide: if
    they say that the root is a map of a possible width, the content is read as a map, and whatever
    is wrong in it is an error. Other bytes can end in the same way by chance, so an error does not
    mean that the model is corrupt.

    Parameters
    ----------
    content : bytes
        The field `custom_options` of an operator.
    label : str
        The operator, for error messages: 'subgraph 0, operator 3'.
    budget : Budget
        It is charged for each value, even if many values share the same bytes.

    Returns
    -------
    dict or None
        A new dict of str to None, bool, int, float, str, bytes, list or dict; of several values
        with the same key, it has the last. A string that is not UTF-8 is `bytes`, as a blob is; in
        a key, such bytes are shown as escapes. None if the content does not end as a map.

    Raises
    ------
    CorruptModelError
        The content ends as a map, but part of it lies outside the content or has an unknown type,
        it is nested deeper than 32 levels, or it would take more than the budget.

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
"""The possible widths in bytes, and the index of each in the strings of letters below."""

# Types, as include/flatbuffers/flexbuffers.h of google/flatbuffers numbers them.
_NULL, _INT, _UINT, _FLOAT, _KEY, _STRING, _INDIRECT_INT = range(7)
_MAP, _VECTOR, _VECTOR_INT = 9, 10, 11
_VECTOR_INT2 = 16
_BLOB, _BOOL, _VECTOR_BOOL = 25, 26, 36

_LETTERS = {_INT: "bhiq", _UINT: "BHIQ", _FLOAT: "  fd", _BOOL: "BHIQ"}
"""The letters of module `struct` for the numbers of each type, by width."""


class _FlexBuffer:
    """Reads a FlexBuffer: checks each read against both ends, and charges each value beforehand.

    The methods that read what an offset leads to have the same parameters: the type, the position
    of the value, the width of its parts, and the depth of its nesting.
    """

    def __init__(self, content: bytes, label: str, budget: Budget) -> None:
        self.content, self.label, self.budget = content, label, budget

    def refuse(self, at: int, fault: str) -> NoReturn:
        """Raise an error that says what is wrong, and where."""
        raise CorruptModelError(
            f"{self.label}, custom options: {fault} (offset {at:_} of {len(self.content):_})"
        )

    def pay(self, cost: int) -> None:
        """Charge the budget for what is about to be read."""
        self.budget.spend(cost, f"{self.label}, custom options")

    def require(self, at: int, size: int) -> None:
        """Check that bytes lie wholly inside the content."""
        if at < 0 or at + size > len(self.content):
            self.refuse(at, f"{size:_} {plural('byte', size)} outside the content")

    def numbers(self, kind: int, at: int, count: int, width: int) -> list[object]:
        """Read consecutive numbers or booleans."""
        self.require(at, count * width)
        letter = _LETTERS[kind][_WIDTHS[width]]
        if letter == " ":
            # A vector without elements may be narrower than a float.
            return [] if not count else self.refuse(at, f"the width of a float is {width}")
        values = struct.unpack_from(f"<{count}{letter}", self.content, at)
        return [value != 0 for value in values] if kind == _BOOL else list(values)

    def natural(self, at: int, width: int) -> int:
        """Read an unsigned number, such as an offset or a length."""
        self.require(at, width)
        return int.from_bytes(self.content[at : at + width], "little")

    def target(self, at: int, width: int) -> int:
        """Return where an offset leads; what lies there is checked when it is read."""
        return at - self.natural(at, width)

    def value(self, kind: int, at: int, width: int, own_width: int, depth: int) -> object:
        """Read a value of any type.

        `width` is that of the number or offset itself, which its parent sets; `own_width` is that
        of the parts of the value to which the offset leads.
        """
        if kind == _NULL:
            return None
        if kind in _LETTERS:
            return self.numbers(kind, at, 1, width)[0]
        if kind not in _READERS:
            self.refuse(at, f"unknown type {kind}")
        return _READERS[kind](self, kind, self.target(at, width), own_width, depth)

    def indirect(self, kind: int, at: int, width: int, depth: int) -> object:
        """Read a number to which an offset leads."""
        return self.numbers(kind - _INDIRECT_INT + _INT, at, 1, width)[0]

    def blob(self, kind: int, at: int, width: int, depth: int) -> bytes:
        """Read bytes of a known length."""
        length = self.natural(at - width, width)
        self.require(at, length)
        self.pay(VALUE_COST + length * CHARACTER_COST)
        return self.content[at : at + length]

    def string(self, kind: int, at: int, width: int, depth: int) -> str | bytes:
        """Read a string; one that is not UTF-8 stays bytes."""
        return _text(self.blob(kind, at, width, depth))

    def key(self, kind: int, at: int, width: int, depth: int) -> str | bytes:
        """Read a string without a length; one that is not UTF-8 stays bytes."""
        return _text(self.until_zero(at))

    def until_zero(self, at: int) -> bytes:
        """Read the bytes before the next zero byte."""
        self.require(at, 1)
        end = self.content.find(0, at)
        if end < 0:
            self.refuse(at, "a key has no end")
        self.pay(VALUE_COST + (end - at) * CHARACTER_COST)
        return self.content[at:end]

    def count(self, at: int, width: int, depth: int) -> int:
        """Read the number of elements, which lies before a vector, and charge for them."""
        if depth >= MAX_DEPTH:
            self.refuse(at, f"nested deeper than {MAX_DEPTH} levels")
        count = self.natural(at - width, width)
        self.require(at, count * width)
        self.pay(count * NUMBER_COST)
        return count

    def vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read a vector whose elements have a type byte each."""
        count = self.count(at, width, depth)
        types = at + count * width
        self.require(types, count)
        self.pay(count * VALUE_COST)
        packed = self.content[types : types + count]
        return [
            self.value(type >> 2, at + index * width, width, 1 << (type & 3), depth + 1)
            for index, type in enumerate(packed)
        ]

    def typed_vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read a vector of numbers, or of keys."""
        count, element = self.count(at, width, depth), kind - _VECTOR_INT + _INT
        if element in _LETTERS:
            return self.numbers(element, at, count, width)
        # Vectors of strings, which builders no longer write, do not say how wide the lengths are.
        # Strings end with a zero byte as keys do, so they are read as keys, as flatbuffers does.
        offsets = range(at, at + count * width, width)
        return [self.key(_KEY, self.target(offset, width), 1, depth + 1) for offset in offsets]

    def fixed_vector(self, kind: int, at: int, width: int, depth: int) -> list[object]:
        """Read 2 to 4 numbers, which have no length before them."""
        count, element = divmod(kind - _VECTOR_INT2, 3)
        self.pay((count + 2) * NUMBER_COST)
        return self.numbers(element + _INT, at, count + 2, width)

    def mapping(self, kind: int, at: int, width: int, depth: int) -> dict[str, object]:
        """Read a map: a vector of values, before which lies an offset to the vector of its keys."""
        values = self.vector(_VECTOR, at, width, depth)
        keys_width = self.natural(at - 2 * width, width)
        if keys_width not in _WIDTHS:
            self.refuse(at, f"the width of a map's keys is {keys_width:_}, expected 1, 2, 4 or 8")
        keys_at = self.target(at - 3 * width, width)
        if self.natural(keys_at - keys_width, keys_width) != len(values):
            self.refuse(at, "a map does not have as many keys as values")
        offsets = range(keys_at, keys_at + len(values) * keys_width, keys_width)
        keys = [self.until_zero(self.target(offset, keys_width)) for offset in offsets]
        names = [str(key, "utf-8", "backslashreplace") for key in keys]
        return dict(zip(names, values, strict=True))


def _text(content: bytes) -> str | bytes:
    """Return bytes as text if they are UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


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
"""The method that reads what an offset leads to, by type."""
