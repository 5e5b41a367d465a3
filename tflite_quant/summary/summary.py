"""Names a model's quantization scheme in the converter's words, and its operators left in float.

Keras describes a layer in the same way, with its `dtype_policy`: the weights are stored in
`variable_dtype`, and the layer computes in `compute_dtype`. A model has one of these schemes:

- "float32", "float16": nothing is quantized; the name is the type in which most bytes of the
  weights are stored. Each float16 weight goes through a DEQUANTIZE, and the computation is in
  float32. Other float types are called by their names, too.
- "dynamic range": the weights are integers, the activations float. Operators that have a hybrid
  kernel read the weights as they are, and quantize their activations on the fly. If other weights
  go through a DEQUANTIZE in the same model, the scheme is still this one: the converter does so for
  operators without such a kernel.
- "weight-only int8" (int4, int2, ...): the weights are integers too, but all of them go through a
  DEQUANTIZE; every operator computes in float.
- "full integer int8" (uint8 in old models, int16): every operator computes on quantized integers.
- "int16 activations with int8 weights": the same, but the weights are stored in another type than
  the activations; likewise "int8 activations with int4 weights".
- These two may end with the types of inputs and outputs: "with float inputs/outputs", "with float
  inputs", "with uint8 outputs" and so on ("and" in place of a second "with"). Such a model begins
  with a QUANTIZE and ends with a DEQUANTIZE, or both are a QUANTIZE from and to uint8.
- They also name custom operators that read or write floats: "full integer uint8, with a custom
  operator TFLite_Detection_PostProcess in float at its end". Floats at that end are then theirs.
- "mixed": some builtin operators compute on quantized integers, and some in float. Operators that
  only move values, such as RESHAPE, compute nothing.
- "neither float nor quantized": only strings, booleans or plain integers.
- "no operators".

Module `float_operators` finds out which operators compute in float, and which on quantized
integers. The terms are those of TensorFlow's guide to post-training quantization,
https://www.tensorflow.org/lite/performance/post_training_quantization.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import TFLiteError
from ..escape import for_terminal
from ..format.schema import TensorType
from ..model.compressed import places_of
from ..model.model import Model
from ..model.tensor import Tensor
from .custom_floats import custom_floats
from .float_operators import FLOATS, NARROW, Walk, place_of, walk

__all__ = ["Summary", "compressed_text", "named_counts", "summarize"]

MIXED = "mixed"
PLAIN = "neither float nor quantized"
EMPTY = "no operators"

Counts = tuple[tuple[str, int], ...]
"""Names, and how many there are of each; the most frequent first."""


class Summary(NamedTuple):
    """How a model is quantized. `print` shows one line for each fact.

    Attributes
    ----------
    scheme : str
        How the model is quantized, in the converter's words; the module's docstring has them all.
    inputs, outputs : tuple of str
        The types of the first subgraph's inputs and outputs.
    variable_types : tuple of str
        The types in which float and quantized weights and biases are stored; most bytes first.
    compute_types : tuple of str
        The types of the activations that float and quantized operators read and write, the most
        frequent first.
    constants : tuple of (str, int, int)
        For each type of constant tensors, how many there are and how many bytes they take in the
        file; most bytes first. Tensors of one type that share a buffer count once.
    float_operators, quantized_operators : tuple of (str, int)
        The names of the operators that read or write such activations, and how many there are of
        each; the most frequent first.
    custom_operators : tuple of (str, int)
        The names of the custom operators, and how many there are of each, whatever they compute on.
    compressed : tuple of (str, int, int, int)
        For each scheme of compression, how many tensors have it, the bytes that they take in the
        file, and those when they are decoded. A scheme that cannot be read is "unreadable".
        Tensors that are the same bytes count once.
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
    compressed: tuple[tuple[str, int, int, int], ...]

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
        if self.compressed:
            facts["compressed"] = compressed_text(self)
        return "\n".join(f"{name}: {value or 'none'}" for name, value in facts.items())

    def _operator_facts(self) -> dict[str, str]:
        """Return the operators as text: those of a mixed model and custom ones by name."""
        operators = {"float": self.float_operators, "quantized": self.quantized_operators}
        if self.scheme == MIXED:
            facts = {
                f"{kind} operators": named_counts(counts) for kind, counts in operators.items()
            }
        else:
            totals = {kind: sum(n for _, n in counts) for kind, counts in operators.items()}
            shown = ", ".join(f"{total} {kind}" for kind, total in totals.items() if total)
            facts = {"operators": shown}
        if self.custom_operators:
            facts["custom operators"] = named_counts(self.custom_operators)
        return facts


def compressed_text(summary: Summary) -> str:
    """Return what is compressed as text: '2 lookup table (300 bytes for 1024)'."""
    return ", ".join(
        f"{count} {scheme} ({nbytes} bytes for {dense})"
        for scheme, count, nbytes, dense in summary.compressed
    )


def _listed(types: Sequence[str]) -> str:
    """Return a list of types as text: 'FLOAT32 x 2, INT32'."""
    counts = Counter(types).items()
    return ", ".join(name if n == 1 else f"{name} x {n}" for name, n in counts) or "none"


def named_counts(counts: Counts) -> str:
    """Return names with how many there are of each as text: 'CONV_2D 5, ADD 2'."""
    return ", ".join(f"{for_terminal(name)} {n}" for name, n in counts)


def summarize(model: Model) -> Summary:
    """Return how a model is quantized: its scheme, types, and operators left in float.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Summary

    Raises
    ------
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
    seen = walk(model)
    return Summary(
        scheme=_scheme(model, seen),
        inputs=tuple(tensor.type.name for tensor in model.inputs),
        outputs=tuple(tensor.type.name for tensor in model.outputs),
        variable_types=tuple(kind.name for kind in _most(seen.stored)),
        compute_types=tuple(kind.name for kind in _most(seen.computed)),
        constants=_constants(model),
        float_operators=_sorted(seen.float_operators),
        quantized_operators=_sorted(seen.quantized_operators),
        custom_operators=_sorted(seen.custom_operators),
        compressed=_compressed(model),
    )


def _most(counts: Counter[TensorType]) -> list[TensorType]:
    return [kind for kind, _ in counts.most_common()]


def _sorted(counts: Counter[str]) -> Counts:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _scheme(model: Model, walk: Walk) -> str:
    """Return the name of the scheme."""
    if not walk.has_operators:
        return EMPTY
    if walk.computes_in_float and walk.computes_on_integers:
        return MIXED
    computed = walk.computed or walk.passed
    integers = [kind for kind in _most(computed) if kind not in FLOATS]
    floats = [kind for kind in _most(computed) if kind in FLOATS]
    only_moves_integers = bool(walk.quantized_operators) and not walk.computes_in_float
    if not (walk.computes_on_integers or only_moves_integers) and (
        walk.float_operators or walk.dequantized or not integers
    ):
        return _float_scheme(walk, floats) if floats else PLAIN
    return _with_ends(model, walk, integers)


def _with_ends(model: Model, walk: Walk, integers: list[TensorType]) -> str:
    """Return the name of an integer scheme with what is in float around it."""
    around = custom_floats(model, walk) if walk.float_operators else None
    known: set[Tensor] = set() if around is None else around.tensors
    inputs, outputs = (
        [tensor.type for tensor in end if tensor not in known]
        for end in (model.inputs, model.outputs)
    )
    name = _integer_scheme(walk, integers) + _edges(walk, integers, inputs, outputs)
    return f"{name}, with {around}" if around and around.names else name


def _float_scheme(walk: Walk, computed: list[TensorType]) -> str:
    stored = _most(walk.stored)
    if walk.is_hybrid:
        return "dynamic range"
    if walk.dequantized:
        kind = next((kind for kind in stored if kind in walk.dequantized), min(walk.dequantized))
        return f"weight-only {_lower(kind)}"
    return _lower(next((kind for kind in stored if kind in FLOATS), computed[0]))


def _integer_scheme(walk: Walk, computed: list[TensorType]) -> str:
    """Return the type of most activations, and that of most weights if it is another, as text."""
    activation = _narrow(computed)
    weights = [kind for kind in _most(walk.stored) if kind in NARROW]
    if weights and weights[0] is not activation:
        return f"{_lower(activation)} activations with {_lower(weights[0])} weights"
    return f"full integer {_lower(activation)}"


def _edges(
    walk: Walk, computed: list[TensorType], inputs: list[TensorType], outputs: list[TensorType]
) -> str:
    """Return the types of inputs and outputs as text if they differ from those of the scheme."""
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


def _constants(model: Model) -> tuple[tuple[str, int, int], ...]:
    """Count the constants of each type, and their bytes."""
    tensors = (tensor for graph in model.subgraphs for tensor in graph.tensors)
    sizes = {(place_of(t), t.type): t.nbytes or 0 for t in tensors if t.is_constant}
    counts: Counter[TensorType] = Counter()
    nbytes: Counter[TensorType] = Counter()
    for (_, kind), size in sizes.items():
        counts[kind] += 1
        nbytes[kind] += size
    return tuple((kind.name, counts[kind], size) for kind, size in nbytes.most_common())


def _compressed(model: Model) -> tuple[tuple[str, int, int, int], ...]:
    """Count the compressed tensors of each scheme, their bytes, and those when decoded."""
    tensors = (tensor for graph in model.subgraphs for tensor in graph.tensors)
    compressed = {places_of(tensor): tensor for tensor in tensors if tensor.is_compressed}
    counts: Counter[str] = Counter()
    nbytes: Counter[str] = Counter()
    dense: Counter[str] = Counter()
    for tensor in compressed.values():
        try:
            facts = tensor.compression
        except TFLiteError:
            facts = None
        scheme = "unreadable" if facts is None else facts.scheme
        counts[scheme] += 1
        nbytes[scheme] += 0 if facts is None else facts.nbytes
        dense[scheme] += 0 if facts is None else facts.dense_nbytes or 0
    return tuple(
        (scheme, counts[scheme], nbytes[scheme], dense[scheme]) for scheme in sorted(counts)
    )
