"""A tensor: what the file says about it, its values, and their real values.

Values have three forms: as they are *stored* in the buffer; as *data* in the tensor's shape,
decoded, and dense even if they are stored sparse; and *dequantized*, as real values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ..arithmetic.affine import dequantize, quantize
from ..errors import (
    CorruptModelError,
    QuantizationError,
    TFLiteError,
    UnsupportedError,
    brief,
    plural,
)
from ..format import values
from ..format.budget import DENSE_PER_BYTE, MAX_ARRAY_RANK, Budget
from ..format.compression import Compression
from ..format.decoding import decode
from ..format.schema import INTEGER_RANGES, TensorType, quantization_details_name
from ..format.sparsity import Sparsity, densify, sparsity_of
from ..format.tables import BLOCKWISE, CUSTOM, ExternalBuffer, Structure
from .block_quantization import Blockwise, MultiAxis
from .buffer import Buffer
from .compressed import encoding_of, lookup_table_of, sources_of
from .once import cached_property
from .quantization import (
    Custom,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
    classify,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .connections import Home
    from .operator import Operator
    from .subgraph import Subgraph

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
        The type of its values.
    shape : tuple of int
        The shape; a dimension that is only known when the model runs is 1.
    shape_signature : tuple of int
        The shape with -1 for dimensions that are only known when the model runs.
    has_rank : bool
        Whether the file says that shape () means a scalar, not a tensor of unknown rank.
    is_variable : bool
        Whether it keeps its values from one run to the next.
    is_sparse : bool
        Whether only values that are not zero are stored.
    is_constant : bool
        Whether the file, or a file beside it, holds its values.
    buffer : Buffer
        The buffer that holds its values; without bytes if there are none in the file.
    external_buffer : ExternalBuffer or None
        Where its values lie in another file, if they do.
    is_quantized : bool
        Whether it has a quantization scheme: any but `NotQuantized`.
    quantization : Quantization
        The scheme and the parameters that its real values are computed with.
    """

    subgraph_index: int
    index: int
    name: str
    type: TensorType
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    has_rank: bool
    is_variable: bool
    is_sparse: bool
    is_constant: bool
    buffer: Buffer
    external_buffer: ExternalBuffer | None
    is_quantized: bool

    def __init__(
        self,
        home: Home,
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
        self._home, self._structure, self._row = home, structure, row
        self.subgraph_index, self.index, self.name, self.type = subgraph_index, index, name, type
        self.shape, self.shape_signature = shape, shape_signature
        self.has_rank, self.is_variable, self.is_sparse = has_rank, is_variable, is_sparse
        self.buffer, self.external_buffer = buffer, external_buffer
        # A buffer without bytes holds values only if there are none to hold.
        self.is_constant = external_buffer is not None or (
            buffer.index != 0 and buffer.offset != 0 and (buffer.nbytes != 0 or 0 in shape)
        )
        self.is_quantized = not isinstance(quantization, NotQuantized)
        if quantization is not None:
            self.quantization = quantization

    def __repr__(self) -> str:
        try:
            compressed = ", compressed" if self.is_compressed else ""
        except ValueError:
            # The model is closed.
            compressed = ""
        return (
            f"Tensor({self.index}, {self.name!r}, {self.type.name}, "
            f"{brief(self.shape_signature)}, {self.quantization}{compressed})"
        )

    def _repr_html_(self) -> str:
        from ..summary.html import tensor_html  # noqa: PLC0415  # it imports this module

        return tensor_html(self)

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
    def size(self) -> int:
        """The number of its values: the product of its shape."""
        if len(self.shape) > MAX_ARRAY_RANK:
            raise UnsupportedError(f"no array has shape {brief(self.shape)}")
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """The number of its dimensions."""
        return len(self.shape)

    @property
    def subgraph(self) -> Subgraph:
        """The subgraph that the tensor belongs to."""
        return self._home.subgraph

    @property
    def producer(self) -> Operator | None:
        """The operator that writes it; None for an input or a constant."""
        return self.subgraph.connections.producers.get(self.index)

    @property
    def consumers(self) -> tuple[Operator, ...]:
        """The operators that read it, in the order in which they run."""
        return tuple(self.subgraph.connections.consumers.get(self.index, ()))

    @property
    def role(self) -> str:
        """What it is for: input, output, weight, bias, constant, encoded, state or activation.

        "input" and "output" are those of the subgraph. A constant that goes through a DEQUANTIZE
        has the role of the result, which is made of a constant alone. "encoded" is what a DECODE
        makes weights of: compressed values, and how to decode them. "state" is what lasts from
        one run to the next. Other constants, such as shapes and tables, are "constant".
        """
        return self.subgraph.connections.roles[self.index]

    @property
    def converted(self) -> Operator | None:
        """The operator that makes it of constants alone: a DEQUANTIZE, DENSIFY or DECODE; or None.

        The weights of a float16 model are such tensors. They have real values, but no data: the
        stored values are those of the operator's input. What a DECODE makes has both.
        """
        return self.subgraph.connections.converted.get(self.index)

    @property
    def is_compressed(self) -> bool:
        """Whether its values are compressed, as TensorFlow Lite Micro does with weights.

        False also where that cannot be told; `compression` then says why.
        """
        try:
            table = lookup_table_of(self)
        except TFLiteError:
            return False
        return table is not None or sources_of(self) is not None

    @property
    def compression(self) -> Compression | None:
        """How its values are compressed in the file; None if they are not.

        `data` and `dequantize` decode them. It is the tensor with the values that has it: what an
        operator DECODE makes of encoded constants, or the constant that the model's metadata
        COMPRESSION_METADATA list.

        Raises
        ------
        CorruptModelError
            What the file says of the compression does not fit the tensor, or is broken.
        UnsupportedError
            It is of a newer version, or of a type that TFLM does not decode.
        ExternalFileError
            The values are in a file beside the model that is missing or cannot be read.
        """
        try:
            encoding = encoding_of(self)
        except TFLiteError as error:
            raise self._labeled(error) from None
        return None if encoding is None else encoding.facts

    @property
    def range(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """The real values that the lowest and the highest integer of its type stand for.

        Returns
        -------
        (low, high) : ndarray of float32, shape () or (n,), or None
            One number each per-tensor; per-axis one for each index along the axis. None where one
            scale does not stand for a whole slice, or there is none. What the file has recorded of
            the range of values is in `quantization.min` and `.max`.

        Raises
        ------
        QuantizationError
            The scales are not finite, or their number does not fit that of the zero points.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     print(*model.outputs[0].range)
        0.0 0.99609375
        """
        scheme, ends = self.quantization, INTEGER_RANGES.get(self.type)
        if ends is None or not isinstance(scheme, PerTensor | PerAxis):
            return None
        count = scheme.scales.size
        axis = 0 if count > 1 else None
        low, high = (
            dequantize(np.full(count, end), scheme.scales, scheme.zero_points, axis) for end in ends
        )
        shape = () if isinstance(scheme, PerTensor) else (count,)
        return low.reshape(shape), high.reshape(shape)

    @property
    def nbytes(self) -> int | None:
        """The size of its values in bytes: in the file or, if not constant, by type and shape.

        None where neither says: a string, resource or variant that is not constant.
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
        tables, details, rows = structure.quantizations, structure.details, slice(row, row + 1)
        assert details is not None
        scales, zero_points, low, high = (
            tables.vectors(name, rows).split(writeable=False)[0]
            for name in ("scale", "zero_point", "min", "max")
        )
        axis = int(tables.numbers("quantized_dimension", rows)[0])
        ranges = (low if low.size else None, high if high.size else None)
        kind = int(details.kinds[row])
        row = int(details.rows[kind][row]) if kind in details.rows else -1
        if row < 0:
            name = quantization_details_name(kind)
            return UnknownScheme(kind, name, scales, zero_points, axis, *ranges)
        tables, rows = details.tables[kind], slice(row, row + 1)
        if kind == CUSTOM:
            content = tables.vectors("custom", rows).view(0)
            return Custom(content, scales, zero_points, axis, *ranges)
        scales_index, zeros_index, size = (
            int(tables.numbers(name, rows)[0]) for name in ("scales", "zero_points", "block_size")
        )
        parameters = (self._parameters_in(scales_index), self._parameters_in(zeros_index))
        if kind == BLOCKWISE:
            block = tuple(tables.vectors("block_shape", rows).lists()[0])
            return Blockwise(*parameters, size, block, scales_index, zeros_index, axis, *ranges)
        axes = tuple(tables.vectors("quantized_dimensions", rows).lists()[0])
        return MultiAxis(*parameters, axes, size, scales_index, zeros_index, axis, *ranges)

    def _parameters_in(self, index: int) -> NDArray[Any] | None:
        """Return the numbers in another tensor of the subgraph, or None if they cannot be read.

        In that case, `dequantize` says why.
        """
        if index < 0 or (tensor := self._other(index)).is_sparse or tensor.is_compressed:
            # Many tensors may share one that is small in the file but large when it is dense, and
            # one that is compressed may have itself for its scales.
            return None
        try:
            data = tensor.data
        except TFLiteError:
            return None
        return data if data.dtype.kind in "iuf" else None

    def _other(self, index: int) -> Tensor:
        """Return another tensor of the subgraph."""
        return make_tensors(
            self._home, self._structure, self.subgraph_index, slice(index, index + 1)
        )[0]

    @property
    def sparsity(self) -> Sparsity | None:
        """Where the stored values of a sparse tensor belong; None if the tensor is not sparse.

        Raises
        ------
        CorruptModelError
            A dimension has neither a size nor indices.
        UnsupportedError
            A dimension is stored in an unknown format.
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
            In the tensor's shape if each stored value is one element, as integers, for floats that
            numpy does not have. In one dimension for the bytes of strings, packed and compressed
            values, and for the values that a sparse tensor stores.

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
            the dense array, a compressed one's are decoded.

        Raises
        ------
        UnsupportedError
            The file does not hold the tensor's values, or holds them in an unknown form.
        CorruptModelError
            The buffer does not hold as many values as the shape requires, or its strings, sparse or
            compressed values are inconsistent.
        ExternalFileError
            The values are in a file beside the model that is missing or cannot be read.
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
        content = self._content()
        if self.is_constant and self.is_compressed:
            return content
        dtype = values.stored_dtype_of(self.type)
        if self.is_sparse or self.type is TensorType.STRING:
            if content.size % dtype.itemsize:
                raise CorruptModelError(
                    f"the size of {content.size:_} is not a whole number of {self.type.name} values"
                )
            return content.view(dtype)
        expected = values.stored_bytes(self.type, self.shape)
        if expected is None:
            if len(self.shape) > MAX_ARRAY_RANK:
                raise UnsupportedError(f"no array has shape {brief(self.shape)}")
            raise CorruptModelError(f"shape {brief(self.shape)} has a negative size")
        if content.size != expected:
            source = f"buffer {self.buffer.index}"
            if self.external_buffer is not None:
                source = f"file {self.external_buffer.file!r}"
            raise CorruptModelError(
                f"{source} has {content.size:_} {plural('byte', content.size)}, expected "
                f"{expected:_} for {self.type.name} of shape {brief(self.shape)}"
            )
        stored = content if dtype == np.uint8 else content.view(dtype)
        return stored if values.is_packed(self.type) else self._shaped(stored)

    def _data(self) -> NDArray[Any]:
        encoding = encoding_of(self)
        if encoding is not None:
            return self._shaped(decode(encoding))
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
            raise UnsupportedError(self._why_not_constant())
        if external.packing not in ("", "unpacked"):
            raise UnsupportedError(f"its bytes are packed as {external.packing!r}")
        folder = self._structure.file.folder
        if folder is None:
            raise UnsupportedError(
                f"the values are in file {external.file!r} beside the model, which was not opened "
                "from a path"
            )
        # A model that is closed reads no file.
        self._structure.file.memory  # noqa: B018
        return folder.read(external.file, external.offset, external.length)

    def _refuse_encoded(self) -> None:
        """Raise an error if a DECODE makes values of it, and the bytes are none themselves."""
        if not self._structure.has_decode or not self.is_constant:
            return
        operator = self.subgraph.connections.encoded.get(self.index)
        if operator is not None:
            raise UnsupportedError(
                f"its bytes are encoded; operator {operator.index} {operator.name} makes of them "
                "what has real values"
            )

    def _why_not_constant(self) -> str:
        if (operator := self.converted) is not None and (source := operator.inputs[0]) is not None:
            return (
                f"not constant: operator {operator.index} {operator.name} makes it of the constant "
                f"tensor {source.index} {source.name!r}; dequantize() has its real values"
            )
        if self.buffer.index and self.buffer.offset:
            return f"not constant: buffer {self.buffer.index} has 0 bytes"
        return "not constant: it has values only while the model runs"

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

    def dequantize(
        self, values: ArrayLike | None = None, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return the real values of the tensor, or of integers that are given.

        Parameters
        ----------
        values : array_like of integers, optional
            Values of the tensor, such as an output that was read from a device. By default those
            that the file has. Per-axis, they have the tensor's shape along the axis.
        out : ndarray of float32, shape of the values, optional
            Where to put the result.

        Returns
        -------
        ndarray of float32, shape `shape` or that of `values`
            `(data - zero_point) * scale`, with the bits of LiteRT's reference kernels; see
            `tflite_quant.dequantize` and `tflite_quant.dequantize_blockwise`. Floats of at most 32
            bits without scales are their own real values. A tensor that an operator makes of a
            constant alone (`converted`) has the values that the operator makes.

        Raises
        ------
        QuantizationError
            The tensor is not quantized, or its parameters do not fit it.
        UnsupportedError, CorruptModelError, ValueError
            As `data`; `UnsupportedError` also for custom quantization and unknown schemes.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model["residual_1/stem_conv_1/convolution"].dequantize().dtype
        ...     model.outputs[0].dequantize([-128, 127])
        dtype('float32')
        array([0.        , 0.99609375], dtype=float32)
        """
        try:
            if values is None and not self.is_constant and (operator := self.converted) is not None:
                return self._converted(operator, out)
            if values is None:
                self._refuse_encoded()
            self._check_parameters()
            given = self._data() if values is None else np.asarray(values)
            return self.quantization.dequantize(given, out)
        except TFLiteError as error:
            raise self._labeled(error) from None

    def _converted(
        self, operator: Operator, out: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the real values that an operator makes of a constant."""
        if operator.code.name == "CUSTOM":
            return self.quantization.dequantize(self._data(), out)
        source = operator.inputs[0]
        assert source is not None
        if operator.code.name == "DENSIFY":
            return self.quantization.dequantize(source.data, out)
        return source.dequantize(out=out)

    def quantize(self, real: ArrayLike) -> NDArray[Any]:
        """Return the integers that stand for real values in this tensor, such as an input.

        Parameters
        ----------
        real : array_like of real numbers
            Per-axis, they have the tensor's shape along the axis.

        Returns
        -------
        ndarray of `dtype`, shape of `real`
            `clamp(round(real / scale) + zero_point)`, with the bits of LiteRT's reference kernels;
            see `tflite_quant.quantize`. The limits are those of the tensor's type: INT4 ends at 7.

        Raises
        ------
        QuantizationError
            The tensor has no scale, or its parameters do not fit the values; a value is NaN.
        UnsupportedError
            The tensor's scheme is not per-tensor or per-axis, or its type is not an integer type
            of at most 32 bits.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model.inputs[0].quantize([[0.0, 1.0, 99.0]])
        array([[  4,  35, 127]], dtype=int8)
        """
        try:
            return self._quantized(np.asarray(real))
        except TFLiteError as error:
            raise self._labeled(error) from None

    def _quantized(self, real: NDArray[Any]) -> NDArray[Any]:
        scheme, ends = self.quantization, INTEGER_RANGES.get(self.type)
        if isinstance(scheme, NotQuantized):
            raise QuantizationError(f"this {self.type.name} tensor has no scale")
        if not isinstance(scheme, PerTensor | PerAxis):
            raise UnsupportedError(
                f"its scheme is {scheme.scheme}, expected per-tensor or per-axis"
            )
        if scheme.axis is not None and not 0 <= scheme.axis < real.ndim:
            raise QuantizationError(
                f"quantized dimension {scheme.axis} is out of range for shape {real.shape}"
            )
        if ends is None or self.dtype.itemsize > 4:
            raise UnsupportedError(f"{self.type.name} is not an integer type of at most 32 bits")
        quantized = quantize(real, scheme.scales, scheme.zero_points, scheme.axis, self.dtype)
        return np.clip(quantized, *ends) if values.is_packed(self.type) else quantized

    def plot(
        self,
        kind: Literal["real", "stored", "scales"] = "real",
        *,
        ax: Axes | None = None,
        bins: int = 64,
    ) -> Axes:
        """Draw the tensor with matplotlib, which the extra `plot` installs.

        Parameters
        ----------
        kind : "real", "stored" or "scales"
            A histogram of the real values, or of the stored ones (`data`), with the ends of the
            range that the integers can represent; or the scale of each channel, with a logarithmic
            axis. Per-tensor, the picture of real values has an axis of stored ones along the top.
            If there are several scales, short lines at the top mark the ends with each.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure.
        bins : int
            How many bars a histogram has at most. The bars of integers, and of real values that
            have one scale, are whole steps wide.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        QuantizationError, UnsupportedError, CorruptModelError, ExternalFileError
            As `dequantize` for real values and `data` for stored ones; the values are not numbers;
            the tensor has no scales.
        ImportError
            matplotlib is not installed.
        ValueError
            The model is closed, or an argument is none of those above.

        Notes
        -----
        Values have the first colour of the style, the range the second, the zero point the third.
        Values that are not finite are left out, and counted in the legend; so are scales that are
        not positive. More than 4096 scales are drawn as a band from the least to the greatest.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     ax = model["residual_1/stem_conv_1/convolution"].plot()  # doctest: +SKIP
        ...     ax.figure.savefig("kernel.svg")  # doctest: +SKIP
        """
        from ..pictures.tensors import plot_tensor  # noqa: PLC0415  # it imports this module

        return plot_tensor(self, kind, ax, bins)

    def _check_parameters(self) -> None:
        """Check that scales and zero points can be read if they are other tensors."""
        quantization = self.quantization
        if isinstance(quantization, Blockwise | MultiAxis):
            for index in (quantization.scales_tensor, quantization.zero_points_tensor):
                try:
                    if index >= 0:
                        self._other(index).data  # noqa: B018
                except TFLiteError as error:
                    raise type(error)(f"its parameters: {error}") from None


def make_tensors(
    home: Home, structure: Structure, subgraph_index: int, wanted: slice = slice(None)
) -> tuple[Tensor, ...]:
    """Make the tensors of a subgraph, or some of them, from the columns.

    Parameters
    ----------
    home : Home
        Where they find their subgraph.
    structure : Structure
    subgraph_index : int
    wanted : slice
        The tensors of the subgraph to make.

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
    return tuple([Tensor(home, structure, row, subgraph_index, *facts) for row, *facts in columns])


def _buffers(structure: Structure, rows: slice) -> list[Buffer]:
    """Return the buffer of each tensor."""
    indices = structure.tensors.numbers("buffer", rows)
    starts, sizes = structure.buffer_starts[indices], structure.buffer_sizes[indices]
    file, none = structure.file, Buffer(0, int(structure.buffer_starts[0]), 0, structure.file)
    columns = zip(indices.tolist(), starts.tolist(), sizes.tolist(), strict=True)
    return [Buffer(*facts, file) if facts[0] else none for facts in columns]


def _quantizations(structure: Structure, rows: slice) -> list[Quantization | None]:
    """Return the scheme of each tensor; None for those that are read when they are asked for."""
    table_rows = structure.quantization_rows[rows]
    present = table_rows[table_rows >= 0]
    schemes: list[Quantization | None] = [_NOT_QUANTIZED] * table_rows.size
    if not present.size:
        return schemes
    # The tables are in the order of the tensors.
    tables, used = structure.quantizations, slice(int(present[0]), int(present[-1]) + 1)
    columns = [
        tables.vectors("scale", used).split(writeable=False),
        tables.vectors("zero_point", used).split(writeable=False),
        tables.numbers("quantized_dimension", used).tolist(),
    ]
    if tables.has("min", used) or tables.has("max", used):
        for name in ("min", "max"):
            ends = tables.vectors(name, used).split(writeable=False)
            columns.append([end if end.size else None for end in ends])
    read: list[Quantization | None] = [classify(*facts) for facts in zip(*columns, strict=True)]
    if structure.details is not None:
        for row in structure.details.kinds[used].nonzero()[0].tolist():
            read[row] = None
    for index, scheme in zip((table_rows >= 0).nonzero()[0].tolist(), read, strict=True):
        schemes[index] = scheme
    return schemes
