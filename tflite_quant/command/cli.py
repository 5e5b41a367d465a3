"""The command `tflite-quant`, also `python -m tflite_quant`.

The exit status is 0, or 2 with one line on standard error for a file that cannot be read or an
argument that cannot be followed. Status 1 is for `check`, when it finds what --fail-on names, and
for `compare`, when something is under --fail-under.

Each command is a module of this folder with two functions: `add_arguments` describes its arguments,
`run` does the work and returns the exit status. Only the module of the command that is asked for
is imported, so that `show` need not load the rules of `check`.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from .. import __version__
from ..errors import TFLiteError
from ..escape import for_terminal
from ..model.names import nearest
from .terminal import RefusedError, error_line, unforeseen

_COMMANDS = {
    "show": "show every tensor and how it is quantized",
    "analyze": "print the report of TensorFlow Lite's Model Analyzer",
    "check": "check models against the quantization specification",
    "compare": "compare a quantized model with what it was quantized from",
    "header": "write a C header with what firmware needs",
    "records": "write a table over many models",
    "report": "write a page about a model",
    "spec": "print the quantization specification of an operator",
}
"""The modules of the commands, and what each does."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {for_terminal(message)}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Some terminals cannot show every character that a name may contain.
        sys.stdout.reconfigure(errors="backslashreplace")
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser(arguments)
    if not arguments:
        parser.print_help()
        return 0
    _check_command(parser, arguments[0])
    options = parser.parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader has closed the pipe; Python must not fail when it flushes the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TFLiteError, OSError, RefusedError) as error:
        print(f"tflite-quant: {error_line(error)}", file=sys.stderr)
        return 2
    except Exception as error:
        print(f"tflite-quant: {unforeseen(error)}", file=sys.stderr)
        return 3
    return status


def _check_command(parser: argparse.ArgumentParser, name: str) -> None:
    """Refuse a command that does not exist, and say which one may be meant."""
    if name in _COMMANDS or name.startswith("-"):
        return
    near = nearest(name, _COMMANDS, 1)
    if os.path.exists(name):
        hint = f"; to show a model: {parser.prog} show {name}"
    else:
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_COMMANDS)}"
    parser.error(f"there is no command {name!r}{hint}")


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser, which knows the arguments of those commands that are named."""
    parser = _Parser("tflite-quant", description="Read TensorFlow Lite models without TensorFlow.")
    parser.add_argument("-V", "--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, purpose in _COMMANDS.items():
        command = commands.add_parser(name, help=purpose)
        if name in arguments:
            module = import_module(f".{name}", __package__)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser
