"""Count what models hold: `python -m tests.count DIR`.

Of every `.tflite` file under a folder: how many tensors there are of each type and scheme, how many
of them are constants whose data was read and whose real values were computed, and what was refused,
with the reason.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import tflite_quant as tq


def main(folder: Path) -> None:
    """Print the counts."""
    counts: Counter[tuple[str, str, str]] = Counter()
    refused: list[str] = []
    paths = sorted(folder.rglob("*.tflite"))
    for path in paths:
        with tq.open(path) as model:
            for tensor in (tensor for graph in model.subgraphs for tensor in graph.tensors):
                what = outcome(tensor)
                if what.startswith("refused"):
                    refused.append(f"{path.name}: {what}")
                    what = "refused"
                counts[tensor.type.name, tensor.quantization.scheme, what] += 1
    print(f"{len(paths)} models")
    for (kind, scheme, what), count in sorted(counts.items()):
        print(f"{count:6} {kind:8} {scheme:10} {what}")
    print(*refused, sep="\n")


def outcome(tensor: tq.Tensor) -> str:
    """Say what could be done with a tensor."""
    if not tensor.is_constant:
        return "not constant"
    try:
        assert tensor.data.shape == tensor.shape
        if isinstance(tensor.quantization, tq.NotQuantized):
            return "data read"
        assert tensor.dequantize().shape == tensor.shape
    except tq.TFLiteError as error:
        return f"refused: {error}"
    return "data read, real values computed"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
