"""Prints what installing takes: `python -m benchmarks.sizes`."""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

__all__ = ["installed_bytes"]

_OURS = ("tflite", "flatbuffers")
_PEERS = ("ai-edge-litert", "tensorflow-cpu", "tensorflow")


def installed_bytes(package: Distribution) -> int:
    """Return the bytes of a package's files, without those that Python makes of them."""
    files = [Path(str(package.locate_file(file))) for file in package.files or ()]
    return sum(path.stat().st_size for path in files if path.suffix != ".pyc" and path.is_file())


def _print(name: str, nbytes: int) -> None:
    print(f"{name:<32} {nbytes / 1e6:8.1f} MB")


def main() -> None:
    """Print a line for this library with what it needs beside numpy, and for each peer."""
    root = Path(__file__).parents[1] / "tflite_quant"
    own = sum(path.stat().st_size for path in root.rglob("*.py"))
    needed = sum(installed_bytes(distribution(name)) for name in _OURS)
    _print("tflite-quant, tflite, flatbuffers", own + needed)
    for name in _PEERS:
        try:
            _print(name, installed_bytes(distribution(name)))
        except PackageNotFoundError:
            continue


if __name__ == "__main__":
    main()
