"""What each operator of a model computes on: floats, quantized integers, or neither.

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
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..format.schema import TensorType, builtin_operator_name
from ..format.structure import Structure

__all__ = ["FLOATS", "NARROW", "Tensors", "Walk", "operations_of", "tensors_of"]

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


class Tensors(NamedTuple):
    """What counts of each tensor of all subgraphs.

    `places` says where in the file or beside it a constant's values are; None for all others.
    """

    types: list[TensorType]
    quantized: list[bool]
    places: list[tuple[str, int] | None]
    sizes: list[int]

    def is_float(self, row: int) -> bool:
        """Tell whether a tensor's values are floats."""
        return self.types[row] in FLOATS

    def is_quantized(self, row: int) -> bool:
        """Tell whether a tensor's values are integers with a scale."""
        return self.quantized[row] and self.types[row] not in FLOATS


def tensors_of(structure: Structure) -> Tensors:
    """Give the tensors of all subgraphs."""
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
    return Tensors([known[number] for number in numbers], quantized, places, sizes)


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


class Operation(NamedTuple):
    """One operator; its tensors are rows among those of all subgraphs."""

    name: str
    custom_name: str | None
    inputs: list[int]
    outputs: list[int]


def operations_of(structure: Structure) -> Iterator[Operation]:
    """Give the operators of all subgraphs, in the order in which each runs them."""
    codes = structure.operator_codes
    numbers = np.maximum(codes.numbers("builtin_code"), codes.numbers("deprecated_builtin_code"))
    names = [builtin_operator_name(number) for number in numbers.tolist()]
    customs = codes.strings("custom_code")
    counts = structure.operator_bounds[1:] - structure.operator_bounds[:-1]
    first = structure.tensor_bounds[:-1].repeat(counts)
    inputs, outputs = (_operands(structure, field, first) for field in ("inputs", "outputs"))
    indices = structure.operators.numbers("opcode_index").tolist()
    for index, read, written in zip(indices, inputs, outputs, strict=True):
        is_custom = names[index] == "CUSTOM"
        yield Operation(names[index], customs[index] if is_custom else None, read, written)


def _operands(structure: Structure, field: str, first: NDArray[np.int64]) -> list[list[int]]:
    """Give the rows of each operator's tensors; -1 is no tensor, where it leaves one out."""
    vectors = structure.operators.vectors(field)
    indices = vectors.joined().astype(np.int64)
    indices += np.where(indices < 0, 0, first.repeat(vectors.lengths))
    rows = indices.tolist()
    return [rows[start:end] for start, end in pairwise(vectors.bounds.tolist())]


class Walk:
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

    def __init__(self, tensors: Tensors) -> None:
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

    def visit(self, operator: Operation) -> None:
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

    def _compute(self, operator: Operation, inputs: list[int], outputs: list[int]) -> None:
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

    def _is_fixed(self, operator: Operation, inputs: list[int], outputs: list[int]) -> bool:
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
