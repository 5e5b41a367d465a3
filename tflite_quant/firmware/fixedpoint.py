"""The integers that kernels compute with: multipliers, shifts, offsets and activation ranges.

A kernel multiplies its sum of integers by a real number, such as the input's scale times the
weights' scale divided by the output's scale. In fixed point this number is a *multiplier*, an int32
with 31 fractional bits, and a *shift* to the left:

    real = multiplier * 2**-31 * 2**shift

The numbers are those that LiteRT's reference kernels, TensorFlow Lite Micro and CMSIS-NN compute
in their Prepare functions (google-ai-edge/LiteRT, tflite/kernels). Where these multiply scales in
float32 before they continue in float64, so does this module: the last bit depends on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import QuantizationError, UnsupportedError
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.operator import Operator
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor

__all__ = [
    "Multiplier",
    "Requantization",
    "activation_range",
    "operator_requantization",
    "quantize_multiplier",
]


class Multiplier(NamedTuple):
    """Real numbers in fixed point: one for each channel, or a single one for all channels.

    Attributes
    ----------
    real : ndarray of float64, shape (n,)
    multiplier, shift : ndarray of int32, shape (n,)
        `real = multiplier * 2**-31 * 2**shift`, rounded.
    """

    real: NDArray[np.float64]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Requantization:
    """The integers with which the kernel of one operator computes its output.

    Attributes
    ----------
    operator : str
        The operator's name, such as CONV_2D.
    offsets : mapping of str to int
        What the kernel adds to the inputs and weights, their negated zero points, and to the
        output, its zero point.
    multipliers : mapping of str to Multiplier
        "output" multiplies the sums or products. ADD, SUB and SQUARED_DIFFERENCE also have "input1"
        and "input2", PRELU also "alpha"; LEAKY_RELU has "alpha" and "identity" instead.
    left_shift : int
        How far ADD, SUB and SQUARED_DIFFERENCE shift their inputs first; 0 for all others.
    range : (int, int)
        The lowest and the highest output: that of the type, or of the fused activation.
    """

    operator: str
    offsets: Mapping[str, int]
    multipliers: Mapping[str, Multiplier]
    left_shift: int
    range: tuple[int, int]


@overload
def quantize_multiplier(real: float) -> tuple[int, int]: ...
@overload
def quantize_multiplier(
    real: NDArray[Any] | list[float],
) -> tuple[NDArray[np.int32], NDArray[np.int32]]: ...
def quantize_multiplier(real: ArrayLike) -> tuple[Any, Any]:
    """Return real numbers in fixed point, as multipliers and shifts.

    Parameters
    ----------
    real : array_like of float
        Finite and not negative.

    Returns
    -------
    (int, int), or (ndarray of int32, ndarray of int32) in the shape of an array
        Multiplier and shift, `real = multiplier * 2**-31 * 2**shift`. The multiplier is the
        significand times 2**31, rounded with halves away from zero; it is at least 2**30, or 0
        for numbers below about 2**-32. Source: google-ai-edge/LiteRT,
        tflite/kernels/internal/quantization_util.cc, QuantizeMultiplier.

    Raises
    ------
    QuantizationError
        A number is negative, infinite or NaN.

    Examples
    --------
    >>> quantize_multiplier(0.75)
    (1610612736, 0)
    >>> [values.tolist() for values in quantize_multiplier([1.0, 0.001])]
    [[1073741824, 1099511628], [1, -9]]
    """
    values = np.asarray(real, np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise QuantizationError("a multiplier is negative or not finite")
    significand, shift = np.frexp(values)
    # The product and the sum are exact: 22 of the significand's 53 bits are fractional here.
    multiplier = np.trunc(significand * (1 << 31) + 0.5)
    overflows = multiplier == 1 << 31
    multiplier = np.where(overflows, 1 << 30, multiplier)
    shift = shift + overflows
    is_tiny = shift < -31
    multiplier = np.where(is_tiny, 0, multiplier).astype(np.int32)
    shift = np.where(is_tiny, 0, shift).astype(np.int32)
    return (multiplier, shift) if values.ndim else (int(multiplier), int(shift))


_TYPES = (TensorType.UINT8, TensorType.INT8, TensorType.INT16)
"""The output types of kernels that compute in integers."""

_CLAMPS: Mapping[int, tuple[float | None, float | None]] = {
    0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0),
}  # fmt: skip
"""The ranges of the fused activations NONE, RELU, RELU_N1_TO_1 and RELU6, by number."""


def activation_range(
    type: TensorType, scale: float, zero_point: int, activation: int = 0
) -> tuple[int, int]:
    """Return the lowest and the highest integer that an output with a fused activation can be.

    Parameters
    ----------
    type : TensorType
        The output's type: INT8, UINT8 or INT16.
    scale : float
        The output's scale.
    zero_point : int
        The output's zero point.
    activation : int
        The number in ActivationFunctionType: 0 NONE, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6.

    Returns
    -------
    (int, int)
        Source: google-ai-edge/LiteRT, tflite/kernels/kernel_util.cc,
        CalculateActivationRangeQuantized.

    Raises
    ------
    UnsupportedError
        The type or the activation is none of these.
    QuantizationError
        The scale is not positive and finite, or so small that the range does not fit into 32 bits.

    Examples
    --------
    >>> activation_range(TensorType.INT8, 0.05, -128, 3)
    (-128, -8)
    """
    if type not in _TYPES:
        raise UnsupportedError(
            f"the output is {type.name}; only INT8, UINT8 and INT16 have a range"
        )
    if activation not in _CLAMPS:
        raise UnsupportedError(f"fused activation {activation} is not computed in integers")
    if not 0 < scale < math.inf:
        raise QuantizationError(f"the output's scale is {scale}; it must be positive and finite")
    low, high = INTEGER_RANGES[type]
    lowest, highest = _CLAMPS[activation]
    if lowest is not None:
        low = max(low, zero_point + _rounded(lowest, scale))
    if highest is not None:
        high = min(high, zero_point + _rounded(highest, scale))
    return low, high


def _rounded(real: float, scale: float) -> int:
    """Divide in float32 and round halves away from zero, as the kernels do."""
    with np.errstate(over="ignore"):
        quotient = float(np.float32(real) / np.float32(scale))
    if not abs(quotient) < 1 << 31:
        raise QuantizationError(f"{real} divided by scale {scale} does not fit into 32 bits")
    return int(np.trunc(quotient + np.copysign(0.5, quotient)))


def operator_requantization(operator: Operator) -> Requantization:
    """Return the integers with which the kernel of an operator computes its output.

    Parameters
    ----------
    operator : Operator
        One of CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL, ADD, SUB,
        MUL, SQUARED_DIFFERENCE, QUANTIZE, RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU, PRELU,
        AVERAGE_POOL_2D, MAX_POOL_2D.

    Returns
    -------
    Requantization

    Raises
    ------
    UnsupportedError
        The operator is none of these, lacks an input or output, has a fused activation that is not
        computed in integers, or adds 16-bit integers by shifts alone.
    QuantizationError
        A tensor does not have the scales that the kernel needs.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     requantization = operator_requantization(model.operators[0])
    >>> requantization.multipliers["output"].shift[:4].tolist()
    [-11, -13, -9, -10]
    >>> requantization.offsets["input"], requantization.range
    (-4, (-128, 127))
    """
    derive = _KERNELS.get(operator.code.name)
    if derive is None:
        raise UnsupportedError(f"the requantization of {operator.code.name} is not known")
    with np.errstate(all="ignore"):
        # Ratios of hostile scales may be infinite; `quantize_multiplier` refuses these.
        return derive(operator)


def _input(operator: Operator, index: int) -> Tensor:
    tensor = operator.inputs[index] if index < len(operator.inputs) else None
    if tensor is None:
        raise UnsupportedError(f"{operator.code.name} has no input {index}")
    return tensor


def _output(operator: Operator) -> Tensor:
    tensor = operator.outputs[0] if operator.outputs else None
    if tensor is None:
        raise UnsupportedError(f"{operator.code.name} has no output")
    return tensor


def _parameters(tensor: Tensor) -> tuple[np.float32, int]:
    """Return the scale and the zero point of a tensor that has one of each."""
    quantization = tensor.quantization
    label = f"tensor {tensor.index} {tensor.name!r}"
    if tensor.type not in _TYPES or not isinstance(quantization, PerTensor):
        raise QuantizationError(
            f"{label} has type {tensor.type.name} and scheme {quantization.scheme}; "
            "expected INT8, UINT8 or INT16 with one scale"
        )
    if not 0 < quantization.scale < math.inf:
        raise QuantizationError(
            f"{label} has scale {quantization.scale}; it must be positive and finite"
        )
    return np.float32(quantization.scale), quantization.zero_point


def _scales(operator: Operator, *inputs: str) -> tuple[list[np.float32], dict[str, int]]:
    """Return the scales of the inputs, then of the output, and the offsets of the named inputs."""
    parameters = [_parameters(_input(operator, index)) for index in range(len(inputs))]
    offsets = {name: -zero for name, (_, zero) in zip(inputs, parameters, strict=True)}
    return [scale for scale, _ in (*parameters, _parameters(_output(operator)))], offsets


def _requantization(
    operator: Operator,
    offsets: Mapping[str, int],
    reals: Mapping[str, ArrayLike],
    left_shift: int = 0,
    activation: int | None = None,
) -> Requantization:
    """Return the requantization with the multipliers of some real numbers.

    The activation is that of the operator's options, unless the operator is one itself.
    """
    output = _output(operator)
    scale, zero_point = _parameters(output)
    if activation is None:
        option = operator.options.get("fused_activation_function")
        activation = option if isinstance(option, int) else 0
    multipliers = {}
    for name, real in reals.items():
        values = np.asarray(real, np.float64).reshape(-1)
        multipliers[name] = Multiplier(values, *quantize_multiplier(values))
    return Requantization(
        operator.code.name,
        {**offsets, "output": zero_point},
        multipliers,
        left_shift,
        activation_range(output.type, float(scale), zero_point, activation),
    )


def _weighted(input_index: int, axis: int | None) -> Callable[[Operator], Requantization]:
    """Return the function for operators that sum products of an input and weights, input 1.

    The weights may have a scale for each slice along `axis`. The real number is computed in
    float64; but with one scale FULLY_CONNECTED, BATCH_MATMUL and the uint8 kernels multiply the
    two scales in float32 first. Source: google-ai-edge/LiteRT, tflite/kernels/kernel_util.cc,
    PopulateConvolutionQuantizationParams and GetQuantizedConvolutionMultipler;
    tflite/kernels/fully_connected.cc.
    """

    def derive(operator: Operator) -> Requantization:
        source = _input(operator, input_index)
        scale, zero_point = _parameters(source)
        weight_scales, weight_zero_point = _weight_parameters(_input(operator, 1), axis)
        starts_in_float32 = weight_zero_point is not None and (
            operator.code.name in ("FULLY_CONNECTED", "BATCH_MATMUL")
            or source.type is TensorType.UINT8
        )
        precision = np.float32 if starts_in_float32 else np.float64
        products = np.multiply(scale, weight_scales, dtype=precision)
        output_scale, _ = _parameters(_output(operator))
        reals = products.astype(np.float64) / np.float64(output_scale)
        offsets = {"input": -zero_point, "weights": -(weight_zero_point or 0)}
        return _requantization(operator, offsets, {"output": reals})

    return derive


def _weight_parameters(tensor: Tensor, axis: int | None) -> tuple[NDArray[np.float32], int | None]:
    """Return the scales of weights, and the zero point where there is one scale for all."""
    match tensor.quantization:
        case PerTensor(scale=scale, zero_point=zero_point):
            return np.array([scale], np.float32), zero_point
        case PerAxis(scales=scales, axis=weight_axis) if weight_axis == axis and scales.size:
            return scales, None
        case other:
            several = "" if axis is None else f" or one for each slice along axis {axis}"
            raise QuantizationError(
                f"tensor {tensor.index} {tensor.name!r} has scheme {other.scheme}; "
                f"expected one scale{several}"
            )


def _sum(operator: Operator) -> Requantization:
    """Derive ADD and SUB: both inputs are brought to one scale, with bits to spare, then added.

    Source: google-ai-edge/LiteRT, tflite/kernels/add.cc and sub.cc, Prepare.
    """
    is_int16 = _output(operator).type is TensorType.INT16
    if is_int16 and _only_shifts(operator):
        raise UnsupportedError(
            f"{operator.name} of INT16 shifts instead of multiplying: all scales are powers of two"
        )
    left_shift = 15 if is_int16 else 20
    return _with_common_scale(
        operator,
        left_shift,
        lambda common, output: common / np.float64(np.float32(1 << left_shift) * output),
    )


def _only_shifts(operator: Operator) -> bool:
    """Return whether a 16-bit kernel takes the path for scales that are powers of two."""
    if not operator.options.get("pot_scale_int16", True):
        return False
    tensors = (_input(operator, 0), _input(operator, 1), _output(operator))
    logarithms = [float(np.log2(_parameters(tensor)[0])) for tensor in tensors]
    # The kernel's own tolerance.
    return all(abs(logarithm - round(logarithm)) < 1e-3 for logarithm in logarithms)


def _squared_difference(operator: Operator) -> Requantization:
    """Derive SQUARED_DIFFERENCE.

    Source: google-ai-edge/LiteRT, tflite/kernels/squared_difference.cc, Prepare.
    """
    return _with_common_scale(
        operator,
        7,
        lambda common, output: common * common / np.float64(np.float32(1 << 14) * output),
    )


def _with_common_scale(
    operator: Operator,
    left_shift: int,
    output_real: Callable[[np.float64, np.float32], np.float64],
) -> Requantization:
    """Derive operators that bring both inputs to one scale: twice the larger of theirs."""
    (scale1, scale2, output_scale), offsets = _scales(operator, "input1", "input2")
    common = np.float64(np.float32(2) * max(scale1, scale2))
    reals = {
        "input1": np.float64(scale1) / common,
        "input2": np.float64(scale2) / common,
        "output": output_real(common, output_scale),
    }
    return _requantization(operator, offsets, reals, left_shift)


def _product(operator: Operator) -> Requantization:
    """Derive MUL. Source: google-ai-edge/LiteRT, tflite/kernels/mul.cc, Prepare."""
    (scale1, scale2, output_scale), offsets = _scales(operator, "input1", "input2")
    return _requantization(operator, offsets, {"output": scale1 * scale2 / output_scale})


def _rescaled(
    precision: type[np.floating[Any]], activation: int
) -> Callable[[Operator], Requantization]:
    """Return the function for QUANTIZE, which divides in float64, and RELU and its like.

    Source: google-ai-edge/LiteRT, tflite/kernels/quantize.cc, Prepare, and activations.cc,
    ReluPrepare.
    """

    def derive(operator: Operator) -> Requantization:
        (scale, output_scale), offsets = _scales(operator, "input")
        reals = {"output": precision(scale) / precision(output_scale)}
        return _requantization(operator, offsets, reals, activation=activation)

    return derive


def _leaky_relu(operator: Operator) -> Requantization:
    """Derive LEAKY_RELU.

    Source: google-ai-edge/LiteRT, tflite/kernels/activations.cc, LeakyReluPrepare.
    """
    (scale, output_scale), offsets = _scales(operator, "input")
    option = operator.options.get("alpha")
    alpha = np.float32(option if isinstance(option, float) else 0)
    reals = {"alpha": scale * alpha / output_scale, "identity": scale / output_scale}
    return _requantization(operator, offsets, reals)


def _prelu(operator: Operator) -> Requantization:
    """Derive PRELU.

    Source: google-ai-edge/LiteRT, tflite/kernels/activations.cc, PreluPrepare.
    """
    (scale, alpha_scale, output_scale), offsets = _scales(operator, "input", "alpha")
    reals = {"output": scale / output_scale, "alpha": scale * alpha_scale / output_scale}
    return _requantization(operator, offsets, reals)


def _pool(operator: Operator) -> Requantization:
    """Derive the pooling operators, which keep the scale and only clamp."""
    return _requantization(operator, {}, {})


_KERNELS: Mapping[str, Callable[[Operator], Requantization]] = {
    "ADD": _sum,
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _weighted(0, None),
    "CONV_2D": _weighted(0, 0),
    "DEPTHWISE_CONV_2D": _weighted(0, 3),
    "FULLY_CONNECTED": _weighted(0, 0),
    "LEAKY_RELU": _leaky_relu,
    "MAX_POOL_2D": _pool,
    "MUL": _product,
    "PRELU": _prelu,
    "QUANTIZE": _rescaled(np.float64, 0),
    "RELU": _rescaled(np.float32, 1),
    "RELU6": _rescaled(np.float32, 3),
    "RELU_N1_TO_1": _rescaled(np.float32, 2),
    "SQUARED_DIFFERENCE": _squared_difference,
    "SUB": _sum,
    "TRANSPOSE_CONV": _weighted(2, 0),
}
