"""Where this library and LiteRT say different things of a model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite_quant as tq
from tests import oracle


def is_same(one: object, other: object) -> bool:
    """Compare deeply: every value, and its type."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(
            one, other, equal_nan=one.dtype.kind == "f"
        )
    return bool(one == other)


def is_same_bytes(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.tobytes() == other.tobytes()


def differences(model: tq.Model, interpreter: Any) -> Iterator[str]:
    """Say in a line each where the details of tensors, or the values of constants, differ."""
    for subgraph in model.subgraphs:
        ours = model.get_tensor_details(subgraph.index)
        theirs = interpreter.get_tensor_details(subgraph.index)
        # LiteRT adds temporary tensors of its own at the end.
        if len(theirs) < len(ours):
            yield f"subgraph {subgraph.index}: {len(ours)} tensors, LiteRT has {len(theirs)}"
        for tensor, one, other in zip(subgraph.tensors, ours, theirs, strict=False):
            keys = one.keys() | other.keys()
            if _is_misread(tensor):
                keys -= {"quantization_parameters"}
            for key in sorted(keys):
                if not is_same(one.get(key), other.get(key)):
                    yield f"{tensor!r}: {key} {one.get(key)!r}, LiteRT has {other.get(key)!r}"
            yield from _properties(tensor, other)
            if tensor.is_constant:
                yield from _values(tensor, interpreter)


def _is_misread(tensor: tq.Tensor) -> bool:
    """Tell where LiteRT takes the scales of blocks for float16, though they are not."""
    scheme = tensor.quantization
    return isinstance(scheme, tq.Blockwise) and (
        scheme.scales is None or scheme.scales.dtype != np.float16
    )


def _properties(tensor: tq.Tensor, details: dict[str, Any]) -> Iterator[str]:
    """Compare what the tensor itself says, which comes another way than the dictionaries."""
    if tensor.name != details["name"] or tensor.shape != tuple(details["shape"].tolist()):
        yield f"{tensor!r}: LiteRT has name {details['name']!r}, shape {details['shape']}"
    parameters = details["quantization_parameters"]
    scales, zeros = parameters["scales"], parameters["zero_points"]
    match tensor.quantization:
        case tq.NotQuantized():
            same = not scales.size
        case tq.Blockwise() if not _is_misread(tensor):
            found = tensor.quantization.scales
            same = found is not None and found.reshape(-1).tolist() == scales.tolist()
        case tq.PerTensor(scale, zero):
            same = scales.tolist() == [scale] and zeros.tolist() == [zero]
        case tq.PerAxis() as q:
            same = (
                np.array_equal(q.scales, scales)
                and np.array_equal(q.zero_points, zeros)
                and q.axis == parameters["quantized_dimension"]
            )
        case _:
            return
    if not same:
        yield f"{tensor!r}: LiteRT has {parameters}"


def _values(tensor: tq.Tensor, interpreter: Any) -> Iterator[str]:
    # LiteRT gives a sparse tensor's values as they are stored.
    ours = tensor.stored if tensor.is_sparse else tensor.data
    try:
        with oracle.quiet():
            theirs = interpreter.get_tensor(tensor.index, tensor.subgraph_index)
    except ValueError as error:
        yield f"{tensor!r}: LiteRT does not give the values: {error}"
        return
    raw = ours.tolist() == theirs.tolist() if ours.dtype == object else is_same_bytes(ours, theirs)
    if ours.shape != theirs.shape or not raw:
        yield f"{tensor!r}: the values differ"
    if ours.dtype != theirs.dtype:
        yield f"{tensor!r}: the values have dtype {ours.dtype}, LiteRT has {theirs.dtype}"


REFUSED = (
    # Biases whose quantized dimension is that of their weights, past their own rank: in use on
    # microcontrollers, which do not read it (tensorflow/tflite-micro, person_detect.tflite).
    "quantized_dimension must be in range",
)
"""What LiteRT says of models that it refuses and this library opens."""


def open_both(path: Path) -> tuple[tq.Model | None, Any, str]:
    """Open a model with both; give None for who refuses it, and LiteRT's reason."""
    try:
        model = tq.open(path)
    except tq.TFLiteError:
        model = None
    try:
        return model, oracle.interpreter(path), ""
    except ValueError as error:
        return model, None, str(error)
