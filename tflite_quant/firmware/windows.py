"""Operators that make one value of several: means, sums, pooling, interpolation.

Sources are below tensorflow/lite of tensorflow/tflite-micro, and below tflite of
google-ai-edge/LiteRT.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..format.budget import MAX_ARRAY_RANK
from ..format.schema import TensorType
from .fixedpoint import Multiplier
from .requantization import Arithmetic, Kernel, Precision, Requantization, parameters_of


def total(kernel: Kernel) -> Requantization:
    """Derive SUM. LiteRT multiplies the sum in float32.

    LiteRT's reference kernel would multiply in fixed point, but reads INT8 and INT16 as UINT8; so
    its other kernel counts. Sources: micro/kernels/reduce_common.cc, PrepareMeanOrSumHelper;
    kernels/reduce.cc and kernels/internal/optimized/reduce.h, QuantizedMeanOrSum.
    """
    made = _rescaled(kernel, np.float64 if kernel.is_tflm else np.float32)
    return made if kernel.is_tflm else replace(made, arithmetic=Arithmetic.FLOAT)


def _rescaled(kernel: Kernel, precision: Precision) -> Requantization:
    """Return the requantization of a sum, whose scale is divided by the output's."""
    (scale, output_scale), offsets = kernel.scales("input")
    real = precision(scale) / precision(output_scale)
    return kernel.fixed_point(offsets, {"output": real}, kernel.whole_range)


def mean(kernel: Kernel) -> Requantization:
    """Derive MEAN, whose kernel divides the multiplier by the number of values, rounding down.

    Sources: kernels/internal/reference/reduce.h, QuantizedMeanOrSum, the same in both.
    """
    made, count = _rescaled(kernel, np.float64), _count(kernel)
    of_sum = made.multipliers["output"]
    multiplier, shift = int(of_sum.multiplier[0]), int(of_sum.shift[0])
    bits = min(count.bit_length() - 1, 32, 31 + shift)
    folded = Multiplier(
        of_sum.real / count,
        np.array([(multiplier << bits) // count], np.int32),
        np.array([shift - bits], np.int32),
    )
    return replace(made, multipliers={"output": folded}, constants={"count": count})


def _count(kernel: Kernel) -> int:
    """Return how many values of the input one mean is made of."""
    axis, shape = kernel.input(1), kernel.input(0).shape
    if len(shape) > MAX_ARRAY_RANK:
        raise kernel.refused(f"takes no rank of {len(shape)}")
    if not axis.is_constant or axis.type is not TensorType.INT32:
        raise kernel.refused("is derived only for axes that are constant INT32 numbers")
    axes: set[int] = set(axis.data.reshape(-1).tolist())
    if not axes <= set(range(-len(shape), len(shape))):
        raise kernel.refused(f"takes no axes {sorted(axes)[:8]} for rank {len(shape)}")
    count = math.prod([shape[number] for number in {number % len(shape) for number in axes}])
    if not 0 < count < 1 << 63:
        raise kernel.refused(f"takes no mean of {count} values")
    return count


def pool(kernel: Kernel) -> Requantization:
    """Derive AVERAGE_POOL_2D and MAX_POOL_2D, which keep the scale and only clamp.

    Sources: micro/kernels/pooling_common.cc, PoolingPrepare; kernels/pooling.cc.
    """
    return kernel.without_multipliers(Arithmetic.UNSCALED, range=kernel.activation_range())


def bilinear(kernel: Kernel) -> Requantization:
    """Derive RESIZE_BILINEAR, which interpolates between integers, with 10 fractional bits.

    LiteRT's reference kernel for UINT8 interpolates in floating point. Sources:
    kernels/internal/reference/resize_bilinear.h, ResizeBilinearInteger, the same in both.
    """
    source, output = kernel.input(0), kernel.output
    if source.type is TensorType.UINT8:
        return kernel.without_multipliers(Arithmetic.FLOAT)
    if len(source.shape) != 4 or len(output.shape) != 4 or min(output.shape[1:3]) < 1:
        raise kernel.refused("is derived only for images: shapes of rank 4 with values")
    between_corners = bool(kernel.option("align_corners", False))
    constants = {
        f"{name}_scale_10": _step(source.shape[axis], output.shape[axis], between_corners)
        for axis, name in ((1, "height"), (2, "width"))
    }
    return kernel.without_multipliers(Arithmetic.UNSCALED, constants=constants)


def _step(source: int, target: int, between_corners: bool) -> int:
    """Return how far apart two values of the output lie in the input, times 1024."""
    if between_corners and target > 1:
        source, target = source - 1, target - 1
    return ((source << 10) + target // 2) // target


def norm(kernel: Kernel) -> Requantization:
    """Derive L2_NORMALIZATION, whose output has the scale 1/128.

    Sources: micro/kernels/l2norm.cc; kernels/l2norm.cc.
    """
    _, zero_point = parameters_of(kernel.input(0))
    return kernel.without_multipliers(
        Arithmetic.UNSCALED, {"input": -zero_point}, kernel.whole_range
    )
