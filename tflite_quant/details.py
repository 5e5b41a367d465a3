"""The dictionaries that LiteRT's `Interpreter.get_tensor_details()` gives, from the columns.

Keys, types and array dtypes are LiteRT's (google-ai-edge/LiteRT, tflite/python/interpreter.py and
tflite/python/interpreter_wrapper/interpreter_wrapper.cc). The arrays are the caller's own to
change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .flatbuffer import Vectors
from .schema import TensorType
from .structure import Structure

__all__ = ["tensor_details"]

# What LiteRT names the types: google-ai-edge/LiteRT, tflite/python/interpreter_wrapper/numpy.cc.
_TYPES: dict[int, type] = {
    TensorType.FLOAT32: np.float32,
    TensorType.FLOAT16: np.float16,
    TensorType.FLOAT64: np.float64,
    TensorType.BFLOAT16: np.void,
    TensorType.FLOAT8_E4M3FN: np.int8,
    TensorType.FLOAT8_E5M2: np.int8,
    TensorType.INT2: np.int8,
    TensorType.INT4: np.int8,
    TensorType.INT8: np.int8,
    TensorType.INT16: np.int16,
    TensorType.INT32: np.int32,
    TensorType.INT64: np.int64,
    TensorType.UINT4: np.uint8,
    TensorType.UINT8: np.uint8,
    TensorType.UINT16: np.uint16,
    TensorType.UINT32: np.uint32,
    TensorType.UINT64: np.uint64,
    TensorType.BOOL: np.bool_,
    TensorType.STRING: np.bytes_,
    TensorType.COMPLEX64: np.complex64,
    TensorType.COMPLEX128: np.complex128,
    TensorType.RESOURCE: np.object_,
    TensorType.VARIANT: np.object_,
}

_FLOAT32 = np.dtype(np.float32)
_INT32 = np.dtype(np.int32)
_NO_AXIS = np.zeros(1, np.int32)


def tensor_details(structure: Structure, subgraph: int) -> list[dict[str, Any]]:
    """Give the details of all tensors of a subgraph.

    Parameters
    ----------
    structure : Structure
    subgraph : int
        Index of the subgraph, in range.

    Returns
    -------
    list of dict
        For each tensor 'name', 'index', 'shape' and 'shape_signature' (int32 arrays), 'dtype' (a
        numpy scalar type; `numpy.void` where numpy has none), 'quantization' (scale and zero
        point if there is one of each, else (0.0, 0)), 'quantization_parameters' ('scales',
        float32, 'zero_points', int32, 'quantized_dimension', 'block_size') and
        'sparsity_parameters'.
    """
    tensors = structure.tensors
    rows = slice(*structure.tensor_bounds[subgraph : subgraph + 2].tolist())
    columns = zip(
        tensors.strings("name", rows),
        tensors.vectors("shape").at(rows).split(_INT32),
        _signatures(structure, rows).split(_INT32),
        (_TYPES.get(number, np.void) for number in tensors.numbers("type")[rows].tolist()),
        *_parameters(structure, rows),
        strict=True,
    )
    return [
        {
            "name": name,
            "index": index,
            "shape": shape,
            "shape_signature": signature,
            "dtype": dtype,
            "quantization": pair,
            "quantization_parameters": {
                "scales": scales,
                "zero_points": zeros,
                "quantized_dimension": axis,
                "block_size": 0,
            },
            "sparsity_parameters": {},
        }
        for index, (
            name,
            shape,
            signature,
            dtype,
            pair,
            scales,
            zeros,
            axis,
        ) in enumerate(columns)
    ]


def _signatures(structure: Structure, rows: slice) -> Vectors:
    """Give the shape signatures: LiteRT gives the shape for constants, and where there is none.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseTensors.
    """
    tensors = structure.tensors
    shapes = tensors.vectors("shape").at(rows)
    signatures = tensors.vectors("shape_signature").at(rows)
    if not np.count_nonzero(signatures.lengths):
        return shapes
    buffers = tensors.numbers("buffer")[rows]
    constant = (structure.buffer_starts[buffers] != 0) & (buffers != 0)
    return signatures.where((signatures.lengths != 0) & ~constant, shapes)


def _parameters(
    structure: Structure, rows: slice
) -> tuple[list[tuple[float, int]], list[NDArray[Any]], list[NDArray[Any]], list[int]]:
    """Give for each tensor the scale and zero point if it has one of each, all of them, the axis.

    Where there are no scales, LiteRT takes zero points and axis for absent, too. Its zero points
    are int32: of a file's 64 bits it keeps the lower half.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseQuantization.
    """
    tables, places = structure.quantizations, structure.quantization_rows[rows]
    scales, zeros = tables.vectors("scale"), tables.vectors("zero_point")
    having = scales.lengths != 0
    axes = tables.numbers("quantized_dimension") * having
    # Row -1, of tensors that have no table, is the 0 at the end.
    axes = np.concatenate([axes, _NO_AXIS])[places]
    scales, zeros = scales.spread(places), zeros.where(having).spread(places)
    is_pair = (scales.lengths == 1) & (zeros.lengths == 1)
    first_scales = np.where(is_pair, scales.first(_FLOAT32), 0).tolist()
    first_zeros = np.where(is_pair, zeros.first(_INT32), 0).tolist()
    pairs = list(zip(first_scales, first_zeros, strict=True))
    return pairs, scales.split(_FLOAT32), zeros.split(_INT32), axes.tolist()
