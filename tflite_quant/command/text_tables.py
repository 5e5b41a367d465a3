"""The text that `tflite-quant show` prints: lines about a model, and tables.

Names come from strangers: characters that are not printable are escaped, so that no file can
control a terminal. Text is charged to the file's budget, since tables of the file may share names.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice, zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError, brief
from ..escape import for_terminal
from ..format.budget import CHARACTER_COST, Budget
from ..model import quantization as schemes
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .json_text import indices, tensor_facts


def model_lines(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[str]:
    """Yield lines about a model, then for each subgraph a line and a table of its tensors.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        The subgraphs to show.
    width : int, optional
        The width of the terminal. A table that does not fit is replaced by two lines or more for
        each tensor, the name on a line of its own.

    Raises
    ------
    CorruptModelError
        Tensors share names, and the tables would be too large for a file of this size.
    """
    budget = model.structure.file.afresh().budget
    about = f", {for_terminal(model.description)}" if model.description else ""
    yield f"{for_terminal(model.name or 'model')}: schema version {model.version}{about}"
    # The summary has several lines, and escapes the names in it itself.
    yield str(model.summary())
    for subgraph in subgraphs:
        name = f" {for_terminal(subgraph.name)}" if subgraph.name else ""
        inputs, outputs = ([t.index for t in end] for end in (subgraph.inputs, subgraph.outputs))
        yield f"\nsubgraph {subgraph.index}{name}: inputs {inputs}, outputs {outputs}"
        rows = [_charged(_row(tensor), budget) for tensor in subgraph.tensors]
        if rows and width is not None and sum(_widths([_TITLES, *rows])) + 2 * len(_TITLES) > width:
            yield from _stacked(rows, width)
        else:
            yield from _table(_TITLES, rows)


def _charged(row: tuple[str, ...], budget: Budget) -> tuple[str, ...]:
    """Return a row whose characters have been charged."""
    budget.spend(CHARACTER_COST * sum(map(len, row)), "the table")
    return row


_TITLES = ("", "name", "type", "shape", "bytes", "scheme", "scale", "zero point", "axis")
_RIGHT = ("", "bytes", "zero point", "axis")
"""The columns that are aligned to the right."""
_LONGEST_RANK = 16
"""A shape of more dimensions is shortened."""
_STACKED = ("type", "shape", "bytes", "scheme and axis", "scale", "zero point")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _stacked(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Yield lines for each row: the name, in as many lines as it takes, and one for the rest."""
    stacked = [
        (index, type, shape, size, f"{scheme} {axis}".strip(), scale, zero_point)
        for index, _, type, shape, size, scheme, scale, zero_point, axis in rows
    ]
    index_width, *widths = _widths(stacked)
    indent = " " * (index_width + 1)
    room = max(width - len(indent), 1)
    yield f"{indent}name; {', '.join(_STACKED)}"
    for (_, name, *_), (index, *cells) in zip(rows, stacked, strict=True):
        starts = range(0, max(len(name), 1), room)
        first, *others = [name[start : start + room] for start in starts]
        yield f"{index:>{index_width}} {first}".rstrip()
        yield from (indent + line for line in others)
        columns = (
            cell.rjust(column_width) if title in _RIGHT else cell.ljust(column_width)
            for title, cell, column_width in zip(_STACKED, cells, widths, strict=True)
        )
        yield (indent + " ".join(columns)).rstrip()


def operator_lines(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[str]:
    """Yield for each subgraph a line and a table of its operators, with their options.

    Parameters
    ----------
    model, subgraphs, width
        As `model_lines`; options that do not fit are folded.

    Raises
    ------
    CorruptModelError
        Operators share options, and the tables would be too large for a file of this size.
    """
    budget = model.structure.file.afresh().budget
    for subgraph in subgraphs:
        yield f"subgraph {subgraph.index} {for_terminal(subgraph.name)}".rstrip()
        rows = [_charged(_operator_row(each, budget), budget) for each in subgraph.operators]
        yield from _table(("", "operator", "version", "inputs", "outputs", "options"), rows, width)


def _operator_row(operator: Operator, budget: Budget) -> tuple[str, ...]:
    custom = "" if operator.custom_name is None else f" {operator.custom_name}"
    return (
        str(operator.index),
        for_terminal(operator.name + custom),
        str(operator.version),
        *(",".join(map(str, indices(some))) for some in (operator.inputs, operator.outputs)),
        _options(operator, budget),
    )


def _options(operator: Operator, budget: Budget) -> str:
    """Return an operator's options; long ones are shortened, since `--json` has them whole."""
    try:
        options = dict(operator.options)
        if operator.custom_name is not None:
            options |= operator.read_custom_options(budget) or {}
    except TFLiteError as error:
        options = {"error": str(error)}
    pairs = [
        f"{_brief(key, str)}={_cut(_brief(value, str), _LONGEST_OPTION)}"
        for key, value in islice(options.items(), _MOST_ITEMS)
    ]
    return for_terminal(", ".join(pairs) + _more(options))


_LONGEST_OPTION, _LONGEST_TEXT, _MOST_ITEMS = 200, 100, 16
"""Characters of an option, characters of a string in one, and bytes or items of a list in one."""


def _brief(value: object, shown: Callable[[Any], str] = repr) -> str:
    """Return a value of an option as text, shortened."""
    match value:
        case str() if len(value) > _LONGEST_TEXT:
            return f"{shown(value[:_LONGEST_TEXT])}... {len(value)} characters"
        case bytes() if len(value) > _MOST_ITEMS:
            return f"{value[:_MOST_ITEMS]!r}... {len(value)} bytes"
        case list() | tuple():
            items = [_brief(item) for item in value[:_MOST_ITEMS]]
            return f"[{', '.join(items)}{_more(value)}]"
        case dict():
            pairs = islice(value.items(), _MOST_ITEMS)
            items = [f"{_brief(key, str)}={_brief(item)}" for key, item in pairs]
            return f"{{{', '.join(items)}{_more(value)}}}"
    return shown(value)


def _more(items: Sized) -> str:
    return f", ... {len(items)} items" if len(items) > _MOST_ITEMS else ""


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."


def tensor_lines(tensor: Tensor, width: int | None = None) -> Iterator[str]:
    """Yield a table of everything known about a tensor, one of its scales, and its values."""
    facts = tensor_facts(tensor)
    quantization = facts.pop("quantization")
    by_scale = ("scale", "zero_point", "min", "max")
    lists = {key: quantization.pop(key) for key in by_scale if np.size(quantization.get(key, ()))}
    lists = {key: np.asarray(values).reshape(-1).tolist() for key, values in lists.items()}
    facts |= quantization
    if facts.pop("sparsity", None):
        facts["sparsity"] = repr(tensor.sparsity)
    yield from _table((" ", " "), [(key, _fact(value)) for key, value in facts.items()], width)
    if lists:
        columns = zip_longest(*lists.values(), fillvalue="")
        rows = [(str(index), *map(_cell, row)) for index, row in enumerate(columns)]
        yield from _table(("", *lists), rows)
    for title, read in (("data", lambda: tensor.data), ("real", tensor.dequantize)):
        try:
            yield f"\n{title}:\n{np.array2string(read(), threshold=100)}"
        except TFLiteError as error:
            yield f"\n{title}: {for_terminal(str(error))}"


def _fact(value: object) -> str:
    return "" if value is None else for_terminal(str(value))


def _cell(value: float | str) -> str:
    """Return a number as text, with the fewest digits that read back to it."""
    if isinstance(value, float):
        with np.errstate(over="ignore"):
            narrow = np.float32(value)
        # Scales that are a tensor of their own may be wider.
        return str(narrow) if float(narrow) == value else repr(value)
    return str(value)


def _table(
    titles: Sequence[str], rows: Sequence[tuple[str, ...]], width: int | None = None
) -> Iterator[str]:
    """Yield a line of titles and a line for each row; a last column that does not fit is folded."""
    yield ""
    *widths, last = _widths([tuple(titles), *rows])
    room = max(last if width is None else min(last, width - sum(widths) - 2 * len(widths)), 20)
    for row in [titles, *rows] if "".join(titles).strip() else rows:
        *cells, text = row
        columns = [
            cell.rjust(wide) if title in _RIGHT else cell.ljust(wide)
            for title, cell, wide in zip(titles, cells, widths, strict=False)
        ]
        lines = textwrap.wrap(text, room) if len(text) > room else [text]
        for line in lines:
            yield "  ".join([*columns, line]).rstrip()
            columns = [" " * wide for wide in widths]


def _row(tensor: Tensor) -> tuple[str, ...]:
    quantization, shape, signature = tensor.quantization, tensor.shape, tensor.shape_signature
    external, size = tensor.external_buffer, "" if tensor.nbytes is None else str(tensor.nbytes)
    return (
        str(tensor.index),
        for_terminal(tensor.name),
        tensor.type.name + (" sparse" if tensor.is_sparse else ""),
        _dimensions(shape) + ("" if signature == shape else f" ({_dimensions(signature)})"),
        size if external is None else f"{size} in {for_terminal(external.file)}",
        "" if isinstance(quantization, schemes.NotQuantized) else quantization.scheme,
        *_parameters(quantization),
    )


def _dimensions(shape: tuple[int, ...]) -> str:
    if len(shape) > _LONGEST_RANK:
        return brief(shape)
    return f"[{','.join(map(str, shape))}]"


def _parameters(quantization: schemes.Quantization) -> tuple[str, str, str]:
    """Return scale, zero point and axis, each in a few words."""
    match quantization:
        case schemes.PerTensor(scale=scale, zero_point=zero_point):
            return _cell(scale), str(zero_point), ""
        case schemes.PerAxis(scales=scales, zero_points=zero_points, axis=axis):
            return f"{scales.size} {_range(scales)}", _range(zero_points), str(axis)
        case Blockwise():
            blocks = f"by {quantization.block_shape or quantization.block_size}"
            return *_parameters_in_tensors(quantization), blocks
        case MultiAxis():
            return *_parameters_in_tensors(quantization), ",".join(map(str, quantization.axes))
        case schemes.Custom():
            return f"{quantization.content.size} bytes", "", ""
        case schemes.UnknownScheme():
            return quantization.name, "", ""
        case schemes.NotQuantized():
            return "", "", ""


def _parameters_in_tensors(
    quantization: Blockwise | MultiAxis,
) -> tuple[str, str]:
    """Return scale and zero point, or which tensors have them if they cannot be read."""
    scales, zero_points = quantization.scales, quantization.zero_points
    scale = f"in tensor {quantization.scales_tensor}"
    if scales is not None:
        scale = f"{scales.size} {_range(scales)}"
    if zero_points is not None:
        return scale, _range(zero_points)
    zero_point_tensor = quantization.zero_points_tensor
    return scale, "0" if zero_point_tensor < 0 else f"in tensor {zero_point_tensor}"


def _range(values: NDArray[Any]) -> str:
    """Return the range of the values, 'in [0.0011, 0.0173]', or their only value."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    return f"{low:.4g}" if low == high else f"in [{low:.4g}, {high:.4g}]"
