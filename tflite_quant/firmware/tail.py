"""An estimate of the arena's tail: what TensorFlow Lite Micro keeps there for a model.

It follows the runtime's allocations one by one, with the sizes of its structures. These depend on
the size of a pointer, on the version and the build (one with decompression has larger ones), and
on the kernels, so the sum is an estimate. Source: tensorflow/tflite-micro, tensorflow/lite/micro:
micro_allocator.cc, micro_interpreter.cc, and the Init and Prepare functions in kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..format.budget import MAX_ARRAY_RANK, Budget
from ..format.schema import TensorType
from ..model.model import Model
from ..model.operands import operand_at
from ..model.operator import Operator
from ..model.quantization import NotQuantized, PerAxis
from ..model.tensor import Tensor
from .lifetimes import value_bytes

__all__ = ["planning_size", "tail_sizes"]


class _Structures(NamedTuple):
    """The sizes of the runtime's structures in bytes."""

    allocator: int
    planner: int
    micro_allocator: int
    builtin_data_allocator: int
    subgraph: int
    eval_tensor: int
    operator: int
    tensor: int
    quantization: int
    resource_variables: int
    resource_variable: int
    request: int
    lifetime: int


_STRUCTURES = {
    4: _Structures(36, 44, 36, 8, 8, 12, 32, 40, 12, 12, 20, 12, 24),
    8: _Structures(72, 72, 72, 16, 16, 24, 64, 64, 24, 16, 40, 16, 32),
}
"""By the size of a pointer: sizeof of the structures, with 8-byte numbers aligned to 8 bytes."""
_PLANNED, _FREE_REQUESTS = 40, 12
"""What the planner needs for a buffer, and the requests for scratch memory it has room for."""

_ALIGNMENT = 16
"""What kernels ask for is aligned to this (micro_arena_constants.h)."""


def _sizes(text: str) -> dict[str, tuple[tuple[int, int], tuple[int, int]]]:
    """Read a table of the sizes of operators' structures, each for 4-byte and 8-byte pointers."""

    def pair(cell: str) -> tuple[int, int]:
        small, _, large = cell.partition("/")
        return int(small), int(large or small)

    rows = (line.split() for line in text.split("\n") if line)
    return {name: (pair(options), pair(data)) for name, options, data in rows}


_OF_OPERATORS: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = _sizes("""
ABS 0 28
ADD 8 60
ADD_N 0 0
ARG_MAX 4 0
ARG_MIN 4 0
AVERAGE_POOL_2D 40 32
BATCH_MATMUL 3 16/32
CALL_ONCE 4 8
CAST 8 0
CONCATENATION 8 24/40
CONV_2D 28 56/72
CUMSUM 2 0
DEPTHWISE_CONV_2D 28 56/72
DEPTH_TO_SPACE 4 0
DEQUANTIZE 0 32
DIV 4 28
ELU 0 256
EMBEDDING_LOOKUP 0 8/16
EQUAL 0 32
FULLY_CONNECTED 24/32 48/64
GATHER 8 0
GREATER 0 32
GREATER_EQUAL 0 32
HARD_SWISH 0 20
IF 8 8
L2_NORMALIZATION 4 4
L2_POOL_2D 40 0
LEAKY_RELU 4 24
LESS 0 32
LESS_EQUAL 0 32
LOGISTIC 0 16
MAX_POOL_2D 40 32
MEAN 1 44
MIRROR_PAD 4 20
MUL 4 36
NOT_EQUAL 0 32
PACK 8 0
PAD 0 56
PADV2 0 56
PRELU 0 28
QUANTIZE 0 32
REDUCE_ALL 1 44
REDUCE_MAX 1 44
REDUCE_MIN 1 44
RELU 0 28
RELU6 0 28
RESHAPE 36 0
RESIZE_BILINEAR 2 0
RESIZE_NEAREST_NEIGHBOR 2 0
RSQRT 0 28
SELECT_V2 0 1
SHAPE 4 0
SOFTMAX 4 56/80
SPACE_TO_BATCH_ND 0 4
SPACE_TO_DEPTH 4 0
SPLIT 4 0
SPLIT_V 4 0
SQUARED_DIFFERENCE 0 112
SQUEEZE 36 0
STRIDED_SLICE 24 84
SUB 8 52
SUM 1 44
SVDF 12 36
TANH 0 16
TRANSPOSE_CONV 20 72/80
UNIDIRECTIONAL_SEQUENCE_LSTM 16 688
UNPACK 8 0
VAR_HANDLE 8/16 4
WHILE 8 8
""")
"""Of each operator that has any: the sizes of its options, and of what its kernel keeps."""
_NOTHING, _OTHER = ((0, 0), (0, 0)), ((0, 0), (32, 32))
"""The row of a builtin operator that is not in the table, and of a custom one."""

_MOVED_SHAPES = {
    "BATCH_MATMUL", "DEPTH_TO_SPACE", "EMBEDDING_LOOKUP", "GATHER", "GATHER_ND", "L2_POOL_2D",
    "SPACE_TO_DEPTH",
}  # fmt: skip
"""Operators whose kernels copy the output's shape into the arena."""
_SIGNAL = {
    "SignalFilterBank": "num_channels",
    "SignalFilterBankSpectralSubtraction": "num_channels",
    "SignalIrfft": "fft_length",
    "SignalRfft": "fft_length",
}
"""Operators whose kernels keep tables, and the options that say how long these are."""
_SOFTMAX_TABLE = 513
"""The numbers in a table of SOFTMAX for int16."""


def tail_sizes(
    model: Model, scratch_buffers: int, pointer_bytes: int, budget: Budget
) -> tuple[int, int]:
    """Return the estimate in bytes: while the runtime makes its plan, and at the end.

    Parameters
    ----------
    model : Model
    scratch_buffers : int
        How many scratch buffers the kernels ask for.
    pointer_bytes : {4, 8}
    budget : Budget
        It is charged for options of custom operators.
    """
    before = _sum(0, _before_plan(model, scratch_buffers, pointer_bytes, budget))
    return before, _sum(before, _after_plan(model, pointer_bytes))


def planning_size(model: Model, buffers: int, scratch_buffers: int, pointer_bytes: int) -> int:
    """Return the bytes that making the plan takes, where the head will be.

    Parameters
    ----------
    model : Model
    buffers, scratch_buffers : int
        How many buffers the head has, and how many of them are scratch memory.
    pointer_bytes : {4, 8}
    """
    sizes, graphs = _STRUCTURES[pointer_bytes], model.subgraphs
    tensors = sum(len(graph.tensors) for graph in graphs)
    return (
        sizes.request * (scratch_buffers + _FREE_REQUESTS)
        + pointer_bytes * len(graphs)
        + sizes.lifetime * (tensors + scratch_buffers)
        + _PLANNED * buffers
    )


def _sum(used: int, allocations: Iterable[tuple[int, int]]) -> int:
    """Return how many bytes are used after some allocations, each with its alignment."""
    for size, alignment in allocations:
        used = -(-(used + size) // alignment) * alignment
    return used


def _before_plan(
    model: Model, scratch_buffers: int, pointer: int, budget: Budget
) -> Iterator[tuple[int, int]]:
    """Yield the size and the alignment of each allocation, in the runtime's order."""
    sizes, graphs = _STRUCTURES[pointer], model.subgraphs
    operators = [operator for graph in graphs for operator in graph.operators]
    variables = _resource_variables(operators)
    yield sizes.allocator, pointer
    yield sizes.planner, pointer
    yield sizes.micro_allocator, pointer
    if variables:
        yield sizes.resource_variables, _ALIGNMENT
        yield sizes.resource_variable * len(variables), _ALIGNMENT
    yield sizes.builtin_data_allocator, pointer
    yield sizes.subgraph * len(graphs), pointer
    yield from ((sizes.eval_tensor * len(graph.tensors), pointer) for graph in graphs)
    yield from ((sizes.operator * len(graph.operators), pointer) for graph in graphs)
    yield from map(_options_size, operators, [pointer] * len(operators))
    for operator in operators:
        yield from ((size, _ALIGNMENT) for size in _kept(operator, pointer))
        if operator.name in _SIGNAL:
            yield _of_signal(operator, budget), _ALIGNMENT
    yield from ((size, _ALIGNMENT) for size in variables.values())
    yield pointer * scratch_buffers, pointer
    states = (tensor for graph in graphs for tensor in graph.tensors if tensor.is_variable)
    yield from ((_bytes(tensor), _ALIGNMENT) for tensor in states)


def _after_plan(model: Model, pointer: int) -> Iterator[tuple[int, int]]:
    """Yield what the runtime allocates when it knows where tensors lie: inputs and outputs."""
    sizes, graphs = _STRUCTURES[pointer], model.subgraphs
    for ends in (graphs[0].inputs, graphs[0].outputs) if graphs else ():
        yield pointer * len(ends), _ALIGNMENT
        for tensor in ends:
            yield from _end(tensor, sizes, pointer)


def _options_size(operator: Operator, pointer: int) -> tuple[int, int]:
    """Return the size and the alignment of an operator's options."""
    size = _of_operator(operator, pointer)[0]
    return size, 4 if size >= 4 else 1


def _of_operator(operator: Operator, pointer: int) -> tuple[int, int]:
    """Return the sizes of an operator's options and of what its kernel keeps, as in the table."""
    column = 0 if pointer == 4 else 1
    default = _OTHER if operator.code.name == "CUSTOM" else _NOTHING
    options, data = _OF_OPERATORS.get(operator.name, default)
    return options[column], data[column]


def _end(tensor: Tensor, sizes: _Structures, pointer: int) -> Iterator[tuple[int, int]]:
    """Yield what the runtime keeps of an input or output of the model."""
    yield sizes.tensor, pointer
    if not isinstance(tensor.quantization, NotQuantized):
        yield sizes.quantization, pointer
        yield 4 + 4 * _scales(tensor), 4


def _scales(tensor: Tensor) -> int:
    return int(tensor.quantization.scales.size) if isinstance(tensor.quantization, PerAxis) else 1


def _bytes(tensor: Tensor) -> int:
    """Return the size of a tensor's values; 0 if they have none."""
    shape = tensor.shape[:MAX_ARRAY_RANK]
    return max(0, math.prod(shape)) * (value_bytes(tensor.type) or 0)


def _resource_variables(operators: Sequence[Operator]) -> dict[str, int]:
    """Return the sizes of resource variables, by their names."""
    names: dict[tuple[int, int], str] = {}
    sizes: dict[str, int] = {}
    for operator in operators:
        tensor = operand_at(operator.outputs, 0)
        if operator.code.name == "VAR_HANDLE" and tensor is not None:
            options = operator.options
            name = f"{options.get('container')}\0{options.get('shared_name')}"
            names[tensor.subgraph_index, tensor.index] = name
            sizes.setdefault(name, 0)
        elif operator.code.name == "ASSIGN_VARIABLE" and len(operator.inputs) == 2:
            handle, value = operator.inputs
            if handle is not None and value is not None:
                known = names.get((handle.subgraph_index, handle.index))
                if known is not None:
                    sizes[known] = sizes[known] or _bytes(value)
    return sizes


def _kept(operator: Operator, pointer: int) -> Iterator[int]:
    """Yield the sizes of what the kernel of an operator keeps."""
    name = operator.name
    data = _of_operator(operator, pointer)[1]
    if data:
        yield data
    first, weights = (operand_at(operator.inputs, position) for position in (0, 1))
    output = operand_at(operator.outputs, 0)
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV") and weights is not None:
        axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
        yield from [4 * max(0, *weights.shape[axis : axis + 1], 0)] * 2
    if name == "FULLY_CONNECTED" and weights is not None and _scales(weights) > 1:
        yield from [4 * _scales(weights)] * 2
    if name == "SOFTMAX" and first is not None and first.type == TensorType.INT16:
        yield from [2 * _SOFTMAX_TABLE] * 2
    if name == "BATCH_MATMUL" and first is not None and weights is not None:
        yield from _of_matmul(operator, first, weights, pointer)
    if name in _MOVED_SHAPES and output is not None:
        yield 4 + 4 * len(output.shape)


def _of_signal(operator: Operator, budget: Budget) -> int:
    """Return the bytes of the tables of an operator on signals (signal/micro/kernels)."""
    options, name = operator.read_custom_options(budget) or {}, operator.name
    length = options.get(_SIGNAL[name])
    if not isinstance(length, int) or not 0 <= length < 1 << 31:
        return 0
    if name == "SignalFilterBank":
        return 8 * (length + 1)
    if name == "SignalFilterBankSpectralSubtraction":
        return 4 * length
    # Two structures of kissfft, and complex numbers of the input's type: 5/4 of the length.
    is_short = options.get("T") == TensorType.INT16
    return 288 + (2 if is_short else 4) * 2 * (length * 5 // 4)


def _of_matmul(operator: Operator, left: Tensor, right: Tensor, pointer: int) -> Iterator[int]:
    """Yield the structures of a BATCH_MATMUL, and its inputs where it transposes them."""
    if left.type in (TensorType.INT8, TensorType.INT16):
        yield 40
    for tensor, is_transposed in (
        (left, bool(operator.options.get("adj_x"))),
        (right, not operator.options.get("adj_y")),
    ):
        if is_transposed:
            yield from (_STRUCTURES[pointer].eval_tensor, 4 + 4 * len(tensor.shape), _bytes(tensor))
