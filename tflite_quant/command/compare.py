"""`tflite-quant compare`: what quantization cost, and where."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..comparison.comparer import compare
from ..comparison.reports import (
    CHANNEL_COLUMNS,
    COLUMNS,
    channel_records,
    json_data,
    node_data,
    record,
)
from ..comparison.results import Comparison, TensorComparison
from ..escape import for_terminal
from ..format.budget import CHARACTER_COST, NUMBER_COST, Budget
from ..model.model import open
from ..model.names import matcher
from .comparison_screen import TENSOR_COLUMNS, channel_lines, comparison_lines, tensor_row
from .json_text import json_text
from .layout import csv_lines, markdown_lines
from .terminal import RefusedError, tracked, width

_TOP = 20
"""Tensors, or channels, that are shown unless told otherwise."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Compare the weights of a quantized model with those that it was quantized from: the "
        "signal-to-quantization-noise ratio (SQNR) of each, the worst first. More is better; 6 dB "
        "are about one bit. The exit status is 1 if --fail-under finds something."
    )
    command.add_argument(
        "reference", metavar="REFERENCE", help="a .tflite file, or a .npz file with arrays by name"
    )
    command.add_argument("quantized", metavar="QUANTIZED", help="a .tflite file")
    formats = ("text", "json", "csv", "markdown", "model-explorer")
    command.add_argument("--format", choices=formats, default="text", help="default: text")
    command.add_argument(
        "--measure",
        choices=("sqnr", "at-ends"),
        default="sqnr",
        help="with --format model-explorer: what the nodes show (default: sqnr)",
    )
    command.add_argument(
        "--sort",
        choices=("worst", "graph"),
        default="worst",
        help="the worst first, or in the order in which operators read them (default: worst)",
    )
    command.add_argument(
        "--top",
        type=int,
        default=_TOP,
        metavar="N",
        help=f"show so many tensors, or channels; 0 for all (default: {_TOP}; other formats: all)",
    )
    command.add_argument(
        "--tensor", metavar="PATTERN", help="show the channels of the tensors whose names match"
    )
    command.add_argument(
        "--activations",
        nargs=2,
        metavar=("REFERENCE_NPZ", "QUANTIZED_NPZ"),
        help="also compare what the two computed: .npz files by names or indices of tensors",
    )
    command.add_argument(
        "--fail-under",
        type=float,
        metavar="DB",
        help="exit with status 1 if the SQNR of a tensor is lower, or one has no counterpart",
    )
    command.add_argument("--wide", action="store_true", help="print names whole, and all columns")


def run(options: argparse.Namespace) -> int:
    """Print the comparison and return the exit status."""
    if options.top < 0:
        raise RefusedError(f"--top {options.top}: expected 0 or more")
    activations = None if options.activations is None else tuple(options.activations)
    with open(options.quantized) as model:
        comparison = compare(
            options.reference,
            model,
            activations=activations,
            progress=lambda pairs: tracked(pairs, len(pairs), "comparing"),
        )
        graphs = [graph.name for graph in model.subgraphs]
        budget = model.structure.file.afresh().budget
    tensors = _wanted(comparison, options)
    sys.stdout.writelines(_text(comparison, tensors, graphs, budget, options))
    return _status(comparison, options.fail_under)


def _wanted(comparison: Comparison, options: argparse.Namespace) -> Sequence[TensorComparison]:
    """Return the tensors that are asked for, in the order that is asked for."""
    in_graph = options.sort == "graph" or options.format == "json"
    tensors = comparison.tensors if in_graph else comparison.worst(len(comparison))
    if options.tensor is None:
        return tensors
    matches = matcher(options.tensor)
    found = [
        each
        for each in (*tensors, *comparison.activations)
        if each.name == options.tensor or matches(each.name)
    ]
    if not found:
        raise RefusedError(
            f"no tensor that was compared has a name that matches {options.tensor!r}"
        )
    return found


def _text(
    comparison: Comparison,
    tensors: Sequence[TensorComparison],
    graphs: Sequence[str],
    budget: Budget,
    options: argparse.Namespace,
) -> Iterator[str]:
    """Yield the comparison in the format that is asked for."""
    most = options.top or sys.maxsize
    match options.format:
        case "json":
            yield from json_text(json_data(comparison, tensors), budget)
            yield "\n"
        case "model-explorer":
            yield from json_text(node_data(comparison, options.measure, graphs), budget)
            yield "\n"
        case "csv":
            if options.tensor is None:
                yield from _lines(_csv(COLUMNS, _records(comparison, tensors)))
            else:
                yield from _lines(_csv(CHANNEL_COLUMNS, _channel_records(tensors, budget)))
        case "markdown":
            every = (*tensors, *(comparison.activations if options.tensor is None else ()))
            rows = [(*row[:3], *row[4:]) for row in map(tensor_row, every)]
            # Without the bars.
            yield from _lines(markdown_lines((*TENSOR_COLUMNS[:3], *TENSOR_COLUMNS[4:]), rows))
        case _:
            columns = None if options.wide else width()
            if options.tensor is None:
                yield from _lines(comparison_lines(comparison, tensors, most, columns))
            else:
                for number, tensor in enumerate(tensors):
                    yield "\n" if number else ""
                    yield from _lines(channel_lines(tensor, most, columns))


def _lines(lines: Iterable[str]) -> Iterator[str]:
    return (f"{line}\n" for line in lines)


def _records(
    comparison: Comparison, tensors: Sequence[TensorComparison]
) -> Iterator[dict[str, Any]]:
    return map(record, (*tensors, *comparison.activations))


def _channel_records(
    tensors: Sequence[TensorComparison], budget: Budget
) -> Iterator[dict[str, Any]]:
    """Yield a record for each channel of some tensors, which may be many from a small file."""
    for tensor in tensors:
        for each in channel_records(tensor):
            cost = NUMBER_COST * len(each) + CHARACTER_COST * len(tensor.name)
            budget.spend(cost, "the table of channels")
            yield each


def _csv(titles: Sequence[str], records: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Return the lines of a table, with titles even if there are no records."""
    return csv_lines(titles, (record.values() for record in records))


def _status(comparison: Comparison, limit: float | None) -> int:
    """Say on standard error what is under the limit, and return the exit status."""
    if limit is None:
        return 0
    sys.stdout.flush()
    under = comparison.under(limit)
    for tensor in under:
        why = f"{tensor.sqnr:.1f} dB, under {limit:g}"
        if tensor.not_finite:
            why = f"{tensor.not_finite} values of the reference are not finite"
        print(f"tflite-quant: {for_terminal(tensor.name)}: {why}", file=sys.stderr)
    missing = [each for each in comparison.unmatched if each.side == "quantized"]
    for each in missing:
        line = for_terminal(f"{each.name}: not compared: {each.reason}")
        print(f"tflite-quant: {line}", file=sys.stderr)
    return int(bool(under or missing))
