"""Makes docs/findings.md from the table of findings: `python -m docs.make`."""

from __future__ import annotations

import textwrap
from pathlib import Path

import tflite_quant as tq
from tests.faults import FAULTS
from tflite_quant.checks.findings import KINDS, Kind

__all__ = ["findings_page"]

_HEAD = """\
# Findings

What `tflite-quant check` and `tflite_quant.check` may find in a model. An identifier means the same
in all versions. The severity is

- **error**: no runtime can run the model as it is meant;
- **warning**: it is outside the specification;
- **note**: it is worth knowing.

Beside each name is the worst that it can be. The specification is the one in
`tflite_quant/checks/rules.py`; where its sources disagree, [disagreements.md](disagreements.md)
says which is followed. Each example is what is printed of the model of that identifier in
`tests/faults.py`. This page is made by `python -m docs.make`.
"""


def findings_page() -> str:
    """Give the page: a paragraph for each kind of finding, with an example."""
    return "\n".join([_HEAD, *map(_paragraph, KINDS.values())])


def _paragraph(kind: Kind) -> str:
    about = f"{kind.title} {kind.about}".strip()
    report = tq.check(FAULTS[kind.id].bad)
    example = next(str(finding) for finding in report if finding.id == kind.id)
    title = f"## {kind.id}: {kind.name} ({kind.severity})"
    text = textwrap.fill(f"{about} {kind.effect}", 100, break_on_hyphens=False)
    return f"{title}\n\n{text}\n\n```text\n{example}\n```\n"


if __name__ == "__main__":
    Path(__file__).with_name("findings.md").write_text(findings_page(), encoding="utf-8")
