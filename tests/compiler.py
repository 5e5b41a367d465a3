"""The machine's C and C++ compilers."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["compiled"]

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-O1")


def compiled(source: Path, program: Path, language: str, flags: Sequence[str] = ()) -> Path:
    """Compile a program as "c99" or "c++11"; skip the test where there is no compiler.

    In CI, too, which may have nothing but Python.
    """
    name = "cc" if language == "c99" else "c++"
    compiler = shutil.which(name)
    if compiler is None:
        pytest.skip(f"there is no compiler {name}")
    command = [compiler, f"-std={language}", *STRICT, *flags, str(source), "-o", str(program)]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program
