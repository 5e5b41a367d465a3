"""Each line of the table of differences between the runtimes in docs/firmware.md is shown here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import ROOT
from tests import build, faults, kernels, oracle, tflm
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.kernels import curves, elementwise
from tests.kernels.products import product
from tflite_quant import Arithmetic
from tflite_quant.firmware.runtimes import Runtime, kernel_types

TYPES = tflite.TensorType


def expected(case: kernels.Case, runtime: str) -> Any:
    return case.expected(kernels.requantization(case.content, runtime))


def outputs_differ(case: kernels.Case) -> int:
    """Count outputs that differ, while each runtime's are those of our numbers for it."""
    both = [kernels.outputs([case], runtime)[0] for runtime in ("tflm", "litert")]
    for theirs, runtime in zip(both, ("tflm", "litert"), strict=True):
        assert np.array_equal(expected(case, runtime), theirs)
    return int((both[0] != both[1]).sum())


def random_outputs_differ(name: str, kind: int) -> None:
    """Look for random parameters for which the outputs must differ, and see that they do."""
    for seed in range(700):
        case = kernels.made(name, kind, seed)
        if not np.array_equal(expected(case, "tflm"), expected(case, "litert")):
            assert outputs_differ(case) > 0
            return
    pytest.fail(f"{name}: the numbers make no difference")


def products() -> None:
    """MUL with these scales: TensorFlow Lite Micro's multiplier is 1073774686, not …592."""
    r = np.random.default_rng(1)
    inputs = [r.integers(-32768, 32768, (1, 30_000)).astype(np.int16) for _ in range(2)]
    scales = (0.0004914528, 0.0009767676, 0.015729312)
    specs = [TensorSpec(n, (1, 30_000), TYPES.INT16, None, s, 0) for n, s in zip("aby", scales)]  # noqa: B905
    content = faults.operator("MUL", specs[:2], specs[2:], 4, **faults.options("MulOptions"))
    case = kernels.Case(content, inputs, elementwise.product_of(inputs, TYPES.INT16))
    assert 0 < outputs_differ(case) < 100


def matrices() -> None:
    """BATCH_MATMUL of all products, with scales whose product is no float32."""
    a = np.arange(-128, 128, dtype=np.int8)
    x, w = (
        TensorSpec(name, shape, scale=scale, zero_point=0)
        for name, shape, scale in (("x", (256, 1), 0.0377), ("w", (1, 256), 0.0025))
    )
    y = TensorSpec("y", (256, 256), scale=0.0104, zero_point=0)
    options = faults.options("BatchMatMulOptions")
    content = faults.operator("BATCH_MATMUL", [x, w], [y], 2, **options)
    sums = np.multiply.outer(a.astype(np.int64), a.astype(np.int64))
    inputs = [a.reshape(256, 1), a.reshape(1, 256)]
    case = kernels.Case(content, inputs, lambda found: product(found, sums, TYPES.INT8))
    assert outputs_differ(case) > 0


def memory() -> None:
    """SVDF of all products, with a state that is the products themselves."""
    q = np.arange(-128, 128, dtype=np.int8).reshape(256, 1)
    feature = np.arange(-127, 128, dtype=np.int8).reshape(255, 1)
    specs = [
        TensorSpec("x", q.shape, scale=2.0**-3, zero_point=0),
        constant(feature, 2.0**-3, 0, name="feature"),
        constant(np.full((255, 1), 127, np.int16), 0.0974, 0, name="time"),
        constant(np.zeros(255, np.int32), 2.0**-6 * 0.0974, 0, name="b"),
        TensorSpec("s", (256, 255), TYPES.INT16, None, 2.0**-6, 0, is_variable=True),
        TensorSpec("y", (256, 255), scale=25.5934, zero_point=0),
    ]
    options = faults.options("SVDFOptions", rank=1, fused_activation_function=1)
    step = OperatorSpec(faults.OPERATORS.SVDF, range(5), [5], version=3, fields=options)
    sums = np.multiply.outer(q[:, 0].astype(np.int64), feature[:, 0].astype(np.int64)) * 127
    content = build.model(SubgraphSpec(specs, [0], [5], [step]))
    case = kernels.Case(content, [q], lambda found: product(found, sums, TYPES.INT8))
    assert outputs_differ(case) > 0


def curve() -> None:
    """Of all 256 values, few differ, and only by one."""
    x = TensorSpec("x", (1, 256), scale=0.03756, zero_point=0)
    y = TensorSpec("y", (1, 256), scale=1 / 256, zero_point=-128)
    q = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
    content = faults.operator("LOGISTIC", [x], [y], 3)
    case = kernels.Case(content, [q], curves.expected_of("LOGISTIC", q, x, y))
    assert 0 < outputs_differ(case) < 4
    for name in ("LOGISTIC", "TANH"):
        content = kernels.made(name, TYPES.INT8, 1).content
        in_tflm, in_litert = (kernels.requantization(content, n) for n in ("tflm", "litert"))
        assert in_tflm.arithmetic is Arithmetic.FIXED_POINT
        assert in_litert.arithmetic is Arithmetic.TABLE


def refusals(content: bytes) -> tuple[bool, bool]:
    """Tell whether TensorFlow Lite Micro and LiteRT refuse a model, and that we say so."""
    answer = tflm.answer(content, seed=1)
    in_litert = False
    try:
        runner = oracle.interpreter(content, reference=True)
        with oracle.quiet():
            runner.allocate_tensors()
            runner.invoke()
    except (RuntimeError, ValueError):
        in_litert = True
    for is_refused, runtime in ((bool(answer.refusal), "tflm"), (in_litert, "litert")):
        if is_refused:
            with pytest.raises(tq.UnsupportedError):
                kernels.requantization(content, runtime)
        else:
            kernels.requantization(content, runtime)
    return bool(answer.refusal), in_litert


def large_output_multiplier() -> None:
    """SUB with an output multiplier above 1, which TensorFlow Lite Micro checks."""
    specs = [TensorSpec(n, (1, 4), scale=s, zero_point=0) for n, s in zip("aby", (1, 1, 1e-7))]  # noqa: B905
    content = faults.operator("SUB", specs[:2], specs[2:], 2, **faults.options("SubOptions"))
    assert refusals(content) == (True, False)
    with pytest.raises(tq.UnsupportedError, match="takes no 'output' multiplier"):
        kernels.requantization(content, "tflm")


def large_square() -> None:
    """SQUARED_DIFFERENCE with one, which LiteRT checks; it would end this process."""
    specs = [TensorSpec(n, (1, 4), scale=s, zero_point=0) for n, s in zip("aby", (1, 1, 1e-5))]  # noqa: B905
    content = faults.operator("SQUARED_DIFFERENCE", specs[:2], specs[2:], 2)
    assert not tflm.answer(content, seed=1).refusal
    assert kernels.requantization(content, "tflm").multipliers["output"].real[0] > 1
    with pytest.raises(tq.UnsupportedError, match="LiteRT's .* takes no 'output' multiplier"):
        kernels.requantization(content, "litert")


def comparisons() -> None:
    """Of inputs with a scale above 1, and of 16 bits."""
    specs = [TensorSpec(name, (1, 4), scale=1.5, zero_point=0) for name in "ab"]
    y = TensorSpec("y", (1, 4), TYPES.BOOL)
    assert refusals(faults.operator("LESS", specs, [y], 2)) == (True, False)
    wide = [replace(spec, type=TYPES.INT16, scale=scale) for spec, scale in zip(specs, (0.1, 0.2))]  # noqa: B905
    content = faults.operator("LESS", wide, [y], 2)
    assert refusals(content) == (True, False)
    found = kernels.requantization(content, "litert")
    assert (found.arithmetic, found.multipliers) == (Arithmetic.UNSCALED, {})


def states() -> None:
    """SVDF with a state of 8 bits, which LiteRT takes for 16 bits, without a check."""
    content = kernels.made("SVDF of INT8", TYPES.INT8, 1).content
    assert not tflm.answer(content, seed=1).refusal
    assert set(kernels.requantization(content, "tflm").multipliers) == {"state", "output"}
    with pytest.raises(tq.UnsupportedError, match="LiteRT's SVDF takes no state of INT8"):
        kernels.requantization(content, "litert")


def padding() -> None:
    """SPACE_TO_BATCH_ND fills in the zero point in LiteRT alone."""
    x = TensorSpec("x", (1, 1, 1, 1), scale=0.1, zero_point=5)
    y = replace(x, name="y", shape=(4, 1, 1, 1))
    extras = [constant(np.array(v, np.int32), name="c") for v in ([2, 2], [[1, 0], [0, 1]])]
    options = faults.options("SpaceToBatchNDOptions")
    content = faults.operator("SPACE_TO_BATCH_ND", [x, *extras], [y], 1, **options)
    q = np.full((1, 1, 1, 1), 7, np.int8)
    case = kernels.Case(content, [q], lambda found: np.zeros(0))
    in_tflm, in_litert = (kernels.outputs([case], n)[0] for n in ("tflm", "litert"))
    assert sorted(in_litert.reshape(-1).tolist()) == [5, 5, 5, 7]
    assert sorted(in_tflm.reshape(-1).tolist()) != [5, 5, 5, 7]
    assert kernels.requantization(content, "litert").constants == {"pad_value": 5}
    assert kernels.requantization(content, "tflm").constants == {}


def narrow_weights() -> None:
    """FULLY_CONNECTED with INT4 weights and a scale for each channel."""
    w = TensorSpec("w", (2, 4), TYPES.INT4, b"\x11" * 4, faults.SCALES, [0, 0])
    assert refusals(faults.dense(w=w)) == (True, False)


def mixed_matrices() -> None:
    """BATCH_MATMUL of INT16 with INT8."""
    x = TensorSpec("x", (2, 4), TYPES.INT16, scale=0.1, zero_point=0)
    w = TensorSpec("w", (4, 2), TYPES.INT8, np.ones((4, 2), np.int8), 0.1, 0)
    y = TensorSpec("y", (2, 2), TYPES.INT16, scale=0.1, zero_point=0)
    options = faults.options("BatchMatMulOptions")
    assert refusals(faults.operator("BATCH_MATMUL", [x, w], [y], 4, **options)) == (True, False)


def several_scales() -> None:
    """Where a kernel reads one scale, TensorFlow Lite Micro takes the first, LiteRT 0."""
    x = TensorSpec("x", (1, 4), scale=[0.5, 0.25, 1, 2], zero_point=[0] * 4, axis=1)
    y = TensorSpec("y", (1, 4), scale=0.5, zero_point=9)
    content = faults.operator("RELU", [x], [y], 2)
    q = np.array([[10, 20, 30, 40]], np.int8)
    case = kernels.Case(content, [q], lambda found: np.zeros(0))
    assert kernels.outputs([case], "tflm")[0].tolist() == [[19, 29, 39, 49]]
    assert kernels.outputs([case], "litert")[0].tolist() == [[9, 9, 9, 9]]
    for runtime in ("tflm", "litert"):
        with pytest.raises(tq.QuantizationError, match="expected .* with one scale"):
            kernels.requantization(content, runtime)


def mixed_scales() -> None:
    """CONCATENATION of UINT8."""
    specs = [TensorSpec(n, (1, 2), TYPES.UINT8, None, s, 0) for n, s in (("a", 0.5), ("b", 0.25))]
    y = TensorSpec("y", (1, 4), TYPES.UINT8, scale=0.5, zero_point=0)
    options = faults.options("ConcatenationOptions", axis=1)
    content = faults.operator("CONCATENATION", specs, [y], 2, **options)
    assert refusals(content) == (True, False)
    assert kernels.requantization(content, "litert").arithmetic is Arithmetic.FLOAT


def hybrid() -> None:
    x, y = (TensorSpec(name, (1, 4), TYPES.FLOAT32) for name in "xy")
    w = constant(np.ones((4, 4), np.int8), 0.5, 0, name="w")
    options = faults.options("FullyConnectedOptions")
    assert refusals(faults.operator("FULLY_CONNECTED", [x, w], [y], 9, **options)) == (True, False)


def differ(name: str, kind: int) -> Callable[[], None]:
    return lambda: random_outputs_differ(name, kind)


DIFFERENCES: Mapping[str, Callable[[], None]] = {
    "MUL": products,
    "PRELU": differ("PRELU", TYPES.INT16),
    "RELU": differ("RELU", TYPES.INT16),
    "LEAKY_RELU": differ("LEAKY_RELU", TYPES.INT16),
    "ABS": differ("ABS", TYPES.INT16),
    "SVDF": memory,
    "BATCH_MATMUL": matrices,
    "FULLY_CONNECTED": differ("FULLY_CONNECTED", TYPES.INT8),
    "SUM": differ("SUM", TYPES.INT8),
    "SOFTMAX of INT16": differ("SOFTMAX, wide", TYPES.INT16),
    "LOGISTIC and TANH of 8 bits": curve,
    "RELU6": differ("RELU6", TYPES.INT8),
    "ADD of INT16, scales that are powers of two": differ("ADD, powers of two", TYPES.INT16),
    "SUB of INT16, scales that are powers of two": differ("SUB, powers of two", TYPES.INT16),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": differ("UNIDIRECTIONAL_SEQUENCE_LSTM", TYPES.INT8),
    "SUB, output multiplier above 1": large_output_multiplier,
    "SQUARED_DIFFERENCE, output multiplier above 1": large_square,
    "LESS and its like": comparisons,
    "SVDF, state of INT8": states,
    "FULLY_CONNECTED, INT4 weights with several scales": narrow_weights,
    "BATCH_MATMUL of INT16 and INT8": mixed_matrices,
    "CONCATENATION of UINT8": mixed_scales,
    "SPACE_TO_BATCH_ND": padding,
    "several scales where a kernel reads one": several_scales,
    "FLOAT32 input, integer weights": hybrid,
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_each_difference_is_seen(name: str) -> None:
    DIFFERENCES[name]()


def test_the_table_has_these_differences() -> None:
    text = (ROOT / "docs/firmware.md").read_text(encoding="utf-8")
    section = text.split("## Where TFLM and LiteRT differ\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|(?= .+\.(?:cc|h)`)", section, re.MULTILINE)
    assert rows == list(DIFFERENCES)


_KINDS = ("INT8", "UINT8", "INT16")


def test_types_that_a_kernel_does_not_take_are_refused() -> None:
    """Cases are run with the types that the table of types leaves out."""
    left_out = [
        (name, kind, runtime)
        for name in kernels.CASES
        if " " not in name
        for kind in _KINDS
        for runtime in Runtime
        # It runs, with numbers that its Prepare sets for INT8 alone.
        if (name, kind) != ("GREATER", "INT16")
        if tq.TensorType[kind] not in (kernel_types(name, runtime) or ())
    ]
    cases = {key: kernels.made(key[0], getattr(TYPES, key[1]), 1).content for key in left_out}
    in_tflm = [key for key in left_out if key[2] is Runtime.TFLM]
    answers = tflm.answers([tflm.Job(cases[key], seed=1) for key in in_tflm])
    assert [key[:2] for key, one in zip(in_tflm, answers, strict=True) if not one.refusal] == []
    for key, content in cases.items():
        with pytest.raises(tq.UnsupportedError, match=f"{key[2].title}('s| has no)"):
            kernels.requantization(content, key[2].value)
