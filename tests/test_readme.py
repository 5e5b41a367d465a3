"""README and docs/screens.md show what the commands print."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys

from conftest import ROOT
from docs.make import screens_page


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
    text = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    command, shown = text.split("$ tflite-quant check ")[1].split("```")[0].split("\n", 1)
    printed = subprocess.run(
        [sys.executable, "-m", "tflite_quant", "check", *command.split()],
        capture_output=True, text=True, encoding="utf-8", check=False, cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    assert printed == shown


_WIDE = ("|", "$", "tflite-quant:", "tensor ")


def test_the_screens_are_what_is_printed() -> None:
    page = (ROOT / "docs/screens.md").read_text(encoding="utf-8")
    assert page == screens_page()
    shown = [line for block in page.split("```")[1::2] for line in block.splitlines()]
    # Tables for pages, errors, single names and what one types are as wide as they are.
    assert max(len(line) for line in shown if not line.startswith(_WIDE)) <= 80


def test_the_pictures_show_what_is_printed() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tflite_quant", "show", "fixtures/residual_int8.tflite"],
        capture_output=True, text=True, encoding="utf-8", check=True, cwd=ROOT,
        env=os.environ | {"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
    ).stdout  # fmt: skip
    words = {word for line in printed.splitlines()[:18] for word in line.split()}
    for path in (ROOT / "docs/images").glob("show-*.svg"):
        text = html.unescape(re.sub("<[^>]*>", " ", path.read_text(encoding="utf-8")))
        assert words <= set(text.split()), path.name
