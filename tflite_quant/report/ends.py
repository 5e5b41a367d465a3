"""The inputs and outputs of a model, with how to quantize and to dequantize them."""

from __future__ import annotations

import math

from ..escape import shortened
from ..format.schema import INTEGER_RANGES
from ..model.model import Model
from ..model.quantization import NotQuantized, PerTensor
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from ..summary.records import real_range
from ..summary.words import dimensions, names_in_signatures, number, parameters
from .content import End, Ends
from .limits import LONGEST_NAME, MOST_ENDS, MOST_SUBGRAPHS


def ends_of(model: Model) -> tuple[Ends, ...]:
    """Return the inputs and outputs of the first subgraphs."""
    names = names_in_signatures(model)
    return tuple(
        [
            _of_a_subgraph(graph, names, len(model.subgraphs) > 1)
            for graph in model.subgraphs[:MOST_SUBGRAPHS]
        ]
    )


def _of_a_subgraph(graph: Subgraph, names: dict[tuple[int, str, int], str], is_named: bool) -> Ends:
    name = shortened(graph.name, LONGEST_NAME)
    title = f"subgraph {graph.index} {name}".rstrip() if is_named else ""
    ends = [
        _end(kind, tensor, names.get((graph.index, kind, tensor.index), tensor.name))
        for kind, tensors in (("input", graph.inputs), ("output", graph.outputs))
        for tensor in tensors[:MOST_ENDS]
    ]
    return Ends(title, tuple(ends), len(graph.inputs) + len(graph.outputs) - len(ends))


def _end(kind: str, tensor: Tensor, name: str) -> End:
    scheme = tensor.quantization
    is_quantized = not isinstance(scheme, NotQuantized)
    scale, zero_point, _ = parameters(scheme) if is_quantized else ("", "", "")
    ends = real_range(tensor)
    return End(
        kind=kind,
        name=shortened(name, LONGEST_NAME),
        type=tensor.type.name,
        shape=dimensions(tensor.shape_signature),
        scale=scale,
        zero_point=zero_point,
        real="" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}",
        formula=quantization_formula(tensor) if kind == "input" else dequantization_formula(tensor),
    )


def quantization_formula(tensor: Tensor) -> str:
    """Return how an integer is computed from a real value; nothing if one scale does not say it.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     quantization_formula(model.inputs[0])
    'q = clamp(round(real / 0.032450795) + 4, -128, 127)'
    """
    if (scheme := _affine(tensor)) is None:
        return ""
    low, high = INTEGER_RANGES[tensor.type]
    rounded = f"round(real / {number(scheme.scale)}){_signed(scheme.zero_point)}"
    return f"q = clamp({rounded}, {low}, {high})"


def dequantization_formula(tensor: Tensor) -> str:
    """Return how a real value is computed from an integer; nothing if one scale does not say it.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     dequantization_formula(model.outputs[0])
    'real = (q + 128) * 0.00390625'
    """
    if (scheme := _affine(tensor)) is None:
        return ""
    difference = f"(q{_signed(-scheme.zero_point)})" if scheme.zero_point else "q"
    return f"real = {difference} * {number(scheme.scale)}"


def _affine(tensor: Tensor) -> PerTensor | None:
    """Return the scheme of integers with one scale that can be used."""
    scheme = tensor.quantization
    if tensor.type not in INTEGER_RANGES or not isinstance(scheme, PerTensor):
        return None
    return scheme if 0 < scheme.scale < math.inf else None


def _signed(number: int) -> str:
    if not number:
        return ""
    return f" + {number}" if number > 0 else f" - {-number}"
