"""The arithmetic: bit for bit what LiteRT's reference kernels give."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import many
from tests import oracle

SHAPES = [(5,), (4, 3), (2, 3, 5), (2, 3, 4, 5)]
AXES = [(shape, axis) for shape in SHAPES for axis in range(len(shape))]
BYTES: list[np.dtype[Any]] = [np.dtype("i1"), np.dtype("u1")]
SWAPPED = {name: np.dtype(name).newbyteorder() for name in ("i2", "u8", "f4", "f8", "c16")}
"""Types in the other byte order than the machine's."""
SMALL: list[np.dtype[Any]] = [*BYTES, np.dtype("i2")]
DIFFICULT = np.array(
    [1.0, 0.1, 1 / 3, 0.003921569, 7e-39, 1e-45, 3e38, 1e-38, 0.0247, 123456.78], np.float32
)


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def every_value(dtype: np.dtype[Any]) -> NDArray[Any]:
    bounds = np.iinfo(dtype)
    return np.arange(bounds.min, bounds.max + 1).astype(dtype)


def same_bits(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return (
        one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    )


class TestDequantize:
    @pytest.mark.parametrize("scale", list(DIFFICULT))
    @pytest.mark.parametrize("dtype", SMALL)
    def test_per_tensor(self, dtype: np.dtype[Any], scale: np.float32) -> None:
        q = every_value(dtype)
        # The kernel takes int16 with zero point 0 only.
        zeros = [0] if dtype == np.int16 else [0, 3, int(q[0]), int(q[-1]), 1000, -70000]
        for zero in zeros:
            expected = oracle.dequantized(q, scale, zero)
            assert same_bits(tq.dequantize(q, scale, zero), expected)

    @pytest.mark.parametrize("zero", [2**24, 2**24 + 1, 2**31 - 128, -(2**31) + 128])
    def test_zero_points_past_float32s_integers(self, zero: int) -> None:
        """As far as the kernel's int32 difference does not overflow."""
        q = every_value(np.dtype(np.int8))
        q = q[np.abs(q.astype(np.int64) - zero) < 2**31]
        assert same_bits(tq.dequantize(q, 0.1, zero), oracle.dequantized(q, 0.1, zero))
        scales = random(1).uniform(1e-3, 1, q.size).astype(np.float32)
        expected = oracle.dequantized(q, scales, [zero] * q.size)
        assert same_bits(tq.dequantize(q, scales, zero, axis=0), expected)

    @pytest.mark.parametrize(("shape", "axis"), AXES)
    @pytest.mark.parametrize("dtype", BYTES)
    def test_per_axis(self, dtype: np.dtype[Any], shape: tuple[int, ...], axis: int) -> None:
        r = random(axis)
        bounds = np.iinfo(dtype)
        q = r.integers(bounds.min, bounds.max + 1, shape).astype(dtype)
        scales = r.choice(DIFFICULT, shape[axis])
        zeros = r.integers(bounds.min, bounds.max + 1, shape[axis])
        expected = oracle.dequantized(q, scales, zeros, axis)
        assert same_bits(tq.dequantize(q, scales, zeros, axis), expected)
        assert same_bits(tq.dequantize(q, scales, zeros, axis - len(shape)), expected)
        shared = oracle.dequantized(q, scales, zeros[:1].repeat(shape[axis]), axis)
        assert same_bits(tq.dequantize(q, scales, zeros[0], axis), shared)
        assert same_bits(tq.dequantize(q, scales, zeros[:1], axis), shared)

    @pytest.mark.parametrize(("shape", "axis"), AXES)
    def test_int16_per_axis_which_the_kernel_does_not_take(
        self, shape: tuple[int, ...], axis: int
    ) -> None:
        q = random(3).integers(-(2**15), 2**15, shape).astype(np.int16)
        scales = random(4).choice(DIFFICULT, shape[axis])
        expected = np.empty(shape, np.float32)
        for index in np.ndindex(shape):
            expected[index] = np.float32(q[index]) * scales[index[axis]]
        assert same_bits(tq.dequantize(q, scales, 0, axis), expected)

    @pytest.mark.parametrize("dtype", ["int32", "int64", "uint32", "uint64"])
    def test_wide_integers_round_once(self, dtype: str) -> None:
        bounds = np.iinfo(dtype)
        q = np.array([bounds.min, 0, 1, 2**24 + 1, 2**31 - 1, bounds.max], dtype)
        for scale in (0.1, 1 / 3, 2.0**-20):
            for zero in (0, 5, -(2**31)):
                exact = [
                    np.float32(float(int(v) - zero) * float(np.float32(scale))) for v in q.tolist()
                ]
                assert same_bits(tq.dequantize(q, scale, zero), np.array(exact, np.float32))

    def test_float16_and_other_arrays_of_scales_are_taken_as_float32(self) -> None:
        scales = np.array([0.1, 0.2], np.float16)
        q = np.array([[1, 2], [3, 4]], np.int8)
        expected = tq.dequantize(q, scales.astype(np.float32), 0, 1)
        assert same_bits(tq.dequantize(q, scales, 0, 1), expected)

    def test_rank_0_and_no_values(self) -> None:
        assert tq.dequantize(np.int8(3), 0.5, 1).shape == ()
        assert tq.dequantize(np.int8(3), 0.5, 1) == 1.0
        assert tq.dequantize(np.zeros((0, 4), np.int8), [1, 2, 3, 4], 0, 1).shape == (0, 4)
        assert tq.dequantize(np.zeros((3, 0), np.int8), 1, 0).shape == (3, 0)

    @pytest.mark.parametrize("dtype", ["u1", "i2", "u4", "i8", "u8", ">i4"])
    def test_zero_points_of_any_integer_type(self, dtype: str) -> None:
        q = np.array([[-128, 0], [1, 127]], np.int8)
        expected = tq.dequantize(q, [0.5, 0.25], [3, 100], 0)
        zeros = np.array([3, 100], dtype)
        assert same_bits(tq.dequantize(q, [0.5, 0.25], zeros, 0), expected)
        assert same_bits(tq.dequantize(q, 0.5, zeros[0]), tq.dequantize(q, 0.5, 3))
        largest = np.array([2**63 - 1], np.uint64)
        assert tq.dequantize(np.zeros(1, np.int8), 1, largest).tolist() == [-(2.0**63)]

    def test_one_scale_along_an_axis_of_any_length(self) -> None:
        q = np.array([[1, 2], [3, 4]], np.int8)
        assert same_bits(tq.dequantize(q, [0.5], [1], 0), tq.dequantize(q, 0.5, 1))

    def test_a_result_past_float32_is_infinite_without_a_warning(self) -> None:
        assert tq.dequantize(np.array([127, -128], np.int8), 3e38, 0).tolist() == [np.inf, -np.inf]

    @pytest.mark.parametrize("block", ["small", "large"])
    @pytest.mark.parametrize("axis", [None, 0, 1, 2])
    def test_memory_layouts_and_blocks(self, axis: int | None, block: str) -> None:
        shape = (3, 4, 5) if block == "small" else (70, 60, 50)
        plain = random(5).integers(-128, 128, shape).astype(np.int8)
        scales = 0.1 if axis is None else random(6).uniform(0.01, 1, shape[axis])
        expected = tq.dequantize(plain, scales, 3, axis)
        assert expected.flat[17] == tq.dequantize(
            plain.flat[17],
            scales if axis is None else scales[np.unravel_index(17, shape)[axis]],  # type: ignore[index]
            3,
        )
        wide = np.zeros((*shape, 2), np.int8)
        wide[..., 1] = plain
        layouts = {
            "fortran": np.asfortranarray(plain),
            "strided": wide[..., 1],
            "reversed": plain[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1],
            "swapped": plain.astype(SWAPPED["i2"]),
            "read-only": np.frombuffer(plain.tobytes(), np.int8).reshape(shape),
        }
        for name, q in layouts.items():
            assert same_bits(tq.dequantize(q, scales, 3, axis), expected), name
            out = np.full(shape, np.nan, np.float32, order="F")
            assert tq.dequantize(q, scales, 3, axis, out=out) is out
            assert np.array_equal(out, expected), name
            swapped = np.empty(shape, SWAPPED["f4"])
            assert tq.dequantize(q, scales, 3, axis, out=swapped) is swapped
            assert np.array_equal(swapped, expected), name

    @given(st.data())
    @many(3)
    def test_few_and_many_values_have_the_same_bits(self, data: st.DataObject) -> None:
        """Few are taken a shorter way, which an output that is given leaves."""
        q = data.draw(hnp.arrays(st.sampled_from([np.int8, np.uint8, np.int16]), (3, 2)))
        axis = data.draw(st.sampled_from([None, 0, 1, -1]))
        scales = st.floats(width=32, allow_nan=False, allow_infinity=False)
        scale: Any = np.float32(data.draw(scales))
        zero: Any = data.draw(st.integers(-(2**25), 2**25))
        if axis is not None:
            count = q.shape[axis]
            drawn = data.draw(st.lists(scales, min_size=count, max_size=count))
            scale = np.array(drawn, np.float32)
            zero = np.full(count, data.draw(st.sampled_from([0, 0, 7])))
        out = np.empty(q.shape, np.float32)
        tq.dequantize(q, scale, zero, axis, out=out)
        assert tq.dequantize(q, scale, zero, axis).tobytes() == out.tobytes()

    def test_out_is_checked(self) -> None:
        q = np.zeros((2, 3), np.int8)
        with pytest.raises(TypeError, match="float64, expected float32"):
            tq.dequantize(q, 1, 0, out=np.zeros((2, 3)))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="list, expected float32"):
            tq.dequantize(q, 1, 0, out=[])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"shape \(3, 2\), expected \(2, 3\)"):
            tq.dequantize(q, 1, 0, out=np.zeros((3, 2), np.float32))
        fixed = np.zeros((2, 3), np.float32)
        fixed.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            tq.dequantize(q, 1, 0, out=fixed)
        shared = np.zeros(6, np.float32)
        with pytest.raises(ValueError, match="overlaps"):
            tq.dequantize(shared.view(np.int32), 1, 0, out=shared)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (([1.5], 1, 0), TypeError, "q has dtype float64"),
            ((np.zeros(1, SWAPPED["f8"]), 1, 0), TypeError, "q has dtype float64"),
            (([1], 1, 0.5), TypeError, "zero_point has dtype float64"),
            (([1], 1, np.zeros(1, SWAPPED["f8"])), TypeError, "zero_point has dtype float64"),
            (([1, 2], [1, 2], 0), tq.QuantizationError, "missing, expected one for 2 scales"),
            (([1, 2], [1, 2, 3], 0, 0), tq.QuantizationError, r"3 scales along axis 0 of shape"),
            (([1, 2], [1, 2], [0, 0, 0], 0), tq.QuantizationError, "2 scales and 3 zero points"),
            (([1, 2], [], 0), tq.QuantizationError, "0 scales"),
            (([1, 2], 1, []), tq.QuantizationError, "0 zero points"),
            (([1, 2], np.nan, 0), tq.QuantizationError, "a scale is nan"),
            (([1, 2], np.inf, 0), tq.QuantizationError, "a scale is inf"),
            (([1, 2], 1e300, 0), tq.QuantizationError, "a scale is inf"),
            (([1, 2], 1, 0, 1), ValueError, r"axis 1 is out of range for shape \(2,\)"),
            (([1, 2], 1, 0, -2), ValueError, "axis -2 is out of range"),
            (([1], 1, np.uint64(2**64 - 1)), tq.QuantizationError, "expected a signed 64-bit"),
            (
                ([1], 1, np.full(1, 2**64 - 1, SWAPPED["u8"])),
                tq.QuantizationError,
                "zero point is 18446744073709551615, expected a signed 64-bit integer",
            ),
        ],
    )
    def test_bad_arguments(
        self, arguments: tuple[Any, ...], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            tq.dequantize(*arguments)


class TestQuantize:
    @pytest.mark.parametrize("scale", [1.0, 0.1, 1 / 3, 0.003921569, 2.0**-7, 123.5])
    @pytest.mark.parametrize("dtype", SMALL)
    def test_per_tensor(self, dtype: np.dtype[Any], scale: float) -> None:
        zero = 0 if dtype == np.int16 else 7
        steps = np.arange(-600, 600, dtype=np.float32) / 2
        near = [np.nextafter(steps, np.float32(np.inf)), np.nextafter(steps, np.float32(-np.inf))]
        real = np.concatenate([steps, *near]) * np.float32(scale)
        tiny = np.array(
            [0.0, -0.0, 1e-45, -1e-45, 0.49999997, -0.49999997, 8388607.5 * scale], np.float32
        )
        real = np.concatenate([real, tiny, real * 200]).astype(np.float32)
        expected = oracle.quantized(real, dtype, scale, zero)
        assert same_bits(tq.quantize(real, scale, zero, dtype=dtype), expected)

    @pytest.mark.parametrize(("shape", "axis"), AXES)
    @pytest.mark.parametrize("dtype", SMALL)
    def test_per_axis(self, dtype: np.dtype[Any], shape: tuple[int, ...], axis: int) -> None:
        r = random(axis)
        real = r.normal(0, 20, shape).astype(np.float32)
        scales = r.uniform(0.01, 0.5, shape[axis]).astype(np.float32)
        zeros = r.integers(*((0, 10) if dtype.kind == "u" else (-5, 5)), shape[axis])
        expected = oracle.quantized(real, dtype, scales, zeros, axis)
        assert same_bits(tq.quantize(real, scales, zeros, axis, dtype), expected)
        assert same_bits(tq.quantize(real, scales, zeros, axis - len(shape), dtype), expected)
        shared = oracle.quantized(real, dtype, scales, zeros[:1].repeat(shape[axis]), axis)
        assert same_bits(tq.quantize(real, scales, zeros[0], axis, dtype), shared)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (([1.0], -1.0, 0), tq.QuantizationError, "a scale is -1.0, expected a positive"),
            (([1.0], 0.0, 0), tq.QuantizationError, "a scale is 0.0, expected a positive"),
            (([1.0], 0.5, 128), tq.QuantizationError, "a zero point is 128, .* int8 can hold"),
            (([1.0], 0.5, -1, None, np.uint8), tq.QuantizationError, "-1, .* uint8 can hold"),
            (([1.0], "0.5", 0), TypeError, "scale has dtype str"),
            (([1.0], True, 0), TypeError, "scale has dtype bool"),
        ],
    )
    def test_what_cannot_be_meant(
        self, arguments: tuple[Any, ...], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            tq.quantize(*arguments)

    def test_saturates(self) -> None:
        real = np.array([np.inf, -np.inf, 3e38, -3e38], np.float32)
        assert tq.quantize(real, 1e-3, 5).tolist() == [127, -128, 127, -128]
        assert tq.quantize(real, 1e-3, 5, dtype=np.uint8).tolist() == [255, 0, 255, 0]
        assert tq.quantize(real, 1e-38, 0, dtype=np.int32).tolist() == [
            2**31 - 1, -(2**31), 2**31 - 1, -(2**31)
        ]  # fmt: skip
        assert tq.quantize(real, 1.0, 0, dtype=np.uint32).tolist() == [2**32 - 1, 0, 2**32 - 1, 0]

    @pytest.mark.parametrize("dtype", ["int32", "uint32"])
    def test_wide_integers_keep_all_bits_of_the_zero_point(self, dtype: str) -> None:
        zero = 2**30 + 1
        assert tq.quantize([0.0, 1.0, -1.0], 1.0, zero, dtype=dtype).tolist() == [
            zero, zero + 1, zero - 1
        ]  # fmt: skip

    @given(
        hnp.arrays(np.float32, (4, 3), elements=st.floats(-1e6, 1e6, width=32)),
        st.floats(2.0**-20, 100, width=32),
        st.integers(-128, 127),
    )
    def test_is_the_nearest_integer(
        self, real: NDArray[np.float32], scale: float, zero: int
    ) -> None:
        """By exact arithmetic on the float32 quotient, halves away from zero."""
        result = tq.quantize(real, scale, zero)
        quotients = real / np.float32(scale)
        for quotient, got in zip(quotients.ravel(), result.ravel(), strict=True):
            exact = Fraction(float(quotient))
            rounded = int(abs(exact) + Fraction(1, 2)) * (1 if exact > 0 else -1)
            assert int(got) == min(max(rounded + zero, -128), 127)

    @pytest.mark.parametrize("axis", [None, 0, 1, 2])
    def test_memory_layouts_and_out(self, axis: int | None) -> None:
        shape = (70, 60, 50)
        real = random(5).normal(0, 5, shape).astype(np.float32)
        scales = 0.1 if axis is None else random(6).uniform(0.01, 1, shape[axis])
        expected = tq.quantize(real, scales, 3, axis)
        out = np.zeros(shape, np.int8, order="F")
        assert tq.quantize(np.asfortranarray(real), scales, 3, axis, out=out) is out
        assert np.array_equal(out, expected)
        assert np.array_equal(tq.quantize(real.astype(SWAPPED["f8"]), scales, 3, axis), expected)
        swapped = tq.quantize(real, scales, 3, axis, dtype=SWAPPED["i2"])
        assert swapped.dtype == SWAPPED["i2"]
        assert np.array_equal(swapped, tq.quantize(real, scales, 3, axis, dtype=np.int16))

    def test_a_round_trip_gives_the_integers_back(self) -> None:
        for dtype in SMALL:
            q = every_value(dtype)
            assert same_bits(tq.quantize(tq.dequantize(q, 0.1, 3), 0.1, 3, dtype=dtype), q)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (([np.nan], 1, 0), tq.QuantizationError, "a value is NaN"),
            (([1.0], 0, 0), tq.QuantizationError, "a scale is 0"),
            (([1.0, 2.0], [1, 0], 0, 0), tq.QuantizationError, "a scale is 0"),
            (([1j], 1, 0), TypeError, "real has dtype complex128"),
            ((np.zeros(1, SWAPPED["c16"]), 1, 0), TypeError, "real has dtype complex128"),
            (([1.0], 1, 0, None, np.float32), TypeError, "dtype is float32"),
            (([1.0], 1, 0, None, np.int64), TypeError, "dtype is int64"),
            (([1.0], 1, 0, None, SWAPPED["u8"]), TypeError, "dtype is uint64"),
            (([1.0], 1, 0, None, np.int8, np.zeros(1)), TypeError, "expected int8"),
            (([1.0], 1, 0, 1), ValueError, "axis 1 is out of range"),
        ],
    )
    def test_bad_arguments(
        self, arguments: tuple[Any, ...], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            tq.quantize(*arguments)
