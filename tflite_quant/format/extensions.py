"""The tables that few tensors have: sparsity, newer quantization, buffers in other files.

They are read and checked when the model is opened, like all others, but only where there are any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from ..errors import CorruptModelError
from . import schema
from .columns import Group, Place, Tables, read_tables
from .flatbuffer import File, Table, read_table
from .schema import layout_of

__all__ = [
    "BLOCKWISE",
    "CUSTOM",
    "MULTI_AXIS",
    "Details",
    "External",
    "Sparsities",
    "read_details",
    "read_external",
    "read_sparsities",
]

CUSTOM, BLOCKWISE, MULTI_AXIS = 1, 2, 3
"""Members of the union QuantizationDetails."""


class Details(NamedTuple):
    """The details of quantization: of each kind the tables, and which one a tensor has.

    Attributes
    ----------
    kinds : ndarray of int64, shape (quantizations,)
        The member of the union, 0 for none.
    rows : ndarray of int64, shape (quantizations,)
        The row among the tables of its kind, -1 for none.
    tables : dict of int to Tables
        The tables of each kind that is known.
    """

    kinds: NDArray[np.int64]
    rows: NDArray[np.int64]
    tables: dict[int, Tables]


def read_details(file: File, quantizations: Tables, counts: NDArray[np.int64]) -> Details:
    """Read the details of quantization, of the kinds that are known.

    Parameters
    ----------
    file : File
    quantizations : Tables
        The QuantizationParameters of all tensors.
    counts : ndarray of int64, shape (quantizations,)
        How many tensors the subgraph of each has.

    Raises
    ------
    CorruptModelError
        A table is broken, or names a tensor that is not there.
    """
    kinds = quantizations.numbers("details_type").astype(np.int64)
    positions = quantizations.references("details")
    rows, groups = np.full(kinds.size, -1, np.int64), []
    layouts = {
        CUSTOM: layout_of(tflite.CustomQuantization),
        BLOCKWISE: schema.BLOCKWISE_QUANTIZATION,
        MULTI_AXIS: schema.MULTI_AXIS_QUANTIZATION,
    }
    for kind, layout in layouts.items():
        own = ((kinds == kind) & (positions != 0)).nonzero()[0]
        rows[own] = np.arange(own.size)
        groups.append(Group(layout, positions[own], _of(quantizations, own, "details")))
    tables = dict(zip(layouts, read_tables(file, *groups), strict=True))
    for kind in (BLOCKWISE, MULTI_AXIS):
        limits = counts[(kinds == kind) & (rows >= 0)]
        _require_tensors(tables[kind], "scales", 0, limits)
        _require_tensors(tables[kind], "zero_points", -1, limits)
    return Details(kinds, rows, tables)


def _require_tensors(tables: Tables, name: str, lowest: int, limits: NDArray[np.int64]) -> None:
    """Refuse the first table whose number is the index of no tensor."""
    values = tables.numbers(name)
    bad = (values < lowest) | (values >= limits)
    if np.count_nonzero(bad):
        at = int(bad.argmax())
        raise CorruptModelError(
            f"{tables.place(at)}: '{name}' is tensor {int(values[at])}, "
            f"but the subgraph has {int(limits[at])} tensors"
        )


class Sparsities(NamedTuple):
    """How the sparse tensors of a model are stored.

    Attributes
    ----------
    rows : ndarray of int64, shape (tensors,)
        The row in `tables` of each tensor, -1 for none.
    tables : Tables
        The SparsityParameters.
    dimensions : Tables
        The DimensionMetadata of all of them.
    bounds : ndarray of int64, shape (len(tables) + 1,)
        The dimensions of table i are rows bounds[i] to bounds[i + 1] - 1.
    indices : dict of str to list of Table or None
        For "array_segments" and "array_indices", the table of each dimension that holds them.
    """

    rows: NDArray[np.int64]
    tables: Tables
    dimensions: Tables
    bounds: NDArray[np.int64]
    indices: dict[str, list[Table | None]]


def read_sparsities(file: File, tensors: Tables) -> Sparsities | None:
    """Read how sparse tensors are stored; None where no tensor is sparse.

    Raises
    ------
    CorruptModelError
        A table is broken.
    """
    if not tensors.has("sparsity"):
        return None
    positions = tensors.references("sparsity")
    own = positions.nonzero()[0]
    rows = np.full(positions.size, -1, np.int64)
    rows[own] = np.arange(own.size)
    layout = layout_of(tflite.SparsityParameters)
    (tables,) = read_tables(file, Group(layout, positions[own], _of(tensors, own, "sparsity")))
    vectors = tables.vectors("dim_metadata")
    bounds = vectors.bounds

    def place(row: int) -> str:
        table = int(np.searchsorted(bounds, row, "right")) - 1
        return f"{tables.place(table)}, dimension {row - int(bounds[table])}"

    layout = layout_of(tflite.DimensionMetadata)
    (dimensions,) = read_tables(file, Group(layout, file.followed(vectors.places()), place))
    names = ("array_segments", "array_indices")
    return Sparsities(rows, tables, dimensions, bounds, {n: _indices(dimensions, n) for n in names})


def _indices(dimensions: Tables, name: str) -> list[Table | None]:
    """Read the vectors of indices of all dimensions; one that several share is read once."""
    layouts = {
        tflite.SparseIndexVector.Int32Vector: layout_of(tflite.Int32Vector),
        tflite.SparseIndexVector.Uint16Vector: layout_of(tflite.Uint16Vector),
        tflite.SparseIndexVector.Uint8Vector: layout_of(tflite.Uint8Vector),
    }
    known: dict[tuple[int, int], Table] = {}
    tables: list[Table | None] = []
    kinds = dimensions.numbers(f"{name}_type").tolist()
    positions = dimensions.references(name).tolist()
    for row, key in enumerate(zip(kinds, positions, strict=True)):
        kind, position = key
        if kind not in layouts or not position:
            tables.append(None)
            continue
        if key not in known:
            place = f"{dimensions.place(row)}, {name}"
            known[key] = read_table(dimensions.file, layouts[kind], position, place)
        tables.append(known[key])
    return tables


class External(NamedTuple):
    """Which bytes lie in other files.

    Attributes
    ----------
    groups : tuple of str
        The name of each file.
    buffers : dict of int to Table
        The ExternalBuffer of each id.
    """

    groups: tuple[str, ...]
    buffers: dict[int, Table]


def read_external(file: File, model: Table, tensors: Tables) -> External | None:
    """Read what the model says of other files; None where no tensor has its values there.

    Raises
    ------
    CorruptModelError
        A table is broken, or a tensor or buffer names one that is not there.
    """
    if not tensors.has("external_buffer"):
        return None
    groups = [
        read_table(file, schema.EXTERNAL_BUFFER_GROUP, position, f"external buffer group {index}")
        for index, position in enumerate(model.children("external_buffer_groups"))
    ]
    buffers: dict[int, Table] = {}
    for index, position in enumerate(model.children("external_buffers")):
        place = f"external buffer {index}"
        table = read_table(file, schema.EXTERNAL_BUFFER, position, place)
        if table.number("group") >= len(groups):
            raise CorruptModelError(
                f"{place}: 'group' is {table.number('group')}, but there are {len(groups)}"
            )
        buffers[table.number("id")] = table
    for row, number in enumerate(tensors.numbers("external_buffer").tolist()):
        if number and number not in buffers:
            raise CorruptModelError(f"{tensors.place(row)}: there is no external buffer {number}")
    return External(tuple(group.string("name") or "" for group in groups), buffers)


def _of(parents: Tables, rows: NDArray[np.int64], word: str) -> Place:
    """Name tables after those, at these rows, that refer to them."""

    def place(row: int) -> str:
        return f"{parents.place(int(rows[row]))}, {word}"

    return place
