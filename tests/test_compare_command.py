"""`tflite-quant compare`: its screens, its formats, its exit status, whatever the names."""

from __future__ import annotations

import csv
import importlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build
from tests.build import TensorSpec, constant
from tests.test_cli import HOSTILE, on_a_terminal, run, shown
from tests.test_compare import dense
from tflite_quant.comparison.reports import node_data

FLOAT, INT8 = "fixtures/residual_float32.tflite", "fixtures/residual_int8.tflite"
NUMBER = re.compile(r"(-?[\d.]+) dB")


def figures(lines: list[str]) -> list[float]:
    """Give the SQNR in each line of a table."""
    return [float(match[1]) for line in lines if (match := NUMBER.search(line))]


def save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a .npz file with any names."""
    np.savez(path, **arrays)  # type: ignore[arg-type]


class TestScreen:
    def test_the_worst_come_first(self) -> None:
        head, titles, *rows = shown("compare", FLOAT, INT8).splitlines()
        assert head == (
            f"{FLOAT} → {INT8}   16 of 16 constants matched, 1 other without real values   "
            "weights: 44.8 dB"
        )
        assert titles.split() == [
            "#", "operator", "SQNR", "worst", "channel", "range", "used", "at", "ends", "name",
        ]  # fmt: skip
        assert figures(rows) == sorted(figures(rows))
        assert len(rows) == 16
        assert rows[0].split()[:4] == ["0", "CONV_2D", "42.8", "dB"]
        assert rows[0].endswith("residual_1/stem_conv_1/convolution")

    def test_in_the_order_of_the_graph(self) -> None:
        rows = shown("compare", FLOAT, INT8, "--sort", "graph").splitlines()[2:]
        indices = [int(row.split()[0]) for row in rows]
        assert indices == sorted(indices)
        assert len(rows) == 16

    def test_only_some(self) -> None:
        rows = shown("compare", FLOAT, INT8, "--top", "3").splitlines()[2:]
        assert len(rows) == 4
        assert rows[-1] == "... 13 more; --top 0 shows all"

    @pytest.mark.parametrize("columns", [80, 100, 120])
    def test_it_fits_the_terminal(self, columns: int) -> None:
        lines = shown("compare", FLOAT, INT8, COLUMNS=str(columns)).splitlines()
        assert max(map(len, lines)) <= columns
        wide = shown("compare", FLOAT, INT8, "--wide", COLUMNS=str(columns))
        assert wide == shown("compare", FLOAT, INT8)

    def test_bars_are_as_long_as_the_figures(self) -> None:
        """Six decibels a character."""
        rows = shown("compare", FLOAT, INT8).splitlines()[2:]
        for row in rows:
            eighths = sum(8 if c == "█" else " ▏▎▍▌▋▊▉".index(c) for c in row if c in "█▏▎▍▌▋▊▉")
            assert eighths / 8 * 6 == pytest.approx(min(figures([row])[0], 72), abs=0.5)

    def test_a_terminal_without_such_characters(self) -> None:
        text = run("compare", FLOAT, INT8, PYTHONIOENCODING="ascii").stdout
        assert text.isascii()
        assert f"{FLOAT} -> {INT8}" in text
        assert "\\u" not in text
        assert "#######" in text

    def test_colours_are_for_terminals(self) -> None:
        pytest.importorskip("pty")
        worse = ("fixtures/quantizer_float32.tflite", "fixtures/int2.tflite")
        assert "\x1b[31m" in on_a_terminal("compare", *worse, TERM="xterm")
        assert "\x1b" not in on_a_terminal("compare", *worse, TERM="xterm", NO_COLOR="1")
        assert "\x1b" not in shown("compare", *worse)

    def test_exact(self) -> None:
        rows = shown("compare", INT8, INT8).splitlines()
        assert rows[0].endswith("weights: exact")
        assert all(" exact  ████████████" in row for row in rows[2:])

    def test_models_that_have_little_in_common(self, tmp_path: Path) -> None:
        r = np.random.default_rng(2).normal(size=(2, 8, 8)).astype(np.float32)
        for name, array in zip("ab", r, strict=True):
            (tmp_path / name).write_bytes(dense(constant(array)))
        lines = shown("compare", tmp_path / "a", tmp_path / "b").splitlines()
        assert lines[1] == (
            "the error is larger than the weights: was the one model made from the other?"
        )

    def test_channels(self) -> None:
        lines = shown("compare", FLOAT, INT8, "--tensor", "*stem_conv_1/convolution").splitlines()
        assert lines[0] == "residual_1/stem_conv_1/convolution"
        assert lines[1] == "  INT8, per-axis, [32, 7, 7, 3], CONV_2D weight"
        assert lines[3].split()[:3] == ["all", "42.8", "dB"]
        assert lines[4].split()[:3] == ["17", "41.3", "dB"]
        assert figures(lines[4:24]) == sorted(figures(lines[4:24]))
        assert lines[24] == "... 12 more channels along axis 0"
        every = shown("compare", FLOAT, INT8, "--tensor", "*stem_conv_1/convolution", "--top", "0")
        assert len(every.splitlines()) == 4 + 32

    def test_what_was_not_compared(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        path.write_bytes(dense(constant(np.ones((2, 3), np.int8), 1.0)))
        text = shown("compare", FLOAT, path)
        assert "0 of 1 constant matched" in text
        assert "not compared, of the quantized model: 1\n  INT8 (2, 3)  kernel\n" in text
        assert "not compared, of the reference: 16\n  FLOAT32 (32, 7, 7, 3)  residual_1/" in text

    def test_a_broken_tensor_says_why(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        q = np.ones((2, 3), np.int8)
        path.write_bytes(dense(constant(q, [1.0, 1.0, 1.0], [0, 0, 0])))
        np.savez(tmp_path / "a.npz", kernel=np.ones((2, 3), np.float32))
        text = shown("compare", tmp_path / "a.npz", path)
        assert "    subgraph 0, tensor 2 'kernel': 3 scales along axis 0 of shape (2, 3)" in text


class TestFormats:
    def test_json_has_everything(self) -> None:
        data = json.loads(shown("compare", FLOAT, INT8, "--format", "json"))
        comparison = tq.compare(ROOT / FLOAT, ROOT / INT8)
        assert (data["matched"], data["others"], data["unmatched"]) == (16, 1, [])
        for given, each in zip(data["tensors"], comparison, strict=True):
            assert given["name"] == each.name
            assert given["sqnr"] == each.sqnr
            if each.channels is None:
                assert given["channels"] is None
            else:
                assert given["channels"]["sqnr"] == each.channels.sqnr.tolist()
                assert given["channels"]["bias"] == each.channels.bias.tolist()

    def test_json_without_numbers(self) -> None:
        """What is exact is text, and what is unknown null: JSON has neither."""
        files = ("fixtures/quantizer_float32.tflite", "fixtures/blockwise_int4.tflite")
        text = shown("compare", *files, "--format", "json")
        tensors = {each["name"]: each for each in json.loads(text)["tensors"]}
        exact = tensors["dense_1/odd_1/MatMul"]
        assert (exact["sqnr"], exact["step"]) == ("inf", None)
        assert exact["channels"]["step"] == [None] * 3

    def test_csv(self) -> None:
        rows = list(csv.DictReader(shown("compare", FLOAT, INT8, "--format", "csv").splitlines()))
        records = tq.compare(ROOT / FLOAT, ROOT / INT8).to_records()
        assert {row["name"]: float(row["sqnr"]) for row in rows} == {
            record["name"]: record["sqnr"] for record in records
        }
        text = shown("compare", FLOAT, INT8, "--format", "csv", "--tensor", "*stem_conv_1/conv*")
        rows = list(csv.DictReader(text.splitlines()))
        assert [int(row["channel"]) for row in rows if row["name"].endswith("convolution")] == list(
            range(32)
        )

    def test_markdown(self) -> None:
        lines = shown("compare", FLOAT, INT8, "--format", "markdown").splitlines()
        assert len(lines) == 18
        assert lines[2].startswith("| 0 | CONV\\_2D | 42.8 dB | c 17")

    @pytest.mark.parametrize("measure", ["sqnr", "at-ends"])
    def test_model_explorer(self, measure: str) -> None:
        """Its nodes are the operators, by their indices; the worst of an operator counts."""
        text = shown("compare", FLOAT, INT8, "--format", "model-explorer", "--measure", measure)
        data = json.loads(text)
        assert list(data) == ["main"]
        comparison = tq.compare(ROOT / FLOAT, ROOT / INT8)
        for index, node in data["main"]["results"].items():
            of_node = [each for each in comparison if each.operator_index == int(index)]
            sqnr = min(each.sqnr for each in of_node)
            at_ends = max(each.measures.at_ends or 0 for each in of_node)
            wanted = sqnr if measure == "sqnr" else at_ends
            assert node["value"] == pytest.approx(wanted, abs=1e-4)
        bounds = [each["value"] for each in data["main"]["thresholds"]]
        assert bounds == sorted(bounds)

    def test_model_explorer_shows_what_is_exact(self) -> None:
        files = [ROOT / f"fixtures/{name}.tflite" for name in ("quantizer_float32", "int4")]
        data = node_data(tq.compare(files[0], files[0]), "sqnr", [""])
        assert {node["value"] for node in data["main"]["results"].values()} == {"exact"}
        assert all(node["bgColor"] for node in data["main"]["results"].values())
        assert node_data(tq.compare(*files), "sqnr", ["a"]).keys() == {"a"}

    def test_model_explorer_reads_it(self) -> None:
        """The package's own records have these fields, where it is installed."""
        try:
            builder: Any = importlib.import_module("model_explorer.node_data_builder")
        except ImportError as error:
            pytest.skip(f"{error}")
        data = json.loads(shown("compare", FLOAT, INT8, "--format", "model-explorer"))
        for graph in data.values():
            for node in graph["results"].values():
                builder.NodeDataResult(**node)
            for threshold in graph["thresholds"]:
                builder.ThresholdItem(**threshold)
            assert set(graph) == {"results", "thresholds"}


class TestActivations:
    def test_they_follow_the_weights(self, tmp_path: Path) -> None:
        with tq.open(ROOT / INT8) as model:
            output = model.outputs[0]
        q = np.full(output.shape, 12, np.int8)
        save(tmp_path / "a.npz", {output.name: np.full(output.shape, 0.55, np.float32)})
        save(tmp_path / "b.npz", {str(output.index): q})
        files = (tmp_path / "a.npz", tmp_path / "b.npz")
        text = shown("compare", FLOAT, INT8, "--activations", *files)
        after = text.split("\n1 recorded tensor, in the order in which they are written\n")[1]
        error = 140 / 256 - 0.55
        assert figures(after.splitlines())[0] == pytest.approx(
            20 * math.log10(0.55 / abs(error)), abs=0.1
        )
        assert after.splitlines()[1].split()[:2] == ["12", "SOFTMAX"]


class TestExitStatus:
    @pytest.mark.parametrize(("limit", "count"), [(40, 0), (43, 1), (45, 4), (1000, 16)])
    def test_under_a_limit(self, limit: int, count: int) -> None:
        result = run("compare", FLOAT, INT8, "--fail-under", limit)
        assert result.returncode == (1 if count else 0)
        lines = result.stderr.splitlines()
        assert len(lines) == count
        if count:
            wanted = f"residual_1/stem_conv_1/convolution: 42.8 dB, under {limit}"
            assert lines[0] == f"tflite-quant: {wanted}"

    def test_what_has_no_counterpart_is_not_above_a_limit(self) -> None:
        result = run("compare", "fixtures/quantizer_float32.tflite", INT8, "--fail-under", "1")
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 16
        result = run("compare", "fixtures/quantizer_float32.tflite", INT8)
        assert (result.returncode, result.stderr) == (0, "")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((FLOAT,), "the following arguments are required: QUANTIZED"),
            ((FLOAT, "none.tflite"), "none.tflite: No such file or directory"),
            (("none.npz", INT8), "none.npz: No such file or directory"),
            (("README.md", INT8), "README.md: not a TensorFlow Lite model"),
            (
                (FLOAT, INT8, "--tensor", "x*"),
                "no tensor that was compared has a name that matches 'x*'",
            ),
            ((FLOAT, INT8, "--top", "-1"), "--top -1: expected 0 or more"),
            ((FLOAT, INT8, "--activations", FLOAT, INT8), FLOAT),
        ],
    )
    def test_errors_are_one_line(self, arguments: tuple[str, ...], message: str) -> None:
        result = run("compare", *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        (line,) = result.stderr.splitlines()
        assert message in line


class TestHostileFiles:
    def test_names_are_escaped_everywhere(self, tmp_path: Path) -> None:
        path = tmp_path / "m.tflite"
        q = np.arange(6, dtype=np.int8).reshape(2, 3)
        bias = constant(np.ones(2, np.int32), 1.0, name=f"{HOSTILE}b")
        path.write_bytes(dense(constant(q, 1.0), bias, name=f"{HOSTILE}::error::a"))
        save(tmp_path / "a.npz", {f"{HOSTILE}::error::a": q, "##[x]##vso[y]": np.ones(3)})
        formats = ("text", "json", "csv", "markdown", "model-explorer")
        commands = [("--format", each) for each in formats]
        for given in (*commands, ("--tensor", "*"), ("--fail-under", "99")):
            for reference in (path, tmp_path / "a.npz"):
                result = run("compare", reference, path, *given)
                text = result.stdout + result.stderr
                assert "Traceback" not in text
                assert text.replace("\n", "").isprintable()
                assert not re.search(r"^\s*::error|##[a-z]*\[", text, re.MULTILINE)

    def test_thousands_of_tensors_that_share_a_buffer(self) -> None:
        """A file of 300 kB would take a minute."""

        def content(count: int) -> bytes:
            tensors = [
                TensorSpec(f"t{i}", (50, 1000), 9, scale=1.0, zero_point=0, buffer=1)
                for i in range(count)
            ]
            return build.one(*tensors, buffers=[bytes(50_000)])

        with pytest.raises(tq.CorruptModelError, match="comparing tensors that share values"):
            tq.compare(content(4000), content(4000))
        assert len(tq.compare(content(40), content(40))) == 40

    def test_one_that_says_to_be_larger_than_it_is(self) -> None:
        tensor = TensorSpec("t", (1 << 20, 1 << 20), 9, b"12", scale=1.0, zero_point=0)
        content = build.one(tensor)
        comparison = tq.compare(content, content)
        assert comparison.tensors == ()
        assert "buffer 1 has 2 bytes" in comparison.unmatched[0].reason
