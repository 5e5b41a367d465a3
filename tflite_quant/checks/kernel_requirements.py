"""What kernels require of an operator whatever it computes on: inputs, ranks, activations, types.

The facts are from the kernels of both runtimes: google-ai-edge/LiteRT, revision f67457790c9c,
tflite/kernels, and tensorflow/tflite-micro, tensorflow/lite/micro/kernels; the file of each
operator, function Prepare.

>>> REQUIREMENTS["CONV_2D"].litert_inputs
3
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ..format.schema import TensorType
from .rule import Domain

INT8, INT16, INT32 = TensorType.INT8, TensorType.INT16, TensorType.INT32

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
"""The fused activations, by their number in the schema."""

NO_ACTIVATION, CLIPPING = (0,), (0, 1, 2, 3)
"""None; those that only clip, which are all that integer kernels know."""


@dataclass(frozen=True)
class Requirements:
    """What kernels require of an operator.

    Attributes
    ----------
    inputs : int
        How many of its first inputs must be there.
    litert_inputs : int
        How many LiteRT requires, if that is more: TensorFlow Lite Micro does with fewer.
    ranks : mapping of int to int
        The rank of an input, by the input's index.
    activations : tuple of int
        The fused activations that integer kernels know; empty if there is no such option.
    accepts : mapping of (Domain, str, int) to tuple of TensorType
        Types that a rule does not list, but a kernel takes: (Domain.INT8, "output", 0) to INT16.
    micro_shifts : bool
        Whether TensorFlow Lite Micro computes with the zero points of int16 activations, for which
        LiteRT refuses all but 0.
    """

    inputs: int = 1
    litert_inputs: int = 0
    ranks: Mapping[int, int] = field(default_factory=dict)
    activations: tuple[int, ...] = ()
    accepts: Mapping[tuple[Domain, str, int], tuple[TensorType, ...]] = field(default_factory=dict)
    micro_shifts: bool = False


_TYPES: Mapping[str, Mapping[tuple[Domain, str, int], tuple[TensorType, ...]]] = {
    "BATCH_MATMUL": {
        (Domain.INT8, "output", 0): (INT32,),
        (Domain.INT16X8, "output", 0): (INT32,),
        (Domain.INT16X8, "input", 1): (INT8,),
    },
    "FULLY_CONNECTED": {
        (Domain.INT8, "output", 0): (INT16,),
        (Domain.UINT8, "output", 0): (INT16,),
        (Domain.INT8X4, "output", 0): (INT16,),
        (Domain.INT16X8, "input", 1): (INT16,),
        (Domain.INT16X4, "input", 1): (INT16,),
    },
    "QUANTIZE": {(Domain.INT8, "output", 0): (INT32,)},
    "SOFTMAX": {(Domain.INT8, "output", 0): (INT16,), (Domain.UINT8, "output", 0): (INT16,)},
    "SVDF": {(Domain.INT8, "input", 2): (INT8,), (Domain.INT8, "input", 4): (INT8,)},
    "TRANSPOSE_CONV": {(Domain.INT16X8, "input", 3): (INT16,)},
}
"""What a Requirements `accepts`."""

_TWO = (
    "ARG_MAX", "ARG_MIN", "BROADCAST_TO", "EMBEDDING_LOOKUP", "EQUAL", "EXPAND_DIMS", "FILL",
    "GATHER", "GATHER_ND", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "MAXIMUM", "MINIMUM",
    "MIRROR_PAD", "NOT_EQUAL", "PAD", "PADV2", "PRELU", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD",
    "REVERSE_V2", "SPLIT", "SQUARED_DIFFERENCE", "TILE", "TRANSPOSE",
)  # fmt: skip
_THREE = ("BATCH_TO_SPACE_ND", "SCATTER_ND", "SELECT", "SLICE", "SPACE_TO_BATCH_ND", "SPLIT_V")
_IMAGES = {0: 4}

_REQUIREMENTS = {
    **dict.fromkeys(_TWO, Requirements(2)),
    **dict.fromkeys(_THREE, Requirements(3)),
    "ADD": Requirements(2, activations=CLIPPING, micro_shifts=True),
    "AVERAGE_POOL_2D": Requirements(1, ranks=_IMAGES, activations=CLIPPING),
    "BATCH_MATMUL": Requirements(2),
    "CONCATENATION": Requirements(activations=NO_ACTIVATION),
    "CONV_2D": Requirements(2, 3, {0: 4, 1: 4}, CLIPPING),
    "DEPTHWISE_CONV_2D": Requirements(2, 3, {0: 4, 1: 4}, CLIPPING),
    "DEPTH_TO_SPACE": Requirements(1, ranks=_IMAGES),
    "DEQUANTIZE": Requirements(micro_shifts=True),
    "DIV": Requirements(2, activations=CLIPPING),
    "FULLY_CONNECTED": Requirements(2, ranks={1: 2}, activations=CLIPPING, micro_shifts=True),
    "L2_NORMALIZATION": Requirements(activations=NO_ACTIVATION),
    "LEAKY_RELU": Requirements(micro_shifts=True),
    "MAX_POOL_2D": Requirements(1, ranks=_IMAGES, activations=CLIPPING),
    "MEAN": Requirements(2, micro_shifts=True),
    "MUL": Requirements(2, activations=CLIPPING),
    "QUANTIZE": Requirements(micro_shifts=True),
    "RESIZE_BILINEAR": Requirements(2, ranks=_IMAGES),
    "RESIZE_NEAREST_NEIGHBOR": Requirements(2, ranks=_IMAGES),
    "SOFTMAX": Requirements(),
    "SPACE_TO_DEPTH": Requirements(1, ranks=_IMAGES),
    "STRIDED_SLICE": Requirements(4),
    "SUB": Requirements(2, activations=CLIPPING, micro_shifts=True),
    "SUM": Requirements(2, micro_shifts=True),
    "SVDF": Requirements(2),
    "TRANSPOSE_CONV": Requirements(3, ranks={1: 4, 2: 4}, activations=CLIPPING),
}

REQUIREMENTS: Mapping[str, Requirements] = MappingProxyType(
    {name: replace(one, accepts=_TYPES.get(name, {})) for name, one in _REQUIREMENTS.items()}
)
"""What is required of an operator, by its name; of all others, their first input."""
