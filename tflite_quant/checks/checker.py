"""Checks a model against the quantization specification."""

from __future__ import annotations

from ..format.source import Source
from ..model.model import Model, open
from .findings import Report
from .graph import graph_findings
from .operators import operator_findings
from .tensors import parameters_of, tensor_findings


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
        The model cannot be opened, or an operator's options are broken.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> tq.check("fixtures/residual_int8.tflite")
    Report('fixtures/residual_int8.tflite', no findings)
    """
    if not isinstance(model, Model):
        with open(model) as opened:
            return check(opened)
    parameters = {t: parameters_of(t) for subgraph in model.subgraphs for t in subgraph.tensors}
    findings = [*tensor_findings(parameters), *operator_findings(model, parameters)]
    findings += graph_findings(model)
    # A tensor may be the input of an operator twice.
    return Report(model.name, tuple(sorted(dict.fromkeys(findings), key=lambda one: -one.severity)))
