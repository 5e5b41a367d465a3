"""The lines of `tflite-quant show` on what a model needs of a microcontroller."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from ..errors import TFLiteError, plural
from ..escape import for_terminal, shortened
from ..firmware.cost import model_cost
from ..firmware.memory_plan import MemoryPlan, memory_plan
from ..model.model import Model
from ..model.operator import Operator

_NARROWEST = 20
"""Characters of a line, however narrow the terminal."""
_LONGEST_NAME, _LONGEST_REASON, _MOST_NAMES = 32, 200, 5
"""Characters of an operator's name and of an error that are shown, and names of operators."""


def memory_lines(model: Model, width: int | None = None) -> Iterator[str]:
    """Yield the memory that a model needs, its multiply-accumulates and its parameters.

    Parameters
    ----------
    model : Model
    width : int, optional
        The width of the terminal, at which lines are folded.
    """
    if not any(graph.operators for graph in model.subgraphs):
        return
    for ask in (_arena, _computation):
        try:
            text = ask(model)
        except TFLiteError as error:
            reason = shortened(for_terminal(str(error)), _LONGEST_REASON)
            text = f"{'TFLM arena' if ask is _arena else 'MACs'} not known: {reason}"
        room = sys.maxsize if width is None else max(width, _NARROWEST)
        yield from textwrap.wrap(text, room, subsequent_indent="  ")


def _arena(model: Model) -> str:
    plan = memory_plan(model)
    peak = "before the first operator" if plan.peak is None else f"at {_label(plan.peak, model)}"
    head = f"{plan.head:,} {peak}"
    if plan.lower_bound < plan.head:
        head = f"{plan.head:,} ({plan.lower_bound:,} live {peak})"
    total, tail = f"about {plan.arena_estimate:,} bytes", f"tail {plan.tail_estimate:,}"
    parts = [f"TFLM arena {total}: head {head}, {tail}"]
    if _has_unknown_dimensions(plan):
        parts.append("each unknown dimension taken as 1")
    if plan.uncertain:
        operators = _counted(each.operator for each in plan.uncertain)
        parts.append(f"scratch memory of {operators} not known")
    return ", ".join(parts)


def _has_unknown_dimensions(plan: MemoryPlan) -> bool:
    tensors = (buffer.tensor for buffer in plan.buffers)
    return any(tensor is not None and -1 in tensor.shape_signature for tensor in tensors)


def _computation(model: Model) -> str:
    cost = model_cost(model)
    if not (cost.macs or cost.parameters or cost.unknown):
        return ""
    unknown = f" without those of {_counted(cost.unknown)}" if cost.unknown else ""
    return (
        f"{cost.macs:,} MACs{unknown}, {cost.parameters:,} {plural('parameter', cost.parameters)}"
    )


def _label(operator: Operator, model: Model) -> str:
    name = shortened(for_terminal(operator.name), _LONGEST_NAME)
    where = f" of subgraph {operator.subgraph_index}" if len(model.subgraphs) > 1 else ""
    return f"operator {operator.index} {name}{where}"


def _counted(operators: Iterable[Operator]) -> str:
    """Return the names of operators, with their counts."""
    counts = Counter(shortened(for_terminal(each.name), _LONGEST_NAME) for each in operators)
    shown = [f"{name} {count}" for name, count in counts.most_common(_MOST_NAMES)]
    left = len(counts) - len(shown)
    return ", ".join([*shown, *([f"{left} other {plural('name', left)}"] if left else [])])
