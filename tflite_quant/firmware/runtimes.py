"""The two runtimes whose numbers are derived, and which types their kernels take.

TensorFlow Lite Micro runs on microcontrollers, LiteRT on phones. Both read the same file, but their
kernels are separate programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from ..format.schema import TensorType

__all__ = ["Runtime", "kernel_types", "runtime_of"]


class Runtime(Enum):
    """A runtime, by the name that `operator_requantization` takes."""

    TFLM = "tflm"
    LITERT = "litert"

    @property
    def title(self) -> str:
        """The runtime's full name."""
        return _TITLES[self]


_TITLES = {Runtime.TFLM: "TensorFlow Lite Micro", Runtime.LITERT: "LiteRT"}

_I8, _I16 = frozenset({TensorType.INT8}), frozenset({TensorType.INT16})
_U8_I8 = _I8 | {TensorType.UINT8}
_I8_I16 = _I8 | _I16
_ALL = _U8_I8 | _I16
_NONE: frozenset[TensorType] = frozenset()

_TYPES: Mapping[str, tuple[frozenset[TensorType], frozenset[TensorType]]] = {
    "ABS": (_I8_I16, _I8_I16),
    "ADD": (_I8_I16, _ALL),
    "ADD_N": (_I8, _NONE),
    "AVERAGE_POOL_2D": (_I8_I16, _ALL),
    "BATCH_MATMUL": (_I8_I16, _I8_I16),
    "CONV_2D": (_I8_I16, _ALL),
    "CUMSUM": (_I8, _NONE),
    "DEPTHWISE_CONV_2D": (_I8_I16, _ALL),
    "DIV": (_I8, _ALL),
    "ELU": (_I8, _I8),
    "EQUAL": (_I8, _ALL),
    "EXP": (_NONE, _I8_I16),
    "FULLY_CONNECTED": (_I8_I16, _ALL),
    "GELU": (_NONE, _ALL),
    "GREATER": (_I8, _U8_I8),
    "GREATER_EQUAL": (_I8, _ALL),
    "HARD_SWISH": (_I8, _U8_I8),
    "L2_NORMALIZATION": (_I8, _U8_I8),
    "LEAKY_RELU": (_I8_I16, _ALL),
    "LESS": (_I8, _ALL),
    "LESS_EQUAL": (_I8, _U8_I8),
    "LOG": (_NONE, _I8_I16),
    "LOGISTIC": (_I8_I16, _ALL),
    "MAX_POOL_2D": (_I8_I16, _ALL),
    "MEAN": (_I8_I16, _ALL),
    "MUL": (_I8_I16, _ALL),
    "NOT_EQUAL": (_I8, _ALL),
    "PRELU": (_I8_I16, _ALL),
    "RELU": (_I8_I16, _ALL),
    "RELU6": (_I8_I16, _ALL),
    "RELU_N1_TO_1": (_NONE, _U8_I8),
    "RESIZE_BILINEAR": (_I8, _ALL),
    "RSQRT": (_I8, _I8_I16),
    "SOFTMAX": (_I8_I16, _ALL),
    "SQUARED_DIFFERENCE": (_I8_I16, _I8),
    "SUB": (_I8_I16, _ALL),
    "SUM": (_I8_I16, _ALL),
    "SVDF": (_I8, _I8),
    "TANH": (_I8_I16, _ALL),
    "TRANSPOSE_CONV": (_I8_I16, _ALL),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (_I8_I16, _I8),
}
"""The types of 8- and 16-bit inputs that the kernels of TensorFlow Lite Micro and LiteRT take."""


def runtime_of(name: str) -> Runtime:
    """Return the runtime of a name.

    Raises
    ------
    ValueError
        There is none of that name.

    Examples
    --------
    >>> runtime_of("tflm").title
    'TensorFlow Lite Micro'
    """
    try:
        return Runtime(name)
    except ValueError:
        known = " and ".join(repr(runtime.value) for runtime in Runtime)
        raise ValueError(f"unknown runtime {name!r}; known are {known}") from None


def kernel_types(operator: str, runtime: Runtime) -> frozenset[TensorType] | None:
    """Return which of UINT8, INT8 and INT16 a kernel takes as its first data input.

    Parameters
    ----------
    operator : str
        The name of a builtin operator.
    runtime : Runtime

    Returns
    -------
    frozenset of TensorType, or None
        None for an operator whose kernel does not compute with scales, or takes pairs of types.
        Sources: tensorflow/tflite-micro, tensorflow/lite/micro/kernels; google-ai-edge/LiteRT,
        tflite/kernels.

    Examples
    --------
    >>> sorted(type.name for type in kernel_types("MUL", Runtime.TFLM))
    ['INT16', 'INT8']
    """
    pair = _TYPES.get(operator)
    return None if pair is None else pair[list(Runtime).index(runtime)]
