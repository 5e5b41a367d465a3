"""What LiteRT opens of changed models, this library opens, and says the same of their tensors.

`python -m tests.test_agreement FOLDER FIRST` opens the models in a folder from the n-th on with
LiteRT, and writes beside each what it says: some kill the process.
"""

from __future__ import annotations

import math
import pickle
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tflite_quant as tq
from conftest import ROOT
from tests import oracle
from tests.comparison import is_same
from tests.mutation import mutant

Details = list[dict[str, Any]]

COUNT = 500

STRICTER = re.compile(
    # Indices that lead nowhere: LiteRT looks at them when it runs, if at all.
    r"(inputs|outputs|intermediates)' has tensor -?\d+, but the subgraph has"
    r"|metadata entry \d+: 'buffer' is \d+, expected at least 0 and less than"
    r"|'(scales|zero_points)' is -?\d+, expected at least (0|-1) and less than"
    r"|signature \d+, (input|output) \d+: 'tensor_index' is \d+, expected at least 0 and less than"
)
"""What we say of models that LiteRT opens."""


def test_what_litert_opens() -> None:
    r = random.Random(2026)
    models = [mutant(lambda limit: r.randrange(max(limit, 1))).content for _ in range(COUNT)]
    found: Counter[str] = Counter()
    for content, theirs in zip(models, litert_details(models), strict=True):
        if theirs is None:
            found["refused by LiteRT"] += 1
            continue
        ours, why = our_details(content)
        found["opened" if ours is not None else "refused by us"] += 1
        assert STRICTER.search(why) if ours is None else agree(ours, theirs)
    # Or the changes would be such that nothing is compared.
    assert found["opened"] > COUNT / 20


def our_details(content: bytes) -> tuple[Details | None, str]:
    """Give what we say of a model, or why we refuse it."""
    try:
        return [dict(one) for one in tq.open(content).get_tensor_details()], ""
    except tq.CorruptModelError as error:
        return None, str(error)


def agree(ours: Details, theirs: Details) -> bool:
    """Compare the details of all tensors, but for what is listed here."""
    # LiteRT leaves out tensors whose name is not UTF-8, and has temporary ones at the end.
    named = {detail["index"]: detail for detail in theirs}
    for detail in ours:
        other = named.get(detail["index"])
        if other is None:
            if "\\x" not in detail["name"]:
                return False
            continue
        if not all(is_alike(key, detail[key], other[key]) for key in detail):
            return False
    return True


def is_alike(key: str, one: Any, other: Any) -> bool:
    if key == "name":
        # LiteRT's ends at the first zero.
        return bool(one.partition("\0")[0] == other)
    if key == "quantization" and math.isnan(one[0]):
        return math.isnan(other[0]) and one[1] == other[1]
    if key == "quantization_parameters" and one["block_size"]:
        # LiteRT takes the scales of blocks for float16 whatever they are; docs/interpreter.md.
        return bool(one["block_size"] == other["block_size"])
    return is_same(one, other)


def litert_details(models: Sequence[bytes]) -> list[Details | None]:
    """Give what LiteRT says of each model; None if it refuses it, or dies."""
    oracle.litert()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, content in enumerate(models):
            (folder / f"{index:06}.tflite").write_bytes(content)
        results: list[Details | None] = []
        while len(results) < len(models):
            first = len(results)
            command = [sys.executable, "-m", "tests.test_agreement", name, str(first)]
            process = subprocess.run(command, check=False, cwd=ROOT, stderr=subprocess.DEVNULL)
            for index in range(first, len(models)):
                answer = folder / f"{index:06}.pickle"
                if not answer.exists():
                    break
                results.append(pickle.loads(answer.read_bytes()))
            if len(results) < len(models):
                # Or the child would be started again and again for the same model.
                assert process.returncode
                results.append(None)
        return results


def main(folder: Path, first: int) -> None:
    """Write beside each model what LiteRT says of it."""
    for path in sorted(folder.glob("*.tflite"))[first:]:
        try:
            # A model in memory is verified by LiteRT before it is read.
            details = oracle.interpreter(path.read_bytes()).get_tensor_details()
        except (ValueError, RuntimeError):
            details = None
        # Whole or not at all.
        answer = path.with_suffix(".part")
        answer.write_bytes(pickle.dumps(details))
        answer.rename(path.with_suffix(".pickle"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
