"""README shows what the commands print."""

from __future__ import annotations

import os
import subprocess
import sys

from conftest import ROOT


def test_the_command_prints_what_is_shown() -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    printed = subprocess.run(
        [sys.executable, "-m", "tflite_quant", "show", "fixtures/residual_int8.tflite"],
        capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert printed.startswith(shown)
    assert len(shown.splitlines()) > 10


def test_the_check_prints_what_is_shown() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    command, shown = text.split("$ tflite-quant check ")[1].split("```")[0].split("\n", 1)
    printed = subprocess.run(
        [sys.executable, "-m", "tflite_quant", "check", command],
        capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert printed == shown
