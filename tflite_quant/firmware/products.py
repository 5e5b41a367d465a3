"""Operators that sum products of an input and weights: convolutions, dense layers, matrices.

The real number is the input's scale times the weights' scale divided by the output's, in float64;
but LiteRT's BATCH_MATMUL and UINT8 kernels multiply the two scales in float32 first. Sources:
tensorflow/tflite-micro, tensorflow/lite/kernels/kernel_util.cc,
PopulateConvolutionQuantizationParams and GetQuantizedConvolutionMultipler, and
tensorflow/lite/micro/kernels/fully_connected_common.cc and batch_matmul.cc; google-ai-edge/LiteRT,
tflite/kernels/kernel_util.cc, fully_connected.cc and batch_matmul.cc.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import QuantizationError
from ..format.schema import TensorType
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor
from .fixedpoint import Multiplier
from .requantization import Arithmetic, Kernel, Precision, Requantization, parameters_of

_WEIGHT_TYPES = {TensorType[name] for name in ("INT2", "INT4", "INT8", "INT16", "UINT8")}
_AXES = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "TRANSPOSE_CONV": 0}
"""The axis of the weights that has an output channel for each slice."""


def convolution(kernel: Kernel) -> Requantization:
    """Derive CONV_2D, DEPTHWISE_CONV_2D and TRANSPOSE_CONV.

    Kernels read a multiplier for each output channel, also where all channels share one scale.
    """
    source = kernel.input(2 if kernel.name == "TRANSPOSE_CONV" else 0)
    weights, axis = kernel.input(1), _AXES[kernel.name]
    scales, zero_point = _weight_parameters(weights, axis)
    precision = np.float32 if source.type is TensorType.UINT8 else np.float64
    made = _product(kernel, source, scales, zero_point, precision)
    if zero_point is None or len(weights.shape) <= axis:
        return made
    # Views: in a small file, weights may claim any number of channels.
    channels = max(weights.shape[axis], 0)
    if channels > sys.maxsize // 8:
        raise kernel.refused(f"takes no {channels} channels on this machine")
    one = made.multipliers["output"]
    every = Multiplier(
        np.broadcast_to(one.real, channels),
        np.broadcast_to(one.multiplier, channels),
        np.broadcast_to(one.shift, channels),
    )
    return replace(made, multipliers={"output": every})


def dense(kernel: Kernel) -> Requantization:
    """Derive FULLY_CONNECTED.

    LiteRT's reference kernel multiplies the sums by the real number, in float64
    (google-ai-edge/LiteRT, tflite/kernels/internal/reference/integer_ops/fully_connected.h).
    """
    scales, zero_point = _weight_parameters(kernel.input(1), 0)
    weights = kernel.input(1).type
    if kernel.is_tflm and zero_point is None and weights is TensorType.INT4:
        raise kernel.refused("takes no INT4 weights with several scales")
    source = kernel.input(0)
    made = _product(kernel, source, scales, zero_point, np.float64)
    return made if kernel.is_tflm else replace(made, arithmetic=Arithmetic.FLOAT)


def matrices(kernel: Kernel) -> Requantization:
    """Derive BATCH_MATMUL, whose second input has one scale."""
    first, second = kernel.input(0), kernel.input(1)
    if kernel.is_tflm and second.type is not first.type:
        raise kernel.refused(f"takes no {first.type.name} with {second.type.name}")
    scales, zero_point = _weight_parameters(second, None)
    return _product(kernel, first, scales, zero_point, kernel.precision)


def _product(
    kernel: Kernel,
    source: Tensor,
    weight_scales: NDArray[np.float32],
    weight_zero_point: int | None,
    precision: Precision,
) -> Requantization:
    """Return the requantization of sums of products."""
    scale, zero_point = parameters_of(source)
    output_scale, output_zero_point = parameters_of(kernel.output)
    products = np.multiply(scale, weight_scales, dtype=precision)
    reals = products.astype(np.float64) / np.float64(output_scale)
    offsets = {
        "input": -zero_point,
        "weights": -(weight_zero_point or 0),
        "output": output_zero_point,
    }
    return kernel.fixed_point(offsets, {"output": reals}, kernel.activation_range())


def _weight_parameters(tensor: Tensor, axis: int | None) -> tuple[NDArray[np.float32], int | None]:
    """Return the scales of weights, and the zero point where there is one scale for all."""
    label = f"tensor {tensor.index} {tensor.name!r}"
    if tensor.type not in _WEIGHT_TYPES:
        raise QuantizationError(f"{label} has type {tensor.type.name}; expected integers")
    match tensor.quantization:
        case PerTensor(scale=scale, zero_point=zero_point):
            return np.array([scale], np.float32), zero_point
        case PerAxis(scales=scales, axis=weight_axis) if weight_axis == axis and scales.size:
            return scales, None
        case other:
            several = "" if axis is None else f" or one for each slice along axis {axis}"
            raise QuantizationError(
                f"{label} has scheme {other.scheme}; expected one scale{several}"
            )
