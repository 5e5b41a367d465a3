"""Models of one operator, of many types, which tell what a runtime has a kernel for.

A *pattern* says what an operator reads and writes: "T, per-axis INT8, INT32 -> T". `T` is a type
that all tensors so called have. Before a type there may be

- "per-tensor", "per-axis" or "blockwise": how many scales there are;
- "constant" or "variable": whether the file has the values, or the model is fed with them;
- "each": one tensor or more.

`-` is an input that is absent. A pattern and a type for T are a *form*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec

__all__ = ["ALL", "Form", "Spec", "Trial", "forms", "trials"]

TYPES = {
    **{name: number for name, number in vars(tflite.TensorType).items() if name.isupper()},
    "INT2": 19,
}
"""The number of each type; package tflite 2.18 has no INT2."""

ALL = (
    "BFLOAT16", "BOOL", "COMPLEX64", "FLOAT16", "FLOAT32", "FLOAT64", "INT16", "INT32", "INT4",
    "INT64", "INT8", "STRING", "UINT16", "UINT32", "UINT64", "UINT8",
)  # fmt: skip
"""The types that T may be."""

NARROW = {"INT2", "INT4", "INT8", "UINT8", "INT16"}
"""The types of which tensors have scales, if the kernel may want them."""

Values = tuple[int, ...] | NDArray[Any]
"""A tensor of a shape, whose values do not matter; or one of these values."""


class Spec(NamedTuple):
    """How to build an operator of a pattern.

    Attributes
    ----------
    pattern : str
    tensors : sequence of tuple or ndarray
        The shape or the values of each input, then of each output.
    options : tuple of (str, mapping)
        The options' table and its fields.
    types : sequence of str
        What T may be.
    axis : int
        That of scales per-axis.
    scales : mapping of str to (float, int)
        Scale and zero point of the output, by its type, where a kernel prescribes them.
    version : int
        That of the operator.
    """

    pattern: str
    tensors: Sequence[Values]
    options: tuple[str, Mapping[str, Any]] | None = None
    types: Sequence[str] = ALL
    axis: int = 0
    scales: Mapping[str, tuple[float, int]] = {}
    version: int = 1


class Form(NamedTuple):
    """An operator with the types of its tensors."""

    operator: str
    pattern: str
    type: str


class Trial(NamedTuple):
    """A model of a form, and what to feed it with; None where a value does not matter."""

    form: Form
    model: bytes
    inputs: Sequence[NDArray[Any] | None]


def forms(specs: Mapping[str, Sequence[Spec]]) -> Iterator[tuple[Form, Spec]]:
    """Yield all forms, each with the spec that says how to build it."""
    for operator, its_specs in specs.items():
        for spec in its_specs:
            for pattern in _patterns(spec.pattern):
                for type in spec.types:
                    yield Form(operator, pattern, type), spec


def _patterns(pattern: str) -> Iterator[str]:
    """Yield a pattern with each "?" replaced by "constant" and by "variable"."""
    count = pattern.count("?")
    if not count:
        yield pattern
        return
    # All constant, then each one variable alone.
    for which in range(-1, count):
        words = iter("variable " if index == which else "constant " for index in range(count))
        yield re.sub(r"\?", lambda _: next(words), pattern)  # noqa: B023  # used at once


def trials(form: Form, spec: Spec) -> Iterator[Trial]:
    """Yield models of a form: quantized, and if it has narrow integers also without scales."""
    sides = [side.split(", ") if side else [] for side in form.pattern.split(" -> ")]
    sides = [[*_repeated(side)] for side in sides]
    operands = [re.sub(r"\bT\b", form.type, operand) for side in sides for operand in side]
    tensors = [*_expanded(form.pattern, spec.tensors)]
    has_narrow = any(operand.split()[-1] in NARROW for operand in operands if operand != "-")
    says_scales = re.search(r"per-tensor|per-axis|blockwise", form.pattern) is not None
    for is_quantized in (True, False) if has_narrow and not says_scales else (True,):
        yield _trial(form, spec, operands, tensors, len(sides[0]), is_quantized)


def _repeated(operands: Sequence[str]) -> Iterator[str]:
    for operand in operands:
        name = operand.removeprefix("each ")
        yield name
        if name != operand:
            yield name


def _expanded(pattern: str, tensors: Sequence[Values]) -> Iterator[Values]:
    """Yield what a spec gives of tensors, twice where there are two."""
    operands = [one for side in pattern.split(" -> ") for one in side.split(", ") if one]
    for operand, tensor in zip(operands, tensors, strict=True):
        yield tensor
        if operand.startswith("each "):
            yield tensor


def _trial(
    form: Form,
    spec: Spec,
    operands: Sequence[str],
    tensors: Sequence[Values],
    count: int,
    is_quantized: bool,
) -> Trial:
    made: list[TensorSpec] = []
    indices: list[int] = []
    fed: dict[int, NDArray[Any] | None] = {}
    for position, (operand, given) in enumerate(zip(operands, tensors, strict=True)):
        if operand == "-":
            indices.append(-1)
            continue
        *markers, type = operand.split()
        shape = given if isinstance(given, tuple) else given.shape
        is_constant = position < count and "variable" not in markers and (
            "constant" in markers or not isinstance(given, tuple)
        )  # fmt: skip
        tensor = TensorSpec(f"t{position}", shape, TYPES[type])
        if is_quantized:
            output = spec.scales.get(type) if position >= count else None
            tensor = _quantized(tensor, markers, type, spec, output, position, position < count)
        if is_constant:
            tensor.data = _bytes(given, type)
        elif position < count:
            fed[len(made)] = _array(given, type)
        indices.append(len(made))
        made.append(tensor)
    extra = _scales_of_blocks(made, operands)
    fields = {} if spec.options is None else _options(*spec.options)
    code = getattr(tflite.BuiltinOperator, form.operator)
    ends = indices[:count], indices[count:]
    operator = OperatorSpec(code, *ends, version=spec.version, fields=fields)
    graph = SubgraphSpec([*made, *extra], [*fed], indices[count:], [operator])
    return Trial(form, build.model(graph), [*fed.values()])


def _quantized(
    tensor: TensorSpec,
    markers: Sequence[str],
    type: str,
    spec: Spec,
    output: tuple[float, int] | None,
    position: int,
    is_input: bool,
) -> TensorSpec:
    assert tensor.shape is not None
    is_bias = (
        is_input and position in (2, 3) and type in ("INT32", "INT64") and len(tensor.shape) == 1
    )
    if output is not None:
        tensor.scale, tensor.zero_point = output
    elif "per-axis" in markers:
        size = tensor.shape[spec.axis]
        tensor.scale, tensor.zero_point = [0.5] * size, [0] * size
        tensor.axis = spec.axis
    elif "blockwise" in markers:
        # The scales are the tensor that follows all others.
        tensor.details = build.blockwise(32, None, -2)
    elif type in NARROW:
        tensor.scale, tensor.zero_point = 0.5, 0
    elif is_bias:
        tensor.scale, tensor.zero_point = 0.25, 0
    return tensor


def _scales_of_blocks(made: Sequence[TensorSpec], operands: Sequence[str]) -> list[TensorSpec]:
    for index, tensor in enumerate(made):
        if "blockwise" in operands[index].split() and tensor.details is not None:
            assert tensor.shape is not None
            tensor.details = build.blockwise(32, None, len(made))
            rows, columns = tensor.shape
            scales = np.full((rows, columns // 32), 0.5, np.float16)
            return [build.constant(scales, name="scales")]
    return []


def _options(table: str, given: Mapping[str, Any]) -> dict[str, Any]:
    number = getattr(tflite.BuiltinOptions, table)

    def write(b: build.Builder) -> int:
        fields = {
            name: build.numbers(b, value, "<i4" if name != "boundaries" else "<f4")
            if isinstance(value, list)
            else value
            for name, value in given.items()
        }
        return build.table(b, table, **fields)

    return {"builtin_options_type": number, "builtin_options": write}


def _array(given: Values, type: str) -> NDArray[Any] | None:
    """Return values for an input: ones where they do not matter; None if numpy has no such type."""
    values = np.ones(given, np.int8) if isinstance(given, tuple) else given
    if type == "STRING":
        return np.full(values.shape, b"a", object)
    if type in ("BFLOAT16", "INT4", "INT2"):
        return None
    return values.astype(np.dtype(type.lower()))


def _bytes(given: Values, type: str) -> NDArray[Any] | bytes:
    """Return values as they lie in a buffer."""
    values = np.ones(given, np.int8) if isinstance(given, tuple) else given
    if type == "STRING":
        ends = 4 * (values.size + 2) + np.arange(values.size + 1)
        return np.array([values.size, *ends], "<i4").tobytes() + b"a" * values.size
    if type == "BFLOAT16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    if type in ("INT4", "INT2"):
        per_byte = {"INT4": 2, "INT2": 4}[type]
        return b"\x11" * -(-values.size // 2) if per_byte == 2 else b"\x55" * -(-values.size // 4)
    return values.astype(np.dtype(type.lower()))
