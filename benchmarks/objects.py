"""What users ask of a model's objects, beside LiteRT's answer to the same, or our own parts.

Every question begins at the path, as a script does; of a made model, all sides read the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter

import tflite_quant as tq
from benchmarks.timing import medians
from tests.oracle import quiet

__all__ = ["LAYERS", "measured"]

LAYERS = (10, 57, 143, 3333)
"""Of the models; each layer has three tensors, and there is one more: 31, 172, 430 and 10,000."""

_SECONDS, _TURNS = 1.0, 3
"""For each question and model; the rare slow pair is not timed more often than this many times."""


class Question(NamedTuple):
    """A question in words, our way to answer it, and what it is measured beside."""

    words: str
    ours: Callable[[], object]
    other: Callable[[], object]


def measured(path: Path) -> Iterator[tuple[str, float, float]]:
    """Give for each question its words, our median and the other's, in seconds."""
    with quiet():
        for question in questions(str(path)):
            ways = {"ours": question.ours, "other": question.other}
            times = medians(ways, _SECONDS, _TURNS)
            yield question.words, times["ours"], times["other"]


def questions(path: str) -> list[Question]:
    """Give all questions about a model."""
    with tq.open(path) as model:
        constants = [tensor.index for tensor in model.tensors if tensor.is_constant]

    def litert_details() -> object:
        return Interpreter(model_path=path).get_tensor_details()

    def litert_values(is_told: bool) -> object:
        interpreter = Interpreter(model_path=path)
        interpreter.allocate_tensors()
        if not is_told:
            interpreter.get_tensor_details()
        return [interpreter.get_tensor(index) for index in constants]

    def all_data() -> object:
        return data(path)

    # LiteRT does not say which tensors are constant. A script looks through the details; one that
    # is told the indices in advance, as none is, is the harder of the two to keep up with.
    return [
        Question("facts of tensors / LiteRT details", lambda: facts(path), litert_details),
        Question("details / LiteRT details", lambda: details(path), litert_details),
        Question("data of constants / LiteRT", all_data, lambda: litert_values(False)),
        Question("data / LiteRT told which", all_data, lambda: litert_values(True)),
        Question("operators / open", lambda: operators(path), lambda: tq.open(path)),
        Question("check / details", lambda: tq.check(path), lambda: details(path)),
        dequantizing(path),
    ]


def facts(path: str) -> object:
    """Ask each tensor what README shows first."""
    return [
        (
            tensor.name,
            tensor.type,
            tensor.shape,
            tensor.shape_signature,
            tensor.quantization,
            tensor.is_constant,
        )
        for tensor in tq.open(path).tensors
    ]


def details(path: str) -> object:
    """Ask for LiteRT's dictionaries."""
    return tq.open(path).get_tensor_details()


def data(path: str) -> object:
    """Ask each constant for its values."""
    return [tensor.data for tensor in tq.open(path).tensors if tensor.is_constant]


def operators(path: str) -> object:
    """Ask each operator what it is, what it reads and writes, and what it was told."""
    return [
        (step.name, step.inputs, step.outputs, step.options) for step in tq.open(path).operators
    ]


def dequantizing(path: str) -> Question:
    """Ask constants of few values for the real ones; the model is open already.

    The one-liner has its scales and zero points as they must be to fit, which costs a user more
    lines; it checks nothing.
    """
    constants = [tensor for tensor in tq.open(path).tensors if tensor.is_constant]
    few = [tensor for tensor in constants if tensor.data.size <= 1000]
    prepared = [(tensor, *columns(tensor)) for tensor in few]
    for tensor, scale, zero in prepared:
        expected = (tensor.data.astype(np.float32) - zero) * scale
        np.testing.assert_allclose(tensor.dequantize(), expected, rtol=1e-6)
    return Question(
        "dequantize() of few values / one-liner",
        lambda: [tensor.dequantize() for tensor in few],
        lambda: [(t.data.astype(np.float32) - zero) * scale for t, scale, zero in prepared],
    )


def columns(tensor: tq.Tensor) -> tuple[Any, Any]:
    """Give scale and zero point in a shape that fits the tensor's."""
    found = tensor.quantization
    if isinstance(found, tq.PerTensor):
        return np.float32(found.scale), np.float32(found.zero_point)
    assert isinstance(found, tq.PerAxis)
    shape = (-1,) + (1,) * (len(tensor.shape) - 1 - found.axis)
    return found.scales.reshape(shape), found.zero_points.astype(np.float32).reshape(shape)
