"""The memory and the computation that a model needs, in words, as screens and pages show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..errors import plural
from ..escape import for_terminal, shortened
from ..model.model import Model
from ..model.operator import Operator
from .cost import model_cost
from .memory_plan import MemoryPlan

_LONGEST_NAME, _MOST_NAMES = 32, 5
"""Characters of an operator's name that are shown, and names of operators."""


def arena_text(model: Model, plan: MemoryPlan) -> str:
    """Return the arena that a model needs: 'TFLM arena about 17,308 bytes: head 11,264 ...'."""
    peak = "before the first operator" if plan.peak is None else f"at {label(plan.peak, model)}"
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


def computation_text(model: Model) -> str:
    """Return the multiply-accumulates and the parameters of a model; nothing if it has none."""
    cost = model_cost(model)
    if not (cost.macs or cost.parameters or cost.unknown):
        return ""
    unknown = f" without those of {_counted(cost.unknown)}" if cost.unknown else ""
    return (
        f"{cost.macs:,} MACs{unknown}, {cost.parameters:,} {plural('parameter', cost.parameters)}"
    )


def label(operator: Operator, model: Model) -> str:
    """Return which operator of a model it is: 'operator 3 ADD'."""
    name = shortened(for_terminal(operator.name), _LONGEST_NAME)
    where = f" of subgraph {operator.subgraph_index}" if len(model.subgraphs) > 1 else ""
    return f"operator {operator.index} {name}{where}"


def _counted(operators: Iterable[Operator]) -> str:
    """Return the names of operators, with their counts."""
    counts = Counter(shortened(for_terminal(each.name), _LONGEST_NAME) for each in operators)
    shown = [f"{name} {count}" for name, count in counts.most_common(_MOST_NAMES)]
    left = len(counts) - len(shown)
    return ", ".join([*shown, *([f"{left} other {plural('name', left)}"] if left else [])])
