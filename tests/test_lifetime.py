"""How long a file is held: while someone may ask, no longer, and whatever the working folder is."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from tests import bombs, build, faults
from tests.build import OperatorSpec, SignatureSpec, SubgraphSpec, TensorSpec, constant
from tflite_quant.command.cli import main as command
from tflite_quant.litert import lite

VALUES = np.arange(12, dtype=np.int8).reshape(3, 4)


class TestTheWorkingFolder:
    """It may change after a model has been opened by a path that began there."""

    @pytest.fixture
    def folders(self, tmp_path: Path) -> Path:
        """Give a folder with two: each has a model, and weights of its own beside it."""
        content = build.external_model((5, 0, 0, 12, None))
        for name, values in (("one", VALUES), ("other", VALUES + 100)):
            (tmp_path / name).mkdir()
            (tmp_path / name / "model.tflite").write_bytes(content)
            (tmp_path / name / "weights.bin").write_bytes(values.tobytes())
        return tmp_path

    @pytest.mark.parametrize("path", ["model.tflite", "./model.tflite", "../one/model.tflite"])
    def test_values_are_those_beside_the_model(
        self, folders: Path, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folders / "one")
        model = tq.open(path)
        monkeypatch.chdir(folders / "other")
        assert np.array_equal(model.tensors[0].data, VALUES)

    @pytest.mark.parametrize("kind", [str, Path])
    def test_a_folder_without_any(
        self, folders: Path, kind: Callable[[str], str | Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folders)
        model = tq.open(kind("one/model.tflite"))
        tensor = model.tensors[0]
        monkeypatch.chdir(folders.parent)
        assert np.array_equal(tensor.data, VALUES)
        monkeypatch.chdir(folders / "other")
        assert np.array_equal(tensor.data, VALUES)

    def test_weights_that_come_later(self, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only when values are asked for is there anything to read."""
        weights = folders / "one" / "weights.bin"
        weights.unlink()
        monkeypatch.chdir(folders / "one")
        model = tq.open("model.tflite")
        monkeypatch.chdir(folders / "other")
        with pytest.raises(tq.ExternalFileError, match="'weights.bin' .* does not exist"):
            model.tensors[0].data  # noqa: B018
        weights.write_bytes(VALUES.tobytes())
        assert np.array_equal(model.tensors[0].data, VALUES)


MAPS = Path("/proc/self/maps")

mapping = pytest.mark.skipif(not MAPS.exists(), reason="only Linux says what is mapped")


def is_mapped(path: Path) -> bool:
    return any(line.endswith(str(path)) for line in MAPS.read_text().splitlines())


@pytest.fixture
def _no_collector() -> Iterator[None]:
    """Keep the garbage collector from letting go of what refers to itself."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def large() -> bytes:
    """Build a model of more than a mebibyte that has something of everything."""
    weights = np.arange(1 << 20, dtype=np.int32).astype(np.int8).reshape(2, 1 << 19)
    tensors = [
        constant(weights, [0.5, 0.25], [0, 0], name="w", min=[-1], max=[1]),
        TensorSpec("x", (1, 1 << 19), scale=0.5, zero_point=3),
        TensorSpec("y", (1, 2), scale=1.0, zero_point=-1),
        TensorSpec("z", (1, 2), scale=1.0, zero_point=-1),
        TensorSpec("s", (3, 4), data=bytes([1, 2, 3, 4]), fields=SPARSE),
        constant(np.array([[0.5], [0.25]], np.float32), name="scales"),
        constant(np.zeros((2, 32), np.int8), name="b", details=build.blockwise(32, None, 5)),
    ]  # fmt: skip
    custom = {"custom_options": lambda b: b.CreateByteVector(bombs.flexbuffer(64))}
    steps = [
        OperatorSpec(9, [1, 0, -1], [2], version=5, fields=faults.options("FullyConnectedOptions")),
        OperatorSpec(tflite.BuiltinOperator.CUSTOM, [2], [3], "c", fields=custom),
    ]
    graph = SubgraphSpec(tensors, [1], [3], steps, "main")
    second = SubgraphSpec(
        [TensorSpec("a"), TensorSpec("b")], [0], [1], [OperatorSpec(19, [0], [1])]
    )
    signatures = [SignatureSpec("serving_default", {"x": 1}, {"y": 3})]
    return build.model(graph, second, signatures=signatures, metadata={"m": 1}, description="all")


SPARSE = build.sparse_fields(3, ([0, 1, 2, 4], [0, 3, 1, 2]), order=[0, 1])


@functools.cache
def content(fault: str) -> bytes:
    """Give the model, or what a fault makes of it."""
    return BROKEN[fault](content("")) if fault else large()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give a file that no other test has opened: one that fails may hold its file for long."""
    path = tmp_path / "large.tflite"
    path.write_bytes(content(""))
    assert path.stat().st_size > 1 << 20
    return path


def not_there(model: tq.Model) -> None:
    with contextlib.suppress(KeyError):
        model["vv"]
    with contextlib.suppress(IndexError):
        model.tensors[99]


LOOKS: dict[str, Callable[[tq.Model], object]] = {
    "nothing": lambda model: None,
    "tensors": lambda model: [graph.tensors for graph in model.subgraphs],
    "operators": lambda model: [graph.operators for graph in model.subgraphs],
    "what operators read": lambda model: [(one.inputs, one.outputs) for one in model.operators],
    "options": lambda model: [(one.options, one.custom_options) for one in model.operators],
    "the subgraph of an operator": lambda model: [one.subgraph for one in model.operators],
    "ends": lambda model: (model.inputs, model.outputs),
    "signatures": lambda model: [(one.subgraph, one.inputs) for one in model.signatures],
    "metadata": lambda model: [one.data for one in model.metadata],
    "buffers": lambda model: [one.data for one in model.buffers],
    "quantization": lambda model: [str(one.quantization) for one in model.tensors],
    "names": lambda model: (model["w"], model.subgraphs[1]["b"]),
    "a name that is not there": not_there,
    "summary": lambda model: str(model.summary()),
    "details": lambda model: model.get_tensor_details(),
    "checks": lambda model: str(tq.check(model)),
    "header": lambda model: tq.c_header(model, tensors=["scales"]),
    "everything": bombs.walk,
}  # fmt: skip


@mapping
@pytest.mark.usefixtures("_no_collector")
class TestTheMapping:
    @pytest.mark.parametrize("look", LOOKS)
    def test_goes_with_the_model(self, path: Path, look: str) -> None:
        model = tq.open(path)
        LOOKS[look](model)
        assert is_mapped(path)
        del model
        assert not is_mapped(path)

    @pytest.mark.parametrize("look", LOOKS)
    def test_goes_when_it_is_closed(self, path: Path, look: str) -> None:
        with tq.open(path) as model:
            LOOKS[look](model)
        del model
        assert not is_mapped(path)

    @pytest.mark.parametrize(
        "get",
        [
            lambda model: model.tensors[0].data,
            lambda model: model.tensors[0].stored,
            lambda model: model.buffers[1].data,
            lambda model: model.operators[1].custom_data,
            lambda model: model.metadata[0].data,
            lambda model: np.asarray(model["w"])[1:, ::2],
        ],
        ids=["data", "stored", "buffer", "custom_data", "metadata", "a slice"],
    )
    def test_arrays_hold_it(
        self, path: Path, get: Callable[[tq.Model], np.ndarray[tuple[int, ...], np.dtype[np.int8]]]
    ) -> None:
        model = tq.open(path)
        bombs.walk(model)
        array = get(model)
        total = int(array.sum())
        del model
        assert is_mapped(path)
        assert int(array.sum()) == total
        del array
        assert not is_mapped(path)

    @pytest.mark.parametrize(
        "get",
        [
            lambda model: model.tensors[0],
            lambda model: model.operators[0],
            lambda model: model.subgraphs[0],
            lambda model: model.signatures[0],
            lambda model: model.metadata[0],
            lambda model: model.buffers[1],
        ],
        ids=["tensor", "operator", "subgraph", "signature", "metadata", "buffer"],
    )
    def test_a_part_may_be_asked_when_the_model_is_gone(
        self, path: Path, get: Callable[[tq.Model], object]
    ) -> None:
        part = get(tq.open(path))
        size = values_of(part).nbytes
        assert size
        # What is not asked any more holds nothing.
        del part
        assert not is_mapped(path)

    @pytest.mark.parametrize("kind", ["operators", "tensors", "subgraphs"])
    def test_goes_with_the_last_of_many_parts(self, path: Path, kind: str) -> None:
        model = tq.open(path)
        parts = list(getattr(model, kind))
        del model
        while parts:
            assert values_of(parts[-1]) is not None
            parts.pop()
        assert not is_mapped(path)

    def test_models_of_one_file_are_apart(self, path: Path) -> None:
        one, other = tq.open(path), tq.open(path)
        bombs.walk(one)
        del one
        assert is_mapped(path)
        bombs.walk(other)
        del other
        assert not is_mapped(path)

    @pytest.mark.parametrize(
        "ask",
        [
            tq.check,
            tq.analyze,
            lambda path: tq.c_header(path, tensors=["scales"]),
            lambda path: bombs.run("show")(str(path)),
            lambda path: bombs.run("show", "--json")(str(path)),
            lambda path: bombs.run("check", "--fail-on", "error")(str(path)),
            lambda path: lite.Interpreter(model_path=str(path)).get_input_details(),
            lambda path: lite.Interpreter(model_path=str(path)).get_signature_list(),
        ],
        ids=["check", "analyze", "c_header", "show", "json", "check command", "lite", "signatures"],
    )
    def test_goes_with_an_answer(self, path: Path, ask: Callable[[Path], object]) -> None:
        answer = ask(path)
        assert answer is not None
        assert not is_mapped(path)


def values_of(part: object) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    """Ask a part of a model for values, by whatever way leads to some."""
    match part:
        case tq.Tensor():
            return part.data if part.is_constant else np.zeros(1, np.int8)
        case tq.Operator():
            tensor = part.inputs[-2 if len(part.inputs) > 1 else -1]
            assert tensor is not None
            return values_of(tensor)
        case tq.Subgraph():
            return values_of(part.tensors[0])
        case tq.Signature():
            assert part.inputs["x"].index == 1
            return values_of(part.subgraph.tensors[0])
        case tq.Metadata() | tq.Buffer():
            return part.data.view(np.int8)
    raise TypeError(part)


def changed(position: int, value: int) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        return content[:position] + struct.pack("<I", value) + content[position + 4 :]

    return change


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "no model at all": lambda content: b"\0" * len(content),
    "cut short": lambda content: content[: 1 + (1 << 20)],
    "no root": changed(0, 0xFFFF_FFF0),
    "not aligned": changed(0, 9),
    "another schema": lambda content: content[:4] + b"TFL2" + content[8:],
    "a tensor that is not there": lambda _: build.model(
        SubgraphSpec([constant(np.zeros(1 << 20, np.int8))], [0], [7])
    ),
    "a buffer that is not there": lambda _: build.one(
        constant(np.zeros(1 << 20, np.int8)), TensorSpec(buffer=99)
    ),
    "an operator code that is not there": lambda _: build.model(
        SubgraphSpec(
            [constant(np.zeros(1 << 20, np.int8))],
            operators=[OperatorSpec(0, [0], [0], fields={"opcode_index": 9})],
        )
    ),
    "a bomb": lambda _: bombs.BOMBS["tensors, shape, one table"].write(1_100_000, None),
}


@mapping
@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("fault", BROKEN)
class TestAFailedOpen:
    """An exception that is kept, as in a list of what went wrong, keeps no file."""

    @pytest.fixture
    def broken(self, fault: str, tmp_path: Path) -> Path:
        broken = tmp_path / "broken.tflite"
        broken.write_bytes(content(fault))
        assert broken.stat().st_size > 1 << 20
        return broken

    @pytest.mark.parametrize(
        "ask", [tq.open, tq.check, tq.analyze, tq.c_header], ids=["open", "check", "analyze", "c"]
    )
    def test_holds_no_mapping(self, broken: Path, ask: Callable[[Path], object]) -> None:
        kept: list[BaseException] = []
        try:
            model = ask(broken)
            # A bomb may be refused later only.
            list(model.tensors) if isinstance(model, tq.Model) else None
            del model
        except tq.TFLiteError as error:
            kept.append(error)
        assert not is_mapped(broken)
        assert kept

    def test_holds_none_for_the_interpreter(self, broken: Path) -> None:
        kept: list[BaseException] = []
        try:
            lite.Interpreter(model_path=str(broken)).get_tensor_details()
        except ValueError as error:
            kept.append(error)
        assert not is_mapped(broken)
        assert kept

    def test_nor_for_the_command(self, broken: Path) -> None:
        errors = io.StringIO()
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(bombs.Sink()):
            assert command(["show", str(broken)]) == 2
        assert not is_mapped(broken)
        assert errors.getvalue().count("\n") == 1
