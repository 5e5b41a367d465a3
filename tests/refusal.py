"""Asks LiteRT in another process whether it runs models: some kill it.

`python -m tests.refusal JOBS FIRST` prints a line for each model from the n-th on.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conftest import ROOT
from tests import oracle

__all__ = ["Inputs", "reasons", "runs"]

Inputs = Sequence[NDArray[Any] | None]
"""What to feed a model with; None leaves an input as it is."""


def runs(models: Sequence[bytes]) -> list[bool]:
    """Tell of each model whether LiteRT opens it, and runs it on inputs of 100.

    A model that kills the process counts as one that it refuses.
    """
    return [not reason for reason in reasons(models)]


def reasons(
    models: Sequence[bytes],
    inputs: Sequence[Inputs] | None = None,
    **kernels: bool,
) -> list[str]:
    """Tell why LiteRT refuses each model; "" where it runs it.

    Parameters
    ----------
    inputs : sequence of Inputs, optional
        For each model; by default all values are 100.
    **kernels
        Which kernels to ask, in the words of `oracle.interpreter`.
    """
    oracle.litert()
    results: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        jobs = Path(folder, "jobs")
        jobs.write_bytes(pickle.dumps((list(models), inputs, kernels)))
        while len(results) < len(models):
            command = [sys.executable, "-m", "tests.refusal", str(jobs), str(len(results))]
            output = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
            lines = [line for line in output.stdout.splitlines() if line.startswith('"')]
            results += map(json.loads, lines)
            if len(results) < len(models):
                # Or the child would be started again and again for the same model.
                assert output.returncode < 0, output.stderr
                results.append(f"the process ended: {output.returncode}")
    return results


def main(jobs: Path, first: int) -> None:
    """Print a line for each model."""
    models, inputs, kernels = pickle.loads(jobs.read_bytes())
    for index, model in list(enumerate(models))[first:]:
        try:
            _run(model, None if inputs is None else inputs[index], kernels)
        except (ValueError, RuntimeError) as error:
            print(json.dumps(str(error) or "refused"), flush=True)
        else:
            print('""', flush=True)


def _run(model: bytes, inputs: Inputs | None, kernels: Mapping[str, bool]) -> None:
    runner = oracle.interpreter(model, **kernels)
    with oracle.quiet():
        runner.allocate_tensors()
        details = runner.get_input_details()
        given = inputs or [np.full(one["shape"], 100, one["dtype"]) for one in details]
        for one, values in zip(details, given, strict=True):
            if values is not None:
                runner.set_tensor(one["index"], values)
        runner.invoke()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
