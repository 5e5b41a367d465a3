"""What `tflite-quant compare` prints: the worst tensors, or the channels of some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..comparison.measures import Measures
from ..comparison.results import NO_QUANTIZED, NO_REFERENCE, Comparison, TensorComparison
from ..comparison.words import decibels, doubts, headline, percent, quality, remarks, worst_channel
from ..errors import brief, plural
from ..escape import for_terminal, shortened
from .layout import Column, text_table
from .terminal import can_print, painted

_BAR, _DECIBELS = 12, 6.0
"""Characters of the longest bar, and what each stands for: about one bit."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_MOST_UNMATCHED = 20

TENSOR_COLUMNS = (
    Column("#", True),
    Column("operator"),
    Column("SQNR", True, paint=lambda cell: painted(cell, _quality(cell))),
    Column(""),
    Column("worst channel", may_go=3),
    Column("range used", True, may_go=1),
    Column("at ends", True, may_go=2),
    Column("name"),
)
_CHANNEL_COLUMNS = (
    Column("channel", True),
    Column("SQNR", True, paint=lambda cell: painted(cell, _quality(cell))),
    Column(""),
    Column("max error", True),
    Column("in steps", True),
    Column("bias", True),
    Column("range used", True, may_go=1),
    Column("at ends", True, may_go=2),
    Column("step", True),
)


def comparison_lines(
    comparison: Comparison, tensors: Sequence[TensorComparison], most: int, width: int | None = None
) -> Iterator[str]:
    """Yield a head, a table of tensors, one of activations, and what was not compared.

    Parameters
    ----------
    comparison : Comparison
    tensors : sequence of TensorComparison
        The constants to show, in their order.
    most : int
        How many of them are shown.
    width : int, optional
        The columns of the terminal.
    """
    yield from _head(comparison, width)
    yield from _table(tensors, most, width)
    if comparison.activations:
        yield ""
        count = len(comparison.activations)
        yield f"{count} recorded {plural('tensor', count)}, in the order in which they are written"
        yield from _table(comparison.activations, count, width)
    yield from _notes((*tensors[:most], *comparison.activations), width)
    yield from _unmatched(comparison, width)


def _head(comparison: Comparison, width: int | None) -> Iterator[str]:
    """Yield what is compared, in one line or two."""
    arrow = "→" if can_print("→") else "->"
    room = 1 << 30 if width is None else max(width // 2 - 4, 20)
    names = [
        shortened(for_terminal(name or default), room)
        for name, default in (
            (comparison.reference, "reference"),
            (comparison.quantized, "model"),
        )
    ]
    facts = headline(comparison)
    line = "   ".join([f"{names[0]} {arrow} {names[1]}", *facts])
    if width is None or len(line) <= width:
        yield line
    else:
        yield f"{names[0]} {arrow} {names[1]}"
        yield "   ".join(facts)
    if doubt := doubts(comparison):
        yield doubt


def _table(tensors: Sequence[TensorComparison], most: int, width: int | None) -> Iterator[str]:
    rows = [tensor_row(tensor) for tensor in tensors[:most]]
    if rows:
        yield from text_table(TENSOR_COLUMNS, rows, width)
    if len(tensors) > most:
        yield f"... {len(tensors) - most} more; --top 0 shows all"


def tensor_row(tensor: TensorComparison) -> tuple[str, ...]:
    """Return the cells of a tensor in the table."""
    measures = tensor.measures
    bias = " bias" if tensor.role == "bias" else ""
    return (
        "" if tensor.operator_index is None else str(tensor.operator_index),
        for_terminal(tensor.operator) + bias,
        decibels(measures),
        bar(measures.sqnr),
        worst_channel(tensor),
        percent(measures.range_used, 0),
        percent(measures.at_ends, 1),
        for_terminal(tensor.name),
    )


def _quality(cell: str) -> str:
    """Return the colour of a cell with an SQNR."""
    number = cell.strip().removesuffix(" dB")
    try:
        return quality(float(number))
    except ValueError:
        return ""


def bar(sqnr: float) -> str:
    """Return a bar, in which each character is 6 dB, about one bit; what is exact fills it.

    Examples
    --------
    >>> bar(27.0), bar(-3.0), bar(float("inf"))
    ('████▌', '', '████████████')
    """
    if sqnr is None or not sqnr > 0:
        return ""
    length = min(sqnr / _DECIBELS, float(_BAR))
    if not can_print(_EIGHTHS):
        return "#" * round(length)
    eighths = round(8 * length)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).strip()


def _notes(tensors: Sequence[TensorComparison], width: int | None) -> Iterator[str]:
    """Yield how tensors were matched, if not by name, and what else is to be said of them."""
    room = 1 << 30 if width is None else max(width - 2, 20)
    for tensor in tensors:
        if said := remarks(tensor):
            yield f"  {shortened(for_terminal(tensor.name), room)}"
            yield f"    {'; '.join(said)}"


def _unmatched(comparison: Comparison, width: int | None) -> Iterator[str]:
    """Yield what was not compared, and why, if it is not only that it has no counterpart."""
    for side in ("quantized", "reference"):
        missing = [each for each in comparison.unmatched if each.side == side]
        if not missing:
            continue
        where = "the quantized model" if side == "quantized" else "the reference"
        yield ""
        yield f"not compared, of {where}: {len(missing)}"
        room = 1 << 30 if width is None else max(width - 2, 20)
        for each in missing[:_MOST_UNMATCHED]:
            kind = f"{each.type} {brief(each.shape)}"
            yield f"  {shortened(f'{kind}  {for_terminal(each.name)}', room)}"
            if each.reason not in (NO_REFERENCE, NO_QUANTIZED):
                yield f"    {for_terminal(each.reason)}"
        if len(missing) > _MOST_UNMATCHED:
            yield f"  ... {len(missing) - _MOST_UNMATCHED} more; --format json has all"


def channel_lines(tensor: TensorComparison, most: int, width: int | None = None) -> Iterator[str]:
    """Yield the facts of a tensor, and its worst channels.

    Parameters
    ----------
    tensor : TensorComparison
    most : int
        How many channels are shown.
    width : int, optional
    """
    room = 1 << 30 if width is None else max(width, 20)
    yield shortened(for_terminal(tensor.name), room)
    scheme = "" if tensor.scheme == "none" else f", {tensor.scheme}"
    reference = f"{tensor.reference_type} {for_terminal(tensor.reference_name)}"
    of_operator = f", {for_terminal(tensor.operator)}" if tensor.operator else ""
    yield f"  {tensor.type}{scheme}, {list(tensor.shape)}{of_operator} {tensor.role}"
    if tensor.reference_name != tensor.name or tensor.layout:
        yield shortened(f"  matched by {tensor.matched_by} with {reference} {tensor.layout}", room)
    if tensor.note:
        yield f"  {tensor.note}"
    channels = tensor.channels
    if channels is None:
        yield from text_table(_CHANNEL_COLUMNS, [_channel_row("all", tensor.measures)], width)
        return
    order = np.argsort(channels.sqnr, kind="stable")[:most].tolist()
    rows = [_channel_row("all", tensor.measures)]
    rows += [_channel_row(str(number), channels[number]) for number in order]
    yield from text_table(_CHANNEL_COLUMNS, rows, width)
    if len(channels) > most:
        yield f"... {len(channels) - most} more channels along axis {channels.axis}"


def _channel_row(name: str, measures: Measures) -> tuple[str, ...]:
    def shown(value: float | None, form: str) -> str:
        return "" if value is None else format(value, form)

    return (
        name,
        decibels(measures),
        bar(measures.sqnr),
        shown(measures.max_error, ".3g"),
        shown(measures.max_error_steps, ".3g"),
        shown(measures.bias, "+.3f"),
        percent(measures.range_used, 0),
        percent(measures.at_ends, 1),
        shown(measures.step, ".3g"),
    )
