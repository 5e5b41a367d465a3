"""What `operator_requantization` gives where there is nothing to multiply, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, faults, kernels, oracle, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.kernels import requantization
from tflite_quant import Arithmetic

TYPES = tflite.TensorType
RUNTIMES = ("tflm", "litert")


@pytest.mark.parametrize(
    ("name", "kind", "scales", "precision", "runtime"),
    [
        ("FULLY_CONNECTED", TYPES.INT8, [0.3], np.float64, "tflm"),
        ("FULLY_CONNECTED", TYPES.INT8, [0.3, 0.7], np.float64, "tflm"),
        ("BATCH_MATMUL", TYPES.INT8, [0.3], np.float64, "tflm"),
        ("BATCH_MATMUL", TYPES.INT8, [0.3], np.float32, "litert"),
        ("CONV_2D", TYPES.INT8, [0.3], np.float64, "tflm"),
        ("CONV_2D", TYPES.INT8, [0.3], np.float64, "litert"),
        ("CONV_2D", TYPES.INT8, [0.3, 0.7], np.float64, "tflm"),
        ("CONV_2D", TYPES.INT8, [0.3, 0.7], np.float64, "litert"),
        ("CONV_2D", TYPES.UINT8, [0.3], np.float32, "litert"),
    ],
)
def test_the_precision_of_the_product_of_scales(
    name: str, kind: int, scales: list[float], precision: Any, runtime: str
) -> None:
    def multiplied(dtype: Any) -> list[int]:
        one, others = np.array([0.1], np.float32), np.array(scales, np.float32)
        product = np.multiply(one, others, dtype=dtype).astype(np.float64)
        found: list[int] = tq.quantize_multiplier(product / np.float64(np.float32(0.9)))[0].tolist()
        return found

    x = TensorSpec("x", (2, 2), kind, scale=0.1, zero_point=0)
    w = replace(x, name="w", scale=scales, zero_point=[0] * len(scales))
    content = faults.operator(name, [x, w], [replace(x, name="y", scale=0.9)])
    found = requantization(content, runtime).multipliers["output"].multiplier.tolist()
    channels = 2 // len(scales) if name == "CONV_2D" else 1
    assert found == multiplied(precision) * channels
    # The other precision would be noticed.
    other = np.float64 if precision is np.float32 else np.float32
    assert found != multiplied(other) * channels


def image(name: str, shape: Sequence[int], kind: int) -> TensorSpec:
    """Describe a tensor of integers with a scale, or of real numbers."""
    is_integer = kind != TYPES.FLOAT32
    zero_point = (5 if kind == TYPES.INT8 else 0) if is_integer else None
    return TensorSpec(name, shape, kind, None, 0.1 if is_integer else None, zero_point)


def ints(*values: Any) -> TensorSpec:
    return constant(np.array(values, np.int32), name="c")


MOVES: Mapping[str, tuple[tuple[int, ...], Sequence[TensorSpec], tuple[int, ...], Any]] = {
    "BATCH_TO_SPACE_ND": (
        (4, 2, 2, 2), [ints(2, 2), ints([0, 0], [0, 0])], (1, 4, 4, 2),
        ("BatchToSpaceNDOptions", {}),
    ),
    "DEPTH_TO_SPACE": ((1, 2, 2, 8), [], (1, 4, 4, 2), ("DepthToSpaceOptions", {"block_size": 2})),
    "EXPAND_DIMS": ((2, 3), [ints(1)], (2, 1, 3), ("ExpandDimsOptions", {})),
    "GATHER": ((4, 3), [ints(2, 0)], (2, 3), ("GatherOptions", {})),
    "MIRROR_PAD": ((2, 3), [ints([1, 1], [1, 1])], (4, 5), ("MirrorPadOptions", {})),
    "PAD": ((2, 3), [ints([1, 1], [0, 2])], (4, 5), ("PadOptions", {})),
    "REDUCE_MAX": ((3, 4), [ints(1)], (3,), ("ReducerOptions", {})),
    "REDUCE_MIN": ((3, 4), [ints(1)], (3,), ("ReducerOptions", {})),
    "RESHAPE": ((3, 4), [ints(2, 6)], (2, 6), ("ReshapeOptions", {})),
    "RESIZE_NEAREST_NEIGHBOR": (
        (1, 3, 3, 2), [ints(5, 2)], (1, 5, 2, 2), ("ResizeNearestNeighborOptions", {})
    ),
    "SLICE": ((3, 4), [ints(1, 0), ints(2, 3)], (2, 3), ("SliceOptions", {})),
    "SPACE_TO_DEPTH": ((1, 4, 4, 2), [], (1, 2, 2, 8), ("SpaceToDepthOptions", {"block_size": 2})),
    "SQUEEZE": ((2, 1, 3), [], (2, 3), ("SqueezeOptions", {})),
    "STRIDED_SLICE": (
        (4, 4), [ints(0, 1), ints(4, 4), ints(2, 1)], (2, 3), ("StridedSliceOptions", {})
    ),
    "TRANSPOSE": ((2, 3, 4), [ints(2, 0, 1)], (4, 2, 3), ("TransposeOptions", {})),
}  # fmt: skip
"""Operators with the shapes of input and output, further inputs and options."""


@pytest.fixture(scope="module")
def moved_by_tflm() -> Mapping[tuple[str, int], NDArray[Any]]:
    """Run all in one process: it takes a second to start."""
    keys = [(name, kind) for name in MOVES for kind in (TYPES.INT8, TYPES.FLOAT32)]
    answers = tflm.answers([tflm.Job(*moving(*key)) for key in keys])
    assert [answer.refusal for answer in answers if answer.refusal] == []
    return {key: answer.outputs[0] for key, answer in zip(keys, answers, strict=True)}


def moving(name: str, kind: int) -> tuple[bytes, list[NDArray[Any]]]:
    """Give a model that moves values, and values; they are the same for all types."""
    source, others, target, (table, options) = MOVES[name]
    specs, y = [image("x", source, kind), *others], image("y", target, kind)
    content = faults.operator(name, specs, [y], 1, **faults.options(table, **options))
    values = np.random.default_rng(1).integers(-100, 100, source)
    return content, [values.astype(np.int8 if kind == TYPES.INT8 else np.float32)]


class TestWhatMovesValues:
    """Of integers an operator makes those that it makes of the same real numbers."""

    @pytest.mark.parametrize("name", MOVES)
    def test_in_tflm(
        self, name: str, moved_by_tflm: Mapping[tuple[str, int], NDArray[Any]]
    ) -> None:
        outputs = [moved_by_tflm[name, kind] for kind in (TYPES.INT8, TYPES.FLOAT32)]
        self._compare(name, "tflm", *outputs)

    @pytest.mark.parametrize("name", MOVES)
    def test_in_litert(self, name: str) -> None:
        outputs = []
        for kind in (TYPES.INT8, TYPES.FLOAT32):
            content, (values,) = moving(name, kind)
            runner = oracle.interpreter(content, reference=True)
            with oracle.quiet():
                runner.allocate_tensors()
                runner.set_tensor(0, values)
                runner.invoke()
            outputs.append(runner.get_tensor(runner.get_output_details()[0]["index"]))
        self._compare(name, "litert", *outputs)

    def _compare(
        self, name: str, runtime: str, integers: NDArray[Any], reals: NDArray[Any]
    ) -> None:
        content, _ = moving(name, TYPES.INT8)
        found = requantization(content, runtime)
        assert found.moves_values
        assert (found.multipliers, found.range) == ({}, None)
        if name == "PAD":
            # Real numbers are padded with 0, and none of the values is 0.
            reals = np.where(reals == 0, found.constants["pad_value"], reals)
        assert integers.dtype == np.int8
        assert np.array_equal(integers, reals)

    def test_values_that_are_compared(self) -> None:
        """MAXIMUM reads no scale, even where the scales differ."""
        inputs, specs, y = kernels.two(np.random.default_rng(1), TYPES.INT8)
        content = faults.operator("MAXIMUM", specs, [y])
        for runtime in RUNTIMES:
            assert requantization(content, runtime).moves_values
            case = kernels.Case(content, inputs, lambda _: np.maximum(*inputs))
            theirs = kernels.outputs([case], runtime)[0]
            assert np.array_equal(case.expected(requantization(content, runtime)), theirs)


class TestFloatingPoint:
    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_dequantize(self, runtime: str) -> None:
        x = TensorSpec("x", (1, 4), scale=0.5, zero_point=3)
        content = faults.operator("DEQUANTIZE", [x], [TensorSpec("y", (1, 4), TYPES.FLOAT32)])
        found = requantization(content, runtime)
        assert (found.arithmetic, found.offsets) == (Arithmetic.FLOAT, {"input": -3})
        assert (found.multipliers, found.range) == ({}, None)

    @pytest.mark.parametrize("runtime", RUNTIMES)
    def test_quantize(self, runtime: str) -> None:
        x, y = TensorSpec("x", (1, 4), TYPES.FLOAT32), replace(faults.X, name="y")
        found = requantization(faults.operator("QUANTIZE", [x], [y]), runtime)
        assert (found.arithmetic, found.offsets) == (Arithmetic.FLOAT, {"output": 3})
        assert (found.multipliers, found.range) == ({}, (-128, 127))

    def test_hybrid_kernels(self) -> None:
        """Real inputs and integer weights: LiteRT has such kernels, TensorFlow Lite Micro none."""
        x, y = (TensorSpec(name, (1, 4), TYPES.FLOAT32) for name in "xy")
        w = constant(np.ones((4, 4), np.int8), 0.5, 0, name="w")
        content = faults.operator("FULLY_CONNECTED", [x, w], [y], 9, **OPTIONS)
        found = requantization(content, "litert")
        assert (found.arithmetic, found.multipliers) == (Arithmetic.FLOAT, {})
        with pytest.raises(
            tq.UnsupportedError,
            match="Micro's FULLY_CONNECTED is not hybrid: .* FLOAT32 with .* INT8",
        ):
            requantization(content, "tflm")
        assert "FLOAT32 with filter type: INT8 not supported" in tflm.answer(content).refusal


OPTIONS = faults.options("FullyConnectedOptions")


def test_most_integer_operators_have_an_answer(model_paths: list[Path]) -> None:
    """At most 1 in 50 is derived for neither runtime."""
    total, left = 0, Counter[str]()
    integers = {tq.TensorType.INT8, tq.TensorType.UINT8, tq.TensorType.INT16}
    for path in model_paths:
        with tq.open(path) as model:
            for operator in (step for graph in model.subgraphs for step in graph.operators):
                tensors = (*operator.inputs, *operator.outputs)
                if integers.isdisjoint(tensor.type for tensor in tensors if tensor is not None):
                    continue
                total += 1
                reasons = [reason(operator, runtime) for runtime in RUNTIMES]
                left.update([str(reasons)] if all(reasons) else [])
    assert total >= 100
    assert left.total() * 50 <= total, left


def reason(operator: tq.Operator, runtime: str) -> str:
    """Say in a line why an operator is not derived; nothing if it is."""
    try:
        tq.operator_requantization(operator, runtime)
    except (tq.QuantizationError, tq.UnsupportedError) as error:
        text = str(error)
        assert text
        assert "\n" not in text
        return text
    return ""


class TestWhatIsRefused:
    def test_runtimes_that_are_unknown(self) -> None:
        content = faults.operator("ADD", [faults.X, faults.X], [faults.X])
        with pytest.raises(ValueError, match="'tensorrt'; known are 'tflm' and 'litert'"):
            requantization(content, "tensorrt")

    @pytest.mark.parametrize("runtime", RUNTIMES)
    @pytest.mark.parametrize("index", [0, 1, 2])
    @pytest.mark.parametrize("value", [0.0, -0.5, np.nan, np.inf])
    def test_scales_that_are_not_positive(self, index: int, value: float, runtime: str) -> None:
        specs = [replace(faults.X, name=name) for name in "aby"]
        specs[index] = replace(specs[index], scale=value)
        message = f"tensor {index} '{'aby'[index]}' has scale {value}; it must be positive"
        for name in ("ADD", "MUL", "SUB", "SQUARED_DIFFERENCE", "PRELU"):
            with pytest.raises(tq.QuantizationError, match=message):
                requantization(faults.operator(name, specs[:2], specs[2:]), runtime)

    @pytest.mark.parametrize(
        ("changes", "found"),
        [
            ({"type": TYPES.INT32}, "type INT32 and scheme per-tensor"),
            ({"scale": [0.5, 1], "zero_point": [0, 0]}, "type INT8 and scheme per-axis"),
        ],
    )
    def test_inputs_without_one_scale(self, changes: dict[str, Any], found: str) -> None:
        x = replace(faults.X, **changes)
        with pytest.raises(tq.QuantizationError, match=f"tensor 0 'x' has {found}"):
            requantization(faults.unary("RELU", faults.SAME, x), "tflm")

    @pytest.mark.parametrize(
        ("name", "operator"),
        [
            ("SIN", "SIN"),
            ("custom operator 'thing'", "CUSTOM"),
            ("custom operator 'ADD'", "CUSTOM"),
        ],
    )
    def test_operators_that_are_unknown(self, name: str, operator: str) -> None:
        custom = name.split("'")[1] if operator == "CUSTOM" else None
        step = OperatorSpec(getattr(faults.OPERATORS, operator), [0], [1], custom)
        content = build.model(SubgraphSpec([faults.X, faults.SAME], [0], [1], [step]))
        with pytest.raises(tq.UnsupportedError, match=f"the requantization of {name} is not known"):
            requantization(content, "tflm")

    def test_processors_of_their_own(self) -> None:
        step = OperatorSpec(faults.OPERATORS.CUSTOM, [0], [1], "ethos-u")
        content = build.model(SubgraphSpec([faults.X, faults.SAME], [0], [1], [step]))
        with pytest.raises(tq.UnsupportedError, match="ethos-u runs on an Ethos-U"):
            requantization(content, "tflm")

    def test_floats(self) -> None:
        floats = TensorSpec("x", (1, 4), TYPES.FLOAT32)
        with pytest.raises(
            tq.QuantizationError, match="tensor 0 'x' has type FLOAT32 and scheme none"
        ):
            requantization(faults.unary("RELU", faults.SAME, floats), "tflm")

    def test_an_input_that_is_not_there(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="ADD has no input 1"):
            requantization(faults.operator("ADD", [faults.X], [faults.SAME]), "tflm")

    @pytest.mark.parametrize("outputs", [[], [-1]])
    def test_an_output_that_is_not_there(self, outputs: list[int]) -> None:
        step = OperatorSpec(faults.OPERATORS.RELU, [0], outputs)
        with pytest.raises(tq.UnsupportedError, match="RELU has no output"):
            requantization(build.model(SubgraphSpec([faults.X], [0], [], [step])), "tflm")

    def test_outputs_that_are_no_integers(self) -> None:
        y = TensorSpec("y", (1, 4), TYPES.FLOAT32)
        content = faults.operator("L2_NORMALIZATION", [faults.X], [y], 2)
        with pytest.raises(tq.UnsupportedError, match="L2_NORMALIZATION makes no FLOAT32"):
            requantization(content, "tflm")

    def test_weights_along_another_axis(self) -> None:
        content = faults.FAULTS["TQ203"].bad
        with pytest.raises(
            tq.QuantizationError, match="one scale or one for each slice along axis 0"
        ):
            requantization(content, "tflm")

    @pytest.mark.parametrize(
        ("axis", "shape", "message"),
        [
            ([2], (2, 3), r"takes no axes \[2\] for rank 2"),
            ([0], (0, 3), "takes no mean of 0 values"),
            ([*range(9)], (2**31 - 1,) * 9, "takes no mean of [0-9]+ values"),
            ([0], (1,) * 500, "takes no rank of 500"),
            (None, (2, 3), "only for axes that are constant"),
        ],
    )
    def test_means_of_what_is_not_known(
        self, axis: list[int] | None, shape: tuple[int, ...], message: str
    ) -> None:
        x, y = replace(faults.X, shape=shape), replace(faults.X, shape=(3,), name="y")
        indices = TensorSpec("i", (1,), TYPES.INT32) if axis is None else ints(*axis)
        with pytest.raises(tq.UnsupportedError, match=message):
            requantization(faults.operator("MEAN", [x, indices], [y]), "tflm")
