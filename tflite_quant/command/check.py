"""`tflite-quant check`: checks models against the quantization specification."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial

from .. import __version__
from ..checks.checker import check
from ..checks.findings import KINDS, Severity
from ..checks.report_formats import Outcome, json_data, sarif_data, text_lines
from ..checks.requirements import REQUIREMENTS, requirements
from ..checks.runtimes import TARGETS
from ..errors import TFLiteError
from .files import mapped, model_files, positive
from .json_text import json_text
from .terminal import RefusedError, error_line, unforeseen, width


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
    command.add_argument(
        "--target",
        choices=tuple(TARGETS),
        help="the runtime that the models are for, LiteRT or TensorFlow Lite Micro: what it "
        "refuses is an error (default: either; what one of them refuses is a note)",
    )
    command.add_argument(
        "--require",
        metavar="SCHEMES",
        action="append",
        default=[],
        help="an error for a model that has none of these schemes, such as int8,int16x8; there are "
        f"{', '.join(REQUIREMENTS)}",
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
    command.add_argument(
        "--jobs", type=positive, default=1, metavar="N", help="processes (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Print the findings and return the exit status."""
    selected, ignored = _prefixes(options.select), _prefixes(options.ignore)
    wanted = {
        id
        for id in KINDS
        if id.startswith(selected or ("",)) and not (ignored and id.startswith(ignored))
    }
    required = _required(options.require)
    if required and "TQ402" not in wanted:
        raise RefusedError("--require reports TQ402, which --select or --ignore leaves out")
    of_file = partial(_outcome, wanted=frozenset(wanted), target=options.target, required=required)
    outcomes = list(mapped(of_file, model_files(options.models), options.jobs, "checking"))
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


def _required(arguments: Iterable[str]) -> tuple[str, ...]:
    """Return the schemes that arguments list."""
    names = [part.strip().lower() for argument in arguments for part in argument.split(",")]
    try:
        return requirements(name for name in names if name)
    except ValueError as error:
        raise RefusedError(str(error)) from None


def _outcome(
    path: str, wanted: Collection[str], target: str | None, required: Sequence[str]
) -> Outcome:
    """Check one file and return the wanted findings, or why it cannot be read."""
    try:
        report = check(path, target=target, require=required)
    except (TFLiteError, OSError) as error:
        return Outcome(path, None, error_line(error))
    except Exception as error:
        # One model that nobody foresaw must not lose the reports of the others.
        return Outcome(path, None, unforeseen(error))
    findings = tuple(finding for finding in report if finding.id in wanted)
    return Outcome(path, replace(report, name=path, findings=findings))


def _folded(line: str) -> str:
    """Fold a line between words, where a terminal would fold it anywhere."""
    if (columns := width()) is None:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, columns, subsequent_indent=indent, break_on_hyphens=False)
