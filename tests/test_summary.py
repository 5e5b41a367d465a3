"""What kind of model it is, and what is left in float."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant, external_model
from tests.work import calls
from tflite_quant.summary.summary import Summary, summarize

OP = tflite.BuiltinOperator
TYPES = tflite.TensorType

FLOAT, INT8, UINT8, INT16 = "FLOAT32", "INT8", "UINT8", "INT16"

# The fixture, what its converter was asked for, the types at its inputs and its outputs, of its
# variables and of its computation.
TABLE: list[tuple[str, str, str, str, str, str]] = [
    ("residual_float32", "float32", FLOAT, FLOAT, FLOAT, FLOAT),
    ("residual_float16", "float16", FLOAT, FLOAT, "FLOAT16", FLOAT),
    ("residual_dynamic_range", "dynamic range", FLOAT, FLOAT, "INT8 FLOAT32", FLOAT),
    ("residual_int8", "full integer int8", INT8, INT8, "INT8 INT32", INT8),
    ("residual_int8_per_tensor", "full integer int8", INT8, INT8, "INT8 INT32", INT8),
    (
        "residual_uint8_io",
        "full integer int8 with uint8 inputs/outputs",
        UINT8,
        UINT8,
        "INT8 INT32",
        INT8,
    ),
    (
        "residual_int8_float_io",
        "full integer int8 with float inputs/outputs",
        FLOAT,
        FLOAT,
        "INT8 INT32",
        INT8,
    ),
    (
        "residual_int16x8",
        "int16 activations with int8 weights",
        INT16,
        INT16,
        "INT8 INT64",
        INT16,
    ),
    ("outside_buffers", "dynamic range", FLOAT, FLOAT, "INT8 FLOAT32", FLOAT),
    ("lstm", "float32", FLOAT, FLOAT, FLOAT, FLOAT),
    ("lstm_int8", "full integer int8", INT8, INT8, "INT8 INT32", "INT8 INT16"),
    ("signatures", "float32", "FLOAT32 FLOAT32", "FLOAT32 BOOL", FLOAT, FLOAT),
    ("control_flow", "float32", "INT32 FLOAT32", "FLOAT32 INT32", FLOAT, FLOAT),
    ("strings", "neither float nor quantized", "INT32", "STRING", "", ""),
    ("sparse", "float32", FLOAT, FLOAT, FLOAT, FLOAT),
    ("sparse_int8", "full integer int8", INT8, INT8, "INT8 INT32", INT8),
    ("mixed", "mixed", FLOAT, FLOAT, "INT8 INT32", "INT8 FLOAT32"),
    ("quantizer_float32", "float32", FLOAT, FLOAT, FLOAT, FLOAT),
    ("int4", "dynamic range", FLOAT, FLOAT, "INT4 FLOAT32", FLOAT),
    ("int4_asymmetric", "weight-only int4", FLOAT, FLOAT, "INT4 FLOAT32", FLOAT),
    ("int2", "dynamic range", FLOAT, FLOAT, "INT2 FLOAT32", FLOAT),
    ("blockwise_int4", "dynamic range", FLOAT, FLOAT, "INT4 FLOAT32", FLOAT),
]


def of_fixture(name: str) -> Summary:
    return summarize(tq.open(ROOT / "fixtures" / f"{name}.tflite"))


def of(*subgraphs: SubgraphSpec) -> Summary:
    return summarize(tq.open(build.model(*subgraphs)))


def graph(tensors: list[TensorSpec], *operators: OperatorSpec) -> SubgraphSpec:
    """Give a subgraph from the first tensor to the last."""
    return SubgraphSpec(tensors, [0], [len(tensors) - 1], operators)


def op(code: int, inputs: list[int], *outputs: int, custom: str | None = None) -> OperatorSpec:
    return OperatorSpec(code, inputs, outputs, custom)


def real() -> TensorSpec:
    return TensorSpec(type=TYPES.FLOAT32)


def quantized(type: int = TYPES.INT8) -> TensorSpec:
    return TensorSpec(type=type, scale=0.5, zero_point=0)


def weights(type: int = TYPES.INT8, nbytes: int = 8) -> TensorSpec:
    return TensorSpec(type=type, shape=(nbytes,), scale=0.5, zero_point=0, data=bytes(nbytes))


def floats(dtype: type[np.floating] = np.float32) -> TensorSpec:
    return constant(np.ones(2, dtype))


class TestFixtures:
    def test_the_table_has_them_all(self) -> None:
        assert sorted(row[0] for row in TABLE) == [path.stem for path in FIXTURES]

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
    def test_is_what_its_converter_was_asked_for(self, row: tuple[str, ...]) -> None:
        name, scheme, inputs, outputs, variables, computed = row
        found = of_fixture(name)
        assert found.scheme == scheme
        assert found.inputs == tuple(inputs.split())
        assert found.outputs == tuple(outputs.split())
        assert found.variable_types == tuple(variables.split())
        assert found.compute_types == tuple(computed.split())
        assert bool(found.float_operators) == (FLOAT in computed)
        assert not found.custom_operators

    def test_mixed_names_what_is_left_in_float(self) -> None:
        found = of_fixture("mixed")
        assert found.float_operators == (("SIN", 1),)
        assert found.quantized_operators == (("CONV_2D", 2), ("FULLY_CONNECTED", 1), ("MEAN", 1))

    def test_operators_of_all_subgraphs_count(self) -> None:
        names = {"FULLY_CONNECTED", "GREATER", "MUL", "RELU", "SUB", "SUM", "TANH"}
        assert of_fixture("control_flow").float_operators == tuple((n, 1) for n in sorted(names))

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_constants_are_those_of_the_generated_classes(self, path: Path) -> None:
        raw = tflite.Model.GetRootAs(path.read_bytes())
        names = {v: k for k, v in vars(TYPES).items() if not k.startswith("_")} | {19: "INT2"}
        found: dict[tuple[int, str], int] = {}
        for g in range(raw.SubgraphsLength()):
            for t in range(raw.Subgraphs(g).TensorsLength()):
                tensor = raw.Subgraphs(g).Tensors(t)
                buffer = raw.Buffers(tensor.Buffer())
                if size := max(buffer.DataLength(), buffer.Size()):
                    found[tensor.Buffer(), names[tensor.Type()]] = size
        counts = Counter(kind for _, kind in found)
        sizes: Counter[str] = Counter()
        for (_, kind), size in found.items():
            sizes[kind] += size
        constants = summarize(tq.open(path)).constants
        assert {kind: (n, size) for kind, n, size in constants} == {
            kind: (counts[kind], sizes[kind]) for kind in counts
        }
        assert [size for *_, size in constants] == sorted(sizes.values(), reverse=True)


class TestFloat:
    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
    def test_is_called_by_what_its_weights_are_stored_in(self, dtype: type[np.floating]) -> None:
        found = of(
            graph(
                [real(), floats(dtype), real(), real()],
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.CONV_2D, [0, 2, -1], 3),
            )
        )
        assert found.scheme == np.dtype(dtype).name
        assert found.compute_types == (FLOAT,)
        assert found.float_operators == (("CONV_2D", 1),)

    def test_most_bytes_decide(self) -> None:
        half, one = constant(np.ones(9, np.float16)), constant(np.ones(1, np.float32))
        found = of(
            graph(
                [real(), half, real(), one, real()],
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.CONV_2D, [0, 2, 3], 4),
            )
        )
        assert (found.scheme, found.variable_types) == ("float16", ("FLOAT16", "FLOAT32"))

    def test_no_constants(self) -> None:
        found = of(graph([real(), real()], op(OP.RELU, [0], 1)))
        assert (found.scheme, found.constants, found.variable_types) == ("float32", (), ())

    @pytest.mark.parametrize("type", [TYPES.INT8, TYPES.INT4, TYPES.UINT8, 19])
    def test_weights_that_are_dequantized(self, type: int) -> None:
        name = {TYPES.INT8: "int8", TYPES.INT4: "int4", TYPES.UINT8: "uint8", 19: "int2"}[type]
        found = of(
            graph(
                [real(), weights(type), real(), real(), real()],
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.RESHAPE, [2, -1], 3),  # of weights alone: no computation on activations
                op(OP.CONV_2D, [0, 3, -1], 4),
            )
        )
        assert found.scheme == f"weight-only {name}"
        assert found.float_operators == (("CONV_2D", 1),)

    def test_one_hybrid_operator_makes_it_dynamic_range(self) -> None:
        found = of(
            graph(
                [real(), weights(), real(), weights(), real(), real()],
                op(OP.FULLY_CONNECTED, [0, 1, -1], 2),
                op(OP.DEQUANTIZE, [3], 4),
                op(OP.CONV_3D, [2, 4, -1], 5),
            )
        )
        assert found.scheme == "dynamic range"
        assert found.float_operators == (("CONV_3D", 1), ("FULLY_CONNECTED", 1))

    def test_sparse_weights_of_a_hybrid_operator(self) -> None:
        tensors = [real(), weights(), quantized(), real()]
        found = of(graph(tensors, op(OP.DENSIFY, [1], 2), op(OP.FULLY_CONNECTED, [0, 2, -1], 3)))
        assert found.scheme == "dynamic range"

    def test_a_bias_in_integers_makes_no_hybrid_operator(self) -> None:
        bias = constant(np.ones(2, np.int32), 0.5)
        found = of(graph([real(), floats(), bias, real()], op(OP.CONV_2D, [0, 1, 2], 3)))
        assert found.scheme == "float32"

    def test_a_look_up_in_quantized_weights(self) -> None:
        ids = TensorSpec(type=TYPES.INT32)
        hybrid = of(graph([ids, weights(), real()], op(OP.EMBEDDING_LOOKUP, [0, 1], 2)))
        assert hybrid.scheme == "dynamic range"
        gather = op(OP.GATHER, [1, 0], 2)
        tensors = [ids, weights(), quantized(), real(), real()]
        alone = of(graph(tensors[:-1], gather, op(OP.DEQUANTIZE, [2], 3)))
        assert alone.scheme == "weight-only int8"
        found = of(graph(tensors, gather, op(OP.DEQUANTIZE, [2], 3), op(OP.TANH, [3], 4)))
        assert found.scheme == "weight-only int8"
        assert found.quantized_operators == ()

    def test_random_numbers_are_not_fixed(self) -> None:
        shape = constant(np.ones(1, np.int32))
        found = of(graph([shape, real()], op(OP.RANDOM_UNIFORM, [0], 1)))
        assert found.float_operators == (("RANDOM_UNIFORM", 1),)

    def test_only_custom_operators(self) -> None:
        found = of(graph([real(), real()], op(OP.CUSTOM, [0], 1, custom="DISPATCH_OP")))
        assert found.scheme == "float32"
        assert found.custom_operators == (("DISPATCH_OP", 1),)
        assert found.float_operators == (("DISPATCH_OP", 1),)


class TestInteger:
    @pytest.mark.parametrize("type", ["INT8", "UINT8", "INT16"])
    def test_one_type_throughout(self, type: str) -> None:
        number = getattr(TYPES, type)
        found = of(
            graph(
                [quantized(number), weights(number), quantized(number)],
                op(OP.CONV_2D, [0, 1, -1], 2),
            )
        )
        assert found.scheme == f"full integer {type.lower()}"
        assert found.float_operators == ()

    @pytest.mark.parametrize("type", ["INT8", "INT4"])
    def test_weights_narrower_than_activations(self, type: str) -> None:
        number = getattr(TYPES, type)
        tensors = [quantized(TYPES.INT16), weights(number), quantized(TYPES.INT16)]
        found = of(graph(tensors, op(OP.CONV_2D, [0, 1, -1], 2)))
        assert found.scheme == f"int16 activations with {type.lower()} weights"

    def test_int16_with_float_edges(self) -> None:
        found = of(
            graph(
                [real(), quantized(TYPES.INT16), weights(), quantized(TYPES.INT16), real()],
                op(OP.QUANTIZE, [0], 1),
                op(OP.CONV_2D, [1, 2, -1], 3),
                op(OP.DEQUANTIZE, [3], 4),
            )
        )
        assert found.scheme == "int16 activations with int8 weights and float inputs/outputs"
        assert found.compute_types == (INT16,)

    @pytest.mark.parametrize(
        ("first", "last", "words"),
        [
            (real(), quantized(), "float inputs"),
            (quantized(), real(), "float outputs"),
            (real(), quantized(TYPES.UINT8), "float inputs, uint8 outputs"),
            (quantized(TYPES.UINT8), quantized(), "uint8 inputs"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_edges_that_differ(self, first: TensorSpec, last: TensorSpec, words: str) -> None:
        found = of(
            graph(
                [first, quantized(), quantized(), last],
                op(OP.QUANTIZE, [0], 1),
                op(OP.RELU, [1], 2),
                op(OP.QUANTIZE, [2], 3),
            )
        )
        assert found.scheme == f"full integer int8 with {words}"

    def test_only_conversions(self) -> None:
        tensors = [real(), quantized(), real()]
        found = of(graph(tensors, op(OP.QUANTIZE, [0], 1), op(OP.DEQUANTIZE, [1], 2)))
        assert found.scheme == "full integer int8 with float inputs/outputs"
        assert found.float_operators + found.quantized_operators == ()
        assert found.compute_types == ()

    def test_shapes_and_counters_do_not_mix(self) -> None:
        plain, truth = TensorSpec(type=TYPES.INT32), TensorSpec(type=TYPES.BOOL)
        found = of(
            graph(
                [real(), plain, plain, truth, quantized(), quantized()],
                op(OP.SHAPE, [0], 1),
                op(OP.ADD, [1, 1], 2),
                op(OP.LESS, [1, 2], 3),
                op(OP.QUANTIZE, [0], 4),
                op(OP.RESHAPE, [4, 2], 5),
            )
        )
        assert found.scheme == "full integer int8 with float inputs"
        assert found.quantized_operators == (("RESHAPE", 1),)
        assert found.compute_types == (INT8,)

    def test_a_state_counts_as_an_activation(self) -> None:
        state = TensorSpec(type=TYPES.INT16, scale=0.5, zero_point=0, is_variable=True)
        tensors = [quantized(), weights(), weights(), state, quantized()]
        found = of(graph(tensors, op(OP.SVDF, [0, 1, 2, -1, 3], 4)))
        assert (found.scheme, found.compute_types) == ("full integer int8", (INT8, INT16))

    def test_parameters_of_a_newer_kind_are_quantization_too(self) -> None:
        details = (1, lambda b: build.table(b, "CustomQuantization"))
        tensors = [TensorSpec(details=details), TensorSpec()]
        assert of(graph(tensors, op(OP.RELU, [0], 1))).scheme == "full integer int8"


class TestMixed:
    def test_a_float_island(self) -> None:
        found = of(
            graph(
                [quantized(), quantized(), real(), real(), real(), real(), quantized()],
                op(OP.RELU, [0], 1),
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.SIN, [2], 3),
                op(OP.COS, [3], 4),
                op(OP.SIN, [4], 5),
                op(OP.QUANTIZE, [5], 6),
            )
        )
        assert found.scheme == "mixed"
        assert found.float_operators == (("SIN", 2), ("COS", 1))
        assert found.quantized_operators == (("RELU", 1),)

    def test_a_hybrid_operator_beside_an_integer_one(self) -> None:
        found = of(
            graph(
                [quantized(), quantized(), real(), weights(), real()],
                op(OP.RELU, [0], 1),
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.FULLY_CONNECTED, [2, 3, -1], 4),
            )
        )
        assert (found.scheme, found.float_operators) == ("mixed", (("FULLY_CONNECTED", 1),))

    def test_a_custom_operator_from_integers_to_float(self) -> None:
        name = "TFLite_Detection_PostProcess"
        found = of(
            graph(
                [quantized(TYPES.UINT8), quantized(TYPES.UINT8), real()],
                op(OP.LOGISTIC, [0], 1),
                op(OP.CUSTOM, [1], 2, custom=name),
            )
        )
        assert found.scheme == (
            "full integer uint8, with a custom operator TFLite_Detection_PostProcess in float at "
            "its end"
        )
        assert found.float_operators == ((name, 1),)

    def test_a_look_up_in_a_float_table(self) -> None:
        """It moves values, and computes nothing."""
        ids = TensorSpec(type=TYPES.INT32)
        found = of(
            graph(
                [ids, floats(), real(), quantized(), quantized()],
                op(OP.GATHER, [1, 0], 2),
                op(OP.QUANTIZE, [2], 3),
                op(OP.RELU, [3], 4),
            )
        )
        assert (found.scheme, found.float_operators) == ("full integer int8", (("GATHER", 1),))

    def test_a_float_operator_in_a_branch(self) -> None:
        truth = TensorSpec(type=TYPES.BOOL)
        main = graph([truth, quantized(), quantized()], op(OP.IF, [0, 1], 2))
        then = graph([quantized(), quantized()], op(OP.RELU, [0], 1))
        tensors = [quantized(), real(), real(), quantized()]
        branch = graph(
            tensors, op(OP.DEQUANTIZE, [0], 1), op(OP.EXP, [1], 2), op(OP.QUANTIZE, [2], 3)
        )
        assert of(main, then, then).scheme == "full integer int8"
        found = of(main, then, branch)
        assert (found.scheme, found.float_operators) == ("mixed", (("EXP", 1),))


class TestAround:
    """What works in float around a model that computes on integers."""

    def test_a_custom_decoder_after_a_dequantize(self) -> None:
        found = of(
            graph(
                [quantized(), quantized(), real(), real()],
                op(OP.RELU, [0], 1),
                op(OP.DEQUANTIZE, [1], 2),
                op(OP.CUSTOM, [2], 3, custom="Decode"),
            )
        )
        assert (
            found.scheme == "full integer int8, with a custom operator Decode in float at its end"
        )

    def test_a_custom_operator_before_a_quantize(self) -> None:
        found = of(
            graph(
                [real(), real(), quantized(), quantized(), real()],
                op(OP.CUSTOM, [0], 1, custom="Window"),
                op(OP.QUANTIZE, [1], 2),
                op(OP.RELU, [2], 3),
                op(OP.DEQUANTIZE, [3], 4),
            )
        )
        assert found.scheme == (
            "full integer int8 with float outputs, "
            "with a custom operator Window in float at its beginning"
        )

    def test_custom_operators_between_integer_ones(self) -> None:
        tensors = [quantized(), quantized(), real(), real(), real(), real(), quantized()]
        name = "a\n" + 90 * "b"
        found = of(
            graph(
                [*tensors, quantized()],
                op(OP.RELU, [0], 1),
                op(OP.CUSTOM, [1], 2, custom=name),
                op(OP.CUSTOM, [2], 3, custom="two"),
                op(OP.CUSTOM, [3], 4, custom="three"),
                op(OP.CUSTOM, [4], 5, custom="four"),
                op(OP.QUANTIZE, [5], 6),
                op(OP.RELU, [6], 7),
            )
        )
        assert found.scheme == (
            f"full integer int8, with custom operators a\\n{38 * 'b'}, two, three and 1 more "
            "in float inside it"
        )

    def test_a_float_table_that_an_operator_loads(self) -> None:
        found = of(
            graph(
                [quantized(), real(), quantized()],
                op(OP.CUSTOM, [], 1, custom="load"),
                op(OP.CUSTOM, [0, 1], 2, custom="softmax"),
            )
        )
        assert found.scheme == "full integer int8"
        assert found.float_operators == ()

    def test_moving_floats_is_not_computing(self) -> None:
        tensors = [quantized(), quantized(), real(), real()]
        end = [op(OP.RELU, [0], 1), op(OP.DEQUANTIZE, [1], 2)]
        found = of(graph(tensors, *end, op(OP.RESHAPE, [2], 3)))
        assert found.scheme == "full integer int8 with float outputs"
        assert of(graph(tensors, *end, op(OP.SOFTMAX, [2], 3))).scheme == "mixed"

    def test_moving_integers_is_not_computing(self) -> None:
        tensors = [quantized(), quantized(), real(), real()]
        start = [op(OP.RESHAPE, [0], 1), op(OP.DEQUANTIZE, [1], 2)]
        assert of(graph(tensors, *start, op(OP.SOFTMAX, [2], 3))).scheme == "float32"

    def test_floats_alone(self) -> None:
        found = of(graph([real(), real()], op(OP.CUSTOM, [0], 1, custom="all")))
        assert found.scheme == "float32"


class TestLittle:
    def test_no_operators(self) -> None:
        assert of(SubgraphSpec([])).scheme == "no operators"
        assert of(SubgraphSpec([floats()])).constants == (("FLOAT32", 1, 8),)

    def test_an_empty_subgraph_beside_another(self) -> None:
        one = graph([quantized(), quantized()], op(OP.RELU, [0], 1))
        assert of(SubgraphSpec([]), one).scheme == "full integer int8"

    @pytest.mark.parametrize("type", ["INT8", "INT32", "BOOL", "STRING"])
    def test_plain_values(self, type: str) -> None:
        plain = TensorSpec(type=getattr(TYPES, type))
        found = of(graph([plain, plain], op(OP.RESHAPE, [0], 1)))
        assert (found.scheme, found.inputs) == ("neither float nor quantized", (type,))

    def test_a_type_that_is_not_known(self) -> None:
        found = of(graph([TensorSpec(type=99), TensorSpec(type=99)], op(999, [0], 1)))
        assert (found.scheme, found.inputs) == ("neither float nor quantized", ("TensorType(99)",))

    def test_only_fixed_tensors(self) -> None:
        found = of(graph([floats(), real()], op(OP.RELU, [0], 1)))
        assert (found.scheme, found.float_operators) == ("float32", ())

    def test_tensors_that_share_a_buffer_count_once(self) -> None:
        shared = [TensorSpec(type=TYPES.FLOAT32, shape=(2,), buffer=1) for _ in range(3)]
        one = graph([real(), *shared, real()], op(OP.ADD_N, [0, 1, 2, 3], 4))
        found = summarize(tq.open(build.model(one, one, buffers=[bytes(8)])))
        assert found.constants == (("FLOAT32", 1, 8),)

    def test_values_in_another_file(self) -> None:
        content = external_model((5, 0, 4, 12, None), (6, 0, 16, 7, None), ids=(5, 6, 5))
        assert summarize(tq.open(content)).constants == (("INT8", 2, 19),)


class TestText:
    def test_mixed(self) -> None:
        assert str(of_fixture("mixed")).splitlines() == [
            "scheme: mixed",
            "inputs: FLOAT32",
            "outputs: FLOAT32",
            "variables: INT8, INT32",
            "computation: INT8, FLOAT32",
            "constants: 3 INT8 (5168 bytes), 4 INT32 (216 bytes)",
            "float operators: SIN 1",
            "quantized operators: CONV_2D 2, FULLY_CONNECTED 1, MEAN 1",
        ]

    def test_little_and_a_name_from_a_stranger(self) -> None:
        found = of(
            SubgraphSpec([real(), real()], (0, 0), (), [op(OP.CUSTOM, [0], 1, custom="a\nb")])
        )
        assert str(found).splitlines() == [
            "scheme: float32",
            "inputs: FLOAT32 x 2",
            "outputs: none",
            "variables: none",
            "computation: FLOAT32",
            "constants: none",
            "operators: 1 float",
            r"custom operators: a\nb 1",
        ]

    def test_repr_is_one_line(self) -> None:
        assert repr(of_fixture("residual_int8")) == (
            "Summary('full integer int8', INT8 -> INT8, 31056 bytes of constants)"
        )


class TestHostile:
    @pytest.mark.parametrize("name", ["control_flow", "lstm_int8", "mixed", "blockwise_int4"])
    def test_changed_bytes_give_a_summary_or_an_error_of_ours(self, name: str) -> None:
        content = np.fromfile(ROOT / "fixtures" / f"{name}.tflite", np.uint8)
        rng = np.random.default_rng(0)
        for _ in range(400):
            changed = content.copy()
            changed[rng.integers(8, changed.size, 8)] = rng.integers(0, 256, 8)
            try:
                found = summarize(tq.open(changed.tobytes()))
            except tq.TFLiteError:
                continue
            assert str(found)

    def test_a_long_name_that_many_operator_codes_share_is_kept_once(self) -> None:
        with pytest.raises(tq.CorruptModelError, match="would take"):
            tq.open(codes_with("n" * 100_000, 0))
        model = tq.open(codes_with("n" * 500, 0))
        tracemalloc.start()
        try:
            found = summarize(model)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found.custom_operators == (("n" * 500, 3000),)
        assert peak < 10_000_000

    def test_long_names_that_overlap(self) -> None:
        # Every four bytes are the length of a name, 1024.
        model = tq.open(codes_with("\0\x04\0\0" * 3_300, 4))
        assert sum(count for _, count in summarize(model).custom_operators) == 3000

    def test_work_is_linear(self) -> None:
        def work(count: int) -> int:
            chain = [op(OP.RELU, [i], i + 1) for i in range(count)]
            model = tq.open(build.model(graph([real() for _ in range(count + 1)], *chain)))
            assert summarize(model).float_operators == (("RELU", count),)
            return calls(lambda: summarize(model))

        assert work(4_000) < 2.1 * work(2_000)


def codes_with(name: str, step: int) -> bytes:
    """Build 3000 operator codes; the n-th has the name that begins n steps into a long one."""
    operators = [OperatorSpec(OP.CUSTOM, [0], [1], name)]
    operators += [OperatorSpec(OP.CUSTOM, [0], [1], "n", version) for version in range(2, 3001)]
    raw = bytearray(build.model(SubgraphSpec([real(), real()], (), (), operators)))
    codes = [tflite.Model.GetRootAs(raw).OperatorCodes(index) for index in range(3000)]
    fields = [code._tab.Pos + code._tab.Offset(6) for code in codes]
    long = fields[0] + int.from_bytes(raw[fields[0] : fields[0] + 4], "little")
    for index, field in enumerate(fields):
        offset = (long + index * step - field) % 2**32
        raw[field : field + 4] = offset.to_bytes(4, "little")
    return bytes(raw)
