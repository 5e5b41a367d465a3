"""Checks a model against the quantization specification."""

from __future__ import annotations

from ..format.source import Source
from ..format.structure import Structure
from ..format.vectors import require_room
from ..model.model import Model, open
from .findings import Report
from .graph import graph_findings
from .operators import operator_findings
from .tensors import tensor_findings

__all__ = ["check"]


def check(model: Model | Source) -> Report:
    """Check a model: its parameters, its operators, its constants, its graph.

    Parameters
    ----------
    model : Model, or what `open` takes

    Returns
    -------
    Report
        The findings, the worst first. docs/findings.md explains each kind.

    Raises
    ------
    TFLiteError, OSError
        The model cannot be opened, an operator's options are corrupt, or tensors share so many
        scales that checking each takes far more memory than the file.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> tq.check("fixtures/residual_int8.tflite")
    Report('fixtures/residual_int8.tflite', no findings)
    """
    if not isinstance(model, Model):
        with open(model) as opened:
            return check(opened)
    _require_parameters_of_their_own(model.structure)
    # A tensor may be the input of an operator twice.
    findings = (*tensor_findings(model), *operator_findings(model), *graph_findings(model))
    return Report(model.name, tuple(sorted(dict.fromkeys(findings), key=lambda one: -one.severity)))


def _require_parameters_of_their_own(structure: Structure) -> None:
    """Refuse tensors that share so many scales that checking each takes too long."""
    for name in ("scale", "zero_point"):
        vectors = structure.quantizations.vectors(name)
        size = int(vectors.lengths.sum()) * vectors.dtype.itemsize
        require_room(structure.file, size, f"the vectors '{name}'")
