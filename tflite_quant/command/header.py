"""`tflite-quant header`: a C header with what firmware needs."""

from __future__ import annotations

import argparse

from ..firmware.c_header import c_header, depfile, write_if_changed
from .terminal import RefusedError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Write a C99 and C++11 header with the scale, zero point, shape and size of each input and "
        "output, and functions that quantize and dequantize; on request also with weights, "
        "multipliers and the whole file."
    )
    command.add_argument("model", metavar="MODEL", nargs="?", help="a .tflite file")
    command.add_argument(
        "-o", "--output", metavar="FILE", help="the file to write (default: standard output)"
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
        "--depfile", metavar="FILE", help="write what the header depends on, for make and ninja"
    )


def run(options: argparse.Namespace) -> int:
    """Write the header and return the exit status."""
    if options.model is None and len(options.tensors) > 1:
        # As in `header --tensors PATTERN MODEL`, where the patterns come first.
        options.model = options.tensors.pop()
    if options.model is None:
        raise RefusedError("the following arguments are required: MODEL")
    is_printed = options.output in (None, "-")
    if options.depfile is not None and is_printed:
        raise RefusedError("--depfile needs --output with a file")
    text = c_header(
        options.model,
        prefix=options.prefix,
        tensors=options.tensors,
        include_model=options.include_model,
    )
    if is_printed:
        print(text, end="")
        return 0
    try:
        rule = None if options.depfile is None else depfile(options.output, options.model)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    write_if_changed(options.output, text)
    if rule is not None:
        write_if_changed(options.depfile, rule)
    return 0
