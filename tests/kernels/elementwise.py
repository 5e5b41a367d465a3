"""Cases of operators that compute value by value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tflite_quant as tq
from tests import faults
from tests.build import TensorSpec, constant
from tests.kernels.arithmetic import (
    clamped,
    inverse_root,
    narrowed,
    power,
    reciprocal,
    rounded_half,
    shifted_right,
    times,
    wide,
)
from tests.kernels.base import (
    DTYPES,
    TYPES,
    Array,
    Case,
    Random,
    integers,
    scale,
    scale_of,
    spec,
    two,
    zero_of,
)
from tflite_quant import Requantization


def on_one_scale(found: Requantization, inputs: Sequence[Array]) -> list[Any]:
    """Bring both inputs to the scale that they share."""
    return [
        times(wide(q, found.offsets[name]) << found.left_shift, found.multipliers[name])
        for name, q in zip(("input1", "input2"), inputs, strict=True)
    ]


def combined(a: Any, b: Any, name: str) -> Any:
    return a + b if name == "ADD" else a - b


def sums(name: str, only_shifts: bool = False) -> Callable[[Random, int], Case]:
    """Make ADD or SUB; of powers of two, which LiteRT only shifts, if asked for."""

    def make(r: Random, kind: int) -> Case:
        inputs, specs, y = two(r, kind)
        if only_shifts:
            exponents = [-12, -12 - int(r.integers(0, 4))]
            r.shuffle(exponents)
            specs[0].scale, specs[1].scale = (2.0**exponent for exponent in exponents)
            y.scale = 2.0**-12
        options = faults.options(
            f"{name.title()}Options", pot_scale_int16=only_shifts,
            fused_activation_function=int(r.integers(0, 4)),
        )  # fmt: skip

        def expected(found: Requantization) -> Array:
            if found.multipliers:
                assert found.left_shift == (15 if kind == TYPES.INT16 else 20)
                first, second = on_one_scale(found, inputs)
                total = combined(first, second, name)
                total = times(total, found.multipliers["output"])
            else:
                shifts = [found.constants[f"input{n}_shift"] for n in (1, 2)]
                a, b = (shifted_right(wide(q), -s) for q, s in zip(inputs, shifts, strict=True))
                total = np.clip(combined(a, b, name), -32768, 32767)
            return clamped(total, found, DTYPES[kind])

        return Case(faults.operator(name, specs, [y], 3, **options), inputs, expected)

    return make


def squared_difference(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)

    def expected(found: Requantization) -> Array:
        a, b = on_one_scale(found, inputs)
        return clamped(times((a - b) ** 2, found.multipliers["output"]), found, DTYPES[kind])

    return Case(faults.operator("SQUARED_DIFFERENCE", specs, [y], 2), inputs, expected)


def product_of(inputs: Sequence[Array], kind: int) -> Callable[[Requantization], Array]:
    """Give the function from our numbers to the output of a MUL."""

    def expected(found: Requantization) -> Array:
        a, b = (wide(q, found.offsets[f"input{n + 1}"]) for n, q in enumerate(inputs))
        return clamped(times(a * b, found.multipliers["output"]), found, DTYPES[kind])

    return expected


def multiplied(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    options = faults.options("MulOptions", fused_activation_function=int(r.integers(0, 4)))
    content = faults.operator("MUL", specs, [y], 4, **options)
    return Case(content, inputs, product_of(inputs, kind))


def divided(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind, 50)
    divisor = zero_of(specs[1])
    inputs[1][inputs[1] == divisor] = divisor + (1 if divisor < 100 else -1)
    # The kernels shift by up to 31 only.
    factor = np.exp2(r.uniform(8, 9) if kind != TYPES.INT16 else 15)
    y.scale = scale_of(specs[0]) / scale_of(specs[1]) / factor
    options = faults.options("DivOptions", fused_activation_function=int(r.integers(0, 4)))

    def expected(found: Requantization) -> Array:
        output = found.multipliers["output"]
        results = []
        pairs = zip(*(q.reshape(-1).tolist() for q in inputs), strict=True)
        for a, b in pairs:
            first, second = a + found.offsets["input1"], b + found.offsets["input2"]
            if second < 0:
                first, second = -first, -second
            inverse, shift = reciprocal(second, 31)
            headroom = 31 - (first if first >= 0 else ~first).bit_length()
            quotient = rounded_half(np.int64(np.int32(np.int64(first) << headroom)), inverse)
            total = output.shift - shift - headroom
            results.append(times(quotient, output._replace(shift=total))[0])
        values = clamped(np.array(results), found, DTYPES[kind])
        return values.reshape(2, 50)

    return Case(faults.operator("DIV", specs, [y], 2, **options), inputs, expected)


def compared(name: str) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        inputs, specs, _ = two(r, kind)
        # Half of the values are equal.
        specs[1].scale, specs[1].zero_point = specs[0].scale, specs[0].zero_point
        inputs[1][0] = inputs[0][0]
        if r.integers(0, 2):
            specs[1].scale = scale(r)
        y = TensorSpec("y", inputs[0].shape, TYPES.BOOL)
        compare: Any = getattr(np, name.lower())

        def expected(found: Requantization) -> Array:
            assert found.range is None
            if found.arithmetic is tq.Arithmetic.UNSCALED:
                result: Array = compare(*inputs)
            else:
                result = compare(*on_one_scale(found, inputs))
            return result

        return Case(faults.operator(name, specs, [y], 2), inputs, expected)

    return make


def rescaled(name: str) -> Callable[[Random, int], Case]:
    """Make an operator with one input that multiplies it, or only clamps it."""

    def make(r: Random, kind: int) -> Case:
        inputs, specs, y = two(r, kind)

        def expected(found: Requantization) -> Array:
            if "output" not in found.multipliers:
                assert found.range is not None
                return narrowed(inputs[0], found.range, DTYPES[kind])
            values = wide(inputs[0], found.offsets["input"])
            return clamped(times(values, found.multipliers["output"]), found, DTYPES[kind])

        version = 1 if name == "RELU_N1_TO_1" else 2
        return Case(faults.operator(name, specs[:1], [y], version), inputs[:1], expected)

    return make


def quantized(output: int) -> Callable[[Random, int], Case]:
    """Make a QUANTIZE of integers."""

    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (2, 3000), r, kind), spec("y", (2, 3000), r, output)
        if TYPES.INT32 in (kind, output):
            x.zero_point = y.zero_point = 0
        q = (
            integers(r, kind, 2, 3000)
            if kind != TYPES.INT32
            else r.integers(-9999, 9999, (2, 3000))
        )
        q = q.astype(DTYPES[kind])

        def expected(found: Requantization) -> Array:
            values = wide(q, found.offsets["input"])
            return clamped(times(values, found.multipliers["output"]), found, DTYPES[output])

        return Case(faults.operator("QUANTIZE", [x], [y], 2), [q], expected)

    return make


def leaky_relu(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    options = faults.options("LeakyReluOptions", alpha=float(r.uniform(0.05, 0.9)))

    def expected(found: Requantization) -> Array:
        values = wide(inputs[0], found.offsets["input"])
        above, below = (times(values, found.multipliers[n]) for n in ("identity", "alpha"))
        return clamped(np.where(values >= 0, above, below), found, DTYPES[kind])

    content = faults.operator("LEAKY_RELU", specs[:1], [y], 2, **options)
    return Case(content, inputs[:1], expected)


def prelu(r: Random, kind: int) -> Case:
    shape = (2, 3000)
    x, y = spec("x", shape, r, kind), spec("y", shape, r, kind)
    # The slopes of INT16 are INT8 in TensorFlow Lite Micro.
    slopes_kind = TYPES.INT8 if kind == TYPES.INT16 else kind
    slopes = spec("s", shape, r, slopes_kind)
    inputs = [integers(r, kind, *shape), integers(r, slopes_kind, *shape)]

    def expected(found: Requantization) -> Array:
        values, alpha = wide(inputs[0], found.offsets["input"]), wide(inputs[1])
        below = times(values * (alpha + found.offsets["alpha"]), found.multipliers["alpha"])
        above = times(values, found.multipliers["output"])
        return clamped(np.where(values >= 0, above, below), found, DTYPES[kind])

    return Case(faults.operator("PRELU", [x, slopes], [y]), inputs, expected)


def absolute(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    if r.integers(0, 2):
        y.scale = specs[0].scale

    def expected(found: Requantization) -> Array:
        values = np.abs(wide(inputs[0], found.offsets["input"]))
        if found.multipliers:
            values = times(values, found.multipliers["output"])
        return clamped(values, found, DTYPES[kind])

    return Case(faults.operator("ABS", specs[:1], [y], 2), inputs[:1], expected)


def reciprocal_root(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind, 50)
    q = np.maximum(inputs[0], zero_of(specs[0])).astype(DTYPES[kind])

    def expected(found: Requantization) -> Array:
        assert found.range is not None
        output = found.multipliers["output"]
        results = []
        for value in wide(q, found.offsets["input"]).reshape(-1).tolist():
            multiplier, shift = inverse_root(value)
            data = times(np.int64(1), power(multiplier, shift + 20))
            final = times(data, output._replace(shift=output.shift - 20))[0]
            results.append(final + found.offsets["output"] if value else found.range[1])
        return narrowed(results, found.range, DTYPES[kind]).reshape(2, 50)

    return Case(faults.operator("RSQRT", specs[:1], [y], 2), [q], expected)


def many(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    specs[1].scale, specs[1].zero_point = specs[0].scale, specs[0].zero_point

    def expected(found: Requantization) -> Array:
        zero = np.zeros((2, 3000), np.int8)
        # The kernel starts with the offset instead of 0.
        total = sum(
            times(wide(q, found.offsets["input"]) << found.left_shift, found.multipliers["input"])
            for q in (zero, *inputs)
        )
        return clamped(times(total, found.multipliers["output"]), found, DTYPES[kind])

    return Case(faults.operator("ADD_N", specs, [y]), inputs, expected)


def accumulated(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    axis = constant(np.array([1], np.int32), name="axis")

    def expected(found: Requantization) -> Array:
        values = wide(inputs[0], found.offsets["input"])
        # The kernel starts with the offset instead of 0.
        values = np.pad(values, ((0, 0), (1, 0)), constant_values=found.offsets["input"])
        scaled = times(values << found.left_shift, found.multipliers["input"])
        total = np.cumsum(scaled, axis=1)[:, 1:]
        return clamped(times(total, found.multipliers["output"]), found, DTYPES[kind])

    options = faults.options("CumsumOptions")
    return Case(faults.operator("CUMSUM", [specs[0], axis], [y], **options), inputs[:1], expected)
