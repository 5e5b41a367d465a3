"""Draws a comparison: the SQNR of each tensor, or the values of one against their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..comparison.results import Comparison, TensorComparison
from ..errors import UnsupportedError, brief, plural
from .axes import LITERAL, add_legend, axes_or_new, label, require_matplotlib
from .histograms import LARGEST

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["sqnr", "activations", "scatter"]

_WIDTH, _ROW, _AROUND, _HIGHEST = 9.0, 0.22, 1.8, 60.0
"""Inches of a new figure: its width, the height of a bar and of what is around, the most."""
_MOST_NAMES = 250
"""Bars that have a name each; of more, every n-th has one."""
_EVEN, _WORST = 9973, 996
"""Values at even distances, and with the largest error, that are drawn of many."""
_COLORS = {"weight": "C0", "bias": "C1"}


def plot_comparison(
    comparison: Comparison, kind: Kind, tensor: str | TensorComparison | None, ax: Axes | None
) -> Axes:
    """Draw a comparison; see `Comparison.plot`."""
    require_matplotlib()
    if kind not in ("sqnr", "activations", "scatter"):
        raise ValueError(f"kind is {kind!r}, expected 'sqnr', 'activations' or 'scatter'")
    if (kind == "scatter") != (tensor is not None):
        raise ValueError(f"kind is {kind!r} and tensor is {tensor!r}, expected one for 'scatter'")
    if tensor is not None:
        return _plot_scatter(comparison, tensor, ax)
    tensors = comparison.tensors if kind == "sqnr" else comparison.activations
    if not tensors:
        what = "constant" if kind == "sqnr" else "recorded tensor"
        raise UnsupportedError(f"no {what} was compared, so there is nothing to draw")
    ax = axes_or_new(ax, _WIDTH, min(_AROUND + _ROW * len(tensors), _HIGHEST))
    draw_sqnr(ax, tensors)
    names = [label(each or "", 48) for each in (comparison.reference, comparison.quantized)]
    title = "\n".join([names[0] or "reference", f"→ {names[1] or 'model'}"])
    ax.set_title(title, fontsize="medium", pad=26, **LITERAL)
    return ax


def _plot_scatter(comparison: Comparison, tensor: str | TensorComparison, ax: Axes | None) -> Axes:
    found = comparison[tensor] if isinstance(tensor, str) else tensor
    original, real = comparison.arrays(found)
    ax = axes_or_new(ax)
    draw_scatter(ax, original, real)
    facts = f"{found.type} {brief(found.shape)}, {found.scheme}, {found.sqnr:.1f} dB"
    title = f"{label(found.name) or f'tensor {found.index}'}\n{facts}"
    ax.set_title(title, fontsize="medium", **LITERAL)
    # The values are near the line from the lower left to the upper right.
    add_legend(ax, "upper left")
    return ax


def draw_scatter(ax: Axes, original: NDArray[Any], real: NDArray[Any]) -> None:
    """Draw real values against original ones, and the line on which they would be the same.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    original, real : ndarray of numbers, of the same shape
        What is not finite in either is left out, and counted in the legend. Of very many, those at
        even distances are drawn, and those with the largest error.
    """
    flat = original.reshape(-1), real.reshape(-1)
    is_shown = (np.abs(flat[0]) <= LARGEST) & np.isfinite(flat[1])
    x, y = (each if is_shown.all() else each[is_shown] for each in flat)
    text = f"{x.size:,} {plural('value', x.size)}"
    if x.size < original.size:
        text += f", and {original.size - x.size:,} not finite"
    chosen = _chosen(x, y)
    ax.axline((0, 0), slope=1, color="C1", linestyle="--", linewidth=1, label="no error")
    ax.plot(x[chosen], y[chosen], ".", color="C0", alpha=0.5, markersize=4, label=text)
    ax.set_xlabel("original value")
    ax.set_ylabel("real value")


def _chosen(x: NDArray[Any], y: NDArray[Any]) -> Any:
    """Return which values are drawn: an index of all, or the positions of some."""
    if x.size <= _EVEN + _WORST:
        return slice(None)
    with np.errstate(over="ignore"):
        error = np.abs(np.subtract(x, y, dtype=np.float64))
    worst = np.argpartition(error, -_WORST)[-_WORST:]
    # Were the distances whole numbers, all values could be of one channel; a prime prevents that.
    even = np.arange(_EVEN, dtype=np.int64) * x.size // _EVEN
    return np.union1d(even, worst)


def draw_sqnr(ax: Axes, tensors: Sequence[TensorComparison]) -> None:
    """Draw a bar for each tensor, the first at the top: as long as its SQNR.

    The bar of an exact tensor is as long as the picture is wide, and hatched. One whose SQNR is
    minus infinity has no bar, but a cross.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    tensors : sequence of TensorComparison
        Weights have the first colour of the style, biases the second, others the third.
    """
    sqnr = np.array([each.sqnr for each in tensors])
    finite = sqnr[np.isfinite(sqnr)]
    low, high = min(finite.min(initial=0.0), 0.0), max(finite.max(initial=0.0) * 1.05, 10.0)
    roles = [each.role if each.role in _COLORS else "other" for each in tensors]
    rows = np.arange(len(tensors))
    for role in dict.fromkeys(roles):
        mine = np.array([each == role for each in roles])
        chosen, color = rows[mine & np.isfinite(sqnr)], _COLORS.get(role, "C2")
        if chosen.size:
            ax.barh(chosen, sqnr[chosen], color=color, label=_what(role, chosen.size))
        exact = rows[mine & (sqnr == math.inf)]
        if exact.size:
            ax.barh(
                exact, high, color="none", edgecolor=color, hatch="///",
                label=f"{_what(role, exact.size)}, exact",
            )  # fmt: skip
    lost = rows[sqnr == -math.inf]
    if lost.size:
        ax.plot(np.zeros(lost.size), lost, "x", color="C3", label=f"{lost.size} of -∞ dB")
    ax.set_xlim(low, high)
    ax.set_ylim(len(tensors) - 0.4, -0.6)
    ax.set_xlabel("SQNR in dB")
    _name_rows(ax, tensors)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize="small")


def _name_rows(ax: Axes, tensors: Sequence[TensorComparison]) -> None:
    """Name the tensors at the left: all, or every n-th of very many."""
    shown = range(0, len(tensors), -(-len(tensors) // _MOST_NAMES))
    ax.set_yticks(shown, [_row_name(tensors[row]) for row in shown], fontsize="small", **LITERAL)


def _row_name(tensor: TensorComparison) -> str:
    index = "" if tensor.operator_index is None else str(tensor.operator_index)
    return f"{index} {label(tensor.operator, 24)}  {label(tensor.name, 36)}".strip()


def _what(role: str, count: int) -> str:
    words = {"bias": "biases"} if count != 1 else {}
    return f"{count} {words.get(role) or plural(role, count)}"
