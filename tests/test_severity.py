"""Errors are what no runtime runs as intended: on every operator that has a rule.

Models of one operator are changed, one thing at a time, and run with LiteRT and TFLM. What they
should compute is what the same operator computes on the real values, in float. A finding must be an
error where every runtime refuses the model or computes something else, and no error where one is
right; and where LiteRT does not run the model as intended, there must be a finding.

`python -m tests.test_severity` compares all models, where the test takes some of each operator.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

import tflite_quant as tq
from tests import three_runtimes as runtimes
from tests.meaning import expectations, is_known, is_right
from tests.one_operator import RECIPES, OneOperator, one_operator
from tests.three_runtimes import Outputs
from tests.variants import inputs_of, variants
from tflite_quant.checks.kinds import Severity
from tflite_quant.checks.rule import Rule
from tflite_quant.checks.rules import RULES

SAMPLE = 4
"""Changes that the test makes to a model, but for `WHOLE`."""

WHOLE = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
"""Operators to which the test makes all changes."""

APART = {
    "ASSIGN_VARIABLE", "LSTM", "READ_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "VAR_HANDLE",
}  # fmt: skip
"""Operators with a state, which tests/test_check.py looks at."""

REASONS = {
    r"a dimension (more|less)$": "the shapes of its tensors fit no more: not a matter of its rule",
    r"a zero point of another type$": "TQ105: kernels clip it, or add without looking",
    r"(input 2|input 3): another scale$": "TQ207 is a warning, however much the scale is off",
    r"int8x4 DEPTHWISE_CONV_2D, input 1: one scale$": "the scales of the bias are then off: TQ207",
    r"SUM, ": "LiteRT's reference kernel of SUM rounds otherwise than its default kernel",
    r"int16x8 (SCATTER_ND|SQUARED_DIFFERENCE|WHERE), ": "TQ211: LiteRT has no kernel",
    r"WHERE, input 0: type INT16": "TQ211: LiteRT has no kernel",
    r"(ARG_MAX|ARG_MIN), input 0: type INT16": "TQ210: no rule for the type",
    r"(DEQUANTIZE|QUANTIZE), input 0: type (FLOAT32|INT32)": "no rule for the type",
    r"(ARG_MAX|ARG_MIN|SHAPE), output 0: type INT64": "not the tensor, an option says the type",
    r"hybrid .*(input 1: absent|an input less)": "without weights it is no hybrid operator",
    r"hybrid EMBEDDING_LOOKUP, output 0: type": "no rule for the type",
    r"hybrid BATCH_MATMUL, input 1: scales": "the axis depends on which matrix is transposed",
    r"PACK, an input less": "an option says another count",
    r"SPLIT_V, input 1: absent": "TFLM runs it if the input is -1, but not if the list ends",
    r"GELU, output 0: another zero point": "TQ204: LiteRT fills a table for zero point 0",
    r"(NOT_)?EQUAL, input .: (type|scales)": "TFLM reads other values, of which none are equal",
    r"(GREATER|LESS)(_EQUAL)?, input 0: scales": "one scale serves to compare these values",
    r"L2_NORMALIZATION, input 0: scales along axis 0": "a scale for each vector changes nothing",
    r"output 0: type (UINT8|INT32)": "TFLM writes the input's type: small values are the same",
    r"(FULLY_CONNECTED|REDUCE_PROD), input 0: type INT8": "the values are too small to show",
    r"uint8 (CONV_2D, input 1: type INT4|MEAN, )": "these values are the same in both types",
}
"""Why a severity differs from what runtimes do, by a pattern of the case."""


class Case(NamedTuple):
    """A model with a change, and what it is called: 'int8 ADD, input 0: another scale'."""

    name: str
    one: OneOperator
    rule: Rule
    inputs: list[NDArray[Any]]


def cases(sample: int | None) -> Iterator[Case]:
    """Yield a model of each operator as its rule says, and models with changes."""
    chosen = random.Random(17)
    for domain, rules in RULES.items():
        for name, rule in rules.items():
            if name in APART:
                continue
            first, *others = variants(one_operator(name, rule), rule)
            if sample is not None and name not in WHOLE:
                others = chosen.sample(others, min(sample, len(others)))
            for change, one in (first, *others):
                yield Case(f"{domain.value} {name}, {change}", one, rule, inputs_of(one))


def outcomes(given: Sequence[Case]) -> Iterator[dict[str, str]]:
    """Yield what comes of each case, by the runtime: right, wrong, refused or unknown."""
    jobs = [(case.one.model, case.inputs) for case in given]
    answers = [runtimes.answers(runtime, jobs) for runtime in runtimes.RUNTIMES]
    wanted = expectations([(case.one, case.rule, case.inputs) for case in given])
    for case, expected, *outputs in zip(given, wanted, *answers, strict=True):
        pairs = zip(runtimes.RUNTIMES, outputs, strict=True)
        yield {runtime: outcome(case, output, expected) for runtime, output in pairs}


def outcome(case: Case, outputs: Outputs, expected: Outputs) -> str:
    if outputs is None:
        return "refused"
    if not is_known(case.one, case.rule):
        return "unknown"
    if expected is None:
        # The operator itself has no meaning, as with a rank that it does not know.
        return "wrong"
    return "right" if is_right(case.one, outputs, expected) else "wrong"


def disagreement(found: dict[str, str], severity: int) -> str:
    """Return how a severity differs from what runtimes do; empty if it does not."""
    used = {found["default"], found["micro"]}
    if "unknown" in used:
        return ""
    if "right" in used and severity == Severity.ERROR:
        return "false error"
    if "right" not in used and severity < Severity.ERROR:
        return "missed error"
    if found["default"] != "right" and not severity:
        return "silent"
    if found["reference"] != found["default"] and not severity:
        return "LiteRT's kernels differ"
    return ""


def disagreements(sample: int | None) -> dict[str, str]:
    """Return how severities differ from what runtimes do, by the name of the case."""
    given = list(cases(sample))
    differing: dict[str, str] = {}
    for case, found in zip(given, outcomes(given), strict=True):
        severity = max((finding.severity for finding in tq.check(case.one.model)), default=0)
        what = disagreement(found, severity)
        if what:
            differing[case.name] = f"{what}: {found}"
    return differing


def reason(name: str) -> str | None:
    return next((pattern for pattern in REASONS if re.search(pattern, name)), None)


def test_every_operator_with_a_rule_is_made() -> None:
    assert {name for rules in RULES.values() for name in rules} == RECIPES.keys() | APART


def test_severities_are_what_runtimes_do() -> None:
    differing = disagreements(SAMPLE)
    assert {name: what for name, what in differing.items() if reason(name) is None} == {}


def main() -> int:
    """Print all disagreements without a reason, and the reasons that none needs."""
    differing = disagreements(None)
    used = Counter(reason(name) for name in differing)
    for name, what in differing.items():
        if reason(name) is None:
            print(f"{what}: {name}")
    print({pattern: count for pattern, count in used.items() if pattern})
    print("not needed:", [pattern for pattern in REASONS if pattern not in used])
    return int(None in used)


if __name__ == "__main__":
    sys.exit(main())
