"""A model's inputs and outputs in C: shapes, types, scales, and functions that quantize.

Their names say the position, as in `net_input_0`: that of `interpreter.input(0)` in TensorFlow Lite
Micro. Tensors' own names change when a model is made again. Names in a signature do not: what has
such a name, as `image`, has a second name in C, `net_image`.

The first subgraph, which the runtime runs, has these names; so that nothing of a model is missing,
any other signature has its key in them: `net_encode_input_0`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from ..arithmetic.affine import are_exact
from ..errors import UnsupportedError, brief
from ..format.budget import ELEMENT_COST, MAX_ARRAY_RANK
from ..format.flatbuffer import File
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.values import is_packed, stored_bytes, stored_dtype_of
from ..model.model import Model, Signature
from ..model.quantization import NotQuantized, PerTensor
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from .c_text import (
    C_TYPES,
    LONGEST,
    Array,
    Names,
    Part,
    UnwritableError,
    comment,
    float_literal,
    identifier,
    integer_literal,
)

__all__ = ["interface_lines", "locating_errors", "scale_and_zero_point"]

_CONVERTED = (TensorType.INT8, TensorType.UINT8, TensorType.INT16)
"""The types that get functions to quantize and dequantize."""

_COST = 6_000
"""What is charged for the lines of an input or output, and again for each further name of it."""

_KINDS = ("input", "output")


class _End(NamedTuple):
    """An input or output.

    Attributes
    ----------
    kind : str
        "input" or "output".
    position : int
        Among those of its subgraph.
    called : tuple of str
        What a signature calls it.
    """

    kind: str
    position: int
    tensor: Tensor
    called: tuple[str, ...]

    @property
    def stem(self) -> str:
        """What means its position."""
        return f"{self.kind}_{self.position}"


class _Interface(NamedTuple):
    """A subgraph as firmware sees it.

    Attributes
    ----------
    stem : str
        What its names begin with after the prefix; empty for the first subgraph.
    further : tuple of str
        What its further names begin with: the same, and the key where the first subgraph is one of
        several signatures.
    """

    stem: str
    further: tuple[str, ...]
    subgraph: Subgraph
    signature: Signature | None

    def ends(self) -> list[_End]:
        """Return the inputs and outputs."""
        found = []
        for kind in _KINDS:
            called: dict[Tensor, list[str]] = {}
            if self.signature is not None:
                named = getattr(self.signature, f"{kind}s")
                for name, tensor in named.items():
                    called.setdefault(tensor, []).append(name)
            for position, tensor in enumerate(self.of(kind)):
                # A tensor may be listed twice; its names are those of the first position.
                words = tuple(called.pop(tensor, ()))
                found.append(_End(kind, position, tensor, words))
        return found

    def of(self, kind: str) -> tuple[Tensor, ...]:
        """Return the tensors of a kind."""
        return self.subgraph.inputs if kind == "input" else self.subgraph.outputs


def interface_lines(model: Model, file: File, names: Names) -> Iterator[Part]:
    """Define the inputs and outputs of the first subgraph, and of all signatures.

    Raises
    ------
    UnsupportedError
        One has a shape or a scale that cannot be written in C.
    CorruptModelError
        There are so many that the header would be too large for a file of this size.
    """
    interfaces = _interfaces(model)
    for one in interfaces:
        tensors = [tensor for kind in _KINDS for tensor in one.of(kind)]
        cost = sum(_COST + 2 * ELEMENT_COST * len(tensor.shape) for tensor in tensors)
        file.spend(_COST + cost, "the inputs and outputs in a header")
        # Names of positions come before all others.
        for kind in _KINDS:
            for position in range(len(one.of(kind))):
                names.take(_join(one.stem, kind, str(position)))
    for one in interfaces:
        yield from _interface(one, file, names)


def _interfaces(model: Model) -> list[_Interface]:
    """Return the first subgraph with its signature, then the other signatures."""
    first, signatures = model.subgraphs[0], list(model.signatures)
    stems = _stems([one.key for one in signatures])
    main = next((i for i, one in enumerate(signatures) if one.subgraph is first), None)
    further = ("",) if main is None or len(signatures) == 1 else ("", stems[main])
    found = [_Interface("", further, first, None if main is None else signatures[main])]
    for index, (one, stem) in enumerate(zip(signatures, stems, strict=True)):
        if index != main:
            found.append(_Interface(stem, (stem,), one.subgraph, one))
    return found


def _stems(keys: Sequence[str]) -> list[str]:
    """Return a stem for each signature: its key or, where that is no name for it, its index."""
    stems = [identifier(key)[:LONGEST].strip("_") for key in keys]
    counts = Counter(stems)
    return [
        f"signature_{index}"
        if not stem or counts[stem] > 1 or re.fullmatch(r"signature_\d+", stem)
        else stem
        for index, stem in enumerate(stems)
    ]


def _interface(interface: _Interface, file: File, names: Names) -> Iterator[Part]:
    """Define the inputs and outputs of one subgraph."""
    ends = interface.ends()
    if interface.signature is not None and any(interface.further):
        key = comment(interface.signature.key)
        yield f"/* Signature {key}, which is subgraph {interface.subgraph.index} */"
    for kind in _KINDS:
        for begin in interface.further:
            macro = _join(names.prefix, begin, kind, "count").upper()
            yield f"#define {macro} {len(interface.of(kind))}"
    yield ""
    aliases = _aliases(interface, ends, names)
    for end, further in zip(ends, aliases, strict=True):
        called = "".join(f"{comment(word)}, " for word in end.called)
        about = f"{called}{end.tensor.type.name}, tensor {comment(end.tensor.name)}"
        yield f"/* {end.kind.title()} {end.position}: {about} */"
        name = _join(names.prefix, interface.stem, end.stem)
        endings = []
        for ending, part in locating_errors(end.tensor, _input_or_output(end, name)):
            yield part
            endings += [ending] * bool(ending)
        file.spend(_COST * len(further), "the names of inputs and outputs")
        for alias in further:
            yield from _alias(name, alias, endings)
        yield ""


def _join(*words: str) -> str:
    return "_".join(word for word in words if word)


def _aliases(interface: _Interface, ends: Sequence[_End], names: Names) -> list[list[str]]:
    """Return further names for each input and output: those that a signature has for it.

    A name that an input and an output share, that is taken, or that means a position, ends in
    `_input` or `_output`. What could mean several even then gets no further name.
    """
    called = [{identifier(word)[:LONGEST].strip("_") for word in end.called} for end in ends]
    counts = Counter(
        stem
        for end, stems in zip(ends, called, strict=True)
        for stem in [*stems, *(f"{stem}_{end.kind}" for stem in stems)]
    )
    found: list[list[str]] = []
    for end, stems in zip(ends, called, strict=True):
        choices = [
            [one for one in (stem, f"{stem}_{end.kind}") if counts[one] == 1 and _is_free(one)]
            for stem in sorted(stems - {"", end.stem})
        ]
        further = []
        for begin in interface.further:
            # With the key of a signature before it, the position is a further name, too.
            positions = [] if begin == interface.stem else [[end.stem]]
            for choice in [*positions, *choices]:
                taken = (names.take(_join(begin, stem)) for stem in choice)
                further.append(next(filter(None, taken), None))
        found.append([name for name in further if name is not None])
    return found


def _is_free(stem: str) -> bool:
    """Tell whether a stem does not mean a position."""
    return re.fullmatch(r"(input|output)_\d+", stem) is None


def _alias(name: str, alias: str, endings: Sequence[str]) -> Iterator[str]:
    """Define a second name for each thing that an input or output has."""
    yield f"/* {alias}: the same */"
    for ending in endings:
        if ending == "t":
            yield f"typedef {name}_t {alias}_t;"
        elif ending.isupper():
            yield f"#define {alias.upper()}_{ending} {name.upper()}_{ending}"
        else:
            yield f"#define {alias}_{ending} {name}_{ending}"


_T = TypeVar("_T")


def locating_errors(tensor: Tensor, parts: Iterator[_T]) -> Iterator[_T]:
    """Yield parts of a header; an error about what cannot be written names the tensor."""
    try:
        yield from parts
    except UnwritableError as error:
        raise UnsupportedError(f"tensor {tensor.index} {tensor.name!r}: {error}") from None


def _input_or_output(end: _End, name: str) -> Iterator[tuple[str, Part]]:
    """Define the shape, the size and the quantization of an input or output.

    Yields
    ------
    (str, str or Array)
        What the name of the thing ends in, if it has one, and its definition.
    """
    macro, tensor = name.upper(), end.tensor
    shape, quantization = tensor.shape, tensor.quantization
    count = math.prod(shape[:MAX_ARRAY_RANK])
    if len(shape) > MAX_ARRAY_RANK or count >= 1 << 63:
        raise UnwritableError(f"C has no array of shape {brief(shape)}")
    yield "INDEX", f"#define {macro}_INDEX {end.position}"
    yield "RANK", f"#define {macro}_RANK {len(shape)}"
    if shape:
        yield "shape", Array(f"{name}_shape", "int32_t", np.array(shape, np.int32))
    yield "LENGTH", f"#define {macro}_LENGTH {integer_literal(count)}"
    if tensor.nbytes is not None:
        yield "BYTES", f"#define {macro}_BYTES {integer_literal(tensor.nbytes)}"
    yield from _c_type(tensor, name)
    if isinstance(quantization, NotQuantized):
        yield "", "/* It is not quantized. */"
    elif not isinstance(quantization, PerTensor):
        yield "", f"/* Its quantization is {quantization.scheme}. */"
    else:
        yield from scale_and_zero_point(quantization, macro)
        if tensor.type in _CONVERTED and _can_convert(quantization):
            yield from _real_range(tensor, macro)
            yield from _conversions(tensor, quantization, name)


def _c_type(tensor: Tensor, name: str) -> Iterator[tuple[str, str]]:
    """Define the type of one value, as it lies in memory."""
    if stored_bytes(tensor.type, ()) is None:
        # Of a string, or of what a file has no values of.
        return
    if is_packed(tensor.type):
        yield "", f"/* Its values take less than a byte each: {name.upper()}_BYTES in all. */"
    elif (c_type := C_TYPES.get(stored_dtype_of(tensor.type).str[1:])) is not None:
        yield "t", f"typedef {c_type} {name}_t;"


def scale_and_zero_point(quantization: PerTensor, macro: str) -> Iterator[tuple[str, str]]:
    """Define the scale and the zero point of a tensor that has one of each.

    Yields
    ------
    (str, str)
        What the macro ends in, and its definition.
    """
    yield "SCALE", f"#define {macro}_SCALE {float_literal(quantization.scale)}"
    zero_point = integer_literal(quantization.zero_point)
    yield "ZERO_POINT", f"#define {macro}_ZERO_POINT ({zero_point})"


def _can_convert(quantization: PerTensor) -> bool:
    """Return whether the functions can compute exactly what `quantize` and `dequantize` do."""
    scale = np.float32(quantization.scale)
    zero_points = np.array([quantization.zero_point])
    return bool(np.isfinite(scale) and scale > 0) and are_exact(zero_points)


def _real_range(tensor: Tensor, macro: str) -> Iterator[tuple[str, str]]:
    """Define the real values of the lowest and the highest integer."""
    for ending, real in zip(("REAL_MIN", "REAL_MAX"), tensor.range or (), strict=True):
        if np.isfinite(real):
            yield ending, f"#define {macro}_{ending} ({float_literal(float(real))})"


def _conversions(tensor: Tensor, quantization: PerTensor, name: str) -> Iterator[tuple[str, str]]:
    """Define the functions that quantize and dequantize one value, and many."""
    low, high = INTEGER_RANGES[tensor.type]
    lowest, highest = (float_literal(bound - quantization.zero_point) for bound in (low, high))
    macro = name.upper()
    yield (
        "quantize",
        f"""\
/* Rounds halves away from zero and saturates; NaN becomes the zero point. */
static inline {name}_t {name}_quantize(float real) {{
  float q = real / {macro}_SCALE;
  q += q < 0.0f ? -0.49999997f : 0.49999997f;
  if (q <= {lowest}) return {low};
  if (q >= {highest}) return {high};
  return ({name}_t)((q == q ? (int32_t)q : 0) + {macro}_ZERO_POINT);
}}""",
    )
    yield (
        "dequantize",
        f"""\
static inline float {name}_dequantize({name}_t q) {{
  return (float)(q - {macro}_ZERO_POINT) * {macro}_SCALE;
}}""",
    )
    yield (
        "quantize_n",
        f"""\
static inline void {name}_quantize_n(const float *real, {name}_t *q, size_t count) {{
  for (size_t i = 0; i < count; i++) q[i] = {name}_quantize(real[i]);
}}""",
    )
    yield (
        "dequantize_n",
        f"""\
static inline void {name}_dequantize_n(const {name}_t *q, float *real, size_t count) {{
  for (size_t i = 0; i < count; i++) real[i] = {name}_dequantize(q[i]);
}}""",
    )
