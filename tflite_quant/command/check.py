"""`tflite-quant check`: checks models against the quantization specification."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from .. import __version__
from ..checks.checker import check
from ..checks.findings import KINDS, Severity
from ..checks.report_formats import Outcome, json_data, sarif_data, text_lines
from ..errors import TFLiteError
from .json_text import json_text
from .terminal import RefusedError, error_line, unforeseen, width

_MANY = 20
"""From this number of files on, a progress bar is shown."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Check models against the quantization specification. The exit status is 1 if there is a "
        "finding of the severity that --fail-on names or above, 2 if a model cannot be read."
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file, or a folder with .tflite files"
    )
    command.add_argument(
        "--fail-on",
        choices=("error", "warning", "note"),
        default="error",
        help="the lowest severity that makes the exit status 1 (default: error)",
    )
    formats = ("text", "json", "sarif")
    command.add_argument("--format", choices=formats, default="text", help="default: text")
    for name, purpose in (("select", "report only these"), ("ignore", "do not report these")):
        command.add_argument(
            f"--{name}",
            metavar="IDS",
            default="",
            help=f"{purpose}: identifiers of findings or prefixes of them, such as TQ1,TQ204",
        )


def run(options: argparse.Namespace) -> int:
    """Print the findings and return the exit status."""
    selected, ignored = _prefixes(options.select), _prefixes(options.ignore)
    wanted = {
        id
        for id in KINDS
        if id.startswith(selected or ("",)) and not (ignored and id.startswith(ignored))
    }
    outcomes = [_outcome(path, wanted) for path in _with_progress(_files(options.models))]
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        print(f"tflite-quant: {error}", file=sys.stderr)
    if options.format == "text":
        for text in text_lines(outcomes):
            for line in text.splitlines():
                print(_folded(line))
    else:
        as_data = json_data if options.format == "json" else sarif_data
        sys.stdout.writelines(json_text(as_data(outcomes, __version__)))
        print()
    if errors:
        return 2
    limit = Severity[options.fail_on.upper()]
    return int(any(outcome.report.at_least(limit) for outcome in outcomes if outcome.report))


def _prefixes(argument: str) -> tuple[str, ...]:
    """Return the identifiers of findings, or prefixes of them, that an argument lists."""
    prefixes = tuple(part.strip().upper() for part in argument.split(",") if part.strip())
    for prefix in prefixes:
        if not any(id.startswith(prefix) for id in KINDS):
            raise RefusedError(f"no finding has the identifier {prefix!r}")
    return prefixes


def _files(paths: Sequence[str]) -> list[str]:
    """Return the files, and the models in the folders, that are named: each once."""
    files: dict[str, None] = {}
    for path in paths:
        models = [path]
        if os.path.isdir(path):
            found = sorted(map(str, Path(path).rglob("*.tflite")))
            # Git carries links, and one to a device could be read without end.
            models = [each for each in found if os.path.isfile(each)]
            for skipped in sorted({*found} - {*models}):
                line = error_line(RefusedError(f"{skipped}: skipped, not a regular file"))
                print(f"tflite-quant: {line}", file=sys.stderr)
        if not models:
            raise RefusedError(f"{path}: no .tflite file in this folder")
        files.update(dict.fromkeys(models))
    return list(files)


def _outcome(path: str, wanted: Collection[str]) -> Outcome:
    """Check one file and return the wanted findings, or why it cannot be read."""
    try:
        report = check(path)
    except (TFLiteError, OSError) as error:
        return Outcome(path, None, error_line(error))
    except Exception as error:
        # One model that nobody foresaw must not lose the reports of the others.
        return Outcome(path, None, unforeseen(error))
    findings = tuple(finding for finding in report if finding.id in wanted)
    return Outcome(path, replace(report, name=path, findings=findings))


def _with_progress(paths: Sequence[str]) -> Iterable[str]:
    """Return an iterator that draws a progress bar for many files, on a terminal with `rich`."""
    if len(paths) < _MANY or not sys.stderr.isatty():
        return paths
    try:
        from rich.console import Console  # noqa: PLC0415  # an optional extra
        from rich.progress import track  # noqa: PLC0415
    except ModuleNotFoundError:
        return paths
    return track(paths, "checking", console=Console(stderr=True), transient=True)


def _folded(line: str) -> str:
    """Fold a line between words, where a terminal would fold it anywhere."""
    if (columns := width()) is None:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, columns, subsequent_indent=indent, break_on_hyphens=False)
