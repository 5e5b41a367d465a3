"""What `check` writes: equal findings together, annotations, and a project's own choices."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ROOT
from tests import build, faults
from tflite_quant.checks.kinds import KINDS
from tflite_quant.command.cli import main


def model_with_notes() -> bytes:
    """Give a model with a dead constant thrice."""
    spec = replace(faults.X, name="dead")
    tensors = [faults.X, replace(faults.X, name="y"), spec, spec, spec]
    relu = build.OperatorSpec(faults.OPERATORS.RELU, [0], [1])
    return build.model(build.SubgraphSpec(tensors, [0], [1], [relu]))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # Or lines are folded.
    monkeypatch.delenv("COLUMNS", raising=False)
    path = tmp_path / "m.tflite"
    path.write_bytes(model_with_notes())
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[str]:
    main(["check", *map(str, arguments)])
    return capsys.readouterr().out.splitlines()


class TestText:
    def test_equal_findings_are_said_together(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = printed(capsys, path)
        title = f"note TQ302 \N{MULTIPLICATION SIGN}3: {KINDS['TQ302'].title}"
        assert lines[1:3] == [title, "  tensors 2, 3, 4"]
        assert lines[-1] == f"  fix: {KINDS['TQ302'].fix}"

    def test_each_if_asked_for(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        lines = printed(capsys, "--verbose", path)
        assert sum(line.startswith("note TQ302: subgraph 0, tensor") for line in lines) == 3

    def test_what_could_not_be_read_is_counted(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path.with_name("bad.tflite").write_bytes(b"no model")
        lines = printed(capsys, path, path.with_name("bad.tflite"))
        assert lines[-2] == "2 models, 0 clean, 1 could not be read: 3 notes"


def test_every_kind_says_how_to_mend_it() -> None:
    assert all(kind.fix.endswith(".") for kind in KINDS.values())


def test_annotations_of_github(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = path.with_name("a,b%\n::error::x.tflite")
    hostile.write_bytes(model_with_notes())
    lines = printed(capsys, "--format", "github", hostile)
    assert len(lines) == 3
    for line in lines:
        assert line.startswith("::notice file=")
        properties = line.split(" ", 1)[1].split("::")[0]
        assert properties.endswith(",title=TQ302")
        assert properties.count(",") == 1
        assert "a%2Cb%25" in properties


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib is new in 3.11")
class TestSettings:
    def write(self, path: Path, text: str) -> None:
        path.with_name("pyproject.toml").write_text(text, encoding="utf-8")

    def test_the_project_chooses(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.write(path, "[tool.tflite-quant]\nignore = ['TQ302']\n")
        assert len(printed(capsys, path)) == 1
        # Arguments come first.
        assert len(printed(capsys, "--ignore", "TQ1", path)) > 1

    def test_a_lowest_severity(self, path: Path) -> None:
        assert main(["check", str(path)]) == 0
        self.write(path, "[tool.tflite-quant]\nfail-on = 'note'\n")
        assert main(["check", str(path)]) == 1
        assert main(["check", "--fail-on", "error", str(path)]) == 0

    def test_a_required_scheme(self, path: Path) -> None:
        self.write(path, "[tool.tflite-quant]\nrequire = ['float16']\n")
        assert main(["check", str(path)]) == 1
        assert main(["check", "--require", "int8", str(path)]) == 0

    def test_files_of_their_own(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = "[tool.tflite-quant.per-file-ignores]\n'*/old*.tflite' = ['TQ302']\n"
        self.write(path, text)
        old = path.with_name("old.tflite")
        old.write_bytes(model_with_notes())
        assert len(printed(capsys, old)) == 1
        assert len(printed(capsys, path)) > 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("[tool.tflite-quant]\nselekt = []\n", "has no key 'selekt'"),
            ("[tool.tflite-quant]\nselect = 'TQ1'\n", "'select' must be a list of strings"),
            ("[tool.tflite-quant]\nselect = ['TQ9']\n", "no finding has the identifier 'TQ9'"),
            ("[tool.tflite-quant]\nfail-on = 'all'\n", "fail-on is 'all'"),
            ("[tool.tflite-quant]\ntarget = 'x'\n", "target is 'x'"),
            ("[tool.tflite-quant\n", "pyproject.toml: "),
        ],
    )
    def test_what_is_wrong(
        self, path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
    ) -> None:
        self.write(path, text)
        assert main(["check", str(path)]) == 2
        errors = capsys.readouterr().err
        assert message in errors
        assert errors.count("\n") == 1

    def test_another_project_is_no_matter(
        self, path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.write(path, "[project]\nname = 'x'\n")
        assert len(printed(capsys, path)) > 1


def test_the_page_shows_the_table() -> None:
    assert "[tool.tflite-quant]" in (ROOT / "docs/ci.md").read_text(encoding="utf-8")
