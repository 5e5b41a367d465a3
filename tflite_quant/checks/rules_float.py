"""The rules of operators on float32 whose weights are integers, or float16.

The specification does not list them. They are what LiteRT's kernels ask (google-ai-edge/LiteRT,
revision f67457790c9c, tflite/kernels: the file of each operator).
"""

from __future__ import annotations

from dataclasses import replace

from ..format.schema import INTEGER_RANGES, TensorType
from .rule import (
    EITHER,
    FLOAT16,
    FLOAT32,
    INT2,
    INT4,
    INT8,
    OTHER,
    REAL,
    Operand,
    Role,
    Rule,
    weights,
)

X = Operand(Role.ACTIVATION, (FLOAT32,))
RANGE = INTEGER_RANGES[INT8]
BIAS = Operand(Role.OTHER, (FLOAT32,)).checked("type")


def _weights(*types: TensorType, checks: tuple[str, ...] = ("type", "count")) -> Operand:
    """Return weights with one scale, or one for each slice along their first axis."""
    return replace(weights(0, *checks), types=types, range=RANGE, granularity=EITHER)


CONV_W = _weights(INT8, INT4)
DEPTHWISE_W = replace(weights(3, "type", "count", "several"), range=RANGE)
DENSE_W = _weights(INT8, INT4, INT2)
TABLE = _weights(INT8, INT4, INT2, checks=("type", "count", "axis", "zero_point"))
# The axis depends on which of the matrices is transposed.
MATRIX = replace(weights(None, "type"), range=RANGE, granularity=None)

HYBRID_RULES: dict[str, Rule] = {
    "BATCH_MATMUL": Rule((X, MATRIX), (X,)),
    "CONV_2D": Rule((X, CONV_W, BIAS), (X,)),
    "DEPTHWISE_CONV_2D": Rule((X, DEPTHWISE_W, BIAS), (X,)),
    "EMBEDDING_LOOKUP": Rule((OTHER, TABLE), (X,)),
    "FULLY_CONNECTED": Rule((X, DENSE_W, BIAS), (X,)),
    "TRANSPOSE_CONV": Rule((OTHER, _weights(INT8), X, BIAS), (X,)),
}

HALF_RULES: dict[str, Rule] = {
    "DEQUANTIZE": Rule((Operand(Role.ACTIVATION, (FLOAT16,)),), (REAL,)),
}
