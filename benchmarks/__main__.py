"""Measure this library beside its peers: `python -m benchmarks [MODEL ...]`.

Every ratio is between medians of one run, its sides taken in turn. Needs the extra `test`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import details


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="further models")
    models = parser.parse_args().models or [Path("fixtures/residual_int8.tflite")]
    console = Console()
    console.print(f"Python {platform.python_version()}, numpy {np.__version__}, {machine()}")
    with details.made() as made:
        for titles, row in (
            (details.TITLES, details.row),
            (details.ANALYZER_TITLES, details.analyzer_row),
        ):
            table = Table(*titles)
            for path in [*models, *made]:
                table.add_row(*row(path))
            console.print(table)
    console.print(f"import tflite_quant, after import tflite: {import_time():.1f} ms")


def import_time(processes: int = 15) -> float:
    """Give the median over fresh processes that find the modules compiled, in milliseconds."""
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
    return statistics.median(map(float, runs[1:])) * 1e3


def machine() -> str:
    """Say what processor this is."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
