"""C headers: compiled as C99 and as C++11, run, and held against Python's numbers."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build, faults
from tests.build import OperatorSpec, SignatureSpec, SubgraphSpec, TensorSpec, constant
from tests.compiler import compiled, tokens
from tests.test_cli import python_path, run
from tflite_quant.escape import for_c_string
from tflite_quant.firmware.c_text import comment, identifier

LANGUAGES = ("c99", "c++11")
REALS = np.array(
    [0, -0.0, 0.5, -0.5, 1, -1, 0.49999997, 1e-30, 3.3, -7.7, 100, -100, 1e30, -1e30, np.inf,
     -np.inf, *np.linspace(-4, 4, 101)],
    np.float32,
)  # fmt: skip


def program(header: str, lines: list[str]) -> str:
    body = "\n  ".join(lines)
    return (
        f'#include "{header}"\n#include <stdio.h>\n#include <stdlib.h>\n'
        f"static float real(const char *text) {{ return strtof(text, 0); }}\n"
        f"int main(void) {{\n  {body}\n  (void)real;\n  return 0;\n}}\n"
    )


def ran(
    folder: Path,
    text: str,
    lines: list[str],
    language: str,
    source: str | None = None,
    flags: Sequence[str] = (),
) -> list[str]:
    """Compile a program with a header, and its source, and give the lines that it prints."""
    (folder / "model.h").write_text(text)
    end = "c" if language == "c99" else "cpp"
    sources = [folder / f"main.{end}"]
    sources[0].write_text(program("model.h", lines))
    if source is not None:
        sources.append(folder / f"model.{end}")
        sources[1].write_text(source)
    found = compiled(sources, folder / f"main_{language}.exe", language, flags)
    return subprocess.check_output([found], text=True).splitlines()


def ends(model: tq.Model) -> Iterator[tq.Tensor]:
    """Give the inputs and outputs of the first subgraph, then those of the other signatures."""
    yield from (*model.inputs, *model.outputs)
    for signature in model.signatures:
        if signature.subgraph is not model.subgraphs[0]:
            yield from (*signature.subgraph.inputs, *signature.subgraph.outputs)


def bases(text: str) -> list[str]:
    """Give the names of the inputs and outputs by position, in order."""
    return re.findall(r"#define (\w+)_RANK \d", text)


def aliases(text: str) -> dict[str, str]:
    """Give the further names of inputs and outputs, each with the name by position."""
    return dict(re.findall(r"#define (\w+)_RANK ([A-Z]\w+)_RANK", text))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_fixture(path: Path, language: str, tmp_path: Path) -> None:
    with tq.open(path) as model:
        text = tq.c_header(model, tensors=["*"])
        names = bases(text)
        tensors = list(ends(model))
        assert len(names) == len(tensors)
        lines, expected = [], []
        for name, tensor in zip(names, tensors, strict=True):
            lines.append(f'printf("%d %d\\n", {name}_RANK, (int){name}_LENGTH);')
            expected.append(f"{len(tensor.shape)} {int(np.prod(tensor.shape))}")
            for axis, size in enumerate(tensor.shape):
                lines.append(f'printf("%d\\n", (int){name.lower()}_shape[{axis}]);')
                expected.append(str(size))
            if tensor.nbytes is not None:
                lines.append(f'printf("%d\\n", (int){name}_BYTES);')
                expected.append(str(tensor.nbytes))
                lines.append(f'printf("%d\\n", {name}_LENGTH * (int)sizeof({name.lower()}_t));')
                expected.append(str(tensor.nbytes))
            if f"{name}_SCALE " in text:
                more, wanted = calls(name, tensor)
                lines += more
                expected += wanted
        assert ("not quantized" in text) is any(
            isinstance(t.quantization, tq.NotQuantized) for t in tensors
        )
    assert ran(tmp_path, text, lines, language) == expected


def calls(name: str, tensor: tq.Tensor) -> tuple[list[str], list[str]]:
    """Give calls of an end's functions, and what they must print."""
    scheme = tensor.quantization
    assert isinstance(scheme, tq.PerTensor)
    lines = [f'printf("%.9g %d\\n", (double){name}_SCALE, (int){name}_ZERO_POINT);']
    expected = [f"{scheme.scale:.9g} {scheme.zero_point}"]
    lines.append(f'printf("%.9g %.9g\\n", (double){name}_REAL_MIN, (double){name}_REAL_MAX);')
    info = np.iinfo(tensor.dtype)
    bounds = tq.dequantize(
        np.array([info.min, info.max], tensor.dtype), scheme.scale, scheme.zero_point
    )
    expected.append(f"{bounds[0]:.9g} {bounds[1]:.9g}")
    low, count = name.lower(), REALS.size
    wanted = tq.quantize(REALS, scheme.scale, scheme.zero_point, dtype=tensor.dtype)
    texts = ", ".join(f'"{value!r}"' for value in REALS.tolist())
    lines.append(f"{{ const char *texts[] = {{{texts}}};")
    lines.append(f"float reals[{count}], back[{count}]; {low}_t q[{count}];")
    lines.append(f"for (int i = 0; i < {count}; i++) reals[i] = real(texts[i]);")
    lines.append(f"{low}_quantize_n(reals, q, {count}); {low}_dequantize_n(q, back, {count});")
    lines.append(f'for (int i = 0; i < {count}; i++) printf("%d %d %.9g %.9g\\n", q[i],')
    lines.append(f"{low}_quantize(reals[i]), (double){low}_dequantize(q[i]), (double)back[i]); }}")
    back = tq.dequantize(wanted, scheme.scale, scheme.zero_point)
    for q, value in zip(wanted.tolist(), back.tolist(), strict=True):
        expected.append(f"{q} {q} {value:.9g} {value:.9g}")
    return lines, expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_values(language: str, tmp_path: Path) -> None:
    """Weights, scales, multipliers and the whole file are what Python has."""
    path = ROOT / "fixtures/residual_int8.tflite"
    with tq.open(path) as model:
        text = tq.c_header(model, prefix="net", tensors=["*predictions*"], include_model=True)
        operator = model.operators[-2]
        weights = operator.inputs[1]
        assert weights is not None
        assert "net_op_11_fully_connected" in text
        found = tq.operator_requantization(operator)
        assert found.range is not None
        assert isinstance(weights.quantization, tq.PerAxis)
        scales = weights.quantization.scales
        data = weights.data.reshape(-1)
    base, op = "net_residual_1_predictions_1_matmul", "net_op_11_fully_connected"
    lines = [
        f'for (int i = 0; i < {base.upper()}_DATA_SIZE; i++) printf("%d\\n", {base}_data[i]);',
        f'for (int i = 0; i < 10; i++) printf("%.9g\\n", (double){base}_scales[i]);',
        f'for (int i = 0; i < 10; i++) printf("%d\\n", (int){op}_output_multipliers[i]);',
        f'for (int i = 0; i < 10; i++) printf("%d\\n", (int){op}_output_shifts[i]);',
        f'printf("%d %d\\n", {op.upper()}_INPUT_OFFSET, {op.upper()}_HIGHEST);',
        "unsigned long sum = 0;",
        "for (int i = 0; i < NET_MODEL_DATA_SIZE; i++)",
        "  sum = (sum * 31 + net_model_data[i]) % 65521;",
        'printf("%d %lu\\n", NET_MODEL_DATA_SIZE, sum);',
        f'printf("%d\\n", (int)((uintptr_t){base}_data % 16 + (uintptr_t)net_model_data % 16));',
    ]
    total = 0
    for byte in path.read_bytes():
        total = (total * 31 + byte) % 65521
    multiplier = found.multipliers["output"]
    assert ran(tmp_path, text, lines, language) == [
        *map(str, data.tolist()),
        *(f"{value:.9g}" for value in scales.tolist()),
        *map(str, multiplier.multiplier.tolist()),
        *map(str, multiplier.shift.tolist()),
        f"{found.offsets['input']} {found.range[1]}",
        f"{path.stat().st_size} {total}",
        "0",
    ]


HOSTILE = [
    'quote"s', "*/ int x; /*", "/* open", "??/", "ends with\\", "int", "_Reserved", "__a__b__",
    "größe", "\u202egnp", "9", "", "a" * 10_000, "a" * 10_000 + "b", "Name", "name", "NAME",
    "name_14", "line\nbreak", "%s%n", "a:b/c.d", "x_scale", "x",
]  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_that_are_hostile(language: str, tmp_path: Path) -> None:
    """Of inputs in a signature, and of constants."""
    count = len(HOSTILE)
    specs = [TensorSpec(name, (1, 4), scale=0.5, zero_point=3) for name in HOSTILE]
    specs += [constant(np.arange(3, dtype=np.int8), 0.5, 0, name=f"{n} w") for n in HOSTILE[:6]]
    signature = SignatureSpec("*/", {name: index for index, name in enumerate(HOSTILE)}, {})
    content = build.model(SubgraphSpec(specs, list(range(count)), []), signatures=[signature])
    text = tq.c_header(content, prefix="*/ static int", tensors=["*"])
    assert text.isascii()
    assert bases(text) == [f"STATIC_INT_INPUT_{index}" for index in range(count)]
    further = aliases(text)
    assert len({name.lower() for name in further}) == len(further)
    names = {*further, *re.findall(r"define (\w+)_DATA_SIZE", text)}
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", name) for name in names)
    assert max(map(len, names)) < 63
    assert {name.removeprefix("STATIC_INT_") for name in further} == {
        "QUOTE_S", "INT_X", "OPEN", "ENDS_WITH", "INT", "RESERVED", "A_B", "GR_E", "GNP", "9",
        "NAME_14", "LINE_BREAK", "S_N", "A_B_C_D", "X_SCALE", "X",
    }  # fmt: skip
    lines = [f'printf("%d\\n", {name.lower()}_quantize(1.0f));' for name in further]
    assert ran(tmp_path, text, lines, language) == ["5"] * len(further)


class TestNamesBySignature:
    def text(self, *signatures: SignatureSpec, inputs: int = 2, outputs: int = 2) -> str:
        """Give the header of two subgraphs with so many inputs and outputs each."""
        count = inputs + outputs
        specs = [TensorSpec(f"t{index}", (1, 4)) for index in range(count)]
        graph = SubgraphSpec(specs, range(inputs), range(inputs, count))
        return tq.c_header(build.model(graph, graph, signatures=signatures), prefix="n")

    def test_each_thing_has_both_names(self) -> None:
        specs = [
            TensorSpec("PartitionedCall:0", (1, 4), scale=0.5, zero_point=3),
            TensorSpec("serving_default_x:0", (), tflite.TensorType.FLOAT32),
        ]
        one = SignatureSpec("serving_default", {"x": 1}, {"probabilities": 0})
        content = build.model(SubgraphSpec(specs, [1], [0]), signatures=[one])
        text = tq.c_header(content, prefix="n")
        pattern = r"^#define (\w+) |\b(n_\w+)[([]|^typedef \w+ (\w+);"
        defined = {"".join(found) for found in re.findall(pattern, text, re.MULTILINE)}
        for alias, own in (("x", "input_0"), ("probabilities", "output_0")):
            mine, others = (
                {
                    name.lower().removeprefix(f"n_{of}_")
                    for name in defined
                    if f"n_{of}_" in name.lower()
                }
                for of in (alias, own)
            )
            assert mine == others
            assert len(mine) == (5 if own == "input_0" else 14)
        assert "partitionedcall" not in text.replace("PartitionedCall", "")

    def test_the_order_of_a_signature_does_not_matter(self) -> None:
        """What has a position in TFLM is the subgraph's input."""
        text = self.text(SignatureSpec("s", {"b": 1, "a": 0}, {"d": 3, "c": 2}))
        assert aliases(text) == {
            "N_A": "N_INPUT_0", "N_B": "N_INPUT_1", "N_C": "N_OUTPUT_0", "N_D": "N_OUTPUT_1"
        }  # fmt: skip
        assert "/* Input 1: b, INT8, tensor t1 */" in text
        assert "#define N_INPUT_1_INDEX 1\n" in text
        assert "#define N_B_INDEX N_INPUT_1_INDEX\n" in text

    def test_a_name_that_means_a_position(self) -> None:
        """Keras counts inputs from 1: `input_1` may be input 0, and `output_0` is output 0."""
        text = self.text(SignatureSpec("s", {"input_1": 0, "input_2": 1}, {"output_0": 2}))
        assert aliases(text) == {"N_INPUT_1_INPUT": "N_INPUT_0", "N_INPUT_2_INPUT": "N_INPUT_1"}

    def test_a_name_of_an_input_and_an_output(self) -> None:
        text = self.text(SignatureSpec("s", {"x": 0, "y": 1}, {"x": 2, "input": 3}))
        assert aliases(text) == {
            "N_X_INPUT": "N_INPUT_0", "N_X_OUTPUT": "N_OUTPUT_0", "N_Y": "N_INPUT_1",
            "N_INPUT": "N_OUTPUT_1",
        }  # fmt: skip

    def test_names_that_are_the_same_in_c(self) -> None:
        """Neither could be told from the other: both have no further name."""
        text = self.text(SignatureSpec("s", {"a.b": 0, "A:b": 1}, {"input": 2, "Input": 2}))
        assert aliases(text) == {"N_INPUT": "N_OUTPUT_0"}

    def test_names_of_other_things(self) -> None:
        text = self.text(SignatureSpec("s", {"model": 0, "arena": 1}, {"model_output": 2, "ß": 3}))
        assert aliases(text) == {
            "N_MODEL_INPUT": "N_INPUT_0", "N_ARENA_INPUT": "N_INPUT_1",
            "N_MODEL_OUTPUT": "N_OUTPUT_0",
        }  # fmt: skip

    def test_a_name_of_a_custom_operator(self) -> None:
        """Its registration has an ending of its own, and the name is free."""
        step = OperatorSpec(tflite.BuiltinOperator.CUSTOM, [0], [0], "x")
        graph = SubgraphSpec([TensorSpec("t", (1, 4))], [0], [], [step])
        content = build.model(graph, signatures=[SignatureSpec("s", {"x": 0}, {})])
        text = tq.c_header(content, prefix="n")
        assert aliases(text) == {"N_X": "N_INPUT_0"}
        assert "N_X_REGISTRATION" in text

    def test_several_names_of_one_tensor(self) -> None:
        text = self.text(SignatureSpec("s", {"a": 0, "b": 0}, {}), inputs=1)
        assert aliases(text) == {"N_A": "N_INPUT_0", "N_B": "N_INPUT_0"}

    def test_several_signatures(self) -> None:
        """The first subgraph is what runs; the others have their signature's key in each name."""
        second = SignatureSpec("Decode", {"code": 0, "key": 1}, {"text": 2}, 1)
        text = self.text(second, SignatureSpec("encode", {"text": 0}, {"code": 2}))
        of = re.findall(r"/\* Signature (.*), which is subgraph (\d) \*/", text)
        assert of == [("encode", "0"), ("Decode", "1")]
        assert bases(text) == [
            f"N_{key}{end}"
            for key in ("", "DECODE_")
            for end in ("INPUT_0", "INPUT_1", "OUTPUT_0", "OUTPUT_1")
        ]
        assert aliases(text) == {
            **{f"N_ENCODE_{e}_{i}": f"N_{e}_{i}" for e in ("INPUT", "OUTPUT") for i in (0, 1)},
            "N_TEXT": "N_INPUT_0", "N_ENCODE_TEXT": "N_INPUT_0",
            "N_CODE": "N_OUTPUT_0", "N_ENCODE_CODE": "N_OUTPUT_0",
            "N_DECODE_CODE": "N_DECODE_INPUT_0", "N_DECODE_KEY": "N_DECODE_INPUT_1",
            "N_DECODE_TEXT": "N_DECODE_OUTPUT_0",
        }  # fmt: skip
        counts = re.findall(r"#define (\w+)_COUNT 2", text)
        assert counts == [
            "N_INPUT", "N_ENCODE_INPUT", "N_OUTPUT", "N_ENCODE_OUTPUT", "N_DECODE_INPUT",
            "N_DECODE_OUTPUT",
        ]  # fmt: skip

    @pytest.mark.parametrize("keys", [("a", "b"), ("b", "a")])
    def test_names_with_keys_do_not_depend_on_the_order(self, keys: tuple[str, str]) -> None:
        """Which of the signatures is the first subgraph may change when a model is made again."""
        one, other = (SignatureSpec(key, {f"{key}_in": 0}, {}, i) for i, key in enumerate(keys))
        for text in (self.text(one, other), self.text(other, one)):
            assert {"N_A_A_IN", "N_B_B_IN"} <= {*aliases(text)}
            assert {"N_A_INPUT_0", "N_B_INPUT_0"} <= {*aliases(text), *bases(text)}

    @pytest.mark.parametrize(
        ("keys", "stems"),
        [
            (["", "*/"], ["SIGNATURE_0", "SIGNATURE_1"]),
            (["a", "A"], ["SIGNATURE_0", "SIGNATURE_1"]),
            (["signature_1", "b"], ["SIGNATURE_0", "B"]),
            (["<placeholder signature>", "c"], ["PLACEHOLDER_SIGNATURE", "C"]),
        ],
    )
    def test_keys_that_are_no_names(self, keys: list[str], stems: list[str]) -> None:
        text = self.text(*[SignatureSpec(key, {}, {}, 1) for key in keys], inputs=1, outputs=0)
        assert bases(text) == ["N_INPUT_0", *[f"N_{stem}_INPUT_0" for stem in stems]]

    def test_several_signatures_of_the_first_subgraph(self) -> None:
        text = self.text(SignatureSpec("a", {"x": 0}, {}), SignatureSpec("b", {"y": 0}, {}))
        assert aliases(text)["N_X"] == "N_INPUT_0"
        assert aliases(text)["N_B_Y"] == "N_B_INPUT_0"


def test_a_name_that_collides_twice() -> None:
    """The index alone does not make the last tensor's name unique: others are called like that."""
    names = ["x_3", "x_3_3", "x", "x"]
    specs = [constant(np.arange(3, dtype=np.int8), name=name) for name in names]
    text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
    assert re.findall(r"(\w+)_data\[", text) == ["n_x_3", "n_x_3_3", "n_x", "n_x_3_3_3"]


def test_constants_give_way_to_inputs_and_outputs() -> None:
    specs = [TensorSpec("t", (1, 4)), *(constant(np.ones(2), name=n) for n in ("input_0", "x"))]
    one = SignatureSpec("s", {"x": 0}, {})
    content = build.model(SubgraphSpec(specs, [0], []), signatures=[one])
    text = tq.c_header(content, prefix="n", tensors=["*"])
    assert re.findall(r"(\w+)_data\[", text) == ["n_input_0_1", "n_x_2"]


def test_constants_of_all_subgraphs() -> None:
    weights = constant(np.arange(4, dtype=np.int8).reshape(1, 4), 0.5, 0, name="w")
    x, y = (TensorSpec(n, (1, k), scale=0.5, zero_point=0) for n, k in (("x", 4), ("y", 1)))
    step = build.OperatorSpec(faults.OPERATORS.FULLY_CONNECTED, [0, 1, -1], [2])
    graph = SubgraphSpec([x, weights, y], [0], [2], [step])
    text = tq.c_header(build.model(graph, graph), prefix="n", tensors=["w"])
    assert re.findall(r"(\w+)_data\[", text) == ["n_w", "n_w_1"]
    multipliers = re.findall(r"(\w+)_output_multipliers\[", text)
    assert multipliers == ["n_op_0_fully_connected", "n_subgraph_1_op_0_fully_connected"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("net", "net"), ("A--b/", "a_b"), ("9a", "m9a"), ("a9", "a9"), ("ß", "model"), ("", "model")],
)
def test_prefixes(prefix: str, expected: str) -> None:
    lines = tq.c_header(faults.GOOD, prefix=prefix).splitlines()
    assert f"#define {expected.upper()}_H_INCLUDED" in lines
    assert f"#define {expected.upper()}_INPUT_0_RANK 2" in lines


def test_the_prefix_is_the_name_of_the_file(tmp_path: Path) -> None:
    assert bases(tq.c_header(faults.GOOD)) == ["MODEL_INPUT_0", "MODEL_OUTPUT_0"]
    path = tmp_path / "My.net.tflite"
    path.write_bytes(faults.GOOD)
    assert bases(tq.c_header(path)) == ["MY_NET_INPUT_0", "MY_NET_OUTPUT_0"]


def test_long_names() -> None:
    """A name in C has 40 characters of the model's, a comment 80; what is cut off shows."""
    names = ["a" * 40, "b" * 41, "c" * 39 + "_d", "e" * 80, "f" * 81]
    specs = [constant(np.arange(3, dtype=np.int8), name=name) for name in names]
    text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
    stems = ["a" * 40, "b" * 40 + "_1", "c" * 39 + "_2", "e" * 40 + "_3", "f" * 40 + "_4"]
    assert re.findall(r"(\w+)_data\[", text) == [f"n_{stem}" for stem in stems]
    comments = re.findall(r"/\* (.*): INT8 of shape", text)
    assert comments == [*names[:4], "f" * 77 + "..."]


def test_a_tensor_that_is_both_input_and_output() -> None:
    """Each position has its names, as it has its number in the runtime."""
    specs = [TensorSpec("x", (1, 4)), TensorSpec("y")]
    one = SignatureSpec("s", {"a": 0}, {"b": 0, "c": 1})
    text = tq.c_header(
        build.model(SubgraphSpec(specs, [0, 0], [1, 0]), signatures=[one]), prefix="n"
    )
    assert bases(text) == ["N_INPUT_0", "N_INPUT_1", "N_OUTPUT_0", "N_OUTPUT_1"]
    ends = re.findall(r"/\* (.*), INT8, tensor (.*) \*/", text)
    assert ends == [("Input 0: a", "x"), ("Output 0: c", "y"), ("Output 1: b", "x")]
    assert "/* Input 1: INT8, tensor x */" in text
    assert aliases(text) == {"N_A": "N_INPUT_0", "N_B": "N_OUTPUT_1", "N_C": "N_OUTPUT_0"}


def test_integers_are_written_with_the_suffix_that_they_need() -> None:
    bounds = [-(2**63), -(2**31) - 1, -(2**31), 1 - 2**31, 2**31 - 1, 2**31, 2**63 - 1]
    specs = [
        constant(np.array(bounds), name="i"),
        constant(np.array([2**63 - 1, 2**63, 2**64 - 1], np.uint64), name="u"),
    ]
    text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
    assert re.findall(r"^  (.*),$", text, re.MULTILINE) == [
        "(-9223372036854775807LL - 1), -2147483649LL, (-2147483647 - 1), -2147483647, "
        "2147483647, 2147483648LL, 9223372036854775807LL",
        "9223372036854775807LL, 9223372036854775808ULL, 18446744073709551615ULL",
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_read_back_to_the_same_bits(dtype: Any) -> None:
    r = np.random.default_rng(7)
    values = np.exp(r.uniform(-80, 80, 500)).astype(dtype)
    text = tq.c_header(build.one(constant(values, name="v")), prefix="n", tensors=["*"])
    written = ", ".join(re.findall(r"^  (.*),$", text, re.MULTILINE)).split(", ")
    assert all(number.endswith("f") is (dtype is np.float32) for number in written)
    assert np.array([number.rstrip("f") for number in written], dtype).tolist() == values.tolist()


def test_constants() -> None:
    """Float16 as bits; zero points only where there are several scales and one is not zero."""
    codes = np.arange(20, dtype=np.int8).reshape(10, 2)
    specs = [
        constant(np.array([1.0, -2.0], np.float16), name="half"),
        constant(codes, [0.5, 0.25], [0, 3], name="shifted", axis=1),
        constant(codes, [0.5, 0.25], [0, 0], name="centred", axis=1),
        constant(codes, 0.5, -1, name="plain"),
    ]
    text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
    assert "N_ALIGN static const uint16_t n_half_data[2] = {\n  15360, 49152,\n};" in text
    first, second = (", ".join(map(str, codes.flat[part])) for part in (slice(16), slice(16, 20)))
    assert f"int8_t n_shifted_data[20] = {{\n  {first},\n  {second},\n}};" in text
    assert "\nstatic const int64_t n_shifted_zero_points[2] = {\n  0, 3,\n};" in text
    assert "#define N_SHIFTED_AXIS 1" in text
    assert "\nstatic const float n_centred_scales[2] = {\n  0.5f, 0.25f,\n};" in text
    assert "n_centred_zero_points" not in text
    assert "#define N_PLAIN_SCALE 0.5f\n#define N_PLAIN_ZERO_POINT (-1)\n" in text


def test_types() -> None:
    """The type of a value as it lies in memory, where C has it."""
    types = {
        "FLOAT32": "float", "FLOAT16": "uint16_t", "FLOAT64": "double", "BFLOAT16": "uint16_t",
        "BOOL": "uint8_t", "UINT8": "uint8_t", "INT16": "int16_t", "INT64": "int64_t",
        "UINT64": "uint64_t", "COMPLEX64": None, "STRING": None, "RESOURCE": None, "INT4": None,
    }  # fmt: skip
    specs = [TensorSpec(name, (3,), int(tq.TensorType[name])) for name in types]
    content = build.model(SubgraphSpec(specs, range(len(types)), []))
    text = tq.c_header(content, prefix="n")
    assert {int(i): t for t, i in re.findall(r"typedef (\w+) n_input_(\d+)_t;", text)} == {
        index: name for index, name in enumerate(types.values()) if name is not None
    }
    assert "/* Its values take less than a byte each: N_INPUT_12_BYTES in all. */" in text
    assert "#define N_INPUT_12_BYTES 2\n" in text


def test_quantization_that_is_not_per_tensor() -> None:
    specs = [
        TensorSpec("a", (2, 3), scale=[0.5, 0.25], zero_point=[0, 0]),
        TensorSpec("b", (2, 3), tflite.TensorType.FLOAT32),
        TensorSpec("c", (2, 3), tflite.TensorType.INT32, scale=0.5, zero_point=0),
    ]
    text = tq.c_header(build.model(SubgraphSpec(specs, [0, 1, 2], [])), prefix="n")
    a, b, c = re.split(r"/\* Input \d.*", text)[1:]
    assert ("SCALE" in a, "/* Its quantization is per-axis. */" in a) == (False, True)
    assert ("SCALE" in b, "/* It is not quantized. */" in b) == (False, True)
    assert ("N_INPUT_2_SCALE 0.5f" in c, "quantiz" in c, "REAL" in c) == (True, False, False)


def test_a_range_that_is_not_finite() -> None:
    spec = TensorSpec("a", (2,), scale=3e36, zero_point=-128)
    text = tq.c_header(build.model(SubgraphSpec([spec], [0], [])), prefix="n")
    assert "#define N_INPUT_0_REAL_MIN (0.0f)" in text
    assert "_REAL_MAX" not in text


def test_the_model_is_named_by_its_bytes() -> None:
    """And the library by its version: two headers can be told apart."""
    text = tq.c_header(faults.GOOD, prefix="n")
    assert text.startswith(f"/* Generated by tflite-quant {tq.__version__} from model.")
    assert f'#define N_MODEL_SHA256 "{hashlib.sha256(faults.GOOD).hexdigest()}"\n' in text


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_the_arena_is_that_of_the_plan(path: Path) -> None:
    text = tq.c_header(path, prefix="net")
    found = {name: int(size) for name, size in re.findall(r"define NET_ARENA_(\w+) (\d+)", text)}
    if path.stem == "strings":
        assert not found
        assert re.search(r"/\* No plan of the arena: .*STRING", text)
        return
    plan = tq.memory_plan(path)
    assert found == {
        "HEAD": plan.head,
        "LOWER_BOUND": plan.lower_bound,
        "TAIL_ESTIMATE": plan.tail_estimate,
        "ESTIMATE": plan.arena_estimate,
    }
    assert ("Scratch memory comes on top" in text) == bool(plan.uncertain)


def test_a_scalar_and_strings() -> None:
    specs = [TensorSpec("scalar", ()), TensorSpec("text", (2,), tflite.TensorType.STRING)]
    text = tq.c_header(build.model(SubgraphSpec(specs, [0, 1], [])), prefix="n")
    defined = re.findall(r"#define N_INPUT_(\d.*)", text)
    assert defined == [
        "0_INDEX 0", "0_RANK 0", "0_LENGTH 1", "0_BYTES 1", "1_INDEX 1", "1_RANK 1", "1_LENGTH 2"
    ]  # fmt: skip
    assert re.findall(r"(\w+_shape\b.*)\n(.*)", text) == [("n_input_1_shape[1] = {", "  2,")]


def test_what_is_not_asked_for_is_not_there() -> None:
    text = tq.c_header(faults.GOOD)
    assert "_data[" not in text
    assert "_ALIGN" not in text
    text = tq.c_header(faults.GOOD, tensors=["w"])
    assert re.findall(r"(\w+_data)\[", text) == ["model_w_data"]
    assert "model_data[" in tq.c_header(faults.GOOD, prefix="", include_model=True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_numbers_that_are_hard_to_write(language: str, tmp_path: Path) -> None:
    ends_of = {
        np.int8: [-128, 127], np.int16: [-32768, 32767], np.int32: [-(2**31), 2**31 - 1],
        np.int64: [-(2**63), 2**63 - 1], np.uint64: [0, 2**64 - 1], np.uint32: [0, 2**32 - 1],
        np.bool_: [0, 1],
    }  # fmt: skip
    specs = [constant(np.array(v, t), name=t.__name__) for t, v in ends_of.items()]
    floats = np.array([1.0, 1e-45, 3.4028235e38, 0.1, -0.0], np.float32)
    specs += [constant(floats, name="floats"), constant(np.array([0.1, 5e-324]), name="doubles")]
    text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
    lines = [f'printf("%lld\\n", (long long)n_{t.__name__.strip("_")}_data[0]);' for t in ends_of]
    lines += [f'printf("%.9g\\n", (double)n_floats_data[{i}]);' for i in range(5)]
    expected = [str(values[0]) for values in ends_of.values()]
    expected += [f"{value:.9g}" for value in floats.tolist()]
    assert ran(tmp_path, text, lines, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_edges(language: str, tmp_path: Path) -> None:
    """A tensor called as the file is, one of no values, NaN for a value."""
    specs = [
        TensorSpec("x", (1, 4), scale=0.5, zero_point=3),
        constant(np.arange(3, dtype=np.int8), name="model"),
        constant(np.empty((0, 2), np.int8), name="empty"),
    ]
    text = tq.c_header(
        build.model(SubgraphSpec(specs, [0], [])), prefix="n", tensors=["model", "empty"],
        include_model=True,
    )  # fmt: skip
    lines = [
        'printf("%d %d\\n", N_MODEL_1_DATA_SIZE, N_EMPTY_DATA_SIZE);',
        'printf("%.4s\\n", (const char *)n_model_data + 4);',
        'printf("%d\\n", n_input_0_quantize(real("nan")));',
    ]
    assert ran(tmp_path, text, lines, language) == ["3 0", "TFL3", "3"]


class TestWhatIsRefused:
    def test_a_pattern_that_matches_nothing(self) -> None:
        with pytest.raises(tq.UnsupportedError, match=r"no tensor has a name like 'z\*'"):
            tq.c_header(faults.GOOD, tensors=["w", "z*"])

    def test_floats_that_are_none(self) -> None:
        content = build.one(constant(np.array([np.inf], np.float32), name="f"))
        with pytest.raises(tq.UnsupportedError, match="tensor 0 'f': inf cannot be written"):
            tq.c_header(content, tensors=["*"])

    def test_half_precision(self) -> None:
        """C has no such type: their bits are written, in which order they may lie in memory."""
        halves = np.array([1.5, -2, 0.25], np.float16)
        plain = constant(halves, name="plain")
        fields = build.sparse_fields(3, ([0, 2, 2, 3], [0, 3, 1]), order=[0, 1])
        sparse = constant(halves, name="sparse", fields=fields)
        sparse.shape = (3, 4)
        text = tq.c_header(build.one(plain, sparse), tensors=["*"])
        bits = halves.view(np.uint16).tolist()
        assert ", ".join(map(str, bits)) in text
        dense = [bits[0], 0, 0, bits[1], 0, 0, 0, 0, 0, bits[2], 0, 0]
        assert ", ".join(map(str, dense)) in text

    def test_complex_numbers(self) -> None:
        content = build.one(constant(np.array([1j], np.complex64), name="c"))
        with pytest.raises(tq.UnsupportedError, match="tensor 0 'c': C has no complex64"):
            tq.c_header(content, tensors=["*"])

    def test_a_scale_that_is_no_number(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="tensor 3 'y': nan cannot be written"):
            tq.c_header(faults.dense(y=replace(faults.Y, scale=np.nan)))

    def test_multipliers_out_of_all_proportion(self) -> None:
        """Many operators that share weights of many scales."""
        count = 2_000
        w = constant(np.ones((count, 1), np.int8), np.ones(count), np.zeros(count), name="w")
        x = TensorSpec("x", (1, 1), scale=0.5, zero_point=0)
        y = TensorSpec("y", (1, count), scale=0.5, zero_point=0)
        step = build.OperatorSpec(faults.OPERATORS.FULLY_CONNECTED, [0, 1, -1], [2])
        content = build.model(SubgraphSpec([x, w, y], [0], [2], [step] * 3_000))
        with pytest.raises(tq.CorruptModelError, match="the multipliers of operators would take"):
            tq.c_header(content, tensors=["w"])

    def test_values_out_of_all_proportion(self) -> None:
        """Many tensors that share a buffer would make a text of thousands of times the file."""
        one = TensorSpec("t", (40_000,), buffer=1)
        content = build.one(*[one] * 200, buffers=[bytes(40_000)])
        with pytest.raises(tq.CorruptModelError, match="the values of constants would take"):
            tq.c_header(content, tensors=["t"])

    def test_inputs_out_of_all_proportion(self) -> None:
        """One tensor is an input thousands of times, or the input of thousands of signatures."""
        one = TensorSpec("t", (1, 4), scale=0.5, zero_point=3)
        content = build.model(SubgraphSpec([one], [0] * 20_000, []))
        with pytest.raises(tq.CorruptModelError, match="the inputs and outputs in a header would"):
            tq.c_header(content)
        signatures = [SignatureSpec(f"s{index}", {"x": 0}, {}, 1) for index in range(500)]
        graphs = SubgraphSpec([one], [0], []), SubgraphSpec([one], [0] * 20, [])
        with pytest.raises(tq.CorruptModelError, match="the inputs and outputs in a header would"):
            tq.c_header(build.model(*graphs, signatures=signatures * 3))

    def test_what_cannot_be_quantized_has_no_functions(self) -> None:
        content = faults.dense(
            x=replace(faults.X, zero_point=1 << 40), y=replace(faults.Y, scale=0)
        )
        text = tq.c_header(content, tensors=["w"])
        assert "_quantize" not in text
        assert "1099511627776LL" in text
        why = "tensor 3 'y' has scale 0.0; it must be positive and finite"
        assert f"/* operator 0 FULLY_CONNECTED: {why} */" in text


class TestPatterns:
    """Tensors without values that match are passed over, and named."""

    def test_they_are_named(self) -> None:
        text = tq.c_header(faults.GOOD, prefix="n", tensors=["[wx]", "y"])
        assert re.findall(r"(\w+_data)\[", text) == ["n_w_data"]
        assert "/* '%5Bwx%5D' matches 1 tensor without values: x */" in text.replace(
            "[wx]", "%5Bwx%5D"
        )
        assert "/* 'y' matches 1 tensor without values: y */" in text

    def test_a_model_without_constants(self) -> None:
        specs = [TensorSpec(name, (1, 4)) for name in ("a", "b", "*/ c", "d")]
        text = tq.c_header(build.one(*specs), prefix="n", tensors=["*"])
        assert "matches 4 tensors without values: a, b, %2A%2F c, ..." in text
        assert "_data" not in text

    def test_the_command_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "model.tflite"
        names = ["a", "\x1b[31m\n::error::x"]
        path.write_bytes(build.one(*[TensorSpec(name, (1, 4)) for name in names]))
        result = run("header", "--tensors", "*", path)
        assert result.returncode == 0
        assert result.stdout == tq.c_header(path, tensors=["*"])
        assert result.stderr == (
            "tflite-quant: '*' matches 2 tensors without values: a, \\x1b[31m\\n:\\x3aerror::x\n"
        )


class TestSource:
    """A source has the arrays, and the header declares them."""

    PATH = "fixtures/residual_int8.tflite"

    @property
    def arguments(self) -> dict[str, Any]:
        return {"prefix": "net", "tensors": ["*predictions*"], "include_model": True}

    def texts(self, header: str = "model.h") -> tuple[str, str]:
        with tq.open(self.PATH) as model:
            text = tq.c_header(model, with_source=True, **self.arguments)
            return text, tq.c_source(model, header, **self.arguments)

    def test_each_array_is_in_one_of_them(self) -> None:
        header, source = self.texts()
        alone = tq.c_header(self.PATH, **self.arguments)
        pattern = r"const (\w+ \w+\[\d+\]) = \{\n(.*?)\};"
        assert "{" not in "".join(re.findall(r".*\bextern const.*", header))
        assert re.findall(pattern, header, re.DOTALL) == []
        arrays = re.findall(pattern, alone, re.DOTALL)
        assert re.findall(pattern, source, re.DOTALL) == arrays
        assert re.findall(r"extern const (.*);", header) == [name for name, _ in arrays]
        assert len(arrays) > 5
        others = [
            re.sub(r"^(\w+ALIGN )?(static|extern) const.*?;\n", "", text, flags=re.M | re.DOTALL)
            for text in (header, alone)
        ]
        assert others[0] == others[1]

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_two_files_share_the_arrays(self, language: str, tmp_path: Path) -> None:
        header, source = self.texts()
        end = "c" if language == "c99" else "cpp"
        (tmp_path / "model.h").write_text(header)
        (tmp_path / f"model.{end}").write_text(source)
        (tmp_path / f"other.{end}").write_text(
            '#include "model.h"\nconst unsigned char *other(void);\n'
            "const unsigned char *other(void) { return net_model_data; }\n"
        )
        (tmp_path / f"main.{end}").write_text(
            '#include "model.h"\n#include <stdio.h>\nconst unsigned char *other(void);\n'
            "int main(void) {\n"
            '  printf("%d %d\\n", other() == net_model_data, net_input_0_shape[1]);\n'
            '  printf("%d\\n", (int)((uintptr_t)other() % 16));\n'
            "  unsigned long sum = 0;\n"
            "  for (int i = 0; i < NET_MODEL_DATA_SIZE; i++)\n"
            "    sum = (sum * 31 + net_model_data[i]) % 65521;\n"
            '  printf("%lu\\n", sum);\n  return 0;\n}\n'
        )
        sources = [tmp_path / f"{name}.{end}" for name in ("main", "other", "model")]
        found = compiled(sources, tmp_path / "main.exe", language)
        total = 0
        for byte in Path(self.PATH).read_bytes():
            total = (total * 31 + byte) % 65521
        printed = subprocess.check_output([found], text=True).split()
        assert printed == ["1", "32", "0", str(total)]

    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize("with_source", [False, True])
    def test_small_arrays_are_aligned(
        self, language: str, with_source: bool, tmp_path: Path
    ) -> None:
        specs = [constant(np.arange(3, dtype=np.int8), name=f"w{index}") for index in range(8)]
        with tq.open(build.one(*specs)) as model:
            text = tq.c_header(model, prefix="n", tensors=["*"], with_source=with_source)
            source = tq.c_source(model, "model.h", prefix="n", tensors=["*"])
        names = [f"n_w{index}_data" for index in range(8)]
        lines = [f'printf("%d %d\\n", (int)((uintptr_t){name} % 16), {name}[2]);' for name in names]
        found = ran(
            tmp_path, text, lines, language, source if with_source else None,
            # AddressSanitizer aligns all arrays.
            ["-fno-sanitize=all"],
        )  # fmt: skip
        assert found == ["0 2"] * 8

    def test_c_is_linked_with_c_plus_plus(self, tmp_path: Path) -> None:
        header, source = self.texts()
        (tmp_path / "model.h").write_text(header)
        (tmp_path / "model.c").write_text(source)
        (tmp_path / "main.cpp").write_text(
            "#include \"model.h\"\nint main() { return net_model_data[4] == 'T' ? 0 : 1; }\n"
        )
        parts = []
        for name, language in (("model.c", "c99"), ("main.cpp", "c++11")):
            parts.append(tmp_path / f"{name}.o")
            compiled(tmp_path / name, parts[-1], language, ["-c"])
        found = compiled(parts, tmp_path / "main.exe", "c++11")
        assert subprocess.run([found], check=False).returncode == 0

    def test_a_header_that_c_cannot_include(self) -> None:
        for name in ('a"b.h', "a\\b.h", "a\nb.h", "a??/b.h", "\u2028.h"):
            with pytest.raises(ValueError, match="C cannot include the file"):
                tq.c_source(faults.GOOD, name)

    def test_the_command(self, tmp_path: Path) -> None:
        for folder in ("include", "src"):
            (tmp_path / folder).mkdir()
        header, source = tmp_path / "include/my net.h", tmp_path / "src/net.c"
        result = run(
            "header", self.PATH, "--prefix", "net", "--model", "--tensors", "*predictions*",
            "-o", header, "--source", source, "--depfile", tmp_path / "d",
        )  # fmt: skip
        assert (result.returncode, result.stdout) == (0, "")
        texts = self.texts("../include/my net.h")
        assert (header.read_text(), source.read_text()) == texts
        left, right = (tmp_path / "d").read_text().rsplit(": ", 1)
        assert left == f"{header} {source}".replace("my net", "my\\ net")
        assert right == f"{self.PATH}\n"

    @pytest.mark.parametrize(
        ("arguments", "why"),
        [
            (["--source", "s.c"], "--source needs --output with a file"),
            (["-o", "-", "--source", "s.c"], "--source needs --output with a file"),
            (["-o", "./s.c", "--source", "s.c"], "need a file each"),
            (["-o", "h.h", "--source", "d", "--depfile", "d"], "need a file each"),
            (["-o", 'a"b.h', "--source", "s.c"], "C cannot include the file"),
        ],
    )
    def test_what_is_refused(self, arguments: list[str], why: str) -> None:
        result = run("header", self.PATH, *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert why in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert not any(Path(name).exists() for name in ("s.c", "h.h", "d"))


class TestCommand:
    def test_it_prints(self) -> None:
        result = run("header", "fixtures/residual_int8.tflite", "--prefix", "net")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == tq.c_header("fixtures/residual_int8.tflite", prefix="net")
        assert run("header", "fixtures/residual_int8.tflite", "-o", "-").stdout == tq.c_header(
            "fixtures/residual_int8.tflite"
        )

    def test_it_writes_what_has_changed(self, tmp_path: Path) -> None:
        path = tmp_path / "my model.h"
        depends = tmp_path / "my model.d"
        command: tuple[Any, ...] = ("header", "fixtures/residual_int8.tflite", "-o", path)
        assert run(*command, "--depfile", depends).returncode == 0
        before = path.stat()
        os.utime(path, ns=(1, 1))
        assert run(*command).returncode == 0
        assert path.stat().st_mtime_ns == 1
        assert run(*command, "--model").returncode == 0
        assert path.stat().st_size > before.st_size
        escaped = str(path).replace(" ", "\\ ")
        assert depends.read_text() == f"{escaped}: fixtures/residual_int8.tflite\n"
        assert sorted(tmp_path.iterdir()) == [depends, path]

    def test_what_cannot_be_written(self, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        result = run("header", "fixtures/residual_int8.tflite", "-o", folder)
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
        assert run("header", "fixtures/residual_int8.tflite", "--depfile", "d").returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="the command is a shell script")
def test_in_cmake(tmp_path: Path) -> None:
    """The snippet of the page works: the header is made, and made again when the model changes."""
    cmake = shutil.which("cmake")
    if cmake is None or shutil.which("cc") is None:
        pytest.skip("there is no cmake, or no compiler")
    snippet = (ROOT / "docs/firmware.md").read_text().split("```cmake\n")[1].split("```")[0]
    model = tmp_path / "network.tflite"
    shutil.copy(ROOT / "fixtures/residual_int8.tflite", model)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.5...3.30)\nproject(firmware C)\n"
        f"set(MODEL {model.as_posix()})\n{snippet}"
    )
    (tmp_path / "main.c").write_text(
        '#include "network.h"\nint main(void) { return NETWORK_IMAGE_RANK; }\n'
    )
    # The command as it is here, not as it may be installed.
    command = tmp_path / "bin" / "tflite-quant"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tflite_quant "$@"\n')
    command.chmod(0o755)
    path = str(command.parent) + os.pathsep + os.environ["PATH"]
    environment = os.environ | {"PATH": path, "PYTHONPATH": python_path(ROOT)}
    build_folder = tmp_path / "build"
    for step in (
        [cmake, "-S", str(tmp_path), "-B", str(build_folder)],
        [cmake, "--build", str(build_folder)],
    ):
        subprocess.run(step, check=True, capture_output=True, env=environment)
    assert (build_folder / "network.h").read_text().startswith("/* Generated by tflite-quant")
    found = next(
        p for p in build_folder.rglob("firmware*") if p.suffix in ("", ".exe") and p.is_file()
    )
    assert subprocess.run([found], check=False).returncode == 4


def test_no_name_ends_a_comment() -> None:
    """Every text of up to five of the characters that mean something to a C compiler."""
    harmless = re.compile(r"[A-Za-z0-9_.~ ,:;()\[\]=+'%-]*")
    names = ("".join(some) for n in range(6) for some in itertools.product("/*?\\\na", repeat=n))
    for name in names:
        assert harmless.fullmatch(comment(name)), name
        assert re.fullmatch(r"(a+(_a+)*)?", identifier(name)), name
        assert re.fullmatch(r"(a|\\[0-7]{3})*", for_c_string(name)), name


_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*(?:[eEpP][+-]\w+)?|\"[^\"\n]*\"|\S")


def tokens_of_all(names: list[str], folder: Path, language: str) -> list[str]:
    """Give what the compiler sees of a header with these names.

    They are those of tensors, of what a signature calls these, of signatures, of custom operators
    and of subgraphs. Each identifier is given as 'i', each string as 's'.
    """
    some = names[-200:]
    tensors = [TensorSpec(name, (1,)) for name in names[:-200]]
    tensors += [
        TensorSpec(name, (1,), scale=0.5, zero_point=index % 9) for index, name in enumerate(some)
    ]
    weights = [
        constant(np.array([index % 9], np.int8), 0.5, 0, name=name)
        for index, name in enumerate(some)
    ]
    steps = [OperatorSpec(tflite.BuiltinOperator.CUSTOM, [0], [0], custom=name) for name in some]
    graph = SubgraphSpec([*tensors, *weights], list(range(len(names))), [0], steps, names[-1])
    signatures = [
        SignatureSpec(names[-3], {name: index for index, name in enumerate(names)}, {}),
        *(SignatureSpec(name, {name: 0}, {}, 1) for name in some),
    ]
    other = SubgraphSpec(tensors[:1], [0], [])
    model = build.model(graph, other, description=names[-2], signatures=signatures)
    text = tq.c_header(model, prefix="p", tensors=["*"])
    (folder / "all.h").write_text(text)
    source = folder / ("all.c" if language == "c99" else "all.cpp")
    source.write_text('#include "all.h"\nint main(void) { return 0; }\n')
    compiled(source, folder / f"all_{language}.exe", language, ["-fsyntax-only"])
    # What the system's own headers declare is left out.
    (folder / "own.h").write_text(text.replace("#include", "// #include"))
    return [
        "i" if token[0].isalpha() or token[0] == "_" else "s" if token[0] == '"' else token
        for token in _TOKEN.findall(tokens(folder / "own.h", language))
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_becomes_code(language: str, tmp_path: Path) -> None:
    """Headers with every text of up to four such characters have the tokens of harmless ones."""
    several = (itertools.product('/*?\\\n"a', repeat=n) for n in range(5))
    hostile = ["".join(some) for product in several for some in product]
    # What is left of them in C is the same.
    others = str.maketrans('/*?\\\n"', ".,;()+")
    harmless = [name.translate(others) for name in hostile]
    found = tokens_of_all(hostile, tmp_path, language)
    assert found == tokens_of_all(harmless, tmp_path, language)
    assert len(found) > 20 * len(hostile)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_ends_a_string(language: str, tmp_path: Path) -> None:
    """The compiler reads each back as it is, whatever follows."""
    names = ["".join(some) for n in range(4) for some in itertools.product('"\\?/\n0x', repeat=n)]
    names += ["größe", "\x00a", "%s", "\u2028", "\x7f"]
    strings = ", ".join(f'"{for_c_string(name)}"' for name in names)
    source = tmp_path / ("strings.c" if language == "c99" else "strings.cpp")
    source.write_text(
        f"#include <stdio.h>\nstatic const char *const strings[] = {{{strings}}};\n"
        "int main(void) {\n"
        f"  for (int i = 0; i < {len(names)}; i++) {{\n"
        '    for (const char *c = strings[i]; *c; c++) printf("%02x", (unsigned char)*c);\n'
        '    printf("\\n");\n  }\n  return 0;\n}\n'
    )
    found = compiled(source, tmp_path / "strings.exe", language)
    printed = subprocess.check_output([found], text=True).splitlines()
    assert printed == [name.encode().split(b"\0")[0].hex() for name in names]


@pytest.mark.parametrize("name", ["/*/", "*/ int x; /*", "??/", "a\\", "//\nint y;"])
def test_comments_of_a_header_are_harmless(name: str) -> None:
    text = tq.c_header(build.model(SubgraphSpec([TensorSpec(name, (1,))], [0], [0])), prefix="p")
    comments = re.findall(r"/\*(.*?)\*/", text, re.S)
    assert len(comments) == text.count("/*") == text.count("*/")
    assert not {"int x;", "int y;"} & set(text.splitlines())
