"""What every picture needs: Axes to draw on, and text from models that stays text.

matplotlib takes `$...$` for mathematics and, if its settings say so, all text for TeX, which can
read files. Names from a model are neither. Characters that the fonts do not have are written as
escapes, since matplotlib would warn of them whenever the picture is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from ..escape import escaped, for_terminal, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

LITERAL: dict[str, Any] = {"parse_math": False, "usetex": False}
"""What makes a Text of matplotlib show its characters and nothing else."""

ROOM_FOR_A_LEGEND = 0.35
"""The room above a drawing, as a share of its height."""


def axes_or_new(ax: Axes | None, width: float | None = None, height: float | None = None) -> Axes:
    """Return the Axes that were given, or those of a new figure, as pandas makes one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    width, height : float, optional
        The size of a new figure in inches; by default that of matplotlib's settings.
    """
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt  # noqa: PLC0415  # an optional extra

    usual = plt.rcParams["figure.figsize"]
    size = (width or usual[0], height or usual[1])
    return plt.subplots(figsize=size, layout="constrained")[1]


def require_matplotlib() -> None:
    """Check that matplotlib is installed.

    Raises
    ------
    ImportError
        It is not; the message says how to install it.
    """
    try:
        import matplotlib as _  # noqa: F401, PLC0415  # an optional extra
    except ImportError:
        raise ImportError(
            'plots need matplotlib: pip install "tflite-quant[plot]"', name="matplotlib"
        ) from None


def label(name: str, room: int = 60) -> str:
    """Return text from a model as it is written in a picture: escaped, without its middle.

    Parameters
    ----------
    name : str
    room : int
        How many characters there are at most.
    """
    has_glyphs = _glyphs()
    text = shortened(for_terminal(shortened(name, 4 * room)), room)
    return shortened("".join(c if has_glyphs(c) else escaped(c) for c in text), room)


def _glyphs() -> Any:
    """Return a function that tells whether the fonts in use have a character."""
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415

    families = FontProperties().get_family()
    fonts = [get_font(findfont(FontProperties(family=[each]))) for each in families]
    return lambda c: any(font.get_char_index(ord(c)) for font in fonts)


def make_literal(texts: Iterable[Text]) -> None:
    """Let texts that matplotlib has made, such as labels of ticks, show nothing but characters."""
    for text in texts:
        text.set(**LITERAL)


def add_legend(ax: Axes, where: Literal["upper center", "upper left"] = "upper center") -> None:
    """Add a legend of what has a label where the drawing has room."""
    legend = ax.legend(loc=where, fontsize="small", borderaxespad=1)
    make_literal(legend.get_texts())
