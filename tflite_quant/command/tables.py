"""The tables that `tflite-quant show` prints, drawn by the package `rich`, an optional extra.

Names come from strangers: characters that are not printable are escaped, so that no file can
control a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ..errors import TFLiteError
from ..model import quantization as schemes
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .json_data import operator_data, tensor_facts

__all__ = ["model_tables", "operator_tables", "tensor_tables"]


def model_tables(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[RenderableType]:
    """Yield lines about a model, then for each subgraph a line and a table of its tensors.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        The subgraphs to show.
    width : int, optional
        The width of the terminal. A table that does not fit is replaced by two lines or more for
        each tensor, the name on a line of its own.
    """
    about = f", {_printable(model.description)}" if model.description else ""
    yield Text(f"{_printable(model.name or 'model')}: schema version {model.version}{about}")
    # The summary has several lines, and escapes the names in it itself.
    yield Text(str(model.summary()))
    for subgraph in subgraphs:
        name = f" {_printable(subgraph.name)}" if subgraph.name else ""
        inputs, outputs = ([t.index for t in end] for end in (subgraph.inputs, subgraph.outputs))
        yield Text(f"\nsubgraph {subgraph.index}{name}: inputs {inputs}, outputs {outputs}")
        rows = [_row(tensor) for tensor in subgraph.tensors]
        if rows and width is not None and sum(_widths([_TITLES, *rows])) + 2 * len(_TITLES) > width:
            yield Text("\n".join(_stacked(rows, width)))
        else:
            yield _table(_TITLES, rows)


_TITLES = ("", "name", "type", "shape", "bytes", "scheme", "scale", "zero point", "axis")
_RIGHT = ("", "bytes", "zero point", "axis")
"""The columns that are aligned to the right."""
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


def operator_tables(subgraphs: Sequence[Subgraph]) -> Iterator[RenderableType]:
    """Yield for each subgraph a line and a table of its operators, with their options.

    Raises
    ------
    CorruptModelError
        Operators share options, and the tables would be too large for a file of this size.
    """
    for subgraph in subgraphs:
        yield Text(f"subgraph {subgraph.index} {_printable(subgraph.name)}".rstrip())
        rows = (_operator_row(operator) for operator in subgraph.operators)
        yield _table(("", "operator", "version", "inputs", "outputs", "options"), rows)


def _operator_row(operator: Operator) -> tuple[str, ...]:
    data = operator_data(operator)
    options = {key: value for key, value in data.get("options", {}).items() if key != "name"}
    options |= data.get("custom_options") or {}
    if "options_error" in data:
        options["error"] = data["options_error"]
    name = data["name"] + (f" {data['custom_name']}" if "custom_name" in data else "")
    tensors = (",".join(map(str, data[key])) for key in ("inputs", "outputs"))
    text = ", ".join(f"{key}={value}" for key, value in options.items())
    return (str(data["index"]), _printable(name), str(data["version"]), *tensors, _printable(text))


def tensor_tables(tensor: Tensor) -> Iterator[RenderableType]:
    """Yield a table of everything known about a tensor, one of its scales, and its values."""
    facts = tensor_facts(tensor)
    quantization = facts.pop("quantization")
    by_scale = ("scale", "zero_point", "min", "max")
    lists = {key: quantization.pop(key) for key in by_scale if quantization.get(key)}
    facts |= quantization
    if facts.pop("sparsity", None):
        facts["sparsity"] = repr(tensor.sparsity)
    yield _table(("", " "), ((key, _fact(value)) for key, value in facts.items()))
    if lists:
        columns = zip_longest(*lists.values(), fillvalue="")
        rows = ((str(index), *map(_cell, row)) for index, row in enumerate(columns))
        yield _table(("", *lists), rows)
    for title, read in (("data", lambda: tensor.data), ("real", tensor.dequantize)):
        try:
            yield Text(f"\n{title}:\n{np.array2string(read(), threshold=100)}")
        except TFLiteError as error:
            yield Text(f"\n{title}: {_printable(str(error))}")


def _fact(value: object) -> str:
    return "" if value is None else _printable(str(value))


def _cell(value: float | str) -> str:
    """Return a float32 with the fewest digits that read back to it, anything else as it is."""
    return str(np.float32(value)) if isinstance(value, float) else str(value)


def _table(titles: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Table:
    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_header=bool("".join(titles).strip()),
        padding=(0, 1, 0, 0),
    )
    for title in titles:
        # A word that is too long is broken, not cut off.
        table.add_column(title, overflow="fold", justify="right" if title in _RIGHT else "left")
    for row in rows:
        # Text, not str: rich would take brackets in a name for markup.
        table.add_row(*map(Text, row))
    return table


def _row(tensor: Tensor) -> tuple[str, ...]:
    quantization, shape, signature = tensor.quantization, tensor.shape, tensor.shape_signature
    external, size = tensor.external_buffer, "" if tensor.nbytes is None else str(tensor.nbytes)
    return (
        str(tensor.index),
        _printable(tensor.name),
        tensor.type.name + (" sparse" if tensor.is_sparse else ""),
        _dimensions(shape) + ("" if signature == shape else f" ({_dimensions(signature)})"),
        size if external is None else f"{size} in {_printable(external.file)}",
        "" if isinstance(quantization, schemes.NotQuantized) else quantization.scheme,
        *_parameters(quantization),
    )


def _dimensions(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _parameters(quantization: schemes.Quantization) -> tuple[str, str, str]:
    """Return scale, zero point and axis, each in a few words."""
    match quantization:
        case schemes.PerTensor(scale=scale, zero_point=zero_point):
            return _cell(scale), str(zero_point), ""
        case schemes.PerAxis(scales=scales, zero_points=zero_points, axis=axis):
            return f"{scales.size} {_range(scales)}", _range(zero_points), str(axis)
        case schemes.Blockwise():
            blocks = f"by {quantization.block_shape or quantization.block_size}"
            return *_parameters_in_tensors(quantization), blocks
        case schemes.MultiAxis():
            return *_parameters_in_tensors(quantization), ",".join(map(str, quantization.axes))
        case schemes.Custom():
            return f"{quantization.content.size} bytes", "", ""
        case schemes.UnknownScheme():
            return quantization.name, "", ""
        case schemes.NotQuantized():
            return "", "", ""


def _parameters_in_tensors(
    quantization: schemes.Blockwise | schemes.MultiAxis,
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


def _printable(text: str) -> str:
    """Escape the characters that a terminal might obey instead of show."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
