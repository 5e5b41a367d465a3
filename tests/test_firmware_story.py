"""The page's story from a model to firmware: each of its commands and files works."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import ROOT
from tests import oracle
from tests.compiler import compiled
from tests.test_cli import python_path
from tests.test_resolver import resolver_class

PAGE = (ROOT / "docs/firmware.md").read_text(encoding="utf-8")
MODEL = "fixtures/residual_int8.tflite"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the commands are shell scripts")


@dataclass
class Story:
    """What stands in the first section: files by name, and commands with what they print."""

    files: dict[str, str]
    commands: list[tuple[str, str]]


def story() -> Story:
    """Read the page."""
    section = PAGE.split("\n## ")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    files, commands = {}, []
    for kind, text in blocks:
        if kind == "console":
            for part in text.split("$ ")[1:]:
                command, _, printed = part.partition("\n")
                commands.append((command, printed))
        else:
            name = re.match(r"(?://|#) (\S+)\n", text)
            assert name is not None, text
            files[name[1]] = text
    return Story(files, commands)


def environment(folder: Path) -> dict[str, str]:
    """Give an environment in which `tflite-quant` and `python` are those of the test."""
    commands = folder / "bin"
    commands.mkdir()
    for name, arguments in (("tflite-quant", "-m tflite_quant"), ("python", "")):
        path = commands / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        path.chmod(0o755)
    path_with_it = str(commands) + os.pathsep + os.environ["PATH"]
    return os.environ | {"PATH": path_with_it, "PYTHONPATH": python_path(ROOT), "COLUMNS": "80"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Follow the story: write its files and run its commands, in a folder with the model."""
    oracle.package("tflite_micro")
    if shutil.which("cc") is None:
        pytest.skip("there is no compiler cc")
    folder = tmp_path_factory.mktemp("story")
    (folder / "fixtures").mkdir()
    shutil.copy(ROOT / MODEL, folder / MODEL)
    found = story()
    for name, text in found.files.items():
        (folder / name).write_text(text)
    given = environment(folder)
    for command, shown in found.commands:
        done = subprocess.run(
            shlex.split(command), cwd=folder, env=given, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, shown), (command, done.stderr)
    return folder


def test_what_the_commands_print_is_what_is_shown(told: Path) -> None:
    """And all files are there."""
    assert len(story().commands) == 5
    names = {"net.h", "net.c", "vector.h", "vector.py", "firmware.cc", "answer.c", "answer"}
    assert names <= {path.name for path in told.iterdir()}


@pytest.mark.parametrize("language", ["c99", "c++11"])
def test_the_program_in_both_languages(told: Path, language: str, tmp_path: Path) -> None:
    """Strictly compiled, and watched by sanitizers where the compiler has them."""
    sources = [told / "answer.c", told / "net.c"]
    if language == "c++11":
        for name in ("answer", "net"):
            shutil.copy(told / f"{name}.c", told / f"{name}.cpp")
        sources = [told / "answer.cpp", told / "net.cpp"]
    found = compiled(sources, tmp_path / "answer", language)
    shown = next(printed for command, printed in story().commands if command == "./answer")
    assert subprocess.check_output([found], text=True) == shown


INTERPRETER = """\
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "vector.h"
enum TfLiteStatus { kTfLiteOk, kTfLiteError };
namespace tflite {
struct Model { const void *bytes; };
inline Model GetModel(const void *bytes) { return {bytes}; }
struct MicroInterpreter {
  int8_t in[sizeof vector_input] = {}, out[sizeof vector_output] = {};
  bool is_ready = false;
  template <typename Resolver>
  MicroInterpreter(Model model, const Resolver &resolver, uint8_t *, size_t) {
    is_ready = memcmp((const char *)model.bytes + 4, "TFL3", 4) == 0 && resolver.size == 7;
  }
  TfLiteStatus AllocateTensors() { return is_ready ? kTfLiteOk : kTfLiteError; }
  template <typename T> T *typed_input_tensor(int index) { return index ? nullptr : in; }
  template <typename T> T *typed_output_tensor(int index) { return index ? nullptr : out; }
  TfLiteStatus Invoke() {
    if (memcmp(in, vector_input, sizeof in) == 0) memcpy(out, vector_output, sizeof out);
    return kTfLiteOk;
  }
};
}
"""
"""What the firmware asks of the runtime's interpreter, which has the answer ready."""


def test_the_firmware_compiles(told: Path, tmp_path: Path) -> None:
    """With stand-ins for the runtime's headers, it takes the steps in their order."""
    runtime = tmp_path / "tensorflow/lite"
    (runtime / "micro").mkdir(parents=True)
    (runtime / "schema").mkdir()
    (runtime / "micro/micro_interpreter.h").write_text(INTERPRETER)
    (runtime / "micro/micro_mutable_op_resolver.h").write_text(resolver_class())
    (runtime / "schema/schema_generated.h").write_text("")
    (tmp_path / "main.cpp").write_text(
        f'#include "{told / "firmware.cc"}"\nint main() {{ return self_test(); }}\n'
    )
    shutil.copy(told / "net.c", tmp_path / "net.cpp")
    flags = [f"-I{tmp_path}", f"-I{told}"]
    sources = [tmp_path / "main.cpp", tmp_path / "net.cpp"]
    found = compiled(sources, tmp_path / "firmware", "c++11", flags)
    assert subprocess.run([found], capture_output=True, check=False).returncode == 0


def test_in_make(tmp_path: Path) -> None:
    """The snippet works: the files are made, and made again when the model changes."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("there is no make")
    (tmp_path / "Makefile").write_text(PAGE.split("```make\n")[1].split("```")[0])
    given = environment(tmp_path)
    for name in ("residual_int8", "residual_int16x8"):
        shutil.copy(ROOT / f"fixtures/{name}.tflite", tmp_path / "network.tflite")
        subprocess.run(
            [make, "network.h"], cwd=tmp_path, env=given, check=True, capture_output=True
        )
        kind = "int16_t" if "16" in name else "int8_t"
        assert f"typedef {kind} network_input_0_t;" in (tmp_path / "network.h").read_text()
        assert '#include "network.h"' in (tmp_path / "network.c").read_text()
