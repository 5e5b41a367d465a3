"""Which runtime refuses an operator: it has none of that name, or no kernel for such types.

The facts are in runtimes.json. They were found by running a model of each operator, of many types,
in both runtimes (`python -m tests.runtimes`); the file says which versions. There a *pattern* says
what an operator reads and writes, with T for a type that several tensors have:
"T, constant per-axis INT8, constant INT32 -> T". Nothing is said of what was not tried.
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, islice
from typing import Any, NamedTuple

from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import PerAxis
from ..model.tensor import Tensor
from .findings import Finding, counted
from .kinds import Severity
from .tensors import finding

TARGETS: Mapping[str, str] = {"litert": "LiteRT", "tflm": "TensorFlow Lite Micro"}
"""The runtimes, by what they are called as an argument."""

_MANY = 32
"""From this number of tensors on, an operator's equal ones are counted as two."""

_LONGEST = 60
"""So much of the name of a custom operator is shown."""


class _Refusal(NamedTuple):
    """Why some targets refuse an operator; many operators may be refused alike.

    Attributes
    ----------
    operator : str
        Its name.
    form : str
        The types of its tensors; empty if no target looked at them.
    lacking, unable : tuple of str
        The targets that have no such operator; those that have it, but not for these types.
    """

    operator: str
    form: str
    lacking: tuple[str, ...]
    unable: tuple[str, ...]


def runtime_findings(model: Model, targets: Sequence[str]) -> Iterator[Finding]:
    """Find the operators that a target refuses: one finding for all that are refused alike."""
    refused: dict[_Refusal, list[Operator]] = {}
    unknown: dict[str, Operator] = {}
    seen: dict[tuple[str, str], _Refusal | None] = {}
    for operator in (operator for graph in model.subgraphs for operator in graph.operators):
        if operator.code.name == "CUSTOM":
            name = operator.custom_name or ""
            if not any(name in known for known in _table()["custom"].values()):
                unknown.setdefault(name, operator)
                continue
        key = (operator.name, _signature(operator))
        if key not in seen:
            seen[key] = _refusal(operator, key[1], targets)
        if (refusal := seen[key]) is not None:
            refused.setdefault(refusal, []).append(operator)
    refusing = {target for refusal in refused for target in (*refusal.lacking, *refusal.unable)}
    severity = Severity.ERROR if refusing.issuperset(targets) else Severity.NOTE
    for refusal, operators in refused.items():
        yield _finding(refusal, operators, severity, targets)
    if unknown:
        yield _unknown(unknown)


def _finding(
    refusal: _Refusal, operators: Sequence[Operator], severity: Severity, targets: Sequence[str]
) -> Finding:
    found = refusal.form or f"{counted(len(operators), 'operator')} {refusal.operator}"
    if refusal.form and len(operators) > 1:
        found += f", and {counted(len(operators) - 1, 'operator')} more like it"
    expected = [f"types that {_named(refusal.unable)} has a kernel for"] if refusal.unable else []
    if refusal.lacking:
        expected.append(f"an operator that {_named(refusal.lacking)} has")
    refusing = {*refusal.lacking, *refusal.unable}
    effect = f"{_named([one for one in TARGETS if one in refusing])} refuses the model"
    if others := [one for one in targets if one not in refusing]:
        effect += f"; {_named(others)} has no objection to this operator"
    return finding("TQ211", severity, None, found, "; ".join(expected), f"{effect}.", operators[0])


def _unknown(operators: Mapping[str, Operator]) -> Finding:
    names = [repr(name[:_LONGEST]) for name in operators]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    found = f"custom operator{'s' if len(names) > 1 else ''} {shown}"
    expected = "operators that come with a runtime"
    return finding("TQ213", None, None, found, expected, None, next(iter(operators.values())))


def _named(targets: Sequence[str]) -> str:
    return " or ".join(TARGETS[target] for target in targets)


def _refusal(operator: Operator, signature: str, targets: Sequence[str]) -> _Refusal | None:
    """Return why an operator is refused; None if it is not."""
    if operator.code.name == "CUSTOM":
        known = _table()["custom"]
        lacking = tuple(t for t in targets if operator.custom_name not in known[t])
        return _Refusal(operator.name, "", lacking, ()) if lacking else None
    lacking = tuple(t for t in targets if operator.code.name in _table()["missing"][t])
    form, runs = _tried(operator.code.name, signature)
    unable = tuple(t for t in targets if form and t not in runs and t not in lacking)
    if not lacking and not unable:
        return None
    return _Refusal(operator.name, form if unable else "", lacking, unable)


def _tried(name: str, signature: str) -> tuple[str, set[str]]:
    """Return the form that was tried of an operator, and the runtimes that run it."""
    forms: list[str] = []
    runs = set[str]()
    for pattern, types in _table()["forms"].get(name, {}).items():
        match = re.fullmatch(_expression(pattern), signature)
        if match is None:
            continue
        type = match["T"]
        where = next((word for word, listed in types.items() if type in listed.split()), None)
        if where is not None:
            forms.append(re.sub(r"\bT\b", type, pattern))
            runs |= {"both": {*TARGETS}, "none": set()}.get(where, {where})
    return (forms[0] if forms else "", runs)


def _signature(operator: Operator) -> str:
    """Return the types of an operator's tensors as `_expression` reads them.

    For each a letter says whether it is constant or variable, and one how many scales it has:
    "vtINT8;caINT8;caINT32;>vtINT8;".
    """
    return f"{_side(operator.inputs)}>{_side(operator.outputs)}"


def _side(tensors: Sequence[Tensor | None]) -> str:
    letters = ["-;" if tensor is None else f"{_letters(tensor)}{tensor.type.name};"
               for tensor in tensors]  # fmt: skip
    while letters and letters[-1] == "-;":
        letters.pop()
    if len(letters) > _MANY:
        letters = [letter for _, alike in groupby(letters) for letter in islice(alike, 2)]
    return "".join(letters)


def _letters(tensor: Tensor) -> str:
    scheme = tensor.quantization
    if isinstance(scheme, Blockwise | MultiAxis):
        scales = "b"
    else:
        scales = "a" if isinstance(scheme, PerAxis) and scheme.scales.size > 1 else "t"
    return ("c" if tensor.is_constant else "v") + scales


_LETTERS = {
    "constant": ("c", ""), "variable": ("v", ""),
    "per-tensor": ("", "t"), "per-axis": ("", "a"), "blockwise": ("", "b"),
}  # fmt: skip


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of the signatures that a pattern describes."""
    sides = []
    is_bound = False
    for side in pattern.split(" -> "):
        parts = []
        for operand in side.split(", ") if side else ():
            *words, type = operand.split()
            constness = "".join(_LETTERS.get(word, ("", ""))[0] for word in words) or "[cv]"
            scales = "".join(_LETTERS.get(word, ("", ""))[1] for word in words) or "[ta]"
            again = f"{constness}{scales}{'(?P=T)' if type == 'T' else type};"
            first = again.replace("(?P=T)", "(?P<T>[^;>]+)") if not is_bound else again
            is_bound = is_bound or type == "T"
            parts.append(f"{first}(?:{again})*" if "each" in words else first)
        sides.append("".join(parts))
    return re.compile(">".join(sides))


@cache
def _table() -> dict[str, Any]:
    """Read the facts, when they are first asked for."""
    # Not by importlib.resources, which takes longer to import than a model to check.
    content = pkgutil.get_data(__package__, "runtimes.json")
    assert content is not None
    table: dict[str, Any] = json.loads(content)
    return table


def runtime_versions() -> dict[str, str]:
    """Return the packages from which the facts are, and their versions."""
    versions: dict[str, str] = _table()["versions"]
    return versions
