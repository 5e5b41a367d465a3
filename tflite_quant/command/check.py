"""`tflite-quant check`: checks models against the quantization specification."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import partial
from pathlib import Path

from .. import __version__
from ..checks.checker import check
from ..checks.kinds import KINDS, Severity
from ..checks.report_formats import Outcome, github_lines, json_data, sarif_data
from ..checks.requirements import REQUIREMENTS, requirements
from ..checks.runtimes import TARGETS
from ..checks.text_format import text_lines
from ..errors import TFLiteError
from .files import mapped, model_files, positive
from .json_text import json_text
from .settings import Settings, read_settings
from .terminal import RefusedError, error_line, painted, unforeseen, width

_FAIL_ON = ("error", "warning", "note")
_COLOURS = {"error": "bad", "warning": "poor", "note": "constant"}
"""The colours of severities, in the words of `terminal`."""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Check models against the quantization specification. The exit status is 1 if there is a "
        "finding of the severity that --fail-on names or above, 2 if a model cannot be read. What "
        "no argument says is taken from [tool.tflite-quant] of pyproject.toml."
    )
    command.add_argument(
        "models", metavar="MODEL", nargs="+", help="a .tflite file, or a folder with .tflite files"
    )
    command.add_argument(
        "--fail-on",
        choices=_FAIL_ON,
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
    formats = ("text", "json", "sarif", "github")
    command.add_argument(
        "--format",
        choices=formats,
        default="text",
        help="default: text; github writes annotations for GitHub Actions",
    )
    command.add_argument(
        "--verbose", action="store_true", help="write each finding, even if many are of one kind"
    )
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


@dataclass(frozen=True)
class _Choices:
    """What is asked of each model.

    Attributes
    ----------
    wanted : frozenset of str
        The identifiers of the findings to report.
    per_file_ignores : tuple of (str, frozenset of str)
        Those to leave out, by patterns of paths.
    target : str or None
    required : tuple of str
    """

    wanted: frozenset[str]
    per_file_ignores: tuple[tuple[str, frozenset[str]], ...]
    target: str | None
    required: tuple[str, ...]

    def of_file(self, path: str) -> frozenset[str]:
        """Return the identifiers to report of one file."""
        posix = Path(path).as_posix()
        ignored = (ids for pattern, ids in self.per_file_ignores if fnmatch(posix, pattern))
        return self.wanted.difference(*ignored)


def run(options: argparse.Namespace) -> int:
    """Print the findings and return the exit status."""
    settings = read_settings(Path.cwd())
    fail_on = options.fail_on or settings.fail_on or "error"
    choices = _choices(options, settings)
    if fail_on not in _FAIL_ON:
        raise RefusedError(f"fail-on is {fail_on!r}, expected one of {', '.join(_FAIL_ON)}")
    of_file = partial(_outcome, choices=choices)
    outcomes = list(mapped(of_file, model_files(options.models), options.jobs, "checking"))
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for error in errors:
        print(f"tflite-quant: {error}", file=sys.stderr)
    if options.format == "text":
        for line in text_lines(outcomes, options.verbose):
            print(_coloured(_folded(line)))
    elif options.format == "github":
        for line in github_lines(outcomes):
            print(line)
    else:
        as_data = json_data if options.format == "json" else sarif_data
        sys.stdout.writelines(json_text(as_data(outcomes, __version__)))
        print()
    if errors:
        return 2
    limit = Severity[fail_on.upper()]
    return int(any(outcome.report.at_least(limit) for outcome in outcomes if outcome.report))


def _choices(options: argparse.Namespace, settings: Settings) -> _Choices:
    """Return what arguments say, or else what the project's settings say."""
    selected = _named(options.select or settings.select) or frozenset(KINDS)
    wanted = selected - _named(options.ignore or settings.ignore)
    required = _required(options.require or [settings.require])
    target = options.target or settings.target
    if target is not None and target not in TARGETS:
        raise RefusedError(f"target is {target!r}, expected one of {', '.join(TARGETS)}")
    if required and "TQ402" not in wanted:
        raise RefusedError("--require reports TQ402, which --select or --ignore leaves out")
    per_file = tuple((glob, _named(ids)) for glob, ids in settings.per_file_ignores.items())
    return _Choices(wanted, per_file, target, required)


def _named(argument: str) -> frozenset[str]:
    """Return the findings whose identifiers, or how these begin, an argument lists."""
    prefixes = [part.strip().upper() for part in argument.split(",") if part.strip()]
    for prefix in prefixes:
        if not any(id.startswith(prefix) for id in KINDS):
            raise RefusedError(f"no finding has the identifier {prefix!r}")
    return frozenset(id for id in KINDS if id.startswith(tuple(prefixes)))


def _required(arguments: Iterable[str]) -> tuple[str, ...]:
    """Return the schemes that arguments list."""
    names = [part.strip().lower() for argument in arguments for part in argument.split(",")]
    try:
        return requirements(name for name in names if name)
    except ValueError as error:
        raise RefusedError(str(error)) from None


def _outcome(path: str, choices: _Choices) -> Outcome:
    """Check one file and return the wanted findings, or why it cannot be read."""
    try:
        report = check(path, target=choices.target, require=choices.required)
    except (TFLiteError, OSError) as error:
        return Outcome(path, None, error_line(error))
    except Exception as error:
        # One model that nobody foresaw must not lose the reports of the others.
        return Outcome(path, None, unforeseen(error))
    wanted = choices.of_file(path)
    findings = tuple(finding for finding in report if finding.id in wanted)
    return Outcome(path, replace(report, name=path, findings=findings))


def _coloured(line: str) -> str:
    """Return a line with its severity in colour, on a terminal that has colours."""
    severity, gap, rest = line.partition(" ")
    colour = _COLOURS.get(severity)
    return line if colour is None or not gap else f"{painted(severity, colour)} {rest}"


def _folded(line: str) -> str:
    """Fold a line between words, where a terminal would fold it anywhere; a link stays whole."""
    if (columns := width()) is None:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(
        line, columns, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )
