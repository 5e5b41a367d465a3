"""The dictionaries that LiteRT's `Interpreter.get_tensor_details()` gives, from the columns.

Keys, types and array dtypes are LiteRT's (google-ai-edge/LiteRT, tflite/python/interpreter.py and
tflite/python/interpreter_wrapper/interpreter_wrapper.cc). The arrays are the caller's own to
change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..format.extensions import BLOCKWISE, MULTI_AXIS
from ..format.schema import TensorType
from ..format.structure import Structure
from ..format.vectors import Vectors, split
from ..model.quantization import Blockwise, Quantization
from ..model.tensor import Tensor

if TYPE_CHECKING:
    from ..format.sparsity import Sparsity

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


def tensor_details(
    structure: Structure, subgraph: int, tensor: Callable[[int], Tensor]
) -> list[dict[str, Any]]:
    """Give the details of all tensors of a subgraph.

    Parameters
    ----------
    structure : Structure
    subgraph : int
        Index of the subgraph, in range.
    tensor : callable
        Gives a tensor of the subgraph by index; asked only for those that are quantized in a
        newer way, or sparse.

    Returns
    -------
    list of dict
        For each tensor 'name', 'index', 'shape' and 'shape_signature' (int32 arrays), 'dtype' (a
        numpy scalar type; `numpy.void` where numpy has none), 'quantization' (scale and zero
        point if there is one of each, else (0.0, 0)), 'quantization_parameters' ('scales',
        float32 or, of blocks, as they are stored, 'zero_points', int32, 'quantized_dimension',
        'block_size') and 'sparsity_parameters'.
    """
    tensors = structure.tensors
    rows = slice(*structure.tensor_bounds[subgraph : subgraph + 2].tolist())
    shapes = tensors.vectors("shape").at(rows)
    scales, zeros, axes = _parameters(structure, structure.quantization_rows[rows])
    vectors = (shapes, _signatures(structure, rows, shapes), zeros, scales)
    columns = zip(
        tensors.strings("name", rows),
        tensors.numbers("type", rows).tolist(),
        *split(vectors, (_INT32, _INT32, _INT32, _FLOAT32)),
        axes.tolist(),
        ((scales.lengths == 1) & (zeros.lengths == 1)).tolist(),
        strict=True,
    )
    details = [
        {
            "name": name,
            "index": index,
            "shape": shape,
            "shape_signature": signature,
            "dtype": _TYPES.get(type, np.void),
            "quantization": (scales.item(), zeros.item()) if is_pair else (0.0, 0),
            "quantization_parameters": {
                "scales": scales,
                "zero_points": zeros,
                "quantized_dimension": axis,
                "block_size": 0,
            },
            "sparsity_parameters": {},
        }
        for index, (name, type, shape, signature, zeros, scales, axis, is_pair) in enumerate(
            columns
        )
    ]
    for index in _blockwise(structure, rows):
        details[index]["quantization_parameters"] = _of_blocks(tensor(index).quantization)
    for index in _sparse(structure, rows):
        # LiteRT reads how a tensor is stored where something is stored.
        if tensor(index).is_constant:
            details[index]["sparsity_parameters"] = _sparsity(tensor(index).sparsity)
    return details


def _blockwise(structure: Structure, rows: slice) -> list[int]:
    """Give the indices of the tensors that are quantized by blocks."""
    if structure.details is None:
        return []
    places = structure.quantization_rows[rows]
    kinds = np.where(places < 0, 0, structure.details.kinds[places])
    indices: list[int] = (kinds == BLOCKWISE).nonzero()[0].tolist()
    return indices


def _sparse(structure: Structure, rows: slice) -> list[int]:
    """Give the indices of the sparse tensors."""
    if structure.sparsities is None:
        return []
    indices: list[int] = (structure.sparsities.rows[rows] >= 0).nonzero()[0].tolist()
    return indices


def _of_blocks(quantization: Quantization) -> dict[str, Any]:
    """Give the parameters of blocks, whose scales LiteRT takes for float16 whatever they are."""
    if not isinstance(quantization, Blockwise):
        return {
            "scales": np.empty(0, np.float32),
            "zero_points": np.empty(0, np.int32),
            "quantized_dimension": 0,
            "block_size": 0,
        }
    scales, zeros = quantization.scales, quantization.zero_points
    if zeros is not None and zeros.dtype.kind not in "iu":
        zeros = None
    return {
        "scales": np.empty(0, np.float32) if scales is None else _native(scales),
        "zero_points": np.empty(0, np.int32) if zeros is None else _native(zeros, np.int32),
        "quantized_dimension": quantization.quantized_dimension,
        "block_size": quantization.block_size,
    }


def _native(values: NDArray[Any], dtype: type | None = None) -> NDArray[Any]:
    return values.reshape(-1).astype(dtype or values.dtype.newbyteorder("="))


def _sparsity(sparsity: Sparsity | None) -> dict[str, Any]:
    if sparsity is None:
        return {}
    return {
        "traversal_order": np.array(sparsity.traversal_order, np.int32),
        "block_map": np.array(sparsity.block_map, np.int32),
        "dim_metadata": [
            {"format": 0, "dense_size": dimension.size}
            if hasattr(dimension, "size")
            else {
                "format": 1,
                "array_segments": _native(dimension.segments, np.int32),
                "array_indices": _native(dimension.indices, np.int32),
            }
            for dimension in sparsity.dimensions
        ],
    }


def _signatures(structure: Structure, rows: slice, shapes: Vectors) -> Vectors:
    """Give the shape signatures: LiteRT's are the shapes of constants, and where there are none.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseTensors.
    """
    tensors = structure.tensors
    signatures = tensors.vectors("shape_signature").at(rows)
    if not np.count_nonzero(signatures.lengths):
        return shapes
    buffers = tensors.numbers("buffer", rows)
    # Buffer 0 need not be there.
    starts = np.append(structure.buffer_starts, 0)
    constant = (starts[buffers] != 0) & (buffers != 0)
    return signatures.where((signatures.lengths != 0) & ~constant, shapes)


def _parameters(
    structure: Structure, places: NDArray[np.int64]
) -> tuple[Vectors, Vectors, NDArray[np.int64]]:
    """Give the scales, the zero points and the axis of each tensor.

    Where there are no scales, LiteRT takes zero points and axis for absent, too. Its zero points
    are int32: of a file's 64 bits it keeps the lower half.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseQuantization.

    Parameters
    ----------
    structure : Structure
    places : ndarray of int64, shape (tensors,)
        The row in `quantizations` of each tensor, rising, -1 for none.
    """
    tables, own = structure.quantizations, places >= 0
    scales, zeros = tables.vectors("scale"), tables.vectors("zero_point")
    if not own.any():
        nothing = np.zeros(places.size, np.int64)
        return scales.of(nothing, nothing), zeros.of(nothing, nothing), nothing
    # A model may have many subgraphs: no more than this one's tables are looked at.
    first = int(places[own.argmax()])
    rows = slice(first, int(places.max()) + 1)
    scales, zeros = scales.at(rows), zeros.at(rows)
    axes, having = tables.numbers("quantized_dimension", rows), scales.lengths != 0
    if structure.details is not None:
        # Whose parameters are tensors has none of these.
        having &= ~np.isin(structure.details.kinds[rows], (BLOCKWISE, MULTI_AXIS))
    places = (places - first) * own
    own &= having[places]
    return scales.at(places).where(own), zeros.at(places).where(own), axes[places] * own
