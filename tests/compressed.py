"""Compressed weights: encoded by hand in each scheme, and by TFLM's own compressor."""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from tests import build, oracle
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec

CODES, TYPES = tflite.BuiltinOperator, tflite.TensorType
LOOKUP_TABLE, HUFFMAN, PRUNING = 0, 1, 2
ONE_TABLE = 15


@dataclass
class Case:
    """A tensor, and the bytes of which a DECODE makes it."""

    target: TensorSpec
    encoded: bytes
    ancillary: bytes

    @property
    def part(self) -> tuple[TensorSpec, bytes, bytes]:
        return self.target, self.encoded, self.ancillary

    def model(self) -> bytes:
        return build.model(build.decoded(self.part))


def quantized(
    shape: Sequence[int], type: int, axis: int | None, zeros: Sequence[int] = ()
) -> TensorSpec:
    """Give a tensor with one scale, or one for each index of an axis; floats have none."""
    if type in (TYPES.FLOAT32, TYPES.BOOL):
        return TensorSpec("w", shape, type)
    count = 1 if axis is None else shape[axis]
    points = list(zeros) or [0] * count
    return TensorSpec("w", shape, type, None, [0.5] * count, points, axis or 0)


def table_case(
    shape: Sequence[int], type: int, axis: int | None, bits: int, size: int, seed: int
) -> Case:
    """Give a tensor by lookup tables of random values."""
    random = np.random.default_rng(seed)
    if type in (TYPES.FLOAT32, TYPES.BOOL):
        axis = None
    count = 1 if axis is None else shape[axis]
    dtype = next(dtype for dtype, number in build.TYPES.items() if number == type)
    if type == TYPES.BOOL:
        values = random.integers(0, 2, (count, size)).astype("u1").tobytes()
    else:
        values = random.integers(0, 256, count * size * dtype.itemsize, np.uint8).tobytes()
    if type == TYPES.FLOAT32:
        values = random.standard_normal(size).astype("<f4").tobytes()
    indices = random.integers(0, size, shape)
    written = 0 if axis is None and seed % 2 else ONE_TABLE if axis is None else axis
    header = (bits | written << 4, size)
    return Case(
        quantized(shape, type, axis),
        build.packed(indices, bits),
        build.ancillary(LOOKUP_TABLE, header, values),
    )


def pruned_case(
    shape: Sequence[int], type: int, axis: int | None, zeros: Sequence[int], seed: int
) -> Case:
    """Give a tensor of which half of the values are stored."""
    random = np.random.default_rng(seed)
    dtype = next(dtype for dtype, number in build.TYPES.items() if number == type)
    mask = random.integers(0, 2, math.prod(shape))
    kept = random.integers(0, 256, int(mask.sum()) * dtype.itemsize, np.uint8)
    if type == TYPES.BOOL:
        kept &= 1
    if type == TYPES.FLOAT32:
        kept = random.standard_normal(int(mask.sum())).astype("<f4").view(np.uint8)
    return Case(
        quantized(shape, type, axis, zeros),
        np.packbits(mask.astype(np.uint8)).tobytes(),
        build.ancillary(PRUNING, (), kept.tobytes()),
    )


def codes_of(values: NDArray[Any]) -> dict[int, str]:
    """Give a Huffman code: for each value its bits."""
    counts = Counter(values.reshape(-1).tolist())
    if len(counts) == 1:
        return dict.fromkeys(counts, "0")
    order = itertools.count()
    heap = [(n, next(order), {value: ""}) for value, n in counts.items()]
    heapq.heapify(heap)
    while len(heap) > 1:
        (n, _, left), (m, _, right) = heapq.heappop(heap), heapq.heappop(heap)
        merged = {v: "0" + c for v, c in left.items()} | {v: "1" + c for v, c in right.items()}
        heapq.heappush(heap, (n + m, next(order), merged))
    return heap[0][2]


def tables_of(codes: Mapping[int, str], first: int, further: int, wide: int) -> list[int]:
    """Give the tables of a code, each indexed by some bits: as Xtensa's format has them."""
    shift, found = wide - 5, 1 << (wide - 1)
    mask = 0xFF if wide == 16 else 0xFFFF
    table = [0] * (1 << first)
    by_prefix: dict[str, dict[int, str]] = {}
    for value, code in codes.items():
        if len(code) > first:
            by_prefix.setdefault(code[:first], {})[value] = code[first:]
            continue
        start = int(code.ljust(first, "0"), 2)
        for entry in range(start, start + (1 << (first - len(code)))):
            table[entry] = found | len(code) << shift | value & mask
    for prefix, rest in by_prefix.items():
        width = min(further, max(map(len, rest.values())))
        place, inner = len(table), tables_of(rest, width, further, wide)
        entry = int(prefix, 2)
        table[entry] = (width - 1) << shift | (place - entry)
        # An entry leads onwards from itself, so tables can be moved as a whole.
        table += inner
    return table


def huffman_case(
    values: NDArray[Any], wide: int, first: int, further: int, axis: int | None = None
) -> Case:
    """Give a tensor whose values are codes."""
    codes = codes_of(values)
    bits = "".join(codes[value] for value in values.reshape(-1).tolist())
    content = int(bits.ljust(-(-len(bits) // 32) * 32, "0"), 2).to_bytes(
        -(-len(bits) // 32) * 4, "big"
    )
    table = np.array(tables_of(codes, first, further, wide), f"<u{wide // 8}")
    type = build.type_of(values.dtype)
    header = ((first - 1) << 4 | (wide == 32),)
    return Case(
        quantized(values.shape, type, axis),
        content,
        build.ancillary(HUFFMAN, header, table.tobytes()),
    )


def compress(content: bytes, specs: Sequence[tuple[int, int, int, int | None]]) -> bytes:
    """Compress a model with TFLM's own compressor."""
    oracle.package("tflite_micro")
    base = "tflite_micro.tensorflow.lite.micro.compression"
    package, spec = oracle.package(base), oracle.package(f"{base}.spec")
    wanted = [
        spec.Tensor(
            graph,
            tensor,
            [
                spec.LookUpTableCompression(
                    bits, spec.PerTensor() if axis is None else spec.PerChannel(axis)
                )
            ],
        )
        for graph, tensor, bits, axis in specs
    ]
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        # Small tensors become larger.
        warnings.simplefilter("ignore")
        return bytes(package.compress(content, wanted))


def clustered(shape: tuple[int, ...], axis: int | None, values: int, seed: int) -> NDArray[np.int8]:
    """Give weights that have few different values for each index of an axis."""
    random = np.random.default_rng(seed)

    def chosen(shape: Sequence[int]) -> NDArray[np.int8]:
        some = random.choice(np.arange(-127, 128), values, replace=False)
        some[0] = 127
        return random.choice(some, shape).astype(np.int8)

    if axis is None:
        return chosen(shape)
    rest = [size for number, size in enumerate(shape) if number != axis]
    return np.stack([chosen(rest) for _ in range(shape[axis])], axis)


def step(bias: int) -> OperatorSpec:
    """Give a fully connected layer of tensors 0 and 1; its bias is another, or none."""
    options = {
        "builtin_options_type": tflite.BuiltinOptions.FullyConnectedOptions,
        "builtin_options": lambda b: build.table(b, "FullyConnectedOptions"),
    }
    return OperatorSpec(CODES.FULLY_CONNECTED, [0, 1, bias], [2], version=4, fields=options)


def without_bias(weights: TensorSpec) -> SubgraphSpec:
    """Give a layer without a bias."""
    rows, columns = weights.shape or ()
    tensors = [
        TensorSpec("in", (1, columns), TYPES.INT8, None, 0.05, 3),
        weights,
        TensorSpec("out", (1, rows), TYPES.INT8, None, 0.5, -7),
    ]
    return SubgraphSpec(tensors, [0], [2], [step(-1)])


def layer_graph(weights: NDArray[np.int8], scales: Sequence[float]) -> SubgraphSpec:
    """Give a layer with a bias."""
    zeros = [0] * len(scales)
    graph = without_bias(build.constant(weights, scales, zeros, name="weights"))
    values: NDArray[Any] = np.arange(weights.shape[0], dtype=np.int32) * 37 - 400
    products = [np.float32(0.05) * np.float32(scale) for scale in scales]
    bias = build.constant(values, products, zeros, name="bias")
    return SubgraphSpec([*graph.tensors, bias], [0], [2], [step(3)])


def layer(weights: NDArray[np.int8], scales: Sequence[float]) -> bytes:
    """Give a model of the layer."""
    return build.model(layer_graph(weights, scales))


WEIGHTS = clustered((16, 64), 0, 4, 1)
PLAIN = layer(WEIGHTS, [0.01] * 16)


def decode_form() -> bytes:
    """Give the layer as TFLM's compressor writes it."""
    bytes_of, indices = b"", np.empty(WEIGHTS.shape, np.uint8)
    for number, row in enumerate(WEIGHTS):
        values, indices[number] = np.unique(row, return_inverse=True)
        bytes_of += values.tobytes()
    scales = {"scale": [0.01] * 16, "zero_point": [0] * 16}
    encoded, tables = build.packed(indices, 2), build.ancillary(LOOKUP_TABLE, (2, 4), bytes_of)
    with_bias = layer_graph(WEIGHTS, [0.01] * 16)
    tensors = [
        *with_bias.tensors,
        TensorSpec("weights_ancillary", (len(tables),), TYPES.UINT8, tables),
        TensorSpec("weights_decoded", WEIGHTS.shape, **scales),  # type: ignore[arg-type]
    ]
    # It keeps the scales of the weights.
    tensors[1] = TensorSpec("weights", (len(encoded),), TYPES.UINT8, encoded, **scales)  # type: ignore[arg-type]
    last = step(3)
    last.inputs = [0, 5, 3]
    return build.model(SubgraphSpec(tensors, [0], [2], [build.decode([1, 4], [5]), last]))


def metadata_form(
    weights: NDArray[Any] = WEIGHTS,
    bits: int = 2,
    axis: int | None = 0,
    metadata: bytes | None = None,
    tables: bytes | None = None,
) -> bytes:
    """Give the layer in the older form: the tensor has indices, and a buffer the values."""
    slices = [weights] if axis is None else list(np.moveaxis(weights, axis, 0))
    indices, values = np.empty(weights.shape, np.uint8), b""
    for number, part in enumerate(slices):
        table, inverse = np.unique(part, return_inverse=True)
        values += np.pad(table, (0, (1 << bits) - table.size)).astype(weights.dtype).tobytes()
        place = (slice(None),) * (axis or 0) + (number,)
        indices[slice(None) if axis is None else place] = inverse.reshape(part.shape)
    scales = [0.01] * len(slices)
    packed = build.packed(indices, bits)
    tensor = TensorSpec(
        "weights", weights.shape, TYPES.INT8, packed, scales, [0] * len(slices), axis or 0
    )
    listed = build.compression_metadata([(1, 2, bits)]) if metadata is None else metadata
    return build.model(
        without_bias(tensor),
        buffers=[listed, values if tables is None else tables],
        metadata={"COMPRESSION_METADATA": 1},
    )


def plain_form(weights: NDArray[Any], axis: int | None) -> bytes:
    """Give the same layer without compression."""
    count = 1 if axis is None else weights.shape[axis]
    scales = [0.01] * count, [0] * count
    return build.model(
        without_bias(build.constant(weights, *scales, axis=axis or 0, name="weights"))
    )
