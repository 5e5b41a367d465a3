"""Measures the error of one tensor: its values and its reference, block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, UnsupportedError, brief, plural
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.quantization import PerAxis, PerTensor
from .constants import Values
from .measures import (
    Channels,
    Doubles,
    Measures,
    Sums,
    add,
    add_integers,
    blocks,
    channels_of,
    columns,
    in_steps,
    joined,
    measures_of,
    no_sums,
    together,
    workspace,
)

_UNLIKE = 3.0
"""In dB: with an error this large, two that were not matched by name may not belong together."""
_SHORT = 256
"""Values that lie together from which on numpy reduces a row at full speed."""

View = Callable[[NDArray[Any]], NDArray[Any]]


class Groups(NamedTuple):
    """The groups of values that share a step, or a channel.

    Attributes
    ----------
    view : callable
        Returns an array of the tensor's shape as (before, groups, after).
    shape : tuple of int
        The shape that the groups have, as the scales of blocks do.
    step : ndarray of float64, or None
        The step of each group, or of all.
    axis : int or None
        The axis of `shape` that has the channels.
    """

    view: View
    shape: tuple[int, ...]
    step: Doubles | None
    axis: int | None


class Measured(NamedTuple):
    """The error of one tensor.

    Attributes
    ----------
    measures : Measures
    channels : Channels or None
        Of each channel, if there are several, with several values each.
    sums : Sums
        What the measures are computed from.
    layout : str
        What was done to the reference to get the tensor's shape; empty for nothing.
    """

    measures: Measures
    channels: Channels | None
    sums: Sums
    layout: str = ""

    @property
    def not_finite(self) -> int:
        """How many reference values are not finite in float32, and were left out."""
        return int(self.sums.not_finite[0])

    def note(self, is_named: bool) -> str:
        """Return in words what the numbers alone do not say; often nothing.

        Parameters
        ----------
        is_named : bool
            Whether the two were matched by their names.
        """
        notes = []
        is_zero = not self.sums.signal[0]
        if is_zero:
            notes.append("the reference is all zero")
        if self.not_finite:
            word = plural("value", self.not_finite)
            notes.append(f"{self.not_finite:,} {word} of the reference not finite, left out")
        if self.measures.max_error == math.inf:
            notes.append("real values are not finite")
        if not is_named and not is_zero and self.measures.sqnr < _UNLIKE:
            notes.append("not alike: perhaps the two do not belong together")
        return "; ".join(notes)


def groups_of(values: Values, shape: tuple[int, ...], channel_axis: int | None) -> Groups:
    """Return the groups in which the errors of a tensor are summed up.

    Raises
    ------
    QuantizationError
        The scales of blocks do not fit the shape.
    """
    if isinstance(values.scheme, Blockwise | MultiAxis):
        scales, _ = values.scheme.parameters(shape)
        lengths = [size // count for size, count in zip(shape, scales.shape, strict=True)]
        order = (*range(0, 2 * len(shape), 2), *range(1, 2 * len(shape), 2))
        pairs = [size for both in zip(scales.shape, lengths, strict=True) for size in both]
        flat = (1, scales.size, math.prod(lengths))
        axis = channel_axis
        if axis is not None and scales.shape[axis] != shape[axis]:
            axis = None
        return Groups(
            _oriented(lambda a: a.reshape(pairs).transpose(order).reshape(flat), flat),
            scales.shape, scales.astype(np.float64).reshape(-1), axis,
        )  # fmt: skip
    step = None
    # What the scales of other schemes are for is not known.
    if values.ends is not None and isinstance(values.scheme, PerTensor | PerAxis):
        step = values.scheme.scales.astype(np.float64)
    if channel_axis is None:
        flat = (1, 1, math.prod(shape))
        return Groups(lambda a: a.reshape(flat), (1,), step, None)
    sides = shape[:channel_axis], shape[channel_axis + 1 :]
    flat = (math.prod(sides[0]), shape[channel_axis], math.prod(sides[1]))
    return Groups(_oriented(lambda a: a.reshape(flat), flat), (flat[1],), step, 0)


def _oriented(view: View, flat: tuple[int, int, int]) -> View:
    """Return a view in which short rows lie as columns: numpy takes long for each row."""
    if flat[0] == 1 and 1 < flat[2] < _SHORT:
        return lambda array: view(array).transpose(2, 1, 0)
    return view


def measure(
    values: Values,
    reference: NDArray[Any],
    channel_axis: int | None,
    is_weight: bool,
) -> Measured:
    """Return the error of values.

    Parameters
    ----------
    values : Values
    reference : ndarray of real numbers
    channel_axis : int or None
    is_weight : bool
        Whether a signed range is symmetric, if no value is the lowest integer.
    """
    shape = reference.shape
    for given in (values.real, values.integers):
        if given is not None and given.shape != shape:
            raise CorruptModelError(
                f"values of shape {brief(given.shape)}, expected {brief(shape)}"
            )
    if not reference.size:
        raise UnsupportedError("it has no values")
    groups = groups_of(values, shape, channel_axis)
    with _may_overflow():
        sums = in_steps(_summed(values, reference, groups))
        return _measured(values, groups, channel_axis, sums, is_weight)


def _may_overflow() -> np.errstate:
    """Return a context for sums of errors, which may be infinite.

    The cast of a wider float to float64 may overflow, too, and that of a signalling NaN is an
    invalid operation for the processor.
    """
    return np.errstate(over="ignore", invalid="ignore")


def _measured(
    values: Values, groups: Groups, channel_axis: int | None, sums: Sums, is_weight: bool
) -> Measured:
    """Return the error of values from the sums of their groups."""
    is_symmetric = is_weight and values.ends is not None and values.ends[0] < 0
    is_symmetric &= not sums.at_low.any()
    ends = None if values.integers is None else values.ends
    whole = together(sums, groups.shape, None)
    if not whole.count[0]:
        raise UnsupportedError("no value of the reference is finite")
    channels = None
    count = 1 if groups.axis is None else groups.shape[groups.axis]
    values_of_all = int((whole.count + whole.not_finite)[0])
    if channel_axis is not None and 1 < count < values_of_all:
        of_channels = together(sums, groups.shape, groups.axis)
        channels = channels_of(channel_axis, columns(of_channels, ends, is_symmetric))
    return Measured(measures_of(columns(whole, ends, is_symmetric)), channels, whole)


def _summed(values: Values, reference: NDArray[Any], groups: Groups) -> Sums:
    """Go through values and reference, and sum up the errors of each group."""
    r = groups.view(reference)
    q = None if values.integers is None else groups.view(values.integers)
    x = None if values.real is None else groups.view(values.real)
    sums, work = no_sums(r.shape[1], groups.step), workspace()
    memory = np.empty(work.shape[1], np.float32)
    for block in blocks(r.shape):
        integers = None if q is None else np.ascontiguousarray(q[block])
        real: NDArray[Any]
        if x is not None:
            real = x[block]
        else:
            assert integers is not None
            real = values.block(integers, block[1], memory)
        add(sums, block[1], r[block], real, work)
        if integers is not None and values.ends is not None:
            add_integers(sums, block[1], integers, values.ends)
    return sums


def pooled(parts: Sequence[Measured]) -> Measures | None:
    """Return the measures over all values of several tensors; None without any.

    The share of the range that is used is the mean of the tensors', weighted by their values.
    Figures in steps, and of stored integers, are those of the tensors that have them.
    """
    if not parts:
        return None
    with _may_overflow():
        return _pooled(parts)


def _pooled(parts: Sequence[Measured]) -> Measures:
    found = columns(joined([part.sums for part in parts]), None, False)
    stepped = [part.sums for part in parts if part.measures.max_error_steps is not None]
    if stepped:
        in_their_steps = columns(joined(stepped), None, False)
        names = ("max_error_steps", "mean_error_steps", "bias", "step")
        found |= {name: in_their_steps[name] for name in names}
    for name in ("at_ends", "range_used"):
        known = [
            (value, part.measures.count)
            for part in parts
            if (value := getattr(part.measures, name)) is not None
        ]
        if known:
            numbers, counts = zip(*known, strict=True)
            found[name] = np.array([np.average(numbers, weights=counts)])
    return measures_of(found)
