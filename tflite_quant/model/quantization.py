"""The quantization schemes, each of which computes the real values of integers.

All of them are affine, `real = (q - zero_point) * scale`; they differ in how many scales there
are, and in which values of a tensor share a scale. Source: google-ai-edge/LiteRT,
tflite/converter/schema/schema.fbs, table QuantizationParameters.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import affine
from ..errors import QuantizationError, UnsupportedError, plural
from .block_quantization import Blockwise, MultiAxis, by_identity, require_integers, spread

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_NO_SCALES, _NO_ZERO_POINTS = np.empty(0, np.float32), np.empty(0, np.int64)


def _is_same(left: NDArray[np.generic], right: NDArray[np.generic]) -> bool:
    return left.shape == right.shape and bool((left == right).all())


class NotQuantized(NamedTuple):
    """No quantization: the values are not scaled, though the file may have their range.

    Attributes
    ----------
    min, max : ndarray of float32, or None
        The range that the converter recorded, if the file has it.
    """

    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: none."""
        return "none"

    @property
    def scales(self) -> Floats:
        """No scales."""
        return _NO_SCALES

    @property
    def zero_points(self) -> Integers:
        """No zero points."""
        return _NO_ZERO_POINTS

    @property
    def axis(self) -> None:
        """None: there are no scales."""

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return floats of at most 32 bits as float32: they are their own real values.

        Raises
        ------
        QuantizationError
            The values are not such floats.
        """
        if values.dtype.kind == "f" and values.dtype.itemsize <= 4:
            return affine.to_float32(values, out)
        raise QuantizationError(
            f"this {values.dtype.name} tensor has no scale, so it has no real values"
        )

    def __repr__(self) -> str:
        return "NotQuantized()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NotQuantized)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.scheme)


class PerTensor(NamedTuple):
    """One scale and one zero point for all values of the tensor.

    Attributes
    ----------
    scale : float
        The exact value of a float32.
    zero_point : int
    quantized_dimension : int
        What the file says, though it has no meaning for one scale; it may be out of range.
    min, max : ndarray of float32, or None
        The range that the converter recorded, if the file has it.

    Examples
    --------
    >>> PerTensor(0.5, -128)
    PerTensor(scale=0.5, zero_point=-128)
    """

    scale: float
    zero_point: int
    quantized_dimension: int = 0
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: per-tensor."""
        return "per-tensor"

    @property
    def scales(self) -> Floats:
        """The scale as an array, shape (1,)."""
        return np.array([self.scale], np.float32)

    @property
    def zero_points(self) -> Integers:
        """The zero point as an array, shape (1,)."""
        return np.array([self.zero_point], np.int64)

    @property
    def axis(self) -> None:
        """None: all values share the scale."""

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of integers; see `tflite_quant.dequantize`."""
        require_integers(values)
        return affine.dequantize(values, self.scale, self.zero_point, out=out)

    def __repr__(self) -> str:
        return f"PerTensor(scale={np.float32(self.scale)!s}, zero_point={self.zero_point})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PerTensor):
            return False
        return (self.scale, self.zero_point) == (other.scale, other.zero_point)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.scale, self.zero_point))


class PerAxis(NamedTuple):
    """One scale for each index along one axis of the tensor.

    The scales and zero points are those of the file; `dequantize` refuses them if their numbers do
    not fit.

    Attributes
    ----------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (n,), or (1,) if all indices share one
    axis : int
        The quantized dimension.
    min, max : ndarray of float32, or None
        The ranges that the converter recorded, if the file has them.

    Examples
    --------
    >>> PerAxis(np.float32([0.25, 0.5]), np.int64([0, 0]), axis=0)
    PerAxis(axis=0, 2 scales in [0.25, 0.5], zero_point 0)
    """

    scales: Floats
    zero_points: Integers
    axis: int
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: per-axis."""
        return "per-axis"

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of integers; see `tflite_quant.dequantize`."""
        require_integers(values)
        if not 0 <= self.axis < values.ndim:
            raise QuantizationError(
                f"quantized dimension {self.axis} is out of range for shape {values.shape}"
            )
        return affine.dequantize(values, self.scales, self.zero_points, self.axis, out)

    def __repr__(self) -> str:
        zeros = "zero_point" if self.zero_points.size else "zero_points"
        return (
            f"PerAxis(axis={self.axis}, {(n := self.scales.size)} {plural('scale', n)} "
            f"{spread(self.scales)}, {zeros} {spread(self.zero_points)})"
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PerAxis)
            and self.axis == other.axis
            and _is_same(self.scales, other.scales)
            and _is_same(self.zero_points, other.zero_points)
        )

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.axis, self.scales.tobytes(), self.zero_points.tobytes()))


@by_identity
class Custom(NamedTuple):
    """Parameters in a form that only the author of the file knows.

    Attributes
    ----------
    content : ndarray of uint8, shape (n,)
        The bytes: a read-only view of the file.
    scales, zero_points, axis, min, max
        As in `PerAxis`; files are not meant to have them here, and no arithmetic uses them.
    """

    content: NDArray[np.uint8]
    scales: Floats
    zero_points: Integers
    axis: int
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: custom."""
        return "custom"

    def dequantize(self, values: NDArray[Any], out: NDArray[np.float32] | None = None) -> NoReturn:
        """Raise `UnsupportedError`: only the author of the file knows what the parameters mean."""
        raise UnsupportedError("this library does not know how to apply custom quantization")

    def __repr__(self) -> str:
        return f"Custom({(n := self.content.size)} {plural('byte', n)})"


@by_identity
class UnknownScheme(NamedTuple):
    """Parameters of a kind that this library does not know; nothing is computed from them.

    Attributes
    ----------
    details_type : int
        The number of the member of the schema's union QuantizationDetails.
    name : str
        The name of the member, or its number if it is newer than this library.
    scales, zero_points, axis, min, max
        As in `PerAxis`; files are not meant to have them here, and no arithmetic uses them.
    """

    details_type: int
    name: str
    scales: Floats
    zero_points: Integers
    axis: int
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: unknown."""
        return "unknown"

    def dequantize(self, values: NDArray[Any], out: NDArray[np.float32] | None = None) -> NoReturn:
        """Raise `UnsupportedError`: this library does not know the scheme."""
        raise UnsupportedError(f"this library does not know the quantization scheme {self.name}")

    def __repr__(self) -> str:
        return f"UnknownScheme({self.name})"


Quantization = NotQuantized | PerTensor | PerAxis | Blockwise | MultiAxis | Custom | UnknownScheme


def classify(
    scales: Floats,
    zero_points: Integers,
    axis: int,
    min: Floats | None = None,
    max: Floats | None = None,
) -> NotQuantized | PerTensor | PerAxis:
    """Return the scheme of a tensor that has these parameters.

    Parameters
    ----------
    scales : ndarray of float32, shape (n,)
    zero_points : ndarray of int64, shape (m,)
    axis : int
    min, max : ndarray of float32, or None

    Returns
    -------
    NotQuantized, PerTensor or PerAxis
        A tensor without scales is not quantized. One scale and one zero point are per-tensor,
        whatever the axis, as in LiteRT (google-ai-edge/LiteRT, tflite/kernels/dequantize.h,
        IsQuantizedPerChannel). All others are per-axis, even if their numbers do not fit.

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
