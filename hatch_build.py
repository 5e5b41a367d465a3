"""Makes the links of README absolute in the package's metadata, if the project's address is known.

The address is taken from the environment variable PROJECT_URL, which the release workflow sets. The
package index has no files of the project beside README; without an address, what would be a broken
link there is plain text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


def absolute(text: str, address: str, version: str) -> str:
    """Return text in Markdown whose links lead to a version's files on the code host.

    Parameters
    ----------
    text : str
    address : str
        The project's page on its code host, such as "https://github.com/OWNER/NAME"; empty if it is
        not known, which leaves the text of links, and no pictures.
    version : str
    """
    if not address:
        text = re.sub(r"<picture>.*?</picture>\n*", "", text, flags=re.DOTALL)
        return re.sub(r"\[([^]]+)\]\((?!https?:)[^)]+\)", r"\1", text)
    text = re.sub(r"(src|srcset)=\"(?!https?:)", rf'\1="{address}/raw/v{version}/', text)
    return re.sub(r"\]\((?!https?:)", f"]({address}/blob/v{version}/", text)


class ProjectLinks(MetadataHookInterface):
    """Gives the package its long description and its links."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Add `readme` and `urls`."""
        address = os.environ.get("PROJECT_URL", "").rstrip("/")
        version = metadata["version"]
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute(text, address, version),
        }
        if address:
            files = f"{address}/blob/v{version}"
            metadata["urls"] = {
                "Source": address,
                "Issues": f"{address}/issues",
                "Documentation": f"{files}/docs/index.md",
                "Findings": f"{files}/docs/findings.md",
                "Changelog": f"{files}/CHANGELOG.md",
            }
