"""Asks LiteRT in another process whether it runs models: some kill it.

`python -m tests.refusal FOLDER FIRST` prints a line for each model in a folder from the n-th on.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from conftest import ROOT
from tests import oracle

__all__ = ["runs"]


def runs(models: Sequence[bytes]) -> list[bool]:
    """Tell of each model whether LiteRT opens it, and runs it on inputs of 100.

    A model that kills the process counts as one that it refuses.
    """
    oracle.litert()
    results: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        for index, model in enumerate(models):
            Path(folder, f"{index:06}.tflite").write_bytes(model)
        while len(results) < len(models):
            command = [sys.executable, "-m", "tests.refusal", folder, str(len(results))]
            output = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
            lines = [line for line in output.stdout.splitlines() if line in ("runs", "refused")]
            results += [line == "runs" for line in lines]
            if len(results) < len(models):
                # Or the child would be started again and again for the same model.
                assert output.returncode, output.stderr
                results.append(False)
    return results


def main(folder: Path, first: int) -> None:
    """Print a line for each model."""
    for path in sorted(folder.iterdir())[first:]:
        try:
            runner = oracle.interpreter(path)
            with oracle.quiet():
                runner.allocate_tensors()
                for one in runner.get_input_details():
                    runner.set_tensor(one["index"], np.full(one["shape"], 100, one["dtype"]))
                runner.invoke()
        except (ValueError, RuntimeError):
            print("refused", flush=True)
        else:
            print("runs", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
