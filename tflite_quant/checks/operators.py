"""Checks each operator against its rule in the quantization specification."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.budget import Budget
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.compressed import places_of
from ..model.model import Model
from ..model.operator import Operator
from ..model.tensor import Tensor
from ..summary.float_operators import CALLS, CONVERSIONS
from .biases import (
    Bias,
    Output,
    Sum,
    is_summed_in_32_bits,
    output_of,
    scale_findings,
    sum_findings,
    value_findings,
)
from .conditions import condition_findings
from .domains import domain_of
from .findings import Finding
from .kernel_requirements import REQUIREMENTS
from .kinds import Severity
from .rule import Agreement, Domain, Each, Granularity, Operand, Product, Role, Rule
from .rules import RULES
from .tensors import Parameters, finding, listed, parameters_of, refused_by_litert
from .weights import Values, constant_of, weight_findings

_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR

_ACCEPTED = "A kernel takes this type, though the converter does not write it."
_READS_ONE = "A kernel takes this type, but reads one scale where the file has several."
_IGNORED = "Kernels with the prescribed zero point built in ignore the one in the file."
_HONOURED = "LiteRT and TensorFlow Lite Micro compute with this one; other runtimes may not."

_NOT_COMPUTING = CONVERSIONS | CALLS | {"CUSTOM"}

_COMPUTED = {TensorType.INT8, TensorType.INT16, TensorType.UINT8}
"""Types of activations that operators compute on."""

_RESCALING = {"SUM"}
"""Operators whose inputs and outputs should agree, though the kernel rescales."""

_WITHOUT_SCALES = {"SHAPE", "WHERE"}
"""Operators whose result is the same whatever the scales are."""

_RESCALED = "LiteRT and TensorFlow Lite Micro rescale; other runtimes may not."
_UNSCALED = (
    "The kernel moves integers, whatever the scales; other programs cannot compute the real values."
)
_SMALL = "The kernel does not rescale; real values are less than half a step off."
_SAME_RESULT = "The result is the same whatever the scales are."

_ONE_SCALE = "This is correct, but channels of small weights lose more precision than need be."


class _Use(NamedTuple):
    """A tensor as an operator uses it."""

    field: str  # "input" or "output"
    position: int  # among the inputs or outputs
    operand: Operand
    tensor: Tensor
    parameters: Parameters

    def differs(self, other: _Use, tolerance: float = 0) -> bool:
        """Tell whether two tensors are quantized differently."""
        one, another = self.parameters.scheme, other.parameters.scheme
        if one == another:
            return False
        scales, others = one.scales.astype(np.float64), another.scales.astype(np.float64)
        zeros, other_zeros = one.zero_points, another.zero_points
        if scales.size != others.size or zeros.size != other_zeros.size:
            return True
        if self.tensor.type is other.tensor.type and (zeros != other_zeros).any():
            return True
        with np.errstate(invalid="ignore"):
            return bool((np.abs(scales - others) > tolerance * np.abs(others)).any())


@dataclass
class _Case:
    """An operator, its rule, and the tensors that the rule is about."""

    operator: Operator
    rule: Rule
    domain: Domain
    uses: list[_Use]
    seen: set[object]
    """The constants that have been checked: many operators may share one."""
    values: Values
    budget: Budget
    targets: Sequence[str]

    def find(
        self,
        id: str,
        severity: Severity | None,
        use: _Use | None,
        found: str,
        expected: str,
        effect: str | None = None,
    ) -> Finding:
        """Return a finding about the operator, or about a tensor that it uses."""
        tensor = None if use is None else use.tensor
        return finding(id, severity, tensor, found, expected, effect, self.operator)

    def input(self, index: int) -> _Use | None:
        """Return one input, if it is there and has a rule."""
        return next((u for u in self.uses if u.position == index and u.field == "input"), None)

    @cached_property
    def output(self) -> _Use | None:
        """The first output that has a rule."""
        return next((use for use in self.uses if use.field == "output"), None)

    @cached_property
    def rescales(self) -> bool:
        """Whether the operator computes with scales, and does not just move or count values."""
        written = [use.operand for use in self.uses if use.field == "output"]
        return self.rule.same is Agreement.NONE and any(
            one.role is Role.ACTIVATION or one.types[0] in (TensorType.BOOL, TensorType.FLOAT32)
            for one in written
        )


def operator_findings(
    model: Model,
    parameters: Mapping[Tensor, Parameters],
    targets: Sequence[str],
    decoding: Budget,
) -> Iterator[Finding]:
    """Find where the operators of a model differ from the specification.

    Parameters
    ----------
    model : Model
    parameters : mapping of Tensor to Parameters
    targets : sequence of str
        The runtimes that the model is for.
    decoding : Budget
        For the values of compressed weights.
    """
    seen, values = set[object](), Values(decoding)
    budget = model.structure.file.afresh().budget
    for operator in (operator for graph in model.subgraphs for operator in graph.operators):
        case = _case_of(operator, parameters, seen, values, budget, targets)
        if case is None:
            yield from _unspecified(operator, parameters)
        else:
            yield from _checked(case)


def _case_of(
    operator: Operator,
    parameters: Mapping[Tensor, Parameters],
    seen: set[object],
    values: Values,
    budget: Budget,
    targets: Sequence[str],
) -> _Case | None:
    """Return an operator with its rule; None if it has none."""
    domain = domain_of(operator)
    if domain is None:
        return None
    rule = RULES[domain][operator.code.name]
    uses = _uses(operator, rule, parameters)
    return _Case(operator, rule, domain, uses, seen, values, budget, targets)


def _uses(operator: Operator, rule: Rule, parameters: Mapping[Tensor, Parameters]) -> list[_Use]:
    return [
        _Use(field, index, operand, tensor, parameters[tensor])
        for field, tensors, at in (
            ("input", operator.inputs, rule.input),
            ("output", operator.outputs, rule.output),
        )
        for index, tensor in enumerate(tensors)
        if tensor is not None and (operand := at(index)) is not None
    ]


def _unspecified(operator: Operator, parameters: Mapping[Tensor, Parameters]) -> Iterator[Finding]:
    """Find an operator that has no rule, but reads or writes int8 or int16 activations."""
    if operator.code.name in _NOT_COMPUTING:
        return
    for tensor in (*operator.inputs, *operator.outputs):
        if tensor is None or constant_of(tensor) is not None:
            continue
        if tensor.type in _COMPUTED and parameters[tensor].scale_count:
            known = any(operator.code.name in RULES[each] for each in RULES if each.is_specified)
            scales = listed("scale", parameters[tensor].scheme.scales)
            found = f"an {tensor.type.name} activation with {scales}"
            expected = f"{'a type' if known else 'an operator'} that the specification lists"
            yield finding("TQ210", None, tensor, found, expected, None, operator)
            return


def _checked(case: _Case) -> Iterator[Finding]:
    """Check one operator against its rule."""
    for use in case.uses:
        if use.tensor.type not in _types(case, use):
            yield _wrong_type(case, use)
        elif use.operand.role is not Role.OTHER and use.parameters.is_plain:
            yield from _parameters(case, use)
    yield from _sums(case)
    yield from _agreement(case)
    yield from condition_findings(case.operator, case.domain, case.targets)


def _types(case: _Case, use: _Use) -> tuple[TensorType, ...]:
    """Return the types that a tensor may have; its own if none are specified."""
    if not use.operand.types:
        return (use.tensor.type,)
    forms = case.rule.forms
    read = case.input(0) if forms else None
    if read is None:
        return use.operand.types
    if use.field == "input":
        return (*(form.input for form in forms), TensorType.UINT8)
    # A model with unsigned 8-bit inputs and outputs converts them with a QUANTIZE.
    types = [type for form in forms if form.input is read.tensor.type for type in form.outputs]
    return (*types,) if read.tensor.type is TensorType.INT16 else (*types, TensorType.UINT8)


def _wrong_type(case: _Case, use: _Use) -> Finding:
    expected = " or ".join(type.name for type in _types(case, use))
    # FULLY_CONNECTED accepts an int64 bias, but reads it as int32.
    key = (case.domain, use.field, use.position)
    required = REQUIREMENTS.get(case.operator.code.name)
    accepted = () if required is None else required.accepts.get(key, ())
    severity, effect = _ERROR, None
    if use.tensor.type in accepted:
        severity, effect = _NOTE, _ACCEPTED
        if use.operand.granularity is Granularity.PER_TENSOR and use.parameters.scale_count > 1:
            severity, effect = _WARNING, _READS_ONE
    id = "TQ208" if use.operand.role is Role.BIAS else "TQ201"
    where = f"{use.field} {use.position} of type {use.tensor.type.name}"
    return case.find(id, severity, use, where, expected, effect)


def _parameters(case: _Case, use: _Use) -> Iterator[Finding]:
    if not use.parameters.scale_count:
        yield from _unscaled(case, use)
        return
    yield from _granularity(case, use)
    yield from _zero_points(case, use)
    yield from _scale(case, use)
    if use.operand.role is Role.BIAS:
        yield from _bias_scale(case, use)
    yield from _values(case, use)


def _unscaled(case: _Case, use: _Use) -> Iterator[Finding]:
    if use.operand.role is Role.BIAS:
        yield from _bias_scale(case, use)
    elif use.operand.as_output and "scale" in use.operand.checks and case.output is not None:
        expected = f"{_both(case.output)}, as the output has"
        yield case.find("TQ206", _ERROR, use, "no scale", expected)
    elif case.rescales and use.tensor.type in INTEGER_RANGES:
        found = f"{use.field} {use.position} of type {use.tensor.type.name} without a scale"
        yield case.find("TQ101", None, use, found, "a scale and a zero point")


def _granularity(case: _Case, use: _Use) -> Iterator[Finding]:
    operand, axis, shape = use.operand, use.parameters.axis, use.tensor.shape
    count, granularity = use.parameters.scale_count, _granularity_of(case, use)
    if granularity is Granularity.PER_TENSOR and count > 1:
        severity, effect = _WARNING, None
        if case.operator.code.name in _WITHOUT_SCALES:
            severity, effect = _NOTE, _SAME_RESULT
        elif case.rescales and operand.role is not Role.BIAS:
            severity = _ERROR
        yield case.find("TQ202", severity, use, f"{count} scales", "one scale", effect)
    if operand.role is not Role.WEIGHT or operand.axis is None:
        return
    channels = shape[operand.axis] if operand.axis < len(shape) else 0
    if count > 1 and axis != operand.axis:
        found = f"{count} scales along axis {axis}"
        yield case.find("TQ203", None, use, found, f"axis {operand.axis}")
    elif count == 1 < channels and granularity is Granularity.PER_AXIS:
        severity, effect = _NOTE, _ONE_SCALE
        if "several" in operand.checks:
            severity, effect = _ERROR, "LiteRT refuses the model."
        yield case.find("TQ202", severity, use, "one scale", f"{channels} scales", effect)


def _granularity_of(case: _Case, use: _Use) -> Granularity | None:
    """Return the specified granularity; for the output of a QUANTIZE, that of its form."""
    read = case.input(0) if case.rule.forms and use.field == "output" else None
    if read is not None:
        for form in case.rule.forms:
            if form.input is read.tensor.type:
                return form.granularity
    return use.operand.granularity


def _zero_points(case: _Case, use: _Use) -> Iterator[Finding]:
    operand = use.operand
    if operand.zero_point is None or use.tensor.type not in operand.types:
        # Of QUANTIZE's other types the specification says nothing.
        return
    low, high = operand.zero_point
    is_checked = "zero_point" in operand.checks or _is_int16_to_int16(case)
    # That of a padding is compared with the output's, which need not be 0.
    is_checked = is_checked and not operand.as_output
    if (low, high) == INTEGER_RANGES[use.tensor.type] and not is_checked:
        # The check of the tensor reports what is outside the range of its type.
        return
    outside = use.parameters.outside(low, high)
    if outside.size:
        severity: Severity = _WARNING
        effect: str | None = _IGNORED
        if is_checked or _takes_zero(case, use):
            severity, effect = _ERROR, None
        elif _is_honoured(case, use):
            severity, effect = _NOTE, _HONOURED
        expected = str(low) if low == high else f"{low} to {high}"
        if is_checked and _is_shifted(case, use):
            refused = refused_by_litert(case.targets, "computes with the zero point")
            if refused is None:
                return
            severity, effect = refused
        yield case.find("TQ204", severity, use, listed("zero point", outside), expected, effect)


def _is_honoured(case: _Case, use: _Use) -> bool:
    """Tell whether all runtimes compute with the zero point of an int16 activation.

    The converter writes none but 0, but kernels that only move values, or convert them, read it.
    TensorFlow Lite Micro pads with 0, and LiteRT's GELU takes its zero points for 0.
    """
    is_moved = case.domain is Domain.INT16X8 and use.operand.role is Role.ACTIVATION
    return is_moved and use.operand.scale is None and case.operator.code.name not in ("GELU", "PAD")


def _is_shifted(case: _Case, use: _Use) -> bool:
    """Tell whether TensorFlow Lite Micro computes with a zero point that LiteRT refuses."""
    required = REQUIREMENTS.get(case.operator.code.name)
    is_int16 = case.domain is Domain.INT16X8 and use.operand.role is Role.ACTIVATION
    return is_int16 and required is not None and required.micro_shifts


def _is_int16_to_int16(case: _Case) -> bool:
    """Tell whether it is the only form of QUANTIZE whose zero points the kernel checks."""
    return bool(case.rule.forms) and all(use.tensor.type is TensorType.INT16 for use in case.uses)


def _takes_zero(case: _Case, use: _Use) -> bool:
    """Tell whether the kernel assumes a zero point of 0 and does not read the one in the file.

    Only FULLY_CONNECTED subtracts the zero point of its weights, and only if they have one scale.
    """
    if use.operand.role is Role.WEIGHT:
        return case.operator.code.name != "FULLY_CONNECTED" or use.parameters.scale_count > 1
    return use.operand.role is Role.BIAS


def _scale(case: _Case, use: _Use) -> Iterator[Finding]:
    """Check a scale that the operator prescribes, or that must be that of the output."""
    operand = use.operand
    severity = _ERROR if "scale" in operand.checks else _WARNING
    if operand.scale is not None:
        scale, wanted = use.parameters.first, float(operand.scale)
        if not abs(scale - wanted) <= operand.tolerance * wanted:
            expected = f"scale {operand.scale}"
            yield case.find("TQ205", severity, use, f"scale {_shown(scale)}", expected)
    if operand.is_power_of_two and use.tensor.type in operand.types:
        yield from _cell_scale(case, use, use.parameters.first)
    if operand.as_output and case.output is not None and use.differs(case.output):
        expected = f"{_both(case.output)}, as the output has"
        yield case.find("TQ206", severity, use, _both(use), expected)


def _cell_scale(case: _Case, use: _Use, scale: float) -> Iterator[Finding]:
    """Check that the scale of an LSTM's cell state is a power of two.

    Source: google-ai-edge/LiteRT, tflite/kernels/internal/quantization_util.cc, CheckedLog2.
    """
    is_lstm = case.operator.code.name == "LSTM"
    exponent = math.log2(scale) if scale > 0 and math.isfinite(scale) else math.inf
    nearest = round(exponent) if math.isfinite(exponent) else 0
    if abs(exponent - nearest) < 1e-3 and not (is_lstm and nearest > -9):
        return
    expected = "a power of two" + (" of at most 2^-9" if is_lstm else "")
    # Both kernels ignore the result of their own check.
    unset = "The kernel stops reading parameters at this point, and computes with the rest unset."
    found = f"a cell state with scale {_shown(scale)}"
    yield case.find("TQ212", None, use, found, expected, unset)


def _bias_scale(case: _Case, use: _Use) -> Iterator[Finding]:
    """Check that the scales of a bias are the product that they should be."""
    # Operators may share scales and biases, and each comparison makes arrays of them.
    scales = max(one.parameters.scale_count for one in case.uses)
    case.budget.spend(8 * (2 * scales + (use.tensor.nbytes or 0)), "the biases of operators")
    operand, product = use.operand, _product_of(case, use.operand)
    is_compared = "scale" in operand.checks
    is_of_gate = operand.normalized is not None
    bias = Bias(
        case.operator, use.tensor, use.parameters, product, _output_of(case), is_compared,
        is_of_gate,
    )  # fmt: skip
    yield from scale_findings(bias, case.values)


def _output_of(case: _Case) -> Output:
    use = case.output
    return Output(math.nan, 0) if use is None else output_of(use.tensor, use.parameters)


def _product_of(case: _Case, operand: Operand) -> NDArray[np.float64] | None:
    """Return the scales that a bias should have; None if a factor is not known."""
    product: Product | None = operand.product
    if operand.normalized is not None and case.input(operand.normalized.inputs[0]) is not None:
        product = operand.normalized
    if product is None:
        return None
    result = np.array([product.factor])
    for index in product.inputs:
        use_of_factor = case.input(index)
        if use_of_factor is None or not use_of_factor.parameters.are_finite:
            return None
        scales = use_of_factor.parameters.scheme.scales
        if 1 not in (scales.size, result.size):
            return None
        result = result * scales.astype(np.float64)
    for index in product.intermediates:
        inside = case.operator.intermediates
        tensor = inside[index] if index < len(inside) else None
        parameters = None if tensor is None else parameters_of(tensor)
        if parameters is None or parameters.scale_count != 1 or not parameters.are_finite:
            return None
        result = result * parameters.lowest
    return result


def _values(case: _Case, use: _Use) -> Iterator[Finding]:
    """Check the values of constant weights and biases, once."""
    if constant_of(use.tensor) is None:
        return
    is_symmetric = use.operand.zero_point == (0, 0)
    if (
        use.operand.role is Role.WEIGHT
        and is_symmetric
        and _is_new(case, use.tensor, use.parameters.axis)
    ):
        is_wide = case.domain is Domain.INT16X8
        yield from weight_findings(
            case.operator, use.operand, use.tensor, use.parameters, is_wide, case.values
        )
    if use.operand.role is Role.BIAS and _is_new(case, use.tensor, use.tensor.type):
        yield from value_findings(case.operator, use.tensor, case.values)


def _sums(case: _Case) -> Iterator[Finding]:
    """Check the sums of products and bias, once for the same weights and bias."""
    weights, read, bias = (
        next((u for u in case.uses if u.operand.role is role), None)
        for role in (Role.WEIGHT, Role.ACTIVATION, Role.BIAS)
    )
    axis = None if weights is None else weights.operand.axis
    if weights is None or read is None or axis is None:
        return
    if read.tensor.type not in (TensorType.INT8, TensorType.INT16):
        return
    if bias is not None and bias.tensor.type not in bias.operand.types:
        return
    if not is_summed_in_32_bits(case.operator, read.tensor.type, bias and bias.tensor.type):
        return
    place = None if bias is None else _place(bias.tensor)
    zeros, ends = read.parameters.scheme.zero_points, INTEGER_RANGES[read.tensor.type]
    if zeros.size == 1 and _is_new(case, weights.tensor, (place, int(zeros[0]))):
        cost = 16 if weights.tensor.is_sparse else 4
        case.budget.spend(cost * (weights.tensor.nbytes or 0), "the sums of operators")
        low, high = (end - int(zeros[0]) for end in ends)
        operands = () if isinstance(case.rule.inputs, Each) else case.rule.inputs
        operand = next((one for one in operands if one and one.role is Role.BIAS), None)
        product = None if operand is None else _product_of(case, operand)
        tensor = None if bias is None else bias.tensor
        sums = Sum(
            case.operator, weights.tensor, axis, tensor, low, high, product,
            _output_of(case),
        )  # fmt: skip
        yield from sum_findings(sums, case.values)


def _is_new(case: _Case, tensor: Tensor, view: object) -> bool:
    """Tell whether a constant has not been checked in this way, and mark it as checked."""
    key = (_place(tensor), view)
    is_new = key not in case.seen
    case.seen.add(key)
    return is_new


def _place(tensor: Tensor) -> object:
    """Return where the values of a tensor are, as a key."""
    return places_of(constant_of(tensor) or tensor)


def _agreement(case: _Case) -> Iterator[Finding]:
    """Check that activations agree with the first output, or with the input if outputs are many."""
    if case.rule.same is Agreement.NONE:
        return
    moved = [u for u in case.uses if u.operand.role is Role.ACTIVATION and u.parameters.is_plain]
    moved = [use for use in moved if not use.operand.as_output]
    field = "input" if isinstance(case.rule.outputs, Each) else "output"
    first = next((use for use in moved if use.field == field), None)
    if first is None:
        return
    is_checked = case.rule.same is Agreement.CHECKED
    for use in moved:
        if use.field != field and use.differs(first, 0.0 if is_checked else 1e-6):
            severity, effect = _of_disagreement(case, use, first)
            found = f"{use.field} {use.position} with {_both(use)}"
            expected = f"{_both(first)}, as {field} {first.position} has"
            yield case.find("TQ206", severity, use, found, expected, effect)


def _of_disagreement(case: _Case, use: _Use, first: _Use) -> tuple[Severity, str | None]:
    """Return severity and effect of parameters that should be the same."""
    if case.rule.same is Agreement.CHECKED:
        return _ERROR, None
    counts = use.parameters.scale_count, first.parameters.scale_count
    if case.operator.code.name in _RESCALING and counts == (1, 1):
        return _NOTE, _RESCALED
    if 0 in counts:
        return _NOTE, _UNSCALED
    is_visible = _is_visible(use, first)
    if is_visible is None:
        return _WARNING, None
    return (_ERROR, None) if is_visible else (_NOTE, _SMALL)


def _is_visible(use: _Use, other: _Use) -> bool | None:
    """Tell whether an integer means values half a step apart, as one tensor has it and another.

    The difference is linear in the integer, and so largest at an end of its range. None if it is
    not known which zero point belongs to which scale, or what the integers are.
    """
    one, another = use.parameters.scheme, other.parameters.scheme
    if use.tensor.type not in INTEGER_RANGES:
        return None
    if any(
        not s.scales.size or s.zero_points.size not in (1, s.scales.size) for s in (one, another)
    ):
        return None
    if 1 not in (one.scales.size, another.scales.size) and one.scales.size != another.scales.size:
        return True
    ends = np.array(INTEGER_RANGES[use.tensor.type], np.float64)[:, None]
    with np.errstate(invalid="ignore", over="ignore"):
        values, others = (
            (ends - scheme.zero_points.astype(np.float64)) * scheme.scales.astype(np.float64)
            for scheme in (one, another)
        )
        return not bool((np.abs(values - others) <= 0.5 * another.scales).all())


def _both(use: _Use) -> str:
    scheme = use.parameters.scheme
    if not scheme.scales.size:
        return "no scale"
    return f"{listed('scale', scheme.scales)} and {listed('zero point', scheme.zero_points)}"


def _shown(scale: float) -> str:
    """Return a scale in the fewest digits that a float32 needs."""
    return str(np.float32(scale))
