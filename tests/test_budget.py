"""Small files that want much: each question is answered, or refused with the size, within limits.

What is counted is calls and bytes, not seconds; `python -m tests.bombs` prints seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from tests import bombs, build, growth
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.work import TooMuch, measured

CALLS = 20_000_000
"""What Python does in about two seconds, for whatever file."""

SIZE = re.compile(r"\d[\d_,.]* ?([kKMGTPE]i?B|bytes?)\b")

COUNTED = list(bombs.BOMBS)[9::29]
"""Those of which more than opening is counted: counting takes many times as long as asking."""

LARGER = (
    "external_buffer_groups, name, one table",
    "metadata, name, tables",
    "subgraphs, name, one table",
    "tensors, name, one table",
    "tensors, scale and zero_point, parts",
)
"""Those of which a larger one is opened, too."""

PRODUCTS = {
    "strings under many shapes": 500,
    "values under many names": 700,
    "operators that share weights": 550,
    "tensors that share scales": 250,
}
"""Models in which things are shared by their index, and how many of each are made."""


def failures(path: Path, twice: bytes, questions: Iterable[str] = bombs.QUESTIONS) -> list[str]:
    """Ask questions, and say which were neither answered nor refused as they should be."""
    size, found = path.stat().st_size, []
    answers: dict[str, bombs.Answer] = {}

    def ask(question: str) -> None:
        answers[question] = bombs.ask(question, str(path))

    for question in questions:
        try:
            measured(lambda q=question: ask(q), CALLS, bombs.memory_limit(size))  # type: ignore[misc]
        except (TooMuch, Exception) as error:
            found.append(f"{question}: {type(error).__name__}: {error}")
            continue
        found += nameless(question, answers[question], path, twice)
        if question == "open" and answers[question].refused:
            # All that follows begins with opening; one command says whether it says so in a line.
            assert bombs.ask("show", str(path)).refused
            break
    return found


def nameless(question: str, answer: bombs.Answer, path: Path, twice: bytes) -> list[str]:
    """Give refusals that do not say how large it would have been, and what the limit is.

    What the same file with two uses in place of thousands refuses, too, has another reason.
    """
    silent = {what: text for what, text in answer.refused.items() if len(SIZE.findall(text)) < 2}
    if not silent:
        return []
    twin = path.with_name("twin.tflite")
    twin.write_bytes(twice)
    honest = bombs.ask(question, str(twin)).refused
    return [
        f"{question}, {what}: no two sizes in {text[:300]!r}"
        for what, text in silent.items()
        if what not in honest
    ]


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_one_thing_named_thousands_of_times(name: str, tmp_path: Path) -> None:
    """Where opening is not refused, a few questions are counted of a few; the rest is by hand."""
    path = tmp_path / "bomb.tflite"
    path.write_bytes(bombs.BOMBS[name].write(80_000, None))
    some = ("open", "properties", "show --json") if name in COUNTED else ("open",)
    assert not failures(path, bombs.BOMBS[name].write(200, 2), some)


@pytest.mark.parametrize("name", LARGER)
def test_larger_ones(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tflite"
    path.write_bytes(bombs.BOMBS[name].write(400_000, None))
    assert not failures(path, bombs.BOMBS[name].write(200, 2), ("open",))


@pytest.mark.parametrize("name", PRODUCTS)
def test_many_things_that_are_shared_by_many(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tflite"
    path.write_bytes(growth.MODELS[name](PRODUCTS[name]))
    assert 20_000 < path.stat().st_size < 130_000
    assert not failures(path, growth.MODELS[name](2), ("open", "show --json"))


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_one_thing_named_twice(name: str, tmp_path: Path) -> None:
    """Is no bomb: it is only how often that makes a file be refused."""
    path = tmp_path / "twice.tflite"
    path.write_bytes(bombs.BOMBS[name].write(200, 2))
    for question in ("open", "details", "show --json", "show --operators", "check"):
        assert not bombs.ask(question, str(path)).refused


def honest() -> tq.Model:
    """Give a model whose packed weights and custom options are larger when they are read."""
    packed = np.arange(40_000, dtype=np.uint32).astype(np.uint8).tobytes()
    weights = TensorSpec("w", (80_000,), tq.TensorType.INT4, packed, 0.5, 0)
    options = bombs.flexbuffer(1000)
    fields = {"custom_options": lambda b: b.CreateByteVector(options)}
    step = OperatorSpec(tflite.BuiltinOperator.CUSTOM, [0], [0], "c", fields=fields)
    return tq.open(build.model(SubgraphSpec([weights], [0], [0], [step])))


class TestAskingAgain:
    """A program that asks an honest model again and again, for days, is never refused."""

    model = honest()

    def test_data(self) -> None:
        tensor = self.model.tensors[0]
        assert sum(tensor.data.nbytes for _ in range(1500)) > 100_000_000

    def test_real_values(self) -> None:
        tensor = self.model.tensors[0]
        assert sum(tensor.dequantize().nbytes for _ in range(400)) > 100_000_000

    def test_custom_options(self) -> None:
        operator = self.model.operators[0]
        assert all(operator.custom_options for _ in range(200))

    def test_details_and_findings(self) -> None:
        for _ in range(200):
            assert len(self.model.get_tensor_details()) == 1
            assert tq.check(self.model) is not None
