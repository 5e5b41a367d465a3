"""The schemes that have a scale for each block of values, or for each index along several axes.

Their scales and zero points are tensors of their own. Source: ai-edge-litert 2.3.0,
schema_py_generated.py; what their fields mean: google-ai-edge/LiteRT,
tflite/converter/schema/schema.fbs.
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
    """Show many numbers as one, or as a range, with the fewest digits that read back."""
    if not values.size:
        return "none"
    low, high = values.min(), values.max()
    return str(low) if low == high else f"in [{low!s}, {high!s}]"


def require_integers(values: NDArray[Any]) -> None:
    """Refuse values that have scales but are no integers."""
    if values.dtype.kind not in "iu":
        raise QuantizationError(f"this tensor has scales, but its values are {values.dtype.name}")


def _is(self: object, other: object) -> bool:
    return self is other


def _is_not(self: object, other: object) -> bool:
    return self is not other


def by_identity(cls: type[_Scheme]) -> type[_Scheme]:
    """Let a tuple be equal to itself only: arrays in it have no single truth to compare by."""
    for name, method in (("__eq__", _is), ("__ne__", _is_not), ("__hash__", object.__hash__)):
        setattr(cls, name, method)
    return cls


@by_identity
class Blockwise(NamedTuple):
    """One scale for each block of consecutive values along an axis.

    Scales and zero points are other tensors of the subgraph. Their shape tells which axis the
    blocks lie along: a weight of shape (out, in) in blocks of 32 has scales of shape
    (out, in / 32).

    Attributes
    ----------
    scales : ndarray of floats, or None
        In the shape of their tensor; None if it has no numbers that can be read.
    zero_points : ndarray of integers, or None
        In the shape of their tensor; None where every zero point is 0, or as for the scales.
    block_size : int
    block_shape : tuple of int
        The length of a block along every axis, where the file says it; else empty.
    scales_tensor, zero_points_tensor : int
        Indices in the subgraph; -1 where every zero point is 0.
    quantized_dimension : int
        What the file says; converters write 0 whatever axis the blocks lie along.
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
        """None: the shape of the scales tells which values share one."""

    def __repr__(self) -> str:
        return f"Blockwise(blocks of {self.block_shape or self.block_size}, {_tensors(self)})"

    def parameters(self, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scales and zero points for a tensor of this shape.

        Returns
        -------
        scales : ndarray of floats
            With as many axes as the tensor, each as long as the tensor's or a fraction of it.
        zero_points : ndarray of integers
            Of the same shape, or a single one.

        Raises
        ------
        QuantizationError
            The shapes of tensor and scales do not tell the axis, or do not fit the block size.

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
            f"blocks of {self.block_shape or self.block_size} do not take shape {shape} to "
            f"scales of shape {scales.shape}"
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
        The length of a block; 0 for one scale an index.
    quantized_dimension : int
        What the file says beside the axes.
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
        """None: the shape of the scales tells which values share one."""

    def __repr__(self) -> str:
        blocks = f", blocks of {self.block_size}" if self.block_size else ""
        return f"MultiAxis(axes={self.axes}{blocks}, {_tensors(self)})"

    def parameters(self, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return scales and zero points for a tensor of this shape, as in `Blockwise`.

        Their tensors have an axis for each quantized dimension, in the order of `axes`, or one
        for every axis of the tensor.

        Raises
        ------
        QuantizationError
            The shapes of tensor and scales do not fit each other, axes and block size.

        Examples
        --------
        >>> scheme = MultiAxis(np.ones((2, 3), np.float32), None, (0, 2))
        >>> scheme.parameters((2, 5, 3))[0].shape
        (2, 1, 3)
        """
        scales, zero_points = _checked(self)
        found = scales.shape
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
        of = f" in blocks of {self.block_size}" if self.block_size else ""
        raise QuantizationError(
            f"axes {self.axes}{of} do not take shape {shape} to scales of shape {found}"
        )

    def dequantize(
        self, values: NDArray[Any], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of integers; see `tflite_quant.dequantize_blockwise`."""
        require_integers(values)
        scales, zero_points = self.parameters(values.shape)
        return dequantize_blockwise(values, scales, zero_points, out)

    def _spread_out(self, values: NDArray[Any], rank: int) -> NDArray[Any]:
        """Put parameters that have an axis for each of `axes` where those are in the tensor."""
        if values.ndim == rank or values.ndim != len(self.axes):
            return values
        order = sorted(range(len(self.axes)), key=self.axes.__getitem__)
        others = tuple(axis for axis in range(rank) if axis not in self.axes)
        return np.expand_dims(values.transpose(order), others)


def _checked(scheme: Blockwise | MultiAxis) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return scales and zero points, which may be nothing but what their tensors hold."""
    scales, zeros = scheme.scales, scheme.zero_points
    if scales is None or (zeros is None and scheme.zero_points_tensor >= 0):
        raise QuantizationError(
            "the tensors of scales or zero points have no values that are numbers"
        )
    if zeros is None:
        zeros = np.zeros((), np.int64)
    if scales.dtype.kind != "f" or zeros.dtype.kind not in "iu":
        raise QuantizationError(
            f"scales are {scales.dtype.name}, zero points are {zeros.dtype.name}"
        )
    if zeros.size != 1 and zeros.shape != scales.shape:
        raise QuantizationError(f"scales have shape {scales.shape}, zero points {zeros.shape}")
    return scales, zeros


def _ratios(shape: tuple[int, ...], scales: tuple[int, ...]) -> tuple[int, ...]:
    """Divide a shape by that of the scales, axis by axis; () if that cannot be done."""
    if len(shape) != len(scales) or any(
        count < 1 or size % count for size, count in zip(shape, scales, strict=True)
    ):
        return ()
    return tuple(size // count for size, count in zip(shape, scales, strict=True))


def _tensors(scheme: Blockwise | MultiAxis) -> str:
    """Show the scales and zero points, which are tensors of their own."""
    if scheme.scales is None:
        return f"scales in tensor {scheme.scales_tensor}, which cannot be read"
    scales = f"{scheme.scales.shape} scales {spread(scheme.scales)}"
    if scheme.zero_points is not None:
        return f"{scales}, zero_point {spread(scheme.zero_points)}"
    if scheme.zero_points_tensor < 0:
        return f"{scales}, zero_point 0"
    return f"{scales}, zero points in tensor {scheme.zero_points_tensor}, which cannot be read"
