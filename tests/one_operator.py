"""Models of one operator, each as its rule says it should be: a recipe for every operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tflite_quant.checks.rule import Agreement, Operand, Role, Rule
from tflite_quant.format.schema import INTEGER_RANGES, TensorType

__all__ = ["RECIPES", "OneOperator", "one_operator"]

INT16 = TensorType.INT16
_WIDE = 1 / 128
"""How much smaller the scales of int16 are."""

Shape = tuple[int, ...]
Part = Shape | NDArray[Any]
"""The shape of an operand, or the values of one that is no quantized tensor."""


@dataclass(frozen=True)
class OneOperator:
    """An operator with its tensors: its inputs, then its outputs."""

    name: str
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    table: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1

    @property
    def model(self) -> bytes:
        """The file."""
        return self._model()

    def with_operands(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """Return the file with some of its operands, numbered each from 0; -1 leaves one out."""
        return self._model(inputs, outputs)

    def _model(
        self, inputs: Sequence[int] | None = None, outputs: Sequence[int] | None = None
    ) -> bytes:
        tensors: list[TensorSpec] = []
        read: list[int] = []
        for tensor in self.inputs:
            read.append(-1 if tensor is None else len(tensors))
            if tensor is not None:
                tensors.append(tensor)
        written = [*range(len(tensors), len(tensors) + len(self.outputs))]
        fed = [i for i, tensor in enumerate(tensors) if tensor.data is None]
        fed = [i for i in fed if not tensors[i].is_variable]
        fields: dict[str, Any] = {}
        if self.table is not None:
            fields["builtin_options_type"] = getattr(tflite.BuiltinOptions, self.table)
            fields["builtin_options"] = self._options
        code = getattr(tflite.BuiltinOperator, self.name)
        reads = read if inputs is None else [-1 if i < 0 else read[i] for i in inputs]
        writes = written if outputs is None else [-1 if i < 0 else written[i] for i in outputs]
        one = OperatorSpec(code, reads, writes, version=self.version, fields=fields)
        graph = SubgraphSpec([*tensors, *self.outputs], fed, written, [one], "main")
        return build.model(graph)

    def _options(self, b: build.Builder) -> int:
        return build.table(b, str(self.table), **build.written(b, self.options))

    @property
    def tensors(self) -> tuple[TensorSpec | None, ...]:
        """The inputs, then the outputs."""
        return (*self.inputs, *self.outputs)

    @property
    def lacks(self) -> bool:
        """Whether an input of the recipe is not there."""
        return len(self.inputs) < len(RECIPES[self.name].inputs) or None in self.inputs

    def operand(self, rule: Rule, position: int) -> Operand | None:
        """Return what a rule says of one of `tensors`."""
        count = len(self.inputs)
        return rule.input(position) if position < count else rule.output(position - count)

    def with_tensor(self, index: int, **changes: Any) -> OneOperator:
        """Return it with one of `tensors` changed."""
        tensors = [*self.tensors]
        changed = tensors[index]
        assert changed is not None
        tensors[index] = replace(changed, **changes)
        count = len(self.inputs)
        outputs = tuple(tensor for tensor in tensors[count:] if tensor is not None)
        return replace(self, inputs=tuple(tensors[:count]), outputs=outputs)

    def with_options(self, **changes: Any) -> OneOperator:
        """Return it with other options."""
        return replace(self, options={**self.options, **changes})


@dataclass(frozen=True)
class Recipe:
    """The operands of an operator, and its options."""

    inputs: Sequence[Part]
    outputs: Sequence[Shape]
    table: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1 / 32
    """That of an output, unless the operator prescribes it or does not rescale."""
    zero_point: int | None = None
    """That of activations, where not every one will do."""
    version: int = 1


def ints(*values: Any, dtype: Any = np.int32) -> NDArray[Any]:
    return np.array(values, dtype)


# fmt: off
_VALUES, _ROW, _IMAGE, _AXIS = (2, 16), (1, 4), (1, 4, 4, 2), ints(1)
_LAST = ints(1).reshape(())
_UNARY = Recipe([_VALUES], [_VALUES])
_BINARY = Recipe([_VALUES, _VALUES], [_VALUES])
_REDUCE = Recipe([(1, 4, 3)], [(1, 3)], "ReducerOptions", {"keep_dims": False})
_REDUCED = Recipe([(1, 4, 3), _AXIS], [(1, 3)], "ReducerOptions", {"keep_dims": False})
_POOL = Recipe(
    [_IMAGE], [(1, 2, 2, 2)], "Pool2DOptions",
    {"stride_w": 2, "stride_h": 2, "filter_width": 2, "filter_height": 2},
)
_STRIDES = {"stride_w": 1, "stride_h": 1, "padding": 1}
_CORNERS = ints([0, 0], [1, 1], [1, 1], [0, 0])

RECIPES: Mapping[str, Recipe] = {
    **dict.fromkeys(
        ("ABS", "EXP", "HARD_SWISH", "LOG", "LOGISTIC", "LOG_SOFTMAX", "RELU", "RELU6",
         "RELU_N1_TO_1", "RSQRT", "SQRT", "TANH", "QUANTIZE", "DEQUANTIZE"), _UNARY),
    **dict.fromkeys(
        ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "MAXIMUM", "MINIMUM",
         "NOT_EQUAL", "PRELU", "SQUARED_DIFFERENCE"), _BINARY),
    **dict.fromkeys(
        ("MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM"), _REDUCED),
    "ADD": Recipe([_VALUES, _VALUES], [_VALUES], "AddOptions"),
    "ARG_MAX": Recipe([_ROW, _AXIS], [(1,)], "ArgMaxOptions", {"output_type": 2}),
    "ARG_MIN": Recipe([_ROW, _AXIS], [(1,)], "ArgMinOptions", {"output_type": 2}),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": Recipe([(1, 2, 4), (1, 4, 3)], [(1, 2, 3)], "BatchMatMulOptions"),
    "BATCH_TO_SPACE_ND": Recipe([(4, 2, 2, 1), ints(2, 2), ints([0, 0], [0, 0])], [(1, 4, 4, 1)]),
    "BROADCAST_TO": Recipe([_ROW, ints(3, 4)], [(3, 4)], version=2),
    "CONCATENATION": Recipe([_ROW, _ROW], [(2, 4)], "ConcatenationOptions", {"axis": 0}),
    "CONV_2D": Recipe(
        [_IMAGE, (3, 2, 2, 2), (3,)], [(1, 3, 3, 3)], "Conv2DOptions", _STRIDES, 1 / 4),
    "DEPTHWISE_CONV_2D": Recipe(
        [_IMAGE, (1, 2, 2, 4), (4,)], [(1, 3, 3, 4)], "DepthwiseConv2DOptions",
        {**_STRIDES, "depth_multiplier": 2}, 1 / 4),
    "DEPTH_TO_SPACE": Recipe(
        [(1, 2, 2, 4)], [(1, 4, 4, 1)], "DepthToSpaceOptions", {"block_size": 2}),
    "DIV": Recipe([_VALUES, _VALUES], [_VALUES], "DivOptions"),
    "EMBEDDING_LOOKUP": Recipe([ints(1, 0), (3, 4)], [(2, 4)]),
    "EXPAND_DIMS": Recipe([_ROW, ints(0)], [(1, 1, 4)]),
    "FILL": Recipe([ints(2, 3), ()], [(2, 3)]),
    "FULLY_CONNECTED": Recipe(
        [(2, 4), (3, 4), (3,)], [(2, 3)], "FullyConnectedOptions", scale=1 / 4),
    "GATHER": Recipe([(3, 4), ints(2, 0)], [(2, 4)], "GatherOptions"),
    "GATHER_ND": Recipe([(3, 4), ints([2], [0])], [(2, 4)]),
    "GELU": Recipe([_VALUES], [_VALUES], "GeluOptions"),
    "L2_NORMALIZATION": Recipe([_VALUES], [_VALUES], "L2NormOptions"),
    "LEAKY_RELU": Recipe([_VALUES], [_VALUES], "LeakyReluOptions", {"alpha": 0.5}),
    "MAX_POOL_2D": _POOL,
    "MIRROR_PAD": Recipe([_ROW, ints([0, 0], [1, 1])], [(1, 6)], "MirrorPadOptions"),
    "MUL": Recipe([_VALUES, _VALUES], [_VALUES], "MulOptions"),
    "PACK": Recipe([_ROW, _ROW], [(2, 1, 4)], "PackOptions", {"values_count": 2}),
    "PAD": Recipe([_IMAGE, _CORNERS], [(1, 6, 6, 2)]),
    "PADV2": Recipe([_IMAGE, _CORNERS, ()], [(1, 6, 6, 2)]),
    "RESHAPE": Recipe([_ROW, ints(2, 2)], [(2, 2)]),
    "RESIZE_BILINEAR": Recipe([_IMAGE, ints(8, 8)], [(1, 8, 8, 2)], "ResizeBilinearOptions"),
    "RESIZE_NEAREST_NEIGHBOR": Recipe(
        [_IMAGE, ints(8, 8)], [(1, 8, 8, 2)], "ResizeNearestNeighborOptions"),
    "REVERSE_V2": Recipe([_ROW, _AXIS], [_ROW]),
    "SCATTER_ND": Recipe([ints([1], [0]), (2,), ints(4)], [(4,)], zero_point=0),
    "SELECT": Recipe([_ROW, _ROW, _ROW], [_ROW]),
    "SHAPE": Recipe([_ROW], [(2,)], "ShapeOptions", {"out_type": 2}),
    "SLICE": Recipe([_ROW, ints(0, 1), ints(1, 2)], [(1, 2)]),
    "SOFTMAX": Recipe([_VALUES], [_VALUES], "SoftmaxOptions", {"beta": 1.0}),
    "SPACE_TO_BATCH_ND": Recipe([(1, 4, 4, 1), ints(2, 2), ints([0, 0], [0, 0])], [(4, 2, 2, 1)]),
    "SPACE_TO_DEPTH": Recipe(
        [(1, 4, 4, 1)], [(1, 2, 2, 4)], "SpaceToDepthOptions", {"block_size": 2}),
    "SPLIT": Recipe([_LAST, _ROW], [(1, 2), (1, 2)], "SplitOptions", {"num_splits": 2}),
    "SPLIT_V": Recipe(
        [_ROW, ints(2, 2), _LAST], [(1, 2), (1, 2)], "SplitVOptions", {"num_splits": 2}),
    "SQUEEZE": Recipe([(1, 1, 4)], [_ROW], "SqueezeOptions",
                      {"squeeze_dims": lambda b: build.numbers(b, [0], "<i4")}),
    "STRIDED_SLICE": Recipe(
        [_ROW, ints(0, 1), ints(1, 3), ints(1, 1)], [(1, 2)], "StridedSliceOptions"),
    "SUB": Recipe([_VALUES, _VALUES], [_VALUES], "SubOptions"),
    "TILE": Recipe([_ROW, ints(2, 1)], [(2, 4)]),
    "TRANSPOSE": Recipe([(2, 3), ints(1, 0)], [(3, 2)]),
    "TRANSPOSE_CONV": Recipe(
        [ints(1, 4, 4, 3), (3, 2, 2, 2), _IMAGE, (3,)], [(1, 4, 4, 3)], "TransposeConvOptions",
        {"stride_w": 1, "stride_h": 1}, 1 / 4),
    "UNPACK": Recipe([(2, 4)], [(4,), (4,)], "UnpackOptions", {"num": 2}),
    "WHERE": Recipe([(16,)], [(16, 1)], zero_point=0),
}
# fmt: on
"""How to make a model of each operator that has a rule, but for those of `APART`."""


def one_operator(name: str, rule: Rule, seed: int = 1) -> OneOperator:
    """Return a model of an operator, quantized as its rule says."""
    recipe, random = RECIPES[name], np.random.default_rng(seed)
    inputs: list[TensorSpec] = []
    for index, part in enumerate(recipe.inputs):
        operand = rule.input(index) or Operand(Role.OTHER)
        inputs.append(_tensor(operand, part, f"input {index}", random))
    for index, tensor in enumerate(inputs):
        product = getattr(rule.input(index), "product", None)
        if product is not None:
            one, other = (np.asarray(inputs[i].scale, np.float32) for i in product.inputs)
            zeros = np.zeros_like(other * one, np.int64)
            inputs[index] = replace(tensor, scale=one * other, zero_point=zeros)
    outputs: list[TensorSpec] = []
    for index, shape in enumerate(recipe.outputs):
        operand = rule.output(index) or Operand(Role.OTHER)
        tensor = _tensor(operand, shape, f"output {index}", random)
        if tensor.scale is not None and operand.scale is None and rule.same is Agreement.NONE:
            tensor = replace(tensor, scale=recipe.scale * (_WIDE if tensor.type == INT16 else 1))
        outputs.append(tensor)
    if recipe.zero_point is not None:
        inputs, outputs = (
            [
                one if one.scale is None else replace(one, zero_point=recipe.zero_point)
                for one in each
            ]
            for each in (inputs, outputs)
        )
    return OneOperator(
        name, tuple(inputs), tuple(outputs), recipe.table, recipe.options, recipe.version
    )


def _tensor(operand: Operand, part: Part, name: str, random: np.random.Generator) -> TensorSpec:
    """Return a tensor as an operand should be; weights and biases have values."""
    if isinstance(part, np.ndarray):
        return build.constant(part, name=name)
    type = operand.types[0] if operand.types else TensorType.INT32
    spec = TensorSpec(name, part, int(type))
    if operand.role is Role.WEIGHT:
        assert operand.range is not None
        low, high = operand.range
        zero = 120 if type is TensorType.UINT8 else 0
        values = random.integers(low, high, part, endpoint=True)
        spec = replace(spec, data=packed(values, type), scale=2 / high, zero_point=zero)
        if operand.axis is not None:
            count = part[operand.axis]
            scales = np.linspace(1 / high, 2 / high, count, dtype=np.float32)
            spec = replace(spec, scale=scales, zero_point=[0] * count, axis=operand.axis)
    elif operand.role is Role.BIAS or (operand.role is Role.OTHER and type is TensorType.FLOAT32):
        values = random.integers(-99, 100, part)
        if type is TensorType.FLOAT32:
            spec = (
                replace(spec, data=(values / 64).astype("<f4"))
                if name.startswith("input")
                else spec
            )
        else:
            spec = replace(spec, data=packed(values, type))
    elif operand.role is Role.ACTIVATION and type in INTEGER_RANGES:
        assert operand.zero_point is not None
        low, high = operand.zero_point
        wide = _WIDE if type is TensorType.INT16 else 1
        zero = low if low == high else (low + high + 1) // 2 + 5
        spec = replace(spec, scale=float(operand.scale or 1 / 32 * wide), zero_point=zero)
    return spec


def packed(values: NDArray[Any], type: TensorType) -> NDArray[Any] | bytes:
    """Return values as a file holds them; those of less than a byte side by side."""
    if type in (TensorType.INT4, TensorType.INT2):
        bits = 4 if type is TensorType.INT4 else 2
        per_byte = 8 // bits
        codes = (values.reshape(-1) & (1 << bits) - 1).astype(np.uint8)
        codes = np.pad(codes, (0, -codes.size % per_byte)).reshape(-1, per_byte)
        return bytes((codes << (np.arange(per_byte) * bits)).sum(axis=1).astype(np.uint8))
    return values.astype(type.name.lower())
