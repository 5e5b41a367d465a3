"""When TensorFlow Lite Micro needs each buffer of the arena's head, and how large it is.

The runtime's clock ticks for each operator, and for each subgraph that an operator runs; the
operators of such a subgraph follow. All subgraphs share one plan. A tensor that no operator writes
and that is no input is live from time -1, before everything, even if nobody reads it; so are those
of subgraphs that are never run. Source: tensorflow/tflite-micro, tensorflow/lite/micro,
micro_allocation_info.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CorruptModelError, UnsupportedError, brief
from ..format.budget import OBJECT_COST
from ..format.flatbuffer import File
from ..format.schema import TensorType
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .scratch import scratch_sizes

__all__ = ["Lifetime", "Lifetimes", "value_bytes"]

_ALIGNMENT = 16
"""Each buffer of the arena begins at a multiple of this (micro_arena_constants.h)."""

_VALUE_BYTES = {
    TensorType[name]: count
    for count, names in {
        1: "BOOL INT4 INT8 UINT8",
        2: "BFLOAT16 FLOAT16 INT16 UINT16",
        4: "FLOAT32 INT32 RESOURCE UINT32",
        8: "COMPLEX64 FLOAT64 INT64 UINT64",
        16: "COMPLEX128",
    }.items()
    for name in names.split()
}
_CALLS = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
}
"""The options that say which subgraphs an operator runs, in this order."""

_OFFLINE_PLAN = "OfflineMemoryAllocation"
"""Metadata with offsets that the converter has planned (docs/memory_management.md)."""
_ONLINE = -1
"""The offset there of a tensor that the runtime is to place."""

_MOST_NESTED = 50
"""How deep subgraphs may run each other."""
_RUN_COST, _OPERAND_COST = 1600, 64
"""What an operator is charged whenever it runs, and each operand of it and each end of a subgraph:
subgraphs may run very often."""
_MOST_BYTES = (1 << 31) - 1
"""The runtime counts bytes in an int."""


def value_bytes(type: TensorType) -> int | None:
    """Return the bytes of a value in the arena; None for a type that the runtime does not have.

    INT4 is not packed. Source: tensorflow/tflite-micro, tensorflow/lite/micro/memory_helpers.cc,
    TfLiteTypeSizeOf.
    """
    return _VALUE_BYTES.get(type)


@dataclass(slots=True)
class Lifetime:
    """A buffer's size, and when it is used.

    Attributes
    ----------
    owner : Tensor or Operator
        A tensor, or the operator that asks for scratch memory.
    size : int
        In bytes; a multiple of 16.
    offset : int or None
        Its place, if the converter has planned it.
    first, last : int
        The first and the last use by the runtime's clock.
    first_use, last_use : int
        The same as indices of operators of its subgraph, and -1 before the first one.
    """

    owner: Tensor | Operator
    size: int
    offset: int | None = None
    first: int = -1
    last: int = -1
    first_use: int = -1
    last_use: int = -1

    def create(self, time: int, operator: int) -> None:
        """Note that it is written."""
        if self.first == -1:
            self.first, self.first_use = time, operator

    def use(self, time: int, operator: int) -> None:
        """Note that it is read or written."""
        self.last, self.last_use = time, operator


class Lifetimes:
    """The lifetimes of the buffers of a model.

    Attributes
    ----------
    buffers : list of Lifetime
        All tensors that need memory, subgraph by subgraph, and then the scratch memory.
    moments : list of Operator or None
        The operator that runs at each time of the clock; None at the first, before all.
    uncertain : list of (Operator, str)
        Operators of which it is not known how much scratch memory they need, and why.

    Raises
    ------
    UnsupportedError
        A tensor has a type or shape that the runtime has no size for, or subgraphs run themselves.
    CorruptModelError
        The model's own plan does not fit it, an operator runs no subgraph of the model, or its
        options cannot be read, or subgraphs run too many others for a file of this size.
    """

    buffers: list[Lifetime]
    moments: list[Operator | None]
    uncertain: list[tuple[Operator, str]]

    def __init__(self, model: Model, file: File, pointer_bytes: int) -> None:
        self._graphs: tuple[Subgraph, ...] = tuple(model.subgraphs)
        self._file, self.moments, self.uncertain = file, [None], []
        file.spend(OBJECT_COST * sum(len(graph.tensors) for graph in self._graphs), "the plan")
        self._tensors = list(_tensors(self._graphs, _offline_plan(model, self._graphs)))
        self._scratch = [
            [self._requests(operator, pointer_bytes) for operator in graph.operators]
            for graph in self._graphs
        ]
        if self._graphs:
            self._run(0, 0)
        self.buffers = [life for lives in self._tensors for life in lives.values()]
        for requests in self._scratch:
            self._add_scratch([life for lives in requests for life in lives])

    def _add_scratch(self, requests: list[Lifetime]) -> None:
        self.buffers += requests
        never = {life.owner: None for life in requests if life.first == -1}
        # The runtime places such memory without knowing its size, and ends.
        reason = "nothing runs its subgraph, whose scratch memory the runtime cannot place"
        self.uncertain += [(owner, reason) for owner in never if isinstance(owner, Operator)]

    def _requests(self, operator: Operator, pointer_bytes: int) -> list[Lifetime]:
        """Return the scratch memory that an operator asks for."""
        try:
            sizes = scratch_sizes(operator, pointer_bytes, self._file.budget)
        except UnsupportedError as error:
            self.uncertain.append((operator, str(error)))
            return []
        lives = [Lifetime(operator, _aligned(size, operator)) for size in sizes]
        self._file.spend(OBJECT_COST * len(lives), "the plan")
        return lives

    def _run(self, index: int, depth: int) -> None:
        """Note what is used while a subgraph runs."""
        if depth > _MOST_NESTED:
            raise UnsupportedError(f"subgraphs run each other more than {_MOST_NESTED} deep")
        graph, lives, last = self._graphs[index], self._tensors[index], -1
        ends = len(graph.inputs) + len(graph.outputs)
        self._file.spend(_OPERAND_COST * ends, "the lifetimes of tensors")
        _note(lives, graph.inputs, self._time, -1, is_new=True)
        for operator in graph.operators:
            last = operator.index
            self._run_operator(operator, lives, depth)
        _note(lives, graph.outputs, self._time, last, is_new=True)

    def _run_operator(self, operator: Operator, lives: dict[int, Lifetime], depth: int) -> None:
        operands, index = len(operator.inputs) + len(operator.outputs), operator.index
        self._file.spend(_RUN_COST + _OPERAND_COST * operands, "the lifetimes of tensors")
        self.moments.append(operator)
        start = self._time
        _note(lives, operator.outputs, start, index, is_new=True)
        for called in _called(operator, len(self._graphs)):
            self.moments.append(operator)
            self._run(called, depth + 1)
        for operands_of_end in (operator.inputs, operator.outputs):
            _note(lives, operands_of_end, self._time, index)
        for life in self._scratch[operator.subgraph_index][index]:
            life.create(start, index)
            life.use(self._time, index)

    @property
    def _time(self) -> int:
        return len(self.moments) - 1


def _note(
    lives: dict[int, Lifetime],
    tensors: Sequence[Tensor | None],
    time: int,
    operator: int,
    *,
    is_new: bool = False,
) -> None:
    """Note that tensors are used, and perhaps written first."""
    for tensor in tensors:
        life = None if tensor is None else lives.get(tensor.index)
        if life is not None:
            if is_new:
                life.create(time, operator)
            life.use(time, operator)


def _called(operator: Operator, subgraphs: int) -> Iterator[int]:
    """Yield the subgraphs that an operator runs."""
    for name in _CALLS.get(operator.code.name, ()):
        index = operator.options.get(name)
        if not isinstance(index, int) or not 0 <= index < subgraphs:
            raise CorruptModelError(
                f"subgraph {operator.subgraph_index}, operator {operator.index} "
                f"{operator.code.name} runs subgraph {index}, but the model has {subgraphs}"
            )
        yield index


def _tensors(
    graphs: Sequence[Subgraph], offsets: Sequence[int] | None
) -> Iterator[dict[int, Lifetime]]:
    """Yield for each subgraph the tensors that need memory in the head, by their indices."""
    first = 0
    for graph in graphs:
        lives: dict[int, Lifetime] = {}
        handles = {
            tensor.index
            for operator in graph.operators
            if operator.code.name == "VAR_HANDLE"
            for tensor in operator.outputs
            if tensor is not None
        }
        for tensor in graph.tensors:
            offset = _ONLINE if offsets is None else offsets[first + tensor.index]
            is_planned = not tensor.is_variable or offset != _ONLINE
            has_bytes = tensor.buffer.nbytes > 0 or tensor.external_buffer is not None
            if has_bytes or not is_planned or tensor.index in handles:
                # VAR_HANDLE keeps what it writes in the tail.
                continue
            size = _size(tensor)
            if size:
                lives[tensor.index] = Lifetime(tensor, size, None if offset == _ONLINE else offset)
        yield lives
        first += len(graph.tensors)


def _size(tensor: Tensor) -> int:
    """Return the bytes of a tensor in the head."""
    label = f"subgraph {tensor.subgraph_index}, tensor {tensor.index} {tensor.name!r}"
    count = value_bytes(tensor.type)
    if count is None:
        raise UnsupportedError(f"{label}: TensorFlow Lite Micro has no {tensor.type.name} tensors")
    if any(dimension < 0 for dimension in tensor.shape):
        raise UnsupportedError(f"{label} has shape {brief(tensor.shape)}, which is no size")
    return _aligned(count * tensor.size, tensor)


def _aligned(size: int, owner: Tensor | Operator) -> int:
    if not 0 <= size <= _MOST_BYTES:
        kind = "tensor" if isinstance(owner, Tensor) else "scratch memory of operator"
        raise UnsupportedError(
            f"subgraph {owner.subgraph_index}, {kind} {owner.index}: its size is negative, or more "
            "than the 2 GB to which TensorFlow Lite Micro counts"
        )
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _offline_plan(model: Model, graphs: Sequence[Subgraph]) -> list[int] | None:
    """Return the offset of each tensor in the plan of the converter, if it has made one.

    The bytes are int32: a version, a subgraph, the number of tensors, and their offsets.
    """
    plans = [entry for entry in model.metadata if entry.name == _OFFLINE_PLAN]
    if not plans:
        return None
    data = plans[-1].buffer.data
    numbers = data[: data.size // 4 * 4].view(np.dtype("<i4")).tolist()
    count, offsets = sum(len(graph.tensors) for graph in graphs), numbers[3:]
    is_plan = len(numbers) >= 3 and numbers[2] == count <= len(offsets)
    if not is_plan or any(offset < _ONLINE for offset in offsets):
        raise CorruptModelError(
            f"metadata {_OFFLINE_PLAN} has no plan for the model's {count} tensors"
        )
    return [int(offset) for offset in offsets]
