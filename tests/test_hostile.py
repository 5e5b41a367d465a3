"""Bytes from strangers: whatever is changed in a model, a result or a `TFLiteError` comes out."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given, settings

import tflite_quant as tq
from conftest import ROOT, many
from tests import faults, mutation
from tests.everything import ask_everything, interpret
from tests.mutation import Mutant, mutants

SMALL = faults.svdf(1)


@settings(many(15), suppress_health_check=list(HealthCheck))
@given(mutants())
def test_changed_models(mutant: Mutant) -> None:
    ask_everything(mutant.content)
    with contextlib.suppress(tq.TFLiteError):
        interpret(mutant.content)


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
