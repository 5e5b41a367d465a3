"""`tflite-quant header`: a C header with what firmware needs, and a source with its arrays."""

from __future__ import annotations

import argparse
import os
import sys

from ..escape import for_terminal
from ..firmware.c_constants import without_values
from ..firmware.c_header import c_header, c_source
from ..firmware.output_files import depfile, write_files
from ..model.model import Model, open
from .terminal import RefusedError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Write a C99 and C++11 header with the type, scale, zero point, shape and size of each "
        "input and output, functions that quantize and dequantize, and the operators that "
        "TensorFlow Lite Micro must know; on request also with weights, multipliers and the whole "
        "file."
    )
    command.add_argument("model", metavar="MODEL", nargs="?", help="a .tflite file")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="the file to write (default: standard output)"
    )
    command.add_argument(
        "--source",
        metavar="FILE",
        help="write the arrays to this C source; the header only declares them",
    )
    command.add_argument("--prefix", help="the prefix of all names (default: the file's name)")
    command.add_argument(
        "--tensors",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="also write the constants whose names match, "
        "with the multipliers and shifts of their operators",
    )
    command.add_argument(
        "--model", dest="include_model", action="store_true", help="also write the whole file"
    )
    command.add_argument(
        "--depfile", metavar="FILE", help="write what the files depend on, for make and ninja"
    )


def run(options: argparse.Namespace) -> int:
    """Write the header and return the exit status."""
    if options.model is None and len(options.tensors) > 1:
        # As in `header --tensors PATTERN MODEL`, where the patterns come first.
        options.model = options.tensors.pop()
    if options.model is None:
        raise RefusedError("the following arguments are required: MODEL")
    _check_files(options)
    with open(options.model) as model:
        texts = _texts(options, model)
        notes = list(without_values(model, options.tensors))
    if _is_printed(options):
        print(texts[options.output], end="")
    else:
        write_files(texts)
    for note in notes:
        print(f"tflite-quant: {for_terminal(note)}", file=sys.stderr)
    return 0


def _is_printed(options: argparse.Namespace) -> bool:
    return options.output in (None, "-")


def _check_files(options: argparse.Namespace) -> None:
    """Refuse files that cannot be written beside one another."""
    others = [
        (name, getattr(options, name))
        for name in ("source", "depfile")
        if getattr(options, name) is not None
    ]
    for name, _ in others:
        if _is_printed(options):
            raise RefusedError(f"--{name} needs --output with a file")
    paths = [os.path.realpath(path) for path in (options.output or "", *dict(others).values())]
    if len(set(paths)) < len(paths):
        raise RefusedError("--output, --source and --depfile need a file each")


def _texts(options: argparse.Namespace, model: Model) -> dict[str, str]:
    """Return the text of each file that is to be written."""
    has_source = options.source is not None
    header = c_header(
        model,
        prefix=options.prefix,
        tensors=options.tensors,
        include_model=options.include_model,
        with_source=has_source,
    )
    texts = {options.output: header}
    try:
        if has_source:
            texts[options.source] = c_source(
                model,
                _from(options.source, options.output),
                prefix=options.prefix,
                tensors=options.tensors,
                include_model=options.include_model,
            )
        if options.depfile is not None:
            texts[options.depfile] = depfile(list(texts), options.model)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    return texts


def _from(source: str, header: str) -> str:
    """Return the path to a header from the folder of a source."""
    folder = os.path.dirname(os.path.abspath(source))
    try:
        path = os.path.relpath(os.path.abspath(header), folder)
    except ValueError:
        # On another drive.
        path = os.path.abspath(header)
    return path.replace(os.sep, "/")
