"""Our numbers for a kernel, put through numpy, give every output that the runtime gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

from tests import kernels
from tflite_quant.firmware.runtimes import Runtime, kernel_types

TYPES = tflite.TensorType
SEEDS = range(12)

_PAIRS = {
    "ADD, powers of two": ("INT16", "INT16"),
    "QUANTIZE to INT8": ("INT8 UINT8 INT16 INT32", "INT8 UINT8 INT16 INT32"),
    "QUANTIZE to UINT8": ("INT8", "INT8 UINT8"),
    "QUANTIZE to INT16": ("INT8 INT16 INT32", "INT8 UINT8 INT16 INT32"),
    "QUANTIZE to INT32": ("INT8 INT16", "INT16"),
    "SOFTMAX to INT8": ("INT8", "INT8"),
    "SOFTMAX to INT16": ("INT8", "INT8 UINT8"),
    "SOFTMAX to UINT8": ("", "UINT8"),
    "SOFTMAX, wide": ("INT16", "INT16"),
    "SUB, powers of two": ("INT16", "INT16"),
    "SVDF of INT8": ("INT8", ""),
}
"""The types that kernels take in TensorFlow Lite Micro and LiteRT, where the case decides."""

_SEVERAL = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
"""Cases with several scales, which no kernel takes for UINT8."""

_LITERT_FLOAT = {("RESIZE_BILINEAR", "UINT8"), ("RSQRT", "INT16")}
"""What LiteRT computes in floating point alone."""


def _kernels(runtime: Runtime) -> Iterator[tuple[str, str]]:
    """Yield each case with each type that the runtime's kernel takes."""
    number = list(Runtime).index(runtime)
    for name in kernels.CASES:
        operator = name.split(",")[0].split(" ")[0]
        known = sorted(kind.name for kind in kernel_types(operator, runtime) or ())
        for kind in _PAIRS[name][number].split() if name in _PAIRS else known:
            if kind == "UINT8" and name in _SEVERAL:
                continue
            if runtime is Runtime.LITERT and (operator, kind) in _LITERT_FLOAT:
                continue
            yield name, kind


def _cases(name: str, kind: str) -> list[kernels.Case]:
    return [kernels.made(name, getattr(TYPES, kind), seed) for seed in SEEDS]


_IN_TFLM, _IN_LITERT = (list(_kernels(runtime)) for runtime in Runtime)


@pytest.fixture(scope="module")
def outputs_of_tflm() -> Mapping[tuple[str, str], list[NDArray[Any]]]:
    """Run all cases in one process: it takes a second to start."""
    cases = [case for name, kind in _IN_TFLM for case in _cases(name, kind)]
    outputs = iter(kernels.outputs(cases, "tflm"))
    return {key: [next(outputs) for _ in SEEDS] for key in _IN_TFLM}


@pytest.mark.parametrize(("name", "kind"), _IN_TFLM)
def test_outputs_are_those_of_tflm(
    name: str, kind: str, outputs_of_tflm: Mapping[tuple[str, str], list[NDArray[Any]]]
) -> None:
    _compare(_cases(name, kind), outputs_of_tflm[name, kind], "tflm")


@pytest.mark.parametrize(("name", "kind"), _IN_LITERT)
def test_outputs_are_those_of_litert(name: str, kind: str) -> None:
    cases = _cases(name, kind)
    _compare(cases, kernels.outputs(cases, "litert"), "litert")


def _compare(cases: list[kernels.Case], outputs: list[NDArray[Any]], runtime: str) -> None:
    for case, theirs in zip(cases, outputs, strict=True):
        ours = case.expected(kernels.requantization(case.content, runtime))
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)
