"""Findings about scales and zero points that are tensors of their own, and what LiteRT says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, faults, oracle
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.work import calls

CODES = np.random.default_rng(17).integers(-8, 8, (4, 64))
SCALES = (np.arange(1, 9) / 100).astype(np.float16).reshape(4, 2)
INPUT = np.random.default_rng(18).standard_normal((1, 64)).astype(np.float32)


def model(
    scales: NDArray[Any] = SCALES, zeros: NDArray[Any] | None = None, size: int = 32
) -> bytes:
    """Build a FULLY_CONNECTED on floats whose int4 weights have a scale for each block."""
    nibbles = (CODES.reshape(-1) & 15).astype(np.uint8)
    details = build.blockwise(size, scales=2, zeros=-1 if zeros is None else 3)
    packed = (nibbles[::2] | nibbles[1::2] << 4).tobytes()
    weights = TensorSpec("w", (4, 64), tflite.TensorType.INT4, packed, details=details)
    floats = tflite.TensorType.FLOAT32
    specs = [TensorSpec("x", (1, 64), floats), weights, constant(scales, name="scales")]
    if zeros is not None:
        specs.append(constant(zeros, name="zeros"))
    specs.append(TensorSpec("y", (1, 4), floats))
    last = len(specs) - 1
    fields = faults.options("FullyConnectedOptions")
    code = tflite.BuiltinOperator.FULLY_CONNECTED
    one = OperatorSpec(code, [0, 1, -1], [last], version=13, fields=fields)
    return build.model(SubgraphSpec(specs, [0], [last], [one], "main"))


def output(content: bytes, has_delegate: bool) -> NDArray[np.float32] | None:
    """Run a model with LiteRT, as it is or without its default delegate; None if it refuses."""
    kinds = oracle.litert().OpResolverType
    kind = kinds.AUTO if has_delegate else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with oracle.quiet():
            runner = oracle.litert().Interpreter(
                model_content=content, experimental_op_resolver_type=kind
            )
            runner.allocate_tensors()
            runner.set_tensor(0, INPUT)
            runner.invoke()
    except (ValueError, RuntimeError):
        return None
    result: NDArray[np.float32] = runner.get_tensor(runner.get_output_details()[0]["index"])
    return result


def is_same(content: bytes, other: bytes) -> bool:
    """Tell whether LiteRT's kernels compute the same with two models."""
    outputs = [output(one, False) for one in (content, other)]
    assert all(one is not None for one in outputs)
    return np.array_equal(*outputs)  # type: ignore[arg-type]


def said(content: bytes) -> list[tuple[str, str, str, str]]:
    return [
        (one.id, str(one.severity), one.found, one.expected)
        for one in tq.check(content, target="litert")
    ]


def with_scale(value: float) -> NDArray[np.float16]:
    scales = SCALES.copy()
    scales[2, 1] = value
    return scales


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.01, None), (6e-8, None), (0.0, "positive scales"),
        (-0.01, "finite, positive scales"), (np.nan, "finite, positive scales"),
        (np.inf, "finite, positive scales"), (-np.inf, "finite, positive scales"),
    ],
)  # fmt: skip
def test_a_scale_that_litert_refuses(value: float, expected: str | None) -> None:
    """Its default delegate does; the numbers that are denormal in float16 are none in float32."""
    content = model(with_scale(value))
    found = [("TQ102", "error", f"scale {np.float16(value)!s}", expected)]
    assert said(content) == ([] if expected is None else found)
    assert (output(content, True) is None) == (expected is not None)


def test_the_scale_of_zero_that_only_the_delegate_refuses() -> None:
    content = model(with_scale(0))
    (finding,) = tq.check(content, target="litert")
    assert "default delegate" in finding.effect
    without = output(content, False)
    assert without is not None
    assert np.isfinite(without).all()


def test_zero_points_that_litert_does_not_read() -> None:
    """Nor does it look whether they are in the range of the weights' type."""
    zeros = np.zeros(SCALES.shape, np.int8)
    assert said(model(zeros=zeros)) == []
    for value, ids in ((7, ["TQ204"]), (-8, ["TQ204"]), (8, ["TQ204", "TQ105"])):
        zeros[1, 0] = value
        content = model(zeros=zeros)
        found = said(content)
        assert [(id, text) for id, _, text, _ in found] == [
            (id, f"zero point {value}") for id in ids
        ]
        assert {severity for _, severity, *_ in found} == {"warning"}
        # As if they were 0; the real values of this library differ.
        assert is_same(content, model())
        ours = tq.open(content).tensors[1].dequantize()
        assert not np.array_equal(ours, tq.open(model()).tensors[1].dequantize())


@pytest.mark.parametrize("shape", [(8,), (8, 1), (2, 4), (4, 2, 1)])
def test_a_shape_that_does_not_say_whose_each_scale_is(shape: tuple[int, ...]) -> None:
    content = model(SCALES.reshape(shape))
    text = f"scales of shape {shape} for shape (4, 64)"
    assert said(content) == [("TQ103", "note", text, "one for each block of 32")]
    assert is_same(content, model())
    with pytest.raises(tq.QuantizationError):
        tq.open(content).tensors[1].dequantize()


@pytest.mark.parametrize(("columns", "is_error"), [(1, True), (2, False), (3, True)])
def test_a_count_of_scales_that_does_not_fit_the_blocks(columns: int, is_error: bool) -> None:
    content = model(np.full((4, columns), 0.01, np.float16))
    text = f"scales of shape (4, {columns}) for shape (4, 64)"
    expected = [("TQ103", "error", text, "one for each block of 32")] if is_error else []
    assert said(content) == expected
    assert (output(content, True) is None) == is_error


def test_a_size_of_blocks_that_does_not_fit_the_count_of_scales() -> None:
    """It is not run, since LiteRT reads past the end of the scales."""
    ((id, severity, _, expected),) = said(model(size=16))
    assert (id, severity, expected) == ("TQ103", "error", "one for each block of 16")


def test_scales_of_a_type_that_litert_reads_as_another() -> None:
    content = model(SCALES.astype(np.float32))
    text = "scales in tensor 2 that are not FLOAT16"
    assert said(content) == [("TQ106", "warning", text, "FLOAT16")]
    assert not is_same(content, model())


def test_parameters_of_types_that_are_none() -> None:
    expected = [("TQ106", "error", "scales of type int16 in tensor 2", "floats")]
    assert said(model(np.ones((4, 2), np.int16))) == expected
    expected = [("TQ106", "error", "zero points of type float16 in tensor 3", "integers")]
    assert said(model(zeros=np.zeros((4, 2), np.float16))) == expected


def test_zero_points_in_another_shape_than_the_scales() -> None:
    text = "zero points of shape (4,)"
    expected = [("TQ103", "error", text, "(4, 2), that of the scales")]
    assert said(model(zeros=np.zeros(4, np.int8))) == expected
    assert said(model(zeros=np.zeros(1, np.int8))) == []


def multi_axis(scales: NDArray[Any], size: int = 0) -> bytes:
    """Build weights with a scale for each index along axes 0 and 1, in blocks along the last."""

    def write(b: build.Builder) -> int:
        axes = ("UOffsetTRelative", build.numbers(b, [0, 1], "<i4"))
        return build.raw_table(b, ("Int32", 1), ("Int32", -1), ("Int32", size), axes)

    return build.one(
        constant(np.zeros((2, 4), np.int8), name="w", details=(3, write)),
        constant(scales, name="scales"),
    )


def test_several_axes() -> None:
    def found(content: bytes) -> list[tuple[str, str, str]]:
        return [(id, text, expected) for id, _, text, expected in said(content) if id != "TQ302"]

    good = np.full((2, 4), 0.5, np.float32)
    assert found(multi_axis(good)) == []
    assert found(multi_axis(good[:, :2], 2)) == []
    for bad, expected in (
        (0.0, "positive scales"),
        (-1.0, "finite, positive scales"),
        (np.nan, "finite, positive scales"),
        (1e-40, f"scales of at least {np.finfo(np.float32).tiny}"),
    ):
        scales = good.copy()
        scales[0, 1] = bad
        assert found(multi_axis(scales)) == [("TQ102", f"scale {np.float32(bad)!s}", expected)]
    text = "scales of shape (2, 3) for shape (2, 4)"
    assert found(multi_axis(good[:, :3])) == [("TQ103", text, "those of axes (0, 1)")]
    expected = "those of axes (0, 1) in blocks of 2"
    assert found(multi_axis(good[:, :3], 2)) == [("TQ103", text, expected)]


@pytest.mark.parametrize("tensors_of_scales", [1, 20])
def test_scales_that_many_tensors_share_are_looked_at_once(tensors_of_scales: int) -> None:
    """Whether they are in one tensor, or in several that share a buffer."""

    def work(count: int, buffers: int) -> int:
        contents = [np.full(4, 1 + n, "<f2").tobytes() for n in range(buffers)]
        kind = tflite.TensorType.FLOAT16
        specs = [
            TensorSpec("scales", (2, 2), kind, buffer=1 + n % buffers)
            for n in range(max(tensors_of_scales, buffers))
        ]
        firsts = len(specs)
        specs += [
            constant(np.zeros((2, 4), np.int8), details=build.blockwise(2, scales=n % firsts))
            for n in range(count)
        ]
        return calls(lambda: tq.check(build.one(*specs, buffers=contents)))

    shared, own = (work(20, buffers) for buffers in (1, 20))
    # To look at one array takes some twenty calls.
    assert own - shared > 19 * 15
