"""The quantization specification, operator by operator, as data.

What int8 kernels, and int16 kernels with int8 weights, ask of the tensors of each operator. The
facts are those of google-ai-edge/LiteRT, revision f67457790c9c: of each rule, `sources` names the
files there. Three say what a quantized operator is, and they do not always agree: the document,
the converter's table, and the kernels. A rule follows the document, then the converter;
`disagreements` says where they differ, and which is followed where it is another.

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

__all__ = [
    "RULES",
    "Agreement",
    "Domain",
    "Each",
    "Form",
    "Granularity",
    "Intermediate",
    "Operand",
    "Product",
    "Role",
    "Rule",
]


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
    """Whether inputs and outputs have the same scale and zero point, and who asks."""

    NONE = "they need not"
    SPECIFIED = "the specification asks; the kernel does not look"
    IN_DEBUG = "the kernel asks in debug builds, of scales to 1e-6"
    CHECKED = "the kernel refuses other ones"


class Product(NamedTuple):
    """The scale of a bias: the product of other scales, and of a factor.

    Attributes
    ----------
    inputs, intermediates : tuple of int
        Whose scales.
    factor : float
    """

    inputs: tuple[int, ...]
    intermediates: tuple[int, ...] = ()
    factor: float = 1.0


@dataclass(frozen=True)
class Operand:
    """What an operator asks of one of its inputs or outputs; None where the sources say nothing.

    Attributes
    ----------
    role : Role
    types : tuple of TensorType
        The specified type, then others that kernels take. Empty: any.
    range : (int, int) or None
        The lowest and the highest value.
    granularity : Granularity or None
    loose : bool
        Whether the kernel takes one scale, too, where the specification asks for one per slice.
    axis : int or None
        Along which the scales lie. A bias has the scales of its weights.
    zero_point : (int, int) or None
        The lowest and the highest one allowed.
    scale : Fraction or None
        The only one allowed.
    tolerance : float
        The relative difference to `scale` that the kernel lets pass.
    product : Product or None
        What the scale of a bias is made of.
    normalized : Product or None
        The same in an LSTM with layer normalization.
    variant : str or None
        The form of an LSTM that alone has the operand: peephole, projection, layer_norm.
    is_state : bool
        Whether it keeps its values from one run to the next.
    is_power_of_two : bool
        Whether the scale has to be one.
    as_output : bool
        Whether it has the scale and zero point of output 0.
    checks : frozenset of str
        What the kernel refuses if it is otherwise: "type", "count" (of scales), "axis" (of several
        scales), "zero_point", "scale". It does not look at all else.
    """

    role: Role
    types: tuple[TensorType, ...] = ()
    range: tuple[int, int] | None = None
    granularity: Granularity | None = None
    loose: bool = False
    axis: int | None = None
    zero_point: tuple[int, int] | None = None
    scale: Fraction | None = None
    tolerance: float = 0.0
    product: Product | None = None
    normalized: Product | None = None
    variant: str | None = None
    is_state: bool = False
    is_power_of_two: bool = False
    as_output: bool = False
    checks: frozenset[str] = frozenset()

    def checked(self, *names: str) -> Operand:
        """Give the same operand, of which the kernel checks these."""
        return replace(self, checks=frozenset(names))


@dataclass(frozen=True)
class Each:
    """Says of all inputs, or of all outputs, that they are alike."""

    operand: Operand


Operands = tuple[Operand | None, ...] | Each
"""By index; None for one of which nothing is said."""


class Form(NamedTuple):
    """One of the ways in which an operator converts.

    Attributes
    ----------
    name : str
    input : TensorType
    outputs : tuple of TensorType
    granularity : Granularity
        Of the output.
    """

    name: str
    input: TensorType
    outputs: tuple[TensorType, ...]
    granularity: Granularity


class Intermediate(NamedTuple):
    """What an LSTM says of a result inside it, in one of its variants only.

    Attributes
    ----------
    variant : str
        Without it, the intermediate is not used.
    type : TensorType
    zero_point : (int, int)
        The lowest and the highest one allowed.
    """

    variant: str
    type: TensorType
    zero_point: tuple[int, int]


@dataclass(frozen=True)
class Rule:
    """What the specification says of one operator.

    Attributes
    ----------
    operator : str
        The builtin operator's name.
    inputs, outputs : tuple of (Operand or None), or Each
    version : int or None
        The operator's version in the converter's table; None if it is not there.
    sources : tuple of str
        The files that say so.
    same : Agreement
        Whether inputs and outputs have one scale and zero point.
    optional : tuple of int
        Inputs that may be left out.
    has_kernel : bool
        Whether LiteRT has a kernel for what the converter may write.
    constants_as_activations : bool
        Whether the converter quantizes constant inputs as it does activations.
    also : tuple of str
        What else the kernel checks.
    forms : tuple of Form
        The conversions of a QUANTIZE.
    intermediates : tuple of Intermediate
        Of an LSTM.
    """

    operator: str
    inputs: Operands
    outputs: Operands
    version: int | None
    sources: tuple[str, ...]
    same: Agreement = Agreement.NONE
    optional: tuple[int, ...] = ()
    has_kernel: bool = True
    constants_as_activations: bool = False
    also: tuple[str, ...] = ()
    forms: tuple[Form, ...] = ()
    intermediates: tuple[Intermediate, ...] = ()

    def input(self, index: int) -> Operand | None:
        """Give what is said of an input."""
        return _at(self.inputs, index)

    def output(self, index: int) -> Operand | None:
        """Give what is said of an output."""
        return _at(self.outputs, index)


def _at(operands: Operands, index: int) -> Operand | None:
    if isinstance(operands, Each):
        return operands.operand
    return operands[index] if index < len(operands) else None


DOCUMENT = "tflite/g3doc/performance/quantization_spec.md"
CONVERTER = "tflite/converter/tools/optimize/operator_property.cc"
QUANTIZER = "tflite/tools/optimize/quantize_model.cc"

FLOAT32, BOOL = TensorType.FLOAT32, TensorType.BOOL
INT8, INT16, INT32, INT64 = (
    TensorType.INT8, TensorType.INT16, TensorType.INT32, TensorType.INT64,
)  # fmt: skip
_ZERO = (0, 0)

PER_TENSOR, PER_AXIS, EITHER = Granularity.PER_TENSOR, Granularity.PER_AXIS, Granularity.EITHER
SAME, SAME_IN_DEBUG, SAME_CHECKED = (
    Agreement.SPECIFIED, Agreement.IN_DEBUG, Agreement.CHECKED,
)  # fmt: skip

# Activations of 8 and 16 bits; Z: the kernel checks the zero point.
X8 = Operand(
    Role.ACTIVATION, (INT8,), INTEGER_RANGES[INT8], PER_TENSOR, zero_point=INTEGER_RANGES[INT8]
)
X16 = Operand(Role.ACTIVATION, (INT16,), INTEGER_RANGES[INT16], PER_TENSOR, zero_point=_ZERO)
X8Z, X16Z = X8.checked("zero_point"), X16.checked("zero_point")

# What is not quantized.
OTHER = Operand(Role.OTHER)
REAL = Operand(Role.OTHER, (FLOAT32,))
TRUTH = Operand(Role.OTHER, (BOOL,))
INDEX = Operand(Role.OTHER, (INT32, INT64))
INDEX64 = Operand(Role.OTHER, (INT64,))


def fixed(
    operand: Operand, numerator: int, denominator: int, zero: int, tolerance: float = 0.0
) -> Operand:
    """Give an output whose scale and zero point the operator prescribes."""
    scale = Fraction(numerator, denominator)
    return replace(operand, scale=scale, tolerance=tolerance, zero_point=(zero, zero))


def weight(axis: int | None, type: TensorType = INT8, top: int | None = None) -> Operand:
    """Give weights, symmetric about 0: along an axis, or with one scale."""
    top = INTEGER_RANGES[type][1] if top is None else top
    granularity = PER_TENSOR if axis is None else PER_AXIS
    return Operand(
        Role.WEIGHT, (type,), (-top, top), granularity, axis is not None, axis, zero_point=_ZERO
    )


def bias(
    inputs: tuple[int, ...], types: tuple[TensorType, ...], granularity: Granularity = PER_AXIS
) -> Operand:
    """Give a bias, whose scale is the product of the scales of two inputs."""
    axis = None if granularity is PER_TENSOR else 0
    return Operand(
        Role.BIAS, types, INTEGER_RANGES[types[0]], granularity, axis is not None, axis,
        zero_point=_ZERO, product=Product(inputs),
    )  # fmt: skip


def rule(
    operator: str,
    inputs: Operands,
    outputs: Operands,
    version: int | None,
    *sources: str,
    same: Agreement = Agreement.NONE,
    optional: tuple[int, ...] = (),
    has_kernel: bool = True,
    constants_as_activations: bool = False,
    also: tuple[str, ...] = (),
    forms: tuple[Form, ...] = (),
    intermediates: tuple[Intermediate, ...] = (),
) -> Rule:
    """Give the rule of one operator; a source without a folder is a kernel."""
    files = tuple(name if "/" in name else f"tflite/kernels/{name}" for name in sources)
    return Rule(
        operator, inputs, outputs, version, files, same, optional, has_kernel,
        constants_as_activations, also, forms, intermediates,
    )  # fmt: skip


_EITHER8 = replace(X8, granularity=EITHER)
_LIKE_OUTPUT8, _LIKE_OUTPUT16 = (
    replace(x, as_output=True).checked("scale", "zero_point") for x in (X8, X16)
)
_BIAS8, _BIAS16 = bias((0, 1), (INT32,)), bias((0, 1), (INT64, INT32))
_CONDITION = TRUTH.checked("type")

_QUANTIZE8 = (
    Form("requantize", INT8, (INT8, INT16), PER_TENSOR),
    Form("quantize", FLOAT32, (INT8,), EITHER),
)
_QUANTIZE16 = (
    Form("requantize", INT16, (INT8, INT16, INT32), PER_TENSOR),
    Form("quantize", FLOAT32, (INT16,), EITHER),
)


def _gate_bias(weights: int, normalization: int) -> Operand:
    """Give the bias of one gate of an LSTM."""
    gate = bias((0, weights), (INT32,), PER_TENSOR)
    return replace(gate, normalized=Product((normalization,), factor=2.0**-10))


def _lstm(operator: str, kernel: str, check: str) -> Rule:
    """Give the rule of an LSTM; it has 24 inputs, most of them optional."""
    weights = weight(None)
    peephole = replace(weight(None, INT16), variant="peephole")
    normalization = replace(weight(None, INT16), variant="layer_norm")
    projection_bias = replace(
        bias((16,), (INT32,), PER_TENSOR), product=Product((16,), (4,)), variant="projection"
    )
    output_state = replace(X8, is_state=True, as_output=True)
    cell_state = replace(X16, is_state=True, is_power_of_two=True).checked("scale")
    gates = tuple(_gate_bias(1 + gate, 20 + gate) for gate in range(4))
    inputs = (
        X8, *[weights] * 8, *[peephole] * 3, *gates, replace(weights, variant="projection"),
        projection_bias, output_state, cell_state, *[normalization] * 4,
    )  # fmt: skip
    results = (
        *[Intermediate("layer_norm", INT16, _ZERO)] * 4,
        Intermediate("projection", INT8, INTEGER_RANGES[INT8]),
    )
    return rule(
        operator, inputs, (X8,), 2, CONVERTER, kernel, QUANTIZER,
        also=(check,), intermediates=results,
    )  # fmt: skip


_INT8 = (
    rule("ABS", (X8,), (X8,), 2, CONVERTER, "elementwise.cc"),
    rule("ADD", (X8, X8), (X8,), 2, DOCUMENT, CONVERTER, "add.cc"),
    rule("ARG_MAX", (X8,), (INDEX,), 2, DOCUMENT, CONVERTER, "arg_min_max.cc"),
    rule("ASSIGN_VARIABLE", (OTHER, X8), (), 1, CONVERTER),
    rule("AVERAGE_POOL_2D", (X8,), (X8,), 2, DOCUMENT, CONVERTER, "pooling.cc", same=SAME_IN_DEBUG),
    rule("BATCH_MATMUL", (X8, X8), (X8,), 2, CONVERTER, "batch_matmul.cc"),
    rule(
        "BATCH_TO_SPACE_ND",
        (X8, OTHER, OTHER),
        (X8,),
        2,
        DOCUMENT,
        CONVERTER,
        "batch_to_space_nd.cc",
        same=SAME_CHECKED,
    ),
    rule("BROADCAST_TO", (X8,), (X8,), 3, CONVERTER, same=SAME),
    rule(
        "CONCATENATION",
        Each(X8),
        (X8,),
        2,
        DOCUMENT,
        CONVERTER,
        "concatenation.cc",
        same=SAME_CHECKED,
    ),
    rule(
        "CONV_2D",
        (X8, weight(0).checked("count", "zero_point"), _BIAS8.checked("type", "zero_point")),
        (X8,),
        3,
        DOCUMENT,
        CONVERTER,
        "conv.cc",
        "kernel_util.cc",
    ),
    rule(
        "DEPTHWISE_CONV_2D",
        (X8, weight(3).checked("count"), _BIAS8.checked("type", "zero_point")),
        (X8,),
        3,
        DOCUMENT,
        CONVERTER,
        "depthwise_conv.cc",
        "kernel_util.cc",
        optional=(2,),
    ),
    rule("DEPTH_TO_SPACE", (X8,), (X8,), 2, CONVERTER, same=SAME),
    rule("DEQUANTIZE", (_EITHER8,), (REAL,), None, "dequantize.cc", "dequantize.h"),
    rule("EQUAL", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule("EXP", (X8,), (X8,), 2, CONVERTER, "exp.cc"),
    rule("EXPAND_DIMS", (X8, OTHER), (X8,), 1, CONVERTER, "expand_dims.cc", same=SAME_CHECKED),
    rule("FILL", (OTHER, X8), (X8,), 3, CONVERTER, "fill.cc", same=SAME_CHECKED),
    rule(
        "FULLY_CONNECTED",
        (
            X8,
            weight(0).checked("count", "axis"),
            bias((0, 1), (INT32,), EITHER).checked("type", "scale"),
        ),
        (X8,),
        4,
        DOCUMENT,
        CONVERTER,
        "fully_connected.cc",
        "kernel_util.cc",
        optional=(2,),
    ),
    rule("GATHER", (X8,), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("GATHER_ND", (X8,), (X8,), 3, CONVERTER, same=SAME),
    rule("GELU", (X8,), (X8,), 2, CONVERTER),
    rule("GREATER", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule("GREATER_EQUAL", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule(
        "HARD_SWISH",
        (X8,),
        (X8,),
        1,
        CONVERTER,
        "activations.cc",
        also=("(input.scale / 128) / output.scale < 1",),
    ),
    rule(
        "L2_NORMALIZATION",
        (X8,),
        (fixed(X8, 1, 128, 0).checked("scale", "zero_point"),),
        2,
        DOCUMENT,
        CONVERTER,
        "l2norm.cc",
    ),
    rule("LEAKY_RELU", (X8,), (X8,), 2, CONVERTER, "activations.cc"),
    rule("LESS", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule("LESS_EQUAL", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule("LOG", (X8,), (X8,), 2, CONVERTER, "elementwise.cc"),
    rule(
        "LOGISTIC",
        (X8,),
        (fixed(X8, 1, 256, -128).checked("scale"),),
        2,
        DOCUMENT,
        CONVERTER,
        "activations.cc",
    ),
    rule(
        "LOG_SOFTMAX",
        (X8,),
        (fixed(X8, 16, 256, 127).checked("scale", "zero_point"),),
        2,
        DOCUMENT,
        CONVERTER,
        "activations.cc",
    ),
    _lstm("LSTM", "lstm.cc", "input19.scale is a power of two, log2 <= -9"),
    rule("MAXIMUM", Each(X8), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("MAX_POOL_2D", (X8,), (X8,), 2, DOCUMENT, CONVERTER, "pooling.cc", same=SAME_IN_DEBUG),
    rule("MEAN", (X8,), (X8,), 2, DOCUMENT, CONVERTER, "reduce.cc"),
    rule("MINIMUM", Each(X8), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("MIRROR_PAD", (X8,), (X8,), 2, CONVERTER, "mirror_pad.cc", same=SAME_CHECKED),
    rule("MUL", (X8, X8), (X8,), 2, DOCUMENT, CONVERTER, "mul.cc"),
    rule("NOT_EQUAL", (X8, X8), (TRUTH,), 2, DOCUMENT, CONVERTER, "comparisons.cc"),
    rule("PACK", Each(X8), (X8,), 2, CONVERTER, "pack.cc", same=SAME_CHECKED),
    rule("PAD", (X8,), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("PADV2", (X8, None, _LIKE_OUTPUT8), (X8,), 2, DOCUMENT, CONVERTER, "pad.cc", same=SAME),
    rule("PRELU", (X8, X8), (X8,), 1, CONVERTER),
    rule("QUANTIZE", (X8,), (X8,), 2, DOCUMENT, CONVERTER, "quantize.cc", forms=_QUANTIZE8),
    rule("READ_VARIABLE", (), (X8,), 1, CONVERTER),
    rule("REDUCE_MAX", (X8,), (X8,), 2, CONVERTER, "reduce.cc", same=SAME_CHECKED),
    rule("REDUCE_MIN", (X8,), (X8,), 2, CONVERTER, "reduce.cc", same=SAME_CHECKED),
    rule("REDUCE_PROD", (X8,), (X8,), 2, CONVERTER, "reduce.cc"),
    rule("RELU", (X8,), (X8,), 2, CONVERTER, "activations.cc"),
    rule("RELU6", (X8,), (X8,), 2, CONVERTER, "activations.cc"),
    rule("RELU_N1_TO_1", (X8,), (X8,), 1, CONVERTER),
    rule("RESHAPE", (X8,), (X8,), 1, DOCUMENT, CONVERTER, same=SAME),
    rule("RESIZE_BILINEAR", (X8,), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("RESIZE_NEAREST_NEIGHBOR", (X8,), (X8,), 2, CONVERTER, same=SAME),
    rule("REVERSE_V2", (X8,), (X8,), 3, CONVERTER, same=SAME),
    rule("RSQRT", (X8,), (X8,), 2, CONVERTER, "elementwise.cc"),
    rule("SCATTER_ND", (OTHER, X8), (X8,), 1, CONVERTER, same=SAME),
    rule("SELECT", (_CONDITION, X8, X8), (X8,), 1, CONVERTER, "select.cc", same=SAME),
    rule("SHAPE", (X8,), (INDEX,), 1, DOCUMENT, CONVERTER, "shape.cc"),
    rule("SLICE", (X8, OTHER, OTHER), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule(
        "SOFTMAX",
        (X8,),
        (fixed(X8, 1, 256, -128, tolerance=0.001).checked("scale", "zero_point"),),
        2,
        DOCUMENT,
        CONVERTER,
        "activations.cc",
    ),
    rule(
        "SPACE_TO_BATCH_ND",
        (X8, OTHER, OTHER),
        (X8,),
        2,
        DOCUMENT,
        CONVERTER,
        "space_to_batch_nd.cc",
        same=SAME_CHECKED,
    ),
    rule("SPACE_TO_DEPTH", (X8,), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule("SPLIT", (OTHER, X8), Each(X8), 2, CONVERTER, same=SAME),
    rule("SPLIT_V", (X8,), Each(X8), 2, CONVERTER, same=SAME),
    rule("SQRT", (X8,), (X8,), 2, CONVERTER, "elementwise.cc"),
    rule("SQUARED_DIFFERENCE", (X8Z, X8Z), (X8Z,), 2, CONVERTER, "squared_difference.cc"),
    rule("SQUEEZE", (X8,), (X8,), 1, DOCUMENT, CONVERTER, same=SAME),
    rule("STRIDED_SLICE", (X8,), (X8,), 2, CONVERTER, same=SAME),
    rule("SUB", (X8Z, X8Z), (X8Z,), 2, DOCUMENT, CONVERTER, "sub.cc"),
    rule("SUM", (X8,), (X8,), 2, DOCUMENT, CONVERTER, "reduce.cc"),
    rule(
        "SVDF",
        (
            X8,
            weight(None),
            weight(None, INT16, top=512),
            bias((2, 4), (INT32,), PER_TENSOR),
            replace(X16, range=(-32767, 32767), is_state=True),
        ),
        (X8,),
        3,
        CONVERTER,
        "svdf.cc",
        QUANTIZER,
        optional=(3,),
        also=("fused activation == RELU",),
    ),
    rule("TANH", (X8,), (fixed(X8, 1, 128, 0),), 2, DOCUMENT, CONVERTER, "activations.cc"),
    rule("TILE", (X8,), (X8,), 3, CONVERTER, same=SAME),
    rule("TRANSPOSE", (X8,), (X8,), 2, DOCUMENT, CONVERTER, same=SAME),
    rule(
        "TRANSPOSE_CONV",
        (
            OTHER,
            weight(0).checked("type", "count"),
            X8,
            bias((2, 1), (INT32,)).checked("type", "zero_point"),
        ),
        (X8,),
        3,
        CONVERTER,
        "transpose_conv.cc",
        "kernel_util.cc",
        optional=(3,),
    ),
    _lstm(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "unidirectional_sequence_lstm.cc",
        "input19.scale is a power of two",
    ),
    rule("UNPACK", (X8,), Each(X8), 1, CONVERTER, "unpack.cc", same=SAME_CHECKED),
    rule("VAR_HANDLE", (), (), 1, CONVERTER),
    rule("WHERE", (X8,), (INDEX64,), 1, CONVERTER),
)

_INT16X8 = (
    rule("ABS", (X16Z,), (X16Z,), 2, CONVERTER, "elementwise.cc"),
    rule("ADD", (X16Z, X16Z), (X16Z,), 2, CONVERTER, "add.cc", constants_as_activations=True),
    rule("ASSIGN_VARIABLE", (OTHER, X16), (), 1, CONVERTER, constants_as_activations=True),
    rule("AVERAGE_POOL_2D", (X16,), (X16,), 2, CONVERTER, "pooling.cc", same=SAME),
    rule(
        "BATCH_MATMUL",
        (X16Z, X16Z),
        (X16Z,),
        2,
        CONVERTER,
        "batch_matmul.cc",
        constants_as_activations=True,
    ),
    rule(
        "BATCH_TO_SPACE_ND",
        (X16Z, OTHER, OTHER),
        (X16Z,),
        2,
        CONVERTER,
        "batch_to_space_nd.cc",
        same=SAME_CHECKED,
    ),
    rule("BROADCAST_TO", (X16,), (X16,), 3, CONVERTER, same=SAME),
    rule("CONCATENATION", Each(X16Z), (X16Z,), 2, CONVERTER, "concatenation.cc", same=SAME),
    rule(
        "CONV_2D",
        (X16Z, weight(0).checked("count", "zero_point"), _BIAS16.checked("type", "zero_point")),
        (X16Z,),
        3,
        CONVERTER,
        "conv.cc",
        "kernel_util.cc",
    ),
    rule(
        "DEPTHWISE_CONV_2D",
        (X16Z, weight(3).checked("count"), bias((0, 1), (INT64,)).checked("type", "zero_point")),
        (X16Z,),
        3,
        CONVERTER,
        "depthwise_conv.cc",
        "kernel_util.cc",
        optional=(2,),
    ),
    rule("DEQUANTIZE", (X16Z,), (REAL,), None, "dequantize.cc", "dequantize.h"),
    rule("EXP", (X16Z,), (X16Z,), 2, CONVERTER, "exp.cc"),
    rule("EXPAND_DIMS", (X16Z, OTHER), (X16,), 1, CONVERTER, "expand_dims.cc", same=SAME_CHECKED),
    rule("FILL", (OTHER, X16Z), (X16,), 3, CONVERTER, "fill.cc", same=SAME_CHECKED),
    rule(
        "FULLY_CONNECTED",
        (
            X16Z,
            weight(0).checked("count", "axis"),
            bias((0, 1), (INT64, INT32), EITHER).checked("type", "scale"),
        ),
        (X16Z,),
        4,
        CONVERTER,
        "fully_connected.cc",
        "kernel_util.cc",
        optional=(2,),
    ),
    rule("GATHER", (X16,), (X16,), 2, CONVERTER, same=SAME, constants_as_activations=True),
    rule("GATHER_ND", (X16,), (X16,), 3, CONVERTER, same=SAME),
    rule("GELU", (X16,), (X16,), 2, CONVERTER),
    rule("LEAKY_RELU", (X16Z,), (X16Z,), 2, CONVERTER, "activations.cc"),
    rule("LOG", (X16Z,), (X16Z,), 2, CONVERTER, "elementwise.cc"),
    rule(
        "LOGISTIC",
        (X16Z,),
        (fixed(X16, 1, 32768, 0).checked("scale", "zero_point"),),
        2,
        CONVERTER,
        "activations.cc",
    ),
    rule("MAXIMUM", Each(X16), (X16,), 2, CONVERTER, same=SAME, constants_as_activations=True),
    rule("MAX_POOL_2D", (X16,), (X16,), 2, CONVERTER, "pooling.cc", same=SAME),
    rule("MEAN", (X16Z,), (X16Z,), 2, CONVERTER, "reduce.cc"),
    rule("MINIMUM", Each(X16), (X16,), 2, CONVERTER, same=SAME, constants_as_activations=True),
    rule("MIRROR_PAD", (X16Z,), (X16Z,), 2, CONVERTER, "mirror_pad.cc", same=SAME_CHECKED),
    rule("MUL", (X16Z, X16Z), (X16Z,), 2, CONVERTER, "mul.cc", constants_as_activations=True),
    rule("PACK", Each(X16), (X16,), 2, CONVERTER, "pack.cc", same=SAME_CHECKED),
    rule("PAD", (X16,), (X16,), 2, CONVERTER, same=SAME),
    rule("PADV2", (X16, None, _LIKE_OUTPUT16), (X16,), 2, CONVERTER, "pad.cc", same=SAME),
    rule(
        "QUANTIZE",
        (X16,),
        (X16,),
        2,
        CONVERTER,
        "quantize.cc",
        forms=_QUANTIZE16,
        also=("if int16 to int16: both zero_points == 0",),
    ),
    rule("READ_VARIABLE", (), (X16,), 1, CONVERTER),
    rule("REDUCE_MAX", (X16Z,), (X16Z,), 2, CONVERTER, "reduce.cc", same=SAME_CHECKED),
    rule("REDUCE_MIN", (X16Z,), (X16Z,), 2, CONVERTER, "reduce.cc", same=SAME_CHECKED),
    rule("REDUCE_PROD", (X16Z,), (X16Z,), 2, CONVERTER, "reduce.cc"),
    rule("RELU", (X16Z,), (X16Z,), 2, CONVERTER, "activations.cc"),
    rule("RELU6", (X16Z,), (X16Z,), 2, CONVERTER, "activations.cc"),
    rule("RESHAPE", (X16,), (X16,), 1, CONVERTER, same=SAME),
    rule("RESIZE_BILINEAR", (X16,), (X16,), 2, CONVERTER, same=SAME),
    rule("RESIZE_NEAREST_NEIGHBOR", (X16,), (X16,), 2, CONVERTER, same=SAME),
    rule("REVERSE_V2", (X16,), (X16,), 3, CONVERTER, same=SAME),
    rule("RSQRT", (X16Z,), (X16Z,), 2, CONVERTER, "elementwise.cc"),
    rule("SCATTER_ND", (OTHER, X16), (X16,), 1, CONVERTER, same=SAME, has_kernel=False),
    rule("SELECT", (_CONDITION, X16, X16), (X16,), 1, CONVERTER, "select.cc", same=SAME),
    rule("SHAPE", (X16,), (INDEX,), 1, CONVERTER, "shape.cc"),
    rule("SLICE", (X16, OTHER, OTHER), (X16,), 2, CONVERTER, same=SAME),
    rule(
        "SOFTMAX",
        (X16Z,),
        (fixed(X16, 1, 32768, 0, tolerance=0.001).checked("scale", "zero_point"),),
        2,
        CONVERTER,
        "activations.cc",
    ),
    rule(
        "SPACE_TO_BATCH_ND",
        (X16Z, OTHER, OTHER),
        (X16Z,),
        2,
        CONVERTER,
        "space_to_batch_nd.cc",
        same=SAME_CHECKED,
    ),
    rule("SPLIT", (OTHER, X16), Each(X16), 2, CONVERTER, same=SAME),
    rule("SPLIT_V", (X16,), Each(X16), 2, CONVERTER, same=SAME),
    rule("SQRT", (X16Z,), (X16Z,), 2, CONVERTER, "elementwise.cc"),
    rule(
        "SQUARED_DIFFERENCE",
        (X16, X16),
        (X16,),
        2,
        CONVERTER,
        "squared_difference.cc",
        has_kernel=False,
        constants_as_activations=True,
    ),
    rule("SQUEEZE", (X16,), (X16,), 1, CONVERTER, same=SAME),
    rule("STRIDED_SLICE", (X16,), (X16,), 2, CONVERTER, same=SAME),
    rule("SUB", (X16Z, X16Z), (X16Z,), 2, CONVERTER, "sub.cc", constants_as_activations=True),
    rule("SUM", (X16Z,), (X16Z,), 2, CONVERTER, "reduce.cc", same=SAME),
    rule(
        "TANH",
        (X16Z,),
        (fixed(X16, 1, 32768, 0).checked("scale", "zero_point"),),
        2,
        CONVERTER,
        "activations.cc",
    ),
    rule("TILE", (X16,), (X16,), 3, CONVERTER, same=SAME),
    rule("TRANSPOSE", (X16,), (X16,), 2, CONVERTER, same=SAME),
    rule(
        "TRANSPOSE_CONV",
        (
            OTHER,
            weight(0).checked("type", "count"),
            X16Z,
            bias((2, 1), (INT64, INT32)).checked("type", "zero_point"),
        ),
        (X16Z,),
        3,
        CONVERTER,
        "transpose_conv.cc",
        "kernel_util.cc",
        optional=(3,),
    ),
    rule("UNPACK", (X16,), Each(X16), 1, CONVERTER, "unpack.cc", same=SAME_CHECKED),
    rule("VAR_HANDLE", (), (), 1, CONVERTER),
    rule("WHERE", (X16,), (INDEX64,), 1, CONVERTER, has_kernel=False),
)


RULES: Mapping[Domain, Mapping[str, Rule]] = MappingProxyType(
    {
        domain: MappingProxyType({rule.operator: rule for rule in rules})
        for domain, rules in ((Domain.INT8, _INT8), (Domain.INT16X8, _INT16X8))
    }
)
"""The rule of each operator that the specification has, by its name."""
