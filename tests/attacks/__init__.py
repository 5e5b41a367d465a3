"""Files that try something, one each, and what must come of it.

`python -m tests.attacks` writes the files into this folder; `tests/test_attacks.py` tries them, and
holds them against what would be written.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tflite

import tflite_quant as tq
from tests import build, faults
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.mutation import spots

__all__ = ["ATTACKS", "FOLDER", "Attack"]

FOLDER = Path(__file__).parent
OPERATORS = tflite.BuiltinOperator
Ask = Callable[[tq.Model], object]


class Attack(NamedTuple):
    """A file, the question that it wants to hurt, and the error that the answer must be.

    `ask` is None where the file must not even open; `error` is None where the answer must come.
    """

    content: bytes
    ask: Ask | None
    error: type[tq.TFLiteError] | None
    message: str = ""


def data(model: tq.Model) -> object:
    return model.tensors[0].data


def real(model: tq.Model) -> object:
    return model.tensors[0].dequantize()


def requantization(model: tq.Model) -> object:
    try:
        return tq.operator_requantization(model.operators[0])
    except tq.UnsupportedError:
        # An array of so many channels, even one that repeats one number, needs 64 bits.
        if sys.maxsize > 1 << 32:
            raise
        return None


def everything(model: tq.Model) -> object:
    return (str(model.summary()), tq.check(model), model.get_tensor_details(), tq.analyze)


def put(content: bytes, position: int, value: int, width: int = 4) -> bytes:
    """Put a number at a place."""
    changed = bytearray(content)
    changed[position : position + width] = (value % (1 << 8 * width)).to_bytes(width, "little")
    return bytes(changed)


SMALL = build.one(constant(np.arange(4, dtype=np.int8), 0.5, 0, name="small"))


def place(kind: str, index: int = 0) -> int:
    """Give the place of the n-th spot of a kind in the small model."""
    return [spot for spot in spots(SMALL) if spot.kind == kind][index].position


def tensor_field(slot: int) -> int:
    """Give the place of a field of the small model's tensor."""
    table = tflite.Model.GetRootAs(SMALL).Subgraphs(0).Tensors(0)._tab
    return int(table.Pos + table.Offset(4 + 2 * slot))


def target(position: int) -> int:
    return position + int(struct.unpack_from("<I", SMALL, position)[0])


def calls_itself() -> bytes:
    """Build a WHILE whose condition and body are the subgraph that it is in."""
    fields = faults.options("WhileOptions", cond_subgraph_index=0, body_subgraph_index=0)
    step = OperatorSpec(OPERATORS.WHILE, [0], [1], fields=fields)
    return build.model(SubgraphSpec([TensorSpec("a"), TensorSpec("b")], [0], [1], [step]))


def elsewhere(file: str) -> bytes:
    """Build a model with values in another file."""
    return build.external_model((5, 0, 0, 12, None), groups=(file,))


def many_channels() -> bytes:
    """Build a convolution whose weights have one scale, and are not there for 2**31 channels."""
    x = TensorSpec("x", (1, 1, 1, 1), scale=0.5, zero_point=0)
    return faults.operator("CONV_2D", [x, replace(x, shape=(2**31 - 1, 1, 1, 1))], [x])


def sparse(segments: list[int], indices: list[int], size: int = 4) -> bytes:
    """Build a matrix of 3 rows whose columns are compressed."""
    fields = build.sparse_fields(3, (segments, indices), order=[0, 1])
    values = np.arange(len(indices), dtype=np.int8)
    return build.one(TensorSpec("s", (3, size), data=values, fields=fields))


def doubled(filler: bytes, levels: int) -> bytes:
    """Build a FlexBuffer whose one value is a vector of two, twice the one below, and so on."""
    content = bytearray(filler + bytes([1, 7]))
    below = len(content) - 1
    for level in range(levels):
        start = len(content)
        # Length 2, two offsets to what is below, and their types: a vector, whose parts are bytes.
        kind = 4 if level == 0 else 10 << 2
        content += bytes([2, start + 1 - below, start + 2 - below, kind, kind])
        below = start + 1
    keys = len(content) + 2
    content += b"x\0" + bytes([1, 3])
    values = len(content) + 3
    content += bytes([len(content) - (keys + 1), 1, 1, values - below, 10 << 2])
    return bytes(content + bytes([len(content) - values, 9 << 2, 1]))


def flexbuffer_bomb(levels: int = 24) -> bytes:
    """Build custom options of vectors of two, each twice the one below: two to the 24th values."""
    content = doubled(b"", levels)
    write = {"custom_options": lambda b: build.numbers(b, list(content), "<u1")}
    step = OperatorSpec(OPERATORS.CUSTOM, [0], [0], "bomb", fields=write)
    return build.model(SubgraphSpec([TensorSpec()], (), (), [step]))


def shared_name(count: int = 4000) -> bytes:
    """Build many tensors that have one long name."""
    b = build.start()
    tensor = build.table(b, "Tensor", name=build.text(b, "n" * 20_000))
    tensors = build.references(b, [tensor] * count)
    graph = build.table(b, "SubGraph", tensors=tensors)
    return build.finish(b, subgraphs=build.references(b, [graph]))


def shared_options(count: int = 4000) -> bytes:
    """Build many operators that have one table of large options."""
    b = build.start()
    shape = build.numbers(b, np.arange(5000), "<i4")
    options = build.table(b, "ReshapeOptions", new_shape=shape)
    number = tflite.BuiltinOptions.ReshapeOptions
    step = build.table(b, "Operator", builtin_options_type=number, builtin_options=options)
    graph = build.table(b, "SubGraph", operators=build.references(b, [step] * count))
    code = build.table(b, "OperatorCode", builtin_code=OPERATORS.RESHAPE)
    codes = build.references(b, [code])
    return build.finish(b, subgraphs=build.references(b, [graph]), operator_codes=codes)


def strings(count: int) -> bytes:
    """Build a tensor of strings that says it has more of them than it has bytes."""
    content = struct.pack("<III", count, 8, 8)
    return build.one(TensorSpec("text", (count,), tflite.TensorType.STRING, content))


CORRUPT, QUANTIZATION = tq.CorruptModelError, tq.QuantizationError
HUGE = replace(TensorSpec("huge", [65536] * 4), data=b"abcd")

ATTACKS: Mapping[str, Attack] = {
    "shape_whose_product_overflows": Attack(
        build.one(HUGE), data, CORRUPT, "expected 18_446_744_073_709_551_616 for INT8"
    ),
    "shape_with_a_negative_dimension": Attack(
        build.one(replace(HUGE, shape=[-4, -1])), data, CORRUPT, "has a negative size"
    ),
    "vector_of_two_to_the_32nd": Attack(
        put(SMALL, target(tensor_field(0)), -1), None, CORRUPT, "'shape' runs past the end"
    ),
    "string_of_two_to_the_31st": Attack(
        put(SMALL, target(tensor_field(3)), 1 << 31), None, CORRUPT, "'name' runs past the end"
    ),
    "string_that_lies_backwards": Attack(
        put(SMALL, tensor_field(3), -64), None, CORRUPT, "'name' is past the end"
    ),
    "table_in_the_middle_of_another": Attack(
        put(SMALL, tensor_field(4), 8), everything, None
    ),
    "vtable_before_the_file": Attack(
        put(SMALL, place("vtable offset"), 1 << 30), None, CORRUPT, "the vtable is not in the file"
    ),
    "vtable_longer_than_the_file": Attack(
        put(SMALL, place("vtable"), 0xFFFE, 2), None, CORRUPT, "the vtable runs past the end"
    ),
    "field_past_the_end": Attack(
        put(SMALL, place("vtable", 2), 0xFFFC, 2), None, CORRUPT, "is past the end"
    ),
    "subgraph_that_calls_itself": Attack(calls_itself(), everything, None),
    "buffer_that_is_not_there": Attack(
        build.one(TensorSpec(buffer=1 << 20)), None, CORRUPT, "'buffer' is 1048576"
    ),
    "operator_of_a_tensor_that_is_not_there": Attack(
        build.model(SubgraphSpec([TensorSpec()], (), (), [OperatorSpec(0, [7], [0])])),
        None, CORRUPT, "'inputs' has tensor 7",
    ),
    "values_in_a_file_above_the_folder": Attack(
        elsewhere("../secret"), data, CORRUPT, "not the name"
    ),
    "values_in_an_absolute_file": Attack(
        elsewhere("/etc/hostname"), data, CORRUPT, "not the name"
    ),
    "sparse_index_out_of_range": Attack(sparse([0, 1, 1, 2], [0, 99]), data, CORRUPT, "ind"),
    "sparse_segments_that_fall": Attack(sparse([0, 2, 1, 2], [0, 1]), data, CORRUPT, "segment"),
    "sparse_array_of_gigabytes": Attack(
        sparse([0, 1, 1, 2], [0, 3], 1 << 30), data, CORRUPT, "the dense array .* would take"
    ),
    "scale_that_is_no_number": Attack(
        build.one(constant(np.arange(4, dtype=np.int8), np.nan, 0)), real, QUANTIZATION, "nan"
    ),
    "scale_of_zero": Attack(build.one(constant(np.arange(4, dtype=np.int8), 0.0, 0)), real, None),
    "scales_that_do_not_fit": Attack(
        build.one(constant(np.arange(4, dtype=np.int8), [1.0] * 3, [0] * 3)), real, QUANTIZATION,
        "3 scales",
    ),
    "channels_that_nothing_backs": Attack(
        many_channels(), requantization, None
    ),
    "flexbuffer_bomb": Attack(
        flexbuffer_bomb(), lambda m: m.operators[0].custom_options, CORRUPT, "options would take"
    ),
    "name_that_thousands_share": Attack(shared_name(), None, CORRUPT, "would take"),
    "options_that_thousands_share": Attack(
        shared_options(), lambda m: m.operators[0].options, CORRUPT, "would take"
    ),
    "strings_more_than_bytes": Attack(strings(1 << 24), data, CORRUPT, "offsets take"),
}  # fmt: skip
