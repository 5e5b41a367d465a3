"""What the commands write keeps the schemas in docs/schemas, and these describe nothing else."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from flatbuffers import flexbuffers

from conftest import FIXTURES, ROOT
from docs.formats import SCHEMAS, formats_page, properties, schema
from tests import attacks, build, compressed, oracle
from tests.faults import FAULTS
from tests.generator import generated
from tests.one_operator import one_operator
from tflite_quant.checks.rules import RULES
from tflite_quant.command.cli import main
from tflite_quant.summary.file_records import FIELDS

NAMES = tuple(each.file for each in SCHEMAS)
SMALL = [path for path in FIXTURES if path.stat().st_size < 6000]
FLOAT, INT8 = ROOT / "fixtures/residual_float32.tflite", ROOT / "fixtures/residual_int8.tflite"


def printed(*arguments: object) -> str | None:
    """Give what a command prints; None if it cannot read a model, when that may be cut short."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(io.StringIO()):
        status = main([str(argument) for argument in arguments])
    return None if status == 2 and arguments[0] == "show" else text.getvalue()


def read(*arguments: object) -> Any:
    """Give the JSON that a command prints; None if it cannot read a model."""
    text = printed(*arguments)
    return None if text is None else json.loads(text)


def thinned(data: Any) -> Any:
    """Give some data with the ends of long lists only: all items of a list have one form."""
    if isinstance(data, dict):
        return {key: thinned(value) for key, value in data.items()}
    if isinstance(data, list):
        return [*map(thinned, data if len(data) <= 20 else [*data[:10], *data[-10:]])]
    return data


class Checker:
    """Validates, and remembers which properties of a schema were there and which were not."""

    def __init__(self) -> None:
        jsonschema = oracle.package("jsonschema")
        base = jsonschema.Draft202012Validator
        self.seen, self.missing = set[tuple[int, str]](), set[tuple[int, str]]()
        self.schemas = {name: schema(name) for name in NAMES}

        def visit(validator: Any, known: Any, instance: Any, part: Any) -> Iterator[Any]:
            if isinstance(instance, dict):
                for key in known:
                    (self.seen if key in instance else self.missing).add((id(known), key))
            yield from base.VALIDATORS["properties"](validator, known, instance, part)

        self.kind = jsonschema.validators.extend(base, {"properties": visit})
        for whole in self.schemas.values():
            base.check_schema(whole)

    def errors(self, name: str, data: Any, part: str | None = None) -> list[str]:
        """Give what is wrong with some output, in words."""
        whole = self.schemas[name]
        if part is not None:
            whole = {"$ref": f"#/$defs/{part}", "$defs": whole["$defs"]}
        errors = self.kind(whole).iter_errors(thinned(data))
        return [f"{list(error.absolute_path)}: {error.message}"[:300] for error in errors]


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker()


_MOST_ROWS, _MOST_CHARACTERS = 20, 100_000
"""Rows of a file that are validated, and characters of another output: more are no other form."""
Output = tuple[str, str | None, Any]
"""The name of a schema, the part of it that describes some data, or None for all, and the data."""


def outputs_of(path: object) -> Iterator[Output]:
    """Yield what commands print of a file, or of the files of a folder."""
    yield "check", None, read("check", "--format", "json", path)
    yield "sarif", None, read("check", "--format", "sarif", path)
    for what in FIELDS:
        options = [] if what == "tensors" else [f"--{what}"]
        lines = printed("records", "--format", "jsonl", *options, path)
        rows_of = Counter[str]()
        for row in map(json.loads, (lines or "").splitlines()):
            rows_of[row["file"]] += 1
            if rows_of[row["file"]] <= _MOST_ROWS:
                yield "records", what, row


def test_of_a_model(model_path: Path, checker: Checker) -> None:
    outputs = [("show", "model", read("show", "--json", model_path)), *outputs_of(model_path)]
    for name, part, data in outputs:
        assert not checker.errors(name, data, part), name


def made_models() -> Mapping[str, bytes]:
    """Give models that no fixture is like: with every kind of finding, operator, compression."""
    numbers = random.Random(1)
    made = {f"fault_{key}": fault.bad for key, fault in FAULTS.items()}
    made |= {
        f"operator_{domain.value}_{name}": one_operator(name, rule).model
        for domain, rules in RULES.items()
        for name, rule in list(rules.items())[:: 1 + len(rules) // 3]
    }
    made |= {f"made_{number}": generated(numbers.randrange).content for number in range(20)}
    sparse = build.sparse_fields(2, ([0, 1, 2], None), order=[0, 1])
    options = bytes(flexbuffers.Dumps({"a": "abc", "b": {"c": [1, 2.5]}}))
    return made | {
        "values_decode": compressed.decode_form(),
        "values_metadata": compressed.metadata_form(tables=b"\0" * 7),
        "values_metadata_unreadable": compressed.metadata_form(
            metadata=build.compression_metadata([(1, 2, 9)])
        ),
        "values_sparse_unreadable": build.one(
            build.TensorSpec("w", (2, 2), tflite.TensorType.INT8, b"\1\2", fields=sparse)
        ),
        "custom": custom(options.replace(b"abc", b"a\xffc")),
        "custom_unreadable": custom(bytes([255, 36, 1])),
        "packed": packed(custom(options)),
        "values_strings": build.one(
            build.TensorSpec(
                "t", (1,), tflite.TensorType.STRING, b"\1\0\0\0\x0c\0\0\0\x0d\0\0\0\xff"
            )
        ),
        "no_model": b"no model",
    }


def custom(content: bytes) -> bytes:
    """Give a model of a custom operator with some options."""
    fields = {"custom_options": lambda b: build.numbers(b, [*content], "u1")}
    step = build.OperatorSpec(32, [0], [0], custom="Magic", fields=fields)
    return build.model(build.SubgraphSpec([build.TensorSpec()], operators=[step]))


def packed(model: bytes) -> bytes:
    """Give a model with an archive behind it."""
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("labels.txt", "cat")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, content in made_models().items():
        (folder / f"{name}.tflite").write_bytes(content)
    return folder


def comparisons(folder: Path) -> Iterator[list[object]]:
    """Yield the arguments of comparisons: with activations, and with what has no counterpart."""
    yield [FLOAT, INT8]
    yield [FLOAT, ROOT / "fixtures/int4.tflite"]
    yield [FLOAT, ROOT / "fixtures/residual_float16.tflite"]
    yield [INT8, INT8]
    values = {"serving_default_image:0": np.ones((1, 32, 32, 3), np.float32)}
    np.savez(folder / "activations.npz", **values)  # type: ignore[arg-type]
    recorded = folder / "activations.npz"
    yield [FLOAT, FLOAT, "--activations", recorded, recorded]


@pytest.fixture(scope="module")
def outputs(folder: Path) -> Sequence[Output]:
    """Give outputs of every command, in every form."""
    made = [output for path in (folder, attacks.FOLDER) for output in outputs_of(path)]
    for path in (*folder.glob("*.tflite"), *attacks.FOLDER.glob("*.tflite"), *SMALL):
        asked: list[tuple[str | None, list[str]]] = [("model", [])]
        if path in SMALL or path.name.startswith("values_"):
            asked += [(None, ["--tensor", "0"]), (None, ["--tensor", "*"])]
        for part, options in asked:
            text = printed("show", "--json", *options, path)
            if text is not None and len(text) < _MOST_CHARACTERS:
                made.append(("show", part, json.loads(text)))
    made += [("spec", None, [operator]) for operator in read("spec", "--json")]
    for arguments in comparisons(folder):
        made.append(("compare", None, read("compare", "--format", "json", *arguments)))
        for measure in ("sqnr", "at-ends"):
            options = ["--format", "model-explorer", "--measure", measure]
            made.append(("model-explorer", None, read("compare", *options, *arguments)))
    return made


@pytest.fixture(scope="module")
def wrong(outputs: Sequence[Output], checker: Checker, folder: Path) -> Sequence[object]:
    """Give what is wrong with the outputs; the checker has then seen all of them."""
    return [
        (name, part, errors)
        for name, part, data in (*outputs, *rows(folder))
        if (errors := checker.errors(name, data, part))
    ]


def test_all_outputs_keep_the_schemas(outputs: Sequence[Output], wrong: Sequence[object]) -> None:
    assert {name for name, _, _ in outputs} == set(NAMES)
    assert not wrong


def parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and all schemas in it."""
    if isinstance(part, dict):
        yield part
        for key, value in part.items():
            # Properties are no schema, but their values are.
            inner = value.values() if key in ("properties", "$defs") else [value]
            for each in inner:
                yield from parts(each)
    elif isinstance(part, list):
        for each in part:
            yield from parts(each)


RARE = {("show", "model", "macs_error"), ("sarif", "rule", "helpUri")}
"""What only a file of megabytes brings about, options that take more than its budget; and what only
a release has."""


@pytest.mark.usefixtures("wrong")
def test_every_key_comes(checker: Checker) -> None:
    """A schema describes nothing that the commands never write; what is optional can be missing."""
    never, always = set(), set()
    for name, whole in checker.schemas.items():
        for title, part in whole["$defs"].items():
            for key in (known := part.get("properties", {})):
                if (id(known), key) not in checker.seen:
                    never.add((name, title, key))
                elif (id(known), key) not in checker.missing:
                    always.add((name, title, key))
    required = {
        (name, title, key)
        for name, whole in checker.schemas.items()
        for title, part in whole["$defs"].items()
        for key in part.get("required", ())
    }
    assert never <= RARE
    assert always <= required


@pytest.mark.parametrize("name", NAMES)
def test_no_key_is_unknown_or_lost(name: str, outputs: Sequence[Output], checker: Checker) -> None:
    """With a key more, or one lost or renamed, an output is refused."""
    found = (output for output in outputs if output[0] == name)
    _, part, data = min(found, key=lambda output: abs(len(str(output[2])) - 5000))
    assert not checker.errors(name, data, part)
    changed = copy.deepcopy(data)
    places = [(owner, key) for owner in objects(changed) for key in owner]
    refused = 0
    places = random.Random(2).sample(places, min(len(places), 20))
    for owner, key in places:
        before = dict(owner)
        owner[f"{key}_"] = owner.pop(key)
        refused += bool(checker.errors(name, changed, part))
        owner.clear()
        owner.update(before)
    # Some objects have any keys: options, and counts by name.
    assert refused > 0.7 * len(places)


def objects(data: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in some data."""
    if isinstance(data, dict):
        yield data
    for value in data.values() if isinstance(data, dict) else data:
        if isinstance(value, dict | list):
            yield from objects(value)


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_strict_and_in_words(name: str) -> None:
    for part in parts(schema(name)):
        if "title" in part and "properties" in part:
            ways = ("additionalProperties", "unevaluatedProperties")
            assert any(part.get(way) is False for way in ways), part["title"]
            assert all("description" in value for value in part["properties"].values())


# Tables.


def rows(folder: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the rows of CSV tables as JSON: the schema, the part that describes a row, the row."""
    for name, part, arguments in tables(folder):
        whole = schema(name)
        columns = properties(whole, whole["$defs"][part])
        extra = {"file": "", "error": None} if arguments[0] == "show" else {}
        lines = csv.DictReader(io.StringIO(printed(*arguments) or ""))
        titles = [*extra, *(lines.fieldnames or ())]
        assert titles == list(columns), arguments
        for line in lines:
            cells = {key: value(whole, columns[key], cell) for key, cell in line.items()}
            yield name, part, extra | cells


def tables(folder: Path) -> Iterator[tuple[str, str, list[object]]]:
    """Yield the arguments of commands that print CSV, and what describes a row."""
    mixed = ROOT / "fixtures/mixed.tflite"
    yield "records", "tensors", ["show", "--format", "csv", mixed]
    yield "records", "tensors", ["show", "--format", "csv", "--tensor", "0", mixed]
    yield "records", "operators", ["show", "--format", "csv", "--operators", mixed]
    for what in FIELDS:
        options = [] if what == "tensors" else [f"--{what}"]
        some = [*folder.glob("made_1*.tflite"), folder / "no_model.tflite", mixed]
        yield "records", what, ["records", *options, *some]
    for arguments in comparisons(folder):
        yield "compare", "row", ["compare", "--format", "csv", *arguments]
    channels = ["--tensor", "*stem_conv_1/convolution"]
    yield "compare", "channel_row", ["compare", "--format", "csv", *channels, FLOAT, INT8]


def value(whole: Mapping[str, Any], part: Mapping[str, Any], cell: str) -> Any:
    """Read a cell as the schema says."""
    types = kinds(whole, part)
    if "array" in types:
        items = kinds(whole, resolved(whole, part)["items"])
        return [scalar(item, items) for item in cell.split(" ")] if cell else []
    return scalar(cell, types)


def scalar(cell: str, types: set[str]) -> Any:
    if not cell and "null" in types:
        return None
    if "boolean" in types:
        return {"True": True, "False": False}[cell]
    if "integer" in types:
        return int(cell)
    if "number" in types and cell not in ("nan", "inf", "-inf"):
        return float(cell)
    return cell


def resolved(whole: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        whole["$defs"][part["$ref"].split("/")[-1]] if "$ref" in part else part
    )
    return found


def kinds(whole: Mapping[str, Any], part: Mapping[str, Any]) -> set[str]:
    """Give the names of the types that a value can have."""
    part = resolved(whole, part)
    given = part.get("type", [])
    types = {given} if isinstance(given, str) else set(given)
    return types.union(*(kinds(whole, each) for each in part.get("anyOf", ())))


@pytest.mark.parametrize("what", FIELDS)
def test_columns_of_parquet(what: str) -> None:
    whole = schema("records")
    columns = properties(whole, whole["$defs"][what])
    assert list(columns) == list(FIELDS[what])
    words = {"int64": "integer", "double": "number", "bool": "boolean", "string": "string"}
    for key, arrow in FIELDS[what].items():
        types = kinds(whole, columns[key]) - {"null"}
        if arrow.startswith("list"):
            assert types == {"array"}
            types = kinds(whole, resolved(whole, columns[key])["items"])
        assert types == {words[arrow.removeprefix("list<").removesuffix(">")]}, key


def test_a_table_without_rows_has_titles(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(build.model(build.SubgraphSpec([])))
    for options, what in (([], "tensors"), (["--operators"], "operators")):
        titles = (printed("show", "--format", "csv", *options, path) or "").strip().split(",")
        assert ["file", "error", *titles] == list(FIELDS[what])


def test_the_page_is_that_of_the_schemas() -> None:
    assert (ROOT / "docs/formats.md").read_text(encoding="utf-8") == formats_page()
