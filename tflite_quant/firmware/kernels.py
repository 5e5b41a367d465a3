"""Which kernel computes an operator, and what that kernel computes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import UnsupportedError
from ..format.schema import TensorType
from ..model.operator import Operator
from ..model.quantization import PerTensor
from . import curves, elementwise, products, recurrent, windows
from .fixedpoint import KERNEL_TYPES
from .requantization import Arithmetic, Kernel, Requantization, parameters_of
from .runtimes import kernel_types, runtime_of

__all__ = ["operator_requantization"]

_Derive = Callable[[Kernel], Requantization]


def operator_requantization(operator: Operator, runtime: str = "tflm") -> Requantization:
    """Return the integers with which the kernel of an operator computes its output.

    Parameters
    ----------
    operator : Operator
    runtime : str
        Whose kernel: "tflm" for TensorFlow Lite Micro, which runs on microcontrollers, or "litert"
        for LiteRT. Their numbers differ for some operators; docs/firmware.md has the table.

    Returns
    -------
    Requantization
        Its `arithmetic` says how the kernel computes. A kernel that only moves values, or computes
        in floating point, has no multipliers.

    Raises
    ------
    UnsupportedError
        The operator is not derived, lacks an input or output, or is one that the runtime's kernel
        does not take. The message says which and why, in a line.
    QuantizationError
        A tensor does not have the scales that the kernel needs.
    ValueError
        There is no runtime of that name.

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
    kernel = Kernel(operator, runtime_of(runtime))
    is_custom = operator.code.name == "CUSTOM"
    derive = (_CUSTOM if is_custom else _BUILTIN).get(operator.name)
    if derive is None:
        raise UnsupportedError(_unknown(operator, is_custom))
    with np.errstate(all="ignore"):
        # Ratios of hostile scales may be infinite; `quantize_multiplier` refuses these.
        return _of_hybrid(kernel) or _checked(kernel, derive)


def _unknown(operator: Operator, is_custom: bool) -> str:
    """Return why an operator is not derived."""
    if not is_custom:
        return f"the requantization of {operator.name} is not known"
    if operator.name in _ELSEWHERE:
        return f"{operator.name} runs on {_ELSEWHERE[operator.name]}, which has its own numbers"
    return f"the requantization of custom operator {operator.name[:40]!r} is not known"


def _of_hybrid(kernel: Kernel) -> Requantization | None:
    """Return what a kernel with real inputs and integer weights computes with: no integers."""
    index = _DATA_INPUT.get(kernel.name, 0)
    if kernel.name not in _WITH_WEIGHTS or kernel.input(index).type is not TensorType.FLOAT32:
        return None
    weights = kernel.input(1).type
    if weights is TensorType.FLOAT32:
        return None
    if kernel.is_tflm:
        raise kernel.refused(f"is not hybrid: it takes no FLOAT32 with weights of {weights.name}")
    return kernel.without_multipliers(Arithmetic.FLOAT)


def _checked(kernel: Kernel, derive: _Derive) -> Requantization:
    """Derive, if the runtime has a kernel for the type of the input."""
    known = kernel_types(kernel.name, kernel.runtime)
    if known is not None:
        found = kernel.input(_DATA_INPUT.get(kernel.name, 0)).type
        if found in KERNEL_TYPES and found not in known:
            raise (
                kernel.refused(f"takes no {found.name}")
                if known
                else UnsupportedError(f"{kernel.runtime.title} has no {kernel.name} for integers")
            )
    return derive(kernel)


def _moved(kernel: Kernel) -> Requantization:
    """Derive operators that only move values."""
    return kernel.without_multipliers(Arithmetic.MOVES_VALUES)


def _unscaled(kernel: Kernel) -> Requantization:
    """Derive operators on integers that no kernel takes for real numbers."""
    return kernel.without_multipliers(Arithmetic.UNSCALED)


def _of_real_numbers(kernel: Kernel) -> Requantization:
    """Derive operators that convert integers to real numbers first."""
    return kernel.without_multipliers(Arithmetic.FLOAT)


def _padded(kernel: Kernel) -> Requantization:
    """Derive PAD and SPACE_TO_BATCH_ND, which fill in the output's zero point.

    TensorFlow Lite Micro's SPACE_TO_BATCH_ND never sets what it fills in. Sources:
    tensorflow/tflite-micro, tensorflow/lite/micro/kernels/pad_common.cc and space_to_batch_nd.cc;
    google-ai-edge/LiteRT, tflite/kernels/pad.cc and space_to_batch_nd.cc.
    """
    if kernel.is_tflm and kernel.name == "SPACE_TO_BATCH_ND":
        return _moved(kernel)
    quantization = kernel.output.quantization
    zero_point = quantization.zero_point if isinstance(quantization, PerTensor) else 0
    return kernel.without_multipliers(Arithmetic.MOVES_VALUES, constants={"pad_value": zero_point})


def _looked_up(kernel: Kernel) -> Requantization:
    """Derive EMBEDDING_LOOKUP, which makes real numbers of integers, or moves them."""
    if kernel.output.type is TensorType.FLOAT32:
        return kernel.without_multipliers(Arithmetic.FLOAT)
    return _moved(kernel)


def _concatenated(kernel: Kernel) -> Requantization:
    """Derive CONCATENATION, which LiteRT does for UINT8 in floating point if scales differ.

    Sources: tensorflow/tflite-micro, tensorflow/lite/micro/kernels/concatenation.cc;
    google-ai-edge/LiteRT, tflite/kernels/internal/reference/concatenation.h,
    ConcatenationWithScaling.
    """
    if kernel.output.type is not TensorType.UINT8:
        return _moved(kernel)
    if kernel.is_tflm:
        raise kernel.refused("takes no UINT8")
    wanted = parameters_of(kernel.output)
    tensors = (tensor for tensor in kernel.operator.inputs if tensor is not None)
    if all(parameters_of(tensor) == wanted for tensor in tensors):
        return _moved(kernel)
    return kernel.without_multipliers(Arithmetic.FLOAT, range=kernel.whole_range)


_DATA_INPUT = {"TRANSPOSE_CONV": 2}
"""The input that is the data, where it is not the first."""

_WITH_WEIGHTS = {
    "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SVDF", "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
}  # fmt: skip

_MOVING = (
    "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CAST",
    "DENSIFY", "DEPTH_TO_SPACE", "DYNAMIC_UPDATE_SLICE", "EXPAND_DIMS", "FILL", "GATHER",
    "GATHER_ND", "IF", "MAXIMUM", "MINIMUM", "MIRROR_PAD", "ONE_HOT", "PACK", "PADV2", "RANK",
    "READ_VARIABLE", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR",
    "REVERSE_SEQUENCE", "REVERSE_V2", "SCATTER_ND", "SELECT", "SELECT_V2", "SHAPE", "SLICE",
    "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2",
    "TRANSPOSE", "UNIQUE", "UNPACK", "VAR_HANDLE", "WHERE", "WHILE", "ZEROS_LIKE",
)  # fmt: skip
"""Operators whose kernels read no scale and no zero point, in both runtimes."""

_BUILTIN: Mapping[str, _Derive] = {
    **dict.fromkeys(_MOVING, _moved),
    "ABS": elementwise.absolute,
    "ADD": elementwise.add,
    "ADD_N": elementwise.add_many,
    "AVERAGE_POOL_2D": windows.pool,
    "BATCH_MATMUL": products.matrices,
    "CONCATENATION": _concatenated,
    "CONV_2D": products.convolution,
    "CUMSUM": elementwise.add_many,
    "DEPTHWISE_CONV_2D": products.convolution,
    "DEQUANTIZE": elementwise.dequantize,
    "DIV": elementwise.divide,
    "ELU": curves.table,
    "EMBEDDING_LOOKUP": _looked_up,
    "EQUAL": elementwise.compare,
    "EXP": curves.table,
    "FULLY_CONNECTED": products.dense,
    "GELU": curves.table,
    "GREATER": elementwise.compare,
    "GREATER_EQUAL": elementwise.compare,
    "HARD_SWISH": curves.hard_swish,
    "L2_NORMALIZATION": windows.norm,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LESS": elementwise.compare,
    "LESS_EQUAL": elementwise.compare,
    "LOG": curves.table,
    "LOGISTIC": curves.sigmoid,
    "MAX_POOL_2D": windows.pool,
    "MEAN": windows.mean,
    "MUL": elementwise.multiply,
    "NOT_EQUAL": elementwise.compare,
    "PAD": _padded,
    "PRELU": elementwise.prelu,
    "QUANTIZE": elementwise.quantize,
    "RELU": elementwise.rectify,
    "RELU6": elementwise.rectify,
    "RELU_N1_TO_1": elementwise.rectify,
    "RESIZE_BILINEAR": windows.bilinear,
    "RSQRT": elementwise.reciprocal_root,
    "SOFTMAX": curves.softmax,
    "SPACE_TO_BATCH_ND": _padded,
    "SQUARED_DIFFERENCE": elementwise.squared_difference,
    "SUB": elementwise.add,
    "SUM": windows.total,
    "SVDF": recurrent.svdf,
    "TANH": curves.sigmoid,
    "TRANSPOSE_CONV": products.convolution,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lstm,
}

_CUSTOM: Mapping[str, _Derive] = {
    "TFLite_Detection_PostProcess": _of_real_numbers,
    **dict.fromkeys(
        ("CIRCULAR_BUFFER", "SignalDelay", "SignalFramer", "SignalStacker", "TFLM_DECODE"), _moved
    ),
    **dict.fromkeys(
        (
            "SignalEnergy", "SignalFftAutoScale", "SignalFilterBank", "SignalFilterBankLog",
            "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot", "SignalIrfft",
            "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalWindow",
        ),
        _unscaled,
    ),
}  # fmt: skip
"""Custom operators that TensorFlow Lite Micro comes with.

Sources: tensorflow/tflite-micro, signal/micro/kernels and tensorflow/lite/micro/kernels.
"""

_ELSEWHERE = {
    "edgetpu-custom-op": "an Edge TPU",
    "ethos-u": "an Ethos-U",
}
"""Custom operators whose numbers are in a program for a processor of its own."""
