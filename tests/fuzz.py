"""Tries changed models for as long as one likes: `python -m tests.fuzz [--seconds N] [--seed N]`.

Of each kind of change it counts the models, those that could be opened, and the exceptions that
are none of ours, and gives the worst time and memory beside the file's size. A model that fails is
kept in tests/crashes, where every test run tries it again.

With `--atheris`, package atheris (pip install atheris; Linux, Python 3.11) looks for inputs that
reach new code instead, starting from the fixtures: `python -m tests.fuzz --atheris [-runs=N ...]`;
what follows goes to libFuzzer.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
import time
import tracemalloc
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from conftest import FIXTURES, ROOT
from tests.everything import ask_everything
from tests.mutation import Mutant, mutant

CRASHES = ROOT / "tests" / "crashes"


@dataclass
class Tally:
    """What came of one kind of change; times in seconds, memory in bytes."""

    tried: int = 0
    opened: int = 0
    failed: int = 0
    slowest: tuple[float, int] = (0.0, 1)
    largest: tuple[int, int] = (0, 1)


def main() -> None:
    """Try models, and print what came of them."""
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    options, others = parser.parse_known_args()
    if options.atheris:
        with_atheris(others)
        return
    r = random.Random(options.seed)
    tallies: dict[str, Tally] = defaultdict(Tally)
    end = time.perf_counter() + options.seconds
    while time.perf_counter() < end:
        made = mutant(lambda limit: r.randrange(max(limit, 1)))
        attempt(made, tallies[made.kind], with_memory=r.random() < 0.1)
    report(tallies)


def attempt(made: Mutant, tally: Tally, with_memory: bool) -> None:
    """Ask a changed model everything, and note what came of it."""
    size = len(made.content) or 1
    tally.tried += 1
    if with_memory:
        tracemalloc.start()
    start = time.perf_counter()
    try:
        tally.opened += ask_everything(made.content)
    except Exception as error:
        tally.failed += 1
        keep(made.content)
        print(f"{made.kind}: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        seconds = time.perf_counter() - start
        if with_memory:
            # Tracing takes time, so that only memory counts here.
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            tally.largest = max(tally.largest, (peak, size), key=lambda one: one[0] / one[1])
        else:
            tally.slowest = max(tally.slowest, (seconds, size), key=lambda one: one[0])


def keep(content: bytes) -> None:
    """Keep a model that fails."""
    name = hashlib.sha256(content).hexdigest()[:16]
    (CRASHES / f"{name}.tflite").write_bytes(content)


def report(tallies: dict[str, Tally]) -> None:
    """Print a line for each kind of change."""
    print(f"{'change':14} {'tried':>8} {'opened':>8} {'failed':>6}  slowest          most memory")
    for kind, tally in sorted(tallies.items()):
        (seconds, slow), (peak, large) = tally.slowest, tally.largest
        print(
            f"{kind:14} {tally.tried:8} {tally.opened:8} {tally.failed:6}  "
            f"{seconds * 1e3:.0f} ms of {slow:_} B  {peak / large:.0f} times {large:_} B"
        )


def with_atheris(arguments: list[str]) -> None:
    """Let atheris look for inputs; its corpus begins with the fixtures."""
    import atheris  # noqa: PLC0415  # not for every platform

    def one(content: bytes) -> None:
        try:
            ask_everything(content)
        except Exception:
            keep(content)
            raise

    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as corpus:
        for path in FIXTURES:
            Path(corpus, path.name).write_bytes(path.read_bytes())
        atheris.Setup([sys.argv[0], *arguments, corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
