"""Files in which one thing is named thousands of times, and all the questions about a file.

For every vector of tables that the library reads there are files in which it names

- *one table* again and again, which has something long,
- *tables* of their own, which share something long: a string, a vector, a table,
- *parts*: tables of their own with tables of their own in them, which share something long,
- *overlap*: tables of their own, with strings or vectors that begin four bytes after one another.

`python -m tests.bombs [--size BYTES] [--over] [NAME or FILE ...]` prints the processor's seconds
that each question takes of each file, and the memory; for these files, or the bombs whose names
have one of these words.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import tflite

import tflite_quant as tq
from tests import attacks, build
from tests.build import Builder, numbers, raw_table, references, table, text
from tests.work import TooMuch
from tflite_quant.command.cli import main as command

__all__ = ["BOMBS", "COMMANDS", "QUESTIONS", "Answer", "Bomb", "ask", "memory_limit", "walk"]

Fields = dict[str, Any]
Again = Callable[[], Fields]
"""Writes tables that refer to something long, and gives the fields of one that has them."""

Long = Callable[[Builder, int], Again]
"""Writes something of so many bytes, once."""


class Bomb(NamedTuple):
    """A kind of file.

    Attributes
    ----------
    name : str
        The vector, what is long in its tables, and how it is shared.
    write : callable
        Gives a file: of about how many bytes; and how often the thing is named, where the size
        shall not decide. A file in which it is named twice is an honest one.
    """

    name: str
    write: Callable[[int, int | None], bytes]


# What is long.


class Sliding(flatbuffers.Builder):  # type: ignore[misc]  # package flatbuffers has no types
    """A builder of strings and vectors that lie over one another, each a step after the last."""

    step = 0


def row(b: Sliding, size: int, dtype: str = "<u1") -> Callable[[], int]:
    """Write so many bytes, from each fourth of which a vector may begin.

    Each four are a length: that of seven eighths of the row.
    """
    length = size * 7 // 8 // np.dtype(dtype).itemsize
    offset = numbers(b, np.full(size // 4, length), "<u4")
    assert offset is not None
    # Offsets are from the end of the file. The vector's own length is the first of them.
    return lambda: offset - 4 - 4 * b.step


def string(field: str, **others: Any) -> Long:
    """Give a field with a long string; one character of it makes Python take four bytes of each."""

    def write(b: Builder, size: int) -> Again:
        if isinstance(b, Sliding):
            at = row(b, size)
            return lambda: others | {field: at()}
        fields = {field: text(b, "n" * (size - 8) + "\N{GRINNING FACE}")}
        return lambda: others | fields

    return write


def vector(field: str, dtype: str = "<i4", value: float = 0, **others: Any) -> Long:
    """Give a field with a long vector of one number."""

    def write(b: Builder, size: int) -> Again:
        if isinstance(b, Sliding):
            at = row(b, size, dtype)
            return lambda: others | {field: at()}
        fields = {field: numbers(b, np.full(size // np.dtype(dtype).itemsize, value), dtype)}
        return lambda: others | fields

    return write


def tables(field: str, kind: str, **fields: Any) -> Long:
    """Give a field with a long vector that names one table again and again."""

    def write(b: Builder, size: int) -> Again:
        found = {field: references(b, [table(b, kind, **fields)] * (size // 4))}
        return lambda: found

    return write


def inside(field: str, kind: str, *longs: Long, **others: Any) -> Long:
    """Give a field with a table of its own, which has something long."""

    def write(b: Builder, size: int) -> Again:
        parts = [long(b, size // len(longs)) for long in longs]

        def again() -> Fields:
            fields: dict[str, Any] = {}
            for part in parts:
                fields |= part()
            return others | {field: table(b, kind, **fields)}

        return again

    return write


def blocks(b: Builder, size: int) -> Again:
    """Write details of quantization by blocks or axes, which package `tflite` may not know."""
    head = ("Int32", 0), ("Int32", -1), ("Int32", 32)
    values = numbers(b, np.ones(size // 4), "<i4")

    def again() -> Fields:
        return {"details": raw_table(b, *head, ("UOffsetTRelative", values))}

    return again


def custom(write_bytes: Callable[[int], bytes]) -> Long:
    """Give custom options."""

    def write(b: Builder, size: int) -> Again:
        fields = {"custom_options": b.CreateByteVector(write_bytes(size))}
        return lambda: fields

    return write


def flexbuffer(size: int) -> bytes:
    """Build custom options that are a few times larger when they are decoded.

    A vector of two, twice the one below, and so on: as many values as four for each byte.
    """
    levels = max((4 * size).bit_length() - 3, 1)
    return attacks.doubled(bytes(max(size - 5 * levels - 12, 0)), levels)


def option(kind: str, long: Long, union: int = 1) -> Long:
    """Give builtin options."""
    field = "builtin_options" if union == 1 else "builtin_options2"
    number = getattr(tflite.BuiltinOptions if union == 1 else tflite.BuiltinOptions2, kind)
    return inside(field, kind, long, **{f"{field}_type": number})


def quantization(*longs: Long) -> Long:
    """Give quantization parameters."""
    return inside("quantization", "QuantizationParameters", *longs, **INT8)


def detailed(number: int, long: Long) -> Long:
    """Give quantization parameters that have details."""
    return inside("quantization", "QuantizationParameters", with_type(number, long), **INT8)


def with_type(number: int, long: Long) -> Long:
    def write(b: Builder, size: int) -> Again:
        again = long(b, size)
        return lambda: again() | {"details_type": number}

    return write


def sparsity(*longs: Long) -> Long:
    """Give a tensor's sparsity."""
    return inside("sparsity", "SparsityParameters", *longs, **INT8)


def dimension(field: str, dtype: str, kind: str, number: int) -> Long:
    """Give a sparse dimension of which one vector is long, and the other is short."""
    other = ({"array_segments", "array_indices"} - {field}).pop()
    fields = {"format": 1, f"{field}_type": number, f"{other}_type": 3}
    long = inside(field, kind, vector("values", dtype), **fields)

    def write(b: Builder, size: int) -> Again:
        again = long(b, size)
        short = table(b, "Uint8Vector", values=numbers(b, [0, 1], "<u1"))
        return lambda: again() | {other: short}

    return write


INT8 = {"type": tflite.TensorType.INT8, "buffer": 1}
"""A tensor of one value, where the model says nothing else."""

SPARSE_DIMENSIONS = {
    "array_segments": dimension("array_segments", "<i4", "Int32Vector", 1),
    "array_indices": dimension("array_indices", "<u2", "Uint16Vector", 2),
    "array_indices, bytes": dimension("array_indices", "<u1", "Uint8Vector", 3),
}

TENSORS = {
    "name": string("name", **INT8),
    "shape": vector("shape", value=1, **INT8),
    "shape_signature": vector("shape_signature", value=-1, **INT8),
    "scale": quantization(vector("scale", "<f4", 0.5)),
    "zero_point": quantization(vector("zero_point", "<i8")),
    "scale and zero_point": quantization(
        vector("scale", "<f4", 0.5), vector("zero_point", "<i8", 3)
    ),
    "min": quantization(vector("min", "<f4", -1.5)),
    "max": quantization(vector("max", "<f4", 1.5)),
    "custom quantization": detailed(
        1, inside("details", "CustomQuantization", vector("custom", "<u1"))
    ),
    "block_shape": detailed(2, blocks),
    "quantized_dimensions": detailed(3, blocks),
    "traversal_order": sparsity(vector("traversal_order")),
    "block_map": sparsity(vector("block_map")),
    "dim_metadata": sparsity(tables("dim_metadata", "DimensionMetadata", dense_size=1)),
}

OPERATORS = {
    "inputs": vector("inputs"),
    "outputs": vector("outputs"),
    "intermediates": vector("intermediates"),
    "custom_options": custom(bytes),
    "custom_options, FlexBuffer": custom(flexbuffer),
    "new_shape": option("ReshapeOptions", vector("new_shape", value=7)),
    "boundaries": option("BucketizeOptions", vector("boundaries", "<f4", 0.1)),
    "container": option("VarHandleOptions", string("container")),
    "shared_name": option("VarHandleOptions", string("shared_name")),
    "call_target_name": option("StablehloCustomCallOptions", string("call_target_name"), 2),
    "custom_attributes": option(
        "StablehloCustomCallOptions", vector("custom_attributes", "<u1"), 2
    ),
    "edge_padding_low": option("StablehloPadOptions", vector("edge_padding_low", "<i8", 7), 2),
}

SUBGRAPHS = {
    "name": string("name"),
    "inputs": vector("inputs"),
    "outputs": vector("outputs"),
    "tensors": tables("tensors", "Tensor", type=9),
    "operators": tables("operators", "Operator"),
}

SIGNATURES = {
    "signature_key": string("signature_key"),
    "inputs": tables("inputs", "TensorMap"),
    "outputs": tables("outputs", "TensorMap"),
}


# Where it stands.


def entry(b: Builder, kind: str, index: int, fields: Fields) -> int:
    """Write a table, also one of a kind that package `tflite` may not know."""
    if kind == "ExternalBufferGroup":
        return raw_table(b, ("UOffsetTRelative", fields["name"]))
    if kind == "ExternalBuffer":
        head = (("Uint32", 5 + index), ("Uint32", 0), ("Uint64", 0), ("Uint64", 1))
        name = fields.get("packing")
        return raw_table(b, *head, name and ("UOffsetTRelative", name))
    return table(b, kind, **fields)


def finished(b: Builder, **parts: Any) -> bytes:
    """Write table Model; by default it has a buffer of one byte, and one tensor, which has it."""
    if "buffers" not in parts:
        parts["buffers"] = two_buffers(b, numbers(b, [3], "<u1"))
    if "subgraphs" not in parts:
        parts["subgraphs"] = references(b, [table(b, "SubGraph", tensors=a_tensor(b))])
    names = (
        "", "operator_codes", "subgraphs", "description", "buffers", "metadata_buffer", "metadata",
        "signature_defs", "external_buffer_groups", "external_buffers",
    )  # fmt: skip
    slots = [("UOffsetTRelative", parts[name]) if name in parts else None for name in names]
    b.Finish(raw_table(b, ("Uint32", 3), *slots[1:]), file_identifier=b"TFL3")
    return bytes(b.Output())


def two_buffers(b: Builder, data: int | None) -> int:
    """Write a vector of the buffer of nothing, and one that has something."""
    return references(b, [table(b, "Buffer"), table(b, "Buffer", data=data)])


def a_tensor(b: Builder) -> int:
    """Write a vector of one tensor."""
    return references(b, [table(b, "Tensor", name=text(b, "t"), **INT8)])


def graph(b: Builder, **fields: Any) -> int:
    """Write a vector of one subgraph."""
    if "tensors" not in fields:
        fields["tensors"] = a_tensor(b)
    return references(b, [table(b, "SubGraph", **fields)])


def external_tensors(b: Builder, ids: Sequence[int]) -> int:
    """Write tensors whose values are elsewhere, and give the vector."""
    shape = numbers(b, [1], "<i4")
    head = (("UOffsetTRelative", shape), ("Int8", 9), *[None] * 8)
    return references(b, [raw_table(b, *head, ("Uint32", id)) for id in ids])


def in_tensors(b: Builder, offsets: list[int]) -> bytes:
    return finished(b, subgraphs=graph(b, tensors=references(b, offsets)))


def in_operators(b: Builder, offsets: list[int]) -> bytes:
    code = table(b, "OperatorCode", builtin_code=32, custom_code=text(b, "c"))
    steps = references(b, offsets)
    parts = {"operator_codes": references(b, [code]), "subgraphs": graph(b, operators=steps)}
    return finished(b, **parts)


def in_operator_codes(b: Builder, offsets: list[int]) -> bytes:
    steps = [table(b, "Operator", opcode_index=index) for index in range(len(offsets))]
    subgraphs = graph(b, operators=references(b, steps))
    return finished(b, operator_codes=references(b, offsets), subgraphs=subgraphs)


def in_subgraphs(b: Builder, offsets: list[int]) -> bytes:
    codes = references(b, [table(b, "OperatorCode")])
    return finished(b, operator_codes=codes, subgraphs=references(b, offsets))


def in_metadata(b: Builder, offsets: list[int]) -> bytes:
    return finished(b, metadata=references(b, offsets))


def in_signatures(b: Builder, offsets: list[int]) -> bytes:
    return finished(b, signature_defs=references(b, offsets))


def in_signature(field: str) -> Callable[[Builder, list[int]], bytes]:
    def write(b: Builder, offsets: list[int]) -> bytes:
        entries, key = references(b, offsets), text(b, "s")
        one = table(b, "SignatureDef", signature_key=key, **{field: entries})
        return finished(b, signature_defs=references(b, [one]))

    return write


def in_groups(b: Builder, offsets: list[int]) -> bytes:
    tensors = external_tensors(b, [5])
    buffers = references(b, [entry(b, "ExternalBuffer", 0, {})])
    groups = references(b, offsets)
    parts = {"external_buffer_groups": groups, "external_buffers": buffers}
    return finished(b, **parts, subgraphs=graph(b, tensors=tensors))


def in_external_buffers(b: Builder, offsets: list[int]) -> bytes:
    ids = range(5, 5 + (len(offsets) if len(set(offsets)) > 1 else 1))
    tensors = external_tensors(b, list(ids))
    groups = references(b, [entry(b, "ExternalBufferGroup", 0, {"name": text(b, "weights.bin")})])
    parts = {"external_buffer_groups": groups, "external_buffers": references(b, offsets)}
    return finished(b, **parts, subgraphs=graph(b, tensors=tensors))


def in_dimensions(b: Builder, offsets: list[int]) -> bytes:
    layout = table(b, "SparsityParameters", dim_metadata=references(b, offsets))
    one = table(b, "Tensor", sparsity=layout, name=text(b, "t"), **INT8)
    return finished(b, subgraphs=graph(b, tensors=references(b, [one])))


class Vector(NamedTuple):
    """A vector of tables: the model around it, its tables' kind, what can be long in them.

    `beside` is how many bytes the model has for each table of it in other places.
    """

    name: str
    model: Callable[[Builder, list[int]], bytes]
    kind: str
    longs: Mapping[str, Long]
    beside: int = 0


VECTORS = (
    Vector("operator_codes", in_operator_codes, "OperatorCode", {
        "custom_code": string("custom_code", builtin_code=32),
    }, 16),
    Vector("subgraphs", in_subgraphs, "SubGraph", SUBGRAPHS),
    Vector("metadata", in_metadata, "Metadata", {"name": string("name")}),
    Vector("signature_defs", in_signatures, "SignatureDef", SIGNATURES),
    Vector("external_buffer_groups", in_groups, "ExternalBufferGroup", {"name": string("name")}),
    Vector("external_buffers", in_external_buffers, "ExternalBuffer", {
        "packing": string("packing"),
    }, 24),
    Vector("tensors", in_tensors, "Tensor", TENSORS),
    Vector("operators", in_operators, "Operator", OPERATORS),
    Vector("signature inputs", in_signature("inputs"), "TensorMap", {"name": string("name")}),
    Vector("signature outputs", in_signature("outputs"), "TensorMap", {"name": string("name")}),
    Vector("dim_metadata", in_dimensions, "DimensionMetadata", SPARSE_DIMENSIONS),
)  # fmt: skip
"""Every vector of tables that the library reads but `buffers`, which are named by index: below."""

WAYS = {"one table": 4, "tables": 16, "parts": 32, "overlap": 32}
"""How things are shared, and how many bytes each further use takes."""


def bomb(of: Vector, word: str, long: Long, way: str) -> Bomb:
    """Give the bomb that has one long thing in one vector, shared in one way."""

    def write(size: int, count: int | None) -> bytes:
        if way == "overlap":
            # Fewer fit, since each begins where the others have not ended.
            b, size = Sliding(1024), 2 * size
            number = count or size // 128
        else:
            b = build.start()
            number = count or size // 2 // (WAYS[way] + of.beside)
        again = long(b, size // 2)
        if of.kind == "SubGraph" and word != "tensors":
            again = with_tensor(b, again)
        if way == "one table":
            return of.model(b, [entry(b, of.kind, 0, again())] * number)
        shared, offsets = again(), []
        for index in range(number):
            if isinstance(b, Sliding):
                b.step = index
            offsets.append(entry(b, of.kind, index, shared if way == "tables" else again()))
        return of.model(b, offsets)

    return Bomb(f"{of.name}, {word}, {way}", write)


def with_tensor(b: Builder, again: Again) -> Again:
    """Give subgraphs a tensor, which what is long in them may be about."""
    tensors = a_tensor(b)
    return lambda: {"tensors": tensors} | again()


# Things that are shared by their index, not by an offset.


def names_of_codes(size: int, count: int | None) -> bytes:
    """Build operators of one custom operator with a long name."""
    b = build.start()
    fields = string("custom_code", builtin_code=32)(b, size // 2)()
    codes = references(b, [table(b, "OperatorCode", **fields)])
    steps = references(b, [table(b, "Operator")] * (count or size // 8))
    return finished(b, operator_codes=codes, subgraphs=graph(b, operators=steps))


def names_of_files(field: str) -> Callable[[int, int | None], bytes]:
    """Build tensors with one external buffer, whose file or packing has a long name."""

    def write(size: int, count: int | None) -> bytes:
        b = build.start()
        name = text(b, "n" * (size // 2))
        short = text(b, "weights.bin")
        groups = references(b, [raw_table(b, ("UOffsetTRelative", name if field else short))])
        one = entry(b, "ExternalBuffer", 0, {} if field else {"packing": name})
        number = count or size // 2 // 24
        parts = {"external_buffer_groups": groups, "external_buffers": references(b, [one])}
        tensors = external_tensors(b, [5] * number)
        return finished(b, **parts, subgraphs=graph(b, tensors=tensors))

    return write


def values(
    kind: int, bits: int, scale: float | None = None, way: str = "one table"
) -> Callable[[int, int | None], bytes]:
    """Build tensors that share a buffer of values, which may be larger when they are read.

    In another way, each has a buffer of its own: the vector `buffers` names one table again and
    again, or tables that share the vector of values.
    """

    def write(size: int, count: int | None) -> bytes:
        b = build.start()
        content = bytes(size // 2 // 8 * 8)
        if kind == tflite.TensorType.STRING:
            # As many empty strings as fit: a count, and where each begins.
            words = len(content) // 4 - 2
            content = np.array([words, *[4 * (words + 2)] * (words + 1)], "<i4").tobytes()
            shape = numbers(b, [words], "<i4")
        else:
            shape = numbers(b, [8 * len(content) // bits], "<i4")
        fields: dict[str, Any] = {"type": kind, "shape": shape, "name": text(b, "t")}
        if scale is not None:
            parts = {"scale": numbers(b, [scale], "<f4"), "zero_point": numbers(b, [0], "<i8")}
            fields["quantization"] = table(b, "QuantizationParameters", **parts)
        data = numbers(b, np.frombuffer(content, np.uint8), "<u1")
        if way == "one table":
            tensors = [table(b, "Tensor", buffer=1, **fields)] * (count or size // 8)
            return finished(
                b, buffers=two_buffers(b, data), subgraphs=graph(b, tensors=references(b, tensors))
            )
        number = count or size // 2 // 44
        if way == "buffers":
            buffers = [table(b, "Buffer", data=data)] * number
        else:
            buffers = [table(b, "Buffer", data=data) for _ in range(number)]
        tensors = [table(b, "Tensor", buffer=1 + index, **fields) for index in range(number)]
        return finished(
            b,
            buffers=references(b, [table(b, "Buffer"), *buffers]),
            subgraphs=graph(b, tensors=references(b, tensors)),
        )

    return write


def scales_of_blocks(size: int, count: int | None) -> bytes:
    """Build tensors quantized by blocks whose scales are one long tensor."""
    b = build.start()
    content = np.full(size // 4, 0x3C00, "<u2").view("<u1")
    buffers = two_buffers(b, numbers(b, content, "<u1"))
    shape = numbers(b, [size // 4], "<i4")
    scales = table(b, "Tensor", type=tflite.TensorType.BFLOAT16, shape=shape, buffer=1)
    details = raw_table(b, ("Int32", 0), ("Int32", -1), ("Int32", 32))
    parts = table(b, "QuantizationParameters", details=details, details_type=2)
    one = table(b, "Tensor", quantization=parts, name=text(b, "t"), **INT8)
    tensors = references(b, [scales, *[one] * (count or size // 8)])
    return finished(b, buffers=buffers, subgraphs=graph(b, tensors=tensors))


def flexbuffers(size: int, count: int | None) -> bytes:
    """Build operators that each have small custom options of their own, which expand."""
    b = build.start()
    vectors = [b.CreateByteVector(flexbuffer(100)) for _ in range(count or size // 128)]
    return in_operators(b, [table(b, "Operator", custom_options=one) for one in vectors])


def large_custom_options(size: int, count: int | None) -> bytes:
    """Build operators whose custom options are the same bytes of the file, not of a vector."""
    b = build.start()
    filling = size // 2
    b.CreateByteVector(bytes(filling))
    fields = {"large_custom_options_offset": 64, "large_custom_options_size": filling}
    number = count or size // 8
    return in_operators(b, [table(b, "Operator", **fields)] * number)


INDEXED = {
    "operators of one code, custom_code": names_of_codes,
    "tensors of one external buffer, name": names_of_files("name"),
    "tensors of one external buffer, packing": names_of_files(""),
    "tensors of one buffer, INT8": values(9, 8, 0.5),
    "tensors of one buffer, INT4": values(17, 4, 0.5),
    "tensors of one buffer, BFLOAT16": values(18, 16),
    "tensors of one buffer, STRING": values(5, 8),
    "tensors of one buffer, FLOAT16": values(1, 16),
    "buffers, data, one table": values(9, 8, 0.5, "buffers"),
    "buffers, data, tables": values(9, 8, 0.5, "tables"),
    "tensors of one tensor of scales": scales_of_blocks,
    "operators, small FlexBuffers": flexbuffers,
    "operators, large_custom_options": large_custom_options,
}


INDICES = ("inputs", "outputs", "intermediates", "tensors", "operators", "dim_metadata")
WHOLE = ("custom_options", "custom_options, FlexBuffer", "block_shape", "quantized_dimensions")
"""What cannot overlap, since it has indices or offsets; and what the above writes in one way."""


def ways(of: Vector, word: str) -> Iterator[str]:
    """Give the ways in which something long can be shared."""
    yield from ("one table", "tables")
    again = of.longs[word](b := build.start(), 64)
    before = b.Offset()
    again()
    if b.Offset() != before:
        # It lies in a table that the tables of the vector may share, or have each.
        yield "parts"
    if word not in INDICES + WHOLE:
        yield "overlap"


BOMBS = {
    one.name: one
    for of in VECTORS
    for word, long in of.longs.items()
    for one in (bomb(of, word, long, way) for way in ways(of, word))
} | {name: Bomb(name, write) for name, write in INDEXED.items()}


# The questions.


class Sink(io.TextIOBase):
    """Counts what is printed, and keeps none of it."""

    size = 0

    def write(self, text: str) -> int:
        """Count."""
        self.size += len(text)
        return len(text)

    def writable(self) -> bool:
        """Say yes."""
        return True


class Answer(NamedTuple):
    """What became of a question: what was refused, by which message, and how much was printed."""

    refused: Mapping[str, str] = MappingProxyType({})
    printed: int = 0


KEPT = {
    tq.Tensor: (
        "name", "type", "dtype", "shape", "shape_signature", "has_rank", "is_variable", "is_sparse",
        "is_constant", "buffer", "external_buffer", "nbytes", "quantization", "sparsity",
    ),
    tq.Operator: (
        "name", "code", "custom_name", "version", "inputs", "outputs", "intermediates", "options",
        "options_name", "custom_data", "custom_options",
    ),
    tq.Subgraph: ("name", "inputs", "outputs"),
    tq.Buffer: ("index", "nbytes", "offset", "data"),
    tq.Metadata: ("name", "buffer", "data"),
    tq.Signature: ("key", "inputs", "outputs"),
}  # fmt: skip
"""What users ask of many objects and keep, as in `[tensor.name for tensor in model.tensors]`."""

DROPPED = {
    tq.Tensor: ("stored", "data", "dequantize"),
    tq.Operator: (),
}
"""What users ask of one object after another: it may be large each time."""


def walk(model: tq.Model, with_values: bool = True) -> dict[str, str]:
    """Ask everything of every object, and give the first refusal of each question.

    What is kept is kept until the end, so that it is counted.
    """
    dropped = DROPPED if with_values else {}
    refused: dict[str, str] = {}
    kept: list[object] = []

    def ask_one(thing: Any, name: str, is_kept: bool) -> None:
        try:
            answer = getattr(thing, name)
            answer = answer() if name in ("dequantize", "__repr__") else answer
            if is_kept:
                kept.append(answer)
        except tq.TFLiteError as error:
            refused.setdefault(f"{type(thing).__name__}.{name}", str(error))

    for thing in things(model, refused):
        for name in KEPT[type(thing)]:
            ask_one(thing, name, True)
        for name in (*dropped.get(type(thing), ()), "__repr__"):
            ask_one(thing, name, False)
    for name in ("version", "description", "inputs", "outputs", "__repr__"):
        ask_one(model, name, True)
    return refused


def things(model: tq.Model, refused: dict[str, str]) -> Iterator[Any]:
    """Give all objects of a model; a list of them may be refused, too."""

    def listed(thing: Any, name: str) -> Sequence[Any]:
        try:
            found: Sequence[Any] = getattr(thing, name)
        except tq.TFLiteError as error:
            refused.setdefault(f"{type(thing).__name__}.{name}", str(error))
            return ()
        return found

    for name in ("buffers", "metadata", "signatures"):
        yield from listed(model, name)
    for subgraph in listed(model, "subgraphs"):
        yield subgraph
        yield from listed(subgraph, "tensors")
        yield from listed(subgraph, "operators")


def walked(path: str) -> Answer:
    """Open and ask everything; each question is refused or answered."""
    return Answer(walk(tq.open(path)))


def details(path: str) -> object:
    model = tq.open(path)
    return [model.get_tensor_details(index) for index in range(len(model.subgraphs))]


def run(*arguments: str) -> Callable[[str], Answer]:
    """Run the command; a refusal is status 2 and one line."""

    def ask_command(path: str) -> Answer:
        sink, errors = Sink(), io.StringIO()
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(errors):
            status = command([arguments[0], path, *arguments[1:]])
        lines = errors.getvalue().splitlines()
        if status == 2:
            assert len(lines) == 1, lines[:3]
            return Answer({"all": lines[0]}, sink.size)
        assert status == 0 or (status == 1 and arguments[0] == "check"), status
        assert not lines, lines[:3]
        return Answer(printed=sink.size)

    return ask_command


COMMANDS = {
    " ".join(one): run(*one)
    for one in (
        ("show",),
        ("show", "--json"),
        ("show", "--operators"),
        ("check",),
        ("check", "--format", "json"),
        ("check", "--format", "sarif"),
        ("analyze",),
        ("header",),
    )
}

QUESTIONS: Mapping[str, Callable[[str], object]] = {
    "open": tq.open,
    "properties": walked,
    "tq.check": lambda path: str(tq.check(path)),
    "tq.compare": lambda path: tq.compare(path, path),
    "tq.analyze": tq.analyze,
    "summary": lambda path: str(tq.open(path).summary()),
    "details": details,
    "c_header": lambda path: tq.c_header(path, tensors=["*"]),
    "memory_plan": tq.memory_plan,
    "model_cost": tq.model_cost,
    **COMMANDS,
}


def ask(question: str, path: str) -> Answer:
    """Ask a question of a file: an answer, a `TFLiteError`, or a failure."""
    try:
        found = QUESTIONS[question](path)
    except tq.TFLiteError as error:
        return Answer({"all": str(error)})
    return found if isinstance(found, Answer) else Answer()


def memory_limit(size: int) -> int:
    """Give the bytes that an answer about a file of some size may take."""
    return 64_000_000 + 20 * size


# By hand.

SECONDS = 2.0
_ENOUGH = 30
"""Seconds of the processor after which a question is given up."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m tests.bombs", description=__doc__)
    parser.add_argument("names", nargs="*", help="files, or words in the names of bombs")
    parser.add_argument("--size", type=int, default=80_000, help="bytes of each bomb")
    parser.add_argument("--over", action="store_true", help="print what is past a limit only")
    options = parser.parse_args()
    limit_memory()
    paths = [name for name in options.names if os.path.isfile(name)]
    words = [name for name in options.names if name not in paths]
    print(f"{'file':52} {'question':20} {'s':>7} {'MB':>7}  outcome")
    for path in paths:
        _rows(Path(path).stem, path, options.over)
    if paths and not words:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "bomb.tflite"))
        for name, one in BOMBS.items():
            if not words or any(word in name for word in words):
                Path(path).write_bytes(one.write(options.size, None))
                _rows(name, path, options.over)


def _rows(name: str, path: str, only_over: bool) -> None:
    """Print a line for each question; all are refused alike if the file does not open."""
    size = os.path.getsize(path)
    for question in QUESTIONS:
        start = time.process_time()
        outcome = _outcome(question, path)
        seconds = time.process_time() - start
        peak = 0
        if seconds < _ENOUGH / 4:
            tracemalloc.start()
            _outcome(question, path)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        is_over = seconds > SECONDS or peak > memory_limit(size) or outcome.startswith("FAILED")
        if is_over or not only_over:
            mark = "!" if is_over else " "
            megabytes = f"{peak / 1e6:7.1f}" if peak else "      ?"
            row = f"{name[:52]:52} {question:20} {seconds:7.2f} {megabytes} {mark}"
            print(row, outcome[:150], flush=True)
        if question == "open" and outcome.startswith("refused:"):
            return


def _outcome(question: str, path: str) -> str:
    """Say in words what became of a question."""

    def give_up(*_: object) -> None:
        raise TooMuch

    signal.signal(signal.SIGPROF, give_up)
    signal.setitimer(signal.ITIMER_PROF, _ENOUGH)
    try:
        answer = ask(question, path)
    except TooMuch:
        return f"FAILED: given up after {_ENOUGH} s"
    except Exception as error:
        return f"FAILED: {type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    for what, message in answer.refused.items():
        text = message.removeprefix("tflite-quant: ").removeprefix(f"{path}: ")
        return f"refused: {text}" if what == "all" else f"refused {what}: {text}"
    return "answered" + (f", {answer.printed:_} characters" if answer.printed else "")


def limit_memory() -> None:
    """Keep what takes all memory from taking the machine's."""
    if sys.platform != "win32":
        import resource  # noqa: PLC0415  # not on every system

        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


if __name__ == "__main__":
    main()
