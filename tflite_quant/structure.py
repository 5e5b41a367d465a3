"""Every table of a model, read and checked when the model is opened.

The tables of all subgraphs are read together: all tensors are one set of columns, all operators
another. Indices that tables hold of one another are checked here as well, so that whoever builds
on a structure meets no offset, and no index that leads nowhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import schema
from .errors import CorruptModelError
from .flatbuffer import File, Group, Place, Positions, Tables, read_tables
from .layout import Layout

__all__ = ["Structure", "read_structure"]

Bounds = NDArray[np.int64]


class Structure(NamedTuple):
    """The tables of a model as columns.

    Attributes
    ----------
    model : Tables
        One table, the root.
    subgraphs, tensors, operators, operator_codes, buffers, metadata, signatures : Tables
    tensor_bounds, operator_bounds : ndarray of int64, shape (subgraphs + 1,)
        The tensors of subgraph s are rows tensor_bounds[s] to tensor_bounds[s + 1] - 1.
    quantizations : Tables
        The QuantizationParameters of those tensors that have any.
    quantization_rows : ndarray of int64, shape (tensors,)
        The row in `quantizations` of each tensor, -1 for none.
    signature_tensors : Tables
        The TensorMap entries of all signatures: first all inputs, then all outputs.
    signature_bounds : ndarray of int64, shape (2 * signatures + 1,)
        The inputs of signature s are rows signature_bounds[s] to signature_bounds[s + 1] - 1 of
        `signature_tensors`; the outputs likewise from signature_bounds[signatures + s] on.
    buffer_starts, buffer_sizes : ndarray of int64, shape (buffers,)
        Where the bytes of each buffer lie in the file. The start is 0 for a buffer without data.
    """

    file: File
    model: Tables
    subgraphs: Tables
    tensors: Tables
    tensor_bounds: Bounds
    operators: Tables
    operator_bounds: Bounds
    operator_codes: Tables
    buffers: Tables
    buffer_starts: Positions
    buffer_sizes: NDArray[np.int64]
    quantizations: Tables
    quantization_rows: NDArray[np.int64]
    metadata: Tables
    signatures: Tables
    signature_tensors: Tables
    signature_bounds: Bounds


_OF_MODEL = {
    "subgraphs": (schema.SUBGRAPH, "subgraph"),
    "operator_codes": (schema.OPERATOR_CODE, "operator code"),
    "buffers": (schema.BUFFER, "buffer"),
    "metadata": (schema.METADATA, "metadata entry"),
    "signature_defs": (schema.SIGNATURE_DEF, "signature"),
}
_OF_SUBGRAPH = {
    "tensors": (schema.TENSOR, "tensor"),
    "operators": (schema.OPERATOR, "operator"),
}


def read_structure(file: File) -> Structure:
    """Read and check every table of a model, one level of the tree after another.

    Parameters
    ----------
    file : File
        Its identifier has been checked.

    Returns
    -------
    Structure

    Raises
    ------
    CorruptModelError
        Something lies outside the file, or a table names another that is not there.
    """
    root = file.view(0, 1, np.dtype("<u4")).astype(np.int64)
    (model,) = read_tables(file, Group(schema.MODEL, root, lambda _: "the model"))
    groups, _ = _children(model, _OF_MODEL)
    subgraphs, codes, buffers, metadata, signatures = read_tables(file, *groups)
    groups, (tensor_bounds, operator_bounds) = _children(subgraphs, _OF_SUBGRAPH)
    signature_group, signature_bounds = _signature_tensors(signatures)
    tensors, operators, signature_tensors = read_tables(file, *groups, signature_group)
    quantization_group, quantization_rows = _quantizations(tensors)
    (quantizations,) = read_tables(file, quantization_group)
    buffer_starts, buffer_sizes = _buffer_bytes(buffers)
    structure = Structure(
        file=file,
        model=model,
        subgraphs=subgraphs,
        tensors=tensors,
        tensor_bounds=tensor_bounds,
        operators=operators,
        operator_bounds=operator_bounds,
        operator_codes=codes,
        buffers=buffers,
        buffer_starts=buffer_starts,
        buffer_sizes=buffer_sizes,
        quantizations=quantizations,
        quantization_rows=quantization_rows,
        metadata=metadata,
        signatures=signatures,
        signature_tensors=signature_tensors,
        signature_bounds=signature_bounds,
    )
    _require_indices(structure)
    return structure


def _children(
    parents: Tables, kinds: dict[str, tuple[Layout, str]]
) -> tuple[list[Group], list[Bounds]]:
    """Give the tables that fields of the parents hold, and where each parent's own are in them.

    Parameters
    ----------
    parents : Tables
    kinds : dict
        For each field, the layout of its tables and the word for one of them.
    """
    positions, bounds = parents.children(*kinds)
    groups, bounds_of_groups = [], []
    for index, (layout, word) in enumerate(kinds.values()):
        first = index * len(parents)
        own = bounds[first : first + len(parents) + 1]
        group = positions[own[0] : own[-1]]
        groups.append(Group(layout, group, _place(word, parents, own - own[0])))
        bounds_of_groups.append(own - own[0])
    return groups, bounds_of_groups


def _place(word: str, parents: Tables, bounds: Bounds) -> Place:
    """Say which of the parents' tables the n-th is: 'subgraph 1, tensor 12'."""

    def place(row: int) -> str:
        if parents.layout is schema.MODEL:
            return f"{word} {row}"
        parent = int(np.searchsorted(bounds, row, "right")) - 1
        return f"{parents.place(parent)}, {word} {row - int(bounds[parent])}"

    return place


def _signature_tensors(signatures: Tables) -> tuple[Group, Bounds]:
    positions, bounds = signatures.children("inputs", "outputs")
    count = len(signatures)

    def place(row: int) -> str:
        vector = int(np.searchsorted(bounds, row, "right")) - 1
        word = "input" if vector < count else "output"
        return f"signature {vector % count}, {word} {row - int(bounds[vector])}"

    return Group(schema.TENSOR_MAP, positions, place), bounds


def _quantizations(tensors: Tables) -> tuple[Group, NDArray[np.int64]]:
    """Give the quantization tables that tensors have, and the row of each tensor's, or -1."""
    positions = tensors.references("quantization")
    having = positions.nonzero()[0]
    rows = np.full(positions.size, -1, np.int64)
    rows[having] = np.arange(having.size)

    def place(row: int) -> str:
        return f"{tensors.place(int(having[row]))}, quantization"

    return Group(schema.QUANTIZATION_PARAMETERS, positions[having], place), rows


def _buffer_bytes(buffers: Tables) -> tuple[Positions, NDArray[np.int64]]:
    """Find where each buffer's bytes begin, and how many there are.

    They are a vector in the FlatBuffer, or lie after it, where `offset` and `size` say; an offset
    of 0 or 1 means that there are none (google-ai-edge/LiteRT, schema.fbs, table Buffer).
    """
    data = buffers.vectors("data")
    starts, sizes = data.starts * data.present, data.lengths
    if not buffers.has("offset").any():
        return starts, sizes
    offsets, lengths = buffers.numbers("offset"), buffers.numbers("size")
    outside = (offsets > 1) & ~data.present
    end = np.uint64(buffers.file.size)
    bad = outside & ((offsets > end) | (lengths > end - np.minimum(offsets, end)))
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        raise CorruptModelError(
            f"{buffers.place(at)}: its {int(lengths[at]):_} bytes run past the end of the file "
            f"(offset {int(offsets[at]):_} of {int(end):_})"
        )
    return (
        np.where(outside, offsets, starts).astype(np.int64),
        np.where(outside, lengths, sizes).astype(np.int64),
    )


def _require_indices(structure: Structure) -> None:
    """Refuse a model in which a table names another by an index that is not there."""
    s = structure
    if not len(s.subgraphs):
        raise CorruptModelError("the model has no subgraph")
    counts = s.tensor_bounds[1:] - s.tensor_bounds[:-1]
    # A tensor without data names buffer 0 also where a model has no buffers at all.
    _require_below(s.tensors, "buffer", max(len(s.buffers), 1))
    _require_below(s.metadata, "buffer", len(s.buffers))
    _require_below(s.operators, "opcode_index", len(s.operator_codes))
    _require_below(s.signatures, "subgraph_index", len(s.subgraphs))
    _require_tensors(s.subgraphs, ("inputs", "outputs"), counts, 0)
    operators_of = s.operator_bounds[1:] - s.operator_bounds[:-1]
    _require_tensors(
        s.operators,
        ("inputs", "outputs", "intermediates"),
        counts.repeat(operators_of),
        -1,
    )
    if len(s.signatures):
        limits = counts[s.signatures.numbers("subgraph_index")]
        entries_of = s.signature_bounds[1:] - s.signature_bounds[:-1]
        limits = np.concatenate([limits, limits]).repeat(entries_of)
        _require_below(s.signature_tensors, "tensor_index", limits)


def _require_below(tables: Tables, name: str, limits: NDArray[np.int64] | int) -> None:
    """Refuse the first table whose number, an index, is not below its limit."""
    bad = (values := tables.numbers(name)) >= limits
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        limit = int(np.broadcast_to(limits, values.shape)[at])
        raise CorruptModelError(
            f"{tables.place(at)}: '{name}' is {int(values[at])}, but there are {limit}"
        )


def _require_tensors(
    tables: Tables, names: tuple[str, ...], counts: NDArray[np.int64], lowest: int
) -> None:
    """Refuse the first index of a tensor that its subgraph does not have.

    Parameters
    ----------
    names : tuple of str
        Fields that are vectors of indices.
    counts : ndarray of int64, shape (len(tables),)
        How many tensors the subgraph of each table has.
    lowest : int
        0, or -1 where that stands for no tensor.
    """
    vectors = tables.stacked_vectors(names)
    values = vectors.joined()
    limits = np.concatenate([counts] * len(names)).repeat(vectors.lengths)
    bad = (values < lowest) | (values >= limits)
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        row = int(np.searchsorted(vectors.bounds, at, "right")) - 1
        field, table = divmod(row, len(tables))
        raise CorruptModelError(
            f"{tables.place(table)}: '{names[field]}' has tensor {int(values[at])}, "
            f"but the subgraph has {int(limits[at])} tensors"
        )


class Access:
    """The way of all of a model's objects to its structure, until the model is closed."""

    def __init__(self, structure: Structure) -> None:
        self._structure: Structure | None = structure

    @property
    def is_open(self) -> bool:
        """Whether the model has not been closed."""
        return self._structure is not None

    @property
    def structure(self) -> Structure:
        """The structure.

        Raises
        ------
        ValueError
            The model is closed.
        """
        if self._structure is None:
            raise ValueError("the model is closed")
        return self._structure

    def close(self) -> None:
        """Let go of the structure, and with it of the file."""
        self._structure = None
