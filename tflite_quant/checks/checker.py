"""Checks a model against the quantization specification."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from ..format.budget import CHARACTER_COST
from ..format.source import Source
from ..model.model import Model, open
from .coverage import coverage
from .findings import Finding, Report
from .graph import graph_findings
from .operators import operator_findings
from .requirements import requirement_findings, requirements
from .runtimes import TARGETS, runtime_findings
from .tensors import parameters_of, tensor_findings


def check(
    model: Model | Source, *, target: str | None = None, require: Iterable[str] = ()
) -> Report:
    """Check a model: its parameters, its operators, its constants, its graph.

    Parameters
    ----------
    model : Model, or what `open` takes
    target : {"litert", "tflm"}, optional
        The runtime that the model is for; by default it may be for either. What the only target
        refuses is an error; what one of both refuses is a note.
    require : iterable of str, optional
        Schemes of which the model must have one, such as ("int8",);
        `tflite_quant.checks.requirements` has them all. A model that has none of them has an error.

    Returns
    -------
    Report
        The findings, the worst first. docs/findings.md explains each kind.

    Raises
    ------
    TFLiteError, OSError
        The model cannot be opened, an operator's options are broken, or tensors with findings
        share names so much that it would take more than the file's budget.
    ValueError
        There is no such target or scheme.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> tq.check("fixtures/residual_int8.tflite")
    Report('fixtures/residual_int8.tflite', no findings)
    >>> tq.check("fixtures/mixed.tflite", require=["int8"])[0].found
    "scheme 'mixed': operator 3 SIN computes in FLOAT32"
    """
    if target is not None and target not in TARGETS:
        raise ValueError(f"target is {target!r}, expected one of {', '.join(TARGETS)}")
    required = requirements(require)
    if not isinstance(model, Model):
        with open(model) as opened:
            return check(opened, target=target, require=required)
    parameters = {t: parameters_of(t) for subgraph in model.subgraphs for t in subgraph.tensors}
    targets = tuple(TARGETS) if target is None else (target,)
    budget, decoding = (model.structure.file.afresh().budget for _ in range(2))
    # Not a list, since a tensor may be the input of an operator twice.
    findings: dict[Finding, None] = {}
    for finding in chain(
        requirement_findings(model, required),
        runtime_findings(model, targets),
        tensor_findings(parameters, targets, decoding),
        operator_findings(model, parameters, targets, decoding),
        graph_findings(model),
    ):
        budget.spend(CHARACTER_COST * len(str(finding)), "the findings")
        findings[finding] = None
    worst_first = tuple(sorted(findings, key=lambda finding: -finding.severity))
    return Report(model.name, worst_first, model.summary().scheme, coverage(model))
