"""Writes the text that TensorFlow's `tf.lite.experimental.Analyzer.analyze()` prints.

The report goes through a model from the top. For each subgraph it lists the operators, with the
tensors that they read and write, then the tensors, with type and shape and, for constants, the size
and the first values. Then come the signatures, and how many bytes of the file are weights. The text
is ASCII: in a name, every other byte and every control character except the line feed is a dot.

The format is LiteRT's (google-ai-edge/LiteRT, tflite/python/analyzer_wrapper/model_analyzer.cc),
with its oddities, since the text is meant to be identical. Values of INT8 and UINT8 are shown as
characters, those of most other types as question marks, and constants whose bytes lie behind the
FlatBuffer or in another file as if they were not constant. docs/analyzer.md lists these oddities,
and where this text differs because that code crashes or refuses the file.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..escape import without_commands
from ..format.flatbuffer import Positions, Tables
from ..format.schema import BuiltinOperator, TensorType
from ..format.source import Source
from ..model.model import Model, open
from ..model.operator import Operator

__all__ = ["analyze", "report"]


def analyze(source: Model | Source) -> str:
    """Return the report of TensorFlow's model analyzer on a model.

    Parameters
    ----------
    source : Model, or what `open` takes

    Returns
    -------
    str
        What `Analyzer.analyze(model_path=source)` prints below its title, `=== source ===`.

    Raises
    ------
    NotTFLiteError, CorruptModelError, OSError, TypeError
        As `open`; `CorruptModelError` also if the text would take more than the file's budget.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> for line in analyze("fixtures/residual_int8.tflite").splitlines()[4:7]:
    ...     print(line)
    Subgraph#0 main(T#0) -> [T#30]
      Op#0 CONV_2D(T#0, T#17, T#16[1770, -29332, 1760, -3755, 4555, ...]) -> [T#18]
      Op#1 MAX_POOL_2D(T#18) -> [T#19]
    """
    if isinstance(source, Model):
        return report(source)
    with open(source) as model:
        return report(model)


def report(model: Model) -> str:
    """Return the report on an open model; see `analyze`.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str

    Raises
    ------
    CorruptModelError
        The text would take more than the file's budget.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     lines = report(model).splitlines()
    >>> lines[20]
    '  T#0(serving_default_image:0) shape:[1, 32, 32, 3], type:INT8'
    >>> lines[-8].strip()
    'Non-data buffer size:      19200 bytes (38.12 %)'
    """
    file = model.structure.file.afresh()
    pieces = []
    for piece in _Report(model).pieces():
        file.spend(_CHARACTER_COST * len(piece), "the report")
        pieces.append(piece)
    text = "".join(pieces).encode("latin-1").translate(_PRINTABLE).decode("ascii")
    return without_commands(text)


_PRINTABLE = bytes(c if 32 <= c < 127 or c == 10 else ord(".") for c in range(256))
"""The character that shows each byte."""

_CHARACTER_COST = 4
"""The bytes that a character takes while the text is put together."""

_SHOWN = 5
_VALUES: dict[int, tuple[str, str]] = {
    TensorType.INT32: ("i", "%d"),
    TensorType.UINT32: ("I", "%d"),
    TensorType.FLOAT32: ("f", "%g"),
    **dict.fromkeys((TensorType.INT8, TensorType.UINT8, TensorType.STRING), ("B", "%c")),
}
"""The types whose values are shown: a letter of module `struct` and a format. For other types there
is a pair of question marks for each byte."""
_SHIFTS = np.zeros(256, np.int64)
_SHIFTS[[TensorType.INT32, TensorType.UINT32, TensorType.FLOAT32]] = 2
"""How far to shift a size in bytes to get the number of values, by type; a type may be negative."""

_TYPE_NAMES: dict[int, str] = {member: member.name for member in TensorType}

_CUSTOM = 32
_BRANCHES = {
    "CALL_ONCE": ("CallOnceOptions", (("", "init_subgraph_index"),)),
    "IF": ("IfOptions", ((", Then: ", "then_subgraph_index"), (", Else: ", "else_subgraph_index"))),
    "WHILE": (
        "WhileOptions",
        ((", Cond: ", "cond_subgraph_index"), (", Body: ", "body_subgraph_index")),
    ),
}
"""The operators that run subgraphs: their options, and the fields that are shown."""

_TITLES = ("", "shape:", "shape_signature:")

_RULE = "-" * 63 + "\n"
_BLOCK = 4096


class _Report:
    """Writes the report piece by piece, in characters of one byte each.

    Attributes
    ----------
    names : list of str
        The name of the operator of each operator code.
    branching : set of int
        The operator codes whose operators run subgraphs.
    data : Vectors
        The bytes of each buffer. Only bytes in the FlatBuffer count, as in the original.
    used : list of int
        The size of the constants of each subgraph that has been written, in bytes.
    """

    def __init__(self, model: Model) -> None:
        structure = model.structure
        self.model, self.structure, self.file = model, structure, structure.file
        customs = _characters(structure.operator_codes, "custom_code")
        self.names = [
            customs[index] if code.code == _CUSTOM else _name(code.code)
            for index, code in enumerate(structure.codes)
        ]
        self.branching = {
            index for index, code in enumerate(structure.codes) if _name(code.code) in _BRANCHES
        }
        self.data = structure.buffers.vectors("data")
        self.used: list[int] = []

    def pieces(self) -> Iterator[str]:
        """Return the whole text, in pieces."""
        yield from self._summary()
        for index in range(len(self.structure.subgraphs)):
            yield from self._subgraph(index)
        yield from self._signatures()
        yield from self._sizes()

    def _summary(self) -> Iterator[str]:
        s = self.structure
        yield (
            f"Your TFLite model has '{len(s.subgraphs)}' subgraph(s). "
            "In the subgraph description below,\nT# represents the Tensor numbers. "
        )
        if not s.operator_bounds[1]:
            return
        name = self.names[s.operators.numbers("opcode_index", slice(1))[0]]
        yield f"For example, in Subgraph#0, the {name} op takes\n"
        yield _numbered(s.operators, "inputs")
        yield " as input and produces "
        yield _numbered(s.operators, "outputs")
        yield " as output.\n\n"

    def _subgraph(self, index: int) -> Iterator[str]:
        s, row = self.structure, slice(index, index + 1)
        rows = slice(*s.tensor_bounds[index : index + 2].tolist())
        labels = _labels(index, rows.stop - rows.start)
        has_name = s.subgraphs.vectors("name", row).present[0]
        name = f" {_characters(s.subgraphs, 'name', row)[0]}" if has_name else ""
        inputs, outputs = (
            ", ".join([labels[i] for i in s.subgraphs.vectors(end, row).lists()[0]])
            for end in ("inputs", "outputs")
        )
        types = s.tensors.numbers("type", rows)
        values, ends = self._constants(rows, types)
        yield f"Subgraph#{index}{name}({inputs}) -> [{outputs}]\n"
        yield from self._operators(index, labels, _with_integers(labels, types, values))
        yield f"\nTensors of Subgraph#{index}\n"
        yield _tensor_lines(s.tensors, rows, labels, types, ends)
        yield "\n"

    def _operators(self, index: int, labels: list[str], shown: list[str]) -> Iterator[str]:
        """Return a line for each operator; `shown` has the text of each tensor as an input."""
        operators = self.structure.operators
        rows = slice(*self.structure.operator_bounds[index : index + 2].tolist())
        columns = zip(
            operators.numbers("opcode_index", rows).tolist(),
            operators.vectors("inputs", rows).lists(),
            operators.vectors("outputs", rows).lists(),
            strict=True,
        )
        show, label = shown.__getitem__, labels.__getitem__
        for number, (code, inputs, outputs) in enumerate(columns):
            branches = ""
            if code in self.branching:
                branches = _branches(self.model.subgraphs[index].operators[number])
            yield (
                f"  Op#{number} {self.names[code]}({', '.join(map(show, inputs))}{branches})"
                f" -> [{', '.join(map(label, outputs))}]\n"
            )

    def _constants(self, rows: slice, types: NDArray[Any]) -> tuple[list[str], list[str]]:
        """Return the first values of each constant, and the end of its line; count its bytes.

        Both are empty for a tensor that is not constant.
        """
        # A view of its own: one that threads share can break.
        content = self.file.memory.data
        buffers = self.structure.tensors.numbers("buffer", rows)
        values, ends = [""] * buffers.size, [""] * buffers.size
        # Buffer 0 means not constant, and does not exist in a model without buffers.
        constant = buffers.nonzero()[0]
        constant = constant[self.data.present[buffers[constant]]]
        buffers, types = buffers[constant], types[constant]
        starts, sizes = self.data.starts[buffers], self.data.lengths[buffers]
        counts = np.minimum(sizes >> _SHIFTS[types], _SHOWN + 1)
        columns = (constant, types, counts, starts, sizes, buffers)
        for index, type, count, start, size, buffer in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            reader, template = _template(type, count)
            numbers = reader.unpack_from(content, start)
            value = template % numbers
            if "nan" in value:
                value = _with_signs(template, numbers)
            values[index] = value
            if size:
                ends[index] = f" RO {size} bytes, buffer: {buffer}, data:{value}"
        self.used.append(int(sizes.sum()))
        return values, ends

    def _signatures(self) -> Iterator[str]:
        s = self.structure
        if not len(s.signatures):
            return
        yield f"{_RULE}Your TFLite model has '{len(s.signatures)}' signature_def(s).\n\n"
        keys = _characters(s.signatures, "signature_key")
        subgraphs = s.signatures.numbers("subgraph_index").tolist()
        for index, subgraph in enumerate(subgraphs):
            yield f"Signature#{index} key: '{keys[index]}'\n"
            yield f"- Subgraph: Subgraph#{subgraph}\n"
            yield from _entries("Inputs", *s.signature_inputs, index, subgraph)
            yield from _entries("Outputs", *s.signature_outputs, index, subgraph)
            yield "\n"

    def _sizes(self) -> Iterator[str]:
        size, data, zero = self.file.size, int(self.data.lengths.sum()), self._zero_bytes()
        yield _RULE
        yield f"{'Model size':>24}: {size:10} bytes\n"
        # Buffers can share their bytes; then the original's unsigned difference wraps around.
        yield _part("    Non-data buffer size", (size - data) % (1 << 64), size)
        yield _part("  Total data buffer size", data, size)
        if len(self.used) > 1:
            for index, used in enumerate(self.used):
                yield _part(f"          - {f'Subgraph#{index}':<12}", used, size)
        yield _part("    (Zero value buffers)", zero, size)
        yield "\n* Buffers of TFLite model are mostly used for constant tensors.\n"
        yield "  And zero value buffers are buffers filled with zeros.\n"
        if _percent(zero, size) > 10:
            option = "`converter._experimental_unfold_large_splat_constant`"
            yield f"  (Consider use {option} to save the model size.)\n"
        yield "  Non-data buffers area are used to store operators, subgraphs and etc.\n"
        yield "  You can find more details from https://github.com/tensorflow/tensorflow/blob/"
        yield "master/tensorflow/lite/schema/schema.fbs\n"

    def _zero_bytes(self) -> int:
        """Return the sum of the sizes of the buffers that are all zeros.

        The first byte rules out most buffers; these bytes are read together. Bytes that buffers
        share are read once, so that the time grows with the file only.
        """
        data, memory = self.data, self.file.memory
        filled = data.lengths.nonzero()[0]
        doubtful = filled[memory[data.starts[filled]] == 0]
        starts, sizes = data.starts[doubtful].tolist(), data.lengths[doubtful].tolist()
        # Vectors that begin at the same position are the same vector, and so have the same size.
        distinct = dict(zip(starts, sizes, strict=True))
        zero = {start for start, size in distinct.items() if _is_zero(memory, start, size)}
        return sum([size for start, size in zip(starts, sizes, strict=True) if start in zero])


def _is_zero(memory: NDArray[np.uint8], start: int, size: int) -> bool:
    """Return whether bytes are all zero, reading block by block up to the first that is not."""
    end = start + size
    blocks = (memory[i : min(i + _BLOCK, end)] for i in range(start, end, _BLOCK))
    return not any(block.tobytes().strip(b"\0") for block in blocks)


def _name(code: int) -> str:
    """Return the name of a builtin operator; empty for an unknown one, as in the original."""
    name = BuiltinOperator(code).name
    return "" if name.startswith("BuiltinOperator(") else name


def _branches(operator: Operator) -> str:
    """Return the subgraphs that an operator runs as text, if it has the options that say so."""
    expected, fields = _BRANCHES[operator.name]
    if operator.options_name != expected:
        return ""
    options = operator.options
    return "".join(f"{title}Subgraph#{options[field]}" for title, field in fields)


def _labels(subgraph: int, count: int) -> list[str]:
    """Return the labels of all tensors of a subgraph; the last, index -1, means no tensor."""
    prefix = f"T#{subgraph}_" if subgraph else "T#"
    return [*(f"{prefix}{index}" for index in range(count)), "T#-1"]


def _label(subgraph: int, tensor: int) -> str:
    return f"T#{subgraph}_{tensor}" if subgraph else f"T#{tensor}"


def _with_integers(labels: list[str], types: NDArray[Any], values: list[str]) -> list[str]:
    """Return the labels of tensors as inputs: INT32 constants are followed by their values."""
    shown = labels.copy()
    for index in (types == TensorType.INT32).nonzero()[0].tolist():
        shown[index] += values[index]
    return shown


def _numbered(operators: Tables, field: str) -> str:
    """Return the inputs or outputs of the first operator in words."""
    (indices,) = operators.vectors(field, slice(1)).lists()
    return " and ".join([f"tensor #{index}" for index in indices])


def _entries(
    title: str, tables: Tables, bounds: Positions, signature: int, subgraph: int
) -> Iterator[str]:
    """Return the lines of the inputs or outputs of a signature."""
    yield f"- {title}: \n"
    rows = slice(*bounds[signature : signature + 2].tolist())
    tensors = tables.numbers("tensor_index", rows).tolist()
    for name, tensor in zip(_characters(tables, "name", rows), tensors, strict=True):
        yield f"    '{name}' : {_label(subgraph, tensor)}\n"


def _tensor_lines(
    tensors: Tables, rows: slice, labels: list[str], types: NDArray[Any], ends: list[str]
) -> str:
    """Return a line for each tensor."""
    columns = zip(
        labels,
        _names(tensors, rows),
        _shapes(tensors, rows),
        types.tolist(),
        ends,
        strict=False,  # there is one more label than tensors
    )
    return "".join(
        [
            f"  {label}{name}{shape}, type:{_TYPE_NAMES.get(type, '')}{end}\n"
            for label, name, shape, type, end in columns
        ]
    )


def _shapes(tensors: Tables, rows: slice) -> list[str]:
    """Return the shape signature of each tensor as text, or the shape if it has none."""
    signatures, shown = (tensors.vectors(n, rows) for n in ("shape_signature", "shape"))
    titles = np.where(signatures.present, 2, shown.present).tolist()
    shown = signatures.where(signatures.present, shown)
    numbers, bounds = shown.joined().tobytes(), (shown.bounds * 4).tolist()
    keys = [numbers[start:end] for start, end in pairwise(bounds)]
    # Most models have few different ones. Python writes a list of integers as the original does.
    texts = {key: str(np.frombuffer(key, np.int32).tolist()) for key in set(keys)}
    return [
        f"{_TITLES[title]}{texts[key]}" if title else "shape:n/a"
        for title, key in zip(titles, keys, strict=True)
    ]


def _names(tensors: Tables, rows: slice) -> list[str]:
    """Return each tensor's name in parentheses, a character for each byte; empty if it has none."""
    names = zip(
        _characters(tensors, "name", rows),
        tensors.vectors("name", rows).present.tolist(),
        strict=True,
    )
    return [f"({name}) " if has_name else "" for name, has_name in names]


def _characters(tables: Tables, field: str, rows: slice = slice(None)) -> list[str]:
    """Return the string of each table with a character for each byte, whatever they encode."""
    return tables.strings(field, rows, "latin-1")


@lru_cache(maxsize=256)
def _template(type: int, count: int) -> tuple[struct.Struct, str]:
    """Return what reads the first values of a type, and the format that shows them."""
    letter, form = _VALUES.get(type, ("", "??"))
    shown = min(count, _SHOWN)
    more = ", ..." if count > _SHOWN else ""
    reader = struct.Struct(f"<{shown}{letter}" if letter else "<")
    return reader, f"[{', '.join([form] * shown)}{more}]"


def _with_signs(template: str, values: tuple[float, ...]) -> str:
    """Return floats as text as C does, where NaN has a sign.

    Examples
    --------
    >>> _with_signs("[%g, %g, %g, ...]", (-0.0, 1e-45, -math.nan))
    '[-0, 1e-45, -nan, ...]'
    """
    signs = ["-" if math.isnan(v) and math.copysign(1, v) < 0 else "" for v in values]
    return template.replace("%g", "%s%g") % tuple(chain(*zip(signs, values, strict=True)))


def _part(title: str, part: int, size: int) -> str:
    return f"{title}: {part:10} bytes ({_percent(part, size):05.2f} %)\n"


def _percent(part: int, size: int) -> float:
    """Return a percentage, computed in float32 as in the original, so that it rounds the same."""
    return float(np.float32(part) / np.float32(size) * np.float32(100))
