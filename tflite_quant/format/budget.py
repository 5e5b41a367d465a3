"""How much may be made of a file: the limits that keep small files from making large things.

Tables of a FlatBuffer may refer to the same string, vector or table thousands of times. So whatever
is made of a file is charged *for each reference to it*, before it is made: when the file is opened,
and again for each question that makes more than its file has, such as a report or JSON.

A file in which nothing is shared stays below these limits by far, whatever it holds.
"""

from __future__ import annotations

from ..errors import CorruptModelError

ALWAYS = 64 << 20
"""Bytes that may be made of any file."""
PER_BYTE = 20
"""Bytes that may be made in addition for each byte of the file."""
DENSE_PER_BYTE = 256
"""The same for the dense array of a sparse tensor, which is what its user asks for."""

MAX_ARRAY_RANK = 64
"""The rank of an array with a tensor's values: what numpy can have at most."""
MAX_RANK = 32
"""The rank of a dense array that is made of a sparse tensor: what numpy before 2.0 can have."""
MAX_DEPTH = 32
"""How deep the parts of a FlexBuffer may be nested."""

TABLE_COST, FIELD_COST = 640, 64
"""What a table costs, and each field that its layout has: columns, then an object."""
ELEMENT_COST = 16
"""What each byte of a string or vector costs: text may take 4 bytes a character, or be escaped."""
VALUE_COST, NUMBER_COST, CHARACTER_COST = 1024, 64, 16
"""What a value of a FlexBuffer costs, one in a vector of numbers, and a character: time, too."""


class Budget:
    """What is left to be made of a file, for opening it or for one question.

    Parameters
    ----------
    size : int
        The bytes of the file.
    per_byte : int
        Bytes that may be made for each of them, beside those that always may.

    Examples
    --------
    >>> Budget(80_000).spend(3_600_000_000, "the names of tensors")
    Traceback (most recent call last):
        ...
    tflite_quant.errors.CorruptModelError: the names of tensors would take 3.6 GB from a file of \
80 kB (limit: 68.7 MB)
    """

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
            With what was made before, they are more than the limit.
        """
        self.spent += int(count)
        if self.is_spent:
            raise CorruptModelError(
                f"{what} would take {readable(self.spent)} from a file of {readable(self.size)} "
                f"(limit: {readable(self.limit)})"
            )


def readable(count: int) -> str:
    """Write a number of bytes in three digits.

    Examples
    --------
    >>> readable(0), readable(999), readable(50_368), readable(3_600_000_000)
    ('0 bytes', '999 bytes', '50.4 kB', '3.6 GB')
    """
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if count >= 1000**power:
            return f"{float(f'{count / 1000**power:.3g}'):,.4g} {unit}"
    return f"{count} byte" if count == 1 else f"{count} bytes"
