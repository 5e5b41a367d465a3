"""The arena of TensorFlow Lite Micro over the time of a run, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import TFLiteError, plural
from ..escape import shortened
from ..firmware.memory_plan import PlannedBuffer, memory_plan
from ..firmware.memory_words import arena_text, label
from ..model.model import Model
from ..model.subgraph import Subgraph
from .content import Arena, Block
from .limits import LONGEST_NAME, LONGEST_TEXT, MOST_BLOCKS, MOST_LIVE

_SIZE = 1000
"""The width and height of the picture in its own units."""


def arena_of(model: Model) -> Arena:
    """Return the picture of the subgraph in which most memory is live, or why there is none."""
    if not any(graph.operators for graph in model.subgraphs):
        return Arena("No operator needs memory.")
    try:
        plan = memory_plan(model)
        text = arena_text(model, plan)
    except TFLiteError as error:
        return Arena(f"TFLM arena not known: {shortened(str(error), LONGEST_TEXT)}")
    graph = model.subgraphs[0 if plan.peak is None else plan.peak.subgraph_index]
    buffers = [each for each in plan.buffers if _is_drawn(each, graph)]
    if not buffers or not graph.operators:
        return Arena(text)
    largest = sorted(buffers, key=lambda each: -each.size)
    time = -1 if plan.peak is None else plan.peak.index
    steps = len(graph.operators) + 1
    return Arena(
        text=text,
        about=_about(model, graph),
        blocks=tuple([_block(each, plan.head, steps, time) for each in largest[:MOST_BLOCKS]]),
        left_out=max(len(largest) - MOST_BLOCKS, 0),
        # The middle of the operator's column; the first column is what is there before all.
        peak=_SIZE * (time + 1.5) / steps,
        head=f"{plan.head:,} bytes",
        first=label(graph.operators[0], model),
        last=label(graph.operators[-1], model),
        live=_live(largest, time),
    )


def _about(model: Model, graph: Subgraph) -> str:
    is_one = len(model.subgraphs) == 1
    of_graph = "" if is_one else f" of subgraph {graph.index}"
    others = "" if is_one else " Buffers of other subgraphs are not drawn."
    count = len(graph.operators)
    return (
        f"The head of the arena while {count} {plural('operator', count)}{of_graph} "
        f"{'runs' if count == 1 else 'run'}, from left to right: each box is a buffer, as high "
        "as it is large, at its place in memory and as wide as the time in which it is needed."
        f"{others}"
    )


def _is_drawn(buffer: PlannedBuffer, graph: Subgraph) -> bool:
    owner = buffer.tensor or buffer.operator
    is_used = buffer.first_use is not None and buffer.size > 0
    return owner is not None and owner.subgraph_index == graph.index and is_used


def _times(buffer: PlannedBuffer) -> tuple[int, int]:
    """Return the first and the last operator at which a buffer that is used is live."""
    assert buffer.first_use is not None
    assert buffer.last_use is not None
    return buffer.first_use, buffer.last_use


def _is_live(buffer: PlannedBuffer, time: int) -> bool:
    first, last = _times(buffer)
    return first <= time <= last


def _block(buffer: PlannedBuffer, head: int, steps: int, time: int) -> Block:
    first, last = _times(buffer)
    top = head - buffer.offset - buffer.size
    return Block(
        x=round(_SIZE * (first + 1) / steps, 1),
        y=round(_SIZE * top / head, 1),
        width=round(_SIZE * (last - first + 1) / steps, 1),
        height=round(_SIZE * buffer.size / head, 1),
        is_scratch=buffer.tensor is None,
        is_at_peak=_is_live(buffer, time),
        about=f"{_name(buffer)}: {buffer.size:,} bytes at {buffer.offset:,}",
    )


def _name(buffer: PlannedBuffer) -> str:
    if buffer.tensor is not None:
        return shortened(buffer.tensor.name, LONGEST_NAME)
    operator = buffer.operator
    assert operator is not None
    return f"scratch of operator {operator.index} {shortened(operator.name, LONGEST_NAME)}"


def _live(largest: Sequence[PlannedBuffer], time: int) -> tuple[tuple[str, str], ...]:
    """Return the sizes and names of the largest buffers that are live at a time."""
    live = [each for each in largest if _is_live(each, time)]
    shown = [(f"{each.size:,}", _name(each)) for each in live[:MOST_LIVE]]
    rest = live[MOST_LIVE:]
    if rest:
        size = sum(each.size for each in rest)
        shown.append((f"{size:,}", f"{len(rest)} other {plural('buffer', len(rest))}"))
    return tuple(shown)
