"""The command `tflite-quant`, also `python -m tflite_quant`.

Exit status 0, or 2 with one line on standard error for a bad file or a bad argument. `check` has 1,
too: there are findings that are bad enough.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .. import __version__
from ..errors import TFLiteError
from ..litert import lite
from ..model.model import Model, open
from ..model.subgraph import Subgraph, counted
from ..model.tensor import Tensor
from . import json_data as plain
from . import show

if TYPE_CHECKING:
    from rich.console import Console

    from ..checks.report_formats import Outcome

__all__ = ["main"]

_MANY = 20
"""So many files are checked with a progress bar."""


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
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has had enough; what Python still holds to write must not fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TFLiteError, OSError, _RefusedError) as error:
        line = " ".join(_message(error).split())
        print(f"tflite-quant: {line}", file=sys.stderr)
        return 2
    return status


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
    _add_check(commands.add_parser("check", help="hold models against the specification"))
    _add_header(commands.add_parser("header", help="write a C header of what firmware needs"))
    return parser


def _add_check(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Hold models against the quantization specification. The exit status is 1 if there are "
        "findings as bad as --fail-on says, 2 if a model cannot be read."
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file, or a folder of such"
    )
    command.add_argument(
        "--fail-on",
        choices=("error", "warning", "note"),
        default="error",
        help="how bad a finding makes the exit status 1: so, or worse (default: error)",
    )
    command.add_argument("--format", choices=("text", "json", "sarif"), default="text")
    for name, what in (("select", "report these only"), ("ignore", "do not report these")):
        command.add_argument(
            f"--{name}",
            metavar="IDS",
            default="",
            help=f"{what}: identifiers or their beginnings, as in TQ1,TQ204",
        )
    command.set_defaults(run=_check)


def _add_header(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Write a C99 and C++11 header: scale, zero point, shape and size of each input and output, "
        "with functions to quantize and dequantize; on demand weights, multipliers and the file."
    )
    command.add_argument("model", metavar="MODEL", help="a .tflite file")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="where to; left alone if it would not change"
    )
    command.add_argument("--prefix", help="what all names begin with (default: the file's name)")
    command.add_argument(
        "--tensors",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="constants to write, by name, with the multipliers and shifts of their operators",
    )
    command.add_argument(
        "--model", dest="include_model", action="store_true", help="write the whole file, too"
    )
    command.add_argument(
        "--depfile", metavar="FILE", help="write there what the header depends on, for make, ninja"
    )
    command.set_defaults(run=_header)


def _show(options: argparse.Namespace) -> int:
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
            return 0
        width = console.width if _has_width() else None
        if tensor is not None:
            tables = show.tensor_tables(tensor)
        elif options.operators:
            tables = show.operator_tables(subgraphs)
        else:
            tables = show.model_tables(model, subgraphs, width)
        for table in tables:
            console.print(table)
    return 0


def _analyze(options: argparse.Namespace) -> int:
    lite.experimental.Analyzer.analyze(options.model)
    return 0


def _header(options: argparse.Namespace) -> int:
    # Imported here, since the other commands do without.
    from ..firmware.c_header import c_header, depfile, write_if_changed  # noqa: PLC0415

    if options.depfile is not None and options.output is None:
        raise _RefusedError("--depfile needs --output")
    text = c_header(
        options.model,
        prefix=options.prefix,
        tensors=options.tensors,
        include_model=options.include_model,
    )
    if options.output is None:
        print(text, end="")
        return 0
    write_if_changed(options.output, text)
    if options.depfile is not None:
        write_if_changed(options.depfile, depfile(options.output, options.model))
    return 0


def _check(options: argparse.Namespace) -> int:
    # Imported here, since the other commands do without.
    from ..checks import report_formats as reports  # noqa: PLC0415
    from ..checks.findings import KINDS, Severity  # noqa: PLC0415

    selected, ignored = (_beginnings(getattr(options, name)) for name in ("select", "ignore"))
    wanted = {
        id
        for id in KINDS
        if id.startswith(selected or ("",)) and not (ignored and id.startswith(ignored))
    }
    outcomes = [_outcome(path, wanted) for path in _progress(_files(options.models))]
    for outcome in outcomes:
        if outcome.error is not None:
            print(f"tflite-quant: {outcome.error}", file=sys.stderr)
    if options.format == "text":
        for text in reports.text_lines(outcomes):
            for line in text.splitlines():
                print(_folded(line))
    else:
        make = reports.json_data if options.format == "json" else reports.sarif_data
        print(json.dumps(make(outcomes, __version__), indent=1, allow_nan=False))
    if any(outcome.error is not None for outcome in outcomes):
        return 2
    limit = Severity[options.fail_on.upper()]
    return int(any(outcome.report.at_least(limit) for outcome in outcomes if outcome.report))


def _beginnings(ids: str) -> tuple[str, ...]:
    """Give the identifiers, or their beginnings, in an argument."""
    from ..checks.findings import KINDS  # noqa: PLC0415

    found = tuple(one.strip().upper() for one in ids.split(",") if one.strip())
    for one in found:
        if not any(id.startswith(one) for id in KINDS):
            raise _RefusedError(f"no finding has the identifier {one!r}")
    return found


def _files(paths: Sequence[str]) -> list[str]:
    """Give the files that are named, and the models in the folders that are named, each once."""
    files: dict[str, None] = {}
    for path in paths:
        found = sorted(map(str, Path(path).rglob("*.tflite"))) if os.path.isdir(path) else [path]
        if not found:
            raise _RefusedError(f"{path}: no .tflite file in this folder")
        files.update(dict.fromkeys(found))
    return list(files)


def _outcome(path: str, wanted: Collection[str]) -> Outcome:
    """Check one file, and keep what is wanted."""
    from ..checks.checker import check  # noqa: PLC0415
    from ..checks.findings import Report  # noqa: PLC0415
    from ..checks.report_formats import Outcome  # noqa: PLC0415

    try:
        report = check(path)
    except (TFLiteError, OSError) as error:
        return Outcome(path, None, " ".join(_message(error).split()))
    return Outcome(path, Report(path, tuple(one for one in report if one.id in wanted)))


def _progress(paths: Sequence[str]) -> Iterable[str]:
    """Go through many files with a bar on the terminal, if there is one, and package rich."""
    if len(paths) < _MANY or not sys.stderr.isatty():
        return paths
    try:
        from rich.console import Console  # noqa: PLC0415  # an optional extra
        from rich.progress import track  # noqa: PLC0415
    except ModuleNotFoundError:
        return paths
    return track(paths, "checking", console=Console(stderr=True), transient=True)


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


def _folded(line: str) -> str:
    """Fold a line at the words where a terminal would fold it anywhere."""
    if not _has_width():
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)


def _has_width() -> bool:
    return sys.stdout.isatty() or "COLUMNS" in os.environ
