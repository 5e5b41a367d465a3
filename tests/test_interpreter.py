"""The drop-in for LiteRT's interpreter: deep equality of all it tells, and of the types."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import ROOT
from tests import build, comparison, oracle
from tests.comparison import is_same
from tflite_quant.format import values as storage

MODEL = ROOT / "fixtures/residual_int8.tflite"


def both(path: Path) -> tuple[tq.Interpreter, Any] | None:
    """Open a model with both; where LiteRT refuses it there is nothing to compare."""
    _, theirs, reason = comparison.open_both(path)
    if theirs is None:
        assert any(known in reason for known in comparison.REFUSED), reason
        return None
    return tq.Interpreter(model_path=path), theirs


def without_blocks(details: Any) -> Any:
    """Leave out scales of blocks, which LiteRT misreads; tests/test_models.py compares them."""
    if isinstance(details, dict) and "quantization_parameters" in details:
        parameters = details["quantization_parameters"]
        return details | {"quantization_parameters": None} if parameters["block_size"] else details
    return details


def test_inputs_and_outputs(model_path: Path) -> None:
    if (opened := both(model_path)) is None:
        return
    ours, theirs = opened
    for ask in ("get_input_details", "get_output_details"):
        one, other = getattr(ours, ask)(), getattr(theirs, ask)()
        assert is_same(*([without_blocks(item) for item in side] for side in (one, other)))
        assert [list(item) for item in one] == [list(item) for item in other]


def test_signatures(model_path: Path) -> None:
    if (opened := both(model_path)) is None:
        return
    ours, theirs = opened
    listed = ours.get_signature_list()
    assert is_same(listed, theirs.get_signature_list())
    assert ours.num_subgraphs() == theirs.num_subgraphs()


@pytest.mark.parametrize("name", ["signatures", "residual_int8", "control_flow"])
def test_runners(name: str) -> None:
    path = ROOT / f"fixtures/{name}.tflite"
    ours, theirs = tq.Interpreter(path), oracle.interpreter(path)
    theirs.allocate_tensors()
    for key in ours.get_signature_list():
        one, other = ours.get_signature_runner(key), theirs.get_signature_runner(key)
        assert is_same(one.get_input_details(), other.get_input_details())
        assert is_same(one.get_output_details(), other.get_output_details())
        with pytest.raises(tq.UnsupportedError, match="does not run models"):
            one(x=1)
        assert key in repr(one)


def test_constants(model_path: Path) -> None:
    if (opened := both(model_path)) is None:
        return
    ours, theirs = opened
    for graph in ours.model.subgraphs:
        for tensor in graph.tensors:
            if not tensor.is_constant:
                continue
            if not tensor.nbytes:
                for runner in (ours, theirs):
                    with pytest.raises(ValueError, match="no values|Invalid tensor size"):
                        runner.get_tensor(tensor.index, graph.index)
                continue
            one = ours.get_tensor(tensor.index, graph.index)
            with oracle.quiet():
                other = theirs.get_tensor(tensor.index, graph.index)
            assert type(one) is type(other)
            assert one.dtype == other.dtype
            assert one.shape == other.shape
            assert one.tolist() == other.tolist() or one.tobytes() == other.tobytes()
            if isinstance(one, np.ndarray):
                assert one.flags.writeable
                assert one.flags.owndata or one.dtype == object


def test_constants_are_in_the_machine_s_byte_order(model_path: Path) -> None:
    interpreter = tq.Interpreter(model_path)
    for tensor in interpreter.model.tensors:
        if tensor.is_constant:
            values = interpreter.get_tensor(tensor.index)
            assert values.dtype.isnative
            assert np.array_equal(values, tensor.stored if tensor.is_sparse else tensor.data)


def test_operators(model_path: Path) -> None:
    """As most scripts list them: LiteRT's keys, values and types."""
    if (opened := both(model_path)) is None:
        return
    ours, theirs = opened
    native, other = ours._interpreter, theirs._interpreter
    assert native.NumNodes() == other.NumNodes()
    # LiteRT has temporary ones, too, once it has allocated them.
    assert native.NumTensors() <= other.NumTensors(0)
    if len({one["index"] for one in theirs.get_tensor_details()}) < len(ours.model.tensors):
        # LiteRT cannot describe tensors of types that numpy has not.
        return
    expected = theirs._get_ops_details()
    assert is_same(ours._get_ops_details(), expected)
    for index in range(native.NumNodes()):
        assert native.NodeName(index) == other.NodeName(index)
        assert is_same(ours._get_op_details(index), expected[index])
        assert is_same(native.NodeInputs(index), other.NodeInputs(index))
        assert is_same(native.NodeOutputs(index), other.NodeOutputs(index))


def test_recipes(model_path: Path) -> None:
    """What people copy from each other: operators, sizes by type, weights."""
    if (opened := both(model_path)) is None:
        return

    def operators(runner: Any) -> list[str]:
        return [
            f"{op['index']} {op['op_name']} {list(op['inputs'])} -> {list(op['outputs'])}"
            for op in runner._get_ops_details()
        ]

    def sizes(runner: Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for detail in runner.get_tensor_details():
            size = int(np.prod(detail["shape"])) * np.dtype(detail["dtype"]).itemsize
            found[np.dtype(detail["dtype"]).name] = (
                found.get(np.dtype(detail["dtype"]).name, 0) + size
            )
        return found

    def weights(runner: Any) -> dict[str, bytes]:
        found = {}
        for detail in runner.get_tensor_details():
            if detail["index"] in viewed:
                found[detail["name"]] = runner.tensor(detail["index"])().tobytes()
        return found

    ours, theirs = opened
    # LiteRT's views of packed, sparse and string tensors show other bytes, or end the process.
    viewed = {
        t.index
        for t in ours.model.tensors
        if t.is_constant and t.nbytes and not t.is_sparse and t.type in storage.VIEWED
    }
    known = {detail["index"] for detail in theirs.get_tensor_details()}
    if len(known) < len(ours.model.tensors):
        # LiteRT leaves out tensors that it cannot describe.
        return
    for recipe in (operators, weights):
        assert recipe(ours) == recipe(theirs)
    if len(known) == len(ours.model.tensors):
        assert sizes(ours) == sizes(theirs)


@pytest.mark.parametrize("index", [-1, 0, 1, 99])
def test_one_tensor_or_operator(index: int) -> None:
    ours, theirs = tq.Interpreter(MODEL), oracle.interpreter(MODEL)
    for name in ("_get_tensor_details", "_get_op_details"):
        arguments = (index, 0) if name == "_get_tensor_details" else (index,)
        try:
            expected = getattr(theirs, name)(*arguments)
        except ValueError:
            with pytest.raises(ValueError, match="no operator|no tensor"):
                getattr(ours, name)(*arguments)
        else:
            assert is_same(getattr(ours, name)(*arguments), expected)
    if index < 31:
        assert ours._get_tensor_details(max(index, 0))["index"] == max(index, 0)


def test_a_view_of_a_constant() -> None:
    interpreter = tq.Interpreter(MODEL)
    view = interpreter.tensor(17)
    assert np.shares_memory(view(), interpreter.model.tensors[17].data)
    with pytest.raises(tq.UnsupportedError, match="does not run models"):
        interpreter.tensor(0)()


def test_sparsity_without_a_block_map() -> None:
    """LiteRT leaves the key out where the vector is absent, and has it where it is empty."""
    for blocks in (None, [], [0]):
        dimensions = (2, 1) if blocks else (2,)
        fields = build.sparse_fields(*dimensions, order=[*range(len(dimensions))], blocks=blocks)
        spec = build.TensorSpec("s", (2,), 0, data=bytes(8), fields=fields)
        content = build.one(spec)
        expected = oracle.interpreter(content).get_tensor_details()
        found = tq.Interpreter(model_content=content).get_tensor_details()
        assert is_same(found, expected)
        assert ("block_map" in found[0]["sparsity_parameters"]) == (blocks is not None)


def test_arguments_as_litert_has_them() -> None:
    """Their names, their order, and what an empty path means."""
    theirs = list(inspect.signature(oracle.litert().Interpreter.__init__).parameters)
    ours = list(inspect.signature(tq.Interpreter.__init__).parameters)
    assert ours[:6] == theirs[:6]
    content = MODEL.read_bytes()
    tq.Interpreter("", content, None, 2, tq.lite.OpResolverType.AUTO, True)
    tq.Interpreter(str(MODEL), None, [], 1)
    tq.Interpreter(model_path="", model_content=content, experimental_preserve_all_tensors=True)
    tq.lite.InterpreterWithCustomOps(["registerer"], model_path=MODEL)
    kinds = oracle.litert().OpResolverType
    assert {k.name: k.value for k in tq.lite.OpResolverType} == {k.name: k.value for k in kinds}
    with pytest.raises(TypeError, match="no option 'threads'"):
        tq.Interpreter(MODEL, threads=3)


VALUED = [t for t in tq.TensorType if t.name not in ("STRING", "RESOURCE", "VARIANT", "BFLOAT16")]


@pytest.mark.parametrize("type", VALUED, ids=lambda one: one.name)
def test_constants_of_every_type(type: tq.TensorType) -> None:
    size = storage.stored_bytes(type, (3, 1))
    assert size is not None
    raw = np.random.default_rng(type).integers(0, 2 if type.name == "BOOL" else 256, size, "u1")
    content = build.one(build.TensorSpec("w", (3, 1), type, data=raw.tobytes()))
    ours, theirs = tq.Interpreter(model_content=content), oracle.interpreter(content)
    assert is_same(ours.get_tensor_details(), theirs.get_tensor_details())
    one, other = ours.get_tensor(0), theirs.get_tensor(0)
    assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def test_shape_signatures_of_constants() -> None:
    """LiteRT has none of tensors whose buffer has data, be it no byte; it shows their shapes."""
    specs = [
        build.TensorSpec("fed", (2, 3), signature=(-1, 3)),
        build.TensorSpec("constant", (2, 3), signature=(-1, 3), data=bytes(6)),
        build.TensorSpec("buffer without data", (2, 3), signature=(-1, 3), buffer=1),
        build.TensorSpec("first buffer", (2, 3), signature=(-1, 3), buffer=0),
        build.TensorSpec("constant of no value", (0, 3), signature=(-1, 3), data=b""),
        build.TensorSpec("constant without signature", (2, 3), data=bytes(6)),
        build.TensorSpec("fed without signature", (2, 3)),
        build.TensorSpec("empty signature", (2, 3), signature=()),
    ]
    content = build.one(*specs, buffers=[None])
    ours, theirs = tq.Interpreter(model_content=content), oracle.interpreter(content)
    assert is_same(ours.get_tensor_details(), theirs.get_tensor_details())
    found = {d["name"]: d["shape_signature"].tolist() for d in ours.get_tensor_details()}
    assert found == {
        "fed": [-1, 3],
        "constant": [2, 3],
        "buffer without data": [-1, 3],
        "first buffer": [-1, 3],
        "constant of no value": [0, 3],
        "constant without signature": [2, 3],
        "fed without signature": [2, 3],
        "empty signature": [2, 3],
    }
    # The tensors themselves show what the file says.
    assert tq.open(content)["constant"].shape_signature == (-1, 3)


def test_tensors_that_litert_leaves_out() -> None:
    """Those of a type that its dictionaries have no dtype for."""
    specs = [build.TensorSpec("b", type=tflite.TensorType.BFLOAT16), build.TensorSpec(None)]
    content = build.one(*specs)
    ours, theirs = tq.Interpreter(model_content=content), oracle.interpreter(content)
    # Where package ml_dtypes has been imported, LiteRT has a dtype for it.
    assert [d["index"] for d in theirs.get_tensor_details()] in ([1], [0, 1])
    assert [d["index"] for d in ours.get_tensor_details()] == [0, 1]
    assert ours.get_tensor_details()[0]["dtype"] is np.void
    assert is_same(ours.get_tensor_details()[1], theirs.get_tensor_details()[-1])


def test_every_option_of_litert_s_own_is_accepted() -> None:
    signature = inspect.signature(oracle.litert().Interpreter.__init__)
    options = [name for name in signature.parameters if name not in ("self", "model_path")]
    tq.Interpreter(MODEL, **dict.fromkeys(options))
    with pytest.raises(TypeError, match="no option 'threads'"):
        tq.Interpreter(MODEL, threads=2)


def test_a_path_or_content() -> None:
    content = MODEL.read_bytes()
    details = tq.Interpreter(model_content=content).get_tensor_details()
    assert is_same(details, tq.Interpreter(str(MODEL)).get_tensor_details())
    for arguments in ({}, {"model_path": MODEL, "model_content": content}):
        with pytest.raises(ValueError, match="expected model_path or model_content"):
            tq.Interpreter(**arguments)  # type: ignore[arg-type]


def test_it_does_not_run_models() -> None:
    interpreter = tq.Interpreter(MODEL)
    interpreter.allocate_tensors()
    for refused in (
        interpreter.invoke,
        lambda: interpreter.set_tensor(0, np.zeros(1)),
        lambda: interpreter.resize_tensor_input(0, [1]),
        interpreter.tensor(0),
        lambda: tq.lite.load_delegate("libedgetpu.so.1"),
        lambda: tq.lite.experimental.load_delegate("libedgetpu.so.1"),
        interpreter.reset_all_variables,
    ):
        with pytest.raises(tq.UnsupportedError, match="this library does not run models"):
            refused()
    with pytest.raises(tq.UnsupportedError, match="tensor 0 'serving.*this library does not run"):
        interpreter.get_tensor(0)
    assert repr(interpreter).startswith("Interpreter(Model(")


def test_indices_that_are_not_there() -> None:
    interpreter = tq.Interpreter(MODEL)
    for arguments in ((31,), (-1,), (0, 1), (0, -1)):
        with pytest.raises(ValueError, match="no tensor|subgraph_index is"):
            interpreter.get_tensor(*arguments)
    with pytest.raises(ValueError, match="subgraph_index is 3"):
        interpreter.get_tensor_details(3)
    with pytest.raises(TypeError):
        interpreter.get_tensor("name")  # type: ignore[arg-type]


def test_signature_keys() -> None:
    several = tq.Interpreter(ROOT / "fixtures/signatures.tflite")
    for key in (None, "none"):
        with pytest.raises(ValueError, match=f"no signature {key!r}: the model has"):
            several.get_signature_runner(key)
    assert several.get_signature_runner("encode")._subgraph_index == 2
    assert tq.Interpreter(MODEL).get_signature_runner().get_input_details()["image"]["index"] == 0
    bare = tq.Interpreter(model_content=build.one(build.TensorSpec()))
    assert bare.get_signature_list() == {}
