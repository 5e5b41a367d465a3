"""What TensorFlow Lite Micro says of every fixture, and of every model under `--models`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tflite

import tflite_quant as tq
from conftest import ROOT
from tests import build, tflm


def test_inputs_and_outputs_are_those_of_tflm(model_paths: list[Path]) -> None:
    answers = tflm.answers([tflm.Job(path.read_bytes()) for path in model_paths])
    differences = []
    for path, answer in zip(model_paths, answers, strict=True):
        assert answer.was_prepared or answer.refusal
        if answer.was_prepared:
            with tq.open(path) as model:
                differences += [(path.name, *one) for one in _differences(model, answer)]
    assert differences == []


def _differences(model: tq.Model, answer: tflm.Answer) -> Iterator[tuple[Any, ...]]:
    for tensors, all_details in (
        (model.inputs, answer.input_details),
        (model.outputs, answer.output_details),
    ):
        # TFLM gives those that come before one whose type numpy does not have.
        if len(all_details) < len(tensors) and tensors[len(all_details)].dtype is not None:
            yield "count", len(tensors), len(all_details)
        for tensor, details in zip(tensors, all_details, strict=False):
            ours, theirs = _facts(tensor), _their_facts(details)
            if ours != theirs:
                yield tensor.name, ours, theirs


def _facts(tensor: tq.Tensor) -> tuple[Any, ...]:
    quantization = tensor.quantization
    parameters = (
        ([np.float32(quantization.scale)], [quantization.zero_point])
        if isinstance(quantization, tq.PerTensor)
        else ([], [])
    )
    return tensor.dtype, tensor.shape, *parameters


def _their_facts(details: Mapping[str, Any]) -> tuple[Any, ...]:
    parameters = details["quantization_parameters"]
    scales, zero_points = (list(parameters[key]) for key in ("scales", "zero_points"))
    return np.dtype(details["dtype"]), tuple(details["shape"].tolist()), scales, zero_points


def test_most_fixtures_run() -> None:
    """Or the comparisons would compare nothing."""
    paths = sorted(ROOT.glob("fixtures/*.tflite"))
    answers = tflm.answers([tflm.Job(path.read_bytes(), seed=1) for path in paths])
    ran = {path.stem for path, one in zip(paths, answers, strict=True) if not one.refusal}
    assert ran >= {
        "lstm_int8", "residual_int8", "residual_int16x8", "residual_int8_per_tensor", "signatures",
    }  # fmt: skip


def test_a_model_that_ends_the_process_is_refused() -> None:
    """It takes nothing from the jobs before and after it."""
    good = (ROOT / "fixtures/residual_int8.tflite").read_bytes()
    tensors = [build.TensorSpec(name, (1,), tflite.TensorType.INT8, None, 0.1, 0) for name in "ab"]
    nowhere = build.OperatorSpec(tflite.BuiltinOperator.RELU, [99_999_999], [1])
    bad = build.model(build.SubgraphSpec(tensors, [0], [1], [nowhere]))
    before, refused, after = tflm.answers([tflm.Job(one, seed=1) for one in (good, bad, good)])
    assert refused.refusal.startswith("the process ended")
    assert np.array_equal(before.outputs[0], after.outputs[0])
    assert not before.refusal
