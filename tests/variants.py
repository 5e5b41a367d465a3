"""Changes to models of one operator: parameters, types, ranks, options, inputs that are absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from tests import build
from tests.build import TensorSpec
from tests.one_operator import OneOperator, packed
from tflite_quant.checks.rule import Operand, Role, Rule
from tflite_quant.format.schema import INTEGER_RANGES, TensorType

__all__ = ["inputs_of", "variants"]

T = TensorType
_ACTIVATIONS = (T.INT8, T.UINT8, T.INT16, T.INT32, T.FLOAT32)
_WEIGHTS = (T.INT8, T.UINT8, T.INT16, T.INT4, T.INT2, T.FLOAT32, T.FLOAT16)
_BIASES = (T.INT8, T.INT16, T.INT32, T.INT64, T.FLOAT32)
_FILLS = {T.INT8: -3, T.UINT8: 200, T.INT16: -300, T.INT32: 3000, T.INT64: 3000}
_OTHERS = (T.INT32, T.INT64, T.FLOAT32, T.BOOL)


def variants(one: OneOperator, rule: Rule) -> Iterator[tuple[str, OneOperator]]:
    """Yield a model as it should be, then models with one change, each with what is changed."""
    yield "as it should be", one
    for index, tensor in enumerate(one.tensors):
        operand = one.operand(rule, index)
        if tensor is None or operand is None:
            continue
        name = tensor.name
        for what, changes in _changes(tensor, operand):
            yield f"{name}: {what}", one.with_tensor(index, **changes)
    yield from _absent(one)
    yield from _options(one)


def _changes(tensor: TensorSpec, operand: Operand) -> Iterator[tuple[str, dict[str, Any]]]:
    if tensor.scale is not None:
        yield from _parameters(tensor, operand)
    yield from _types(tensor, operand)
    shape = tuple(tensor.shape or ())
    yield "a dimension more", {"shape": (1, *shape)}
    if shape[:1] == (1,):
        yield "a dimension less", {"shape": shape[1:]}


def _parameters(tensor: TensorSpec, operand: Operand) -> Iterator[tuple[str, dict[str, Any]]]:
    scale, zero = np.asarray(tensor.scale, np.float32), np.asarray(tensor.zero_point)
    off = 9
    if operand.role is Role.BIAS:
        off = 5000
    if T.INT16 in operand.types or T.INT64 in operand.types:
        off *= 128
    yield "another zero point", {"zero_point": zero + off}
    yield "a zero point of another type", {"zero_point": zero + 40_000}
    yield "another scale", {"scale": scale * (30 if operand.role is Role.BIAS else 0.75)}
    yield "no scale", {"scale": None, "zero_point": None}
    shape = tuple(tensor.shape or ())
    for axis, size in enumerate(shape):
        if size > 1 and not (axis == tensor.axis and scale.size == size):
            several = np.linspace(0.5, 1, size, dtype=np.float32) * scale.flat[0]
            zeros = np.full(size, zero.flat[0])
            yield f"scales along axis {axis}", {"scale": several, "zero_point": zeros, "axis": axis}
    if scale.size > 1:
        yield "one scale", {"scale": scale[:1], "zero_point": zero[:1]}
        yield "a scale less", {"scale": scale[1:], "zero_point": zero[1:]}


def _types(tensor: TensorSpec, operand: Operand) -> Iterator[tuple[str, dict[str, Any]]]:
    types = {Role.ACTIVATION: _ACTIVATIONS, Role.WEIGHT: _WEIGHTS, Role.BIAS: _BIASES}.get(
        operand.role, _OTHERS
    )
    if not operand.types:
        return
    for type in types:
        if type != tensor.type:
            changes: dict[str, Any] = {"type": int(type)}
            if tensor.data is not None:
                # So large that it shows if a kernel reads them as another type.
                value = _FILLS.get(type, 1) * (128 if T.INT64 in operand.types else 1)
                values = np.full(tuple(tensor.shape or ()), value, np.int64)
                changes["data"] = packed(values, type)
            if tensor.scale is not None and type not in INTEGER_RANGES:
                changes |= {"scale": None, "zero_point": None}
            elif tensor.scale is not None and operand.role is Role.ACTIVATION:
                changes["zero_point"] = 0
            yield f"type {type.name}", changes


def _absent(one: OneOperator) -> Iterator[tuple[str, OneOperator]]:
    for index, tensor in enumerate(one.inputs):
        if tensor is not None and index:
            inputs = (*one.inputs[:index], None, *one.inputs[index + 1 :])
            yield f"{tensor.name}: absent", replace(one, inputs=inputs)
    if len(one.inputs) > 1:
        yield "an input less", replace(one, inputs=one.inputs[:-1])


def _options(one: OneOperator) -> Iterator[tuple[str, OneOperator]]:
    fields: dict[str, Any] = {
        "fused_activation_function": range(1, 6),
        "padding": (0, 1),
        "keep_num_dims": (True,),
        "asymmetric_quantize_inputs": (True,),
        "quantized_bias_type": (T.INT32, T.INT64, T.INT16),
    }
    for name, values in fields.items():
        camel = name.replace("_", " ").title().replace(" ", "")
        if one.table is not None and hasattr(tflite, f"{one.table}Add{camel}"):
            for value in values:
                if one.options.get(name, 0) != value:
                    changed = one.with_options(**{name: int(value)})
                    yield (
                        f"{name} {int(value)}",
                        _fitting(changed) if name == "padding" else changed,
                    )


def _fitting(one: OneOperator) -> OneOperator:
    """Return it with the shape that its padding gives the output."""
    is_same = one.options["padding"] == 0
    (output,) = one.outputs
    channels = tuple(output.shape or ())[-1]
    if one.name == "TRANSPOSE_CONV":
        size = 4 if is_same else 5
        shape = build.constant(np.array([1, size, size, channels], np.int32), name="input 0")
        one = replace(one, inputs=(shape, *one.inputs[1:]))
    elif one.name.endswith("POOL_2D"):
        size = 2
    else:
        size = 4 if is_same else 3
    return replace(one, outputs=(replace(output, shape=(1, size, size, channels)),))


_POSITIVE = {"DIV", "LOG", "RSQRT", "SQRT"}
"""Operators of positive values."""


def inputs_of(one: OneOperator, seed: int = 3) -> list[NDArray[Any]]:
    """Return values for the inputs that are fed."""
    random = np.random.default_rng(seed)
    found: list[NDArray[Any]] = []
    for tensor in one.inputs:
        if tensor is None or tensor.data is not None:
            continue
        type, shape = TensorType(tensor.type), tuple(tensor.shape or ())
        is_positive = one.name in _POSITIVE
        if type in (T.FLOAT32, T.FLOAT16):
            low = 0.1 if is_positive else -3.0
            found.append(random.uniform(low, 3, shape).astype(type.name.lower()))
        elif type is T.BOOL:
            found.append(random.integers(0, 2, shape).astype(bool))
        else:
            low, high = INTEGER_RANGES[type]
            zero = 0 if tensor.zero_point is None else int(np.ravel(tensor.zero_point)[0])
            if is_positive and zero + 10 < high:
                low = zero + 10
            ends = (max(low, -20_000), min(high, 20_000))
            values = random.integers(*ends, shape, endpoint=True)
            if one.name == "WHERE":
                values.flat[:2] = max(low, min(high, zero)), 0
            found.append(values.astype(type.name.lower()))
    return found
