"""Writes the findings of many models as JSON, a SARIF log, or annotations of GitHub.

Code hosts and editors read findings from SARIF, the Static Analysis Results Interchange Format,
version 2.1.0 (docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ..escape import for_github, for_sarif
from .findings import Finding, Report, Subject
from .kinds import KINDS, Kind, Severity
from .links import findings_page, section_of


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
        "fix": finding.kind.fix,
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
    page = findings_page()
    driver = {
        "name": "tflite-quant",
        "version": version,
        "rules": [_rule(kind, page) for kind in KINDS.values()],
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


def github_lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a command of GitHub Actions for each finding, which becomes an annotation of its file.

    Source: docs.github.com, "Workflow commands for GitHub Actions".
    """
    for path, report, error in outcomes:
        if report is None:
            yield _annotation("error", path, "unreadable", error or "")
            continue
        for finding in report:
            level = "notice" if finding.severity is Severity.NOTE else str(finding.severity)
            text = f"{finding.place}: found {finding.found}; expected {finding.expected}"
            yield _annotation(level, path, finding.id, f"{text}. {finding.effect}")


def _annotation(level: str, path: str, title: str, text: str) -> str:
    properties = f"file={for_github(path, is_property=True)},title={title}"
    return f"::{level} {properties}::{for_github(text)}"


def _artifact(outcome: Outcome) -> dict[str, Any]:
    """Return a file that was checked, with its scheme as a property."""
    artifact: dict[str, Any] = {"location": _file(outcome.path)["artifactLocation"]}
    if outcome.report is not None:
        artifact["properties"] = {"scheme": outcome.report.scheme}
    return artifact


def _rule(kind: Kind, page: str | None) -> dict[str, Any]:
    help_uri = {} if page is None else {"helpUri": section_of(kind, page)}
    return {
        "id": kind.id,
        "name": kind.name.title().replace(" ", "").replace("'", ""),
        "shortDescription": {"text": kind.title},
        "fullDescription": {"text": f"{kind.title} {kind.about}".strip()},
        "help": {"text": f"{kind.effect} {kind.fix}"},
        **help_uri,
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
