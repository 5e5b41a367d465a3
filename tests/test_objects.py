"""The manners of what users hold: containers, what surrounds a tensor, real values, records."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build, oracle
from tests.build import OperatorSpec, SignatureSpec, SubgraphSpec, TensorSpec, constant

INT8 = ROOT / "fixtures/residual_int8.tflite"
FLOAT16 = ROOT / "fixtures/residual_float16.tflite"
CODES = tflite.BuiltinOperator


class TestContainers:
    def test_a_model_holds_the_tensors_of_its_first_subgraph(self) -> None:
        with tq.open(INT8) as model:
            name = "residual_1/stem_conv_1/convolution"
            assert name in model
            assert model[name] in model
            assert "no such name" not in model
            assert list(model) == list(model.tensors) == list(model.subgraphs[0])
            assert len(model) == len(model.subgraphs[0]) == len(model.tensors)
            assert model.keys() == tuple(tensor.name for tensor in model.tensors)
            assert model._ipython_key_completions_() == list(model.keys())
            assert {key: model[key] for key in model.keys()} == dict(model)  # noqa: SIM118

    def test_one_without_tensors_is_true(self) -> None:
        model = tq.open(build.model(SubgraphSpec([])))
        assert model
        assert model.subgraphs[0]
        assert len(model) == 0

    def test_patterns(self) -> None:
        with tq.open(INT8) as model:
            found = model.find("*stem_conv*")
            assert found
            assert all("stem_conv" in tensor.name for tensor in found)
            assert model.find("*STEM*") == ()
            assert model.find("*") == tuple(t for graph in model.subgraphs for t in graph)

    def test_reports(self) -> None:
        report = tq.check(ROOT / "fixtures/residual_float32.tflite")
        assert list(report) == [report[index] for index in range(len(report))]
        assert report[:1] == tuple(report)[:1]

    def test_signatures_by_name(self) -> None:
        with tq.open(ROOT / "fixtures/signatures.tflite") as model:
            for signature in model.signatures:
                assert model.signatures[signature.key] is signature
                assert signature.key in model.signatures.keys()  # noqa: SIM118
                assert model.signatures.__contains__(signature.key)
            assert model.signatures.keys() == tuple(one.key for one in model.signatures)
            assert model.signatures[0] is next(iter(model.signatures))
            with pytest.raises(
                KeyError, match="nothing has the name 'code'; the nearest are .*dec"
            ):
                model.signatures["code"]

    def test_doubled_names_are_not_lost(self) -> None:
        tensors = [TensorSpec(f"t{index}") for index in range(3)]
        signatures = [SignatureSpec("s", {"x": 0}, {"y": 1}), SignatureSpec("s", {"x": 2}, {})]
        model = tq.open(build.model(SubgraphSpec(tensors), signatures=signatures))
        assert len(model.signatures) == 2
        assert model.signatures[1].inputs["x"].index == 2
        with pytest.raises(KeyError, match="2 things have the name 's'"):
            model.signatures["s"]

    def test_doubled_inputs_are_not_lost(self) -> None:
        named = tq.Named([("x", 1), ("y", 2), ("x", 3)])
        assert named.items() == (("x", 1), ("y", 2), ("x", 3))
        assert named.values() == (1, 2, 3)
        assert len(named) == 3
        assert named["y"] == 2
        with pytest.raises(KeyError, match="2 things have the name 'x'"):
            named["x"]


class TestWhatSurroundsATensor:
    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_operators_say_the_same(self, path: Path) -> None:
        with tq.open(path) as model:
            for graph in model.subgraphs:
                for tensor in graph:
                    assert tensor.subgraph is graph
                    readers = tuple(one for one in graph.operators if tensor in one.inputs)
                    assert tensor.consumers == readers
                    makers = [one for one in graph.operators if tensor in one.outputs]
                    assert tensor.producer is (makers[-1] if makers else None)

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_roles(self, path: Path) -> None:
        with tq.open(path) as model:
            for graph in model.subgraphs:
                for tensor in graph.inputs:
                    assert tensor.role == "input"
                for operator in graph.operators:
                    if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
                        assert operator.weights is operator.inputs[1]
                        bias = operator.inputs[2] if len(operator.inputs) > 2 else None
                        assert operator.bias is bias
                        assert operator.weights is not None
                        assert operator.weights.role in ("weight", "activation", "input")
                        assert bias is None or bias.role == "bias"
                for tensor in graph:
                    if tensor.role in ("weight", "bias", "constant"):
                        assert tensor.is_constant or tensor.converted is not None

    def test_the_constants_of_a_float16_model_are_weights_too(self) -> None:
        with tq.open(FLOAT16) as model:
            stored = [t for t in model if t.is_constant and t.type is tq.TensorType.FLOAT16]
            assert stored
            assert {tensor.role for tensor in stored} == {"weight", "bias"}

    def test_states(self) -> None:
        with tq.open(ROOT / "fixtures/lstm_int8.tflite") as model:
            assert {t.role for t in model if t.is_variable} == {"state"}
            lstm = next(one for one in model.operators if "LSTM" in one.name)
            assert lstm.weights is None
            assert lstm.inputs[1] is not None
            assert lstm.inputs[1].role == "weight"

    def test_a_tensor_outlives_its_model(self) -> None:
        """Without the garbage collector: what it finds above it is made again, once."""
        gc.disable()
        try:
            model = tq.open(INT8)
            tensor = model.tensors[17]
            graph = weakref.ref(tensor.subgraph)
            assert graph() is model.subgraphs[0]
            del model
            assert graph() is None
            assert tensor.subgraph is tensor.subgraph
            assert tensor.role == "weight"
            assert tensor.consumers[0].subgraph is tensor.subgraph
            again = weakref.ref(tensor.subgraph)
            del tensor
            assert again() is None
        finally:
            gc.enable()


class TestOperators:
    def test_words(self) -> None:
        with tq.open(INT8) as model:
            convolution = model.operators[0]
            assert convolution.options["padding"] == tflite.Padding.SAME
            assert repr(convolution.options["padding"]) == "<Padding.SAME: 0>"
            assert convolution.activation is not None
            assert convolution.activation.name == "RELU"
            assert model.operators[-1].name == "SOFTMAX"
            assert model.operators[-1].activation is None
            assert convolution.code == CODES.CONV_2D
            assert convolution.code.name == "CONV_2D"

    def test_a_custom_operator_that_is_called_like_a_builtin_one(self) -> None:
        """It is shown by its name, and never taken for the other."""
        tensors = [TensorSpec("x", (1, 4), scale=0.5, zero_point=0), TensorSpec("y", (1, 4))]
        step = OperatorSpec(CODES.CUSTOM, [0], [1], custom="LOGISTIC")
        model = tq.open(build.model(SubgraphSpec(tensors, [0], [1], [step])))
        assert model.operators[0].name == "LOGISTIC"
        assert model.operators[0].code.name == "CUSTOM"
        assert not [finding for finding in tq.check(model) if finding.id == "TQ205"]
        with pytest.raises(tq.UnsupportedError):
            tq.operator_requantization(model.operators[0])

    def test_a_name_beside_a_builtin_operator_is_not_its_name(self) -> None:
        step = OperatorSpec(CODES.ADD, [0, 0], [0], custom="Magic")
        model = tq.open(build.model(SubgraphSpec([TensorSpec()], operators=[step])))
        assert model.operators[0].name == "ADD"


def run_all(path: Path) -> list[dict[str, object]]:
    """Run a model in LiteRT on zeros, and keep every tensor."""
    module = oracle.litert()
    with oracle.quiet():
        runner = module.Interpreter(
            model_path=str(path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        runner.allocate_tensors()
        runner.invoke()
    details: list[dict[str, object]] = runner.get_tensor_details()
    return [{**one, "value": runner.get_tensor(one["index"])} for one in details]


class TestRealValues:
    @pytest.mark.parametrize("name", ["residual_float16", "sparse", "sparse_int8", "mixed"])
    def test_what_is_made_of_a_constant_alone_is_what_litert_makes(self, name: str) -> None:
        path = ROOT / f"fixtures/{name}.tflite"
        with tq.open(path) as model:
            made = [tensor for tensor in model if tensor.converted is not None]
            if name != "mixed":
                assert made
            by_index = {one["index"]: one["value"] for one in run_all(path)}
            for tensor in made:
                expected = np.asarray(by_index[tensor.index])
                if expected.dtype == np.float32:
                    assert np.array_equal(tensor.dequantize(), expected)
                else:
                    real = tensor.dequantize()
                    assert np.array_equal(real, tensor.quantization.dequantize(expected))

    def test_data_says_where_the_constant_is(self) -> None:
        with tq.open(FLOAT16) as model:
            made = next(tensor for tensor in model if tensor.converted is not None)
            source = made.converted.inputs[0]  # type: ignore[union-attr]
            assert source is not None
            with pytest.raises(tq.UnsupportedError, match=f"constant tensor {source.index} "):
                made.data  # noqa: B018

    def test_headers_have_their_values(self) -> None:
        with tq.open(FLOAT16) as model:
            made = next(tensor for tensor in model if tensor.converted is not None)
            text = tq.c_header(model, prefix="p", tensors=[made.name])
            first = made.dequantize().reshape(-1)[:2]
            lines = text.split("const float p_", 1)[1].splitlines()[1]
            numbers = [np.float32(part.rstrip("f")) for part in lines.split(",")[:2]]
            assert np.array_equal(np.array(numbers, np.float32), first)

    def test_checks_see_what_is_made_dense(self) -> None:
        """INT8 weights out of range, stored sparse, that a DENSIFY makes dense."""
        fields = build.sparse_fields(2, ([0, 1, 2], [0, 1]), order=[0, 1])
        scales = {"scale": [0.5], "zero_point": [0]}
        tensors = [
            TensorSpec("x", (1, 2), **scales),  # type: ignore[arg-type]
            TensorSpec("s", (2, 2), data=np.int8([-128, 3]).tobytes(), fields=fields, **scales),  # type: ignore[arg-type]
            TensorSpec("w", (2, 2), **scales),  # type: ignore[arg-type]
            TensorSpec("y", (1, 2), **scales),  # type: ignore[arg-type]
        ]
        steps = [
            OperatorSpec(CODES.DENSIFY, [1], [2]),
            OperatorSpec(CODES.FULLY_CONNECTED, [0, 2, -1], [3], version=4),
        ]
        report = tq.check(build.model(SubgraphSpec(tensors, [0], [3], steps)))
        assert [finding.tensor.name for finding in report if finding.id == "TQ209"] == ["w"]  # type: ignore[union-attr]

    def test_a_circle_of_conversions_is_no_constant(self) -> None:
        steps = [OperatorSpec(CODES.DEQUANTIZE, [0], [1]), OperatorSpec(CODES.DEQUANTIZE, [1], [0])]
        model = tq.open(
            build.model(SubgraphSpec([TensorSpec("a"), TensorSpec("b")], (), (), steps))
        )
        assert [tensor.converted for tensor in model] == [None, None]
        with pytest.raises(tq.UnsupportedError):
            model.tensors[1].dequantize()

    def test_a_long_chain_of_conversions_is_not_followed(self) -> None:
        count = 5000
        tensors = [constant(np.zeros(1, np.float16)), *[TensorSpec(type=0)] * count]
        steps = [OperatorSpec(CODES.DEQUANTIZE, [i], [i + 1]) for i in range(count)]
        model = tq.open(build.model(SubgraphSpec(tensors, operators=steps)))
        assert [t.index for t in model if t.converted is not None] == [1]
        assert model.tensors[1].dequantize().tolist() == [0.0]

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_quantize_is_the_inverse(self, path: Path) -> None:
        """Of what the tensor's own integers stand for; with the type that it has."""
        with tq.open(path) as model:
            for tensor in (t for graph in model.subgraphs for t in graph):
                scheme = tensor.quantization
                if not isinstance(scheme, tq.PerTensor) or tensor.type.name == "INT64":
                    continue
                low, high = (-8, 7) if tensor.type.name == "INT4" else (-100, 100)
                stored = np.array([low, 0, 3, high]).astype(tensor.dtype)
                real = tensor.dequantize(stored)
                expected = tq.dequantize(stored, scheme.scale, scheme.zero_point)
                assert np.array_equal(real, expected)
                if tensor.dtype.itemsize < 4:
                    assert np.array_equal(tensor.quantize(real), stored)
                    assert tensor.quantize(real).dtype == tensor.dtype

    def test_int4_ends_at_7(self) -> None:
        tensor = tq.open(
            build.one(TensorSpec("t", (4,), tq.TensorType.INT4, None, 0.5, 0))
        ).tensors[0]
        assert tensor.quantize([99.0, -99.0, 1.0]).tolist() == [7, -8, 2]
        assert tensor.range is not None
        assert [float(end) for end in tensor.range] == [-4.0, 3.5]

    def test_ranges(self) -> None:
        per_axis = constant(np.zeros((2, 3), np.int8), [0.5, 0.25], [0, 0])
        specs = [TensorSpec("a", scale=0.5, zero_point=-128), per_axis, TensorSpec("f", type=0)]
        one, several, none = (tensor.range for tensor in tq.open(build.one(*specs)))
        assert one is not None
        assert [float(end) for end in one] == [0.0, 127.5]
        assert several is not None
        assert [end.tolist() for end in several] == [[-64.0, -32.0], [63.5, 31.75]]
        assert none is None

    @pytest.mark.parametrize(
        ("spec", "error", "message"),
        [
            (TensorSpec(), tq.QuantizationError, "INT8 tensor has no scale"),
            (TensorSpec(type=4, scale=0.5, zero_point=0), tq.UnsupportedError, "INT64 is not an"),
            (TensorSpec(scale=-0.5, zero_point=0), tq.QuantizationError, "a scale is -0.5"),
        ],
    )
    def test_what_cannot_be_quantized(
        self, spec: TensorSpec, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=f"tensor 0 't': .*{message}"):
            tq.open(build.one(spec)).tensors[0].quantize([1.0])

    def test_shapes(self) -> None:
        tensor = tq.open(build.one(TensorSpec("t", (2, 3)))).tensors[0]
        assert (tensor.size, tensor.ndim) == (6, 2)
        deep = tq.open(build.one(TensorSpec("t", [1] * 500))).tensors[0]
        assert deep.ndim == 500
        with pytest.raises(tq.UnsupportedError, match="500 numbers"):
            deep.size  # noqa: B018


class TestRecords:
    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_keys_and_types_are_the_same_for_all(self, path: Path) -> None:
        with tq.open(path) as model:
            for what in ("tensors", "operators"):
                records = model.to_records(what)
                count = sum(len(getattr(graph, what)) for graph in model.subgraphs)
                assert len(records) == count
                assert len({tuple(record) for record in records}) == 1
                for name in records[0]:
                    kinds = {type(record[name]) for record in records} - {type(None)}
                    assert len(kinds) <= 1, name
                    assert kinds <= {int, float, str, bool, list}, name

    def test_facts(self) -> None:
        with tq.open(INT8) as model:
            record = model.to_records()[model.outputs[0].index]
            assert (record["scale"], record["zero_point"]) == (0.00390625, -128)
            assert (record["low"], record["high"]) == (0.0, 0.99609375)
            assert record["producer"] == model.operators[-1].index
            with pytest.raises(ValueError, match="expected 'tensors' or 'operators'"):
                model.to_records("buffers")


class TestHtml:
    def test_names_are_escaped(self) -> None:
        hostile = "<script>alert(1)</script>\x1b[31m"
        graph = SubgraphSpec([TensorSpec(hostile, scale=0.5, zero_point=0)], [0], [0])
        model = tq.open(build.model(graph))
        report = tq.check(build.model(SubgraphSpec([TensorSpec(hostile)])))
        assert len(report)
        for text in (model._repr_html_(), model.tensors[0]._repr_html_(), report._repr_html_()):
            assert "&lt;script&gt;" in text
            assert "<script" not in text
            assert "\x1b" not in text

    def test_what_cannot_be_computed_is_said(self) -> None:
        spec = TensorSpec("t", scale=[np.inf], zero_point=[0])
        assert "a scale is inf" in tq.open(build.one(spec)).tensors[0]._repr_html_()

    def test_many_rows(self) -> None:
        model = tq.open(build.one(*[TensorSpec(f"t{i}") for i in range(3000)]))
        text = model._repr_html_()
        assert "3000 in all" in text
        assert len(text) < 50_000


def test_analyze_takes_a_model() -> None:
    with tq.open(INT8) as model:
        assert tq.analyze(model) == tq.analyze(INT8)
