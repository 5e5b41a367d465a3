"""The limits on what may be made from a file, so that a small file cannot fill the memory.

Tables of a FlatBuffer may refer to the same string, vector or table thousands of times. So whatever
is made from a file is charged *for each reference to it*, before it is made: once when the file is
opened, and again for each answer that can be larger than the file, such as a report or JSON.

A file that shares nothing stays far below these limits, whatever it holds.
"""

from __future__ import annotations

from ..errors import CorruptModelError, plural

ALWAYS = 64 << 20
"""Bytes that may be made from any file."""
PER_BYTE = 20
"""Bytes that may be made in addition for each byte of the file."""
DENSE_PER_BYTE = 256
"""The same for the dense array of a sparse tensor, for which the user asks."""

MAX_ARRAY_RANK = 64
"""The rank of an array with a tensor's values: what numpy can have at most."""
MAX_RANK = 32
"""The rank of a dense array that is made of a sparse tensor: what numpy before 2.0 can have."""
MAX_DEPTH = 32
"""How deep the parts of a FlexBuffer may be nested."""

TABLE_COST, FIELD_COST = 64, 32
"""What a table costs, and each field of its layout: they become rows of columns."""
OBJECT_COST = 300
OBJECT_COSTS = {"SubGraph": 30_000, "Tensor": 900, "Operator": 700}
"""What the object costs that is made of a table; a subgraph also takes a millisecond each time."""
VECTOR_COST, ELEMENT_COST = 8, 16
"""What a byte of a vector of numbers costs that stay an array, and any other byte.

A character may take 4 bytes, or be an escape; shapes and operands become Python's own integers.
"""
VALUE_COST, NUMBER_COST, CHARACTER_COST = 1024, 64, 16
"""What a FlexBuffer's value costs, a number in a vector, and a character; this limits time, too."""

_MOST_READABLE = 10**15
"""Bytes from which on nobody wants to know how many there are."""


def table_cost(name: str, fields: int) -> int:
    """Return what a table of some fields costs, without what it refers to."""
    return TABLE_COST + FIELD_COST * fields + OBJECT_COSTS.get(name, OBJECT_COST)


class Budget:
    """Counts the bytes that are made from a file, to open it or to answer one question.

    Parameters
    ----------
    size : int
        The size of the file in bytes.
    per_byte : int
        Bytes that may be made for each byte of the file, in addition to `ALWAYS`.

    Examples
    --------
    >>> Budget(80_000).spend(3_600_000_000, "the names of tensors")
    Traceback (most recent call last):
        ...
    tflite_quant.errors.CorruptModelError: the names of tensors would take 3.6 GB from a file of \
80 kB (limit: 68.7 MB)
    """

    size: int
    limit: int
    spent: int

    __slots__ = ("limit", "size", "spent")

    def __init__(self, size: int, per_byte: int = PER_BYTE) -> None:
        self.size, self.limit, self.spent = size, ALWAYS + per_byte * size, 0

    @property
    def is_spent(self) -> bool:
        """Whether more than the limit has been charged."""
        return self.spent > self.limit

    def spend(self, count: int, what: str) -> None:
        """Charge bytes that are about to be made.

        Raises
        ------
        CorruptModelError
            Together with what was charged before, they exceed the limit.
        """
        self.spent += int(count)
        if self.is_spent:
            raise CorruptModelError(
                f"{what} would take {readable(self.spent)} from a file of {readable(self.size)} "
                f"(limit: {readable(self.limit)})"
            )


def readable(count: int) -> str:
    """Return a number of bytes as text with three digits.

    Examples
    --------
    >>> readable(0), readable(999), readable(50_368), readable(3_600_000_000)
    ('0 bytes', '999 bytes', '50.4 kB', '3.6 GB')
    """
    if count >= _MOST_READABLE:
        # A product of dimensions may be larger than any float.
        return f"over {_MOST_READABLE // 1000**4:,} TB"
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{float(f'{count / 1000**power:.3g}'):,.4g} {unit}"
    return f"{count} {plural('byte', count)}"
