"""Cases of operators that make one value of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tflite_quant as tq
from tests import faults
from tests.build import constant
from tests.kernels.arithmetic import (
    clamped,
    inverse_root,
    narrowed,
    power,
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
    scale_of,
    spec,
)
from tflite_quant import Requantization


def reduced(name: str) -> Callable[[Random, int], Case]:
    """Make MEAN or SUM."""

    def make(r: Random, kind: int) -> Case:
        shape = (40, *r.integers(1, 9, 2).tolist(), 50)
        x, y = spec("x", shape, r, kind), spec("y", (40, 50), r, kind)
        if name == "MEAN":
            # Most outputs are not clamped.
            y.scale = scale_of(x) * r.uniform(0.5, 1.5)
        q = integers(r, kind, *shape)
        axes = ([1, 2], [-2, 1], [1, 2, -3])[int(r.integers(0, 3))]
        axis = constant(np.array(axes, np.int32), name="axis")

        def expected(found: Requantization) -> Array:
            if name == "MEAN":
                assert found.constants["count"] == shape[1] * shape[2]
            if found.arithmetic is tq.Arithmetic.FLOAT:
                return _summed(q, found)
            total = wide(q, found.offsets["input"]).sum(axis=(1, 2))
            return clamped(times(total, found.multipliers["output"]), found, DTYPES[kind])

        options = faults.options("ReducerOptions")
        return Case(faults.operator(name, [x, axis], [y], 2, **options), [q], expected)

    return make


def _summed(q: Array, found: Requantization) -> Array:
    """Multiply sums in float32, with the offset of all values at once, as LiteRT does."""
    real = found.multipliers["output"].real.astype(np.float32)
    bias = np.float32(found.offsets["input"]) * real * np.float32(q.shape[1] * q.shape[2])
    values = wide(q).sum(axis=(1, 2)).astype(np.float32) * real + bias
    rounded = np.trunc(values + np.copysign(np.float32(0.5), values))
    return clamped(rounded.astype(np.int64), found, q.dtype)


def pooled(name: str) -> Callable[[Random, int], Case]:
    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (1, 6, 6, 3), r, kind), spec("y", (1, 3, 2, 3), r, kind)
        y.scale, y.zero_point = x.scale, x.zero_point
        q = integers(r, kind, 1, 6, 6, 3)
        options = faults.options(
            "Pool2DOptions", stride_h=2, stride_w=3, filter_height=2, filter_width=3, padding=1,
            fused_activation_function=int(r.integers(0, 4)),
        )  # fmt: skip

        def expected(found: Requantization) -> Array:
            assert found.range is not None
            blocks = wide(q).reshape(1, 3, 2, 2, 3, 3)
            if name == "MAX_POOL_2D":
                values = blocks.max(axis=(2, 4))
            else:
                total = blocks.sum(axis=(2, 4))
                values = np.sign(total) * ((np.abs(total) + 3) // 6)
            return narrowed(values, found.range, DTYPES[kind])

        return Case(faults.operator(name, [x], [y], 3, **options), [q], expected)

    return make


def interpolated(r: Random, kind: int) -> Case:
    height, width = r.integers(1, 12, 2).tolist()
    x, y = spec("x", (1, 5, 4, 2), r, kind), spec("y", (1, height, width, 2), r, kind)
    y.scale, y.zero_point = x.scale, x.zero_point
    q = integers(r, kind, 1, 5, 4, 2)
    size = constant(np.array([height, width], np.int32), name="size")
    corners = int(r.integers(0, 3))
    options = faults.options(
        "ResizeBilinearOptions", align_corners=corners == 1, half_pixel_centers=corners == 2
    )

    def places(count: int, step: int, limit: int) -> tuple[Any, Any, Any]:
        value = np.arange(count) * step
        if corners == 2:
            value = value + step // 2 - (1 << 9)
        # C divides towards zero.
        low = np.maximum(np.trunc(value / 1024).astype(int), 0)
        high = np.minimum(np.trunc((value + 1023) / 1024).astype(int), limit - 1)
        return low, high, value - 1024 * low

    def expected(found: Requantization) -> Array:
        y0, y1, dy = places(height, found.constants["height_scale_10"], 5)
        x0, x1, dx = places(width, found.constants["width_scale_10"], 4)
        dy, dx, image = dy[:, None, None], dx[None, :, None], wide(q)[0]
        total = image[y0][:, x0] * (1024 - dy) * (1024 - dx) + image[y1][:, x0] * dy * (1024 - dx)
        total = total + image[y0][:, x1] * (1024 - dy) * dx + image[y1][:, x1] * dy * dx
        half = np.where(total > 0, 1 << 19, -(1 << 19))
        values = np.trunc((total + half) / (1 << 20))[None]
        result: Array = values.astype(DTYPES[kind])
        return result

    content = faults.operator("RESIZE_BILINEAR", [x, size], [y], 3, **options)
    return Case(content, [q], expected)


def normalized(r: Random, kind: int) -> Case:
    x, y = spec("x", (3, 8), r, kind), spec("y", (3, 8), r, kind)
    y.scale, y.zero_point = 1 / 128, 0 if kind == TYPES.INT8 else 128
    q = integers(r, kind, 3, 8)

    def expected(found: Requantization) -> Array:
        rows = []
        for row in wide(q, found.offsets["input"]):
            multiplier, shift = inverse_root(int((row**2).sum()))
            if kind == TYPES.UINT8:
                rows.append(128 + times(128 * row, power(multiplier, shift)))
            else:
                rows.append(times(row, power(multiplier, shift + 7)))
        return narrowed(np.array(rows), found.range, DTYPES[kind])

    return Case(faults.operator("L2_NORMALIZATION", [x], [y], 2), [q], expected)
