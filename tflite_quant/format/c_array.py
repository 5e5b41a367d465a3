"""Finds a model in C source: an array of bytes, as `xxd -i` and TFLM's examples write it."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import NotTFLiteError

_LARGEST = 256 << 20
"""Bytes of a text in which a model is looked for."""
_MOST = 10_000
"""Braces that may begin an array."""
_LONGEST = 500
"""Bytes of a declaration, from the name to the brace."""
_OF_NAMES = string.ascii_letters.encode() + string.digits.encode() + b"_"
_MOST_LITERALS = 1500
"""Different ways to write a byte: three bases, with and without suffixes and leading zeros."""


class _Array(NamedTuple):
    """An array in C source: its name, and where its first element and its end are."""

    name: str
    start: int
    end: int


def model_in_text(
    memory: NDArray[np.uint8], identifier: bytes, wanted: str | None = None
) -> NDArray[np.uint8] | None:
    r"""Return the bytes of a model that is an array in C source.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
        The text.
    identifier : bytes
        Bytes 4 to 8 of the arrays that are models.
    wanted : str, optional
        The name of the array.

    Returns
    -------
    ndarray of uint8, or None
        None if it is no text that has such an array.

    Raises
    ------
    NotTFLiteError
        There are several, and none is wanted; or there is none with the name; or the array has
        something else than bytes. The message has the names.

    Examples
    --------
    >>> text = b"const unsigned char g_model[] = {0x1c, 0, 0, 0, 'T', 0x46, 0x4c, 0x33};"
    >>> model_in_text(np.frombuffer(text, np.uint8), b"TFL3").tobytes()
    b'\x1c\x00\x00\x00TFL3'
    """
    if memory.size > _LARGEST or np.count_nonzero(memory[:4096] == 0):
        return None
    text = _without_comments(memory.tobytes())
    models = [array for array in _arrays(text) if _head(text, array)[4:8] == identifier]
    if wanted is None and not models:
        return None
    chosen = [array for array in models if wanted in (None, array.name)]
    names = ", ".join(array.name for array in models) or "none"
    if wanted is not None and len(chosen) != 1:
        raise NotTFLiteError(
            f"no array {wanted!r} that is a model in this C source; it has {names}"
        )
    if len(chosen) > 1:
        raise NotTFLiteError(
            f"{len(chosen)} models in this C source: {names}; open(path, array=NAME) chooses one"
        )
    array = chosen[0]
    return np.frombuffer(_bytes(text[array.start : array.end].split(b","), array.name), np.uint8)


def _without_comments(text: bytes) -> bytes:
    """Return C source without its comments; in one pass, since the text may be hostile."""
    pieces, at = [], 0
    for match in re.finditer(rb"//|/\*", text):
        if match.start() < at:
            continue
        pieces.append(text[at : match.start()])
        ending = b"\n" if match[0] == b"//" else b"*/"
        end = text.find(ending, match.end())
        if end < 0:
            return b"".join(pieces)
        at = end + len(ending)
    return b"".join([*pieces, text[at:]])


def _arrays(text: bytes) -> list[_Array]:
    """Return the arrays with a list of elements, in the order of the text."""
    arrays, at = [], 0
    for _ in range(_MOST):
        start = text.find(b"{", at)
        if start < 0:
            break
        at = start + 1
        name = _declared(text[max(start - _LONGEST, 0) : start])
        if name:
            end = text.find(b"}", start)
            if end < 0:
                break
            arrays.append(_Array(name, start + 1, end))
            at = end
    return arrays


def _declared(text: bytes) -> str:
    """Return the name of the array that is declared right before its elements; else nothing."""
    before, equals, after = text.rpartition(b"=")
    if not equals or after.strip():
        return ""
    base = before[: before.find(b"[", before.rfind(b";") + 1)].rstrip()
    name = base[len(base.rstrip(_OF_NAMES)) :]
    return name.decode("ascii") if b"[" in before else ""


def _head(text: bytes, array: _Array) -> bytes:
    """Return the first bytes of an array; none if they are not bytes."""
    elements = text[array.start : min(array.start + 400, array.end)].split(b",")[:8]
    try:
        return _bytes(elements, array.name)
    except NotTFLiteError:
        return b""


def _bytes(elements: Sequence[bytes], name: str) -> bytes:
    """Return the bytes that literals stand for; a comma may follow the last."""
    literals = [element.strip() for element in elements]
    if literals and not literals[-1]:
        literals.pop()
    different = set(literals)
    if len(different) > _MOST_LITERALS:
        raise NotTFLiteError(f"array {name!r} of this C source has elements that are not bytes")
    values = {literal: _byte(literal, name) for literal in different}
    return bytes(map(values.__getitem__, literals))


def _byte(literal: bytes, name: str) -> int:
    text = literal[:20].decode("latin-1")
    if len(text) == 3 and text[0] == text[2] == "'":
        return ord(text[1]) & 255
    text = text.rstrip("uUlL")
    is_octal = len(text) > 1 and text[0] == "0" and text.isdecimal()
    try:
        value = int(text, 8 if is_octal else 0)
    except ValueError:
        value = 256
    if not -128 <= value <= 255:
        raise NotTFLiteError(
            f"array {name!r} of this C source has the element {literal[:20]!r}, expected a byte"
        )
    return value & 255
