"""How an array of weights becomes that of a TensorFlow Lite model: the orders of its axes.

The operators' layouts are those of google-ai-edge/LiteRT, tflite/kernels: a convolution's weights
are (outputs, height, width, inputs), a depthwise one's (1, height, width, channels), a dense
layer's (outputs, inputs), a three-dimensional one's (depth, height, width, inputs, outputs).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..format.budget import MAX_ARRAY_RANK

_ORDERS: dict[int, tuple[tuple[int, ...], ...]] = {
    # Dense layers of Keras are (inputs, outputs).
    2: ((1, 0),),
    # Keras: (length, inputs, outputs); PyTorch: (outputs, inputs, length).
    3: ((2, 0, 1), (0, 2, 1)),
    # Keras: (height, width, inputs, outputs), transposed convolutions (.., outputs, inputs).
    # PyTorch: (outputs, inputs, height, width); depthwise, with one input, and transposed ones,
    # (inputs, outputs, height, width), are (1, height, width, outputs) and so on.
    4: ((3, 0, 1, 2), (2, 0, 1, 3), (0, 2, 3, 1), (1, 2, 3, 0)),
    # PyTorch: (outputs, inputs, depth, height, width).
    5: ((2, 3, 4, 1, 0),),
}
"""The orders of axes that converters apply, by the rank of the array."""


class Layout(NamedTuple):
    """How an array gets the shape of a tensor.

    Attributes
    ----------
    order : tuple of int
        The axes in their new order; empty if they stay as they are.
    shape : tuple of int
        The shape of the result.
    text : str
        What is done, in words; empty for nothing.
    """

    order: tuple[int, ...]
    shape: tuple[int, ...]
    text: str

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the array in the new layout: a view, if there can be one."""
        return (array.transpose(self.order) if self.order else array).reshape(self.shape)


def layouts(given: tuple[int, ...], wanted: tuple[int, ...], is_transposed: bool) -> list[Layout]:
    """Return the layouts in which an array of one shape gets another, the likeliest first.

    Parameters
    ----------
    given, wanted : tuple of int
    is_transposed : bool
        Whether axes may be in another order. Axes of length 1 may always come and go.

    Examples
    --------
    >>> [layout.text for layout in layouts((3, 3, 16, 32), (32, 3, 3, 16), True)]
    ['axes (3, 0, 1, 2)']
    >>> [layout.text for layout in layouts((8, 8), (8, 8), True)]
    ['', 'axes (1, 0)']
    >>> layouts((2, 3), (3, 2), False)
    []
    """
    if max(len(given), len(wanted)) > MAX_ARRAY_RANK or math.prod(given) != math.prod(wanted):
        return []
    found = []
    if _long(given) == _long(wanted) or (is_transposed and _is_depthwise(given, wanted)):
        found.append(Layout((), wanted, "" if given == wanted else f"reshaped from {given}"))
    orders = _ORDERS.get(len(given), ()) if is_transposed else ()
    return found + [
        Layout(order, wanted, f"axes {order}")
        for order in orders
        if _long(tuple(given[axis] for axis in order)) == _long(wanted)
    ]


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the axes that are not of length 1."""
    return tuple(size for size in shape if size != 1)


def _is_depthwise(given: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Return whether (height, width, inputs, multiplier) becomes (1, height, width, channels)."""
    return len(given) == len(wanted) == 4 and wanted == (1, *given[:2], given[2] * given[3])
