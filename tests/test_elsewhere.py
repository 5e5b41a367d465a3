"""Where bytes lie: sparse, behind the flatbuffer of a huge file, in files beside the model."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build, oracle
from tflite_quant.format.source import Folder

VALUES = np.arange(12, dtype=np.int8).reshape(3, 4)


def beside(folder: Path, content: bytes, weights: bytes = bytes(4) + VALUES.tobytes()) -> tq.Tensor:
    (folder / "weights.bin").write_bytes(weights)
    path = folder / "model.tflite"
    path.write_bytes(content)
    return tq.open(path).tensors[0]


class TestOtherFiles:
    def test_values(self, tmp_path: Path) -> None:
        tensor = beside(tmp_path, build.external_model((5, 0, 4, 12, "unpacked")))
        assert tensor.is_constant
        assert tensor.nbytes == 12
        assert np.array_equal(tensor.data, VALUES)
        assert not tensor.data.flags.writeable
        assert tensor.external_buffer == tq.ExternalBuffer(5, "weights.bin", 4, 12, "unpacked")

    def test_a_tensor_without(self, tmp_path: Path) -> None:
        content = build.external_model((5, 0, 4, 12, None), ids=(5, 0))
        beside(tmp_path, content)
        with tq.open(tmp_path / "model.tflite") as model:
            assert model.tensors[1].external_buffer is None
            assert not model.tensors[1].is_constant

    def test_from_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        beside(tmp_path, build.external_model((5, 0, 4, 12, None)))
        monkeypatch.chdir(tmp_path)
        assert np.array_equal(tq.open("model.tflite").tensors[0].data, VALUES)

    def test_a_model_in_memory_has_no_folder(self) -> None:
        tensor = tq.open(build.external_model((5, 0, 4, 12, None))).tensors[0]
        with pytest.raises(tq.UnsupportedError, match="not opened from a path"):
            tensor.data  # noqa: B018

    def test_packed_bytes(self, tmp_path: Path) -> None:
        tensor = beside(tmp_path, build.external_model((5, 0, 4, 12, "zip")))
        with pytest.raises(tq.UnsupportedError, match="packed as 'zip'"):
            tensor.data  # noqa: B018

    @pytest.mark.parametrize(
        "name",
        ["../secret.bin", "/etc/passwd", "sub/weights.bin", "..", ".", "", "..\\x", "C:x", "a\0b"],
    )
    def test_names_that_lead_elsewhere(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "secret.bin").write_bytes(bytes(100))
        folder = tmp_path / "models"
        (folder / "sub").mkdir(parents=True)
        (folder / "sub/weights.bin").write_bytes(bytes(100))
        tensor = beside(folder, build.external_model((5, 0, 0, 12, None), groups=(name,)))
        with pytest.raises(tq.CorruptModelError, match="tensor 0 '': .* is not the name of a file"):
            tensor.data  # noqa: B018

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
    def test_links_that_lead_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "secret.bin").write_bytes(bytes(100))
        folder = tmp_path / "models"
        folder.mkdir()
        tensor = beside(folder, build.external_model((5, 0, 0, 12, None), groups=("link.bin",)))
        (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
        with pytest.raises(tq.CorruptModelError, match="leads out of the model's folder"):
            tensor.data  # noqa: B018
        (folder / "link.bin").unlink()
        (folder / "link.bin").symlink_to(folder / "weights.bin")
        assert tensor.data.shape == (3, 4)

    @pytest.mark.parametrize(
        ("offset", "length", "message"),
        [
            (5, 12, "bytes 5 to 17 of file 'weights.bin', but its size is 16"),
            (2**64 - 1, 2, "but its size is 16"),
            (0, 2**64 - 1, "but its size is 16"),
            (0, 11, r"file 'weights.bin' has 11 bytes, expected 12 for INT8 of shape \(3, 4\)"),
        ],
    )
    def test_bytes_that_are_not_there(
        self, tmp_path: Path, offset: int, length: int, message: str
    ) -> None:
        tensor = beside(tmp_path, build.external_model((5, 0, offset, length, None)))
        with pytest.raises(tq.CorruptModelError, match=message):
            tensor.data  # noqa: B018

    def test_the_last_bytes(self, tmp_path: Path) -> None:
        (tmp_path / "w").write_bytes(bytes(range(16)))
        folder = Folder(str(tmp_path / "model"), np.empty(0, np.uint8))
        for length in (0, 1, 16):
            found = folder.read("w", 16 - length, length)
            assert found.tolist() == list(range(16 - length, 16))
            with pytest.raises(tq.CorruptModelError, match="of file 'w', but its size is 16"):
                folder.read("w", 17 - length, length)

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("none.bin", "it does not exist"),
            ("sub", "not a regular file"),
            ("x" * 300, "it does not exist"),
            pytest.param(
                "secret.bin",
                "Permission denied",
                marks=pytest.mark.skipif(
                    sys.platform == "win32" or os.geteuid() == 0, reason="may read all"
                ),
            ),
        ],
    )
    def test_a_file_that_cannot_be_read(self, tmp_path: Path, name: str, reason: str) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "secret.bin").touch(mode=0o000)
        tensor = beside(tmp_path, build.external_model((5, 0, 0, 12, None), groups=(name,)))
        with pytest.raises(tq.ExternalFileError, match=f"tensor 0 '': .*{name}.*: {reason}"):
            tensor.data  # noqa: B018
        assert issubclass(tq.ExternalFileError, OSError)
        (finding,) = [each for each in tq.check(tmp_path / "model.tflite") if each.id != "TQ302"]
        assert finding.id == "TQ301"
        assert reason in str(finding)

    @pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders there")
    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        tensor = beside(tmp_path, build.external_model((5, 0, 0, 12, None), groups=("pipe",)))
        with pytest.raises(tq.ExternalFileError, match="not a regular file"):
            tensor.data  # noqa: B018

    def test_a_file_named_by_thousands_is_mapped_once(self, tmp_path: Path) -> None:
        count = 2000
        buffers = [(id, id % 2, 4, 12, None) for id in range(1, count + 1)]
        ids = tuple(range(1, count + 1))
        content = build.external_model(*buffers, groups=("weights.bin", "model.tflite"), ids=ids)
        beside(tmp_path, content)
        with tq.open(tmp_path / "model.tflite") as model:
            arrays = [tensor.data for tensor in model.tensors]
            memory = model.structure.file.memory
            for index, array in enumerate(arrays):
                assert np.shares_memory(array, arrays[index % 2])
            assert np.shares_memory(arrays[0], memory)
        assert np.array_equal(arrays[1], VALUES)

    def test_ids_and_groups_that_are_not_there(self) -> None:
        with pytest.raises(tq.CorruptModelError, match="tensor 0: there is no external buffer 6"):
            tq.open(build.external_model((5, 0, 0, 12, None), ids=(6,)))
        with pytest.raises(
            tq.CorruptModelError, match="'group' is 1, expected at least 0 and less than 1"
        ):
            tq.open(build.external_model((5, 1, 0, 12, None)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system with sparse files")
class TestHugeFiles:
    SIZE = 5 << 30

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Write a model of more than 4 GiB, nearly all of it a hole, with values at its end."""
        b = build.start()
        shape = build.numbers(b, [3, 4], "<i4")
        small = build.table(b, "Tensor", type=9, buffer=1, shape=shape)
        whole = build.numbers(b, [self.SIZE // 4096, 1024], "<i4")
        large = build.table(b, "Tensor", type=0, buffer=2, shape=whole)
        graph = build.table(b, "SubGraph", tensors=build.references(b, [small, large]))
        buffers = [
            build.table(b, "Buffer"),
            build.table(b, "Buffer", offset=self.SIZE + 4096, size=12),
            build.table(b, "Buffer", offset=4096, size=self.SIZE),
        ]
        content = build.finish(
            b, subgraphs=build.references(b, [graph]), buffers=build.references(b, buffers)
        )
        path = tmp_path / "huge.tflite"
        with path.open("wb") as file:
            file.write(content)
            file.seek(self.SIZE + 4096)
            file.write(VALUES.tobytes())
        if os.stat(path).st_blocks * 512 > 1 << 20:
            pytest.skip("the file system has no sparse files")
        return path

    @pytest.mark.skipif(sys.maxsize > 1 << 32, reason="the address space is large enough")
    def test_more_than_there_are_addresses_for(self, path: Path) -> None:
        with pytest.raises(tq.TFLiteError, match="5_368_713_228 bytes"):
            tq.open(path)

    @pytest.mark.skipif(sys.maxsize < 1 << 32, reason="such a file cannot be opened on 32 bits")
    def test_opening_and_reading_one_tensor_reads_that_tensor(self, path: Path) -> None:
        tracemalloc.start()
        try:
            with tq.open(path) as model:
                assert np.array_equal(model.tensors[0].data, VALUES)
                assert model.tensors[1].data.nbytes == self.SIZE
                assert model.tensors[1].data[-1, -1] == 0
                assert model.get_tensor_details()[1]["shape"].tolist() == [self.SIZE // 4096, 1024]
            assert tracemalloc.get_traced_memory()[1] < 1 << 20
        finally:
            tracemalloc.stop()


def sparse_tensor(values: NDArray[Any], shape: tuple[int, ...], fields: Any, **others: Any) -> Any:
    spec = build.constant(values, fields=fields, **others)
    spec.shape = shape
    return tq.open(build.one(spec)).tensors[0]


class TestSparse:
    FIELDS = build.sparse_fields(3, ([0, 2, 2, 3], [0, 3, 1]), order=[0, 1])
    DENSE: ClassVar[list[list[int]]] = [[7, 0, 0, 8], [0, 0, 0, 0], [0, 9, 0, 0]]

    def test_data_is_dense_and_stored_is_not(self) -> None:
        tensor = sparse_tensor(np.array([7, 8, 9], np.int8), (3, 4), self.FIELDS)
        assert tensor.data.tolist() == self.DENSE
        assert tensor.stored.tolist() == [7, 8, 9]
        assert tensor.is_sparse
        assert tensor.sparsity.traversal_order == (0, 1)
        assert not tensor.data.flags.writeable

    def test_sparse_and_quantized_at_once(self) -> None:
        tensor = sparse_tensor(np.array([7, 8, 9], np.int8), (3, 4), self.FIELDS, scale=0.5)
        assert tensor.dequantize().tolist() == (np.array(self.DENSE) * 0.5).tolist()

    def test_floats_that_are_decoded(self) -> None:
        bits = (np.array([7, 8, 9], np.float32).view(np.uint32) >> 16).astype(np.uint16)
        spec = build.TensorSpec(
            "t", (3, 4), tflite.TensorType.BFLOAT16, data=bits, fields=self.FIELDS
        )
        tensor = tq.open(build.one(spec)).tensors[0]
        assert tensor.data.tolist() == self.DENSE
        assert tensor.stored.dtype.name == "uint16"

    @pytest.mark.parametrize("name", ["sparse", "sparse_int8"])
    def test_the_converters_own_are_litert_s(self, name: str) -> None:
        """Run DENSIFY on each sparse constant of the file."""
        model = tq.open(ROOT / f"fixtures/{name}.tflite")
        found = [tensor for tensor in model.tensors if tensor.is_sparse]
        assert found
        for tensor in found:
            assert np.array_equal(tensor.data, densified(tensor))
            assert np.count_nonzero(tensor.data) == np.count_nonzero(tensor.stored)

    @pytest.mark.parametrize(
        ("fields", "error", "message"),
        [
            (
                build.sparse_fields(3, (None, [0]), order=[0, 1]),
                tq.CorruptModelError,
                "no segments",
            ),
            (build.sparse_fields(3, ([0], None), order=[0, 1]), tq.CorruptModelError, "no indices"),
            (
                build.sparse_fields(3, ([0, 2, 2, 3], [0, 9, 1]), order=[0, 1]),
                tq.CorruptModelError,
                "tensor 0 't': .*",
            ),
            (build.sparse_fields(order=[]), tq.CorruptModelError, "tensor 0 't': .*"),
        ],
    )
    def test_what_is_broken_says_where(
        self, fields: Any, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            sparse_tensor(np.array([7, 8, 9], np.int8), (3, 4), fields).data  # noqa: B018

    def test_a_form_that_is_not_known(self) -> None:
        def write(b: build.Builder) -> int:
            dimension = build.table(b, "DimensionMetadata", format=7)
            metadata = build.references(b, [dimension])
            return build.table(b, "SparsityParameters", dim_metadata=metadata)

        tensor = sparse_tensor(np.array([7], np.int8), (1,), {"sparsity": write})
        with pytest.raises(tq.UnsupportedError, match=r"format is 7, expected 0"):
            tensor.data  # noqa: B018
        with pytest.raises(tq.UnsupportedError, match=r"format is 7, expected 0"):
            tensor.sparsity  # noqa: B018

    def test_a_small_file_makes_no_huge_array(self) -> None:
        fields = build.sparse_fields(1, ([0, 1], [0]), order=[0, 1])
        tensor = sparse_tensor(np.array([7], np.int8), (1, 2**31 - 1), fields)
        with pytest.raises(tq.CorruptModelError, match="bytes"):
            tensor.data  # noqa: B018

    def test_packed_values_and_strings_are_not_read(self) -> None:
        for type in (tflite.TensorType.INT4, tflite.TensorType.STRING):
            spec = build.TensorSpec("t", (3, 4), type, data=b"12", fields=self.FIELDS)
            with pytest.raises(tq.UnsupportedError, match="sparse .* values cannot be read"):
                tq.open(build.one(spec)).tensors[0].data  # noqa: B018

    def test_bytes_that_are_no_whole_number_of_values(self) -> None:
        spec = build.TensorSpec(
            "t", (3, 4), tflite.TensorType.FLOAT32, data=bytes(7), fields=self.FIELDS
        )
        with pytest.raises(tq.CorruptModelError, match="not a whole number of FLOAT32"):
            tq.open(build.one(spec)).tensors[0].data  # noqa: B018


def densified(tensor: tq.Tensor) -> NDArray[Any]:
    """Copy a sparse tensor into a model of one DENSIFY, and run that."""
    sparsity = tensor.sparsity
    assert sparsity is not None
    dimensions = [
        one.size if hasattr(one, "size") else (one.segments.tolist(), one.indices.tolist())
        for one in sparsity.dimensions
    ]
    order, blocks = list(sparsity.traversal_order), list(sparsity.block_map)
    fields = build.sparse_fields(*dimensions, order=order, blocks=blocks or None)
    source = build.constant(np.array(tensor.stored), name="sparse", fields=fields)
    source.shape = tensor.shape
    graph = build.SubgraphSpec(
        [source, build.TensorSpec("dense", tensor.shape, tensor.type)],
        [],
        [1],
        [build.OperatorSpec(tflite.BuiltinOperator.DENSIFY, [0], [1])],
    )
    runner = oracle.interpreter(build.model(graph), reference=True)
    with oracle.quiet():
        runner.allocate_tensors()
        runner.invoke()
    result: NDArray[Any] = runner.get_tensor(1)
    return result
