"""Finds the page of the documentation that explains the findings.

The project's address is not in the code: a released package has it in its metadata, where
hatch_build.py puts it.
"""

from __future__ import annotations

import re
from importlib import metadata

from .kinds import Kind

__all__ = ["findings_page", "section_of"]


def findings_page() -> str | None:
    """Return the address of docs/findings.md, or None if this is not a released package."""
    try:
        links = metadata.metadata("tflite-quant").get_all("Project-URL", [])
    except metadata.PackageNotFoundError:
        return None
    return dict(link.split(", ", 1) for link in links).get("Findings")


def section_of(kind: Kind, page: str) -> str:
    """Return the address of what a page says of a kind.

    Parameters
    ----------
    kind : Kind
    page : str
        The address of docs/findings.md.

    Returns
    -------
    str
        With the anchor that code hosts make of a heading.
    """
    heading = f"{kind.id}: {kind.name} ({kind.severity})"
    return f"{page}#" + re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
