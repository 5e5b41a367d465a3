"""Finds the rule that applies to an operator."""

from __future__ import annotations

from collections.abc import Iterator

from ..format.schema import TensorType
from ..model.operator import Operator
from .rule import Domain, Operand, Role, Rule
from .rules import RULES

_ON_FLOATS = (Domain.HYBRID, Domain.FLOAT16)


def domain_of(operator: Operator) -> Domain | None:
    """Return what an operator computes on, as the rules divide it; None if it has no rule.

    The types of its first activation and of its weights decide. If they fit no rule together, the
    rule is taken that fits most of its activations, so that the others are found to be wrong.
    """
    best, most = None, 0
    for domain, rules in RULES.items():
        rule = rules.get(operator.code.name)
        if rule is None:
            continue
        fits, matches = _match(operator, rule, domain)
        if fits:
            return domain
        if matches > most:
            best, most = domain, matches
    return best


def _match(operator: Operator, rule: Rule, domain: Domain) -> tuple[bool, int]:
    """Tell whether the types fit a rule, and how many activations have the type of the rule."""
    activations: list[bool] = []
    are_weights_right, are_floats, leading = True, True, None
    for operand, type in _types(operator, rule):
        if operand.role is Role.WEIGHT:
            are_weights_right &= type in operand.types
            are_floats &= type is TensorType.FLOAT32
        elif operand.role is Role.ACTIVATION and not operand.is_state:
            is_right = type is operand.types[0]
            activations.append(is_right)
            # For a QUANTIZE from float, the output decides.
            if leading is None and not (rule.forms and type is TensorType.FLOAT32):
                leading = is_right
    if domain in _ON_FLOATS and (are_floats if domain is Domain.HYBRID else not leading):
        # Operators on floats alone have no rule.
        return False, 0
    if leading and are_weights_right:
        return True, 0
    if rule.forms and not leading:
        return False, 0
    return False, 2 * sum(activations) + bool(leading)


def _types(operator: Operator, rule: Rule) -> Iterator[tuple[Operand, TensorType]]:
    for tensors, at in ((operator.inputs, rule.input), (operator.outputs, rule.output)):
        for index, tensor in enumerate(tensors):
            if tensor is not None and (operand := at(index)) is not None:
                yield operand, tensor.type
