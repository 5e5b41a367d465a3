"""Warnings about parameters: whether a runtime computes otherwise than the file says.

For each kind a model that has such a warning is changed to what it expects. A warning must show in
a runtime: one refuses the model, or outputs differ; or there is a reason why it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

import tflite_quant as tq
from benchmarks.effects import Effect, effects, warnings
from benchmarks.expected import ABOUT_PARAMETERS, restated
from benchmarks.rewriting import with_outputs, with_parameters, with_values
from tests import build, faults, oracle
from tests.faults import FAULTS
from tests.one_operator import one_operator
from tflite_quant.checks.rule import Domain
from tflite_quant.checks.rules import RULES


def _changed(domain: Domain, name: str, index: int, **changes: Any) -> bytes:
    """Build a model of one operator with a change of an input, or of output 0 if it is -1."""
    one = one_operator(name, RULES[domain][name])
    return one.with_tensor(len(one.inputs) if index < 0 else index, **changes).model


def _blocks() -> bytes:
    weights = build.constant(np.zeros((2, 4), np.int8), name="w", details=build.blockwise(2))
    return build.one(weights, build.constant(np.ones((2, 2), np.float32), name="s"))


def _uncounted() -> bytes:
    """Build a SQUEEZE of four scales with two zero points."""
    x = replace(faults.X, scale=[0.5, 0.25, 1, 2], zero_point=[0, 0], axis=1)
    return faults.unary("SQUEEZE", faults.SAME, x)


INT8, WIDE = Domain.INT8, Domain.INT16X8
FOUR = {"scale": [0.5, 0.25, 0.125, 1], "zero_point": [5] * 4, "axis": 1}
BATCH = {
    **FOUR, "zero_point": [0] * 4, "type": faults.TYPES.INT8,
    "data": np.arange(-6, 6, dtype=np.int8).reshape(1, 4, 3),
}  # fmt: skip

MODELS: Mapping[str, bytes] = {
    "TQ102": faults.dense(w=replace(faults.W, scale=[0.25, 0.0])),
    "TQ103": faults.dense(w=replace(faults.W, zero_point=[0])),
    "TQ104": faults.convolution(b=replace(faults.B, axis=3)),
    "TQ105": _changed(INT8, "ADD", -1, zero_point=128),
    "TQ106": _blocks(),
    "TQ201": _changed(WIDE, "BATCH_MATMUL", 1, **BATCH),
    "TQ202": _changed(INT8, "ARG_MAX", 0, **FOUR),
    "TQ204": _changed(WIDE, "GELU", -1, zero_point=1152),
    "TQ205": _changed(INT8, "TANH", -1, scale=0.75 / 128),
    "TQ206": _uncounted(),
    "TQ207": faults.convolution(b=replace(faults.B, scale=[1.0, 1.0])),
    "TQ209": faults.svdf(1, time=32767, memory=32),
    "TQ502": FAULTS["TQ502"].bad,
    "TQ504": FAULTS["TQ504"].bad,
}
"""For each kind of warning a model."""

REASONS = {
    "TQ102": "no scale is expected but any positive one",
    "TQ106": "the scales are a tensor of another type",
    "TQ206": "it is not known which zero point belongs to which scale",
    "TQ502": "the values before they were clipped are not in the file",
}
"""Why a model cannot be changed to what is expected."""


def measured(models: Mapping[str, bytes]) -> dict[str, Effect]:
    """Return the effect of the warning of each kind about its model."""
    given = {id: (model, warnings(model)) for id, model in models.items()}
    found = {}
    for id, each in zip(given, effects(list(given.values())), strict=True):
        (found[id],) = (one for one in each if one.finding.id == id)
    return found


def test_each_kind_of_warning_shows_in_a_runtime() -> None:
    assert MODELS.keys() == ABOUT_PARAMETERS
    found = measured(MODELS)
    assert {id: one.reason for id, one in found.items() if one.reason} == REASONS
    silent = [id for id, one in found.items() if not one.reason and not one.is_visible]
    assert silent == []


def test_what_kernels_compute_with_is_no_effect() -> None:
    """No runtime here adds in 16 bits, and TFLM reads no axis of a bias."""
    models = {"TQ104": MODELS["TQ104"], "TQ209": FAULTS["TQ209"].bad}
    found = measured(models)
    assert not found["TQ209"].is_visible
    of_micro = found["TQ104"].of_model["micro"]
    assert (of_micro.count, of_micro.of > 0) == (0, True)
    assert set(found["TQ104"].refused.values()) == {"found"}


def test_integers_of_the_same_real_values() -> None:
    w = tq.open(faults.GOOD)["w"]
    values = restated(w.data, w, [0.125, 0.25], [5, -7], 0)
    wanted = [np.clip(2 * w.data[0].astype(int) + 5, -128, 127), np.rint(w.data[1] / 2) - 7]
    assert np.array_equal(values, np.array(wanted))


def test_only_what_is_rewritten_changes() -> None:
    """LiteRT reads the new parameters, values and outputs, and all else as before."""
    content = FAULTS["TQ104"].good
    before = details(content)
    w = tq.open(content).tensors[1]
    changed = with_parameters(content, w, [0.5, 2.0], [0, 0])
    changed = with_values(changed, w, w.data[::-1])
    changed = with_outputs(changed, 0, [3, 3])
    after = details(changed)
    assert after[1]["quantization_parameters"]["scales"].tolist() == [0.5, 2.0]
    for index in (0, 2, 3):
        for key in ("scales", "zero_points", "quantized_dimension"):
            one, other = (each[index]["quantization_parameters"][key] for each in (before, after))
            assert np.array_equal(one, other)
    runner = oracle.interpreter(changed)
    runner.allocate_tensors()
    assert np.array_equal(runner.get_tensor(1), w.data[::-1])
    assert [one["index"] for one in runner.get_output_details()] == [3, 3]


def details(content: bytes) -> list[dict[str, Any]]:
    """Return what LiteRT says of each tensor."""
    found: list[dict[str, Any]] = oracle.interpreter(content).get_tensor_details()
    return found
