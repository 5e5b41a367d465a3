"""How much memory a model needs on a microcontroller: the arena of TensorFlow Lite Micro.

TensorFlow Lite Micro has one block of memory, the arena. Its *head* holds activations and scratch
memory; buffers that are not live at the same time share it. Its *tail* holds all that stays: the
runtime's structures, what kernels keep, and variables.

The plan is the one that the runtime makes (tensorflow/tflite-micro, tensorflow/lite/micro:
micro_allocation_info.cc, micro_allocator.cc and memory_planner/greedy_memory_planner.cc).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..format.budget import OBJECT_COST
from ..format.source import Source
from ..model.model import Model, open
from ..model.operator import Operator
from ..model.tensor import Tensor
from .greedy import Request, largest_sum, place
from .lifetimes import Lifetime, Lifetimes
from .tail import planning_size, tail_sizes

__all__ = ["MemoryPlan", "PlannedBuffer", "UncertainOperator", "memory_plan"]

_PAIRS_PER_BYTE = 2
"""Pairs of buffers that are charged as a byte: to place one, the planner looks at the others."""


@dataclass(frozen=True)
class PlannedBuffer:
    """A buffer in the head of the arena: a tensor's, or scratch memory of an operator.

    Attributes
    ----------
    tensor : Tensor or None
        The tensor; None for scratch memory.
    operator : Operator or None
        The operator whose kernel asks for scratch memory; None for a tensor.
    offset, size : int
        Where it lies in the head, in bytes. The size is a multiple of 16.
    first_use, last_use : int or None
        Indices of operators of its subgraph; -1 is before the first one. It is live from the
        beginning of one to the end of the other. None if nothing uses it; the runtime has memory
        for it all the same.
    """

    tensor: Tensor | None
    operator: Operator | None
    offset: int
    size: int
    first_use: int | None
    last_use: int | None


@dataclass(frozen=True)
class UncertainOperator:
    """An operator that may need more memory than the plan has for it.

    Attributes
    ----------
    operator : Operator
    reason : str
        Why it is not known how much scratch memory its kernel asks for.
    """

    operator: Operator
    reason: str


@dataclass(frozen=True)
class MemoryPlan:
    """The memory that a model needs on a microcontroller; see `memory_plan`.

    Attributes
    ----------
    head : int
        Bytes of activations and scratch memory, as the runtime places them.
    lower_bound : int
        The largest sum of buffers that are live at once: no planner needs less for these.
    peak : Operator or None
        The operator at which that is; None if it is before the first operator.
    tail_estimate : int
        Bytes of all else, estimated from the sizes of the runtime's structures.
    arena_estimate : int
        The smallest arena, estimated: head and tail, or, of a model with small activations, what
        the runtime needs while it makes the plan.
    buffers : tuple of PlannedBuffer
        What lies in the head: tensors, then scratch memory.
    uncertain : tuple of UncertainOperator
        Operators that may add to the head, since how much scratch memory they need is not known.
    """

    head: int
    lower_bound: int
    peak: Operator | None
    tail_estimate: int
    arena_estimate: int
    buffers: tuple[PlannedBuffer, ...]
    uncertain: tuple[UncertainOperator, ...]


def memory_plan(
    model: Model | Source, runtime: str = "tflm", *, pointer_bytes: int = 4
) -> MemoryPlan:
    """Return how much memory a model needs on a microcontroller.

    Parameters
    ----------
    model : Model, or what `open` takes
    runtime : {"tflm"}
        TensorFlow Lite Micro with its reference kernels and its greedy planner. Kernels for a
        processor, such as those of CMSIS-NN, may ask for other scratch memory.
    pointer_bytes : {4, 8}
        The size of a pointer on the device, on which the tail depends most of all.

    Returns
    -------
    MemoryPlan
        Its head is, to the byte, what the runtime prints as "Arena allocation head". Dimensions
        that are only known when a model runs count as 1, as the runtime takes them.

    Raises
    ------
    UnsupportedError
        A tensor has a type or shape that the runtime has no size for, or subgraphs call themselves.
    CorruptModelError
        The plan would take too long for a file of this size, an operator's options cannot be read,
        or the model's own plan of offsets does not fit it.
    ValueError
        An argument has none of these values.
    TFLiteError, OSError
        The model cannot be opened.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> plan = tq.memory_plan("fixtures/residual_int8.tflite")
    >>> plan.head, plan.lower_bound, plan.peak.name
    (11264, 11264, 'CONV_2D')
    """
    if runtime != "tflm":
        raise ValueError(f"runtime {runtime!r}: expected 'tflm'")
    if pointer_bytes not in (4, 8):
        raise ValueError(f"pointers of {pointer_bytes!r} bytes: expected 4 or 8")
    if not isinstance(model, Model):
        with open(model) as opened:
            return memory_plan(opened, runtime, pointer_bytes=pointer_bytes)
    return _plan(model, pointer_bytes)


def _plan(model: Model, pointer_bytes: int) -> MemoryPlan:
    file = model.structure.file.afresh()
    lives = Lifetimes(model, file, pointer_bytes)
    count = len(lives.buffers)
    file.spend(count * (OBJECT_COST + count // _PAIRS_PER_BYTE), "the memory plan")
    requests = [Request(life.size, life.first, life.last, life.offset) for life in lives.buffers]
    offsets, (lower_bound, time) = place(requests), largest_sum(requests)
    buffers = tuple(map(_planned, lives.buffers, offsets))
    head = max((buffer.offset + buffer.size for buffer in buffers), default=0)
    scratch = sum(buffer.operator is not None for buffer in buffers)
    planning = planning_size(model, count, scratch, pointer_bytes)
    tail_before, tail = tail_sizes(model, scratch, pointer_bytes, file.budget)
    return MemoryPlan(
        head=head,
        # A converter's own plan may put buffers over each other.
        lower_bound=min(lower_bound, head),
        peak=lives.moments[max(time, 0)],
        tail_estimate=tail,
        arena_estimate=max(head + tail, planning + tail_before),
        buffers=buffers,
        uncertain=tuple(UncertainOperator(*facts) for facts in lives.uncertain),
    )


def _planned(life: Lifetime, offset: int) -> PlannedBuffer:
    return PlannedBuffer(
        life.owner if isinstance(life.owner, Tensor) else None,
        life.owner if isinstance(life.owner, Operator) else None,
        offset,
        life.size,
        *((None, None) if life.last == -1 else (life.first_use, life.last_use)),
    )
