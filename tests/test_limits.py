"""The one budget of what may be made of a file."""

from __future__ import annotations

import pytest

from tflite_quant.errors import CorruptModelError
from tflite_quant.format import schema
from tflite_quant.format.budget import (
    ALWAYS,
    DENSE_PER_BYTE,
    FIELD_COST,
    PER_BYTE,
    TABLE_COST,
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
def test_a_table_costs_what_its_columns_and_its_object_take(layout: Layout) -> None:
    """At least what numpy needs for it: three columns of 8 bytes for each field."""
    assert layout.cost == TABLE_COST + FIELD_COST * len(layout.fields)
    assert layout.cost >= 24 * len(layout.fields)


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
    ],
)
def test_readable(count: int, text: str) -> None:
    assert readable(count) == text
