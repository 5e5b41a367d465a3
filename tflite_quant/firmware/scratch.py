"""The scratch memory that TensorFlow Lite Micro's kernels ask for, operator by operator.

A kernel's Prepare function asks for buffers that it needs while the operator runs. These are the
reference kernels (tensorflow/tflite-micro, tensorflow/lite/micro/kernels and signal/micro/kernels).
Kernels for a processor, such as those of CMSIS-NN, ask for more, or for less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import UnsupportedError
from ..format.budget import Budget
from ..format.schema import TensorType
from ..model.operands import operand_at
from ..model.operator import Operator
from ..model.tensor import Tensor

__all__ = ["scratch_sizes"]

_NONE = frozenset({
    "ABS", "ADD", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "BATCH_MATMUL",
    "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST", "CEIL",
    "CONCATENATION", "COS", "CUMSUM", "DEPTH_TO_SPACE", "DEQUANTIZE", "DIV",
    "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP", "EXPAND_DIMS", "FILL",
    "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL",
    "HARD_SWISH", "IF", "L2_NORMALIZATION", "L2_POOL_2D", "LEAKY_RELU", "LESS", "LESS_EQUAL",
    "LOG", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR", "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM",
    "MAX_POOL_2D", "MINIMUM", "MUL", "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU",
    "QUANTIZE", "READ_VARIABLE", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN",
    "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT",
    "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "TANH", "TRANSPOSE",
    "UNPACK", "VAR_HANDLE", "WHILE", "ZEROS_LIKE",
})  # fmt: skip
"""The builtin operators whose kernels ask for none."""

_NONE_CUSTOM = frozenset({
    "CIRCULAR_BUFFER", "SignalDelay", "SignalEnergy", "SignalFftAutoScale", "SignalFilterBank",
    "SignalFilterBankLog", "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot",
    "SignalFramer", "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalStacker",
    "SignalWindow", "TFLM_DECODE",
})  # fmt: skip
"""The custom operators of TensorFlow Lite Micro whose kernels ask for none."""

_ETHOS_U = "ethos-u"
"""The operator that Arm's compiler Vela writes."""

_Options = Mapping[str, object] | None

_INT, _FLOAT = 4, 4
"""The bytes of C's int and float."""


def scratch_sizes(operator: Operator, pointer_bytes: int, budget: Budget) -> tuple[int, ...]:
    """Return the sizes of the scratch buffers that an operator's kernel asks for, in bytes.

    Parameters
    ----------
    operator : Operator
    pointer_bytes : int
        The size of a pointer on the device.
    budget : Budget
        It is charged for a custom operator's options.

    Raises
    ------
    UnsupportedError
        The operator is none of TensorFlow Lite Micro's, or its tensors or options do not say how
        much its kernel needs.
    """
    if operator.code.name != "CUSTOM":
        if operator.name in _NONE:
            return ()
        rule = _RULES.get(operator.name)
        if rule is not None:
            return tuple(rule(operator, pointer_bytes))
    elif operator.name in _NONE_CUSTOM:
        return ()
    elif operator.name == _ETHOS_U:
        return _ethos_u(operator, pointer_bytes)
    elif operator.name in _CUSTOM_RULES:
        options = operator.read_custom_options(budget)
        return tuple(_CUSTOM_RULES[operator.name](operator, options))
    raise UnsupportedError("TensorFlow Lite Micro itself has no kernel for it")


def _input(operator: Operator, position: int) -> Tensor:
    tensor = operand_at(operator.inputs, position)
    if tensor is None:
        raise UnsupportedError(f"it has no input {position}")
    return tensor


def _output(operator: Operator) -> Tensor:
    tensor = operand_at(operator.outputs, 0)
    if tensor is None:
        raise UnsupportedError("it has no output")
    return tensor


def _dimension(tensor: Tensor, axis: int) -> int:
    if axis >= len(tensor.shape):
        raise UnsupportedError(f"tensor {tensor.index} has {len(tensor.shape)} dimensions")
    return tensor.shape[axis]


def _option(values: _Options, name: str) -> int:
    value = None if values is None else values.get(name)
    if not isinstance(value, int):
        raise UnsupportedError(f"its options have no {name}")
    return value


def _add_n(operator: Operator, pointer_bytes: int) -> list[int]:
    """add_n.cc: pointers to the inputs."""
    return [pointer_bytes * len(operator.inputs)]


def _int4_weights(operator: Operator, _: int) -> list[int]:
    """conv_common.cc, depthwise_conv_common.cc, fully_connected.cc: int4 weights, unpacked."""
    weights = _input(operator, 1)
    return [weights.size] if weights.type == TensorType.INT4 else []


def _mirror_pad(operator: Operator, _: int) -> list[int]:
    """mirror_pad.cc."""
    return [_INT * _input(operator, 0).ndim] * 2


def _reduce(operator: Operator, _: int) -> list[int]:
    """reduce_common.cc, PrepareMinMaxHelper and PrepareAllHelper."""
    return [_INT * _input(operator, 0).ndim, _INT * _input(operator, 1).size]


def _mean(operator: Operator, pointer_bytes: int) -> list[int]:
    """reduce_common.cc, PrepareMeanOrSumHelper: sums first."""
    is_integer = _input(operator, 0).type in (TensorType.INT8, TensorType.INT16)
    sums = [_INT * _output(operator).size] if is_integer else []
    return sums + _reduce(operator, pointer_bytes)


def _svdf(operator: Operator, _: int) -> list[int]:
    """svdf_common.cc, PrepareSvdf: float32 or int32 for each filter, and for each unit."""
    batches = _dimension(_input(operator, 0), 0)
    filters = _dimension(_input(operator, 1), 0)
    rank = _option(operator.options, "rank")
    if _input(operator, 0).type != TensorType.INT8:
        return [_FLOAT * batches * filters]
    if rank < 1:
        raise UnsupportedError(f"its rank is {rank}")
    return [_INT * batches * filters, _INT * batches * (filters // rank)]


def _transpose_conv(operator: Operator, _: int) -> list[int]:
    """transpose_conv.cc: a sum for each output, and an int16 bias in int64."""
    sum_bytes = {TensorType.INT8: 4, TensorType.INT16: 8}.get(_input(operator, 2).type)
    if sum_bytes is None:
        return []
    bias = operand_at(operator.inputs, 3)
    is_converted = bias is not None and sum_bytes == 8 and bias.type == TensorType.INT16
    converted = [8 * bias.size] if bias is not None and is_converted else []
    return [sum_bytes * _output(operator).size, *converted]


def _lstm(operator: Operator, _: int) -> list[int]:
    """unidirectional_sequence_lstm.cc: four buffers of the cell state's type."""
    batch_axis = 1 if operator.options.get("time_major") else 0
    batches = _dimension(_input(operator, 0), batch_axis)
    units = _dimension(_input(operator, 18), 1)
    cell_bytes = 4 if _input(operator, 19).type == TensorType.FLOAT32 else 2
    return [batches * units * cell_bytes] * 4


def _detection(operator: Operator, options: _Options) -> list[int]:
    """detection_postprocess.cc: boxes, scores and indices."""
    most, classes = _option(options, "max_detections"), _option(options, "num_classes")
    boxes = _dimension(_input(operator, 0), 1)
    scores = _dimension(_input(operator, 1), 1) * _dimension(_input(operator, 1), 2)
    per_box = (1, 4 * _FLOAT, None, _FLOAT, _FLOAT, most * _FLOAT, most * _FLOAT, _INT, most * _INT,
               max(classes, most) * _INT, min(boxes, most) * _INT)  # fmt: skip
    return [scores * _FLOAT if each is None else boxes * each for each in per_box]


def _rfft(operator: Operator, options: _Options) -> list[int]:
    """rfft.cc (signal): the input, padded."""
    length = _option(options, "fft_length")
    return [length * (2 if _input(operator, 0).type == TensorType.INT16 else 4)]


def _ethos_u(operator: Operator, pointer_bytes: int) -> tuple[int, int]:
    """ethos_u/ethosu.cc: addresses and sizes of inputs and outputs."""
    count = len(operator.inputs) + len(operator.outputs)
    return 8 * count, pointer_bytes * count


_RULES: Mapping[str, Callable[[Operator, int], list[int]]] = {
    "ADD_N": _add_n,
    "CONV_2D": _int4_weights,
    "DEPTHWISE_CONV_2D": _int4_weights,
    "FULLY_CONNECTED": _int4_weights,
    "MEAN": _mean,
    "MIRROR_PAD": _mirror_pad,
    "REDUCE_ALL": _reduce,
    "REDUCE_MAX": _reduce,
    "REDUCE_MIN": _reduce,
    "SUM": _mean,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
_CUSTOM_RULES: Mapping[str, Callable[[Operator, _Options], list[int]]] = {
    "SignalRfft": _rfft,
    "TFLite_Detection_PostProcess": _detection,
}
