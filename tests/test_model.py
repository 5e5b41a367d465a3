"""What users hold: subgraphs, tensors, operators, signatures, metadata, look-ups, closing."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tflite
from flatbuffers import flexbuffers

import tflite_quant as tq
from tests import build

CODES = tflite.BuiltinOperator
MAIN = build.SubgraphSpec(
    [
        build.TensorSpec("image", (1, 4), signature=(-1, 4), scale=0.5, zero_point=-1),
        build.constant(
            np.arange(12, dtype=np.int8).reshape(3, 4),
            scale=[0.1, 0.2, 0.3],
            zero_point=[0, 0, 0],
            name="dense/kernel",
        ),
        build.TensorSpec("dense/bias", (3,), tflite.TensorType.INT32, data=bytes(12)),
        build.TensorSpec("same", (1, 3)),
        build.TensorSpec("same", (), has_rank=True),
        build.TensorSpec(None, None, is_variable=True),
    ],
    inputs=[0],
    outputs=[3, 4],
    operators=[
        build.OperatorSpec(CODES.FULLY_CONNECTED, [0, 1, -1], [3], version=7, intermediates=[5]),
        build.OperatorSpec(CODES.CUSTOM, [3], [4], custom="Magic"),
        build.OperatorSpec(CODES.STABLEHLO_SCATTER, [], [4]),
        build.OperatorSpec(9999, [3], []),
    ],
    name="main",
)  # fmt: skip
SIGNATURE = build.SignatureSpec("serving_default", {"x": 0}, {"y": 3, "z": 4})
CONTENT = build.model(
    MAIN,
    build.SubgraphSpec([build.TensorSpec("other")], [0], [0], name="body"),
    buffers=[b"1.2.3"],
    metadata={"min_runtime_version": 1},
    signatures=[SIGNATURE, build.SignatureSpec("second", {}, {"o": 0}, 1)],
    description="made by hand",
)


@pytest.fixture
def model() -> tq.Model:
    return tq.open(CONTENT)


def test_the_model(model: tq.Model) -> None:
    assert (model.version, model.description, model.name) == (3, "made by hand", None)
    assert [subgraph.name for subgraph in model.subgraphs] == ["main", "body"]
    assert model.inputs == (model.tensors[0],)
    assert model.outputs == (model.tensors[3], model.tensors[4])
    assert [buffer.nbytes for buffer in model.buffers] == [0, 5, 12, 12]
    assert model.operators == model.subgraphs[0].operators
    assert repr(model) == "Model(None, version 3, 2 subgraphs, 6 tensors, 4 operators)"
    assert repr(model.subgraphs[1]) == "Subgraph(1, 'body', 1 tensor, 0 operators)"


def test_what_is_absent_is_empty() -> None:
    model = tq.open(build.model(build.SubgraphSpec([build.TensorSpec(None, None)])))
    tensor = model.tensors[0]
    assert (model.description, model.metadata, list(model.signatures)) == ("", (), [])
    assert (model.inputs, model.outputs, model.operators) == ((), (), ())
    assert (model.subgraphs[0].name, tensor.name, tensor.shape, tensor.shape_signature) == (
        "", "", (), ()
    )  # fmt: skip
    assert not tensor.has_rank
    assert tensor.quantization == tq.NotQuantized()
    assert (tensor.is_sparse, tensor.sparsity, tensor.external_buffer) == (False, None, None)


def test_tensors(model: tq.Model) -> None:
    image, kernel, bias, _, scalar, variable = model.tensors
    assert (image.type, image.dtype, image.shape) == (tq.TensorType.INT8, np.dtype("i1"), (1, 4))
    assert (image.shape_signature, image.nbytes, image.is_constant) == ((-1, 4), 4, False)
    assert (kernel.is_constant, kernel.nbytes, kernel.buffer.index) == (True, 12, 2)
    assert bias.data.tolist() == [0, 0, 0]
    assert scalar.has_rank
    assert (variable.is_variable, kernel.is_variable) == (True, False)
    assert kernel.subgraph_index == 0
    assert repr(kernel) == (
        "Tensor(1, 'dense/kernel', INT8, (3, 4), "
        "PerAxis(axis=0, 3 scales in [0.1, 0.3], zero_point 0))"
    )
    assert repr(image) == ("Tensor(0, 'image', INT8, (-1, 4), PerTensor(scale=0.5, zero_point=-1))")


def test_operators(model: tq.Model) -> None:
    dense, magic, scatter, unknown = model.operators
    assert (dense.name, dense.version, dense.custom_name) == ("FULLY_CONNECTED", 7, None)
    assert dense.inputs == (model.tensors[0], model.tensors[1], None)
    assert dense.outputs == (model.tensors[3],)
    assert dense.intermediates == (model.tensors[5],)
    assert (magic.name, magic.custom_name, magic.code) == ("Magic", "Magic", CODES.CUSTOM)
    assert magic.code.name == "CUSTOM"
    assert (scatter.name, scatter.inputs) == ("STABLEHLO_SCATTER", ())
    assert unknown.name == "BuiltinOperator(9999)"
    assert repr(dense) == (
        "Operator(0, FULLY_CONNECTED, version 7, inputs [0, 1, -1], outputs [3])"
    )
    assert repr(magic) == "Operator(1, CUSTOM 'Magic', version 1, inputs [3], outputs [4])"


def test_options() -> None:
    def padded(b: build.Builder) -> int:
        return build.table(b, "Pool2DOptions", stride_w=3, padding=1)

    fields = {
        "builtin_options": padded,
        "builtin_options_type": tflite.BuiltinOptions.Pool2DOptions,
    }
    one = build.OperatorSpec(CODES.MAX_POOL_2D, [0], [3], fields=fields)
    two = build.OperatorSpec(CODES.ADD, [0], [3], fields={"builtin_options_type": 200})
    kind = "builtin_options_type"
    # A type without a table, and a table without a type.
    no_table = build.OperatorSpec(17, [0], [3], fields={kind: fields[kind]})
    no_type = build.OperatorSpec(17, [0], [3], fields={"builtin_options": padded})
    steps = [one, MAIN.operators[0], two, no_table, no_type]
    graph = build.SubgraphSpec(MAIN.tensors, operators=steps)
    pool, dense, newer, *neither = tq.open(build.model(graph)).operators
    assert [(dict(each.options), each.options_name) for each in neither] == [({}, None)] * 2
    assert pool.options["stride_w"] == 3
    assert pool.options["padding"] == 1
    assert pool.options["filter_width"] == 0
    assert pool.options_name == "Pool2DOptions"
    assert (dict(dense.options), dense.options_name) == ({}, None)
    assert dict(newer.options) == {}
    with pytest.raises(TypeError):
        pool.options["padding"] = 2  # type: ignore[index]


class TestCustomOptions:
    def operator(self, content: bytes, after: bytes = b"", **fields: int) -> tq.Operator:
        written = {"custom_options": lambda b: build.numbers(b, np.frombuffer(content, "u1"), "u1")}
        spec = build.OperatorSpec(CODES.CUSTOM, [0], [3], custom="Magic", fields=written | fields)
        graph = build.SubgraphSpec(MAIN.tensors, operators=[spec])
        return tq.open(build.model(graph) + after).operators[0]

    def test_a_map(self) -> None:
        builder = flexbuffers.Builder()
        with builder.Map():
            builder.Int("axis", -1)
            builder.String("mode", "fast")
        operator = self.operator(bytes(builder.Finish()))
        assert operator.custom_options == {"axis": -1, "mode": "fast"}
        assert not operator.custom_data.flags.writeable

    def test_bytes_that_are_none(self) -> None:
        operator = self.operator(b"anything")
        assert operator.custom_options is None
        assert operator.custom_data.tobytes() == b"anything"
        assert self.operator(b"").custom_options is None

    def test_large_ones_lie_behind_the_flatbuffer(self) -> None:
        start = len(build.model(build.SubgraphSpec(MAIN.tensors))) + 400
        after = bytes(range(256)) * 8
        operator = self.operator(
            b"", after, large_custom_options_offset=start, large_custom_options_size=3
        )
        first = int(operator.custom_data[0])
        assert operator.custom_data.tolist() == [first, (first + 1) % 256, (first + 2) % 256]

    @pytest.mark.parametrize("offset", [0, 1])
    def test_large_ones_at_offset_0_or_1_are_none(self, offset: int) -> None:
        operator = self.operator(
            b"own", large_custom_options_offset=offset, large_custom_options_size=3
        )
        assert operator.custom_data.tobytes() == b"own"

    @pytest.mark.parametrize(("offset", "size"), [(2**40, 1), (64, 2**63), (2**64 - 1, 2)])
    def test_large_ones_that_are_not_there(self, offset: int, size: int) -> None:
        operator = self.operator(
            b"", large_custom_options_offset=offset, large_custom_options_size=size
        )
        with pytest.raises(tq.CorruptModelError, match="custom options run past the end"):
            operator.custom_data  # noqa: B018


def test_an_old_file_has_its_operators_code_in_a_byte() -> None:
    b = build.start()
    code = build.table(b, "OperatorCode", deprecated_builtin_code=CODES.CONV_2D)
    operator = build.table(b, "Operator")
    graph = build.table(b, "SubGraph", operators=build.references(b, [operator]))
    content = build.finish(
        b, subgraphs=build.references(b, [graph]), operator_codes=build.references(b, [code])
    )
    assert tq.open(content).operators[0].name == "CONV_2D"
    assert tq.open(content).operators[0].version == 1


def test_signatures(model: tq.Model) -> None:
    first, second = model.signatures
    assert (first.key, first.subgraph) == ("serving_default", model.subgraphs[0])
    assert dict(first.inputs) == {"x": model.tensors[0]}
    assert dict(first.outputs) == {"y": model.tensors[3], "z": model.tensors[4]}
    assert second.outputs["o"].name == "other"
    assert repr(first) == "Signature('serving_default', inputs ['x'], outputs ['y', 'z'])"


def test_metadata(model: tq.Model) -> None:
    (entry,) = model.metadata
    assert (entry.name, entry.data.tobytes()) == ("min_runtime_version", b"1.2.3")
    assert repr(entry) == "Metadata('min_runtime_version', 5 bytes)"
    assert not entry.data.flags.writeable


def test_buffers_are_equal_if_they_are_the_same(model: tq.Model) -> None:
    kernel = model.tensors[1]
    assert kernel.buffer == model.buffers[2]
    assert len({kernel.buffer, model.buffers[2], model.buffers[1]}) == 2
    assert kernel.buffer != tq.open(CONTENT).buffers[2]
    assert kernel.buffer != 2
    assert repr(model.buffers[1]).startswith("Buffer(1, 5 bytes at ")


def test_an_operator_knows_its_subgraph() -> None:
    """Though it does not hold it: where nobody else does, it is made again."""
    model = tq.open(build.model(build.SubgraphSpec([]), MAIN))
    operator = model.subgraphs[1].operators[1]
    assert operator.subgraph is model.subgraphs[1]
    del model
    again = operator.subgraph
    assert (again.index, again.name) == (1, "main")
    assert again.operators[1].custom_name == operator.custom_name == "Magic"


class TestLookups:
    def test_by_index_and_by_name(self, model: tq.Model) -> None:
        assert model["dense/kernel"] is model.tensors[1]
        assert model[1] is model.tensors[1]
        assert model[-1] is model.tensors[5]
        assert model.subgraphs[1]["other"].subgraph_index == 1

    def test_a_name_that_is_not_there(self, model: tq.Model) -> None:
        with pytest.raises(KeyError, match=r"no tensor 'dense/kernal'; the nearest are \['dense/k"):
            model["dense/kernal"]
        with pytest.raises(KeyError, match=r"subgraph 0 has no tensor 'zzz'\""):
            model["zzz"]

    def test_a_name_that_several_have(self, model: tq.Model) -> None:
        with pytest.raises(KeyError, match=r"tensors \[3, 4\] of subgraph 0 have the name 'same'"):
            model["same"]

    def test_an_index_that_is_not_there(self, model: tq.Model) -> None:
        with pytest.raises(IndexError, match="no tensor 6: subgraph 0 has 6 tensors"):
            model[6]

    def test_an_operator_is_found_by_name(self, model: tq.Model) -> None:
        found = [operator for operator in model.operators if operator.name == "Magic"]
        assert [operator.index for operator in found] == [1]


class TestDetails:
    def test_of_another_subgraph(self, model: tq.Model) -> None:
        assert [d["name"] for d in model.get_tensor_details(1)] == ["other"]

    @pytest.mark.parametrize("index", [-1, 2])
    def test_of_a_subgraph_that_is_not_there(self, model: tq.Model, index: int) -> None:
        with pytest.raises(ValueError, match=f"subgraph_index is {index}, expected 0 to 1"):
            model.get_tensor_details(index)

    def test_the_arrays_are_the_callers_own(self, model: tq.Model) -> None:
        parameters = model.get_tensor_details()[1]["quantization_parameters"]
        parameters["scales"][:] = 7
        assert model.tensors[1].quantization == tq.open(CONTENT).tensors[1].quantization

    @pytest.mark.parametrize("count", [1, 3, 500])
    def test_few_and_many_scales(self, count: int) -> None:
        scales = np.linspace(0.1, 0.2, count, dtype=np.float32)
        zeros = np.arange(count) - 2
        spec = build.TensorSpec("w", (count,), scale=scales, zero_point=zeros)
        details = tq.open(build.one(spec, build.TensorSpec())).get_tensor_details()
        parameters = details[0]["quantization_parameters"]
        assert parameters["scales"].tolist() == scales.tolist()
        assert parameters["zero_points"].tolist() == zeros.tolist()
        assert parameters["scales"].dtype == np.float32
        assert parameters["zero_points"].dtype == np.int32
        assert details[1]["quantization_parameters"]["scales"].size == 0

    def test_a_type_that_is_not_known(self) -> None:
        details = tq.open(build.one(build.TensorSpec(type=99))).get_tensor_details()
        assert details[0]["dtype"] is np.void


class TestClosing:
    def test_arrays_stay_valid_and_more_cannot_be_had(self) -> None:
        with tq.open(CONTENT) as model:
            kernel, buffer = model["dense/kernel"], model.buffers[2]
            assert model.operators
            data = kernel.data
        assert data.tolist()[0] == [0, 1, 2, 3]
        assert repr(model) == "Model(None, closed)"
        for ask in (
            lambda: kernel.data,
            kernel.dequantize,
            lambda: buffer.data,
            lambda: model.operators[0].options,
            lambda: model.subgraphs[1].tensors,
            model.get_tensor_details,
        ):
            with pytest.raises(ValueError, match="the model is closed"):
                ask()
        assert (model.version, kernel.name, kernel.shape) == (3, "dense/kernel", (3, 4))

    def test_closing_twice(self) -> None:
        model = tq.open(CONTENT)
        model.close()
        model.close()


def test_threads_may_share_a_model(model: tq.Model) -> None:
    results: list[list[str]] = []

    def read() -> None:
        results.append([repr(tensor) for tensor in model.tensors] + [repr(model.operators)])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] for result in results)


def test_a_name_that_is_not_utf8_is_shown_escaped() -> None:
    b = build.start()
    raw = b.CreateByteVector(b"caf\xe9\0")
    tensors = build.references(b, [build.table(b, "Tensor", name=raw)])
    graph = build.table(b, "SubGraph", tensors=tensors)
    model = tq.open(build.finish(b, subgraphs=build.references(b, [graph])))
    assert model.tensors[0].name == "caf\\xe9\0"
    assert model.get_tensor_details()[0]["name"] == "caf\\xe9\0"
