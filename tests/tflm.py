"""TensorFlow Lite Micro itself, the runtime of microcontrollers.

It prints to standard error and may abort, so it runs in a child process.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conftest import ROOT
from tests import oracle

__all__ = ["Answer", "Job", "answer", "answers", "main", "pickled", "random_inputs", "run_each"]

_ARENA = 64_000_000
_ABORTED = "the process ended"
_SIZES = re.compile(r"Arena allocation (head|tail) (\d+) bytes")
_USES = re.compile(r"'(.+)' used (\d+) bytes")


@dataclass(frozen=True)
class Job:
    """A model to prepare and, if there are inputs, to run.

    Parameters
    ----------
    inputs : sequence of ndarray, optional
        The values of the model's inputs; None leaves one as it is. Without them the model is
        prepared, and not run.
    seed : int, optional
        Make random inputs instead.
    times : int
        How often to run it.
    arena : int
        Bytes for tensors and what the runtime makes of them.
    """

    model: bytes
    inputs: Sequence[NDArray[Any] | None] | None = None
    seed: int | None = None
    times: int = 1
    arena: int = _ARENA


@dataclass(frozen=True)
class Answer:
    """What came of a job.

    Parameters
    ----------
    refusal : str
        What TFLM printed, if it refuses the model; empty if it runs it.
    was_prepared : bool
        False if TFLM refuses the model before it runs it.
    inputs, outputs : list of ndarray
        The values that went in, and came out.
    input_details, output_details : list of dict
        Their shape, dtype and quantization, as TFLM has them.
    head, tail : int
        Bytes of the arena: of activations and scratch memory; of all else.
    uses : mapping of str to int
        What the tail is used for, in the runtime's words, in bytes.
    """

    refusal: str
    was_prepared: bool
    inputs: list[NDArray[Any]]
    outputs: list[NDArray[Any]]
    head: int
    tail: int
    uses: Mapping[str, int] = field(default_factory=dict)
    input_details: list[dict[str, Any]] = field(default_factory=list)
    output_details: list[dict[str, Any]] = field(default_factory=list)


def answer(model: bytes | Path, *inputs: NDArray[Any], seed: int | None = None) -> Answer:
    """Run one model; skip the test where TFLM has no wheel."""
    content = model if isinstance(model, bytes) else model.read_bytes()
    return answers([Job(content, inputs or None, seed)])[0]


def answers(jobs: Sequence[Job]) -> list[Answer]:
    """Run models one after another; a model that ends the process is refused."""
    oracle.package("tflite_micro")
    found: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "jobs"), Path(folder, "answers")
        given.write_bytes(pickle.dumps(list(jobs)))
        while len(found) < len(jobs):
            made.write_bytes(b"")
            code = f"from tests import tflm; tflm.main({str(given)!r}, {str(made)!r}, {len(found)})"
            command = [sys.executable, "-c", code]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            found += pickled(made)
            if len(found) < len(jobs):
                # A fault of this module is no answer.
                assert done.returncode < 0, done.stderr.decode(errors="replace")
                found.append(Answer(f"{_ABORTED}: {done.returncode}", False, [], [], 0, 0))
    return found


def random_inputs(
    details: Sequence[tuple[Sequence[int], Any]], seed: int | None
) -> list[NDArray[Any]]:
    """Make inputs of some shapes and dtypes: the same ones for the same seed, any value likely."""
    random = np.random.default_rng(seed)
    made: list[NDArray[Any]] = []
    for shape, dtype in details:
        kind = np.dtype(dtype)
        if kind.kind in "iu":
            info = np.iinfo(kind)
            made.append(random.integers(info.min, info.max, shape, kind, endpoint=True))
        elif kind.kind == "b":
            made.append(random.integers(0, 2, shape).astype(kind))
        else:
            made.append(random.standard_normal(shape).astype(kind))
    return made


def pickled(path: Path) -> list[Any]:
    """Read the answers that a child wrote before it ended."""
    read: list[Any] = []
    with path.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
        while True:
            read.append(pickle.load(file))
    return read


@contextlib.contextmanager
def _standard_error() -> Iterator[Any]:
    """Collect what C++ code prints."""
    saved = os.dup(2)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield file
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def _printed(file: Any) -> str:
    file.seek(0)
    text: str = file.read()
    return text


def _run(job: Job) -> Answer:
    """Run a job in this process."""
    runtime: Any = oracle.package("tflite_micro.python.tflite_micro.runtime")
    with _standard_error() as file:
        try:
            interpreter = runtime.Interpreter.from_bytes(job.model, arena_size=job.arena)
        except Exception as error:
            return Answer(f"{error}: {_printed(file)}", False, [], [], 0, 0)
        interpreter.print_allocations()
        said = _printed(file)
    sizes = {which: int(count) for which, count in _SIZES.findall(said)}
    uses = {what: int(count) for what, count in _USES.findall(said)}
    with _standard_error() as file:
        given = list(_each(interpreter.get_input_details))
        produced = list(_each(interpreter.get_output_details))
        inputs: Sequence[NDArray[Any] | None] = []
        outputs: list[NDArray[Any]] = []
        refusal = ""
        if job.inputs is not None or job.seed is not None:
            try:
                inputs = _inputs(given, job)
                for _ in range(job.times):
                    for index, values in enumerate(inputs):
                        if values is not None:
                            interpreter.set_input(values, index)
                    interpreter.invoke()
                outputs = list(_each(interpreter.get_output))
            except Exception as error:
                refusal = f"{error}: {_printed(file)}"
    head, tail = sizes["head"], sizes["tail"]
    fed = [values for values in inputs if values is not None]
    return Answer(refusal, True, fed, outputs, head, tail, uses, given, produced)


def _inputs(details: Sequence[Mapping[str, Any]], job: Job) -> Sequence[NDArray[Any] | None]:
    if job.inputs is not None:
        return list(job.inputs)
    return random_inputs([(one["shape"], one["dtype"]) for one in details], job.seed)


def _each(ask: Any) -> Iterator[Any]:
    """Yield what is given for 0, 1, 2, … until there is no more."""
    index = 0
    while True:
        try:
            yield ask(index)
        except IndexError:
            return
        index += 1


def main(jobs: str, made: str, first: int) -> None:
    """Run jobs from the n-th on, in this process, and write each answer as soon as it is there."""
    aborted = Answer(_ABORTED, False, [], [], 0, 0)
    run_each(_run, pickle.loads(Path(jobs).read_bytes()), Path(made), first, aborted)


def run_each(
    run: Callable[[Any], Any], jobs: Sequence[Any], made: Path, first: int, aborted: Any
) -> None:
    """Write what a function gives for each job from the n-th on; `aborted` if it ends the process.

    A fork runs them, since it takes long to start this module anew for each that does.
    """
    done = first
    while done < len(jobs):
        child = os.fork() if hasattr(os, "fork") else 0
        if not child:
            with made.open("ab") as file:
                for job in jobs[done:]:
                    pickle.dump(run(job), file)
                    file.flush()
            if not hasattr(os, "fork"):
                return
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            # A fault of the function, which has been printed.
            sys.exit(1)
        done = first + len(pickled(made))
        if done < len(jobs):
            with made.open("ab") as file:
                pickle.dump(aborted, file)
            done += 1
