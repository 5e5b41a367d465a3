"""Settings of the site: `python -m docs.make site` builds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tflite_quant  # from this checkout

project = "tflite-quant"
author = "the authors of tflite-quant"
html_show_copyright = False
release = version = tflite_quant.__version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_static_path = ["_static"]
html_css_files = ["notebook.css"]
html_theme = "furo"
html_title = f"tflite-quant {version}"
html_theme_options = {"navigation_with_keys": True}

# Headings are link targets, as on code hosts.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
# A notebook's outputs are made by running it.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

autosummary_generate = True
autosummary_imported_members = True
autodoc_typehints = "none"
# Users get these objects from `open`, and do not make them.
autodoc_class_signature = "separated"
numpydoc_show_class_members = False


def skip(*given: Any) -> bool | None:
    """Leave out what a class's docstring says already: the fields of tuples, how they are made."""
    _app, _kind, name, member, skipped, _options = given
    is_field = (getattr(member, "__doc__", None) or "").startswith("Alias for field number")
    return True if is_field or name in ("__new__", "__init__") else skipped or None


def setup(app: Any) -> None:
    """Register the function above."""
    app.connect("autodoc-skip-member", skip)
