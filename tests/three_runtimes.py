"""Runs many small models with LiteRT's reference and default kernels, and with TFLM.

LiteRT runs in a child process, since some models kill it:
`python -m tests.three_runtimes KIND JOBS ANSWERS FIRST TIMES` answers for the jobs in a file from
the n-th on.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from conftest import ROOT
from tests import oracle, tflm

__all__ = ["DELEGATE", "RUNTIMES", "Job", "Outputs", "answers"]

RUNTIMES = ("reference", "default", "micro")
"""LiteRT's reference kernels, LiteRT's default kernels, TensorFlow Lite Micro."""

DELEGATE = "delegate"
"""LiteRT as it runs unless told otherwise: with XNNPACK."""

Job = tuple[bytes, Sequence[NDArray[Any]]]
"""A model and its inputs."""

Outputs = list[NDArray[Any]] | None
"""What came out; None if the runtime refuses the model, or dies of it."""


def answers(
    runtime: str, jobs: Sequence[Job], times: int = 1, arena: int = 200_000
) -> list[Outputs]:
    """Run models with one of `RUNTIMES`, or with `DELEGATE`.

    Parameters
    ----------
    runtime : str
    jobs : sequence of Job
    times : int
        How often to run each on its inputs: what it keeps from run to run changes its outputs.
    arena : int
        Bytes of memory that TFLM has.
    """
    if runtime == "micro":
        given = [tflm.Job(model, inputs, times=times, arena=arena) for model, inputs in jobs]
        return [None if one.refusal else one.outputs for one in tflm.answers(given)]
    oracle.litert()
    found: list[Outputs] = []
    with tempfile.TemporaryDirectory() as folder:
        given_path, made = Path(folder, "jobs"), Path(folder, "answers")
        given_path.write_bytes(pickle.dumps(list(jobs)))
        while len(found) < len(jobs):
            made.write_bytes(b"")
            arguments = [runtime, str(given_path), str(made), str(len(found)), str(times)]
            command = [sys.executable, "-m", "tests.three_runtimes", *arguments]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            found += tflm.pickled(made)
            if len(found) < len(jobs):
                # Or the child would be started again and again for a fault of this module.
                assert done.returncode < 0, done.stderr.decode(errors="replace")
                found.append(None)
    return found


def _run(runtime: str, job: Job, times: int) -> Outputs:
    model, inputs = job
    kinds = {"reference": runtime == "reference", "delegate": runtime == DELEGATE}
    try:
        runner = oracle.interpreter(model, **kinds)
        runner.allocate_tensors()
        details = runner.get_input_details()
        for _ in range(times):
            for one, values in zip(details, inputs, strict=True):
                runner.set_tensor(one["index"], values)
            runner.invoke()
        return [runner.get_tensor(one["index"]) for one in runner.get_output_details()]
    except (ValueError, RuntimeError):
        return None


def main(runtime: str, given: str, made: str, first: int, times: int) -> None:
    """Run jobs from the n-th on, and write each answer as soon as it is there."""
    jobs = pickle.loads(Path(given).read_bytes())
    oracle.litert()
    with oracle.quiet():
        tflm.run_each(lambda job: _run(runtime, job, times), jobs, Path(made), first, None)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
