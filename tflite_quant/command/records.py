"""`tflite-quant records`: tables over many models, a row for each tensor, operator or model."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import IO, Any

from ..summary.file_records import FIELDS, arrow_schema, file_records
from .files import mapped, model_files, positive
from .json_text import json_line
from .layout import csv_lines
from .terminal import RefusedError

_GROUP = 50_000
"""Rows that are in memory at a time where they are written in groups."""

Rows = Iterator[dict[str, Any]]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Write a table over many models, with a row for each tensor. A file that cannot be read is "
        "a row with its error, and makes the exit status 2 when all others are written."
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file, or a folder with .tflite files"
    )
    choice = command.add_mutually_exclusive_group()
    for what in ("operators", "models"):
        command_help = f"a row for each {what[:-1]}"
        choice.add_argument(
            f"--{what}", dest="what", action="store_const", const=what, help=command_help
        )
    command.set_defaults(what="tensors")
    formats = ("csv", "jsonl", "parquet")
    command.add_argument(
        "--format",
        choices=formats,
        default="csv",
        help="default: csv; jsonl is an object a line; parquet needs the extra 'parquet'",
    )
    command.add_argument("-o", "--output", metavar="FILE", help="default: standard output")
    command.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the table and return the exit status."""
    if options.format == "parquet" and options.output is None:
        raise RefusedError("--format parquet needs -o FILE")
    paths = model_files(options.models)
    of_file = partial(file_records, what=options.what)
    failed: list[str] = []
    rows = _watched(mapped(of_file, paths, options.jobs, "reading"), failed)
    if options.format == "parquet":
        _write_parquet(rows, options.what, options.output)
    else:
        lines = _csv(rows, FIELDS[options.what]) if options.format == "csv" else _jsonl(rows)
        with _output(options.output) as file:
            file.writelines(f"{line}\n" for line in lines)
    for error in failed:
        print(f"tflite-quant: {error}", file=sys.stderr)
    return 2 if failed else 0


def _watched(records: Iterable[list[dict[str, Any]]], failed: list[str]) -> Rows:
    """Yield rows, and note the errors among them."""
    for of_file in records:
        for row in of_file:
            if row["error"] is not None:
                failed.append(row["error"])
            yield row


def _csv(rows: Rows, fields: Iterable[str]) -> Iterator[str]:
    return csv_lines(list(fields), (row.values() for row in rows))


def _jsonl(rows: Rows) -> Iterator[str]:
    return (json_line(row) for row in rows)


def _output(path: str | None) -> contextlib.AbstractContextManager[IO[str]]:
    if path is None:
        return contextlib.nullcontext(sys.stdout)
    return open(path, "w", encoding="utf-8", newline="\n")


def _write_parquet(rows: Rows, what: str, path: str) -> None:
    """Write groups of rows, so that memory does not grow with the number of models."""
    try:
        import pyarrow as pa  # noqa: PLC0415  # an optional extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError:
        raise RefusedError("--format parquet needs pyarrow: the extra 'parquet'") from None
    schema = arrow_schema(what)
    with pq.ParquetWriter(path, schema) as writer:
        while group := list(islice(rows, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
