"""Each fixture is what its name says, and the manifest knows them all."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT

MANIFEST = json.loads((ROOT / "fixtures/manifest.json").read_text())


def opened(name: str) -> tq.Model:
    return tq.open(ROOT / "fixtures" / f"{name}.tflite")


def kernels(model: tq.Model) -> list[tq.Tensor]:
    """Give the weights of convolutions and fully connected layers."""
    names = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    found = [operator.inputs[1] for operator in model.operators if operator.name in names]
    return [tensor for tensor in found if tensor is not None and tensor.is_constant]


def types(tensors: list[tq.Tensor] | tuple[tq.Tensor, ...]) -> set[str]:
    return {tensor.type.name for tensor in tensors}


def schemes(tensors: list[tq.Tensor] | tuple[tq.Tensor, ...]) -> set[str]:
    return {tensor.quantization.scheme for tensor in tensors}


def activations(model: tq.Model) -> list[tq.Tensor]:
    return [t for t in model.tensors if not t.is_constant and len(t.shape) == 4]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_the_manifest_knows_it(path: Path) -> None:
    entry = MANIFEST["files"][path.name]
    assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry["size"] == path.stat().st_size
    assert entry["what"]


def test_the_manifest_knows_no_other() -> None:
    assert set(MANIFEST["files"]) == {path.name for path in FIXTURES}
    assert MANIFEST["tools"]["tensorflow-cpu"]


def test_together_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FIXTURES) < 3_000_000


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in FIXTURES if path.stem.startswith("residual"))
)
def test_the_residual_networks_are(name: str) -> None:
    counts = Counter(operator.name for operator in opened(name).operators)
    for operator in ("DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED", "SOFTMAX", "MAX_POOL_2D"):
        assert counts[operator] >= 1, operator
    assert counts["CONV_2D"] >= 3


def test_residual_float32() -> None:
    model = opened("residual_float32")
    assert types(kernels(model)) == {"FLOAT32"}
    assert schemes(model.tensors) == {"none"}


def test_residual_float16() -> None:
    model = opened("residual_float16")
    constants = [tensor for tensor in model.tensors if tensor.is_constant]
    assert types([t for t in constants if t.nbytes and t.nbytes > 1024]) == {"FLOAT16"}
    assert schemes(model.tensors) == {"none"}


def test_residual_dynamic_range() -> None:
    model = opened("residual_dynamic_range")
    large = [tensor for tensor in kernels(model) if np.prod(tensor.shape) >= 1024]
    assert types(large) == {"INT8"}
    assert types((*model.inputs, *model.outputs, *activations(model)[:1])) == {"FLOAT32"}


def test_residual_int8() -> None:
    model = opened("residual_int8")
    assert types(kernels(model)) == types((*model.inputs, *model.outputs)) == {"INT8"}
    assert schemes(kernels(model)) == {"per-axis"}
    assert schemes(activations(model)) == {"per-tensor"}
    axes = {
        operator.name: operator.inputs[1].quantization.axis  # type: ignore[union-attr]
        for operator in model.operators
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D")
    }
    assert axes == {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}


def test_residual_int8_per_tensor() -> None:
    model = opened("residual_int8_per_tensor")
    assert types(kernels(model)) == {"INT8"}
    assert schemes(kernels(model)) == {"per-tensor"}


def test_residual_uint8_io() -> None:
    model = opened("residual_uint8_io")
    assert types((*model.inputs, *model.outputs)) == {"UINT8"}
    assert types(kernels(model)) == {"INT8"}


def test_residual_int8_float_io() -> None:
    model = opened("residual_int8_float_io")
    assert types((*model.inputs, *model.outputs)) == {"FLOAT32"}
    assert types(kernels(model)) == {"INT8"}


def test_residual_int16x8() -> None:
    model = opened("residual_int16x8")
    assert types(kernels(model)) == {"INT8"}
    assert "INT16" in types(activations(model))
    biases = [o.inputs[2] for o in model.operators if o.name == "CONV_2D"]
    assert {bias.type.name for bias in biases if bias is not None} == {"INT64"}


def test_lstm() -> None:
    model = opened("lstm")
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM" in {operator.name for operator in model.operators}
    assert any(tensor.is_variable for tensor in model.tensors)


def test_lstm_int8() -> None:
    model = opened("lstm_int8")
    lstms = [o for o in model.operators if o.name == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    assert lstms
    assert all(t is not None for t in lstms[0].intermediates)
    assert lstms[0].intermediates
    assert "INT8" in types(model.tensors)


def test_signatures() -> None:
    model = opened("signatures")
    assert len(model.signatures) >= 2
    assert len({signature.key for signature in model.signatures}) == len(model.signatures)
    dynamic = [t for g in model.subgraphs for t in g.tensors if -1 in t.shape_signature]
    assert dynamic


def test_control_flow() -> None:
    model = opened("control_flow")
    assert len(model.subgraphs) >= 3
    assert {"WHILE", "IF"} <= {o.name for graph in model.subgraphs for o in graph.operators}


def test_outside_buffers() -> None:
    raw = tflite.Model.GetRootAs((ROOT / "fixtures/outside_buffers.tflite").read_bytes())
    outside = [i for i in range(raw.BuffersLength()) if raw.Buffers(i).Offset() > 1]
    tensors = [t for t in opened("outside_buffers").tensors if t.buffer.index in outside]
    assert len(tensors) > 10
    inside = {t.name: t.data for t in opened("residual_dynamic_range").tensors if t.is_constant}
    assert all(np.array_equal(t.data, inside[t.name]) for t in tensors)
