"""Checks of biases: their scales, their values, and the sums that they are part of.

What a fault does is said in steps: a step is the scale of the operator's output, the smallest
difference that the output can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.budget import MAX_RANK
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.operator import Operator
from ..model.tensor import Tensor
from .findings import Finding, counted
from .kinds import Severity
from .tensors import Parameters, finding
from .weights import Values, channels_of, constant_of, which

_ROUNDING = 2.0**-21
"""Relative error of a float32 product of two scales: a few units in the last place."""

_LARGEST_GAP = 0.02
"""How much the scale of a bias may differ, in steps, where the kernel compares it."""

_VISIBLE = 0.5
"""The least effect that counts, in steps."""

_LARGEST_SUM = INTEGER_RANGES[TensorType.INT32][1]

_DEVIATIONS = 4
"""How many standard deviations from the mean a sum of random products may be,"""
_TIMES_THE_RANGE = 4
"""and how many times as large as the output's range."""

_RARE = "Only inputs far from those that the scales were chosen for do this. "


class Output(NamedTuple):
    """What effects are measured by.

    Attributes
    ----------
    step : float
        The scale of the operator's output; not a number if there is none to go by.
    span : int
        How many steps are between the lowest and the highest value of its type.
    """

    step: float
    span: int


def output_of(tensor: Tensor, parameters: Parameters) -> Output:
    """Return what effects on a tensor are measured by."""
    low, high = INTEGER_RANGES.get(tensor.type, (0, 0))
    is_usable = parameters.scale_count == 1 and 0 < parameters.lowest < math.inf
    return Output(parameters.lowest if is_usable else math.nan, high - low)


class Bias(NamedTuple):
    """A bias as an operator adds it.

    Attributes
    ----------
    operator : Operator
    tensor : Tensor
    parameters : Parameters
    product : ndarray of float64, shape (n,), or None
        The scales that it should have; None if they are not known.
    output : Output
    is_compared : bool
        Whether the kernel refuses a single scale that differs too much.
    is_of_gate : bool
        Whether it enters a gate of an LSTM, and so the output only by way of others.
    """

    operator: Operator
    tensor: Tensor
    parameters: Parameters
    product: NDArray[np.float64] | None
    output: Output
    is_compared: bool
    is_of_gate: bool


def scale_findings(bias: Bias, reader: Values) -> Iterator[Finding]:
    """Find scales of a bias that are not the product that they should be, and what that does.

    The kernel adds the integers of the bias to a sum of products, and multiplies the result by
    the product of the scales, whatever the scale of the bias (google-ai-edge/LiteRT,
    tflite/kernels/kernel_util.cc, PopulateConvolutionQuantizationParams).
    """
    if (refusal := _refusal(bias)) is not None:
        yield refusal
    elif not bias.parameters.scale_count:
        effect = (
            "The kernel assumes this scale; other programs cannot compute the bias' real values."
        )
        note = Severity.NOTE
        yield _finding(
            bias, note, "no scale", "the product of the scales of input and weights", effect
        )
    elif bias.product is not None:
        yield from _off_by_steps(bias, bias.product, reader)


def _finding(bias: Bias, severity: Severity, found: str, expected: str, effect: str) -> Finding:
    return finding("TQ207", severity, bias.tensor, found, expected, effect, bias.operator)


def _refusal(bias: Bias) -> Finding | None:
    """Return a finding if the kernel refuses the scale of a bias, whatever its values.

    Where there is not exactly one scale, the kernel takes 0 for it (google-ai-edge/LiteRT,
    tflite/core/subgraph.cc, GetLegacyQuantization; tflite/kernels/kernel_util.cc,
    GetQuantizedConvolutionMultipler).
    """
    product, count = bias.product, bias.parameters.scale_count
    if not bias.is_compared or product is None or product.size != 1 or math.isnan(bias.output.step):
        return None
    scale, wanted = bias.parameters.first if count == 1 else 0.0, float(product[0])
    gap = abs(wanted - scale) / bias.output.step
    # What is not a number is refused, too.
    if gap <= _LARGEST_GAP:
        return None
    found = (
        f"scale {_shown(scale)}" if count == 1 else counted(count, "scale") if count else "no scale"
    )
    taken = (
        "" if count == 1 else f"LiteRT takes {'several scales' if count else 'no scale'} for 0. "
    )
    effect = (
        f"{taken}The kernel refuses the model, whatever the bias' values: the scales differ by "
        f"{_steps(gap)} of the output, more than {_LARGEST_GAP}."
    )
    return _finding(bias, Severity.ERROR, found, _expected(wanted), effect)


def _off_by_steps(bias: Bias, product: NDArray[np.float64], reader: Values) -> Iterator[Finding]:
    scales = bias.parameters.scheme.scales.astype(np.float64)
    if 1 not in (scales.size, product.size) and scales.size != product.size:
        return
    with np.errstate(invalid="ignore"):
        gaps = np.abs(scales - product)
        # No file can have scales that are nearer.
        gaps[gaps <= _ROUNDING * np.abs(product)] = 0
        if not gaps.any():
            return
        steps = _effects(bias, gaps, product, reader)
        visible = steps >= _VISIBLE
    if not visible.any():
        return
    at = int(np.where(visible, steps, 0).argmax())
    found, wanted = (float(each[min(at, each.size - 1)]) for each in (scales, product))
    is_one = gaps.size == 1
    effect = _effect(bias, float(steps[at]), at, steps.size, int(np.count_nonzero(visible)) - 1)
    text = f"scale {_shown(found)}{'' if is_one else f' of channel {at}'}"
    yield _finding(bias, Severity.WARNING, text, _expected(wanted), effect)


def _effects(
    bias: Bias, gaps: NDArray[np.float64], product: NDArray[np.float64], reader: Values
) -> NDArray[np.float64]:
    """Return by how many steps each value of a bias changes the output; none if it is unknown.

    A bias that is computed may be anything: it is taken to be as large as the output's range.
    """
    if constant_of(bias.tensor) is None:
        return bias.output.span * gaps / product
    values = reader.of(bias.tensor)
    if values is None or gaps.size not in (1, values.size):
        return np.zeros(1)
    return np.abs(values.reshape(-1).astype(np.float64)) * gaps / bias.output.step


def _effect(bias: Bias, steps: float, channel: int, channels: int, others: int) -> str:
    """Return what the wrong scale of a bias does, and in how many channels."""
    where = "what enters the gate" if bias.is_of_gate else "the output"
    of_output = " of the output" if bias.is_of_gate else ""
    if constant_of(bias.tensor) is None:
        size = f"up to {_steps(steps)}{of_output} if the bias is as large as the output's range"
        return (
            f"The kernel adds the bias as if the product were its scale: {where} is off by {size}."
        )
    named = f" in channel {channel}" if channels > 1 else ""
    more = f", and by half a step or more in {counted(others, 'other channel')}" if others else ""
    return (
        "The kernel adds the bias as if the product were its scale: "
        f"{where} is off by {_steps(steps)}{of_output}{named}{more}."
    )


def value_findings(operator: Operator, bias: Tensor, reader: Values) -> Iterator[Finding]:
    """Find values at the ends of a bias' type.

    The converter clips to a range that is symmetric (google-ai-edge/LiteRT,
    tflite/tools/optimize/quantization_utils.cc).
    """
    values = reader.of(bias)
    if values is None or not values.size:
        return
    values = values.reshape(-1)
    low, high = INTEGER_RANGES[bias.type]
    if values.min() <= low + 1 or values.max() >= high:
        ends = (values <= low + 1) | (values >= high)
        what = "a value" if np.count_nonzero(ends) == 1 else "values"
        found = which(ends, f"{what} at the end of the {bias.type.name} range")
        yield finding("TQ502", None, bias, found, "values inside the range", None, operator)


class Sum(NamedTuple):
    """The sum of products that an operator computes in 32 bits for each channel.

    Attributes
    ----------
    operator : Operator
    weights : Tensor
    axis : int
        The axis of the weights that has the operator's channels.
    bias : Tensor or None
    low, high : int
        The range of what the weights are multiplied by: of the integers less their zero point.
    product : ndarray of float64, shape (n,), or None
        The scales of the sums.
    output : Output
    """

    operator: Operator
    weights: Tensor
    axis: int
    bias: Tensor | None
    low: int
    high: int
    product: NDArray[np.float64] | None
    output: Output


def is_summed_in_32_bits(operator: Operator, read: TensorType, bias: TensorType | None) -> bool:
    """Tell whether a kernel sums the products of an operator in an int32.

    Those of int16 values it does if the bias is an int32. Without a bias an option says so;
    LiteRT's default kernel of FULLY_CONNECTED does it unless the option forbids it
    (google-ai-edge/LiteRT, tflite/kernels/conv.cc, fully_connected.cc; tensorflow/tflite-micro,
    tensorflow/lite/micro/kernels/conv.cc, fully_connected.cc).
    """
    if bias is not None:
        return bias is TensorType.INT32
    if read is TensorType.INT8:
        return True
    option = operator.options.get("quantized_bias_type")
    if operator.code.name == "FULLY_CONNECTED":
        return option != TensorType.INT64
    return option == TensorType.INT32


def sum_findings(sums: Sum, reader: Values) -> Iterator[Finding]:
    """Find channels whose sum of bias and products can exceed an int32.

    The kernel sums `(q - zero_point) * weight` over all weights of a channel, and adds the bias
    (google-ai-edge/LiteRT, tflite/kernels/internal/reference/integer_ops/conv.h and
    fully_connected.h).
    """
    weights, axis, bias = sums.weights, sums.axis, sums.bias
    if constant_of(weights) is None or not 0 <= axis < len(weights.shape) <= MAX_RANK:
        return
    stored = np.zeros(1, np.int64) if bias is None else reader.of(bias)
    if stored is None or not stored.size:
        return
    values: NDArray[np.float64] = stored.reshape(-1).astype(np.float64)
    # Few weights cannot exceed an int32, whatever their values.
    count = math.prod(weights.shape) // (weights.shape[axis] or 1)
    of_weight = max(map(abs, INTEGER_RANGES.get(weights.type, (0,))))
    # In Python's integers: a product of dimensions may be larger than any float.
    largest = int(np.abs(values).max()) + count * of_weight * max(sums.high, -sums.low)
    if largest <= _LARGEST_SUM:
        return
    data = reader.of(weights)
    channels = None if data is None else channels_of(data, axis)
    if channels is None:
        return
    if bias is None or channels.shape[0] == values.size:
        yield from _overflow(sums, values, channels)


def _overflow(sums: Sum, values: NDArray[np.float64], channels: NDArray[Any]) -> Iterator[Finding]:
    low, high = sums.low, sums.high
    positive = np.maximum(channels, 0).sum(axis=1, dtype=np.float64)
    negative = np.minimum(channels, 0).sum(axis=1, dtype=np.float64)
    most = values + positive * max(high, 0) + negative * min(low, 0)
    least = values + positive * min(low, 0) + negative * max(high, 0)
    bad = _exceeds(most, least)
    if not bad.any():
        return
    per_step = np.full(bad.shape, math.nan)
    if sums.product is not None and sums.product.size in (1, bad.size):
        per_step[:] = sums.product / sums.output.step
    span = sums.output.span
    # A sum that wraps around changes by 2^32.
    steps = min(float(per_step[bad].max()) * 2.0**32, float(span))
    if steps < _VISIBLE:
        return
    largest = np.full(bad.shape, math.inf)
    np.divide(_TIMES_THE_RANGE * span, per_step, largest, where=per_step > 0)
    likely = _exceeds(*_likely(sums, values, positive + negative, channels, largest))
    is_likely = bool((bad & likely).any())
    furthest = max(float(most.max()), -float(least.min()))
    found = which(bad, f"sums of up to {furthest:.0f}")
    off = "" if math.isnan(steps) else f", and the output is off by up to {_steps(steps)}"
    rare = "" if is_likely else _RARE
    tensor = sums.weights if sums.bias is None else sums.bias
    yield finding(
        "TQ504", Severity.WARNING if is_likely else Severity.NOTE, tensor, found,
        f"at most {_LARGEST_SUM}", f"{rare}The sum wraps around{off}.", sums.operator,
    )  # fmt: skip


def _exceeds(most: NDArray[np.float64], least: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (most > _LARGEST_SUM) | (least < -_LARGEST_SUM - 1)


def _likely(
    sums: Sum,
    values: NDArray[np.float64],
    totals: NDArray[np.float64],
    channels: NDArray[Any],
    largest: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the greatest and the least sums, for inputs that are not picked for them.

    Those are independent and evenly spread over their range, or over its positive or negative
    part, as after a RELU. Nor are the sums of products larger than what the output's scale was
    chosen for, which `largest` says.
    """
    norms = np.sqrt(np.einsum("ij,ij->i", channels, channels, dtype=np.float64))
    ranges = ((sums.low, sums.high), (0, sums.high), (sums.low, 0))
    means = [(low + high) / 2 * totals for low, high in ranges]
    around = [_DEVIATIONS * (high - low) / math.sqrt(12) * norms for low, high in ranges]
    most = np.max([mean + width for mean, width in zip(means, around, strict=True)], axis=0)
    least = np.min([mean - width for mean, width in zip(means, around, strict=True)], axis=0)
    return values + np.minimum(most, largest), values + np.maximum(least, -largest)


def _expected(scale: float) -> str:
    return f"{_shown(scale)}, the product of the scales of input and weights"


def _shown(scale: float) -> str:
    """Return a scale in the fewest digits that a float32 needs."""
    return str(np.float32(scale))


def _steps(count: float) -> str:
    text = f"{count:.0f}" if count >= 100 else f"{count:.3g}"
    return f"{text} step{'' if text == '1' else 's'}"
