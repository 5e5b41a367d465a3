"""Checks what kernels require beyond parameters and types: inputs, ranks, options, ratios."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..format.schema import TensorType
from ..model.operands import operand_at
from ..model.operator import Operator
from ..model.tensor import Tensor
from .findings import Finding, counted
from .kernel_requirements import ACTIVATIONS, REQUIREMENTS, Requirements
from .kinds import Severity
from .rule import Domain
from .tensors import finding, parameters_of, refused_by_litert

_ON_MICROCONTROLLERS = {Domain.INT8, Domain.INT16X8, Domain.INT8X4}
"""What TensorFlow Lite Micro computes on."""

_IGNORED = "A kernel that does not refuse the model ignores the activation."
_DIMENSIONS = "A kernel that does not refuse the model takes dimensions for others."

_ALL_INPUTS = {"CONCATENATION", "PACK"}
"""Operators of any number of inputs, none of which may be left out."""

_READ_ABSENT = {"DEPTHWISE_CONV_2D"}
"""Operators that TensorFlow Lite Micro runs without a bias, but not with one numbered -1."""

_BIASES = {"CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}
"""Operators with an option for the type of their bias, and its index."""

_AS_INT64 = "LiteRT reads a bias of INT32 as one of INT64, unless the option says otherwise."

_INTEGER_ZERO = {"SCATTER_ND": 1, "WHERE": 0}
"""Operators that take the integer 0 for zero, and the index of the input that it is about."""


_ByLiteRT = tuple[Severity, str] | None
"""Severity and effect of what only LiteRT refuses; None if it is no target."""


def condition_findings(
    operator: Operator, domain: Domain, targets: Sequence[str]
) -> Iterator[Finding]:
    """Find what an operator does not meet of what its kernels require.

    Parameters
    ----------
    operator : Operator
    domain : Domain
        What it computes on.
    targets : sequence of str
        The runtimes that the model is for.
    """
    by_litert: _ByLiteRT = Severity.ERROR, "LiteRT refuses the model."
    if domain in _ON_MICROCONTROLLERS:
        by_litert = refused_by_litert(targets, "runs it")
    required = REQUIREMENTS.get(operator.code.name, Requirements())
    yield from _inputs(operator, required, by_litert)
    yield from _ranks(operator, required)
    # On floats this one kernel knows all activations.
    if domain is not Domain.HYBRID or operator.code.name != "FULLY_CONNECTED":
        yield from _activation(operator, required)
    if domain in (Domain.INT16X8, Domain.INT16X4):
        yield from _bias_type(operator, domain, by_litert)
    if operator.code.name == "RESHAPE" and (refused := refused_by_litert(targets, "runs it")):
        yield from _new_shape(operator, refused)
    yield from _of_single_operators(operator)


def _unmet(
    operator: Operator,
    tensor: Tensor | None,
    found: str,
    expected: str,
    severity: Severity = Severity.ERROR,
    effect: str | None = None,
) -> Finding:
    return finding("TQ212", severity, tensor, found, expected, effect, operator)


def _inputs(operator: Operator, required: Requirements, by_litert: _ByLiteRT) -> Iterator[Finding]:
    count = max(required.inputs, required.litert_inputs)
    if operator.code.name in _ALL_INPUTS:
        count = max(count, len(operator.inputs))
    for index in range(count):
        if operand_at(operator.inputs, index) is not None:
            continue
        is_named = index < len(operator.inputs)
        severity, effect = Severity.ERROR, None
        is_optional = required.inputs <= index < required.litert_inputs
        if is_optional and not (is_named and operator.code.name in _READ_ABSENT):
            if by_litert is None:
                return
            severity, effect = by_litert
        expected = f"{counted(count, 'input')} that must be there"
        yield _unmet(operator, None, f"no input {index}", expected, severity, effect)
        return


def _new_shape(operator: Operator, refused: tuple[Severity, str]) -> Iterator[Finding]:
    """Check that an input or an option of RESHAPE says the new shape."""
    shape = operand_at(operator.inputs, 1)
    if shape is None and not len(operator.options.get("new_shape", ())):  # type: ignore[arg-type]
        yield _unmet(operator, None, "no new shape", "an input or option", *refused)


def _ranks(operator: Operator, required: Requirements) -> Iterator[Finding]:
    for index, rank in required.ranks.items():
        tensor = operand_at(operator.inputs, index)
        # Where the converter does not know the rank, it leaves the shape empty.
        if tensor is not None and len(tensor.shape) not in (0, rank):
            found = f"input {index} of rank {len(tensor.shape)}"
            yield _unmet(operator, tensor, found, f"rank {rank}", effect=_DIMENSIONS)


def _option(operator: Operator, name: str) -> int:
    number = operator.options.get(name, 0)
    return number if isinstance(number, int) else 0


def _activation(operator: Operator, required: Requirements) -> Iterator[Finding]:
    number = _option(operator, "fused_activation_function")
    if required.activations and number not in required.activations:
        known = [ACTIVATIONS[each] for each in required.activations]
        name = ACTIVATIONS[number] if number in range(len(ACTIVATIONS)) else "of an unknown kind"
        found = f"fused activation {number} ({name})"
        yield _unmet(operator, None, found, " or ".join(known), effect=_IGNORED)


def _bias_type(operator: Operator, domain: Domain, by_litert: _ByLiteRT) -> Iterator[Finding]:
    """Check the option that names the type of the bias; 0, FLOAT32, is where there is none."""
    position = _BIASES.get(operator.code.name)
    if position is None:
        return
    number = _option(operator, "quantized_bias_type")
    bias = operand_at(operator.inputs, position)
    types = (TensorType.INT32, TensorType.INT64) if bias is None else (bias.type,)
    expected = " or ".join(type.name for type in types)
    if number and number not in types:
        if by_litert is not None:
            found = f"option quantized_bias_type {TensorType(number).name}"
            yield _unmet(operator, bias, found, expected, *by_litert)
    elif bias is not None and bias.type is TensorType.INT32 and not number:
        # LiteRT's default kernel of one reads it as it is, TensorFlow Lite Micro's of the other.
        is_read = operator.code.name == "FULLY_CONNECTED" or (
            operator.code.name == "CONV_2D" and domain in _ON_MICROCONTROLLERS
        )
        severity = Severity.WARNING if is_read else Severity.ERROR
        found = "no option quantized_bias_type"
        yield _unmet(operator, bias, found, expected, severity, _AS_INT64)


def _of_single_operators(operator: Operator) -> Iterator[Finding]:
    name = operator.code.name
    if name == "HARD_SWISH":
        yield from _ratio(operator)
    if name == "SVDF":
        activation = _option(operator, "fused_activation_function")
        if activation != 1:
            found = f"fused activation {activation}"
            yield _unmet(operator, None, found, "fused activation 1 (RELU)")
    if name in _INTEGER_ZERO:
        tensor = operand_at(operator.inputs, _INTEGER_ZERO[name])
        zeros = () if tensor is None else parameters_of(tensor).zero_points
        if any(zeros):
            found, effect = f"zero point {zeros[0]}", "The kernel takes the integer 0 for zero."
            yield _unmet(operator, tensor, found, "0", effect=effect)


def _ratio(operator: Operator) -> Iterator[Finding]:
    read, written = operand_at(operator.inputs, 0), operand_at(operator.outputs, 0)
    if read is None or written is None:
        return
    one, other = parameters_of(read), parameters_of(written)
    if one.scale_count == other.scale_count == 1:
        ratio = one.lowest / 128 / (other.lowest or math.nan)
        if ratio >= 1:
            found = f"an input scale {128 * ratio:.6g} times the output scale"
            yield _unmet(operator, read, found, "less than 128 times")
