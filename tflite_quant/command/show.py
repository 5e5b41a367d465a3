"""`tflite-quant show`: models, their operators, or some of their tensors."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import TFLiteError
from ..format.source import Source
from ..model.model import Model, open
from ..model.subgraph import Subgraph, counted
from ..model.tensor import Tensor
from ..summary.file_records import FIELDS
from ..summary.records import operator_records, tensor_records
from .json_text import listed_json, model_json, tensor_json
from .layout import csv_lines, markdown_lines
from .model_screen import (
    OPERATOR_COLUMNS,
    TENSOR_COLUMNS,
    model_lines,
    operator_lines,
    operator_row,
    tensor_row,
)
from .tensor_screen import tensor_lines, value_lines
from .terminal import RefusedError, error_line, width

_MOST_VALUES = 1_000_000
"""Values that are printed; more belong into a file."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Show what kind of model this is, its inputs and outputs, and each tensor with its scale, "
        "zero point and role; or its operators; or some tensors, with statistics of their values."
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file; - reads standard input"
    )
    formats = ("text", "json", "csv", "markdown")
    command.add_argument("--format", choices=formats, default="text", help="default: text")
    command.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        help="--format json, for short",
    )
    command.add_argument("--subgraph", type=int, metavar="N", help="show this subgraph only")
    command.add_argument("--wide", action="store_true", help="print names whole, and all columns")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--operators", action="store_true", help="show operators, not tensors")
    choice.add_argument(
        "--tensor",
        metavar="TENSOR",
        help="show these tensors: an index or a name in the first subgraph, or in that of "
        "--subgraph, or a pattern for names, such as '*conv*'",
    )
    command.add_argument("--values", action="store_true", help="with --tensor: print all values")
    command.add_argument("--npy", metavar="FILE", help="with --tensor: write the values for numpy")
    command.add_argument(
        "--real", action="store_true", help="with --values or --npy: real values, not stored ones"
    )


def run(options: argparse.Namespace) -> int:
    """Print what is asked for and return the exit status."""
    if options.tensor is None and (options.values or options.npy):
        raise RefusedError("--values and --npy need --tensor")
    if options.format == "json" and len(options.models) > 1:
        raise RefusedError("--json shows one model at a time")
    status = 0
    for number, name in enumerate(options.models):
        try:
            with open(_source(name)) as model:
                for line in _lines(model, options):
                    print(line)
        except (TFLiteError, OSError, RefusedError) as error:
            if len(options.models) == 1:
                raise
            # What is wrong with one model must not hide the others.
            sys.stdout.flush()
            print(f"tflite-quant: {error_line(error)}", file=sys.stderr)
            status = 2
        if options.format == "text" and number + 1 < len(options.models):
            print()
    return status


def _source(name: str) -> Source:
    return sys.stdin.buffer if name == "-" else name


def _lines(model: Model, options: argparse.Namespace) -> Iterable[str]:
    """Return the lines about a model in the format that is asked for."""
    subgraphs = _subgraphs(model, options.subgraph)
    columns = None if options.wide else width()
    if options.tensor is not None:
        return _tensor_lines(model, options, columns)
    if options.format == "json":
        return _printed(model_json(model, subgraphs))
    if options.format == "text":
        lines = operator_lines if options.operators else model_lines
        return lines(model, subgraphs, columns)
    return _table(model, subgraphs, options)


def _printed(pieces: Iterable[str]) -> Iterator[str]:
    """Print pieces of text as they come, which need not end where lines do."""
    sys.stdout.writelines(pieces)
    yield ""


def _table(
    model: Model, subgraphs: Sequence[Subgraph], options: argparse.Namespace
) -> Iterator[str]:
    if options.format == "csv":
        what = "operators" if options.operators else "tensors"
        records = (operator_records if options.operators else tensor_records)(model)
        wanted = {graph.index for graph in subgraphs}
        return _csv([record for record in records if record["subgraph"] in wanted], what)
    if options.operators:
        budget = model.structure.file.afresh().budget
        operators = (operator for graph in subgraphs for operator in graph.operators)
        rows = [operator_row(operator, budget, set()) for operator in operators]
        return markdown_lines(OPERATOR_COLUMNS, rows)
    tensors = (tensor for graph in subgraphs for tensor in graph.tensors)
    return markdown_lines(TENSOR_COLUMNS, [tensor_row(tensor) for tensor in tensors])


def _csv(records: Sequence[dict[str, Any]], what: str) -> Iterator[str]:
    """Return the lines of records of tensors or operators, with titles even if there are none."""
    titles = [field for field in FIELDS[what] if field not in ("file", "error")]
    return csv_lines(titles, (record.values() for record in records))


def _subgraphs(model: Model, index: int | None) -> tuple[Subgraph, ...]:
    if index is None:
        return model.subgraphs
    if not 0 <= index < len(model.subgraphs):
        count = counted(model.subgraphs, "subgraph")
        raise RefusedError(f"no subgraph {index}: the model has {count}")
    return (model.subgraphs[index],)


def _tensor_lines(model: Model, options: argparse.Namespace, columns: int | None) -> Iterable[str]:
    tensors = _tensors(model, options)
    if options.npy is not None:
        _write_values(tensors, options)
        return ()
    if options.format == "json":
        if len(tensors) == 1:
            return _printed(tensor_json(tensors[0]))
        return _printed(listed_json(tensors))
    if options.format == "csv":
        keys = {(tensor.subgraph_index, tensor.index) for tensor in tensors}
        records = tensor_records(model)
        chosen = [each for each in records if (each["subgraph"], each["index"]) in keys]
        return _csv(chosen, "tensors")
    if options.format == "markdown":
        return markdown_lines(TENSOR_COLUMNS, [tensor_row(tensor) for tensor in tensors])
    return _tensor_texts(tensors, options, columns)


def _tensor_texts(
    tensors: Sequence[Tensor], options: argparse.Namespace, columns: int | None
) -> Iterator[str]:
    for number, tensor in enumerate(tensors):
        if number:
            yield ""
        yield from tensor_lines(tensor, columns)
        if options.values:
            values = tensor.dequantize() if options.real else tensor.data
            if values.size > _MOST_VALUES:
                count = f"tensor {tensor.index} has {values.size:,} values"
                raise RefusedError(f"{count}, too many to print; --npy FILE writes them")
            yield ""
            yield from value_lines(values)


def _write_values(tensors: Sequence[Tensor], options: argparse.Namespace) -> None:
    if len(tensors) > 1:
        raise RefusedError(f"--npy writes one tensor, but {len(tensors)} match")
    values = tensors[0].dequantize() if options.real else tensors[0].data
    if values.dtype.kind == "O":
        raise RefusedError(f"--npy cannot write {tensors[0].type.name} values; --json has them")
    # numpy would add .npy to a name without it.
    content = io.BytesIO()
    np.save(content, values, allow_pickle=False)
    Path(options.npy).write_bytes(content.getbuffer())


def _tensors(model: Model, options: argparse.Namespace) -> tuple[Tensor, ...]:
    """Return the tensors that an index, a name or a pattern names."""
    key = options.tensor
    subgraph = _subgraphs(model, options.subgraph)[0]
    if key.isdecimal() and len(key) > 100:
        # Python refuses to read numbers that are very long.
        raise RefusedError(f"a number of {len(key)} digits is not an index")
    is_pattern = set(key) & set("*?[") and key not in subgraph
    if is_pattern:
        where = model if options.subgraph is None else subgraph
        found = where.find(key)
        if not found:
            raise RefusedError(f"no tensor's name matches {key!r}")
        return found
    try:
        return (subgraph[int(key) if key.isdecimal() else key],)
    except LookupError as error:
        raise RefusedError(error.args[0]) from None
