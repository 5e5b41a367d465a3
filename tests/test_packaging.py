"""The package that is published: its links, its files, and what the commands know of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from email.message import Message
from pathlib import Path

import pytest

from conftest import ROOT
from tests import oracle
from tests.faults import FAULTS

_ADDRESS = "https://example.com/owner/name"


def _built(folder: Path, kind: str, address: str) -> Path:
    for name in ("build", "hatchling"):
        oracle.package(name)
    command = [sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir"]
    environment = os.environ | {"PROJECT_URL": address}
    subprocess.run(
        [*command, str(folder), str(ROOT)], check=True, capture_output=True, env=environment
    )
    return next(folder.iterdir())


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as files:
        name = next(name for name in files.namelist() if name.endswith("/METADATA"))
        return message_from_string(files.read(name).decode())


def _description(wheel: Path) -> str:
    return _metadata(wheel).get_payload()  # type: ignore[return-value]


def _links(text: str) -> list[str]:
    return re.findall(r"(?:\]\(|src(?:set)?=\")([^)\"]+)", text)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _built(tmp_path_factory.mktemp("released"), "wheel", _ADDRESS)


def test_the_links_of_the_description_lead_to_files(released: Path) -> None:
    links = _links(_description(released))
    assert len(links) > 15
    for link in links:
        path = re.fullmatch(rf"{_ADDRESS}/(?:blob|raw)/v[^/]+/([^#]+)(?:#.*)?", link)
        assert path, link
        assert (ROOT / path.group(1)).is_file(), link


def test_a_description_without_an_address_has_no_broken_link(tmp_path: Path) -> None:
    wheel = _built(tmp_path, "wheel", "")
    text = _description(wheel)
    assert not [link for link in _links(text) if not link.startswith("https:")]
    assert "<picture>" not in text
    assert "within limits |" in text
    assert "Project-URL" not in _metadata(wheel)


def test_findings_lead_to_their_section(released: Path, tmp_path: Path) -> None:
    """As the wheel that is installed says; the sections are those of docs/findings.md."""
    with zipfile.ZipFile(released) as files:
        files.extractall(tmp_path / "site")
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(FAULTS["TQ212"].bad)
    headings = re.findall(r"^## (TQ.*)$", (ROOT / "docs/findings.md").read_text("utf-8"), re.M)
    # How GitHub makes an anchor of a heading.
    anchors = {re.sub(r"[^\w\- ]", "", head).lower().replace(" ", "-") for head in headings}
    for form, key in (("sarif", r"helpUri\": \"(.*)\""), ("text", r"more:\s+(\S+)")):
        printed = subprocess.run(
            [sys.executable, "-m", "tflite_quant", "check", "--format", form, broken.name],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        ).stdout  # fmt: skip
        addresses = re.findall(key, printed)
        assert addresses, printed
        assert all(address.startswith(f"{_ADDRESS}/blob/v") for address in addresses)
        assert {address.split("#")[1] for address in addresses} <= anchors
        assert len(addresses) == (len(headings) if form == "sarif" else 1)


def test_the_source_archive_has_what_the_tests_need(tmp_path: Path) -> None:
    with tarfile.open(_built(tmp_path, "sdist", "")) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode:
        pytest.skip("not a checkout of git")
    assert {*tracked.stdout.split()} <= held
