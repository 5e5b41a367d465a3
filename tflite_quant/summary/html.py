"""Models, tensors and reports as HTML for notebooks: tables without scripts or styles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import TFLiteError, brief
from ..escape import for_html, shortened

if TYPE_CHECKING:
    from ..model.model import Model
    from ..model.tensor import Tensor

_MOST_ROWS = 200
_LONGEST = 120
"""Rows of a table, and characters of a cell; a notebook keeps what it shows."""


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], count: int = 0) -> str:
    """Return a table; all text is escaped, and only the first rows are shown.

    Parameters
    ----------
    titles : sequence of str
    rows : iterable of sequences
    count : int
        How many rows there are.

    Examples
    --------
    >>> print(table(["name"], [["<b>"]]))
    <table><tr><th>name</th></tr><tr><td>&lt;b&gt;</td></tr></table>
    """
    head = "".join(f"<th>{for_html(title)}</th>" for title in titles)
    lines = [f"<tr>{head}</tr>"] if head else []
    lines += [
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>"
        for row in islice(rows, _MOST_ROWS)
    ]
    more = f"<p>... {count} in all</p>" if count > _MOST_ROWS else ""
    return f"<table>{''.join(lines)}</table>{more}"


def _text(cell: object) -> str:
    return for_html(shortened(str(cell), _LONGEST))


def model_html(model: Model) -> str:
    """Return the facts of a model and a table of the tensors of its first subgraph."""
    lines = str(model.summary()).splitlines()
    facts = table([], [line.split(": ", 1) for line in lines])
    titles = ("", "name", "type", "shape", "bytes", "role", "quantization")
    rows = (
        (t.index, t.name, t.type.name, brief(t.shape), t.nbytes, t.role, repr(t.quantization))
        for t in model.tensors
    )
    return f"<p>{_text(model.name or 'model')}</p>{facts}{table(titles, rows, len(model.tensors))}"


def tensor_html(tensor: Tensor) -> str:
    """Return the facts of a tensor, and its real range."""
    facts = {
        "index": tensor.index,
        "name": tensor.name,
        "type": tensor.type.name,
        "shape": brief(tensor.shape_signature),
        "bytes": tensor.nbytes,
        "role": tensor.role,
        "quantization": repr(tensor.quantization),
        "real range": _range(tensor),
        "compression": _compression(tensor),
    }
    return table([], [fact for fact in facts.items() if fact[1] != ""])


def _compression(tensor: Tensor) -> str:
    try:
        facts = tensor.compression
    except TFLiteError as error:
        return str(error)
    return "" if facts is None else str(facts)


def _range(tensor: Tensor) -> str:
    try:
        ends = tensor.range
    except TFLiteError as error:
        return str(error)
    return "" if ends is None else f"{ends[0].min():.6g} to {ends[1].max():.6g}"
