"""Models built by hand, for the edge cases that no converter writes.

Tables are written through the functions of package `tflite` that the FlatBuffers compiler
generated, field by field, so that a model here depends on none of the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import ArrayLike, DTypeLike, NDArray

Builder = Any
"""A `flatbuffers.Builder`; package flatbuffers has no types."""

Write = Callable[[Builder], int]
"""Writes something into a builder and gives its offset."""

TYPES = {
    np.dtype(name).newbyteorder("<"): getattr(tflite.TensorType, name.upper())
    for name in (
        "float32", "float16", "float64", "int8", "int16", "int32", "int64",
        "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128",
    )
}  # fmt: skip
"""The tensor type of each dtype that has one; see `type_of`."""


@dataclass
class TensorSpec:
    """One tensor; what is None is left out of the file."""

    name: str | None = "t"
    shape: Sequence[int] | None = (1,)
    type: int = tflite.TensorType.INT8
    data: NDArray[Any] | bytes | None = None
    scale: ArrayLike | None = None
    zero_point: ArrayLike | None = None
    axis: int = 0
    min: ArrayLike | None = None
    max: ArrayLike | None = None
    signature: Sequence[int] | None = None
    is_variable: bool = False
    has_rank: bool = False
    buffer: int | None = None
    """Index of a buffer, where it is not one of the tensor's own."""
    details: tuple[int, Write] | None = None
    """Number and writer of a member of the union QuantizationDetails."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of table Tensor: a number, or a writer of something referred to."""


@dataclass
class OperatorSpec:
    """One operator; `code` is its number, `custom` its name if it has one."""

    code: int
    inputs: Sequence[int]
    outputs: Sequence[int]
    custom: str | None = None
    version: int = 1
    intermediates: Sequence[int] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class SubgraphSpec:
    """One subgraph."""

    tensors: Sequence[TensorSpec]
    inputs: Sequence[int] = ()
    outputs: Sequence[int] = ()
    operators: Sequence[OperatorSpec] = ()
    name: str | None = None


@dataclass
class SignatureSpec:
    """One signature: names of inputs and outputs with the tensors' indices."""

    key: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    subgraph: int = 0


def constant(
    values: NDArray[Any], scale: ArrayLike | None = None, zero_point: ArrayLike = 0, **others: Any
) -> TensorSpec:
    """Give the tensor that holds an array."""
    little = little_endian(values)
    zeros = None if scale is None else zero_point
    return TensorSpec(
        shape=values.shape,
        type=type_of(little.dtype),
        data=little,
        scale=scale,
        zero_point=zeros,
        **others,
    )


def type_of(dtype: DTypeLike) -> int:
    """Give the tensor type of a dtype of either byte order."""
    return int(TYPES[np.dtype(dtype).newbyteorder("<")])


def little_endian(values: NDArray[Any]) -> NDArray[Any]:
    """Give values as they lie in a file, on a machine of any byte order."""
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def table(b: Builder, kind: str, **fields: Any) -> int:
    """Write a table of the schema: `table(b, "Tensor", type=9, buffer=1)`.

    Fields have the schema's names; a value is a number, an offset, or None to leave it out.
    """
    getattr(tflite, f"{kind}Start")(b)
    for name, value in fields.items():
        if value is not None:
            camel = name.replace("_", " ").title().replace(" ", "")
            getattr(tflite, f"{kind}Add{camel}")(b, value)
    return int(getattr(tflite, f"{kind}End")(b))


def raw_table(b: Builder, *slots: tuple[str, Any] | None) -> int:
    """Write a table that package `tflite` does not know: a type and a value for each slot.

    Types are the builder's words, as in `("Int32", 3)`; "UOffsetTRelative" is a reference.
    """
    b.StartObject(len(slots))
    for slot, entry in enumerate(slots):
        if entry is not None:
            getattr(b, f"Prepend{entry[0]}Slot")(slot, entry[1], 0)
    return int(b.EndObject())


def numbers(b: Builder, values: ArrayLike | None, dtype: str) -> int | None:
    """Write a vector of numbers.

    `Builder.CreateNumpyVector` would align them as the machine does: int64 by 4 bytes on i386.
    """
    if values is None:
        return None
    array = little_endian(np.atleast_1d(np.asarray(values, dtype)))
    return _vector(b, array.tobytes(), array.size, array.itemsize)


def references(b: Builder, offsets: Sequence[int]) -> int:
    """Write a vector of references to tables."""
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def text(b: Builder, value: str | bytes | None) -> int | None:
    """Write a string."""
    return None if value is None else int(b.CreateString(value))


def start() -> Builder:
    """Give a new builder."""
    return flatbuffers.Builder(1024)


def finish(b: Builder, **fields: Any) -> bytes:
    """Write table Model with these fields, and give the file."""
    b.Finish(table(b, "Model", **fields), file_identifier=b"TFL3")
    return bytes(b.Output())


def model(
    *subgraphs: SubgraphSpec,
    buffers: Sequence[bytes | None] = (),
    signatures: Sequence[SignatureSpec] = (),
    metadata: Mapping[str, int] | None = None,
    description: str | None = None,
    version: int = 3,
    fields: Mapping[str, Any] | None = None,
) -> bytes:
    """Build a model.

    Parameters
    ----------
    *subgraphs : SubgraphSpec
    buffers : sequence of bytes, optional
        Buffers 1 to n; those of the tensors with data follow.
    metadata : mapping of str to int, optional
        Indices of buffers.
    fields : mapping, optional
        Further fields of table Model: a number, or a writer of something referred to.
    """
    b = start()
    contents: list[bytes | None] = [None, *buffers]
    codes: list[tuple[int, str | None, int]] = []
    graphs = [_subgraph(b, graph, contents, codes) for graph in subgraphs]
    parts = {
        "version": version,
        "subgraphs": references(b, graphs),
        "operator_codes": references(b, [_operator_code(b, *code) for code in codes]),
        "buffers": references(b, [_buffer(b, content) for content in contents]),
        "description": text(b, description),
        "metadata": _metadata(b, metadata),
        "signature_defs": references(b, [_signature(b, s) for s in signatures])
        if signatures
        else None,
    } | written(b, fields)
    return finish(b, **parts)


def written(b: Builder, fields: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write what is a writer; give numbers as they are."""
    return {k: v(b) if callable(v) else v for k, v in (fields or {}).items()}


def one(*tensors: TensorSpec, **others: Any) -> bytes:
    """Build a model of one subgraph with these tensors and no operator."""
    return model(SubgraphSpec(tensors), **others)


def _subgraph(
    b: Builder,
    graph: SubgraphSpec,
    contents: list[bytes | None],
    codes: list[tuple[int, str | None, int]],
) -> int:
    tensors = references(b, [_tensor(b, tensor, contents) for tensor in graph.tensors])
    operators = references(b, [_operator(b, operator, codes) for operator in graph.operators])
    return table(
        b,
        "SubGraph",
        name=text(b, graph.name),
        inputs=numbers(b, graph.inputs, "<i4"),
        outputs=numbers(b, graph.outputs, "<i4"),
        tensors=tensors,
        operators=operators,
    )


def _tensor(b: Builder, tensor: TensorSpec, contents: list[bytes | None]) -> int:
    buffer = tensor.buffer
    if tensor.data is not None:
        given = tensor.data
        contents.append(given if isinstance(given, bytes) else little_endian(given).tobytes())
        buffer = len(contents) - 1
    parts = {
        "name": text(b, tensor.name),
        "shape": numbers(b, tensor.shape, "<i4"),
        "shape_signature": numbers(b, tensor.signature, "<i4"),
        "quantization": _quantization(b, tensor),
        "type": tensor.type,
        "buffer": buffer,
        "is_variable": tensor.is_variable,
        "has_rank": tensor.has_rank,
    } | written(b, tensor.fields)
    return table(b, "Tensor", **parts)


def _quantization(b: Builder, tensor: TensorSpec) -> int | None:
    given = (tensor.scale, tensor.zero_point, tensor.min, tensor.max, tensor.details)
    if all(value is None for value in given):
        return None
    details_type, write = tensor.details or (None, None)
    return table(
        b,
        "QuantizationParameters",
        details=write(b) if write else None,
        details_type=details_type,
        scale=numbers(b, tensor.scale, "<f4"),
        zero_point=numbers(b, tensor.zero_point, "<i8"),
        min=numbers(b, tensor.min, "<f4"),
        max=numbers(b, tensor.max, "<f4"),
        quantized_dimension=tensor.axis,
    )


def _operator(b: Builder, operator: OperatorSpec, codes: list[tuple[int, str | None, int]]) -> int:
    code = (operator.code, operator.custom, operator.version)
    if code not in codes:
        codes.append(code)
    parts = {
        "opcode_index": codes.index(code),
        "inputs": numbers(b, operator.inputs, "<i4"),
        "outputs": numbers(b, operator.outputs, "<i4"),
        "intermediates": numbers(b, operator.intermediates, "<i4"),
    } | written(b, operator.fields)
    return table(b, "Operator", **parts)


def _operator_code(b: Builder, code: int, custom: str | None, version: int) -> int:
    return table(
        b,
        "OperatorCode",
        custom_code=text(b, custom),
        deprecated_builtin_code=min(code, 127),
        builtin_code=code,
        version=version,
    )


def _buffer(b: Builder, content: bytes | None) -> int:
    if content is None:
        return table(b, "Buffer")
    # 16-aligned, as the runtime asks of data that it uses in place.
    return table(b, "Buffer", data=_vector(b, content, len(content), 16))


def _vector(b: Builder, content: bytes, count: int, alignment: int) -> int:
    b.StartVector(1, len(content), alignment)
    b.head = b.head - len(content)
    b.Bytes[b.head : b.head + len(content)] = content
    b.vectorNumElems = count
    return int(b.EndVector())


def _metadata(b: Builder, entries: Mapping[str, int] | None) -> int | None:
    if entries is None:
        return None
    names = {name: text(b, name) for name in entries}
    tables = [table(b, "Metadata", name=names[n], buffer=i) for n, i in entries.items()]
    return references(b, tables)


def _signature(b: Builder, signature: SignatureSpec) -> int:
    def entries(tensors: Mapping[str, int]) -> int:
        names = {name: text(b, name) for name in tensors}
        maps = [table(b, "TensorMap", name=names[n], tensor_index=i) for n, i in tensors.items()]
        return references(b, maps)

    inputs, outputs = entries(signature.inputs), entries(signature.outputs)
    return table(
        b,
        "SignatureDef",
        signature_key=text(b, signature.key),
        inputs=inputs,
        outputs=outputs,
        subgraph_index=signature.subgraph,
    )


def blockwise(
    size: int, shape: list[int] | None = None, scales: int = 1, zeros: int = -1
) -> tuple[int, Write]:
    """Give details that say that so many values in a row share a scale, which is in a tensor."""

    def write(b: Builder) -> int:
        block = numbers(b, shape, "<i4")
        last = ("UOffsetTRelative", block) if shape else None
        return raw_table(b, ("Int32", scales), ("Int32", zeros), ("Int32", size), last)

    return 2, write


def sparse_fields(*dimensions: Any, order: list[int], blocks: list[int] | None = None) -> Any:
    """Write SparsityParameters: of dimensions sizes, or pairs of segments and indices."""

    def vector(b: Builder, values: list[int]) -> int:
        return table(b, "Uint16Vector", values=numbers(b, values, "<u2"))

    def dimension(b: Builder, given: Any) -> int:
        if isinstance(given, int):
            return table(b, "DimensionMetadata", dense_size=given)
        parts = [None if values is None else vector(b, values) for values in given]
        return table(
            b,
            "DimensionMetadata",
            format=1,
            array_segments_type=2,
            array_segments=parts[0],
            array_indices_type=2,
            array_indices=parts[1],
        )

    def write(b: Builder) -> int:
        tables = references(b, [dimension(b, given) for given in dimensions])
        return table(
            b,
            "SparsityParameters",
            traversal_order=numbers(b, order, "<i4"),
            block_map=numbers(b, blocks, "<i4"),
            dim_metadata=tables,
        )

    return {"sparsity": write}


def decode(inputs: Sequence[int], outputs: Sequence[int]) -> OperatorSpec:
    """Give TFLM's operator DECODE: two constants, encoded values and ancillary data, an output."""
    return OperatorSpec(tflite.BuiltinOperator.CUSTOM, inputs, outputs, custom="TFLM_DECODE")


def ancillary(
    scheme: int,
    parameters: Sequence[int] = (),
    tables: bytes = b"",
    versions: tuple[int, int] = (1, 1),
) -> bytes:
    """Give the ancillary data of a DECODE; the parameters are bytes 5, 6, ... of the header."""
    header = bytes([scheme, versions[0], 0, 0, versions[1], *parameters])
    return header.ljust(16, b"\0") + tables


def packed(indices: ArrayLike, bits: int) -> bytes:
    """Give indices of a lookup table as they are stored, from the highest bit on."""
    flat = np.asarray(indices, np.uint8).reshape(-1, 1)
    return np.packbits(np.unpackbits(flat, axis=1)[:, 8 - bits :].reshape(-1)).tobytes()


def decoded(*parts: tuple[TensorSpec, bytes, bytes]) -> SubgraphSpec:
    """Give a graph whose outputs are what a DECODE makes of bytes.

    Of each output are given the tensor, its encoded values, and its ancillary data.
    """
    tensors: list[TensorSpec] = []
    for target, *contents in parts:
        for name, data in zip(("encoded", "ancillary"), contents, strict=True):
            tensors.append(TensorSpec(name, (len(data),), tflite.TensorType.UINT8, data))
        tensors.append(target)
    outputs = range(2, len(tensors), 3)
    inputs = [index for index in range(len(tensors)) if index % 3 < 2]
    return SubgraphSpec(tensors, (), outputs, [decode(inputs, outputs)])


def compression_metadata(
    *subgraphs: Sequence[tuple[int, int, int]] | None, version: int | None = None
) -> bytes:
    """Give TFLM's metadata of compression: of each tensor its index, its value buffer, its bits."""
    b = start()
    graphs = []
    for entries in subgraphs:
        tables = [
            raw_table(b, ("Int32", tensor), ("Uint32", buffer), ("Uint8", bits))
            for tensor, buffer, bits in entries or ()
        ]
        vector = None if entries is None else ("UOffsetTRelative", references(b, tables))
        graphs.append(raw_table(b, vector))
    vector = ("UOffsetTRelative", references(b, graphs))
    # The builder leaves out what is 0.
    b.Finish(raw_table(b, None if version is None else ("Uint32", version), vector))
    return bytes(b.Output())


def external_model(
    *buffers: tuple[int, int, int, int, str | None],
    groups: tuple[str, ...] = ("weights.bin",),
    ids: tuple[int, ...] = (5,),
) -> bytes:
    """Build a model whose tensors have external buffers `ids`.

    Of each buffer are given id, group, offset, length and packing.
    """

    def write_groups(b: Builder) -> int:
        names = [b.CreateString(name) for name in groups]
        return references(b, [raw_table(b, ("UOffsetTRelative", n)) for n in names])

    def write_buffers(b: Builder) -> int:
        tables = []
        for number, group, offset, length, packing in buffers:
            text = None if packing is None else ("UOffsetTRelative", b.CreateString(packing))
            values = (("Uint32", number), ("Uint32", group), ("Uint64", offset), ("Uint64", length))
            tables.append(raw_table(b, *values, text))
        return references(b, tables)

    b = start()
    shape = numbers(b, [3, 4], "<i4")
    tensors = []
    for number in ids:
        b.StartObject(11)
        b.PrependUOffsetTRelativeSlot(0, shape, 0)
        b.PrependInt8Slot(1, tflite.TensorType.INT8, 0)
        b.PrependUint32Slot(10, number, 0)
        tensors.append(b.EndObject())
    graph = table(b, "SubGraph", tensors=references(b, tensors))
    subgraphs = references(b, [graph])
    written_groups, written_buffers = write_groups(b), write_buffers(b)
    b.StartObject(10)
    b.PrependUOffsetTRelativeSlot(2, subgraphs, 0)
    b.PrependUOffsetTRelativeSlot(8, written_groups, 0)
    b.PrependUOffsetTRelativeSlot(9, written_buffers, 0)
    b.Finish(b.EndObject(), file_identifier=b"TFL3")
    return bytes(b.Output())
