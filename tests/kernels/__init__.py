"""Models of one operator with random parameters, and what numpy makes of our numbers for them.

`CASES` makes them; `outputs` runs them in a runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tests.kernels import curves, elementwise, products, recurrent, windows
from tests.kernels.base import TYPES, Case, Random, outputs, requantization, scale_of, spec, two

__all__ = ["CASES", "TYPES", "Case", "made", "outputs", "requantization", "scale_of", "spec", "two"]


def made(name: str, kind: int, seed: int) -> Case:
    """Make a case: the same one for the same seed."""
    return CASES[name](np.random.default_rng(seed), kind)


CASES: Mapping[str, Callable[[Random, int], Case]] = {
    "ABS": elementwise.absolute,
    "ADD": elementwise.sums("ADD"),
    "ADD, powers of two": elementwise.sums("ADD", only_shifts=True),
    "ADD_N": elementwise.many,
    "AVERAGE_POOL_2D": windows.pooled("AVERAGE_POOL_2D"),
    "BATCH_MATMUL": products.matrices,
    "CONV_2D": products.convolution(True),
    "CONV_2D, one scale": products.convolution(False),
    "CUMSUM": elementwise.accumulated,
    "DEPTHWISE_CONV_2D": products.depthwise(True),
    "DEPTHWISE_CONV_2D, one scale": products.depthwise(False),
    "DIV": elementwise.divided,
    **{name: elementwise.compared(name) for name in (
        "EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL",
    )},
    "FULLY_CONNECTED": products.dense(True),
    "FULLY_CONNECTED, one scale": products.dense(False),
    "HARD_SWISH": curves.hard_swish,
    "L2_NORMALIZATION": windows.normalized,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LOGISTIC": curves.curve("LOGISTIC"),
    "MAX_POOL_2D": windows.pooled("MAX_POOL_2D"),
    "MEAN": windows.reduced("MEAN"),
    "MUL": elementwise.multiplied,
    "PRELU": elementwise.prelu,
    "QUANTIZE to INT8": elementwise.quantized(TYPES.INT8),
    "QUANTIZE to UINT8": elementwise.quantized(TYPES.UINT8),
    "QUANTIZE to INT16": elementwise.quantized(TYPES.INT16),
    "QUANTIZE to INT32": elementwise.quantized(TYPES.INT32),
    **{name: elementwise.rescaled(name) for name in ("RELU", "RELU6", "RELU_N1_TO_1")},
    "RESIZE_BILINEAR": windows.interpolated,
    "RSQRT": elementwise.reciprocal_root,
    "SOFTMAX to INT8": curves.softmax(TYPES.INT8),
    "SOFTMAX to UINT8": curves.softmax(TYPES.UINT8),
    "SOFTMAX to INT16": curves.softmax(TYPES.INT16),
    "SOFTMAX, wide": curves.softmax_wide,
    "SQUARED_DIFFERENCE": elementwise.squared_difference,
    "SUB": elementwise.sums("SUB"),
    "SUB, powers of two": elementwise.sums("SUB", only_shifts=True),
    "SUM": windows.reduced("SUM"),
    "SVDF of INT8": recurrent.svdf(np.int8),
    "SVDF of INT16": recurrent.svdf(np.int16),
    "TANH": curves.curve("TANH"),
    "TRANSPOSE_CONV": products.transposed(True),
    "TRANSPOSE_CONV, one scale": products.transposed(False),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": recurrent.lstm,
}  # fmt: skip
"""Makers of cases by what they are called."""
