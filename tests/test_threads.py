"""Threads that share a model: each gets what one alone would get, whatever the others ask for.

Without a global interpreter lock, an object with hidden state that all of them use shows it here:
one `memoryview` of the file was found released now and then, since its count of exports is not kept
for more than one thread.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

import tflite_quant as tq
from conftest import ROOT
from tests.comparison import is_same
from tflite_quant.litert.analyzer import report

Questions = Callable[[tq.Model], list[Callable[[], object]]]

THREADS = 8
IS_FREE = not getattr(sys, "_is_gil_enabled", lambda: True)()
ROUNDS = 3
"""How often a model is opened and asked: what threads do at the same time is a matter of chance."""
READINGS = 40 if IS_FREE else 3
"""The same for what takes little time."""

FIXTURES = ("residual_int8", "blockwise_int4", "sparse_int8", "strings")


def questions(model: tq.Model) -> list[Callable[[], object]]:
    """Give questions whose answers can be compared, about all there is in a model."""
    asked: list[Callable[[], object]] = [
        model.get_tensor_details,
        lambda: str(model.summary()),
        lambda: str(tq.check(model)),
        lambda: report(model),
        lambda: tq.c_header(model, tensors=["*"]),
        lambda: [repr(signature) for signature in model.signatures],
        lambda: [(entry.name, entry.data) for entry in model.metadata],
    ]
    for tensor in model.tensors:
        asked += [partial(_facts, tensor), partial(_data, tensor), partial(_real, tensor)]
    asked += [partial(_operator, operator) for operator in model.operators]
    return asked


def reads(model: tq.Model) -> list[Callable[[], object]]:
    """Give the questions that are answered with what lies in the file, and little work."""
    asked: list[Callable[[], object]] = [partial(getattr, one, "data") for one in model.buffers]
    asked += [partial(getattr, tensor, "name") for tensor in model.tensors]
    return asked + [partial(getattr, operator, "custom_data") for operator in model.operators]


def _facts(tensor: tq.Tensor) -> object:
    scheme = tensor.quantization
    shapes = [tensor.shape, tensor.shape_signature]
    scales = getattr(scheme, "scales", None)
    return [tensor.name, tensor.type, *shapes, repr(tensor.buffer), repr(scheme), scales]


def _data(tensor: tq.Tensor) -> object:
    return [tensor.stored, tensor.data]


def _real(tensor: tq.Tensor) -> object:
    return tensor.dequantize()


def _operator(operator: tq.Operator) -> object:
    operands = [repr(operator.inputs), repr(operator.outputs), repr(operator.intermediates)]
    options = [operator.options_name, dict(operator.options), operator.custom_options]
    return [operator.name, operator.version, *operands, *options]


def answer(ask: Callable[[], object]) -> object:
    """Give what is answered, or which of our errors says why nothing is."""
    try:
        return ask()
    except tq.TFLiteError as error:
        return type(error), str(error)


@pytest.fixture(autouse=True)
def _often() -> Iterator[None]:
    """Where there is one lock for all threads, let it change hands as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("name", FIXTURES)
@pytest.mark.parametrize(
    ("ask", "rounds", "times"), [(questions, ROUNDS, 1), (reads, READINGS, 10)]
)
def test_all_get_the_same_answers(name: str, ask: Questions, rounds: int, times: int) -> None:
    path = ROOT / f"fixtures/{name}.tflite"
    with tq.open(path) as alone:
        expected = [answer(question) for question in ask(alone)]
    for _ in range(rounds):
        # Anew each time: what is made when it is first asked for is asked for by all at once.
        with tq.open(path) as model:
            assert differing(model, ask, expected, times) == []


def test_all_get_the_same_objects() -> None:
    """Not some that another thread made at the same time: they are looked up by what they are."""
    path = ROOT / "fixtures/residual_int8.tflite"
    for _ in range(30):
        with tq.open(path) as model:
            parts = together(lambda _, model=model: objects(model))  # type: ignore[misc]
            assert len({id(part) for part in parts}) == len(parts) / THREADS


def objects(model: tq.Model) -> list[object]:
    """Give one object of each kind; those that an operator has are not those of the model."""
    operator = model.operators[1]
    return [model.subgraphs[0], model.tensors[3], model.buffers[2], operator, operator.outputs[0]]


def differing(model: tq.Model, ask: Questions, expected: list[object], times: int) -> list[object]:
    """Let threads ask all questions at once; give the answers that are not the expected ones."""
    step = max(1, len(expected) // THREADS)

    def ask_all(thread: int) -> list[object]:
        asked, first = ask(model), step * thread
        # Each begins elsewhere, so that all kinds of questions are asked at one time.
        places = (*range(first, len(asked)), *range(first)) * times
        answers = ((at, answer(asked[at])) for at in places)
        return [found for at, found in answers if not is_same(found, expected[at])]

    return together(ask_all)


def together(work: Callable[[int], list[object]]) -> list[object]:
    """Let threads work at once; give what all of them give, and their errors."""
    barrier, results = threading.Barrier(THREADS), list[object]()

    def run(thread: int) -> None:
        barrier.wait()
        try:
            results.extend(work(thread))
        except BaseException as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return results
