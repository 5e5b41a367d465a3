"""Fixed-point numbers: those of a C program, and the outputs of LiteRT's kernels."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, faults, oracle
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.compiler import compiled
from tflite_quant.firmware.fixedpoint import Multiplier, Requantization

TYPES = tflite.TensorType

PROGRAM = r"""
/* Written from the formula: the significand times 2^31, rounded to the nearest, halves away from
   zero, and carried into the exponent where it has become 2^31. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

int main(void) {
  double real;
  while (scanf("%la", &real) == 1) {
    int exponent = 0;
    double significand = frexp(real, &exponent);
    int64_t fixed = (int64_t)round(ldexp(significand, 31));
    if (fixed == INT64_C(2147483648)) {
      fixed = INT64_C(1073741824);
      exponent = exponent + 1;
    }
    if (fixed == 0 || exponent < -31) {
      fixed = 0;
      exponent = 0;
    }
    printf("%ld %d\n", (long)fixed, exponent);
  }
  return 0;
}
"""


def reals() -> NDArray[np.float64]:
    r = np.random.default_rng(3)
    spread = np.exp2(r.uniform(-40, 20, 20_000))
    halves = (r.integers(1 << 30, 1 << 31, 5_000) + 0.5) / (1 << 31)
    near_one = 1 - np.exp2(-r.integers(30, 54, 200).astype(float))
    edges = [0.0, 1.0, 0.5, 2.0**-31, 2.0**-32, 2.0**-33, 5e-324, 1e300]
    return np.concatenate([spread, halves, near_one, edges])


class TestMultipliers:
    def test_a_c_program_has_the_same(self, tmp_path: Path) -> None:
        source = tmp_path / "multiplier.c"
        source.write_text(PROGRAM)
        program = compiled(source, tmp_path / "multiplier", "c99")
        values = reals()
        text = "\n".join(value.hex() for value in values.tolist())
        output = subprocess.check_output([program], input=text, text=True)
        theirs = np.array([line.split() for line in output.splitlines()], np.int64)
        multipliers, shifts = tq.quantize_multiplier(values)
        assert np.array_equal(multipliers, theirs[:, 0])
        assert np.array_equal(shifts, theirs[:, 1])

    def test_they_are_what_they_stand_for(self) -> None:
        values = reals()
        values = values[(values > 2.0**-31) & (values < 2.0**30)]
        multipliers, shifts = tq.quantize_multiplier(values)
        assert ((multipliers >= 1 << 30) & (multipliers <= (1 << 31) - 1)).all()
        back = np.ldexp(multipliers.astype(np.float64), shifts - 31)
        assert (np.abs(back - values) <= values * 2.0**-31).all()

    def test_no_number(self) -> None:
        assert [part.shape for part in tq.quantize_multiplier([])] == [(0,), (0,)]

    def test_one_number_and_many(self) -> None:
        assert tq.quantize_multiplier(0.0) == (0, 0)
        found = tq.quantize_multiplier(np.array([[0.5, 0.25]]))
        assert [part.shape for part in found] == [(1, 2), (1, 2)]
        assert all(part.dtype == np.int32 for part in found)

    @pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
    def test_what_is_none(self, value: float) -> None:
        with pytest.raises(tq.QuantizationError, match="negative or not finite"):
            tq.quantize_multiplier([0.5, value])


def high_multiplied(x: NDArray[np.int64], m: NDArray[np.int32], s: NDArray[np.int32]) -> Any:
    """Multiply by fixed-point numbers in integers, rounding twice, as the kernels do."""
    left, right = np.maximum(s, 0).astype(np.int64), np.maximum(-s, 0).astype(np.int64)
    # The kernels' sums and shifted values are int32, and wrap around.
    product = (x << left).astype(np.int32) * m.astype(np.int64)
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    shifted = product + nudge
    high = np.where(shifted >= 0, shifted >> 31, -(-shifted >> 31))
    mask = (np.int64(1) << right) - 1
    rest = high & mask
    threshold = (mask >> 1) + (high < 0)
    return (high >> right) + (rest > threshold)


def times(x: NDArray[np.int64], by: Multiplier) -> Any:
    return high_multiplied(x, by.multiplier, by.shift)


def wide(q: NDArray[Any], offset: int = 0) -> NDArray[np.int64]:
    return q.astype(np.int64) + offset


def finished(values: Any, found: Requantization, dtype: Any) -> NDArray[Any]:
    clamped = np.clip(values + found.offsets["output"], *found.range)
    return np.asarray(clamped).astype(dtype)


def run(content: bytes, values: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """Run a model with LiteRT's reference kernels."""
    runner = oracle.interpreter(content, reference=True)
    with oracle.quiet():
        runner.allocate_tensors()
        for index, value in values.items():
            runner.set_tensor(index, value)
        runner.invoke()
    result: NDArray[Any] = runner.get_tensor(runner.get_output_details()[0]["index"])
    return result


def requantization(content: bytes) -> Requantization:
    return tq.operator_requantization(tq.open(content).operators[0])


def positive(r: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return np.exp2(r.uniform(-9, -1, shape)).astype(np.float32)


def scale(r: np.random.Generator) -> float:
    return float(positive(r, 1)[0])


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("several", [True, False])
def test_convolution(seed: int, several: bool) -> None:
    r = np.random.default_rng(seed)
    x = r.integers(-128, 128, (1, 5, 5, 3)).astype(np.int8)
    w = r.integers(-127, 128, (4, 2, 2, 3)).astype(np.int8)
    bias = r.integers(-2000, 2000, 4).astype(np.int32)
    one, zero, out = scale(r), int(r.integers(-128, 128)), scale(r)
    scales = positive(r, 4) if several else positive(r, 1)
    zeros = np.zeros(scales.size)
    products = (np.float64(np.float32(one)) * scales).astype(np.float32)
    activation = int(r.integers(0, 4))
    specs = [
        TensorSpec("x", x.shape, scale=one, zero_point=zero),
        constant(w, scales, zeros, name="w"),
        constant(bias, products, zeros, name="b"),
    ]
    y = TensorSpec("y", (1, 4, 4, 4), scale=out, zero_point=int(r.integers(-128, 128)))
    options = faults.options(
        "Conv2DOptions", stride_w=1, stride_h=1, padding=1, fused_activation_function=activation
    )
    content = faults.operator("CONV_2D", specs, [y], 3, **options)
    found = requantization(content)
    patches = np.lib.stride_tricks.sliding_window_view(
        wide(x, found.offsets["input"])[0], (2, 2), (0, 1)
    )
    sums = np.einsum("ijcab,oabc->ijo", patches, wide(w)) + bias
    ours = finished(times(sums, found.multipliers["output"]), found, np.int8)
    assert np.array_equal(ours, run(content, {0: x})[0])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("several", [True, False])
def test_fully_connected(seed: int, several: bool) -> None:
    r = np.random.default_rng(seed)
    x = r.integers(-128, 128, (3, 16)).astype(np.int8)
    w = r.integers(-127, 128, (5, 16)).astype(np.int8)
    bias = r.integers(-2000, 2000, 5).astype(np.int32)
    one, out = scale(r), scale(r)
    scales = positive(r, 5) if several else positive(r, 1)
    zeros = np.zeros(scales.size)
    products = (np.float64(np.float32(one)) * scales).astype(np.float32)
    x_spec = TensorSpec("x", x.shape, scale=one, zero_point=int(r.integers(-128, 128)))
    y_spec = TensorSpec("y", (3, 5), scale=out, zero_point=int(r.integers(-128, 128)))
    w_spec = constant(w, scales, zeros, name="w")
    content = faults.dense(x_spec, w_spec, constant(bias, products, zeros, name="b"), y_spec)
    found = requantization(content)
    sums = wide(x, found.offsets["input"]) @ wide(w, found.offsets["weights"]).T + bias
    ours = finished(times(sums, found.multipliers["output"]), found, np.int8)
    assert found.multipliers["output"].shift.size == scales.size
    assert np.array_equal(ours, run(content, {0: x}))


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_with_a_zero_point(seed: int) -> None:
    r = np.random.default_rng(seed)
    x = r.integers(0, 256, (3, 16)).astype(np.uint8)
    w = r.integers(0, 256, (5, 16)).astype(np.uint8)
    one, other = scale(r), scale(r)
    x_spec = TensorSpec("x", x.shape, TYPES.UINT8, scale=one, zero_point=int(x[0, 0]))
    w_spec = constant(w, other, int(w[0, 0]), name="w")
    b_spec = constant(np.zeros(5, np.int32), one * other, 0, name="b")
    y_spec = TensorSpec("y", (3, 5), TYPES.UINT8, scale=scale(r), zero_point=100)
    content = faults.dense(x_spec, w_spec, b_spec, y_spec)
    found = requantization(content)
    sums = wide(x, found.offsets["input"]) @ wide(w, found.offsets["weights"]).T
    ours = finished(times(sums, found.multipliers["output"]), found, np.uint8)
    assert np.array_equal(ours, run(content, {0: x}))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("several", [True, False])
def test_depthwise_convolution(seed: int, several: bool) -> None:
    r = np.random.default_rng(seed)
    x = r.integers(-128, 128, (1, 3, 3, 4)).astype(np.int8)
    w = r.integers(-127, 128, (1, 1, 1, 4)).astype(np.int8)
    scales = positive(r, 4 if several else 1)
    one, zeros = scale(r), np.zeros(scales.size)
    specs = [
        TensorSpec("x", x.shape, scale=one, zero_point=int(r.integers(-128, 128))),
        constant(w, scales, zeros, name="w", axis=3),
        constant(np.zeros(4, np.int32), one * scales, zeros, name="b"),
    ]
    y = TensorSpec("y", x.shape, scale=scale(r), zero_point=int(r.integers(-128, 128)))
    options = faults.options(
        "DepthwiseConv2DOptions", stride_w=1, stride_h=1, depth_multiplier=1, padding=1
    )
    content = faults.operator("DEPTHWISE_CONV_2D", specs, [y], 3, **options)
    found = requantization(content)
    products = wide(x, found.offsets["input"]) * wide(w)
    ours = finished(times(products, found.multipliers["output"]), found, np.int8)
    assert np.array_equal(ours, run(content, {0: x}))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("several", [True, False])
def test_transposed_convolution(seed: int, several: bool) -> None:
    r = np.random.default_rng(seed)
    x = r.integers(-128, 128, (1, 3, 3, 4)).astype(np.int8)
    w = r.integers(-127, 128, (5, 1, 1, 4)).astype(np.int8)
    scales = positive(r, 5 if several else 1)
    x_spec = TensorSpec("x", x.shape, scale=scale(r), zero_point=int(r.integers(-128, 128)))
    specs = [
        constant(np.array([1, 3, 3, 5], np.int32), name="shape"),
        constant(w, scales, np.zeros(scales.size), name="w"),
        x_spec,
    ]
    y = TensorSpec("y", (1, 3, 3, 5), scale=scale(r), zero_point=int(r.integers(-128, 128)))
    options = faults.options("TransposeConvOptions", stride_w=1, stride_h=1, padding=1)
    content = faults.operator("TRANSPOSE_CONV", specs, [y], 3, **options)
    found = requantization(content)
    sums = wide(x, found.offsets["input"]) @ wide(w).reshape(5, 4).T
    ours = finished(times(sums, found.multipliers["output"]), found, np.int8)
    assert np.array_equal(ours, run(content, {2: x}))


@pytest.mark.parametrize("seed", SEEDS)
def test_products_of_matrices(seed: int) -> None:
    r = np.random.default_rng(seed)
    inputs = [r.integers(-128, 128, shape).astype(np.int8) for shape in ((3, 16), (16, 5))]
    specs = [
        TensorSpec("xw"[i], q.shape, scale=scale(r), zero_point=int(r.integers(-128, 128)))
        for i, q in enumerate(inputs)
    ]
    y = TensorSpec("y", (3, 5), scale=scale(r), zero_point=int(r.integers(-128, 128)))
    content = faults.operator("BATCH_MATMUL", specs, [y], 2, **faults.options("BatchMatMulOptions"))
    found = requantization(content)
    sums = wide(inputs[0], found.offsets["input"]) @ wide(inputs[1], found.offsets["weights"])
    ours = finished(times(sums, found.multipliers["output"]), found, np.int8)
    assert np.array_equal(ours, run(content, dict(enumerate(inputs))))


@pytest.mark.parametrize(
    ("name", "kind", "scales", "precision"),
    [
        ("FULLY_CONNECTED", TYPES.INT8, [0.3], np.float32),
        ("FULLY_CONNECTED", TYPES.INT8, [0.3, 0.7], np.float64),
        ("BATCH_MATMUL", TYPES.INT8, [0.3], np.float32),
        ("CONV_2D", TYPES.INT8, [0.3], np.float64),
        ("CONV_2D", TYPES.INT8, [0.3, 0.7], np.float64),
        ("CONV_2D", TYPES.UINT8, [0.3], np.float32),
        ("CONV_2D", TYPES.UINT8, [0.3, 0.7], np.float64),
    ],
)
def test_the_precision_of_the_product_of_scales(
    name: str, kind: int, scales: list[float], precision: Any
) -> None:
    def multiplied(dtype: Any) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        one, others = np.array([0.1], np.float32), np.array(scales, np.float32)
        product = np.multiply(one, others, dtype=dtype).astype(np.float64)
        return tq.quantize_multiplier(product / np.float64(np.float32(0.9)))

    x = TensorSpec("x", (2, 2), kind, scale=0.1, zero_point=0)
    w = replace(x, name="w", scale=scales, zero_point=[0] * len(scales))
    content = faults.operator(name, [x, w], [replace(x, name="y", scale=0.9)])
    found = requantization(content).multipliers["output"]
    multiplier, shift = multiplied(precision)
    assert found.multiplier.tolist() == multiplier.tolist()
    assert found.shift.tolist() == shift.tolist()
    # The other precision would be noticed.
    other = np.float64 if precision is np.float32 else np.float32
    assert found.multiplier.tolist() != multiplied(other)[0].tolist()


def two(seed: int, kind: int) -> tuple[list[NDArray[Any]], list[TensorSpec], TensorSpec]:
    """Give two inputs, and what they and the output are."""
    r = np.random.default_rng(seed)
    dtype: Any = np.int8 if kind == TYPES.INT8 else np.int16
    bounds = np.iinfo(dtype)
    inputs = [r.integers(bounds.min, bounds.max + 1, (2, 50)).astype(dtype) for _ in range(2)]

    def spec(name: str) -> TensorSpec:
        zero = int(r.integers(-128, 128)) if kind == TYPES.INT8 else 0
        return TensorSpec(name, (2, 50), kind, scale=scale(r), zero_point=zero)

    return inputs, [spec("a"), spec("b")], spec("y")


def shifted(found: Requantization, inputs: list[NDArray[Any]]) -> list[Any]:
    """Bring both inputs of an ADD to the scale that they share."""
    return [
        times(wide(q, found.offsets[name]) << found.left_shift, found.multipliers[name])
        for name, q in zip(("input1", "input2"), inputs, strict=True)
    ]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [TYPES.INT8, TYPES.INT16])
@pytest.mark.parametrize("name", ["ADD", "SUB"])
def test_sums(name: str, kind: int, seed: int) -> None:
    inputs, specs, y = two(seed, kind)
    table = f"{name.title()}Options"
    options = faults.options(table, pot_scale_int16=False, fused_activation_function=seed % 4)
    content = faults.operator(name, specs, [y], 3, **options)
    found = requantization(content)
    assert found.left_shift == (20 if kind == TYPES.INT8 else 15)
    one, other = shifted(found, inputs)
    total = one + other if name == "ADD" else one - other
    ours = finished(times(total, found.multipliers["output"]), found, inputs[0].dtype)
    assert np.array_equal(ours, run(content, dict(enumerate(inputs))))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [TYPES.INT8, TYPES.INT16])
def test_products(kind: int, seed: int) -> None:
    inputs, specs, y = two(seed, kind)
    options = faults.options("MulOptions", fused_activation_function=seed % 4)
    content = faults.operator("MUL", specs, [y], 4, **options)
    found = requantization(content)
    assert found.left_shift == 0
    product = wide(inputs[0], found.offsets["input1"]) * wide(inputs[1], found.offsets["input2"])
    ours = finished(times(product, found.multipliers["output"]), found, inputs[0].dtype)
    assert np.array_equal(ours, run(content, dict(enumerate(inputs))))


@pytest.mark.parametrize("seed", SEEDS)
def test_squared_difference(seed: int) -> None:
    inputs, specs, y = two(seed, TYPES.INT8)
    content = faults.operator("SQUARED_DIFFERENCE", specs, [y], 2)
    found = requantization(content)
    one, other = shifted(found, inputs)
    ours = finished(times((one - other) ** 2, found.multipliers["output"]), found, np.int8)
    assert np.array_equal(ours, run(content, dict(enumerate(inputs))))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["RELU", "RELU6", "RELU_N1_TO_1", "QUANTIZE"])
def test_one_input(name: str, seed: int) -> None:
    inputs, specs, y = two(seed, TYPES.INT8)
    content = faults.operator(name, specs[:1], [y], 1 if name == "RELU_N1_TO_1" else 2)
    found = requantization(content)
    scaled = times(wide(inputs[0], found.offsets["input"]), found.multipliers["output"])
    theirs = run(content, {0: inputs[0]})
    assert np.array_equal(finished(scaled, found, np.int8), theirs)


@pytest.mark.parametrize("seed", SEEDS)
def test_leaky_relu(seed: int) -> None:
    inputs, specs, y = two(seed, TYPES.INT8)
    options = faults.options("LeakyReluOptions", alpha=0.1 + seed / 20)
    content = faults.operator("LEAKY_RELU", specs[:1], [y], 2, **options)
    found = requantization(content)
    values = wide(inputs[0], found.offsets["input"])
    scaled = np.where(
        values >= 0,
        times(values, found.multipliers["identity"]),
        times(values, found.multipliers["alpha"]),
    )
    assert np.array_equal(finished(scaled, found, np.int8), run(content, {0: inputs[0]}))


@pytest.mark.parametrize("seed", SEEDS)
def test_prelu(seed: int) -> None:
    inputs, specs, y = two(seed, TYPES.INT8)
    content = faults.operator("PRELU", specs, [y])
    found = requantization(content)
    values = wide(inputs[0], found.offsets["input"])
    slopes = wide(inputs[1], found.offsets["alpha"])
    scaled = np.where(
        values >= 0,
        times(values, found.multipliers["output"]),
        times(values * slopes, found.multipliers["alpha"]),
    )
    assert np.array_equal(finished(scaled, found, np.int8), run(content, dict(enumerate(inputs))))


class TestActivationRange:
    def test_halves_are_rounded_away_from_zero(self) -> None:
        assert tq.activation_range(tq.TensorType.INT8, 0.4, 0, 2) == (-3, 3)
        assert tq.activation_range(tq.TensorType.INT8, 4.0, 5, 3) == (5, 7)

    def test_without_an_activation(self) -> None:
        assert tq.activation_range(tq.TensorType.INT16, 0.5, 7) == (-32768, 32767)

    def test_the_smallest_scale(self) -> None:
        assert tq.activation_range(tq.TensorType.INT8, 2.0**-30, 0, 2) == (-128, 127)
        with pytest.raises(tq.QuantizationError, match="-1.0 divided by scale .* 32 bits"):
            tq.activation_range(tq.TensorType.INT8, 2.0**-31, 0, 2)


class TestWhatIsRefused:
    @pytest.mark.parametrize("index", [0, 1, 2])
    @pytest.mark.parametrize("value", [0.0, -0.5, np.nan, np.inf])
    def test_scales_that_are_not_positive(self, index: int, value: float) -> None:
        specs = [replace(faults.X, name=name) for name in "aby"]
        specs[index] = replace(specs[index], scale=value)
        message = f"tensor {index} '{'aby'[index]}' has scale {value}; it must be positive"
        for name in ("ADD", "MUL", "SQUARED_DIFFERENCE", "PRELU"):
            with pytest.raises(tq.QuantizationError, match=message):
                requantization(faults.operator(name, specs[:2], specs[2:]))

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
            requantization(faults.unary("RELU", faults.SAME, x))

    @pytest.mark.parametrize("name", ["ADD", "SUB"])
    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_sums_that_only_shift(self, name: str, index: int) -> None:
        """INT16 with scales that are powers of two to a thousandth of an exponent."""
        spec = TensorSpec("t", (1, 4), TYPES.INT16, scale=2.0**-3, zero_point=0)
        specs = [spec, spec, spec]
        for exponent, only_shifts in ((0, True), (0.0009, True), (0.0011, False), (0.5, False)):
            specs[index] = replace(spec, scale=2.0 ** (exponent - 5))
            content = faults.operator(name, specs[:2], specs[2:])
            if only_shifts:
                with pytest.raises(tq.UnsupportedError, match="shifts instead of multiplying"):
                    requantization(content)
            else:
                assert requantization(content).left_shift == 15
        options = faults.options(f"{name.title()}Options", pot_scale_int16=False)
        content = faults.operator(name, [spec, spec], [spec], **options)
        assert requantization(content).left_shift == 15

    def test_operators_that_do_not_requantize(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="the requantization of SIN is not known"):
            requantization(faults.unary("SIN", faults.SAME))

    def test_floats(self) -> None:
        floats = TensorSpec("x", (1, 4), TYPES.FLOAT32)
        with pytest.raises(
            tq.QuantizationError, match="tensor 0 'x' has type FLOAT32 and scheme none"
        ):
            requantization(faults.unary("RELU", faults.SAME, floats))

    def test_an_input_that_is_not_there(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="ADD has no input 1"):
            requantization(faults.operator("ADD", [faults.X], [faults.SAME]))

    @pytest.mark.parametrize("outputs", [[], [-1]])
    def test_an_output_that_is_not_there(self, outputs: list[int]) -> None:
        step = OperatorSpec(faults.OPERATORS.RELU, [0], outputs)
        with pytest.raises(tq.UnsupportedError, match="RELU has no output"):
            requantization(build.model(SubgraphSpec([faults.X], [0], [], [step])))

    def test_weights_along_another_axis(self) -> None:
        content = faults.FAULTS["TQ203"].bad
        with pytest.raises(
            tq.QuantizationError, match="one scale or one for each slice along axis 0"
        ):
            requantization(content)

    def test_activations(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="fused activation 4"):
            tq.activation_range(tq.TensorType.INT8, 0.5, 0, 4)
        with pytest.raises(tq.UnsupportedError, match="the output is INT32"):
            tq.activation_range(tq.TensorType.INT32, 0.5, 0)
        for scale in (0.0, -1.0, np.nan, np.inf):
            with pytest.raises(tq.QuantizationError, match="must be positive and finite"):
                tq.activation_range(tq.TensorType.INT8, scale, 0)
        with pytest.raises(tq.QuantizationError, match="does not fit into 32 bits"):
            tq.activation_range(tq.TensorType.INT8, 1e-12, 0, 3)
