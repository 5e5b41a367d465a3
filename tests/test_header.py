"""C headers: compiled as C99 and as C++11, run, and held against Python's numbers."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build, faults
from tests.build import SubgraphSpec, TensorSpec, constant
from tests.compiler import compiled
from tests.test_cli import python_path, run
from tflite_quant.firmware import c_header as module
from tflite_quant.firmware.c_header import write_if_changed

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


def ran(folder: Path, text: str, lines: list[str], language: str) -> list[str]:
    """Compile a program with a header and give the lines that it prints."""
    (folder / "model.h").write_text(text)
    source = folder / ("main.c" if language == "c99" else "main.cpp")
    source.write_text(program("model.h", lines))
    found = compiled(source, folder / f"main_{language}.exe", language)
    return subprocess.check_output([found], text=True).splitlines()


def ends(model: tq.Model) -> Iterator[tq.Tensor]:
    yield from dict.fromkeys((*model.inputs, *model.outputs))


def bases(text: str) -> list[str]:
    """Give the names of the inputs and outputs, in order."""
    return re.findall(r"#define (\w+)_RANK ", text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_fixture(path: Path, language: str, tmp_path: Path) -> None:
    with tq.open(path) as model:
        patterns = ["*"] if any(tensor.is_constant for tensor in model.tensors) else []
        text = tq.c_header(model, tensors=patterns)
        names = bases(text)
        tensors = list(ends(model))
        assert len(names) == len(tensors)
        lines, expected = [], []
        for name, tensor in zip(names, tensors, strict=True):
            lines.append(f'printf("%d %d\\n", {name}_RANK, (int){name}_COUNT);')
            expected.append(f"{len(tensor.shape)} {int(np.prod(tensor.shape))}")
            for axis, size in enumerate(tensor.shape):
                lines.append(f'printf("%d\\n", (int){name.lower()}_shape[{axis}]);')
                expected.append(str(size))
            if tensor.nbytes is not None:
                lines.append(f'printf("%d\\n", (int){name}_BYTES);')
                expected.append(str(tensor.nbytes))
            if f"{name}_SCALE " in text:
                more, wanted = calls(name, tensor)
                lines += more
                expected += wanted
    assert ran(tmp_path, text, lines, language) == expected


def calls(name: str, tensor: tq.Tensor) -> tuple[list[str], list[str]]:
    """Give calls of an end's functions, and what they must print."""
    scheme = tensor.quantization
    assert isinstance(scheme, tq.PerTensor)
    lines = [f'printf("%.9g %d\\n", (double){name}_SCALE, (int){name}_ZERO_POINT);']
    expected = [f"{scheme.scale:.9g} {scheme.zero_point}"]
    low = name.lower()
    wanted = tq.quantize(REALS, scheme.scale, scheme.zero_point, dtype=tensor.dtype)
    for value, q in zip(REALS.tolist(), wanted.tolist(), strict=True):
        lines.append(f'printf("%d\\n", (int){low}_quantize(real("{value!r}")));')
        expected.append(str(q))
    for q in (-7, 0, 100):
        real = tq.dequantize(np.array(q % 128, tensor.dtype), scheme.scale, scheme.zero_point)
        lines.append(f'printf("%.9g\\n", (double){low}_dequantize({q % 128}));')
        expected.append(f"{float(real):.9g}")
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
    specs = [TensorSpec(name, (1, 4), scale=0.5, zero_point=3) for name in HOSTILE]
    specs += [constant(np.arange(3, dtype=np.int8), 0.5, 0, name=f"{n} w") for n in HOSTILE[:6]]
    content = build.model(SubgraphSpec(specs, list(range(len(HOSTILE))), []))
    text = tq.c_header(content, prefix="*/ static int", tensors=["*"])
    assert text.isascii()
    names = bases(text)
    assert len({name.lower() for name in names}) == len(HOSTILE)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", name) for name in names)
    assert max(map(len, names)) < 63
    lines = [f'printf("%d\\n", {name.lower()}_quantize(1.0f));' for name in names]
    assert ran(tmp_path, text, lines, language) == ["5"] * len(HOSTILE)


def test_a_name_that_collides_twice() -> None:
    """The index alone does not make the last tensor's name unique: others are called like that."""
    names = ["x_3", "x_3_3", "x", "x"]
    specs = [TensorSpec(name, (1, 4), scale=0.5, zero_point=3) for name in names]
    text = tq.c_header(build.model(SubgraphSpec(specs, [0, 1, 2, 3], [])), prefix="n")
    assert bases(text) == ["N_X_3", "N_X_3_3", "N_X", "N_X_3_3_3"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("net", "net"), ("A--b/", "a_b"), ("9a", "m9a"), ("a9", "a9"), ("ß", "model"), ("", "model")],
)
def test_prefixes(prefix: str, expected: str) -> None:
    lines = tq.c_header(faults.GOOD, prefix=prefix).splitlines()
    assert f"#define {expected.upper()}_H_INCLUDED" in lines
    assert f"#define {expected.upper()}_X_RANK 2" in lines


def test_the_prefix_is_the_name_of_the_file(tmp_path: Path) -> None:
    assert bases(tq.c_header(faults.GOOD)) == ["MODEL_X", "MODEL_Y"]
    path = tmp_path / "My.net.tflite"
    path.write_bytes(faults.GOOD)
    assert bases(tq.c_header(path)) == ["MY_NET_X", "MY_NET_Y"]


def test_long_names() -> None:
    """A name in C has 40 characters of the tensor's, a comment 80; what is cut off shows."""
    names = ["a" * 40, "b" * 41, "c" * 39 + "_d", "e" * 80, "f" * 81]
    specs = [TensorSpec(name, (1, 4)) for name in names]
    text = tq.c_header(build.model(SubgraphSpec(specs, [0, 1, 2, 3, 4], [])), prefix="n")
    shorts = ["a" * 40, "b" * 40 + "_1", "c" * 39 + "_2", "e" * 40 + "_3", "f" * 40 + "_4"]
    assert bases(text) == [f"N_{short.upper()}" for short in shorts]
    comments = re.findall(r"/\* Input \d: (.*), INT8 \*/", text)
    assert comments == [*names[:4], "f" * 77 + "..."]


def test_a_tensor_that_is_both_input_and_output() -> None:
    content = build.model(SubgraphSpec([TensorSpec("x", (1, 4)), TensorSpec("y")], [0, 0], [1, 0]))
    text = tq.c_header(content, prefix="n")
    assert bases(text) == ["N_X", "N_Y"]
    ends = re.findall(r"/\* (.*), INT8 \*/", text)
    assert ends == ["Input 0: x", "Output 0: y", "Output 1: x"]


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


def test_a_scalar_and_strings() -> None:
    specs = [TensorSpec("scalar", ()), TensorSpec("text", (2,), tflite.TensorType.STRING)]
    text = tq.c_header(build.model(SubgraphSpec(specs, [0, 1], [])), prefix="n")
    defined = re.findall(r"#define (N_.*)", text)
    assert defined[1:4] == ["N_SCALAR_RANK 0", "N_SCALAR_COUNT 1", "N_SCALAR_BYTES 1"]
    assert defined[4:] == ["N_TEXT_RANK 1", "N_TEXT_COUNT 2"]
    assert re.findall(r"\w+_shape\b.*", text) == ["n_text_shape[1] = {2};"]


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
    """A tensor called as the file is, one without values, NaN for a value."""
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
        'printf("%d\\n", n_x_quantize(real("nan")));',
    ]
    assert ran(tmp_path, text, lines, language) == ["3 0", "TFL3", "3"]


class TestWhatIsRefused:
    def test_a_pattern_that_matches_nothing(self) -> None:
        with pytest.raises(tq.UnsupportedError, match=r"no constant tensor has a name like 'z\*'"):
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

    def test_what_cannot_be_quantized_has_no_functions(self) -> None:
        content = faults.dense(
            x=replace(faults.X, zero_point=1 << 40), y=replace(faults.Y, scale=0)
        )
        text = tq.c_header(content, tensors=["w"])
        assert "_quantize" not in text
        assert "1099511627776LL" in text
        why = "tensor 3 'y' has scale 0.0; it must be positive and finite"
        assert f"/* operator 0 FULLY_CONNECTED: {why} */" in text


class TestCommand:
    def test_it_prints(self) -> None:
        result = run("header", "fixtures/residual_int8.tflite", "--prefix", "net")
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout == tq.c_header("fixtures/residual_int8.tflite", prefix="net")

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

    def test_nothing_is_left_beside_what_cannot_be_replaced(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="none"):
            write_if_changed(str(tmp_path / "none" / "h.h"), "text")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links and devices are those of Unix")
class TestWhereItIsWritten:
    def test_a_link_stays_and_what_it_leads_to_is_replaced(self, tmp_path: Path) -> None:
        target, link = tmp_path / "target.h", tmp_path / "link.h"
        target.write_text("old")
        target.chmod(0o640)
        link.symlink_to(target)
        assert write_if_changed(str(link), "new")
        assert (link.is_symlink(), target.read_text()) == (True, "new")
        assert target.stat().st_mode & 0o777 == 0o640

    def test_a_new_file_has_the_mode_of_the_mask(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            write_if_changed(str(tmp_path / "h.h"), "new")
        finally:
            os.umask(before)
        assert (tmp_path / "h.h").stat().st_mode & 0o777 == 0o640

    def test_a_device_is_written_to(self) -> None:
        assert write_if_changed(os.devnull, "text")
        assert not Path(os.devnull).is_file()

    def test_a_pipe_is_written_to(self, tmp_path: Path) -> None:
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
        assert write_if_changed(str(pipe), "text")
        assert reader.communicate()[0] == "text"
        assert pipe.is_fifo()

    def test_standard_output(self) -> None:
        model = "fixtures/residual_int8.tflite"
        assert run("header", model, "-o", "-").stdout == run("header", model).stdout


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a b", r"a\ b"),
        ("a\\ b", r"a\\\ b"),
        ("a\tb#c%d:e", "a\\\tb\\#c\\%d\\:e"),
        ("$x", "$$x"),
        ("C:\\x", "C:\\x"),
        ("end\\", "end\\\\"),
    ],
)
def test_paths_in_a_rule_of_make(path: str, expected: str) -> None:
    assert module.depfile(path, "m") == f"{expected}: m\n"


def test_a_rule_of_make_cannot_be_added() -> None:
    with pytest.raises(ValueError, match="cannot name the file"):
        module.depfile("a\nall: ; echo x", "m")
    result = run("header", "fixtures/residual_int8.tflite", "-o", "x\ny.h", "--depfile", "d")
    assert (result.returncode, result.stdout) == (2, "")
    assert not Path("x\ny.h").exists()


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
        '#include "network.h"\nint main(void) { return NETWORK_SERVING_DEFAULT_IMAGE_0_RANK; }\n'
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
        assert harmless.fullmatch(module._comment(name)), name


_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*(?:[eEpP][+-]\w+)?|\"[^\"\n]*\"|\S")


def tokens_of_all(names: list[str], folder: Path, language: str) -> list[str]:
    """Give what the compiler sees of a header with these names, each identifier as 'i'."""
    tensors = [
        TensorSpec(name, (1,), scale=0.5, zero_point=index % 9) for index, name in enumerate(names)
    ]
    weights = [
        constant(np.array([index % 9], np.int8), 0.5, 0, name=name)
        for index, name in enumerate(names[-200:])
    ]
    graph = SubgraphSpec([*tensors, *weights], list(range(len(names))), [0], name=names[-1])
    model = build.model(graph, description=names[-2])
    (folder / "all.h").write_text(tq.c_header(model, prefix="p", tensors=["*"]))
    source = folder / ("all.c" if language[:2] == "c9" else "all.cpp")
    source.write_text('#include "all.h"\nint main(void) { return 0; }\n')
    compiled(source, folder / f"all_{language}.exe", language)
    command = [shutil.which("cc") or "cc", "-E", "-P", "-x", "c", str(folder / "all.h")]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # What the system's own headers declare comes first.
    own = text[text.index("p_") :]
    return [
        "i" if token[0].isalpha() or token[0] == "_" else token for token in _TOKEN.findall(own)
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_becomes_code(language: str, tmp_path: Path) -> None:
    """Headers with every text of up to four such characters have the tokens of harmless ones."""
    several = (itertools.product("/*?\\\na", repeat=n) for n in range(5))
    hostile = ["".join(some) for product in several for some in product]
    harmless = [f"n{index}" for index in range(len(hostile))]
    found = tokens_of_all(hostile, tmp_path, language)
    assert found == tokens_of_all(harmless, tmp_path, language)
    assert len(found) > 20 * len(hostile)


@pytest.mark.parametrize("name", ["/*/", "*/ int x; /*", "??/", "a\\", "//\nint y;"])
def test_comments_of_a_header_are_harmless(name: str) -> None:
    text = tq.c_header(build.model(SubgraphSpec([TensorSpec(name, (1,))], [0], [0])), prefix="p")
    comments = re.findall(r"/\*(.*?)\*/", text, re.S)
    assert len(comments) == text.count("/*") == text.count("*/")
    assert not {"int x;", "int y;"} & set(text.splitlines())
