"""The forms of operators that runtimes are asked to run; `forms` has the words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.forms import ALL, TYPES, Spec, Values

__all__ = ["NOT_TRIED", "SPECS"]

NOT_TRIED = {
    "operators that run other subgraphs": (
        "CALL_ONCE", "IF", "WHILE", "STABLEHLO_CASE", "STABLEHLO_COMPOSITE",
    ),
    "operators on resources": (
        "ASSIGN_VARIABLE", "HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE",
        "READ_VARIABLE", "VAR_HANDLE",
    ),
    "operators with many inputs, states or sparse tensors": (
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "DENSIFY",
        "EMBEDDING_LOOKUP_SPARSE", "HASHTABLE_LOOKUP", "LSH_PROJECTION", "LSTM",
        "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5", "RNN", "SKIP_GRAM", "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
    ),
    "operators whose options package tflite does not know": (
        "DILATE", "REDUCE_WINDOW", "STABLEHLO_ADD", "STABLEHLO_AND", "STABLEHLO_GATHER",
        "STABLEHLO_MAXIMUM", "STABLEHLO_MINIMUM", "STABLEHLO_MULTIPLY", "STABLEHLO_PAD",
        "STABLEHLO_REDUCE_WINDOW", "STABLEHLO_RNG_BIT_GENERATOR", "STABLEHLO_SCATTER",
        "STABLEHLO_SHIFT_LEFT",
    ),
}  # fmt: skip
"""Operators of which only is said whether a runtime has them, by the reason."""

ROW, IMAGE, KERNEL = (1, 4), (1, 4, 4, 2), (2, 1, 1, 2)
VOLUME = (1, 2, 2, 2, 2)


def _ints(*values: Any) -> Values:
    return np.array(values, np.int64)


def _spec(pattern: str, *tensors: Values, options: Any = None, **others: Any) -> Spec:
    table = (options, {}) if isinstance(options, str) else options
    return Spec(pattern, tensors, table, **others)


_UNARY: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "ABS", "CEIL", "COS", "ELU", "FLOOR", "HARD_SWISH", "LOG", "LOGICAL_NOT", "NEG", "RELU",
            "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN", "SQRT",
            "SQUARE", "ZEROS_LIKE",
        )
    ),
    "EXP": "ExpOptions", "GELU": "GeluOptions", "LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.5}),
}  # fmt: skip

_BINARY: Mapping[str, Any] = {
    **dict.fromkeys(
        (
            "BITWISE_XOR", "FLOOR_DIV", "FLOOR_MOD", "LOGICAL_AND", "LOGICAL_OR", "MAXIMUM",
            "MINIMUM", "POW", "PRELU", "RIGHT_SHIFT", "ATAN2",
        )
    ),
    "ADD": "AddOptions", "DIV": "DivOptions", "MUL": "MulOptions", "SUB": "SubOptions",
    "SQUARED_DIFFERENCE": "SquaredDifferenceOptions",
}  # fmt: skip

_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
_REDUCTIONS = (
    "MEAN", "REDUCE_ALL", "REDUCE_ANY", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "SUM",
)  # fmt: skip

_SIGMOID = {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0), "INT16": (1 / 32768, 0)}
_TANH = {"INT8": (1 / 128, 0), "UINT8": (1 / 128, 128), "INT16": (1 / 32768, 0)}
_LOGARITHM = {"INT8": (1 / 16, 127), "UINT8": (1 / 16, 255)}
_COMPUTED = ("FLOAT16", "FLOAT32", "INT16", "INT32", "INT4", "INT8", "UINT8")
_BIASES: Mapping[str, Sequence[str]] = {
    "": _COMPUTED, "FLOAT32": ("FLOAT16", "FLOAT32"),
    "INT32": ("INT16", "INT4", "INT8", "UINT8"), "INT64": ("INT16", "INT8"),
}  # fmt: skip
"""The types of biases, and what T may be with each."""
_STEPS = {"stride_w": 1, "stride_h": 1, "padding": 1}
_DILATED = _STEPS | {"dilation_w_factor": 1, "dilation_h_factor": 1}
_WEIGHTS = (
    "FLOAT16", "FLOAT32", "per-tensor INT16", "per-axis INT16", "per-tensor INT2", "per-axis INT2",
    "per-tensor INT4", "per-axis INT4", "per-tensor INT8", "per-axis INT8", "per-tensor UINT8",
    "per-axis UINT8",
)  # fmt: skip


def _elementwise() -> Iterator[tuple[str, Spec]]:
    for name, options in _UNARY.items():
        yield name, _spec("T -> T", ROW, ROW, options=options)
    for name, options in _BINARY.items():
        yield name, _spec("T, T -> T", ROW, ROW, ROW, options=options)
    for name in _COMPARISONS:
        yield name, _spec("T, T -> BOOL", ROW, ROW, ROW)
    yield "LOGISTIC", _spec("T -> T", ROW, ROW, scales=_SIGMOID)
    yield "TANH", _spec("T -> T", ROW, ROW, scales=_TANH)
    yield "L2_NORMALIZATION", _spec("T -> T", ROW, ROW, options="L2NormOptions", scales=_TANH)
    log_softmax = {"options": "LogSoftmaxOptions", "scales": _LOGARITHM}
    yield "LOG_SOFTMAX", _spec("T -> T", ROW, ROW, **log_softmax)
    softmax = {"options": ("SoftmaxOptions", {"beta": 1.0}), "scales": _SIGMOID}
    yield "SOFTMAX", _spec("T -> T", ROW, ROW, **softmax)
    wide = softmax | {"scales": {"INT16": (1 / 65536, -32768)}}
    yield "SOFTMAX", _spec("T -> INT16", ROW, ROW, types=("INT8",), **wide)
    yield "ADD_N", _spec("each T -> T", ROW, ROW, options="AddNOptions")
    for name in ("COMPLEX_ABS", "IMAG", "REAL"):
        yield name, _spec("T -> FLOAT32", ROW, ROW)
    radius = {"radius": 1, "bias": 1.0, "alpha": 1.0, "beta": 1.0}
    lrn = ("LocalResponseNormalizationOptions", radius)
    yield "LOCAL_RESPONSE_NORMALIZATION", _spec("T -> T", IMAGE, IMAGE, options=lrn)
    fake = ("FakeQuantOptions", {"min": 0.0, "max": 4.0, "num_bits": 8})
    yield "FAKE_QUANT", _spec("T -> T", ROW, ROW, options=fake)
    for name in ("SELECT", "SELECT_V2"):
        yield name, _spec("BOOL, T, T -> T", ROW, ROW, ROW, ROW)
    cumsum = {"options": "CumsumOptions"}
    yield "CUMSUM", _spec("T, ?INT32 -> T", ROW, np.array(1), ROW, **cumsum)
    yield (
        "BUCKETIZE",
        _spec("T -> INT32", ROW, ROW, options=("BucketizeOptions", {"boundaries": [0.0, 2.0]})),
    )


def _conversions() -> Iterator[tuple[str, Spec]]:
    for type in ALL:
        options = ("CastOptions", {"out_data_type": TYPES[type]})
        yield "CAST", _spec(f"T -> {type}", ROW, ROW, options=options)
        yield "BITCAST", _spec(f"T -> {type}", ROW, ROW)
    for type in ("INT4", "INT8", "INT16", "INT32", "UINT8"):
        scales = {"INT32": (0.5, 0)}
        yield "QUANTIZE", _spec(f"T -> per-tensor {type}", IMAGE, IMAGE, scales=scales)
    for type in ("INT4", "INT8", "INT16", "UINT8"):
        yield "QUANTIZE", _spec(f"T -> per-axis {type}", IMAGE, IMAGE, axis=3)
    for type in ("FLOAT16", "FLOAT32"):
        types = [*ALL, "INT2"]
        yield "DEQUANTIZE", _spec(f"per-tensor T -> {type}", IMAGE, IMAGE, types=types)
        narrow = ("INT2", "INT4", "INT8", "INT16", "UINT8")
        yield "DEQUANTIZE", _spec(f"per-axis T -> {type}", IMAGE, IMAGE, axis=3, types=narrow)


def _reductions() -> Iterator[tuple[str, Spec]]:
    for name in _REDUCTIONS:
        options = ("ReducerOptions", {"keep_dims": True})
        yield name, _spec("T, ?INT32 -> T", IMAGE, _ints(1, 2), (1, 1, 1, 2), options=options)
    for name, table in (("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")):
        for type in ("INT32", "INT64"):
            options = (table, {"output_type": TYPES[type]})
            yield name, _spec(f"T, ?INT32 -> {type}", (1, 4), np.array(1), (1,), options=options)
    pool = {"stride_w": 1, "stride_h": 1, "filter_width": 2, "filter_height": 2, "padding": 1}
    for name in ("AVERAGE_POOL_2D", "L2_POOL_2D", "MAX_POOL_2D"):
        yield name, _spec("T -> T", IMAGE, (1, 3, 3, 2), options=("Pool2DOptions", pool))
    for type in ("INT32", "INT16"):
        yield "TOPK_V2", _spec(f"T, ?{type} -> T, INT32", ROW, np.array(2), (1, 2), (1, 2))
    yield "UNIQUE", _spec("T -> T, INT32", (4,), (1,), (4,), options="UniqueOptions")
    segments = _ints(0, 1)
    yield "SEGMENT_SUM", _spec("T, INT32 -> T", (2, 4), segments, (2, 4))
    for name in ("MAX", "MIN", "PROD", "SUM"):
        tensors = ((2, 4), segments, np.array(2), (2, 4))
        yield f"UNSORTED_SEGMENT_{name}", _spec("T, INT32, INT32 -> T", *tensors)


def _products() -> Iterator[tuple[str, Spec]]:
    """Yield convolutions and FULLY_CONNECTED with constant weights, and with and without a bias."""
    for weights in _WEIGHTS:
        for bias, types in _BIASES.items():
            if not (weights.startswith("FLOAT") and bias.startswith("INT")):
                yield from _products_of(weights, bias, types)


def _products_of(weights: str, bias: str, types: Sequence[str]) -> Iterator[tuple[str, Spec]]:
    last, shapes = (f", constant {bias}", [(2,)]) if bias else ("", [])
    pattern = f"T, constant {weights}{last} -> T"
    image = (IMAGE, KERNEL, *shapes, IMAGE)
    yield "CONV_2D", _spec(pattern, *image, options=("Conv2DOptions", _DILATED), types=types)
    image = (IMAGE, (1, 1, 1, 2), *shapes, IMAGE)
    depth = ("DepthwiseConv2DOptions", _DILATED | {"depth_multiplier": 1})
    yield "DEPTHWISE_CONV_2D", _spec(pattern, *image, options=depth, types=types, axis=3)
    dense = ((1, 4), (2, 4), *shapes, (1, 2))
    yield "FULLY_CONNECTED", _spec(pattern, *dense, options="FullyConnectedOptions", types=types)
    pattern = f"constant INT32, constant {weights}, T{last} -> T"
    transposed = (_ints(*IMAGE), KERNEL, IMAGE, *shapes, IMAGE)
    steps = ("TransposeConvOptions", _STEPS)
    yield "TRANSPOSE_CONV", _spec(pattern, *transposed, options=steps, types=types)


def _other_products() -> Iterator[tuple[str, Spec]]:
    for bias, shapes in (("", []), (", constant FLOAT32", [(2,)])):
        types: Sequence[str] = ("FLOAT16", "FLOAT32")
        pattern, image = f"T, variable T{bias} -> T", (IMAGE, KERNEL, *shapes, IMAGE)
        yield "CONV_2D", _spec(pattern, *image, options=("Conv2DOptions", _DILATED), types=types)
        for weights in ("INT4", "INT8"):
            tensors = ((1, 64), (2, 64), *shapes, (1, 2))
            pattern = f"T, constant blockwise {weights}{bias} -> T"
            dense = {"options": "FullyConnectedOptions", "types": types}
            yield "FULLY_CONNECTED", _spec(pattern, *tensors, **dense)
    dense = {"options": "FullyConnectedOptions", "types": _COMPUTED}
    yield "FULLY_CONNECTED", _spec("T, variable T -> T", (1, 4), (2, 4), (1, 2), **dense)
    matrix = {"options": "BatchMatMulOptions", "types": _COMPUTED}
    square = ((1, 2, 2), (1, 2, 2), (1, 2, 2))
    for right in ("T", "INT4", "INT8", "INT16", "UINT8"):
        yield "BATCH_MATMUL", _spec(f"T, ?{right} -> T", *square, **matrix)
    yield "BATCH_MATMUL", _spec("T, T -> INT32", *square, **matrix)
    strides, dilations = ("stride_{}", "dilation_{}_factor")
    cube = {word.format(axis): 1 for axis in "dhw" for word in (strides, dilations)}
    options = ("Conv3DOptions", cube | {"padding": 1})
    kernel = (1, 1, 1, 2, 2)
    yield "CONV_3D", _spec("T, T -> T", VOLUME, kernel, VOLUME, options=options)
    transposed = (_ints(*VOLUME), kernel, VOLUME, VOLUME)
    yield "CONV_3D_TRANSPOSE", _spec("INT32, T, T -> T", *transposed, options=options)
    types = [type for type in ALL if type not in ("INT4", "INT8")]
    yield "EMBEDDING_LOOKUP", _spec("INT32, constant T -> T", _ints(1), (2, 4), (1, 4), types=types)
    for table in ("per-tensor INT4", "per-axis INT4", "per-tensor INT8", "per-axis INT8"):
        pattern, types = f"INT32, constant {table} -> T", ("FLOAT32", "INT4", "INT8")
        yield "EMBEDDING_LOOKUP", _spec(pattern, _ints(1), (2, 4), (1, 4), types=types)


def _moves() -> Iterator[tuple[str, Spec]]:
    one, pads = (4,), _ints([0, 0], [1, 1])
    strides = (_ints(0, 1), _ints(1, 3), _ints(1, 1), (1, 2))
    reshape = ("ReshapeOptions", {"new_shape": [2, 2]})
    gather = ("GatherOptions", {"axis": 1})
    for index in ("INT32", "INT64"):
        yield (
            "RESHAPE",
            _spec(
                f"T, ?{index} -> T",
                ROW,
                _ints(2, 2),
                (2, 2),
                options=("ReshapeOptions", {"new_shape": [2, 2]}),
            ),
        )
        yield "PAD", _spec(f"T, ?{index} -> T", ROW, pads, (1, 6))
        yield "PADV2", _spec(f"T, ?{index}, T -> T", ROW, pads, (1,), (1, 6))
        yield (
            "MIRROR_PAD",
            _spec(f"T, ?{index} -> T", ROW, pads, (1, 6), options="MirrorPadOptions"),
        )
        yield "TRANSPOSE", _spec(f"T, ?{index} -> T", ROW, _ints(1, 0), (4, 1))
        yield "SLICE", _spec(f"T, ?{index}, ?{index} -> T", ROW, _ints(0, 1), _ints(1, 2), (1, 2))
        pattern = f"T, ?{index}, ?{index}, ?{index} -> T"
        yield "STRIDED_SLICE", _spec(pattern, ROW, *strides, options="StridedSliceOptions")
        yield "EXPAND_DIMS", _spec(f"T, ?{index} -> T", ROW, np.array(0), (1, 1, 4))
        yield "FILL", _spec(f"?{index}, T -> T", _ints(1, 4), (), ROW)
        yield "TILE", _spec(f"T, ?{index} -> T", ROW, _ints(1, 2), (1, 8))
        yield "BROADCAST_TO", _spec(f"T, ?{index} -> T", ROW, _ints(2, 4), (2, 4), version=2)
        yield "GATHER", _spec(f"T, {index} -> T", ROW, _ints(1, 2), (1, 2), options=gather)
        yield "GATHER_ND", _spec(f"T, {index} -> T", ROW, _ints([0, 1]), (1,))
        yield (
            "REVERSE_SEQUENCE",
            _spec(
                f"T, {index} -> T",
                ROW,
                _ints(2),
                ROW,
                options=("ReverseSequenceOptions", {"seq_dim": 1, "batch_dim": 0}),
            ),
        )
        yield "SCATTER_ND", _spec(f"{index}, T, ?{index} -> T", _ints([1]), (1,), _ints(4), one)
        yield "DYNAMIC_UPDATE_SLICE", _spec(f"T, T, {index} -> T", ROW, (1, 2), _ints(0, 1), ROW)
        tensors = (np.array(1), _ints(4), (), (), one)
        yield "SPARSE_TO_DENSE", _spec(f"{index}, {index}, T, T -> T", *tensors)
        yield (
            "SPLIT_V",
            _spec(
                f"T, ?{index}, INT32 -> each T",
                ROW,
                _ints(2, 2),
                np.array(1),
                (1, 2),
                options=("SplitVOptions", {"num_splits": 2}),
            ),
        )
        yield (
            "SHAPE",
            _spec(f"T -> {index}", ROW, (2,), options=("ShapeOptions", {"out_type": TYPES[index]})),
        )
        yield "RANDOM_UNIFORM", _spec(f"{index} -> T", _ints(1, 4), ROW, options="RandomOptions")
        yield (
            "RANDOM_STANDARD_NORMAL",
            _spec(f"{index} -> T", _ints(1, 4), ROW, options="RandomOptions"),
        )
        yield (
            "MULTINOMIAL",
            _spec(f"T, INT32 -> {index}", ROW, np.array(4), ROW, options="RandomOptions"),
        )
        yield "WHERE", _spec(f"T -> {index}", ROW, (4, 2))
    yield "RESHAPE", _spec("T -> T", ROW, (2, 2), options=reshape)
    yield (
        "STRIDED_SLICE",
        _spec(
            "T, INT16, INT16, INT16 -> T",
            ROW,
            _ints(0, 1),
            _ints(1, 3),
            _ints(1, 1),
            (1, 2),
            options="StridedSliceOptions",
        ),
    )
    yield (
        "GATHER",
        _spec("T, INT16 -> T", ROW, _ints(1, 2), (1, 2), options=("GatherOptions", {"axis": 1})),
    )
    yield "GATHER_ND", _spec("T, INT16 -> T", ROW, _ints([0, 1]), (1,))
    for index in ("INT16", "INT32", "INT64"):
        # LiteRT gathers strings from vectors only.
        yield "GATHER", _spec(f"T, {index} -> T", (4,), _ints(1, 2), (2,), types=("STRING",))
    sizes = (_ints(1, 4), _ints(2, 4), (2,))
    yield "BROADCAST_ARGS", _spec("T, T -> T", *sizes, types=("INT32", "INT64"))


def _moves_of_blocks() -> Iterator[tuple[str, Spec]]:
    axis = {"options": ("ConcatenationOptions", {"axis": 0})}
    yield "CONCATENATION", _spec("each T -> T", ROW, (2, 4), **axis)
    yield "PACK", _spec("each T -> T", ROW, (2, 1, 4), options=("PackOptions", {"values_count": 2}))
    yield "UNPACK", _spec("T -> each T", (2, 4), (4,), options=("UnpackOptions", {"num": 2}))
    split = ("SplitOptions", {"num_splits": 2})
    yield "SPLIT", _spec("?INT32, T -> each T", np.array(1), ROW, (1, 2), options=split)
    yield "SQUEEZE", _spec("T -> T", ROW, (4,), options=("SqueezeOptions", {"squeeze_dims": [0]}))
    yield "RANK", _spec("T -> INT32", ROW, ())
    block = {"block_size": 2}
    space = ("SpaceToDepthOptions", block)
    yield "SPACE_TO_DEPTH", _spec("T -> T", IMAGE, (1, 2, 2, 8), options=space)
    depth = ("DepthToSpaceOptions", block)
    yield "DEPTH_TO_SPACE", _spec("T -> T", (1, 2, 2, 8), IMAGE, options=depth)
    sizes, none = _ints(2, 2), _ints([0, 0], [0, 0])
    small = (4, 2, 2, 2)
    yield "SPACE_TO_BATCH_ND", _spec("T, ?INT32, ?INT32 -> T", IMAGE, sizes, none, small)
    yield "BATCH_TO_SPACE_ND", _spec("T, ?INT32, ?INT32 -> T", small, sizes, none, IMAGE)
    yield "REVERSE_V2", _spec("T, ?INT32 -> T", ROW, _ints(1), ROW)
    for name, table in (
        ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
        ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    ):
        yield name, _spec("T, ?INT32 -> T", IMAGE, _ints(8, 8), (1, 8, 8, 2), options=table)
    yield "MATRIX_DIAG", _spec("T -> T", (4,), (4, 4))
    yield "MATRIX_SET_DIAG", _spec("T, T -> T", (4, 4), (4,), (4, 4))
    tensors = (_ints(1), np.array(3), (), (), (1, 3))
    for type in ("INT32", "INT64"):
        one_hot = ("OneHotOptions", {"axis": -1})
        yield "ONE_HOT", _spec(f"{type}, ?INT32, T, T -> T", *tensors, options=one_hot)
    yield "RANGE", _spec("?T, ?T, ?T -> T", np.array(0), np.array(4), np.array(1), (4,))
    row = ((1, 4), _ints(1, 4), (1, 3))
    yield "RFFT2D", _spec("T, INT32 -> COMPLEX64", *row, options="Rfft2dOptions")


def _specs() -> dict[str, list[Spec]]:
    found: dict[str, list[Spec]] = {}
    for part in (
        _elementwise, _conversions, _reductions, _products, _other_products, _moves,
        _moves_of_blocks,
    ):  # fmt: skip
        for name, spec in part():
            found.setdefault(name, []).append(spec)
    return dict(sorted(found.items()))


SPECS: Mapping[str, Sequence[Spec]] = _specs()
"""How to build the forms of each operator that is tried."""
