"""Changes to a model's file: parameters, values of constants, outputs.

Whatever is new is appended to the file, and what referred to the old refers to it. So nothing else
changes, also where tensors share parameters.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import tflite
from numpy.typing import ArrayLike, NDArray

import tflite_quant as tq
from tests import build

__all__ = ["has_own_values", "with_outputs", "with_parameters", "with_values"]

_ALIGNMENT = 16
_QUANTIZATION, _OUTPUTS = 4, 2
"""Slots of fields in the tables Tensor and SubGraph."""


def with_parameters(
    content: bytes, tensor: tq.Tensor, scales: ArrayLike, zero_points: ArrayLike, axis: int = 0
) -> bytes:
    """Return a file in which a tensor, which must have parameters, has others.

    Parameters
    ----------
    content : bytes
    tensor : Tensor
        Of the model in the file.
    scales, zero_points : array_like, shape (n,)
    axis : int
    """

    def write(b: build.Builder) -> int:
        parts = {
            "scale": build.numbers(b, scales, "<f4"),
            "zero_point": build.numbers(b, zero_points, "<i8"),
        }
        return build.table(b, "QuantizationParameters", **parts, quantized_dimension=axis)

    graph = _subgraph(content, tensor.subgraph_index)
    return _referring(content, _place(graph.Tensors(tensor.index), _QUANTIZATION), write)


def with_outputs(content: bytes, subgraph: int, indices: list[int]) -> bytes:
    """Return a file in which a subgraph has other outputs."""
    place = _place(_subgraph(content, subgraph), _OUTPUTS)
    return _referring(content, place, lambda b: build.numbers(b, indices, "<i4"))


def with_values(content: bytes, tensor: tq.Tensor, values: NDArray[Any]) -> bytes:
    """Return a file in which a constant, which must have bytes of its own, has other values."""
    kind = np.dtype(tensor.dtype).newbyteorder("<")
    stored = values.astype(kind).tobytes()
    start = tensor.buffer.offset
    assert len(stored) == tensor.nbytes
    return content[:start] + stored + content[start + len(stored) :]


def has_own_values(model: tq.Model, tensor: tq.Tensor) -> bool:
    """Tell whether a constant is stored value by value, in a buffer that no other tensor has."""
    users = [
        other
        for graph in model.subgraphs
        for other in graph.tensors
        if other.buffer.index == tensor.buffer.index
    ]
    is_plain = tensor.is_constant and not tensor.is_sparse and not tensor.is_compressed
    return is_plain and len(users) == 1 and tensor.nbytes == tensor.size * tensor.dtype.itemsize


def _subgraph(content: bytes, index: int) -> Any:
    return tflite.Model.GetRootAs(content, 0).Subgraphs(index)


def _place(table: Any, slot: int) -> int:
    """Return where a table has the reference of a field."""
    inside = table._tab.Offset(4 + 2 * slot)
    assert inside
    return int(table._tab.Pos + inside)


def _referring(content: bytes, place: int, write: Any) -> bytes:
    """Return a file whose reference at a place is to something that is appended."""
    b = build.start()
    b.Finish(write(b))
    piece = bytes(b.Output())
    start = -(-len(content) // _ALIGNMENT) * _ALIGNMENT
    target = start + int.from_bytes(piece[:4], "little")
    changed = bytearray(content.ljust(start, b"\0") + piece)
    struct.pack_into("<I", changed, place, target - place)
    return bytes(changed)
