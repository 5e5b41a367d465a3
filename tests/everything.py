"""Asks a model all there is to ask."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import tflite_quant as tq
from tflite_quant.checks.requirements import REQUIREMENTS
from tflite_quant.command import json_text, model_screen, tensor_screen
from tflite_quant.litert import lite
from tflite_quant.litert.analyzer import report

__all__ = ["ARRAYS", "ask_everything", "interpret", "questions"]

Question = tuple[str, Callable[[], object]]

ARRAYS = {"Tensor.data", "Tensor.stored", "Tensor.dequantize", "Tensor, text", "Tensor, JSON"}
"""Questions whose answers are as large as what is asked for."""


def ask_everything(content: bytes) -> bool:
    """Open a model and ask all; each may be refused, with one of our errors and no other.

    Returns
    -------
    bool
        Whether it could be opened.
    """
    try:
        model = tq.open(content)
    except tq.TFLiteError:
        return False
    for _, ask in questions(model):
        with contextlib.suppress(tq.TFLiteError):
            ask()
    return True


def questions(model: tq.Model, most: int | None = None) -> Iterator[Question]:
    """Give all questions that a model can be asked, each with its name.

    Parameters
    ----------
    most : int, optional
        Of so many tensors and operators of a subgraph, and subgraphs, each is asked itself.
    """
    yield "Model.summary", lambda: str(model.summary())
    yield "Model.repr", model.__repr__
    yield "analyze", lambda: report(model)
    yield "check", lambda: str(tq.check(model))
    yield "check, require", lambda: str(tq.check(model, target="tflm", require=REQUIREMENTS))
    yield "c_header", lambda: tq.c_header(model)
    yield "memory_plan", lambda: tq.memory_plan(model)
    yield "model_cost", lambda: tq.model_cost(model)
    if find_spec("jinja2") is not None:
        yield "html_report", lambda: tq.html_report(model)
        yield "html_report, reference", lambda: tq.html_report(model, model)
    yield "c_header, all", lambda: tq.c_header(model, tensors=["*"], include_model=True)
    yield "c_source", lambda: tq.c_source(model, "h.h", tensors=["*"], include_model=True)
    yield "Model, JSON", lambda: deque(json_text.model_json(model, model.subgraphs), 0)
    yield "Model.lists", lambda: (model.signatures, model.metadata, model.buffers)
    yield "Model, table", lambda: list(model_screen.model_lines(model, model.subgraphs, 80))
    yield "operators, table", lambda: list(model_screen.operator_lines(model, model.subgraphs, 80))
    yield "Model.to_records", model.to_records
    yield "Model.to_records, operators", lambda: model.to_records("operators")
    yield "Model.html", model._repr_html_
    yield "Model.find", lambda: model.find("*a*b*")
    yield "compare", lambda: tq.compare(model, model)
    yield "compare, names", lambda: tq.compare({"a/kernel": [[1.0]], "b.bias": [1.0]}, model)
    yield "compare, activations", lambda: _activations(model)
    for graph in model.subgraphs[:most]:
        yield "details", lambda graph=graph: model.get_tensor_details(graph.index)  # type: ignore[misc]
        yield "Subgraph.repr", graph.__repr__
        for tensor in graph.tensors[:most]:
            yield from _of_a_tensor(tensor)
        for operator in graph.operators[:most]:
            yield from _of_an_operator(operator)


def _activations(model: tq.Model) -> tq.Comparison:
    """Compare ones, as integers and as floats, with each tensor."""
    one = {index: [1] for index in range(len(model.tensors))}
    row = {index: [[1.0, 2.0, 3.0]] for index in range(len(model.tensors))}
    tq.compare(model, model, activations=(row, row))
    return tq.compare(model, model, activations=(one, one))


def _of_a_tensor(tensor: tq.Tensor) -> Iterator[Question]:
    yield "Tensor.dequantize", tensor.dequantize
    yield "Tensor.repr", tensor.__repr__
    yield "Tensor, text", lambda: list(tensor_screen.tensor_lines(tensor, 80))
    yield "Tensor, JSON", lambda: deque(json_text.tensor_json(tensor), 0)
    yield "Tensor.html", tensor._repr_html_
    yield "Tensor.quantize", lambda: tensor.quantize([0.5])
    for name in ("role", "producer", "consumers", "converted", "range", "size", "subgraph"):
        yield f"Tensor.{name}", lambda name=name: getattr(tensor, name)  # type: ignore[misc]
    for name in ("compression", "is_compressed"):
        yield f"Tensor.{name}", lambda name=name: getattr(tensor, name)  # type: ignore[misc]
    for name in ("data", "stored", "sparsity", "nbytes", "external_buffer", "quantization"):
        yield f"Tensor.{name}", lambda name=name: getattr(tensor, name)  # type: ignore[misc]


def _of_an_operator(operator: tq.Operator) -> Iterator[Question]:
    yield "Operator.repr", operator.__repr__
    yield "operator_cost", lambda: tq.operator_cost(operator)
    for runtime in ("tflm", "litert"):
        yield (
            f"operator_requantization, {runtime}",
            lambda runtime=runtime: tq.operator_requantization(operator, runtime),  # type: ignore[misc]
        )
    names = (
        "weights", "bias", "activation", "code", "subgraph", "options", "options_name",
        "custom_options", "custom_data", "name", "inputs",
    )  # fmt: skip
    for name in (*names, "outputs", "intermediates", "version"):
        yield f"Operator.{name}", lambda name=name: getattr(operator, name)  # type: ignore[misc]


def interpret(content: bytes) -> None:
    """Ask the drop-in for LiteRT's interpreter."""
    interpreter = lite.Interpreter(model_content=content)
    interpreter.get_input_details()
    interpreter.get_output_details()
    interpreter.get_signature_list()
