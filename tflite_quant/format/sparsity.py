"""How the values of a sparse tensor become a dense array.

A pruned network's weights are mostly zeros, so a file may store only the others and say where they
belong. TFLite's form is a tree of the TACO kind (google-ai-edge/LiteRT,
tflite/converter/schema/schema.fbs, table SparsityParameters). It is read one dimension at a time:

- The *traversal order* says which dimension of the tensor comes first, second, and so on: (0, 1)
  for a matrix stored row by row, (1, 0) for one stored column by column.
- A *dense* dimension has only a size: every index from 0 to size - 1 is stored.
- A *compressed* dimension, as in CSR matrices, lists the indices that are stored. Each position
  reached so far (each row, if the rows came before) has its own run of `indices`: position p has
  those from `segments[p]` up to, not including, `segments[p + 1]`.

The positions that are reached after the last dimension are those of the stored values, in this
order. With the order (0, 1), the matrix

    7 0 0 8       dimension 0: dense, size 3
    0 0 0 0       dimension 1: compressed, segments 0 2 2 3, indices 0 3 1
    0 9 0 0       values: 7 8 9

has two values in row 0, at columns 0 and 3, none in row 1, and one in row 2, at column 1.

Hardware is faster with several values side by side, so a dimension can be cut into *blocks*. The
dimension itself then counts blocks, and a further dimension, which comes at the end of the
traversal order, counts the values within a block. A tensor of rank n with k blocked dimensions has
dimensions 0 to n - 1 for its shape and dimensions n to n + k - 1 within blocks. The *block map*
says for each dimension within blocks which dimension of the tensor it cuts. With the order
(0, 1, 2) and the block map (1),

    1 2 0 0 0 0   dimension 0: dense, size 2
    0 0 0 0 3 0   dimension 1: compressed, segments 0 1 2, indices 0 2 (blocks, of 3 a row)
                  dimension 2: dense, size 2 (within a block)
                  values: 1 2 3 0

Where the schema leaves a question open, LiteRT decides
(tflite/kernels/internal/utils/sparsity_format_converter.cc, tflite/core/tools/verifier.cc):

- The indices of a run may be in any order.
- An index that is twice in a run is refused: the operator DENSIFY keeps the last of the two
  values, but the sparse FULLY_CONNECTED computes with their sum.
- Where blocks do not fill a dimension, the rest of it is zero. TensorFlow's converter writes such
  files, and loses the values that were there.
- A compressed dimension within blocks is refused: the file does not have its size.

LiteRT takes the wrong block's size if the block map is in falling order, such as (1, 0), or if
three or more dimensions of blocks are traversed in a cyclic order. Here each dimension has the size
of its own block, as the schema says.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError, brief
from .budget import MAX_RANK
from .tables import Sparsities

_SHOWN = 8
"""How many dimensions a repr shows."""


@dataclass(frozen=True, eq=False)
class DenseDimension:
    """A dimension of which every index is stored.

    Attributes
    ----------
    size : int
    """

    size: int

    def _summary(self) -> str:
        return f"dense {self.size}"


@dataclass(frozen=True, eq=False, repr=False)
class CompressedDimension:
    """A dimension of which only the indices that have values are stored (SPARSE_CSR).

    Attributes
    ----------
    segments : ndarray of integers, shape (positions + 1,)
        Where each position's run of indices starts, and where the last run ends.
    indices : ndarray of integers, shape (n,)

    Examples
    --------
    >>> CompressedDimension(np.array([0, 2, 2, 3]), np.array([0, 3, 1]))
    CompressedDimension(3 indices in 3 segments)
    """

    segments: NDArray[np.integer[Any]]
    indices: NDArray[np.integer[Any]]

    def __repr__(self) -> str:
        return f"CompressedDimension({self._counts()})"

    def _counts(self) -> str:
        return f"{self.indices.size} indices in {max(self.segments.size - 1, 0)} segments"

    def _summary(self) -> str:
        return f"compressed {self._counts()}"


Dimension: TypeAlias = DenseDimension | CompressedDimension


@dataclass(frozen=True, eq=False, repr=False)
class Sparsity:
    """Where the stored values of a sparse tensor belong; this module's docstring explains how.

    Attributes
    ----------
    traversal_order : tuple of int
        The dimensions of the tensor, then those within blocks, as they are traversed.
    block_map : tuple of int
        For each dimension within blocks, the dimension of the tensor that it cuts.
    dimensions : tuple of DenseDimension or CompressedDimension
        In traversal order.

    Examples
    --------
    >>> columns = CompressedDimension(np.array([0, 1, 2]), np.array([0, 2]))
    >>> Sparsity((0, 1, 2), (1,), (DenseDimension(2), columns, DenseDimension(4)))
    Sparsity(order (0, 1, 2), blocks in (1,): dense 2, compressed 2 indices in 2 segments, dense 4)
    """

    traversal_order: tuple[int, ...]
    block_map: tuple[int, ...]
    dimensions: tuple[Dimension, ...]

    def __repr__(self) -> str:
        blocks = f", blocks in {brief(self.block_map)}" if self.block_map else ""
        parts = [dimension._summary() for dimension in self.dimensions[:_SHOWN]]
        if len(self.dimensions) > _SHOWN:
            parts.append(f"... ({len(self.dimensions)} dimensions)")
        listed = ", ".join(parts) or "no dimensions"
        return f"Sparsity(order {brief(self.traversal_order)}{blocks}: {listed})"


def sparsity_of(sparsities: Sparsities, row: int) -> Sparsity:
    """Return how one tensor is stored.

    Parameters
    ----------
    sparsities : Sparsities
    row : int
        The row of the tensor's table in `sparsities.tables`.

    Raises
    ------
    CorruptModelError
        A dimension has neither a size nor indices.
    UnsupportedError
        A dimension is stored in an unknown format.
    """
    first, end = sparsities.bounds[row : row + 2].tolist()
    order, block_map = (
        tuple(sparsities.tables.vectors(name, slice(row, row + 1)).lists()[0])
        for name in ("traversal_order", "block_map")
    )
    formats, sizes = (
        sparsities.dimensions.numbers(name, slice(first, end)).tolist()
        for name in ("format", "dense_size")
    )
    dimensions = [
        DenseDimension(size) if form == 0 else _compressed(sparsities, index, form)
        for index, form, size in zip(range(first, end), formats, sizes, strict=True)
    ]
    return Sparsity(order, block_map, tuple(dimensions))


def _compressed(sparsities: Sparsities, row: int, form: int) -> CompressedDimension:
    """Return a compressed dimension; refuse one of an unknown format."""
    label = sparsities.dimensions.label(row)
    if form != 1:
        raise UnsupportedError(
            f"{label}: its format is {form}, expected 0 (dense) or 1 (compressed)"
        )
    segments_and_indices = [
        vectors.view(int(rows[row]))
        for name in ("array_segments", "array_indices")
        for vectors, rows in sparsities.indices[name]
        if rows[row] >= 0
    ]
    if len(segments_and_indices) != 2:
        raise CorruptModelError(f"{label}: it has no segments or no indices")
    return CompressedDimension(*segments_and_indices)


def densify(
    stored: NDArray[Any], sparsity: Sparsity, shape: tuple[int, ...], limit: int
) -> NDArray[Any]:
    """Return the dense array of a sparse tensor: the stored values, and zeros everywhere else.

    Parameters
    ----------
    stored : ndarray, shape (n,)
        The values in the file; each takes whole bytes.
    sparsity : Sparsity
    shape : tuple of int
        The shape of the tensor.
    limit : int
        The largest size of the dense array in bytes: a small file can ask for a large one.

    Returns
    -------
    ndarray of stored.dtype, shape `shape`
        A new array, read-only. In addition, the work takes some tens of bytes for each stored
        value, segment and index.

    Raises
    ------
    CorruptModelError
        The parts of `sparsity` do not fit each other, the shape or the number of values; a
        position has two values; or the array would take more than `limit` bytes.
    UnsupportedError
        A dimension within blocks is compressed, the rank is over 32, or there is not enough memory.

    Examples
    --------
    >>> columns = CompressedDimension(np.array([0, 2, 2, 3]), np.array([0, 3, 1]))
    >>> rows_then_columns = Sparsity((0, 1), (), (DenseDimension(3), columns))
    >>> densify(np.int8([7, 8, 9]), rows_then_columns, (3, 4), limit=1000)
    array([[7, 0, 0, 8],
           [0, 0, 0, 0],
           [0, 9, 0, 0]], dtype=int8)
    """
    _check_size(shape, stored.dtype.itemsize, limit)
    _check_order(sparsity, len(shape))
    levels = _levels(sparsity, shape)
    _check_counts(levels, stored.size)
    try:
        dense = np.zeros(shape, stored.dtype)
    except MemoryError:
        raise UnsupportedError(f"not enough memory for an array of shape {shape}") from None
    # Without values there is nothing to place, and nothing that limits the positions on the way.
    if stored.size:
        dense.reshape(-1)[_positions(levels, shape)] = stored.reshape(-1)
    dense.flags.writeable = False
    return dense


@dataclass(frozen=True, eq=False)
class _Level:
    """One step of the traversal."""

    dimension: Dimension
    size: int
    """The number of indices, whether they are stored or not."""
    stride: int
    """The distance between neighbouring indices in the dense array, in values."""
    name: str


def _check_size(shape: tuple[int, ...], itemsize: int, limit: int) -> None:
    """Check that the dense array is no larger than allowed, or than numpy allows."""
    if len(shape) > MAX_RANK:
        raise UnsupportedError(f"the rank is {len(shape)}, expected at most {MAX_RANK}")
    if any(size < 0 for size in shape):
        raise CorruptModelError(f"shape {brief(shape)} has a negative size")
    needed = math.prod(shape) * itemsize
    if needed > limit:
        raise CorruptModelError(
            f"the dense array of shape {shape} would take {needed:_} bytes (limit: {limit:_})"
        )
    # numpy applies this limit even where a size is 0.
    if math.prod(size or 1 for size in shape) * max(itemsize, 1) > sys.maxsize:
        raise CorruptModelError(f"shape {shape} is larger than an array can be")


def _check_order(sparsity: Sparsity, rank: int) -> None:
    """Check that traversal order and block map fit each other and the rank."""
    order, blocks = sparsity.traversal_order, sparsity.block_map
    # Lengths are checked first, so that the work below does not grow with the file's vectors.
    if len(blocks) > rank:
        raise CorruptModelError(
            f"the length of the block map is {len(blocks)}, expected at most the rank, {rank}"
        )
    if len(set(blocks)) != len(blocks) or not all(0 <= axis < rank for axis in blocks):
        raise CorruptModelError(
            f"the block map is {blocks}, expected different dimensions, each from 0 to {rank - 1}"
        )
    total = rank + len(blocks)
    for name, parts in (("traversal order", order), ("dimension metadata", sparsity.dimensions)):
        if len(parts) != total:
            raise CorruptModelError(
                f"the length of the {name} is {len(parts)}, expected {total}: {rank} of the tensor "
                f"and {len(blocks)} within blocks"
            )
    outer, inner = tuple(range(rank)), tuple(range(rank, total))
    if (*sorted(order[:rank]), *sorted(order[rank:])) != outer + inner:
        then = f", then of {inner}" if inner else ""
        raise CorruptModelError(
            f"the traversal order is {order}, expected a permutation of {outer}{then}"
        )


def _levels(sparsity: Sparsity, shape: tuple[int, ...]) -> list[_Level]:
    """Return the size and the stride of each dimension, in traversal order."""
    rank, block_map = len(shape), sparsity.block_map
    sizes = list(shape)
    strides = [math.prod(shape[axis + 1 :]) for axis in range(rank)]
    names = [f"of axis {axis}" for axis in range(rank)]
    levels = {number: level for level, number in enumerate(sparsity.traversal_order)}
    for number, axis in enumerate(block_map, rank):
        names.append(f"within blocks of axis {axis}")
        name = f"dimension {levels[number]} ({names[-1]})"
        block = _block_size(sparsity.dimensions[levels[number]], name)
        sizes.append(block)
        strides.append(strides[axis])
        sizes[axis] //= block
        strides[axis] *= block
    return [
        _Level(dimension, sizes[number], strides[number], f"dimension {level} ({names[number]})")
        for level, (number, dimension) in enumerate(
            zip(sparsity.traversal_order, sparsity.dimensions, strict=True)
        )
    ]


def _block_size(dimension: Dimension, name: str) -> int:
    if isinstance(dimension, CompressedDimension):
        raise UnsupportedError(f"{name}: it is compressed and has no size, expected dense")
    if dimension.size < 1:
        raise CorruptModelError(f"{name}: the size is {dimension.size}, expected at least 1")
    return dimension.size


def _check_counts(levels: list[_Level], values: int) -> None:
    """Check that the dimensions lead to as many positions as there are values.

    If there are values, this also limits the work by what was read from the file: no level has more
    positions than the next compressed dimension has segments or, after the last one, than there are
    values.
    """
    positions = 1
    for level in levels:
        if isinstance(level.dimension, CompressedDimension):
            _check_compressed(level.dimension, positions, level)
            positions = level.dimension.indices.size
        elif level.dimension.size != level.size:
            raise CorruptModelError(
                f"{level.name}: the size is {level.dimension.size}, expected {level.size}"
            )
        else:
            positions *= level.size
    if positions != values:
        raise CorruptModelError(f"the number of values is {values:_}, expected {positions:_}")


def _check_compressed(dimension: CompressedDimension, positions: int, level: _Level) -> None:
    segments, indices = dimension.segments, dimension.indices
    if segments.size != positions + 1:
        fault = f"the number of segment bounds is {segments.size:_}, expected {positions + 1:_}"
    elif segments[0] != 0:
        fault = f"the first segment starts at {segments[0]}, expected 0"
    elif (falls := segments[1:] < segments[:-1]).any():
        row = int(falls.argmax())
        fault = f"segment {row} runs back from {segments[row]} to {segments[row + 1]}"
    elif segments[-1] != indices.size:
        fault = f"the last segment ends at {segments[-1]}, expected {indices.size}, as the indices"
    elif (wrong := (indices < 0) | (indices >= level.size)).any():
        row = int(wrong.argmax())
        fault = f"index {row} is {indices[row]}, expected at least 0 and less than {level.size}"
    else:
        return
    raise CorruptModelError(f"{level.name}: {fault}")


def _positions(levels: list[_Level], shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the index of each stored value in the flat dense array.

    Each level splits the positions so far: a dense level splits all of them alike, a compressed
    level each by its own run of indices.
    """
    positions = np.zeros(1, np.intp)
    for level in levels:
        dimension = level.dimension
        if isinstance(dimension, DenseDimension):
            steps = np.arange(dimension.size, dtype=np.intp) * level.stride
            positions = np.add.outer(positions, steps).reshape(-1)
        else:
            bounds = dimension.segments.astype(np.intp)
            positions = np.repeat(positions, bounds[1:] - bounds[:-1])
            positions += dimension.indices.astype(np.intp) * level.stride
            if not _are_rising(dimension):
                _check_different(positions, level, shape)
    return positions


def _are_rising(dimension: CompressedDimension) -> bool:
    """Return whether each run of indices rises, as converters write them: then all differ."""
    indices, starts = dimension.indices, dimension.segments[1:-1]
    rising = indices[1:] > indices[:-1]
    # An index need not be above the one before it where a run starts.
    starts = starts[(starts > 0) & (starts < indices.size)]
    rising[starts.astype(np.intp) - 1] = True
    return bool(rising.all())


def _check_different(positions: NDArray[np.intp], level: _Level, shape: tuple[int, ...]) -> None:
    """Check that no position is reached twice."""
    ordered = np.sort(positions)
    same = ordered[1:] == ordered[:-1]
    if same.any():
        twice = np.unravel_index(int(ordered[same.argmax()]), shape)
        position = tuple(int(index) for index in twice)
        raise CorruptModelError(f"{level.name}: a run has an index twice, at position {position}")
