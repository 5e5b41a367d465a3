"""Tables over many models: in one process, in several, on a cluster."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import oracle
from tflite_quant.command.cli import main
from tflite_quant.summary.file_records import FIELDS


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("what", list(FIELDS))
def test_a_record_has_the_fields_that_are_said(what: str) -> None:
    kinds = {
        "int64": int, "double": float, "string": str, "bool": bool, "list<int64>": list,
        "list<double>": list, "list<string>": list,
    }  # fmt: skip
    for path in FIXTURES:
        for record in tq.file_records(path, what):
            assert list(record) == list(FIELDS[what])
            for key, kind in FIELDS[what].items():
                assert record[key] is None or type(record[key]) is kinds[kind], key


def test_a_file_that_fails_is_a_record(tmp_path: Path) -> None:
    broken = tmp_path / "broken\n::error::.tflite"
    broken.write_bytes(FIXTURES[0].read_bytes()[:-9])
    (record,) = tq.file_records(broken)
    assert record["file"] == str(broken)
    assert "past the end of the file" in record["error"]
    assert record["error"].isprintable()
    assert "::error" not in record["error"]
    (record,) = tq.file_records(tmp_path / "none.tflite", "models")
    assert record["error"] == f"{tmp_path / 'none.tflite'}: No such file or directory"
    with pytest.raises(TypeError, match="path is bytes, expected a str or a path"):
        tq.file_records(FIXTURES[0].read_bytes())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'tensors', 'operators', 'models'"):
        tq.file_records(broken, "weights")


def test_the_table_has_every_tensor(tmp_path: Path) -> None:
    output = tmp_path / "all.csv"
    assert main(["records", "fixtures", "-o", str(output)]) == 0
    found = [(row["file"], int(row["subgraph"]), int(row["index"])) for row in rows_of(output)]
    expected = []
    for path in FIXTURES:
        with tq.open(path) as model:
            tensors = [t for graph in model.subgraphs for t in graph.tensors]
        name = path.relative_to(ROOT).as_posix()
        expected += [(str(Path(name)), t.subgraph_index, t.index) for t in tensors]
    assert found == expected


@pytest.mark.parametrize("what", ["tensors", "operators", "models"])
def test_several_processes_write_the_same(tmp_path: Path, what: str) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    choice = [] if what == "tensors" else [f"--{what}"]
    for path, jobs in ((one, "1"), (two, "2")):
        command = ["records", "fixtures", *choice, "--format", "jsonl", "--jobs", jobs]
        assert main([*command, "-o", str(path)]) == 0
    assert one.read_text(encoding="utf-8") == two.read_text(encoding="utf-8")
    for line in one.read_text(encoding="utf-8").splitlines():
        assert list(json.loads(line)) == list(FIELDS[what])


def test_a_bad_file_among_good_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.tflite").write_bytes(FIXTURES[0].read_bytes())
    (tmp_path / "b.tflite").write_bytes(b"not a model at all")
    (tmp_path / "c.tflite").write_bytes(FIXTURES[0].read_bytes())
    output = tmp_path / "table.csv"
    assert main(["records", str(tmp_path), "--models", "-o", str(output)]) == 2
    assert [bool(row["error"]) for row in rows_of(output)] == [False, True, False]
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "b.tflite: not a TensorFlow Lite model" in errors


def test_parquet_has_the_types(tmp_path: Path) -> None:
    parquet: Any = oracle.package("pyarrow.parquet")
    path = tmp_path / "table.parquet"
    assert main(["records", "fixtures", "--format", "parquet", "-o", str(path)]) == 0
    table = parquet.read_table(path)
    rows = [record for each in FIXTURES for record in tq.file_records(each)]
    assert table.num_rows == len(rows)
    assert table.column("scale").to_pylist() == [row["scale"] for row in rows]
    assert table.column("scales").to_pylist() == [row["scales"] for row in rows]
    assert table.column("shape").to_pylist() == [row["shape"] for row in rows]


def test_the_recipe_for_a_cluster(tmp_path: Path) -> None:
    """A file that fails is a row; no job is lost."""
    parquet: Any = oracle.package("pyarrow.parquet")
    models = tmp_path / "models"
    models.mkdir()
    for path in FIXTURES[:5]:
        (models / path.name).write_bytes(path.read_bytes())
    (models / "broken.tflite").write_bytes(FIXTURES[0].read_bytes()[:-9])
    page = (ROOT / "docs/many.md").read_text(encoding="utf-8")
    script = tmp_path / "table.py"
    script.write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = parquet.read_table(tmp_path / "table").to_pylist()
    expected = [record for path in models.iterdir() for record in tq.file_records(path)]

    def key(row: dict[str, Any]) -> tuple[Any, ...]:
        return Path(row["file"]).name, row["subgraph"] or 0, row["index"] or 0

    def facts(row: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name not in ("file", "error")}

    rows.sort(key=key)
    assert [facts(row) for row in rows] == [facts(row) for row in sorted(expected, key=key)]
    assert [Path(row["file"]).name for row in rows if row["error"]] == ["broken.tflite"]


@pytest.mark.parametrize(
    "arguments", [["--format", "parquet"], ["--jobs", "0"], ["--models", "--operators"]]
)
def test_what_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["records", "fixtures", *arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1
