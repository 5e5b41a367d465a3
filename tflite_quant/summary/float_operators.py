"""Finds out what each operator computes on: floats, quantized integers, or neither.

The rules, for the operators of all subgraphs:

- A tensor is *float* by its type, *quantized* if it has integers and a scale, else *plain*: shapes,
  indices, loop counters, booleans, strings.
- A tensor is *fixed* if the file holds its values, or if an operator computes it from fixed tensors
  alone, such as a DEQUANTIZE of weights, or looks it up in a fixed quantized table. All other
  tensors are *activations*.
- An operator is a float operator if any activation that it reads or writes is float, else a
  quantized operator if any is quantized, else it does not count. Also not counted are operators
  with fixed outputs, those that convert between the two (`CONVERSIONS`), those that run another
  subgraph (`CALLS`: the operators there are counted) and those that read only a shape (`SHAPES`).
- Custom operators follow the same rules: the file does not say what they compute inside. Those
  without inputs load tables, so that their outputs are fixed. Only DECODE is known: what it makes
  of constants is fixed, and it does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..format.schema import TensorType
from ..model.compressed import Decoded, decoded_tensors, place_of
from ..model.model import Model
from ..model.operator import Operator
from ..model.tensor import Tensor

__all__ = [
    "CALLS", "CONVERSIONS", "FLOATS", "MOVERS", "NARROW", "UNCOUNTED",
    "Walk", "is_float", "is_quantized", "place_of", "walk",
]  # fmt: skip

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY"})
"""Operators that write their input's values in another form."""

CALLS = frozenset(
    {
        "CALL", "CALL_ONCE", "IF", "WHILE",
        "STABLEHLO_CASE", "STABLEHLO_COMPOSITE", "STABLEHLO_WHILE",
    }
)  # fmt: skip
"""Operators that run other subgraphs."""

SHAPES = frozenset({"RANK", "SHAPE"})
"""Operators that do not read the values of their input, whatever its type."""

MOVERS = frozenset(
    {
        "BATCH_TO_SPACE_ND", "BROADCAST_TO", "CONCATENATION", "DEPTH_TO_SPACE",
        "DYNAMIC_UPDATE_SLICE", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MIRROR_PAD", "PACK", "PAD",
        "PADV2", "RESHAPE", "REVERSE_SEQUENCE", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TRANSPOSE",
        "UNPACK",
    }
)  # fmt: skip
"""Operators that move values and compute nothing."""

UNCOUNTED = CONVERSIONS | CALLS | SHAPES
"""Operators that are neither float nor quantized operators, whatever they read and write."""

ANEW = CALLS | {
    "CUSTOM", "DELEGATE", "MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM",
    "STABLEHLO_RNG_BIT_GENERATOR",
}  # fmt: skip
"""Operators that may write different values each time, even from fixed inputs."""

LOOKUPS = {"EMBEDDING_LOOKUP": 1, "GATHER": 0, "GATHER_ND": 0}
"""Operators that look up values in a table, and the index of the input that is the table."""

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
"""The integer types of quantized weights and activations; wider ones are for biases and sums."""


def is_float(tensor: Tensor) -> bool:
    """Return whether a tensor's values are floats."""
    return tensor.type in FLOATS


def is_quantized(tensor: Tensor) -> bool:
    """Return whether a tensor's values are integers with a scale."""
    return tensor.is_quantized and tensor.type not in FLOATS


class Walk:
    """Goes through the operators, and records what they compute on.

    Attributes
    ----------
    fixed : set of Tensor
        The tensors that are the same each time the model runs, among those visited so far.
    computed : Counter
        How often float and quantized operators read or write activations of each type.
    passed : Counter
        How often all other operators do; used only if no operator is float or quantized.
    stored : Counter
        The bytes of the weights of each type.
    dequantized : set
        The types of weights that go through a DEQUANTIZE.
    computes_in_float, computes_on_integers : bool
        Whether builtin operators compute in float, and whether any operator reads quantized
        integers to compute with them. Those that only move values do neither.
    """

    def __init__(self, constants: Iterable[Tensor]) -> None:
        self.fixed: set[Tensor] = set(constants)
        self.computed: Counter[TensorType] = Counter()
        self.passed: Counter[TensorType] = Counter()
        self.stored: Counter[TensorType] = Counter()
        self.float_operators: Counter[str] = Counter()
        self.quantized_operators: Counter[str] = Counter()
        self.custom_operators: Counter[str] = Counter()
        self.dequantized: set[TensorType] = set()
        self.has_operators: bool = False
        self.is_hybrid: bool = False
        self.computes_in_float: bool = False
        self.computes_on_integers: bool = False
        self._seen: set[tuple[tuple[str, int], TensorType]] = set()

    def visit(self, operator: Operator) -> None:
        """Record what one operator computes on."""
        inputs = [tensor for tensor in operator.inputs if tensor is not None]
        outputs = [tensor for tensor in operator.outputs if tensor is not None]
        self.has_operators = True
        if operator.code.name == "CUSTOM":
            self.custom_operators[operator.custom_name or "CUSTOM"] += 1
        if decoded := list(decoded_tensors(operator)):
            self._decode(decoded)
            return
        self._store(inputs)
        if operator.code.name == "DEQUANTIZE":
            self.dequantized |= {tensor.type for tensor in inputs if self._is_weight(tensor)}
        if self._is_fixed(operator, inputs, outputs):
            self.fixed.update(outputs)
        if operator.code.name in UNCOUNTED:
            _count(self.passed, (*inputs, *outputs))
        else:
            self._compute(operator, inputs, outputs)

    def _compute(self, operator: Operator, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        name = operator.code.name
        is_custom, moves = name == "CUSTOM", name in MOVERS
        if is_custom:
            name = operator.custom_name or name
        activations = [tensor for tensor in (*inputs, *outputs) if tensor not in self.fixed]
        is_on_integers = any(map(is_quantized, activations))
        if any(map(is_float, activations)):
            self.float_operators[name] += 1
            self.computes_in_float |= not (is_custom or moves)
            self.computes_on_integers |= is_custom and is_on_integers
            if operator.code.name in HYBRID:
                self.is_hybrid |= any(t.type in NARROW for t in inputs if is_quantized(t))
        elif is_on_integers:
            self.quantized_operators[name] += 1
            self.computes_on_integers |= not moves
        else:
            _count(self.passed, (*inputs, *outputs))
            return
        _count(self.computed, activations)

    def _is_weight(self, tensor: Tensor) -> bool:
        return tensor in self.fixed and is_quantized(tensor)

    def _is_fixed(self, operator: Operator, inputs: list[Tensor], outputs: list[Tensor]) -> bool:
        """Return whether an operator writes the same values each time, or looks up weights."""
        index = LOOKUPS.get(operator.code.name, -1)
        table = operator.inputs[index] if 0 <= index < len(operator.inputs) else None
        # If the outputs of a lookup are float, a hybrid kernel computes them.
        if table is not None and self._is_weight(table) and all(map(is_quantized, outputs)):
            return True
        if not inputs:
            return operator.code.name == "CUSTOM"
        return self.fixed.issuperset(inputs) and operator.code.name not in ANEW

    def _store(self, inputs: list[Tensor]) -> None:
        """Count the bytes of weights."""
        for tensor in inputs:
            if tensor.is_constant:
                self._count_bytes(tensor, tensor)

    def _decode(self, decoded: list[Decoded]) -> None:
        """Count the bytes of weights that a DECODE makes of constants."""
        for encoded, ancillary, tensor in decoded:
            self.fixed.add(tensor)
            self._count_bytes(tensor, encoded)
            self._count_bytes(tensor, ancillary)

    def _count_bytes(self, tensor: Tensor, stored: Tensor) -> None:
        """Count the bytes of a constant with a tensor's values; those that are shared once."""
        if not (is_float(tensor) or is_quantized(tensor)):
            return
        key = (place_of(stored), tensor.type)
        if key not in self._seen:
            self._seen.add(key)
            self.stored[tensor.type] += stored.nbytes or 0


def _count(counter: Counter[TensorType], tensors: Sequence[Tensor]) -> None:
    """Count the types of float and quantized tensors."""
    counter.update(t.type for t in tensors if is_float(t) or is_quantized(t))


def walk(model: Model) -> Walk:
    """Return what the operators of all subgraphs compute on.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/mixed.tflite") as model:
    ...     walk(model).float_operators
    Counter({'SIN': 1})
    """
    graphs = model.subgraphs
    result = Walk(tensor for graph in graphs for tensor in graph.tensors if tensor.is_constant)
    for operator in (operator for graph in graphs for operator in graph.operators):
        result.visit(operator)
    return result
