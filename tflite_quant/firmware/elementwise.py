"""Operators that compute each value of the output from one value of each input.

The runtimes differ in the precision of a product or quotient of scales, which decides the last bits
of a multiplier. Each function names its two sources, below tensorflow/lite/micro/kernels of
tensorflow/tflite-micro, and below tflite/kernels of google-ai-edge/LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..format.schema import TensorType
from ..model.quantization import PerTensor
from .fixedpoint import KERNEL_TYPES, activation_range
from .requantization import Arithmetic, Kernel, Requantization, parameters_of

_QUANTIZE_TYPES = (*KERNEL_TYPES, TensorType.INT32)
_TFLM_QUANTIZE = {
    "INT8": {"INT8", "UINT8", "INT16", "INT32"},
    "UINT8": {"INT8"},
    "INT16": {"INT8", "INT16", "INT32"},
    "INT32": {"INT8", "INT16"},
    "FLOAT32": {"INT8", "INT16"},
}
_LITERT_QUANTIZE = {
    "INT8": {"INT8", "UINT8", "INT16"},
    "UINT8": {"INT8", "UINT8", "INT16"},
    "INT16": {"INT8", "INT16", "INT32"},
    "INT32": {"INT8", "INT16"},
    "FLOAT32": {"INT4", "INT8", "UINT4", "UINT8", "INT16"},
}
"""The types of the output that each QUANTIZE makes of an input's type."""


def add(kernel: Kernel) -> Requantization:
    """Derive ADD and SUB: both inputs are brought to one scale, with bits to spare.

    Sources: add_common.cc, CalculateOpDataAdd, and sub_common.cc, CalculateOpDataSub; add.cc,
    Prepare, and sub.cc, PrepareGeneralSubOp.
    """
    if _only_shifts(kernel):
        return _shifts(kernel)
    left_shift = 15 if kernel.output.type is TensorType.INT16 else 20
    made = _on_one_scale(kernel, left_shift, lambda common: common, 1 << left_shift)
    takes_any = kernel.name == "SUB" and not kernel.is_tflm
    checked = ("input1", "input2") if takes_any else ("input1", "input2", "output")
    return kernel.must_be_below_one(made, *checked)


def squared_difference(kernel: Kernel) -> Requantization:
    """Derive SQUARED_DIFFERENCE. Sources: squared_difference.cc in both."""
    left_shift = 0 if kernel.output.type is TensorType.INT16 else 7
    made = _on_one_scale(kernel, left_shift, lambda common: common * common, 1 << 2 * left_shift)
    # TensorFlow Lite Micro takes any multiplier of the output.
    checked = ("input1", "input2") if kernel.is_tflm else ("input1", "input2", "output")
    return kernel.must_be_below_one(made, *checked)


def _on_one_scale(
    kernel: Kernel,
    left_shift: int,
    of_both: Callable[[np.float64], np.float64],
    factor: int,
) -> Requantization:
    """Derive operators that bring both inputs to one scale: twice the larger of theirs.

    Only doubling and multiplying by a power of two have the runtime's own precision, which decides
    what is infinite.
    """
    (scale1, scale2, output_scale), offsets = kernel.scales("input1", "input2")
    precision = kernel.precision
    common = np.float64(precision(2) * precision(max(scale1, scale2)))
    reals = {
        "input1": np.float64(scale1) / common,
        "input2": np.float64(scale2) / common,
        "output": of_both(common) / np.float64(precision(factor) * precision(output_scale)),
    }
    return kernel.fixed_point(offsets, reals, kernel.activation_range(), left_shift)


def _only_shifts(kernel: Kernel) -> bool:
    """Return whether a 16-bit kernel takes LiteRT's path for scales that are powers of two."""
    if kernel.is_tflm or kernel.output.type is not TensorType.INT16:
        return False
    if not kernel.option("pot_scale_int16", True):
        return False
    return all(is_power_of_two for _, is_power_of_two in _logarithms(kernel))


def _shifts(kernel: Kernel) -> Requantization:
    """Derive LiteRT's ADD and SUB of INT16 whose scales are powers of two: they shift to the right.

    Sources: none in TensorFlow Lite Micro; add.cc, Prepare, and sub.cc, PrepareInt16SubOpPOT.
    """
    (first, _), (second, _), (output, _) = _logarithms(kernel)
    shifts = {"input1_shift": first - output, "input2_shift": second - output}
    if 0 not in shifts.values() or max(shifts.values()) > 0:
        raise kernel.refused("with scales that are powers of two takes none above the output's")
    _, offsets = kernel.scales("input1", "input2")
    return replace(kernel.fixed_point(offsets, {}, kernel.activation_range()), constants=shifts)


def _logarithms(kernel: Kernel) -> list[tuple[int, bool]]:
    (*scales,), _ = kernel.scales("input1", "input2")
    return [rounded_logarithm(scale) for scale in scales]


def rounded_logarithm(scale: np.float32) -> tuple[int, bool]:
    """Return the nearest exponent of two, and whether the scale is that power, nearly.

    Source: quantization_util.cc, CheckedLog2, the same in both.
    """
    logarithm = float(np.log2(scale))
    return round(logarithm), abs(logarithm - round(logarithm)) < 1e-3


def multiply(kernel: Kernel) -> Requantization:
    """Derive MUL. Sources: mul_common.cc, CalculateOpDataMul; mul.cc, Prepare."""
    (scale1, scale2, output_scale), offsets = kernel.scales("input1", "input2")
    precision = kernel.precision
    real = precision(scale1) * precision(scale2) / precision(output_scale)
    return kernel.fixed_point(offsets, {"output": real}, kernel.activation_range())


def divide(kernel: Kernel) -> Requantization:
    """Derive DIV. Sources: div.cc, CalculateOpDataDiv; div.cc, Prepare."""
    (scale1, scale2, output_scale), offsets = kernel.scales("input1", "input2")
    precision = kernel.precision
    real = precision(scale1) / (precision(scale2) * precision(output_scale))
    return kernel.fixed_point(offsets, {"output": real}, kernel.activation_range())


def add_many(kernel: Kernel) -> Requantization:
    """Derive ADD_N and CUMSUM. Sources: add_n.cc and cumsum.cc, CalculateOpData; none in LiteRT."""
    (scale, output_scale), offsets = kernel.scales("input")
    common = 2 * np.float64(scale)
    reals = {
        "input": np.float64(scale) / common,
        "output": common / ((1 << 20) * np.float64(output_scale)),
    }
    made = kernel.fixed_point(offsets, reals, kernel.whole_range, left_shift=20)
    return kernel.must_be_below_one(made, "input", "output")


def compare(kernel: Kernel) -> Requantization:
    """Derive EQUAL, LESS and their like, which bring both inputs to the scale 1.

    Sources: comparisons.cc, ComparisonsPrepare; comparisons.cc, ComparisonQuantized.
    """
    if kernel.input(0).type is TensorType.INT16 and kernel.name in ("GREATER_EQUAL", "LESS"):
        # LiteRT compares these integers, whatever they stand for.
        return kernel.without_multipliers(Arithmetic.UNSCALED)
    parameters = {f"input{n + 1}": parameters_of(kernel.input(n)) for n in range(2)}
    offsets = {name: -zero_point for name, (_, zero_point) in parameters.items()}
    reals = {name: np.float64(scale) for name, (scale, _) in parameters.items()}
    made = kernel.fixed_point(offsets, reals, None, left_shift=8)
    return kernel.must_be_below_one(made, *reals) if kernel.is_tflm else made


def quantize(kernel: Kernel) -> Requantization:
    """Derive QUANTIZE of integers; of real numbers it is a division in floating point.

    Sources: quantize_common.cc, PrepareQuantizeReference; quantize.cc, Prepare.
    """
    source, output = kernel.input(0), kernel.output
    known = _TFLM_QUANTIZE if kernel.is_tflm else _LITERT_QUANTIZE
    if output.type.name not in known.get(source.type.name, ()):
        raise kernel.refused(f"makes no {output.type.name} of {source.type.name}")
    types = (*_QUANTIZE_TYPES, output.type)
    output_scale, output_zero_point = parameters_of(output, types)
    if source.type is TensorType.FLOAT32:
        return kernel.without_multipliers(
            Arithmetic.FLOAT, {"output": output_zero_point}, kernel.whole_range
        )
    scale, zero_point = parameters_of(source, types)
    real = np.float64(scale) / np.float64(output_scale)
    offsets = {"input": -zero_point, "output": output_zero_point}
    return kernel.fixed_point(offsets, {"output": real}, kernel.whole_range)


def dequantize(kernel: Kernel) -> Requantization:
    """Derive DEQUANTIZE, which multiplies in floating point.

    Sources: dequantize_common.cc, DequantizePrepare; dequantize.cc.
    """
    quantization = kernel.input(0).quantization
    offsets = {"input": -quantization.zero_point} if isinstance(quantization, PerTensor) else {}
    return kernel.without_multipliers(Arithmetic.FLOAT, offsets)


def rectify(kernel: Kernel) -> Requantization:
    """Derive RELU and its like. TensorFlow Lite Micro's RELU6 only clamps, on the input's scale.

    Sources: activations_common.cc, CalculateReluOpData and Relu6Prepare; activations.cc,
    ReluPrepare.
    """
    activation = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}[kernel.name]
    if kernel.is_tflm and kernel.name == "RELU6":
        source = kernel.input(0)
        scale, zero_point = parameters_of(source)
        clamped = activation_range(source.type, float(scale), zero_point, activation)
        return kernel.without_multipliers(Arithmetic.UNSCALED, range=clamped)
    (scale, output_scale), offsets = kernel.scales("input")
    real = kernel.precision(scale) / kernel.precision(output_scale)
    return kernel.fixed_point(offsets, {"output": real}, kernel.activation_range(activation))


def leaky_relu(kernel: Kernel) -> Requantization:
    """Derive LEAKY_RELU.

    Sources: leaky_relu_common.cc, CalculateOpDataLeakyRelu; activations.cc, LeakyReluPrepare.
    """
    (scale, output_scale), offsets = kernel.scales("input")
    precision, alpha = kernel.precision, np.float32(kernel.option("alpha", 0.0))
    reals = {
        "alpha": precision(scale) * precision(alpha) / precision(output_scale),
        "identity": precision(scale) / precision(output_scale),
    }
    return kernel.fixed_point(offsets, reals, kernel.whole_range)


def prelu(kernel: Kernel) -> Requantization:
    """Derive PRELU.

    Sources: prelu_common.cc, CalculatePreluParams; activations.cc, PreluPrepare.
    """
    (scale, alpha_scale, output_scale), offsets = kernel.scales("input", "alpha")
    precision = kernel.precision
    reals = {
        "output": precision(scale) / precision(output_scale),
        "alpha": precision(scale) * precision(alpha_scale) / precision(output_scale),
    }
    return kernel.fixed_point(offsets, reals, kernel.whole_range)


def absolute(kernel: Kernel) -> Requantization:
    """Derive ABS, which multiplies only where scales differ. Sources: elementwise.cc in both."""
    (scale, output_scale), offsets = kernel.scales("input")
    real = kernel.precision(scale) / kernel.precision(output_scale)
    reals = {} if scale == output_scale else {"output": real}
    return kernel.fixed_point(offsets, reals, kernel.whole_range)


def reciprocal_root(kernel: Kernel) -> Requantization:
    """Derive RSQRT. LiteRT looks INT16 up in a table. Sources: elementwise.cc in both."""
    (scale, output_scale), offsets = kernel.scales("input")
    if kernel.input(0).type is TensorType.INT16:
        return kernel.without_multipliers(Arithmetic.TABLE, offsets)
    precision = kernel.precision
    real = 1.0 / np.float64(precision(np.sqrt(scale)) * precision(output_scale))
    return kernel.fixed_point(offsets, {"output": real}, kernel.whole_range)
