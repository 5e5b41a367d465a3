"""Tensors and operators as flat dictionaries, of which data frames are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import TFLiteError
from ..format.budget import CHARACTER_COST, NUMBER_COST, Budget
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import NotQuantized, PerAxis, PerTensor
from ..model.tensor import Tensor
from .options import options_text

_FACTS = 20
"""About how many facts a record has."""


def tensor_records(model: Model) -> list[dict[str, Any]]:
    """Return a dictionary for each tensor of a model, with the same keys and types of values.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of dict
        For each tensor: 'subgraph' and 'index'; 'name', 'type', 'role' and 'scheme' as text;
        'shape' and 'shape_signature', lists of int; 'bytes', an int, or None where no size is
        known; 'constant', 'variable' and 'sparse', booleans; 'buffer', an index; 'scale' and
        'zero_point' of a tensor with one of each, else None; 'scales' and 'zero_points', lists,
        per-tensor and per-axis; 'axis', an int per-axis, else None; 'low' and 'high', the least
        and the greatest real value that its integers stand for, or None; 'producer', the index of
        an operator or None, and 'consumers', a list of indices; 'compression', the scheme by which
        its values are compressed, "unreadable" if that cannot be read, or None.

    Raises
    ------
    CorruptModelError
        Tensors share names or scales, and the records would be too large for a file of this size.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     record = tensor_records(model)[17]
    >>> record["name"], record["role"], record["axis"], len(record["scales"])
    ('residual_1/stem_conv_1/convolution', 'weight', 0, 32)
    """
    budget = model.structure.file.afresh().budget
    return [_tensor(each, budget) for graph in model.subgraphs for each in graph.tensors]


def _tensor(tensor: Tensor, budget: Budget) -> dict[str, Any]:
    scheme = tensor.quantization
    affine = scheme if isinstance(scheme, PerTensor | PerAxis) else NotQuantized()
    count = affine.scales.size + affine.zero_points.size
    numbers = _FACTS + len(tensor.shape) + len(tensor.consumers) + count
    budget.spend(NUMBER_COST * numbers + CHARACTER_COST * len(tensor.name), "the records")
    one = scheme if isinstance(scheme, PerTensor) else None
    low, high = real_range(tensor) or (None, None)
    producer = tensor.producer
    return {
        "subgraph": tensor.subgraph_index,
        "index": tensor.index,
        "name": tensor.name,
        "type": tensor.type.name,
        "role": tensor.role,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "bytes": tensor.nbytes,
        "constant": tensor.is_constant,
        "variable": tensor.is_variable,
        "sparse": tensor.is_sparse,
        "buffer": tensor.buffer.index,
        "scheme": scheme.scheme,
        "scale": None if one is None else one.scale,
        "zero_point": None if one is None else one.zero_point,
        "scales": affine.scales.tolist(),
        "zero_points": affine.zero_points.tolist(),
        "axis": affine.axis,
        "low": low,
        "high": high,
        "producer": None if producer is None else producer.index,
        "consumers": [operator.index for operator in tensor.consumers],
        "compression": _compression(tensor),
    }


def _compression(tensor: Tensor) -> str | None:
    """Return the scheme of a compressed tensor."""
    if not tensor.is_compressed:
        return None
    try:
        facts = tensor.compression
    except TFLiteError:
        return "unreadable"
    return None if facts is None else facts.scheme


def real_range(tensor: Tensor) -> tuple[float, float] | None:
    """Return the least and the greatest real value that a tensor's integers stand for.

    None where that is not known: without scales, where they cannot be applied, or where the
    integers are encoded.
    """
    try:
        ends = None if tensor.role == "encoded" else tensor.range
    except TFLiteError:
        return None
    return None if ends is None else (float(ends[0].min()), float(ends[1].max()))


def operator_records(model: Model) -> list[dict[str, Any]]:
    """Return a dictionary for each operator of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of dict
        For each operator: 'subgraph', 'index' and 'version', ints; 'name' and 'code', text;
        'inputs', 'outputs' and 'intermediates', lists of indices of tensors, -1 where one is left
        out; 'options', text.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     operator_records(model)[0]["options"]
    'padding=SAME, stride_w=2, stride_h=2, fused_activation=RELU'
    """
    budget = model.structure.file.afresh().budget
    return [_operator(each, budget) for graph in model.subgraphs for each in graph.operators]


def _operator(operator: Operator, budget: Budget) -> dict[str, Any]:
    operands = (operator.inputs, operator.outputs, operator.intermediates)
    options = options_text(operator, budget)
    size = NUMBER_COST * (_FACTS + sum(map(len, operands)))
    budget.spend(size + CHARACTER_COST * len(operator.name), "the records")
    return {
        "subgraph": operator.subgraph_index,
        "index": operator.index,
        "name": operator.name,
        "code": operator.code.name,
        "version": operator.version,
        "inputs": indices(operator.inputs),
        "outputs": indices(operator.outputs),
        "intermediates": indices(operator.intermediates),
        "options": options,
    }


def indices(tensors: Sequence[Tensor | None]) -> list[int]:
    """Return the indices of some tensors; -1 for one that is left out."""
    return [-1 if tensor is None else tensor.index for tensor in tensors]
