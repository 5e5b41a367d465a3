"""The command, run as a user runs it: in a process of its own."""

from __future__ import annotations

import base64
import contextlib
import csv
import json
import os
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from flatbuffers import flexbuffers

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build
from tests.test_storage import packed
from tflite_quant.checks.rule import Each
from tflite_quant.checks.rules import RULES
from tflite_quant.command.json_text import tensor_json

MODEL = build.model(
    build.SubgraphSpec(
        [
            build.TensorSpec("image", (1, 2), signature=(-1, 2), scale=0.1, zero_point=-1),
            build.constant(
                np.array([[1, 2], [3, 4], [5, 6]], np.int8),
                scale=[0.5, 0.25, 0.1], zero_point=[0, 0, 0], name="kernel", min=[0.0], max=[1.0],
            ),
            build.constant(np.array([1.5, np.nan, np.inf], np.float32), name="floats"),
            build.TensorSpec("text", type=tflite.TensorType.STRING),
            build.TensorSpec("new", type=99, details=(9, build.raw_table)),
        ],
        [0],
        [1],
        name="main",
    ),
    build.SubgraphSpec([build.TensorSpec("other")], name="body"),
    description="by hand",
)  # fmt: skip
HOSTILE = "\x1b[31m[bold]red\n\u202egnp.exe"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.tflite"
    path.write_bytes(MODEL)
    return path


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tflite_quant", *map(str, arguments)]
    inherited = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=ROOT,
        env=inherited | {"PYTHONIOENCODING": "utf-8"} | environment,
    )  # fmt: skip


def python_path(folder: Path) -> str:
    """Give the search path that has a folder first: where the dependencies are may be on it."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def shown(*arguments: object, **environment: str) -> str:
    result = run(*arguments, **environment)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def on_a_terminal(*arguments: object, **environment: str) -> str:
    """Run the command with a pseudo-terminal as its output."""
    import pty  # noqa: PLC0415  # not on every system

    ours, theirs = pty.openpty()
    inherited = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")}
    command = [sys.executable, "-m", "tflite_quant", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=theirs, cwd=ROOT, env=inherited | {"COLUMNS": "80"} | environment
    ):
        os.close(theirs)
        pieces = []
        # The other end is closed when the command ends, which some systems call an error.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                pieces.append(piece)
    os.close(ours)
    return b"".join(pieces).decode()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


class TestTable:
    def test_what_one_looks_for_is_first(self, path: Path) -> None:
        lines = shown("show", path).splitlines()
        size = f"{path.stat().st_size:,} bytes"
        assert cells(lines[0]) == [str(path), size, "no operators", "0 operators in 2 subgraphs"]
        rows = [cells(line) for line in lines]
        assert rows[lines.index("subgraph 0 main") + 1][:5] == [
            "input",
            "image",
            "INT8 [-1,2]",
            "scale 0.1",
            "zero point",
        ]
        assert rows[lines.index("subgraph 0 main") + 2][:2] == ["output", "kernel"]
        assert "subgraph 1 body" in lines
        assert lines[-1] == "description: by hand"

    def test_a_row_per_tensor(self, path: Path) -> None:
        rows = [cells(line) for line in shown("show", path).splitlines()]
        assert ["#", "type", "shape", "bytes", "scale", "zero", "axis", "role", "name"] in rows
        assert ["0", "INT8", "[-1,2]", "2", "0.1", "-1", "input", "image"] in rows
        kernel = ["1", "INT8", "[3,2]", "6", "3 in 0.1..0.5", "0", "0", "output", "kernel"]
        assert kernel in rows
        assert ["2", "FLOAT32", "[3]", "12", "constant", "floats"] in rows
        assert ["3", "STRING", "[1]", "activation", "text"] in rows
        new = ["4", "TensorType(99)", "[1]", "QuantizationDetails(9)", "activation", "new"]
        assert new in rows

    def test_one_subgraph(self, path: Path) -> None:
        text = shown("show", path, "--subgraph", 1)
        assert "other" in text
        assert "kernel" not in text

    @pytest.mark.parametrize("columns", [70, 80, 120])
    def test_names_are_shortened_in_the_middle(self, tmp_path: Path, columns: int) -> None:
        name = "model/" + "layer/" * 30 + "BiasAdd"
        path = tmp_path / "m.tflite"
        spec = build.TensorSpec(name, (1, 2), scale=0.1, zero_point=-1)
        path.write_bytes(build.one(spec, spec))
        lines = shown("show", path, COLUMNS=str(columns)).splitlines()[1:]
        assert max(map(len, lines)) <= columns
        rows = [line for line in lines if line.endswith("BiasAdd")]
        assert len(rows) == 2
        assert all("..." in row for row in rows)
        assert name in shown("show", path, "--wide", COLUMNS=str(columns))
        assert name in shown("show", path)

    def test_a_pipe_gets_no_trailing_blanks(self, path: Path) -> None:
        for arguments in ([], ["--operators"], ["--tensor", "*"], ["--wide"]):
            for file in (path, ROOT / "fixtures/residual_int8.tflite"):
                lines = shown("show", file, *arguments).splitlines()
                assert [line for line in lines if line != line.rstrip()] == []

    @pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals there")
    def test_colours_only_on_a_terminal(self) -> None:
        path = ROOT / "fixtures/mixed.tflite"
        assert "\x1b" not in shown("show", path, TERM="xterm")
        coloured = on_a_terminal("show", path, TERM="xterm")
        assert "\x1b[36mweight\x1b[0m" in coloured
        assert "\x1b[31mSIN 1\x1b[0m" in coloured
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}):
            plain = on_a_terminal("show", path, **environment)
            assert plain == re.sub(r"\x1b\[\d*m", "", coloured)

    def test_one_tensor(self, path: Path) -> None:
        text = shown("show", path, "--tensor", "kernel")
        rows = [cells(line) for line in text.splitlines()]
        for row in (
            ["tensor 1", "kernel"], ["scheme", "per-axis"], ["axis", "0"],
            ["min", "1", "0.5"], ["max", "6", "1"], ["2", "0.1", "0"],
            ["recorded min", "0"], ["recorded max", "1"],
        ):  # fmt: skip
            assert row in rows, row
        assert "[[1 2]" not in text
        assert shown("show", path, "--tensor", "1") == text
        values = shown("show", path, "--tensor", "1", "--values")
        assert values == f"{text}\n[[1 2]\n [3 4]\n [5 6]]\n"
        assert "[[0.5" in shown("show", path, "--tensor", "1", "--values", "--real")

    def test_statistics_are_those_of_numpy(self) -> None:
        path = ROOT / "fixtures/residual_int8.tflite"
        rows = [cells(line) for line in shown("show", path, "--tensor", 17).splitlines()]
        with tq.open(path) as model:
            stored, real = model.tensors[17].data, model.tensors[17].dequantize()
        facts = {row[0]: row[1:] for row in rows if row}
        assert facts["min"] == [f"{stored.min()}", f"{real.min():.6g}"]
        assert facts["mean"][0] == f"{stored.mean(dtype=np.float64):.6g}"
        zeros = f"{100 * np.mean(stored == 0):.1f} %"
        assert facts["zeros"] == [zeros, zeros]
        at_ends = np.mean((stored <= -127) | (stored >= 127))
        assert facts["at the ends (-127, 127)"] == [f"{100 * at_ends:.1f} %"]
        counts = [int(row[1].replace(",", "")) for row in rows if row and " .. " in row[0]]
        assert sum(counts) == stored.size

    def test_patterns(self, path: Path) -> None:
        text = shown("show", path, "--tensor", "*e*")
        assert [line for line in text.splitlines() if line.startswith("tensor ")] == [
            "tensor 0  image", "tensor 1  kernel", "tensor 3  text", "tensor 4  new",
            "tensor 0  other",
        ]  # fmt: skip
        names = [
            one["name"] for one in json.loads(shown("show", path, "--tensor", "*e*", "--json"))
        ]
        assert names == ["image", "kernel", "text", "new", "other"]
        assert "other" not in shown("show", path, "--tensor", "*e*", "--subgraph", 0)

    def test_values_for_numpy(self, path: Path, tmp_path: Path) -> None:
        file = tmp_path / "kernel"
        assert shown("show", path, "--tensor", "kernel", "--npy", file) == ""
        assert np.load(file).tolist() == [[1, 2], [3, 4], [5, 6]]
        shown("show", path, "--tensor", "kernel", "--npy", file, "--real")
        assert np.load(file).dtype == np.float32

    def test_a_tensor_without_values_says_why(self, path: Path) -> None:
        text = shown("show", path, "--tensor", "image")
        assert "no values: not constant: it has values only while the model runs" in text

    def test_several_models(self, path: Path, tmp_path: Path) -> None:
        result = run("show", path, tmp_path / "none", path)
        assert result.returncode == 2
        assert result.stderr == f"tflite-quant: {tmp_path / 'none'}: No such file or directory\n"
        assert result.stdout.count(f"{path}  ") == 2

    def test_standard_input(self, path: Path) -> None:
        command = [sys.executable, "-m", "tflite_quant", "show", "-"]
        printed = subprocess.run(
            command, input=path.read_bytes(), capture_output=True, check=True, cwd=ROOT,
            env={key: value for key, value in os.environ.items() if key != "COLUMNS"},
        ).stdout.decode()  # fmt: skip
        assert printed.splitlines()[1:] == shown("show", path).splitlines()[1:]

    def test_csv_is_what_records_say(self) -> None:
        path = ROOT / "fixtures/signatures.tflite"
        for what, arguments in (("tensors", []), ("operators", ["--operators"])):
            rows = list(
                csv.DictReader(shown("show", path, "--format", "csv", *arguments).splitlines())
            )
            with tq.open(path) as model:
                records = model.to_records(what)
            assert len(rows) == len(records)
            for row, record in zip(rows, records, strict=True):
                assert list(row) == list(record)
                assert row["index"] == str(record["index"])
                assert row["name"] == record["name"]

    def test_csv_has_no_formulas(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.TensorSpec("=cmd|' /C calc'!A0"), build.TensorSpec("a,b")))
        rows = list(csv.DictReader(shown("show", path, "--format", "csv").splitlines()))
        assert [row["name"] for row in rows] == ["'=cmd|' /C calc'!A0", "a,b"]

    def test_markdown(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.TensorSpec("a|b<script>")))
        lines = shown("show", path, "--format", "markdown").splitlines()
        assert lines[0] == "| # | type | shape | bytes | scale | zero | axis | role | name |"
        assert lines[-1].endswith("| a\\|b\\<script\\> |")

    def test_packed_files(self, path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labels.txt", "cat\ndog\n")
            archive.writestr("\x1b[31m", "")
        lines = shown("show", path).splitlines()
        assert "packed file labels.txt: 8 bytes" in lines
        assert "packed file \\x1b[31m: 0 bytes" in lines
        data = json.loads(shown("show", path, "--json"))
        assert data["packed_files"][0] == {"name": "labels.txt", "nbytes": 8}

    def test_packed_files_that_are_broken(self, path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("labels.txt", "cat")
        content = bytearray(path.read_bytes())
        at = content.rfind(b"PK\x01\x02")
        content[at : at + 4] = b"XXXX"
        path.write_bytes(content)
        assert "packed files: the list of the packed files is broken" in shown("show", path)

    @pytest.mark.parametrize("arguments", [[], ["--tensor", "0"]])
    def test_names_cannot_steer_the_terminal(self, tmp_path: Path, arguments: list[str]) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.TensorSpec(HOSTILE), description=HOSTILE))
        text = shown("show", path, *arguments)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31m[bold]red\\n\\u202egnp.exe" in text

    def test_a_terminal_that_cannot_show_everything(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.TensorSpec("größe")))
        assert "gr\\xf6\\xdfe" in shown("show", path, PYTHONIOENCODING="ascii")

    def test_without_rich(self, path: Path, tmp_path: Path) -> None:
        """A module that cannot be imported stands where rich would be found."""
        (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('rich')")
        for arguments in ([], ["--operators"], ["--tensor", "0"], ["--json"]):
            text = shown("show", path, *arguments, PYTHONPATH=python_path(tmp_path))
            assert text == shown("show", path, *arguments)


class TestJson:
    def test_whole_arrays(self, path: Path) -> None:
        data = json.loads(shown("show", path, "--json"))
        assert (data["file"], data["description"]) == (str(path), "by hand")
        assert [subgraph["name"] for subgraph in data["subgraphs"]] == ["main", "body"]
        main = data["subgraphs"][0]
        assert (main["inputs"], main["outputs"]) == ([0], [1])
        image, kernel, floats, _, new = main["tensors"]
        assert (image["shape"], image["shape_signature"]) == ([1, 2], [-1, 2])
        scales = kernel["quantization"].pop("scale")
        assert np.float32(scales).tolist() == tq.open(path)[1].quantization.scales.tolist()  # type: ignore[union-attr]
        assert kernel["quantization"] == {
            "scheme": "per-axis", "zero_point": [0, 0, 0], "axis": 0, "min": [0.0], "max": [1.0]
        }  # fmt: skip
        assert image["quantization"] == {
            "scheme": "per-tensor", "scale": [float(np.float32(0.1))], "zero_point": [-1], "axis": 0
        }  # fmt: skip
        assert (floats["bytes"], floats["constant"], floats["buffer"]) == (12, True, 2)
        assert floats["quantization"] == {"scheme": "none"}
        assert new["type"] == "TensorType(99)"
        assert new["quantization"]["details"] == {"type": 9, "name": "QuantizationDetails(9)"}

    def test_one_subgraph(self, path: Path) -> None:
        data = json.loads(shown("show", path, "--json", "--subgraph", 1))
        assert [subgraph["index"] for subgraph in data["subgraphs"]] == [1]

    def test_one_tensor_with_its_values(self, path: Path) -> None:
        kernel = json.loads(shown("show", path, "--json", "--tensor", "kernel"))
        assert kernel["data"] == [[1, 2], [3, 4], [5, 6]]
        assert kernel["real"][0] == [0.5, 1.0]

    def test_what_json_has_no_number_for(self, path: Path) -> None:
        floats = json.loads(shown("show", path, "--json", "--tensor", "floats"))
        assert floats["data"] == [1.5, "nan", "inf"]
        assert floats["real"] == [1.5, "nan", "inf"]
        text = json.loads(shown("show", path, "--json", "--tensor", "text"))
        assert text["real"] is None
        assert "not constant" in text["real_error"]

    def test_signalling_nans_raise_no_warning(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        signalling = np.array([0x7F800001], "<u4").view("<f4")
        path.write_bytes(build.one(build.constant(signalling, scale=signalling)))
        assert json.loads(shown("show", path, "--json", "--tensor", 0))["data"] == ["nan"]

    def test_complex_numbers(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.constant(np.array([1 + 2j], np.complex64))))
        data: dict[str, Any] = json.loads(shown("show", path, "--json", "--tensor", 0))
        assert data["data"] == [[1.0, 2.0]]

    @pytest.mark.parametrize("shape", [(1 << 17,), (2, 1 << 16), (1 << 11, 1 << 6)])
    def test_values_become_text_piece_by_piece(self, shape: tuple[int, ...]) -> None:
        """The text has tens of bytes for each value, of which little is in memory at a time."""
        stored = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
        tensor = tq.open(build.one(build.constant(stored, scale=[0.5], zero_point=[1]))).tensors[0]
        real = 4 * stored.size
        tracemalloc.start()
        deque(tensor_json(tensor), maxlen=0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert real < peak < real + (1 << 20)

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        """They are whole, and cannot be taken for text."""
        path = tmp_path / "m.tflite"
        options = bytes(flexbuffers.Dumps({"a": "abc", "b": "xyz"})).replace(b"abc", b"a\xffc")
        fields = {"custom_options": lambda b: build.numbers(b, [*options], "u1")}
        step = build.OperatorSpec(32, [0], [0], custom="Magic", fields=fields)
        strings = packed([b"text", b"\xff\x00"])
        tensor = build.TensorSpec("t", (2,), tq.TensorType.STRING, data=strings)
        path.write_bytes(build.model(build.SubgraphSpec([tensor], operators=[step])))
        operator = json.loads(shown("show", path, "--json"))["subgraphs"][0]["operators"][0]
        assert base64.b64decode(operator["custom_options"].pop("a").pop("base64")) == b"a\xffc"
        assert operator["custom_options"] == {"b": "xyz"}
        data = json.loads(shown("show", path, "--json", "--tensor", 0))["data"]
        assert data == ["text", {"base64": base64.b64encode(b"\xff\x00").decode()}]

    def test_operators_signatures_and_metadata(self) -> None:
        data = json.loads(shown("show", "fixtures/signatures.tflite", "--json"))
        with tq.open(ROOT / "fixtures/signatures.tflite") as model:
            assert [s["key"] for s in data["signatures"]] == [s.key for s in model.signatures]
            for shown_graph, graph in zip(data["subgraphs"], model.subgraphs, strict=True):
                for one, operator in zip(shown_graph["operators"], graph.operators, strict=True):
                    assert one["name"] == operator.name
                    assert one.get("options", {}).get("name") == operator.options_name
            assert {entry["name"] for entry in data["metadata"]} == {m.name for m in model.metadata}

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
    def test_of_every_fixture(self, path: Path) -> None:
        data = json.loads(shown("show", path, "--json"))
        with tq.open(path) as model:
            for graph, one in zip(model.subgraphs, data["subgraphs"], strict=True):
                schemes = [tensor["quantization"]["scheme"] for tensor in one["tensors"]]
                assert schemes == [tensor.quantization.scheme for tensor in graph.tensors]
                sparse = [tensor["index"] for tensor in one["tensors"] if "sparsity" in tensor]
                assert sparse == [tensor.index for tensor in graph.tensors if tensor.is_sparse]


class TestRareThings:
    def test_blocks(self) -> None:
        text = shown("show", "fixtures/blockwise_int4.tflite")
        row = next(line for line in text.splitlines() if line.endswith("large_1/MatMul"))
        assert cells(row)[1:4] == ["INT4", "[64,128]", "4096"]
        assert "by 32" in cells(row)
        full = shown("show", "fixtures/blockwise_int4.tflite", "--tensor", 5, "--json")
        assert len(json.loads(full)["quantization"]["scale"]) == 64

    def test_sparse(self) -> None:
        assert "FLOAT32 sparse" in shown("show", "fixtures/sparse.tflite")
        with tq.open(ROOT / "fixtures/sparse.tflite") as model:
            index = next(tensor.index for tensor in model.tensors if tensor.is_sparse)
        assert "Sparsity(order" in shown("show", "fixtures/sparse.tflite", "--tensor", index)

    def test_strings(self) -> None:
        text = shown("show", "fixtures/strings.tflite", "--json", "--tensor", 1)
        assert all(isinstance(one, str) for one in json.loads(text)["data"])

    def test_operators(self) -> None:
        text = shown("show", "fixtures/residual_int8.tflite", "--operators")
        rows = [cells(line) for line in text.splitlines()]
        row = next(row for row in rows if "MAX_POOL_2D" in row)
        assert row[:5] == ["1", "MAX_POOL_2D", "2", "18", "19"]
        assert "filter_width=3" in row[5]

    def test_long_options_are_shortened(self, tmp_path: Path) -> None:
        """JSON has them whole."""
        path = tmp_path / "m.tflite"
        given: dict[str, Any] = {
            "bytes": b"\xff" * 9000,
            "list": [*range(500)],
            "text": "x" * 9000,
        }
        given["map"] = {str(key): given["list"] for key in range(20)}
        options = bytes(flexbuffers.Dumps(given))
        fields = {"custom_options": lambda b: build.numbers(b, [*options], "u1")}
        step = build.OperatorSpec(32, [0], [0], custom="Magic", fields=fields)
        path.write_bytes(build.model(build.SubgraphSpec([build.TensorSpec()], operators=[step])))
        text = shown("show", path, "--operators")
        assert len(text) < 1500
        for part in ("9000 bytes", "9000 characters", "500 items"):
            assert part in text
        operator = json.loads(shown("show", path, "--json"))["subgraphs"][0]["operators"][0]
        given["bytes"] = {"base64": base64.b64encode(given["bytes"]).decode()}
        assert operator["custom_options"] == given

    def test_options_that_are_broken_say_so(self, tmp_path: Path) -> None:
        wrong = {"custom_options": lambda b: build.numbers(b, [255, 36, 1], "u1")}
        spec = build.OperatorSpec(32, [0], [0], custom="Magic", fields=wrong)
        path = tmp_path / "m.tflite"
        path.write_bytes(build.model(build.SubgraphSpec([build.TensorSpec()], operators=[spec])))
        data = json.loads(shown("show", path, "--json"))
        assert "custom options: " in data["subgraphs"][0]["operators"][0]["options_error"]
        assert "error=" in shown("show", path, "--operators")

    @pytest.mark.parametrize("columns", ["10", "40", "400"])
    def test_a_subgraph_without_tensors(self, tmp_path: Path, columns: str) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(build.model(build.SubgraphSpec([], name="none")))
        assert "no operators" in shown("show", path, COLUMNS=columns)
        assert "no operators" in shown("show", path, "--operators", COLUMNS=columns)


def test_analyze() -> None:
    path = "fixtures/residual_int8.tflite"
    assert shown("analyze", path) == f"=== {path} ===\n\n{tq.analyze(ROOT / path)}\n"
    result = run("analyze", "LICENSE")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--nothing"], "required: COMMAND"),
            (["show"], "required: MODEL"),
            (["shwo", "x"], "there is no command 'shwo'; did you mean 'show'?"),
            (["explain", "x"], "there is no command 'explain'; there are show, analyze,"),
            (["fixtures/mixed.tflite"], "to show a model: tflite-quant show fixtures/mixed.tflite"),
            (["show", "none.tflite"], "none.tflite: No such file or directory"),
            (["show", "LICENSE"], "LICENSE: not a TensorFlow Lite model: bytes 4 to 8 are"),
            (["show", "MODEL", "--subgraph", "7"], "no subgraph 7: the model has 2 subgraphs"),
            (["show", "MODEL", "--subgraph", "-1"], "no subgraph -1"),
            (["show", "MODEL", "--subgraph", "x"], "invalid int value: 'x'"),
            (["show", "MODEL", "--tensor", "kernal"], "no tensor 'kernal'; the nearest are ['ke"),
            (["show", "MODEL", "--tensor", "9"], "no tensor 9: subgraph 0 has 5 tensors"),
            (["show", "MODEL", "--tensor", "9" * 5_000], "a number of 5000 digits is not an index"),
            (["show", "MODEL", "--tensor", "0", "--operators"], "not allowed with argument"),
            (["show", "MODEL", "--values"], "--values and --npy need --tensor"),
            (["show", "MODEL", "--tensor", "*zzz*"], "no tensor's name matches '*zzz*'"),
            (["show", "MODEL", "--tensor", "kern"], "the nearest are ['kernel']"),
            (["show", "MODEL", "MODEL", "--json"], "--json shows one model at a time"),
            (
                ["show", "MODEL", "--tensor", "*", "--npy", "x"],
                "--npy writes one tensor, but 6 match",
            ),
            (["spec", "conv2"], "no specification for operator 'CONV2'; the nearest are CONV_2D"),
        ],
    )
    def test_one_line_and_status_2(self, path: Path, arguments: list[str], message: str) -> None:
        result = run(*[path if argument == "MODEL" else argument for argument in arguments])
        assert (result.returncode, result.stdout) == (2, "")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("tflite-quant")

    def test_a_reader_that_has_had_enough(self, path: Path) -> None:
        command = [sys.executable, "-m", "tflite_quant", "show", str(path), "--json"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == 0


def test_the_version() -> None:
    assert shown("--version") == shown("-V") == f"tflite-quant {tq.__version__}\n"


def test_no_arguments_print_the_help() -> None:
    assert shown() == shown("--help")
    for command in ("show", "analyze", "check", "header", "spec"):
        assert f"    {command}" in shown()


def test_the_specification_of_every_operator() -> None:
    every = shown("spec")
    data = {one["operator"]: one["domains"] for one in json.loads(shown("spec", "--json"))}
    for domain, rules in RULES.items():
        for name, rule in rules.items():
            assert f"\n{name}\n" in f"\n{every}"
            one = data[name][domain.value]
            assert one["same_scales"] == rule.same.value
            if not isinstance(rule.outputs, Each):
                scales = [each.get("scale") for each in one["outputs"]]
                fixed = [o and o.scale and str(o.scale) for o in rule.outputs if o is not None]
                assert all(f is None or f == s for f, s in zip(fixed, scales, strict=True))
    narrow = shown("spec", COLUMNS="80").splitlines()
    assert max(map(len, narrow)) <= 80
    assert [line for line in narrow if line != line.rstrip()] == []
    assert shown("spec", "softmax").splitlines()[3].split("  ")[-1].startswith("activation INT8, ")
