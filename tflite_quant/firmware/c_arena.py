"""The size of TensorFlow Lite Micro's arena as macros of a C header."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import TFLiteError
from ..model.model import Model
from .c_text import Names, comment
from .memory_plan import UncertainOperator, memory_plan

__all__ = ["arena_lines"]

_NAMED = 3
"""Operators of unknown needs that are called by name."""


def arena_lines(model: Model, names: Names) -> Iterator[str]:
    """Yield the macros: the head of the arena, its lower bound, and estimates for 32-bit devices.

    A model that has no plan gets a comment that says why.
    """
    macro = f"{names.prefix.upper()}_ARENA"
    try:
        plan = memory_plan(model)
    except TFLiteError as error:
        yield f"/* No plan of the arena: {comment(str(error))} */\n"
        return
    yield "/* Bytes of TensorFlow Lite Micro's arena. What is named an estimate is one. */"
    yield f"#define {macro}_HEAD {plan.head}"
    yield f"#define {macro}_LOWER_BOUND {plan.lower_bound}"
    yield f"#define {macro}_TAIL_ESTIMATE {plan.tail_estimate}"
    yield f"#define {macro}_ESTIMATE {plan.arena_estimate}"
    if plan.uncertain:
        yield f"/* {comment(_uncertain(plan.uncertain))} */"
    yield ""


def _uncertain(operators: tuple[UncertainOperator, ...]) -> str:
    named = [f"{each.operator.index} {each.operator.name}" for each in operators[:_NAMED]]
    more = f" and {len(operators) - _NAMED} more" if len(operators) > _NAMED else ""
    return f"Scratch memory comes on top, of operators {', '.join(named)}{more}"
