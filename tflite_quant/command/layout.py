"""Tables as text, CSV and Markdown."""

from __future__ import annotations

import csv
import io
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from ..escape import for_csv, for_markdown, shortened

_NARROWEST, _NARROWEST_FOLDED = 20, 32
"""Characters that the last column has, however narrow the terminal."""
_LONGEST_CELL = 200
"""Characters to which a cell is padded at most; the last column is never padded."""


class Column(NamedTuple):
    """One column of a table.

    Attributes
    ----------
    title : str
    is_number : bool
        Whether the cells are aligned to the right.
    may_go : int
        Columns are left out of a narrow terminal in this order, the least first; 0: never.
    folds : bool
        Whether a last column that does not fit is folded, not shortened.
    compact : callable
        Returns a cell in fewer characters, for a terminal on which names would have little room.
    paint : callable
        Returns a cell with colour.
    """

    title: str
    is_number: bool = False
    may_go: int = 0
    folds: bool = False
    compact: Callable[[str], str] = str
    paint: Callable[[str], str] = str


def text_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None
) -> Iterator[str]:
    r"""Yield the lines of a table, whose last column is as wide as there is room.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of sequences of str
        The cells, escaped.
    width : int, optional
        The columns of the terminal. Columns that may go are left out until the last one fits; then
        its cells are shortened in the middle. Without it, everything is printed.

    Examples
    --------
    >>> columns = [Column("#", True), Column("type", may_go=1), Column("name")]
    >>> rows = [("7", "INT8", "a"), ("12", "INT32", "model/conv2d/kernel;model/conv2d/bias")]
    >>> print(*text_table(columns, rows), sep="\n")
     #  type   name
     7  INT8   a
    12  INT32  model/conv2d/kernel;model/conv2d/bias
    >>> print(*text_table(columns, rows, 20), sep="\n")
     #  name
     7  a
    12  ...l/conv2d/bias
    (--wide shows type, too)
    """
    shown = _shown(columns, rows, width)
    if not _fits(columns, rows, shown, width):
        rows = [
            tuple([column.compact(cell) for column, cell in zip(columns, row, strict=True)])
            for row in rows
        ]
    widths = [_width(columns[i].title, [row[i] for row in rows]) for i in shown[:-1]]
    narrowest = _NARROWEST_FOLDED if columns[-1].folds else _NARROWEST
    room = (
        sys.maxsize if width is None else max(width - sum(widths) - 2 * len(widths), narrowest // 2)
    )
    titles = tuple(column.title for column in columns)
    for row in (titles, *rows):
        cells = []
        for index, wide in zip(shown, widths, strict=False):
            column, cell = columns[index], row[index]
            padding = " " * (wide - len(cell))
            painted = column.paint(cell) if row is not titles else cell
            cells.append(padding + painted if column.is_number else painted + padding)
        last_column, text = columns[shown[-1]], row[shown[-1]]
        folds = last_column.folds and len(text) > room
        lines = textwrap.wrap(text, room) if folds else [shortened(text, room)]
        first, *others = lines or [""]
        cells.append(last_column.paint(first) if row is not titles else first)
        yield "  ".join(cells).rstrip()
        indent = " " * (sum(widths) + 2 * len(widths))
        yield from (indent + line for line in others)
    left_out = [
        column.title
        for index, column in enumerate(columns)
        if index not in shown and any(row[index] for row in rows)
    ]
    if left_out:
        yield f"(--wide shows {' and '.join(left_out)}, too)"


def _shown(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[int]:
    """Return the indices of the columns that fit a width, with those that have something to say."""
    shown = [
        index
        for index, column in enumerate(columns)
        if any(row[index] for row in rows) or index == len(columns) - 1
    ]
    while not _fits(columns, rows, shown, width):
        leaving = [index for index in shown if columns[index].may_go]
        if not leaving:
            break
        shown.remove(min(leaving, key=lambda index: columns[index].may_go))
    return shown


def _fits(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    shown: Sequence[int],
    width: int | None,
) -> bool:
    """Tell whether there is enough room for the last column."""
    if width is None:
        return True
    *widths, last = [_width(columns[i].title, [row[i] for row in rows]) for i in shown]
    narrowest = _NARROWEST_FOLDED if columns[-1].folds else _NARROWEST
    return sum(widths) + 2 * len(widths) + min(last, narrowest) <= width


def _width(title: str, cells: Sequence[str]) -> int:
    # Not all rows are padded to a cell that is longer than any should be.
    return min(max(map(len, (title, *cells))), _LONGEST_CELL)


def csv_lines(titles: Sequence[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    r"""Yield the lines of a table as CSV (RFC 4180); a list is its items with blanks between them.

    A text that a spreadsheet would take for a formula begins with an apostrophe. Numbers do not,
    not even several in a list.

    Examples
    --------
    >>> rows = [("a,b", 3, [-1, 4]), ("=1+2", 4, ["=1", "2"])]
    >>> print(*csv_lines(["name", "bytes", "list"], rows), sep="\n")
    name,bytes,list
    "a,b",3,-1 4
    '=1+2,4,'=1 2
    """
    for row in chain([titles], rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(_csv_cell, row))
        yield line.getvalue()


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        text = " ".join(map(str, value))
        return for_csv(text) if any(isinstance(item, str) for item in value) else text
    return for_csv(value) if isinstance(value, str) else value


def markdown_lines(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    r"""Yield the lines of a table as Markdown.

    Examples
    --------
    >>> print(*markdown_lines([Column("#", True), Column("name")], [("0", "a|b_c")]), sep="\n")
    | # | name |
    | ---: | --- |
    | 0 | a\|b\_c |
    """
    yield _markdown_row([column.title for column in columns])
    yield f"| {' | '.join('---:' if column.is_number else '---' for column in columns)} |"
    for row in rows:
        yield _markdown_row(row)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(for_markdown(cell) for cell in cells)} |"
