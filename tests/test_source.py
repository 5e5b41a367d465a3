"""Where bytes come from, and what is said of bytes that are no model."""

from __future__ import annotations

import gzip
import io
import mmap
import os
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_quant as tq
from tests import build

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
            (b"something else", "bytes 4 to 8 are b'thin'"),
            (b"somethin", "bytes 4 to 8 are b'thin'"),
            (b"somethi", "only 7 bytes"),
        ],
    )
    def test_the_message_says_what_it_looks_like(self, content: bytes, message: str) -> None:
        with pytest.raises(tq.NotTFLiteError, match=message):
            tq.open(content)

    def test_the_message_names_the_file(self, path: Path) -> None:
        path.write_bytes(b"")
        with pytest.raises(tq.NotTFLiteError, match=r"model\.tflite: .*empty"):
            tq.open(path)
