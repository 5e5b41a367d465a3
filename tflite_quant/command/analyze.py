"""`tflite-quant analyze`: the report of TensorFlow Lite's Model Analyzer."""

from __future__ import annotations

import argparse

from ..litert import lite


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.add_argument("model", metavar="MODEL", help="a .tflite file")


def run(options: argparse.Namespace) -> int:
    """Print the report and return the exit status."""
    lite.experimental.Analyzer.analyze(options.model)
    return 0
