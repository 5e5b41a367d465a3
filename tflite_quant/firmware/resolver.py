"""The operators that a model registers with TensorFlow Lite Micro, and the calls that do it.

An interpreter of TensorFlow Lite Micro runs the operators that its resolver knows. An application
whose `MicroMutableOpResolver` has those of its model, and no others, links no kernel that it does
not need. For an operator of a name such as CONV_2D, the resolver has a method such as `AddConv2D`.
Source: tensorflow/tflite-micro, tensorflow/lite/micro/micro_mutable_op_resolver.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..escape import for_c_string
from ..format.budget import ELEMENT_COST
from ..format.flatbuffer import File
from ..format.tables import OperatorCode
from ..model.model import Model
from .c_text import Names, comment

__all__ = ["CUSTOM_METHODS", "KERNELS", "Registration", "method_of", "registrations"]

KERNELS = frozenset({
    "ABS", "ADD", "ADD_N", "ARG_MAX", "ARG_MIN", "ASSIGN_VARIABLE", "AVERAGE_POOL_2D",
    "BATCH_MATMUL", "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "BROADCAST_TO", "CALL_ONCE", "CAST",
    "CEIL", "CONCATENATION", "CONV_2D", "COS", "CUMSUM", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE",
    "DEQUANTIZE", "DIV", "DYNAMIC_UPDATE_SLICE", "ELU", "EMBEDDING_LOOKUP", "EQUAL", "EXP",
    "EXPAND_DIMS", "FILL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GATHER",
    "GATHER_ND", "GREATER", "GREATER_EQUAL", "HARD_SWISH", "IF", "L2_NORMALIZATION", "L2_POOL_2D",
    "LEAKY_RELU", "LESS", "LESS_EQUAL", "LOG", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR",
    "LOGISTIC", "LOG_SOFTMAX", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MIRROR_PAD", "MUL",
    "NEG", "NOT_EQUAL", "PACK", "PAD", "PADV2", "PRELU", "QUANTIZE", "READ_VARIABLE", "REDUCE_ALL",
    "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "ROUND", "RSQRT", "SELECT_V2", "SHAPE", "SIN",
    "SLICE", "SOFTMAX", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQRT",
    "SQUARE", "SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "SVDF", "TANH",
    "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE", "WHILE",
    "ZEROS_LIKE",
})  # fmt: skip
"""The builtin operators that TensorFlow Lite Micro has, as of 2026-10."""

_SPELLINGS = {
    "AVERAGE_POOL_2D": "AddAveragePool2D", "BATCH_MATMUL": "AddBatchMatMul",
    "CONV_2D": "AddConv2D", "CUMSUM": "AddCumSum", "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "L2_POOL_2D": "AddL2Pool2D", "MAX_POOL_2D": "AddMaxPool2D", "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}  # fmt: skip
"""The methods that are not spelled as the others: words of the operator's name, capitalized."""

CUSTOM_METHODS = {
    "CIRCULAR_BUFFER": "AddCircularBuffer",
    "SignalDelay": "AddDelay",
    "SignalEnergy": "AddEnergy",
    "SignalFftAutoScale": "AddFftAutoScale",
    "SignalFilterBank": "AddFilterBank",
    "SignalFilterBankLog": "AddFilterBankLog",
    "SignalFilterBankSpectralSubtraction": "AddFilterBankSpectralSubtraction",
    "SignalFilterBankSquareRoot": "AddFilterBankSquareRoot",
    "SignalFramer": "AddFramer",
    "SignalIrfft": "AddIrfft",
    "SignalOverlapAdd": "AddOverlapAdd",
    "SignalPCAN": "AddPCAN",
    "SignalRfft": "AddRfft",
    "SignalStacker": "AddStacker",
    "SignalWindow": "AddWindow",
    "TFLM_DECODE": "AddDecode",
    "TFLite_Detection_PostProcess": "AddDetectionPostprocess",
    "ethos-u": "AddEthosU",
}
"""The methods of the custom operators that TensorFlow Lite Micro has, by their names."""

_COST = 1_000
"""What is charged for an operator to register: all that is written of it but its name."""


class Registration(NamedTuple):
    """An operator, and the method of a `MicroMutableOpResolver` that registers it.

    Attributes
    ----------
    operator : str
        The name of a builtin operator, or of a custom one.
    method : str
        `AddCustom` for a custom operator that TensorFlow Lite Micro does not have.
    is_known : bool
        Whether TensorFlow Lite Micro has the operator, as far as this library knows.
    """

    operator: str
    method: str
    is_known: bool


def method_of(operator: str) -> str:
    """Return the method for a builtin operator, or what it would be called if there were one.

    Examples
    --------
    >>> method_of("CONV_2D"), method_of("RESIZE_BILINEAR"), method_of("RELU_0_TO_1")
    ('AddConv2D', 'AddResizeBilinear', 'AddRelu0To1')
    """
    words = operator.split("_")
    return _SPELLINGS.get(operator) or "Add" + "".join(word.capitalize() for word in words)


def registrations(model: Model) -> list[Registration]:
    """Return the operators of all subgraphs, each once, in the order of their methods.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/mixed.tflite") as model:
    ...     print(*[one.method for one in registrations(model)][:3])
    AddConv2D AddDequantize AddFullyConnected
    """
    structure = model.structure
    used = np.unique(structure.operators.numbers("opcode_index")).tolist()
    found = {_registration(structure.codes[index]) for index in used}
    return sorted(found, key=lambda one: (one.method, one.operator))


def _registration(code: OperatorCode) -> Registration:
    if code.code.name == "CUSTOM":
        name = code.custom_name or ""
        method = CUSTOM_METHODS.get(name)
        return Registration(name, method or "AddCustom", method is not None)
    # An operator that is newer than this library has a number for a name.
    name = "".join(c if c.isalnum() or c == "_" else "_" for c in code.code.name)
    return Registration(name, method_of(name), name in KERNELS)


def operator_lines(model: Model, file: File, names: Names) -> Iterator[str]:
    """Define the number of operators, and the function that registers them."""
    found = registrations(model)
    macro = names.prefix.upper()
    letters = sum(len(one.operator) for one in found)
    file.spend(_COST * len(found) + ELEMENT_COST * letters, "the operators to register")
    customs = [one for one in found if one.method == "AddCustom"]
    # With an ending of their own, they leave all names to what follows.
    own = Names(names.prefix)
    hooks = [
        f"{own.unique(one.operator, index)}_registration".upper()
        for index, one in enumerate(customs)
    ]
    yield f"/* What a tflite::MicroMutableOpResolver<{macro}_OPERATOR_COUNT> must know. */"
    yield f"#define {macro}_OPERATOR_COUNT {len(found)}"
    for one in found:
        if not one.is_known and one.method != "AddCustom":
            yield f"/* TensorFlow Lite Micro is not known to have {comment(one.operator)}. */"
    for hook, one in zip(hooks, customs, strict=True):
        yield f"/* {hook}: to be defined as the registration of {comment(one.operator)} */"
    yield "#ifdef __cplusplus"
    yield from _function(found, hooks, f"{names.prefix}_add_operators")
    arguments = ", ".join(["resolver", *hooks])
    yield f"#define {macro}_ADD_OPERATORS(resolver) {names.prefix}_add_operators({arguments})"
    yield "#endif\n"


def _function(found: Sequence[Registration], hooks: Sequence[str], name: str) -> Iterator[str]:
    """Define the function: a template, so that the header needs no header of the runtime."""
    count = len(hooks)
    types = ", ".join(["typename Resolver", *[f"typename Custom{i}" for i in range(count)]])
    parameters = ", ".join(["Resolver &resolver", *[f"Custom{i} custom{i}" for i in range(count)]])
    yield "/* Returns whether each was added. */"
    yield f"template <{types}>"
    yield f"inline bool {name}({parameters}) {{"
    if not found:
        yield "  (void)resolver;"
    customs = iter(range(count))
    calls = [
        f'resolver.AddCustom("{for_c_string(one.operator)}", custom{next(customs)})'
        if one.method == "AddCustom"
        else f"resolver.{one.method}()"
        for one in found
    ]
    # Zero is kTfLiteOk, whose name needs a header of the runtime.
    all_added = " &&\n         ".join(f"{call} == 0" for call in calls)
    yield f"  return {all_added or 'true'};"
    yield "}"
