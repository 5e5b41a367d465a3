"""A model on one page of HTML, without scripts, and without anything from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from .. import __version__
from ..comparison.comparer import Progress, Reference, compare
from ..comparison.results import Comparison
from ..comparison.words import decibels, doubts
from ..errors import TFLiteError
from ..escape import for_terminal, shortened
from ..firmware.memory_words import computation_text
from ..format.source import Source
from ..model.model import Model, open
from ..summary.summary import MIXED, compressed_text, named_counts
from ..summary.words import operators_text, types_text
from .arena import arena_of
from .content import Content
from .costs import costs_of
from .ends import ends_of
from .layers import layers_of
from .limits import LONGEST_NAME, LONGEST_TEXT
from .problems import problems_of

__all__ = ["content_of", "html_report"]

_TEMPLATE = "page.html.jinja"


def html_report(
    model: Model | Source,
    reference: Reference | None = None,
    *,
    target: str | None = None,
    progress: Progress | None = None,
) -> str:
    """Return a page about a model: what it is, what it needs, its problems, its weights.

    Parameters
    ----------
    model : Model, or what `open` takes
    reference : as `compare` takes it, optional
        What the model was quantized from; the page then also says what quantization cost.
    target : {"litert", "tflm"}, optional
        The runtime that the model is for; see `check`.
    progress : callable, optional
        Wraps the sequences of tensors that are read, such as `tqdm.tqdm`.

    Returns
    -------
    str
        One file of HTML that needs no other: no script, nothing from a network. It is in ASCII, so
        it may be stored in any encoding. Its size is bounded, whatever the model: it says what it
        leaves out.

    Raises
    ------
    ImportError
        jinja2 is not installed; the extra `report` has it.
    TFLiteError, OSError
        A model cannot be opened, or cannot be compared; see `compare`.
    ValueError
        There is no such target, or a model is closed.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> page = tq.html_report(
    ...     "fixtures/residual_int8.tflite", reference="fixtures/residual_float32.tflite"
    ... )
    >>> page[:15], "<script" in page
    ('<!doctype html>', False)
    """
    template = _template()
    if not isinstance(model, Model):
        with open(model) as opened:
            return html_report(opened, reference, target=target, progress=progress)
    page: str = template.render(page=content_of(model, reference, target, progress))
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii")


@cache
def _template() -> Any:
    """Return the template, in which all text of the model is escaped on its way out."""
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # an optional extra
        from markupsafe import Markup  # noqa: PLC0415
    except ImportError:
        raise ImportError(
            'a report needs jinja2: pip install "tflite-quant[report]"', name="jinja2"
        ) from None

    def shown(value: object) -> object:
        is_text = isinstance(value, str) and not isinstance(value, Markup)
        return for_terminal(str(value)) if is_text else value

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))


def content_of(
    model: Model,
    reference: Reference | None = None,
    target: str | None = None,
    progress: Progress | None = None,
) -> Content:
    """Return what the page says about a model; arguments and errors are those of `html_report`."""
    comparison = None if reference is None else compare(reference, model, progress=progress)
    arena, problems = arena_of(model), problems_of(model, target)
    ends = ends_of(model)
    return Content(
        name=shortened(PurePath(model.name or "model").name, LONGEST_NAME),
        version=__version__,
        facts=tuple(
            [
                (name, shortened(text, LONGEST_TEXT))
                for name, text in _facts(model, comparison)
                if text
            ]
        ),
        ends=ends,
        subgraphs_left_out=len(model.subgraphs) - len(ends),
        arena=arena,
        problems=problems,
        layers=layers_of(model, comparison, progress),
        costs=None if comparison is None else costs_of(comparison),
    )


def _facts(model: Model, comparison: Comparison | None) -> list[tuple[str, str]]:
    """Return what kind of model it is."""
    summary = model.summary()
    try:
        computation = computation_text(model)
    except TFLiteError as error:
        computation = f"not known: {error}"
    facts = [
        ("scheme", summary.scheme),
        ("file", f"{model.structure.file.size:,} bytes"),
        ("graph", operators_text(model)),
        ("types", types_text(model, summary)),
        ("computation", computation),
        ("float operators", named_counts(summary.float_operators) * (summary.scheme == MIXED)),
        ("custom operators", named_counts(summary.custom_operators)),
        ("compressed", compressed_text(summary)),
        ("description", model.description or ""),
    ]
    if comparison is not None and comparison.weights is not None:
        cost = f"weights {decibels(comparison.weights)}"
        facts.append(("beside the reference", "; ".join(filter(None, [cost, doubts(comparison)]))))
    return facts
