"""Writes the findings of many models as text, JSON or a SARIF log.

Code hosts and editors read findings from SARIF, the Static Analysis Results Interchange Format,
version 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ..escape import for_sarif
from .findings import KINDS, Finding, Kind, Report, Subject, counted


class Outcome(NamedTuple):
    """The result of checking one file: a report, or the error if there is none.

    Attributes
    ----------
    path : str
    report : Report or None
    error : str or None
    """

    path: str
    report: Report | None
    error: str | None = None


def text_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the report of each model with findings.

    If there are several models, a summary follows, and how many models have each scheme.
    """
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    for report in reports:
        if len(outcomes) == 1 or report.findings:
            yield str(report)
    if len(outcomes) > 1:
        together = tuple(finding for report in reports for finding in report)
        clean = sum(not report.findings for report in reports)
        models = counted(len(reports), "model")
        yield f"{models}, {clean} of them clean: {Report(None, together).summary}"
        schemes = Counter(report.scheme for report in reports).most_common()
        yield "schemes: " + ", ".join(f"{count} {scheme}" for scheme, count in schemes)


def json_data(outcomes: Sequence[Outcome], version: str) -> dict[str, Any]:
    """Return the findings as plain data.

    Parameters
    ----------
    outcomes : sequence of Outcome
    version : str
        The version of this library.
    """
    return {"version": version, "models": map(_model_data, outcomes)}


def _model_data(outcome: Outcome) -> dict[str, Any]:
    if outcome.report is None:
        return {"path": outcome.path, "error": outcome.error}
    return {
        "path": outcome.path,
        "scheme": outcome.report.scheme,
        "coverage": None if (counts := outcome.report.coverage) is None else asdict(counts),
        "findings": map(_finding_data, outcome.report),
    }


def _finding_data(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": str(finding.severity),
        "subgraph": finding.subgraph,
        "operator": _named_data(finding.operator),
        "tensor": _named_data(finding.tensor),
        "found": finding.found,
        "expected": finding.expected,
        "effect": finding.effect,
    }


def _named_data(named: Subject | None) -> dict[str, Any] | None:
    return None if named is None else {"index": named.index, "name": named.name}


def sarif_data(outcomes: Sequence[Outcome], version: str) -> dict[str, Any]:
    """Return the findings as a SARIF log with one run.

    Parameters
    ----------
    outcomes : sequence of Outcome
    version : str
        The version of this library.
    """
    order = {id: index for index, id in enumerate(KINDS)}
    results = (
        _result(outcome.path, finding, order[finding.id])
        for outcome in outcomes
        if outcome.report is not None
        for finding in outcome.report
    )
    unread = [outcome for outcome in outcomes if outcome.report is None]
    driver = {
        "name": "tflite-quant",
        "version": version,
        "rules": [_rule(kind) for kind in KINDS.values()],
    }
    invocation = {
        "executionSuccessful": not unread,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": for_sarif(outcome.error or "")},
                "locations": [{"physicalLocation": _file(outcome.path)}],
            }
            for outcome in unread
        ],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "invocations": [invocation],
                "artifacts": map(_artifact, outcomes),
                "results": results,
            }
        ],
    }


def _artifact(outcome: Outcome) -> dict[str, Any]:
    """Return a file that was checked, with its scheme as a property."""
    artifact: dict[str, Any] = {"location": _file(outcome.path)["artifactLocation"]}
    if outcome.report is not None:
        artifact["properties"] = {"scheme": outcome.report.scheme}
    return artifact


def _rule(kind: Kind) -> dict[str, Any]:
    return {
        "id": kind.id,
        "name": kind.name.title().replace(" ", "").replace("'", ""),
        "shortDescription": {"text": kind.title},
        "fullDescription": {"text": f"{kind.title} {kind.about}".strip()},
        "help": {"text": kind.effect},
        "defaultConfiguration": {"level": str(kind.severity)},
    }


def _result(path: str, finding: Finding, rule: int) -> dict[str, Any]:
    text = f"{finding.place}: found {finding.found}; expected {finding.expected}. {finding.effect}"
    logical = {"fullyQualifiedName": finding.place, "kind": "element"}
    return {
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": str(finding.severity),
        "message": {"text": for_sarif(text)},
        "locations": [{"physicalLocation": _file(path), "logicalLocations": [logical]}],
    }


def _file(path: str) -> dict[str, Any]:
    where = Path(path)
    # As bytes, because a file name need not be valid text.
    uri = where.as_uri() if where.is_absolute() else quote(os.fsencode(where.as_posix()))
    return {"artifactLocation": {"uri": uri}}
