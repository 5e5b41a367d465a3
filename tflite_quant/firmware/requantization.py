"""What a kernel computes its output with, and how it is put together from an operator's tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from ..errors import QuantizationError, UnsupportedError
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.operator import Operator
from ..model.quantization import PerTensor
from ..model.tensor import Tensor
from .fixedpoint import KERNEL_TYPES, Multiplier, activation_range, quantize_multiplier
from .runtimes import Runtime

__all__ = ["Arithmetic", "Kernel", "Precision", "Requantization", "parameters_of"]

Precision: TypeAlias = type[np.float32] | type[np.float64]
"""That of a product or quotient of scales."""


class Arithmetic(Enum):
    """How a kernel makes its output from its inputs.

    Attributes
    ----------
    FIXED_POINT
        It multiplies integers by the multipliers of its `Requantization`, or shifts them.
    UNSCALED
        It computes with the integers and reads no scale, as pooling does.
    MOVES_VALUES
        It copies, picks, compares or fills in values and leaves them as they are.
    TABLE
        It looks each value up in a table, which it fills in floating point before the first run.
    FLOAT
        It computes in floating point: the output, the input, or both are real numbers.
    """

    FIXED_POINT = "multiplies in fixed point"
    UNSCALED = "computes with the integers and reads no scale"
    MOVES_VALUES = "moves values and leaves them as they are"
    TABLE = "looks values up in a table that is filled in floating point"
    FLOAT = "computes in floating point"


@dataclass(frozen=True, eq=False)
class Requantization:
    """The integers with which the kernel of one operator computes its output.

    Attributes
    ----------
    operator : str
        The operator's name, such as CONV_2D.
    runtime : str
        Whose kernel it is: "tflm" or "litert".
    arithmetic : Arithmetic
        How the kernel computes. Only `Arithmetic.FIXED_POINT` has multipliers; where a kernel
        multiplies sums of integers in floating point, `Arithmetic.FLOAT` has their real numbers.
    offsets : mapping of str to int
        What the kernel adds to the inputs and weights, their negated zero points, and to the
        output, its zero point.
    multipliers : mapping of str to Multiplier
        "output" multiplies the sums or products. Operators that multiply more than once have more;
        docs/firmware.md lists the names.
    left_shift : int
        How far ADD, SUB, SQUARED_DIFFERENCE and their like shift their inputs first; 0 for all
        others.
    range : (int, int) or None
        The lowest and the highest output: that of the type, or of the fused activation. None if the
        kernel does not clamp its output.
    constants : mapping of str to int
        Further integers, such as the smallest difference `diff_min` of SOFTMAX; docs/firmware.md
        lists them.
    """

    operator: str
    runtime: str
    arithmetic: Arithmetic
    offsets: Mapping[str, int] = field(default_factory=dict)
    multipliers: Mapping[str, Multiplier] = field(default_factory=dict)
    left_shift: int = 0
    range: tuple[int, int] | None = None
    constants: Mapping[str, int] = field(default_factory=dict)

    @property
    def moves_values(self) -> bool:
        """Whether the kernel only moves values: there is nothing to compute."""
        return self.arithmetic is Arithmetic.MOVES_VALUES


@dataclass(frozen=True)
class Kernel:
    """An operator, and the runtime that computes it.

    Attributes
    ----------
    operator : Operator
    runtime : Runtime
    """

    operator: Operator
    runtime: Runtime

    @property
    def name(self) -> str:
        """The operator's name; that of a custom operator too, as far as it is known here."""
        return self.operator.name

    @property
    def is_tflm(self) -> bool:
        """Whether it is TensorFlow Lite Micro's kernel."""
        return self.runtime is Runtime.TFLM

    @property
    def precision(self) -> Precision:
        """The precision of a product or quotient of scales, where the runtimes have two."""
        return np.float64 if self.is_tflm else np.float32

    def input(self, index: int) -> Tensor:
        """Return an input that the kernel needs."""
        inputs = self.operator.inputs
        tensor = inputs[index] if index < len(inputs) else None
        if tensor is None:
            raise UnsupportedError(f"{self.name} has no input {index}")
        return tensor

    def has_input(self, index: int) -> bool:
        """Return whether an optional input is there."""
        inputs = self.operator.inputs
        return index < len(inputs) and inputs[index] is not None

    @property
    def output(self) -> Tensor:
        """The first output, which the kernel needs."""
        outputs = self.operator.outputs
        if not outputs or outputs[0] is None:
            raise UnsupportedError(f"{self.name} has no output")
        return outputs[0]

    def option(self, name: str, default: float) -> float:
        """Return a number among the operator's options."""
        value = self.operator.options.get(name, default)
        return value if isinstance(value, (int, float)) else default

    @property
    def activation(self) -> int:
        """The number of the fused activation."""
        return int(self.option("fused_activation_function", 0))

    def scales(self, *inputs: str) -> tuple[list[np.float32], dict[str, int]]:
        """Return the scales of the named inputs, then of the output, and the offsets of all."""
        parameters = [parameters_of(self.input(index)) for index in range(len(inputs))]
        offsets = {name: -zero for name, (_, zero) in zip(inputs, parameters, strict=True)}
        output_scale, offsets["output"] = parameters_of(self.output)
        return [*(scale for scale, _ in parameters), output_scale], offsets

    @property
    def whole_range(self) -> tuple[int, int]:
        """The lowest and the highest value of the output's type."""
        type = self.output.type
        if type not in INTEGER_RANGES:
            raise self.refused(f"makes no {type.name}")
        return INTEGER_RANGES[type]

    def activation_range(self, activation: int | None = None) -> tuple[int, int]:
        """Return the output's range after the fused activation, or another one."""
        scale, zero_point = parameters_of(self.output)
        number = self.activation if activation is None else activation
        return activation_range(self.output.type, float(scale), zero_point, number)

    def fixed_point(
        self,
        offsets: Mapping[str, int],
        reals: Mapping[str, ArrayLike],
        range: tuple[int, int] | None,
        left_shift: int = 0,
        constants: Mapping[str, int] | None = None,
    ) -> Requantization:
        """Return the requantization with the multipliers of some real numbers."""
        multipliers = {}
        for name, real in reals.items():
            values = np.asarray(real, np.float64).reshape(-1)
            multipliers[name] = Multiplier(values, *quantize_multiplier(values))
        return Requantization(
            self.name, self.runtime.value, Arithmetic.FIXED_POINT, offsets, multipliers,
            left_shift, range, constants or {},
        )  # fmt: skip

    def without_multipliers(
        self,
        arithmetic: Arithmetic,
        offsets: Mapping[str, int] | None = None,
        range: tuple[int, int] | None = None,
        constants: Mapping[str, int] | None = None,
    ) -> Requantization:
        """Return the requantization of a kernel that multiplies by no fixed-point number."""
        return Requantization(
            self.name, self.runtime.value, arithmetic, offsets or {}, {}, 0, range, constants or {}
        )

    def refused(self, reason: str) -> UnsupportedError:
        """Return the error for what the runtime's kernel does not take."""
        return UnsupportedError(f"{self.runtime.title}'s {self.name} {reason}")

    def must_be_below_one(self, requantization: Requantization, *names: str) -> Requantization:
        """Return the requantization if its multipliers are what a kernel takes that checks them.

        Source: tensorflow/tflite-micro, tensorflow/lite/kernels/internal/quantization_util.cc,
        QuantizeMultiplierSmallerThanOneExp, and the same in google-ai-edge/LiteRT: other numbers
        end the process.
        """
        for name in names:
            multiplier = requantization.multipliers[name]
            real = float(multiplier.real[0])
            if not 0 < real < 1 or multiplier.shift[0] > 0:
                raise self.refused(f"takes no '{name}' multiplier of {real}, only between 0 and 1")
        return requantization


def parameters_of(
    tensor: Tensor, types: tuple[TensorType, ...] = KERNEL_TYPES
) -> tuple[np.float32, int]:
    """Return the scale and the zero point of a tensor that has one of each.

    Raises
    ------
    QuantizationError
        The type is none of these, or there is not one scale that is positive and finite.
    """
    quantization = tensor.quantization
    label = f"tensor {tensor.index} {tensor.name!r}"
    if tensor.type not in types or not isinstance(quantization, PerTensor):
        *others, last = (type.name for type in types)
        raise QuantizationError(
            f"{label} has type {tensor.type.name} and scheme {quantization.scheme}; "
            f"expected {', '.join(others)} or {last} with one scale"
        )
    if not 0 < quantization.scale < math.inf:
        raise QuantizationError(
            f"{label} has scale {quantization.scale}; it must be positive and finite"
        )
    return np.float32(quantization.scale), quantization.zero_point
