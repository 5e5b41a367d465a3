"""`tflite-quant spec`: the quantization specification, operator by operator."""

from __future__ import annotations

import argparse
import json
import textwrap

from ..checks.specification import operators, specification, specification_lines
from ..model.names import nearest
from .terminal import RefusedError, width


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Print what the quantization specification says of an operator, or of all: types, ranges, "
        "one scale or one for each channel, zero points, and which scales must agree. What "
        "LiteRT's kernels check, and refuse a model for, is in brackets. For uint8, hybrid and "
        "other operators that the specification does not list, it is what the kernels ask."
    )
    command.add_argument(
        "operators", metavar="OPERATOR", nargs="*", help="such as CONV_2D (default: all)"
    )
    command.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Print the specification and return the exit status."""
    known = operators()
    names = [name.upper() for name in options.operators] or known
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            raise RefusedError(f"no specification for operator {name!r}{hint}")
    if options.json:
        print(json.dumps([specification(name) for name in names], indent=1))
        return 0
    columns = width()
    for number, name in enumerate(names):
        if number:
            print()
        for line in specification_lines(name):
            print(line if columns is None else _folded(line, columns))
    return 0


def _folded(line: str, columns: int) -> str:
    """Fold a line; what follows stands below the words, not below the name."""
    begin = len(line) - len(line.lstrip())
    _, gap, words = line[begin:].partition("  ")
    indent = " " * (begin + (len(line[begin:]) - len((gap + words).lstrip()) if gap else 4))
    head = line[: len(indent)] if gap else line[:begin]
    text = line[len(head) :]
    return textwrap.fill(text, max(columns, 60), initial_indent=head, subsequent_indent=indent)
