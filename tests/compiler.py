"""The machine's C and C++ compilers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pytest

__all__ = ["compiled", "complaints", "sanitizers", "tokens"]

STRICT = ("-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-O1")
_SANITIZERS = (
    "-fsanitize=address,undefined,float-cast-overflow",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
)


def compiled(
    sources: Path | Sequence[Path], program: Path, language: str, flags: Sequence[str] = ()
) -> Path:
    """Compile a program as "c99" or "c++11"; skip the test where there is no compiler.

    In CI, too, which may have nothing but Python. The program ends with an error where it reads
    past an array or relies on what C does not define, if the compiler can watch for that.
    """
    paths = [sources] if isinstance(sources, Path) else sources
    how = [*STRICT, *sanitizers(language), *flags]
    command = [*_command(language), *how, *map(str, paths), "-o", str(program)]
    done = subprocess.run([*command, "-lm"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return program


def complaints(source: Path, language: str) -> str:
    """Give what the compiler says of a source that it does not compile."""
    command = [*_command(language), *STRICT, "-fsyntax-only", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    return done.stderr


def tokens(source: Path, language: str) -> str:
    """Give a source as the compiler sees it after the preprocessor."""
    kind = "c" if language == "c99" else "c++"
    command = [*_command(language), "-E", "-P", "-x", kind, str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _command(language: str) -> list[str]:
    name = "cc" if language == "c99" else "c++"
    compiler = shutil.which(name)
    if compiler is None:
        pytest.skip(f"there is no compiler {name}")
    return [compiler, f"-std={language}"]


@lru_cache
def sanitizers(language: str) -> tuple[str, ...]:
    """Give the flags for AddressSanitizer and UBSan, if programs that have them run here."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "main.c" if language == "c99" else "main.cpp")
        source.write_text("int main(void) { return 0; }\n")
        program = Path(folder, "main.exe")
        command = [*_command(language), *_SANITIZERS, str(source), "-o", str(program)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return ()
        done = subprocess.run([program], capture_output=True, check=False, env=os.environ)
        return () if done.returncode else _SANITIZERS
