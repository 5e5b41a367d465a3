"""Makes the dictionaries of LiteRT's `Interpreter.get_tensor_details()` from the columns.

Keys, types and array dtypes are LiteRT's (google-ai-edge/LiteRT, tflite/python/interpreter.py and
tflite/python/interpreter_wrapper/interpreter_wrapper.cc). The arrays are copies, which callers may
change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..format.flatbuffer import Positions, Vectors
from ..format.schema import TensorType
from ..format.tables import BLOCKWISE, MULTI_AXIS, Structure
from ..model.block_quantization import Blockwise
from ..model.quantization import Quantization
from ..model.subgraph import Subgraph

if TYPE_CHECKING:
    from ..format.sparsity import Sparsity

__all__ = ["QuantizationParameters", "TensorDetails", "tensor_details"]


class QuantizationParameters(TypedDict):
    """The parameters of a tensor as LiteRT has them."""

    scales: NDArray[Any]
    zero_points: NDArray[np.int32]
    quantized_dimension: int
    block_size: int


class TensorDetails(TypedDict):
    """What LiteRT says of a tensor."""

    name: str
    index: int
    shape: NDArray[np.int32]
    shape_signature: NDArray[np.int32]
    dtype: type
    quantization: tuple[float, int]
    quantization_parameters: QuantizationParameters
    sparsity_parameters: dict[str, Any]


# LiteRT's dtype for each type: google-ai-edge/LiteRT, tflite/python/interpreter_wrapper/numpy.cc.
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


def tensor_details(structure: Structure, subgraph: Subgraph) -> list[TensorDetails]:
    """Return the details of all tensors of a subgraph.

    Parameters
    ----------
    structure : Structure
    subgraph : Subgraph
        Used only for tensors that are blockwise or sparse.

    Returns
    -------
    list of dict
        For each tensor 'name', 'index', 'shape' and 'shape_signature' (int32 arrays), 'dtype' (a
        numpy scalar type; `numpy.void` where numpy has none), 'quantization' (scale and zero
        point if there is one of each, else (0.0, 0)), 'quantization_parameters' ('scales' as
        float32 or, if blockwise, as they are stored; 'zero_points' as int32;
        'quantized_dimension'; 'block_size') and 'sparsity_parameters'.
    """
    tensors = structure.tensors
    rows = slice(*structure.tensor_bounds[subgraph.index : subgraph.index + 2].tolist())
    shapes = tensors.vectors("shape", rows)
    scales, zeros, axes = _parameters(structure, structure.quantization_rows[rows])
    columns = zip(
        tensors.strings("name", rows),
        tensors.numbers("type", rows).tolist(),
        shapes.split(np.int32),
        _signatures(structure, rows, shapes).split(np.int32),
        scales.split(np.float32),
        zeros.split(np.int32),
        axes.tolist(),
        ((scales.lengths == 1) & (zeros.lengths == 1)).tolist(),
        strict=True,
    )
    details: list[TensorDetails] = [
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
        for index, (name, type, shape, signature, scales, zeros, axis, is_pair) in enumerate(
            columns
        )
    ]
    for index in _blockwise(structure, rows):
        quantization = subgraph.tensors[index].quantization
        details[index]["quantization_parameters"] = _of_blocks(quantization)
    for index in tensors.references("sparsity")[rows].nonzero()[0].tolist():
        # LiteRT has the sparsity only of tensors that have a buffer, be it without bytes.
        tensor = subgraph.tensors[index]
        if tensor.external_buffer is not None or (tensor.buffer.index and tensor.buffer.offset):
            parameters = _sparsity(tensor.sparsity)
            if not _has_block_map(structure, rows.start + index):
                parameters.pop("block_map", None)
            details[index]["sparsity_parameters"] = parameters
    return details


def _has_block_map(structure: Structure, row: int) -> bool:
    """Tell whether the file has a block map, even an empty one, for a sparse tensor."""
    assert structure.sparsities is not None
    of_tensor = int(structure.sparsities.rows[row])
    present = structure.sparsities.tables.vectors("block_map").present
    return bool(present[of_tensor])


def _blockwise(structure: Structure, rows: slice) -> list[int]:
    """Return the indices of the blockwise tensors."""
    if structure.details is None:
        return []
    table_rows = structure.quantization_rows[rows]
    kinds = np.where(table_rows < 0, 0, structure.details.kinds[table_rows])
    indices: list[int] = (kinds == BLOCKWISE).nonzero()[0].tolist()
    return indices


def _of_blocks(quantization: Quantization) -> QuantizationParameters:
    """Return blockwise parameters; LiteRT would read the scales as float16, whatever they are."""
    scales, zeros, axis, size = None, None, 0, 0
    if isinstance(quantization, Blockwise):
        scales, zeros = quantization.scales, quantization.zero_points
        axis, size = quantization.quantized_dimension, quantization.block_size
    if zeros is None or zeros.dtype.kind not in "iu":
        zeros = np.empty(0, np.int32)
    return {
        "scales": np.empty(0, np.float32) if scales is None else _native(scales),
        "zero_points": _native(zeros, np.int32),
        "quantized_dimension": axis,
        "block_size": size,
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
    """Return the shape signatures; in LiteRT, constants and tensors without one have their shape.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseTensors.
    """
    signatures = structure.tensors.vectors("shape_signature", rows)
    buffers = structure.tensors.numbers("buffer", rows)
    is_constant = (structure.buffer_starts[buffers] != 0) & (buffers != 0)
    return signatures.where((signatures.lengths != 0) & ~is_constant, shapes)


def _parameters(structure: Structure, of_tensors: Positions) -> tuple[Vectors, Vectors, Positions]:
    """Return the scales, the zero points and the axis of each tensor.

    If there are no scales, LiteRT ignores the zero points and the axis, too. Its zero points are
    int32: it keeps the lower half of the file's 64 bits.

    Source: google-ai-edge/LiteRT, tflite/core/interpreter_builder.cc, ParseQuantization.

    Parameters
    ----------
    structure : Structure
    of_tensors : ndarray of int64, shape (tensors,)
        The row of each tensor in `quantizations`, in rising order; -1 for none.
    """
    present, tables = of_tensors[of_tensors >= 0], structure.quantizations
    rows = slice(int(present[0]), int(present[-1]) + 1) if present.size else slice(0, 0)
    is_used = tables.vectors("scale", rows).lengths != 0
    if structure.details is not None:
        # Schemes whose parameters are tensors do not use these.
        is_used &= ~np.isin(structure.details.kinds[rows], (BLOCKWISE, MULTI_AXIS))
    # The index of each tensor's table if it is used; else -1, which finds what is appended.
    which = np.where(of_tensors < 0, -1, of_tensors - rows.start)
    which = np.where(np.append(is_used, False)[which], which, -1)
    scales, zeros = (tables.vectors(name, rows).each(which) for name in ("scale", "zero_point"))
    return scales, zeros, np.append(tables.numbers("quantized_dimension", rows), 0)[which]
