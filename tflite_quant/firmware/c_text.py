"""Pieces of C: identifiers, comments, numbers and arrays.

A header and its source are made of lines and `Array` objects. A header without a source defines
each array, one with a source declares it, and the source defines it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..escape import for_c_comment

__all__ = [
    "C_TYPES",
    "LONGEST",
    "Array",
    "Names",
    "Part",
    "UnwritableError",
    "alignment",
    "comment",
    "float_literal",
    "identifier",
    "integer_literal",
]

C_TYPES = {
    "i1": "int8_t", "i2": "int16_t", "i4": "int32_t", "i8": "int64_t",
    "u1": "uint8_t", "u2": "uint16_t", "u4": "uint32_t", "u8": "uint64_t",
    "f4": "float", "f8": "double", "f2": "uint16_t", "b1": "uint8_t",
}  # fmt: skip
"""The C types of numpy's types; float16 is written as its bits."""

LONGEST = 40
"""The most characters of a name in the model that a name in C keeps."""

_PER_LINE = 16
"""The values in a line of an array."""


class UnwritableError(Exception):
    """A number cannot be written in C; the message says which."""


class Names:
    """The names of one header: a prefix, and stems of which each is given out once.

    A stem gets endings, such as `_SCALE`. No ending is the end of another after an underscore, so
    that names differ where stems or endings do.

    Parameters
    ----------
    prefix : str
        What all names begin with, as the user writes it.

    Examples
    --------
    >>> names = Names("My net")
    >>> names.prefix, names.unique("conv/kernel", 3), names.unique("conv.kernel", 4)
    ('my_net', 'my_net_conv_kernel', 'my_net_conv_kernel_4')
    """

    prefix: str

    def __init__(self, prefix: str) -> None:
        self.prefix = identifier(prefix) or "model"
        if not self.prefix[0].isalpha():
            self.prefix = f"m{self.prefix}"
        # What is said of the file as a whole, and of its memory.
        self._taken = {"model", "arena"}

    def take(self, stem: str) -> str | None:
        """Return the name with a stem, or None if it is taken."""
        if stem in self._taken:
            return None
        self._taken.add(stem)
        return f"{self.prefix}_{stem}"

    def unique(self, text: str, index: int) -> str:
        """Return a name that is not taken, with the index if it is cut off or was taken."""
        whole = identifier(text) or "tensor"
        stem = whole[:LONGEST].rstrip("_")
        if stem != whole:
            stem = f"{stem}_{index}"
        while (name := self.take(stem)) is None:
            stem = f"{stem}_{index}"
        return name


def identifier(text: str) -> str:
    """Return the letters and digits of a text, with single underscores in place of the rest.

    It is empty if there are none. With a prefix before it, it is no keyword and no reserved name.

    Examples
    --------
    >>> identifier("__Conv2D/kernel:0")
    'conv2d_kernel_0'
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def comment(text: str) -> str:
    """Return a text for a comment, not too long for a line."""
    line = for_c_comment(text)
    return line if len(line) <= 80 else line[:77] + "..."


@dataclass(frozen=True, eq=False)
class Array:
    """A constant array.

    Attributes
    ----------
    name, type : str
        In C.
    values : ndarray, shape (n,)
    align : str
        The macro that aligns it; empty if it is not aligned.

    Raises
    ------
    UnwritableError
        A value is infinite or NaN.
    """

    name: str
    type: str
    values: NDArray[Any]
    align: str = ""

    def __post_init__(self) -> None:
        """Check the values now, where it is known what they are of."""
        if self.values.dtype.kind == "f":
            is_finite = np.isfinite(self.values)
            if not is_finite.all():
                float_literal(self.values[~is_finite][0], self.values.dtype.type)

    @property
    def size(self) -> str:
        """The definition of the number of values."""
        return f"#define {self.name.upper()}_SIZE {self.values.size}"

    def declaration(self) -> Iterator[str]:
        """Yield what a header says of an array that is defined elsewhere."""
        if self.values.size:
            yield f"{self.align}extern const {self._declarator};"

    def definition(self, storage: str = "") -> Iterator[str]:
        """Yield the definition; nothing for an empty array, which C does not have."""
        if not self.values.size:
            return
        yield f"{self.align}{storage}const {self._declarator} = {{"
        for start in range(0, self.values.size, _PER_LINE):
            yield f"  {', '.join(_literals(self.values[start : start + _PER_LINE]))},"
        yield "};"

    @property
    def _declarator(self) -> str:
        return f"{self.type} {self.name}[{self.values.size}]"


Part = str | Array
"""A piece of a header: a line, or lines, or an array."""


def _literals(values: NDArray[Any]) -> list[str]:
    """Return numbers as C literals."""
    if values.dtype.kind == "f":
        return [float_literal(value, values.dtype.type) for value in values.tolist()]
    if values.dtype.itemsize < 4:
        # Most values of a header, and none that needs a suffix; booleans become 0 and 1.
        return list(map(str, values.astype(np.int32).tolist()))
    return [integer_literal(value) for value in values.tolist()]


def integer_literal(value: int) -> str:
    """Return an integer as C has it, with a suffix if it does not fit into 32 bits.

    Examples
    --------
    >>> integer_literal(-3), integer_literal(1 << 31), integer_literal(-(1 << 31))
    ('-3', '2147483648LL', '(-2147483647 - 1)')
    """
    if value in (-(1 << 31), -(1 << 63)):
        # In C, the minus is not part of the literal, which would be too large without it.
        return f"({integer_literal(value + 1)} - 1)"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    return f"{value}{'ULL' if value >= 1 << 63 else 'LL'}"


def float_literal(value: float, dtype: type[np.floating[Any]] = np.float32) -> str:
    """Return a number as a C literal that reads back to the same bits.

    Raises
    ------
    UnwritableError
        It is infinite or NaN.

    Examples
    --------
    >>> float_literal(0.1), float_literal(2), float_literal(0.1, np.float64)
    ('0.100000001f', '2.0f', '0.10000000000000001')
    """
    number = dtype(value)
    if not np.isfinite(number):
        raise UnwritableError(f"{number} cannot be written in C without <math.h>")
    is_float32 = dtype is np.float32
    text = f"{float(number):.{9 if is_float32 else 17}g}"
    if not set(text) & set(".e"):
        text += ".0"
    return text + ("f" if is_float32 else "")


def alignment(macro: str) -> str:
    """Return the definition of a macro that aligns an array, as the compiler knows it."""
    define = f"#define {macro}"
    return f"""\
#if defined(__cplusplus)
{define} alignas(16)
#elif defined(__GNUC__)
{define} __attribute__((aligned(16)))
#elif defined(_MSC_VER)
{define} __declspec(align(16))
#elif defined(__ICCARM__) || defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
{define} _Alignas(16)
#else
{define}
#endif
"""
