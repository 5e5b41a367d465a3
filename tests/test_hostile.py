"""Bytes from strangers: whatever is changed in a model, a result or a `TFLiteError` comes out."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest

import tflite_quant as tq
from conftest import FIXTURES
from tflite_quant import plain
from tflite_quant.analyzer import report

SMALL = [path.read_bytes() for path in FIXTURES if path.stat().st_size < 60_000]
WORDS = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def bit(content: bytearray, at: int, r: random.Random) -> None:
    content[at] ^= 1 << r.randrange(8)


def word(content: bytearray, at: int, r: random.Random) -> None:
    """Change what may be an offset, a length, an index."""
    value = r.choice((*WORDS, len(content), r.randrange(2**32), r.randrange(64)))
    content[at & ~3 : (at & ~3) + 4] = value.to_bytes(4, "little")


def half(content: bytearray, at: int, r: random.Random) -> None:
    """Change what may be the size or an entry of a vtable."""
    value = r.choice((0, 4, 6, 8, 0xFFFF, r.randrange(65536)))
    content[at & ~1 : (at & ~1) + 2] = value.to_bytes(2, "little")


def spliced(content: bytearray, at: int, r: random.Random) -> None:
    """Put bytes of one place at another."""
    other = r.randrange(len(content)) & ~3
    content[at & ~3 : (at & ~3) + 4] = content[other : other + 4]


def cut(content: bytearray, at: int, r: random.Random) -> None:
    del content[at:]


CHANGES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    bit, word, half, spliced, word, half, spliced, bit, cut
)  # fmt: skip


def ask_everything(model: tq.Model) -> None:
    """Ask all there is to ask; each question may be refused, with one of our errors."""
    asks: list[Callable[[], object]] = [
        model.summary,
        lambda: report(model),
        lambda: tq.check(model),
        lambda: plain.model_data(model, model.subgraphs),
        lambda: (model.signatures, model.metadata, model.buffers),
    ]
    for graph in model.subgraphs:
        asks.append(lambda graph=graph: model.get_tensor_details(graph.index))  # type: ignore[misc]
        for tensor in graph.tensors:
            asks += [tensor.dequantize, tensor.__repr__]
            asks += [
                lambda t=tensor, name=name: getattr(t, name)  # type: ignore[misc]
                for name in ("data", "stored", "sparsity", "nbytes")
            ]
        for operator in graph.operators:
            asks += [
                lambda o=operator, name=name: getattr(o, name)  # type: ignore[misc]
                for name in ("options", "custom_options", "name", "inputs")
            ]
    for ask in asks:
        with contextlib.suppress(tq.TFLiteError):
            ask()


@pytest.mark.parametrize("seed", range(30))
def test_changed_models(seed: int) -> None:
    r = random.Random(seed)
    opened = 0
    for _ in range(60):
        content = bytearray(r.choice(SMALL))
        for _ in range(r.choice((1, 1, 1, 2, 3, 8))):
            if content:
                r.choice(CHANGES)(content, r.randrange(len(content)), r)
        with contextlib.suppress(tq.TFLiteError):
            model = tq.open(bytes(content))
            opened += 1
            ask_everything(model)
    # Or the changes would be so coarse that nothing is ever asked.
    assert opened > 5
