"""The findings of the check, equal ones together, with what to do about each kind."""

from __future__ import annotations

from collections.abc import Sequence

from ..checks.checker import check
from ..checks.findings import Finding
from ..checks.text_format import grouped, places
from ..errors import TFLiteError
from ..escape import shortened
from ..model.model import Model
from .content import Problem, Problems
from .limits import LONGEST_TEXT, MOST_EXAMPLES


def problems_of(model: Model, target: str | None) -> Problems:
    """Return what the check finds, or why it could not be made."""
    try:
        report = check(model, target=target)
    except TFLiteError as error:
        return Problems(f"not checked: {shortened(str(error), LONGEST_TEXT)}")
    covered = "" if report.coverage is None else f" ({report.coverage})"
    return Problems(f"{report.summary}{covered}", tuple(map(_problem, grouped(report))))


def _problem(findings: Sequence[Finding]) -> Problem:
    first = findings[0]
    return Problem(
        severity=str(first.severity),
        id=first.id,
        title=first.kind.title,
        fix=first.kind.fix,
        count=len(findings),
        places=places(findings) if len(findings) > 1 else "",
        examples=tuple([_example(each) for each in findings[:MOST_EXAMPLES]]),
    )


def _example(finding: Finding) -> tuple[str, str, str, str]:
    texts = (finding.place, finding.found, finding.expected, finding.effect)
    place, found, expected, effect = [shortened(text, LONGEST_TEXT) for text in texts]
    return place, found, expected, effect
