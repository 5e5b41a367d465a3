"""Operators that compute a curve: the logistic function, tanh, softmax and their like.

Sources are below tensorflow/lite/micro/kernels of tensorflow/tflite-micro, and below tflite/kernels
of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import numpy as np

from ..format.schema import TensorType
from .elementwise import rounded_logarithm
from .requantization import Arithmetic, Kernel, Requantization, parameters_of

_SOFTMAX_BITS, _SIGMOID_BITS = 5, 4
"""How many bits a difference (SOFTMAX) or an input (LOGISTIC, TANH) has before the point."""


def softmax(kernel: Kernel) -> Requantization:
    """Derive SOFTMAX: the differences from the largest input are multiplied.

    Sources: softmax_common.cc, CalculateSoftmaxParams; activations.cc, SoftmaxPrepare.
    """
    scale, _ = parameters_of(kernel.input(0))
    _, zero_point = parameters_of(kernel.output)
    offsets, beta = {"output": zero_point}, np.float32(kernel.option("beta", 0.0))
    if kernel.input(0).type is not TensorType.INT16:
        return _differences(kernel, offsets, float(beta), scale)
    precision = np.float64 if kernel.is_tflm else np.float32
    real = np.float64(precision(scale) * precision(beta)) / (10.0 / 65535.0)
    return kernel.fixed_point(offsets, {"input": real}, (0, 32767))


def _differences(
    kernel: Kernel, offsets: dict[str, int], beta: float, scale: np.float32
) -> Requantization:
    """Derive what multiplies differences, and the smallest that is not taken for minus infinity.

    Source: quantization_util.cc, PreprocessSoftmaxScaling and CalculateInputRadius, the same in
    both.
    """
    real = min(beta * float(scale) * (1 << 31 - _SOFTMAX_BITS), (1 << 31) - 1.0)
    if not real > 1:
        raise kernel.refused(f"takes no 'input' multiplier of {real}, only above 1")
    made = kernel.fixed_point(offsets, {"input": real}, kernel.whole_range)
    radius = _radius(_SOFTMAX_BITS, int(made.multipliers["input"].shift[0]))
    constants = {"diff_min": -radius}
    return kernel.fixed_point(offsets, {"input": real}, kernel.whole_range, constants=constants)


def _radius(integer_bits: int, left_shift: int) -> int:
    """Return the largest input that does not overflow when it is shifted to the left."""
    return ((1 << integer_bits) - 1 << 31 - integer_bits) >> left_shift


def sigmoid(kernel: Kernel) -> Requantization:
    """Derive LOGISTIC and TANH. LiteRT looks values of 8 bits up in a table.

    Sources: logistic_common.cc, CalculateArithmeticOpDataLogistic, and tanh.cc,
    CalculateArithmeticOpData; activations.cc, SigmoidPrepare and TanhPrepare.
    """
    (scale, _), offsets = kernel.scales("input")
    if kernel.input(0).type is TensorType.INT16:
        constants = _table_steps(kernel, scale, 0 if kernel.name == "LOGISTIC" else 1)
        return kernel.fixed_point(offsets, {}, kernel.whole_range, constants=constants)
    if not kernel.is_tflm:
        return kernel.without_multipliers(Arithmetic.TABLE, offsets, kernel.whole_range)
    reals = {"input": np.float64(scale) * (1 << 31 - _SIGMOID_BITS)}
    made = kernel.fixed_point(offsets, reals, kernel.whole_range)
    shift = int(made.multipliers["input"].shift[0])
    if shift < 0 or made.multipliers["input"].multiplier[0] == 0:
        raise kernel.refused(f"shifts to the left, and scale {scale} asks for the right")
    constants = {"input_range_radius": _radius(_SIGMOID_BITS, shift)}
    return kernel.fixed_point(offsets, reals, kernel.whole_range, constants=constants)


def _table_steps(kernel: Kernel, scale: np.float32, largest_shift: int) -> dict[str, int]:
    """Return what brings an INT16 input to the steps of the kernels' table of the curve.

    A multiplier of 0 stands for 3, shifted to the left, where the scale is a power of two.
    """
    exponent, is_power_of_two = rounded_logarithm(scale)
    shift = 12 + exponent
    if is_power_of_two and 0 <= shift <= largest_shift:
        return {"input_multiplier": 0, "input_left_shift": shift}
    multiplier, shift = float(scale) * 4096.0 * 3.0, 0
    if multiplier >= 32768:
        raise kernel.refused(f"takes no input of INT16 with scale {scale}")
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = 2.0 * multiplier, shift + 1
    return {"input_multiplier": int(multiplier), "input_left_shift": shift}


def hard_swish(kernel: Kernel) -> Requantization:
    """Derive HARD_SWISH, which multiplies by the upper 16 bits of its multipliers.

    Sources: hard_swish_common.cc, HardSwishPrepare; activations.cc, HardSwishPrepare.
    """
    (scale, output_scale), offsets = kernel.scales("input")
    precision, fine_scale = kernel.precision, np.float32(1 / 128) * scale
    reals = {
        "output": precision(fine_scale) / precision(output_scale),
        "reluish": precision(fine_scale) / precision(np.float32(3) / np.float32(32768)),
    }
    made = kernel.fixed_point(offsets, reals, kernel.whole_range)
    if made.multipliers["output"].shift[0] > 0:
        raise kernel.refused(f"takes no 'output' multiplier of {reals['output']}, only up to 1")
    constants = {
        f"{name}_multiplier_int16": _upper_half(int(multiplier.multiplier[0]))
        for name, multiplier in made.multipliers.items()
    }
    return kernel.fixed_point(offsets, reals, kernel.whole_range, constants=constants)


def _upper_half(multiplier: int) -> int:
    """Return the upper 16 bits, rounded. Source: common.h, DownScaleInt32ToInt16Multiplier."""
    return min(multiplier + (1 << 15) >> 16, 32767)


def table(kernel: Kernel) -> Requantization:
    """Derive ELU and its like, which look each value up in a table."""
    _, offsets = kernel.scales("input")
    return kernel.without_multipliers(Arithmetic.TABLE, offsets, kernel.whole_range)
