"""Asks a model all there is to ask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import tflite_quant as tq
from tflite_quant.command import json_text, text_tables
from tflite_quant.litert import lite
from tflite_quant.litert.analyzer import report

__all__ = ["ask_everything", "questions"]

Ask = Callable[[], object]


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
    for ask in questions(model):
        with contextlib.suppress(tq.TFLiteError):
            ask()
    return True


def questions(model: tq.Model) -> Iterator[Ask]:
    """Give all questions that a model can be asked."""
    yield model.summary
    yield model.__repr__
    yield lambda: str(model.summary())
    yield lambda: report(model)
    yield lambda: str(tq.check(model))
    yield lambda: tq.c_header(model)
    yield lambda: tq.c_header(model, tensors=["*"], include_model=True)
    yield lambda: "".join(json_text.model_json(model, model.subgraphs))
    yield lambda: (model.signatures, model.metadata, model.buffers)
    yield lambda: list(text_tables.model_lines(model, model.subgraphs, 80))
    yield lambda: list(text_tables.operator_lines(model, model.subgraphs, 80))
    for graph in model.subgraphs:
        yield lambda graph=graph: model.get_tensor_details(graph.index)  # type: ignore[misc]
        yield graph.__repr__
        for tensor in graph.tensors:
            yield from _of_a_tensor(tensor)
        for operator in graph.operators:
            yield from _of_an_operator(operator)


def _of_a_tensor(tensor: tq.Tensor) -> Iterator[Ask]:
    yield tensor.dequantize
    yield tensor.__repr__
    yield lambda: "".join(json_text.tensor_json(tensor))
    for name in ("data", "stored", "sparsity", "nbytes", "external_buffer", "quantization"):
        yield lambda name=name: getattr(tensor, name)  # type: ignore[misc]


def _of_an_operator(operator: tq.Operator) -> Iterator[Ask]:
    yield operator.__repr__
    yield lambda: tq.operator_requantization(operator)
    names = ("options", "options_name", "custom_options", "custom_data", "name", "inputs")
    for name in (*names, "outputs", "intermediates", "version"):
        yield lambda name=name: getattr(operator, name)  # type: ignore[misc]


def interpret(content: bytes) -> None:
    """Ask the drop-in for LiteRT's interpreter."""
    interpreter = lite.Interpreter(model_content=content)
    interpreter.get_input_details()
    interpreter.get_output_details()
    interpreter.get_signature_list()
