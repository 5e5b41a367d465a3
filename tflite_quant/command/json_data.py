"""A model as plain data: dictionaries, lists, numbers and strings, which JSON can hold.

Numbers are exact: a scale is the value of its float32. What JSON has no number for is a string:
"nan", "inf", "-inf". Bytes are in hexadecimal; strings that are not UTF-8 are escaped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import (
    Custom,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
)
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor

__all__ = ["model_data", "operator_data", "quantization_data", "tensor_data", "tensor_facts"]


def model_data(model: Model, subgraphs: Sequence[Subgraph]) -> dict[str, Any]:
    """Give what JSON shows of a model.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        Those to show.

    Raises
    ------
    CorruptModelError
        Operators share large options so much that it would be out of all proportion.
    """
    return {
        "file": model.name,
        "version": model.version,
        "description": model.description,
        "summary": {
            key: dict(value) if key.endswith("_operators") else _json(value)
            for key, value in model.summary()._asdict().items()
        },
        "subgraphs": [
            {
                "index": subgraph.index,
                "name": subgraph.name,
                "inputs": [tensor.index for tensor in subgraph.inputs],
                "outputs": [tensor.index for tensor in subgraph.outputs],
                "tensors": [tensor_facts(tensor) for tensor in subgraph.tensors],
                "operators": [operator_data(operator) for operator in subgraph.operators],
            }
            for subgraph in subgraphs
        ],
        "signatures": [
            {
                "key": signature.key,
                "subgraph": signature.subgraph.index,
                "inputs": {name: tensor.index for name, tensor in signature.inputs.items()},
                "outputs": {name: tensor.index for name, tensor in signature.outputs.items()},
            }
            for signature in model.signatures
        ],
        "metadata": [
            {"name": entry.name, "buffer": entry.buffer.index, "bytes": entry.buffer.nbytes}
            for entry in model.metadata
        ],
    }


def operator_data(operator: Operator) -> dict[str, Any]:
    """Give an operator with its options; custom ones decoded where they are a FlexBuffer map."""
    ends = {
        key: [-1 if tensor is None else tensor.index for tensor in tensors]
        for key, tensors in (
            ("inputs", operator.inputs),
            ("outputs", operator.outputs),
            ("intermediates", operator.intermediates),
        )
    }
    head = {"index": operator.index, "name": operator.name, "version": operator.version}
    return head | ends | _options_data(operator)


def _options_data(operator: Operator) -> dict[str, Any]:
    data: dict[str, Any] = {}
    try:
        if operator.options_name is not None:
            data["options"] = {"name": operator.options_name} | _json(dict(operator.options))
        if operator.custom_name is not None:
            data |= {
                "custom_name": operator.custom_name,
                "custom_data": _json(operator.custom_data),
            }
            data["custom_options"] = _json(operator.custom_options)
    except TFLiteError as error:
        data["options_error"] = str(error)
    return data


def _json(value: Any) -> Any:
    """Turn plain Python values into what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _json(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_json(one) for one in value]
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, np.ndarray):
        return value.tobytes().hex()
    return _number(value) if isinstance(value, float) else value


def tensor_data(tensor: Tensor) -> dict[str, Any]:
    """Give what JSON shows of one tensor: as in `model_data`, with its values.

    Beside the stored values in "data" stand the real ones in "real"; each is null where it cannot
    be had, and "data_error" or "real_error" says why.
    """
    values: dict[str, Any] = {}
    for key, read in (("data", lambda: tensor.data), ("real", tensor.dequantize)):
        try:
            values[key] = _plain(read())
        except TFLiteError as error:
            values |= {key: None, f"{key}_error": str(error)}
    return tensor_facts(tensor) | values


def tensor_facts(tensor: Tensor) -> dict[str, Any]:
    """Give what there is to know of a tensor but its values."""
    return {
        "index": tensor.index,
        "name": tensor.name,
        "type": tensor.type.name,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "bytes": tensor.nbytes,
        "buffer": tensor.buffer.index,
        "constant": tensor.is_constant,
        "variable": tensor.is_variable,
        "quantization": quantization_data(tensor.quantization),
    } | _elsewhere(tensor)


def _elsewhere(tensor: Tensor) -> dict[str, Any]:
    """Give what few tensors have: values in another file, or stored without those that are zero."""
    data: dict[str, Any] = {}
    if tensor.external_buffer is not None:
        data["external_buffer"] = tensor.external_buffer._asdict()
    if not tensor.is_sparse:
        return data
    try:
        sparsity = tensor.sparsity
    except TFLiteError as error:
        return data | {"sparsity": None, "sparsity_error": str(error)}
    assert sparsity is not None
    return data | {
        "sparsity": {
            "traversal_order": list(sparsity.traversal_order),
            "block_map": list(sparsity.block_map),
            "dimensions": [
                {key: v if isinstance(v, int) else _plain(v) for key, v in vars(one).items()}
                for one in sparsity.dimensions
            ],
        }
    }


def quantization_data(quantization: Quantization) -> dict[str, Any]:
    """Give the scheme and its parameters."""
    data: dict[str, Any] = {"scheme": quantization.scheme} | _scheme_data(quantization)
    for key, values in (("min", quantization.min), ("max", quantization.max)):
        if values is not None:
            data[key] = _plain(values)
    return data


def _scheme_data(quantization: Quantization) -> dict[str, Any]:
    match quantization:
        case PerTensor(scale, zero_point, axis):
            return {"scale": [_number(scale)], "zero_point": [zero_point], "axis": axis}
        case PerAxis(scales, zero_points, axis):
            return {"scale": _plain(scales), "zero_point": _plain(zero_points), "axis": axis}
        case Blockwise():
            return _tensors_data(quantization) | {"block_shape": list(quantization.block_shape)}
        case MultiAxis():
            return _tensors_data(quantization) | {"axes": list(quantization.axes)}
        case Custom(content, scales, zero_points):
            values = {"scale": _plain(scales), "zero_point": _plain(zero_points)}
            return {"content": content.tobytes().hex()} | values
        case UnknownScheme(number, name, scales, zero_points):
            values = {"scale": _plain(scales), "zero_point": _plain(zero_points)}
            return {"details": {"type": number, "name": name}} | values
        case NotQuantized():
            return {}


def _tensors_data(quantization: Blockwise | MultiAxis) -> dict[str, Any]:
    scales, zeros = quantization.scales, quantization.zero_points
    return {
        "scale": None if scales is None else _plain(scales),
        "zero_point": None if zeros is None else _plain(zeros),
        "scale_tensor": quantization.scales_tensor,
        "zero_point_tensor": quantization.zero_points_tensor,
        "block_size": quantization.block_size,
        "axis": quantization.quantized_dimension,
    }


def _plain(values: NDArray[Any]) -> Any:
    """Turn an array into nested lists of what JSON can hold; bytes become text, or are escaped."""
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], axis=-1)
    if values.dtype.kind == "O":
        values = np.vectorize(_text, otypes=[object])(values) if values.size else values
    elif values.dtype.kind == "f" and not np.isfinite(values).all():
        # Widening a signalling NaN is an invalid operation to the processor.
        with np.errstate(invalid="ignore"):
            values = np.vectorize(_number, otypes=[object])(values)
    return values.tolist()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else str(float(value))
