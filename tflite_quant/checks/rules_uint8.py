"""The rules of operators on uint8, the type of models that were converted before int8.

The specification does not list them. They are what LiteRT's kernels ask (google-ai-edge/LiteRT,
revision f67457790c9c, tflite/kernels: the file of each operator, and kernel_util.cc,
PopulateConvolutionQuantizationParams, for weights and biases).
"""

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
    OTHER,
    PER_TENSOR,
    REAL,
    SAME,
    SAME_CHECKED,
    SAME_IN_DEBUG,
    TRUTH,
    UINT8,
    Each,
    Form,
    Operand,
    Product,
    Role,
    Rule,
    activation,
    bias,
    fixed,
)

ANY = (0, 255)

# Z: the kernel checks the zero point.
U8 = activation(UINT8, ANY)
U8Z = U8.checked("zero_point")
PADDING = replace(U8, as_output=True).checked("scale", "zero_point")

# Weights (W) have one scale, and any zero point.
WEIGHTS = Operand(Role.WEIGHT, (UINT8,), ANY, PER_TENSOR, None, ANY)
CONV_W, DEPTHWISE_W = WEIGHTS.checked("count"), WEIGHTS.checked("type", "count")
CONV_B = bias(Product((0, 1)), (INT32,), PER_TENSOR, "type", "zero_point", "scale")
DENSE_B = bias(Product((0, 1)), (INT32,), PER_TENSOR, "type", "scale")
TRANSPOSE_B = bias(Product((2, 1)), (INT32,), PER_TENSOR, "type", "scale")

SIGMOID = fixed(U8, "1/256", 0, "scale")
SOFTMAX = fixed(U8, "1/256", 0, "zero_point")
NORMAL = fixed(U8, "1/128", 128, "scale", "zero_point")
LOGARITHM = fixed(U8, "1/16", 255, "scale", "zero_point")

QUANTIZE = (Form(UINT8, (UINT8, INT8, INT16), PER_TENSOR), Form(FLOAT32, (UINT8,), EITHER))

# fmt: off
RULES: dict[str, Rule] = {
    "ADD":                          Rule((U8, U8), (U8,)),
    "ARG_MAX":                      Rule((U8,), (INDEX,)),
    "ARG_MIN":                      Rule((U8,), (INDEX,)),
    "AVERAGE_POOL_2D":              Rule((U8,), (U8,), SAME_IN_DEBUG),
    "BATCH_TO_SPACE_ND":            Rule((U8, OTHER, OTHER), (U8,), SAME_CHECKED),
    "BROADCAST_TO":                 Rule((U8,), (U8,), SAME),
    "CONCATENATION":                Rule(Each(U8), (U8,)),
    "CONV_2D":                      Rule((U8, CONV_W, CONV_B), (U8,)),
    "DEPTHWISE_CONV_2D":            Rule((U8, DEPTHWISE_W, CONV_B), (U8,)),
    "DEPTH_TO_SPACE":               Rule((U8,), (U8,), SAME),
    "DEQUANTIZE":                   Rule((replace(U8, granularity=EITHER),), (REAL,)),
    "DIV":                          Rule((U8, U8), (U8,)),
    "EQUAL":                        Rule((U8, U8), (TRUTH,)),
    "EXPAND_DIMS":                  Rule((U8, OTHER), (U8,), SAME_CHECKED),
    "FULLY_CONNECTED":              Rule((U8, CONV_W, DENSE_B), (U8,)),
    "GATHER":                       Rule((U8,), (U8,), SAME),
    "GATHER_ND":                    Rule((U8,), (U8,), SAME),
    "GELU":                         Rule((U8,), (U8,)),
    "GREATER":                      Rule((U8, U8), (TRUTH,)),
    "GREATER_EQUAL":                Rule((U8, U8), (TRUTH,)),
    "HARD_SWISH":                   Rule((U8,), (U8,)),
    "L2_NORMALIZATION":             Rule((U8,), (NORMAL,)),
    "LEAKY_RELU":                   Rule((U8,), (U8,)),
    "LESS":                         Rule((U8, U8), (TRUTH,)),
    "LESS_EQUAL":                   Rule((U8, U8), (TRUTH,)),
    "LOGISTIC":                     Rule((U8,), (SIGMOID,)),
    "LOG_SOFTMAX":                  Rule((U8,), (LOGARITHM,)),
    "MAXIMUM":                      Rule(Each(U8), (U8,), SAME),
    "MAX_POOL_2D":                  Rule((U8,), (U8,), SAME_IN_DEBUG),
    "MEAN":                         Rule((U8,), (U8,)),
    "MINIMUM":                      Rule(Each(U8), (U8,), SAME),
    "MIRROR_PAD":                   Rule((U8,), (U8,), SAME_CHECKED),
    "MUL":                          Rule((U8, U8), (U8,)),
    "NOT_EQUAL":                    Rule((U8, U8), (TRUTH,)),
    "PACK":                         Rule(Each(U8), (U8,), SAME_CHECKED),
    "PAD":                          Rule((U8,), (U8,), SAME),
    "PADV2":                        Rule((U8, None, PADDING), (U8,), SAME),
    "PRELU":                        Rule((U8, U8), (U8,)),
    "QUANTIZE":                     Rule((U8,), (U8,), forms=QUANTIZE),
    "REDUCE_MAX":                   Rule((U8,), (U8,), SAME_CHECKED),
    "REDUCE_MIN":                   Rule((U8,), (U8,), SAME_CHECKED),
    "RELU":                         Rule((U8,), (U8,)),
    "RELU6":                        Rule((U8,), (U8,)),
    "RELU_N1_TO_1":                 Rule((U8,), (U8,)),
    "RESHAPE":                      Rule((U8,), (U8,), SAME),
    "RESIZE_BILINEAR":              Rule((U8,), (U8,), SAME),
    "RESIZE_NEAREST_NEIGHBOR":      Rule((U8,), (U8,), SAME),
    "REVERSE_V2":                   Rule((U8,), (U8,), SAME),
    "SCATTER_ND":                   Rule((OTHER, U8), (U8,), SAME),
    "SELECT":                       Rule((CONDITION, U8, U8), (U8,), SAME),
    "SHAPE":                        Rule((U8,), (INDEX,)),
    "SLICE":                        Rule((U8, OTHER, OTHER), (U8,), SAME),
    "SOFTMAX":                      Rule((U8,), (SOFTMAX,)),
    "SPACE_TO_BATCH_ND":            Rule((U8, OTHER, OTHER), (U8,), SAME_CHECKED),
    "SPACE_TO_DEPTH":               Rule((U8,), (U8,), SAME),
    "SPLIT":                        Rule((OTHER, U8), Each(U8), SAME),
    "SPLIT_V":                      Rule((U8,), Each(U8), SAME),
    "SQUEEZE":                      Rule((U8,), (U8,), SAME),
    "STRIDED_SLICE":                Rule((U8,), (U8,), SAME),
    "SUB":                          Rule((U8Z, U8Z), (U8Z,)),
    "SUM":                          Rule((U8,), (U8,)),
    "TANH":                         Rule((U8,), (fixed(U8, "1/128", 128),)),
    "TILE":                         Rule((U8,), (U8,), SAME),
    "TRANSPOSE":                    Rule((U8,), (U8,), SAME),
    "TRANSPOSE_CONV":               Rule((OTHER, DEPTHWISE_W, U8, TRANSPOSE_B), (U8,)),
    "UNPACK":                       Rule((U8,), Each(U8), SAME_CHECKED),
    "WHERE":                        Rule((U8,), (INDEX64,)),
}
# fmt: on
