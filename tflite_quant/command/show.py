"""The tables that `tflite-quant show` prints, drawn by package `rich`, an optional extra.

Names come from strangers: what is not printable is shown escaped, so that no file can steer a
terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import (
    Custom,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
)
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .json_data import operator_data, quantization_data, tensor_facts

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

__all__ = ["model_tables", "operator_tables", "tensor_tables"]


def model_tables(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[RenderableType]:
    """Give a line about a model, then for each subgraph a line and a table of its tensors.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        Those to show.
    width : int, optional
        Columns there are; a wider table is given as two lines a tensor, its name on the first.

    Raises
    ------
    ModuleNotFoundError
        Package `rich` is not installed.
    """
    from rich.text import Text  # noqa: PLC0415  # an optional extra

    about = f", {_printable(model.description)}" if model.description else ""
    yield Text(f"{_printable(model.name or 'model')}: schema version {model.version}{about}")
    # The summary escapes the names in it, and has lines of its own.
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


_STACKED = ("type", "shape", "bytes", "scheme and axis", "scale", "zero point")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _stacked(rows: Sequence[tuple[str, ...]], width: int) -> Iterator[str]:
    """Lay each row out as its name, in as many lines as that takes, and a line of all else."""
    cells = [
        (index, kind, shape, size, f"{scheme} {axis}".strip(), scale, zero)
        for index, _, kind, shape, size, scheme, scale, zero, axis in rows
    ]
    widths = _widths(cells)
    indent = " " * (widths[0] + 1)
    room = max(width - len(indent), 1)
    yield f"{indent}name; {', '.join(_STACKED)}"
    for (_, name, *_), (index, *others) in zip(rows, cells, strict=True):
        lines = [name[at : at + room] for at in range(0, max(len(name), 1), room)]
        yield f"{index:>{widths[0]}} {lines[0]}".rstrip()
        yield from (indent + line for line in lines[1:])
        columns = (
            cell.rjust(wide) if title in _RIGHT else cell.ljust(wide)
            for title, cell, wide in zip(_STACKED, others, widths[1:], strict=True)
        )
        yield (indent + " ".join(columns)).rstrip()


def operator_tables(subgraphs: Sequence[Subgraph]) -> Iterator[RenderableType]:
    """Give for each subgraph a line and a table of its operators, with what they were told.

    Raises
    ------
    ModuleNotFoundError
        Package `rich` is not installed.
    CorruptModelError
        Operators share large options so much that it would be out of all proportion.
    """
    from rich.text import Text  # noqa: PLC0415  # an optional extra

    for subgraph in subgraphs:
        yield Text(f"subgraph {subgraph.index} {_printable(subgraph.name)}".rstrip())
        rows = (_operator_row(operator) for operator in subgraph.operators)
        yield _table(("", "operator", "version", "inputs", "outputs", "options"), rows)


def _operator_row(operator: Operator) -> tuple[str, ...]:
    data = operator_data(operator)
    told = {k: v for k, v in data.get("options", {}).items() if k != "name"}
    told |= data.get("custom_options") or {}
    if "options_error" in data:
        told["error"] = data["options_error"]
    name = data["name"] + (f" {data['custom_name']}" if "custom_name" in data else "")
    ends = (",".join(map(str, data[end])) for end in ("inputs", "outputs"))
    shown = ", ".join(f"{key}={value}" for key, value in told.items())
    return (str(data["index"]), _printable(name), str(data["version"]), *ends, _printable(shown))


def tensor_tables(tensor: Tensor) -> Iterator[RenderableType]:
    """Give a table of all there is to know of a tensor, one of its scales, and its values.

    Raises
    ------
    ModuleNotFoundError
        Package `rich` is not installed.
    """
    from rich.text import Text  # noqa: PLC0415  # an optional extra

    facts = {k: v for k, v in tensor_facts(tensor).items() if k not in ("quantization", "sparsity")}
    quantization = quantization_data(tensor.quantization)
    by_scale = ("scale", "zero_point", "min", "max")
    lists = {k: v for k, v in quantization.items() if k in by_scale and v}
    facts |= {k: v for k, v in quantization.items() if k not in lists}
    if tensor.is_sparse:
        facts["sparsity"] = _sparsity(tensor)
    yield _table(("", " "), ((key, _fact(value)) for key, value in facts.items()))
    if lists:
        yield _table(("", *lists), _columns(lists))
    for title, read in (("data", lambda: tensor.data), ("real", tensor.dequantize)):
        try:
            yield Text(f"\n{title}:\n{np.array2string(read(), threshold=100)}")
        except TFLiteError as error:
            yield Text(f"\n{title}: {_printable(str(error))}")


def _sparsity(tensor: Tensor) -> str:
    try:
        return repr(tensor.sparsity)
    except TFLiteError as error:
        return str(error)


def _fact(value: object) -> str:
    return "" if value is None else _printable(str(value))


def _columns(lists: dict[str, list[Any]]) -> Iterator[tuple[str, ...]]:
    """Give a row for each scale; lists that are shorter end early."""
    for index in range(max(map(len, lists.values()))):
        cells = (_cell(v[index]) if index < len(v) else "" for v in lists.values())
        yield (str(index), *cells)


def _cell(value: float | str) -> str:
    """Show a float32 with the fewest digits that read back."""
    return str(np.float32(value)) if isinstance(value, float) else str(value)


def _table(titles: Sequence[str], rows: Iterable[tuple[str, ...]]) -> Table:
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  # an optional extra
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        show_header=bool("".join(titles).strip()),
        padding=(0, 1, 0, 0),
    )
    for title in titles:
        # A long word must break rather than vanish.
        table.add_column(title, overflow="fold", justify="right" if title in _RIGHT else "left")
    for row in rows:
        # Text, not str: rich would read brackets in a name as markup.
        table.add_row(*map(Text, row))
    return table


def _row(tensor: Tensor) -> tuple[str, ...]:
    scale, zero_point, axis = _parameters(tensor.quantization)
    shape, signature = tensor.shape, tensor.shape_signature
    return (
        str(tensor.index),
        _printable(tensor.name),
        tensor.type.name + (" sparse" if tensor.is_sparse else ""),
        _dimensions(shape) + ("" if signature == shape else f" ({_dimensions(signature)})"),
        _bytes(tensor),
        "" if isinstance(tensor.quantization, NotQuantized) else tensor.quantization.scheme,
        scale,
        zero_point,
        axis,
    )


def _bytes(tensor: Tensor) -> str:
    size = "" if tensor.nbytes is None else str(tensor.nbytes)
    found = tensor.external_buffer
    return size if found is None else f"{size} in {_printable(found.file)}"


def _dimensions(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _parameters(quantization: Quantization) -> tuple[str, str, str]:
    """Say scale, zero point and axis in a few words each."""
    match quantization:
        case PerTensor(scale, zero_point):
            return str(np.float32(scale)), str(zero_point), ""
        case PerAxis(scales, zeros, axis):
            return f"{scales.size} {_range(scales)}", _range(zeros), str(axis)
        case Blockwise() | MultiAxis():
            return _of_tensors(quantization)
        case Custom(content):
            return f"{content.size} bytes", "", ""
        case UnknownScheme():
            return quantization.name, "", ""
        case NotQuantized():
            return "", "", ""


def _of_tensors(quantization: Blockwise | MultiAxis) -> tuple[str, str, str]:
    scales, zeros = quantization.scales, quantization.zero_points
    shown = f"in tensor {quantization.scales_tensor}"
    if scales is not None:
        shown = f"{scales.size} {_range(scales)}"
    zero = "0"
    if zeros is not None:
        zero = _range(zeros)
    elif quantization.zero_points_tensor >= 0:
        zero = f"in tensor {quantization.zero_points_tensor}"
    if isinstance(quantization, MultiAxis):
        axes = ",".join(map(str, quantization.axes))
    else:
        axes = f"by {quantization.block_shape or quantization.block_size}"
    return shown, zero, axes


def _range(values: NDArray[Any]) -> str:
    """Say between which two numbers the values lie: 'in [0.0011, 0.0173]'."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    return f"{low:.4g}" if low == high else f"in [{low:.4g}, {high:.4g}]"


def _printable(text: str) -> str:
    """Escape what a terminal might obey instead of show."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
