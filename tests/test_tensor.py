"""A tensor's data, its quantization, its real values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from tests import build

TYPES = tflite.TensorType


def tensor(spec: build.TensorSpec) -> tq.Tensor:
    return tq.open(build.one(spec)).tensors[0]


class TestData:
    @pytest.mark.parametrize("dtype", list(build.TYPES), ids=str)
    def test_every_type_of_whole_bytes(self, dtype: np.dtype[Any]) -> None:
        count = 6 * dtype.itemsize
        limit = 2 if dtype.kind == "b" else 256
        raw = np.random.default_rng(0).integers(0, limit, count, np.uint8).tobytes()
        one = tensor(build.TensorSpec(shape=(2, 3), type=build.TYPES[dtype], data=raw))
        assert one.data.tobytes() == raw
        assert (one.data.dtype, one.data.shape, one.dtype) == (dtype, (2, 3), dtype)
        assert not one.data.flags.writeable
        assert one.nbytes == len(raw)

    def test_is_a_view_of_the_file_at_any_alignment(self) -> None:
        memory = np.zeros(4096, np.uint8)
        content = build.one(build.constant(np.arange(5, dtype=np.float64)))
        for shift in range(8):
            shifted = memory[shift : shift + len(content)]
            shifted[:] = np.frombuffer(content, np.uint8)
            data = tq.open(shifted).tensors[0].data
            assert data.tolist() == [0, 1, 2, 3, 4]
            assert np.shares_memory(data, memory)

    def test_numpy_takes_it(self) -> None:
        one = tensor(build.constant(np.arange(3, dtype=np.int8)))
        assert np.asarray(one).tolist() == [0, 1, 2]
        assert np.shares_memory(np.asarray(one), one.buffer.data)
        assert np.asarray(one, np.float32).dtype == np.float32
        copy = np.array(one)
        copy[0] = 5
        assert one.data[0] == 0
        with pytest.raises(ValueError, match="needs a copy"):
            one.__array__(np.dtype(np.float32), copy=False)

    @pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1, 1, 1, 1, 1)])
    def test_any_rank(self, shape: tuple[int, ...]) -> None:
        assert tensor(build.constant(np.ones(shape, np.int16))).data.shape == shape

    def test_a_buffer_without_bytes(self) -> None:
        """It makes no constant, unless of a tensor that has no values."""
        empty = tensor(build.TensorSpec("a", (2, 3), data=b""))
        assert not empty.is_constant
        assert empty.nbytes == 6
        with pytest.raises(tq.UnsupportedError, match="not constant: buffer 1 has 0 bytes"):
            empty.data  # noqa: B018
        nothing = tensor(build.TensorSpec("a", (2, 0), data=b""))
        assert nothing.is_constant
        assert nothing.data.shape == (2, 0)

    @pytest.mark.parametrize("size", [2, 5, 7])
    def test_a_buffer_that_does_not_fit(self, size: int) -> None:
        one = tensor(build.TensorSpec("w", (2, 3), data=bytes(size)))
        with pytest.raises(tq.CorruptModelError) as caught:
            one.data  # noqa: B018
        assert str(caught.value) == (
            f"subgraph 0, tensor 0 'w': buffer 1 has {size} bytes, expected 6 for INT8 of shape "
            "(2, 3)"
        )

    @pytest.mark.parametrize(
        ("shape", "message"),
        [
            ((2**31 - 1,) * 8, "buffer 1 has 8 bytes, expected [0-9_]{99} for INT8 of shape"),
            ((-1, 3), r"shape \(-1, 3\) has a negative size"),
            ((2**31 - 1, 0), r"buffer 1 has 8 bytes, expected 0 for INT8 of shape"),
        ],
    )
    def test_shapes_that_no_array_can_have(self, shape: tuple[int, ...], message: str) -> None:
        one = tensor(build.TensorSpec("w", shape, data=bytes(8)))
        with pytest.raises(tq.CorruptModelError, match=f"tensor 0 'w': {message}"):
            one.data  # noqa: B018

    def test_more_dimensions_than_numpy_has(self) -> None:
        one = tensor(build.TensorSpec("w", (1,) * 100, data=bytes(1)))
        with pytest.raises(tq.UnsupportedError, match="tensor 0 'w': no array has shape"):
            one.data  # noqa: B018

    def test_what_has_no_data_says_why(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="tensor 0 't': not constant"):
            tensor(build.TensorSpec()).data  # noqa: B018

    @pytest.mark.parametrize("type", [TYPES.RESOURCE, TYPES.VARIANT, 99])
    def test_types_that_have_no_values_or_are_not_known(self, type: int) -> None:
        one = tensor(build.TensorSpec(type=type, data=b"1234"))
        for ask in (lambda: one.data, lambda: one.stored, lambda: one.dtype, one.dequantize):
            with pytest.raises(tq.UnsupportedError, match=tq.TensorType(type).name.split("(")[0]):
                ask()
        assert one.nbytes == 4

    def test_bytes_of_what_is_not_constant(self) -> None:
        assert tensor(build.TensorSpec(shape=(2, 3), type=TYPES.FLOAT32)).nbytes == 24
        assert tensor(build.TensorSpec(shape=(3,), type=TYPES.INT4)).nbytes == 2
        assert tensor(build.TensorSpec(type=TYPES.STRING)).nbytes is None
        assert tensor(build.TensorSpec(shape=(-5,))).nbytes is None


class TestQuantization:
    def test_none(self) -> None:
        one = tensor(build.TensorSpec(min=[-1.0], max=[2.0]))
        assert isinstance(one.quantization, tq.NotQuantized)
        assert one.quantization.min is not None
        assert one.quantization.max is not None
        assert (one.quantization.min.tolist(), one.quantization.max.tolist()) == ([-1], [2])
        assert (one.quantization.scheme, repr(one.quantization)) == ("none", "NotQuantized()")
        assert one.quantization.scales.size == one.quantization.zero_points.size == 0

    def test_per_tensor(self) -> None:
        one = tensor(build.TensorSpec(scale=[0.1], zero_point=[5], axis=3, min=[-1], max=[1]))
        quantization = one.quantization
        assert quantization == tq.PerTensor(float(np.float32(0.1)), 5)
        assert isinstance(quantization, tq.PerTensor)
        assert quantization.quantized_dimension == 3
        assert quantization.min is not None
        assert quantization.min.tolist() == [-1]
        assert repr(quantization) == "PerTensor(scale=0.1, zero_point=5)"
        assert hash(quantization) == hash(tq.PerTensor(float(np.float32(0.1)), 5))

    def test_per_axis(self) -> None:
        one = tensor(
            build.TensorSpec(shape=(2, 3), scale=[0.1, 0.2, 0.3], zero_point=[1, 2, 3], axis=1)
        )
        quantization = one.quantization
        assert isinstance(quantization, tq.PerAxis)
        assert quantization.scales.tolist() == np.array([0.1, 0.2, 0.3], np.float32).tolist()
        assert (quantization.zero_points.tolist(), quantization.axis) == ([1, 2, 3], 1)
        assert not quantization.scales.flags.writeable
        assert repr(quantization) == (
            "PerAxis(axis=1, 3 scales in [0.1, 0.3], zero_point in [1, 3])"
        )
        same = tq.PerAxis(quantization.scales.copy(), quantization.zero_points.copy(), 1)
        assert (quantization == same, hash(quantization) == hash(same)) == (True, True)
        assert quantization != tq.PerAxis(same.scales, same.zero_points, 0)
        assert quantization != tq.PerAxis(same.scales[:2], same.zero_points, 1)
        assert quantization != 3

    def test_schemes_are_compared_by_what_they_say(self) -> None:
        none = tensor(build.TensorSpec(min=[-1.0], max=[2.0])).quantization
        assert none == tq.NotQuantized()
        assert hash(none) == hash(tq.NotQuantized())
        ranged = tensor(build.TensorSpec(scale=[0.5], zero_point=[1], min=[0], max=[1]))
        assert ranged.quantization == tq.PerTensor(0.5, 1)
        assert ranged.quantization != tq.PerTensor(0.5, 2)
        assert none != ranged.quantization
        floats, integers = np.zeros(3, np.float32), np.zeros(3, np.int64)
        custom = tq.Custom(np.zeros(3, np.uint8), floats, integers, 0)
        unknown = tq.UnknownScheme(9, "x", floats, integers, 0)
        blocks = tq.Blockwise(np.ones((2, 2)), None, 2)
        axes = tq.MultiAxis(np.ones((2, 2)), None, (0, 1))
        schemes = [none, ranged.quantization, custom, unknown, blocks, axes]
        assert len(set(schemes)) == len(schemes)
        for one in schemes:
            assert [one == other for other in schemes].count(True) == 1
            assert [one != other for other in schemes].count(True) == len(schemes) - 1
        names = ["none", "per-tensor", "custom", "unknown", "blockwise", "multi-axis"]
        assert [one.scheme for one in schemes] == names

    def test_counts_that_do_not_fit_are_shown(self) -> None:
        one = tensor(build.TensorSpec(scale=[0.5], zero_point=[]))
        assert repr(one.quantization) == "PerAxis(axis=0, 1 scale 0.5, zero_points none)"

    def test_details_that_are_not_known_are_shown_not_dropped(self) -> None:
        details = (9, lambda b: build.raw_table(b, ("Int32", 1)))
        spec = build.TensorSpec("w", (2,), data=b"12", scale=[0.5], zero_point=[1], details=details)
        quantization = tensor(spec).quantization
        assert isinstance(quantization, tq.UnknownScheme)
        assert (quantization.details_type, quantization.name) == (9, "QuantizationDetails(9)")
        assert quantization.scales.tolist() == [0.5]
        assert repr(quantization) == "UnknownScheme(QuantizationDetails(9))"
        with pytest.raises(tq.UnsupportedError, match=r"know .* scheme .*Details\(9\)"):
            tensor(spec).dequantize()

    def test_details_that_are_missing_are_shown(self) -> None:
        quantization = tensor(build.TensorSpec(details=(2, lambda b: None))).quantization  # type: ignore[arg-type, return-value]
        assert repr(quantization) == "UnknownScheme(BlockwiseQuantization)"

    def test_custom(self) -> None:
        def custom(b: build.Builder) -> int:
            return build.table(b, "CustomQuantization", custom=build.numbers(b, [7, 8, 9], "u1"))

        one = tensor(build.TensorSpec("w", (2,), data=b"12", details=(1, custom)))
        quantization = one.quantization
        assert isinstance(quantization, tq.Custom)
        assert quantization.content.tolist() == [7, 8, 9]
        assert not quantization.content.flags.writeable
        assert repr(quantization) == "Custom(3 bytes)"
        with pytest.raises(tq.UnsupportedError, match="'w': .* apply custom quantization"):
            one.dequantize()


class TestDequantize:
    def test_per_tensor_and_per_axis(self) -> None:
        values = np.arange(6, dtype=np.int8).reshape(2, 3)
        assert tensor(build.constant(values, 0.5, 1)).dequantize().tolist() == [
            [-0.5, 0, 0.5], [1, 1.5, 2]
        ]  # fmt: skip
        per_axis = tensor(build.constant(values, [0.5, 0.25], [0, 3], axis=0))
        assert per_axis.dequantize().tolist() == [[0, 0.5, 1], [0, 0.25, 0.5]]

    def test_out(self) -> None:
        one = tensor(build.constant(np.arange(3, dtype=np.int8), 0.5, 1))
        out = np.zeros(3, np.float32)
        assert one.dequantize(out=out) is out
        assert out.tolist() == [-0.5, 0, 0.5]

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            (build.constant(np.ones(2, np.int8)), "this int8 tensor has no scale, so it has no re"),
            (build.constant(np.ones(2, np.float32), 0.5), "a tensor with scales is float32"),
            (build.constant(np.ones(2, np.float32), [1, 2], [0, 0]), "with scales is float32"),
            (build.constant(np.ones(2, np.int8), [1, 2], [0, 0], axis=1), "dimension 1 is out of"),
            (build.constant(np.ones(2, np.int8), [1, 2], [0, 0], axis=-1), "dimension -1 is out"),
            (build.constant(np.ones(2, np.int8), [1, 2, 3], [0, 0, 0]), "3 scales along axis 0"),
            (build.constant(np.ones(2, np.int8), [1, 2], [0, 0, 0]), "2 scales and 3 zero points"),
            (build.constant(np.ones(2, np.int8), [1.0], []), "1 scale and 0 zero points"),
            (build.constant(np.ones(2, np.int8), np.nan), "a scale is nan"),
        ],
    )
    def test_parameters_that_cannot_be_applied(self, spec: build.TensorSpec, message: str) -> None:
        with pytest.raises(tq.QuantizationError, match=f"subgraph 0, tensor 0 't': .*{message}"):
            tensor(spec).dequantize()
