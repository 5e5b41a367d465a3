"""Prints what `check` finds in a folder of models, and whether runtimes agree.

`python -m benchmarks.findings DIR` prints, for each kind and severity, how many
findings there are, in how many models, and one of them; then, of the models with errors, how many
are refused by LiteRT and by TensorFlow Lite Micro, and of all models how many are refused without a
finding that says so; then what the warnings about parameters are worth, as `benchmarks.effects`
measures it. Needs the extra `test`.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tflite_quant as tq
from benchmarks.effects import Effect, effects, warnings
from tests import refusal, tflm
from tflite_quant.checks.kinds import KINDS

__all__ = ["Found", "findings", "main"]

Found = Mapping[tuple[str, str], Mapping[str, int]]
"""For each severity and identifier the number of findings in each model."""


def findings(paths: list[Path]) -> Found:
    """Return what is found in models, for either target."""
    found: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for path in paths:
        for finding in tq.check(path):
            found[str(finding.severity), finding.id][path.name] += 1
    return found


def _errors(paths: list[Path], target: str) -> list[bool]:
    """Tell of each model whether a runtime is said to refuse it."""
    return [bool(tq.check(path, target=target).at_least(tq.Severity.ERROR)) for path in paths]


def _refusals(paths: list[Path]) -> Iterator[tuple[str, str, list[bool]]]:
    """Yield the targets, their names, and whether they refuse each model."""
    contents = [path.read_bytes() for path in paths]
    yield "litert", "LiteRT", [not runs for runs in refusal.runs(contents)]
    answers = tflm.answers([tflm.Job(content, seed=1) for content in contents])
    yield "tflm", "TensorFlow Lite Micro", [bool(answer.refusal) for answer in answers]


def _lines(found: Found) -> Iterator[str]:
    yield "| finding | severity | findings | models | such as |"
    yield "| --- | --- | ---: | ---: | --- |"
    order = {"error": 0, "warning": 1, "note": 2}
    for (severity, id), models in sorted(found.items(), key=lambda item: (order[item[0][0]], item)):
        example = max(models, key=lambda name: (models[name], name))
        yield f"| {id} | {severity} | {sum(models.values())} | {len(models)} | {example} |"
    absent = KINDS.keys() - {id for _, id in found}
    yield f"\nNone of these models has {', '.join(sorted(absent))}."


def _measured(paths: list[Path]) -> Iterator[Effect]:
    """Yield the effect of each warning about parameters."""
    contents = [path.read_bytes() for path in paths]
    given = [(content, found) for content in contents if (found := warnings(content))]
    for each in effects(given):
        yield from each


def _effect_lines(measured: Sequence[Effect]) -> Iterator[str]:
    """Yield a row for each kind; of outputs the largest share that differs in a runtime."""
    titles = ("warnings", "measured", "refused", "outputs that differ", "no visible effect")
    yield f"| finding | {' | '.join(titles)} | why not measured |"
    yield f"| --- |{' ---: |' * len(titles)} --- |"
    for id in sorted({one.finding.id for one in measured}):
        own = [one for one in measured if one.finding.id == id]
        some = [one for one in own if not one.reason]
        refused = sum(bool(one.refused) for one in some)
        silent = sum(not one.is_visible for one in some)
        why = Counter(one.reason for one in own if one.reason)
        reasons = "; ".join(f"{count}: {reason}" for reason, count in why.items())
        share = f"{_share(some):.0%}" if some else ""
        yield f"| {id} | {len(own)} | {len(some)} | {refused} | {share} | {silent} | {reasons} |"
    some = [one for one in measured if not one.reason]
    silent = sum(not one.is_visible for one in some)
    yield f"\n{silent} of {len(some)} warnings have no visible effect."


def _share(measured: Sequence[Effect]) -> float:
    """Return the share of outputs, of the operators that warnings are about, that differ."""
    differing = [
        max(one.of_operator.values(), key=lambda each: each.count, default=None) for one in measured
    ]
    known = [one for one in differing if one is not None]
    return sum(one.count for one in known) / max(1, sum(one.of for one in known))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser("python -m benchmarks.findings", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR")
    paths = sorted(parser.parse_args().folder.rglob("*.tflite"))
    print(f"{len(paths)} models\n")
    print(*_lines(findings(paths)), sep="\n")
    print("\n| runtime | refuses | of these, said to | said to refuse, but runs |")
    print("| --- | ---: | ---: | ---: |")
    for target, name, refused in _refusals(paths):
        said = _errors(paths, target)
        both = sum(one and other for one, other in zip(refused, said, strict=True))
        false = sum(other and not one for one, other in zip(refused, said, strict=True))
        print(f"| {name} | {sum(refused)} | {both} | {false} |")
    print("", *_effect_lines(list(_measured(paths))), sep="\n")


if __name__ == "__main__":
    main()
