"""The command `tflite-quant`, also `python -m tflite_quant`.

Exit status 0, or 2 with one line on standard error for a bad file or a bad argument.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from . import __version__, lite, plain, show
from .errors import TFLiteError
from .model import Model, open
from .subgraph import Subgraph, counted
from .tensor import Tensor

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["main"]


class _RefusedError(Exception):
    """The arguments cannot be followed; the message says why."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        The exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Some terminals cannot show all that names may hold.
        sys.stdout.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has had enough; what Python still holds to write must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (TFLiteError, OSError, _RefusedError) as error:
        line = " ".join(_message(error).split())
        print(f"tflite-quant: {line}", file=sys.stderr)
        return 2
    return 0


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("tflite-quant", description="Read TensorFlow Lite models without TensorFlow.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("show", help="show every tensor and how it is quantized")
    command.add_argument("model", metavar="MODEL", help="a .tflite file")
    command.add_argument("--json", action="store_true", help="print JSON, with whole arrays")
    command.add_argument("--subgraph", type=int, metavar="N", help="show this subgraph only")
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--tensor",
        metavar="NAME_OR_INDEX",
        help="show one tensor in full, with its values: of the first subgraph, or of --subgraph; "
        "a number is an index",
    )
    what.add_argument("--operators", action="store_true", help="show operators, not tensors")
    command.set_defaults(run=_show)
    command = commands.add_parser("analyze", help="print TensorFlow Lite's Model Analyzer's report")
    command.set_defaults(run=_analyze)
    command.add_argument("model", metavar="MODEL", help="a .tflite file")
    return parser


def _show(options: argparse.Namespace) -> None:
    # Before the file is opened, so that a missing package is said first.
    console = None if options.json else _console()
    with open(options.model) as model:
        subgraphs = _subgraphs(model, options.subgraph)
        tensor = None if options.tensor is None else _tensor(subgraphs[0], options.tensor)
        if console is None:
            data = (
                plain.model_data(model, subgraphs) if tensor is None else plain.tensor_data(tensor)
            )
            print(json.dumps(data, indent=1, allow_nan=False))
            return
        width = console.width if _has_width() else None
        if tensor is not None:
            tables = show.tensor_tables(tensor)
        elif options.operators:
            tables = show.operator_tables(subgraphs)
        else:
            tables = show.model_tables(model, subgraphs, width)
        for table in tables:
            console.print(table)


def _analyze(options: argparse.Namespace) -> None:
    lite.experimental.Analyzer.analyze(options.model)


def _subgraphs(model: Model, index: int | None) -> tuple[Subgraph, ...]:
    if index is None:
        return model.subgraphs
    if not 0 <= index < len(model.subgraphs):
        raise _RefusedError(
            f"no subgraph {index}: the model has {counted(model.subgraphs, 'subgraph')}"
        )
    return (model.subgraphs[index],)


def _tensor(subgraph: Subgraph, key: str) -> Tensor:
    is_index = key.isdecimal()
    if is_index and len(key) > 100:
        # Python refuses to read numbers that are very long.
        raise _RefusedError(f"a number of {len(key)} digits is no index")
    try:
        return subgraph[int(key) if is_index else key]
    except LookupError as error:
        raise _RefusedError(error.args[0]) from None


def _console() -> Console:
    try:
        from rich.console import Console  # noqa: PLC0415  # an optional extra
    except ModuleNotFoundError:
        raise _RefusedError(
            "tables need package rich: pip install 'tflite-quant[cli]'; --json needs nothing"
        ) from None
    # A file or a pipe has no width, and nothing in it should be folded.
    width = None if _has_width() else 1_000_000
    return Console(width=width, highlight=False)


def _has_width() -> bool:
    return sys.stdout.isatty() or "COLUMNS" in os.environ
