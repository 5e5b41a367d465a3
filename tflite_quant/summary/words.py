"""Facts of models and tensors in a few words, as screens and pages show them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError, brief, plural
from ..model import quantization as schemes
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.tensor import Tensor
from .summary import Summary

_LONGEST_RANK = 16
"""Dimensions of a shape that is shown whole."""


def types_text(model: Model, summary: Summary) -> str:
    """Return the types of what is computed, and of weights and biases: Keras's two dtypes."""
    stored: dict[str, dict[str, None]] = {"weight": {}, "bias": {}}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if (tensor.is_constant or tensor.is_compressed) and tensor.role in stored:
                stored[tensor.role][tensor.type.name] = None
    parts = (
        ("computes", summary.compute_types),
        ("weights", stored["weight"]),
        ("biases", stored["bias"]),
    )
    known = [f"{word} {' and '.join(types)}" for word, types in parts if types]
    return ", ".join(known) or "no operator computes on numbers"


def operators_text(model: Model) -> str:
    """Return how many operators there are, and in how many subgraphs if there are several."""
    operators, graphs = sum(len(graph.operators) for graph in model.subgraphs), len(model.subgraphs)
    of_graphs = f" in {graphs} subgraphs" if graphs > 1 else ""
    return f"{operators} {plural('operator', operators)}{of_graphs}"


def names_in_signatures(model: Model) -> dict[tuple[int, str, int], str]:
    """Return the name that a signature gives each input and output of a subgraph."""
    names: dict[tuple[int, str, int], str] = {}
    for signature in model.signatures:
        for end, tensors in (("input", signature.inputs), ("output", signature.outputs)):
            for name, tensor in tensors.items():
                names.setdefault((signature.subgraph.index, end, tensor.index), name)
    return names


def reason(tensor: Tensor, error: TFLiteError) -> str:
    """Return an error's message without the name of the tensor, which stands beside it."""
    label = f"subgraph {tensor.subgraph_index}, tensor {tensor.index} {tensor.name!r}: "
    return str(error).removeprefix(label)


def type_text(tensor: Tensor, separator: str) -> str:
    """Return a tensor's type, and how its values are stored: 'INT8 sparse'."""
    words = ((tensor.is_sparse, "sparse"), (tensor.is_compressed, "compressed"))
    return separator.join([tensor.type.name, *(word for applies, word in words if applies)])


def dimensions(shape: tuple[int, ...]) -> str:
    """Return a shape without blanks; a very long one is cut."""
    if len(shape) > _LONGEST_RANK:
        return brief(shape)
    return f"[{','.join(map(str, shape))}]"


def parameters(quantization: schemes.Quantization) -> tuple[str, str, str]:
    """Return scale, zero point and axis, each in a few words."""
    match quantization:
        case schemes.PerTensor(scale=scale, zero_point=zero_point):
            return number(scale), str(zero_point), ""
        case schemes.PerAxis(scales=scales, zero_points=zero_points, axis=axis):
            return f"{scales.size}{_range(scales, ' in')}", _range(zero_points), str(axis)
        case Blockwise():
            blocks = f"by {quantization.block_shape or quantization.block_size}"
            return *_parameters_in_tensors(quantization), blocks
        case MultiAxis():
            return *_parameters_in_tensors(quantization), ",".join(map(str, quantization.axes))
        case schemes.Custom():
            return f"custom, {quantization.content.size} bytes", "", ""
        case schemes.UnknownScheme():
            return quantization.name, "", ""
        case schemes.NotQuantized():
            return "", "", ""


def _parameters_in_tensors(quantization: Blockwise | MultiAxis) -> tuple[str, str]:
    """Return scale and zero point, or which tensors have them if they cannot be read."""
    scales, zero_points = quantization.scales, quantization.zero_points
    scale = f"in tensor {quantization.scales_tensor}"
    if scales is not None:
        scale = f"{scales.size}{_range(scales, ' in')}"
    if zero_points is not None:
        return scale, _range(zero_points)
    zero_point_tensor = quantization.zero_points_tensor
    return scale, "0" if zero_point_tensor < 0 else f"in tensor {zero_point_tensor}"


def number(value: float) -> str:
    """Return a scale with the fewest digits that read back to it.

    Examples
    --------
    >>> number(float(np.float32(0.1))), number(1e300)
    ('0.1', '1e+300')
    """
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    # Scales that are a tensor of their own may be wider.
    return str(narrow) if float(narrow) == value else repr(value)


def _range(values: NDArray[Any], word: str = "") -> str:
    """Return the range of the values, '0.0011..0.0173', or their only value."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    shown = f"{low:.3g}" if low == high else f"{low:.3g}..{high:.3g}"
    return f"{word} {shown}" if word else shown
