"""The command, run as a user runs it: in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tracemalloc
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


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


class TestTable:
    def test_a_row_per_tensor(self, path: Path) -> None:
        lines = shown("show", path).splitlines()
        assert lines[0] == f"{path}: schema version 3, by hand"
        assert "subgraph 0 main: inputs [0], outputs [1]" in lines
        assert "subgraph 1 body: inputs [], outputs []" in lines
        rows = [cells(line) for line in lines]
        assert ["name", "type", "shape", "bytes", "scheme", "scale", "zero point", "axis"] in rows
        assert ["0", "image", "INT8", "[1,2] ([-1,2])", "2", "per-tensor", "0.1", "-1"] in rows
        assert [
            "1",
            "kernel",
            "INT8",
            "[3,2]",
            "6",
            "per-axis",
            "3 in [0.1, 0.5]",
            "0",
            "0",
        ] in rows
        assert ["2", "floats", "FLOAT32", "[3]", "12"] in rows
        assert ["3", "text", "STRING", "[1]"] in rows
        assert ["4", "new", "TensorType(99)", "[1]", "unknown", "QuantizationDetails(9)"] in rows

    def test_one_subgraph(self, path: Path) -> None:
        text = shown("show", path, "--subgraph", 1)
        assert "other" in text
        assert "kernel" not in text

    def test_a_narrow_terminal_gets_two_lines_a_tensor(self, tmp_path: Path) -> None:
        name = "a/long/name/" * 10
        path = tmp_path / "m.tflite"
        path.write_bytes(build.one(build.TensorSpec(name, (1, 2), scale=0.1, zero_point=-1)))
        lines = shown("show", path, COLUMNS="80").splitlines()
        assert lines[-3:] == [
            f"0 {name[:78]}",
            f"  {name[78:]}",
            "  INT8 [1,2] 2 per-tensor 0.1 -1",
        ]

    def test_one_tensor_in_full(self, path: Path) -> None:
        text = shown("show", path, "--tensor", "kernel")
        rows = [cells(line) for line in text.splitlines()]
        for row in (["name", "kernel"], ["axis", "0"], ["scheme", "per-axis"], ["2", "0.1", "0"]):
            assert row in rows
        assert "data:\n[[1 2]\n [3 4]\n [5 6]]" in text
        assert "real:\n[[0.5" in text
        assert shown("show", path, "--tensor", "1") == text

    def test_a_tensor_without_values_says_why(self, path: Path) -> None:
        text = shown("show", path, "--tensor", "image")
        assert "data: subgraph 0, tensor 0 'image': not constant" in text

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
        row = next(line for line in text.splitlines() if "large_1/MatMul " in line)
        assert [*cells(row)[2:6], cells(row)[-1]] == [
            "INT4", "[64,128]", "4096", "blockwise", "by 32"
        ]  # fmt: skip
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
        assert "subgraph 0" in shown("show", path, COLUMNS=columns)
        assert "subgraph 0" in shown("show", path, "--operators", COLUMNS=columns)


def test_analyze() -> None:
    path = "fixtures/residual_int8.tflite"
    assert shown("analyze", path) == f"=== {path} ===\n\n{tq.analyze(ROOT / path)}\n"
    result = run("analyze", "LICENSE")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "required: COMMAND"),
            (["show"], "required: MODEL"),
            (["explain", "x"], "invalid choice: 'explain'"),
            (["show", "none.tflite"], "none.tflite: No such file or directory"),
            (["show", "LICENSE"], "LICENSE: not a TensorFlow Lite model: bytes 4 to 8 are"),
            (["show", "MODEL", "--subgraph", "7"], "no subgraph 7: the model has 2 subgraphs"),
            (["show", "MODEL", "--subgraph", "-1"], "no subgraph -1"),
            (["show", "MODEL", "--subgraph", "x"], "invalid int value: 'x'"),
            (["show", "MODEL", "--tensor", "kernal"], "no tensor 'kernal'; the nearest are ['ke"),
            (["show", "MODEL", "--tensor", "9"], "no tensor 9: subgraph 0 has 5 tensors"),
            (["show", "MODEL", "--tensor", "9" * 5_000], "a number of 5000 digits is not an index"),
            (["show", "MODEL", "--tensor", "0", "--operators"], "not allowed with argument"),
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
    assert shown("--version") == f"tflite-quant {tq.__version__}\n"
