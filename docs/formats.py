"""Makes docs/formats.md of the JSON Schemas in docs/schemas: a table for each object."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tflite_quant.summary.file_records import FIELDS

__all__ = ["SCHEMAS", "formats_page", "properties", "schema"]

FOLDER = Path(__file__).parent / "schemas"
Schema = Mapping[str, Any]

_HEAD = """\
# The formats of the output

Each key of what the commands write as JSON, SARIF and CSV. The tests validate the output of the
commands against the JSON Schemas that are linked here, and this page is made of them by `python -m
docs.make`.

| command | schema |
| --- | --- |
{table}

The schemas are strict: they refuse a key that they do not know, so they belong to this version of
the library. In versions with the same first number keys are added, but none is renamed or removed.
A program that reads the output should ignore keys that it does not know.

To validate something yourself:

```console
$ pip install check-jsonschema
$ tflite-quant show --json model.tflite > model.json
$ check-jsonschema --schemafile show.schema.json model.json
```

In all formats

- numbers are exact: a scale has the value of its float32. NaN and infinities, which JSON lacks, are
  the strings "nan", "inf" and "-inf";
- a string that is not UTF-8 is an object with the key `base64`; names that are not UTF-8 are
  escaped, and so is what a terminal or a CI system would obey;
- indices count from 0, as they do in the file.

JSON is written piece by piece. If a command exits with status 2, what it has written may be cut
short.

A key is always there unless it says *optional*.
"""

_CSV = """\
## CSV

A table has a line for its titles, then a line for each row, as RFC 4180 describes it, in UTF-8. A
list is its items with blanks between them; null is empty, and so is an empty list; truth values are
`True` and `False`. A text that a spreadsheet would take for a formula begins with an apostrophe.

| command | columns |
| --- | --- |
| `show --format csv` | [those of a tensor](#a-row-of-a-tensor), without `file` and `error` |
| `show --operators --format csv` | [those of an operator](#a-row-of-an-operator), likewise |
| `records --format csv` | [those of a tensor](#a-row-of-a-tensor) |
| `records --operators --format csv` | [those of an operator](#a-row-of-an-operator) |
| `records --models --format csv` | [those of a model](#a-row-of-a-model) |
| `compare --format csv` | [those of a comparison](#a-row-of-a-comparison) |
| `compare --tensor PATTERN --format csv` | [those of a channel](#a-row-of-a-channel) |

The rows of a comparison are those of weights, then those of activations. `records --format parquet`
has the columns of `records --format csv`; the tables of rows have their Arrow types in brackets.
Every column but `file` may have nulls.
"""


class _Format(NamedTuple):
    """What a schema describes: the file, and the command."""

    file: str
    command: str


SCHEMAS = (
    _Format("show", "tflite-quant show --json"),
    _Format("check", "tflite-quant check --format json"),
    _Format("sarif", "tflite-quant check --format sarif"),
    _Format("compare", "tflite-quant compare --format json"),
    _Format("model-explorer", "tflite-quant compare --format model-explorer"),
    _Format("spec", "tflite-quant spec --json"),
    _Format("records", "tflite-quant records --format jsonl"),
)
"""The schemas, in the order of the page."""


def schema(name: str) -> dict[str, Any]:
    """Return the schema of a file in docs/schemas."""
    text = (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def properties(whole: Schema, part: Schema) -> dict[str, Schema]:
    """Return the properties of an object, with those of the schemas that it is based on."""
    bases = [part, *part.get("allOf", ())]
    based = [properties(whole, _definition(whole, base)) for base in bases if "$ref" in base]
    own = part.get("properties", {})
    return {key: value for each in (*based, own) for key, value in each.items()}


def _definition(whole: Schema, reference: Schema) -> Schema:
    part: Schema = whole["$defs"][reference["$ref"].split("/")[-1]]
    return part


def formats_page() -> str:
    """Return the page: a table for each object of each format."""
    rows = [
        f"| `{command.split(' ', 1)[1]}` | [{file}.schema.json](schemas/{file}.schema.json) |"
        for file, command in SCHEMAS
    ]
    sections = [line for each in SCHEMAS for line in _section(each)]
    titles = re.findall("^#+ (.*)$", "\n".join(sections), re.M)
    assert len(titles) == len(set(titles)), "links lead to titles"
    return "\n".join([_HEAD.format(table="\n".join(rows)), *sections, _CSV])


def _section(format: _Format) -> Iterator[str]:
    whole = schema(format.file)
    yield f"## `{format.command}`\n"
    if "description" in whole:
        yield _paragraph(whole["description"])
    for name, part in whole["$defs"].items():
        if "title" in part:
            yield from _object(whole, part, FIELDS.get(name, {}))


def _object(whole: Schema, part: Schema, arrow: Mapping[str, str]) -> Iterator[str]:
    yield f"### {part['title']}\n"
    if "description" in part:
        yield _paragraph(part["description"])
    yield "| key | what |\n| --- | --- |"
    required = _required(whole, part)
    # What is added to an object that has a table of its own.
    is_added = "$ref" in part and "properties" in part
    shown = part["properties"] if is_added else properties(whole, part)
    for key, value in shown.items():
        words = _type(whole, value)
        if arrow:
            # Everything in a row may be null.
            words = re.sub(",? or null$", "", words)
        column = f" (`{arrow[key]}`)" if arrow else ""
        optional = "" if key in required else ", optional"
        yield f"| `{key}` | *{words}*{column}{optional}. {value['description']} |"
    yield ""


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 100, break_on_hyphens=False, break_long_words=False) + "\n"


def _required(whole: Schema, part: Schema) -> set[str]:
    bases = [part, *part.get("allOf", ())]
    based = [_required(whole, _definition(whole, base)) for base in bases if "$ref" in base]
    return set(part.get("required", ())).union(*based)


def _type(whole: Schema, value: Schema) -> str:
    """Return the type of a value in words."""
    if "$comment" in value:
        return str(value["$comment"])
    if "$ref" in value:
        part = _definition(whole, value)
        if "title" not in part:
            return _type(whole, part)
        title = part["title"][0].lower() + part["title"][1:]
        return f"[{title}](#{title.lower().replace(' ', '-').replace(chr(39), '')})"
    if "const" in value:
        return json.dumps(value["const"])
    if "enum" in value:
        return ", ".join(map(json.dumps, value["enum"]))
    if "anyOf" in value:
        return " or ".join(_type(whole, each) for each in value["anyOf"])
    if value["type"] != "array":
        types = value["type"]
        return types if isinstance(types, str) else " or ".join(types)
    item = _type(whole, value["items"])
    return f"list of {item}s" if item.isalpha() else f"list: {item}"
