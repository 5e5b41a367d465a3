"""README and docs/screens.md show what the commands print; docs/json.md names all keys."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import FIXTURES, ROOT
from docs.make import screens_page
from tests import build, compressed


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


def test_every_key_of_the_json_is_documented(tmp_path: Path) -> None:
    """Of all fixtures and a compressed model: models, tensors with values; the specification."""
    page = (ROOT / "docs/json.md").read_text(encoding="utf-8")
    known = set(re.findall(r"`([a-z_0-9]+)`", page))
    commands = [["show", "--json", str(path)] for path in FIXTURES]
    commands += [["show", "--json", "--tensor", "*", str(path)] for path in FIXTURES[:4]]
    residual, int4 = ROOT / "fixtures/residual_float32.tflite", ROOT / "fixtures/int4.tflite"
    commands += [
        ["compare", "--format", "json", str(residual), str(other)]
        for other in (int4, residual.with_name("residual_int8.tflite"))
    ]
    for name, content in {
        "decode": compressed.decode_form(),
        "metadata": compressed.metadata_form(tables=b"\0" * 7),
        "unreadable": compressed.metadata_form(metadata=build.compression_metadata([(1, 2, 9)])),
    }.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        commands += [["show", "--json", str(path)], ["show", "--json", "--tensor", "w*", str(path)]]
    commands += [["spec", "--json"], ["check", "--format", "json", str(FIXTURES[0].parent)]]
    unknown = {key for command in commands for key in _keys(_data(command))} - known
    assert not unknown


def _data(arguments: list[str]) -> object:
    command = [sys.executable, "-m", "tflite_quant", *arguments]
    printed = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    data: object = json.loads(printed.stdout)
    return data


_BY_NAME = {"options", "custom_options", "domains"}
"""Objects whose keys are the schema's, or names."""


def _keys(data: object, within: str = "") -> set[str]:
    if isinstance(data, list):
        return {key for item in data for key in _keys(item, within)}
    if not isinstance(data, dict):
        return set()
    of_names = within in ("inputs", "outputs") or within.endswith("_operators")
    own = set() if within in _BY_NAME or of_names else set(data)
    return own.union(*[_keys(value, key) for key, value in data.items()])
