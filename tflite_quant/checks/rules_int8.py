"""The rules of operators on int8."""

from __future__ import annotations

from dataclasses import replace

from ..format.schema import INTEGER_RANGES
from .rule import (
    CONDITION,
    EITHER,
    FLOAT32,
    INDEX,
    INDEX64,
    INT8,
    INT16,
    INT32,
    OTHER,
    PER_AXIS,
    PER_TENSOR,
    REAL,
    SAME,
    SAME_CHECKED,
    SAME_IN_DEBUG,
    TRUTH,
    ZERO,
    Each,
    Form,
    Product,
    Rule,
    activation,
    bias,
    fixed,
    weights,
)

# Z: the kernel checks the zero point.
X8 = activation(INT8, INTEGER_RANGES[INT8])
X8Z = X8.checked("zero_point")
PADDING8 = replace(X8, as_output=True).checked("scale", "zero_point")
X16 = activation(INT16, ZERO)

# Outputs whose scale is known.
SOFTMAX8 = fixed(X8, "1/256", -128, "scale", "zero_point", tolerance=0.001)

# Weights (W) and biases (B) of convolutions, TRANSPOSE_CONV and FULLY_CONNECTED.
CONV_W, DEPTHWISE_W = weights(0, "count", "zero_point"), weights(3, "count")
TRANSPOSE_W, DENSE_W = weights(0, "type", "count"), weights(0, "count", "axis")
CONV_B8 = bias(Product((0, 1)), (INT32,), PER_AXIS, "type", "zero_point")
TRANSPOSE_B8 = bias(Product((2, 1)), (INT32,), PER_AXIS, "type", "zero_point")
DENSE_B8 = bias(Product((0, 1)), (INT32,), EITHER, "type", "scale")


def _lstm() -> Rule:
    """Return the rule of an LSTM; most of its 24 inputs are optional."""
    weight, wide = weights(None), weights(None, type=INT16, top=32767)
    gate_biases = (
        replace(
            bias(Product((0, 1 + gate)), (INT32,), PER_TENSOR),
            normalized=Product((20 + gate,), factor=2.0**-10),
        )
        for gate in range(4)
    )
    projection_bias = bias(Product((16,), (4,)), (INT32,), PER_TENSOR)
    output_state = replace(X8, is_state=True, as_output=True)
    cell_state = replace(X16, is_state=True, is_power_of_two=True).checked("scale")
    inputs = (
        X8,
        *[weight] * 8,
        *[wide] * 3,  # peepholes
        *gate_biases,
        weight,
        projection_bias,
        output_state,
        cell_state,
        *[wide] * 4,  # layer normalization
    )
    return Rule(inputs, (X8,))


LSTM = _lstm()
SVDF = Rule(
    (
        X8,
        weights(None),
        weights(None, type=INT16, top=512),
        bias(Product((2, 4)), (INT32,), PER_TENSOR),
        replace(X16, range=(-32767, 32767), is_state=True),
    ),
    (X8,),
)
QUANTIZE8 = (Form(INT8, (INT8, INT16), PER_TENSOR), Form(FLOAT32, (INT8,), EITHER))

# fmt: off
RULES: dict[str, Rule] = {
    "ABS":                          Rule((X8,), (X8,)),
    "ADD":                          Rule((X8, X8), (X8,)),
    "ARG_MAX":                      Rule((X8,), (INDEX,)),
    "ASSIGN_VARIABLE":              Rule((OTHER, X8), ()),
    "AVERAGE_POOL_2D":              Rule((X8,), (X8,), SAME_IN_DEBUG),
    "BATCH_MATMUL":                 Rule((X8, X8), (X8,)),
    "BATCH_TO_SPACE_ND":            Rule((X8, OTHER, OTHER), (X8,), SAME_CHECKED),
    "BROADCAST_TO":                 Rule((X8,), (X8,), SAME),
    "CONCATENATION":                Rule(Each(X8), (X8,), SAME_CHECKED),
    "CONV_2D":                      Rule((X8, CONV_W, CONV_B8), (X8,)),
    "DEPTHWISE_CONV_2D":            Rule((X8, DEPTHWISE_W, CONV_B8), (X8,)),
    "DEPTH_TO_SPACE":               Rule((X8,), (X8,), SAME),
    "DEQUANTIZE":                   Rule((replace(X8, granularity=EITHER),), (REAL,)),
    "EQUAL":                        Rule((X8, X8), (TRUTH,)),
    "EXP":                          Rule((X8,), (X8,)),
    "EXPAND_DIMS":                  Rule((X8, OTHER), (X8,), SAME_CHECKED),
    "FILL":                         Rule((OTHER, X8), (X8,), SAME_CHECKED),
    "FULLY_CONNECTED":              Rule((X8, DENSE_W, DENSE_B8), (X8,)),
    "GATHER":                       Rule((X8,), (X8,), SAME),
    "GATHER_ND":                    Rule((X8,), (X8,), SAME),
    "GELU":                         Rule((X8,), (X8,)),
    "GREATER":                      Rule((X8, X8), (TRUTH,)),
    "GREATER_EQUAL":                Rule((X8, X8), (TRUTH,)),
    "HARD_SWISH":                   Rule((X8,), (X8,)),
    "L2_NORMALIZATION":             Rule((X8,), (fixed(X8, "1/128", 0, "scale", "zero_point"),)),
    "LEAKY_RELU":                   Rule((X8,), (X8,)),
    "LESS":                         Rule((X8, X8), (TRUTH,)),
    "LESS_EQUAL":                   Rule((X8, X8), (TRUTH,)),
    "LOG":                          Rule((X8,), (X8,)),
    "LOGISTIC":                     Rule((X8,), (fixed(X8, "1/256", -128, "scale"),)),
    "LOG_SOFTMAX":                  Rule((X8,), (fixed(X8, "1/16", 127, "scale", "zero_point"),)),
    "LSTM":                         LSTM,
    "MAXIMUM":                      Rule(Each(X8), (X8,), SAME),
    "MAX_POOL_2D":                  Rule((X8,), (X8,), SAME_IN_DEBUG),
    "MEAN":                         Rule((X8,), (X8,)),
    "MINIMUM":                      Rule(Each(X8), (X8,), SAME),
    "MIRROR_PAD":                   Rule((X8,), (X8,), SAME_CHECKED),
    "MUL":                          Rule((X8, X8), (X8,)),
    "NOT_EQUAL":                    Rule((X8, X8), (TRUTH,)),
    "PACK":                         Rule(Each(X8), (X8,), SAME_CHECKED),
    "PAD":                          Rule((X8,), (X8,), SAME),
    "PADV2":                        Rule((X8, None, PADDING8), (X8,), SAME),
    "PRELU":                        Rule((X8, X8), (X8,)),
    "QUANTIZE":                     Rule((X8,), (X8,), forms=QUANTIZE8),
    "READ_VARIABLE":                Rule((), (X8,)),
    "REDUCE_MAX":                   Rule((X8,), (X8,), SAME_CHECKED),
    "REDUCE_MIN":                   Rule((X8,), (X8,), SAME_CHECKED),
    "REDUCE_PROD":                  Rule((X8,), (X8,)),
    "RELU":                         Rule((X8,), (X8,)),
    "RELU6":                        Rule((X8,), (X8,)),
    "RELU_N1_TO_1":                 Rule((X8,), (X8,)),
    "RESHAPE":                      Rule((X8,), (X8,), SAME),
    "RESIZE_BILINEAR":              Rule((X8,), (X8,), SAME),
    "RESIZE_NEAREST_NEIGHBOR":      Rule((X8,), (X8,), SAME),
    "REVERSE_V2":                   Rule((X8,), (X8,), SAME),
    "RSQRT":                        Rule((X8,), (X8,)),
    "SCATTER_ND":                   Rule((OTHER, X8), (X8,), SAME),
    "SELECT":                       Rule((CONDITION, X8, X8), (X8,), SAME),
    "SHAPE":                        Rule((X8,), (INDEX,)),
    "SLICE":                        Rule((X8, OTHER, OTHER), (X8,), SAME),
    "SOFTMAX":                      Rule((X8,), (SOFTMAX8,)),
    "SPACE_TO_BATCH_ND":            Rule((X8, OTHER, OTHER), (X8,), SAME_CHECKED),
    "SPACE_TO_DEPTH":               Rule((X8,), (X8,), SAME),
    "SPLIT":                        Rule((OTHER, X8), Each(X8), SAME),
    "SPLIT_V":                      Rule((X8,), Each(X8), SAME),
    "SQRT":                         Rule((X8,), (X8,)),
    "SQUARED_DIFFERENCE":           Rule((X8Z, X8Z), (X8Z,)),
    "SQUEEZE":                      Rule((X8,), (X8,), SAME),
    "STRIDED_SLICE":                Rule((X8,), (X8,), SAME),
    "SUB":                          Rule((X8Z, X8Z), (X8Z,)),
    "SUM":                          Rule((X8,), (X8,)),
    "SVDF":                         SVDF,
    "TANH":                         Rule((X8,), (fixed(X8, "1/128", 0),)),
    "TILE":                         Rule((X8,), (X8,), SAME),
    "TRANSPOSE":                    Rule((X8,), (X8,), SAME),
    "TRANSPOSE_CONV":               Rule((OTHER, TRANSPOSE_W, X8, TRANSPOSE_B8), (X8,)),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": LSTM,
    "UNPACK":                       Rule((X8,), Each(X8), SAME_CHECKED),
    "VAR_HANDLE":                   Rule((), ()),
    "WHERE":                        Rule((X8,), (INDEX64,)),
}
# fmt: on
