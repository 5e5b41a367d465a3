"""Every table of a model, read and checked when the model is opened.

The tables of all subgraphs are read together: all tensors are one set of columns, all operators
another. The indices by which tables refer to each other are checked here, too. So every offset and
every index in a `Structure` is valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, TFLiteError, plural
from . import schema
from .budget import ELEMENT_COST, VECTOR_COST
from .compression_metadata import DECODE_OPERATOR, LookupTable, read_compressed
from .flatbuffer import File, Positions, Tables, Vectors, read_tables

CUSTOM, BLOCKWISE, MULTI_AXIS = 1, 2, 3
"""Members of the union QuantizationDetails."""


class Details(NamedTuple):
    """The tables of the union QuantizationDetails, which few models have.

    Attributes
    ----------
    kinds : ndarray of int64, shape (quantizations,)
        The member of the union; 0 for none.
    tables : dict of int to Tables
        The tables of each known member.
    rows : dict of int to ndarray of int64, shape (quantizations,)
        For each member, the row in its `tables`; -1 for none.
    """

    kinds: NDArray[np.int64]
    tables: dict[int, Tables]
    rows: dict[int, Positions]


class Sparsities(NamedTuple):
    """How the sparse tensors of a model are stored.

    Attributes
    ----------
    tables : Tables
        The SparsityParameters.
    rows : ndarray of int64, shape (tensors,)
        The row of each tensor in `tables`; -1 for none.
    dimensions : Tables
        The DimensionMetadata of all `tables`.
    bounds : ndarray of int64, shape (len(tables) + 1,)
        The dimensions of table i are rows `bounds[i]` to `bounds[i + 1] - 1`.
    indices : dict of str to list of (Vectors, ndarray of int64)
        For "array_segments" and "array_indices": the vectors of each type, and the row of each
        dimension in these vectors; -1 for none.
    """

    tables: Tables
    rows: Positions
    dimensions: Tables
    bounds: Positions
    indices: dict[str, list[tuple[Vectors, Positions]]]


class ExternalBuffer(NamedTuple):
    """Bytes that lie in a file beside the model.

    Attributes
    ----------
    id : int
        The number by which tensors refer to it.
    file : str
        The name of a file in the model's folder.
    offset, length : int
        Where the bytes begin in it, and how many there are.
    packing : str
        How the bytes are packed; empty or "unpacked" if they are not.
    """

    id: int
    file: str
    offset: int
    length: int
    packing: str


class OperatorCode(NamedTuple):
    """Which operator it is, and which version of it.

    Attributes
    ----------
    code : OpenEnum
        The builtin operator, a member of `BuiltinOperator`.
    custom_name : str or None
        The name of a custom operator.
    version : int
    """

    code: schema.OpenEnum
    custom_name: str | None
    version: int


@dataclass(frozen=True, eq=False)
class Structure:
    """The tables of a model as columns.

    Attributes
    ----------
    file : File
    model : Tables
        The root: a single table.
    subgraphs, operator_codes, buffers, metadata, signatures : Tables
    tensors, operators : Tables
        Those of all subgraphs.
    tensor_bounds, operator_bounds : ndarray of int64, shape (subgraphs + 1,)
        The tensors of subgraph s are rows `tensor_bounds[s]` to `tensor_bounds[s + 1] - 1`.
    signature_inputs, signature_outputs : (Tables, ndarray of int64)
        The TensorMaps of all signatures, and their bounds: the same, for each signature.
    quantizations : Tables
        The QuantizationParameters of the tensors that have them.
    quantization_rows : ndarray of int64, shape (tensors,)
        The row of each tensor in `quantizations`; -1 for none.
    buffer_starts, buffer_sizes : ndarray of int64, shape (buffers + 1,)
        Where the bytes of each buffer begin in the file, and how many there are; both 0 for a
        buffer without data. The last row is such a buffer: tensors may refer to buffer 0 of a
        model that has no buffers.
    details : Details or None
        None where no tensor has any.
    sparsities : Sparsities or None
        None where no tensor is sparse.
    external : dict of int to ExternalBuffer
        The bytes that lie in other files, by the number by which tensors refer to them.
    """

    file: File
    model: Tables
    subgraphs: Tables
    operator_codes: Tables
    buffers: Tables
    metadata: Tables
    signatures: Tables
    tensors: Tables
    tensor_bounds: Positions
    operators: Tables
    operator_bounds: Positions
    signature_inputs: tuple[Tables, Positions]
    signature_outputs: tuple[Tables, Positions]
    quantizations: Tables
    quantization_rows: Positions
    buffer_starts: Positions
    buffer_sizes: Positions
    details: Details | None
    sparsities: Sparsities | None
    external: dict[int, ExternalBuffer]

    @cached_property
    def codes(self) -> list[OperatorCode]:
        """The operator codes.

        The schema once had a byte for the code, and has a wider field now; the larger of the two
        counts (google-ai-edge/LiteRT, tflite/converter/schema/schema_utils.cc, GetBuiltinCode).
        """
        tables = self.operator_codes
        wide, narrow = map(tables.numbers, ("builtin_code", "deprecated_builtin_code"))
        is_custom = tables.vectors("custom_code").present.tolist()
        names = zip(tables.strings("custom_code"), is_custom, strict=True)
        columns = (
            [schema.BuiltinOperator(code) for code in np.maximum(wide, narrow).tolist()],
            [name if has_name else None for name, has_name in names],
            tables.numbers("version").tolist(),
        )
        return [OperatorCode(*facts) for facts in zip(*columns, strict=True)]

    @cached_property
    def has_decode(self) -> bool:
        """Whether the model may have operators DECODE, which few models have."""
        return any(code.custom_name == DECODE_OPERATOR for code in self.codes)

    @cached_property
    def lookup_tables(self) -> dict[int, LookupTable] | TFLiteError:
        """Where the metadata say that the values of compressed tensors are, by the tensors' rows.

        An error if the metadata cannot be read: the file opens, but nobody knows which tensors are
        compressed.
        """
        places = self.buffer_starts, self.buffer_sizes, self.tensor_bounds
        try:
            return read_compressed(self.file, self.metadata, *places)
        except TFLiteError as error:
            # Without the traceback, which would keep the file alive.
            return type(error)(str(error))


def read_structure(file: File) -> Structure:
    """Read and check every table of a model, level by level.

    Parameters
    ----------
    file : File
        A file whose identifier has been checked.

    Returns
    -------
    Structure

    Raises
    ------
    CorruptModelError
        Something lies outside the file, an index is out of range, or the tables would take more
        than the file's budget.
    """
    root = np.array([int.from_bytes(file.memory[:4].tobytes(), "little")])
    model = read_tables(file, schema.MODEL, root, lambda _: "")
    subgraphs, _ = model.children("subgraphs", schema.SUBGRAPH, "subgraph")
    codes, _ = model.children("operator_codes", schema.OPERATOR_CODE, "operator code")
    buffers, _ = model.children("buffers", schema.BUFFER, "buffer")
    metadata, _ = model.children("metadata", schema.METADATA, "metadata entry")
    signatures, _ = model.children("signature_defs", schema.SIGNATURE_DEF, "signature")
    tensors, tensor_bounds = subgraphs.children("tensors", schema.TENSOR, "tensor")
    operators, operator_bounds = subgraphs.children("operators", schema.OPERATOR, "operator")
    layout, word = schema.QUANTIZATION_PARAMETERS, "quantization"
    quantizations, quantization_rows = tensors.child("quantization", layout, word)
    tables = (file, model, subgraphs, codes, buffers, metadata, signatures)
    structure = Structure(
        *tables,
        *(tensors, tensor_bounds, operators, operator_bounds),
        signatures.children("inputs", schema.TENSOR_MAP, "input"),
        signatures.children("outputs", schema.TENSOR_MAP, "output"),
        *(quantizations, quantization_rows, *_buffer_bytes(buffers)),
        details=_read_details(quantizations),
        sparsities=_read_sparsities(tensors),
        external=_read_external(model, tensors),
    )
    _check_indices(structure)
    return structure


def _buffer_bytes(buffers: Tables) -> tuple[Positions, Positions]:
    """Return where each buffer's bytes begin, and how many there are; a last buffer has none.

    They are a vector in the FlatBuffer, or lie after it, as `offset` and `size` say. An offset of
    0 or 1 means that none lie after it (google-ai-edge/LiteRT, schema.fbs, table Buffer).
    """
    data = buffers.vectors("data")
    starts, sizes = np.append(data.starts * data.present, 0), np.append(data.lengths, 0)
    if not buffers.has("offset"):
        return starts, sizes
    offsets, lengths = buffers.numbers("offset"), buffers.numbers("size")
    outside, end = (offsets > 1) & ~data.present, np.uint64(buffers.file.size)
    bad = outside & ((offsets > end) | (lengths > end - np.minimum(offsets, end)))
    if np.count_nonzero(bad):
        row = int(bad.argmax())
        raise CorruptModelError(
            f"{buffers.label(row)}: runs past the end of the file with a size of "
            f"{int(lengths[row]):_} (offset {int(offsets[row]):_} of {int(end):_})"
        )
    starts[:-1][outside], sizes[:-1][outside] = offsets[outside], lengths[outside]
    return starts, sizes


def _read_details(quantizations: Tables) -> Details | None:
    """Read the known members of the union QuantizationDetails; return None if there are none."""
    if not quantizations.has("details_type"):
        return None
    kinds = quantizations.numbers("details_type").astype(np.int64)
    tables, rows = {}, {}
    for kind, layout in (
        (CUSTOM, schema.CUSTOM_QUANTIZATION),
        (BLOCKWISE, schema.BLOCKWISE_QUANTIZATION),
        (MULTI_AXIS, schema.MULTI_AXIS_QUANTIZATION),
    ):
        tables[kind], rows[kind] = quantizations.child("details", layout, "details", kinds == kind)
    return Details(kinds, tables, rows)


def _read_sparsities(tensors: Tables) -> Sparsities | None:
    """Read how sparse tensors are stored; return None if no tensor is sparse."""
    if not tensors.has("sparsity"):
        return None
    tables, rows = tensors.child("sparsity", schema.SPARSITY_PARAMETERS, "sparsity")
    dimensions, bounds = tables.children("dim_metadata", schema.DIMENSION_METADATA, "dimension")
    indices: dict[str, list[tuple[Vectors, Positions]]] = {}
    for name in ("array_segments", "array_indices"):
        kinds, indices[name] = dimensions.numbers(f"{name}_type"), []
        for kind, layout in schema.SPARSE_INDEX_VECTORS.items():
            tables_of_kind, of_dimensions = dimensions.child(name, layout, name, kinds == kind)
            vectors = tables_of_kind.vectors("values")
            # Vectors of bytes are not charged when read, but these become wider numbers.
            tensors.file.spend(
                VECTOR_COST * int(vectors.lengths.sum()), "indices of sparse tensors"
            )
            indices[name].append((vectors, of_dimensions))
    return Sparsities(tables, rows, dimensions, bounds, indices)


def _read_external(model: Tables, tensors: Tables) -> dict[int, ExternalBuffer]:
    """Read which bytes of other files hold the values of tensors, if any do."""
    if not tensors.has("external_buffer"):
        return {}
    layout, word = schema.EXTERNAL_BUFFER_GROUP, "external buffer group"
    groups, _ = model.children("external_buffer_groups", layout, word)
    layout, word = schema.EXTERNAL_BUFFER, "external buffer"
    buffers, _ = model.children("external_buffers", layout, word)
    _check_below(buffers, "group", len(groups))
    names = groups.strings("name")
    ids, files, offsets, lengths = (
        buffers.numbers(name).tolist() for name in ("id", "group", "offset", "length")
    )
    columns = (ids, [names[file] for file in files], offsets, lengths, buffers.strings("packing"))
    by_id = {facts[0]: ExternalBuffer(*facts) for facts in zip(*columns, strict=True)}
    for row, number in enumerate(tensors.numbers("external_buffer").tolist()):
        if number and number not in by_id:
            raise CorruptModelError(f"{tensors.label(row)}: there is no external buffer {number}")
    return by_id


def _check_indices(structure: Structure) -> None:
    """Check every index by which a table refers to another."""
    s, counts = structure, structure.tensor_bounds[1:] - structure.tensor_bounds[:-1]
    if not len(s.subgraphs):
        raise CorruptModelError("the model has no subgraph")
    # A tensor without data refers to buffer 0, even if the model has no buffers.
    _check_below(s.tensors, "buffer", max(len(s.buffers), 1))
    _check_below(s.operators, "opcode_index", len(s.operator_codes))
    _check_below(s.metadata, "buffer", len(s.buffers))
    _check_tensors(s.subgraphs, ("inputs", "outputs"), counts, lowest=0)
    fields = ("inputs", "outputs", "intermediates")[: 3 if s.operators.has("intermediates") else 2]
    _check_tensors(s.operators, fields, _for_each(counts, s.operator_bounds), lowest=-1)
    if len(s.signatures):
        _check_below(s.signatures, "subgraph_index", len(s.subgraphs))
        limits = counts[s.signatures.numbers("subgraph_index")]
        for tables, bounds in (s.signature_inputs, s.signature_outputs):
            _check_below(tables, "tensor_index", _for_each(limits, bounds))
    if s.details is not None:
        of_tensors = _for_each(counts, s.tensor_bounds)[s.quantization_rows >= 0]
        for kind in (BLOCKWISE, MULTI_AXIS):
            limits = of_tensors[s.details.rows[kind] >= 0]
            _check_below(s.details.tables[kind], "scales", limits)
            _check_below(s.details.tables[kind], "zero_points", limits, lowest=-1)
        first = _for_each(s.tensor_bounds[:-1], s.tensor_bounds)[s.quantization_rows >= 0]
        _charge_parameters(s, s.details, first)


def _charge_parameters(s: Structure, details: Details, first: Positions) -> None:
    """Charge scales and zero points that are tensors: many may have the same.

    Parameters
    ----------
    first : ndarray of int64, shape (quantizations,)
        The row of the first tensor of the subgraph of each.
    """
    sizes = s.buffer_sizes[s.tensors.numbers("buffer")]
    for kind in (BLOCKWISE, MULTI_AXIS):
        for name in ("scales", "zero_points"):
            indices = details.tables[kind].numbers(name)
            rows = (first[details.rows[kind] >= 0] + indices)[indices >= 0]
            s.file.spend(ELEMENT_COST * int(sizes[rows].sum()), "tensors of scales and zero points")


def _for_each(values: NDArray[Any], bounds: Positions) -> NDArray[Any]:
    """Repeat the value of each parent for each of its children."""
    return values.repeat((bounds[1:] - bounds[:-1]).astype(np.intp, copy=False))


def _check_below(tables: Tables, name: str, limit: int | Positions, lowest: int = 0) -> None:
    """Check that a field's number, which is an index, is from `lowest` to below the limit."""
    if not len(tables):
        return
    values = tables.numbers(name)
    bad = (values < lowest) | (values >= limit)
    if np.count_nonzero(bad):
        row = int(bad.argmax())
        count = int(np.broadcast_to(limit, values.shape)[row])
        raise CorruptModelError(
            f"{tables.label(row)}: '{name}' is {int(values[row])}, expected at least {lowest} and "
            f"less than {count}"
        )


def _check_tensors(tables: Tables, fields: tuple[str, ...], counts: Positions, lowest: int) -> None:
    """Check that vectors of tensor indices have only tensors of their table's subgraph.

    Parameters
    ----------
    tables : Tables
    fields : tuple of str
        The names of the vectors.
    counts : ndarray of int64, shape (N,)
        How many tensors the subgraph of each table has.
    lowest : int
        The lowest index that is allowed: -1 where it means no tensor.
    """
    first, *others = (tables.vectors(name) for name in fields)
    vectors = first.followed_by(*others)
    indices = vectors.joined()
    limits = _for_each(np.concatenate([counts] * len(fields)), vectors.bounds)
    bad = (indices < lowest) | (indices >= limits)
    if np.count_nonzero(bad):
        first_bad = int(bad.argmax())
        field, row = divmod(int(vectors.bounds.searchsorted(first_bad, "right")) - 1, len(tables))
        count = int(limits[first_bad])
        raise CorruptModelError(
            f"{tables.label(row)}: '{fields[field]}' has tensor {int(indices[first_bad])}, but the "
            f"subgraph has {count} {plural('tensor', count)}"
        )
