"""The specification in the library is the one in the reference, fact by fact."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from conftest import ROOT
from tflite_quant.checks.disagreements import DISAGREEMENTS, disagreements
from tflite_quant.checks.rules import RULES, Agreement, Domain, Each, Operand, Product, Role, Rule

REFERENCE = ROOT.parent / "shared" / "reference" / "quantization_rules.json"


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    if REFERENCE.exists():
        found: dict[str, Any] = json.loads(REFERENCE.read_text())
        return found
    if os.environ.get("CI") and REFERENCE.parents[1].exists():
        pytest.fail(f"no {REFERENCE.name}, though the folder that should have it is there")
    pytest.skip("the reference is not here")


def product(of: Product, axis: bool) -> str:
    parts = [f"input{index}.scale" for index in of.inputs]
    parts += [f"intermediate{index}.scale" for index in of.intermediates]
    if axis:
        parts[-1] += "[axis]"
    if of.factor != 1:
        assert of.factor == 2.0**-10
        parts.append("2^-10")
    return " * ".join(parts)


def derived(operand: Operand) -> Any:
    assert operand.product is not None
    plain = product(operand.product, operand.axis is not None)
    if operand.normalized is None:
        return plain
    return {"layer_norm": product(operand.normalized, False), "no_layer_norm": plain}


def name(types: tuple[Any, ...]) -> str | None:
    return types[0].name.lower() if types else None


def plain(index: int | str, operand: Operand, is_output: bool) -> dict[str, Any]:
    """Give an operand as the reference does."""
    data: dict[str, Any] = {
        "index": index,
        "role": operand.role.value,
        "dtype": name(operand.types),
        "range": list(operand.range) if operand.range else None,
        "granularity": operand.granularity.value if operand.granularity else None,
        "axis": operand.axis,
        "zero_point": list(operand.zero_point) if operand.zero_point else None,
    }
    others: list[dict[str, Any]] = [{"dtype": name((one,))} for one in operand.types[1:]]
    if operand.role is Role.BIAS:
        for one in others:
            one["range"] = [-(2**31), 2**31 - 1]
    if others:
        data["other_dtypes"] = others
    if operand.role is Role.OTHER:
        data["quantized"] = False
    elif is_output:
        scale = operand.scale
        data["fixed"] = scale and {"scale": float(scale), "zero_point": operand.zero_point[0]}  # type: ignore[index]
    if operand.loose:
        data["kernel_granularity"] = "either"
    if operand.product:
        data["derived_scale"] = derived(operand)
    if operand.variant:
        data["present_when"] = operand.variant
    if operand.is_state:
        data["state"] = True
    if operand.is_power_of_two:
        data["scale_rule"] = "power_of_two / 32768"
    if operand.as_output:
        data["shares_scale_zero_point_with"] = "output0"
    return data


def operands(found: Any, is_output: bool) -> list[dict[str, Any]]:
    if isinstance(found, Each):
        return [plain("...", found.operand, is_output)]
    return [plain(i, one, is_output) for i, one in enumerate(found) if one is not None]


def stripped(tensor: dict[str, Any]) -> dict[str, Any]:
    """Leave out of a tensor of the reference what a rule says in other words, or by its source."""
    tensor = {k: v for k, v in tensor.items() if k not in ("source", "bits")}
    if tensor.get("fixed"):
        tensor["fixed"] = {k: tensor["fixed"][k] for k in ("scale", "zero_point")}
    return tensor


@pytest.mark.parametrize("domain", Domain)
def test_operands(reference: dict[str, Any], domain: Domain) -> None:
    facts, rules = reference[domain.value], RULES[domain]
    assert rules.keys() == facts.keys()
    for operator, rule in rules.items():
        fact = facts[operator]
        for field in ("inputs", "outputs"):
            said = sorted(map(stripped, fact[field]), key=lambda one: str(one["index"]).zfill(3))
            assert operands(getattr(rule, field), field == "outputs") == said, operator


@pytest.mark.parametrize("domain", Domain)
def test_operators(reference: dict[str, Any], domain: Domain) -> None:
    for operator, rule in RULES[domain].items():
        fact = reference[domain.value][operator]
        assert rule.operator == operator
        assert rule.version == fact["table_version"], operator
        assert list(rule.sources) == fact["sources"], operator
        assert (rule.same is not Agreement.NONE) == fact["same_scale_zero_point"], operator
        assert list(rule.optional) == fact.get("optional_inputs", []), operator
        assert rule.has_kernel == fact.get("kernel_support", True), operator
        assert rule.constants_as_activations == fact.get("constant_inputs_as_activations", False)
        forms = [
            {
                "form": form.name,
                "input_dtype": name((form.input,)),
                "output_dtype": [name((one,)) for one in form.outputs],
                "output_granularity": form.granularity.value,
            }
            for form in rule.forms
        ]
        assert forms == fact.get("forms", []), operator
        inside = [
            {
                "index": index,
                "dtype": {one.variant: name((one.type,)), f"no_{one.variant}": "unused"},
                "zero_point": {one.variant: list(one.zero_point), f"no_{one.variant}": None},
            }
            for index, one in enumerate(rule.intermediates)
        ]
        assert inside == fact.get("intermediates", []), operator


# What each phrase of the reference says: of which operands, and which of their properties.
PHRASES = {
    "input.zero_point == 0": ("inputs", "zero_point"),
    "every input.zero_point == 0": ("inputs", "zero_point"),
    "input0.zero_point == 0": ("input 0", "zero_point"),
    "input1.zero_point == 0": ("input 1", "zero_point"),
    "output.zero_point == 0": ("outputs", "zero_point"),
    "output.zero_point == -128": ("outputs", "zero_point"),
    "output.zero_point == 127": ("outputs", "zero_point"),
    "every zero_point in [-128, 127]": ("all", "zero_point"),
    "output.scale == 1/128": ("outputs", "scale"),
    "output.scale == 1/256": ("outputs", "scale"),
    "output.scale == 16/256": ("outputs", "scale"),
    "output.scale == 1/32768": ("outputs", "scale"),
    "abs(output.scale - 1/256) <= 0.001/256": ("outputs", "scale"),
    "abs(output.scale - 1/32768) <= 0.001/32768": ("outputs", "scale"),
    "every filter.zero_point == 0": ("weight", "zero_point"),
    "filter scale count in {1, filter.dims[0]}": ("weight", "count"),
    "filter scale count in {1, filter.dims[3]}": ("weight", "count"),
    "filter.dtype == int8": ("weight", "type"),
    "bias.dtype == int32": ("bias", "type"),
    "bias.dtype == int64": ("bias", "type"),
    "bias.dtype in {int32, int64}": ("bias", "type"),
    "bias.zero_point == 0": ("bias", "zero_point"),
    "input2.scale == output.scale": ("input 2", "scale"),
    "input2.zero_point == output.zero_point": ("input 2", "zero_point"),
    "input0.dtype == bool": ("input 0", "type"),
    "if filter scale count > 1: quantized_dimension == 0 and count == filter.dims[0]": (
        "weight", "count axis",
    ),
    "if filter scale count == 1 and bias present: "
    "abs(input.scale * filter.scale - bias.scale) / output.scale <= 0.02": ("bias", "scale"),
    "input19.scale is a power of two, log2 <= -9": ("input 19", "scale"),
    "input19.scale is a power of two": ("input 19", "scale"),
}  # fmt: skip
SAME = {
    Agreement.IN_DEBUG: ("debug builds only: abs(input.scale - output.scale) <= 1e-6",),
    Agreement.CHECKED: (
        "input.scale == output.scale", "every input.scale == output.scale",
        "input.scale == every output.scale",
    ),
}  # fmt: skip
# What is said of a variant of a kernel, in other words, or with one of the above.
UNSAID = {
    "output.zero_point == -128 (fixed-point variant only)",
    "debug builds only: input.zero_point == output.zero_point",
    "input.zero_point == output.zero_point",
    "every input.zero_point == output.zero_point",
    "input.zero_point == every output.zero_point",
    "if int16 to int16: input.zero_point == 0",
    "if int16 to int16: output.zero_point == 0",
}


def checks(rule: Rule) -> set[tuple[str, str]]:
    """Give (place, property) for all that the kernel checks of an operator's operands."""
    found = set()
    for field in ("input", "output"):
        given = getattr(rule, f"{field}s")
        listed = (given.operand,) if isinstance(given, Each) else given
        for index, operand in enumerate(listed):
            if operand is not None:
                found |= {(f"{field} {index}", check) for check in operand.checks}
    return found


def said(rule: Rule, phrases: list[str]) -> set[tuple[str, str]]:
    """Give the same from the phrases of the reference."""
    found = set()
    for phrase in phrases:
        if phrase not in PHRASES:
            continue
        where, names = PHRASES[phrase]
        for field in ("input", "output"):
            given = getattr(rule, f"{field}s")
            listed = (given.operand,) if isinstance(given, Each) else given
            for index, operand in enumerate(listed):
                if operand is None:
                    continue
                place = f"{field} {index}"
                is_meant = where in (place, operand.role.value) or (
                    operand.role is Role.ACTIVATION and where in (f"{field}s", "all")
                )
                if is_meant:
                    found |= {(place, check) for check in names.split()}
    return found


@pytest.mark.parametrize("domain", Domain)
def test_kernel_checks(reference: dict[str, Any], domain: Domain) -> None:
    for operator, rule in RULES[domain].items():
        phrases = reference[domain.value][operator].get("kernel_checks", [])
        assert checks(rule) == said(rule, phrases), operator
        for agreement, words in SAME.items():
            assert (rule.same is agreement) == any(one in words for one in phrases), operator
        rest = (
            set(phrases) - PHRASES.keys() - UNSAID - {w for words in SAME.values() for w in words}
        )
        assert rest <= set(rule.also), operator


def test_disagreements(reference: dict[str, Any]) -> None:
    ours = [
        (
            list(one.operators) or ["*"],
            "both" if len(one.domains) == 2 else one.domains[0].value,
            one.topic,
        )
        for one in DISAGREEMENTS
    ]
    theirs = [(one["operators"], one["domain"], one["topic"]) for one in reference["disagreements"]]
    assert ours == theirs
    assert all(one.why and one.follows for one in DISAGREEMENTS)


def test_disagreements_of_one_operator() -> None:
    topics = [one.topic for one in disagreements("TANH", Domain.INT8)]
    assert topics == ["output parameters"]
