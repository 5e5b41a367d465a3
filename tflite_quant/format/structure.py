"""Every table of a model, read and checked when the model is opened.

The tables of all subgraphs are read together: all tensors are one set of columns, all operators
another. Indices that tables hold of one another are checked here as well, so that whoever builds
on a structure meets no offset, and no index that leads nowhere.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from . import schema
from .columns import Group, Inner, Place, Tables, read_tables
from .extensions import (
    BLOCKWISE,
    MULTI_AXIS,
    Details,
    External,
    Sparsities,
    read_details,
    read_external,
    read_sparsities,
)
from .flatbuffer import File, Positions, Table, read_table
from .layout import Kind, Layout
from .vectors import require_modest

__all__ = ["Structure", "read_structure"]

Bounds = NDArray[np.int64]


class Structure(NamedTuple):
    """The tables of a model as columns.

    Attributes
    ----------
    model : Table
    subgraphs, signatures, metadata : tuple of Table
    tensors, operators, operator_codes, buffers : Tables
    tensor_bounds, operator_bounds : ndarray of int64, shape (subgraphs + 1,)
        The tensors of subgraph s are rows tensor_bounds[s] to tensor_bounds[s + 1] - 1.
    quantizations : Tables
        The QuantizationParameters of those tensors that have any.
    quantization_rows : ndarray of int64, shape (tensors,)
        The row in `quantizations` of each tensor, -1 for none.
    signature_inputs, signature_outputs : tuple of tuple of Table
        The TensorMap entries of each signature.
    details, sparsities, external
        What few tensors have; None where none has.
    buffer_starts, buffer_sizes : ndarray of int64, shape (buffers,)
        Where the bytes of each buffer lie in the file. The start is 0 for a buffer without data.
    """

    file: File
    model: Table
    subgraphs: tuple[Table, ...]
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
    details: Details | None
    sparsities: Sparsities | None
    external: External | None
    metadata: tuple[Table, ...]
    signatures: tuple[Table, ...]
    signature_inputs: tuple[tuple[Table, ...], ...]
    signature_outputs: tuple[tuple[Table, ...], ...]


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
    root = int.from_bytes(file.text[:4], "little")
    model = read_table(file, schema.MODEL, root, "the model")
    subgraphs = _few(model, "subgraphs", schema.SUBGRAPH, "subgraph")
    signatures = _few(model, "signature_defs", schema.SIGNATURE_DEF, "signature")
    groups, bounds = _groups(file, model, subgraphs)
    inner = Inner("quantization", schema.QUANTIZATION_PARAMETERS)
    tensors, operators, codes, buffers, quantizations = read_tables(file, *groups, inner=inner)
    tensor_bounds, operator_bounds = bounds
    quantization_rows = _rows(tensors.references("quantization"))
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
        details=_details(quantizations, quantization_rows, tensor_bounds),
        sparsities=read_sparsities(file, tensors),
        external=read_external(file, model, tensors),
        metadata=_few(model, "metadata", schema.METADATA, "metadata entry"),
        signatures=signatures,
        signature_inputs=_entries(signatures, "inputs"),
        signature_outputs=_entries(signatures, "outputs"),
    )
    _require_indices(structure)
    if structure.details is not None:
        _require_modest_scales(structure, structure.details)
    return structure


def _few(parent: Table, field: str, layout: Layout, word: str) -> tuple[Table, ...]:
    """Read the tables of a vector one by one; a table that stands in it twice is read once."""
    if not parent.count(field):
        return ()
    positions = parent.children(field)
    tables: dict[int, Table] = {}
    for index, position in enumerate(positions):
        if position not in tables:
            tables[position] = read_table(parent.file, layout, position, f"{word} {index}")
    _require_modest_names(parent.file, tuple(tables.values()), word)
    return tuple(tables[position] for position in positions)


def _require_modest_names(file: File, tables: tuple[Table, ...], word: str) -> None:
    """Refuse tables of which a few share long strings with very many."""
    if len(tables) < 64:
        # What each has is in the file.
        return
    fields = [field.name for field in tables[0].layout.fields if field.kind is Kind.STRING]
    size = sum(table.count(name) for table in tables for name in fields)
    require_modest(file, size, f"the strings of each {word}")


def _entries(signatures: tuple[Table, ...], field: str) -> tuple[tuple[Table, ...], ...]:
    """Read the inputs, or the outputs, of all signatures."""
    counts = [signature.count(field) for signature in signatures]
    _require_no_overlap(counts, field, signatures)
    return tuple(
        _few(signature, field, schema.TENSOR_MAP, f"signature {index}, {field.removesuffix('s')}")
        for index, signature in enumerate(signatures)
    )


def _groups(
    file: File, model: Table, subgraphs: tuple[Table, ...]
) -> tuple[list[Group], list[Bounds]]:
    """Give the tables to be read together, and of each group where those of each parent are."""
    members = (
        (schema.TENSOR, "tensors", subgraphs),
        (schema.OPERATOR, "operators", subgraphs),
        (schema.OPERATOR_CODE, "operator_codes", (model,)),
        (schema.BUFFER, "buffers", (model,)),
    )
    extents, bounds, groups, end = [], [], [], 0
    for _, field, parents in members:
        of_each = [parent.extent(field) for parent in parents]
        counts = [count for _, count in of_each]
        _require_no_overlap(counts, field, parents)
        extents += of_each
        bounds.append([0, *accumulate(counts)])
    positions = file.references(extents)
    for (layout, field, _), own in zip(members, bounds, strict=True):
        start, end = end, end + own[-1]
        groups.append(Group(layout, positions[start:end], _place(field.removesuffix("s"), own)))
    return groups, [np.array(own, np.int64) for own in bounds[:2]]


def _place(word: str, bounds: list[int]) -> Place:
    """Name tables by their index in the vector of their parent, a subgraph or the model."""

    def place(row: int) -> str:
        parent = bisect_right(bounds, row) - 1
        name = f"{word.replace('_', ' ')} {row - bounds[parent]}"
        return name if word in ("operator_code", "buffer") else f"subgraph {parent}, {name}"

    return place


def _require_no_overlap(counts: list[int], field: str, parents: tuple[Table, ...]) -> None:
    """Refuse vectors that share their bytes so much that a small file makes large arrays."""
    size = sum(counts) * 4
    if parents and size > parents[0].file.size:
        raise CorruptModelError(
            f"the vectors '{field}' overlap: together they have {size:_} bytes, "
            f"the file has {parents[0].file.size:_}"
        )


def _rows(references: Positions) -> NDArray[np.int64]:
    """Give each reference that is there a number, the others -1."""
    having = references != 0
    rows: NDArray[np.int64] = having.cumsum() * having
    rows -= 1
    return rows


def _details(quantizations: Tables, rows: NDArray[np.int64], bounds: Bounds) -> Details | None:
    """Read the details of quantization, which may name tensors of their subgraph."""
    if not quantizations.has("details_type"):
        return None
    counts = bounds[1:] - bounds[:-1]
    return read_details(quantizations.file, quantizations, counts.repeat(counts)[rows >= 0])


def _require_modest_scales(structure: Structure, details: Details) -> None:
    """Refuse tensors of which very many have their scales in the same large one."""
    counts = structure.tensor_bounds[1:] - structure.tensor_bounds[:-1]
    first = structure.tensor_bounds[:-1].repeat(counts)[structure.quantization_rows >= 0]
    sizes = np.append(structure.buffer_sizes, 0)[structure.tensors.numbers("buffer")]
    total = 0
    for kind in (BLOCKWISE, MULTI_AXIS):
        own = first[(details.kinds == kind) & (details.rows >= 0)]
        for name in ("scales", "zero_points"):
            indices = details.tables[kind].numbers(name)
            total += int(sizes[(own + indices)[indices >= 0]].sum())
    require_modest(structure.file, total, "tensors of scales and zero points")


def _buffer_bytes(buffers: Tables) -> tuple[Positions, NDArray[np.int64]]:
    """Find where each buffer's bytes begin, and how many there are.

    They are a vector in the FlatBuffer, or lie after it, where `offset` and `size` say; an offset
    of 0 or 1 means that there are none (google-ai-edge/LiteRT, schema.fbs, table Buffer).
    """
    data = buffers.vectors("data")
    present = data.present
    starts, sizes = data.starts * present, data.lengths
    if not buffers.has("offset"):
        return starts, sizes
    offsets = buffers.numbers("offset") * ~present
    outside = offsets > 1
    if not np.count_nonzero(outside):
        return starts, sizes
    lengths, end = buffers.numbers("size"), np.uint64(buffers.file.size)
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
    if not s.subgraphs:
        raise CorruptModelError("the model has no subgraph")
    counts = s.tensor_bounds[1:] - s.tensor_bounds[:-1]
    # A tensor without data names buffer 0 also where a model has no buffers at all.
    _require_below(s.tensors, "buffer", max(len(s.buffers), 1))
    _require_below(s.operators, "opcode_index", len(s.operator_codes))
    _require_each_below(s.metadata, "buffer", len(s.buffers), "metadata entry")
    if len(s.subgraphs) > 1:
        for field in ("inputs", "outputs"):
            _require_no_overlap([one.count(field) for one in s.subgraphs], field, s.subgraphs)
    for index, (subgraph, count) in enumerate(zip(s.subgraphs, counts.tolist(), strict=True)):
        _require_ends(subgraph, count, f"subgraph {index}")
    _require_operands(s.operators, counts, s.operator_bounds)
    if s.operator_codes.has("custom_code"):
        lengths = s.operator_codes.lengths_of("custom_code")
        size = int(lengths[s.operators.numbers("opcode_index")].sum())
        require_modest(s.file, size, "the names of custom operators")
    _require_each_below(s.signatures, "subgraph_index", len(s.subgraphs), "signature")
    for index, signature in enumerate(s.signatures):
        limit = int(counts[signature.number("subgraph_index")])
        for entries, word in ((s.signature_inputs, "input"), (s.signature_outputs, "output")):
            place = f"signature {index}, {word}"
            _require_each_below(entries[index], "tensor_index", limit, place)


def _require_below(tables: Tables, name: str, limit: int) -> None:
    """Refuse the first table whose number, an index, is not below a limit."""
    values = tables.numbers(name)
    bad = values >= limit
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        _refuse_index(tables.place(at), name, int(values[at]), limit)


def _require_each_below(tables: tuple[Table, ...], name: str, limit: int, word: str) -> None:
    """Do the same for tables that were read one by one."""
    for index, table in enumerate(tables):
        if table.number(name) >= limit:
            _refuse_index(f"{word} {index}", name, table.number(name), limit)


def _refuse_index(place: str, name: str, value: int, limit: int) -> NoReturn:
    raise CorruptModelError(f"{place}: '{name}' is {value}, but there are {limit}")


def _require_ends(subgraph: Table, count: int, place: str) -> None:
    """Refuse the first input or output of a subgraph that is none of its tensors."""
    for field in ("inputs", "outputs"):
        for index in subgraph.vector(field).tolist():
            if not 0 <= index < count:
                _refuse_tensor(place, field, index, count)


def _require_operands(operators: Tables, counts: NDArray[np.int64], bounds: Bounds) -> None:
    """Refuse the first tensor of an operator that its subgraph does not have; -1 is no tensor.

    Parameters
    ----------
    operators : Tables
    counts : ndarray of int64, shape (subgraphs,)
        How many tensors each subgraph has.
    bounds : ndarray of int64, shape (subgraphs + 1,)
        Which operators each subgraph has.
    """
    fields = ("inputs", "outputs", "intermediates")[: 3 if operators.has("intermediates") else 2]
    vectors = operators.stacked_vectors(fields)
    values, limits = vectors.joined(), counts
    if counts.size > 1:
        of_operators = counts.repeat(bounds[1:] - bounds[:-1])
        limits = of_operators.repeat(len(fields)).repeat(vectors.lengths)
    bad = (values < -1) | (values >= limits)
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        row = int(np.searchsorted(vectors.bounds, at, "right")) - 1
        operator, field = divmod(row, len(fields))
        limit = int(np.broadcast_to(limits, values.shape)[at])
        _refuse_tensor(operators.place(operator), fields[field], int(values[at]), limit)


def _refuse_tensor(place: str, field: str, index: int, count: int) -> NoReturn:
    raise CorruptModelError(
        f"{place}: '{field}' has tensor {index}, but the subgraph has {count} tensors"
    )


class Access:
    """The way of all of a model's objects to its structure, until the model is closed.

    Attributes
    ----------
    folder : str or None
        Where the model's file is, and others that hold values of its tensors may be.
    """

    def __init__(self, structure: Structure, folder: str | None = None) -> None:
        self._structure: Structure | None = structure
        self.folder = folder

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
