"""The details of all tensors: this library, LiteRT's interpreter, the generated accessors."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from ai_edge_litert._pywrap_analyzer_wrapper import ModelAnalyzer
from ai_edge_litert.interpreter import Interpreter

import tflite_quant as tq
from benchmarks.timing import medians
from tests import build

__all__ = ["layers", "made", "measured", "measured_analyzer", "measured_growth"]

LAYERS = (3, 56, 143, 3333)
"""Of the models made here; each layer has three tensors."""


@contextlib.contextmanager
def made(counts: Sequence[int] = LAYERS) -> Iterator[list[Path]]:
    """Make models of so many layers in a folder that goes away again."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{count}_layers.tflite") for count in counts]
        for path, count in zip(paths, counts, strict=True):
            path.write_bytes(layers(count))
        yield paths


def measured(path: Path) -> dict[str, float]:
    """Give the median seconds of opening a model and giving the details of all tensors."""
    name = str(path)
    return medians(
        {
            "ours": lambda: tq.open(name).get_tensor_details(),
            "LiteRT": lambda: Interpreter(model_path=name).get_tensor_details(),
            "accessors": lambda: walk(name),
        }
    )


def measured_analyzer(path: Path) -> dict[str, float]:
    """Give the median seconds of the analyzer's report."""
    name = str(path)
    return medians(
        {"ours": lambda: tq.analyze(name), "LiteRT": lambda: ModelAnalyzer(name, True, False)}
    )


def measured_growth() -> Iterator[tuple[int, float]]:
    """Give for models of 100 to 100,000 tensors the median seconds of their details."""
    for power in range(2, 6):
        content = layers(10**power // 3)
        time = medians({"ours": lambda c=content: tq.open(c).get_tensor_details()})  # type: ignore[misc]
        yield len(tq.open(content).tensors), time["ours"]


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
    """Build a model of fully connected layers: of each a kernel, a bias and an output.

    It is one that LiteRT runs, and nothing is wrong in it: the time of `check` is that of looking,
    not that of reporting.
    """
    weight = np.random.default_rng(3).integers(-100, 101, (8, 8)).astype(np.int8)
    weight[:, 0] = 127
    bias = np.arange(8, dtype=np.int32)
    scales, zeros = np.linspace(0.01, 0.02, 8, dtype=np.float32), np.zeros(8)
    tensors = [build.TensorSpec("input", (1, 8), scale=0.1, zero_point=3)]
    operators = []
    code = tflite.BuiltinOperator.FULLY_CONNECTED
    for layer in range(count):
        first = len(tensors)
        tensors += [
            build.constant(weight, scales, zeros, name=f"layer_{layer}/kernel"),
            build.constant(bias, np.float32(0.1) * scales, zeros, name=f"layer_{layer}/bias"),
            build.TensorSpec(f"layer_{layer}/output", (1, 8), scale=0.1, zero_point=3),
        ]
        inputs = [first - 1, first, first + 1]
        operators.append(build.OperatorSpec(code, inputs, [first + 2], version=5, fields=TOLD))
    graph = build.SubgraphSpec(tensors, [0], [len(tensors) - 1], operators, "main")
    return build.model(graph)


TOLD = {
    "builtin_options_type": tflite.BuiltinOptions.FullyConnectedOptions,
    "builtin_options": lambda b: build.table(
        b,
        "FullyConnectedOptions",
        fused_activation_function=tflite.ActivationFunctionType.RELU,
        keep_num_dims=True,
        asymmetric_quantize_inputs=True,
    ),
}
"""Some options, in a table of each operator's own."""
