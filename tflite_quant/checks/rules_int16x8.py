"""The rules of operators on int16, with int8 weights where they have any."""

from __future__ import annotations

from dataclasses import replace

from .rule import (
    CONDITION,
    EITHER,
    FLOAT32,
    INDEX,
    INDEX64,
    INT8,
    INT16,
    INT32,
    INT64,
    OTHER,
    PER_AXIS,
    PER_TENSOR,
    REAL,
    SAME,
    SAME_CHECKED,
    ZERO,
    Each,
    Form,
    Product,
    Rule,
    activation,
    bias,
    fixed,
)
from .rules_int8 import CONV_W, DENSE_W, DEPTHWISE_W, TRANSPOSE_W

# Z: the kernel checks the zero point.
X16 = activation(INT16, ZERO)
X16Z = X16.checked("zero_point")
PADDING16 = replace(X16, as_output=True).checked("scale", "zero_point")

# Outputs whose scale is known.
SIGMOID16 = fixed(X16, "1/32768", 0, "scale", "zero_point")
SOFTMAX16 = replace(SIGMOID16, tolerance=0.001)

# Biases of convolutions, TRANSPOSE_CONV and FULLY_CONNECTED.
CONV_B16 = bias(Product((0, 1)), (INT64, INT32), PER_AXIS, "type", "zero_point")
DEPTHWISE_B16 = bias(Product((0, 1)), (INT64,), PER_AXIS, "type", "zero_point")
TRANSPOSE_B16 = bias(Product((2, 1)), (INT64, INT32), PER_AXIS, "type", "zero_point")
DENSE_B16 = bias(Product((0, 1)), (INT64, INT32), EITHER, "type", "scale")

QUANTIZE16 = (Form(INT16, (INT8, INT16, INT32), PER_TENSOR), Form(FLOAT32, (INT16,), EITHER))

# fmt: off
RULES: dict[str, Rule] = {
    "ABS":                          Rule((X16Z,), (X16Z,)),
    "ADD":                          Rule((X16Z, X16Z), (X16Z,)),
    "ASSIGN_VARIABLE":              Rule((OTHER, X16), ()),
    "AVERAGE_POOL_2D":              Rule((X16,), (X16,), SAME),
    "BATCH_MATMUL":                 Rule((X16Z, X16Z), (X16Z,)),
    "BATCH_TO_SPACE_ND":            Rule((X16Z, OTHER, OTHER), (X16Z,), SAME_CHECKED),
    "BROADCAST_TO":                 Rule((X16,), (X16,), SAME),
    "CONCATENATION":                Rule(Each(X16Z), (X16Z,), SAME),
    "CONV_2D":                      Rule((X16Z, CONV_W, CONV_B16), (X16Z,)),
    "DEPTHWISE_CONV_2D":            Rule((X16Z, DEPTHWISE_W, DEPTHWISE_B16), (X16Z,)),
    "DEQUANTIZE":                   Rule((X16Z,), (REAL,)),
    "EXP":                          Rule((X16Z,), (X16Z,)),
    "EXPAND_DIMS":                  Rule((X16Z, OTHER), (X16,), SAME_CHECKED),
    "FILL":                         Rule((OTHER, X16Z), (X16,), SAME_CHECKED),
    "FULLY_CONNECTED":              Rule((X16Z, DENSE_W, DENSE_B16), (X16Z,)),
    "GATHER":                       Rule((X16,), (X16,), SAME),
    "GATHER_ND":                    Rule((X16,), (X16,), SAME),
    "GELU":                         Rule((X16,), (X16,)),
    "LEAKY_RELU":                   Rule((X16Z,), (X16Z,)),
    "LOG":                          Rule((X16Z,), (X16Z,)),
    "LOGISTIC":                     Rule((X16Z,), (SIGMOID16,)),
    "MAXIMUM":                      Rule(Each(X16), (X16,), SAME),
    "MAX_POOL_2D":                  Rule((X16,), (X16,), SAME),
    "MEAN":                         Rule((X16Z,), (X16Z,)),
    "MINIMUM":                      Rule(Each(X16), (X16,), SAME),
    "MIRROR_PAD":                   Rule((X16Z,), (X16Z,), SAME_CHECKED),
    "MUL":                          Rule((X16Z, X16Z), (X16Z,)),
    "PACK":                         Rule(Each(X16), (X16,), SAME_CHECKED),
    "PAD":                          Rule((X16,), (X16,), SAME),
    "PADV2":                        Rule((X16, None, PADDING16), (X16,), SAME),
    "QUANTIZE":                     Rule((X16,), (X16,), forms=QUANTIZE16),
    "READ_VARIABLE":                Rule((), (X16,)),
    "REDUCE_MAX":                   Rule((X16Z,), (X16Z,), SAME_CHECKED),
    "REDUCE_MIN":                   Rule((X16Z,), (X16Z,), SAME_CHECKED),
    "REDUCE_PROD":                  Rule((X16Z,), (X16Z,)),
    "RELU":                         Rule((X16Z,), (X16Z,)),
    "RELU6":                        Rule((X16Z,), (X16Z,)),
    "RESHAPE":                      Rule((X16,), (X16,), SAME),
    "RESIZE_BILINEAR":              Rule((X16,), (X16,), SAME),
    "RESIZE_NEAREST_NEIGHBOR":      Rule((X16,), (X16,), SAME),
    "REVERSE_V2":                   Rule((X16,), (X16,), SAME),
    "RSQRT":                        Rule((X16Z,), (X16Z,)),
    "SCATTER_ND":                   Rule((OTHER, X16), (X16,), SAME, has_kernel=False),
    "SELECT":                       Rule((CONDITION, X16, X16), (X16,), SAME),
    "SHAPE":                        Rule((X16,), (INDEX,)),
    "SLICE":                        Rule((X16, OTHER, OTHER), (X16,), SAME),
    "SOFTMAX":                      Rule((X16Z,), (SOFTMAX16,)),
    "SPACE_TO_BATCH_ND":            Rule((X16Z, OTHER, OTHER), (X16Z,), SAME_CHECKED),
    "SPLIT":                        Rule((OTHER, X16), Each(X16), SAME),
    "SPLIT_V":                      Rule((X16,), Each(X16), SAME),
    "SQRT":                         Rule((X16Z,), (X16Z,)),
    "SQUARED_DIFFERENCE":           Rule((X16, X16), (X16,), has_kernel=False),
    "SQUEEZE":                      Rule((X16,), (X16,), SAME),
    "STRIDED_SLICE":                Rule((X16,), (X16,), SAME),
    "SUB":                          Rule((X16Z, X16Z), (X16Z,)),
    "SUM":                          Rule((X16Z,), (X16Z,), SAME),
    "TANH":                         Rule((X16Z,), (SIGMOID16,)),
    "TILE":                         Rule((X16,), (X16,), SAME),
    "TRANSPOSE":                    Rule((X16,), (X16,), SAME),
    "TRANSPOSE_CONV":               Rule((OTHER, TRANSPOSE_W, X16Z, TRANSPOSE_B16), (X16Z,)),
    "UNPACK":                       Rule((X16,), Each(X16), SAME_CHECKED),
    "VAR_HANDLE":                   Rule((), ()),
    "WHERE":                        Rule((X16,), (INDEX64,), has_kernel=False),
}
# fmt: on
