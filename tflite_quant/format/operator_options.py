"""Reads the options of builtin operators: strides, an axis, an activation.

A builtin operator has a table of options. A number beside it says which table: a member of the
union BuiltinOptions or, for operators newer than 2023, BuiltinOptions2; an operator has at most one
of the two. There are about 150 kinds of tables. So far, their fields are only numbers (enumerations
and tensor types among them), strings, and vectors of numbers. As for all tables, the layouts come
from the generated classes, each when a model first has such a table; only what is newer than
package `tflite` is listed here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import tflite

from ..errors import CorruptModelError
from .budget import ELEMENT_COST
from .flatbuffer import Field, File, Kind, Label, Layout, Tables, read_tables
from .schema import OpenEnum, TensorType, enumeration, layout_of

_NEWER_MEMBERS = {
    # google-ai-edge/LiteRT, tflite/converter/schema/schema.fbs.
    (2, 23): "StablehloCaseOptions",
}
"""Members of the unions that package tflite 2.18 does not have."""

_NEWER_FIELDS = {
    # Same source as above.
    "StablehloCaseOptions": (
        Field("branch_subgraph_indices", Kind.VECTOR, 4, np.dtype("<i4")),
    ),
    # Package ai-edge-litert 2.3.0, schema_py_generated.py; not yet in schema.fbs.
    "FullyConnectedOptions": (Field("quant_spec", Kind.VECTOR, 14, np.dtype("u1")),),
}  # fmt: skip
"""Fields that the tables of package tflite 2.18 do not have."""


_ENUMERATIONS = {
    "algorithm": "RngAlgorithm",
    "combiner": "CombinerType",
    "compare_type": "StablehloComparisonType",
    "comparison_direction": "StablehloComparisonDirection",
    "fused_activation_function": "ActivationFunctionType",
    "kernel_type": "LSTMKernelType",
    "mode": "MirrorPadMode",
    "padding": "Padding",
    "type": "LSHProjectionType",
    "weights_format": "FullyConnectedOptionsWeightsFormat",
}
"""The enumeration of package `tflite` that each field is a member of, whatever its table."""
_TENSOR_TYPES = {
    "idx_out_type", "in_data_type", "key_dtype", "out_data_type", "out_type", "output_type",
    "quantized_bias_type", "value_dtype",
}  # fmt: skip
"""The fields that are tensor types."""


@lru_cache(maxsize=64)
def _enumeration(field: str) -> type[OpenEnum] | None:
    """Return the enumeration that a field's numbers are members of, if they are."""
    if field in _TENSOR_TYPES:
        return TensorType
    return enumeration(getattr(tflite, _ENUMERATIONS[field])) if field in _ENUMERATIONS else None


class Options(NamedTuple):
    """The options of a builtin operator.

    Attributes
    ----------
    name : str
        The name of the table in the schema, such as Conv2DOptions.
    values : mapping of str to object, read-only
        The value of each field by its name in the schema: an int, float, bool or str, a tuple of
        numbers, or bytes for a vector of bytes. A member of an enumeration is an `IntEnum`, which
        is an int. An absent number is its default, an absent string is None, an absent vector is
        empty.
    """

    name: str
    values: Mapping[str, object]


def options_of(
    operators: Tables, file: File, rows: slice
) -> list[Options | CorruptModelError | None]:
    """Read the options of some operators.

    Parameters
    ----------
    operators : Tables
    file : File
        Its budget is charged for the options of each operator, even if operators share them.
    rows : slice
        The rows of the operators.

    Returns
    -------
    list of Options, CorruptModelError or None
        None for an operator without options; an error for options that cannot be read.
    """
    first, second = (operators.numbers(f"builtin_options{n}_type", rows) for n in ("", "2"))
    unions = np.where(first != 0, 1, 2)
    members = np.where(first != 0, first, second)
    positions = np.where(
        first != 0,
        operators.references("builtin_options")[rows],
        operators.references("builtin_options2")[rows],
    )
    groups = defaultdict(list)
    columns = (unions.tolist(), members.tolist(), positions.tolist())
    for index, (union, member, position) in enumerate(zip(*columns, strict=True)):
        if member and position:
            groups[union, member].append((index, position))
    results: list[Options | CorruptModelError | None] = [None] * len(positions)
    for (union, member), pairs in groups.items():
        indices, of_tables = zip(*pairs, strict=True)

        def label(row: int, indices: tuple[int, ...] = indices) -> str:
            return operators.label(rows.start + indices[row])

        options = _read_each(file, union, member, of_tables, label)
        for index, result in zip(indices, options, strict=True):
            results[index] = result
    return results


def _read_each(
    file: File, union: int, member: int, positions: Sequence[int], label: Label
) -> Sequence[Options | CorruptModelError]:
    """Read all tables at once, or one by one if one is broken, to find out which."""
    try:
        return read_options(file, union, member, positions, label)
    except CorruptModelError as error:
        if len(positions) == 1 or file.budget.is_spent:
            return [error] * len(positions)
    again = file.afresh()
    return [
        _read_each(again, union, member, [position], lambda _, row=row: label(row))[0]  # type: ignore[misc]
        for row, position in enumerate(positions)
    ]


def read_options(
    file: File, union: int, member: int, positions: Sequence[int], label: Label
) -> list[Options]:
    """Read tables of options of one kind.

    Parameters
    ----------
    file : File
        Its budget is charged for each table.
    union : int
        1 for BuiltinOptions, 2 for BuiltinOptions2.
    member : int
        The member of the union that the tables are.
    positions : sequence of int
        The positions of the tables: not negative, but not checked yet.
    label : callable
        Returns the operator of the n-th table for error messages: 'subgraph 0, operator 3'.

    Returns
    -------
    list of Options
        A member that is newer than this library is named by its number and has no values.

    Raises
    ------
    CorruptModelError
        A field lies outside the file, or the options would take more than the budget.
    """
    name = _members(union).get(member)
    if name is None:
        unknown = f"{_union(union).__name__}({member})"
        return [Options(unknown, MappingProxyType({}))] * len(positions)
    layout = _layout(name)
    fields = sorted(layout.fields, key=lambda field: field.entry)
    where = np.array(positions, np.int64)
    tables = read_tables(file, layout, where, lambda row: f"{label(row)}, {name}")
    columns = [_values(tables, field) for field in fields]
    names = [field.name for field in fields]
    rows = zip(*columns, strict=True) if columns else ([()] * len(positions))
    return [Options(name, MappingProxyType(dict(zip(names, row, strict=True)))) for row in rows]


def _union(union: int) -> type:
    cls: type = {1: tflite.BuiltinOptions, 2: tflite.BuiltinOptions2}[union]
    return cls


@lru_cache(maxsize=2)
def _members(union: int) -> dict[int, str]:
    """Return the names of a union's tables, by number."""
    known = {number: name for name, number in vars(_union(union)).items() if name[0] != "_"}
    return {number: name for (of, number), name in _NEWER_MEMBERS.items() if of == union} | known


@lru_cache(maxsize=256)
def _layout(name: str) -> Layout:
    """Return the layout of a table of options: the fields of package `tflite`, and newer ones."""
    cls = getattr(tflite, name, None)
    known = _readable_fields(cls) if cls else ()
    entries = {field.entry for field in known}
    newer = (field for field in _NEWER_FIELDS.get(name, ()) if field.entry not in entries)
    return Layout(name, (*known, *newer))


def default_options(name: str) -> dict[str, object]:
    """Return the value of each option that is absent from a file.

    Parameters
    ----------
    name : str
        The name of a table of options.

    Examples
    --------
    >>> default_options("SoftmaxOptions")
    {'beta': 0.0}
    """
    if not (hasattr(tflite, name) or name in _NEWER_FIELDS):
        return {}
    defaults: dict[str, object] = {}
    for field in _layout(name).fields:
        if field.kind is Kind.NUMBER:
            defaults[field.name] = field.default
        elif field.kind is Kind.STRING:
            defaults[field.name] = None
        else:
            defaults[field.name] = () if field.is_copied else b""
    return defaults


def _readable_fields(cls: type) -> tuple[Field, ...]:
    """Return the fields of a table that are numbers, strings, or vectors of numbers.

    No table of options has other fields now. If one ever has a table or a vector of strings, it is
    better to leave that out than to show it as offsets. Vectors of numbers are those that have a
    second accessor, for NumPy.
    """

    def is_readable(field: Field) -> bool:
        if field.kind is not Kind.VECTOR:
            return field.kind is not Kind.TABLE
        camel = "".join(word.capitalize() for word in field.name.split("_"))
        return hasattr(cls, f"{camel}AsNumpy")

    return tuple(filter(is_readable, layout_of(cls).fields))


def _values(tables: Tables, field: Field) -> list[Any]:
    """Return the value of a field in each table, as plain Python."""
    if field.kind is Kind.NUMBER:
        numbers = tables.numbers(field.name).tolist()
        enumeration = _enumeration(field.name)
        if enumeration is None or isinstance(field.default, bool):
            return numbers  # type: ignore[no-any-return]
        members = {number: enumeration(number) for number in set(numbers)}
        return [members[number] for number in numbers]
    vectors = tables.vectors(field.name)
    if field.kind is Kind.STRING:
        texts = zip(tables.strings(field.name), vectors.present.tolist(), strict=True)
        return [text if is_present else None for text, is_present in texts]
    if field.is_copied:
        return [tuple(numbers) for numbers in vectors.lists()]
    cost = ELEMENT_COST * int(vectors.lengths.sum())
    tables.file.spend(cost, f"the vectors '{field.name}' of options")
    return [vectors.view(row).tobytes() for row in range(len(tables))]
