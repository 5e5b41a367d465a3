"""The schemes that have a scale for each block of values, or for each index along several axes.

Their scales and zero points are other tensors of the subgraph. The fields are those of
ai-edge-litert 2.3.0, schema_py_generated.py; google-ai-edge/LiteRT,
tflite/converter/schema/schema.fbs, says what they mean.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.blockwise import dequantize_blockwise
from ..errors import QuantizationError

Floats = NDArray[np.float32]
_Scheme = TypeVar("_Scheme")


def spread(values: NDArray[np.generic]) -> str:
    """Return many numbers as text: a range, or the one number that they all are."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    return str(low) if low == high else f"in [{low!s}, {high!s}]"


def require_integers(values: NDArray[Any]) -> None:
    """Check that values with scales are integers."""
    if values.dtype.kind not in "iu":
        raise QuantizationError(f"a tensor with scales is {values.dtype.name}, expected integers")


def _is(self: object, other: object) -> bool:
    return self is other


def _is_not(self: object, other: object) -> bool:
    return self is not other


def by_identity(cls: type[_Scheme]) -> type[_Scheme]:
    """Make a tuple equal only to itself, since the arrays in it do not compare to one boolean."""
    for name, method in (("__eq__", _is), ("__ne__", _is_not), ("__hash__", object.__hash__)):
        setattr(cls, name, method)
    return cls


@by_identity
class Blockwise(NamedTuple):
    """One scale for each block of consecutive values along an axis.

    Scales and zero points are other tensors of the subgraph. Their shape shows along which axis the
    blocks lie: a weight of shape (out, in) in blocks of 32 has scales of shape (out, in / 32).

    Attributes
    ----------
    scales : ndarray of floats, or None
        In the shape of their tensor; None if its numbers cannot be read.
    zero_points : ndarray of integers, or None
        In the shape of their tensor; None if every zero point is 0, or if they cannot be read.
    block_size : int
    block_shape : tuple of int
        The length of a block along every axis, if the file has it; else empty.
    scales_tensor, zero_points_tensor : int
        Indices of the tensors in the subgraph; -1 if every zero point is 0.
    quantized_dimension : int
        What the file says; converters write 0 along whatever axis the blocks lie.
    min, max : ndarray of float32, or None
        The ranges that the converter recorded, if the file has them.
    """

    scales: NDArray[Any] | None
    zero_points: NDArray[Any] | None
    block_size: int
    block_shape: tuple[int, ...] = ()
    scales_tensor: int = -1
    zero_points_tensor: int = -1
    quantized_dimension: int = 0
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: blockwise."""
        return "blockwise"

    @property
    def axis(self) -> None:
        """None: the shape of the scales shows which values share one."""

    def __repr__(self) -> str:
        return f"Blockwise(blocks of {self.block_shape or self.block_size}, {_tensors(self)})"

    def parameters(self, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scales and zero points for a tensor of this shape.

        Returns
        -------
        scales : ndarray of floats
            They have as many axes as the tensor; the length of each divides the tensor's.
        zero_points : ndarray of integers
            They have the same shape, or there is only one.

        Raises
        ------
        QuantizationError
            The shapes of tensor and scales do not fit each other or the block size.

        Examples
        --------
        >>> Blockwise(np.ones((4, 2), np.float32), None, 32).parameters((4, 64))[0].shape
        (4, 2)
        """
        scales, zero_points = _checked(self)
        blocks = _ratios(shape, scales.shape)
        lengths = tuple(length for length in blocks if length != 1) or (1,)
        expected = self.block_shape or (self.block_size,)
        if blocks and expected == (blocks if self.block_shape else lengths):
            return scales, zero_points
        raise QuantizationError(
            f"scales have shape {scales.shape}, which does not fit shape {shape} in blocks of "
            f"{self.block_shape or self.block_size}"
        )

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of integers; see `tflite_quant.dequantize_blockwise`."""
        require_integers(values)
        scales, zero_points = self.parameters(values.shape)
        return dequantize_blockwise(values, scales, zero_points, out)


@by_identity
class MultiAxis(NamedTuple):
    """One scale for each index along several axes, or for each block along one of them.

    Attributes
    ----------
    scales, zero_points, scales_tensor, zero_points_tensor
        As in `Blockwise`.
    axes : tuple of int
        The quantized dimensions.
    block_size : int
        The length of a block; 0 if each index has its own scale.
    quantized_dimension : int
        What the file says in addition to the axes.
    min, max : ndarray of float32, or None
        The ranges that the converter recorded, if the file has them.
    """

    scales: NDArray[Any] | None
    zero_points: NDArray[Any] | None
    axes: tuple[int, ...]
    block_size: int = 0
    scales_tensor: int = -1
    zero_points_tensor: int = -1
    quantized_dimension: int = 0
    min: Floats | None = None
    max: Floats | None = None

    @property
    def scheme(self) -> str:
        """The scheme's name: multi-axis."""
        return "multi-axis"

    @property
    def axis(self) -> None:
        """None: the shape of the scales shows which values share one."""

    def __repr__(self) -> str:
        blocks = f", blocks of {self.block_size}" if self.block_size else ""
        return f"MultiAxis(axes={self.axes}{blocks}, {_tensors(self)})"

    def parameters(self, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scales and zero points for a tensor of this shape, as in `Blockwise`.

        The tensors that hold them have an axis for each quantized dimension, in the order of
        `axes`, or an axis for each axis of the tensor.

        Raises
        ------
        QuantizationError
            The shapes of tensor and scales do not fit each other, the axes or the block size.

        Examples
        --------
        >>> scheme = MultiAxis(np.ones((2, 3), np.float32), None, (0, 2))
        >>> scheme.parameters((2, 5, 3))[0].shape
        (2, 1, 3)
        """
        scales, zero_points = _checked(self)
        stored_shape = scales.shape
        axes_are_good = len(set(self.axes)) == len(self.axes) > 0 and all(
            0 <= axis < len(shape) for axis in self.axes
        )
        if axes_are_good:
            scales, zero_points = (self._spread_out(v, len(shape)) for v in (scales, zero_points))
            blocks = _ratios(shape, scales.shape)
            lengths = [blocks[axis] for axis in self.axes if blocks and blocks[axis] != 1]
            others = [n for axis, n in enumerate(scales.shape) if axis not in self.axes and n != 1]
            expected = [self.block_size] if self.block_size > 1 else []
            if blocks and lengths == expected and not others:
                return scales, zero_points
        blocks_of = f" in blocks of {self.block_size}" if self.block_size else ""
        raise QuantizationError(
            f"scales have shape {stored_shape}, which does not fit axes {self.axes} of shape "
            f"{shape}{blocks_of}"
        )

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of integers; see `tflite_quant.dequantize_blockwise`."""
        require_integers(values)
        scales, zero_points = self.parameters(values.shape)
        return dequantize_blockwise(values, scales, zero_points, out)

    def _spread_out(self, values: NDArray[Any], rank: int) -> NDArray[Any]:
        """Return parameters with every axis of the tensor, if they have only those of `axes`."""
        if values.ndim == rank or values.ndim != len(self.axes):
            return values
        order = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        others = tuple(axis for axis in range(rank) if axis not in self.axes)
        return np.expand_dims(values.transpose(order), others)


def _checked(scheme: Blockwise | MultiAxis) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return scales and zero points; check that they are numbers and fit each other."""
    scales, zeros = scheme.scales, scheme.zero_points
    if scales is None or (zeros is None and scheme.zero_points_tensor >= 0):
        raise QuantizationError("the tensor of scales or zero points has no numbers")
    if zeros is None:
        zeros = np.zeros((), np.int64)
    if scales.dtype.kind != "f" or zeros.dtype.kind not in "iu":
        raise QuantizationError(
            f"scales are {scales.dtype.name}, zero points {zeros.dtype.name}, expected float, int"
        )
    if zeros.size != 1 and zeros.shape != scales.shape:
        raise QuantizationError(f"zero points have shape {zeros.shape}, expected {scales.shape}")
    return scales, zeros


def _ratios(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape divided by that of the scales, axis by axis; () if they do not divide it."""
    if len(shape) != len(scales) or any(
        count < 1 or size % count for size, count in zip(shape, scales, strict=True)
    ):
        return ()
    return tuple(size // count for size, count in zip(shape, scales, strict=True))


def _tensors(scheme: Blockwise | MultiAxis) -> str:
    """Return scales and zero points as text."""
    if scheme.scales is None:
        return f"scales in tensor {scheme.scales_tensor}, which cannot be read"
    scales = f"{scheme.scales.shape} scales {spread(scheme.scales)}"
    if scheme.zero_points is not None:
        return f"{scales}, zero_point {spread(scheme.zero_points)}"
    if scheme.zero_points_tensor < 0:
        return f"{scales}, zero_point 0"
    return f"{scales}, zero points in tensor {scheme.zero_points_tensor}, which cannot be read"
