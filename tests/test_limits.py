"""The one budget of what may be made of a file."""

from __future__ import annotations

import tracemalloc

import pytest

import tflite_quant as tq
from tflite_quant.errors import CorruptModelError
from tflite_quant.format import schema
from tflite_quant.format.budget import (
    ALWAYS,
    DENSE_PER_BYTE,
    PER_BYTE,
    Budget,
    readable,
)
from tflite_quant.format.flatbuffer import Layout


@pytest.mark.parametrize("per_byte", [PER_BYTE, DENSE_PER_BYTE])
@pytest.mark.parametrize("size", [0, 1, 1000])
def test_all_of_the_limit_may_be_spent_and_no_byte_more(size: int, per_byte: int) -> None:
    budget = Budget(size, per_byte)
    budget.spend(ALWAYS, "one thing")
    budget.spend(per_byte * size, "another")
    assert not budget.is_spent
    with pytest.raises(CorruptModelError, match=r"^a third would take .* from a file of "):
        budget.spend(1, "a third")
    assert budget.is_spent


def test_what_was_refused_stays_charged() -> None:
    """So that who goes on after a refusal cannot make the rest, piece by piece."""
    budget = Budget(0)
    for _ in range(2):
        with pytest.raises(CorruptModelError, match="limit: 67.1 MB"):
            budget.spend(ALWAYS + 1, "much")
    with pytest.raises(CorruptModelError, match="little would take 134 MB from a file of 0 bytes"):
        budget.spend(0, "little")


@pytest.mark.parametrize("layout", [schema.MODEL, schema.TENSOR, schema.BUFFER])
def test_a_table_costs_what_its_columns_take(layout: Layout) -> None:
    """At least what numpy needs for it: three columns of 8 bytes for each field."""
    assert layout.cost >= 24 * len(layout.fields)


def test_an_honest_model_is_charged_what_it_takes_and_stays_within_its_own_bytes() -> None:
    """Not the 64 MiB that any file has: so a model of any number of tensors opens."""
    pytest.importorskip("ai_edge_litert", reason="the benchmarks that make the model import it")
    from benchmarks import details  # noqa: PLC0415

    content = details.layers(500)
    tracemalloc.start()
    try:
        model = tq.open(content)
        kept = [model.tensors, model.operators, [dict(step.options) for step in model.operators]]
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(kept) == 3
    assert taken < model.structure.file.budget.spent < PER_BYTE * len(content)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (2, "2 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (1004, "1 kB"),
        (1234, "1.23 kB"),
        (999_499, "999 kB"),
        (10**6, "1 MB"),
        (10**9, "1 GB"),
        (10**12, "1 TB"),
        (123_400_000, "123 MB"),
        (10**15 - 1, "1,000 TB"),
        (10**15, "over 1,000 TB"),
        (10**600, "over 1,000 TB"),
    ],
)
def test_readable(count: int, text: str) -> None:
    assert readable(count) == text
