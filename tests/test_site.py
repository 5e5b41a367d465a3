"""The site and CONTRIBUTING.md leave nothing out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import tflite_quant as tq
from conftest import ROOT
from docs.specification import disagreements, specification_page
from tests import oracle
from tflite_quant.checks.rules import RULES


def test_every_public_name_has_a_page() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    listed = re.findall(r"^   ([A-Za-z_]+)$", page, re.M)
    # A module with the names of TensorFlow's, which has a page of its own.
    assert sorted(listed) == sorted(set(tq.__all__) - {"lite"})


def test_every_page_is_in_the_site() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    pages = {path.stem for kind in ("md", "ipynb") for path in ROOT.glob(f"docs/*.{kind}")}
    pages -= {"index"}
    assert pages == set(re.findall(r"^([a-z]+)$", index, re.M))


def test_contributors_find_every_test_and_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    tests = {path.stem for path in ROOT.glob("tests/test_*.py")}
    assert tests == set(re.findall(r"`(test_\w+)`", text))
    rooms = {path.parent.name for path in ROOT.glob("tflite_quant/*/__init__.py")}
    assert rooms == set(re.findall(r"^\| `(\w+)/` \|", text, re.M))


def test_one_version_is_told_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+) \((\S+)\)$", changelog, re.M)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert newest
    assert newest.group(1) == tq.__version__
    assert f"\nversion: {tq.__version__}\n" in citation
    assert f"\ndate-released: {newest.group(2)}\n" in citation


def test_workflows_run_what_every_change_runs() -> None:
    """Each command of a workflow is one of .ci/run, with other arguments at most."""
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    # A container has to get Python and the checkout first.
    elsewhere = {"apt-get update", "git clone", "git fetch", "python3 -m venv"}
    for path in ROOT.glob(".github/workflows/*.yml"):
        text = path.read_text(encoding="utf-8").replace("environment/bin/", "").replace("CI= ", "")
        lines = re.findall(r"^ +- run: (?!\|)(.*)$", text, re.M)
        lines += [
            line
            for block in re.findall(r"run: \|\n((?: {10}.*\n)+)", text)
            for line in block.splitlines()
        ]
        assert lines, path.name
        for line in map(str.strip, lines):
            words = re.match(r"(?:python3? -m )?\S+(?: [a-z]+(?= |$))?", line)
            assert words, line
            known = words.group() in script or words.group() in elsewhere
            assert known or line == "bash .ci/run", f"{path.name}: {line}"


def test_the_notebook_runs_and_is_kept_without_outputs() -> None:
    """The site is built by running it, too; this needs no Jupyter."""
    for name in ("matplotlib", "pandas"):
        oracle.package(name)
    notebook = json.loads((ROOT / "docs/tour.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    code = "\n".join("".join(cell["source"]) for cell in cells)
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        check=True, cwd=ROOT / "docs", env=environment, capture_output=True, text=True,
    )  # fmt: skip


def test_the_specification_is_that_of_the_rules() -> None:
    page = (ROOT / "docs/specification.md").read_text(encoding="utf-8")
    assert page == specification_page()
    sections = {part.split("\n")[0]: part for part in page.split("\n### ")[1:]}
    for domain, rules in RULES.items():
        with_rule = {name for name, text in sections.items() if f"\n**{domain.value}**" in text}
        assert with_rule == set(rules)


def test_operators_lead_to_where_the_sources_differ() -> None:
    entries = (ROOT / "docs/disagreements.md").read_text(encoding="utf-8").split("\n### ")
    known = disagreements()
    for entry in entries[1:]:
        names = re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b", entry.split("\n- ")[0])
        for name in {*names} & {name for rules in RULES.values() for name in rules}:
            for topic in re.findall(r"^- \*\*(.*?)\*\*", entry, re.M):
                assert any(link.startswith(f"[{topic}](") for link in known[name])
