"""Opening huge files: what it takes does not grow with the weights.

Each file has a model of a few kilobytes and, behind it, a hole that a buffer of it names; the file
system stores next to nothing of it. Every measurement is a process of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tflite

from benchmarks.details import layers
from tests import build

__all__ = ["measured"]

SIZES = {"no weights": 0, "1 GB": 10**9, "4 GB": 4 * 10**9}

_CODE = """
import json, resource, sys, time
import tflite_quant as tq
path = sys.argv[1]
tq.open({small!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
model = tq.open(path)
seconds = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, after - before]))
"""


def measured(processes: int = 9) -> Iterator[tuple[str, float, float]]:
    """Give for each size its name, the median seconds, and the median kibibytes of peak memory.

    The memory is what the process grows by, after a small model has been opened.
    """
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small.tflite")
        small.write_bytes(layers(3))
        for name, size in SIZES.items():
            path = Path(folder, "huge.tflite")
            _write(path, size)
            command = [sys.executable, "-c", _CODE.format(small=str(small)), str(path)]
            runs = [json.loads(subprocess.check_output(command)) for _ in range(processes)]
            seconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
            yield name, seconds, memory


def _write(path: Path, size: int) -> None:
    """Write a model with a constant of so many bytes behind the flatbuffer."""
    content = _model(0, size)
    content = _model(len(content), size)
    with path.open("wb") as file:
        file.write(content)
        if size:
            file.seek(size - 1, os.SEEK_CUR)
            file.write(b"\0")


def _model(offset: int, size: int) -> bytes:
    b = build.start()
    shape = build.numbers(b, [size // 1000, 1000], "<i4")
    name = build.text(b, "weights")
    tensor = build.table(b, "Tensor", name=name, shape=shape, type=tflite.TensorType.INT8, buffer=1)
    graph = build.table(b, "SubGraph", tensors=build.references(b, [tensor]))
    # Numbers that are not 0 have the same place in both of the models that `_write` makes.
    data = build.table(b, "Buffer", offset=max(offset, 2), size=size)
    buffers = build.references(b, [build.table(b, "Buffer"), data])
    subgraphs = build.references(b, [graph])
    return build.finish(b, version=3, subgraphs=subgraphs, buffers=buffers)
