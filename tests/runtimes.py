"""Asks both runtimes which operators they have, for which types: `python -m tests.runtimes`.

It writes tflite_quant/checks/runtimes.json, which `check` reads: what the models of `form_list` do
in the installed versions; with names of operators it asks of these alone. A form runs in a runtime
if any model of it does: in LiteRT with its default delegate, without it, or with the reference
kernels.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import tflite

from conftest import ROOT
from tests import build, refusal, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.form_list import SPECS
from tests.forms import Form, Trial, forms, trials

__all__ = ["BUILTINS", "PATH", "ask", "custom", "missing", "written"]

PATH = ROOT / "tflite_quant/checks/runtimes.json"

BUILTINS = sorted(
    ({name for name in vars(tflite.BuiltinOperator) if name.isupper()} | {"STABLEHLO_CASE"})
    - {"CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
)  # fmt: skip
"""The names of all operators; package tflite 2.18 has no STABLEHLO_CASE."""

CUSTOM = (
    "AudioSpectrogram", "CIRCULAR_BUFFER", "Mfcc", "NumericVerify", "SignalDelay", "SignalEnergy",
    "SignalFftAutoScale", "SignalFilterBank", "SignalFilterBankLog",
    "SignalFilterBankSpectralSubtraction", "SignalFilterBankSquareRoot", "SignalFramer",
    "SignalIrfft", "SignalOverlapAdd", "SignalPCAN", "SignalRfft", "SignalStacker", "SignalWindow",
    "TFLM_DECODE", "TFLite_Detection_PostProcess", "aeq.hadamard_rotation",
)  # fmt: skip
"""Custom operators that the sources of one of the runtimes register."""

_UNREAD = {"UINT16", "UINT32", "UINT64"}
"""The types that TFLM's Python interface cannot set."""

_ABSENT = ("Didn't find op for builtin opcode", "Encountered unresolved custom op",
           "Failed to get registration from op code")  # fmt: skip


def ask(asked: Sequence[Trial]) -> dict[Form, tuple[bool, bool]]:
    """Tell of each form whether LiteRT and TFLM run it."""
    models, inputs = [one.model for one in asked], [one.inputs for one in asked]
    litert = [
        refusal.reasons(models, inputs, **kernels)
        for kernels in ({}, {"reference": True}, {"delegate": True})
    ]
    jobs = [tflm.Job(one.model, _settable(one), arena=200_000) for one in asked]
    found: dict[Form, tuple[bool, bool]] = {}
    for one, answer, *reasons in zip(asked, tflm.answers(jobs), *litert, strict=True):
        # TFLM's Python interface cannot read outputs of all types.
        ran = answer.was_prepared and "invocation failed" not in answer.refusal
        before = found.get(one.form, (False, False))
        found[one.form] = (before[0] or "" in reasons, before[1] or ran)
    return found


def _settable(trial: Trial) -> list[Any]:
    return [
        None if values is None or values.dtype.name.upper() in _UNREAD else values
        for values in trial.inputs
    ]


def missing(operators: Iterable[str]) -> dict[str, list[str]]:
    """Return the builtin operators that each runtime does not have."""
    operators = list(operators)
    numbers = dict(vars(tflite.BuiltinOperator)) | {"STABLEHLO_CASE": 209}
    # LiteRT's registration begins with version 2 of some.
    return _without(operators, [[OperatorSpec(numbers[name], [0], [1], version=v) for v in (1, 2)]
                                for name in operators])  # fmt: skip


def custom() -> dict[str, list[str]]:
    """Return the custom operators, of those that a runtime may have, that each has."""
    code = tflite.BuiltinOperator.CUSTOM
    absent = _without(CUSTOM, [[OperatorSpec(code, [0], [1], custom=name)] for name in CUSTOM])
    return {runtime: sorted({*CUSTOM} - {*names}) for runtime, names in absent.items()}


def _without(
    names: Sequence[str], operators: Sequence[Sequence[OperatorSpec]]
) -> dict[str, list[str]]:
    specs = [TensorSpec(name, (1, 4), tflite.TensorType.FLOAT32) for name in "xy"]
    flat = [
        (name, build.model(SubgraphSpec(specs, [0], [1], [operator])))
        for name, several in zip(names, operators, strict=True)
        for operator in several
    ]
    models = [model for _, model in flat]
    values = [[np.ones((1, 4), np.float32)]] * len(models)
    answers = {
        "litert": refusal.reasons(models, values),
        "tflm": [one.refusal for one in tflm.answers([tflm.Job(model) for model in models])],
    }
    has = {
        runtime: {
            name
            for (name, _), text in zip(flat, texts, strict=True)
            if not any(words in text for words in _ABSENT)
        }
        for runtime, texts in answers.items()
    }
    return {runtime: sorted({*names} - present) for runtime, present in has.items()}


_WORDS = {(True, True): "both", (True, False): "litert", (False, True): "tflm"}


def table(found: Mapping[Form, tuple[bool, bool]]) -> dict[str, dict[str, dict[str, str]]]:
    """Return which types of each pattern run where; constants and variables are one if alike."""
    types: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for form, runs in found.items():
        types[form.operator, form.pattern][form.type] = _WORDS.get(runs, "none")
    merged: dict[tuple[str, str], dict[str, str]] = {}
    groups: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for key in types:
        groups[key[0], re.sub("constant |variable ", "", key[1])].append(key)
    for plain, keys in groups.items():
        alike = len(keys) > 1 and all(types[key] == types[keys[0]] for key in keys)
        merged |= {plain: types[keys[0]]} if alike else {key: types[key] for key in keys}
    result: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for (operator, pattern), its_types in sorted(merged.items()):
        lists = defaultdict(list)
        for type, where in sorted(its_types.items()):
            lists[where].append(type)
        result[operator][pattern] = {where: " ".join(lists[where]) for where in sorted(lists)}
    return dict(result)


def written(data: Mapping[str, Any]) -> str:
    """Return the table as JSON, with one line for each pattern."""

    def short(value: Any) -> str:
        return json.dumps(value, ensure_ascii=True)

    lines = ["{"]
    for key in ("versions", "missing", "custom"):
        inside = ",\n".join(f"  {short(name)}: {short(value)}" for name, value in data[key].items())
        lines.append(f" {short(key)}: {{\n{inside}\n }},")
    operators = []
    for operator, patterns in data["forms"].items():
        rows = ",\n".join(f"   {short(p)}: {short(types)}" for p, types in patterns.items())
        operators.append(f"  {short(operator)}: {{\n{rows}\n  }}")
    lines += [' "forms": {', ",\n".join(operators), " }", "}"]
    return "\n".join(lines) + "\n"


def main(operators: Sequence[str]) -> None:
    """Write the table; of some operators, or of all."""
    specs = {name: SPECS[name] for name in operators or SPECS}
    found = ask([trial for form, spec in forms(specs) for trial in trials(form, spec)])
    before = json.loads(PATH.read_text(encoding="ascii"))["forms"] if operators else {}
    data = {
        "versions": {name: version(name) for name in ("ai-edge-litert", "tflite-micro")},
        "missing": missing(BUILTINS),
        "custom": custom(),
        "forms": dict(sorted((before | table(found)).items())),
    }
    PATH.write_text(written(data), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
