"""Changes a model where its structure is: offsets, vtables, lengths, counts, enum values.

A walk over the tables, written apart from the library's own, finds those places; a change puts
there what a hostile file would have.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from hypothesis import strategies as st

from conftest import FIXTURES
from tests.faults import FAULTS
from tflite_quant.format import schema
from tflite_quant.format.flatbuffer import Kind, Layout

__all__ = ["MODELS", "Mutant", "Spot", "mutant", "mutants", "spots"]

MODELS = [path.read_bytes() for path in FIXTURES if path.stat().st_size < 60_000]
MODELS += [content for fault in FAULTS.values() for content in (fault.bad, fault.good)]

_CHILDREN: dict[str, dict[str, Layout]] = {
    "Model": {
        "operator_codes": schema.OPERATOR_CODE,
        "subgraphs": schema.SUBGRAPH,
        "buffers": schema.BUFFER,
        "metadata": schema.METADATA,
        "signature_defs": schema.SIGNATURE_DEF,
    },
    "SubGraph": {"tensors": schema.TENSOR, "operators": schema.OPERATOR},
    "SignatureDef": {"inputs": schema.TENSOR_MAP, "outputs": schema.TENSOR_MAP},
    "Tensor": {"quantization": schema.QUANTIZATION_PARAMETERS},
}
_ENUMS = {"type", "builtin_code", "deprecated_builtin_code", "details_type", "builtin_options_type"}


class Spot(NamedTuple):
    """A place in a file: what is there, where, and of how many bytes."""

    kind: str
    position: int
    width: int


class Mutant(NamedTuple):
    """A changed model, and by which kind of change."""

    kind: str
    content: bytes


def spots(content: bytes) -> list[Spot]:
    """Give the places of a well-formed model that its structure hangs on."""
    return list(_Walk(content).table(schema.MODEL, _number(content, 0, 4)))


def _number(content: bytes, position: int, width: int) -> int:
    return int.from_bytes(content[position : position + width], "little")


class _Walk:
    def __init__(self, content: bytes) -> None:
        self.content = content
        self.seen: set[int] = set()

    def table(self, layout: Layout, position: int) -> Iterator[Spot]:
        if position in self.seen:
            return
        self.seen.add(position)
        content = self.content
        yield Spot("vtable offset", position, 4)
        vtable = position - struct.unpack_from("<i", content, position)[0]
        yield Spot("vtable", vtable, 2)
        yield Spot("vtable", vtable + 2, 2)
        size = _number(content, vtable, 2)
        for field in layout.fields:
            if field.entry >= size or not (offset := _number(content, vtable + field.entry, 2)):
                continue
            yield Spot("vtable", vtable + field.entry, 2)
            place = position + offset
            if field.kind is Kind.NUMBER:
                yield Spot("enum" if field.name in _ENUMS else "number", place, field.width)
                continue
            yield Spot("offset", place, 4)
            target = place + _number(content, place, 4)
            child = _CHILDREN.get(layout.name, {}).get(field.name)
            if field.kind is Kind.TABLE:
                if child is not None:
                    yield from self.table(child, target)
                continue
            yield from self.elements(target, field.element_width, child)

    def elements(self, target: int, width: int, child: Layout | None) -> Iterator[Spot]:
        yield Spot("length", target, 4)
        count = _number(self.content, target, 4)
        for index in range(count):
            place = target + 4 + index * width
            if child is not None:
                yield Spot("offset", place, 4)
                yield from self.table(child, place + _number(self.content, place, 4))
            elif index in (0, count - 1):
                yield Spot("element", place, width)


_NEAR = (0, 1, 2, 3, 4, 5, 8, 12, 16, 64, 255, 1000, 65535)


def _values(spot: Spot, size: int) -> list[int]:
    """Give what a hostile file may have at a place."""
    top = 1 << 8 * spot.width
    ends = [top - 1, top - 2, top - 4, top >> 1, (top >> 1) - 1, (top >> 1) - 4]
    near_end = [size - spot.position, size - spot.position - 4, size, size - 8]
    return [value % top for value in (*_NEAR, *ends, *near_end)]


@lru_cache
def _spots_of(model: int) -> tuple[Spot, ...]:
    return tuple(spots(MODELS[model]))


Draw = Callable[[int], int]
"""Gives a number below another."""


def _at_a_spot(model: int, draw: Draw) -> Mutant:
    """Put a hostile number at one to three places."""
    content, kind = bytearray(MODELS[model]), ""
    for _ in range(1 + draw(3)):
        spot = _spots_of(model)[draw(len(_spots_of(model)))]
        values = _values(spot, len(content))
        value = values[draw(len(values))]
        content[spot.position : spot.position + spot.width] = value.to_bytes(spot.width, "little")
        kind = spot.kind
    return Mutant(kind, bytes(content))


def _spliced(model: int, draw: Draw) -> Mutant:
    """Let a reference point at what another points at."""
    content = bytearray(MODELS[model])
    offsets = [spot for spot in _spots_of(model) if spot.kind == "offset"]
    spot, other = offsets[draw(len(offsets))], offsets[draw(len(offsets))]
    target = other.position + _number(MODELS[model], other.position, 4)
    value = (target - spot.position) % (1 << 32)
    content[spot.position : spot.position + 4] = value.to_bytes(4, "little")
    return Mutant("spliced table", bytes(content))


def _truncated(model: int, draw: Draw) -> Mutant:
    return Mutant("truncation", MODELS[model][: draw(len(MODELS[model]))])


def _flipped(model: int, draw: Draw) -> Mutant:
    content = bytearray(MODELS[model])
    for _ in range(1 + draw(8)):
        content[draw(len(content))] ^= 1 << draw(8)
    return Mutant("bit flip", bytes(content))


CHANGES = (_at_a_spot, _at_a_spot, _at_a_spot, _spliced, _truncated, _flipped)


def mutant(draw: Draw) -> Mutant:
    """Change a model as a source of numbers says."""
    change = CHANGES[draw(len(CHANGES))]
    return change(draw(len(MODELS)), draw)


@st.composite
def mutants(draw: st.DrawFn) -> Mutant:
    """Give changed models; hypothesis looks for the simplest that fails."""
    return mutant(lambda limit: draw(st.integers(0, max(limit - 1, 0))))
