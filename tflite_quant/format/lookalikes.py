"""Says what a file is that is no model, or a damaged one, and what to do."""

from __future__ import annotations

import base64
import binascii
import re
import struct

import numpy as np
from numpy.typing import NDArray

from ..errors import NotTFLiteError, plural

_BEGINNINGS = (
    (b"version https://git-lfs", "a Git LFS pointer: fetch the file itself with 'git lfs pull'"),
    (b"PK\x03\x04", "a ZIP archive (.keras, .task, .zip): the model may be inside"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras .h5): convert it to TensorFlow Lite first"),
    (b"\x1f\x8b", "gzip-compressed data: decompress it first"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"LITERTLM", "a LiteRT-LM bundle (.litertlm): take the model out of it first"),
    (b"GGUF", "a GGUF file (llama.cpp): it cannot become a TensorFlow Lite model"),
    (b"\x80\x02", "a pickle (PyTorch, Python): convert the model to TensorFlow Lite first"),
    (b"\x80\x03", "a pickle (PyTorch, Python): convert the model to TensorFlow Lite first"),
    (b"\x80\x04\x95", "a pickle (Python): convert the model to TensorFlow Lite first"),
    (b"\x80\x05\x95", "a pickle (Python): convert the model to TensorFlow Lite first"),
    (b"\x08", "a protocol buffer (ONNX, SavedModel): convert it to TensorFlow Lite first"),
    (b"{", "JSON text"),
)
"""How files begin that are often mistaken for models, and what they are."""
_IDENTIFIERS = {
    b"CIR0": "a Circle model (.circle, Samsung ONE): use that compiler's tools",
    b"ET12": "an ExecuTorch program (.pte): PyTorch's runtime reads it",
}
"""Identifiers of other FlatBuffers."""
_REFERENCES, _BUFFERS = range(6, 20, 2), 12
"""The entries of table Model that refer to something, and that of its buffers."""
_MOST_BUFFERS = 100_000
"""Buffers that are looked at, since a count may be wrong."""
_FEW = 16
"""Bytes beyond the end that a wrong offset can explain as well."""
_MOST_TIMES = 1000
"""How many times as large a model is believed to have been."""
_LINK = re.compile(rb"[\w.~+@ /\\-]{1,1000}\.(tflite|lite|bin)\s?")
_DUMP = re.compile(rb"(0x)?[0-9a-fA-F]{6,16}:? {1,4}([0-9a-fA-F]{2} ?){4}")


def require_identifier(memory: NDArray[np.uint8], identifier: bytes) -> None:
    """Check that a file has a FlatBuffer's identifier.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
    identifier : bytes
        What bytes 4 to 8 must be.

    Raises
    ------
    NotTFLiteError
        They are something else; the message says what the file looks like, and what to do.
    """
    head = memory[:2048].tobytes()
    if head[4:8] == identifier:
        return
    if not head:
        raise NotTFLiteError("not a TensorFlow Lite model: the file is empty")
    what = _known(head, memory.size, identifier)
    if what is not None:
        raise NotTFLiteError(f"not a TensorFlow Lite model: it looks like {what}")
    if head[4:7] == identifier[:3]:
        what = f"a TensorFlow Lite model of another schema, {head[4:8]!r}"
    elif len(head) < 8:
        what = f"only {len(head)} {plural('byte', len(head))}"
    else:
        what = f"bytes 4 to 8 are {head[4:8]!r}"
    raise NotTFLiteError(f"not a TensorFlow Lite model: {what}, expected {identifier!r}")


def _known(head: bytes, size: int, identifier: bytes) -> str | None:
    """Return what a file is, if it is something known."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head[4:8] in _IDENTIFIERS:
        return _IDENTIFIERS[head[4:8]]
    if head[8:12] == identifier and int.from_bytes(head[:4], "little") in range(size + 1):
        return "a size-prefixed FlatBuffer: the model begins after 4 bytes"
    if size <= len(head) and _LINK.fullmatch(head):
        return (
            f"a symbolic link that was stored as text: the model is {head.strip().decode()!r} "
            "beside it"
        )
    if _DUMP.match(text):
        return "a hex dump: 'xxd -r' makes the file of it again"
    if _is_base64(head, identifier):
        return "base64 text: decode it first"
    for start, what in _BEGINNINGS:
        if head.startswith(start) or text.startswith(start):
            return what
    return None


def _is_base64(head: bytes, identifier: bytes) -> bool:
    try:
        return base64.b64decode(head[:12], validate=True)[4:8] == identifier
    except binascii.Error:
        return False


def damage(memory: NDArray[np.uint8], is_cut: bool) -> str:
    """Return what may have happened to a model that is broken; empty if nothing is known.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)
    is_cut : bool
        Whether something was past the end of the file.
    """
    content = memory[: 1 << 20].tobytes()
    line_feeds = content.count(b"\n")
    if line_feeds > 8 and content.count(b"\r\n") == line_feeds:
        return "damaged by line ends becoming CR LF? transfer it as a binary file"
    needed = _needed(memory) if is_cut else 0
    if needed > memory.size + _FEW:
        return f"truncated? it has {memory.size:_} bytes, and the model needs {needed:_}"
    return ""


def _needed(memory: NDArray[np.uint8]) -> int:
    """Return how many bytes a model has at least: up to its last table or the end of a buffer.

    It is called for models that are broken, and so checks nothing and believes little.
    """
    view = memory.data
    try:
        model = struct.unpack_from("<I", view)[0]
        references = {entry: _reference(view, model, entry) for entry in _REFERENCES}
    except (struct.error, OverflowError):
        # 32-bit Python refuses positions of 2 GiB with the latter.
        return 0
    needed = max(references.values()) + 4
    try:
        buffers = references[_BUFFERS]
        count = min(struct.unpack_from("<I", view, buffers)[0], _MOST_BUFFERS)
        for at in range(buffers + 4, buffers + 4 + 4 * count, 4):
            table = at + struct.unpack_from("<I", view, at)[0]
            needed = max(needed, table + 4)
            if data := _reference(view, table, 4):
                needed = max(needed, data + 4 + struct.unpack_from("<I", view, data)[0])
    except (struct.error, OverflowError):
        # What follows is in the part that is missing.
        pass
    # A single offset that is wrong leads anywhere.
    return needed if needed < _MOST_TIMES * memory.size else 0


def _reference(view: memoryview, table: int, entry: int) -> int:
    """Return where a field of a table leads; 0 if it is absent."""
    vtable = table - struct.unpack_from("<i", view, table)[0]
    if vtable < 0:
        raise struct.error("no vtable")
    if entry >= struct.unpack_from("<H", view, vtable)[0]:
        return 0
    offset = struct.unpack_from("<H", view, vtable + entry)[0]
    at = table + offset
    return int(at + struct.unpack_from("<I", view, at)[0]) if offset else 0
