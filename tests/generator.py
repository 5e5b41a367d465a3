"""Makes models that no converter writes: every type, scheme, operator and reference, and extremes.

A model follows from a sequence of small numbers, so that a test can look for the shortest sequence
that makes it fail. The number 0 always stands for what is plainest. Each model has a theme, of
which it has extremes; the rest of it is tame, or it would not open.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tflite
from flatbuffers import flexbuffers

from tests import build
from tests.build import Builder
from tests.mutation import Draw
from tflite_quant.format import schema
from tflite_quant.format.flatbuffer import Kind, Layout

__all__ = ["THEMES", "Choices", "Made", "generated"]

T = TypeVar("T")

THEMES = (
    "types", "schemes", "shapes", "sparse", "operators", "FlexBuffers", "external", "shared",
    "cycles", "names", "lengths", "compressed", "all",
)  # fmt: skip


class Made(NamedTuple):
    """A model, and the theme of which it has extremes."""

    theme: str
    content: bytes


class Choices:
    """Gives numbers below a limit, from a sequence and then from a source, and remembers them."""

    def __init__(self, source: Draw, given: Sequence[int] = ()) -> None:
        self.source, self.given, self.made = source, given, list[int]()

    def __call__(self, limit: int) -> int:
        """Give a number."""
        position = len(self.made)
        limit = max(limit, 1)
        number = self.given[position] % limit if position < len(self.given) else self.source(limit)
        self.made.append(number)
        return number


NAMES: tuple[str | bytes, ...] = (
    "t", "", "conv2d/kernel;conv2d/bias", "*/ int x; /*", "/*/", "a\\\nb", "a??/\nb", "%s%n", "\0a",
    "\x1b[31m\x9b0m", "\n::error::x", "##[error]x##vso[y]", "x\r::warning::y", "\u202egnp.exe",
    "{0}", b"\xff\xfe\x80", "a" * 3000, "größe", "[x](http://y)", "-o", "__proto__", "$(x) `id`",
    "  ", "\ud7ff\U0001f600" * 50, "<script>alert(1)</script>", "::" * 40, "=cmd|' /C calc'!A0",
    "x:0",
)  # fmt: skip
FILES = ("weights.bin", "model.tflite", "none.bin", "folder", "pipe", "../x", "", "a/b", "x\0", ".")
_EDGES = (0, 1, -1, 2, 3, 127, 255, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**63 - 1, -(2**63))
_REALS = (1.0, 0.5, 0.0, -1.0, 1e-45, 1e-30, 3.4e38, math.inf, -math.inf, math.nan, 1 / 256)
_SHAPES: tuple[list[int], ...] = (
    [], [0], [-1], [2**31 - 1], [-(2**31)], [2**31 - 1, 0], [0, 2**31 - 1], [2**31 - 1] * 3,
    [65536] * 4, [1] * 32, [1] * 33, [1] * 64, [1] * 65, [1] * 500, [0] * 64, [2] * 64, [3] * 41,
    [1, 2**30], [4096, 4096], [0, -1], [1] * 63 + [0], [1] * 20_000,
)  # fmt: skip
_TYPES: Sequence[int] = (9, 0, 2, 3, 7, 4, *range(23))
_UNKNOWN_TYPES: Sequence[int] = (23, 99, -1, 127, -128)
_WIDTHS = {type.value: 1 for type in schema.TensorType} | {0: 4, 1: 2, 2: 4, 4: 8, 7: 2, 8: 8}
_WIDTHS |= {10: 8, 11: 16, 12: 8, 15: 4, 16: 2, 18: 2}
_SLOTS = {
    "i1": "Int8", "u1": "Uint8", "b1": "Bool", "i2": "Int16", "u2": "Uint16", "i4": "Int32",
    "u4": "Uint32", "i8": "Int64", "u8": "Uint64", "f4": "Float32", "f8": "Float64",
}  # fmt: skip


def generated(draw: Draw) -> Made:
    """Make a model as a source of numbers says."""
    theme = THEMES[draw(len(THEMES))]
    content = _Maker(draw, theme).model()
    if theme == "lengths":
        content = _with_wrong_words(content, draw)
    return Made(theme, content)


def _with_wrong_words(content: bytes, draw: Draw) -> bytes:
    """Put extreme numbers where lengths and offsets may be."""
    changed = bytearray(content)
    for _ in range(1 + draw(4)):
        word = 4 * draw(len(content) // 4)
        number = (*_EDGES[:11], len(content) - word, len(content) // 4)[draw(13)]
        struct.pack_into("<I", changed, word, number % (1 << 32))
    return bytes(changed)


def put(b: Builder, layout: Layout, fields: Mapping[str, Any]) -> int:
    """Write a table of any layout; what is None is left out."""
    by_name = {field.name: field for field in layout.fields}
    b.StartObject(max((field.entry for field in layout.fields), default=2) // 2 - 1)
    for name, value in fields.items():
        field = by_name[name]
        if value is None:
            continue
        slot = (field.entry - 4) // 2
        if field.kind is not Kind.NUMBER:
            b.PrependUOffsetTRelativeSlot(slot, value, 0)
            continue
        kind = field.dtype.str[1:]
        number = _fitted(value, kind)
        getattr(b, f"Prepend{_SLOTS[kind]}Slot")(slot, number, field.default)
    return int(b.EndObject())


def _fitted(value: float, kind: str) -> float:
    """Give a number that a field can hold."""
    if kind[0] == "f":
        return float(value)
    bits = 8 * int(kind[1:])
    if kind[0] == "b":
        return bool(value)
    wrapped = int(value) % (1 << bits)
    return wrapped - (1 << bits) if kind[0] == "i" and wrapped >> (bits - 1) else wrapped


class _Maker:
    """Makes one model; each method writes one thing and gives its offset."""

    def __init__(self, draw: Draw, theme: str) -> None:
        self.b, self.draw, self.theme = build.start(), draw, theme
        self.buffers: list[int] = [build.table(self.b, "Buffer")]
        self.graph_count = 1 + draw(3)
        self.counts = [1 + draw(8) for _ in range(self.graph_count)]
        self.external = self.is_about("external")

    def is_about(self, theme: str) -> bool:
        """Tell whether extremes of something are wanted."""
        return self.theme in (theme, "all")

    def wild(self, theme: str, one_in: int = 2) -> bool:
        """Tell whether this one is to be an extreme."""
        return self.is_about(theme) and self.draw(one_in) == one_in - 1

    def pick(self, values: Sequence[T]) -> T:
        """Choose one of some values."""
        return values[self.draw(len(values))]

    def name(self) -> int | None:
        """Write a name."""
        name = self.pick(NAMES) if self.wild("names") else f"t{self.draw(5)}"
        return build.text(self.b, name)

    def repeated(self, write: Callable[[], int], most: int) -> int:
        """Write a vector of tables, one of them perhaps thousands of times."""
        tables = [write() for _ in range(self.draw(most + 1))]
        return build.references(self.b, self.multiplied(tables))

    def multiplied(self, tables: list[int]) -> list[int]:
        """Repeat one of some tables, if the theme is sharing."""
        if tables and self.wild("shared", 8):
            tables += [self.pick(tables)] * self.pick((20, 300, 1000, 3000))
        return tables

    def numbers(self, values: Sequence[float] | None, kind: str) -> int | None:
        """Write a vector of numbers."""
        return None if values is None else build.numbers(self.b, values, f"<{kind}")

    def edges(self, kind: str, most: int = 4) -> int | None:
        """Write a vector of extreme numbers."""
        values = [_fitted(self.pick(_EDGES), kind) for _ in range(self.draw(most + 1))]
        return self.numbers(np.array(values, f"<{kind}"), kind)  # type: ignore[arg-type]

    # Tensors.

    def shape(self) -> list[int]:
        """Choose a shape."""
        if self.wild("shapes"):
            return list(self.pick(_SHAPES))
        return [1 + self.draw(4) for _ in range(self.draw(5))]

    def number_of_a_type(self) -> int:
        """Choose a tensor type."""
        return self.pick(_UNKNOWN_TYPES if self.wild("types", 4) else _TYPES)

    def tensor(self, graph: int, index: int) -> int:
        """Write a tensor."""
        shape, type = self.shape(), self.number_of_a_type()
        buffer = None
        if self.is_about("compressed") and self.draw(4):
            # Two constants, and what a DECODE may make of them.
            type = self.pick((9, 9, 7, 0, 6, 4, 2, 3))
            contents = bytes(self.draw(256) for _ in range(8)) * 8, self.ancillary(), None
            content = contents[index % 3]
            buffer = 0 if content is None else self.stored(content)
        fields = {
            "name": self.name(),
            "shape": self.numbers(shape, "i4"),
            "type": type,
            "buffer": self.buffer(shape, type) if buffer is None else buffer,
            "quantization": self.quantization(graph, shape),
            "is_variable": self.draw(8) == 7,
            "has_rank": self.draw(4) == 3,
        }
        if self.draw(8) == 7:
            fields["shape_signature"] = self.edges("i4")
        if self.is_about("sparse"):
            fields["sparsity"] = self.sparsity(shape)
        if self.external and self.draw(3):
            fields["external_buffer"] = 1 + self.draw(4)
        return put(self.b, schema.TENSOR, fields)

    def buffer(self, shape: list[int], type: int) -> int:
        """Write the bytes of a tensor, or choose a buffer that is there; give its index."""
        size = max(math.prod(shape[:64]), 0) * _WIDTHS.get(type, 1)
        kind = self.draw(5)
        if kind == 0:
            return 0
        if kind == 1:
            return self.draw(len(self.buffers))
        if kind == 2 or size > 1 << 16:
            size = self.draw(65)
        if self.wild("compressed"):
            return self.stored(self.ancillary())
        content = bytes(self.draw(256) for _ in range(min(size, 8))) * (size // 8 + 1)
        if type == schema.TensorType.STRING and self.draw(3):
            count = max(math.prod(shape[:64]), 0) % 1000
            ends = [4 * (count + 2)] * (count + 2)
            content = struct.pack(f"<{count + 2}i", count, *ends[1:])
            size = len(content)
        fields: dict[str, Any] = {"data": self.numbers(list(content[:size]), "u1")}
        if self.wild("lengths", 30):
            fields = {"offset": abs(self.pick(_EDGES)), "size": abs(self.pick(_EDGES))}
        self.buffers.append(put(self.b, schema.BUFFER, fields))
        return len(self.buffers) - 1

    def stored(self, content: bytes) -> int:
        """Write a buffer with some bytes; give its index."""
        fields = {"data": self.numbers(list(content), "u1")}
        self.buffers.append(put(self.b, schema.BUFFER, fields))
        return len(self.buffers) - 1

    def ancillary(self) -> bytes:
        """Make what a DECODE reads: a scheme, mostly as it should be, and tables."""
        scheme = self.pick((0, 0, 2, 1, 1, 3, 127, 200))
        parameters = (0xF2, self.pick((4, 1, 0, 255))) if scheme == 0 else (self.draw(256),)
        if not self.draw(4):
            parameters = (self.draw(256), self.draw(256))
        table = [self.pick((0, 1, 128, 255, 7, 0x88)) for _ in range(self.draw(40))]
        versions = (1, 1) if self.draw(8) else (self.draw(3), self.draw(3))
        made = build.ancillary(scheme, parameters, bytes(table) * self.pick((1, 1, 30)), versions)
        return made if self.draw(8) else made[: self.draw(20)]

    def compression_metadata(self) -> bytes:
        """Make TFLM's metadata of compressed tensors."""
        graphs = [
            [self.lookup_table(graph) for _ in range(self.draw(4))]
            for graph in range(self.graph_count + (self.draw(20) == 19))
        ]
        made = build.compression_metadata(*graphs, version=self.draw(20) or 1)
        if self.draw(8) < 7:
            return made
        return _with_wrong_words(made, self.draw)

    def lookup_table(self, graph: int) -> tuple[int, int, int]:
        """Choose a tensor, a buffer of values, and the bits of an index."""
        count = self.counts[min(graph, self.graph_count - 1)]
        tensor = self.draw(count) if self.draw(20) else self.pick((-1, count, 2**31 - 1))
        buffer = self.draw(len(self.buffers)) if self.draw(20) else self.pick((2**32 - 1, 99))
        return tensor, buffer, self.draw(9) if self.draw(4) else 2

    def scale(self) -> float:
        """Choose a scale."""
        return self.pick(_REALS) if self.wild("schemes") else 0.5

    def zero_point(self) -> int:
        """Choose a zero point."""
        return self.pick(_EDGES) if self.wild("schemes") else 0

    def quantization(self, graph: int, shape: list[int]) -> int | None:
        """Write quantization parameters of any scheme."""
        kind = self.draw(8)
        if kind == 1:
            return None
        axis = self.pick(_EDGES) if self.wild("schemes") else self.draw(len(shape) + 1)
        count = (1, 1, shape[axis] if 0 <= axis < len(shape) else 1, 3, 0, 2, 1, 1)[kind]
        count = min(max(count, 0), 5000)
        zeros = count if self.draw(4) else self.draw(4)
        fields = {
            "scale": self.numbers([self.scale()] * count, "f4"),
            "zero_point": self.numbers([self.zero_point()] * zeros, "i8"),
            "quantized_dimension": axis,
        }
        if kind == 3:
            fields["min"], fields["max"] = (self.numbers([self.scale()], "f4") for _ in "ab")
        if kind >= 5 or self.is_about("cycles"):
            fields |= self.details(graph)
        return put(self.b, schema.QUANTIZATION_PARAMETERS, fields)

    def details(self, graph: int) -> dict[str, Any]:
        """Write details of a scheme; a tensor may have its scales in itself."""
        member = self.pick((2, 3, 1, 9))
        if member == 1:
            return {"details_type": 1, "details": put(self.b, schema.CUSTOM_QUANTIZATION, {})}
        if member == 9:
            return {"details_type": 9, "details": put(self.b, schema.CUSTOM_QUANTIZATION, {})}
        fields: dict[str, Any] = {
            "scales": self.draw(self.counts[graph]),
            "zero_points": self.draw(self.counts[graph] + 1) - 1,
            "block_size": self.pick(_EDGES) if self.wild("schemes") else 2,
        }
        layout = schema.BLOCKWISE_QUANTIZATION if member == 2 else schema.MULTI_AXIS_QUANTIZATION
        name = "block_shape" if member == 2 else "quantized_dimensions"
        fields[name] = self.edges("i4") if self.draw(2) else None
        return {"details_type": member, "details": put(self.b, layout, fields)}

    def sparsity(self, shape: list[int]) -> int | None:
        """Write how a tensor's values are stored."""
        if not self.draw(4):
            return None
        order = [*range(len(shape))]
        if self.draw(3) == 2:
            order += [self.pick(_EDGES[:8]) for _ in range(self.draw(4))]
        dimensions = [self.dimension(shape, i) for i in range(min(len(order), 70))]
        fields = {
            "traversal_order": self.numbers([_fitted(i, "i4") for i in order], "i4"),
            "block_map": self.edges("i4", 3) if self.draw(2) else None,
            "dim_metadata": build.references(self.b, self.multiplied(dimensions)),
        }
        return put(self.b, schema.SPARSITY_PARAMETERS, fields)

    def dimension(self, shape: list[int], index: int) -> int:
        """Write a dimension of a sparse tensor: its size, or segments and indices."""
        size = shape[index] if index < len(shape) else self.pick(_EDGES)
        if not self.draw(2):
            fields: dict[str, Any] = {"dense_size": _fitted(size, "i4")}
            return put(self.b, schema.DIMENSION_METADATA, fields)
        fields = {"format": 1 if self.draw(8) else self.pick((0, 2, -1))}
        for name in ("array_segments", "array_indices"):
            member = self.pick((1, 2, 3, 0, 7))
            kind = {1: "i4", 2: "u2", 3: "u1"}.get(member, "i4")
            layout = schema.SPARSE_INDEX_VECTORS.get(member, schema.SPARSE_INDEX_VECTORS[1])
            values = [0, 1] if self.draw(2) else [self.pick((0, 1, 2, 200)) for _ in range(4)]
            vector = put(self.b, layout, {"values": self.numbers(values, kind)})
            fields |= {f"{name}_type": member, name: vector}
        return put(self.b, schema.DIMENSION_METADATA, fields)

    # Operators.

    def indices(self, graph: int, most: int, lowest: int = -1) -> list[int]:
        """Choose tensors."""
        count = self.counts[graph]
        chosen = [max(self.draw(count + 1) - 1, lowest) for _ in range(self.draw(most + 1))]
        return chosen * self.pick((100, 5000)) if self.wild("shared", 20) else chosen

    def operator(self, graph: int) -> int:
        """Write an operator."""
        fields: dict[str, Any] = {
            "opcode_index": self.draw(len(self.codes)),
            "inputs": self.numbers(self.indices(graph, 5), "i4"),
            "outputs": self.numbers(self.indices(graph, 2), "i4"),
        }
        if self.draw(8) == 7:
            fields["intermediates"] = self.numbers(self.indices(graph, 6), "i4")
        code = self.codes[fields["opcode_index"]]
        if self.is_about("compressed") and self.draw(8) and self.counts[graph] > 2:
            first = 3 * self.draw(self.counts[graph] // 3)
            fields["inputs"] = self.numbers([first, first + 1] * (1 + self.draw(2)), "i4")
            fields["outputs"] = self.numbers([first + 2], "i4")
        if code == tflite.BuiltinOperator.CUSTOM or self.is_about("FlexBuffers"):
            fields["custom_options"] = self.numbers(list(self.flexbuffer()), "u1")
            if self.wild("lengths", 30):
                fields["large_custom_options_offset"] = abs(self.pick(_EDGES))
                fields["large_custom_options_size"] = abs(self.pick(_EDGES))
        fields |= self.options(code)
        return put(self.b, schema.OPERATOR, fields)

    def options(self, code: int) -> dict[str, Any]:
        """Write options: mostly those of the operator, with any numbers in its fields."""
        if not self.draw(8):
            return {}
        number = _OPTIONS_OF.get(code)
        if number is None or not self.draw(8):
            number = self.pick(tuple(_MEMBERS))
        name = _MEMBERS[number]
        if not hasattr(tflite, name):
            return {}
        layout = schema.layout_of(getattr(tflite, name))
        table = put(self.b, layout, {field.name: self.option(field) for field in layout.fields})
        suffix = "" if number[0] == 1 else "2"
        return {f"builtin_options{suffix}_type": number[1], f"builtin_options{suffix}": table}

    def option(self, field: Any) -> Any:
        """Choose a number, or write a vector or string."""
        if not self.draw(4):
            return None
        kind = field.dtype.str[1:]
        if field.kind is Kind.NUMBER:
            if kind[0] == "f":
                return self.pick(_REALS)
            if "subgraph" in field.name and not self.is_about("all"):
                # Subgraphs that call each other, or themselves.
                return self.draw(self.graph_count)
            return self.pick(_EDGES) if self.wild("operators") else self.draw(3)
        if field.kind is Kind.STRING:
            return self.name()
        if kind[0] == "f":
            return self.numbers([self.pick(_REALS) for _ in range(self.draw(4))], kind)
        return self.edges(kind)

    def flexbuffer(self) -> bytes:
        """Write options of a custom operator."""
        content = bytes(flexbuffers.Dumps({"x": self.value(0)}))
        if self.wild("FlexBuffers", 4):
            content = bytes(flexbuffers.Dumps({f"k{i}": self.value(0) for i in range(300)}))
        if self.wild("FlexBuffers", 4):
            changed = bytearray(content)
            for _ in range(1 + self.draw(4)):
                changed[self.draw(len(changed))] = self.draw(256)
            content = bytes(changed)
        return content

    def value(self, depth: int) -> Any:
        """Choose a value of any kind."""
        kind = self.draw(8 if depth < 4 else 6)
        if kind < 6:
            name = self.pick(NAMES)
            text = name if isinstance(name, str) else "x"
            return (self.draw(300), None, True, 1.5, text, b"\xff" * self.draw(70))[kind]
        if depth == 3 and self.wild("FlexBuffers"):
            nested: Any = 1
            for _ in range(self.pick((10, 28, 40, 60))):
                nested = [nested]
            return nested
        values = [self.value(depth + 1) for _ in range(self.draw(4))]
        return values if kind == 6 else {f"k{i}": value for i, value in enumerate(values)}

    # What is around them.

    def operator_code(self) -> int:
        """Write an operator code."""
        code = self.pick((3, 4, 9, 25, 32, 28, 18, 0, 22, 14, 114, 6, *range(212), 2**31 - 1))
        decodes = self.is_about("compressed") and self.draw(4) > 0
        if self.is_about("FlexBuffers") or decodes:
            code = tflite.BuiltinOperator.CUSTOM
        self.codes.append(code)
        fields = {
            "builtin_code": code,
            "deprecated_builtin_code": min(code, 127),
            "version": self.draw(8),
            "custom_code": build.text(self.b, "TFLM_DECODE")
            if decodes
            else self.name()
            if self.draw(2) or code == 32
            else None,
        }
        return put(self.b, schema.OPERATOR_CODE, fields)

    def subgraph(self, graph: int) -> int:
        """Write a subgraph."""
        tensors = self.multiplied([self.tensor(graph, i) for i in range(self.counts[graph])])
        steps = self.multiplied([self.operator(graph) for _ in range(self.draw(6))])
        fields = {
            "name": self.name(),
            "tensors": build.references(self.b, tensors),
            "operators": build.references(self.b, steps),
            "inputs": self.numbers(self.indices(graph, 3, 0), "i4"),
            "outputs": self.numbers(self.indices(graph, 3, 0), "i4"),
        }
        return put(self.b, schema.SUBGRAPH, fields)

    def signature(self) -> int:
        """Write a signature."""
        graph = self.draw(self.graph_count)

        def entry() -> int:
            index = self.draw(self.counts[graph])
            return put(self.b, schema.TENSOR_MAP, {"name": self.name(), "tensor_index": index})

        fields = {
            "signature_key": self.name(),
            "subgraph_index": graph,
            "inputs": self.repeated(entry, 3),
            "outputs": self.repeated(entry, 3),
        }
        return put(self.b, schema.SIGNATURE_DEF, fields)

    def metadata(self) -> int:
        """Write a metadata entry."""
        known = ("min_runtime_version", "TFLITE_METADATA", "COMPRESSION_METADATA")
        name = build.text(self.b, self.pick(known)) if self.draw(2) else self.name()
        fields = {"name": name, "buffer": self.draw(len(self.buffers))}
        if self.is_about("compressed"):
            fields["name"] = build.text(self.b, "COMPRESSION_METADATA")
            fields["buffer"] = self.stored(self.compression_metadata())
        return put(self.b, schema.METADATA, fields)

    def external_buffer(self) -> int:
        """Write where bytes of another file lie."""
        fields: dict[str, Any] = {
            "id": 1 + self.draw(4),
            "group": self.draw(2),
            "offset": self.pick((0, 1, 8, 2**64 - 1, 2**31)),
            "length": self.pick((4, 1, 0, 12, 2**64 - 1)),
        }
        if not self.draw(4):
            fields["packing"] = self.name()
        return put(self.b, schema.EXTERNAL_BUFFER, fields)

    def external_fields(self) -> dict[str, int]:
        """Write the files beside the model, and what lies in them."""
        groups = [
            put(self.b, schema.EXTERNAL_BUFFER_GROUP, {"name": build.text(self.b, name)})
            for name in (self.pick(FILES), self.pick(FILES))
        ]
        buffers = [
            put(self.b, schema.EXTERNAL_BUFFER, {"id": id, "group": id % 2, "length": 4})
            for id in (1, 2, 3, 4)
        ]
        buffers += [self.external_buffer() for _ in range(self.draw(4))]
        return {
            "external_buffer_groups": build.references(self.b, self.multiplied(groups)),
            "external_buffers": build.references(self.b, self.multiplied(buffers)),
        }

    def model(self) -> bytes:
        """Write the model."""
        self.codes: list[int] = []
        codes = [self.operator_code() for _ in range(1 + self.draw(6))]
        graphs = [self.subgraph(graph) for graph in range(self.graph_count)]
        fields = {
            "version": 3 if self.draw(8) else self.pick(_EDGES),
            "description": self.name(),
            "operator_codes": build.references(self.b, codes),
            "subgraphs": build.references(self.b, self.multiplied(graphs)),
            "signature_defs": self.repeated(self.signature, 3),
            "metadata": self.repeated(self.metadata, 3),
        }
        if self.external:
            fields |= self.external_fields()
        fields["buffers"] = build.references(self.b, self.multiplied(self.buffers))
        self.b.Finish(put(self.b, schema.MODEL, fields), file_identifier=b"TFL3")
        return bytes(self.b.Output())


def _members() -> dict[tuple[int, int], str]:
    """Give the tables of options by union and number."""
    unions = ((1, tflite.BuiltinOptions), (2, tflite.BuiltinOptions2))
    return {
        (union, number): name
        for union, cls in unions
        for name, number in vars(cls).items()
        if isinstance(number, int) and number
    }


_MEMBERS = _members()
_BY_NAME = {name.lower().removesuffix("options"): number for number, name in _MEMBERS.items()}
_OPTIONS_OF = {
    code: _BY_NAME[name.replace("_", "").lower()]
    for name, code in vars(tflite.BuiltinOperator).items()
    if name.replace("_", "").lower() in _BY_NAME
}
"""The table of options that each builtin operator has, where their names agree."""
