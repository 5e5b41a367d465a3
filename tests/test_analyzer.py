"""The report, character by character against LiteRT's; docs/analyzer.md has what differs."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st

import tflite_quant as tq
from conftest import FIXTURES, many
from tests import build, oracle
from tflite_quant.format.schema import TensorType
from tflite_quant.litert.analyzer import analyze, report

CODES = tflite.BuiltinOperator
CONSTANT = build.constant(np.arange(3, dtype=np.int32), name="axes")
INPUT = build.TensorSpec("in", (1, 2), tflite.TensorType.FLOAT32)
BYTE_NAME: Any = "\x00\x01\t\n\r~\x7f é \U0001f600 [bold]%s{}\\".encode() + b"\x80\xff"

REFUSED = "Failed to mmap"
"""What the original says of a file that its verifier refuses, or that is not there."""

CHILD = """
import sys
from ai_edge_litert import _pywrap_analyzer_wrapper as wrapper
sys.stdout.write(wrapper.ModelAnalyzer(sys.argv[1], True, False))
"""


def original(source: Path | bytes) -> str:
    """Give what LiteRT's analyzer says of a model."""
    oracle.litert()  # where there is no wheel, this skips
    wrapper = importlib.import_module("ai_edge_litert._pywrap_analyzer_wrapper")
    is_path = isinstance(source, Path)
    with oracle.quiet():
        text: str = wrapper.ModelAnalyzer(str(source) if is_path else source, is_path, False)
    return text


def original_of_broken(model: bytes, folder: Path) -> str | None:
    """Give the same from another process; None if that one crashes."""
    oracle.litert()
    path = folder / "model.tflite"
    path.write_bytes(model)
    run = subprocess.run([sys.executable, "-c", CHILD, path], capture_output=True, check=False)
    return run.stdout.decode() if run.returncode == 0 else None


def assert_same(model: bytes) -> str:
    text = analyze(model)
    assert text.splitlines() == original(model).splitlines()
    assert text == original(model)
    return text


def constant(kind: int, content: bytes, **others: Any) -> build.TensorSpec:
    return build.TensorSpec("c", (len(content),), kind, content, **others)


def options(name: str, **fields: int) -> dict[str, Any]:
    """Give the fields of an operator that has this table of options."""
    return {
        "builtin_options_type": getattr(tflite.BuiltinOptions, name),
        "builtin_options": lambda b: build.table(b, name, **fields),
    }


def test_is_the_original_text(model_path: Path) -> None:
    try:
        text = analyze(model_path)
    except tq.TFLiteError:
        assert REFUSED in original(model_path)
    else:
        assert text == original(model_path)


def test_all_sources_give_the_same() -> None:
    path = FIXTURES[0]
    content = path.read_bytes()
    with path.open("rb") as file, tq.open(path) as model:
        texts = {analyze(path), analyze(str(path)), analyze(content), analyze(file), report(model)}
    assert len(texts) == 1


@pytest.mark.parametrize("kind", [*TensorType, 23, 99, -1, -128])
def test_types(kind: int) -> None:
    content = bytes([65, 0, 128, 63, 255, 255, 255, 127, 9, 10, 13, 126, 127, 128, 92, 0]) * 2
    sizes = [*range(10), 16, 19, 20, 21, 23, 24, 32]
    tensors = [constant(kind, content[:size]) for size in sizes]
    indices = list(range(len(sizes)))
    # As inputs of an operator, too, where INT32 is shown.
    reader = build.OperatorSpec(CODES.ADD, indices, [0])
    assert_same(build.model(build.SubgraphSpec(tensors, [0], [1], [reader])))


def test_integers() -> None:
    values = np.array([-(2**31), 2**31 - 1, -1, 0, 7], np.int32)
    text = assert_same(build.one(build.constant(values), build.constant(values.view(np.uint32))))
    assert "data:[-2147483648, 2147483647, -1, 0, 7]\n" in text
    assert "data:[2147483648, 2147483647, 4294967295, 0, 7]\n" in text


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=7))
@many(3)
def test_floats(values: list[float]) -> None:
    assert_same(build.one(build.constant(np.array(values, np.float32))))


def test_certain_floats() -> None:
    edges = [0, -0.0, np.inf, -np.inf, 1e-45, 3.4028235e38, 999999.5, 1e6, 0.0001, 9.99999e-5]
    edges += [123456.7, 0.1, 1 / 3, 100, -2.5]
    for at in range(0, len(edges), 5):
        assert_same(build.one(build.constant(np.array(edges[at : at + 5], np.float32))))


@pytest.mark.skipif(sys.platform != "linux", reason="C libraries differ in the sign of NaN")
def test_nan() -> None:
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0, 0], np.uint32)
    text = assert_same(build.one(build.constant(bits.view(np.float32))))
    assert "data:[nan, -nan, nan, -nan, 0, ...]" in text


def test_shapes_and_names() -> None:
    tensors = [
        build.TensorSpec(name, shape, signature=signature)
        for name in (None, "", BYTE_NAME, "x" * 5000)
        for shape in (None, (), (0,), (1, 2**31 - 1), (3, -1))
        for signature in (None, (), (-1, 7))
    ]
    graph = build.SubgraphSpec(tensors, name=BYTE_NAME)
    text = assert_same(build.model(graph, build.SubgraphSpec(tensors, name="")))
    assert "T#0shape:n/a, type:INT8\n" in text
    assert text.isascii()


@pytest.mark.parametrize("code", [*range(211), 999, -5])
def test_operators(code: int) -> None:
    branching = {CODES.IF: "If", CODES.WHILE: "While", CODES.CALL_ONCE: "CallOnce"}
    fields = options(f"{branching[code]}Options") if code in branching else {}
    operator = build.OperatorSpec(code, [0, -1], [0], custom="Own", fields=fields)
    assert_same(build.model(build.SubgraphSpec([INPUT], [0], [0], [operator])))


def test_operands() -> None:
    operators = [
        build.OperatorSpec(CODES.CUSTOM, [], [], custom=BYTE_NAME),
        build.OperatorSpec(CODES.CUSTOM, [0, 1, -1], [0, -1], custom=""),
        build.OperatorSpec(CODES.ADD, [1, 2, 1, 3], [1], intermediates=[0]),
    ]
    empty = build.TensorSpec("empty", (0,), tflite.TensorType.INT32, b"")
    tensors = [INPUT, CONSTANT, empty, build.constant(np.arange(9, dtype=np.int32))]
    graph = build.SubgraphSpec(tensors, [0, 1], [], operators)
    text = assert_same(build.model(graph, build.SubgraphSpec([]), graph))
    assert "Op#2 ADD(T#1[0, 1, 2], T#2[], T#1[0, 1, 2], T#3[0, 1, 2, 3, 4, ...]) -> [T#1]" in text
    assert "Op#1 (T#2_0, T#2_1[0, 1, 2], T#-1) -> [T#2_0, T#-1]" in text


def test_control_flow() -> None:
    operators = [
        build.OperatorSpec(
            CODES.WHILE,
            [0],
            [0],
            fields=options("WhileOptions", cond_subgraph_index=1, body_subgraph_index=2),
        ),
        build.OperatorSpec(
            CODES.IF,
            [0, 1],
            [0],
            fields=options("IfOptions", then_subgraph_index=2, else_subgraph_index=-7),
        ),
        build.OperatorSpec(
            CODES.CALL_ONCE, [], [], fields=options("CallOnceOptions", init_subgraph_index=1)
        ),
    ]
    first = build.SubgraphSpec([INPUT, CONSTANT], [0], [0], operators, "main")
    other = build.SubgraphSpec([INPUT], [0], [0], name="other")
    text = assert_same(build.model(first, other, other))
    assert "WHILE(T#0, Cond: Subgraph#1, Body: Subgraph#2) -> [T#0]" in text
    assert "IF(T#0, T#1[0, 1, 2], Then: Subgraph#2, Else: Subgraph#-7)" in text
    assert "CALL_ONCE(Subgraph#1) -> []" in text


def test_signatures_and_metadata() -> None:
    graph = build.SubgraphSpec([INPUT, CONSTANT], [0], [1])
    signatures = [
        build.SignatureSpec("serve", {"x": 0, "é": 1}, {"y": 1}),
        build.SignatureSpec("", {}, {"": 0}, subgraph=1),
    ]
    model = build.model(
        graph, graph, signatures=signatures, buffers=[b"1.0"], metadata={"min_runtime_version": 1}
    )
    assert "    '..' : T#1\n" in assert_same(model)


@pytest.mark.parametrize("size", [1, 70, 4095, 4096, 4097, 20_000])
@pytest.mark.parametrize("last", [0, 1])
def test_zeros(size: int, last: int) -> None:
    content = bytes(size - 1) + bytes([last])
    text = assert_same(build.one(constant(9, content), constant(9, b"\1" * 600)))
    assert f"{0 if last else size:10} bytes (" in text.split("(Zero value buffers): ")[1]


def test_shared_bytes() -> None:
    """The difference of two unsigned sizes wraps around in the original."""
    b = build.start()
    data = build.numbers(b, np.zeros(4000), "u1")
    buffer = build.table(b, "Buffer", data=data)
    tensors = [build.table(b, "Tensor", shape=None, type=9, buffer=index) for index in (1, 2, 3)]
    graph = build.table(
        b,
        "SubGraph",
        tensors=build.references(b, tensors),
        operators=build.references(b, []),
    )
    others = [build.table(b, "Buffer", data=data), build.table(b, "Buffer")]
    model = build.finish(
        b,
        version=3,
        subgraphs=build.references(b, [graph]),
        operator_codes=build.references(b, []),
        buffers=build.references(b, [others[1], buffer, buffer, others[0]]),
    )
    assert "Non-data buffer size: 1844674407" in assert_same(model)


def test_buffers_elsewhere() -> None:
    """What does not lie in the FlatBuffer is not shown, as in the original."""
    path = next(path for path in FIXTURES if path.stem == "outside_buffers")
    with tq.open(path) as model:
        assert any(tensor.is_constant for tensor in model.tensors)
    assert not [line for line in analyze(path).splitlines() if "FLOAT32 RO" in line]


def bare(
    subgraph: dict[str, Any] | None = None,
    code: dict[str, Any] | None = None,
    signature: Callable[[Any], dict[str, Any]] | None = None,
    has_buffers: bool = True,
) -> bytes:
    """Build a model of one tensor and one operator that lacks what is not given."""
    b = build.start()
    name, ends = build.text(b, "in"), build.numbers(b, [0], "<i4")
    shape = build.numbers(b, (1,), "<i4")
    tensors = build.references(b, [build.table(b, "Tensor", name=name, shape=shape)])
    operator = build.table(b, "Operator", inputs=ends, outputs=ends)
    operators = build.references(b, [operator])
    fields = {"inputs": ends, "outputs": ends, "tensors": tensors, "operators": operators}
    graph = build.table(b, "SubGraph", **fields | (subgraph or {}))
    codes = build.references(b, [build.table(b, "OperatorCode", **(code or {}))])
    signatures = None
    if signature:
        signatures = build.references(b, [build.table(b, "SignatureDef", **signature(b))])
    buffers = build.references(b, [build.table(b, "Buffer")]) if has_buffers else None
    return build.finish(
        b,
        version=3,
        subgraphs=build.references(b, [graph]),
        operator_codes=codes,
        buffers=buffers,
        signature_defs=signatures,
    )


def without_name(b: Any) -> dict[str, Any]:
    entries = build.references(b, [build.table(b, "TensorMap", tensor_index=0)])
    return {"inputs": entries, "outputs": entries, "signature_key": build.text(b, "k")}


def without_lists(b: Any) -> dict[str, Any]:
    return {"signature_key": build.text(b, "k")}


def without_key(b: Any) -> dict[str, Any]:
    return {"inputs": build.references(b, []), "outputs": build.references(b, [])}


def branching(code: int) -> bytes:
    operator = build.OperatorSpec(code, [0], [0])
    return build.model(build.SubgraphSpec([INPUT], [0], [0], [operator]))


LACKING = {
    "operators": (bare({"operators": None}), "numbers. Subgraph#0(T#0) -> [T#0]\n\nTensors of"),
    "custom name": (bare(code={"deprecated_builtin_code": 32}), "  Op#0 (T#0) -> [T#0]\n"),
    "buffers": (bare(has_buffers=False), "Total data buffer size:          0 bytes (00.00 %)\n"),
    "options of IF": (branching(CODES.IF), "  Op#0 IF(T#0) -> [T#0]\n"),
    "options of WHILE": (branching(CODES.WHILE), "  Op#0 WHILE(T#0) -> [T#0]\n"),
    "options of CALL_ONCE": (branching(CODES.CALL_ONCE), "  Op#0 CALL_ONCE(T#0) -> [T#0]\n"),
    "signature's key": (bare(signature=without_key), "Signature#0 key: ''\n"),
    "signature's lists": (bare(signature=without_lists), "- Inputs: \n- Outputs: \n\n"),
    "signature's names": (bare(signature=without_name), "- Inputs: \n    '' : T#0\n- Outputs: \n"),
}
"""Models that lack what the original takes for granted, and what is shown of them here."""


@pytest.mark.parametrize("case", LACKING)
def test_shows_what_is_lacking_as_empty(case: str, tmp_path: Path) -> None:
    """The original follows a reference that is not there: it crashes, or shows stray bytes."""
    model, shown = LACKING[case]
    text = analyze(model)
    assert shown in text
    if case != "signature's key":  # where stray bytes happen to make an empty string
        assert original_of_broken(model, tmp_path) != text


def test_lacks_what_the_original_does_without() -> None:
    assert_same(bare())
    assert_same(bare({"inputs": None, "outputs": None}))
    model = build.start()
    graph = build.table(model, "SubGraph", operators=build.references(model, []))
    parts = {"subgraphs": [graph], "buffers": [], "operator_codes": []}
    vectors = {name: build.references(model, part) for name, part in parts.items()}
    assert_same(build.finish(model, version=3, **vectors))


def test_shows_what_the_original_refuses() -> None:
    """A string without the zero at its end is no fault to a reader that knows its length."""
    content = bytearray(build.one(build.TensorSpec("name")))
    end = content.index(b"name\0") + 4
    content[end] = 1
    assert "T#0(name) shape:[1]" in analyze(bytes(content))
    assert REFUSED in original(bytes(content))


def test_refuses_an_index_that_leads_nowhere() -> None:
    """The original shows the number."""
    model = build.one(build.TensorSpec("t", buffer=7))
    assert "T#0(t) shape:[1], type:INT8\n" in original(model)
    with pytest.raises(
        tq.CorruptModelError, match="'buffer' is 7, expected at least 0 and less than 1"
    ):
        analyze(model)


@pytest.mark.parametrize("where", ["tensors", "operators", "codes", "signatures"])
def test_refuses_to_blow_up(where: str) -> None:
    """Some tables that share one long name: the text would be a thousand times the file."""
    b, count = build.start(), 3000
    name = build.text(b, "x" * 50_000)
    tensor = build.table(b, "Tensor", name=name if where == "tensors" else None)
    operator = build.table(b, "Operator")
    graph = build.table(
        b,
        "SubGraph",
        tensors=build.references(b, [tensor] * (count if where == "tensors" else 1)),
        operators=build.references(b, [operator] * (count if where == "operators" else 1)),
    )
    code = build.table(b, "OperatorCode", deprecated_builtin_code=32, custom_code=name)
    entries = build.references(b, [build.table(b, "TensorMap", name=name)] * count)
    signature = build.table(b, "SignatureDef", inputs=entries)
    model = build.finish(
        b,
        version=3,
        subgraphs=build.references(b, [graph]),
        operator_codes=build.references(b, [code] * (count if where == "codes" else 1)),
        buffers=build.references(b, [build.table(b, "Buffer")]),
        signature_defs=build.references(b, [signature]) if where == "signatures" else None,
    )
    with pytest.raises(tq.CorruptModelError, match=r"would take .* from a file of .* \(limit: "):
        analyze(model)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_broken_bytes_give_text_or_an_error(path: Path) -> None:
    content, chance = path.read_bytes(), random.Random(path.stem)
    for _ in range(60):
        broken = bytearray(content)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(8, len(broken) - 4) & ~1
            broken[at : at + 2] = chance.choice((0, 1, 4, 12, 999, 65535)).to_bytes(2, "little")
        try:
            text = analyze(bytes(broken))
        except tq.TFLiteError:
            continue
        assert text.isascii()


def test_a_closed_model_is_an_error() -> None:
    with tq.open(FIXTURES[0]) as model:
        pass
    with pytest.raises(ValueError, match="closed"):
        report(model)
