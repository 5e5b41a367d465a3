"""Text from files that could do harm: what each command prints of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import build
from tests.test_cli import run
from tflite_quant import escape

HOSTILE = "a \x1b[31m\x9b\r\n::error::x ##[command]y ##vso[task.complete]z \u202e[x](http://y) {0}"
COMMANDS = re.compile(r"^\s*::[a-z-]+.*::|##[a-z]*\[", re.M)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file of a hostile name, with a hostile name in everything that has one."""
    tensor = build.TensorSpec(HOSTILE, (1,), type=9, data=b"\1", scale=[0.5, 0.5], zero_point=[0])
    step = build.OperatorSpec(32, [0], [0], custom=HOSTILE)
    graph = build.SubgraphSpec([tensor], [0], [0], [step], HOSTILE)
    path = tmp_path / "\x1b[1m::warning::x ##[group]n.tflite"
    path.write_bytes(build.model(graph, description=HOSTILE))
    return path


@pytest.mark.parametrize("columns", ["20", "80", ""])
@pytest.mark.parametrize(
    "arguments",
    [
        ["show"],
        ["show", "--operators"],
        ["show", "--tensor", "0"],
        ["show", "--json"],
        ["show", "--format", "csv"],
        ["show", "--format", "csv", "--operators"],
        ["show", "--format", "markdown"],
        ["show", "--wide"],
        ["show", "--tensor", "*"],
        ["check"],
        ["check", "--format", "json"],
        ["check", "--format", "sarif"],
        ["analyze"],
        ["header"],
    ],
    ids=" ".join,
)
def test_nothing_that_a_terminal_or_a_ci_system_obeys(
    path: Path, arguments: list[str], columns: str
) -> None:
    result = run(*arguments, path, **({"COLUMNS": columns} if columns else {}))
    for text in (result.stdout, result.stderr):
        assert not [c for c in text if not c.isprintable() and c != "\n"]
        assert not COMMANDS.search(text), text


def test_error_lines(tmp_path: Path) -> None:
    result = run("show", tmp_path / "\x1b]0;x\x07::error::y\nz")
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert not COMMANDS.search(result.stderr)
    assert result.stderr[:-1].isprintable()


def test_sarif_has_no_links_and_no_placeholders(path: Path) -> None:
    log = json.loads(run("check", "--format", "sarif", path).stdout)
    texts = [result["message"]["text"] for result in log["runs"][0]["results"]]
    assert texts
    for text in texts:
        assert not re.search(r"(?<!\\)\[[^\]]*[^\\]\]\(", text)
        assert not re.search(r"(?<!\{)\{\d+\}(?!\})", text)


def test_every_command_in_a_long_name() -> None:
    """A megabyte of them, which takes hours where each is looked for to the end of the line."""
    text = escape.for_terminal("::a" * 350_000)
    assert text == ":\\x3aa" * 349_999 + "::a"
    assert not COMMANDS.search(text)


@pytest.mark.parametrize("command", ["##[error]x", "##vso[task.complete]x", "##VSO[a.b]", "a##[b]"])
def test_commands_in_brackets(command: str) -> None:
    """Azure Pipelines looks for them anywhere in a line, whatever the case."""
    for write in (escape.for_terminal, escape.for_github, escape.for_json, escape.for_csv):
        assert not re.search(r"##[a-z]*\[", write(command), re.IGNORECASE)
    assert json.loads(escape.for_json(json.dumps(command))) == command


def test_names_that_are_honest_stay_as_they_are() -> None:
    for name in ("conv2d/kernel", "torch::nn", "größe;a;b", "StatefulPartitionedCall:0"):
        assert escape.for_terminal(name) == name
        assert escape.for_sarif(name) == name
