"""The schemes by which integers stand for real numbers.

All of them are affine, `real = (q - zero_point) * scale`; they differ in how many scales there
are, and in which of a tensor's values share one. Source: google-ai-edge/LiteRT,
tflite/converter/schema/schema.fbs, table QuantizationParameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NotQuantized",
    "PerAxis",
    "PerTensor",
    "Quantization",
    "UnknownScheme",
    "classify",
]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def _is_same(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    return one.shape == other.shape and bool((one == other).all())


def _spread(values: NDArray[np.generic]) -> str:
    """Show many numbers as one, or as a range, with the fewest digits that read back."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    return str(low) if low == high else f"in [{low!s}, {high!s}]"


@dataclass(frozen=True)
class NotQuantized:
    """The values are what they are; the file may still hold the range they were seen in.

    Attributes
    ----------
    min, max : ndarray of float32, or None
        The range that the converter recorded, where the file has it.
    """

    scheme: ClassVar[str] = "none"

    min: Floats | None = field(default=None, repr=False, compare=False)
    max: Floats | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, repr=False)
class PerTensor:
    """One scale and one zero point for all values of the tensor.

    Attributes
    ----------
    scale : float
        A float32's exact value.
    zero_point : int
    quantized_dimension : int
        What the file says, though it has no meaning for one scale; it may be past the rank.
    min, max : ndarray of float32, or None
        The range that the converter recorded, where the file has it.

    Examples
    --------
    >>> PerTensor(0.5, -128)
    PerTensor(scale=0.5, zero_point=-128)
    """

    scheme: ClassVar[str] = "per-tensor"

    scale: float
    zero_point: int
    quantized_dimension: int = field(default=0, compare=False)
    min: Floats | None = field(default=None, compare=False)
    max: Floats | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return f"PerTensor(scale={np.float32(self.scale)!s}, zero_point={self.zero_point})"


@dataclass(frozen=True, eq=False, repr=False)
class PerAxis:
    """One scale for each slice of the tensor along one axis.

    The counts are what the file says: `dequantize` refuses those that do not fit.

    Attributes
    ----------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (n,), or (1,) for one that all slices share
    axis : int
        The quantized dimension.
    min, max : ndarray of float32, or None
        The ranges that the converter recorded, where the file has them.

    Examples
    --------
    >>> PerAxis(np.float32([0.25, 0.5]), np.int64([0, 0]), axis=0)
    PerAxis(axis=0, 2 scales in [0.25, 0.5], zero_point 0)
    """

    scheme: ClassVar[str] = "per-axis"

    scales: Floats
    zero_points: Integers
    axis: int
    min: Floats | None = None
    max: Floats | None = None

    def __repr__(self) -> str:
        zeros = "zero_point" if self.zero_points.size else "zero_points"
        return (
            f"PerAxis(axis={self.axis}, {self.scales.size} scales {_spread(self.scales)}, "
            f"{zeros} {_spread(self.zero_points)})"
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PerAxis)
            and self.axis == other.axis
            and _is_same(self.scales, other.scales)
            and _is_same(self.zero_points, other.zero_points)
        )

    def __hash__(self) -> int:
        return hash((self.axis, self.scales.tobytes(), self.zero_points.tobytes()))


@dataclass(frozen=True, eq=False, repr=False)
class UnknownScheme:
    """Parameters of a kind that this library does not read; nothing is computed from them.

    Attributes
    ----------
    details_type : int
        The number of the member of the schema's union QuantizationDetails.
    name : str
        The member's name, or its number again.
    scales, zero_points, axis, min, max
        As in `PerAxis`; such a file is not meant to have them, and no arithmetic uses them.
    """

    scheme: ClassVar[str] = "unknown"

    details_type: int
    name: str
    scales: Floats
    zero_points: Integers
    axis: int
    min: Floats | None = None
    max: Floats | None = None

    def __repr__(self) -> str:
        return f"UnknownScheme({self.name})"


Quantization = NotQuantized | PerTensor | PerAxis | UnknownScheme


def classify(
    scales: Floats,
    zero_points: Integers,
    axis: int,
    min: Floats | None = None,
    max: Floats | None = None,
) -> NotQuantized | PerTensor | PerAxis:
    """Tell which scheme the parameters of a file are.

    Parameters
    ----------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (m,)
    axis : int
    min, max : ndarray of float32, or None

    Returns
    -------
    NotQuantized, PerTensor or PerAxis
        No scales mean that the tensor is not quantized; one scale and one zero point are
        per-tensor whatever the axis, as in LiteRT (google-ai-edge/LiteRT,
        tflite/kernels/dequantize.h, IsQuantizedPerChannel). All else keeps its counts.

    Examples
    --------
    >>> classify(np.float32([0.5]), np.int64([3]), 0)
    PerTensor(scale=0.5, zero_point=3)
    """
    if not scales.size:
        return NotQuantized(min, max)
    if scales.size == zero_points.size == 1:
        return PerTensor(float(scales[0]), int(zero_points[0]), axis, min, max)
    return PerAxis(scales, zero_points, axis, min, max)
