"""What `show` says of memory and computation."""

from __future__ import annotations

import json

import tflite

import tflite_quant as tq
from tests import build
from tflite_quant.command.json_text import model_json
from tflite_quant.command.memory_screen import memory_lines

TYPES = tflite.TensorType


def lines(tensors: list[build.TensorSpec], code: int, custom: str | None = None) -> list[str]:
    """Give the lines about a model of one operator, which reads tensor 0 and writes tensor 1."""
    graph = build.SubgraphSpec(tensors, [0], [1], [build.OperatorSpec(code, [0], [1], custom)])
    with tq.open(build.model(graph)) as model:
        return list(memory_lines(model, 80))


def spec(*shape: int, type: int = TYPES.FLOAT32, **others: object) -> build.TensorSpec:
    return build.TensorSpec("t", shape, type, **others)  # type: ignore[arg-type]


def test_a_plan_without_a_size_is_explained() -> None:
    found = lines([spec(4, type=TYPES.STRING), spec(4)], tflite.BuiltinOperator.RELU)
    assert " ".join(found).startswith("TFLM arena not known: subgraph 0, tensor 0 't':")
    assert max(map(len, found)) <= 80


def test_what_is_not_known_is_named() -> None:
    """Names from the file cannot steer the terminal, and none is very long."""
    found = lines([spec(4), spec(4)], tflite.BuiltinOperator.CUSTOM, "\x1b[31m" + "x" * 500)
    text = " ".join(line.strip() for line in found)
    assert "\x1b" not in text
    assert "scratch memory of" in text
    assert "0 MACs without those of" in text
    assert len(text) < 400


def test_unknown_dimensions_are_said() -> None:
    tensors = [spec(1, 4, signature=[-1, 4]), spec(1, 4)]
    text = " ".join(line.strip() for line in lines(tensors, tflite.BuiltinOperator.RELU))
    assert text.endswith("each unknown dimension taken as 1")
    assert "head 32 at operator 0 RELU" in text


def test_the_json_says_why_there_is_no_plan() -> None:
    relu = build.OperatorSpec(tflite.BuiltinOperator.RELU, [0], [1])
    graph = build.SubgraphSpec([spec(4, type=TYPES.STRING), spec(4)], [0], [1], [relu])
    with tq.open(build.model(graph)) as model:
        data = json.loads("".join(model_json(model, model.subgraphs)))
    assert data["memory"] is None
    assert "no STRING tensors" in data["memory_error"]
    assert (data["macs"], data["parameters"]) == (0, 0)
