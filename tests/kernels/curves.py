"""Cases of operators that compute a curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests import faults
from tests.build import TensorSpec
from tests.kernels.arithmetic import (
    clamped,
    logistic,
    looked_up,
    narrowed,
    reciprocal,
    rounded_half,
    saturated,
    shifted_right,
    sigmoid_steps,
    softmax_exponential,
    table_of_curve,
    tanh,
    tanh_steps,
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


def curve(name: str) -> Callable[[Random, int], Case]:
    """Make LOGISTIC or TANH."""
    is_logistic = name == "LOGISTIC"

    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (2, 50), r, kind), spec("y", (2, 50), r, kind)
        y.scale = 1 / 256 if is_logistic else 1 / 128
        lowest = {TYPES.INT8: -128}.get(kind, 0)
        y.zero_point = lowest if is_logistic else lowest + 128
        if kind == TYPES.INT16:
            powers = [2.0**-12, 2.0**-11, scale(r) / 64, scale(r) / 1024]
            x.scale, y.scale, y.zero_point = powers[int(r.integers(0, 4))], 2.0**-15, 0
        q = integers(r, kind, 2, 50)
        content = faults.operator(name, [x], [y], 3)
        return Case(content, [q], expected_of(name, q, x, y))

    return make


def expected_of(
    name: str, q: Array, x: TensorSpec, y: TensorSpec
) -> Callable[[Requantization], Array]:
    """Give the function from our numbers to the output of LOGISTIC or TANH."""
    is_logistic = name == "LOGISTIC"

    def expected(found: Requantization) -> Array:
        if q.dtype == np.int16:
            steps = [found.constants[f"input_{n}"] for n in ("multiplier", "left_shift")]
            return (sigmoid_steps if is_logistic else tanh_steps)(q, *steps)
        if not found.multipliers:
            return _from_table(q, x, y, is_logistic)
        values = wide(q, found.offsets["input"])
        radius = found.constants["input_range_radius"]
        inner = np.where(np.abs(values) < radius, values, 0)
        scaled = times(inner, found.multipliers["input"])
        whole = logistic(scaled, 4) if is_logistic else tanh(scaled, 4)
        result = shifted_right(whole, 23 if is_logistic else 24) + found.offsets["output"]
        assert found.range is not None
        result = np.where(values >= radius, found.range[1], result)
        result = np.where(values <= -radius, found.range[0], result)
        return narrowed(result, found.range, q.dtype)

    return expected


def _from_table(q: Array, x: TensorSpec, y: TensorSpec, is_logistic: bool) -> Array:
    """Compute a curve in floating point, as LiteRT does for its tables of 256 values."""
    zero_point = zero_of(x)
    real = np.float32(scale_of(x)) * (q.astype(np.int32) - zero_point).astype(np.float32)
    with np.errstate(over="ignore"):
        value = 1 / (1 + np.exp(-real)) if is_logistic else np.tanh(real)
    steps = value * (np.float32(1) / np.float32(scale_of(y)))
    rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)) + zero_of(y)
    bounds = np.iinfo(q.dtype)
    return narrowed(rounded, (bounds.min, bounds.max), q.dtype)


def hard_swish(r: Random, kind: int) -> Case:
    inputs, specs, y = two(r, kind)
    # The first multiplier must not be above 1, and most outputs should not be clamped.
    specs[0].scale = r.uniform(0.02, 0.1)
    y.scale = scale_of(specs[0]) * r.uniform(0.5, 1.5)

    def expected(found: Requantization) -> Array:
        values = wide(inputs[0], found.offsets["input"]) << 7
        halves = {n: found.constants[f"{n}_multiplier_int16"] for n in ("output", "reluish")}
        shifts = {n: int(m.shift[0]) for n, m in found.multipliers.items()}
        scaled = rounded_half(values, halves["output"], 16)
        gate = values
        if shifts["reluish"] > 0:
            gate = saturated(gate, shifts["reluish"] - 1, 16)
        gate = rounded_half(gate, halves["reluish"], 16)
        gate = saturated(gate, 1, 16) if shifts["reluish"] > 0 else gate
        gate = shifted_right(gate, max(-shifts["reluish"], 0))
        gate = gate + (1 << 15) >> 1
        both = np.trunc(gate * scaled / (1 << 15)).astype(np.int64)
        return clamped(shifted_right(both, -shifts["output"]), found, DTYPES[kind])

    return Case(faults.operator("HARD_SWISH", specs[:1], [y]), inputs[:1], expected)


def softmax(output: int) -> Callable[[Random, int], Case]:
    """Make a SOFTMAX of 8 bits."""
    bits, lowest = {
        TYPES.INT8: (8, -128), TYPES.UINT8: (8, 0), TYPES.INT16: (16, -32768),
    }[output]  # fmt: skip

    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (3, 20), r, kind), spec("y", (3, 20), r, output)
        y.scale, y.zero_point = 2.0**-bits, lowest
        q = integers(r, kind, 3, 20)
        options = faults.options("SoftmaxOptions", beta=float(r.uniform(0.5, 2)))

        def expected(found: Requantization) -> Array:
            by, smallest = found.multipliers["input"], found.constants["diff_min"]
            rows = []
            for row in wide(q):
                difference = row - row.max()
                counts = difference >= smallest
                shifted = (np.where(counts, difference, 0) << by.shift[0]).astype(np.int32)
                power = softmax_exponential(rounded_half(shifted, by.multiplier), 5)
                total = int(np.where(counts, shifted_right(power, 12), 0).sum())
                inverse, over = reciprocal(total, 12)
                values = shifted_right(rounded_half(power, inverse), over + 31 - bits)
                rows.append(np.where(counts, values + lowest, lowest))
            return narrowed(np.array(rows), found.range, DTYPES[output])

        return Case(faults.operator("SOFTMAX", [x], [y], 3, **options), [q], expected)

    return make


def softmax_wide(r: Random, kind: int) -> Case:
    x, y = spec("x", (3, 20), r, kind), spec("y", (3, 20), r, kind)
    x.scale, y.scale = scale(r) / 256, 2.0**-15
    q = integers(r, kind, 3, 20)
    options = faults.options("SoftmaxOptions", beta=float(r.uniform(0.5, 2)))

    def expected(found: Requantization) -> Array:
        dtype = np.float32 if found.runtime == "tflm" else np.float64
        tables = [
            table_of_curve(curve, dtype(size) / dtype(65535), zero, dtype(2) / dtype(65535), dtype)
            for curve, size, zero in ((np.exp, 10, 32767), (lambda v: 1 / (1 + v), 1, -32768))
        ]
        rows = []
        for row in wide(q):
            scaled = times(row - row.max(), found.multipliers["input"]) + 32767
            power = looked_up(np.clip(scaled, -32768, 32767), tables[0])
            total = int(power.sum())
            headroom = 32 - total.bit_length()
            shifted = ((total << headroom - 1) + (1 << 13) >> 14) - (1 << 15) - (1 << 16)
            inverse = int(looked_up(np.clip(np.int64(shifted), -32768, 32767), tables[1]))
            right = 31 - headroom
            rows.append(np.clip(power * inverse + (1 << right - 1) >> right, 0, 32767))
        return np.array(rows).astype(np.int16)

    return Case(faults.operator("SOFTMAX", [x], [y], 3, **options), [q], expected)
