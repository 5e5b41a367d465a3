"""Compares memory plans with TensorFlow Lite Micro's arena: `python -m tests.memory [FOLDER]`.

Prints how many models' heads are equal to the byte, and how many tails are within 10 %, of those
that the runtime prepares: every fixture, and every .tflite file under the folder.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import tflite_quant as tq
from conftest import FIXTURES
from tests import tflm

__all__ = ["Comparison", "comparisons", "extra", "wheel_arena"]

_WHEEL_POINTER = 8
_RECORDING = (104 - 72) + (272 - 72)
"""The wheel records what it allocates: RecordingSingleArenaBufferAllocator and
RecordingMicroAllocator are larger than what devices have."""
_COMPRESSION = 8
"""It can decompress: each subgraph's structure has one more pointer."""


class Comparison(NamedTuple):
    """What we say of a model, and what the runtime says."""

    name: str
    head: int
    their_head: int
    tail: int
    their_tail: int
    uncertain: int

    @property
    def is_near(self) -> bool:
        """Whether the tail is within 10 %."""
        return abs(self.tail - self.their_tail) <= self.their_tail / 10


def extra(subgraphs: int) -> int:
    """Give the bytes that the wheel's tail has more than that of devices."""
    return _RECORDING + _COMPRESSION * subgraphs


def wheel_arena(content: bytes) -> int:
    """Give what we say is the smallest arena for the wheel."""
    with tq.open(content) as model:
        plan = tq.memory_plan(model, pointer_bytes=_WHEEL_POINTER)
        return plan.arena_estimate + extra(len(model.subgraphs))


@lru_cache(2)
def comparisons(paths: tuple[Path, ...]) -> list[Comparison]:
    """Compare the models that the runtime prepares."""
    answers = tflm.answers([tflm.Job(path.read_bytes()) for path in paths])
    compared = []
    for path, answer in zip(paths, answers, strict=True):
        if not answer.was_prepared:
            continue
        with tq.open(path) as model:
            plan = tq.memory_plan(model, pointer_bytes=_WHEEL_POINTER)
            tail = plan.tail_estimate + extra(len(model.subgraphs))
        found = (plan.head, answer.head, tail, answer.tail, len(plan.uncertain))
        compared.append(Comparison(path.name, *found))
    return compared


def main(folder: str | None = None) -> None:
    """Print what differs, and the shares."""
    given = sorted(Path(folder).rglob("*.tflite")) if folder else []
    found = comparisons((*FIXTURES, *given))
    for each in found:
        if each.head != each.their_head:
            print(f"head {each.head:,}, TFLM {each.their_head:,}: {each.name}")
        if not each.is_near:
            print(f"tail {each.tail:,}, TFLM {each.their_tail:,}: {each.name}")
    heads = sum(each.head == each.their_head for each in found)
    tails = sum(each.is_near for each in found)
    print(f"{len(found)} models: {heads} heads equal, {tails} tails within 10 %")


if __name__ == "__main__":
    main(*sys.argv[1:])
