"""The core, which reads and dequantizes, stands alone: every other room could be deleted."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tflite_quant as tq
from conftest import ROOT
from tests.test_cli import python_path

PACKAGE = Path(tq.__file__).parent
CORE = ("__init__.py", "errors.py", "format", "arithmetic", "model", "py.typed")

MAY_IMPORT = {
    "format": {"errors", "format"},
    "arithmetic": {"errors", "arithmetic"},
    "model": {"errors", "format", "arithmetic", "model"},
}
"""The rooms that each room of the core may import from, itself among them."""

FROM_ABOVE = {
    ("model/model.py", "Model.summary", "summary.summary"),
    ("model/model.py", "Model.get_tensor_details", "litert.tensor_details"),
    ("model/model.py", "Model.to_records", "summary"),
    ("model/model.py", "Model._repr_html_", "summary.html"),
    ("model/tensor.py", "Tensor._repr_html_", "summary.html"),
    ("model/tensor.py", "Tensor.plot", "pictures.tensors"),
}
"""Methods that show what stands above them, and import it when they are called."""

USE = """
import sys
import numpy as np
import tflite_quant as tq

with tq.open(sys.argv[1]) as model:
    stem = model.operators[0]
    image, kernel, bias = stem.inputs
    print(tq.__file__)
    print(stem.name, stem.options_name, sorted(stem.options))
    print(kernel.type.name, kernel.shape, kernel.data.dtype, kernel.data.shape)
    q = kernel.quantization
    print(q.scheme, q.axis, q.scales.shape)
    expected = kernel.data.astype(np.float32) * q.scales.reshape(-1, 1, 1, 1)
    print(np.array_equal(kernel.dequantize(), expected), kernel.dequantize().any())
    print(all(t.data.shape == t.shape for t in model.tensors if t.is_constant))
    print([(s.key, list(s.inputs), list(s.outputs)) for s in model.signatures])
    print(tq.quantize(tq.dequantize(np.int8([-128, 5]), 0.5, 3), 0.5, 3).tolist())
    for above in (model.summary, model.get_tensor_details, lambda: tq.check):
        try:
            above()
        except ModuleNotFoundError as error:
            print(error)
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("tflite_quant.")}
print(sorted(rooms))
"""


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Give a folder in which the package is, without the rooms that are not the core."""
    package = tmp_path / "tflite_quant"
    package.mkdir()
    for name in CORE:
        if (PACKAGE / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PACKAGE / name, package / name, ignore=ignored)
        else:
            shutil.copy(PACKAGE / name, package / name)
    return tmp_path


def run(code: str, folder: Path, *arguments: str) -> list[str]:
    """Run code in a child that finds the package in a folder; give the lines that it prints."""
    # Coverage would count the copied files as further ones, and not find them later.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=kept | {"PYTHONPATH": python_path(folder)},
    )
    assert child.returncode == 0, child.stderr
    return child.stdout.splitlines()


def test_a_model_is_read_and_dequantized_without_the_other_rooms(alone: Path) -> None:
    found = run(USE, alone, str(ROOT / "fixtures/residual_int8.tflite"))
    # Not the installed package, which has all rooms.
    assert Path(found[0]).resolve() == (alone / "tflite_quant/__init__.py").resolve()
    with tq.open(ROOT / "fixtures/residual_int8.tflite") as model:
        stem = model.operators[0]
        kernel = stem.inputs[1]
        assert kernel is not None
        signatures = [(s.key, list(s.inputs), list(s.outputs)) for s in model.signatures]
        assert found[1:] == [
            f"CONV_2D Conv2DOptions {sorted(stem.options)}",
            f"INT8 {kernel.shape} int8 {kernel.shape}",
            f"per-axis 0 {kernel.quantization.scales.shape}",  # type: ignore[union-attr]
            "True True",
            "True",
            str(signatures),
            "[-128, 5]",
            "No module named 'tflite_quant.summary'",
            "No module named 'tflite_quant.litert'",
            "No module named 'tflite_quant.checks'",
            "['arithmetic', 'errors', 'format', 'model']",
        ]
    assert signatures


def test_every_module_of_the_core_can_be_imported_alone(alone: Path) -> None:
    paths = sorted((alone / "tflite_quant").rglob("*.py"))
    parts = [path.relative_to(alone).with_suffix("").parts for path in paths]
    modules = [".".join(part for part in each if part != "__init__") for each in parts]
    assert len(modules) > 20
    code = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name))"
    found = run(code, alone, *modules)
    assert len(found) == len(modules)
    assert all(str(alone) in line for line in found)


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Give where something is imported, and what: of this package without its name.

    What only a type checker imports is left out.
    """

    def walk(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                for statement in node.orelse:
                    yield from walk(statement, scope)
                return
            case ast.ClassDef() | ast.FunctionDef():
                scope = (*scope, node.name)
            case ast.Import():
                for alias in node.names:
                    yield ".".join(scope), alias.name
            case ast.ImportFrom():
                yield from ((".".join(scope), name) for name in named(node))
        for child in ast.iter_child_nodes(node):
            yield from walk(child, scope)

    def named(node: ast.ImportFrom) -> list[str]:
        room = path.relative_to(PACKAGE).parts[:-1]
        above = [] if not node.level else list(room)[: len(room) - (node.level - 1)]
        start = [*above, node.module] if node.module else above
        # `from . import schema` names modules, `from .schema import layout_of` what is in one.
        each = [[*start, alias.name] for alias in node.names] if not node.module else [start]
        prefix = "tflite_quant." if node.level else ""
        return [prefix + ".".join(part for part in parts if part) for parts in each]

    yield from walk(ast.parse(path.read_text("utf-8")), ())


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_the_source_of_the_core_names_no_other_room(room: str) -> None:
    found, above = 0, set()
    for path in sorted((PACKAGE / room).rglob("*.py")):
        for scope, name in imports(path):
            found += 1
            package, _, module = name.partition(".")
            if package != "tflite_quant":
                assert package in {*sys.stdlib_module_names, "numpy", "tflite"}, (path, name)
                assert package != "importlib", path  # or names in strings would be imported
            elif module.partition(".")[0] not in MAY_IMPORT[room]:
                above.add((path.relative_to(PACKAGE).as_posix(), scope, module))
    assert found > 5
    assert above == (FROM_ABOVE if room == "model" else set())


SOME_IMPORTS = """
import os, tflite_quant.litert.lite
from .. import summary
from ..checks.rules import RULES
from . import tensor
from .buffer import Buffer
from tflite_quant.firmware import header
if TYPE_CHECKING:
    from ..command import cli
else:
    import json
class A:
    def f(self):
        if self:
            from ..command.cli import main
"""


def test_imports_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search above must not come out empty because it overlooks a way to import."""
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    path = tmp_path / "model" / "some.py"
    path.parent.mkdir()
    path.write_text(SOME_IMPORTS)
    assert list(imports(path)) == [
        ("", "os"),
        ("", "tflite_quant.litert.lite"),
        ("", "tflite_quant.summary"),
        ("", "tflite_quant.checks.rules"),
        ("", "tflite_quant.model.tensor"),
        ("", "tflite_quant.model.buffer"),
        ("", "tflite_quant.firmware"),
        ("", "json"),
        ("A.f", "tflite_quant.command.cli"),
    ]
