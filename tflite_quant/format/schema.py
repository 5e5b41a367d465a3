"""The tables and enumerations of TensorFlow Lite, taken from package `tflite`.

Package `tflite` is what the FlatBuffers compiler generates from TensorFlow Lite's schema. Each of
its classes has an accessor for each field, which asks its table for one vtable entry, as one type,
with one default. Here, accessors are called with a probe in place of the table, and the probe
records what they ask for. So the layouts follow the schema when the package is upgraded, and only
fields that are newer than the package have slot numbers here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache
from types import FunctionType, MappingProxyType
from typing import Any

import numpy as np
import tflite

from .flatbuffer import Field, Kind, Layout

IDENTIFIER = b"TFL3"
"""The identifier of a TensorFlow Lite file: its bytes 4 to 8."""


class _Probe:
    """Takes the place of a generated class's table, and records what an accessor asks for.

    Only the first question of each kind counts: `OperatorCode.BuiltinCode`, which package `tflite`
    has written by hand, asks for a second field.
    """

    Pos = 0
    Bytes = b""

    def __init__(self, present: bool) -> None:
        self.present = present
        self.entry = 0
        self.kind: Kind | None = None
        self.number: str | None = None

    def _note(self, kind: Kind) -> None:
        self.kind = self.kind or kind

    def Offset(self, entry: int) -> int:
        self.entry = self.entry or entry
        return int(self.present)

    def Get(self, flags: Any, position: int) -> int:
        self._note(Kind.NUMBER)
        self.number = self.number or flags.name
        return 0

    def Vector(self, offset: int) -> int:
        self._note(Kind.VECTOR)
        return 0

    def String(self, position: int) -> bytes:
        self._note(Kind.STRING)
        return b""

    def Indirect(self, position: int) -> int:
        self._note(Kind.TABLE)
        return 0

    def Union(self, table: object, offset: int) -> None:
        self._note(Kind.TABLE)


def _snake_case(name: str) -> str:
    """Return the schema's name for an accessor: shape_signature for ShapeSignature."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)[1:]


def _ask(accessor: Callable[..., Any], cls: type, present: bool) -> tuple[_Probe, Any]:
    """Call an accessor on a probe that has the field or not; ask for element 0 of a vector."""
    table = cls()
    table._tab = probe = _Probe(present)
    elements = accessor.__code__.co_argcount - 1
    return probe, accessor(table, *[0] * elements)


def _field(name: str, accessor: Callable[..., Any], cls: type) -> Field:
    probe, _ = _ask(accessor, cls, present=True)
    assert probe.kind is not None
    if probe.number is None:
        return Field(_snake_case(name), probe.kind, probe.entry)
    dtype = np.dtype(probe.number).newbyteorder("<")
    _, default = _ask(accessor, cls, present=False)
    return Field(_snake_case(name), probe.kind, probe.entry, dtype, default)


def _is_accessor(name: str, cls: type) -> bool:
    """Return whether a member of a generated class is the accessor of a field.

    A vector has other functions, too: `Shape` has `ShapeLength`, `ShapeAsNumpy`, `ShapeIsNone`.
    """
    return (
        isinstance(vars(cls)[name], FunctionType)
        and name != "Init"
        and not name.startswith(("_", "GetRootAs"))
        and not name.endswith("BufferHasIdentifier")
        and not any(
            name.endswith(end) and name.removesuffix(end) in vars(cls)
            for end in ("Length", "AsNumpy", "IsNone")
        )
    )


@lru_cache(maxsize=256)
def layout_of(cls: type) -> Layout:
    """Return the layout of a table.

    Parameters
    ----------
    cls : type
        The class that the FlatBuffers compiler generated for the table.

    Examples
    --------
    >>> layout_of(tflite.Metadata).fields[1].name
    'buffer'
    """
    names = [name for name in vars(cls) if _is_accessor(name, cls)]
    fields = [_field(name, getattr(cls, name), cls) for name in names]
    return Layout(cls.__name__, tuple(fields))


_KINDS = {
    "int32": (Kind.NUMBER, "<i4"),
    "uint32": (Kind.NUMBER, "<u4"),
    "uint64": (Kind.NUMBER, "<u8"),
    "string": (Kind.STRING, "<u4"),
    "[int32]": (Kind.VECTOR, "<i4"),
    "[table]": (Kind.VECTOR, "<u4"),
}


def _newer(name: str, slot: int, fields: str) -> Layout:
    """Return the layout of a table with fields that package `tflite` does not have yet.

    Parameters
    ----------
    name : str
        The table, which the package may lack, too.
    slot : int
        The slot of the first of these fields.
    fields : str
        The name and type of each, in the order of their slots: "id: uint32, packing: string".
    """
    known = layout_of(getattr(tflite, name)).fields if hasattr(tflite, name) else ()
    names = {field.name for field in known}
    pairs = [field.split(": ") for field in fields.split(", ")]
    added = [
        Field(field, _KINDS[kind][0], 4 + 2 * (slot + index), np.dtype(_KINDS[kind][1]))
        for index, (field, kind) in enumerate(pairs)
        if field not in names
    ]
    return Layout(name, (*known, *added))


BUFFER = layout_of(tflite.Buffer)
CUSTOM_QUANTIZATION = layout_of(tflite.CustomQuantization)
DIMENSION_METADATA = layout_of(tflite.DimensionMetadata)
METADATA = layout_of(tflite.Metadata)
OPERATOR = layout_of(tflite.Operator)
OPERATOR_CODE = layout_of(tflite.OperatorCode)
QUANTIZATION_PARAMETERS = layout_of(tflite.QuantizationParameters)
SIGNATURE_DEF = layout_of(tflite.SignatureDef)
SPARSITY_PARAMETERS = layout_of(tflite.SparsityParameters)
SUBGRAPH = layout_of(tflite.SubGraph)
TENSOR_MAP = layout_of(tflite.TensorMap)
SPARSE_INDEX_VECTORS = {
    tflite.SparseIndexVector.Int32Vector: layout_of(tflite.Int32Vector),
    tflite.SparseIndexVector.Uint16Vector: layout_of(tflite.Uint16Vector),
    tflite.SparseIndexVector.Uint8Vector: layout_of(tflite.Uint8Vector),
}
"""The tables of the union SparseIndexVector, by their numbers in it."""

# Newer than package tflite 2.18; ai-edge-litert 2.3.0, schema_py_generated.py (schema version 3d).
MODEL = _newer("Model", 8, "external_buffer_groups: [table], external_buffers: [table]")
TENSOR = _newer("Tensor", 10, "external_buffer: uint32")
EXTERNAL_BUFFER_GROUP = _newer("ExternalBufferGroup", 0, "name: string")
EXTERNAL_BUFFER = _newer(
    "ExternalBuffer",
    0,
    "id: uint32, group: uint32, offset: uint64, length: uint64, packing: string",
)
_IN_TENSORS = "scales: int32, zero_points: int32, block_size: int32"
BLOCKWISE_QUANTIZATION = _newer("BlockwiseQuantization", 0, f"{_IN_TENSORS}, block_shape: [int32]")
MULTI_AXIS_QUANTIZATION = _newer(
    "MultiAxisQuantization", 0, f"{_IN_TENSORS}, quantized_dimensions: [int32]"
)


class OpenEnum(IntEnum):
    """An enumeration of the schema; a number that is newer than this library is kept as it is."""

    @classmethod
    def _missing_(cls, value: object) -> OpenEnum | None:
        if not isinstance(value, int):
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"{cls.__name__}({value})"
        unknown._value_ = value
        return unknown


def enumeration(cls: type, newer: Mapping[str, int] = MappingProxyType({})) -> type[OpenEnum]:
    """Return an enumeration with the names of a generated class.

    Parameters
    ----------
    cls : type
        The class that the FlatBuffers compiler generated.
    newer : mapping of str to int, optional
        Members that package `tflite` does not have yet.

    Examples
    --------
    >>> enumeration(tflite.Padding)(1)
    <Padding.VALID: 1>
    """
    known = {name: value for name, value in vars(cls).items() if not name.startswith("_")}
    make: Any = OpenEnum
    made: type[OpenEnum] = make(cls.__name__, {**newer, **known})
    return made


class TensorType(OpenEnum):
    """The type of a tensor's values; a number that is newer than this library is kept as it is.

    Examples
    --------
    >>> TensorType(9)
    <TensorType.INT8: 9>
    >>> TensorType(41).name
    'TensorType(41)'
    """

    FLOAT32 = tflite.TensorType.FLOAT32
    FLOAT16 = tflite.TensorType.FLOAT16
    INT32 = tflite.TensorType.INT32
    UINT8 = tflite.TensorType.UINT8
    INT64 = tflite.TensorType.INT64
    STRING = tflite.TensorType.STRING
    BOOL = tflite.TensorType.BOOL
    INT16 = tflite.TensorType.INT16
    COMPLEX64 = tflite.TensorType.COMPLEX64
    INT8 = tflite.TensorType.INT8
    FLOAT64 = tflite.TensorType.FLOAT64
    COMPLEX128 = tflite.TensorType.COMPLEX128
    UINT64 = tflite.TensorType.UINT64
    RESOURCE = tflite.TensorType.RESOURCE
    VARIANT = tflite.TensorType.VARIANT
    UINT32 = tflite.TensorType.UINT32
    UINT16 = tflite.TensorType.UINT16
    INT4 = tflite.TensorType.INT4
    BFLOAT16 = tflite.TensorType.BFLOAT16
    # Newer than package tflite 2.18; google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs.
    INT2 = 19
    UINT4 = 20
    FLOAT8_E4M3FN = 21
    FLOAT8_E5M2 = 22


INTEGER_RANGES: dict[TensorType, tuple[int, int]] = {
    **{TensorType[f"INT{n}"]: (-(1 << n - 1), (1 << n - 1) - 1) for n in (2, 4, 8, 16, 32, 64)},
    **{TensorType[f"UINT{n}"]: (0, (1 << n) - 1) for n in (4, 8, 16, 32, 64)},
}
"""The lowest and the highest value of each integer type."""


def _names(cls: type) -> dict[int, str]:
    return {value: name for name, value in vars(cls).items() if not name.startswith("_")}


BuiltinOperator: type[OpenEnum] = enumeration(
    # Newer than package tflite 2.18; same source as above.
    tflite.BuiltinOperator,
    {"STABLEHLO_CASE": 209},
)
"""The operators; an operator that is newer than this library is named by its number."""
_QUANTIZATION_DETAILS = _names(tflite.QuantizationDetails) | {
    2: "BlockwiseQuantization",
    3: "MultiAxisQuantization",
}


def quantization_details_name(member: int) -> str:
    """Return the name of a member of the union QuantizationDetails, or its number.

    Examples
    --------
    >>> quantization_details_name(1), quantization_details_name(9)
    ('CustomQuantization', 'QuantizationDetails(9)')
    """
    return _QUANTIZATION_DETAILS.get(member, f"QuantizationDetails({member})")
