"""How kernels compute with scales in integers: multipliers, shifts, offsets, clamp ranges.

A kernel that has summed integers multiplies the sum by a real number, such as input scale times
weight scale by output scale. In integers that is a *multiplier*, an int32 of which 31 bits are
behind the point, and a *shift* to the left:

    real = multiplier * 2**-31 * 2**shift

The numbers are those that LiteRT's reference kernels, TensorFlow Lite Micro and CMSIS-NN compute
when they prepare (google-ai-edge/LiteRT, tflite/kernels). Where those multiply scales in float32
before they go on in float64, so does this module: the last bit of a multiplier depends on it.
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
    """Real numbers as fixed-point ones: one for each channel, or one for all where there is one.

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
    """What the kernel of one operator computes its output with.

    Attributes
    ----------
    operator : str
    offsets : mapping of str to int
        What the kernel adds: to inputs and weights their zero points with the other sign, to the
        output its zero point.
    multipliers : mapping of str to Multiplier
        "output" is what sums or products are multiplied with; an ADD has "input1" and "input2",
        too, a LEAKY_RELU "alpha" and "identity", a PRELU "alpha".
    left_shift : int
        The shift that an ADD, SUB or SQUARED_DIFFERENCE gives its inputs first; 0 for all others.
    range : (int, int)
        The lowest and the highest output: those of the type, or of the fused activation.
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
    """Give the fixed-point form of real numbers: multiplier and shift.

    Parameters
    ----------
    real : array_like of float
        Finite, not negative.

    Returns
    -------
    (int, int), or (ndarray of int32, ndarray of int32) in the shape of an array
        The multiplier, 0 or at least 2**30, is the significand times 2**31, with halves rounded
        away from zero; `real = multiplier * 2**-31 * 2**shift`. What is less than about 2**-32 is
        0. Source: google-ai-edge/LiteRT, tflite/kernels/internal/quantization_util.cc,
        QuantizeMultiplier.

    Raises
    ------
    QuantizationError
        A number is negative, infinite or NaN.

    Examples
    --------
    >>> quantize_multiplier(0.75)
    (1610612736, 0)
    >>> quantize_multiplier([1.0, 0.001])
    (array([1073741824, 1099511628], dtype=int32), array([ 1, -9], dtype=int32))
    """
    values = np.asarray(real, np.float64)
    if not (np.isfinite(values) & (values >= 0)).all():
        raise QuantizationError("a multiplier is negative or not finite")
    significand, shift = np.frexp(values)
    # Both steps are exact: the significand has 53 bits, of which 22 are behind the point here.
    fixed = np.trunc(significand * (1 << 31) + 0.5)
    is_whole = fixed == 1 << 31
    fixed = np.where(is_whole, 1 << 30, fixed)
    shift = shift + is_whole
    is_tiny = shift < -31
    multiplier = np.where(is_tiny, 0, fixed).astype(np.int32)
    shift = np.where(is_tiny | (multiplier == 0), 0, shift).astype(np.int32)
    if values.ndim == 0:
        return int(multiplier), int(shift)
    return multiplier, shift


_TYPES = (TensorType.UINT8, TensorType.INT8, TensorType.INT16)
"""What kernels write that compute in integers."""

_CLAMPS: Mapping[int, tuple[float | None, float | None]] = {
    0: (None, None), 1: (0.0, None), 2: (-1.0, 1.0), 3: (0.0, 6.0),
}  # fmt: skip
"""Fused activations by their number: NONE, RELU, RELU_N1_TO_1, RELU6."""


def activation_range(
    type: TensorType, scale: float, zero_point: int, activation: int = 0
) -> tuple[int, int]:
    """Give the range that a fused activation leaves of an output, in integers.

    Parameters
    ----------
    type : TensorType
        INT8, UINT8 or INT16.
    scale : float
    zero_point : int
        Those of the output.
    activation : int
        The number of ActivationFunctionType: 0 NONE, 1 RELU, 2 RELU_N1_TO_1, 3 RELU6.

    Returns
    -------
    (int, int)
        Source: google-ai-edge/LiteRT, tflite/kernels/kernel_util.cc,
        CalculateActivationRangeQuantized.

    Raises
    ------
    UnsupportedError
        There is no such range of the type, or of the activation.
    QuantizationError
        The scale is not above 0 and finite, or so small that the range is past 32 bits.

    Examples
    --------
    >>> activation_range(TensorType.INT8, 0.05, -128, 3)
    (-128, -8)
    """
    if type not in _TYPES:
        raise UnsupportedError(f"{type.name} outputs have no range of their own")
    if activation not in _CLAMPS:
        raise UnsupportedError(f"fused activation {activation} is not computed in integers")
    if not 0 < scale < math.inf:
        raise QuantizationError(f"the output's scale is {scale}, expected a number above 0")
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
        raise QuantizationError(f"{real} by scale {scale} is past 32 bits")
    return int(np.trunc(quotient + np.copysign(0.5, quotient)))


def operator_requantization(operator: Operator) -> Requantization:
    """Give what the kernel of an operator on integers computes its output with.

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
        The operator is another, or does not compute on quantized integers.
    QuantizationError
        A tensor has not the scales that the kernel asks for.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     found = operator_requantization(model.operators[0])
    >>> found.multipliers["output"].shift[:4], found.offsets["input"], found.range
    (array([-11, -13,  -9, -10], dtype=int32), -4, (-128, 127))
    """
    derive = _KERNELS.get(operator.name)
    if derive is None:
        raise UnsupportedError(f"{operator.name} is not known to requantize")
    with np.errstate(all="ignore"):
        # Ratios of hostile scales may be infinite, which `quantize_multiplier` refuses.
        return derive(operator)


def _tensor(operator: Operator, field: str, index: int) -> Tensor:
    tensors = operator.inputs if field == "input" else operator.outputs
    tensor = tensors[index] if index < len(tensors) else None
    if tensor is None:
        raise UnsupportedError(f"{operator.name} has no {field} {index}")
    return tensor


def _one(tensor: Tensor) -> tuple[np.float32, int]:
    """Give the scale and the zero point of a tensor that has one of each."""
    quantization = tensor.quantization
    if tensor.type not in _TYPES or not isinstance(quantization, PerTensor):
        raise QuantizationError(
            f"tensor {tensor.index} {tensor.name!r} is {tensor.type.name}, "
            f"{quantization.scheme}: expected 8 or 16 bits with one scale"
        )
    if not 0 < quantization.scale < math.inf:
        raise QuantizationError(
            f"tensor {tensor.index} {tensor.name!r} has scale {quantization.scale}, "
            "expected a number above 0"
        )
    return np.float32(quantization.scale), quantization.zero_point


def _multiplier(real: ArrayLike) -> Multiplier:
    values = np.asarray(real, np.float64).reshape(-1)
    return Multiplier(values, *quantize_multiplier(values))


def _made(
    operator: Operator,
    offsets: Mapping[str, int],
    multipliers: Mapping[str, ArrayLike],
    left_shift: int = 0,
    activation: int | None = None,
) -> Requantization:
    output = _tensor(operator, "output", 0)
    scale, zero = _one(output)
    if activation is None:
        found = operator.options.get("fused_activation_function", 0)
        activation = found if isinstance(found, int) else 0
    return Requantization(
        operator.name,
        {**offsets, "output": zero},
        {name: _multiplier(real) for name, real in multipliers.items()},
        left_shift,
        activation_range(output.type, float(scale), zero, activation),
    )


def _weighted(read: int, weights: int, axis: int | None) -> Callable[[Operator], Requantization]:
    """Give the way of operators that sum products with weights.

    The effective scale is computed in float64, but in float32 first where FULLY_CONNECTED,
    BATCH_MATMUL and the uint8 kernels have one for all. Source: google-ai-edge/LiteRT,
    tflite/kernels/kernel_util.cc, PopulateConvolutionQuantizationParams and
    GetQuantizedConvolutionMultipler; tflite/kernels/fully_connected.cc.
    """

    def derive(operator: Operator) -> Requantization:
        source, kernel = _tensor(operator, "input", read), _tensor(operator, "input", weights)
        scale, zero = _one(source)
        out, _ = _one(_tensor(operator, "output", 0))
        scales, zeros, is_one = _of_weights(kernel, axis)
        is_alone = is_one and (
            axis is None or operator.name == "FULLY_CONNECTED" or source.type is TensorType.UINT8
        )
        if is_alone:
            effective = (scales * scale).astype(np.float64) / np.float64(out)
        else:
            effective = np.float64(scale) * scales.astype(np.float64) / np.float64(out)
        offsets = {"input": -zero, "weights": -int(zeros[0]) if is_one else 0}
        return _made(operator, offsets, {"output": effective})

    return derive


def _of_weights(
    tensor: Tensor, axis: int | None
) -> tuple[NDArray[np.float32], NDArray[np.int64], bool]:
    """Give scales and zero points of weights, and whether there is one of each."""
    match tensor.quantization:
        case PerTensor(scale, zero):
            return np.array([scale], np.float32), np.array([zero], np.int64), True
        case PerAxis(scales, zeros, found) if found == axis and scales.size:
            return scales, zeros, False
        case other:
            raise QuantizationError(
                f"tensor {tensor.index} {tensor.name!r} is {other.scheme}: expected one scale"
                + ("" if axis is None else f", or several along axis {axis}")
            )


def _sum(operator: Operator) -> Requantization:
    """Derive ADD, SUB: both inputs are brought to one scale, with bits to spare, then added.

    Source: google-ai-edge/LiteRT, tflite/kernels/add.cc and sub.cc, Prepare.
    """
    is_16 = _tensor(operator, "output", 0).type is TensorType.INT16
    if is_16 and _shifts_only(operator):
        raise UnsupportedError(f"{operator.name} of scales that are powers of two shifts only")
    left = 15 if is_16 else 20
    return _of_two(operator, left, lambda most, out: most / np.float64(np.float32(1 << left) * out))


def _shifts_only(operator: Operator) -> bool:
    """Tell whether a kernel for 16 bits takes the way of scales that are powers of two."""
    tensors = [_tensor(operator, "input", 0), _tensor(operator, "input", 1)]
    tensors.append(_tensor(operator, "output", 0))
    logs = [float(np.log2(_one(tensor)[0])) for tensor in tensors]
    return bool(operator.options.get("pot_scale_int16", True)) and all(
        abs(one - round(one)) < 1e-3 for one in logs
    )


def _squares(operator: Operator) -> Requantization:
    """Derive SQUARED_DIFFERENCE.

    Source: google-ai-edge/LiteRT, tflite/kernels/squared_difference.cc, Prepare.
    """
    return _of_two(
        operator, 7, lambda most, out: most * most / np.float64(np.float32(1 << 14) * out)
    )


def _of_two(
    operator: Operator, left_shift: int, back: Callable[[np.float64, np.float32], np.float64]
) -> Requantization:
    (one, zero1), (two, zero2) = (_one(_tensor(operator, "input", i)) for i in (0, 1))
    out, _ = _one(_tensor(operator, "output", 0))
    most = np.float64(np.float32(2) * max(one, two))
    reals = {
        "input1": np.float64(one) / most,
        "input2": np.float64(two) / most,
        "output": back(most, out),
    }
    return _made(operator, {"input1": -zero1, "input2": -zero2}, reals, left_shift)


def _product(operator: Operator) -> Requantization:
    """Derive MUL. Source: google-ai-edge/LiteRT, tflite/kernels/mul.cc, Prepare."""
    (one, zero1), (two, zero2) = (_one(_tensor(operator, "input", i)) for i in (0, 1))
    out, _ = _one(_tensor(operator, "output", 0))
    return _made(operator, {"input1": -zero1, "input2": -zero2}, {"output": one * two / out})


def _requantize(operator: Operator) -> Requantization:
    """Derive QUANTIZE. Source: google-ai-edge/LiteRT, tflite/kernels/quantize.cc, Prepare."""
    scale, zero = _one(_tensor(operator, "input", 0))
    out, _ = _one(_tensor(operator, "output", 0))
    return _made(operator, {"input": -zero}, {"output": np.float64(scale) / np.float64(out)})


def _relu(activation: int) -> Callable[[Operator], Requantization]:
    """Give the way of RELU and its like.

    Source: google-ai-edge/LiteRT, tflite/kernels/activations.cc, ReluPrepare.
    """

    def derive(operator: Operator) -> Requantization:
        scale, zero = _one(_tensor(operator, "input", 0))
        out, _ = _one(_tensor(operator, "output", 0))
        return _made(operator, {"input": -zero}, {"output": scale / out}, activation=activation)

    return derive


def _leaky(operator: Operator) -> Requantization:
    """Derive LEAKY_RELU.

    Source: google-ai-edge/LiteRT, tflite/kernels/activations.cc, LeakyReluPrepare.
    """
    scale, zero = _one(_tensor(operator, "input", 0))
    out, _ = _one(_tensor(operator, "output", 0))
    found = operator.options.get("alpha", 0.0)
    alpha = np.float32(found if isinstance(found, float | int) else 0.0)
    reals = {"alpha": scale * alpha / out, "identity": scale / out}
    return _made(operator, {"input": -zero}, reals)


def _prelu(operator: Operator) -> Requantization:
    """Derive PRELU.

    Source: google-ai-edge/LiteRT, tflite/kernels/activations.cc, PreluPrepare.
    """
    (scale, zero), (alpha, alpha_zero) = (_one(_tensor(operator, "input", i)) for i in (0, 1))
    out, _ = _one(_tensor(operator, "output", 0))
    reals = {"output": scale / out, "alpha": scale * alpha / out}
    return _made(operator, {"input": -zero, "alpha": -alpha_zero}, reals)


def _pool(operator: Operator) -> Requantization:
    """Derive poolings, which keep the scale and only clamp."""
    return _made(operator, {}, {})


_KERNELS: Mapping[str, Callable[[Operator], Requantization]] = {
    "ADD": _sum,
    "AVERAGE_POOL_2D": _pool,
    "BATCH_MATMUL": _weighted(0, 1, None),
    "CONV_2D": _weighted(0, 1, 0),
    "DEPTHWISE_CONV_2D": _weighted(0, 1, 3),
    "FULLY_CONNECTED": _weighted(0, 1, 0),
    "LEAKY_RELU": _leaky,
    "MAX_POOL_2D": _pool,
    "MUL": _product,
    "PRELU": _prelu,
    "QUANTIZE": _requantize,
    "RELU": _relu(1),
    "RELU6": _relu(3),
    "RELU_N1_TO_1": _relu(2),
    "SQUARED_DIFFERENCE": _squares,
    "SUB": _sum,
    "TRANSPOSE_CONV": _weighted(2, 1, 0),
}
