"""Which constant belongs to which: by name, by part of it, by place, by shape; and what is left."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tflite_quant.comparison.layouts import layouts

R = np.random.default_rng(3)
DENSE, ADD = tflite.BuiltinOperator.FULLY_CONNECTED, tflite.BuiltinOperator.ADD
CONV, DEPTHWISE = tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D
RESIDUAL, INT8 = ROOT / "fixtures/residual_float32.tflite", ROOT / "fixtures/residual_int8.tflite"


def chain(names: Sequence[str], arrays: Sequence[NDArray[Any]], code: int = DENSE) -> bytes:
    """Build a model of one operator for each array, int8 arrays with a scale of 1."""
    tensors = [TensorSpec("in", (1, 4), 0)]
    operators = []
    for name, array in zip(names, arrays, strict=True):
        scale = 1.0 if array.dtype == np.int8 else None
        tensors += [constant(array, scale, name=name), TensorSpec(f"out {name}", (1, 4), 0)]
        last = len(tensors) - 1
        operators.append(OperatorSpec(code, [max(last - 2, 0), last - 1], [last]))
    return build.model(SubgraphSpec(tensors, [0], [len(tensors) - 1], operators))


def integers(*shape: int) -> NDArray[np.int8]:
    return R.integers(-100, 100, shape).astype(np.int8)


def matched(comparison: tq.Comparison) -> dict[str, tuple[str, str]]:
    return {each.name: (each.reference_name, each.matched_by) for each in comparison}


class TestByName:
    def test_the_size_must_fit(self) -> None:
        q = [integers(4, 4), integers(2, 8)]
        floats = [each.astype(np.float32) for each in q]
        # The names are exchanged: only their places are left.
        comparison = tq.compare(chain("ba", floats), chain("ab", q))
        assert matched(comparison) == {"a": ("b", "graph"), "b": ("a", "graph")}
        assert all(each.measures.is_exact for each in comparison)

    def test_what_has_no_counterpart_is_listed(self) -> None:
        comparison = tq.compare(
            chain("ab", [integers(3, 4).astype(np.float32), integers(2, 4).astype(np.float32)]),
            chain("ac", [integers(5, 4), integers(6, 4)]),
        )
        assert comparison.tensors == ()
        assert comparison.weights is None
        assert [
            (each.side, each.name, each.shape, each.reason) for each in comparison.unmatched
        ] == [
            ("quantized", "a", (5, 4), "nothing in the reference belongs to it"),
            ("quantized", "c", (6, 4), "nothing in the reference belongs to it"),
            ("reference", "a", (3, 4), "nothing in the quantized model belongs to it"),
            ("reference", "b", (2, 4), "nothing in the quantized model belongs to it"),
        ]

    def test_the_order_does_not_matter(self) -> None:
        q = [integers(4, 4) for _ in range(3)]
        floats = [each.astype(np.float32) for each in q]
        comparison = tq.compare(chain("cab", [floats[2], *floats[:2]]), chain("abc", q))
        assert matched(comparison) == {name: (name, "name") for name in "abc"}
        assert all(each.measures.is_exact for each in comparison)

    def test_a_name_that_two_have(self) -> None:
        """The graph decides then: nothing is guessed."""
        q = [integers(4, 4) for _ in range(3)]
        floats = [each.astype(np.float32) for each in q]
        comparison = tq.compare(chain("aab", floats), chain("aab", q))
        assert [each.matched_by for each in comparison] == ["graph", "graph", "name"]
        assert all(each.measures.is_exact for each in comparison)

    def test_one_axis_more(self) -> None:
        q = integers(4, 1, 1, 4)
        comparison = tq.compare(chain("a", [q.astype(np.float32).reshape(4, 4)]), chain("a", [q]))
        assert comparison["a"].measures.is_exact
        assert comparison["a"].layout == "reshaped from (4, 4)"

    def test_a_model_is_not_transposed(self) -> None:
        q = integers(4, 8)
        comparison = tq.compare(chain("a", [q.astype(np.float32).T]), chain("a", [q]))
        assert comparison.tensors == ()


class TestByPart:
    def test_of_fused_names(self) -> None:
        q = [integers(4, 4) for _ in range(3)]
        floats = [each.astype(np.float32) for each in q]
        names = ["net/a/Relu;net/a/MatMul", "net/b/MatMul", "net/c/MatMul;net/all"]
        fused = ["net/a/MatMul", "net/all;net/b/MatMul;net/b/Add", "net/x;net/c/MatMul"]
        reference = chain([names[2], names[0], names[1]], [floats[2], *floats[:2]])
        comparison = tq.compare(reference, chain(fused, q))
        assert [each.reference_name for each in comparison] == names
        assert {each.matched_by for each in comparison} == {"part of the name"}

    def test_the_most_parts_win(self) -> None:
        q = [integers(4, 4) for _ in range(2)]
        floats = [each.astype(np.float32) for each in q]
        reference = chain(["x;y;z", "x;y;w"], floats)
        comparison = tq.compare(reference, chain(["y;w;x;v", "x;y;z;v"], q[::-1]))
        assert [each.reference_name for each in comparison] == ["x;y;w", "x;y;z"]
        assert all(each.measures.is_exact for each in comparison)


class TestByGraph:
    def test_if_there_are_equally_many(self) -> None:
        q = [integers(4, 4) for _ in range(3)]
        floats = [each.astype(np.float32) for each in q]
        comparison = tq.compare(chain("abc", floats), chain("xyz", q))
        assert matched(comparison) == dict(
            zip("xyz", [(name, "graph") for name in "abc"], strict=True)
        )
        comparison = tq.compare(chain("ab", floats[:2]), chain("xyz", q))
        assert comparison.tensors == ()

    def test_operators_of_another_kind_are_no_counterparts(self) -> None:
        q = integers(1, 4)
        comparison = tq.compare(chain("a", [q.astype(np.float32)], ADD), chain("x", [q]))
        assert comparison.tensors == ()

    def test_what_is_not_alike_is_said(self) -> None:
        q = integers(4, 4)
        reference = chain("a", [R.normal(size=(4, 4)).astype(np.float32) * 60])
        (tensor,) = tq.compare(reference, chain("x", [q]))
        assert tensor.note == "not alike: perhaps the two do not belong together"


KERAS = [
    # What Keras has, the operator, and the order of axes that makes TensorFlow Lite's of it.
    ("conv/kernel", (3, 5, 6, 7), CONV, (3, 0, 1, 2)),
    ("dense/kernel", (6, 7), DENSE, (1, 0)),
    ("dense/kernel", (6, 6), DENSE, (1, 0)),
    ("conv/kernel", (3, 3, 6, 6), CONV, (3, 0, 1, 2)),
    ("deconv/kernel", (3, 5, 6, 7), CONV, (2, 0, 1, 3)),
]
PYTORCH = [
    ("features.conv.weight", (7, 6, 3, 5), CONV, (0, 2, 3, 1)),
    ("conv.weight", (6, 6, 6, 6), CONV, (0, 2, 3, 1)),
    ("conv.weight", (8, 1, 3, 5), DEPTHWISE, (1, 2, 3, 0)),
    ("dense.weight", (6, 7), DENSE, (0, 1)),
    ("dense.weight", (6, 6), DENSE, (0, 1)),
    ("conv.weight", (7, 6, 3), CONV, (0, 2, 1)),
]


class TestArrays:
    @pytest.mark.parametrize(("name", "shape", "code", "order"), KERAS + PYTORCH)
    def test_layouts(
        self, name: str, shape: tuple[int, ...], code: int, order: tuple[int, ...]
    ) -> None:
        """Of those that fit, the one that is exact is found, and the name has the layer."""
        array = integers(*shape)
        q = np.ascontiguousarray(array.transpose(order))
        layer = name.replace(".", "/").split("/")[-2]
        model = chain([f"net/{layer}_1/convolution;x"], [q], code)
        (tensor,) = tq.compare({name: array.astype(np.float32)}, model)
        assert tensor.measures.is_exact
        assert tensor.matched_by == "part of the name"
        assert tensor.layout == ("" if order == (0, 1) else f"axes {order}")

    def test_a_depthwise_multiplier(self) -> None:
        array = integers(3, 5, 4, 2)
        model = chain(["net/dw/depthwise"], [array.reshape(1, 3, 5, 8)], DEPTHWISE)
        (tensor,) = tq.compare({"dw/depthwise_kernel": array}, model)
        assert tensor.measures.is_exact
        assert tensor.layout == "reshaped from (3, 5, 4, 2)"

    def test_by_shape_and_order(self) -> None:
        q = [integers(8, 4), integers(5, 4), integers(8, 4)]
        arrays = {f"layer{i}": each.T.astype(np.float32) for i, each in enumerate(q)}
        comparison = tq.compare(arrays, chain("abc", q))
        assert [each.matched_by for each in comparison] == ["shape and order"] * 3
        assert [each.layout for each in comparison] == ["axes (1, 0)"] * 3
        assert all(each.measures.is_exact for each in comparison)
        del arrays["layer0"]
        comparison = tq.compare(arrays, chain("abc", q))
        assert [each.name for each in comparison] == ["b"]

    def test_the_residual_network(self) -> None:
        """With the layers' names and layouts of Keras, every kernel finds its own."""
        arrays = {}
        with tq.open(RESIDUAL) as model:
            for tensor in model:
                if tensor.role != "weight":
                    continue
                layer = tensor.name.split(";")[-1].split("/")[1].removesuffix("_1")
                if tensor.consumers[0].name == "DEPTHWISE_CONV_2D":
                    layer, array = "block1_depthwise_conv", tensor.data[0][..., np.newaxis]
                elif tensor.ndim == 2:
                    array = tensor.data.T
                else:
                    array = tensor.data.transpose(1, 2, 3, 0)
                arrays[f"{layer}/kernel"] = array
        by_array = tq.compare(arrays, INT8)
        by_model = tq.compare(RESIDUAL, INT8)
        weights = [each for each in by_model if each.role == "weight"]
        assert [each.name for each in by_array] == [each.name for each in weights]
        assert {each.matched_by for each in by_array} == {"part of the name"}
        for one, other in zip(by_array, weights, strict=True):
            assert one.measures == other.measures
        # The biases have no counterpart.
        assert {each.side for each in by_array.unmatched} == {"quantized"}
        assert len(by_array.unmatched) == 8

    def test_what_are_no_numbers(self) -> None:
        arrays = {"a": np.ones((4, 4)), "names": np.array(["x"]), "c": np.ones(3, np.complex64)}
        comparison = tq.compare(arrays, chain("a", [integers(4, 4)]))
        assert [(each.name, each.reason) for each in comparison.unmatched] == [
            ("names", "str32 values are not real numbers"),
            ("c", "complex64 values are not real numbers"),
        ]

    @pytest.mark.parametrize("dtype", ["float16", "float64", "int32", ">f4", "bfloat16"])
    def test_dtypes(self, dtype: str) -> None:
        if dtype == "bfloat16":
            pytest.importorskip("ml_dtypes")
        q = integers(4, 4)
        array = q.astype(np.dtype(dtype))
        assert tq.compare({"a": array}, chain("a", [q]))["a"].measures.is_exact

    def test_lists_are_arrays(self) -> None:
        q = integers(2, 2)
        assert tq.compare({"a": q.tolist()}, chain("a", [q]))["a"].measures.is_exact


def written(folder: Path, header: str, values: bytes) -> Path:
    """Write a .npz file whose array "a" has this header."""
    text = header.encode()
    path = folder / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        content = b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text + values
        archive.writestr("a.npy", content)
    return path


class TestNpz:
    @pytest.fixture
    def q(self) -> NDArray[np.int8]:
        return integers(4, 6)

    @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
    @pytest.mark.parametrize("order", ["C", "F"])
    def test_it_is_a_mapping(
        self, tmp_path: Path, q: NDArray[np.int8], save: Any, order: Any
    ) -> None:
        path = tmp_path / "weights.npz"
        save(path, a=np.asarray(q, np.float32, order=order), b=np.ones(3))
        for given in (path, str(path)):
            comparison = tq.compare(given, chain("a", [q]))
            assert comparison.reference == str(path)
            assert comparison["a"].measures.is_exact
            assert [each.name for each in comparison.unmatched] == ["b"]

    def test_python_objects_are_refused(self, tmp_path: Path, q: NDArray[np.int8]) -> None:
        path = tmp_path / "weights.npz"
        np.savez(path, a=np.array([{}], object))
        with pytest.raises(tq.UnsupportedError, match=r"array 'a': Python objects are not read"):
            tq.compare(path, chain("a", [q]))

    def test_a_header_that_lies(self, tmp_path: Path, q: NDArray[np.int8]) -> None:
        """It says 16 GB; there are 96 bytes."""
        content = io.BytesIO()
        np.save(content, q.astype("<f4"))
        for old, new in ((b"(4, 6)", b"(4,6000000000)"), (b"(4, 6)", b"(-4, 6)"), (b"<f4", b"<f8")):
            lie = content.getvalue().replace(old + b" " * (len(new) - len(old)), new)
            lie = lie.replace(old, new).replace(b" " * 8, b"", len(new) > len(old))
            path = tmp_path / "weights.npz"
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("a.npy", lie)
            with pytest.raises(tq.CorruptModelError, match="array 'a'"):
                tq.compare(path, chain("a", [q]))

    @pytest.mark.parametrize(
        "header",
        [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), }",
            "{'shape': (4L, 6L), 'descr':'<f4','fortran_order':False}",
            "{'fortran_order': False, 'descr': '<f4',\n 'shape': ( 4,6,) }  \n",
        ],
    )
    def test_headers_of_other_writers(
        self, tmp_path: Path, q: NDArray[np.int8], header: str
    ) -> None:
        """The keys may be in any order (numpy.lib.format), and blanks anywhere."""
        path = written(tmp_path, header, q.astype("<f4").tobytes())
        assert tq.compare(path, chain("a", [q]))["a"].measures.is_exact

    @pytest.mark.parametrize(
        "entry",
        [
            "'shape': (0x" + "f" * 5000 + ",)", "'shape': (" + "9" * 5000 + ",)",
            "'shape': (" + "-" * 8000 + "1,)", "'shape': " + "(" * 5000, "'shape': (1 is 1,)",
            "'shape': (1, 1)" + ", 1: 2", "'shape': " + str((1,) * 65), "'shape': (True,)",
            "'descr': '<a4'", "'descr': '<f4\\d'", "'descr': '(2,2)<f4'", "'descr': '<f3'",
            "'descr': [('a', '<f4')]", "'descr': ('<f4', (2,))", "'descr': None", "'descr': ''",
            "'fortran_order': 1", "'fortran_order': 'False'",
        ],
        ids=range(18),
    )  # fmt: skip
    def test_headers_that_are_something_else(
        self, tmp_path: Path, q: NDArray[np.int8], entry: str
    ) -> None:
        """Nothing is evaluated: a parser can warn, or run out of its stack."""
        entries = {"descr": "'<f4'", "fortran_order": "False", "shape": "(4, 6)"}
        key, value = entry[1:].split("': ", 1)
        text = ", ".join(f"'{name}': {each}" for name, each in (entries | {key: value}).items())
        path = written(tmp_path, f"{{{text}}}", q.astype("<f4").tobytes())
        with pytest.raises(tq.TFLiteError, match="array 'a': ") as error:
            tq.compare(path, chain("a", [q]))
        assert len(str(error.value)) < 300

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_other_methods_are_refused(
        self, tmp_path: Path, q: NDArray[np.int8], method: int
    ) -> None:
        """Python decompresses their blocks whole: kilobytes may become gigabytes."""
        path = tmp_path / "weights.npz"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("a.npy", bytes(1000))
        with pytest.raises(tq.UnsupportedError, match=f"compressed by method {method}"):
            tq.compare(path, chain("a", [q]))

    def test_wide_floats(self, tmp_path: Path, q: NDArray[np.int8]) -> None:
        """Values that no float64 has are infinite, and left out."""
        array = q.astype(np.longdouble)
        array[0, 0] = np.finfo(np.longdouble).max
        path = tmp_path / "weights.npz"
        np.savez(path, a=array)
        tensor = tq.compare(path, chain("a", [q]))["a"]
        assert (tensor.not_finite, tensor.measures.count) == (1, q.size - 1)

    def test_an_archive_of_something_else(self, tmp_path: Path, q: NDArray[np.int8]) -> None:
        path = tmp_path / "weights.npz"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("labels.txt", "cat")
        with pytest.raises(tq.NotTFLiteError, match="a ZIP archive without arrays"):
            tq.compare(path, chain("a", [q]))

    def test_a_bomb(self, tmp_path: Path, q: NDArray[np.int8]) -> None:
        """Kilobytes of a file are not made a gigabyte."""
        path = tmp_path / "weights.npz"
        shape = (4, 50_000_000)
        header = io.BytesIO()
        descr = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, descr)
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("a.npy", "w") as file,
        ):
            file.write(header.getvalue())
            for _ in range(800):
                file.write(bytes(1_000_000))
        with pytest.raises(tq.CorruptModelError, match="array 'a' would take 800 MB"):
            tq.compare({}, chain("a", [q]), activations=(path, {}))

    @pytest.mark.parametrize("seed", range(60))
    def test_broken_files(self, tmp_path: Path, q: NDArray[np.int8], seed: int) -> None:
        """A result or an error of ours, whatever the bytes."""
        path = tmp_path / "weights.npz"
        np.savez_compressed(path, a=q.astype(np.float32), b=np.ones((3, 3)))
        content = bytearray(path.read_bytes())
        random = np.random.default_rng(seed)
        if seed % 3 == 0:
            content = content[: random.integers(4, len(content))]
        for _ in range(random.integers(1, 5)):
            content[random.integers(4, len(content))] = random.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(tq.TFLiteError):
            tq.compare(path, chain("a", [q]))


def test_the_likeliest_layout_is_first() -> None:
    assert [each.text for each in layouts((1, 1, 8, 8), (8, 1, 1, 8), True)] == [
        "reshaped from (1, 1, 8, 8)", "axes (3, 0, 1, 2)", "axes (2, 0, 1, 3)",
        "axes (0, 2, 3, 1)", "axes (1, 2, 3, 0)",
    ]  # fmt: skip
    assert layouts((), (1,), True)[0].shape == (1,)


def test_a_model_is_exactly_itself(model_path: Path) -> None:
    """Every constant finds itself; those that have no real values say why."""
    comparison = tq.compare(model_path, model_path)
    for each in comparison:
        assert (each.reference_name, each.layout) == (each.name, "")
        assert each.measures.is_exact or each.not_finite
    with tq.open(model_path) as model:
        for left in comparison.unmatched:
            tensor = next(t for graph in model.subgraphs for t in graph if t.name == left.name)
            with pytest.raises(tq.TFLiteError) as error:
                tensor.dequantize()
            assert left.reason == str(error.value)
