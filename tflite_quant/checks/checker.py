"""Checks a model against the quantization specification."""

from __future__ import annotations

from itertools import chain

from ..format.budget import CHARACTER_COST
from ..format.source import Source
from ..model.model import Model, open
from .coverage import coverage
from .findings import Finding, Report
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
        The model cannot be opened, an operator's options are broken, or tensors with findings
        share names so much that it would take more than the file's budget.

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
    budget = model.structure.file.afresh().budget
    # Not a list, since a tensor may be the input of an operator twice.
    findings: dict[Finding, None] = {}
    for finding in chain(
        tensor_findings(parameters), operator_findings(model, parameters), graph_findings(model)
    ):
        budget.spend(CHARACTER_COST * len(str(finding)), "the findings")
        findings[finding] = None
    worst_first = tuple(sorted(findings, key=lambda finding: -finding.severity))
    return Report(model.name, worst_first, coverage(model))
