"""Layouts, found by probing the generated accessors, against what the compiler wrote elsewhere."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest
import tflite

from conftest import ROOT
from tests import oracle
from tflite_quant import TensorType
from tflite_quant.format import schema
from tflite_quant.format.flatbuffer import Kind, Layout

LAYOUTS = [value for value in vars(schema).values() if isinstance(value, Layout)]


PACKAGE = [layout for layout in LAYOUTS if hasattr(tflite, layout.name)]


@pytest.mark.parametrize("layout", PACKAGE, ids=lambda layout: layout.name)
def test_layouts_are_what_the_generated_builders_write(layout: Layout) -> None:
    """The functions that write a table name slot, type and default in another place."""
    source = inspect.getsource(inspect.getmodule(getattr(tflite, layout.name)))  # type: ignore[arg-type]
    written = re.findall(
        rf"def {layout.name}Add(\w+)\(.*\n.*Prepend(\w+)Slot\((\d+), .*, (\S+)\)", source
    )
    newer = {"external_buffer", "external_buffer_groups", "external_buffers"}
    assert len(written) == len({field.name for field in layout.fields} - newer)
    by_entry = {field.entry: field for field in layout.fields}
    for name, kind, slot, default in written:
        field = by_entry[4 + 2 * int(slot)]
        assert field.name.replace("_", "") == name.lower()
        if kind == "UOffsetTRelative":
            assert field.kind is not Kind.NUMBER
        else:
            assert field.kind is Kind.NUMBER
            assert field.dtype.name == kind.lower()
            assert field.default == float(default)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_fields_stand_in_the_order_that_the_budget_counts_on(layout: Layout) -> None:
    """What is copied when it is read comes first: so many columns are charged for."""
    copied = [field.is_copied for field in layout.fields]
    assert copied == sorted(copied, reverse=True)
    assert sum(copied) == layout.copied
    numbers = [field.kind is Kind.NUMBER for field in layout.fields]
    assert numbers == sorted(numbers)
    assert numbers.count(False) == layout.references


def test_bytes_such_as_weights_are_not_copied() -> None:
    assert not schema.BUFFER.fields[schema.BUFFER.columns["data"]].is_copied
    assert schema.TENSOR.fields[schema.TENSOR.columns["name"]].is_copied
    assert schema.TENSOR.fields[schema.TENSOR.columns["shape"]].is_copied
    assert not schema.TENSOR.fields[schema.TENSOR.columns["quantization"]].is_copied
    assert not schema.TENSOR.fields[schema.TENSOR.columns["type"]].is_copied


def newest(name: str) -> Any:
    """Give the class of a table in LiteRT's newest schema."""
    oracle.litert()
    return getattr(importlib.import_module("ai_edge_litert.schema_py_generated"), name)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_layouts_are_those_of_the_newest_schema(layout: Layout) -> None:
    """Including what package `tflite` does not have; a field that we lack is named here."""
    found = schema.layout_of(newest(layout.name))
    assert {field.name: field for field in layout.fields} == {
        field.name: field for field in found.fields
    }


UNREAD = {
    "Model.metadata_buffer": "the forerunner of metadata: bare indices of buffers",
    "Operator.custom_options_format": "FlexBuffers is its only value",
    "Operator.mutating_variable_inputs": "which inputs the operator changes",
    "Operator.debug_metadata_index": "an index into metadata for debugging",
    "SubGraph.debug_metadata_index": "an index into metadata for debugging",
    "Tensor.variant_tensors": "of the shapes inside VARIANT tensors, which have no values",
    "VariantSubType": "what Tensor.variant_tensors holds",
}


def test_what_is_not_read_of_the_newest_schema_is_known() -> None:
    """Every table and field of it stands by name in a module here, or in the list above."""
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tflite_quant").rglob("*.py"))
    newest_schema = inspect.getmodule(newest("Model"))
    tables = {name for name, cls in vars(newest_schema).items() if hasattr(cls, "GetRootAs")}
    options = {
        name for union in ("BuiltinOptions", "BuiltinOptions2") for name in vars(newest(union))
    }
    unread = set()
    for table in sorted(tables - options):
        if f"tflite.{table})" not in source and f'"{table}"' not in source:
            unread.add(table)
            continue
        names = [field.name for field in schema.layout_of(newest(table)).fields]
        unread |= {
            f"{table}.{name}"
            for name in names
            if not re.search(rf'"{name}[":]|\.{name}\b', source) and not name.endswith("_type")
        }
    assert unread == set(UNREAD)


def test_newest_enumerations() -> None:
    for enum in ("TensorType", "QuantizationDetails", "BuiltinOperator"):
        values = {k: v for k, v in vars(newest(enum)).items() if not k.startswith("_")}
        for name, value in values.items():
            if enum == "TensorType":
                assert TensorType[name] == value
            elif enum == "QuantizationDetails":
                assert schema.quantization_details_name(value) == name
            else:
                assert schema.BuiltinOperator(value).name == name


def test_vectors_have_the_types_that_the_schema_gives() -> None:
    """By hand, from schema.fbs: no function that writes a table tells what a vector holds."""
    types = {
        (layout.name, field.name): field.dtype.str
        for layout in LAYOUTS
        for field in layout.fields
        if field.kind is Kind.VECTOR
    }
    assert types[("Tensor", "shape")] == "<i4"
    assert types[("QuantizationParameters", "scale")] == "<f4"
    assert types[("QuantizationParameters", "zero_point")] == "<i8"
    assert types[("Buffer", "data")] == "|u1"
    assert types[("SubGraph", "tensors")] == "<u4"


def test_every_table_of_the_schema_can_be_probed() -> None:
    """So that an upgrade of package `tflite` that brings a new kind of accessor is noticed."""
    tables = [
        cls for cls in vars(tflite).values() if isinstance(cls, type) and hasattr(cls, "GetRootAs")
    ]
    assert len(tables) > 100
    for cls in tables:
        entries = [field.entry for field in schema.layout_of(cls).fields]
        # Fields that the schema has given up leave gaps.
        assert len(set(entries)) == len(entries), cls.__name__
        assert all(entry in range(4, 100, 2) for entry in entries), cls.__name__


class TestTensorType:
    def test_numbers_are_the_schemas(self) -> None:
        for name, number in vars(tflite.TensorType).items():
            if not name.startswith("_"):
                assert TensorType[name] == number

    def test_an_unknown_number_is_kept(self) -> None:
        assert TensorType(41) == 41
        assert TensorType(41).name == "TensorType(41)"
        assert repr(TensorType(-3)) == "<TensorType.TensorType(-3): -3>"
        assert TensorType(41) not in list(TensorType)

    def test_what_is_no_number_is_refused(self) -> None:
        with pytest.raises(ValueError, match="is not a valid TensorType"):
            TensorType("INT8")  # type: ignore[arg-type]


def test_builtin_operators() -> None:
    assert schema.BuiltinOperator(tflite.BuiltinOperator.CONV_2D).name == "CONV_2D"
    assert schema.BuiltinOperator(tflite.BuiltinOperator.CUSTOM).name == "CUSTOM"
    assert schema.BuiltinOperator(100_000).name == "BuiltinOperator(100000)"
