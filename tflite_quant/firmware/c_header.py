"""A C header with what firmware needs of a model: parameters, functions, weights, the whole file.

The header is C99 and C++11, includes nothing but `<stdint.h>`, and depends only on the model's
bytes and the arguments. Its names are made from the tensors' names: a prefix, then lower case
letters, digits and single underscores. So no tensor's name, however hostile, becomes a keyword, a
reserved name or anything but a name.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import are_exact
from ..errors import QuantizationError, UnsupportedError, brief
from ..escape import for_c_comment, for_make
from ..format.budget import ELEMENT_COST, MAX_ARRAY_RANK
from ..format.flatbuffer import File
from ..format.schema import INTEGER_RANGES, TensorType
from ..format.source import Source
from ..model.model import Model, open
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor
from .kernels import operator_requantization
from .requantization import Arithmetic, Requantization

__all__ = ["c_header", "depfile", "write_if_changed"]

_CONVERTED = (TensorType.INT8, TensorType.UINT8, TensorType.INT16)
"""The types that get functions to quantize and dequantize."""

_C_TYPES = {
    "i1": "int8_t", "i2": "int16_t", "i4": "int32_t", "i8": "int64_t",
    "u1": "uint8_t", "u2": "uint16_t", "u4": "uint32_t", "u8": "uint64_t",
    "f4": "float", "f8": "double", "f2": "uint16_t", "b1": "uint8_t",
}  # fmt: skip
"""The C types of numpy's types; float16 is written as its bits."""

_LONGEST = 40
"""The most characters of a tensor's name that a name in C keeps."""

_PER_LINE = 16
"""The values in a line of an array."""


def c_header(
    model: Model | Source,
    *,
    prefix: str | None = None,
    tensors: Sequence[str] = (),
    include_model: bool = False,
) -> str:
    r"""Return a self-contained C99 and C++11 header.

    Parameters
    ----------
    model : Model, or what `open` takes
    prefix : str, optional
        The prefix of all names; by default the name of the model's file.
    tensors : sequence of str
        Shell-style patterns of names. The constants that match are written with their values, the
        operators that have them as inputs with multipliers and shifts.
    include_model : bool
        Whether to write the whole file, too, as an array.

    Returns
    -------
    str
        For each input and output of the first subgraph its shape and its numbers of values and
        bytes. If it has one scale, also scale and zero point and, for INT8, UINT8 and INT16, a
        function to quantize a real number and one to dequantize an integer; they return the same
        bits as `quantize` and `dequantize`.

    Raises
    ------
    UnsupportedError
        A pattern matches no constant, or a tensor has values that cannot be written in C.
    CorruptModelError
        A constant's values do not fit its buffer, or tensors share buffers, and the header would
        be too large for a file of this size.
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
    names = _Names(os.path.splitext(file)[0] if prefix is None else prefix)
    return "\n".join([*_lines(model, file, names, tensors, include_model), ""])


class _Names:
    """The names in the header, each of them given out once."""

    def __init__(self, prefix: str) -> None:
        self.prefix = _identifier(prefix) or "model"
        if not self.prefix[0].isalpha():
            self.prefix = f"m{self.prefix}"
        # The name of the whole file.
        self.taken = {"model"}

    def unique(self, name: str, index: int) -> str:
        """Return a name that is not taken, with the index if it is cut off or was taken."""
        identifier = _identifier(name) or "tensor"
        short = identifier[:_LONGEST].rstrip("_")
        if short != identifier:
            short = f"{short}_{index}"
        while short in self.taken:
            short = f"{short}_{index}"
        self.taken.add(short)
        return f"{self.prefix}_{short}"


def _identifier(name: str) -> str:
    """Return the letters and digits of a name, with single underscores in place of the rest."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _comment(text: str) -> str:
    """Return a text for a comment, not too long for a line."""
    line = for_c_comment(text)
    return line if len(line) <= 80 else line[:77] + "..."


def _lines(
    model: Model, file: str, names: _Names, patterns: Sequence[str], include_model: bool
) -> Iterator[str]:
    """Yield the lines of the header; what is yielded may have several lines itself."""
    guard = f"{names.prefix.upper()}_H_INCLUDED"
    subgraph = model.subgraphs[0]
    budgeted = model.structure.file.afresh()
    constants = _constants(budgeted, subgraph.tensors, patterns)
    name_of = {tensor: names.unique(tensor.name, tensor.index) for tensor in subgraph.tensors}
    yield f"/* Generated by tflite-quant from {_comment(file)}. Do not edit. */"
    yield f"#ifndef {guard}\n#define {guard}\n\n#include <stdint.h>\n"
    if constants or include_model:
        yield _alignment(names.prefix.upper())
    written: set[Tensor] = set()
    for kind, tensors in (("Input", subgraph.inputs), ("Output", subgraph.outputs)):
        for position, tensor in enumerate(dict.fromkeys(tensors)):
            yield f"/* {kind} {position}: {_comment(tensor.name)}, {tensor.type.name} */"
            # A tensor may be both an input and an output.
            if tensor not in written:
                yield from _locating_errors(tensor, _input_or_output(tensor, name_of[tensor]))
            written.add(tensor)
            yield ""
    for tensor in constants:
        lines = _constant(tensor, name_of[tensor], names.prefix)
        yield from _locating_errors(tensor, lines)
        yield ""
    yield from _operators(model, budgeted, set(constants), names)
    if include_model:
        content = model.structure.file.memory
        yield from _array(f"{names.prefix}_model", "uint8_t", content, names.prefix)
        yield ""
    yield f"#endif /* {guard} */"


class _UnwritableError(Exception):
    """A number cannot be written in C; the message says which."""


def _locating_errors(tensor: Tensor, lines: Iterator[str]) -> Iterator[str]:
    """Yield lines; an error about a number that cannot be written names the tensor."""
    try:
        yield from lines
    except _UnwritableError as error:
        raise UnsupportedError(f"tensor {tensor.index} {tensor.name!r}: {error}") from None


def _operators(model: Model, file: File, constants: set[Tensor], names: _Names) -> Iterator[str]:
    """Define the integers of the operators that have one of some constants as input."""
    for operator in model.operators:
        if constants.isdisjoint(operator.inputs):
            continue
        name = names.unique(f"op_{operator.index}_{operator.code.name}", operator.index)
        title = f"operator {operator.index} {operator.code.name}"
        try:
            requantization = operator_requantization(operator)
        except (UnsupportedError, QuantizationError) as error:
            yield f"/* {title}: {_comment(str(error))} */"
        else:
            # Many operators may share weights that have many scales.
            multipliers = requantization.multipliers.values()
            size = sum(multiplier.multiplier.nbytes for multiplier in multipliers)
            file.spend(2 * ELEMENT_COST * size, "the multipliers of operators")
            how = requantization.arithmetic
            note = "" if how is Arithmetic.FIXED_POINT else f": {how.value}"
            yield f"/* {title}{note} */"
            yield from _requantization(requantization, name)
        yield ""


def _constants(file: File, tensors: Sequence[Tensor], patterns: Sequence[str]) -> list[Tensor]:
    """Return the constants whose names match one of the patterns."""
    matches = {
        pattern: [t for t in tensors if fnmatchcase(t.name, pattern) and _has_values(t)]
        for pattern in patterns
    }
    for pattern, constants in matches.items():
        if not constants:
            raise UnsupportedError(f"no constant tensor has a name like {pattern!r}")
    chosen = sorted(set[Tensor]().union(*matches.values()), key=lambda tensor: tensor.index)
    # In a small file tensors may share their bytes, and sparse tensors may be large.
    inside = [tensor for tensor in chosen if tensor.external_buffer is None]
    sizes = (
        t.nbytes or 0
        if t.is_constant and not t.is_sparse
        else math.prod(t.shape[:MAX_ARRAY_RANK]) * (1 if t.is_constant else 4)
        for t in inside
    )
    file.spend(ELEMENT_COST * sum(sizes), "the values of constants")
    return chosen


def _has_values(tensor: Tensor) -> bool:
    """Tell whether a tensor is a constant, or is made of one alone."""
    return tensor.is_constant or tensor.converted is not None


def _alignment(prefix: str) -> str:
    """Return the definition of a macro that aligns an array, as the compiler knows it."""
    macro = f"#define {prefix}_ALIGN"
    return f"""\
#if defined(__cplusplus)
{macro} alignas(16)
#elif defined(__GNUC__)
{macro} __attribute__((aligned(16)))
#elif defined(_MSC_VER)
{macro} __declspec(align(16))
#elif defined(__ICCARM__) || defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
{macro} _Alignas(16)
#else
{macro}
#endif
"""


def _input_or_output(tensor: Tensor, name: str) -> Iterator[str]:
    """Define the shape, the size and the quantization of an input or output."""
    macro, shape = name.upper(), tensor.shape
    yield f"#define {macro}_RANK {len(shape)}"
    if shape:
        dimensions = ", ".join(map(str, shape))
        yield f"static const int32_t {name}_shape[{len(shape)}] = {{{dimensions}}};"
    count = math.prod(shape[:MAX_ARRAY_RANK])
    if len(shape) > MAX_ARRAY_RANK or count >= 1 << 63:
        raise _UnwritableError(f"C has no array of shape {brief(shape)}")
    yield f"#define {macro}_COUNT {_integer_literal(count)}"
    if tensor.nbytes is not None:
        yield f"#define {macro}_BYTES {tensor.nbytes}"
    if isinstance(tensor.quantization, PerTensor):
        yield from _scale_and_zero_point(tensor.quantization, macro)
        if tensor.type in _CONVERTED and _can_convert(tensor.quantization):
            yield _conversions(tensor, tensor.quantization, name)


def _scale_and_zero_point(quantization: PerTensor, macro: str) -> Iterator[str]:
    yield f"#define {macro}_SCALE {_float_literal(quantization.scale, np.float32)}"
    yield f"#define {macro}_ZERO_POINT ({_integer_literal(quantization.zero_point)})"


def _can_convert(quantization: PerTensor) -> bool:
    """Return whether the functions can compute exactly what `quantize` and `dequantize` do."""
    scale = np.float32(quantization.scale)
    zero_points = np.array([quantization.zero_point])
    return bool(np.isfinite(scale) and scale > 0) and are_exact(zero_points)


def _conversions(tensor: Tensor, quantization: PerTensor, name: str) -> str:
    """Return the functions that quantize and dequantize one value."""
    c_type, (low, high) = _C_TYPES[tensor.dtype.str[1:]], INTEGER_RANGES[tensor.type]
    lowest, highest = (
        _float_literal(bound - quantization.zero_point, np.float32) for bound in (low, high)
    )
    macro = name.upper()
    return f"""\
/* Rounds halves away from zero and saturates; NaN becomes the zero point. */
static inline {c_type} {name}_quantize(float real) {{
  float q = real / {macro}_SCALE;
  q += q < 0.0f ? -0.49999997f : 0.49999997f;
  if (q <= {lowest}) return {low};
  if (q >= {highest}) return {high};
  return ({c_type})((q == q ? (int32_t)q : 0) + {macro}_ZERO_POINT);
}}
static inline float {name}_dequantize({c_type} q) {{
  return (float)(q - {macro}_ZERO_POINT) * {macro}_SCALE;
}}"""


def _constant(tensor: Tensor, name: str, prefix: str) -> Iterator[str]:
    """Define the values of a constant, and its scales."""
    yield f"/* {_comment(tensor.name)}: {tensor.type.name} of shape {list(tensor.shape)} */"
    if not tensor.is_constant:
        # An operator makes it of a constant alone, such as float32 weights of float16 ones.
        values: NDArray[Any] = tensor.dequantize()
    else:
        values = tensor.data if tensor.is_sparse else tensor.stored
    c_type = _C_TYPES.get(values.dtype.str[1:])
    if c_type is None:
        raise _UnwritableError(f"C has no {values.dtype.name}")
    if values.dtype.type is np.float16:
        values = values.view(np.dtype("u2").newbyteorder(values.dtype.byteorder))
    yield from _array(name, c_type, values.reshape(-1), prefix)
    match tensor.quantization:
        case PerTensor() as quantization:
            yield from _scale_and_zero_point(quantization, name.upper())
        case PerAxis(scales=scales, zero_points=zero_points, axis=axis):
            yield f"#define {name.upper()}_AXIS {axis}"
            yield from _array(f"{name}_scales", "float", scales)
            if zero_points.any():
                yield from _array(f"{name}_zero_points", "int64_t", zero_points)


def _requantization(requantization: Requantization, name: str) -> Iterator[str]:
    """Define the integers with which an operator computes its output."""
    macro = name.upper()
    for operand, offset in requantization.offsets.items():
        yield f"#define {macro}_{operand.upper()}_OFFSET ({_integer_literal(offset)})"
    if requantization.range is not None:
        lowest, highest = requantization.range
        yield f"#define {macro}_LOWEST ({_integer_literal(lowest)})"
        yield f"#define {macro}_HIGHEST ({_integer_literal(highest)})"
    for constant, value in requantization.constants.items():
        yield f"#define {macro}_{constant.upper()} ({_integer_literal(value)})"
    for role, (_, multipliers, shifts) in requantization.multipliers.items():
        yield from _array(f"{name}_{role}_multipliers", "int32_t", multipliers)
        yield from _array(f"{name}_{role}_shifts", "int32_t", shifts)


def _array(
    name: str, c_type: str, values: NDArray[Any], align_prefix: str | None = None
) -> Iterator[str]:
    """Define the number of values and, since C has no empty arrays, an array if there are any.

    An array that is aligned, by the macro with a prefix, is one of data, and its name says so.
    """
    align = ""
    if align_prefix is not None:
        name, align = f"{name}_data", f"{align_prefix.upper()}_ALIGN "
    yield f"#define {name.upper()}_SIZE {values.size}"
    if not values.size:
        return
    yield f"{align}static const {c_type} {name}[{values.size}] = {{"
    for start in range(0, values.size, _PER_LINE):
        yield f"  {', '.join(_literals(values[start : start + _PER_LINE]))},"
    yield "};"


def _literals(values: NDArray[Any]) -> list[str]:
    """Return numbers as C literals."""
    if values.dtype.kind == "f":
        return [_float_literal(value, values.dtype.type) for value in values.tolist()]
    if values.dtype.itemsize < 4:
        # Most values of a header, and none that needs a suffix; booleans become 0 and 1.
        return list(map(str, values.astype(np.int32).tolist()))
    return [_integer_literal(value) for value in values.tolist()]


def _integer_literal(value: int) -> str:
    """Return an integer as C has it, with a suffix if it does not fit into 32 bits."""
    if value in (-(1 << 31), -(1 << 63)):
        # In C, the minus is not part of the literal, which would be too large without it.
        return f"({_integer_literal(value + 1)} - 1)"
    if -(1 << 31) < value < 1 << 31:
        return str(value)
    return f"{value}{'ULL' if value >= 1 << 63 else 'LL'}"


def _float_literal(value: float, dtype: type[np.floating[Any]]) -> str:
    """Return a number as a C literal that reads back to the same bits."""
    number = dtype(value)
    if not np.isfinite(number):
        raise _UnwritableError(f"{number} cannot be written in C without <math.h>")
    is_float32 = dtype is np.float32
    text = f"{float(number):.{9 if is_float32 else 17}g}"
    if not set(text) & set(".e"):
        text += ".0"
    return text + ("f" if is_float32 else "")


def depfile(target: str, source: str) -> str:
    r"""Return the rule that tells make and ninja what a header depends on.

    Raises
    ------
    ValueError
        A path has a line break, which no rule can have.

    Examples
    --------
    >>> print(depfile("out/my model.h", "my model.tflite"), end="")
    out/my\ model.h: my\ model.tflite
    """
    return f"{for_make(target)}: {for_make(source)}\n"


def write_if_changed(path: str, text: str) -> bool:
    """Write a file unless it has the text already.

    A regular file, or the one that a link leads to, is replaced as a whole: the text goes to a new
    file beside it first. Anything else, such as a device or a pipe, is written to.

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
    content, target = os.fsencode(text), os.path.realpath(path)
    exists = os.path.exists(target)
    if exists and not os.path.isfile(target):
        with builtins.open(target, "wb") as file:
            file.write(content)
        return True
    if exists:
        with builtins.open(target, "rb") as file:
            if file.read() == content:
                return False
    temporary = f"{target}.{secrets.token_hex(8)}.tmp"
    try:
        # Exclusively: a file or link of that name, which others may have made, is not written to.
        with builtins.open(temporary, "xb") as file:
            file.write(content)
        if exists:
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)
        raise OSError(error.errno, error.strerror, path) from None
    return True
