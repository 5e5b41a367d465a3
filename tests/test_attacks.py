"""Each file of the folder `attacks` tries something; what comes of it is one of our errors."""

from __future__ import annotations

import tracemalloc

import pytest

import tflite_quant as tq
from tests.attacks import ATTACKS, FOLDER


@pytest.mark.parametrize("name", ATTACKS)
def test_what_comes_of_it(name: str) -> None:
    attack = ATTACKS[name]
    path = FOLDER / f"{name}.tflite"
    if attack.ask is None:
        assert attack.error is not None
        with pytest.raises(attack.error, match=attack.message):
            tq.open(path)
        return
    model = tq.open(path)
    if attack.error is None:
        attack.ask(model)
        return
    with pytest.raises(attack.error, match=attack.message):
        attack.ask(model)


@pytest.mark.parametrize("name", ATTACKS)
def test_it_takes_no_memory(name: str) -> None:
    """Not more than the budget of the file, see `tflite_quant.format.budget`."""
    attack, size = ATTACKS[name], len(ATTACKS[name].content)
    tracemalloc.start()
    try:
        model = tq.open(attack.content)
        if attack.ask is not None:
            attack.ask(model)
    except tq.TFLiteError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < (64 << 20) + 20 * size


def test_the_files_are_small_and_what_they_say() -> None:
    files = {path.stem: path.read_bytes() for path in FOLDER.glob("*.tflite")}
    assert files == {name: attack.content for name, attack in ATTACKS.items()}
    assert max(map(len, files.values())) < 50_000
