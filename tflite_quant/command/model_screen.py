"""The first screen of `tflite-quant show`: what kind of model this is, and its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import CorruptModelError, TFLiteError, plural
from ..escape import for_terminal, shortened
from ..firmware.cost import operator_cost
from ..format.budget import CHARACTER_COST, Budget
from ..model import quantization as schemes
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from ..summary.options import options_text
from ..summary.records import indices, real_range
from ..summary.summary import MIXED, compressed_text, named_counts
from ..summary.words import (
    dimensions,
    names_in_signatures,
    operators_text,
    parameters,
    type_text,
    types_text,
)
from .layout import Column, text_table
from .memory_screen import memory_lines
from .terminal import painted

_RANGE = re.compile(r" in \S+$")
TENSOR_COLUMNS = (
    Column("#", True),
    Column("type"),
    Column("shape"),
    Column("bytes", True, may_go=1),
    Column("scale", compact=lambda cell: _RANGE.sub(" scales", cell)),
    Column("zero", True),
    Column("axis", True, may_go=2),
    Column("role", paint=lambda role: painted(role, role.strip())),
    Column("name"),
)
OPERATOR_COLUMNS = (
    Column("#", True),
    Column("operator", paint=lambda name: painted(name, "float" if name[-1:] == "*" else "")),
    Column("version", True, may_go=1),
    Column("inputs"),
    Column("outputs"),
    Column("intermediates", may_go=4),
    Column("MACs", True, may_go=3),
    Column("parameters", True, may_go=2),
    Column("options", folds=True),
)
_LONGEST_END, _MOST_ENDS, _MOST_OPERANDS = 100, 64, 64
"""Characters to which names of inputs are padded, and how many inputs of a subgraph and operands of
an operator are listed."""


def model_lines(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[str]:
    """Yield the first screen: facts, inputs and outputs, a table of the tensors, and the rest.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        The subgraphs to show.
    width : int, optional
        The width of the terminal; names are shortened to fit.

    Raises
    ------
    CorruptModelError
        Tensors share names, and the tables would be too large for a file of this size.
    """
    budget = model.structure.file.afresh().budget
    yield from _head(model)
    yield from memory_lines(model, width)
    names = names_in_signatures(model)
    for subgraph in subgraphs:
        if len(model.subgraphs) > 1:
            yield f"\nsubgraph {subgraph.index} {for_terminal(subgraph.name)}".rstrip()
        yield from _ends(subgraph, names, budget, width)
        rows = [_charged(tensor_row(tensor), budget) for tensor in subgraph.tensors]
        if rows:
            yield from text_table(TENSOR_COLUMNS, rows, width)
    yield from _extras(model, budget)


def _head(model: Model) -> Iterator[str]:
    """Yield what kind of model it is, in two lines or three."""
    summary = model.summary()
    name = for_terminal(model.name or "model")
    scheme, _, around = summary.scheme.partition(", ")
    facts = [name, f"{model.structure.file.size:,} bytes", scheme]
    facts.append(operators_text(model))
    yield "  ".join(facts)
    if around:
        yield around
    yield types_text(model, summary)
    if summary.scheme == MIXED:
        yield f"float operators: {painted(named_counts(summary.float_operators), 'float')}"
    if summary.custom_operators:
        yield f"custom operators: {named_counts(summary.custom_operators)}"
    if summary.compressed:
        yield f"compressed: {compressed_text(summary)}"


def _ends(
    subgraph: Subgraph,
    names: dict[tuple[int, str, int], str],
    budget: Budget,
    width: int | None,
) -> Iterator[str]:
    """Yield a line for each input and output, with all that firmware needs."""
    rows = []
    for end, tensors in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        for tensor in tensors[:_MOST_ENDS]:
            name = names.get((subgraph.index, end, tensor.index), tensor.name)
            shown = for_terminal(name) if width is None else shortened(for_terminal(name), 24)
            kind = f"{tensor.type.name} {dimensions(tensor.shape_signature)}"
            rows.append(_charged((end, shown, kind, *_end_facts(tensor)), budget))
    if not rows:
        return
    widths = [min(max(map(len, column)), _LONGEST_END) for column in zip(*rows, strict=True)]
    is_wide = width is not None and sum(widths) + 2 * len(widths) - 2 > width
    for row in rows:
        cells = [cell.ljust(wide) for cell, wide in zip(row, widths, strict=True)]
        ends, facts = "  ".join(cells[:3]).rstrip(), "  ".join(cells[3:]).rstrip()
        if is_wide:
            yield ends
            if facts:
                yield f"        {facts}"
        else:
            yield "  ".join(cells).rstrip()
    for end, tensors in (("inputs", subgraph.inputs), ("outputs", subgraph.outputs)):
        if len(tensors) > _MOST_ENDS:
            yield f"... {len(tensors)} {end}"


def _end_facts(tensor: Tensor) -> tuple[str, str, str]:
    """Return scale, zero point and real range of an input or output."""
    scheme = tensor.quantization
    if isinstance(scheme, schemes.NotQuantized):
        return "", "", ""
    scale, zero_point, _ = parameters(scheme)
    ends = real_range(tensor)
    real = "" if ends is None else f"real {ends[0]:.3g} .. {ends[1]:.3g}"
    return f"scale {scale}", f"zero point {zero_point:>4}" if zero_point else "", real


def _extras(model: Model, budget: Budget) -> Iterator[str]:
    """Yield signatures, metadata, files that are packed behind the model, and its description."""
    for signature in model.signatures:
        ends = (", ".join(map(for_terminal, end)) for end in (signature.inputs, signature.outputs))
        line = f"signature {for_terminal(signature.key)}: {' -> '.join(ends)}"
        if len(model.subgraphs) > 1:
            line += f" (subgraph {signature.subgraph.index})"
        yield _charged((line,), budget)[0]
    for entry in model.metadata:
        size = entry.buffer.nbytes
        line = f"metadata {for_terminal(entry.name)}: {size:,} {plural('byte', size)}"
        yield _charged((line,), budget)[0]
    yield from _packed(model, budget)


def _packed(model: Model, budget: Budget) -> Iterator[str]:
    try:
        files = model.packed_files
    except TFLiteError as error:
        yield f"packed files: {for_terminal(str(error))}"
        files = ()
    for file in files:
        line = f"packed file {for_terminal(file.name)}: {file.nbytes:,} bytes"
        yield _charged((line,), budget)[0]
    if model.description:
        yield f"description: {for_terminal(model.description)}"


def _charged(row: tuple[str, ...], budget: Budget) -> tuple[str, ...]:
    """Return a row whose characters have been charged."""
    budget.spend(CHARACTER_COST * sum(map(len, row)), "the table")
    return row


def tensor_row(tensor: Tensor) -> tuple[str, ...]:
    """Return the cells of a tensor in the table."""
    external, size = tensor.external_buffer, "" if tensor.nbytes is None else str(tensor.nbytes)
    return (
        str(tensor.index),
        type_text(tensor, " "),
        dimensions(tensor.shape_signature),
        size if external is None else f"{size} in {for_terminal(external.file)}",
        *parameters(tensor.quantization),
        tensor.role,
        for_terminal(tensor.name),
    )


def operator_lines(
    model: Model, subgraphs: Sequence[Subgraph], width: int | None = None
) -> Iterator[str]:
    """Yield for each subgraph a table of its operators, with their options in words.

    Parameters
    ----------
    model, subgraphs, width
        As `model_lines`.

    Raises
    ------
    CorruptModelError
        Operators share options, and the tables would be too large for a file of this size.
    """
    budget = model.structure.file.afresh().budget
    summary = model.summary()
    floats = {name for name, _ in summary.float_operators} if summary.scheme == MIXED else set()
    yield from _head(model)
    for subgraph in subgraphs:
        if len(model.subgraphs) > 1:
            yield f"\nsubgraph {subgraph.index} {for_terminal(subgraph.name)}".rstrip()
        rows = [
            _charged(operator_row(operator, budget, floats), budget)
            for operator in subgraph.operators
        ]
        if rows:
            yield from text_table(OPERATOR_COLUMNS, rows, width)
    if floats:
        yield "* some of these compute in float, in a model that mostly computes on integers"


def _listed(tensors: Sequence[Tensor | None]) -> str:
    """Return the indices of operands; JSON has all of very many."""
    listed = ",".join(map(str, indices(tensors[:_MOST_OPERANDS])))
    return f"{listed},... {len(tensors)} tensors" if len(tensors) > _MOST_OPERANDS else listed


def operator_row(operator: Operator, budget: Budget, floats: set[str]) -> tuple[str, ...]:
    """Return the cells of an operator in the table."""
    custom = "CUSTOM " if operator.code.name == "CUSTOM" and operator.custom_name else ""
    operands = (operator.inputs, operator.outputs, operator.intermediates)
    try:
        cost = operator_cost(operator)
        counts = [f"{count:,}" if count else "" for count in (cost.macs, cost.parameters)]
    except CorruptModelError:
        # The options say why.
        counts = ["", ""]
    return (
        str(operator.index),
        for_terminal(custom + operator.name) + ("*" if operator.name in floats else ""),
        str(operator.version),
        *map(_listed, operands),
        *counts,
        options_text(operator, budget),
    )
