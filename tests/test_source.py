"""Where bytes come from, and what is said of bytes that are no model."""

from __future__ import annotations

import base64
import contextlib
import gzip
import importlib.resources
import io
import mmap
import os
import pickle
import re
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_quant as tq
from conftest import ROOT
from tests import build
from tests.test_cli import run
from tests.work import measured

MODEL = build.one(build.constant(np.arange(6, dtype=np.int8).reshape(2, 3), 0.5, 1))


def names(source: Any) -> list[str]:
    with tq.open(source) as model:
        return [tensor.name for tensor in model.tensors]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(MODEL)
    return path


class TestSources:
    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
    def test_bytes_and_file_objects(self, kind: Any) -> None:
        assert names(kind(MODEL)) == ["t"]

    def test_arrays(self) -> None:
        assert names(np.frombuffer(MODEL, np.uint8)) == ["t"]

    @pytest.mark.parametrize("kind", [str, Path])
    def test_paths(self, path: Path, kind: Any) -> None:
        assert names(kind(path)) == ["t"]

    def test_a_map(self, path: Path) -> None:
        with path.open("rb") as file:
            assert names(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) == ["t"]

    def test_a_file_is_read_from_where_it_stands(self, path: Path) -> None:
        path.write_bytes(b"head" + MODEL)
        with path.open("rb") as file:
            file.seek(4)
            assert names(file) == ["t"]

    def test_a_large_file_is_mapped_not_read(self, path: Path) -> None:
        with path.open("r+b") as file:
            file.truncate(64 << 20)
        tracemalloc.start()
        try:
            with tq.open(path) as model:
                assert model["t"].data.tolist() == [[0, 1, 2], [3, 4, 5]]
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
    def test_a_pipe_that_gives_its_bytes_little_by_little(self, tmp_path: Path) -> None:
        """It has no size, and a read gives what is there by then."""
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)

        def write() -> None:
            with pipe.open("wb", buffering=0) as file:
                for start in range(0, len(MODEL), 50):
                    file.write(MODEL[start : start + 50])

        writer = threading.Thread(target=write)
        writer.start()
        assert names(pipe) == ["t"]
        writer.join()

    def test_a_read_that_gives_less_than_there_is(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As systems do when a signal comes, or a network is slow."""

        class Slow(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(10 if size and size > 0 else -1) or b""

        monkeypatch.setattr(
            "tflite_quant.format.source.open", lambda path, *_, **__: Slow(path), raising=False
        )
        assert names(path) == ["t"]

    def test_nothing_is_copied_from_memory(self) -> None:
        memory = np.frombuffer(MODEL, np.uint8)
        assert np.shares_memory(tq.open(memory).tensors[0].data, memory)

    def test_memory_that_can_be_written_is_not_written_through_us(self) -> None:
        data = tq.open(bytearray(MODEL)).tensors[0].data
        with pytest.raises(ValueError, match="read-only"):
            data[0, 0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            data.flags.writeable = True

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            (3, "not from int"),
            (None, "not from NoneType"),
            (io.StringIO("text"), "binary mode"),
            (np.zeros(8, np.int32), "is int32, expected uint8"),
            (np.zeros(16, np.uint8)[::2], "contiguous"),
        ],
    )
    def test_other_things_are_refused(self, source: Any, message: str) -> None:
        with pytest.raises(TypeError, match=message):
            tq.open(source)

    def test_paths_that_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            tq.open(tmp_path / "none.tflite")
        with pytest.raises(OSError, match=r"directory|denied"):
            tq.open(tmp_path)


class TestLookalikes:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "the file is empty"),
            (b"TFL", "only 3 bytes"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
            (b"PK\x03\x04" + bytes(40), "ZIP archive"),
            (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
            (gzip.compress(MODEL), "gzip"),
            (b"<!DOCTYPE html><html>", "HTML"),
            (b"\n  <html lang='en'>", "HTML"),
            (b"\x08\x07\x12\x07pytorch", "protocol buffer"),
            (b'{"a": 1, "b": 2}', "JSON"),
            (MODEL[:4] + b"TFL2" + MODEL[8:], "another schema, b'TFL2'"),
            (
                b"../models/person detect.tflite",
                "link that was stored as text: the model is",
            ),
            (b"00000000: 1c00 0000 5446 4c33 1400 2000", "a hex dump: 'xxd -r'"),
            (b"00000000  1c 00 00 00 54 46 4c 33", "a hex dump"),
            (base64.b64encode(MODEL), "base64 text"),
            (b"LITERTLM\1\0\0\0", "LiteRT-LM bundle"),
            (MODEL[:4] + b"CIR0" + MODEL[8:], "a Circle model"),
            (MODEL[:4] + b"ET12" + MODEL[8:], "an ExecuTorch program"),
            (b"GGUF\3\0\0\0" + bytes(40), "a GGUF file"),
            (pickle.dumps({"a": np.zeros(3)}, 2), "a pickle"),
            (pickle.dumps({"a": np.zeros(3)}, 4), "a pickle"),
            (pickle.dumps({"a": np.zeros(3)}, 5), "a pickle"),
            (
                len(MODEL).to_bytes(4, "little") + MODEL,
                "size-prefixed FlatBuffer",
            ),
            (b"something else", "bytes 4 to 8 are b'thin'"),
            (b"somethin", "bytes 4 to 8 are b'thin'"),
            (b"somethi", "only 7 bytes"),
        ],
    )
    def test_the_message_says_what_it_looks_like(self, content: bytes, message: str) -> None:
        with pytest.raises(tq.NotTFLiteError, match=message):
            tq.open(content)

    @pytest.mark.parametrize("size", [200, 5_000, 20_000, 50_000])
    def test_a_model_that_was_cut_short(self, size: int) -> None:
        """It says how much there is, and how much the model needs."""
        content = (ROOT / "fixtures/residual_int8.tflite").read_bytes()
        with pytest.raises(tq.CorruptModelError) as caught:
            tq.open(content[:size])
        found = re.search(
            r"truncated\? it has ([\d_]+) bytes, .* needs ([\d_]+)", str(caught.value)
        )
        assert found is not None, caught.value
        has, needs = (int(text.replace("_", "")) for text in found.groups())
        assert has == size
        assert size < needs <= len(content)

    def test_a_model_that_went_through_a_text_transfer(self) -> None:
        content = (ROOT / "fixtures/residual_int8.tflite").read_bytes().replace(b"\n", b"\r\n")
        with pytest.raises(tq.CorruptModelError, match="line ends becoming CR LF"):
            tq.open(content)

    def test_a_model_that_is_broken_otherwise_is_not_called_truncated(self) -> None:
        content = bytearray((ROOT / "fixtures/residual_int8.tflite").read_bytes())
        content[:4] = (len(content) - 4).to_bytes(4, "little")
        with pytest.raises(tq.CorruptModelError) as caught:
            tq.open(content)
        assert "truncated" not in str(caught.value)

    def test_the_message_names_the_file(self, path: Path) -> None:
        path.write_bytes(b"")
        with pytest.raises(tq.NotTFLiteError, match=r"model\.tflite: .*empty"):
            tq.open(path)


def as_c(content: bytes, name: str = "g_model", **style: Any) -> str:
    """Write bytes as C source does."""
    literal = style.get("literal", "0x{:02x}")
    rows = [content[i : i + 12] for i in range(0, len(content), 12)]
    lines = ",\n  ".join(", ".join(literal.format(byte) for byte in row) for row in rows)
    comma = style.get("comma", "")
    kind = style.get("kind", "alignas(16) const unsigned char")
    return f"{kind} {name}[{style.get('size', '')}] = {{\n  {lines}{comma}\n}};\n"


class TestCSource:
    """Firmware repositories keep models as arrays."""

    @pytest.mark.parametrize(
        "style",
        [
            {},
            {"literal": "{}", "comma": ","},
            {"literal": "0X{:02X}U"},
            {"literal": "0{:o}"},
            {"kind": "static uint8_t", "size": "DATA_SIZE"},
            {"kind": "#include <a.h>\n// {not} an = { array }\n/* int x[] = {1}; */ const char"},
            {"size": "] DATA_ALIGN [16"},
        ],
    )
    def test_the_model_is_what_the_array_has(self, tmp_path: Path, style: dict[str, str]) -> None:
        path = tmp_path / "model_data.cc"
        path.write_text(as_c(MODEL, **style) + f"unsigned int g_model_len = {len(MODEL)};\n")
        for source in (path, path.read_bytes()):
            with tq.open(source) as model:
                assert model["t"].data.tolist() == [[0, 1, 2], [3, 4, 5]]
                assert model.structure.file.size == len(MODEL)

    def test_what_our_own_header_writes(self, tmp_path: Path) -> None:
        path = tmp_path / "model.h"
        path.write_text(tq.c_header(MODEL, prefix="p", include_model=True))
        assert names(path) == ["t"]

    def test_several(self, tmp_path: Path) -> None:
        other = build.one(build.TensorSpec("other"))
        path = tmp_path / "models.c"
        path.write_text("int x[] = {1, 2, 3};\n" + as_c(MODEL, "g_a") + as_c(other, "g_b"))
        with pytest.raises(tq.NotTFLiteError, match="2 models in this C source: g_a, g_b; open"):
            tq.open(path)
        assert tq.open(path, array="g_b").tensors[0].name == "other"
        with pytest.raises(tq.NotTFLiteError, match="no array 'x' .* it has g_a, g_b"):
            tq.open(path, array="x")
        with pytest.raises(tq.NotTFLiteError, match="not C source"):
            tq.open(MODEL, array="x")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (("0x00", "0x1ff"), "has the element b'0x1ff', expected a byte"),
            (("0x05", "five"), "has the element b'five', expected a byte"),
        ],
    )
    def test_what_is_no_byte(self, change: tuple[str, str], message: str) -> None:
        head, tail = as_c(MODEL)[:200], as_c(MODEL)[200:].replace(*change, 1)
        with pytest.raises(tq.NotTFLiteError, match=message):
            tq.open((head + tail).encode())

    def test_other_texts(self) -> None:
        for text in ("int main() { return 0; }", "x = {", "a[] = {1, 2}", "/* open", "{" * 9000):
            with pytest.raises(tq.NotTFLiteError, match="bytes 4 to 8|JSON|only"):
                tq.open(text.encode())

    @pytest.mark.parametrize("part", ["a[]={", "a" * 400 + "={", "/*", "//", "[={", "a[]={1},"])
    def test_hostile_texts_take_time_in_proportion(self, part: str) -> None:
        text = (part * (1_000_000 // len(part))).encode()

        def ask() -> None:
            with contextlib.suppress(tq.TFLiteError):
                tq.open(text)

        measured(ask, 2_000_000, 84_000_000)

    def test_every_command_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "model_data.cc"
        path.write_text(as_c((ROOT / "fixtures/residual_int8.tflite").read_bytes()))
        for command in ("show", "check", "analyze", "header"):
            result = run(command, path)
            assert (result.returncode, result.stderr) == (0, "")


def test_paths_in_archives(tmp_path: Path) -> None:
    archive = tmp_path / "models.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside/model.tflite", MODEL)
    assert names(zipfile.Path(archive, "inside/model.tflite")) == ["t"]
    assert names(importlib.resources.files("tests") / "../fixtures/strings.tflite")
