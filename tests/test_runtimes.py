"""What `check` says of runtimes is what they do: of operators one by one, and of real models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_quant as tq
from tests import build, faults, oracle, refusal, runtimes, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.form_list import NOT_TRIED, SPECS
from tests.forms import Form, Spec, forms, trials
from tflite_quant.checks.kinds import Severity
from tflite_quant.checks.runtimes import TARGETS, runtime_versions

TABLE = json.loads(runtimes.PATH.read_text(encoding="ascii"))
EACH = 2
"""So many forms of each operator are tried again."""


def refused(model: bytes | Path, target: str) -> list[tq.Finding]:
    return [one for one in tq.check(model, target=target) if one.id == "TQ211"]


def sample() -> Iterator[tuple[Form, Spec]]:
    """Yield some forms of each operator: the same ones each time, spread over all."""
    random = np.random.default_rng(2026)
    for name, specs in SPECS.items():
        its_forms = list(forms({name: specs}))
        for index in random.choice(len(its_forms), min(EACH, len(its_forms)), replace=False):
            yield its_forms[index]


def test_forms() -> None:
    """What the file has of an operator is what the runtimes do, and what `check` says.

    With other versions than those of the file, what they have may be more, but not less.
    """
    chosen = list(sample())
    asked = [trial for form, spec in chosen for trial in trials(form, spec)]
    found = runtimes.ask(asked)
    same = {name: is_same_version(name) for name in TARGETS}
    wrong = []
    for form, spec in chosen:
        # The same form may be built in several ways.
        if len([1 for other in SPECS[form.operator] if other.pattern == spec.pattern]) > 1:
            continue
        model = next(trials(form, spec)).model
        for target, runs in zip(("litert", "tflm"), found[form], strict=True):
            says = not refused(model, target)
            if says != runs and (same[target] or says):
                wrong.append((form, target, runs))
    assert wrong == []


def is_same_version(target: str) -> bool:
    package = {"litert": "ai-edge-litert", "tflm": "tflite-micro"}[target]
    return runtime_versions()[package] == version(package)


def test_every_operator_is_tried_or_has_a_reason() -> None:
    untried = {name for names in NOT_TRIED.values() for name in names}
    nowhere = {*TABLE["missing"]["litert"]} & {*TABLE["missing"]["tflm"]}
    assert SPECS.keys() | untried | nowhere == {*runtimes.BUILTINS}
    assert not SPECS.keys() & (untried | nowhere)
    assert TABLE["forms"].keys() == SPECS.keys()


@pytest.mark.parametrize("target", TARGETS)
def test_each_operator_of_a_runtime_runs_in_some_form(target: str) -> None:
    """Or its models are broken, and what is said of it is false."""
    never = [
        name
        for name, patterns in TABLE["forms"].items()
        if name not in TABLE["missing"][target]
        and not any({"both", target} & types.keys() for types in patterns.values())
    ]
    assert never == []


def test_missing_and_custom_operators() -> None:
    oracle.litert()
    oracle.package("tflite_micro")
    for key, asked in (
        ("missing", runtimes.missing(runtimes.BUILTINS)), ("custom", runtimes.custom())
    ):  # fmt: skip
        for target in TARGETS:
            if is_same_version(target):
                assert TABLE[key][target] == asked[target]


def test_the_file_is_as_it_is_written() -> None:
    assert runtimes.PATH.read_text(encoding="ascii") == runtimes.written(TABLE)


# Why TFLM refuses models of which we do not say so: values and shapes, not types.
UNFORESEEN = ("squeeze.cc", "Rsqrt is only defined for positive", "Failed to get registration",
              "TFLite_Detection_PostProcess")  # fmt: skip


def test_models_that_tflm_runs(model_paths: list[Path]) -> None:
    """No operator of them is refused; and those that it refuses have an error."""
    answers = tflm.answers([tflm.Job(path.read_bytes(), seed=1) for path in model_paths])
    false, missed, foretold = [], [], 0
    for path, answer in zip(model_paths, answers, strict=True):
        if not answer.refusal:
            false += [(path.name, one.found) for one in refused(path, "tflm")]
        elif tq.check(path, target="tflm").at_least(Severity.ERROR):
            foretold += 1
        elif not any(known in answer.refusal for known in UNFORESEEN):
            missed.append((path.name, answer.refusal[-200:]))
    assert false == []
    assert missed == []
    assert foretold >= 8


def test_models_that_litert_runs(model_paths: list[Path]) -> None:
    chosen = [path for path in model_paths if refused(path, "litert")]
    contents = [path.read_bytes() for path in chosen]
    for kernels in ({}, {"reference": True}, {"delegate": True}):
        reasons = refusal.reasons(contents, None, **kernels)
        assert [path.name for path, why in zip(chosen, reasons, strict=True) if not why] == []


def model(*operators: OperatorSpec, kind: str = "FLOAT32") -> bytes:
    specs = [TensorSpec(f"t{i}", (1, 4), getattr(faults.TYPES, kind)) for i in range(3)]
    return build.model(SubgraphSpec(specs, [0], [2], operators))


def steps(*names: str) -> Sequence[OperatorSpec]:
    return [OperatorSpec(getattr(faults.OPERATORS, name), [0], [1]) for name in names]


class TestFindings:
    def said(self, content: bytes, **arguments: Any) -> list[tuple[str, str, str]]:
        return [
            (one.id, str(one.severity), one.found)
            for one in tq.check(content, **arguments)
            if one.id in ("TQ211", "TQ213")
        ]

    def test_one_for_all_that_are_alike(self) -> None:
        many = model(*steps(*["RELU_N1_TO_1"] * 1000))
        assert self.said(many) == [("TQ211", "note", "1000 operators RELU_N1_TO_1")]
        hybrid = faults.dense(
            x=TensorSpec("x", (1, 4), faults.TYPES.FLOAT32),
            y=TensorSpec("y", (1, 2), faults.TYPES.FLOAT32),
            b=build.constant(np.zeros(2, np.float32)),
        )
        form = "FLOAT32, constant per-axis INT8, constant FLOAT32 -> FLOAT32"
        assert self.said(hybrid) == [("TQ211", "note", form)]

    def test_severities(self) -> None:
        phone = model(*steps("RELU_N1_TO_1"))
        assert [self.said(phone, target=one)[:1] for one in TARGETS] == [
            [], [("TQ211", "error", "1 operator RELU_N1_TO_1")],
        ]  # fmt: skip
        assert tq.check(phone).at_least(Severity.WARNING) == ()

    def test_what_no_target_runs_as_a_whole(self) -> None:
        """One refuses the first operator, the other one the second."""
        both = model(
            *steps("RELU_N1_TO_1"),
            OperatorSpec(faults.OPERATORS.CUSTOM, [1], [2], custom="TFLM_DECODE"),
        )
        assert {severity for _, severity, _ in self.said(both)} == {"error"}

    def test_custom_operators(self) -> None:
        one = OperatorSpec(faults.OPERATORS.CUSTOM, [0], [1], custom="Mine\x1b[31m")
        assert self.said(model(one, one)) == [("TQ213", "note", "custom operator 'Mine\\x1b[31m'")]
        decode = model(OperatorSpec(faults.OPERATORS.CUSTOM, [0], [1], custom="TFLM_DECODE"))
        assert self.said(decode, target="tflm") == []
        assert [severity for _, severity, _ in self.said(decode)] == ["note"]
        assert [severity for _, severity, _ in self.said(decode, target="litert")] == ["error"]

    def test_a_target_that_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match="target is 'tpu', expected one of litert, tflm"):
            tq.check(faults.GOOD, target="tpu")


class TestFilesThatOneRuntimeReads:
    """Vela leaves an empty buffer at activations; some converters write one zero point for all."""

    def said(self, content: bytes, id: str) -> list[str | None]:
        reports = [tq.check(content, target=target) for target in (None, "tflm", "litert")]
        found = [[str(one.severity) for one in report if one.id == id] for report in reports]
        assert all(len(severities) <= 1 for severities in found)
        return [severities[0] if severities else None for severities in found]

    def runs(self, content: bytes) -> tuple[bool, bool]:
        return refusal.runs([content])[0], not tflm.answer(content, seed=1).refusal

    def test_an_empty_buffer_of_an_activation(self) -> None:
        specs = [faults.X, TensorSpec("y", (1, 4), data=b"", scale=0.5, zero_point=3), faults.SAME]
        relus = [OperatorSpec(faults.OPERATORS.RELU, [i], [i + 1], version=2) for i in (0, 1)]
        content = build.model(SubgraphSpec(specs, [0], [2], relus))
        assert self.runs(content) == (False, True)
        assert self.said(content, "TQ301") == ["note", None, "error"]

    def test_an_empty_buffer_of_weights(self) -> None:
        content = faults.dense(w=TensorSpec("w", (2, 4), data=b"", scale=0.25, zero_point=0))
        assert self.said(content, "TQ301") == ["error", "error", "error"]

    def test_an_empty_buffer_of_no_values(self) -> None:
        """A RESHAPE to a scalar reads a shape of no numbers."""
        specs = [
            TensorSpec("x", (1,), faults.TYPES.FLOAT32),
            TensorSpec("shape", (0,), faults.TYPES.INT32, data=b""),
            TensorSpec("y", (), faults.TYPES.FLOAT32),
        ]
        content = faults.operator("RESHAPE", specs[:2], specs[2:])
        assert self.runs(content) == (True, True)
        assert len(tq.check(content)) == 0
        assert tq.open(content).tensors[1].is_constant

    def test_one_zero_point_for_several_scales(self) -> None:
        content = faults.FAULTS["TQ103"].bad
        assert self.runs(content) == (False, True)
        assert self.said(content, "TQ103") == ["warning", "warning", "error"]
