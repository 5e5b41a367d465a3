"""What importing the library brings in."""

from __future__ import annotations

import subprocess
import sys

import pytest

from conftest import ROOT


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout


@pytest.mark.parametrize("module", ["tflite_quant", "tflite_quant.command.cli"])
def test_nothing_that_is_not_needed_is_imported(module: str) -> None:
    heavy = "{'tensorflow', 'ai_edge_litert', 'rich', 'ml_dtypes', 'keras', 'pytest'}"
    assert run(f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))") == "[]\n"


@pytest.mark.parametrize("command", ["show", "analyze", "check", "header"])
def test_a_command_does_not_import_what_the_others_need(command: str) -> None:
    code = (
        "import sys; from tflite_quant.command.cli import main; "
        f"main(['{command}', 'fixtures/mixed.tflite']); print(); print(*sys.modules)"
    )
    modules = run(code).splitlines()[-1].split()
    needs = {
        "show": "tflite_quant.command.model_screen",
        "analyze": "tflite_quant.litert.analyzer",
        "check": "tflite_quant.checks.rules",
        "header": "tflite_quant.firmware.c_header",
    }
    assert [name for name, module in needs.items() if module in modules] == [command]


def test_every_public_name_is_there() -> None:
    code = "import tflite_quant as tq; print(all(hasattr(tq, name) for name in tq.__all__))"
    assert run(code) == "True\n"


def test_what_is_imported_later() -> None:
    code = (
        "import sys, tflite_quant as tq; before = set(sys.modules); tq.Interpreter, tq.lite; "
        "print(sorted(n for n in set(sys.modules) - before if n.startswith('tflite_quant')))"
    )
    names = [
        "tflite_quant.escape",
        "tflite_quant.litert",
        "tflite_quant.litert.analyzer",
        "tflite_quant.litert.interpreter",
        "tflite_quant.litert.lite",
    ]
    assert run(code) == f"{names}\n"
    assert run("import tflite_quant as tq; print('analyze' in dir(tq))") == "True\n"
    assert "has no attribute 'none'" in run(
        "import tflite_quant as tq\ntry: tq.none\nexcept AttributeError as error: print(error)"
    )
