"""What a model of one operator should compute: what the operator gives on real values, in float."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests import build
from tests import three_runtimes as runtimes
from tests.build import TensorSpec
from tests.one_operator import OneOperator
from tests.three_runtimes import Outputs
from tflite_quant.checks.rule import Role, Rule
from tflite_quant.format.schema import INTEGER_RANGES, TensorType

__all__ = ["Question", "expectations", "is_known", "is_right"]

T = TensorType

Question = tuple[OneOperator, Rule, list[NDArray[Any]]]
"""A model, the rule that it was made by, and the values of its inputs."""


def expectations(questions: Sequence[Question]) -> list[Outputs]:
    """Return what each operator gives on real values; None if that has no meaning, or is not known.

    LiteRT's reference kernels compute it; where they require an input that is absent, TFLM.
    """
    twins = [_float_twin(*question) for question in questions]
    found: list[Outputs] = [None] * len(questions)
    for index, twin in enumerate(twins):
        if twin is not None and twin[0].name in ("QUANTIZE", "DEQUANTIZE"):
            found[index] = twin[1]
    for runtime in ("reference", "micro"):
        left = [
            (index, twin)
            for index, twin in enumerate(twins)
            if twin is not None and found[index] is None and (runtime != "micro" or twin[0].lacks)
        ]
        jobs = [(twin.model, fed) for _, (twin, fed) in left]
        for (index, _), outputs in zip(left, runtimes.answers(runtime, jobs), strict=True):
            found[index] = outputs
    return found


def is_known(one: OneOperator, rule: Rule) -> bool:
    """Tell whether all quantized tensors have scales that fit, so that values mean something."""
    for position, tensor in enumerate(one.tensors):
        operand = one.operand(rule, position)
        if tensor is None or operand is None or operand.role is Role.OTHER:
            continue
        if (
            tensor.type in INTEGER_RANGES
            and _real(tensor, np.zeros(tuple(tensor.shape or ()))) is None
        ):
            return False
    return True


def _real(tensor: TensorSpec, values: NDArray[Any]) -> NDArray[np.float32] | None:
    """Return what integers mean; None if the scales do not fit."""
    if tensor.type in (T.FLOAT32, T.FLOAT16):
        return values.astype(np.float32)
    if tensor.scale is None:
        return None
    scale, zero = np.asarray(tensor.scale, np.float64), np.asarray(tensor.zero_point, np.float64)
    if scale.size > 1:
        if tensor.axis >= values.ndim or scale.size != values.shape[tensor.axis]:
            return None
        shape = [1] * values.ndim
        shape[tensor.axis] = scale.size
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((values - zero) * scale).astype(np.float32)


def _stored(tensor: TensorSpec) -> NDArray[Any]:
    """Return the values of a constant."""
    if not isinstance(tensor.data, bytes):
        return np.asarray(tensor.data)
    bits = 4 if tensor.type == T.INT4 else 2
    codes = np.frombuffer(tensor.data, np.uint8)[:, None] >> (np.arange(8 // bits) * bits)
    codes = (codes & (1 << bits) - 1).reshape(-1)[: math.prod(tensor.shape or ())].astype(np.int64)
    return (codes - (codes >> bits - 1 << bits)).reshape(tuple(tensor.shape or ()))


def _float_twin(
    one: OneOperator, rule: Rule, given: list[NDArray[Any]]
) -> tuple[OneOperator, list[NDArray[Any]]] | None:
    """Return the same operator on real values, and its inputs; None if they are not known."""
    left = list(given)
    fed: list[NDArray[Any]] = []
    inputs: list[TensorSpec | None] = []
    for index, tensor in enumerate(one.inputs):
        operand = rule.input(index)
        is_fed = tensor is not None and tensor.data is None
        values = left.pop(0) if is_fed else None
        if tensor is None or operand is None or operand.role is Role.OTHER:
            inputs.append(tensor)
            fed += [] if values is None else [values]
            continue
        reals = _real(tensor, _stored(tensor) if values is None else values)
        if reals is None:
            return None
        shape = tuple(tensor.shape or ())
        if values is None:
            inputs.append(build.constant(reals.reshape(shape), name=tensor.name))
        else:
            inputs.append(TensorSpec(tensor.name, shape, int(T.FLOAT32)))
            fed.append(reals)
    outputs = []
    for index, tensor in enumerate(one.outputs):
        operand = rule.output(index)
        if operand is None or operand.role is Role.OTHER:
            outputs.append(tensor)
        else:
            outputs.append(TensorSpec(tensor.name, tensor.shape, int(T.FLOAT32)))
    without = {"quantized_bias_type", "fused_activation_function"}
    options = {k: v for k, v in one.options.items() if k not in without}
    return replace(one, inputs=tuple(inputs), outputs=tuple(outputs), options=options), fed


_ACTIVATED: Mapping[int, Callable[[Any], Any]] = {
    1: lambda x: np.maximum(x, 0),
    2: lambda x: np.clip(x, -1, 1),
    3: lambda x: np.clip(x, 0, 6),
    4: np.tanh,
    5: np.signbit,
}
"""Fused activations by their number."""


def is_right(one: OneOperator, outputs: list[NDArray[Any]], wanted: list[NDArray[Any]]) -> bool:
    """Tell whether outputs mean what the operator gives on real values."""
    activated = _ACTIVATED.get(one.options.get("fused_activation_function", 0), lambda x: x)
    return all(map(_is_near, one.outputs, outputs, map(activated, wanted)))


def _is_near(tensor: TensorSpec, output: NDArray[Any], wanted: NDArray[Any]) -> bool:
    type = TensorType(tensor.type)
    if output.dtype.name != type.name.lower() or output.size != wanted.size:
        return False
    expected = wanted.reshape(output.shape).astype(np.float64)
    got = _real(tensor, output)
    if type not in INTEGER_RANGES or got is None:
        largest = np.nanmax(np.abs(expected), initial=1)
        return bool(np.allclose(output, expected, 0.03, 0.03 * largest, equal_nan=True))
    low, high = INTEGER_RANGES[type]
    lowest, highest = (_real(tensor, np.full(output.shape, end)) for end in (low, high))
    assert lowest is not None
    assert highest is not None
    off = np.abs(got - np.clip(expected, lowest, highest))
    steps = max(2.1, 0.0005 * (high - low))
    return bool(np.nanmax(off, initial=0) <= steps * np.max(np.asarray(tensor.scale)))
