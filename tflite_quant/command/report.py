"""`tflite-quant report`: a page about a model."""

from __future__ import annotations

import argparse
import os

from ..checks.runtimes import TARGETS
from ..firmware.output_files import write_files
from ..report.page import html_report
from .terminal import RefusedError, tracked


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.description = (
        "Write a page of HTML about a model: what it is, its inputs and outputs, the memory that "
        "it needs, what check finds, and its weights; on request also what quantization cost. The "
        "page has no scripts and needs no other file. It needs the extra 'report'."
    )
    command.add_argument("model", metavar="MODEL", help="a .tflite file")
    command.add_argument(
        "--reference",
        metavar="REFERENCE",
        help="what it was quantized from: a .tflite file, or a .npz file with arrays by name",
    )
    command.add_argument(
        "--target",
        choices=tuple(TARGETS),
        help="the runtime that the model is for: what it refuses is an error (default: either)",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="the file to write (default: standard output)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the page and return the exit status."""
    _check_files(options)
    try:
        page = html_report(
            options.model,
            options.reference,
            target=options.target,
            progress=lambda tensors: tracked(tensors, len(tensors), "reading"),
        )
    except ImportError as error:
        raise RefusedError(str(error)) from None
    if options.output in (None, "-"):
        print(page, end="")
    else:
        write_files({options.output: page})
    return 0


def _check_files(options: argparse.Namespace) -> None:
    """Refuse to write the page over what it is about."""
    if options.output in (None, "-"):
        return
    page = os.path.realpath(options.output)
    for path in (options.model, options.reference):
        if path is not None and os.path.realpath(path) == page:
            raise RefusedError(f"--output {options.output} is a file that is read")
