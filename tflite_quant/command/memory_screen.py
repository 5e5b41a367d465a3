"""The lines of `tflite-quant show` on what a model needs of a microcontroller."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

from ..errors import TFLiteError
from ..escape import for_terminal, shortened
from ..firmware.memory_plan import memory_plan
from ..firmware.memory_words import arena_text, computation_text
from ..model.model import Model

_NARROWEST = 20
"""Characters of a line, however narrow the terminal."""
_LONGEST_REASON = 200
"""Characters of an error that are shown."""


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
    for ask in (_arena, computation_text):
        try:
            text = ask(model)
        except TFLiteError as error:
            reason = shortened(for_terminal(str(error)), _LONGEST_REASON)
            text = f"{'TFLM arena' if ask is _arena else 'MACs'} not known: {reason}"
        room = sys.maxsize if width is None else max(width, _NARROWEST)
        yield from textwrap.wrap(text, room, subsequent_indent="  ")


def _arena(model: Model) -> str:
    return arena_text(model, memory_plan(model))
