"""Bytes from strangers: whatever is changed in a model, a result or a `TFLiteError` comes out."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tflite_quant as tq
from conftest import ROOT, many
from tests import build, faults, mutation, trial
from tests.everything import ask_everything, interpret
from tests.generator import THEMES, Choices, generated
from tests.mutation import Mutant, mutants
from tests.one_operator import RECIPES, one_operator
from tflite_quant.checks.rule import Domain
from tflite_quant.checks.rules import RULES

SMALL = faults.svdf(1)


@settings(many(5), suppress_health_check=list(HealthCheck))
@given(mutants())
def test_changed_models(mutant: Mutant) -> None:
    ask_everything(mutant.content)
    with contextlib.suppress(tq.TFLiteError):
        interpret(mutant.content)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with trial.a_folder() as folder:
        yield folder


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 32))
def test_models_that_no_converter_writes(seed: int, folder: Path) -> None:
    """Every question and command, as `python -m tests.trial` asks for hours; not for time here."""
    made = generated(random.Random(seed).randrange)
    tally = trial.Tally()
    found = list(trial.failures(made.content, folder, tally, with_memory=False))
    assert [failure for failure in found if failure.fault != "too slow"] == []


def test_generated_models_are_of_every_kind(folder: Path) -> None:
    """And can be opened, or there would be nothing to ask, but for those with wrong lengths."""
    r = random.Random(0)
    made = [generated(r.randrange) for _ in range(300)]
    assert {one.theme for one in made} == set(THEMES)
    opened = {one.theme for one in made if _opens(one.content)}
    assert opened >= {*THEMES} - {"lengths"}


def _opens(content: bytes) -> bool:
    try:
        tq.open(content)
    except tq.TFLiteError:
        return False
    return True


def test_a_trial_finds_what_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that breaks is found, and a model that breaks it is made smaller."""

    def broken(tensor: tq.Tensor) -> int:
        return 1 // len(tensor.shape)

    monkeypatch.setattr(tq.Tensor, "sparsity", property(broken))
    for seed in range(9):
        choices = Choices(random.Random(seed).randrange)
        content = generated(choices).content
        found = list(trial.failures(content, folder, trial.Tally(), with_memory=False))
        if found:
            break
    assert "ZeroDivisionError" in {failure.fault for failure in found}
    kind = next(failure.kind for failure in found if failure.fault == "ZeroDivisionError")
    small = trial.smallest(choices.made, kind, folder, seconds=5)
    assert len(small.content) < len(content)


@pytest.mark.parametrize("domain", Domain)
def test_operators_without_some_of_their_operands(domain: Domain) -> None:
    """A file may leave out any input and any output of any operator."""
    for name, rule in RULES[domain].items():
        if name not in RECIPES:
            continue
        one = one_operator(name, rule)
        read, written = len(one.inputs), len(one.outputs)
        every, results = [*range(read)], [*range(written)]
        operands = [(every[:count], results) for count in range(read)]
        operands += [(every, []), ([], []), ([-1] * read, [-1] * written)]
        for inputs, outputs in operands:
            with tq.open(one.with_operands(inputs, outputs)) as model:
                for ask in ABOUT_OPERATORS:
                    with contextlib.suppress(tq.TFLiteError):
                        ask(model)


ABOUT_OPERATORS: tuple[Callable[[tq.Model], object], ...] = (
    lambda model: tq.check(model, target="tflm"),
    lambda model: tq.check(model, target="litert"),
    lambda model: model.summary(),
    lambda model: model.operators[0].weights,
    lambda model: tq.operator_requantization(model.operators[0]),
    tq.memory_plan,
    tq.model_cost,
)


def _far(count: int, type: int) -> bytes:
    """Build a layer whose weights have more values than any float can say."""
    x = build.TensorSpec("x", (1, 4), scale=0.5, zero_point=3)
    shape = [2**31 - 1] * count
    weights = build.TensorSpec("w", shape, type, b"1234", scale=0.5, zero_point=0)
    bias = build.constant(np.array([1, 2], np.int32), 0.25, 0)
    return faults.dense(x, weights, bias)


@pytest.mark.parametrize("rank", [5, 31, 32, 33, 64, 65, 5000])
def test_shapes_whose_product_is_huge(rank: int) -> None:
    for type in (0, 2, 4, 9):
        ask_everything(_far(rank, type))


@pytest.mark.parametrize(
    "shape", [(2**31 - 1, 0), (2**31 - 1, 2**31 - 1, 0), (2**20, 0, 2**31 - 1)]
)
def test_no_values_of_a_huge_shape(shape: tuple[int, ...]) -> None:
    """There is such an array of int8, but none of float32."""
    for type in (0, 2, 3, 9, 10, 17):
        ask_everything(build.one(build.TensorSpec("x", shape, type, b"", scale=0.5, zero_point=1)))


def test_a_model_cut_short_at_every_byte() -> None:
    assert len(SMALL) < 3000
    opened = [size for size in range(len(SMALL)) if ask_everything(SMALL[:size])]
    # What can be missing is no more than what fills up the last word.
    assert all(size > len(SMALL) - 4 for size in opened)
    assert ask_everything(SMALL)


def test_changes_are_of_every_kind() -> None:
    """Or the walk that finds where to change a model would find nothing."""
    kinds = {spot.kind for model in mutation.MODELS for spot in mutation.spots(model)}
    assert kinds == {"vtable offset", "vtable", "offset", "length", "element", "number", "enum"}
    assert sum(map(ask_everything, mutation.MODELS)) == len(mutation.MODELS)


def test_what_once_failed() -> None:
    paths = sorted((ROOT / "tests" / "crashes").glob("*.tflite"))
    assert paths
    for path in paths:
        ask_everything(path.read_bytes())
