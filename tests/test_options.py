"""Options of operators against LiteRT's newest generated classes, and against `flexbuffers`."""

from __future__ import annotations

import array
import importlib
import inspect
import json
import os
import re
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import tflite
from flatbuffers import flexbuffers
from hypothesis import example, given
from hypothesis import strategies as st

import tflite_quant as tq
from conftest import FIXTURES
from tests import build
from tests.work import calls
from tflite_quant.command.json_text import model_json
from tflite_quant.format import operator_options as module
from tflite_quant.format.budget import Budget
from tflite_quant.format.flatbuffer import File, Kind
from tflite_quant.format.flexbuffer import read_map
from tflite_quant.format.operator_options import Options, read_options
from tflite_quant.format.schema import layout_of

UNIONS = {1: tflite.BuiltinOptions, 2: tflite.BuiltinOptions2}
SUFFIXES = {1: "", 2: "2"}


def newest() -> ModuleType:
    """Import LiteRT's generated schema; where it has no wheel skip the test, but in CI fail it."""
    try:
        return importlib.import_module("ai_edge_litert.schema_py_generated")
    except ImportError as error:
        if os.environ.get("CI"):
            pytest.fail(f"LiteRT is needed in CI: {error}")
        pytest.skip(f"LiteRT has no wheel here: {error}")


def builtin_options(
    file: File, union: int, member: int, position: int, label: str
) -> Options | None:
    """Read the options of one operator."""
    if not member or not position:
        return None
    (options,) = read_options(file, union, member, [position], lambda _: label)
    return options


def custom_options(content: bytes, label: str) -> dict[str, object] | None:
    return read_map(content, label, Budget(len(content)))


def numbers_of(union: Any) -> dict[str, int]:
    """Give the members of a union that are tables."""
    return {n: number for n, number in vars(union).items() if n[0] != "_" and n != "NONE"}


def all_options(content: bytes | Path) -> list[tuple[Options | None, Options | None]]:
    """Give the options of every operator of a model, in either union."""
    with tq.open(content) as model:
        file, operators = model.structure.file, model.structure.operators
        columns = [
            (
                operators.numbers(f"builtin_options{suffix}_type").tolist(),
                operators.references(f"builtin_options{suffix}").tolist(),
            )
            for suffix in SUFFIXES.values()
        ]
        return [
            (
                builtin_options(file, 1, m1, p1, operators.label(row)),
                builtin_options(file, 2, m2, p2, operators.label(row)),
            )
            for row, (m1, p1, m2, p2) in enumerate(zip(*columns[0], *columns[1], strict=True))
        ]


def with_options(union: int, member: int, write: Callable[[build.Builder], int | None]) -> bytes:
    """Build a model of one operator that has these options."""
    field = f"builtin_options{SUFFIXES[union]}"
    operator = build.OperatorSpec(0, [], [], fields={field: write, f"{field}_type": member})
    return build.model(build.SubgraphSpec([], operators=[operator]))


def only(content: bytes, union: int = 1) -> Options:
    """Give the options of the only operator of a model."""
    ((first, second),) = all_options(content)
    options, other = (first, second) if union == 1 else (second, first)
    assert options is not None
    assert other is None
    return options


def plain(value: object) -> object:
    """Turn what LiteRT's classes give into what `Options` holds."""
    if isinstance(value, np.ndarray):
        return value.tobytes() if value.dtype == np.uint8 else tuple(value.tolist())
    return value.decode() if isinstance(value, bytes) else value


def kind(value: object) -> type:
    """Give the type of a value; a member of an enumeration is an int."""
    return int if isinstance(value, IntEnum) else type(value)


def assert_same(options: Options | None, theirs: Any) -> None:
    """Compare every field with an object of LiteRT's generated classes."""
    if theirs is None:
        assert options is None
        return
    assert options is not None
    assert f"{options.name}T" == type(theirs).__name__
    expected = {name.lower(): plain(value) for name, value in vars(theirs).items()}
    ours = {name.replace("_", ""): value for name, value in options.values.items()}
    assert set(ours) == set(expected)
    for name, value in ours.items():
        if expected[name] is None and value is not None:
            assert value in {(), b""}, name
        else:
            assert value == expected[name], name
            assert kind(value) is type(expected[name]), name


def litert_options(content: bytes) -> list[tuple[Any, Any]]:
    schema = newest()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    return [
        (operator.builtinOptions, operator.builtinOptions2)
        for subgraph in model.subgraphs
        for operator in (subgraph.operators if subgraph.operators is not None else [])
    ]


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.name)
def test_every_operator_has_the_options_that_litert_reads(path: Path) -> None:
    theirs = litert_options(path.read_bytes())
    ours = all_options(path)
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert_same(our[0], their[0])
        assert_same(our[1], their[1])


def test_the_fixtures_have_options_of_many_kinds() -> None:
    names = {
        options.name
        for path in FIXTURES
        for pair in all_options(path)
        for options in pair
        if options
    }
    assert len(names) >= 5


class Slot(NamedTuple):
    """A field, as the functions that write its table name it."""

    camel: str
    """The name in the functions that write it."""
    kind: str
    """Word of the builder: Int32, UOffsetTRelative."""
    slot: int
    default: float

    @property
    def name(self) -> str:
        return re.sub("(?<!^)([A-Z])", r"_\1", self.camel).lower()


@lru_cache(maxsize=256)
def slots(name: str) -> list[Slot]:
    """Find the fields of a table in the functions that write it."""
    source = inspect.getsource(importlib.import_module(f"tflite.{name}"))
    pattern = rf"def {name}Add(\w+)\(.*\n.*Prepend(\w+)Slot\((\d+), .*, (\S+)\)"
    return [Slot(c, k, int(s), float(d)) for c, k, s, d in re.findall(pattern, source)]


def element_type(name: str, slot: Slot) -> str | None:
    """Find what a vector holds in the source of its accessor; None for a string."""
    accessor = getattr(getattr(tflite, name), f"{slot.camel}AsNumpy", None)
    if accessor is None:
        return None
    (found,) = re.findall(r"number_types\.(\w+)Flags, o\)", inspect.getsource(accessor))
    return str(found).lower()


def example_of(name: str, slot: Slot) -> Any:
    """Give a value, not the default, for a field: a number, a str, or an array."""
    if slot.kind == "UOffsetTRelative":
        element = element_type(name, slot)
        return f"{slot.camel} \u00e9" if element is None else np.array([3, 1, 0], element)
    if slot.kind == "Bool":
        return not slot.default
    dtype = np.dtype(slot.kind.lower())
    return -slot.default - 2.5 if dtype.kind == "f" else int(np.iinfo(dtype).max) - slot.slot


def write_example(b: build.Builder, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return b.CreateNumpyVector(value)
    return b.CreateString(value) if isinstance(value, str) else value


PACKAGED = [
    (union, number, name)
    for union, members in UNIONS.items()
    for name, number in numbers_of(members).items()
]


@pytest.mark.parametrize("field", [*module._ENUMERATIONS, "output_type"])
def test_words_are_those_of_litert(field: str) -> None:
    """A number has the name that LiteRT's own generated classes give it."""
    ours = module._enumeration(field)
    assert ours is not None
    theirs = vars(getattr(newest(), ours.__name__)).items()
    assert {member.name: member.value for member in ours}.items() <= {
        (name, value) for name, value in theirs if name[0] != "_"
    } | {("FLOAT8_E4M3FN", 21), ("FLOAT8_E5M2", 22)}
    assert ours(99) == 99
    assert ours(99).name == f"{ours.__name__}(99)"


def test_fields_with_words_are_numbers_of_some_table() -> None:
    """No name of a field is misspelt, and none is a number of another kind."""
    fields = [
        field
        for union, member, name in PACKAGED
        for field in layout_of(getattr(tflite, name)).fields
    ]
    known = {field.name for field in fields if field.kind is Kind.NUMBER}
    assert {*module._ENUMERATIONS, *module._TENSOR_TYPES} - {"comparison_direction"} <= known


@pytest.mark.parametrize(("union", "member", "name"), PACKAGED)
def test_every_table_with_every_field(union: int, member: int, name: str) -> None:
    values = {slot: example_of(name, slot) for slot in slots(name)}
    assert len(values) == len(layout_of(getattr(tflite, name)).fields)

    def write(b: build.Builder) -> int:
        offsets = {slot.camel: write_example(b, value) for slot, value in values.items()}
        getattr(tflite, f"{name}Start")(b)
        for camel, offset in offsets.items():
            getattr(tflite, f"{name}Add{camel}")(b, offset)
        return int(getattr(tflite, f"{name}End")(b))

    options = only(with_options(union, member, write), union)
    assert options.name == name
    for slot, value in values.items():
        ours = options.values[slot.name]
        assert ours == plain(value)
        assert kind(ours) is type(plain(value))
    newer = {field.name for field in module._NEWER_FIELDS.get(name, ())}
    assert set(options.values) - newer == {slot.name for slot in values}


@pytest.mark.parametrize(("union", "member", "name"), PACKAGED)
def test_every_table_with_no_field(union: int, member: int, name: str) -> None:
    content = with_options(union, member, lambda b: build.table(b, name))
    options = only(content, union)
    for slot in slots(name):
        if slot.kind != "UOffsetTRelative":
            assert options.values[slot.name] == slot.default
        else:
            absent = {None: None, "uint8": b""}.get(element_type(name, slot), ())
            assert options.values[slot.name] == absent
    ((first, second),) = litert_options(content)
    assert_same(options, first if union == 1 else second)
    # In JSON, too, whatever the fields are called: that of a composite is its own name.
    with tq.open(content) as model:
        data = json.loads("".join(model_json(model, model.subgraphs)))
    assert data["subgraphs"][0]["operators"][0]["options_name"] == name


class TestSchemaIsComplete:
    """The newest schema has nothing that is not read."""

    def test_members(self) -> None:
        for union, cls in UNIONS.items():
            theirs = numbers_of(getattr(newest(), cls.__name__))
            known = {number: name for name, number in theirs.items()}
            assert module._members(union) == {0: "NONE"} | known

    def test_fields(self) -> None:
        for union in UNIONS:
            for name in [name for name in module._members(union).values() if name != "NONE"]:
                theirs = layout_of(getattr(newest(), name)).fields
                assert set(module._layout(name).fields) == set(theirs), name

    def test_no_table_has_a_field_of_another_kind(self) -> None:
        """Such a field would be left out, and is to be read."""
        for _, _, name in PACKAGED:
            cls = getattr(tflite, name)
            assert module._readable_fields(cls) == layout_of(cls).fields

    def test_a_field_of_another_kind_is_left_out(self) -> None:
        names = {field.name for field in module._readable_fields(tflite.SubGraph)}
        assert names >= {"inputs", "outputs", "name"}
        assert not names & {"tensors", "operators"}
        assert "details" not in {
            field.name for field in module._readable_fields(tflite.QuantizationParameters)
        }

    def test_what_is_newer_gives_way_to_the_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        field = layout_of(tflite.Conv2DOptions).fields[0]
        newer = (field._replace(name="old"), field._replace(name="new", entry=60))
        monkeypatch.setitem(module._NEWER_FIELDS, "Conv2DOptions", newer)
        names = [field.name for field in module._layout.__wrapped__("Conv2DOptions").fields]
        assert names[0] == field.name
        assert "old" not in names
        assert names[-1] == "new"

    def test_the_kinds_of_fields(self) -> None:
        kinds = {
            field.kind
            for _, _, name in PACKAGED
            for field in layout_of(getattr(tflite, name)).fields
        }
        assert kinds == {Kind.NUMBER, Kind.STRING, Kind.VECTOR}


class TestNewerThanThePackage:
    def test_case(self) -> None:
        def write(b: build.Builder) -> int:
            indices = build.numbers(b, [4, -1], "<i4")
            return build.raw_table(b, ("UOffsetTRelative", indices))

        content = with_options(2, 23, write)
        options = only(content, 2)
        assert options == Options("StablehloCaseOptions", {"branch_subgraph_indices": (4, -1)})
        assert_same(options, litert_options(content)[0][1])

    def test_quant_spec(self) -> None:
        def write(b: build.Builder) -> int:
            spec = build.numbers(b, list(b"spec"), "u1")
            return build.raw_table(b, None, None, None, None, None, ("UOffsetTRelative", spec))

        content = with_options(1, tflite.BuiltinOptions.FullyConnectedOptions, write)
        options = only(content)
        assert options.values["quant_spec"] == b"spec"
        assert_same(options, litert_options(content)[0][0])


class TestOptions:
    def test_none(self) -> None:
        none = build.OperatorSpec(0, [], [])
        table_without_type = build.OperatorSpec(
            0, [], [], fields={"builtin_options": lambda b: build.table(b, "AddOptions")}
        )
        type_without_table = build.OperatorSpec(0, [], [], fields={"builtin_options_type": 11})
        operators = [none, table_without_type, type_without_table]
        content = build.model(build.SubgraphSpec([], operators=operators))
        assert all_options(content) == [(None, None)] * 3

    @pytest.mark.parametrize(
        ("union", "name"), [(1, "BuiltinOptions(200)"), (2, "BuiltinOptions2(200)")]
    )
    def test_an_unknown_member(self, union: int, name: str) -> None:
        content = with_options(union, 200, lambda b: build.table(b, "Conv2DOptions", stride_w=3))
        assert only(content, union) == (name, {})

    def test_cannot_be_changed(self) -> None:
        options = only(with_options(1, 11, lambda b: build.table(b, "AddOptions")))
        assert type(options.values) is MappingProxyType
        with pytest.raises(AttributeError):
            options.name = "x"  # type: ignore[misc]

    def test_of_a_model_that_is_closed(self) -> None:
        def write(b: build.Builder) -> int:
            return build.table(b, "ReshapeOptions", new_shape=build.numbers(b, [2, -1], "<i4"))

        content = bytearray(with_options(1, tflite.BuiltinOptions.ReshapeOptions, write))
        options = only(bytes(content))
        assert options == Options("ReshapeOptions", {"new_shape": (2, -1)})

    def test_empty_vectors_and_strings(self) -> None:
        def write(b: build.Builder) -> int:
            none, text = build.numbers(b, np.zeros(0), "<i4"), build.text(b, "")
            return build.table(
                b, "StablehloCustomCallOptions", called_computations=none, backend_config=text
            )

        values = only(with_options(2, 5, write), 2).values
        assert values["called_computations"] == ()
        assert values["backend_config"] == ""
        assert values["call_target_name"] is None

    def test_bytes_that_are_not_utf_8(self) -> None:
        def write(b: build.Builder) -> int:
            return build.table(b, "VarHandleOptions", container=build.text(b, b"a\xff"))

        content = with_options(1, tflite.BuiltinOptions.VarHandleOptions, write)
        assert only(content).values["container"] == "a\\xff"

    def test_numbers_that_are_neither_true_nor_false(self) -> None:
        """The only field of ReducerOptions is such a number."""
        member = tflite.BuiltinOptions.ReducerOptions
        content = with_options(1, member, lambda b: build.raw_table(b, ("Uint8", 7)))
        assert only(content).values == {"keep_dims": True}

    def test_vectors_that_share_their_bytes(self) -> None:
        """All vectors of one table are the same one, which is most of the file."""

        def write(b: build.Builder) -> int:
            vector = ("UOffsetTRelative", build.numbers(b, np.arange(700_000), "<i8"))
            return build.raw_table(b, *[vector] * 17)

        content = with_options(2, tflite.BuiltinOptions2.StablehloDotGeneralOptions, write)
        with pytest.raises(tq.CorruptModelError, match="DotGeneralOptions tables .* would take"):
            all_options(content)

    def test_vectors_may_share_some_bytes(self) -> None:
        def write(b: build.Builder) -> int:
            vector = build.numbers(b, [1, 2], "<i8")
            names = ("edge_padding_low", "edge_padding_high", "interior_padding")
            return build.table(b, "StablehloPadOptions", **dict.fromkeys(names, vector))

        values = only(with_options(2, tflite.BuiltinOptions2.StablehloPadOptions, write), 2).values
        assert set(values.values()) == {(1, 2)}


def fault(read: Callable[..., object], *arguments: object) -> str | None:
    """Read something; give the message where it is refused, None where it is not."""
    try:
        read(*arguments)
    except tq.CorruptModelError as error:
        return str(error)
    return None


def rich(b: build.Builder) -> int:
    """Write options with a field of every kind."""
    return build.table(
        b,
        "StablehloCustomCallOptions",
        call_target_name=build.text(b, "target"),
        backend_config=build.text(b, "config"),
        api_version=7,
        has_side_effect=True,
        called_computations=build.numbers(b, [1, 2, 3], "<i4"),
        custom_attributes=build.numbers(b, [1, 2, 3], "u1"),
    )


RICH = with_options(2, tflite.BuiltinOptions2.StablehloCustomCallOptions, rich)


def rich_table() -> int:
    with tq.open(RICH) as model:
        return int(model.structure.operators.references("builtin_options2")[0])


TABLE = rich_table()


class TestCorruptOptions:
    def test_a_table_in_the_wrong_place(self) -> None:
        with tq.open(RICH) as model:
            file = model.structure.file
            for position in range(len(RICH) + 16):
                for union, member, _ in PACKAGED:
                    message = fault(builtin_options, file, union, member, position, "here")
                    assert message is None or message.startswith("here, ")

    def test_every_truncation(self) -> None:
        with tq.open(RICH) as model:
            memory = model.structure.file.memory
            file_type = type(model.structure.file)
            for size in range(TABLE + 4, len(RICH)):
                message = fault(builtin_options, file_type(memory[:size]), 2, 5, TABLE, "here")
                assert message is None or message.startswith("here, StablehloCustomCallOptions")

    def test_every_byte_of_the_table(self) -> None:
        for position in range(TABLE - 32, len(RICH)):
            for value in (0, 1, 2, 4, 0x7F, 0x80, 0xFE, 0xFF):
                content = bytearray(RICH)
                content[position] = value
                fault(all_options, bytes(content))

    @given(st.lists(st.integers(0, len(RICH) * 8 - 1), min_size=1, max_size=4))
    def test_flipped_bits(self, flips: list[int]) -> None:
        content = bytearray(RICH)
        for flip in flips:
            content[flip // 8] ^= 1 << flip % 8
        try:
            fault(all_options, bytes(content))
        except tq.NotTFLiteError:
            assert content[4:8] != b"TFL3"

    def test_a_string_past_the_end(self) -> None:
        at = RICH.index(b"target\0") - 4
        content = RICH[:at] + b"\xff\xff\xff\x7f" + RICH[at + 4 :]
        message = fault(all_options, content)
        assert message is not None
        assert message.startswith(
            "subgraph 0, operator 0, StablehloCustomCallOptions: 'call_target_name' runs past"
        )


@pytest.mark.parametrize("union", [1, 2])
def test_operators_have_the_options_of_their_union(union: int) -> None:
    """A model with each member of a union: the same numbers say other things in the other one."""
    field = f"builtin_options{SUFFIXES[union]}"
    members = {number: name for of, number, name in PACKAGED if of == union}
    steps = [
        build.OperatorSpec(0, [], [], fields={field: build.raw_table, f"{field}_type": number})
        for number in members
    ]
    with tq.open(build.model(build.SubgraphSpec([], operators=steps))) as model:
        assert [o.options_name for o in model.operators] == list(members.values())


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("graph", [0, 1])
def test_options_that_are_broken_do_not_hide_those_of_others(count: int, graph: int) -> None:
    """Options of one kind are read together; the error names the operator whose they are."""

    def step(stride: int) -> build.OperatorSpec:
        fields = {
            "builtin_options": lambda b: build.table(b, "Pool2DOptions", stride_w=stride),
            "builtin_options_type": tflite.BuiltinOptions.Pool2DOptions,
        }
        return build.OperatorSpec(17, [], [], fields=fields)

    steps = [step(2 + index) for index in range(count)]
    content = build.model(*[build.SubgraphSpec([], operators=steps)] * 2)
    broken = count - 1
    with tq.open(content) as model:
        tables = model.structure.operators.references("builtin_options").tolist()
    table = tables[graph * count + broken]
    content = content[:table] + b"\xff\xff\xff\x7f" + content[table + 4 :]
    with tq.open(content) as model:
        for index, operator in enumerate(model.subgraphs[graph].operators):
            if index != broken:
                assert operator.options["stride_w"] == 2 + index
                continue
            for _ in range(2):
                message = fault(lambda operator=operator: operator.options)
                assert message is not None
                assert message.startswith(
                    f"subgraph {graph}, operator {index}, Pool2DOptions: the vtable is not in"
                )
        assert [o.options["stride_w"] for o in model.subgraphs[1 - graph].operators] == [
            2 + index for index in range(count)
        ]


# FlexBuffers


def dumps(value: object) -> bytes:
    return bytes(flexbuffers.Dumps(value))


def written(write: Callable[[Any], object]) -> bytes:
    """Write a map whose only value a function writes."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("x")
        write(builder)
    return bytes(builder.Finish())


def value_of(write: Callable[[Any], object]) -> object:
    decoded = custom_options(written(write), "here")
    assert decoded is not None
    assert list(decoded) == ["x"]
    return decoded["x"]


def in_vector(values: list[Any], typed: bool) -> Callable[[Any], object]:
    def write(builder: Any) -> None:
        with builder.TypedVector() if typed else builder.Vector():
            for value in values:
                builder.Add(value)

    return write


def keys(*names: str) -> Callable[[Any], object]:
    def write(builder: Any) -> None:
        with builder.TypedVector():
            for name in names:
                builder.Key(name)

    return write


NUMBERS = [0, 1, -1, 127, -128, 255, 300, -300, 1 << 20, -(1 << 31), 1 << 40, -(1 << 63)]
FLOATS = [0.0, 1.5, -2.5, 0.1, 1e30, float("inf")]


KEYS = st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=9)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(-3e38, 3e38)
    | st.text(max_size=9)
    | st.binary(max_size=9)
)


def branches(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5)


class TestCustomOptions:
    @pytest.mark.parametrize("value", [None, True, False, "", "text \u00e9", b"", b"bytes\0\xff"])
    def test_one_value(self, value: object) -> None:
        ours = value_of(lambda b: b.Add(value))
        assert ours == value
        assert type(ours) is type(value)

    @pytest.mark.parametrize("value", NUMBERS)
    def test_integers(self, value: int) -> None:
        assert value_of(lambda b: b.Int(value)) == value
        assert value_of(lambda b: b.Int(value, 8)) == value
        assert value_of(lambda b: b.IndirectInt(value)) == value
        if value >= 0:
            assert value_of(lambda b: b.UInt(value)) == value
            assert value_of(lambda b: b.IndirectUInt(value)) == value

    @pytest.mark.parametrize("value", FLOATS)
    def test_floats(self, value: float) -> None:
        assert value_of(lambda b: b.Float(value)) == value
        assert value_of(lambda b: b.Float(value, 8)) == value
        assert value_of(lambda b: b.IndirectFloat(value)) == value

    @pytest.mark.parametrize("typed", [False, True])
    @pytest.mark.parametrize(
        "values", [NUMBERS, FLOATS, [True, False], [0], [1.5], list(range(300)), [0.5] * 300]
    )
    def test_vectors(self, values: list[Any], typed: bool) -> None:
        ours = value_of(in_vector(values, typed))
        assert ours == values
        assert isinstance(ours, list)
        assert [type(value) for value in ours] == [type(value) for value in values]

    def test_mixed_vectors(self) -> None:
        values: list[Any] = [None, 1, 2.5, "a", b"b", [], [[]], {"k": {}}, True, -(1 << 40)]
        assert value_of(in_vector(values, typed=False)) == values

    def test_keys(self) -> None:
        assert value_of(lambda b: b.Key("name")) == "name"
        assert value_of(keys("a", "b", "a")) == ["a", "b", "a"]
        # Their offsets have two bytes each.
        assert value_of(keys("a" * 300, "b", "c")) == ["a" * 300, "b", "c"]
        assert value_of(keys()) == []

    def test_vectors_of_strings_of_old(self) -> None:
        assert value_of(in_vector(["a", "bc"], typed=True)) == ["a", "bc"]

    @pytest.mark.parametrize("code", "bBhHiIqQfd")
    def test_arrays(self, code: str) -> None:
        values: Any = array.array(code, [1, 2, 3, 4, 5])
        assert value_of(lambda b: b.Add(values)) == values.tolist()

    @pytest.mark.parametrize("values", [[1, 2], [1, 2, 3], [1, 2, 3, 4], [1.5, 2.5], [-1, 300]])
    def test_fixed_vectors(self, values: list[Any]) -> None:
        assert value_of(lambda b: b.FixedTypedVectorFromElements(values)) == values

    def test_vectors_of_no_floats(self) -> None:
        """They may be narrower than any float is."""
        content = written(lambda b: b.Blob(b""))
        packed = content.rindex(bytes([flexbuffers.Type.BLOB << 2]))
        changed = bytearray(content)
        changed[packed] = flexbuffers.Type.VECTOR_FLOAT << 2
        assert custom_options(bytes(changed), "here") == {"x": []}

    def test_detection(self) -> None:
        """What a well-known operator has, TFLite_Detection_PostProcess."""
        told = {
            "max_detections": 10,
            "max_classes_per_detection": 1,
            "nms_score_threshold": 1e-8,
            "use_regular_nms": False,
            "y_scale": 10.0,
            "_output_quantized": True,
        }
        assert custom_options(dumps(told), "here") == told

    def test_many_maps_that_share_their_keys(self) -> None:
        told = {"anchors": [{"a_rather_long_name_of_a_key": i % 100} for i in range(5000)]}
        assert custom_options(dumps(told), "here") == told

    def test_text_that_is_not_utf_8(self) -> None:
        content = dumps({"x": "abc"}).replace(b"abc", b"a\xffc")
        assert custom_options(content, "here") == {"x": b"a\xffc"}
        content = dumps({"key": 1}).replace(b"key", b"k\xff\xc3")
        assert custom_options(content, "here") == {"k\\xff\\xc3": 1}

    def test_keys_that_stand_twice(self) -> None:
        content = dumps({"a": 1, "b": 2}).replace(b"b\0", b"a\0")
        assert custom_options(content, "here") in ({"a": 1}, {"a": 2})

    @pytest.mark.parametrize(
        "content",
        [b"", b"\0", b"\0\0", b"any bytes", dumps([1, 2]), dumps(3), dumps("s"), b"\x24\x24\x03"],
    )
    def test_what_is_no_map(self, content: bytes) -> None:
        assert custom_options(content, "here") is None

    @given(st.dictionaries(KEYS, st.recursive(LEAVES, branches, max_leaves=12), max_size=5))
    def test_what_was_written_is_read(self, told: dict[str, object]) -> None:
        assert custom_options(dumps(told), "here") == told


def shape_of(value: object) -> Iterator[object]:
    """Walk over a decoded value, and refuse what is not plain."""
    yield value
    if isinstance(value, dict):
        for key, inner in value.items():
            assert type(key) is str
            yield from shape_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from shape_of(inner)
    else:
        assert type(value) in {int, float, bool, str, bytes, type(None)}


def decoded(content: bytes) -> Mapping[str, object] | None:
    """Decode; only one error is let through, and the result has to be plain and not too large."""
    if (message := fault(custom_options, content, "here")) is not None:
        assert message.startswith("here, custom options")
        return None
    value = custom_options(content, "here")
    assert sum(1 for _ in shape_of(value)) <= ((64 << 20) + 20 * len(content)) // 256
    return value


def laughs(levels: int, width: int, of: Callable[[Any], object]) -> bytes:
    """Write vectors that have the same vector many times, many levels deep."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Key("x")
        of(builder)
        for _ in range(levels):
            inner = builder.LastValue
            start = builder._StartVector() - 1
            for _ in range(width - 1):
                builder.ReuseValue(inner)
            builder._EndVector(start, typed=False, fixed=False)
    return bytes(builder.Finish())


def nested(depth: int) -> bytes:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return dumps({"x": value})


EVERYTHING = {
    "null": None,
    "bool": True,
    "int": 300,
    "float": 0.1,
    "string": "some text",
    "blob": b"some bytes",
    "vector": [1, "a", None, [2.5, {"k": 1}]],
    "array": array.array("h", [1, 2, 3]),
    "map": {"a": 1, "b": {"c": [True]}},
}
WHOLE = dumps(EVERYTHING)
HEADER = bytes([flexbuffers.Type.MAP << 2, 1])


def bounded(content: bytes) -> None:
    """Decode within bounds of work and memory."""
    custom_options(dumps({"x": 1}), "here")
    tracemalloc.start()
    try:
        count = calls(lambda: decoded(content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (64 << 20) + 20 * len(content)
    assert count < 3_000_000


class TestHostileCustomOptions:
    def test_every_truncation(self) -> None:
        for size in range(len(WHOLE)):
            decoded(WHOLE[:size])
            decoded(WHOLE[size:])
            decoded(WHOLE[:size] + WHOLE[-2:])

    def test_every_byte(self) -> None:
        for position in range(len(WHOLE)):
            for value in (
                0,
                1,
                0x28,
                0x7F,
                0xFF,
                *(WHOLE[position] ^ 1 << bit for bit in range(8)),
            ):
                content = bytearray(WHOLE)
                content[position] = value
                decoded(bytes(content))

    @given(st.binary(max_size=64))
    @example(b"")
    def test_random_bytes(self, content: bytes) -> None:
        decoded(content)
        for width in (1, 2, 4, 8):
            for own_width in range(4):
                decoded(content + bytes([flexbuffers.Type.MAP << 2 | own_width, width]))

    @given(st.lists(st.integers(0, len(WHOLE) * 8 - 17), min_size=1, max_size=8))
    def test_flipped_bits(self, flips: list[int]) -> None:
        content = bytearray(WHOLE)
        for flip in flips:
            content[flip // 8] ^= 1 << flip % 8
        decoded(bytes(content))

    def test_what_both_can_read_is_the_same(self) -> None:
        """Where a changed buffer can be read at all, `flexbuffers` reads the same.

        It does not read text that is not UTF-8, keys that are not ASCII, and keys that are said
        to be wider than a byte.
        """
        compared = 0
        for flip in range(8 * len(WHOLE) - 16):
            content = bytearray(WHOLE)
            content[flip // 8] ^= 1 << flip % 8
            ours = decoded(bytes(content))
            if ours is None:
                continue
            try:
                theirs = flexbuffers.Loads(content)
            except (UnicodeDecodeError, AssertionError):
                continue
            assert repr(ours) == repr(plain_flexbuffer(theirs))
            compared += 1
        assert compared > 2 * len(WHOLE)

    def test_billion_laughs(self) -> None:
        content = laughs(9, 10, lambda b: b.String("lol"))
        assert len(content) < 500
        with pytest.raises(tq.CorruptModelError, match="would take"):
            custom_options(content, "here")
        bounded(content)

    def test_a_shared_long_string(self) -> None:
        content = laughs(1, 5000, lambda b: b.String("long" * 5000))
        with pytest.raises(tq.CorruptModelError, match="would take"):
            custom_options(content, "here")
        bounded(content)

    def test_a_shared_long_array(self) -> None:
        bounded(laughs(2, 100, lambda b: b.Add(array.array("q", range(1000)))))
        bounded(laughs(1, 100, lambda b: b.Blob(bytes(100_000))))
        bounded(laughs(1, 1000, lambda b: b.Key("k" * 10_000)))

    def test_sharing_within_bounds(self) -> None:
        content = laughs(1, 3, lambda b: b.Add([1, 2]))
        assert custom_options(content, "here") == {"x": [[1, 2]] * 3}

    def test_deep_nesting(self) -> None:
        assert custom_options(nested(31), "here") is not None
        with pytest.raises(tq.CorruptModelError, match="nested deeper than 32 levels"):
            custom_options(nested(32), "here")
        bounded(laughs(5000, 1, lambda b: b.Int(1)))

    def test_a_circle(self) -> None:
        """A vector whose only element is the vector itself."""
        # keys: "x", 0, count 1, offset 3 to "x"; map: offset of keys, width, count, then its
        # only value, a vector that lies where the map's values do.
        vector = flexbuffers.Type.VECTOR << 2
        content = bytes([ord("x"), 0, 1, 3, 1, 1, 1, 0, vector, 2, *HEADER])
        with pytest.raises(tq.CorruptModelError, match="nested deeper"):
            custom_options(content, "here")

    def test_an_offset_before_the_first_byte(self) -> None:
        """In Python it would mean a place counted from the end."""
        content = bytearray(dumps({"x": "text"}))
        content[-3] = len(content)
        with pytest.raises(tq.CorruptModelError, match="outside the content"):
            custom_options(bytes(content), "here")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (HEADER, None),
            (b"\0" + HEADER, "outside the content"),
            (b"\xff" + HEADER, "outside the content"),
            (bytes([ord("x"), 0, 1, 3, 1, 3, 1, 0, 0, 2, *HEADER]), "keys is 3, expected 1, 2"),
            (bytes([ord("x"), 0, 2, 3, 1, 1, 1, 0, 0, 2, *HEADER]), "as many keys as values"),
            (bytes([ord("x"), 0, 1, 3, 1, 1, 1, 0, 30 << 2, 2, *HEADER]), "unknown type 30"),
            (bytes([ord("x"), 0, 1, 3, 1, 1, 1, 0, 3 << 2, 2, *HEADER]), "width of a float is 1"),
            (bytes([ord("x"), 0, 1, 3, 1, 1, 9, 0, 0, 2, *HEADER]), "outside the content"),
            (bytes([1, 3, 1, 1, 1, 0, 0, 2, *HEADER]), "outside the content"),
        ],
    )
    def test_each_fault(self, content: bytes, message: str | None) -> None:
        if message is None:
            assert custom_options(content, "here") is None
            return
        with pytest.raises(tq.CorruptModelError, match=message):
            custom_options(content, "here")

    @pytest.mark.parametrize("width", [0, 1, 2, 3])
    @pytest.mark.parametrize(
        ("kind", "count"), [("INDIRECT_INT", 1), ("INDIRECT_FLOAT", 1), ("VECTOR_UINT4", 4)]
    )
    def test_numbers_that_run_past_the_end(self, kind: str, count: int, width: int) -> None:
        """The only value of a map, and the 5 bytes from itself to the end."""
        packed = getattr(flexbuffers.Type, kind) << 2 | width
        content = bytes([ord("x"), 0, 1, 3, 1, 1, 1, 0, packed, 2, *HEADER])
        message = fault(custom_options, content, "here")
        if count << width > 5:
            expected = f"{count << width} bytes outside the content (offset 7 of 12)"
            assert message == f"here, custom options: {expected}"
        else:
            assert message is None or "the width of a float is" in message

    @pytest.mark.parametrize("length", [12, 13, 200])
    @pytest.mark.parametrize("kind", ["STRING", "BLOB"])
    def test_text_that_runs_past_the_end(self, kind: str, length: int) -> None:
        """A slice in Python would be shorter, without an error."""
        packed = getattr(flexbuffers.Type, kind) << 2
        content = bytes([length, ord("x"), 0, 1, 3, 1, 1, 1, 7, packed, 2, *HEADER])
        if length == 12:
            value = content[1:] if kind == "BLOB" else content[1:].decode()
            assert custom_options(content, "here") == {"x": value}
        else:
            message = f"here, custom options: {length} bytes outside the content (offset 1 of 13)"
            assert fault(custom_options, content, "here") == message

    def test_a_key_without_end(self) -> None:
        number = flexbuffers.Type.INT << 2
        content = bytearray([1, 1, 1, 1, 1, 1, 1, 5, number, 2, *HEADER])
        content[2:4] = 1, 1
        with pytest.raises(tq.CorruptModelError, match="no end"):
            custom_options(bytes(content), "here")


def plain_flexbuffer(value: object) -> object:
    """Turn what `flexbuffers` gives into what is held here."""
    if isinstance(value, dict):
        return {key: plain_flexbuffer(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain_flexbuffer(inner) for inner in value]
    return bytes(value) if isinstance(value, bytearray) else value


def test_large_custom_options_of_one_operator_do_not_count_for_all() -> None:
    sizes = [20_000] + [4] * 3_000
    steps = [
        build.OperatorSpec(
            tflite.BuiltinOperator.CUSTOM, [0], [0], "c",
            fields={"custom_options": lambda b, n=n: build.numbers(b, [7] * n, "<u1")},
        )
        for n in sizes
    ]  # fmt: skip
    model = tq.open(build.model(build.SubgraphSpec([build.TensorSpec()], (), (), steps)))
    data = json.loads("".join(model_json(model, model.subgraphs)))
    assert len(data["subgraphs"][0]["operators"]) == len(sizes)
