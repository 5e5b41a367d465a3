"""A tensor and the buffer that holds its values.

Both are views: an object knows which row of the model's columns it is, and reads when asked. The
values go through three hands: as they are *stored* in the buffer, as *data* in the tensor's shape
(decoded, and dense where they are stored sparse), and as the real numbers that they stand for.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CorruptModelError, TFLiteError, UnsupportedError
from ..format import external
from ..format import values as storage
from ..format.columns import Tables
from ..format.extensions import BLOCKWISE, CUSTOM, MULTI_AXIS, Details
from ..format.schema import TensorType, quantization_details_name
from ..format.structure import Access
from . import real
from .buffer import Buffer, ExternalBuffer
from .quantization import (
    Blockwise,
    Custom,
    MultiAxis,
    NotQuantized,
    Quantization,
    UnknownScheme,
    classify,
)

if TYPE_CHECKING:
    from ..format.sparsity import Dimension, Sparsity

__all__ = ["Tensor"]

_DENSE_PER_BYTE = 256
_DENSE_ALWAYS = 1 << 26
"""A sparse tensor's dense array may take so many bytes for each of the file, or so many at all."""


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
            A file holds no values of the tensor's type, or the type is not known.
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
        """Whether the file, or another beside it, holds its values."""
        if self.external_buffer is not None:
            return True
        index = self._tables.number("buffer", self._row)
        return index != 0 and bool(self._access.structure.buffer_starts[index])

    @property
    def buffer(self) -> Buffer:
        """The buffer that holds its values; buffer 0, which is empty, if none does."""
        return Buffer(self._tables.number("buffer", self._row), self._access)

    @property
    def external_buffer(self) -> ExternalBuffer | None:
        """Where in another file its values lie; None if they do not."""
        found, number = self._access.structure.external, 0
        if found is not None:
            number = self._tables.number("external_buffer", self._row)
        if found is None or not number:
            return None
        table = found.buffers[number]
        return ExternalBuffer(
            number,
            found.groups[table.number("group")],
            table.number("offset"),
            table.number("length"),
            table.string("packing") or "",
        )

    @property
    def nbytes(self) -> int | None:
        """The bytes of its values in the file or, from type and shape, in memory when it runs.

        None where neither tells: a string, resource or variant that is no constant.
        """
        if self.external_buffer is not None:
            return self.external_buffer.length
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
        scales, zero_points = tables.vector("scale", row), tables.vector("zero_point", row)
        axis = int(tables.number("quantized_dimension", row))
        low, high = tables.vector("min", row), tables.vector("max", row)
        ranges = (low if low.size else None, high if high.size else None)
        details = structure.details
        if details is None or not details.kinds[row]:
            return classify(scales, zero_points, axis, *ranges)
        kind, own = int(details.kinds[row]), int(details.rows[row])
        if own < 0:
            name = quantization_details_name(kind)
            return UnknownScheme(kind, name, scales, zero_points, axis, *ranges)
        if kind == CUSTOM:
            content = details.tables[CUSTOM].vector("custom", own)
            return Custom(content, scales, zero_points, axis, *ranges)
        return self._with_tensors(details, kind, own, axis, ranges)

    def _with_tensors(
        self,
        details: Details,
        kind: int,
        row: int,
        axis: int,
        ranges: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None],
    ) -> Blockwise | MultiAxis:
        """Read the schemes whose scales and zero points are tensors of their own."""
        tables = details.tables[kind]
        names = ("scales", "zero_points", "block_size")
        scales, zeros, size = (int(tables.number(name, row)) for name in names)
        values = (self._parameters_in(scales), self._parameters_in(zeros))
        if kind == BLOCKWISE:
            block = tuple(tables.vector("block_shape", row).tolist())
            return Blockwise(*values, size, block, scales, zeros, axis, *ranges)
        axes = tuple(details.tables[MULTI_AXIS].vector("quantized_dimensions", row).tolist())
        return MultiAxis(*values, axes, size, scales, zeros, axis, *ranges)

    def _parameters_in(self, index: int) -> NDArray[Any] | None:
        """Give the numbers in another tensor of the subgraph, if there is one that has any.

        What lacks them is shown so; whoever needs them is told why, by `_require_parameters` or
        by the scheme.
        """
        if index < 0 or self._other(index).is_sparse:
            # Many tensors may name one that is small in the file, and large when it is dense.
            return None
        try:
            data = self._other(index).data
        except TFLiteError:
            return None
        return data if data.dtype.kind in "iuf" else None

    def _other(self, index: int) -> Tensor:
        row = self._row - self.index + index
        return Tensor(self.subgraph_index, index, row, self._access)

    @property
    def sparsity(self) -> Sparsity | None:
        """How its values are stored without those that are zero; None if all are stored.

        Raises
        ------
        CorruptModelError
            A dimension says neither how long it is nor which indices it has.
        UnsupportedError
            A dimension is stored in a form that is not known.
        """
        found = self._access.structure.sparsities
        row = -1 if found is None else int(found.rows[self._row])
        if found is None or row < 0:
            return None
        from ..format import sparsity  # noqa: PLC0415  # few models are sparse

        first, end = found.bounds[row : row + 2].tolist()
        return sparsity.Sparsity(
            tuple(found.tables.vector("traversal_order", row).tolist()),
            tuple(found.tables.vector("block_map", row).tolist()),
            tuple(self._dimension(at) for at in range(first, end)),
        )

    def _dimension(self, row: int) -> Dimension:
        from ..format import sparsity  # noqa: PLC0415

        found = self._access.structure.sparsities
        assert found is not None
        match found.dimensions.number("format", row):
            case 0:
                return sparsity.DenseDimension(int(found.dimensions.number("dense_size", row)))
            case 1:
                pass
            case other:
                raise UnsupportedError(
                    f"{found.dimensions.place(row)}: its format {other} is neither dense (0) nor "
                    "compressed (1)"
                )
        tables = [found.indices[name][row] for name in ("array_segments", "array_indices")]
        vectors = [table.vector("values") for table in tables if table is not None]
        if len(vectors) == 2:
            return sparsity.CompressedDimension(*vectors)
        raise CorruptModelError(f"{found.dimensions.place(row)}: it has no segments or no indices")

    @property
    def stored(self) -> NDArray[Any]:
        """The values as they lie in the file: a read-only view of it.

        Returns
        -------
        ndarray, shape `shape` or (n,)
            In the tensor's shape where each value is one element of a dtype; else a row: of the
            bytes of strings and of packed values, of the 16 or 8 bits of floats that numpy does
            not have, of those values that a sparse tensor stores.

        Raises
        ------
        UnsupportedError, CorruptModelError
            As `data`.
        """
        content, dtype = self._content(), self._stored_dtype()
        if self.is_sparse or self.type is TensorType.STRING:
            if content.size % dtype.itemsize:
                raise CorruptModelError(
                    f"{self._label}: its {content.size:_} bytes are no whole number of "
                    f"{self.type.name} values"
                )
            return content.view(dtype)
        expected = storage.stored_bytes(self.type, self.shape)
        if expected is None:
            raise CorruptModelError(f"{self._label}: no tensor has shape {self.shape}")
        if content.size != expected:
            raise CorruptModelError(
                f"{self._label}: {self._place} has {content.size:_} bytes, but "
                f"{self.type.name} of shape {self.shape} takes {expected} bytes"
            )
        stored = content.view(dtype)
        return stored if storage.is_packed(self.type) else self._shaped(stored)

    @property
    def data(self) -> NDArray[Any]:
        """The values in the tensor's shape, read-only.

        Returns
        -------
        ndarray of `dtype`, shape `shape`
            A view of the file, without a copy, for all types that numpy has a dtype for. INT4,
            INT2 and UINT4 are unpacked to int8 and uint8; BFLOAT16 and FLOAT8 are given as
            float32, which holds their values exactly; strings are `bytes`. A sparse tensor's
            values are those of the dense array.

        Raises
        ------
        UnsupportedError
            The file does not hold the tensor's values, or holds them in a way that is not known.
        CorruptModelError
            The buffer does not hold as many values as the shape asks for, or the strings or the
            sparse values in it are not where it says.
        """
        stored = self.stored
        if self.is_sparse:
            return self._densified(stored)
        try:
            count = math.prod(self.shape)
            if self.type is TensorType.STRING:
                return self._shaped(storage.decode_strings(stored, count))
            return self._shaped(storage.decode(stored.reshape(-1), self.type, count))
        except CorruptModelError as error:
            raise CorruptModelError(f"{self._label}: {error}") from None

    def _densified(self, stored: NDArray[Any]) -> NDArray[Any]:
        from ..format import sparsity  # noqa: PLC0415  # few models are sparse

        if self.type is TensorType.STRING or storage.is_packed(self.type):
            raise UnsupportedError(f"{self._label}: sparse {self.type.name} values cannot be read")
        layout = self.sparsity
        assert layout is not None
        try:
            values = storage.decode(stored, self.type, stored.size)
            limit = max(_DENSE_PER_BYTE * self._access.structure.file.size, _DENSE_ALWAYS)
            return sparsity.densify(values, layout, self.shape, limit)
        except TFLiteError as error:
            raise type(error)(f"{self._label}: {error}") from None

    def _content(self) -> NDArray[np.uint8]:
        """Give the bytes that hold the values, from this file or another."""
        found = self.external_buffer
        if found is None:
            if not self.is_constant:
                raise UnsupportedError(
                    f"{self._label} is not constant: it has values only while the model runs"
                )
            return self.buffer.data
        if found.packing not in ("", "unpacked"):
            raise UnsupportedError(f"{self._label}: bytes packed as {found.packing!r}")
        try:
            return external.read(self._access.folder, found.file, found.offset, found.length)
        except TFLiteError as error:
            raise type(error)(f"{self._label}: {error}") from None

    @property
    def _place(self) -> str:
        found = self.external_buffer
        return f"buffer {self.buffer.index}" if found is None else f"file {found.file!r}"

    def _stored_dtype(self) -> np.dtype[Any]:
        try:
            return storage.stored_dtype_of(self.type)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self._label}: {error}") from None

    def _shaped(self, values: NDArray[Any]) -> NDArray[Any]:
        try:
            return values.reshape(self.shape)
        except ValueError as error:
            raise UnsupportedError(f"{self._label}: shape {self.shape}: {error}") from None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        data = self.data
        if dtype is not None and np.dtype(dtype) != data.dtype:
            if copy is False:
                raise ValueError(f"{data.dtype} as {np.dtype(dtype)} needs a copy")
            return data.astype(dtype)
        return data.copy() if copy else data

    def dequantize(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Give the real values that the stored ones stand for.

        Parameters
        ----------
        out : ndarray of float32, shape `shape`, optional
            Where to put the result.

        Returns
        -------
        ndarray of float32, shape `shape`
            `(data - zero_point) * scale`, with the bits that LiteRT's reference kernels give; see
            `tflite_quant.dequantize` and `tflite_quant.dequantize_blockwise`. Floats of at most 32
            bits without scales stand for themselves.

        Raises
        ------
        QuantizationError
            The tensor is not quantized, or its parameters do not fit it.
        UnsupportedError, CorruptModelError
            As `data`; and for custom quantization, and kinds that are not known.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model["residual_1/stem_conv_1/convolution"].dequantize().dtype
        dtype('float32')
        """
        quantization, data = self.quantization, self.data
        if isinstance(quantization, Blockwise | MultiAxis):
            self._require_parameters(quantization)
        try:
            return real.dequantize(quantization, data, self.type, out)
        except TFLiteError as error:
            raise type(error)(f"{self._label}: {error}") from None

    def _require_parameters(self, quantization: Blockwise | MultiAxis) -> None:
        """Say why the scales or zero points, which are other tensors, cannot be read."""
        for index in (quantization.scales_tensor, quantization.zero_points_tensor):
            if index < 0:
                continue
            try:
                self._other(index).data  # noqa: B018
            except TFLiteError as error:
                raise type(error)(f"{self._label}: its parameters: {error}") from None
