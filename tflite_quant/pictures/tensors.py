"""Draws a tensor: its real values, its stored values, or its scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import QuantizationError, TFLiteError, UnsupportedError, brief, plural
from ..format.schema import INTEGER_RANGES
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor
from ..summary.statistics import integer_range, share_at
from .axes import LITERAL, ROOM_FOR_A_LEGEND, add_legend, axes_or_new, label, require_matplotlib
from .histograms import Bars, Doubles, bars_of, real_ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["real", "stored", "scales"]

_LEAST_SHARE = 0.01
"""The share of the range that values must use for both to be seen in one picture."""
_MOST_DOTS, _MOST_COLUMNS = 4096, 1024
"""Scales that are drawn as dots; and, if there are more, columns of the band in their place."""
_MOST_MARKS = 512
"""Marks that are drawn for the ends of ranges."""


def plot_tensor(tensor: Tensor, kind: Kind, ax: Axes | None, bins: int) -> Axes:
    """Draw a tensor; see `Tensor.plot`."""
    require_matplotlib()
    if kind not in ("real", "stored", "scales"):
        raise ValueError(f"kind is {kind!r}, expected 'real', 'stored' or 'scales'")
    if bins < 1:
        raise ValueError(f"bins is {bins}, expected at least 1")
    if kind == "scales":
        try:
            scales = scales_by_channel(tensor)
        except TFLiteError as error:
            raise type(error)(f"{_place(tensor)}: {error}") from None
        ax = axes_or_new(ax)
        draw_scales(ax, *scales)
    elif kind == "stored":
        values = _numbers(tensor, tensor.data)
        bars = bars_of(values, bins, 1 if values.dtype.kind in "iub" else None)
        ax = axes_or_new(ax)
        draw_histogram(ax, bars, _integer_ends(tensor), _share(tensor))
        _mark_zero_point(ax, tensor)
        ax.set_xlabel("stored value")
    else:
        bars, ends = real_bars(tensor, bins), real_ends(tensor)
        ax = axes_or_new(ax)
        draw_histogram(ax, bars, ends, _share(tensor))
        _add_stored_axis(ax, tensor)
        ax.set_xlabel("real value")
    ax.set_title(_title(tensor), fontsize="medium", **LITERAL)
    add_legend(ax)
    return ax


def real_bars(tensor: Tensor, most: int) -> Bars:
    """Return the histogram of a tensor's real values, in bars that are whole steps wide.

    Raises
    ------
    TFLiteError
        The tensor has no real values.
    """
    scheme = _only_scale(tensor)
    return bars_of(tensor.dequantize(), most, None if scheme is None else scheme.scale)


def _only_scale(tensor: Tensor) -> PerTensor | None:
    """Return the scheme of integers that have one scale, if it is a positive number."""
    scheme = tensor.quantization
    if tensor.type not in INTEGER_RANGES or not isinstance(scheme, PerTensor):
        return None
    return scheme if 0 < scheme.scale < math.inf else None


def _numbers(tensor: Tensor, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind not in "iufb":
        raise UnsupportedError(f"{_place(tensor)}: {tensor.type.name} values are not real numbers")
    return values


def _place(tensor: Tensor) -> str:
    return f"subgraph {tensor.subgraph_index}, tensor {tensor.index} {tensor.name!r}"


def draw_histogram(
    ax: Axes, bars: Bars, ends: tuple[Doubles, Doubles] | None, share: float | None = None
) -> None:
    """Draw bars, and the ends of the range that the values could have had.

    Values have the first colour of the style, ends the second.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    bars : Bars
    ends : (low, high), ndarray of float64, shape (n,), or None
        The ends with each scale. Lines mark the outermost, short ones at the top the others.
    share : float, optional
        Which share of the values is at the ends, from 0 to 1.
    """
    count = bars.counts.sum()
    text = f"{count:,} {plural('value', int(count))}"
    if bars.not_finite:
        text += f", and {bars.not_finite:,} not finite"
    ax.stairs(bars.counts, bars.edges, fill=True, color="C0", label=text)
    ax.set_ylabel("values")
    ax.margins(y=ROOM_FOR_A_LEGEND)
    if ends is None:
        return
    low, high = float(ends[0].min()), float(ends[1].max())
    text = f"range {low:.4g} .. {high:.4g}"
    if share is not None:
        text += f", {100 * share:.3g} % at its ends"
    if bars.counts.size and not bars.high - bars.low >= _LEAST_SHARE * (high - low):
        # In a picture of the whole range, the values would be a line.
        ax.plot([], [], color="C1", linestyle="--", label=f"{text}, beyond the picture")
        return
    if ends[0].size > 1:
        _rug(ax, ends)
        text = f"widest {text}"
    ax.axvline(low, color="C1", linestyle="--", label=text)
    ax.axvline(high, color="C1", linestyle="--")


def _rug(ax: Axes, ends: tuple[Doubles, Doubles]) -> None:
    """Mark at the top where the ranges of all scales end; of very many, every n-th."""
    shown = [np.sort(side)[:: -(-side.size // _MOST_MARKS)] for side in ends]
    for side, text in zip(shown, ("ends of the range of each scale", None), strict=True):
        ax.plot(
            side, np.ones(side.size), "|", color="C1", markersize=10, alpha=0.5, label=text,
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip


def scales_by_channel(tensor: Tensor) -> tuple[Doubles, str]:
    """Return the scales of a tensor, a row for each channel, and what the channels are.

    Returns
    -------
    scales : ndarray of float64, shape (channels, scales of a channel)
    what : str
        The name of the axis for the channels.

    Raises
    ------
    QuantizationError
        The tensor has no scales, or they do not fit it.
    """
    scheme = tensor.quantization
    if isinstance(scheme, Blockwise | MultiAxis):
        scales = scheme.parameters(tensor.shape)[0]
        axis, what = _channel_axis(tensor.shape, scales.shape)
        rows = np.moveaxis(scales, axis, 0).reshape(scales.shape[axis], -1)
        return rows.astype(np.float64), what
    if scheme.scales is None or not scheme.scales.size:
        raise QuantizationError(f"this {tensor.type.name} tensor has no scale")
    what = f"index along axis {scheme.axis}" if isinstance(scheme, PerAxis) else "scale"
    return scheme.scales.reshape(-1, 1).astype(np.float64), what


def _channel_axis(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, str]:
    """Return which axis of scales has the channels: the longest that is not cut into blocks."""
    whole = [axis for axis, size in enumerate(shape) if size == scales[axis] > 1]
    axis = max(whole or range(len(scales)), key=lambda axis: scales[axis])
    return axis, f"{'index' if whole else 'block'} along axis {axis}"


def draw_scales(ax: Axes, scales: Doubles, what: str) -> None:
    """Draw scales by channel, with a logarithmic axis: a dot each, or a band if there are many.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    scales : ndarray of float64, shape (channels, scales of a channel)
        Those that are not positive numbers are left out, and counted in the legend.
    what : str
        What the channels are.
    """
    is_shown = np.isfinite(scales) & (scales > 0)
    text = f"{scales.size:,} {plural('scale', scales.size)}"
    left_out = scales.size - np.count_nonzero(is_shown)
    if left_out:
        text += f", {left_out:,} not a positive number"
    if left_out < scales.size:
        ax.set_yscale("log")
    if scales.size <= _MOST_DOTS:
        channels, _ = np.nonzero(is_shown)
        ax.plot(channels, scales[is_shown], ".", color="C0", label=text)
    else:
        first, low, high = _band(np.where(is_shown, scales, np.nan))
        ax.fill_between(first, low, high, step="post", color="C0", label=f"{text}: from .. to")
    ax.locator_params(axis="x", integer=True)
    ax.margins(y=ROOM_FOR_A_LEGEND)
    ax.set_xlabel(what)
    ax.set_ylabel("scale")


def _band(scales: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return where groups of channels begin, and the least and the greatest scale of each."""
    width = -(-len(scales) // _MOST_COLUMNS)
    first = np.arange(0, len(scales), width)
    low: Doubles = np.fmin.reduceat(np.fmin.reduce(scales, axis=1), first)
    high: Doubles = np.fmax.reduceat(np.fmax.reduce(scales, axis=1), first)
    # The end of the last group is where none begins.
    begins = np.append(first, len(scales)).astype(np.float64)
    return begins, np.append(low, low[-1]), np.append(high, high[-1])


def _integer_ends(tensor: Tensor) -> tuple[Doubles, Doubles] | None:
    """Return the lowest and the highest integer of a quantized tensor's type."""
    ends = INTEGER_RANGES.get(tensor.type) if tensor.is_quantized else None
    return None if ends is None else (np.array([float(ends[0])]), np.array([float(ends[1])]))


def _share(tensor: Tensor) -> float | None:
    """Return which share of the integers is at the ends of the range; None without integers."""
    ends = integer_range(tensor)
    try:
        return None if ends is None else share_at(tensor.data, *ends)
    except TFLiteError:
        # Of weights that an operator makes, the real values can be had, but not the integers.
        return None


def _mark_zero_point(ax: Axes, tensor: Tensor) -> None:
    """Mark the integer that stands for 0, if it is the same with all scales."""
    zeros = tensor.quantization.zero_points
    if zeros is not None and zeros.size and zeros.min() == zeros.max():
        zero_point = int(zeros.min())
        ax.axvline(zero_point, color="C2", linestyle=":", label=f"zero point {zero_point}")


def _add_stored_axis(ax: Axes, tensor: Tensor) -> None:
    """Add an axis with the integers along the top, where one scale stands for all."""
    scheme = _only_scale(tensor)
    if scheme is None:
        return
    scale, zero_point = scheme.scale, scheme.zero_point

    def stored(real: Any) -> Any:
        return real / scale + zero_point

    def real(stored: Any) -> Any:
        return (stored - zero_point) * scale

    top = ax.secondary_xaxis("top", functions=(stored, real))
    top.set_xlabel("stored value")


def _title(tensor: Tensor) -> str:
    """Return the name of a tensor, and its type, shape and scheme in a second line."""
    scheme = tensor.quantization
    facts = f"{tensor.type.name} {brief(tensor.shape)}"
    if isinstance(scheme, PerTensor):
        facts += f", scale {scheme.scale:.4g}, zero point {scheme.zero_point}"
    elif isinstance(scheme, PerAxis):
        facts += f", {scheme.scales.size:,} scales along axis {scheme.axis}"
    elif tensor.is_quantized:
        count = "" if scheme.scales is None else f", {scheme.scales.size:,} scales"
        facts += f", {scheme.scheme}{count}"
    return f"{label(tensor.name) or f'tensor {tensor.index}'}\n{facts}"
