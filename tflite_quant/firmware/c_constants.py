"""A model's constants in C, with the integers that the operators which read them compute with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import QuantizationError, UnsupportedError, plural
from ..format.budget import ELEMENT_COST, MAX_ARRAY_RANK
from ..format.flatbuffer import File
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import PerAxis, PerTensor
from ..model.tensor import Tensor
from .c_interface import locating_errors, scale_and_zero_point
from .c_text import (
    C_TYPES,
    Array,
    Names,
    Part,
    UnwritableError,
    comment,
    integer_literal,
)
from .kernels import operator_requantization
from .requantization import Arithmetic, Requantization

__all__ = ["aligned_array", "constant_lines", "constants", "without_values"]


def constants(model: Model, patterns: Sequence[str]) -> list[Tensor]:
    """Return the constants of all subgraphs whose names match one of the patterns.

    Raises
    ------
    UnsupportedError
        A pattern matches no tensor at all.
    """
    chosen: dict[Tensor, None] = {}
    for pattern in patterns:
        chosen.update(dict.fromkeys(filter(_has_values, _matching(model, pattern))))
    return sorted(chosen, key=lambda tensor: (tensor.subgraph_index, tensor.index))


def without_values(model: Model, patterns: Sequence[str]) -> Iterator[str]:
    """Yield a line for each pattern that matches tensors which are no constants.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/mixed.tflite") as model:
    ...     print(*without_values(model, ["serving*"]))
    'serving*' matches 1 tensor without values: serving_default_image:0
    """
    for pattern in patterns:
        names = [tensor.name for tensor in _matching(model, pattern) if not _has_values(tensor)]
        if names:
            some = ", ".join(name[:80] for name in names[:3]) + ", ..." * (len(names) > 3)
            count = f"{len(names)} {plural('tensor', len(names))}"
            yield f"{pattern!r} matches {count} without values: {some}"


def _matching(model: Model, pattern: str) -> tuple[Tensor, ...]:
    if not (found := model.find(pattern)):
        raise UnsupportedError(f"no tensor has a name like {pattern!r}")
    return found


def _has_values(tensor: Tensor) -> bool:
    """Tell whether a tensor is a constant, or is made of one alone."""
    return tensor.is_constant or tensor.converted is not None


def constant_lines(
    model: Model, file: File, names: Names, patterns: Sequence[str]
) -> Iterator[Part]:
    """Define the constants whose names match, and the integers of the operators that read them.

    Raises
    ------
    UnsupportedError
        A pattern matches no tensor, or a tensor has values that cannot be written in C.
    CorruptModelError
        A constant's values do not fit its buffer, or so many share theirs that the header would be
        too large for a file of this size.
    """
    chosen = constants(model, patterns)
    # In a small file tensors may share their bytes, and sparse tensors may be large.
    inside = [tensor for tensor in chosen if tensor.external_buffer is None]
    sizes = (
        t.nbytes or 0
        if t.is_constant and not (t.is_sparse or t.is_compressed)
        else math.prod(t.shape[:MAX_ARRAY_RANK]) * (1 if t.is_constant or t.is_compressed else 4)
        for t in inside
    )
    file.spend(ELEMENT_COST * sum(sizes), "the values of constants")
    for line in without_values(model, patterns):
        yield f"/* {comment(line)} */\n"
    for tensor in chosen:
        lines = _constant(tensor, names.unique(tensor.name, tensor.index), names.prefix)
        yield from locating_errors(tensor, lines)
        yield ""
    if chosen:
        yield from _operators(model, file, set(chosen), names)


def _constant(tensor: Tensor, name: str, prefix: str) -> Iterator[Part]:
    """Define the values of a constant, and its scales."""
    is_encoded = tensor.role == "encoded"
    what = f"{tensor.type.name} of shape {list(tensor.shape)}{', encoded' if is_encoded else ''}"
    yield f"/* {comment(tensor.name)}: {what} */"
    if tensor.is_compressed:
        values: NDArray[Any] = tensor.data
    elif not tensor.is_constant:
        # An operator makes it of a constant alone, such as float32 weights of float16 ones.
        values = tensor.dequantize()
    else:
        values = tensor.data if tensor.is_sparse else tensor.stored
    c_type = C_TYPES.get(values.dtype.str[1:])
    if c_type is None:
        raise UnwritableError(f"C has no {values.dtype.name}")
    if values.dtype.type is np.float16:
        values = values.view(np.dtype("u2").newbyteorder(values.dtype.byteorder))
    yield from aligned_array(name, c_type, values.reshape(-1), prefix)
    if is_encoded:
        # Its scales are those of the tensor that a DECODE makes of it.
        return
    match tensor.quantization:
        case PerTensor() as quantization:
            for _, line in scale_and_zero_point(quantization, name.upper()):
                yield line
        case PerAxis(scales=scales, zero_points=zero_points, axis=axis):
            yield f"#define {name.upper()}_AXIS {axis}"
            yield from _array(f"{name}_scales", "float", scales)
            if zero_points.any():
                yield from _array(f"{name}_zero_points", "int64_t", zero_points)


def _operators(model: Model, file: File, chosen: set[Tensor], names: Names) -> Iterator[Part]:
    """Define the integers of the operators that have one of some constants as input."""
    for subgraph in model.subgraphs:
        of = "" if subgraph.index == 0 else f"subgraph_{subgraph.index}_"
        for operator in subgraph.operators:
            if not chosen.isdisjoint(operator.inputs):
                name = names.unique(f"{of}op_{operator.index}_{operator.code.name}", operator.index)
                title = f"{of.replace('_', ' ')}operator {operator.index} {operator.code.name}"
                yield from _operator(operator, file, name, title)
                yield ""


def _operator(operator: Operator, file: File, name: str, title: str) -> Iterator[Part]:
    try:
        requantization = operator_requantization(operator)
    except (UnsupportedError, QuantizationError) as error:
        yield f"/* {title}: {comment(str(error))} */"
        return
    # Many operators may share weights that have many scales.
    multipliers = requantization.multipliers.values()
    size = sum(multiplier.multiplier.nbytes for multiplier in multipliers)
    file.spend(2 * ELEMENT_COST * size, "the multipliers of operators")
    how = requantization.arithmetic
    note = "" if how is Arithmetic.FIXED_POINT else f": {how.value}"
    yield f"/* {title}{note} */"
    yield from _requantization(requantization, name)


def _requantization(requantization: Requantization, name: str) -> Iterator[Part]:
    """Define the integers with which an operator computes its output."""
    macro = name.upper()
    for operand, offset in requantization.offsets.items():
        yield f"#define {macro}_{operand.upper()}_OFFSET ({integer_literal(offset)})"
    if requantization.left_shift:
        yield f"#define {macro}_LEFT_SHIFT {requantization.left_shift}"
    if requantization.range is not None:
        lowest, highest = requantization.range
        yield f"#define {macro}_LOWEST ({integer_literal(lowest)})"
        yield f"#define {macro}_HIGHEST ({integer_literal(highest)})"
    for constant, value in requantization.constants.items():
        yield f"#define {macro}_{constant.upper()} ({integer_literal(value)})"
    for role, (_, multipliers, shifts) in requantization.multipliers.items():
        yield from _array(f"{name}_{role}_multipliers", "int32_t", multipliers)
        yield from _array(f"{name}_{role}_shifts", "int32_t", shifts)


def aligned_array(name: str, c_type: str, values: NDArray[Any], prefix: str) -> Iterator[Part]:
    """Define an array of data, aligned by the macro with a prefix, and the number of its values."""
    yield from _array(f"{name}_data", c_type, values, f"{prefix.upper()}_ALIGN ")


def _array(name: str, c_type: str, values: NDArray[Any], align: str = "") -> Iterator[Part]:
    """Define the number of values and, since C has no empty arrays, an array if there are any."""
    array = Array(name, c_type, values, align)
    yield array.size
    if values.size:
        yield array
