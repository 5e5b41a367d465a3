"""Reads which tensors are compressed by lookup tables, where a model's metadata says so.

This is the older of TensorFlow Lite Micro's two forms; the newer one is the operator DECODE. A
metadata entry COMPRESSION_METADATA is a FlatBuffer of its own (tensorflow/tflite-micro,
tensorflow/lite/micro/compression/metadata.fbs). It lists for each subgraph the tensors that are
compressed: a tensor's own buffer then has packed indices in place of its values, and another buffer
has the values. TFLM reads it in micro_allocator.cc, GetCompressionMetadata.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import CorruptModelError, UnsupportedError
from .flatbuffer import Field, File, Kind, Layout, Positions, Tables, read_tables

NAME = "COMPRESSION_METADATA"
"""The name of the metadata entry."""

DECODE_OPERATOR = "TFLM_DECODE"
"""The name of the custom operator DECODE, the newer form."""

_VERSION = 1
_METADATA = Layout(
    "CompressionMetadata",
    (
        Field("schema_version", Kind.NUMBER, 4, np.dtype("<u4"), _VERSION),
        Field("subgraphs", Kind.VECTOR, 6),
    ),
)
_SUBGRAPH = Layout("CompressionSubgraph", (Field("lut_tensors", Kind.VECTOR, 4),))
_LUT_TENSOR = Layout(
    "LutTensor",
    (
        Field("tensor", Kind.NUMBER, 4, np.dtype("<i4")),
        Field("value_buffer", Kind.NUMBER, 6, np.dtype("<u4")),
        Field("index_bitwidth", Kind.NUMBER, 8, np.dtype("u1")),
    ),
)


class LookupTable(NamedTuple):
    """Where the values of a compressed tensor are.

    Attributes
    ----------
    buffer : int
        The index of the buffer with the values.
    bits : int
        The bits of an index, as the file says.
    """

    buffer: int
    bits: int


def read_compressed(
    file: File, metadata: Tables, starts: Positions, sizes: Positions, tensor_bounds: Positions
) -> dict[int, LookupTable]:
    """Return the lookup tables of the tensors that have them.

    Parameters
    ----------
    file : File
    metadata : Tables
        The metadata entries.
    starts, sizes : ndarray of int64, shape (buffers + 1,)
        Where the bytes of each buffer are.
    tensor_bounds : ndarray of int64, shape (subgraphs + 1,)
        The tensors of subgraph s are rows `tensor_bounds[s]` to `tensor_bounds[s + 1] - 1`.

    Returns
    -------
    dict of int to LookupTable
        By the row of the tensor among those of all subgraphs; empty for most models.

    Raises
    ------
    CorruptModelError
        The metadata is not such a FlatBuffer, or refers to what the model does not have.
    UnsupportedError
        It is of a newer version.
    """
    for name, buffer in zip(
        metadata.strings("name"), metadata.numbers("buffer").tolist(), strict=True
    ):
        # As in TFLM, the first entry that has bytes counts.
        if name == NAME and buffer and sizes[buffer]:
            start = int(starts[buffer])
            content = File(file.memory[start : start + int(sizes[buffer])])
            return _read(content, sizes, tensor_bounds)
    return {}


def _read(file: File, sizes: Positions, tensor_bounds: Positions) -> dict[int, LookupTable]:
    """Read the FlatBuffer."""
    if file.size < 8:
        raise CorruptModelError(f"metadata {NAME} has {file.size} bytes, expected a FlatBuffer")
    root = np.array([int.from_bytes(file.memory[:4].tobytes(), "little")])
    tables = read_tables(file, _METADATA, root, lambda _: f"metadata {NAME}")
    version = int(tables.numbers("schema_version")[0])
    if version > _VERSION:
        raise UnsupportedError(f"metadata {NAME} is of version {version}, expected {_VERSION}")
    graphs, _ = tables.children("subgraphs", _SUBGRAPH, "subgraph")
    entries, bounds = graphs.children("lut_tensors", _LUT_TENSOR, "lookup table")
    counts = tensor_bounds[1:] - tensor_bounds[:-1]
    if len(graphs) > counts.size:
        raise CorruptModelError(
            f"metadata {NAME} has {len(graphs)} subgraphs, but the model has {counts.size}"
        )
    columns = zip(
        *(entries.numbers(name).tolist() for name in ("tensor", "value_buffer", "index_bitwidth")),
        np.arange(len(graphs)).repeat((bounds[1:] - bounds[:-1]).astype(np.intp)).tolist(),
        strict=True,
    )
    found: dict[int, LookupTable] = {}
    for row, (tensor, buffer, bits, graph) in enumerate(columns):
        count, buffers = int(counts[graph]), sizes.size - 1
        if not 0 <= tensor < count or buffer >= buffers:
            raise CorruptModelError(
                f"{entries.label(row)}: tensor {tensor} and buffer {buffer}, but the subgraph has "
                f"{count} tensors and the model {buffers} buffers"
            )
        index = int(tensor_bounds[graph]) + tensor
        if index in found:
            raise CorruptModelError(f"{entries.label(row)}: tensor {tensor} has two lookup tables")
        found[index] = LookupTable(buffer, bits)
    return found
