"""Draws a comparison: the SQNR of each tensor, or the values of one against their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..comparison.results import Comparison, TensorComparison
from ..errors import UnsupportedError, plural
from .axes import LITERAL, axes_or_new, label, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["sqnr", "activations"]

_WIDTH, _ROW, _AROUND, _HIGHEST = 9.0, 0.22, 1.8, 60.0
"""Inches of a new figure: its width, the height of a bar and of what is around, the most."""
_MOST_NAMES = 250
"""Bars that have a name each; of more, every n-th has one."""
_COLORS = {"weight": "C0", "bias": "C1"}


def plot_comparison(comparison: Comparison, kind: Kind, ax: Axes | None) -> Axes:
    """Draw a comparison; see `Comparison.plot`."""
    require_matplotlib()
    if kind not in ("sqnr", "activations"):
        raise ValueError(f"kind is {kind!r}, expected 'sqnr' or 'activations'")
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
