"""LiteRT itself, which knows the right answer to most questions."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

from tests import build


def litert() -> ModuleType:
    """Import LiteRT's interpreter."""
    return package("ai_edge_litert.interpreter")


def package(name: str) -> ModuleType:
    """Import what has no wheels for some machines: skip the test there, but in CI fail it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is needed in CI: {error}")
        pytest.skip(f"{name} is not here: {error}")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what C++ code writes to standard error out of the tests' output."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def interpreter(source: Path | bytes, reference: bool = False, delegate: bool = False) -> Any:
    """Open a model with LiteRT; a `ValueError` says that LiteRT refuses it.

    Unless asked for without the default delegate, which rewrites the model; if asked for with the
    reference kernels, which not all operators have.
    """
    given = {"model_content": source} if isinstance(source, bytes) else {"model_path": str(source)}
    module = litert()
    types = module.OpResolverType
    kind = types.BUILTIN if delegate else types.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    kind = types.BUILTIN_REF if reference else kind
    with quiet():
        return module.Interpreter(**given, experimental_op_resolver_type=kind)


def run_operator(
    operator: int, source: build.TensorSpec, target: build.TensorSpec, values: NDArray[Any]
) -> NDArray[Any]:
    """Run one builtin operator of one input and one output on values."""
    graph = build.SubgraphSpec(
        [source, target], [0], [1], [build.OperatorSpec(operator, [0], [1], version=5)]
    )
    runner = interpreter(build.model(graph), reference=True)
    with quiet():
        runner.allocate_tensors()
        runner.set_tensor(0, values)
        runner.invoke()
    result: NDArray[Any] = runner.get_tensor(1)
    return result


def dequantized(q: NDArray[Any], scale: Any, zero_point: Any, axis: int = 0) -> NDArray[np.float32]:
    """Dequantize with LiteRT's reference kernel."""
    source = build.TensorSpec("q", q.shape, build.type_of(q.dtype), None, scale, zero_point, axis)
    target = build.TensorSpec("r", q.shape, tflite.TensorType.FLOAT32)
    return run_operator(tflite.BuiltinOperator.DEQUANTIZE, source, target, q)


def quantized(
    real: NDArray[np.float32], dtype: Any, scale: Any, zero_point: Any, axis: int = 0
) -> NDArray[Any]:
    """Quantize with LiteRT's reference kernel."""
    source = build.TensorSpec("r", real.shape, tflite.TensorType.FLOAT32)
    kind = build.type_of(dtype)
    target = build.TensorSpec("q", real.shape, kind, None, scale, zero_point, axis)
    return run_operator(tflite.BuiltinOperator.QUANTIZE, source, target, real)
