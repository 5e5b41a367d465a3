"""Writes the findings of many models as text, equal ones together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ..escape import for_terminal
from .findings import Finding, Report, counted
from .links import findings_page, section_of
from .report_formats import Outcome

_LISTED = 8
"""How many operators or tensors are listed."""


def text_lines(outcomes: Sequence[Outcome], is_verbose: bool = False) -> Iterator[str]:
    """Yield the report of each model with findings, line by line.

    If there are several models, a summary follows, and how many models have each scheme.

    Parameters
    ----------
    outcomes : sequence of Outcome
    is_verbose : bool
        Whether to write each finding, even if a model has many of one kind.
    """
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    page = findings_page()
    for report in reports:
        if len(outcomes) == 1 or report.findings:
            yield report.title
            for findings in grouped(report, is_verbose):
                yield from _group_lines(findings, page)
    if len(outcomes) > 1:
        yield _total(reports, len(outcomes) - len(reports))
        if reports:
            schemes = Counter(report.scheme for report in reports).most_common()
            yield "schemes: " + ", ".join(f"{count} {scheme}" for scheme, count in schemes)


def grouped(report: Report, is_verbose: bool = False) -> list[list[Finding]]:
    """Return the findings that are said together: those of one kind and severity."""
    if is_verbose:
        return [[finding] for finding in report]
    groups: dict[object, list[Finding]] = {}
    for finding in report:
        groups.setdefault((finding.severity, finding.id), []).append(finding)
    return list(groups.values())


def _group_lines(findings: Sequence[Finding], page: str | None) -> Iterator[str]:
    first = findings[0]
    if len(findings) == 1:
        yield from str(first).splitlines()
    else:
        yield f"{first.severity} {first.id} ×{len(findings)}: {first.kind.title}"  # noqa: RUF001
        yield f"  {places(findings)}"
        yield f"  first: {first.place}"
        yield from str(first).splitlines()[1:]
    yield f"  fix: {first.kind.fix}"
    if page is not None:
        yield f"  more: {section_of(first.kind, page)}"


def places(findings: Sequence[Finding]) -> str:
    """Return the operators, or the tensors, that findings are about, by subgraph and index."""
    is_about_operators = all(finding.operator is not None for finding in findings)
    word = "operators" if is_about_operators else "tensors"
    found = dict.fromkeys(
        (finding.subgraph, subject.index)
        for finding in findings
        if (subject := finding.operator if is_about_operators else finding.tensor) is not None
    )
    shown = [
        f"{index} of subgraph {subgraph}" if subgraph else f"{index}"
        for subgraph, index in list(found)[:_LISTED]
    ]
    rest = len(found) - len(shown)
    return f"{word} {', '.join(shown)}" + (f" and {rest} more" if rest else "")


def _total(reports: Sequence[Report], unread: int) -> str:
    """Return the last line: '3 models, 2 clean, 1 could not be read: 1 error'."""
    together = Report(None, tuple(finding for report in reports for finding in report))
    clean = sum(not report.findings for report in reports)
    parts = [counted(len(reports) + unread, "model"), f"{clean} clean"]
    if unread:
        parts.append(f"{unread} could not be read")
    return for_terminal(f"{', '.join(parts)}: {together.summary}")
