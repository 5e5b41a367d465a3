"""Cases of operators that sum products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tflite_quant as tq
from tests import faults
from tests.build import TensorSpec, constant
from tests.kernels.arithmetic import (
    clamped,
    times,
    times_wide,
    wide,
)
from tests.kernels.base import (
    DTYPES,
    TYPES,
    Array,
    Case,
    Random,
    integers,
    positive,
    scale,
    scale_of,
    spec,
    zero,
)
from tflite_quant import Requantization


def product(found: Requantization, sums: Any, kind: int) -> Array:
    """Bring sums of products to the output."""
    output = found.multipliers["output"]
    if found.arithmetic is tq.Arithmetic.FLOAT:
        scaled = sums * output.real
        scaled = np.trunc(scaled + np.copysign(0.5, scaled)).astype(np.int64)
    else:
        scaled = (times_wide if kind == TYPES.INT16 else times)(sums, output)
    return clamped(scaled, found, DTYPES[kind])


def weights(r: Random, kind: int, shape: tuple[int, ...], axis: int, several: bool) -> Any:
    """Give values and a description of weights, of INT8, or of UINT8 with a zero point."""
    if kind == TYPES.UINT8:
        w = integers(r, kind, *shape)
        return w, constant(w, scale(r), zero(r, kind), name="w", axis=axis)
    w = r.integers(-127, 128, shape).astype(np.int8)
    scales = positive(r, shape[axis] if several else 1)
    return w, constant(w, scales, np.zeros(scales.size), name="w", axis=axis)


def bias(r: Random, kind: int, one: float, w: TensorSpec, channels: int) -> tuple[Array, Any]:
    """Give values and a description of a bias, with the products of the scales."""
    values = r.integers(-2000, 2000, channels)
    values = values.astype(np.int64 if kind == TYPES.INT16 else np.int32)
    products = (np.float64(np.float32(one)) * np.asarray(w.scale)).astype(np.float32)
    return values, constant(values, products, np.zeros(products.size), name="b")


def convolution(several: bool) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (1, 5, 5, 3), r, kind), spec("y", (1, 4, 4, 4), r, kind)
        q = integers(r, kind, 1, 5, 5, 3)
        w, w_spec = weights(r, kind, (4, 2, 2, 3), 0, several)
        b, b_spec = bias(r, kind, scale_of(x), w_spec, 4)
        options = faults.options(
            "Conv2DOptions", stride_w=1, stride_h=1, padding=1,
            fused_activation_function=int(r.integers(0, 4)),
        )  # fmt: skip

        def expected(found: Requantization) -> Array:
            assert found.multipliers["output"].multiplier.shape == (4,)
            patches = np.lib.stride_tricks.sliding_window_view(
                wide(q, found.offsets["input"])[0], (2, 2), (0, 1)
            )
            sums = np.einsum("ijcab,oabc->ijo", patches, wide(w, found.offsets["weights"])) + b
            return product(found, sums, kind)[None]

        content = faults.operator("CONV_2D", [x, w_spec, b_spec], [y], 3, **options)
        return Case(content, [q], expected)

    return make


def depthwise(several: bool) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (1, 3, 3, 4), r, kind), spec("y", (1, 3, 3, 4), r, kind)
        q = integers(r, kind, 1, 3, 3, 4)
        w, w_spec = weights(r, kind, (1, 1, 1, 4), 3, several)
        b, b_spec = bias(r, kind, scale_of(x), w_spec, 4)
        options = faults.options(
            "DepthwiseConv2DOptions", stride_w=1, stride_h=1, depth_multiplier=1, padding=1
        )

        def expected(found: Requantization) -> Array:
            assert found.multipliers["output"].shift.shape == (4,)
            values = wide(q, found.offsets["input"]) * wide(w, found.offsets["weights"])
            return product(found, values + b, kind)

        content = faults.operator("DEPTHWISE_CONV_2D", [x, w_spec, b_spec], [y], 3, **options)
        return Case(content, [q], expected)

    return make


def transposed(several: bool) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (1, 3, 3, 4), r, kind), spec("y", (1, 3, 3, 5), r, kind)
        q = integers(r, kind, 1, 3, 3, 4)
        w, w_spec = weights(r, kind, (5, 1, 1, 4), 0, several)
        b, b_spec = bias(r, kind, scale_of(x), w_spec, 5)
        shape = constant(np.array([1, 3, 3, 5], np.int32), name="shape")
        options = faults.options("TransposeConvOptions", stride_w=1, stride_h=1, padding=1)

        def expected(found: Requantization) -> Array:
            assert found.multipliers["output"].shift.shape == (5,)
            kernels = wide(w, found.offsets["weights"]).reshape(5, 4)
            return product(found, wide(q, found.offsets["input"]) @ kernels.T + b, kind)

        content = faults.operator("TRANSPOSE_CONV", [shape, w_spec, x, b_spec], [y], 3, **options)
        return Case(content, [q], expected)

    return make


def dense(several: bool) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (90, 16), r, kind), spec("y", (90, 70), r, kind)
        q = integers(r, kind, 90, 16)
        w, w_spec = weights(r, kind, (70, 16), 0, several)
        b, b_spec = bias(r, kind, scale_of(x), w_spec, 70)

        def expected(found: Requantization) -> Array:
            assert found.multipliers["output"].shift.size == (70 if several else 1)
            kernels = wide(w, found.offsets["weights"])
            return product(found, wide(q, found.offsets["input"]) @ kernels.T + b, kind)

        return Case(faults.dense(x, w_spec, b_spec, y), [q], expected)

    return make


def matrices(r: Random, kind: int) -> Case:
    inputs = [integers(r, kind, 90, 16), integers(r, kind, 16, 70)]
    specs = [spec("a", (90, 16), r, kind), spec("b", (16, 70), r, kind)]

    def expected(found: Requantization) -> Array:
        a, b = (
            wide(q, found.offsets[n]) for q, n in zip(inputs, ("input", "weights"), strict=True)
        )
        return product(found, a @ b, kind)

    options = faults.options("BatchMatMulOptions")
    content = faults.operator("BATCH_MATMUL", specs, [spec("y", (90, 70), r, kind)], 3, **options)
    return Case(content, inputs, expected)
