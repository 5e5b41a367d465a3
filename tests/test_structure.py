"""Broken structures: each is refused when the model is opened, and the message says where."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from tests import build
from tflite_quant.format.flatbuffer import File

RELU = build.OperatorSpec(tflite.BuiltinOperator.RELU, [0], [1])
TWO = build.SubgraphSpec(
    [
        build.constant(np.arange(4, dtype=np.int8), [0.5], [0], name="first"),
        build.TensorSpec("second"),
    ],
    [0],
    [1],
    [RELU],
    "main",
)
MODEL = build.model(
    TWO, signatures=[build.SignatureSpec("s", {"x": 0}, {"y": 1})], metadata={"m": 1}
)


TOO_MUCH = r"would take [\d.]+ [kMGT]?B from a file of [\d.]+ [kM]?B \(limit: [\d.]+ MB\)"


def refusal(content: bytes) -> str:
    with pytest.raises(tq.CorruptModelError) as caught:
        tq.open(content)
    return str(caught.value)


def patched(position: int, kind: str, value: int) -> bytes:
    content = bytearray(MODEL)
    struct.pack_into("<" + kind, content, position, value)
    return bytes(content)


def number(position: int, kind: str = "I") -> int:
    return int(struct.unpack_from("<" + kind, MODEL, position)[0])


def field(table: int, slot: int) -> int:
    """Give the position of a field of a table of `MODEL`."""
    vtable = table - number(table, "i")
    return table + number(vtable + 4 + 2 * slot, "H")


def target(position: int) -> int:
    return position + number(position)


ROOT = target(0)
SUBGRAPH = target(target(field(ROOT, 2)) + 4)
SECOND = target(target(field(SUBGRAPH, 0)) + 8)
"""The second tensor."""
OPERATOR = target(target(field(SUBGRAPH, 3)) + 4)
METADATA = target(target(field(ROOT, 6)) + 4)


@pytest.mark.parametrize("kind", ["u1", "i1", "?", "<i2", "<u2", "<u4", "<f4", "<i8", "<f8"])
def test_numbers_at_any_positions(kind: str) -> None:
    """Of each width, aligned as the format asks for, also where the file is not a whole word."""
    content = np.random.default_rng(5).integers(0, 2 if kind == "?" else 100, 43, np.uint8)
    dtype = np.dtype(kind)
    step = min(dtype.itemsize, 4)
    positions = np.arange(0, 43 - dtype.itemsize + 1, step)[::-1]
    found = File(content).numbers(positions, dtype)
    assert found.dtype == dtype.newbyteorder("=")
    expected = [content[at : at + dtype.itemsize].view(dtype)[0] for at in positions.tolist()]
    assert found.tobytes() == np.array(expected, found.dtype).tobytes()


def test_the_unpatched_model_opens() -> None:
    with tq.open(MODEL) as model:
        assert [tensor.name for tensor in model.tensors] == ["first", "second"]


@pytest.mark.parametrize(
    ("position", "kind", "value", "message"),
    [
        (0, "I", 0xFFFFFFF0, "the model: the table is past the end of the file"),
        (0, "I", ROOT + 1, "the model: the table is not aligned"),
        (0, "I", len(MODEL), "the model: the table is past the end of the file"),
        (ROOT, "i", -(2**31), "the model: the vtable is not in the file"),
        (ROOT, "i", 2**31 - 1, "the model: the vtable is not in the file"),
        (ROOT, "i", 1, "the model: the vtable is not aligned"),
        (ROOT - number(ROOT, "i"), "H", 0xFFFE, "the vtable runs past the end of the file"),
        (field(ROOT, 2), "I", 0xFFFFFFF0, "the model: 'subgraphs' is past the end of the file"),
        (field(ROOT, 2), "I", 6, "the model: 'subgraphs' is not aligned"),
        (target(field(ROOT, 2)), "I", 0xFFFFFFFF, "the model: 'subgraphs' runs past the end"),
        (target(field(SUBGRAPH, 0)) + 8, "I", 2**31, "subgraph 0, tensor 1: the table is past"),
        (field(SECOND, 3), "I", 4_294_901_760, "subgraph 0, tensor 1: 'name' is past the end"),
        (target(field(SECOND, 3)), "I", 2**30, "subgraph 0, tensor 1: 'name' runs past the end"),
        (
            SECOND - number(SECOND, "i") + 4,
            "H",
            0xFFFF,
            "tensor 1: 'shape' is past the end|aligned",
        ),
    ],
)
def test_offsets(position: int, kind: str, value: int, message: str) -> None:
    text = refusal(patched(position, kind, value))
    assert any(part in text for part in message.split("|")), text
    assert f"of {len(MODEL):_})" in text


def entry(table: int, slot: int) -> int:
    """Give the position of a field's entry in the vtable of a table of `MODEL`."""
    return table - number(table, "i") + 4 + 2 * slot


@pytest.mark.parametrize(
    ("table", "slot", "label"),
    [
        (ROOT, 0, "the model: 'version'"),
        (ROOT, 2, "the model: 'subgraphs'"),
        (SUBGRAPH, 4, "subgraph 0: 'name'"),
        (SECOND, 0, "subgraph 0, tensor 1: 'shape'"),
        (OPERATOR, 1, "subgraph 0, operator 0: 'inputs'"),
        (METADATA, 1, "metadata entry 0: 'buffer'"),
    ],
)
@pytest.mark.parametrize("off", [-3, -2, -1, 1, 2, 3])
def test_a_field_that_is_not_aligned(table: int, slot: int, label: str, off: int) -> None:
    """A reader that rounds positions to words would take the number beside it, and go on."""
    position = entry(table, slot)
    text = refusal(patched(position, "H", number(position, "H") + off))
    where = field(table, slot) + off
    assert text == f"{label} is not aligned (offset {where:_} of {len(MODEL):_})"


@pytest.mark.parametrize("off", [-1, 1, -3, 3])
def test_a_field_of_one_byte_lies_anywhere(off: int) -> None:
    """The type of a tensor, which then is another byte."""
    position = entry(SECOND, 1)
    other = number(field(SECOND, 1) + off, "b")
    tensor = tq.open(patched(position, "H", number(position, "H") + off)).tensors[1]
    assert tensor.type == other


@pytest.mark.parametrize("off", [1, 2, 4, 6])
def test_a_number_of_8_bytes_is_4_aligned(off: int) -> None:
    """Builders that write no padding put it there."""
    b = build.start()
    outside = build.table(b, "Buffer", offset=40, size=2**32 + 8)
    buffers = build.references(b, [outside])
    subgraphs = build.references(b, [build.table(b, "SubGraph")])
    content = bytearray(build.finish(b, subgraphs=subgraphs, buffers=buffers))
    table = len(content) - outside
    vtable = table - struct.unpack_from("<i", content, table)[0]
    (offset,) = struct.unpack_from("<H", content, vtable + 6)
    (size,) = struct.unpack_from("<H", content, vtable + 8)
    assert size + 8 == offset
    struct.pack_into("<H", content, vtable + 8, size + off)
    text = refusal(bytes(content))
    if off == 4:  # the upper half of the size, and the lower half of the offset
        assert text.startswith("buffer 0: runs past the end")
    else:
        assert text.startswith("buffer 0: 'size' is not aligned (offset ")


@pytest.mark.parametrize("tail", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("position", "message"),
    [
        (0, "the model: the table is past the end of the file"),
        (field(ROOT, 2), "the model: 'subgraphs' is past the end of the file"),
        (field(SECOND, 3), "subgraph 0, tensor 1: 'name' is past the end of the file"),
        (target(field(ROOT, 2)) + 4, "subgraph 0: the table is past the end of the file"),
    ],
)
def test_what_begins_in_the_last_bytes(position: int, message: str, tail: int) -> None:
    """Where there is no room for the four bytes with which each thing begins."""
    content = patched(position, "I", len(MODEL) - position) + bytes(tail)
    where = f"offset {len(MODEL):_} of {len(content):_}"
    assert refusal(content) == f"{message} ({where})"


@pytest.mark.parametrize("tail", [0, 1, 2, 3])
def test_a_vtable_in_the_last_bytes(tail: int) -> None:
    """It has at least two numbers, of which the first says how long it is."""
    content = patched(ROOT, "i", ROOT - len(MODEL)) + bytes(tail)
    assert "the model: the vtable is not in the file" in refusal(content)
    assert "the model has no subgraph" in refusal(
        patched(ROOT, "i", ROOT - len(MODEL)) + struct.pack("<HH", 4, 4)
    )


@pytest.mark.parametrize("cut", range(8, len(MODEL)))
def test_a_model_cut_short_opens_whole_or_is_refused(cut: int) -> None:
    try:
        model = tq.open(MODEL[:cut])
    except tq.TFLiteError:
        return
    assert model.get_tensor_details()[0]["name"] == "first"
    assert model.tensors[0].data.tolist() == [0, 1, 2, 3]


def test_one_vector_shared_by_many_tables_is_no_bomb() -> None:
    """Ten thousand subgraphs that all name one long vector of tensors."""
    b = build.start()
    one = build.table(b, "Tensor", type=9)
    tensors = build.references(b, [one] * 10_000)
    graph = build.table(b, "SubGraph", tensors=tensors)
    content = build.finish(b, version=3, subgraphs=build.references(b, [graph] * 10_000))
    assert re.search(TOO_MUCH, refusal(content))


def test_short_vectors_of_tables_shared_by_many_tables_are_no_bomb() -> None:
    """A thousand subgraphs that name the same hundred tensors: the tables themselves cost, too."""

    def content(count: int) -> bytes:
        b = build.start()
        tensors = build.references(b, [build.table(b, "Tensor", type=9)] * 100)
        graph = build.table(b, "SubGraph", tensors=tensors)
        return build.finish(b, subgraphs=build.references(b, [graph] * count))

    assert len(tq.open(content(10)).subgraphs[9].tensors) == 100
    text = refusal(content(1_000))
    assert re.search(f"the Tensor tables and what they refer to {TOO_MUCH}", text)


def test_one_vector_of_inputs_shared_by_many_subgraphs_is_no_bomb() -> None:
    b = build.start()
    tensors = build.references(b, [build.table(b, "Tensor", type=9)])
    inputs = build.numbers(b, np.zeros(20_000), "<i4")
    graph = build.table(b, "SubGraph", tensors=tensors, inputs=inputs)
    content = build.finish(b, subgraphs=build.references(b, [graph] * 1_000))
    assert re.search(TOO_MUCH, refusal(content))


def test_one_vector_of_numbers_shared_by_many_tables_is_no_bomb() -> None:
    """Ten thousand operators that all name one long vector of inputs."""
    b = build.start()
    tensors = build.references(b, [build.table(b, "Tensor", type=9)])
    inputs = build.numbers(b, np.zeros(20_000), "<i4")
    operator = build.table(b, "Operator", inputs=inputs)
    operators = build.references(b, [operator] * 10_000)
    codes = build.references(b, [build.table(b, "OperatorCode")])
    graph = build.table(b, "SubGraph", tensors=tensors, operators=operators)
    subgraphs = build.references(b, [graph])
    content = build.finish(b, subgraphs=subgraphs, operator_codes=codes)
    assert re.search(TOO_MUCH, refusal(content))


def test_a_vtable_of_its_own_for_each_table_takes_no_quadratic_time() -> None:
    """Fifty thousand buffers, each with a vtable that overlaps the next, up to the file's end."""
    count, b = 50_000, build.start()
    graph = build.table(b, "SubGraph")
    subgraphs = build.references(b, [graph])
    buffers = build.references(b, [build.table(b, "Buffer")] * count)
    content = bytearray(build.finish(b, subgraphs=subgraphs, buffers=buffers))
    vector = len(content) - buffers
    first = len(content) + -len(content) % 4 + 4 * count
    content += bytes(first - len(content))
    positions = first + 4 * np.arange(count)
    # A vtable of 4 bytes, without entries, two bytes after that of the table before it.
    vtables = np.arange(count) * 2 + positions[-1] + 4
    content += (positions - vtables).astype("<i4").tobytes()
    content += np.full(count + 2, 4, "<u2").tobytes()
    places = vector + 4 + 4 * np.arange(count)
    content[vector + 4 : vector + 4 + 4 * count] = (positions - places).astype("<u4").tobytes()
    model = tq.open(bytes(content))
    assert len(model.buffers) == count
    assert {buffer.nbytes for buffer in model.buffers[::1000]} == {0}


def shared(count: int, **fields: Any) -> bytes:
    """Build a model of many tensors that share what writers write."""
    b = build.start()
    written = {name: write(b) for name, write in fields.items()}
    tensors = build.references(b, [build.table(b, "Tensor", **written)] * count)
    graph = build.table(b, "SubGraph", tensors=tensors)
    buffers = build.references(b, [build.table(b, "Buffer")])
    return build.finish(b, subgraphs=build.references(b, [graph]), buffers=buffers)


def test_a_long_name_shared_by_many_tensors_is_no_bomb() -> None:
    content = shared(10, name=lambda b: build.text(b, "x" * 100_000))
    names = [detail["name"] for detail in tq.open(content).get_tensor_details()]
    assert names == ["x" * 100_000] * 10
    many = shared(10_000, name=lambda b: build.text(b, "x" * 100_000))
    assert re.search(TOO_MUCH, refusal(many))


def test_long_names_that_lie_over_one_another_are_no_bomb() -> None:
    """Each tensor's name begins a word later in a row of lengths, and has most of the row."""
    count, b = 5_000, build.start()
    row = build.numbers(b, np.full(8 * count, 4 * count), "<i4")
    graph_of = []
    for _ in range(count):
        b.StartObject(4)
        b.PrependUOffsetTRelativeSlot(3, row, 0)
        graph_of.append(b.EndObject())
    tensors = build.references(b, graph_of)
    graph = build.table(b, "SubGraph", tensors=tensors)
    content = bytearray(build.finish(b, subgraphs=build.references(b, [graph])))
    for index, offset in enumerate(graph_of):
        table = len(content) - offset
        field = table + 4
        value = int.from_bytes(content[field : field + 4], "little") + 4 * index
        content[field : field + 4] = value.to_bytes(4, "little")
    assert re.search(TOO_MUCH, refusal(bytes(content)))


def test_long_scales_shared_by_many_tensors_are_no_bomb() -> None:
    def quantization(b: build.Builder) -> int:
        scales = build.numbers(b, np.ones(100_000), "<f4")
        return build.table(b, "QuantizationParameters", scale=scales)

    assert re.search(TOO_MUCH, refusal(shared(10_000, quantization=quantization)))
    model = tq.open(shared(10, quantization=quantization))
    scales = [tensor.quantization.scales for tensor in model.tensors]
    assert {each.size for each in scales if each is not None} == {100_000}


def test_weights_shared_by_many_buffers_cost_nothing() -> None:
    """Their bytes are a view of the file, and not copied."""
    b = build.start()
    data = build.numbers(b, np.zeros(1_000_000), "u1")
    buffers = [build.table(b, "Buffer", data=data) for _ in range(1_000)]
    graph = build.table(b, "SubGraph")
    parts = {"subgraphs": build.references(b, [graph]), "buffers": build.references(b, buffers)}
    assert tq.open(build.finish(b, **parts)).buffers[-1].nbytes == 1_000_000


def test_a_name_shared_by_many_tables_that_are_read_one_by_one_is_no_bomb() -> None:
    b = build.start()
    name = build.text(b, "x" * 100_000)
    entries = [build.table(b, "Metadata", name=name) for _ in range(5_000)]
    graph = build.table(b, "SubGraph")
    content = build.finish(
        b,
        subgraphs=build.references(b, [graph]),
        buffers=build.references(b, [build.table(b, "Buffer")]),
        metadata=build.references(b, entries),
    )
    assert re.search(TOO_MUCH, refusal(content))


def test_a_name_of_an_operator_code_that_many_operators_have_is_no_bomb() -> None:
    steps = [build.OperatorSpec(tflite.BuiltinOperator.CUSTOM, [0], [0], "n" * 50_000)] * 5_000
    model = tq.open(build.model(build.SubgraphSpec([build.TensorSpec()], (), (), steps)))
    assert all(step.custom_name is model.operators[0].custom_name for step in model.operators)


class TestIndices:
    def test_no_subgraph(self) -> None:
        assert "the model has no subgraph" in refusal(build.model())

    def test_buffer(self) -> None:
        text = refusal(build.one(build.TensorSpec(buffer=7)))
        assert text == "subgraph 0, tensor 0: 'buffer' is 7, expected at least 0 and less than 1"

    def test_a_model_without_buffers_has_none_to_read(self) -> None:
        b = build.start()
        tensors = build.references(b, [build.table(b, "Tensor", type=9)])
        graph = build.table(b, "SubGraph", tensors=tensors)
        tensor = tq.open(build.finish(b, subgraphs=build.references(b, [graph]))).tensors[0]
        assert (tensor.is_constant, tensor.buffer.nbytes, tensor.buffer.offset) == (False, 0, 0)
        assert repr(tensor.buffer) == "Buffer(0, 0 bytes at 0)"

    def test_metadata(self) -> None:
        text = refusal(build.one(build.TensorSpec(), metadata={"m": 9}))
        assert text == "metadata entry 0: 'buffer' is 9, expected at least 0 and less than 1"

    @pytest.mark.parametrize("index", [-1, 2])
    def test_inputs_of_a_subgraph(self, index: int) -> None:
        graph = build.SubgraphSpec(TWO.tensors, [0, index])
        expected = f"subgraph 0: 'inputs' has tensor {index}, but the subgraph has 2 tensors"
        assert refusal(build.model(graph)) == expected

    def test_outputs_of_a_later_subgraph(self) -> None:
        graph = build.SubgraphSpec([build.TensorSpec()], [0], [1])
        text = refusal(build.model(TWO, graph))
        assert text == "subgraph 1: 'outputs' has tensor 1, but the subgraph has 1 tensor"

    @pytest.mark.parametrize("index", [-2, 2])
    def test_inputs_of_an_operator(self, index: int) -> None:
        graph = build.SubgraphSpec(
            TWO.tensors, operators=[RELU, build.OperatorSpec(19, [0], [index])]
        )
        text = refusal(build.model(graph))
        assert text.startswith(f"subgraph 0, operator 1: 'outputs' has tensor {index}")

    @pytest.mark.parametrize("field", ["inputs", "outputs", "intermediates"])
    def test_each_vector_of_an_operator(self, field: str) -> None:
        """Only few operators have intermediates, and none of the other models here."""
        good = build.OperatorSpec(19, [0], [1], intermediates=[-1])
        changes: dict[str, Any] = {field: [1, 2]}
        bad = replace(good, **changes)
        tq.open(build.model(build.SubgraphSpec(TWO.tensors, operators=[good])))
        text = refusal(build.model(build.SubgraphSpec(TWO.tensors, operators=[good, bad])))
        expected = f"'{field}' has tensor 2, but the subgraph has 2 tensors"
        assert text == f"subgraph 0, operator 1: {expected}"

    def test_operator_code(self) -> None:
        graph = build.SubgraphSpec(
            TWO.tensors, operators=[build.OperatorSpec(19, [0], [1], fields={"opcode_index": 5})]
        )
        text = refusal(build.model(graph))
        assert (
            text
            == "subgraph 0, operator 0: 'opcode_index' is 5, expected at least 0 and less than 1"
        )

    def test_a_broken_operator_code(self) -> None:
        b = build.start()
        vtable_of_code = build.table(b, "OperatorCode", version=1)
        codes = build.references(b, [vtable_of_code])
        subgraphs = build.references(b, [build.table(b, "SubGraph")])
        content = bytearray(build.finish(b, subgraphs=subgraphs, operator_codes=codes))
        position = len(content) - vtable_of_code
        struct.pack_into("<i", content, position, 2**31 - 1)
        assert refusal(bytes(content)).startswith("operator code 0: the vtable is not in the file")

    def test_signatures(self) -> None:
        text = refusal(build.model(TWO, signatures=[build.SignatureSpec("s", {}, {}, 3)]))
        assert text == "signature 0: 'subgraph_index' is 3, expected at least 0 and less than 1"
        text = refusal(build.model(TWO, signatures=[build.SignatureSpec("s", {"a": 1}, {"b": 2})]))
        assert (
            text
            == "signature 0, output 0: 'tensor_index' is 2, expected at least 0 and less than 2"
        )


class TestBuffersOutsideTheFlatbuffer:
    def content(self, offset: int, size: int) -> bytes:
        """Give a model whose buffer 1 lies at an offset; 16 bytes stand after the flatbuffer."""
        b = build.start()
        shape = build.numbers(b, [4], "<i4")
        tensor = build.table(b, "Tensor", type=9, buffer=1, shape=shape)
        graph = build.table(b, "SubGraph", tensors=build.references(b, [tensor]))
        empty, outside = (
            build.table(b, "Buffer"),
            build.table(b, "Buffer", offset=offset, size=size),
        )
        buffers = build.references(b, [empty, outside])
        subgraphs = build.references(b, [graph])
        return build.finish(b, subgraphs=subgraphs, buffers=buffers) + bytes(range(16))

    def test_are_read(self) -> None:
        end = len(self.content(8, 4))
        tensor = tq.open(self.content(end - 8, 4)).tensors[0]
        assert tensor.data.tolist() == [8, 9, 10, 11]
        assert tensor.buffer.offset == end - 8

    def test_may_end_where_the_file_ends(self) -> None:
        end = len(self.content(8, 4))
        assert tq.open(self.content(end - 4, 4)).tensors[0].data.tolist() == [12, 13, 14, 15]
        for offset, size in ((end - 4, 5), (end, 1)):
            assert "runs past the end of the file" in refusal(self.content(offset, size))
        # A size of 0 is not written.
        end = len(self.content(8, 0))
        assert tq.open(self.content(end, 0)).buffers[1].data.size == 0
        assert "runs past the end of the file" in refusal(self.content(end + 1, 0))

    @pytest.mark.parametrize("offset", [0, 1])
    def test_offsets_0_and_1_mean_none(self, offset: int) -> None:
        assert not tq.open(self.content(offset, 4)).tensors[0].is_constant

    @pytest.mark.parametrize(
        ("offset", "size"), [(2**40, 4), (2**64 - 1, 4), (8, 2**64 - 1), (8, 2**63), (100, 10**6)]
    )
    def test_are_checked(self, offset: int, size: int) -> None:
        text = refusal(self.content(offset, size))
        assert text.startswith(f"buffer 1: runs past the end of the file with a size of {size:_}")


def test_a_shape_signature_without_any_buffer() -> None:
    """Buffer 0 is every tensor's by default, and need not be there."""
    b = build.start()
    tensor = build.table(
        b,
        "Tensor",
        shape=build.numbers(b, [1, 2], "<i4"),
        shape_signature=build.numbers(b, [-1, 2], "<i4"),
    )
    subgraph = build.table(b, "SubGraph", tensors=build.references(b, [tensor]))
    model = tq.open(build.finish(b, version=3, subgraphs=build.references(b, [subgraph])))
    assert model.get_tensor_details()[0]["shape_signature"].tolist() == [-1, 2]
