"""Prints models a second over a folder, on one core and on two: `python -m benchmarks.many DIR`.

Each command runs as a user runs it, a process with the start of Python and its imports. Then, for
weights of 64 MiB that are made for it, `compare`'s time beside that of dequantizing both models.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import tflite_quant as tq
from benchmarks.timing import medians
from tests import build

_COMMANDS = {
    "records": ("records", "--format", "jsonl"),
    "records --models": ("records", "--models"),
    "check": ("check",),
}
_ROWS, _LENGTH, _TENSORS = 2048, 2048, 16


def models_a_second(folder: Path) -> Iterator[tuple[str, float, float]]:
    """Yield each command with the models that it reads in a second, on one core and on two."""
    count = sum(1 for _ in folder.rglob("*.tflite"))
    for name, arguments in _COMMANDS.items():
        ways = {str(jobs): _command(arguments, jobs, folder) for jobs in (1, 2)}
        times = medians(ways, least=3)
        yield name, count / times["1"], count / times["2"]


def _command(arguments: tuple[str, ...], jobs: int, folder: Path) -> Callable[[], object]:
    command = [sys.executable, "-m", "tflite_quant", *arguments, "--jobs", str(jobs), str(folder)]
    # Exit status 1 or 2: there are findings, or a file among them that cannot be read.
    return partial(
        subprocess.run, command, check=False, env=os.environ | {"CI": "true"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def comparing() -> float:
    """Return compare's time divided by that of dequantizing what it compares."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{name}.tflite") for name in ("float", "int8")]
        for path, content in zip(paths, _pair(), strict=True):
            path.write_bytes(content)
        times = medians(
            {"compare": partial(tq.compare, *paths), "dequantize": partial(_dequantize, paths)}
        )
    return times["compare"] / times["dequantize"]


def _pair() -> tuple[bytes, bytes]:
    """Return two models of dense layers: float weights, and int8 with a scale for each channel."""
    generator = np.random.default_rng(1)
    real, quantized = [], []
    for number in range(_TENSORS):
        weights = generator.standard_normal((_ROWS, _LENGTH), np.float32)
        scale = np.abs(weights).max(axis=1) / 127
        integers = np.round(weights / scale[:, np.newaxis]).astype(np.int8)
        name = f"layer{number}/kernel"
        real.append(build.constant(weights, name=name))
        quantized.append(build.constant(integers, scale, np.zeros(_ROWS, np.int64), name=name))
    return build.one(*real), build.one(*quantized)


def _dequantize(paths: list[Path]) -> None:
    for path in paths:
        with tq.open(path) as model:
            for tensor in model.tensors:
                tensor.dequantize()


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser("python -m benchmarks.many", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    print("| command | one core, models a second | two cores |\n| --- | ---: | ---: |")
    for name, one, two in models_a_second(parser.parse_args().folder):
        print(f"| `{name}` | {one:.0f} | {two:.0f} |")
    print(f"\n`compare` takes {comparing():.1f} times as long as dequantizing both models")


if __name__ == "__main__":
    main()
