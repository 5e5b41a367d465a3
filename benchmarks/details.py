"""The details of all tensors: this library, LiteRT's interpreter, the generated accessors."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from ai_edge_litert._pywrap_analyzer_wrapper import ModelAnalyzer
from ai_edge_litert.interpreter import Interpreter

import tflite_quant as tq
from benchmarks.timing import medians
from tests import build

__all__ = ["ANALYZER_TITLES", "TITLES", "analyzer_row", "made", "row"]

TITLES = ("open and all tensor details", "tensors", "ours / LiteRT", "ours / accessors", "ours")
ANALYZER_TITLES = ("the analyzer's report", "tensors", "ours / LiteRT", "ours")
LAYERS = (56, 143, 3333)
"""Of the models made here; each layer has three tensors."""


@contextlib.contextmanager
def made() -> Iterator[list[Path]]:
    """Make models of many layers in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{count}_layers.tflite") for count in LAYERS]
        for path, count in zip(paths, LAYERS, strict=True):
            path.write_bytes(layers(count))
        yield paths


def analyzer_row(path: Path) -> tuple[str, ...]:
    """Give the name, the number of tensors, the ratio of medians, and our median."""
    name = str(path)
    result = medians(
        {"ours": lambda: tq.analyze(name), "litert": lambda: ModelAnalyzer(name, True, False)}
    )
    ours = result["ours"]
    count = str(len(tq.open(name).tensors))
    return path.name, count, f"{ours / result['litert']:.2f}", f"{ours * 1e3:.2f} ms"


def row(path: Path) -> tuple[str, ...]:
    """Give the name, the number of tensors, two ratios of medians, and our median."""
    name = str(path)
    result = medians(
        {
            "ours": lambda: tq.open(name).get_tensor_details(),
            "litert": lambda: Interpreter(model_path=name).get_tensor_details(),
            "accessors": lambda: walk(name),
        }
    )
    ours = result["ours"]
    return (
        path.name,
        str(len(tq.open(name).tensors)),
        f"{ours / result['litert']:.2f}",
        f"{ours / result['accessors']:.2f}",
        f"{ours * 1e3:.2f} ms",
    )


def walk(path: str) -> list[dict[str, Any]]:
    """Read what the dictionaries hold in the plainest way, one generated accessor at a time."""
    graph = tflite.Model.GetRootAs(Path(path).read_bytes()).Subgraphs(0)
    return [details(graph.Tensors(index), index) for index in range(graph.TensorsLength())]


def details(tensor: Any, index: int) -> dict[str, Any]:
    """Give one tensor's dictionary."""
    quantization = tensor.Quantization()
    has_scales = quantization is not None and quantization.ScaleLength()
    shape = array(tensor.ShapeAsNumpy(), np.int32)
    return {
        "name": (tensor.Name() or b"").decode(),
        "index": index,
        "shape": shape,
        "shape_signature": array(tensor.ShapeSignatureAsNumpy(), np.int32)
        if tensor.ShapeSignatureLength()
        else shape,
        "dtype": tensor.Type(),
        "quantization_parameters": {
            "scales": array(quantization.ScaleAsNumpy() if has_scales else 0, np.float32),
            "zero_points": array(quantization.ZeroPointAsNumpy() if has_scales else 0, np.int32),
            "quantized_dimension": quantization.QuantizedDimension() if has_scales else 0,
        },
        "sparsity_parameters": {},
    }


def array(values: Any, dtype: type) -> Any:
    """Copy a vector; the generated accessors give 0 for one that is absent."""
    return np.array([] if isinstance(values, int) else values, dtype)


def layers(count: int) -> bytes:
    """Build a model of fully connected layers: of each a kernel, a bias and an output."""
    weight, bias = np.ones((8, 4), np.int8), np.zeros(8, np.int32)
    scales, zeros = np.linspace(0.01, 0.02, 8), np.zeros(8)
    tensors = [build.TensorSpec("input", (1, 8), scale=0.1, zero_point=0)]
    operators = []
    for layer in range(count):
        first = len(tensors)
        tensors += [
            build.constant(weight, scales, zeros, name=f"layer_{layer}/kernel"),
            build.constant(bias, scales, zeros, name=f"layer_{layer}/bias"),
            build.TensorSpec(f"layer_{layer}/output", (1, 8), scale=0.1, zero_point=3),
        ]
        inputs = [first - 1, first, first + 1]
        code = tflite.BuiltinOperator.FULLY_CONNECTED
        operators.append(build.OperatorSpec(code, inputs, [first + 2], version=5))
    graph = build.SubgraphSpec(tensors, [0], [len(tensors) - 1], operators, "main")
    return build.model(graph)
