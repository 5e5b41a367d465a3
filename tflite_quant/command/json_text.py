"""A model as JSON text, and as the plain data that it is made of.

Numbers are exact: a scale has the value of its float32. NaN and infinities, which JSON lacks, are
the strings "nan", "inf" and "-inf". A string that is not UTF-8, as any bytes among options, is an
object with the key "base64"; a custom operator's "custom_data" and the content of a custom
quantization are hexadecimal. Names that are not UTF-8 are escaped.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..escape import for_json
from ..firmware.cost import model_cost, operator_cost
from ..firmware.memory_plan import MemoryPlan, memory_plan
from ..format.budget import Budget
from ..model import quantization as schemes
from ..model.block_quantization import MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from ..summary.records import indices

_VALUE_COST, _CHARACTER_COST = 128, 4
"""What a number or string in the text is charged, and a character of it: time, too."""
_PARTS = 500
"""Parts of the text that are put together."""

_ENCODER = json.JSONEncoder(allow_nan=False)


def _encode(value: str | float | None) -> str:
    # Most values are integers, for which the encoder would be a detour.
    return str(value) if type(value) is int else for_json(_ENCODER.encode(value))


def _short(value: Any, indent: str) -> str | None:
    """Return a scalar, or a short list of scalars, as text; None for anything else."""
    if value is None or isinstance(value, str | int | float):
        return _encode(value)
    if type(value) is not list or len(value) > _PARTS:
        return None
    if not {*map(type, value)} <= {int, float, str}:
        return None
    inner = f"{indent} "
    return f"[{inner}{f',{inner}'.join(map(_encode, value))}{indent}]" if value else "[]"


def json_text(data: Any, budget: Budget | None = None, indent: str = "\n") -> Iterator[str]:
    """Yield JSON text piece by piece, so that it is never in memory as a whole.

    Parameters
    ----------
    data : dict, list, iterator, or array
        An iterator is a list whose items are made one by one.
    budget : Budget, optional
        It is charged for the text.

    Examples
    --------
    >>> print("".join(json_text({"a": [1, None], "b": iter([]), "c": np.array([[2.5]])})))
    {
     "a": [
      1,
      null
     ],
     "b": [],
     "c": [
      [
       2.5
      ]
     ]
    }
    """
    if isinstance(data, np.ndarray):
        # An array without values may have billions of empty rows.
        data = _rows(data) if data.ndim > 1 and data.size else _elements(data.reshape(-1))
    inner, is_dict, is_empty = f"{indent} ", isinstance(data, dict), True
    parts = ["{" if is_dict else "["]
    for item in data.items() if is_dict else data:
        key, value = (f"{_encode(item[0])}: ", item[1]) if is_dict else ("", item)
        parts.append(f"{'' if is_empty else ','}{inner}{key}")
        is_empty = False
        if isinstance(value, np.ndarray) and not value.ndim:
            value = _array_data(value)
        text = _short(value, inner)
        if text is not None:
            parts.append(text)
            if budget is not None:
                count = len(value) if isinstance(value, list) else 1
                budget.spend(_VALUE_COST * count + _CHARACTER_COST * len(text), "the JSON text")
        if text is None or len(parts) > _PARTS:
            yield "".join(parts)
            parts = []
        if text is None:
            yield from json_text(value, budget, inner)
    yield "".join(parts) + ("" if is_empty else indent) + ("}" if is_dict else "]")


def json_line(record: Mapping[str, Any]) -> str:
    """Return a flat record as JSON in one line.

    Examples
    --------
    >>> print(json_line({"name": "x", "scales": [0.5, float("inf")]}))
    {"name": "x", "scales": [0.5, "inf"]}
    """
    data = {
        key: [_finite(item) for item in value] if isinstance(value, list) else _finite(value)
        for key, value in record.items()
    }
    return for_json(_ENCODER.encode(data))


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def model_json(model: Model, subgraphs: Sequence[Subgraph]) -> Iterator[str]:
    """Yield what `show --json` prints about a model.

    Parameters
    ----------
    model : Model
    subgraphs : sequence of Subgraph
        The subgraphs to include.

    Raises
    ------
    CorruptModelError
        Operators share options, and the JSON would be too large for a file of this size.
    """
    budget = model.structure.file.afresh().budget
    return json_text(_model_data(model, subgraphs, budget), budget)


def _model_data(model: Model, subgraphs: Sequence[Subgraph], budget: Budget) -> dict[str, Any]:
    return {
        "file": model.name,
        "version": model.version,
        "description": model.description,
        "summary": {
            key: dict(value) if key.endswith("_operators") else _json(value)
            for key, value in model.summary()._asdict().items()
        },
        **_firmware_data(model),
        "subgraphs": (
            {
                "index": subgraph.index,
                "name": subgraph.name,
                "inputs": [tensor.index for tensor in subgraph.inputs],
                "outputs": [tensor.index for tensor in subgraph.outputs],
                "tensors": map(tensor_facts, subgraph.tensors),
                "operators": (operator_data(each, budget) for each in subgraph.operators),
            }
            for subgraph in subgraphs
        ),
        "signatures": (
            {
                "key": signature.key,
                "subgraph": signature.subgraph.index,
                "inputs": {name: tensor.index for name, tensor in signature.inputs.items()},
                "outputs": {name: tensor.index for name, tensor in signature.outputs.items()},
            }
            for signature in model.signatures
        ),
        "metadata": (
            {"name": entry.name, "buffer": entry.buffer.index, "bytes": entry.buffer.nbytes}
            for entry in model.metadata
        ),
        "packed_files": [file._asdict() for file in model.packed_files],
    }


def _firmware_data(model: Model) -> dict[str, Any]:
    """Return what a model needs of a microcontroller."""
    data: dict[str, Any] = {"memory": None}
    try:
        data["memory"] = _memory_data(memory_plan(model))
    except TFLiteError as error:
        data["memory_error"] = str(error)
    try:
        cost = model_cost(model)
        data |= {"macs": cost.macs, "parameters": cost.parameters}
    except TFLiteError as error:
        data |= {"macs": None, "parameters": None, "macs_error": str(error)}
    return data


def _memory_data(plan: MemoryPlan) -> dict[str, Any]:
    def place(owner: Tensor | Operator | None) -> dict[str, Any] | None:
        return None if owner is None else {"subgraph": owner.subgraph_index, "index": owner.index}

    return {
        "runtime": "tflm",
        "head": plan.head,
        "lower_bound": plan.lower_bound,
        "peak": place(plan.peak),
        "tail_estimate": plan.tail_estimate,
        "arena_estimate": plan.arena_estimate,
        "buffers": (
            {
                "tensor": place(buffer.tensor),
                "operator": place(buffer.operator),
                "offset": buffer.offset,
                "size": buffer.size,
                "first_use": buffer.first_use,
                "last_use": buffer.last_use,
            }
            for buffer in plan.buffers
        ),
        "uncertain": (
            {"operator": place(each.operator), "reason": each.reason} for each in plan.uncertain
        ),
    }


def operator_data(operator: Operator, budget: Budget) -> dict[str, Any]:
    """Return an operator with its options; custom options are decoded if they are a map."""
    data: dict[str, Any] = {
        "index": operator.index,
        "name": operator.code.name,
        "version": operator.version,
        "inputs": indices(operator.inputs),
        "outputs": indices(operator.outputs),
        "intermediates": indices(operator.intermediates),
        "macs": None,
        "parameters": None,
    }
    try:
        cost = operator_cost(operator)
        data |= {"macs": cost.macs, "parameters": cost.parameters}
        if operator.options_name is not None:
            data["options_name"] = operator.options_name
            # A table may have a field of that name itself, as StablehloCompositeOptions has.
            data["options"] = {"name": operator.options_name} | _json(dict(operator.options))
        if operator.custom_name is not None:
            data["custom_name"] = operator.custom_name
            data["custom_data"] = operator.custom_data.tobytes().hex()
            data["custom_options"] = _json(operator.read_custom_options(budget))
    except TFLiteError as error:
        data["options_error"] = str(error)
    return data


def tensor_json(tensor: Tensor) -> Iterator[str]:
    """Yield what `show --json --tensor` prints: a tensor as in `model_json`, with its values.

    The stored values are in "data", the real ones in "real". Either is null if it cannot be
    computed; "data_error" or "real_error" then says why.
    """
    values: dict[str, Any] = {}
    for key, read in (("data", lambda: tensor.data), ("real", tensor.dequantize)):
        try:
            values[key] = read()
        except TFLiteError as error:
            values |= {key: None, f"{key}_error": str(error)}
    return json_text(tensor_facts(tensor) | values)


def listed_json(tensors: Sequence[Tensor]) -> Iterator[str]:
    """Yield a list of what `tensor_json` yields of each tensor."""
    for number, tensor in enumerate(tensors):
        yield ",\n" if number else "[\n"
        yield from tensor_json(tensor)
    yield "\n]"


def tensor_facts(tensor: Tensor) -> dict[str, Any]:
    """Return everything about a tensor but its values."""
    facts: dict[str, Any] = {
        "index": tensor.index,
        "name": tensor.name,
        "type": tensor.type.name,
        "shape": list(tensor.shape),
        "shape_signature": list(tensor.shape_signature),
        "bytes": tensor.nbytes,
        "buffer": tensor.buffer.index,
        "role": tensor.role,
        "constant": tensor.is_constant,
        "variable": tensor.is_variable,
        "quantization": quantization_data(tensor.quantization),
    }
    if tensor.external_buffer is not None:
        facts["external_buffer"] = tensor.external_buffer._asdict()
    if tensor.is_compressed:
        try:
            facts["compression"] = dict(vars(tensor.compression))
        except TFLiteError as error:
            facts |= {"compression": None, "compression_error": str(error)}
    if tensor.is_sparse:
        try:
            facts["sparsity"] = _sparsity_data(tensor)
        except TFLiteError as error:
            facts |= {"sparsity": None, "sparsity_error": str(error)}
    return facts


def _sparsity_data(tensor: Tensor) -> dict[str, Any]:
    sparsity = tensor.sparsity
    assert sparsity is not None
    return {
        "traversal_order": list(sparsity.traversal_order),
        "block_map": list(sparsity.block_map),
        "dimensions": [_json(vars(dimension)) for dimension in sparsity.dimensions],
    }


def quantization_data(quantization: schemes.Quantization) -> dict[str, Any]:
    """Return the scheme of a quantization and its parameters."""
    data: dict[str, Any] = {"scheme": quantization.scheme} | _parameters(quantization)
    for key, values in (("min", quantization.min), ("max", quantization.max)):
        if values is not None:
            data[key] = _json(values)
    return data


def _parameters(quantization: schemes.Quantization) -> dict[str, Any]:
    match quantization:
        case schemes.NotQuantized():
            return {}
        case schemes.PerTensor(scale=scale, zero_point=zero_point):
            axis = quantization.quantized_dimension
            return {"scale": [_json(scale)], "zero_point": [zero_point], "axis": axis}
    data = {"scale": _json(quantization.scales), "zero_point": _json(quantization.zero_points)}
    match quantization:
        case schemes.PerAxis():
            return data | {"axis": quantization.axis}
        case schemes.Custom():
            return {"content": quantization.content.tobytes().hex()} | data
        case schemes.UnknownScheme():
            details = {"type": quantization.details_type, "name": quantization.name}
            return {"details": details} | data
    data |= {
        "scale_tensor": quantization.scales_tensor,
        "zero_point_tensor": quantization.zero_points_tensor,
        "block_size": quantization.block_size,
        "axis": quantization.quantized_dimension,
    }
    if isinstance(quantization, MultiAxis):
        return data | {"axes": list(quantization.axes)}
    return data | {"block_shape": list(quantization.block_shape)}


def _json(value: Any) -> Any:
    """Return a Python value as JSON data; arrays become text piece by piece, later."""
    match value:
        case dict():
            return {str(key): _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case bytes():
            return {"base64": base64.b64encode(value).decode()}
        case float():
            return value if math.isfinite(value) else str(value)
    return value


def _string(content: bytes) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _json(content)


def _rows(values: NDArray[Any]) -> Iterator[Any]:
    """Yield the rows of an array: long ones as arrays, short ones as lists, many made at once."""
    if (size := values[0].size) > _PARTS:
        yield from values
        return
    step = _PARTS // size
    for start in range(0, len(values), step):
        yield from _array_data(values[start : start + step])


def _elements(values: NDArray[Any]) -> Iterator[Any]:
    """Yield the elements of a vector; only a few are Python's own objects at any time."""
    for start in range(0, values.size, _PARTS):
        yield from _array_data(values[start : start + _PARTS])


def _array_data(values: NDArray[Any]) -> Any:
    """Return an array as nested lists; its strings become text if they are UTF-8."""
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], axis=-1)
    if values.dtype.kind == "O" and values.size:
        values = np.vectorize(_string, "O")(values)
    elif values.dtype.kind == "f" and not np.isfinite(values).all():
        # Converting a signalling NaN to a wider type is an invalid operation for the processor.
        with np.errstate(invalid="ignore"):
            values = np.vectorize(lambda number: _json(float(number)), "O")(values)
    return values.tolist()
