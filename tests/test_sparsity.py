"""Sparse tensors: bit for bit the dense arrays that LiteRT's operator DENSIFY gives."""

from __future__ import annotations

import itertools
import math
import sys
import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from conftest import many
from tests import build, oracle
from tflite_quant.errors import CorruptModelError, UnsupportedError
from tflite_quant.format.sparsity import (
    CompressedDimension,
    DenseDimension,
    Dimension,
    Sparsity,
    densify,
)

LIMIT = 1 << 20
INDEX_VECTORS = {"i4": "Int32Vector", "u2": "Uint16Vector", "u1": "Uint8Vector"}
DTYPES = [np.dtype("<f4"), np.dtype("<f2"), np.dtype("i1")]
"""The types that the kernel takes."""

Values = NDArray[Any]
Encoded = tuple[Sparsity, Values]


class Encoder:
    """Encodes a dense array, value by value, in plain loops.

    `formats` has a letter for each level of the traversal: d for dense, c for compressed.
    """

    def __init__(
        self,
        dense: Values,
        order: Sequence[int],
        formats: str,
        blocks: Sequence[tuple[int, int]] = (),
        index_type: str = "i4",
    ) -> None:
        self.dense, self.order, self.formats, self.blocks = dense, order, formats, blocks
        sizes = list(dense.shape) + [size for _, size in blocks]
        for axis, size in blocks:
            sizes[axis] //= size
        self.sizes = [sizes[dimension] for dimension in order]
        self.segments: list[list[int]] = [[0] for _ in order]
        self.indices: list[list[int]] = [[] for _ in order]
        self.stored: list[Any] = []
        self.index_type = index_type

    def encode(self) -> Encoded:
        self.visit(())
        dimensions: list[Dimension] = []
        for level, letter in enumerate(self.formats):
            if letter == "d":
                dimensions.append(DenseDimension(self.sizes[level]))
            else:
                parts = (self.segments[level], self.indices[level])
                dimensions.append(CompressedDimension(*(self.numbers(part) for part in parts)))
        block_map = tuple(axis for axis, _ in self.blocks)
        sparsity = Sparsity(tuple(self.order), block_map, tuple(dimensions))
        return sparsity, np.array(self.stored, self.dense.dtype)

    def numbers(self, values: list[int]) -> NDArray[Any]:
        return np.array(values, np.dtype(self.index_type))

    def visit(self, reached: tuple[int, ...]) -> None:
        level = len(reached)
        if level == len(self.order):
            self.stored.append(self.dense[self.place(reached)])
            return
        for index in range(self.sizes[level]):
            below = (*reached, index)
            if self.formats[level] == "d":
                self.visit(below)
            elif self.has_values(below):
                self.indices[level].append(index)
                self.visit(below)
        self.segments[level].append(len(self.indices[level]))

    def has_values(self, reached: tuple[int, ...]) -> bool:
        rest = [range(size) for size in self.sizes[len(reached) :]]
        return any(self.dense[self.place((*reached, *tail))] for tail in itertools.product(*rest))

    def place(self, reached: tuple[int, ...]) -> tuple[int, ...]:
        index = {number: reached[level] for level, number in enumerate(self.order)}
        place = [index[axis] for axis in range(self.dense.ndim)]
        for block, (axis, size) in enumerate(self.blocks):
            place[axis] = place[axis] * size + index[self.dense.ndim + block]
        return tuple(place)


def encode(
    dense: Values,
    order: Sequence[int],
    formats: str,
    blocks: Sequence[tuple[int, int]] = (),
    index_type: str = "i4",
) -> Encoded:
    return Encoder(dense, order, formats, blocks, index_type).encode()


def random_array(
    shape: Sequence[int], density: float, dtype: Any = "<f4", blocks: Sequence[int] = ()
) -> Values:
    """Give an array of which about `density` of the values, or of the blocks, are not zero."""
    r = np.random.default_rng([int(density * 100), *shape])
    blocks = blocks or (1,) * len(shape)
    counts = [size // block for size, block in zip(shape, blocks, strict=True)]
    kept = np.kron(r.random(counts) < density, np.ones(blocks, np.int64))
    values: Values = (r.integers(-128, 128, shape) * kept).astype(dtype)
    return values


def writer(sparsity: Sparsity) -> build.Write:
    """Write table SparsityParameters, each index vector in its own type."""

    def vector(b: build.Builder, values: NDArray[Any]) -> tuple[int, int]:
        name = INDEX_VECTORS[values.dtype.str[1:]]
        offset = build.table(b, name, values=build.numbers(b, values, values.dtype.str))
        return int(getattr(tflite.SparseIndexVector, name)), offset

    def metadata(b: build.Builder, dimension: Dimension) -> int:
        if isinstance(dimension, DenseDimension):
            return build.table(b, "DimensionMetadata", format=0, dense_size=dimension.size)
        segments, indices = vector(b, dimension.segments), vector(b, dimension.indices)
        return build.table(
            b,
            "DimensionMetadata",
            format=tflite.DimensionType.SPARSE_CSR,
            array_segments_type=segments[0],
            array_segments=segments[1],
            array_indices_type=indices[0],
            array_indices=indices[1],
        )

    def write(b: build.Builder) -> int:
        dimensions = [metadata(b, dimension) for dimension in sparsity.dimensions]
        return build.table(
            b,
            "SparsityParameters",
            traversal_order=build.numbers(b, sparsity.traversal_order, "<i4"),
            block_map=build.numbers(b, sparsity.block_map or None, "<i4"),
            dim_metadata=build.references(b, dimensions),
        )

    return write


def litert_densify(stored: Values, sparsity: Sparsity, shape: Sequence[int]) -> Values:
    """Run LiteRT's operator DENSIFY.

    The kernel checks next to nothing, and reads and writes where the numbers lead it: give it
    only what stays within the arrays.
    """
    kind = build.type_of(stored.dtype)
    source = build.TensorSpec("s", shape, kind, stored, fields={"sparsity": writer(sparsity)})
    target = build.TensorSpec("d", shape, kind)
    operator = build.OperatorSpec(tflite.BuiltinOperator.DENSIFY, [0], [1])
    runner = oracle.interpreter(
        build.model(build.SubgraphSpec([source, target], [], [1], [operator]))
    )
    with oracle.quiet():
        runner.allocate_tensors()
        runner.invoke()
    result: Values = runner.get_tensor(1)
    return result


def same_bits(one: Values, other: Values) -> bool:
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


def agree(dense: Values, encoded: Encoded) -> bool:
    """Tell whether LiteRT and we both give the array back."""
    sparsity, stored = encoded
    ours = densify(stored, sparsity, dense.shape, LIMIT)
    return same_bits(litert_densify(stored, sparsity, dense.shape), dense) and same_bits(
        ours, dense
    )


class TestAsLiteRT:
    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    @pytest.mark.parametrize("formats", ["dc", "cd", "cc", "dd"])
    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    @pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
    def test_matrices(
        self, density: float, order: Sequence[int], formats: str, dtype: np.dtype[Any]
    ) -> None:
        dense = random_array((13, 9), density, dtype)
        assert agree(dense, encode(dense, order, formats))

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    @pytest.mark.parametrize("formats", [a + b + c for a in "dc" for b in "dc" for c in "dc"])
    def test_every_order_and_format_of_three_dimensions(
        self, formats: str, order: Sequence[int]
    ) -> None:
        dense = random_array((3, 4, 5), 0.2)
        assert agree(dense, encode(dense, order, formats))

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    @pytest.mark.parametrize("block", [(1, 4), (4, 1), (4, 4), (2, 4)])
    @pytest.mark.parametrize("formats", ["dc", "cc", "cd"])
    @pytest.mark.parametrize("outer", [(0, 1), (1, 0)])
    def test_blocks(
        self, outer: tuple[int, ...], formats: str, block: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        dense = random_array((8, 12), 0.3, dtype, block)
        blocks = [(axis, size) for axis, size in enumerate(block) if size > 1]
        inner = range(2, 2 + len(blocks))
        for order in itertools.permutations(inner):
            letters = formats + "d" * len(blocks)
            assert agree(dense, encode(dense, (*outer, *order), letters, blocks))

    @pytest.mark.parametrize("order", [(0, 1, 2, 3, 4, 5), (3, 1, 0, 2, 5, 4), (2, 3, 1, 0, 4, 5)])
    @pytest.mark.parametrize("formats", ["dddc", "cddd", "dcdc"])
    @pytest.mark.parametrize("axes", [(0, 3), (1, 2)])
    def test_blocks_of_four_dimensions(
        self, axes: tuple[int, int], formats: str, order: Sequence[int]
    ) -> None:
        sizes = [1, 1, 1, 1]
        blocks = [(axes[0], 2), (axes[1], 3)]
        for axis, size in blocks:
            sizes[axis] = size
        shape = [size * factor for size, factor in zip(sizes, (2, 1, 3, 2), strict=True)]
        dense = random_array(shape, 0.4, blocks=sizes)
        assert agree(dense, encode(dense, order, formats + "dd", blocks))

    @pytest.mark.parametrize("index_type", list(INDEX_VECTORS))
    def test_index_vectors(self, index_type: str) -> None:
        """More than 127 indices of a value over 127: a sign would show."""
        dense = random_array((2, 200), 0.6)
        encoded = encode(dense, (0, 1), "dc", index_type=index_type)
        assert agree(dense, encoded)

    def test_index_vectors_of_two_types(self) -> None:
        dense = random_array((20, 40), 0.8)
        sparsity, stored = encode(dense, (0, 1), "dc", index_type="u2")
        rows, wide = sparsity.dimensions
        assert isinstance(wide, CompressedDimension)
        assert wide.segments[-1] > 255
        mixed = replace(wide, indices=wide.indices.astype("u1"))
        assert agree(dense, (replace(sparsity, dimensions=(rows, mixed)), stored))

    @pytest.mark.parametrize("dtype", DTYPES[:2], ids=str)
    def test_values_that_are_no_numbers(self, dtype: np.dtype[Any]) -> None:
        dense = np.array([[0, np.nan, np.inf], [-np.inf, 0, 1e-7]], dtype)
        assert agree(dense, encode(dense, (0, 1), "dc"))

    @pytest.mark.parametrize("shape", [(3, 4), (0, 4), (3, 0)])
    @pytest.mark.parametrize("formats", ["dc", "cd", "cc"])
    def test_no_value_at_all(self, formats: str, shape: tuple[int, int]) -> None:
        dense = np.zeros(shape, np.float32)
        sparsity, stored = encode(dense, (0, 1), formats)
        assert not stored.size
        assert agree(dense, (sparsity, stored))

    def test_indices_in_any_order(self) -> None:
        sparsity = compressed_columns(indices=[3, 0, 1])
        dense = np.array([[8, 0, 0, 7], [0, 0, 0, 0], [0, 9, 0, 0]], np.int8)
        assert agree(dense, (sparsity, np.array([7, 8, 9], np.int8)))

    @pytest.mark.parametrize("shape", [(3, 10), (3, 11), (3, 3)])
    def test_blocks_that_do_not_fill_their_axis(self, shape: tuple[int, int]) -> None:
        """TensorFlow's converter writes them: it counts what it loses as zeros (2.21).

        A Dense layer of 50 inputs with weights pruned in blocks of 4 gets a tensor of shape
        (32, 50), with blocks of 4, that has none of the values of its last 2 columns.
        """
        dense = random_array(shape, 0.9, np.int8)
        dense[:, shape[1] // 4 * 4 :] = 0
        assert agree(dense, encode(dense, (0, 1, 2), "dcd", [(1, 4)]))


class TestWhereLiteRTIsWrong:
    def test_a_block_map_that_falls(self) -> None:
        """LiteRT looks for the blocks in the order of axes, and takes the missed ones as size 0."""
        dense = random_array((4, 6), 1.0)
        sparsity, stored = encode(dense, (0, 1, 2, 3), "dddd", [(1, 3), (0, 2)])
        assert same_bits(densify(stored, sparsity, dense.shape, LIMIT), dense)
        assert not same_bits(litert_densify(stored, sparsity, dense.shape), dense)

    def test_three_dimensions_of_blocks_in_cyclic_order(self) -> None:
        """LiteRT takes a dimension's number for its place in the traversal order.

        Which gives the same for every order that is its own inverse, as all of two blocks are.
        The sizes here keep it within the array.
        """
        dense = random_array((4, 1, 3), 1.0)
        blocks = [(0, 2), (1, 1), (2, 1)]
        sparsity, stored = encode(dense, (0, 1, 2, 4, 5, 3), "dddddd", blocks)
        assert same_bits(densify(stored, sparsity, dense.shape, LIMIT), dense)
        assert not same_bits(litert_densify(stored, sparsity, dense.shape), dense)

    def test_an_index_that_is_there_twice(self) -> None:
        """DENSIFY keeps the last value, the sparse FULLY_CONNECTED adds both: so it is refused."""
        sparsity = compressed_columns(indices=[2, 2, 1])
        stored = np.array([7, 8, 9], np.int8)
        assert litert_densify(stored, sparsity, (3, 4))[0, 2] == 8
        with pytest.raises(CorruptModelError, match=r"twice, at position \(0, 2\)"):
            densify(stored, sparsity, (3, 4), LIMIT)


class TestDensify:
    @pytest.mark.parametrize("dtype", list(build.TYPES), ids=str)
    def test_every_dtype(self, dtype: np.dtype[Any]) -> None:
        result = densify(np.ones(3, dtype), compressed_columns(), (3, 4), LIMIT)
        assert (result.dtype, result.shape) == (dtype, (3, 4))
        assert np.argwhere(result == 1).tolist() == [[0, 0], [0, 3], [2, 1]]
        assert not result.flags.writeable

    def test_a_scalar(self) -> None:
        result = densify(np.array([5], np.int8), Sparsity((), (), ()), (), LIMIT)
        assert result.shape == ()
        assert result[()] == 5

    def test_what_was_stored_is_left_alone(self) -> None:
        stored = np.array([1], np.int8)
        result = densify(stored, Sparsity((0,), (), (DenseDimension(1),)), (1,), LIMIT)
        assert not np.shares_memory(result, stored)
        assert stored.flags.writeable

    def test_as_many_bytes_as_the_limit(self) -> None:
        assert densify(np.ones(3, "<f4"), compressed_columns(), (3, 4), 48).nbytes == 48

    def test_memory_for_a_large_one(self) -> None:
        count = 200_000
        columns = CompressedDimension(np.arange(count + 1), np.arange(count)[::-1] % 1000)
        sparsity = Sparsity((0, 1), (), (DenseDimension(count), columns))
        stored = np.ones(count, np.int8)
        shape = (count, 1000)
        peak, result = memory(stored, sparsity, shape, count * 1000)
        assert isinstance(result, np.ndarray)
        assert int(result.sum(dtype=np.int64)) == count
        assert peak < count * 1000 + bound(stored, sparsity)


class TestRepr:
    def test_of_blocks(self) -> None:
        dimensions = (DenseDimension(3), columns(), DenseDimension(2))
        assert repr(Sparsity((0, 1, 2), (1,), dimensions)) == (
            "Sparsity(order (0, 1, 2), blocks in (1,): dense 3, "
            "compressed 3 indices in 3 segments, dense 2)"
        )

    def test_of_none(self) -> None:
        assert repr(Sparsity((), (), ())) == "Sparsity(order (): no dimensions)"

    def test_is_short_whatever_the_file_has(self) -> None:
        many = tuple(range(10_000))
        text = repr(Sparsity(many, many, tuple(map(DenseDimension, many))))
        assert len(text) < 300
        assert "10000 dimensions" in text

    @pytest.mark.parametrize("count", [7, 8, 9])
    def test_shows_up_to_eight_dimensions(self, count: int) -> None:
        text = repr(Sparsity((), (), (DenseDimension(3),) * count))
        assert text.count("dense 3") == min(count, 8)
        assert (f"... ({count} dimensions)" in text) == (count > 8)

    def test_of_vectors_that_are_empty(self) -> None:
        none = np.zeros(0, np.int32)
        text = "CompressedDimension(0 indices in 0 segments)"
        assert repr(CompressedDimension(none, none)) == text


def columns(
    segments: Sequence[int] = (0, 2, 2, 3), indices: Sequence[int] = (0, 3, 1)
) -> CompressedDimension:
    return CompressedDimension(np.array(segments, np.int32), np.array(indices, np.int32))


def compressed_columns(
    segments: Sequence[int] = (0, 2, 2, 3), indices: Sequence[int] = (0, 3, 1), rows: int = 3
) -> Sparsity:
    """Give the sparsity of a matrix of 3 rows and 4 columns with 3 values, or one like it."""
    return Sparsity((0, 1), (), (DenseDimension(rows), columns(segments, indices)))


def blocked(
    order: tuple[int, ...] = (0, 1, 2),
    block_map: tuple[int, ...] = (1,),
    block: Dimension = DenseDimension(1),  # noqa: B008
) -> Sparsity:
    """Give the same with columns in blocks of 1."""
    return Sparsity(order, block_map, (DenseDimension(3), columns(), block))


HUGE = DenseDimension(2**31 - 1)

REFUSED: dict[str, tuple[Sparsity, str]] = {
    "order too short": (
        Sparsity((0,), (), compressed_columns().dimensions),
        r"length of the traversal order is 1, expected 2: 2 of the tensor and 0 within blocks",
    ),
    "order with a repetition": (
        Sparsity((0, 0), (), compressed_columns().dimensions),
        r"the traversal order is \(0, 0\), expected a permutation of \(0, 1\)",
    ),
    "order out of range": (
        Sparsity((0, -1), (), compressed_columns().dimensions),
        r"the traversal order is \(0, -1\), expected a permutation of \(0, 1\)",
    ),
    "order with blocks not at its end": (
        blocked(order=(0, 2, 1)),
        r"order is \(0, 2, 1\), expected a permutation of \(0, 1\), then of \(2,\)",
    ),
    "too few dimensions": (
        Sparsity((0, 1), (), (DenseDimension(3),)),
        r"the length of the dimension metadata is 1, expected 2",
    ),
    "block map too long": (
        blocked(block_map=(0, 1, 1)),
        r"the length of the block map is 3, expected at most the rank, 2",
    ),
    "block map out of range": (
        blocked(block_map=(2,)),
        r"the block map is \(2,\), expected different dimensions, each from 0 to 1",
    ),
    "block map negative": (blocked(block_map=(-1,)), r"the block map is \(-1,\), expected diff"),
    "block map with a repetition": (
        blocked(order=(0, 1, 2, 3), block_map=(1, 1)),
        r"the block map is \(1, 1\), expected different dimensions",
    ),
    "block of size 0": (
        blocked(block=DenseDimension(0)),
        r"dimension 2 \(within blocks of axis 1\): the size is 0, expected at least 1",
    ),
    "block larger than its axis": (
        blocked(block=HUGE),
        r"dimension 1 \(of axis 1\): index 0 is 0, expected at least 0 and less than 0",
    ),
    "dense dimension of another size": (
        compressed_columns(rows=4),
        r"dimension 0 \(of axis 0\): the size is 4, expected 3",
    ),
    "dense dimension of negative size": (
        compressed_columns(rows=-3),
        r"dimension 0 \(of axis 0\): the size is -3, expected 3",
    ),
    "dense dimension of the whole axis, not of its blocks": (
        Sparsity((0, 1, 2), (0,), (DenseDimension(3), columns(), DenseDimension(3))),
        r"dimension 0 \(of axis 0\): the size is 3, expected 1",
    ),
    "too few segments": (
        compressed_columns(segments=(0, 2, 3)),
        r"dimension 1 \(of axis 1\): the number of segment bounds is 3, expected 4",
    ),
    "no segments": (compressed_columns(segments=()), r"segment bounds is 0, expected 4"),
    "segments that do not start at 0": (
        compressed_columns(segments=(1, 2, 2, 3)),
        r"dimension 1 \(of axis 1\): the first segment starts at 1, expected 0",
    ),
    "segments that fall": (
        compressed_columns(segments=(0, 2, 1, 3)),
        r"dimension 1 \(of axis 1\): segment 1 runs back from 2 to 1",
    ),
    "segments that end early": (
        compressed_columns(segments=(0, 2, 2, 2)),
        r"dimension 1 \(of axis 1\): the last segment ends at 2, expected 3, as the indices",
    ),
    "segments that end late": (
        compressed_columns(segments=(0, 2, 2, 2**31 - 1)),
        r"the last segment ends at 2147483647, expected 3",
    ),
    "index too large": (
        compressed_columns(indices=(0, 4, 1)),
        r"dimension 1 \(of axis 1\): index 1 is 4, expected at least 0 and less than 4",
    ),
    "index negative": (
        compressed_columns(indices=(0, 3, -1)),
        r"index 2 is -1, expected at least 0 and less than 4",
    ),
    "index twice, not side by side": (
        compressed_columns(segments=(0, 0, 3, 3), indices=(2, 1, 2)),
        r"dimension 1 \(of axis 1\): a run has an index twice, at position \(1, 2\)",
    ),
    "more places than values": (
        Sparsity((0, 1), (), (DenseDimension(3), DenseDimension(4))),
        r"the number of values is 3, expected 12",
    ),
    "fewer places than values": (
        compressed_columns(segments=(0, 1, 1, 2), indices=(0, 3)),
        r"the number of values is 3, expected 2",
    ),
}


class TestRefused:
    @pytest.mark.parametrize("what", list(REFUSED))
    def test_fault(self, what: str) -> None:
        sparsity, message = REFUSED[what]
        with pytest.raises(CorruptModelError, match=message):
            densify(np.array([7, 8, 9], np.int8), sparsity, (3, 4), LIMIT)

    def test_past_the_limit(self) -> None:
        message = r"shape \(65536, 65536\) would take 17_179_869_184 bytes \(limit: 1_048_576\)"
        with pytest.raises(CorruptModelError, match=message):
            densify(np.ones(3, "<f4"), compressed_columns(), (65536, 65536), LIMIT)

    def test_negative_shape(self) -> None:
        with pytest.raises(CorruptModelError, match=r"shape \(-1, 4\) has a negative size"):
            densify(np.array([7, 8, 9], np.int8), compressed_columns(), (-1, 4), LIMIT)

    def test_shape_that_numpy_cannot_have(self) -> None:
        shape = (2**31 - 1, 2**31 - 1, 2**31 - 1, 0)
        sparsity = Sparsity((0, 1, 2, 3), (), (*(HUGE,) * 3, DenseDimension(0)))
        with pytest.raises(CorruptModelError, match="is larger than an array can be"):
            densify(np.zeros(0, np.int8), sparsity, shape, LIMIT)
        # As many values as can be counted, of which each takes 8 bytes.
        sparsity = Sparsity((0, 1, 2), (), (HUGE, HUGE, DenseDimension(0)))
        with pytest.raises(CorruptModelError, match="is larger than an array can be"):
            densify(np.zeros(0, np.float64), sparsity, (*shape[:2], 0), LIMIT)

    @pytest.mark.skipif(sys.maxsize < 1 << 32, reason="there may be memory for the largest array")
    def test_more_than_there_is_memory_for(self) -> None:
        shape = (2**31 - 1, 2**31 - 1)
        sparsity = Sparsity((0, 1), (), (columns([0, 0], []), DenseDimension(shape[1])))
        with pytest.raises(UnsupportedError, match="not enough memory for an array of shape"):
            densify(np.zeros(0, np.int8), sparsity, shape, 2**62)

    def test_compressed_dimension_within_blocks(self) -> None:
        message = r"dimension 2 \(within blocks of axis 1\): it is compressed .* expected dense"
        with pytest.raises(UnsupportedError, match=message):
            densify(np.array([7, 8, 9], np.int8), blocked(block=columns()), (3, 4), LIMIT)

    def test_rank(self) -> None:
        one = Sparsity(tuple(range(33)), (), (DenseDimension(1),) * 33)
        with pytest.raises(UnsupportedError, match="the rank is 33, expected at most 32"):
            densify(np.array([7], np.int8), one, (1,) * 33, LIMIT)
        one = Sparsity(tuple(range(32)), (), (DenseDimension(1),) * 32)
        assert densify(np.array([7], np.int8), one, (1,) * 32, LIMIT).shape == (1,) * 32

    def test_a_million_positions_that_lead_to_no_value(self) -> None:
        """The product of dense dimensions is known before they are expanded."""
        sizes = (1000, 1000, 1000)
        sparsity = Sparsity((0, 1, 2, 3), (), (*map(DenseDimension, sizes), DenseDimension(0)))
        peak, result = memory(np.zeros(0, np.int8), sparsity, (*sizes, 0), LIMIT)
        assert isinstance(result, np.ndarray)
        assert peak < 100_000


def memory(
    stored: Values, sparsity: Sparsity, shape: tuple[int, ...], limit: int
) -> tuple[int, Values | Exception]:
    """Give the most memory that the work took, and what came of it."""
    result: Values | Exception
    tracemalloc.start()
    try:
        result = densify(stored, sparsity, shape, limit)
    except (CorruptModelError, UnsupportedError) as error:
        result = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak, result


def bound(stored: Values, sparsity: Sparsity) -> int:
    """Give the bytes that the work may take beside the result."""
    items = stored.size
    for dimension in sparsity.dimensions:
        if isinstance(dimension, CompressedDimension):
            items += dimension.segments.size + dimension.indices.size
    return 100_000 + 40 * items


@st.composite
def encodings(draw: st.DrawFn) -> tuple[Values, Encoded]:
    """Give an array and one of the ways to store it."""
    rank = draw(st.integers(0, 3))
    axes = draw(st.lists(st.sampled_from(range(rank)), unique=True)) if rank else []
    blocks = [(axis, draw(st.integers(1, 3))) for axis in axes]
    shape = [draw(st.integers(0, 3)) for _ in range(rank)]
    for axis, size in blocks:
        shape[axis] *= size
    values = draw(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=math.prod(shape)))
    dense = np.array(values[: math.prod(shape)], np.int16).reshape(shape)
    inner = range(rank, rank + len(blocks))
    order = (*draw(st.permutations(range(rank))), *draw(st.permutations(inner)))
    formats = "".join(draw(st.sampled_from("dc")) for _ in range(rank)) + "d" * len(blocks)
    index_type = draw(st.sampled_from(list(INDEX_VECTORS)))
    return dense, encode(dense, order, formats, blocks, index_type)


NUMBERS = st.one_of(st.integers(-2, 6), st.sampled_from([255, 65535, 2**31 - 1, -(2**31)]))
VECTORS = st.lists(NUMBERS, max_size=6).map(lambda numbers: np.array(numbers, np.int32))
DIMENSIONS = st.one_of(
    NUMBERS.map(DenseDimension), st.builds(CompressedDimension, VECTORS, VECTORS)
)


@st.composite
def broken(draw: st.DrawFn) -> tuple[Values, Sparsity, tuple[int, ...]]:
    """Give an encoding of which a few numbers are others."""
    dense, (sparsity, stored) = draw(encodings())
    shape = dense.shape
    for _ in range(draw(st.integers(1, 3))):
        part = draw(st.sampled_from(["order", "map", "dimension", "vector", "shape", "stored"]))
        if part == "order":
            order = altered(draw, sparsity.traversal_order, NUMBERS)
            sparsity = replace(sparsity, traversal_order=order)
        elif part == "map":
            sparsity = replace(sparsity, block_map=altered(draw, sparsity.block_map, NUMBERS))
        elif part == "dimension":
            dimensions = altered(draw, sparsity.dimensions, DIMENSIONS)
            sparsity = replace(sparsity, dimensions=dimensions)
        elif part == "vector":
            parts = [with_altered_vectors(draw, d) for d in sparsity.dimensions]
            sparsity = replace(sparsity, dimensions=tuple(parts))
        elif part == "shape":
            shape = altered(draw, shape, NUMBERS)
        else:
            stored = np.resize(stored, draw(st.integers(0, 30)))
    return stored, sparsity, shape


def altered(
    draw: st.DrawFn, numbers: tuple[Any, ...], others: st.SearchStrategy[Any]
) -> tuple[Any, ...]:
    """Replace, drop or insert one item."""
    at = draw(st.integers(0, len(numbers)))
    inserted = draw(st.lists(others, max_size=1))
    return (*numbers[:at], *inserted, *numbers[at + draw(st.integers(0, 1)) :])


def with_altered_vectors(draw: st.DrawFn, dimension: Dimension) -> Dimension:
    if isinstance(dimension, DenseDimension):
        return dimension
    both = [
        np.array(altered(draw, tuple(part.tolist()), NUMBERS), np.int32)
        for part in (dimension.segments, dimension.indices)
    ]
    return CompressedDimension(*both)


class TestWhateverTheNumbers:
    @given(encodings())
    def test_what_was_encoded_comes_back(self, case: tuple[Values, Encoded]) -> None:
        dense, (sparsity, stored) = case
        assert same_bits(densify(stored, sparsity, dense.shape, LIMIT), dense)

    @many(10)
    @given(broken())
    def test_errors_and_memory(self, case: tuple[Values, Sparsity, tuple[int, ...]]) -> None:
        """Nothing but the two errors leaves, and the file's own size bounds the work."""
        stored, sparsity, shape = case
        assert repr(sparsity)
        peak, result = memory(stored, sparsity, shape, 10_000)
        assert peak < 10_000 + bound(stored, sparsity)
        if isinstance(result, np.ndarray):
            assert np.count_nonzero(result) == np.count_nonzero(stored)
