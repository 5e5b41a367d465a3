"""The specification of an operator, in words and as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..format.schema import INTEGER_RANGES, TensorType
from .findings import counted
from .kernel_requirements import ACTIVATIONS, REQUIREMENTS, Requirements
from .rule import Agreement, Domain, Each, Operand, Operands, Product, Role, Rule
from .rules import RULES

INPUT_NAMES = {
    "CONV_2D": ("input", "weights", "bias"),
    "DEPTHWISE_CONV_2D": ("input", "weights", "bias"),
    "FULLY_CONNECTED": ("input", "weights", "bias"),
    "TRANSPOSE_CONV": ("output shape", "weights", "input", "bias"),
}
"""What the inputs of the operators that people ask for most are called."""


def operators() -> list[str]:
    """Return the names of all operators that have a rule."""
    return sorted({name for rules in RULES.values() for name in rules})


def specification(operator: str) -> dict[str, Any]:
    """Return what the specification says of an operator, as plain data.

    Parameters
    ----------
    operator : str
        The name of a builtin operator that has a rule; see `operators`.

    Returns
    -------
    dict
        'operator', 'required', which inputs, ranks and fused activations kernels require whatever
        the operator computes on, and 'domains': for "int8", "int16x8", "uint8" and others, where
        there is a rule, 'source', which is "specification" or "kernels", 'inputs' and 'outputs',
        lists of operands, and 'same_scales', whether inputs and outputs must have the same scale
        and zero point. An operand has only what is specified of it: 'name', 'role',
        'types', 'range', 'granularity', 'axis', 'zero_point' and 'scale' (each in numbers or, for
        the scale of a bias, in words), and 'checked', what LiteRT's kernel checks.

    Examples
    --------
    >>> specification("SOFTMAX")["domains"]["int8"]["outputs"][0]["scale"]
    '1/256'
    """
    domains = {
        domain.value: {"source": _source(domain)} | _rule_data(operator, rules[operator])
        for domain, rules in RULES.items()
        if operator in rules
    }
    return {"operator": operator, "required": _required(operator), "domains": domains}


def _source(domain: Domain) -> str:
    return "specification" if domain.is_specified else "kernels"


def _required(operator: str) -> dict[str, Any]:
    required = REQUIREMENTS.get(operator, Requirements())
    return {
        "input_count": required.inputs,
        "litert_input_count": max(required.inputs, required.litert_inputs),
        "ranks": [{"input": index, "rank": rank} for index, rank in required.ranks.items()],
        "fused_activations": [ACTIVATIONS[number] for number in required.activations],
    }


def _rule_data(operator: str, rule: Rule) -> dict[str, Any]:
    names = INPUT_NAMES.get(operator, ())
    data: dict[str, Any] = {
        "inputs": _operands(rule.inputs, "input", names),
        "outputs": _operands(rule.outputs, "output", ()),
        "same_scales": rule.same.value,
        "has_kernel": rule.has_kernel,
    }
    if rule.forms:
        data["forms"] = [
            {
                "input": form.input.name,
                "outputs": [type.name for type in form.outputs],
                "granularity": form.granularity.value,
            }
            for form in rule.forms
        ]
    return data


def _operands(operands: Operands, word: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
    if isinstance(operands, Each):
        return [{"name": f"each {word}"} | _operand(operands.operand)]
    return [
        {"name": names[index] if index < len(names) else f"{word} {index}"} | _operand(operand)
        for index, operand in enumerate(operands)
        if operand is not None
    ]


def _operand(operand: Operand) -> dict[str, Any]:
    data: dict[str, Any] = {"role": operand.role.value}
    if operand.types:
        data["types"] = [type.name for type in operand.types]
    if operand.range is not None:
        data["range"] = list(operand.range)
    if operand.granularity is not None:
        data["granularity"] = operand.granularity.value
    if operand.axis is not None:
        data["axis"] = operand.axis
    if operand.zero_point is not None:
        data["zero_point"] = list(operand.zero_point)
    if operand.scale is not None:
        data["scale"] = str(operand.scale)
    if operand.product is not None:
        data["scale"] = _product(operand.product)
    if operand.normalized is not None:
        data["scale_with_layer_normalization"] = _product(operand.normalized)
    if operand.is_power_of_two:
        data["scale"] = "a power of two"
    if operand.as_output:
        data["scale"] = "that of output 0, with its zero point"
    if operand.is_state:
        data["state"] = True
    if operand.checks:
        data["checked"] = sorted(operand.checks)
    return data


def _product(product: Product) -> str:
    parts = [f"scale of input {index}" for index in product.inputs]
    parts += [f"scale of intermediate {index}" for index in product.intermediates]
    if product.factor != 1:
        parts.append(f"{product.factor:g}")
    return " * ".join(parts)


def specification_lines(operator: str) -> Iterator[str]:
    r"""Yield what the specification says of an operator, line by line.

    Examples
    --------
    >>> print(*list(specification_lines("LOGISTIC"))[:4], sep="\n")
    LOGISTIC
      int8
        input 0   activation INT8, one scale, zero point -128 to 127
        output 0  activation INT8, one scale of 1/256, zero point -128 (checked: scale)
    """
    yield operator
    for domain, rules in RULES.items():
        if operator not in rules:
            continue
        rule = rules[operator]
        data = _rule_data(operator, rule)
        unlisted = "" if domain.is_specified else "  (not specified: what LiteRT's kernels ask)"
        without = "" if rule.has_kernel else "  (LiteRT has no kernel for it)"
        yield f"  {domain.value}{unlisted}{without}"
        rows = list(_grouped([*data["inputs"], *data["outputs"]]))
        wide = max((len(row["name"]) for row in rows), default=0)
        for row in rows:
            yield f"    {row['name']:{wide}}  {_in_words(row)}"
        for form in data.get("forms", ()):
            outputs = " or ".join(form["outputs"])
            yield f"    from {form['input']} to {outputs}: {form['granularity']}"
        if rule.same is not Agreement.NONE:
            yield f"    the same scale and zero point everywhere: {rule.same.value}"
    yield from _required_lines(operator)


def _required_lines(operator: str) -> Iterator[str]:
    data = _required(operator)
    least, most = data["input_count"], data["litert_input_count"]
    parts = [counted(most, "input")]
    if least < most:
        parts = [f"{counted(most, 'input')} in LiteRT, {least} in TensorFlow Lite Micro"]
    parts += [f"rank {each['rank']} of input {each['input']}" for each in data["ranks"]]
    if data["fused_activations"]:
        parts.append(f"fused activation {' or '.join(data['fused_activations'])}")
    yield f"  kernels require at least {'; '.join(parts)}"


def _grouped(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows; consecutive ones that say the same are one: 'input 1 to 8'."""
    index = 0
    while index < len(rows):
        end = index
        plain = {key: value for key, value in rows[index].items() if key != "name"}
        while end + 1 < len(rows) and {**rows[end + 1], "name": ""} == {**plain, "name": ""}:
            end += 1
        first, last = rows[index]["name"], rows[end]["name"]
        same_word = first.split(" ")[0] == last.split(" ")[0] and last.split(" ")[-1].isdecimal()
        if end > index and same_word:
            yield rows[index] | {"name": f"{first}-{last.split(' ')[-1]}"}
        else:
            yield from rows[index : end + 1]
        index = end + 1


def _in_words(row: dict[str, Any]) -> str:
    if row["role"] == Role.OTHER.value:
        return f"not quantized{_types(row)}"
    is_named = row["name"] in ("weights", "bias")
    parts = [("" if is_named else row["role"]) + _types(row)]
    if "range" in row and tuple(row["range"]) != INTEGER_RANGES[TensorType[row["types"][0]]]:
        parts.append("{} to {}".format(*row["range"]))
    parts.append(_scales(row))
    if "zero_point" in row:
        low, high = row["zero_point"]
        parts.append(f"zero point {low}" if low == high else f"zero point {low} to {high}")
    if "state" in row:
        parts.append("kept from run to run")
    checked = f" (checked: {', '.join(row['checked'])})" if "checked" in row else ""
    return ", ".join(part.strip() for part in parts if part) + checked


def _types(row: dict[str, Any]) -> str:
    return f" {' or '.join(row['types'])}" if "types" in row else ""


def _scales(row: dict[str, Any]) -> str:
    """Return how many scales there are, along which axis, and what they must be."""
    axis = f" along axis {row['axis']}" if "axis" in row else ""
    words = {
        "per-tensor": "one scale",
        "per-axis": f"a scale for each slice{axis}",
        "either": f"one scale, or one for each slice{axis}",
    }
    count = words.get(row.get("granularity", ""), "")
    if "scale" not in row:
        return count
    of = "of" if "/" in row["scale"] else "="
    return f"{count or 'scale'} {of} {row['scale']}"
