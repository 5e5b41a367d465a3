"""Whole processes: what an import costs, and printing all of a model as JSON."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

__all__ = ["import_time", "printing"]

_LITERT = """
import json, sys
from ai_edge_litert.interpreter import Interpreter
details = Interpreter(model_path=sys.argv[1]).get_tensor_details()
print(json.dumps(details, default=lambda x: x.__name__ if isinstance(x, type) else x.tolist()))
"""
"""The shortest script that prints with LiteRT what a model's tensors are."""


def import_time(processes: int = 15) -> float:
    """Give the median over fresh processes that find the modules compiled, in seconds."""
    code = (
        "import time, tflite; start = time.perf_counter(); import tflite_quant; "
        "print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        runs = [
            subprocess.check_output([sys.executable, "-c", code], env=environment)
            for _ in range(1 + processes)
        ]
    return statistics.median(map(float, runs[1:]))


def printing(path: str, rounds: int = 9) -> Mapping[str, float]:
    """Give the median seconds of `tflite-quant show --json`, and of LiteRT's script."""
    commands = {
        "ours": [sys.executable, "-m", "tflite_quant", "show", "--json", path],
        "LiteRT": [sys.executable, "-c", _LITERT, path],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    return {name: statistics.median(values) for name, values in times.items()}


def _seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
