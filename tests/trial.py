"""Tries models that no converter writes: `python -m tests.trial [--seconds N] [--seed N]`.

Each model of tests/generator.py is asked every question and given to every command, where warnings
are errors, within the limits that SECURITY.md promises. What fails is made again from fewer and
smaller numbers, and kept in tests/crashes, where every test run tries it again.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import random
import re
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tflite_quant as tq
from conftest import ROOT
from tests.bombs import limit_memory
from tests.everything import ARRAYS, interpret, questions
from tests.generator import Choices, Made, generated
from tests.work import TooMuch
from tflite_quant.command.cli import main as command

__all__ = ["Failure", "failures"]

SECONDS = 2.0
"""What a question may take, for a file of up to a megabyte."""
_OF_A_REPORT = 6
"""How many questions a report asks: the plan, the cost, the check, the comparison and so on."""
_ENOUGH = 20
"""Seconds after which a question is given up."""
_COMMANDS = (
    ("show",), ("show", "--json"), ("show", "--operators"), ("show", "--tensor", "0"),
    ("show", "--tensor", "0", "--json"), ("show", "--format", "csv"),
    ("show", "--format", "markdown", "--operators"), ("check",), ("check", "--format", "json"),
    ("check", "--format", "sarif"), ("check", "--format", "github"),
    ("check", "--verbose", "--target", "tflm"), ("check", "--target", "litert"),
    ("analyze",), ("header",),
    ("header", "--tensors", "*", "--model"), ("records",), ("records", "--models"),
    ("records", "--operators", "--format", "jsonl"),
    ("compare", "."), ("compare", ".", "--format", "json"),
    ("compare", ".", "--format", "csv"), ("compare", ".", "--format", "model-explorer"),
    ("compare", ".", "--fail-under", "20", "--format", "markdown"),
    ("compare", ".", "--tensor", "*"), ("report",), ("report", "--reference", "."),
)  # fmt: skip
_OBEYED = re.compile(r"^[ \t]*::[A-Za-z-]+.*::|##[A-Za-z]*\[", re.M)
"""What CI systems take for a command."""
_ANNOTATION = re.compile(r"^::(?:error|warning|notice) file=[^:]*,title=\w+::", re.M)
"""What `check --format github` is to write."""


@dataclass(frozen=True)
class Failure:
    """A question that was neither answered nor refused as it should be."""

    question: str
    fault: str
    detail: str

    @property
    def kind(self) -> tuple[str, str]:
        """What stays the same when the model is made smaller."""
        return self.question, self.fault


@dataclass
class Tally:
    """What came of the models of one theme; seconds, and bytes beside the file's size."""

    tried: int = 0
    opened: int = 0
    asked: int = 0
    slowest: tuple[float, str, int] = (0.0, "", 0)
    largest: tuple[int, str, int] = (0, "", 0)
    failed: set[tuple[str, str]] = field(default_factory=set)


def failures(content: bytes, folder: Path, tally: Tally, with_memory: bool) -> Iterator[Failure]:
    """Ask a model everything, and say what is not as promised.

    Parameters
    ----------
    folder : Path
        Where the model is written; the files that it may name lie there.
    with_memory : bool
        Count bytes. Time is not looked at then, since counting takes longer than asking.
    """
    path = folder / "model.tflite"
    path.write_bytes(content)
    tally.tried += 1

    def asked(name: str, ask: Callable[[], object]) -> Iterator[Failure]:
        tally.asked += 1
        yield from _asked(name, ask, len(content), tally, with_memory)

    opened: list[tq.Model] = []
    yield from asked("open", lambda: opened.append(tq.open(path)))
    for model in opened:
        tally.opened += 1
        for name, ask in questions(model, 30):
            yield from asked(name, ask)
        yield from asked("Interpreter", lambda: interpret(content))
    for arguments in _COMMANDS if opened else (("show",), ("check",)):
        yield from asked(" ".join(arguments), lambda given=arguments: _run(given, path))  # type: ignore[misc]


def _asked(
    name: str, ask: Callable[[], object], size: int, tally: Tally, with_memory: bool
) -> Iterator[Failure]:
    """Ask one question within the limits."""
    found = None
    signal.setitimer(signal.ITIMER_PROF, _ENOUGH)
    if with_memory:
        tracemalloc.start()
    start = time.process_time()
    try:
        ask()
    except tq.TFLiteError:
        pass
    except TooMuch:
        found = Failure(name, "too slow", f"given up after {_ENOUGH} s")
    except Exception as error:
        found = Failure(name, type(error).__name__, str(error)[:300])
    finally:
        seconds = time.process_time() - start
        signal.setitimer(signal.ITIMER_PROF, 0)
        peak = tracemalloc.get_traced_memory()[1] if with_memory else 0
        tracemalloc.stop()
    if found is None and name not in ARRAYS and "--tensor 0" not in name:
        found = _over_a_limit(name, seconds, peak, size, tally, with_memory)
    if found is not None:
        yield found


def _over_a_limit(
    name: str, seconds: float, peak: int, size: int, tally: Tally, with_memory: bool
) -> Failure | None:
    """Note what a question took, and say if it was too much."""
    limit = 64_000_000 + 20 * size
    if with_memory:
        tally.largest = max(tally.largest, (peak, name, size))
        return Failure(name, "too large", f"{peak:_} B, limit {limit:_}") if peak > limit else None
    tally.slowest = max(tally.slowest, (seconds, name, size))
    most = SECONDS * (_OF_A_REPORT if "report" in name else 1)
    is_slow = seconds > most and size <= 1_000_000
    return Failure(name, "too slow", f"{seconds:.1f} s") if is_slow else None


class _Watched(io.TextIOBase):
    """Checks what is printed, and keeps no more than a piece of it."""

    def __init__(self, is_github: bool = False) -> None:
        self.kept, self.fault, self.is_github = "", "", is_github

    def write(self, text: str) -> int:
        """Look for what a terminal or a CI system would obey."""
        self.kept = self.kept[self.kept.rfind("\n", 0, -300) + 1 :] + text
        seen = _ANNOTATION.sub("", self.kept) if self.is_github else self.kept
        if not text.replace("\n", "").isprintable() or _OBEYED.search(seen):
            self.fault = self.fault or repr(self.kept[-300:])
        return len(text)

    def writable(self) -> bool:
        """Say yes."""
        return True


def _run(arguments: Sequence[str], path: Path) -> None:
    """Run the command in this process."""
    output, errors = _Watched("github" in arguments), _Watched()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        given = [str(path) if argument == "." else argument for argument in arguments[1:]]
        status = command([arguments[0], str(path), *given])
    may_find = arguments[0] in ("check", "compare")
    assert status in (0, 2) or (status == 1 and may_find), (status, errors.kept)
    assert not output.fault, output.fault
    assert not errors.fault, errors.fault
    assert status != 2 or errors.kept.count("\n") == 1, errors.kept


@contextlib.contextmanager
def a_folder() -> Iterator[Path]:
    """Give a folder with the files that models name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "weights.bin").write_bytes(bytes(range(64)))
        (folder / "folder").mkdir()
        if hasattr(os, "mkfifo"):
            os.mkfifo(folder / "pipe")
        yield folder


def smallest(choices: Sequence[int], kind: tuple[str, str], folder: Path, seconds: float) -> Made:
    """Make a model from fewer and smaller numbers that fails in the same way."""
    end = time.perf_counter() + seconds

    def fails(given: Sequence[int]) -> list[int] | None:
        choices = Choices(lambda _: 0, given)
        content = generated(choices).content
        found = failures(content, folder, Tally(), kind[1] == "too large")
        return choices.made if any(one.kind == kind for one in found) else None

    best = list(choices)
    step = len(best)
    while step and time.perf_counter() < end:
        start, changed = 0, False
        while start < len(best) and time.perf_counter() < end:
            part = best[start : start + step]
            trials = [best[:start] + best[start + step :]]
            if any(part):
                trials.append(best[:start] + [0] * len(part) + best[start + step :])
            made = next((found for given in trials if (found := fails(given))), None)
            if made is not None and (len(made), sum(made)) < (len(best), sum(best)):
                best, changed = made, True
            else:
                start += step
        step = step if changed and step == 1 else step // 2
    return generated(Choices(lambda _: 0, best))


def main() -> None:
    """Try models, and print what came of them."""
    parser = argparse.ArgumentParser("python -m tests.trial", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("error")

    def give_up(*_: object) -> None:
        raise TooMuch

    signal.signal(signal.SIGPROF, give_up)
    limit_memory()
    r, end = random.Random(options.seed), time.perf_counter() + options.seconds
    tallies: dict[str, Tally] = defaultdict(Tally)
    seen: set[tuple[str, str]] = set()
    with a_folder() as folder:
        while time.perf_counter() < end:
            choices = Choices(r.randrange)
            made = generated(choices)
            tally = tallies[made.theme]
            for failure in failures(made.content, folder, tally, r.random() < 0.1):
                tally.failed.add(failure.kind)
                if failure.kind not in seen:
                    seen.add(failure.kind)
                    keep(failure, made.theme, smallest(choices.made, failure.kind, folder, 60))
    report(tallies)


def keep(failure: Failure, theme: str, made: Made) -> None:
    """Keep a model that fails, and say what it does."""
    name = f"generated_{hashlib.sha256(made.content).hexdigest()[:12]}.tflite"
    (ROOT / "tests" / "crashes" / name).write_bytes(made.content)
    print(
        f"{theme}: {failure.question}: {failure.fault}: {failure.detail}\n  {name}",
        file=sys.stderr,
        flush=True,
    )


def report(tallies: dict[str, Tally]) -> None:
    """Print a line for each theme."""
    print(
        f"{'theme':12} {'tried':>7} {'opened':>7} {'questions':>9} {'failed':>6}  slowest, largest"
    )
    for theme, tally in sorted(tallies.items()):
        (seconds, slow, size), (peak, large, of) = tally.slowest, tally.largest
        print(
            f"{theme:12} {tally.tried:7} {tally.opened:7} {tally.asked:9} {len(tally.failed):6}  "
            f"{seconds:.2f} s {slow} of {size:_} B, {peak / 1e6:.1f} MB {large} of {of:_} B"
        )


if __name__ == "__main__":
    main()
