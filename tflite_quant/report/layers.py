"""The operators that have weights: how those are quantized, and what their values look like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import dequantize
from ..comparison.comparer import Progress
from ..comparison.constants import Constant, Values, constants_of, values_of
from ..comparison.purse import Purse
from ..comparison.results import Comparison, TensorComparison
from ..comparison.words import HIGHEST, decibels, percent, quality, worst_channel
from ..errors import TFLiteError, plural
from ..escape import shortened
from ..firmware.cost import operator_cost
from ..firmware.memory_words import label
from ..format.budget import Budget
from ..model.block_quantization import Blockwise
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import NotQuantized, PerAxis, PerTensor
from ..model.tensor import Tensor
from ..summary.options import options_text
from ..summary.statistics import histogram, integer_range, share_at, statistics
from ..summary.words import dimensions, parameters, reason, type_text
from .bars import Bars, in_groups
from .content import Layer, Layers, Weights
from .limits import LONGEST_NAME, LONGEST_TEXT, MOST_WEIGHTS

_BINS = 32
"""Bars of a histogram: 8 of the integers of INT8 share one."""


def layers_of(
    model: Model, comparison: Comparison | None, progress: Progress | None = None
) -> Layers:
    """Return the operators with their constants, in the order in which they run.

    Of very many constants, the largest are shown. The values of one at a time are in memory.
    """
    constants = constants_of(model).real
    largest = sorted(constants, key=lambda each: -(each.stored.nbytes or 0))[:MOST_WEIGHTS]
    # Back in the order of the graph.
    shown = sorted(largest, key=lambda each: each.place)
    compared = {} if comparison is None else {_place(each): each for each in comparison.tensors}
    purse, budget = Purse(model), model.structure.file.afresh().budget
    drawn = [
        (each, _weights(each, purse, compared.get(_place(each.tensor))))
        for each in (progress(shown) if progress else shown)
    ]
    return Layers(tuple(_layers(drawn, model, budget)), len(constants) - len(shown))


def _place(tensor: Tensor | TensorComparison) -> tuple[int, int]:
    return tensor.subgraph_index, tensor.index


def _layers(
    drawn: Iterable[tuple[Constant, Weights]], model: Model, budget: Budget
) -> Iterator[Layer]:
    """Yield the layers; constants that nothing reads are the last one of their subgraph."""
    for _, pairs in groupby(drawn, key=lambda pair: pair[0].place[:2]):
        constants, weights = zip(*pairs, strict=True)
        operator: Operator | None = constants[0].operator
        if operator is None:
            yield Layer("no operator", "constants that nothing reads", weights)
        else:
            yield Layer(label(operator, model), _about(operator, budget), weights)


def _about(operator: Operator, budget: Budget) -> str:
    """Return an operator's options, and its multiply-accumulates."""
    try:
        parts = [options_text(operator, budget)]
        macs = operator_cost(operator).macs
    except TFLiteError as error:
        return shortened(str(error), LONGEST_TEXT)
    if macs:
        parts.append(f"{macs:,} {plural('MAC', macs)}")
    return shortened(", ".join(filter(None, parts)), LONGEST_TEXT)


def _weights(constant: Constant, purse: Purse, compared: TensorComparison | None) -> Weights:
    """Return what is shown of a constant, or why it has no values."""
    figures: list[tuple[str, str]] = []
    pictures: list[Bars] = []
    remark = ""
    try:
        purse.spend(purse.cost(constant))
        values = values_of(constant)
        figures += _figures(constant, values)
        pictures += _pictures(constant, values)
    except TFLiteError as error:
        remark = shortened(reason(constant.stored, error), LONGEST_TEXT)
    if compared is not None:
        pictures += _channels(compared)
    return Weights(
        name=shortened(constant.name, LONGEST_NAME),
        role=constant.role,
        facts=tuple(_facts(constant)),
        figures=tuple(figures),
        pictures=tuple(pictures),
        sqnr="" if compared is None else decibels(compared.measures),
        quality="" if compared is None else quality(compared.sqnr),
        remark=remark,
    )


def _facts(constant: Constant) -> Iterator[str]:
    """Yield type, shape, size and scheme."""
    stored, scheme = constant.stored, constant.stored.quantization
    yield f"{type_text(stored, ' ')} {dimensions(constant.shape)}"
    if stored.nbytes is not None:
        yield f"{stored.nbytes:,} {plural('byte', stored.nbytes)}"
    if isinstance(scheme, NotQuantized):
        return
    scale, zero_point, axis = parameters(scheme)
    yield scheme.scheme
    yield f"scale {scale}" if isinstance(scheme, PerTensor) else _scales(scale)
    if zero_point:
        yield f"zero point {zero_point}"
    if axis:
        yield axis if isinstance(scheme, Blockwise) else f"axis {axis}"


def _scales(text: str) -> str:
    """Return '32 scales in 0.1..0.2' for '32 in 0.1..0.2'."""
    return f"scales {text}" if text.startswith("in ") else text.replace(" in ", " scales in ", 1)


def _figures(constant: Constant, values: Values) -> Iterator[tuple[str, str]]:
    """Yield what the values are like, in numbers."""
    stored = _stored(values)
    if not stored.size:
        return
    seen = statistics(stored)
    yield "values", f"{seen.count:,}"
    if values.integers is not None:
        yield "stored", f"{seen.low:.0f} to {seen.high:.0f}"
    ends = real_range(values)
    if ends is not None:
        yield "real", f"{ends[0]:.4g} to {ends[1]:.4g}"
    zero_points = values.scheme.zero_points
    if zero_points is None or not zero_points.any():
        yield "zeros", percent(seen.zeros, 1)
    if seen.not_finite:
        yield "not finite", f"{seen.not_finite:,}"
    limits = integer_range(constant.stored, seen.low)
    if limits is not None and _is_narrow(values):
        yield "range used", percent((seen.high - seen.low) / (limits[1] - limits[0]), 0)
        yield f"at {limits[0]} or {limits[1]}", percent(share_at(stored, *limits), 1)


def _stored(values: Values) -> NDArray[Any]:
    """Return the integers if there are any, else the real values."""
    found = values.real if values.integers is None else values.integers
    assert found is not None
    return found


def _is_narrow(values: Values) -> bool:
    """Return whether there are integers that are meant to use the range of their type."""
    return values.integers is not None and values.integers.dtype.itemsize < 4


def real_range(values: Values) -> tuple[float, float] | None:
    """Return the lowest and the highest real value that is finite; None if there is none."""
    if values.real is not None:
        seen = statistics(values.real)
        return None if seen.count == seen.not_finite else (seen.low, seen.high)
    integers, scheme = values.integers, values.scheme
    assert integers is not None
    if not integers.size:
        return None
    # The ends of each slice, in any order: a scale may be negative.
    is_sliced = isinstance(scheme, PerAxis)
    others = tuple(i for i in range(integers.ndim) if not is_sliced or i != scheme.axis)
    ends = np.stack([integers.min(axis=others).reshape(-1), integers.max(axis=others).reshape(-1)])
    # Where there are no real values, these are.
    assert scheme.scales is not None
    assert scheme.zero_points is not None
    real = dequantize(ends, scheme.scales, scheme.zero_points, 1 if is_sliced else None)
    return float(real.min()), float(real.max())


def _pictures(constant: Constant, values: Values) -> Iterator[Bars]:
    """Yield a histogram of the values, and the scales if there are several."""
    stored = _stored(values)
    limits = values.ends if _is_narrow(values) else None
    found = histogram(stored, _BINS, limits)
    if len(found) > 1:
        (first, _, _), (_, last, _) = found[0], found[-1]
        kind = "stored integers" if values.integers is not None else "values"
        form = ".0f" if values.integers is not None else ".3g"
        counts = tuple([float(count) for _, _, count in found])
        yield Bars(counts, f"histogram of the {kind}", format(first, form), format(last, form))
    scales = values.scheme.scales
    if scales is not None and scales.size > 1 and values.integers is not None:
        heights, together = in_groups(scales.reshape(-1), np.maximum)
        word = f"largest of {together} each, " if together > 1 else ""
        about = f"{scales.size:,} scales, {word}up to {max(heights):.3g}"
        yield Bars(tuple([max(each, 0.0) for each in heights]), about, "0", f"{scales.size - 1}")


def _channels(compared: TensorComparison) -> Iterator[Bars]:
    """Yield the SQNR of each channel."""
    channels = compared.channels
    if channels is None or compared.measures.is_exact:
        return
    heights, together = in_groups(np.clip(channels.sqnr, 0, HIGHEST), np.minimum)
    word = f"lowest of {together} each, " if together > 1 else ""
    about = f"SQNR by channel, {word}worst {worst_channel(compared)}"
    yield Bars(tuple(heights), about, "0", f"{len(channels) - 1}")
