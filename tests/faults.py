"""For each kind of finding a model that has it and one that has not, as alike as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant

__all__ = [
    "FAULTS", "GOOD", "Fault", "convolution", "dense", "island", "lstm", "operator", "options",
    "svdf", "unary", "wide",
]  # fmt: skip

OPERATORS = tflite.BuiltinOperator
TYPES = tflite.TensorType


class Fault(NamedTuple):
    """A model with a fault, what to expect of it, the model without, and how to check both."""

    bad: bytes
    severity: str
    tensor: int | None
    good: bytes
    arguments: Mapping[str, Any] = {}


def operator(
    name: str,
    inputs: Sequence[TensorSpec],
    outputs: Sequence[TensorSpec],
    version: int = 1,
    **fields: Any,
) -> bytes:
    """Build a model of one operator; constants are no inputs of the subgraph."""
    tensors = [*inputs, *outputs]
    fed = [index for index, tensor in enumerate(inputs) if tensor.data is None]
    indices = list(range(len(inputs))), list(range(len(inputs), len(tensors)))
    code = getattr(OPERATORS, name)
    one = OperatorSpec(code, *indices, version=version, fields=fields)
    return build.model(SubgraphSpec(tensors, fed, indices[1], [one], "main"))


def options(table: str, **fields: Any) -> Mapping[str, Any]:
    """Give builtin options: a union's number and a writer."""
    number = getattr(tflite.BuiltinOptions, table)
    return {
        "builtin_options_type": number,
        "builtin_options": lambda b: build.table(b, table, **fields),
    }


X = TensorSpec("x", (1, 4), scale=0.5, zero_point=3)
Y = TensorSpec("y", (1, 2), scale=1.0, zero_point=-1)
SCALES = np.array([0.25, 0.125], np.float32)
W = constant(np.array([[1, -127, 3, 4], [127, 6, 7, 8]], np.int8), SCALES, [0, 0], name="w")
B = constant(np.array([100, -100], np.int32), SCALES / 2, [0, 0], name="b")
FEW = replace(W, data=np.array([[1, -127, 3, 4], [63, 6, 7, 8]], np.int8))
ZEROS = replace(W, data=np.array([[1, -127, 3, 4], [0, 0, 0, 0]], np.int8))
W1 = replace(W, scale=0.25, zero_point=0)
B1 = replace(B, scale=0.125, zero_point=0)


def dense(
    x: TensorSpec = X, w: TensorSpec = W, b: TensorSpec = B, y: TensorSpec = Y, **others: Any
) -> bytes:
    """Build a FULLY_CONNECTED of four inputs and two channels."""
    return operator(
        "FULLY_CONNECTED", [x, w, b], [y], 5, **options("FullyConnectedOptions"), **others
    )


def convolution(
    w: TensorSpec | None = None, b: TensorSpec = B, name: str = "CONV_2D", **others: Any
) -> bytes:
    """Build a convolution of 1 x 1 from four channels to two."""
    x = TensorSpec("x", (1, 1, 1, 4), scale=0.5, zero_point=3)
    y = TensorSpec("y", (1, 1, 1, 2), scale=1.0, zero_point=-1)
    values: NDArray[Any] = np.asarray(W.data).reshape(2, 1, 1, 4)
    w = w or constant(values, SCALES, [0, 0], name="w")
    fields = options("Conv2DOptions", stride_w=1, stride_h=1)
    return operator(name, [x, replace(w, shape=(2, 1, 1, 4)), b], [y], 3, **fields)


def unary(name: str, y: TensorSpec, x: TensorSpec = X, version: int = 2, **fields: Any) -> bytes:
    return operator(name, [x], [y], version, **fields)


def wide(values: NDArray[np.int8], **changes: Any) -> bytes:
    """Build a FULLY_CONNECTED with two rows of many weights."""
    x = replace(X, shape=(1, values.shape[1]))
    return dense(x, constant(values, SCALES, [0, 0], name="w"), **changes)


SAME = replace(X, name="y")
SOFTMAX = replace(SAME, scale=1 / 256, zero_point=-128)
CODES = np.random.default_rng(5).integers(-100, 101, (2, 200)).astype(np.int8)
CODES[:, 0] = 127
CROWDED = CODES.copy()
CROWDED[1, :20] = -127
LOWEST = CODES.copy()
LOWEST[1, [3, 11]] = -128


def island(names: Sequence[str]) -> bytes:
    """Build DEQUANTIZE, float operators, QUANTIZE, between integer operators."""
    specs = [X, replace(X, name="a")]
    steps = [OperatorSpec(OPERATORS.RELU, [0], [1], version=2)]
    for name in names:
        is_float = name not in ("QUANTIZE", "RELU")
        last = TensorSpec(f"t{len(specs)}", (1, 4), TYPES.FLOAT32) if is_float else X
        specs.append(replace(last, name=f"t{len(specs)}"))
        code = getattr(OPERATORS, name)
        steps.append(OperatorSpec(code, [len(specs) - 2], [len(specs) - 1], version=2))
    return build.model(SubgraphSpec(specs, [0], [len(specs) - 1], steps, "main"))


def _with_blocks(scales: TensorSpec) -> bytes:
    weights = constant(np.zeros((2, 4), np.int8), name="w", details=build.blockwise(2))
    return build.one(weights, scales)


def _sparse(size: int) -> bytes:
    """Build a matrix of 2 x 4, stored in blocks along its rows, of which none is left out."""
    sizes = (2, 4 // size, size)
    fields = build.sparse_fields(*sizes, order=[0, 1, 2], blocks=[1])
    stored = np.ones(int(np.prod(sizes)), np.int8)
    return build.one(TensorSpec("pruned", (2, 4), data=stored, fields=fields))


def _shared(scale: float) -> bytes:
    one = TensorSpec("one", (4,), scale=0.5, zero_point=0, buffer=1)
    other = replace(one, name="other", scale=scale)
    total = replace(one, name="sum", buffer=None)
    add = OperatorSpec(OPERATORS.ADD, [0, 1], [2], version=2)
    return build.model(SubgraphSpec([one, other, total], [], [2], [add]), buffers=[b"abcd"])


def svdf(
    activation: int,
    time: int = 400,
    feature: NDArray[np.int8] | None = None,
    memory: int = 3,
    **changes: Any,
) -> bytes:
    """Build an SVDF of two units, whose time weights have one value; changes are of its bias."""
    x = TensorSpec("x", (1, 4), scale=0.5, zero_point=3)
    values = np.full((2, 4), 100, np.int8) if feature is None else feature
    weights_of_features = constant(values, 0.25, 0, name="feature")
    weights = constant(np.full((2, memory), time, np.int16), 0.125, 0, name="time")
    b = replace(constant(np.array([1, 2], np.int32), 0.125 * 0.5, 0, name="b"), **changes)
    state = TensorSpec("state", (1, 2 * memory), TYPES.INT16, None, 0.5, 0, is_variable=True)
    fields = options("SVDFOptions", rank=1, fused_activation_function=activation)
    indices = [0, 1, 2, 3, 4]
    one = OperatorSpec(OPERATORS.SVDF, indices, [5], version=3, fields=fields)
    tensors = [x, weights_of_features, weights, b, state, Y]
    return build.model(SubgraphSpec(tensors, [0], [5], [one], "main"))


def lstm(
    cell: float = 2.0**-11,
    name: str = "UNIDIRECTIONAL_SEQUENCE_LSTM",
    inputs: Mapping[int, TensorSpec] | None = None,
    intermediates: int = 5,
    **changes: Any,
) -> bytes:
    """Build an integer LSTM of four inputs and two units.

    Parameters
    ----------
    cell : float
        The scale of the cell state.
    name : str
        That of the operator, of which there are two.
    inputs : mapping of int to TensorSpec, optional
        Optional inputs, by their index.
    intermediates : int
        How many of the five the operator has.
    **changes
        Of the first bias.
    """
    output = TensorSpec("state", (1, 2), scale=1 / 128, zero_point=0, is_variable=True)
    narrow = [constant(np.full((2, 4), 100, np.int8), 0.25, 0, name=f"w{i}") for i in range(4)]
    recurrent = [constant(np.full((2, 2), 100, np.int8), 0.125, 0, name=f"r{i}") for i in range(4)]
    gates = [constant(np.array([5, -5], np.int32), 0.125, 0, name=f"b{i}") for i in range(4)]
    gates[0] = replace(gates[0], **changes)
    states = [
        output,
        TensorSpec("cell", (1, 2), TYPES.INT16, scale=cell, zero_point=0, is_variable=True),
    ]
    inside = [TensorSpec(f"i{i}", (1,), TYPES.INT16, scale=0.001, zero_point=0) for i in range(4)]
    inside.append(TensorSpec("i4", (1,), scale=0.01, zero_point=0))
    steps = (1,) if name == "LSTM" else (1, 3)
    x = TensorSpec("x", (*steps, 4), scale=0.5, zero_point=0)
    y = TensorSpec("y", (*steps, 2), scale=1 / 128, zero_point=0)
    tensors = [x, *narrow, *recurrent, *gates, *states, *inside, y]
    indices = [*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1]
    for index, tensor in (inputs or {}).items():
        indices[index] = len(tensors)
        tensors.append(tensor)
    table = "LSTMOptions" if name == "LSTM" else "UnidirectionalSequenceLSTMOptions"
    one = OperatorSpec(
        getattr(OPERATORS, name), indices, [20], version=2,
        intermediates=list(range(15, 15 + intermediates)),
        fields=options(table, fused_activation_function=4),
    )  # fmt: skip
    return build.model(SubgraphSpec(tensors, [0], [20], [one], "main"))


def _squares(type: int) -> bytes:
    x = TensorSpec("x", (1, 4), type, scale=0.5, zero_point=0)
    return operator("SQUARED_DIFFERENCE", [x, replace(x, name="x2")], [replace(x, name="y")], 2)


def _custom(name: str) -> bytes:
    one = OperatorSpec(OPERATORS.CUSTOM, [0], [1], custom=name)
    return build.model(SubgraphSpec([X, SAME], [0], [1], [one], "main"))


_PART = replace(X, name="part")
_WHOLE = replace(X, name="whole", shape=(2, 4))
_AXIS = options("ConcatenationOptions", axis=0)
_ALIKE = operator("CONCATENATION", [X, _PART], [_WHOLE], 2, **_AXIS)
_OVERFLOWING = np.full(2, 2**31 - 1000, np.int32)
_DEAD = build.model(
    SubgraphSpec(
        [X, SAME, constant(np.ones(3, np.float32), name="dead")],
        [0], [1], [OperatorSpec(OPERATORS.RELU, [0], [1], version=2)],
    )
)  # fmt: skip
_SWISH = replace(SAME, scale=0.5 / 128)

GOOD = dense()
FAULTS: Mapping[str, Fault] = {
    "TQ101": Fault(dense(x=replace(X, scale=None, zero_point=None)), "error", 0, GOOD),
    "TQ102": Fault(dense(y=replace(Y, scale=np.nan)), "error", 3, GOOD),
    "TQ103": Fault(dense(w=replace(W, zero_point=[0])), "error", 1, GOOD, {"target": "litert"}),
    "TQ104": Fault(dense(w=replace(W, axis=2)), "error", 1, GOOD),
    "TQ105": Fault(
        dense(x=replace(X, zero_point=128)), "warning", 0, dense(x=replace(X, zero_point=127))
    ),
    "TQ106": Fault(
        _with_blocks(TensorSpec("s", (2, 2), TYPES.FLOAT16)), "error", 0,
        _with_blocks(constant(np.ones((2, 2), np.float16), name="s")),
    ),
    "TQ201": Fault(
        operator("SELECT", [TensorSpec("c", (1, 4), TYPES.INT32), X, _PART], [SAME]), "error", 0,
        operator("SELECT", [TensorSpec("c", (1, 4), TYPES.BOOL), X, _PART], [SAME]),
    ),
    "TQ202": Fault(
        unary("GELU", replace(SAME, scale=[1.0] * 4, zero_point=[0] * 4, axis=1)), "error", 1,
        unary("GELU", SAME),
    ),
    "TQ203": Fault(
        dense(w=replace(W, axis=1, scale=[0.25] * 4, zero_point=[0] * 4), b=B1), "error", 1, GOOD
    ),
    "TQ204": Fault(convolution(replace(W, zero_point=[0, 1])), "error", 1, convolution()),
    "TQ205": Fault(
        unary("SOFTMAX", replace(SOFTMAX, scale=1 / 128), **options("SoftmaxOptions", beta=1.0)),
        "error", 1, unary("SOFTMAX", SOFTMAX, **options("SoftmaxOptions", beta=1.0)),
    ),
    "TQ206": Fault(
        operator("CONCATENATION", [X, replace(_PART, scale=0.25)], [_WHOLE], 2, **_AXIS),
        "error", 1, _ALIKE,
    ),
    "TQ207": Fault(dense(w=W1, b=replace(B1, scale=0.25)), "error", 2, dense(w=W1, b=B1)),
    "TQ208": Fault(
        convolution(b=constant(np.array([1, 2], np.int64), SCALES / 2, [0, 0], name="b")),
        "error", 2, convolution(),
    ),
    "TQ209": Fault(wide(LOWEST), "warning", 1, wide(CODES)),
    "TQ210": Fault(
        operator("DIV", [X, _PART], [SAME], 2, **options("DivOptions")), "note", 0,
        operator("MUL", [X, _PART], [SAME], 2, **options("MulOptions")),
    ),
    "TQ211": Fault(
        _squares(TYPES.INT16), "error", None, _squares(TYPES.INT8), {"target": "litert"}
    ),
    "TQ212": Fault(
        unary("HARD_SWISH", _SWISH, version=1), "error", 0,
        unary("HARD_SWISH", replace(SAME, scale=0.5 / 127), version=1),
    ),
    "TQ213": Fault(_custom("Mine"), "note", None, _custom("TFLite_Detection_PostProcess")),
    "TQ301": Fault(dense(w=replace(W, data=b"\1\2\3")), "error", 1, GOOD),
    "TQ302": Fault(_DEAD, "note", 2, unary("RELU", SAME)),
    "TQ303": Fault(_shared(0.25), "note", 1, _shared(0.5)),
    "TQ304": Fault(_sparse(3), "warning", 0, _sparse(2)),
    "TQ401": Fault(
        island(["DEQUANTIZE", "SIN", "COS", "QUANTIZE", "RELU"]), "warning", None,
        island(["DEQUANTIZE", "SIN", "COS"]),
    ),
    "TQ402": Fault(
        island(["SIN"]), "error", None, unary("RELU", SAME), {"require": ("int16x8", "int8")}
    ),
    "TQ501": Fault(dense(w=ZEROS), "note", 1, GOOD),
    "TQ502": Fault(wide(CROWDED), "warning", 1, wide(CODES)),
    "TQ503": Fault(dense(w=FEW), "note", 1, GOOD),
    "TQ504": Fault(
        dense(b=replace(B, data=_OVERFLOWING)), "warning", 2,
        dense(b=replace(B, data=_OVERFLOWING - 200_000)),
    ),
}  # fmt: skip
