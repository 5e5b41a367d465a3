"""Measure this library beside its peers: `python -m benchmarks [--only NAME] [MODEL ...]`.

Every ratio is between medians of one run, its sides taken in turn. Needs the extra `test` and the
dependency group `benchmarks`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import tflite_quant as tq
from benchmarks import details, objects, opening, processes


class Section(NamedTuple):
    """One table: its title, and its rows, each a name with numbers by the column's title.

    What ends in "ms" or "us" is a time, in seconds; the others are ratios and counts.
    """

    title: str
    rows: list[tuple[str, dict[str, float]]]


def main() -> None:
    """Print the tables, as they come, and write them as JSON if asked to."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL", help="further models")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to a file")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(SECTIONS),
        metavar="NAME",
        help=f"measure this section only, more if given again: {', '.join(SECTIONS)}",
    )
    options = parser.parse_args()
    about = {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": machine(),
    }
    console = Console()
    console.print(", ".join(f"{name} {value}" for name, value in about.items()))
    done = []
    models = options.models or [Path("fixtures/residual_int8.tflite")]
    for name in options.only or SECTIONS:
        for section in SECTIONS[name](models):
            console.print(drawn(section))
            done.append(section)
    if options.json is not None:
        data = about | {section.title: dict(section.rows) for section in done}
        options.json.write_text(json.dumps(data, indent=1), encoding="utf-8")


def tensor_details(models: list[Path]) -> Iterator[Section]:
    """Measure what stands for LiteRT's interpreter and analyzer."""
    with details.made() as made:
        paths = [*models, *made]
        rows = [(label(path), compared(details.measured(path))) for path in paths]
        yield Section("open and all tensor details", rows)
        rows = [(label(path), compared(details.measured_analyzer(path))) for path in paths]
        yield Section("the analyzer's report", rows)


def objects_asked(_: list[Path]) -> Iterator[Section]:
    """Measure what users ask of objects, a column for each of the made models."""
    ratios: dict[str, dict[str, float]] = {}
    times: dict[str, dict[str, float]] = {}
    with details.made(objects.LAYERS) as made:
        for path in made:
            count = f"{len(tq.open(path).tensors):_}"
            for words, ours, other in objects.measured(path):
                ratios.setdefault(words, {})[count] = ours / other
                times.setdefault(words.partition(" / ")[0], {})[f"{count} ms"] = ours
    yield Section("objects, by tensors", list(ratios.items()))
    yield Section("objects, by tensors: our times", list(times.items()))


SECTIONS: dict[str, Callable[[list[Path]], Iterable[Section]]] = {
    "details": tensor_details,
    "objects": objects_asked,
    "growth": lambda _: [Section("growth", list(growth()))],
    "huge": lambda _: [Section("open a huge file", list(huge()))],
    "many": lambda _: [Section("dequantize 8 Mi values", list(many_values()))],
    "few": lambda _: [Section("dequantize few values", list(few_values()))],
    "processes": lambda models: [Section("processes", list(whole(models[0])))],
}
"""What measures which tables, by the name that `--only` takes."""


def label(path: Path) -> str:
    """Name a model, and say how many tensors it has."""
    return f"{path.stem}, {len(tq.open(path).tensors)} tensors"


def compared(medians: dict[str, float]) -> dict[str, float]:
    """Give ratios of our median to the others', then ours."""
    ours = medians["ours"]
    ratios = {f"ours / {name}": ours / time for name, time in medians.items() if name != "ours"}
    return ratios | {"ours ms": ours}


def growth() -> Iterator[tuple[str, dict[str, float]]]:
    """Measure models of ever more tensors."""
    for count, time in details.measured_growth():
        yield f"{count} tensors", {"a tensor us": time / count, "all ms": time}


def huge() -> Iterator[tuple[str, dict[str, float]]]:
    """Measure files of ever more weights."""
    for name, seconds, kibibytes in opening.measured():
        yield name, {"open ms": seconds, "memory KiB": kibibytes}


def many_values() -> Iterator[tuple[str, dict[str, float]]]:
    """Measure all ways of being quantized."""
    from benchmarks import dequantize  # noqa: PLC0415  # other sections do without its peers

    for case in dequantize.cases():
        m = dequantize.measured(case)
        row = {
            "/ astype": m["ours"] / m["astype"],
            "/ one-liner": m["ours"] / m["one-liner"],
        }
        for runtime in ("ONNX Runtime", "LiteRT"):
            if runtime in m:
                row[f"out= / {runtime}"] = m["ours, out="] / m[runtime]
        yield case.name, row | {"ours ms": m["ours"], "out= ms": m["ours, out="]}


def few_values() -> Iterator[tuple[str, dict[str, float]]]:
    """Measure calls for few values."""
    from benchmarks import dequantize  # noqa: PLC0415  # other sections do without its peers

    for side in (10, 100):
        for axis in (None, 0, 1):
            m = dequantize.few((side, side), axis)
            kind = "per-tensor" if axis is None else f"per-axis {axis}"
            row = {"/ one-liner": m["ours"] / m["one-liner"], "ours us": m["ours"]}
            yield f"{side * side} int8 {kind}", row


def whole(model: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """Measure processes."""
    yield "import, after import tflite", {"ours ms": processes.import_time()}
    yield f"all of {model.stem} as JSON", compared(dict(processes.printing(str(model))))


def drawn(section: Section) -> Table:
    """Draw a section as a table."""
    titles = list(dict.fromkeys(title for _, row in section.rows for title in row))
    # Without padding, so that the widest fits in 80 columns.
    table = Table(title=section.title, padding=0)
    table.add_column()
    for title in titles:
        table.add_column(title, justify="right")
    for name, row in section.rows:
        table.add_row(name, *cells(titles, row))
    return table


def cells(titles: Iterable[str], row: dict[str, float]) -> Iterator[str]:
    """Write the numbers of a row."""
    for title in titles:
        value: Any = row.get(title)
        factor = {"ms": 1e3, "us": 1e6}.get(title.rpartition(" ")[2], 1)
        yield "" if value is None else f"{value * factor:.{0 if 'KiB' in title else 2}f}"


def machine() -> str:
    """Say what processor this is."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
