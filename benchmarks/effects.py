"""Measures what warnings are about: a model is changed to what a warning expects, and both run.

`python -m benchmarks.effects MODEL …` prints the effect of each warning about parameters. Models
run on random inputs, the same real values for both; outputs are compared as real values, in steps
of the output's scale. All else that warnings expect of the model is met in both.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tflite_quant as tq
from benchmarks.expected import (
    ABOUT_PARAMETERS,
    ROUNDED,
    NotExpressedError,
    as_expected,
    parameters_of,
    restated,
)
from benchmarks.rewriting import with_outputs
from tests import tflm
from tests import three_runtimes as runtimes
from tests.three_runtimes import Outputs

__all__ = ["RUNTIMES", "Difference", "Effect", "effects", "warnings"]

RUNTIMES = {
    "reference": "LiteRT's reference kernels",
    "default": "LiteRT's default kernels",
    runtimes.DELEGATE: "LiteRT with XNNPACK",
    "micro": "TensorFlow Lite Micro",
}

_SEEDS, _ARENA = 4, 16_000_000
"""How many inputs; bytes for TFLM."""

_TIMES = 40
"""How often an input is fed to a model with a state: it fills the memory of an SVDF."""

_ROUNDING = 1.5
"""By how many steps an output differs at least, where weights are rounded anew."""


@dataclass(frozen=True)
class Difference:
    """How outputs of two models differ.

    Attributes
    ----------
    count, of : int
        How many values differ by more than rounding does, of how many.
    steps : float
        The largest difference, in steps of the output's scale.
    """

    count: int
    of: int
    steps: float


@dataclass(frozen=True)
class Effect:
    """What a warning is about, in each runtime.

    Attributes
    ----------
    finding : Finding
    reason : str
        Why it was not measured; empty if it was.
    of_model, of_operator : mapping of str to Difference
        By the runtime: of the model's outputs, and of those of the operators that use the tensor.
    refused : mapping of str to str
        By the runtime: which of both models it refuses, "found" or "expected".
    """

    finding: tq.Finding
    reason: str
    of_model: Mapping[str, Difference]
    of_operator: Mapping[str, Difference]
    refused: Mapping[str, str]

    @property
    def is_visible(self) -> bool:
        """Whether a runtime refuses one of both models, or outputs differ."""
        found = (*self.of_model.values(), *self.of_operator.values())
        return bool(self.refused) or any(one.count for one in found)


def effects(models: Sequence[tuple[bytes, Sequence[tq.Finding]]]) -> list[list[Effect]]:
    """Measure what findings about models are about.

    Parameters
    ----------
    models : sequence of (bytes, sequence of Finding)
        Each model with findings about it.

    Returns
    -------
    list of list of Effect
        For each finding of each model.
    """
    reasons = [[_why_not(content, one) for one in findings] for content, findings in models]
    trials = [
        _Trial(content, [one for one, why in zip(findings, whys, strict=True) if not why])
        for (content, findings), whys in zip(models, reasons, strict=True)
    ]
    found = _run(trials)
    return [
        [
            Effect(one, why, {}, {}, {}) if why else next(each)
            for one, why in zip(findings, whys, strict=True)
        ]
        for (_, findings), whys, each in zip(models, reasons, map(iter, found), strict=True)
    ]


def _why_not(content: bytes, finding: tq.Finding) -> str:
    """Return why a model cannot be changed to what a finding expects; empty if it can."""
    try:
        as_expected(content, finding)
    except NotExpressedError as error:
        return str(error)
    return ""


class _Trial:
    """A model, changed to what all of some findings expect, and to what all but one expect."""

    def __init__(self, content: bytes, findings: Sequence[tq.Finding]) -> None:
        self.findings = findings
        original = tq.open(content)
        self.watched = [_outputs_of(original, finding) for finding in findings]
        self.own = [tensor.index for tensor in original.outputs]
        watched = (index for each in self.watched for index in each)
        self.outputs = list(dict.fromkeys([*self.own, *watched]))
        content = with_outputs(content, 0, self.outputs)
        # Findings about one tensor often expect the same of it.
        without = [[one for one in findings if not _share(one, left)] for left in findings]
        contents = [_met(content, some) for some in (findings, *without)] if findings else []
        self.models = [tq.open(one) for one in contents]
        self.has_state = any(
            one.is_variable for graph in original.subgraphs for one in graph.tensors
        )
        fed = [_inputs(original, seed) for seed in range(_SEEDS)]
        self.jobs = [
            (one, _restated_inputs(original, model, each))
            for one, model in zip(contents, self.models, strict=True)
            for each in fed
        ]

    def effects(self, answers: Mapping[str, Sequence[Outputs]]) -> Iterator[Effect]:
        """Yield the effect of each finding, given what each runtime answers to each job."""
        grouped = {
            runtime: [found[start : start + _SEEDS] for start in range(0, len(found), _SEEDS)]
            for runtime, found in answers.items()
        }
        for number, (finding, watched) in enumerate(
            zip(self.findings, self.watched, strict=True), 1
        ):
            differences = {
                runtime: _differences(self.models[0], each[0], self.models[number], each[number])
                for runtime, each in grouped.items()
            }
            positions = [self.outputs.index(index) for index in watched]
            yield _effect(finding, differences, range(len(self.own)), positions)


def _run(trials: Sequence[_Trial]) -> list[Iterator[Effect]]:
    """Run trials, those with a state apart, since they run longer."""
    found: dict[int, Iterator[Effect]] = {}
    for has_state, times in ((False, 1), (True, _TIMES)):
        some = [index for index, one in enumerate(trials) if one.has_state is has_state]
        jobs = [job for index in some for job in trials[index].jobs]
        answers = {
            runtime: iter(runtimes.answers(runtime, jobs, times, _ARENA) if jobs else ())
            for runtime in RUNTIMES
        }
        for index in some:
            count = len(trials[index].jobs)
            own = {runtime: list(islice(each, count)) for runtime, each in answers.items()}
            found[index] = trials[index].effects(own)
    return [found[index] for index in range(len(trials))]


def _share(one: tq.Finding, other: tq.Finding) -> bool:
    """Tell whether findings are about the same tensor."""
    return (one.subgraph, one.tensor) == (other.subgraph, other.tensor)


def _met(content: bytes, findings: Sequence[tq.Finding]) -> bytes:
    """Return a model changed to what all of some findings expect."""
    for finding in findings:
        content = as_expected(content, finding)
    return content


def _outputs_of(model: tq.Model, finding: tq.Finding) -> list[int]:
    """Return what the operators that a finding is about write, if the model itself runs them."""
    if finding.subgraph:
        return []
    (graph, *_) = model.subgraphs
    if finding.operator is not None:
        operators: Sequence[tq.Operator] = [graph.operators[finding.operator.index]]
    else:
        assert finding.tensor is not None
        tensor = graph.tensors[finding.tensor.index]
        operators = tensor.consumers or [one for one in [tensor.producer] if one is not None]
    return [one.index for each in operators for one in each.outputs if one is not None]


def _inputs(model: tq.Model, seed: int) -> list[NDArray[Any]]:
    return tflm.random_inputs([(one.shape, one.dtype) for one in model.inputs], seed)


def _restated_inputs(
    original: tq.Model, model: tq.Model, inputs: Sequence[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return inputs of the original that mean the same to another model."""
    return [
        values
        if one.quantization == other.quantization
        else restated(values, one, *parameters_of(other)).astype(values.dtype)
        for values, one, other in zip(inputs, original.inputs, model.inputs, strict=True)
    ]


def _differences(
    one: tq.Model, outputs: Sequence[Outputs], other: tq.Model, others: Sequence[Outputs]
) -> list[NDArray[np.float64]] | str:
    """Return by how many steps each value of each output differs, or which model is refused."""
    runs, also = (all(each is not None for each in given) for given in (outputs, others))
    if not runs or not also:
        return "both" if runs == also else "expected" if also else "found"
    return [
        np.abs(_real(tensor, values) - _real(another, more)) / _step(tensor, values)
        for position, (tensor, another) in enumerate(zip(one.outputs, other.outputs, strict=True))
        for values, more in [
            [
                np.stack([each[position] for each in given if each is not None])
                for given in (outputs, others)
            ]
        ]
    ]


def _real(tensor: tq.Tensor, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the real values of an output; of one without scales, the values themselves."""
    scheme = tensor.quantization
    values = values.astype(np.float64)
    if not isinstance(scheme, tq.PerTensor):
        return values
    return (values - scheme.zero_point) * scheme.scale


def _step(tensor: tq.Tensor, values: NDArray[Any]) -> float:
    """Return a step of an output; of floats, one of 255 in the range of what came out."""
    scheme = tensor.quantization
    if isinstance(scheme, tq.PerTensor):
        return scheme.scale
    return float(np.ptp(values)) / 255 or 1.0 if values.dtype.kind == "f" else 1.0


def _effect(
    finding: tq.Finding,
    differences: Mapping[str, list[NDArray[np.float64]] | str],
    of_model: Sequence[int],
    of_operator: Sequence[int],
) -> Effect:
    allowed = _ROUNDING if finding.id in ROUNDED else 0.5
    ran = {runtime: each for runtime, each in differences.items() if not isinstance(each, str)}
    refused = {
        runtime: each for runtime, each in differences.items() if each in ("expected", "found")
    }
    return Effect(
        finding,
        "" if ran or refused else "no runtime here runs the model, found or expected",
        {runtime: _counted(each, of_model, allowed) for runtime, each in ran.items()},
        {runtime: _counted(each, of_operator, allowed) for runtime, each in ran.items()},
        refused,
    )


def _counted(
    differences: Sequence[NDArray[np.float64]], positions: Sequence[int], allowed: float
) -> Difference:
    values = np.concatenate([np.ravel(differences[position]) for position in positions])
    values = np.nan_to_num(values, nan=np.inf)
    return Difference(
        int(np.count_nonzero(values >= allowed)), values.size, float(values.max(initial=0))
    )


def main() -> None:
    """Print the effect of each warning about models."""
    parser = argparse.ArgumentParser("python -m benchmarks.effects", description=__doc__)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    paths = parser.parse_args().models
    contents = [path.read_bytes() for path in paths]
    given = [(content, warnings(content)) for content in contents]
    for path, found in zip(paths, effects(given), strict=True):
        for effect in found:
            print(f"{path.name} {effect.finding.id}: {effect.finding.place}")
            print(
                f"  not measured: {effect.reason}" if effect.reason else "\n".join(_lines(effect))
            )


def warnings(content: bytes) -> list[tq.Finding]:
    """Return the warnings about parameters and values of a model's tensors."""
    return [
        one
        for one in tq.check(content)
        if one.severity is tq.Severity.WARNING and one.id in ABOUT_PARAMETERS
    ]


def _lines(effect: Effect) -> Iterator[str]:
    for runtime, name in RUNTIMES.items():
        if runtime in effect.refused:
            yield f"  {name} refuses what is {effect.refused[runtime]}"
        elif runtime in effect.of_model:
            one, other = effect.of_model[runtime], effect.of_operator[runtime]
            yield (
                f"  {name}: {one.count} of {one.of} outputs of the model differ, by up to "
                f"{one.steps:.3g} steps; {other.count} of {other.of} of the operator, by up to "
                f"{other.steps:.3g}"
            )


if __name__ == "__main__":
    main()
