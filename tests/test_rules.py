"""The library's rules say what LiteRT's sources say, which tests/data has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import tflite

from conftest import ROOT
from tflite_quant.checks.rule import (
    Agreement,
    Domain,
    Each,
    Form,
    Granularity,
    Operand,
    Operands,
    Product,
    Role,
    Rule,
)
from tflite_quant.checks.rules import RULES
from tflite_quant.format.schema import TensorType

FACTS = json.loads((ROOT / "tests/data/quantization_rules.json").read_text(encoding="utf-8"))

SAME = {
    None: Agreement.NONE,
    "not checked": Agreement.SPECIFIED,
    "checked in debug builds": Agreement.IN_DEBUG,
    "checked": Agreement.CHECKED,
}


SPECIFIED = [domain for domain in Domain if domain.is_specified]


def types(names: list[str]) -> tuple[TensorType, ...]:
    return tuple(TensorType[name.upper()] for name in names)


def product(fact: dict[str, Any]) -> Product:
    return Product(
        tuple(fact["inputs"]), tuple(fact.get("intermediates", ())), fact.get("factor", 1.0)
    )


READ: dict[str, Callable[[Any], Any]] = {
    "role": Role,
    "types": types,
    "range": tuple,
    "granularity": Granularity,
    "zero_point": tuple,
    "scale": lambda pair: Fraction(*pair),
    "product": product,
    "normalized": product,
    "checks": frozenset,
}
"""How facts become what an Operand holds, where JSON has no such values."""


def operand(name: str | None, checks: list[str]) -> Operand | None:
    if name is None:
        return None
    facts = {**FACTS["tensors"][name], "checks": checks}
    return Operand(**{key: READ.get(key, lambda it: it)(value) for key, value in facts.items()})


def operands(names: Any, checks: dict[str, list[str]], field: str) -> Operands:
    if isinstance(names, dict):
        found = operand(names["each"], checks.get(f"{field} 0", []))
        assert found is not None
        return Each(found)
    return tuple(operand(one, checks.get(f"{field} {i}", [])) for i, one in enumerate(names))


def form(fact: dict[str, Any]) -> Form:
    (read,) = types([fact["input"]])
    return Form(read, types(fact["outputs"]), Granularity(fact["granularity"]))


def rule(fact: dict[str, Any]) -> Rule:
    checks = fact.get("checks", {})
    return Rule(
        operands(fact["inputs"], checks, "input"),
        operands(fact["outputs"], checks, "output"),
        SAME[fact.get("same")],
        fact.get("has_kernel", True),
        tuple(map(form, fact.get("forms", []))),
    )


@pytest.mark.parametrize("domain", SPECIFIED)
def test_the_operators(domain: Domain) -> None:
    assert RULES[domain].keys() == FACTS[domain.value].keys()


@pytest.mark.parametrize(("domain", "name"), [(d, n) for d in SPECIFIED for n in FACTS[d.value]])
def test_a_rule(domain: Domain, name: str) -> None:
    assert RULES[domain][name] == rule(FACTS[domain.value][name])


def test_what_the_page_about_disagreements_names() -> None:
    """Real operators only, and all that have a rule but no kernel."""
    text = (ROOT / "docs/disagreements.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", text)) - {"INT8", "INT16"}
    assert named <= vars(tflite.BuiltinOperator).keys()
    assert {n for d in Domain for n, rule in RULES[d].items() if not rule.has_kernel} <= named
