"""Makes docs/specification.md of the rules: each operator, as `tflite-quant spec` prints it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tflite_quant.checks.specification import operators, specification_lines

__all__ = ["FAMILIES", "specification_page"]

_HEAD = """\
# The specification, operator by operator

What each operator requires of its tensors. `tflite-quant spec CONV_2D` prints the same,
`spec --json` as [data](formats.md#tflite-quant-spec---json), and `tflite-quant check` compares
models with it. This page is made of the rules by `python -m docs.make`.

## How to read it

An operator computes in one of these ways:

| name | computes on | who says so |
| --- | --- | --- |
| int8 | int8 activations and weights | specification |
| int16x8 | int16 activations, int8 weights | specification |
| uint8 | uint8 activations and weights | kernels |
| int8x4 | int8 activations, weights of 4 or 2 bits | kernels |
| int16x4 | int16 activations, weights of 4 or 2 bits | kernels |
| hybrid | float32 activations, integer weights | kernels |
| float16 | float32 activations, float16 weights | kernels |

The specification is LiteRT's document on quantization and its converter, where they agree with its
kernels. What it does not list is only in the kernels. Where the sources differ, an operator has a
link to [the entry that says which one is followed](disagreements.md).

A row says what a tensor is for, and its types, the specified one first. Its lowest and highest
value, the number of its scales and their axis, the scale itself, and the zero point follow where
they are specified. *One scale* is per-tensor, *a scale for each slice* is per-axis; the
[glossary](glossary.md) has the words. *Checked* is what LiteRT's kernel looks at, and refuses a
model for: *count* is the number of scales, *several* that there is more than one, *axis* that of
several scales. All else it takes for granted: a model that differs there runs, and may give wrong
results.

## Index

"""

FAMILIES: Mapping[str, Sequence[str]] = {
    "Sums of products": (
        "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL",
    ),
    "Arithmetic": (
        "ABS", "ADD", "DIV", "EXP", "LOG", "MAXIMUM", "MINIMUM", "MUL", "RSQRT", "SQRT",
        "SQUARED_DIFFERENCE", "SUB",
    ),
    "Activation functions and normalization": (
        "GELU", "HARD_SWISH", "L2_NORMALIZATION", "LEAKY_RELU", "LOGISTIC", "LOG_SOFTMAX", "PRELU",
        "RELU", "RELU6", "RELU_N1_TO_1", "SOFTMAX", "TANH",
    ),
    "Pooling and reductions": (
        "ARG_MAX", "ARG_MIN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "REDUCE_MAX", "REDUCE_MIN",
        "REDUCE_PROD", "SUM",
    ),
    "Comparisons and choices": (
        "EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL", "SELECT", "WHERE",
    ),
    "Operators that move values": (
        "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE", "EMBEDDING_LOOKUP",
        "EXPAND_DIMS", "FILL", "GATHER", "GATHER_ND", "MIRROR_PAD", "PACK", "PAD", "PADV2",
        "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SCATTER_ND",
        "SHAPE", "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE",
        "STRIDED_SLICE", "TILE", "TRANSPOSE", "UNPACK",
    ),
    "Recurrent operators": ("LSTM", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"),
    "Conversions": ("DEQUANTIZE", "QUANTIZE"),
    "Variables": ("ASSIGN_VARIABLE", "READ_VARIABLE", "VAR_HANDLE"),
}  # fmt: skip
"""The operators that have a rule, by what they do."""


_GRANULARITIES = {"per-tensor": "one scale", "either": "one scale, or one for each slice"}


def specification_page() -> str:
    """Return the page: for each operator a table for each way in which it computes."""
    named = [name for names in FAMILIES.values() for name in names]
    assert sorted(named) == operators(), "each operator belongs to one family"
    index = [
        f"- **{family}**: {', '.join(f'[{name}](#{_anchor(name)})' for name in names)}"
        for family, names in FAMILIES.items()
    ]
    known = disagreements()
    sections = [
        line
        for family, names in FAMILIES.items()
        for line in (
            f"\n## {family}\n",
            *(line for name in names for line in _operator(name, known)),
        )
    ]
    text = "\n".join([*index, *sections]).rstrip()
    return _HEAD + re.sub("\n{3,}", "\n\n", text) + "\n"


def _operator(name: str, known: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"### {name}\n"
    in_table = False
    for line in list(specification_lines(name))[1:]:
        depth, text = len(line) - len(line.lstrip()), line.strip()
        operand, gap, words = text.partition("  ")
        if depth == 4 and gap:
            if not in_table:
                yield "| tensor | required |\n| --- | --- |"
            in_table = True
            yield f"| {operand} | {_code(words.strip())} |"
            continue
        if in_table:
            yield ""
        in_table = False
        if text.startswith("from "):
            types, _, granularity = text.partition(": ")
            yield f"- {_sentence(f'{types}: {_GRANULARITIES[granularity]}')}"
        elif depth == 4:
            yield f"- {_sentence(text)}"
        elif text.startswith("kernels require"):
            yield f"\n{_code(_sentence(text))}\n"
        else:
            yield f"\n**{operand}** {_code(words.strip())}".rstrip() + "\n"
    if links := known.get(name):
        yield f"The sources differ on: {', '.join(links)}.\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _code(text: str) -> str:
    """Set signs that Markdown would take for its own, and the names of keys, as a text has them."""
    return text.replace(" * ", " · ").replace("zero_point", "zero point")


def disagreements() -> dict[str, list[str]]:
    """Return the links to the entries of docs/disagreements.md about each operator."""
    page = (Path(__file__).parent / "disagreements.md").read_text(encoding="utf-8")
    links: dict[str, list[str]] = {}
    for section in page.split("\n### ")[1:]:
        title, body = section.split("\n", 1)
        body = body.split("\n## ")[0]
        introduction = body.split("\n- ")[0]
        names = set(operators()) & set(re.findall(r"\w+", f"{title} {introduction}"))
        for topic in re.findall(r"^- \*\*(.*?)\*\*", body, re.M):
            for name in names:
                links.setdefault(name, []).append(f"[{topic}](disagreements.md#{_anchor(title)})")
    return links


def _anchor(title: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
