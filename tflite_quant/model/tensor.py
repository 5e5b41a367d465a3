"""A tensor: what the file says of it, its values, and the real numbers they stand for.

Values go through three hands: as they are *stored* in the buffer, as *data* in the tensor's shape
(decoded, and dense where they are stored sparse), and as real values.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import CorruptModelError, TFLiteError, UnsupportedError, brief
from ..format import values
from ..format.budget import DENSE_PER_BYTE, MAX_ARRAY_RANK, Budget
from ..format.schema import TensorType, quantization_details_name
from ..format.source import load_beside
from ..format.sparsity import Sparsity, densify, sparsity_of
from ..format.tables import BLOCKWISE, CUSTOM, ExternalBuffer, Structure
from .block_quantization import Blockwise, MultiAxis
from .buffer import Buffer
from .once import cached_property
from .quantization import (
    Custom,
    NotQuantized,
    Quantization,
    UnknownScheme,
    classify,
)

_NOT_QUANTIZED = NotQuantized()


class Tensor:
    """One tensor of a subgraph. `numpy.asarray(tensor)` returns its data.

    Attributes
    ----------
    subgraph_index, index : int
        Which subgraph of the model the tensor belongs to, and its index there.
    name : str
        The tensor's name; empty if it has none.
    type : TensorType
        What its values are.
    shape : tuple of int
        The shape; a dimension that is only known when the model runs is 1.
    shape_signature : tuple of int
        The shape with -1 for dimensions that are only known when the model runs.
    has_rank : bool
        Whether the file says that shape () means a scalar, not a tensor of unknown rank.
    is_variable : bool
        Whether it keeps a state from one run to the next.
    is_sparse : bool
        Whether the values are stored without those that are zero.
    is_constant : bool
        Whether the file, or another beside it, holds its values.
    buffer : Buffer
        The buffer that holds its values; one without bytes if none does.
    external_buffer : ExternalBuffer or None
        Where in another file its values lie, if they do.
    is_quantized : bool
        Whether the file has scales for it, or says where they are.
    quantization : Quantization
        How its integers stand for real numbers.
    """

    def __init__(
        self,
        structure: Structure,
        row: int,
        subgraph_index: int,
        index: int,
        name: str,
        type: TensorType,
        shape: tuple[int, ...],
        shape_signature: tuple[int, ...],
        has_rank: bool,
        is_variable: bool,
        is_sparse: bool,
        buffer: Buffer,
        external_buffer: ExternalBuffer | None,
        quantization: Quantization | None,
    ) -> None:
        self._structure, self._row = structure, row
        self.subgraph_index, self.index, self.name, self.type = subgraph_index, index, name, type
        self.shape, self.shape_signature = shape, shape_signature
        self.has_rank, self.is_variable, self.is_sparse = has_rank, is_variable, is_sparse
        self.buffer, self.external_buffer = buffer, external_buffer
        self.is_constant = external_buffer is not None or (buffer.index != 0 and buffer.offset != 0)
        self.is_quantized = not isinstance(quantization, NotQuantized)
        if quantization is not None:
            self.quantization = quantization

    def __repr__(self) -> str:
        return (
            f"Tensor({self.index}, {self.name!r}, {self.type.name}, "
            f"{brief(self.shape_signature)}, {self.quantization})"
        )

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of `data`.

        Raises
        ------
        UnsupportedError
            A file holds no values of the tensor's type, or the type is not known.
        """
        return values.dtype_of(self.type)

    @property
    def nbytes(self) -> int | None:
        """The bytes of its values in the file or, from type and shape, in memory when it runs.

        None where neither tells: a string, resource or variant that is not constant.
        """
        if self.external_buffer is not None:
            return self.external_buffer.length
        return (
            self.buffer.nbytes if self.is_constant else values.stored_bytes(self.type, self.shape)
        )

    @cached_property
    def quantization(self) -> Quantization:
        """Read the schemes that few tensors have; the others are set when the tensor is made."""
        structure, row = self._structure, int(self._structure.quantization_rows[self._row])
        tables, details, this = structure.quantizations, structure.details, slice(row, row + 1)
        assert details is not None
        scales, zero_points, low, high = (
            tables.vectors(name, this).split(writeable=False)[0]
            for name in ("scale", "zero_point", "min", "max")
        )
        axis = int(tables.numbers("quantized_dimension", this)[0])
        ranges = (low if low.size else None, high if high.size else None)
        kind = int(details.kinds[row])
        own = int(details.rows[kind][row]) if kind in details.rows else -1
        if own < 0:
            name = quantization_details_name(kind)
            return UnknownScheme(kind, name, scales, zero_points, axis, *ranges)
        found, this = details.tables[kind], slice(own, own + 1)
        if kind == CUSTOM:
            content = found.vectors("custom", this).view(0)
            return Custom(content, scales, zero_points, axis, *ranges)
        scales_at, zeros_at, size = (
            int(found.numbers(name, this)[0]) for name in ("scales", "zero_points", "block_size")
        )
        parameters = (self._parameters_in(scales_at), self._parameters_in(zeros_at))
        if kind == BLOCKWISE:
            block = tuple(found.vectors("block_shape", this).lists()[0])
            return Blockwise(*parameters, size, block, scales_at, zeros_at, axis, *ranges)
        axes = tuple(found.vectors("quantized_dimensions", this).lists()[0])
        return MultiAxis(*parameters, axes, size, scales_at, zeros_at, axis, *ranges)

    def _parameters_in(self, index: int) -> NDArray[Any] | None:
        """Return the numbers in another tensor of the subgraph, if there is one that has any.

        A tensor that lacks them is shown so; `dequantize` says why.
        """
        if index < 0 or (tensor := self._other(index)).is_sparse:
            # Many tensors may name one that is small in the file, and large when it is dense.
            return None
        try:
            data = tensor.data
        except TFLiteError:
            return None
        return data if data.dtype.kind in "iuf" else None

    def _other(self, index: int) -> Tensor:
        """Return another tensor of the subgraph."""
        return make_tensors(self._structure, self.subgraph_index, slice(index, index + 1))[0]

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
        sparsities = self._structure.sparsities
        row = -1 if sparsities is None else int(sparsities.rows[self._row])
        return None if sparsities is None or row < 0 else sparsity_of(sparsities, row)

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
        UnsupportedError, CorruptModelError, ValueError
            As `data`.
        """
        try:
            return self._stored()
        except TFLiteError as error:
            raise self._labeled(error) from None

    @property
    def data(self) -> NDArray[Any]:
        """The values in the tensor's shape, read-only.

        Returns
        -------
        ndarray of `dtype`, shape `shape`
            A view of the file, without a copy, for all types that numpy has a dtype for. INT4,
            INT2 and UINT4 are unpacked to int8 and uint8; BFLOAT16 and FLOAT8 are float32, which
            holds their values exactly; strings are `bytes`. A sparse tensor's values are those of
            the dense array.

        Raises
        ------
        UnsupportedError
            The file does not hold the tensor's values, or holds them in a way that is not known.
        CorruptModelError
            The buffer does not hold as many values as the shape asks for, or the strings or the
            sparse values in it are not where it says.
        ValueError
            The model is closed.
        """
        try:
            return self._data()
        except TFLiteError as error:
            raise self._labeled(error) from None

    def _labeled(self, error: TFLiteError) -> TFLiteError:
        """Return an error that says which tensor it is about."""
        label = f"subgraph {self.subgraph_index}, tensor {self.index} {self.name!r}"
        return type(error)(f"{label}: {error}")

    def _stored(self) -> NDArray[Any]:
        content, dtype = self._content(), values.stored_dtype_of(self.type)
        if self.is_sparse or self.type is TensorType.STRING:
            if content.size % dtype.itemsize:
                raise CorruptModelError(
                    f"{content.size:_} bytes are not a whole number of {self.type.name} values"
                )
            return content.view(dtype)
        expected = values.stored_bytes(self.type, self.shape)
        if expected is None:
            kind = UnsupportedError if len(self.shape) > MAX_ARRAY_RANK else CorruptModelError
            raise kind(f"no array has shape {brief(self.shape)}")
        if content.size != expected:
            place = f"buffer {self.buffer.index}"
            if self.external_buffer is not None:
                place = f"file {self.external_buffer.file!r}"
            raise CorruptModelError(
                f"{place} has {content.size:_} bytes, but {self.type.name} of shape "
                f"{brief(self.shape)} takes {expected} bytes"
            )
        stored = content if dtype == np.uint8 else content.view(dtype)
        return stored if values.is_packed(self.type) else self._shaped(stored)

    def _data(self) -> NDArray[Any]:
        stored = self._stored()
        if self.is_sparse:
            return self._densified(stored)
        if self.type in values.VIEWED:
            return stored
        count = math.prod(self.shape[:MAX_ARRAY_RANK])
        if self.type is TensorType.STRING:
            return self._shaped(values.decode_strings(stored, count))
        return self._shaped(values.decode(stored.reshape(-1), self.type, count))

    def _densified(self, stored: NDArray[Any]) -> NDArray[Any]:
        if self.type is TensorType.STRING or values.is_packed(self.type):
            raise UnsupportedError(f"sparse {self.type.name} values cannot be read")
        sparsity = self.sparsity
        assert sparsity is not None
        limit = Budget(self._structure.file.size, DENSE_PER_BYTE).limit
        decoded = values.decode(stored, self.type, stored.size)
        return densify(decoded, sparsity, self.shape, limit)

    def _content(self) -> NDArray[np.uint8]:
        """Return the bytes that hold the values, from this file or another."""
        external = self.external_buffer
        if external is None:
            if self.is_constant:
                return self.buffer.data
            raise UnsupportedError("not constant: it has values only while the model runs")
        if external.packing not in ("", "unpacked"):
            raise UnsupportedError(f"its bytes are packed as {external.packing!r}")
        folder = self._structure.file.folder
        return load_beside(folder, external.file, external.offset, external.length)

    def _shaped(self, array: NDArray[Any]) -> NDArray[Any]:
        try:
            return array.reshape(self.shape)
        except ValueError as error:
            raise UnsupportedError(f"shape {brief(self.shape)}: {error}") from None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        data = self.data
        if dtype is not None and np.dtype(dtype) != data.dtype:
            if copy is False:
                raise ValueError(f"{data.dtype.name} as {np.dtype(dtype).name} needs a copy")
            return data.astype(dtype)
        return data.copy() if copy else data

    def dequantize(self, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return the real values that the stored ones stand for.

        Parameters
        ----------
        out : ndarray of float32, shape `shape`, optional
            Where to put the result.

        Returns
        -------
        ndarray of float32, shape `shape`
            `(data - zero_point) * scale`, with the bits of LiteRT's reference kernels; see
            `tflite_quant.dequantize` and `tflite_quant.dequantize_blockwise`. Floats of at most 32
            bits without scales are their own real values.

        Raises
        ------
        QuantizationError
            The tensor is not quantized, or its parameters do not fit it.
        UnsupportedError, CorruptModelError, ValueError
            As `data`; also for custom quantization, and for schemes that are not known.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model["residual_1/stem_conv_1/convolution"].dequantize().dtype
        dtype('float32')
        """
        try:
            self._check_parameters()
            return self.quantization.dequantize(self._data(), out)
        except TFLiteError as error:
            raise self._labeled(error) from None

    def _check_parameters(self) -> None:
        """Say why the scales or zero points, if they are other tensors, cannot be read."""
        quantization = self.quantization
        if isinstance(quantization, Blockwise | MultiAxis):
            for index in (quantization.scales_tensor, quantization.zero_points_tensor):
                try:
                    if index >= 0:
                        self._other(index).data  # noqa: B018
                except TFLiteError as error:
                    raise type(error)(f"its parameters: {error}") from None


def make_tensors(
    structure: Structure, subgraph_index: int, wanted: slice = slice(None)
) -> tuple[Tensor, ...]:
    """Make the tensors of a subgraph, or some of them, from the columns.

    Parameters
    ----------
    structure : Structure
    subgraph_index : int
    wanted : slice
        Which tensors of the subgraph.

    Raises
    ------
    ValueError
        The model is closed.
    """
    first, end = structure.tensor_bounds[subgraph_index : subgraph_index + 2].tolist()
    indices = range(end - first)[wanted]
    rows = slice(first + indices.start, first + indices.stop)
    tables = structure.tensors
    numbers = tables.numbers("type", rows).tolist()
    types = {number: TensorType(number) for number in set(numbers)}
    shapes = list(map(tuple, tables.vectors("shape", rows).lists()))
    signatures = shapes
    if tables.has("shape_signature", rows):
        pairs = zip(tables.vectors("shape_signature", rows).lists(), shapes, strict=True)
        signatures = [tuple(signature) or shape for signature, shape in pairs]
    columns = zip(
        range(rows.start, rows.stop),
        indices,
        tables.strings("name", rows),
        [types[number] for number in numbers],
        shapes,
        signatures,
        tables.numbers("has_rank", rows).tolist(),
        tables.numbers("is_variable", rows).tolist(),
        (tables.references("sparsity")[rows] != 0).tolist(),
        _buffers(structure, rows),
        map(structure.external.get, tables.numbers("external_buffer", rows).tolist()),
        _quantizations(structure, rows),
        strict=True,
    )
    return tuple([Tensor(structure, row, subgraph_index, *facts) for row, *facts in columns])


def _buffers(structure: Structure, rows: slice) -> list[Buffer]:
    """Return the buffer of each tensor."""
    indices = structure.tensors.numbers("buffer", rows)
    starts, sizes = structure.buffer_starts[indices], structure.buffer_sizes[indices]
    file, none = structure.file, Buffer(0, int(structure.buffer_starts[0]), 0, structure.file)
    columns = zip(indices.tolist(), starts.tolist(), sizes.tolist(), strict=True)
    return [Buffer(*facts, file) if facts[0] else none for facts in columns]


def _quantizations(structure: Structure, rows: slice) -> list[Quantization | None]:
    """Return the scheme of each tensor; None for those that are read when they are asked for."""
    places = structure.quantization_rows[rows]
    having = places[places >= 0]
    found: list[Quantization | None] = [_NOT_QUANTIZED] * places.size
    if not having.size:
        return found
    # The tables lie in the order of the tensors.
    tables, own = structure.quantizations, slice(int(having[0]), int(having[-1]) + 1)
    columns = [
        tables.vectors("scale", own).split(writeable=False),
        tables.vectors("zero_point", own).split(writeable=False),
        tables.numbers("quantized_dimension", own).tolist(),
    ]
    if tables.has("min", own) or tables.has("max", own):
        for name in ("min", "max"):
            ranges = tables.vectors(name, own).split(writeable=False)
            columns.append([each if each.size else None for each in ranges])
    schemes: list[Quantization | None] = [classify(*facts) for facts in zip(*columns, strict=True)]
    if structure.details is not None:
        for row in structure.details.kinds[own].nonzero()[0].tolist():
            schemes[row] = None
    for index, scheme in zip((places >= 0).nonzero()[0].tolist(), schemes, strict=True):
        found[index] = scheme
    return found
