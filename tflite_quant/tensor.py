"""A tensor and the buffer that holds its values.

Both are views: an object knows which row of the model's columns it is, and reads when asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import affine, storage
from .columns import Tables
from .errors import CorruptModelError, QuantizationError, UnsupportedError
from .quantization import (
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
    classify,
)
from .schema import TensorType, quantization_details_name
from .structure import Access

__all__ = ["Buffer", "Tensor"]


@dataclass(frozen=True, repr=False)
class Buffer:
    """Bytes that tensors and metadata refer to by index.

    Attributes
    ----------
    index : int
    """

    index: int
    _access: Access

    def __repr__(self) -> str:
        return f"Buffer({self.index}, {self.nbytes} bytes at {self.offset})"

    @property
    def nbytes(self) -> int:
        """How many bytes there are."""
        return int(self._get(self._access.structure.buffer_sizes))

    @property
    def offset(self) -> int:
        """Where in the file they begin; 0 if the buffer has none."""
        return int(self._get(self._access.structure.buffer_starts))

    def _get(self, column: NDArray[np.int64]) -> int:
        # A model need not have the buffer 0 that its tensors without data refer to.
        return int(column[self.index]) if self.index < column.size else 0

    @property
    def data(self) -> NDArray[np.uint8]:
        """The bytes: a read-only view of the file."""
        return self._access.structure.file.view(self.offset, self.nbytes, np.dtype(np.uint8))


class Tensor:
    """One tensor of a subgraph. `numpy.asarray(tensor)` gives its data.

    Attributes
    ----------
    subgraph_index, index : int
        Which subgraph of the model the tensor belongs to, and its index there.
    """

    def __init__(self, subgraph_index: int, index: int, row: int, access: Access) -> None:
        self.subgraph_index = subgraph_index
        self.index = index
        self._row = row
        self._access = access

    def __repr__(self) -> str:
        return (
            f"Tensor({self.index}, {self.name!r}, {self.type.name}, {self.shape_signature}, "
            f"{self.quantization})"
        )

    @property
    def _tables(self) -> Tables:
        return self._access.structure.tensors

    @property
    def _label(self) -> str:
        return f"subgraph {self.subgraph_index}, tensor {self.index} {self.name!r}"

    @property
    def name(self) -> str:
        """The tensor's name; empty if it has none."""
        return self._tables.string("name", self._row) or ""

    @property
    def type(self) -> TensorType:
        """What its values are."""
        return TensorType(self._tables.number("type", self._row))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of `data`.

        Raises
        ------
        UnsupportedError
            Values of the tensor's type cannot be read yet.
        """
        return storage.dtype_of(self.type)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape; a dimension that is only known when the model runs is 1."""
        return tuple(self._tables.vector("shape", self._row).tolist())

    @property
    def shape_signature(self) -> tuple[int, ...]:
        """The shape with -1 for dimensions that are only known when the model runs."""
        signature = self._tables.vector("shape_signature", self._row).tolist()
        return tuple(signature) if signature else self.shape

    @property
    def has_rank(self) -> bool:
        """Whether the file says that shape () means a scalar, not a tensor of unknown rank."""
        return bool(self._tables.number("has_rank", self._row))

    @property
    def is_variable(self) -> bool:
        """Whether it keeps a state from one run to the next."""
        return bool(self._tables.number("is_variable", self._row))

    @property
    def is_sparse(self) -> bool:
        """Whether the values are stored without those that are zero."""
        return bool(self._tables.references("sparsity")[self._row])

    @property
    def is_constant(self) -> bool:
        """Whether the file holds its values."""
        index = self._tables.number("buffer", self._row)
        return index != 0 and bool(self._access.structure.buffer_starts[index])

    @property
    def buffer(self) -> Buffer:
        """The buffer that holds its values; buffer 0, which is empty, if none does."""
        return Buffer(self._tables.number("buffer", self._row), self._access)

    @property
    def nbytes(self) -> int | None:
        """The bytes of its values in the file or, from type and shape, in memory when it runs.

        None where neither tells: a string, resource or variant that is no constant.
        """
        if self.is_constant:
            return self.buffer.nbytes
        return storage.stored_bytes(self.type, self.shape)

    @cached_property
    def quantization(self) -> Quantization:
        """How its integers stand for real numbers."""
        structure = self._access.structure
        row = int(structure.quantization_rows[self._row])
        if row < 0:
            return NotQuantized()
        tables = structure.quantizations
        scales, zero_points = (
            tables.vector("scale", row),
            tables.vector("zero_point", row),
        )
        axis = int(tables.number("quantized_dimension", row))
        low, high = tables.vector("min", row), tables.vector("max", row)
        ranges = (low if low.size else None, high if high.size else None)
        kind = int(tables.number("details_type", row))
        if kind:
            name = quantization_details_name(kind)
            return UnknownScheme(kind, name, scales, zero_points, axis, *ranges)
        return classify(scales, zero_points, axis, *ranges)

    @property
    def data(self) -> NDArray[Any]:
        """The values as they are stored, in the tensor's shape: a read-only view of the file.

        Returns
        -------
        ndarray of `dtype`, shape `shape`

        Raises
        ------
        UnsupportedError
            The file does not hold the tensor's values, or not in a form that can be read yet.
        CorruptModelError
            The buffer has not as many bytes as type and shape ask for.
        """
        dtype, shape = self._readable(), self.shape
        expected, buffer = storage.stored_bytes(self.type, shape), self.buffer
        if buffer.nbytes != expected:
            raise CorruptModelError(
                f"{self._label}: buffer {buffer.index} has {buffer.nbytes:_} bytes, but "
                f"{self.type.name} of shape {shape} takes {expected} bytes"
            )
        try:
            return buffer.data.view(dtype).reshape(shape)
        except ValueError as error:
            raise UnsupportedError(f"{self._label}: shape {shape}: {error}") from None

    def _readable(self) -> np.dtype[Any]:
        """Give the dtype of the values, if the file holds them in a form that can be read."""
        if not self.is_constant:
            raise UnsupportedError(
                f"{self._label} is not constant: it has values only while the model runs"
            )
        if self.is_sparse:
            raise UnsupportedError(f"{self._label} is sparse, which cannot be read yet")
        try:
            return self.dtype
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._label}: {error}") from None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        data = self.data
        if dtype is not None and np.dtype(dtype) != data.dtype:
            if copy is False:
                raise ValueError(f"{data.dtype} as {np.dtype(dtype)} needs a copy")
            return data.astype(dtype)
        return data.copy() if copy else data

    def dequantize(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Give the real values that the stored integers stand for.

        Parameters
        ----------
        out : ndarray of float32, shape `shape`, optional
            Where to put the result.

        Returns
        -------
        ndarray of float32, shape `shape`
            `(data - zero_point) * scale`, with the bits that LiteRT's reference kernels give; see
            `tflite_quant.dequantize`.

        Raises
        ------
        QuantizationError
            The tensor is not quantized, or its parameters do not fit it.
        UnsupportedError, CorruptModelError
            As `data`; and for schemes that this library does not read.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model["residual_1/stem_conv_1/convolution"].dequantize().dtype
        dtype('float32')
        """
        quantization = self.quantization
        if isinstance(quantization, UnknownScheme):
            raise UnsupportedError(f"{self._label}: {quantization.name} cannot be applied yet")
        if isinstance(quantization, NotQuantized) or self.data.dtype.kind not in "iu":
            raise QuantizationError(
                f"{self._label}: {self.type.name} values without scales stand for themselves"
            )
        try:
            return _apply(quantization, self.data, out)
        except QuantizationError as error:
            raise QuantizationError(f"{self._label}: {error}") from None


def _apply(
    quantization: PerTensor | PerAxis,
    data: NDArray[Any],
    out: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    if isinstance(quantization, PerTensor):
        return affine.dequantize(data, quantization.scale, quantization.zero_point, out=out)
    if not 0 <= quantization.axis < data.ndim:
        raise QuantizationError(
            f"quantized dimension {quantization.axis} is out of range for shape {data.shape}"
        )
    return affine.dequantize(
        data, quantization.scales, quantization.zero_points, quantization.axis, out
    )
