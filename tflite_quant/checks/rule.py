"""A rule: what an operator requires of its tensors, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from typing import NamedTuple

from ..format.schema import INTEGER_RANGES, TensorType


class Domain(Enum):
    """The ways in which operators compute on quantized tensors."""

    INT8 = "int8"
    INT16X8 = "int16x8"  # int16 activations with int8 weights
    UINT8 = "uint8"
    INT8X4 = "int8x4"  # int8 activations with weights of 4 or 2 bits
    INT16X4 = "int16x4"
    HYBRID = "hybrid"  # float32 activations with integer weights
    FLOAT16 = "float16"  # weights that are converted to float32

    @property
    def is_specified(self) -> bool:
        """Whether the specification lists its operators; of others only LiteRT's kernels tell."""
        return self in (Domain.INT8, Domain.INT16X8)


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
        scales), "several" (scales, not one), "axis" (of several scales), "zero_point", "scale". It
        ignores all others.
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
FLOAT16, FLOAT32, BOOL = TensorType.FLOAT16, TensorType.FLOAT32, TensorType.BOOL
INT2, INT4, UINT8 = TensorType.INT2, TensorType.INT4, TensorType.UINT8
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


# What is not quantized.
OTHER = Operand(Role.OTHER)
REAL = Operand(Role.OTHER, (FLOAT32,))
TRUTH = Operand(Role.OTHER, (BOOL,))
CONDITION = TRUTH.checked("type")
INDEX = Operand(Role.OTHER, (INT32, INT64))
INDEX64 = Operand(Role.OTHER, (INT64,))
