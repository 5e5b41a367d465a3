"""What kind of model it is, in the converter's words, and which operators were left in float.

Keras says the same of a layer with its `dtype_policy`: `variable_dtype`, in which the weights are
stored, and `compute_dtype`, in which it computes. A model has one of these schemes:

- "float32", "float16": nothing is quantized; the type is the one in which most bytes of the
  weights are stored. float16 weights go through a DEQUANTIZE each, and the computation is in
  float32. Other float types are called by their names, too.
- "dynamic range": the weights are integers, the activations float. Operators that have a hybrid
  kernel read the weights as they are, and quantize their activations on the fly. Where others go
  through a DEQUANTIZE in the same model, it is still this scheme: the converter does so for
  operators without such a kernel.
- "weight-only int8" (int4, int2, ...): the weights are integers too, but all of them go through a
  DEQUANTIZE; every operator computes in float.
- "full integer int8" (uint8 in old models, int16): every operator computes on quantized integers.
- "int16 activations with int8 weights": the same, where the weights are stored in another type
  than the activations; so "int8 activations with int4 weights".
- Either of these two may say of the edges "with float inputs/outputs" ("with float inputs", "with
  uint8 outputs", ...; "and" in place of a second "with"): the model begins with a QUANTIZE and
  ends with a DEQUANTIZE, or with a QUANTIZE from and to uint8.
- "mixed": some operators compute on quantized integers, and some in float.
- "neither float nor quantized": only strings, truth values or plain integers.
- "no operators".

The rules, for the operators of all subgraphs:

- A tensor is *float* by its type, *quantized* if it has integers and a scale, else *plain*: shapes,
  indices, loop counters, truth values, strings.
- A tensor is *fixed* if the file holds its values, or if an operator makes it from fixed tensors
  alone, such as a DEQUANTIZE of weights; so is what is looked up in a fixed quantized table. All
  others are *activations*.
- An operator is a float one if any activation that it reads or writes is float; else a quantized
  one if any is quantized; else it does not count. Neither does an operator with fixed outputs, one
  that converts between the two (`CONVERSIONS`), one that runs another subgraph (`CALLS`: the
  operators there count themselves) or one that asks only for a shape (`SHAPES`).
- Custom operators are judged in the same way. What one computes inside, the file does not say.

The terms are those of TensorFlow's guide to post-training quantization,
https://www.tensorflow.org/lite/performance/post_training_quantization.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import CorruptModelError
from .model import Model
from .schema import TensorType, builtin_operator_name
from .structure import Structure

__all__ = ["Summary", "summarize"]

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY"})
"""Operators that write the values that they read in another form."""

CALLS = frozenset(
    {
        "CALL", "CALL_ONCE", "IF", "WHILE",
        "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE",
    }
)  # fmt: skip
"""Operators that run other subgraphs."""

SHAPES = frozenset({"RANK", "SHAPE"})
"""Operators that read no values of their input, whatever its type."""

_UNCOUNTED = CONVERSIONS | CALLS | SHAPES

ANEW = CALLS | {
    "CUSTOM", "DELEGATE", "MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM",
    "STABLEHLO_RNG_BIT_GENERATOR",
}  # fmt: skip
"""Operators that may write other values each time, from inputs that are fixed."""

LOOKUPS = {"EMBEDDING_LOOKUP": 1, "GATHER": 0, "GATHER_ND": 0}
"""Operators that pick values from a table; which of their inputs the table is."""

HYBRID = frozenset(
    {
        "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED",
        "SVDF", "TRANSPOSE_CONV", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN",
        "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
    }
)  # fmt: skip
"""Operators that take float activations with integer weights."""

FLOATS = frozenset(
    {
        TensorType.FLOAT32, TensorType.FLOAT16, TensorType.FLOAT64, TensorType.BFLOAT16,
        TensorType.FLOAT8_E4M3FN, TensorType.FLOAT8_E5M2, TensorType.COMPLEX64,
        TensorType.COMPLEX128,
    }
)  # fmt: skip

NARROW = frozenset(
    {
        TensorType.INT16, TensorType.INT8, TensorType.INT4, TensorType.INT2, TensorType.UINT16,
        TensorType.UINT8, TensorType.UINT4,
    }
)  # fmt: skip
"""Integers that weights and activations are quantized to; wider ones are biases and sums."""

MIXED = "mixed"
PLAIN = "neither float nor quantized"
EMPTY = "no operators"

Counts = tuple[tuple[str, int], ...]
"""Names with how many there are of each, the most first."""


class Summary(NamedTuple):
    """What kind of model it is. `print` shows one line per fact.

    Attributes
    ----------
    scheme : str
        How the model is quantized, in the converter's words; the module's docstring has them all.
    inputs, outputs : tuple of str
        The types of the first subgraph's inputs and outputs.
    variable_types : tuple of str
        The types in which float and quantized weights are stored, biases too; most bytes first.
    compute_types : tuple of str
        The types of the activations that float and quantized operators read and write, the most
        frequent first.
    constants : tuple of (str, int, int)
        For each type of constant tensors how many there are, and how many bytes they take in the
        file; most bytes first. Tensors of one type that share a buffer count once.
    float_operators, quantized_operators : tuple of (str, int)
        The operators that compute on such activations, by name, and how many; the most first.
        Where there are some of both, the scheme is "mixed".
    custom_operators : tuple of (str, int)
        The custom operators by name, and how many, whatever they compute on.
    """

    scheme: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    variable_types: tuple[str, ...]
    compute_types: tuple[str, ...]
    constants: tuple[tuple[str, int, int], ...]
    float_operators: Counts
    quantized_operators: Counts
    custom_operators: Counts

    def __repr__(self) -> str:
        total = sum(nbytes for _, _, nbytes in self.constants)
        ends = f"{_listed(self.inputs)} -> {_listed(self.outputs)}"
        return f"Summary({self.scheme!r}, {ends}, {total} bytes of constants)"

    def __str__(self) -> str:
        sizes = (f"{n} {kind} ({nbytes} bytes)" for kind, n, nbytes in self.constants)
        facts = {
            "scheme": self.scheme,
            "inputs": _listed(self.inputs),
            "outputs": _listed(self.outputs),
            "variables": ", ".join(self.variable_types),
            "computation": ", ".join(self.compute_types),
            "constants": ", ".join(sizes),
        } | self._operator_facts()
        return "\n".join(f"{name}: {value or 'none'}" for name, value in facts.items())

    def _operator_facts(self) -> dict[str, str]:
        """Name the operators of a mixed model, and custom ones; of others the number will do."""
        found = {"float": self.float_operators, "quantized": self.quantized_operators}
        if self.scheme == MIXED:
            facts = {f"{kind} operators": _named(counts) for kind, counts in found.items()}
        else:
            totals = {kind: sum(n for _, n in counts) for kind, counts in found.items()}
            shown = ", ".join(f"{total} {kind}" for kind, total in totals.items() if total)
            facts = {"operators": shown}
        if self.custom_operators:
            facts["custom operators"] = _named(self.custom_operators)
        return facts


def _listed(types: Sequence[str]) -> str:
    """Say which types there are: 'FLOAT32 x 2, INT32'."""
    counts = Counter(types).items()
    return ", ".join(name if n == 1 else f"{name} x {n}" for name, n in counts) or "none"


def _named(counts: Counts) -> str:
    return ", ".join(f"{_printable(name)} {n}" for name, n in counts)


def _printable(name: str) -> str:
    """Keep the name of a custom operator, which a stranger gave, on one line."""
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def summarize(model: Model) -> Summary:
    """Say what kind of model it is: how it is stored, what it computes in, what is left in float.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Summary

    Raises
    ------
    CorruptModelError
        The names of custom operators overlap so much that a small file would make long ones.
    ValueError
        The model is closed.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     print(summarize(model))
    scheme: full integer int8
    inputs: INT8
    outputs: INT8
    variables: INT8, INT32
    computation: INT8
    constants: 8 INT8 (29088 bytes), 9 INT32 (1968 bytes)
    operators: 13 quantized
    >>> with tq.open("fixtures/mixed.tflite") as model:
    ...     summary = summarize(model)
    >>> summary.scheme, summary.float_operators
    ('mixed', (('SIN', 1),))
    """
    structure = model.structure
    tensors = _tensors(structure)
    walk = _Walk(tensors)
    for operator in _operators(structure):
        walk.visit(operator)
    inputs, outputs = ([t.type for t in end] for end in (model.inputs, model.outputs))
    return Summary(
        scheme=_scheme(walk, inputs, outputs),
        inputs=tuple(kind.name for kind in inputs),
        outputs=tuple(kind.name for kind in outputs),
        variable_types=tuple(kind.name for kind in _most(walk.stored)),
        compute_types=tuple(kind.name for kind in _most(walk.computed)),
        constants=_constants(tensors),
        float_operators=_sorted(walk.float_operators),
        quantized_operators=_sorted(walk.quantized_operators),
        custom_operators=_sorted(walk.custom_operators),
    )


def _most(counts: Counter[TensorType]) -> list[TensorType]:
    return [kind for kind, _ in counts.most_common()]


def _sorted(counts: Counter[str]) -> Counts:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class _Tensors(NamedTuple):
    """What counts of each tensor of all subgraphs.

    `places` says where in the file or beside it a constant's values are; None for all others.
    """

    types: list[TensorType]
    quantized: list[bool]
    places: list[tuple[str, int] | None]
    sizes: list[int]

    def is_float(self, row: int) -> bool:
        return self.types[row] in FLOATS

    def is_quantized(self, row: int) -> bool:
        return self.quantized[row] and self.types[row] not in FLOATS


def _tensors(structure: Structure) -> _Tensors:
    numbers = structure.tensors.numbers("type").tolist()
    known = {number: TensorType(number) for number in set(numbers)}
    buffers = structure.tensors.numbers("buffer")
    # A model need not have the buffer 0 that its tensors without data refer to.
    starts, lengths = (
        np.append(column, 0)[buffers]
        for column in (structure.buffer_starts, structure.buffer_sizes)
    )
    places: list[tuple[str, int] | None] = [
        ("buffer", index) if index and start else None
        for index, start in zip(buffers.tolist(), starts.tolist(), strict=True)
    ]
    sizes = lengths.tolist()
    for row, number, size in _external(structure):
        places[row], sizes[row] = ("external", number), size
    quantized = _quantized(structure).tolist()
    return _Tensors([known[number] for number in numbers], quantized, places, sizes)


def _external(structure: Structure) -> Iterator[tuple[int, int, int]]:
    """Give for each tensor whose values lie in another file the buffer's number and its bytes."""
    if structure.external is None:
        return
    numbers = structure.tensors.numbers("external_buffer")
    for row in numbers.nonzero()[0].tolist():
        number = int(numbers[row])
        yield row, number, int(structure.external.buffers[number].number("length"))


def _quantized(structure: Structure) -> NDArray[np.bool_]:
    """Tell which tensors have scales, or parameters of a newer scheme."""
    having = structure.quantizations.vectors("scale").lengths > 0
    if structure.details is not None:
        having |= structure.details.kinds != 0
    # The row of a tensor without parameters is -1, the last.
    return np.append(having, False)[structure.quantization_rows]


class _Operator(NamedTuple):
    """One operator; its tensors are rows among those of all subgraphs."""

    name: str
    custom_name: str | None
    inputs: list[int]
    outputs: list[int]


def _operators(structure: Structure) -> Iterator[_Operator]:
    """Give the operators of all subgraphs, in the order in which each runs them."""
    codes = structure.operator_codes
    numbers = np.maximum(codes.numbers("builtin_code"), codes.numbers("deprecated_builtin_code"))
    names = [builtin_operator_name(number) for number in numbers.tolist()]
    customs = _custom_names(structure)
    counts = structure.operator_bounds[1:] - structure.operator_bounds[:-1]
    first = structure.tensor_bounds[:-1].repeat(counts)
    inputs, outputs = (_operands(structure, field, first) for field in ("inputs", "outputs"))
    indices = structure.operators.numbers("opcode_index").tolist()
    for index, read, written in zip(indices, inputs, outputs, strict=True):
        is_custom = names[index] == "CUSTOM"
        yield _Operator(names[index], customs[index] if is_custom else None, read, written)


def _custom_names(structure: Structure) -> list[str]:
    """Give the custom name of each operator code; empty if it has none."""
    codes = structure.operator_codes
    strings = codes.vectors("custom_code")
    rows = {position: row for row, position in enumerate(strings.targets.tolist())}
    # Strings may share their bytes: without a limit a small file could make many long names.
    total, size = int(strings.lengths[list(rows.values())].sum()), structure.file.size
    if total > size:
        raise CorruptModelError(
            f"the strings 'custom_code' overlap: together they have {total:_} bytes, "
            f"the file has {size:_}"
        )
    names = {at: codes.string("custom_code", row) or "" for at, row in rows.items()}
    return [names[position] for position in strings.targets.tolist()]


def _operands(structure: Structure, field: str, first: NDArray[np.int64]) -> list[list[int]]:
    """Give the rows of each operator's tensors; -1 is no tensor, where it leaves one out."""
    vectors = structure.operators.vectors(field)
    indices = vectors.joined().astype(np.int64)
    indices += np.where(indices < 0, 0, first.repeat(vectors.lengths))
    rows = indices.tolist()
    return [rows[start:end] for start, end in pairwise(vectors.bounds.tolist())]


class _Walk:
    """Goes through the operators, and notes what they compute on.

    Attributes
    ----------
    fixed : list of bool
        Whether each tensor is the same each time the model runs, as far as the walk has come.
    computed : Counter
        How often float and quantized operators read or write activations of each type.
    passed : Counter
        The same of all other operators: what there is to go by where no operator computes.
    stored : Counter
        The bytes of the weights of each type.
    dequantized : set
        The types of weights that go through a DEQUANTIZE.
    """

    def __init__(self, tensors: _Tensors) -> None:
        self.tensors = tensors
        self.fixed = [place is not None for place in tensors.places]
        self.computed: Counter[TensorType] = Counter()
        self.passed: Counter[TensorType] = Counter()
        self.stored: Counter[TensorType] = Counter()
        self.float_operators: Counter[str] = Counter()
        self.quantized_operators: Counter[str] = Counter()
        self.custom_operators: Counter[str] = Counter()
        self.dequantized: set[TensorType] = set()
        self.has_operators = self.is_hybrid = False
        self._seen: set[tuple[tuple[str, int], TensorType]] = set()

    def visit(self, operator: _Operator) -> None:
        """Take one operator into account."""
        inputs = [row for row in operator.inputs if row >= 0]
        outputs = [row for row in operator.outputs if row >= 0]
        self.has_operators = True
        self._store(inputs)
        if operator.name == "CUSTOM":
            self.custom_operators[operator.custom_name or "CUSTOM"] += 1
        if operator.name == "DEQUANTIZE":
            self.dequantized |= self._types(filter(self._is_weight, inputs))
        if self._is_fixed(operator, inputs, outputs):
            for row in outputs:
                self.fixed[row] = True
        if operator.name in _UNCOUNTED:
            self._count(self.passed, inputs, outputs)
        else:
            self._compute(operator, inputs, outputs)

    def _compute(self, operator: _Operator, inputs: list[int], outputs: list[int]) -> None:
        tensors, name = self.tensors, operator.custom_name or operator.name
        activations = [row for row in (*inputs, *outputs) if not self.fixed[row]]
        if any(map(tensors.is_float, activations)):
            self.float_operators[name] += 1
            if operator.name in HYBRID:
                self.is_hybrid |= not NARROW.isdisjoint(
                    self._types(filter(tensors.is_quantized, inputs))
                )
        elif any(map(tensors.is_quantized, activations)):
            self.quantized_operators[name] += 1
        else:
            self._count(self.passed, inputs, outputs)
            return
        self._count(self.computed, activations)

    def _count(self, counter: Counter[TensorType], *rows: Iterable[int]) -> None:
        """Count the types of float and quantized tensors."""
        for some in rows:
            for row in some:
                if self.tensors.is_float(row) or self.tensors.is_quantized(row):
                    counter[self.tensors.types[row]] += 1

    def _types(self, rows: Iterable[int]) -> set[TensorType]:
        return {self.tensors.types[row] for row in rows}

    def _is_weight(self, row: int) -> bool:
        return self.fixed[row] and self.tensors.is_quantized(row)

    def _is_fixed(self, operator: _Operator, inputs: list[int], outputs: list[int]) -> bool:
        """Tell whether an operator writes the same each time, or parts of a table of weights."""
        at = LOOKUPS.get(operator.name, -1)
        if 0 <= at < len(operator.inputs) and (table := operator.inputs[at]) >= 0:
            # From such a table comes a float tensor only where a hybrid kernel computes it.
            quantized = all(map(self.tensors.is_quantized, outputs))
            if self._is_weight(table) and quantized:
                return True
        fixed = bool(inputs) and all(self.fixed[row] for row in inputs)
        return fixed and operator.name not in ANEW

    def _store(self, inputs: list[int]) -> None:
        """Count the bytes of weights, those that several tensors share once."""
        for row in inputs:
            place, kind = self.tensors.places[row], self.tensors.types[row]
            if place is None or (place, kind) in self._seen:
                continue
            if self.tensors.is_float(row) or self.tensors.is_quantized(row):
                self._seen.add((place, kind))
                self.stored[kind] += self.tensors.sizes[row]


def _scheme(walk: _Walk, inputs: list[TensorType], outputs: list[TensorType]) -> str:
    """Find the words for what the walk has seen."""
    if not walk.has_operators:
        return EMPTY
    if walk.float_operators and walk.quantized_operators:
        return MIXED
    computed = walk.computed or walk.passed
    integers = [kind for kind in _most(computed) if kind not in FLOATS]
    floats = [kind for kind in _most(computed) if kind in FLOATS]
    only_weights = bool(walk.dequantized) and not walk.quantized_operators
    if walk.float_operators or only_weights or not integers:
        return _float_scheme(walk, floats) if floats else PLAIN
    return _integer_scheme(walk, integers) + _edges(walk, integers, inputs, outputs)


def _float_scheme(walk: _Walk, computed: list[TensorType]) -> str:
    stored = _most(walk.stored)
    if walk.is_hybrid:
        return "dynamic range"
    if walk.dequantized:
        kind = next((kind for kind in stored if kind in walk.dequantized), min(walk.dequantized))
        return f"weight-only {_lower(kind)}"
    return _lower(next((kind for kind in stored if kind in FLOATS), computed[0]))


def _integer_scheme(walk: _Walk, computed: list[TensorType]) -> str:
    """Name the type of most activations, and that of the weights where it is another."""
    activation = _narrow(computed)
    weights = [kind for kind in _most(walk.stored) if kind in NARROW]
    if weights and weights[0] is not activation:
        return f"{_lower(activation)} activations with {_lower(weights[0])} weights"
    return f"full integer {_lower(activation)}"


def _edges(
    walk: _Walk, computed: list[TensorType], inputs: list[TensorType], outputs: list[TensorType]
) -> str:
    """Name the types of inputs and outputs that a reader of the scheme would not expect."""
    activation = _narrow(computed)
    read, written = (_edge(types, activation) for types in (inputs, outputs))
    if read == written:
        words = [f"{read} inputs/outputs"] if read else []
    else:
        pairs = ((read, "inputs"), (written, "outputs"))
        words = [f"{kind} {end}" for kind, end in pairs if kind]
    if not words:
        return ""
    joint = " with " if _integer_scheme(walk, computed).startswith("full") else " and "
    return joint + ", ".join(words)


def _edge(types: list[TensorType], activation: TensorType) -> str:
    if any(kind in FLOATS for kind in types):
        return "float"
    is_uint8 = TensorType.UINT8 in types and activation is not TensorType.UINT8
    return "uint8" if is_uint8 else ""


def _narrow(types: list[TensorType]) -> TensorType:
    return next((kind for kind in types if kind in NARROW), types[0])


def _lower(kind: TensorType) -> str:
    return kind.name.lower()


def _constants(tensors: _Tensors) -> tuple[tuple[str, int, int], ...]:
    """Count the constants of each type, and their bytes."""
    found = {
        (place, kind): size
        for place, kind, size in zip(tensors.places, tensors.types, tensors.sizes, strict=True)
        if place is not None
    }
    counts: Counter[TensorType] = Counter()
    nbytes: Counter[TensorType] = Counter()
    for (_, kind), size in found.items():
        counts[kind] += 1
        nbytes[kind] += size
    return tuple((kind.name, counts[kind], size) for kind, size in nbytes.most_common())
