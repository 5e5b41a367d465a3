"""The operators that a model registers: those that TensorFlow Lite Micro needs, by its names."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest
import tflite

import tflite_quant as tq
from conftest import ROOT
from tests import build, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.compiler import compiled, complaints
from tflite_quant.firmware.resolver import CUSTOM_METHODS, KERNELS, method_of, registrations
from tflite_quant.format.schema import BuiltinOperator

MISSING = BuiltinOperator["DENSIFY"]
"""An operator that TensorFlow Lite Micro does not have."""


def graph(*operators: tuple[int, str | None]) -> SubgraphSpec:
    """Give a subgraph with these operators, one after the other."""
    tensors = [
        TensorSpec(f"t{i}", (1,), scale=0.1, zero_point=0) for i in range(len(operators) + 1)
    ]
    steps = [OperatorSpec(code, [i], [i + 1], name) for i, (code, name) in enumerate(operators)]
    return SubgraphSpec(tensors, [0], [len(operators)], steps)


def is_found(answer: tflm.Answer) -> bool:
    """Tell whether TFLM found the operators; what it says of their inputs does not matter."""
    return "Failed to get registration" not in answer.refusal


class TestTheTable:
    """Which operators there are, and what their methods are called."""

    def test_builtin_operators_are_those_that_tflm_has(self) -> None:
        codes = [code for code in BuiltinOperator if code.name != "CUSTOM"]
        answers = tflm.answers([tflm.Job(build.model(graph((code, None)))) for code in codes])
        found = {code.name for code, one in zip(codes, answers, strict=True) if is_found(one)}
        assert found == KERNELS

    def test_custom_operators_are_those_that_tflm_has(self) -> None:
        names = [*CUSTOM_METHODS, *CUSTOM_METHODS.values(), "Normalize"]
        # TFLM refuses the second operator, if not the first, before it prepares any.
        models = [
            build.model(graph((BuiltinOperator["CUSTOM"], n), (MISSING, None))) for n in names
        ]
        answers = tflm.answers([tflm.Job(model) for model in models])
        assert not any(map(is_found, answers))
        pairs = zip(names, answers, strict=True)
        found = {name for name, one in pairs if "op code DENSIFY" in one.refusal}
        # Its kernel is only in builds for that processor.
        assert found == CUSTOM_METHODS.keys() - {"ethos-u"}

    def test_methods_have_the_letters_of_the_operators(self) -> None:
        for name in KERNELS:
            assert method_of(name).lower() == f"add{name.replace('_', '').lower()}"

    def test_methods_are_those_of_the_header(self, request: pytest.FixtureRequest) -> None:
        """With `--tflm DIR`, a copy of the repository tensorflow/tflite-micro."""
        folder = request.config.getoption("tflm")
        if folder is None:
            pytest.skip("--tflm says where the sources are")
        path = folder / "tensorflow/lite/micro/micro_mutable_op_resolver.h"
        text = path.read_text(encoding="utf-8")
        methods = re.findall(r"TfLiteStatus (Add\w+)\((.*?)\n  }", text, re.DOTALL)
        builtin, custom = {}, {}
        for method, body in methods:
            if code := re.search(r"AddBuiltin\(\s*BuiltinOperator_(\w+)", body):
                builtin[code[1]] = method
            elif name := re.search(r"AddCustom\(\s*(?:\"(\S+)\"|tflite::GetString_ETHOSU)", body):
                custom[name[1] or "ethos-u"] = method
        assert builtin == {name: method_of(name) for name in KERNELS}
        assert custom == CUSTOM_METHODS


class TestTheList:
    """It has what TFLM asks its resolver for when it prepares a model, and nothing else."""

    def test_of_every_model(self, model_paths: list[Path]) -> None:
        """Of each code of a model, and an operator that TFLM does not have in its place."""
        originals = tflm.answers([tflm.Job(path.read_bytes()) for path in model_paths])
        jobs, expected = [], []
        for path, original in zip(model_paths, originals, strict=True):
            if original.was_prepared:
                content = path.read_bytes()
                model = tq.open(content)
                listed = {one.operator for one in registrations(model)}
                for index, code in enumerate(model.structure.codes):
                    jobs.append(tflm.Job(without_operator(content, index)))
                    expected.append((code.custom_name or code.code.name) in listed)
        answers = tflm.answers(jobs)
        assert [not is_found(answer) for answer in answers] == expected
        assert sum(expected) > 40

    def test_operators_of_all_subgraphs_and_codes_that_none_has(self) -> None:
        relu, tanh, unused = (int(BuiltinOperator[name]) for name in ("RELU", "TANH", "ABS"))

        def codes(b: build.Builder) -> int:
            tables = [
                build.table(b, "OperatorCode", deprecated_builtin_code=code, builtin_code=code)
                for code in (relu, tanh, unused)
            ]
            return build.references(b, tables)

        graphs = [graph((relu, None), (relu, None)), graph((tanh, None))]
        content = build.model(*graphs, fields={"operator_codes": codes})
        assert [one.method for one in registrations(tq.open(content))] == ["AddRelu", "AddTanh"]
        answers = tflm.answers([tflm.Job(without_operator(content, index)) for index in range(3)])
        assert [not is_found(answer) for answer in answers] == [True, True, False]

    def test_custom_ones_are_sorted_by_name(self) -> None:
        names = ["b", "SignalWindow", "a", "b"]
        custom = int(BuiltinOperator["CUSTOM"])
        found = registrations(tq.open(build.model(graph(*[(custom, name) for name in names]))))
        assert [tuple(one) for one in found] == [
            ("a", "AddCustom", False), ("b", "AddCustom", False),
            ("SignalWindow", "AddWindow", True),
        ]  # fmt: skip


def without_operator(content: bytes, index: int) -> bytes:
    """Give a model with an operator that TFLM does not have in the place of a code's.

    The new table is at the end of the file: version 1, and the field for numbers above 127.
    """
    codes = tflite.Model.GetRootAs(content, 0)._tab
    slot = codes.Vector(codes.Offset(6)) + 4 * index
    start = len(content) + -len(content) % 4
    table = struct.pack("<HHHHHH", 12, 12, 4, 0, 0, 8) + struct.pack("<ibxxxi", 12, 124, MISSING)
    changed = bytearray(content.ljust(start, b"\0") + table)
    struct.pack_into("<I", changed, slot, start + 12 - slot)
    return bytes(changed)


STAND_IN = """\
#include <stdio.h>
#include <string.h>
namespace tflite {
enum Status { kOk, kError };
struct Registration { int number; };
template <unsigned int Count> struct MicroMutableOpResolver {
  unsigned int size = 0;
  Status add(const char *what) {
    if (size == Count) return kError;
    size++;
    printf("%s\\n", what);
    return kOk;
  }
  Status AddCustom(const char *name, const Registration *one) {
    printf("%d ", one->number);
    return add(name);
  }
METHODS
};
}
"""
"""What TFLM's class looks like to those who call it: no method that its header does not have."""


def resolver_class() -> str:
    """Give the class in C++."""
    methods = [*map(method_of, sorted(KERNELS)), *CUSTOM_METHODS.values()]
    declared = "\n".join(f'  Status {name}() {{ return add("{name}"); }}' for name in methods)
    return STAND_IN.replace("METHODS", declared)


def program(header: str, before: str = "", resolver: str = "NET_OPERATOR_COUNT") -> str:
    """Give a program that registers a model's operators, and prints them."""
    return (
        f'{resolver_class()}{before}\n#include "{header}"\n'
        f"int main() {{\n  tflite::MicroMutableOpResolver<{resolver}> resolver;\n"
        "  bool added = NET_ADD_OPERATORS(resolver);\n"
        '  printf("%d %u\\n", added, resolver.size);\n  NET_ADD_OPERATORS(resolver);\n'
        "  return 0;\n}\n"
    )


class TestTheFunction:
    def ran(self, folder: Path, content: bytes, *arguments: str) -> list[str]:
        (folder / "net.h").write_text(tq.c_header(content, prefix="net"))
        (folder / "main.cpp").write_text(program("net.h", *arguments))
        found = compiled(folder / "main.cpp", folder / "main.exe", "c++11")
        return subprocess.check_output([found], text=True).splitlines()

    @pytest.mark.parametrize("name", ["residual_int8", "mixed", "signatures", "control_flow"])
    def test_each_method_is_called_once(self, name: str, tmp_path: Path) -> None:
        content = (ROOT / f"fixtures/{name}.tflite").read_bytes()
        printed = self.ran(tmp_path, content)
        methods = printed[: next(i for i, line in enumerate(printed) if line[0] == "1")]
        found = {method_of(op.code.name) for g in tq.open(content).subgraphs for op in g.operators}
        assert methods == sorted(found)
        # The resolver is full: adding them again fails with the first.
        assert printed[len(methods) :] == [f"1 {len(methods)}"]

    def test_a_resolver_that_is_too_small(self, tmp_path: Path) -> None:
        content = (ROOT / "fixtures/residual_int8.tflite").read_bytes()
        printed = self.ran(tmp_path, content, "", "NET_OPERATOR_COUNT - 1")
        assert printed[-1] == f"0 {len(printed) - 1}"

    def test_no_operators(self, tmp_path: Path) -> None:
        content = build.model(SubgraphSpec([TensorSpec("t")], [0], [0]))
        assert self.ran(tmp_path, content, "", "1") == ["1 0"]

    def test_custom_operators(self, tmp_path: Path) -> None:
        """Those of TFLM have methods; for others, a macro has the registration."""
        names = ['My "op"', "SignalWindow", "My.op", "ethos-u"]
        content = build.model(graph(*[(int(BuiltinOperator["CUSTOM"]), name) for name in names]))
        hooks = (
            "static const tflite::Registration one = {1}, other = {2};\n"
            "#define NET_MY_OP_REGISTRATION &one\n#define NET_MY_OP_1_REGISTRATION &other"
        )
        printed = self.ran(tmp_path, content, hooks)
        assert printed[:5] == ['1 My "op"', "2 My.op", "AddEthosU", "AddWindow", "1 4"]

    def test_without_a_registration_the_error_names_it(self, tmp_path: Path) -> None:
        content = build.model(graph((int(BuiltinOperator["CUSTOM"]), "Mine")))
        text = tq.c_header(content, prefix="net")
        assert "/* NET_MINE_REGISTRATION: to be defined as the registration of Mine */" in text
        self.fails(tmp_path, content, "NET_MINE_REGISTRATION")

    def test_an_operator_that_tflm_does_not_have(self, tmp_path: Path) -> None:
        """The error names its method, which a newer TFLM may have."""
        content = build.model(graph((MISSING, None)))
        text = tq.c_header(content, prefix="net")
        assert "/* TensorFlow Lite Micro is not known to have DENSIFY. */" in text
        self.fails(tmp_path, content, "AddDensify")

    def test_an_operator_that_is_newer_than_the_library(self, tmp_path: Path) -> None:
        content = build.model(graph((999, None)))
        self.fails(tmp_path, content, "AddBuiltinoperator999")

    def fails(self, folder: Path, content: bytes, why: str) -> None:
        """Only what asks for the operators does not compile."""
        (folder / "net.h").write_text(tq.c_header(content, prefix="net"))
        main = folder / "main.cpp"
        main.write_text('#include "net.h"\nint main() { return NET_INPUT_0_RANK; }\n')
        compiled(main, folder / "main.exe", "c++11")
        main.write_text(program("net.h"))
        assert why in complaints(main, "c++11")
