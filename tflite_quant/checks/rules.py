"""The quantization specification as data: one rule for each operator.

A rule says what an operator on int8, or on int16 with int8 weights, requires of its tensors. The
facts are from google-ai-edge/LiteRT, revision f67457790c9c, where three places specify them: the
document (tflite/g3doc/performance/quantization_spec.md), the converter (operator_property.cc and
quantize_model.cc in tflite) and the kernels (tflite/kernels). They do not always agree. A rule
follows the document, then the converter; docs/disagreements.md lists where they differ, and where
a rule follows another source.

>>> RULES[Domain.INT8]["SOFTMAX"].outputs[0].scale
Fraction(1, 256)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple

from ..format.schema import INTEGER_RANGES, TensorType


class Domain(Enum):
    """The two ways in which operators compute on integers."""

    INT8 = "int8"
    INT16X8 = "int16x8"  # int16 activations with int8 weights


class Role(Enum):
    """What a tensor is to its operator."""

    ACTIVATION = "activation"
    WEIGHT = "weight"
    BIAS = "bias"
    OTHER = "other"  # shapes, indices, truth values: not quantized


class Granularity(Enum):
    """How many scales a tensor has."""

    PER_TENSOR = "per-tensor"
    PER_AXIS = "per-axis"
    EITHER = "either"


class Agreement(Enum):
    """Whether inputs and outputs must have the same scale and zero point, and who checks it."""

    NONE = "not required"
    SPECIFIED = "required by the specification; the kernel does not check it"
    IN_DEBUG = "checked by the kernel in debug builds, where scales may differ by 1e-6"
    CHECKED = "checked by the kernel"


class Product(NamedTuple):
    """The scale of a bias: the product of other scales and a factor.

    Attributes
    ----------
    inputs, intermediates : tuple of int
        The tensors whose scales are multiplied.
    factor : float
    """

    inputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    factor: float = 1.0


@dataclass(frozen=True)
class Operand:
    """What an operator requires of one input or output; None where nothing is specified.

    Attributes
    ----------
    role : Role
    types : tuple of TensorType
        The specified type, then others that the kernel accepts. Empty: any.
    range : (int, int) or None
        The lowest and the highest value.
    granularity : Granularity or None
    axis : int or None
        The axis of the scales. A bias has one scale for each scale of its weights.
    zero_point : (int, int) or None
        The lowest and the highest zero point allowed.
    scale : Fraction or None
        The only scale allowed.
    tolerance : float
        The relative difference from `scale` that the kernel accepts.
    product : Product or None
        The scale of a bias.
    normalized : Product or None
        The same in an LSTM with layer normalization.
    is_state : bool
        Whether the tensor keeps its values from one run to the next.
    is_power_of_two : bool
        Whether the scale must be a power of two.
    as_output : bool
        Whether scale and zero point must be those of output 0.
    checks : frozenset of str
        The properties that the kernel checks, and refuses the model for: "type", "count" (of
        scales), "axis" (of several scales), "zero_point", "scale". It ignores all others.
    """

    role: Role
    types: tuple[TensorType, ...] = ()
    range: tuple[int, int] | None = None
    granularity: Granularity | None = None
    axis: int | None = None
    zero_point: tuple[int, int] | None = None
    scale: Fraction | None = None
    tolerance: float = 0.0
    product: Product | None = None
    normalized: Product | None = None
    is_state: bool = False
    is_power_of_two: bool = False
    as_output: bool = False
    checks: frozenset[str] = frozenset()

    def checked(self, *names: str) -> Operand:
        """Return the same operand with these properties checked by the kernel."""
        return replace(self, checks=frozenset(names))


@dataclass(frozen=True)
class Each:
    """All inputs, or all outputs, of an operator that takes any number of them."""

    operand: Operand


Operands = tuple[Operand | None, ...] | Each
"""By index; None for an operand of which nothing is specified."""


class Form(NamedTuple):
    """One of the conversions that a QUANTIZE can be.

    Attributes
    ----------
    input : TensorType
    outputs : tuple of TensorType
    granularity : Granularity
        Of the output.
    """

    input: TensorType
    outputs: tuple[TensorType, ...]
    granularity: Granularity


@dataclass(frozen=True)
class Rule:
    """What the specification says of one operator.

    Attributes
    ----------
    inputs, outputs : tuple of (Operand or None), or Each
    same : Agreement
        Whether inputs and outputs must have the same scale and zero point.
    has_kernel : bool
        Whether LiteRT has a kernel for it. The converter writes some operators without one.
    forms : tuple of Form
        The conversions of a QUANTIZE.
    """

    inputs: Operands
    outputs: Operands
    same: Agreement = Agreement.NONE
    has_kernel: bool = True
    forms: tuple[Form, ...] = ()

    def input(self, index: int) -> Operand | None:
        """Return what is specified of an input."""
        return _at(self.inputs, index)

    def output(self, index: int) -> Operand | None:
        """Return what is specified of an output."""
        return _at(self.outputs, index)


def _at(operands: Operands, index: int) -> Operand | None:
    if isinstance(operands, Each):
        return operands.operand
    return operands[index] if index < len(operands) else None


# fmt: off
FLOAT32, BOOL = TensorType.FLOAT32, TensorType.BOOL
INT8, INT16, INT32, INT64 = TensorType.INT8, TensorType.INT16, TensorType.INT32, TensorType.INT64
PER_TENSOR, PER_AXIS, EITHER = Granularity.PER_TENSOR, Granularity.PER_AXIS, Granularity.EITHER
SAME, SAME_IN_DEBUG, SAME_CHECKED = Agreement.SPECIFIED, Agreement.IN_DEBUG, Agreement.CHECKED
ZERO = (0, 0)
# fmt: on


def activation(type: TensorType, zero_point: tuple[int, int]) -> Operand:
    """Return an activation with one scale."""
    return Operand(
        Role.ACTIVATION, (type,), INTEGER_RANGES[type], PER_TENSOR, zero_point=zero_point
    )


def fixed(operand: Operand, scale: str, zero: int, *checks: str, tolerance: float = 0) -> Operand:
    """Return an output whose scale and zero point the operator prescribes."""
    changed = replace(operand, scale=Fraction(scale), tolerance=tolerance, zero_point=(zero, zero))
    return changed.checked(*checks)


def weights(axis: int | None, *checks: str, type: TensorType = INT8, top: int = 127) -> Operand:
    """Return weights from -top to top, with scales along an axis, or one scale."""
    granularity = PER_TENSOR if axis is None else PER_AXIS
    operand = Operand(Role.WEIGHT, (type,), (-top, top), granularity, axis, zero_point=ZERO)
    return operand.checked(*checks)


def bias(
    product: Product, types: tuple[TensorType, ...], granularity: Granularity, *checks: str
) -> Operand:
    """Return a bias whose scale is the product of other scales."""
    axis = None if granularity is PER_TENSOR else 0
    operand = Operand(
        Role.BIAS, types, INTEGER_RANGES[types[0]], granularity, axis, ZERO, product=product
    )
    return operand.checked(*checks)


# Activations of 8 and 16 bits. Z: the kernel checks the zero point.
X8, X16 = activation(INT8, INTEGER_RANGES[INT8]), activation(INT16, ZERO)
X8Z, X16Z = X8.checked("zero_point"), X16.checked("zero_point")
PADDING8, PADDING16 = (replace(x, as_output=True).checked("scale", "zero_point") for x in (X8, X16))

# What is not quantized.
OTHER = Operand(Role.OTHER)
REAL = Operand(Role.OTHER, (FLOAT32,))
TRUTH = Operand(Role.OTHER, (BOOL,))
CONDITION = TRUTH.checked("type")
INDEX = Operand(Role.OTHER, (INT32, INT64))
INDEX64 = Operand(Role.OTHER, (INT64,))

# Outputs whose scale is known.
SIGMOID16 = fixed(X16, "1/32768", 0, "scale", "zero_point")
SOFTMAX8 = fixed(X8, "1/256", -128, "scale", "zero_point", tolerance=0.001)
SOFTMAX16 = replace(SIGMOID16, tolerance=0.001)

# Weights (W) and biases (B) of convolutions, TRANSPOSE_CONV and FULLY_CONNECTED.
CONV_W, DEPTHWISE_W = weights(0, "count", "zero_point"), weights(3, "count")
TRANSPOSE_W, DENSE_W = weights(0, "type", "count"), weights(0, "count", "axis")
CONV_B8 = bias(Product((0, 1)), (INT32,), PER_AXIS, "type", "zero_point")
CONV_B16 = bias(Product((0, 1)), (INT64, INT32), PER_AXIS, "type", "zero_point")
DEPTHWISE_B16 = bias(Product((0, 1)), (INT64,), PER_AXIS, "type", "zero_point")
TRANSPOSE_B8 = bias(Product((2, 1)), (INT32,), PER_AXIS, "type", "zero_point")
TRANSPOSE_B16 = bias(Product((2, 1)), (INT64, INT32), PER_AXIS, "type", "zero_point")
DENSE_B8 = bias(Product((0, 1)), (INT32,), EITHER, "type", "scale")
DENSE_B16 = bias(Product((0, 1)), (INT64, INT32), EITHER, "type", "scale")


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
QUANTIZE16 = (Form(INT16, (INT8, INT16, INT32), PER_TENSOR), Form(FLOAT32, (INT16,), EITHER))

# fmt: off
_INT8 = {
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

_INT16X8 = {
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

RULES: Mapping[Domain, Mapping[str, Rule]] = MappingProxyType(
    {Domain.INT8: MappingProxyType(_INT8), Domain.INT16X8: MappingProxyType(_INT16X8)}
)
"""The rule of each operator in the specification, by the operator's name."""
