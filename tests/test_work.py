"""Nothing is quadratic: ten times the model takes about ten times the work, for each question.

What is counted is calls and bytes, not seconds; `python -m tests.growth` prints seconds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import growth
from tests.work import Work, measured

COUNTS = (3, 12, 93)
"""What grows, in three models: so that what each question costs whatever the model can be seen.

The larger step adds nine times what the smaller does, and 63 times where work is quadratic.
"""

FEWER = (2, 8, 56)
"""The same for what draws tables, which takes long."""

DRAWN = ("show", "show --operators", "check --format sarif")
DRAWN_MODELS = (
    "operators", "subgraphs with vtables of their own", "operator codes", "sparse rank",
    "strings under many shapes", "options",
)  # fmt: skip
"""Those that are drawn: the others differ from them in what is not shown."""

PRODUCTS = {
    ("strings under many shapes", "c_header"),
    ("values under many names", "c_header"),
    ("operators that share weights", "c_header"),
    ("tensors that share scales", "c_header"),
    ("tensors that share scales", "show --json"),
    ("tensors that share scales", "check --format sarif"),
}
"""Where the answer itself is so large: each of many things is written with all that they share.

Limits must hold there instead, see `test_budget`.
"""

CALLS, BYTES = 2_000, 600_000
"""What is no sign of anything: lists and tables of hashes that grow in steps."""

CASES = [
    (name, question)
    for name in growth.MODELS
    for question in growth.QUESTIONS
    if (name, question) not in PRODUCTS and (question not in DRAWN or name in DRAWN_MODELS)
]


def work(name: str, question: str, path: Path) -> list[Work]:
    """Measure a question of the three models; it is asked before, so that nothing is found new."""
    found: list[Work] = []
    for count in FEWER if question in DRAWN else COUNTS:
        path.write_bytes(growth.MODELS[name](count))
        if not found:
            growth.ask(question, str(path))
        found.append(measured(lambda: growth.ask(question, str(path))))
    return found


@pytest.mark.parametrize(("name", "question"), CASES)
def test_work_is_linear(name: str, question: str, tmp_path: Path) -> None:
    least, some, many = work(name, question, tmp_path / "model.tflite")
    assert many.calls - some.calls <= 12 * (some.calls - least.calls) + CALLS
    assert many.peak - some.peak <= 15 * max(some.peak - least.peak, 0) + BYTES
