"""A C header of what firmware needs of a model: parameters, helpers, weights, the file itself.

The header is C99 and C++11, needs nothing but `<stdint.h>`, and depends on the model's bytes and
the arguments alone. Names are made from those of tensors: lower case, digits and single underscores
behind a prefix, so that no name, however hostile, is a keyword, reserved, or anything but a name.
"""

from __future__ import annotations

import builtins
import math
import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import are_exact
from ..errors import QuantizationError, UnsupportedError
from ..format.flatbuffer import File
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.source import Source
from ..format.vectors import require_modest
from ..model.model import Model, open
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor
from .fixedpoint import Requantization, operator_requantization

__all__ = ["c_header", "depfile", "write_if_changed"]

_HELPED = (TensorType.INT8, TensorType.UINT8, TensorType.INT16)
"""The types of which values are quantized and dequantized."""

_C_TYPES = {
    "i1": "int8_t", "i2": "int16_t", "i4": "int32_t", "i8": "int64_t",
    "u1": "uint8_t", "u2": "uint16_t", "u4": "uint32_t", "u8": "uint64_t",
    "f4": "float", "f8": "double", "f2": "uint16_t", "b1": "uint8_t",
}  # fmt: skip
"""Of numpy's types; float16 is given as its bits."""

_LONGEST = 40
"""Characters of a name behind the prefix."""


def c_header(
    model: Model | Source,
    *,
    prefix: str | None = None,
    tensors: Sequence[str] = (),
    include_model: bool = False,
) -> str:
    r"""Give a self-contained C99 and C++11 header.

    Parameters
    ----------
    model : Model, or what `open` takes
    prefix : str, optional
        What all names begin with; by default the model's file name.
    tensors : sequence of str
        Patterns of names, as of a shell: the constants that match are given with their values,
        and the operators that have them for weights with multipliers and shifts.
    include_model : bool
        Whether the whole file is given, too, as an array.

    Returns
    -------
    str
        For each input and output of the first subgraph the shape, the number of values and of
        bytes; where it is quantized, its scale and zero point, and a function each to quantize a
        real number and to dequantize an integer, with the bits of `quantize` and `dequantize`.

    Raises
    ------
    UnsupportedError
        A pattern matches nothing, or a tensor has numbers that C cannot write.
    CorruptModelError
        A constant's bytes do not fit, or values are shared out of all proportion to the file.
    TFLiteError, OSError
        The model cannot be opened.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> lines = tq.c_header("fixtures/residual_int8.tflite", prefix="net").splitlines()
    >>> print(*[line for line in lines if line.endswith("f")], sep="\n")
    #define NET_SERVING_DEFAULT_IMAGE_0_SCALE 0.0324507952f
    #define NET_STATEFULPARTITIONEDCALL_1_0_SCALE 0.00390625f
    """
    if not isinstance(model, Model):
        with open(model) as opened:
            return c_header(opened, prefix=prefix, tensors=tensors, include_model=include_model)
    file = os.path.basename(model.name or "model")
    names = _Names(_identifier(os.path.splitext(file)[0] if prefix is None else prefix) or "model")
    return "\n".join([*_lines(model, file, names, tensors, include_model), ""])


class _Names:
    """Gives each thing a name of its own."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix if prefix[0].isalpha() else f"m{prefix}"
        # What the file itself is called.
        self.taken = {"model"}

    def of(self, name: str, index: int) -> str:
        """Make a name; the index is in it where the rest is not enough."""
        base = _identifier(name) or "tensor"
        short = base[:_LONGEST].rstrip("_")
        if short != base:
            short = f"{short}_{index}"
        while short in self.taken:
            short = f"{short}_{index}"
        self.taken.add(short)
        return f"{self.prefix}_{short}"


def _identifier(name: str) -> str:
    """Keep letters, digits, and single underscores between them."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _comment(text: str) -> str:
    """Write a text so that it cannot end a comment, or begin another."""
    shown = ascii(text)[1:-1]
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return re.sub(r"\*/|/\*|\?\?", lambda found: " ".join(found[0]), shown).rstrip("\\")


def _lines(
    model: Model, file: str, names: _Names, patterns: Sequence[str], include_model: bool
) -> Iterator[str]:
    guard = f"{names.prefix.upper()}_H_INCLUDED"
    graph = model.subgraphs[0]
    chosen = _chosen(model.structure.file, graph.tensors, patterns)
    own = {tensor.index: names.of(tensor.name, tensor.index) for tensor in graph.tensors}
    yield f"/* Made by tflite-quant from {_comment(file)}: changes here are lost. */"
    yield from (f"#ifndef {guard}", f"#define {guard}", "", "#include <stdint.h>", "")
    if chosen or include_model:
        yield from _alignment(names.prefix.upper())
    written: set[Tensor] = set()
    for word, tensors in (("Input", graph.inputs), ("Output", graph.outputs)):
        for position, tensor in enumerate(dict.fromkeys(tensors)):
            yield f"/* {word} {position}: {_comment(tensor.name)}, {tensor.type.name} */"
            # What is input and output has one name.
            if tensor not in written:
                yield from _located(tensor, _end(tensor, own[tensor.index]))
            written.add(tensor)
            yield ""
    for tensor in chosen:
        yield from _located(tensor, _constant(tensor, own[tensor.index], names.prefix))
        yield ""
    yield from _operators(model, set(chosen), names)
    if include_model:
        content = model.structure.file.memory
        yield from _array(f"{names.prefix}_model", "uint8_t", content, names.prefix)
        yield ""
    yield f"#endif /* {guard} */"


class _UnwritableError(Exception):
    """C cannot write a number; the message says which."""


def _located(tensor: Tensor, lines: Iterator[str]) -> Iterator[str]:
    """Pass lines on, and say of a number that cannot be written which tensor has it."""
    try:
        yield from lines
    except _UnwritableError as error:
        raise UnsupportedError(f"tensor {tensor.index} {tensor.name!r}: {error}") from None


def _operators(model: Model, chosen: set[Tensor], names: _Names) -> Iterator[str]:
    """Define what the operators compute with that have one of some tensors."""
    size = 0
    for operator in model.operators:
        if chosen.isdisjoint(operator.inputs):
            continue
        name = names.of(f"op_{operator.index}_{operator.name}", operator.index)
        try:
            found = operator_requantization(operator)
        except (UnsupportedError, QuantizationError) as error:
            yield f"/* operator {operator.index} {operator.name}: {_comment(str(error))} */"
        else:
            # Operators may share weights of very many scales.
            size += sum(one.multiplier.nbytes for one in found.multipliers.values())
            require_modest(model.structure.file, size, "the multipliers of operators")
            yield f"/* operator {operator.index} {operator.name} */"
            yield from _requantization(found, name)
        yield ""


def _chosen(file: File, tensors: Sequence[Tensor], patterns: Sequence[str]) -> list[Tensor]:
    """Give the constants whose names match."""
    chosen = []
    matched = set()
    for tensor in tensors:
        found = {one for one in patterns if fnmatchcase(tensor.name, one)}
        if found and tensor.is_constant:
            chosen.append(tensor)
            matched |= found
    for pattern in patterns:
        if pattern not in matched:
            raise UnsupportedError(f"no constant tensor has a name like {pattern!r}")
    if chosen:
        # A small file may have sparse tensors that are large, and tensors that share their bytes.
        own = [tensor for tensor in chosen if tensor.external_buffer is None]
        sizes = (math.prod(t.shape) if t.is_sparse else t.nbytes or 0 for t in own)
        require_modest(file, sum(sizes), "the values of constants")
    return chosen


def _alignment(prefix: str) -> Iterator[str]:
    """Define a macro that aligns an array, in whatever way the compiler knows."""
    macro = f"#define {prefix}_ALIGN"
    yield "#if defined(__cplusplus)"
    yield f"{macro} alignas(16)"
    yield "#elif defined(__GNUC__)"
    yield f"{macro} __attribute__((aligned(16)))"
    yield "#elif defined(_MSC_VER)"
    yield f"{macro} __declspec(align(16))"
    yield "#elif defined(__ICCARM__) || defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L"
    yield f"{macro} _Alignas(16)"
    yield "#else"
    yield f"{macro}"
    yield "#endif"
    yield ""


def _end(tensor: Tensor, name: str) -> Iterator[str]:
    """Define what is known of an input or output."""
    upper, shape = name.upper(), tensor.shape
    yield f"#define {upper}_RANK {len(shape)}"
    if shape:
        dimensions = ", ".join(map(str, shape))
        yield f"static const int32_t {name}_shape[{len(shape)}] = {{{dimensions}}};"
    yield f"#define {upper}_COUNT {math.prod(shape)}"
    if tensor.nbytes is not None:
        yield f"#define {upper}_BYTES {tensor.nbytes}"
    quantization = tensor.quantization
    if isinstance(quantization, PerTensor):
        yield f"#define {upper}_SCALE {_real(quantization.scale, np.float32)}"
        yield f"#define {upper}_ZERO_POINT ({_whole(quantization.zero_point)})"
        if tensor.type in _HELPED and _can_be_helped(quantization):
            yield from _helpers(tensor, name)


def _can_be_helped(quantization: PerTensor) -> bool:
    scale = np.float32(quantization.scale)
    return bool(np.isfinite(scale) and scale != 0) and are_exact(
        np.array([quantization.zero_point])
    )


def _helpers(tensor: Tensor, name: str) -> Iterator[str]:
    """Define the functions that quantize and dequantize one value."""
    kind, (low, high) = _C_TYPES[tensor.dtype.str[1:]], INTEGER_RANGES[tensor.type]
    quantization, upper = tensor.quantization, name.upper()
    assert isinstance(quantization, PerTensor)
    zero = quantization.zero_point
    yield f"""\
/* Rounds halves away from zero, and saturates; NaN becomes the zero point. */
static inline {kind} {name}_quantize(float real) {{
  float q = real / {upper}_SCALE;
  q += q < 0.0f ? -0.49999997f : 0.49999997f;
  if (q <= {_real(low - zero, np.float32)}) return {low};
  if (q >= {_real(high - zero, np.float32)}) return {high};
  return ({kind})((q == q ? (int32_t)q : 0) + {upper}_ZERO_POINT);
}}
static inline float {name}_dequantize({kind} q) {{
  return (float)(q - {upper}_ZERO_POINT) * {upper}_SCALE;
}}"""


def _constant(tensor: Tensor, name: str, prefix: str) -> Iterator[str]:
    """Define a constant's values, and its scales."""
    yield f"/* {_comment(tensor.name)}: {tensor.type.name} of shape {list(tensor.shape)} */"
    values = tensor.data if tensor.is_sparse else tensor.stored
    kind = _C_TYPES.get(values.dtype.str[1:])
    if kind is None:
        raise _UnwritableError(f"C has no {values.dtype}")
    if values.dtype.kind == "f" and values.dtype.itemsize == 2:
        values = values.view("<u2")
    yield from _array(name, kind, values.reshape(-1), prefix)
    match tensor.quantization:
        case PerTensor(scale, zero):
            yield f"#define {name.upper()}_SCALE {_real(scale, np.float32)}"
            yield f"#define {name.upper()}_ZERO_POINT ({_whole(zero)})"
        case PerAxis(scales, zeros, axis):
            yield f"#define {name.upper()}_AXIS {axis}"
            yield from _array(f"{name}_scales", "float", scales, prefix, "")
            if zeros.any():
                yield from _array(f"{name}_zero_points", "int64_t", zeros, prefix, "")


def _requantization(found: Requantization, name: str) -> Iterator[str]:
    """Define what an operator computes its output with."""
    for word, offset in found.offsets.items():
        yield f"#define {name.upper()}_{word.upper()}_OFFSET ({_whole(offset)})"
    yield f"#define {name.upper()}_LOWEST ({_whole(found.range[0])})"
    yield f"#define {name.upper()}_HIGHEST ({_whole(found.range[1])})"
    for word, (_, multiplier, shift) in found.multipliers.items():
        for part, values in (("multipliers", multiplier), ("shifts", shift)):
            yield from _array(f"{name}_{word}_{part}", "int32_t", values, "", "")


def _array(
    name: str, kind: str, values: NDArray[Any], prefix: str, ending: str = "_data"
) -> Iterator[str]:
    """Define how many values there are, and an array of them; C has none of no values."""
    align = f"{prefix.upper()}_ALIGN " if ending else ""
    yield f"#define {name.upper()}{ending.upper()}_SIZE {values.size}"
    if not values.size:
        return
    yield f"{align}static const {kind} {name}{ending}[{values.size}] = {{"
    for start in range(0, values.size, _LINE):
        yield f"  {', '.join(_written(values[start : start + _LINE]))},"
    yield "};"


_LINE = 16


def _written(values: NDArray[Any]) -> list[str]:
    """Write numbers as C does."""
    if values.dtype.kind == "f":
        return [_real(value, values.dtype.type) for value in values.tolist()]
    if values.dtype.itemsize < 4 or values.dtype.kind == "b":
        return list(map(str, values.astype(np.int32).tolist()))
    return [_whole(value) for value in values.tolist()]


def _whole(value: int) -> str:
    """Write an integer; those past 32 bits say that they are longer."""
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    if value == -(1 << 31):
        return "(-2147483647 - 1)"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    return f"{value}{'ULL' if value >= 1 << 63 else 'LL'}"


def _real(value: float, kind: type[np.floating[Any]]) -> str:
    """Write a number so that it reads back to the same bits."""
    number = kind(value)
    if not np.isfinite(number):
        raise _UnwritableError(f"{number} cannot be written in C without <math.h>")
    text = f"{float(number):.{9 if kind is np.float32 else 17}g}"
    if not set(text) & set(".e"):
        text += ".0"
    return text + ("f" if kind is np.float32 else "")


def depfile(target: str, source: str) -> str:
    r"""Give the rule by which make and ninja know what a header depends on.

    Examples
    --------
    >>> print(depfile("out/my model.h", "my model.tflite"), end="")
    out/my\ model.h: my\ model.tflite
    """

    def escaped(path: str) -> str:
        return re.sub(r"([ #])", r"\\\1", path).replace("$", "$$")

    return f"{escaped(target)}: {escaped(source)}\n"


def write_if_changed(path: str, text: str) -> bool:
    """Write a file, through another beside it, unless it has the text already.

    Parameters
    ----------
    path : str
    text : str

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    OSError
        The file cannot be written.
    """
    content = os.fsencode(text)
    try:
        with builtins.open(path, "rb") as file:
            if file.read() == content:
                return False
    except FileNotFoundError:
        pass
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with builtins.open(beside, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.remove(beside)
        raise
    return True
