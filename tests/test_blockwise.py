"""Schemes whose scales are other tensors: blocks, and several axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import ArrayLike, NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build
from tflite_quant.arithmetic.affine import BLOCK
from tflite_quant.command.json_text import model_json
from tflite_quant.command.model_screen import model_lines
from tflite_quant.command.tensor_screen import tensor_lines

WEIGHT = np.random.default_rng(7).integers(-128, 128, (4, 64)).astype(np.int8)
SCALES = np.random.default_rng(8).uniform(0.01, 0.2, (4, 2)).astype(np.float16)
SWAPPED = np.dtype("i2").newbyteorder()
ZEROS = np.random.default_rng(9).integers(-5, 5, (4, 2)).astype(np.int32)


def multi_axis(axes: list[int], size: int = 0, scales: int = 1, zeros: int = -1) -> Any:
    def write(b: build.Builder) -> int:
        vector = ("UOffsetTRelative", build.numbers(b, axes, "<i4"))
        return build.raw_table(b, ("Int32", scales), ("Int32", zeros), ("Int32", size), vector)

    return 3, write


def model_of(
    details: Any, q: NDArray[Any] = WEIGHT, scales: Any = SCALES, zeros: Any = None
) -> tq.Model:
    tensors = [build.constant(q, name="w", details=details), build.constant(scales, name="s")]
    if zeros is not None:
        tensors.append(build.constant(zeros, name="z"))
    return tq.open(build.one(*tensors))


def by_hand(q: NDArray[Any], scales: ArrayLike, zeros: ArrayLike, blocks: list[int]) -> Any:
    """Find the scale of each value one by one, and compute in float32."""
    scales, zeros = np.asarray(scales, np.float32), np.broadcast_to(zeros, np.shape(scales))
    real = np.empty(q.shape, np.float32)
    for at in np.ndindex(q.shape):
        block = tuple(i // n for i, n in zip(at, blocks, strict=True))
        real[at] = np.float32(int(q[at]) - int(zeros[block])) * scales[block]
    return real


class TestBlockwise:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_scales_are_read_in_the_type_they_have(self, dtype: Any) -> None:
        scales = SCALES.astype(dtype)
        tensor = model_of(build.blockwise(32), scales=scales)["w"]
        scheme = tensor.quantization
        assert isinstance(scheme, tq.Blockwise)
        assert scheme.scales is not None
        assert scheme.scales.dtype.name == scales.dtype.name
        assert np.array_equal(tensor.dequantize(), by_hand(WEIGHT, scales, 0, [1, 32]))

    def test_bfloat16_scales(self) -> None:
        """As the upper halves of float32."""
        bits = SCALES.astype(np.float32).view(np.uint32) >> 16
        spec = build.TensorSpec(
            "s", (4, 2), tflite.TensorType.BFLOAT16, data=bits.astype("<u2").tobytes()
        )
        content = build.one(build.constant(WEIGHT, name="w", details=build.blockwise(32)), spec)
        expected = by_hand(WEIGHT, (bits << 16).astype(np.uint32).view(np.float32), 0, [1, 32])
        assert np.array_equal(tq.open(content)["w"].dequantize(), expected)

    def test_zero_points(self) -> None:
        tensor = model_of(build.blockwise(32, zeros=2), zeros=ZEROS)["w"]
        assert np.array_equal(tensor.dequantize(), by_hand(WEIGHT, SCALES, ZEROS, [1, 32]))
        one = model_of(build.blockwise(32, zeros=2), zeros=np.int32([3]))["w"]  # type: ignore[arg-type]
        assert np.array_equal(one.dequantize(), by_hand(WEIGHT, SCALES, 3, [1, 32]))

    @pytest.mark.parametrize(
        ("shape", "scales", "blocks"),
        [
            ((64,), (2,), [32]),
            ((64, 4), (2, 4), [32, 1]),
            ((2, 64, 3), (2, 2, 3), [1, 32, 1]),
            ((32, 3), (1, 3), [32, 1]),
            ((300, 640), (300, 20), [1, 32]),
        ],
    )
    def test_the_axis_is_derived_from_the_shapes(
        self, shape: tuple[int, ...], scales: tuple[int, ...], blocks: list[int]
    ) -> None:
        r = np.random.default_rng(1)
        q = r.integers(-128, 128, shape).astype(np.int8)
        values = r.uniform(0.1, 1, scales).astype(np.float32)
        tensor = model_of(build.blockwise(32), q, values)["w"]
        assert np.array_equal(tensor.dequantize(), by_hand(q, values, 0, blocks))

    def test_a_block_shape_says_it_all(self) -> None:
        scales = SCALES[:2, :]
        tensor = model_of(build.blockwise(0, [2, 32]), scales=scales)["w"]
        assert np.array_equal(tensor.dequantize(), by_hand(WEIGHT, scales, 0, [2, 32]))
        assert repr(tensor.quantization).startswith("Blockwise(blocks of (2, 32), (2, 2) scales in")

    @pytest.mark.parametrize(
        ("details", "scales", "message"),
        [
            (
                build.blockwise(16),
                SCALES,
                r"shape \(4, 2\), which does not fit shape \(4, 64\) in blocks of 16",
            ),
            (build.blockwise(32), SCALES.reshape(-1), r"scales have shape \(8,\)"),
            (build.blockwise(32), SCALES[:, :, None], r"scales have shape \(4, 2, 1\)"),
            (build.blockwise(32), SCALES[:3], r"scales have shape \(3, 2\)"),
            (build.blockwise(2), SCALES[:2, :1].repeat(32, 1), r"scales have shape \(2, 32\)"),
            (build.blockwise(32, [1, 16]), SCALES, r"in blocks of \(1, 16\)"),
            (build.blockwise(32), SCALES[:0], r"scales have shape \(0, 2\)"),
            (build.blockwise(32), np.ones((4, 2), np.int32), "scales are int32"),
            (build.blockwise(32), SCALES * np.float16(np.nan), "a scale is nan"),
        ],
    )
    def test_what_is_ambiguous_is_refused(self, details: Any, scales: Any, message: str) -> None:
        with pytest.raises(tq.QuantizationError, match=f"tensor 0 'w': .*{message}"):
            model_of(details, scales=scales)["w"].dequantize()

    def test_zero_points_that_do_not_fit(self) -> None:
        with pytest.raises(tq.QuantizationError, match=r"shape \(2,\), expected \(4, 2\)"):
            model_of(build.blockwise(32, zeros=2), zeros=np.zeros(2, np.int32))["w"].dequantize()
        with pytest.raises(tq.QuantizationError, match="zero points float32"):
            model_of(build.blockwise(32, zeros=2), zeros=np.zeros((4, 2), np.float32))[
                "w"
            ].dequantize()

    def test_schemes_with_arrays_are_equal_to_themselves_only(self) -> None:
        empty, zeros = np.empty(0, np.float32), np.empty(0, np.int64)
        content = np.empty(0, np.uint8)
        for make in (
            lambda: tq.Blockwise(SCALES, ZEROS, 32),
            lambda: tq.MultiAxis(SCALES, ZEROS, (0, 1)),
            lambda: tq.Custom(content, empty, zeros, 0),
            lambda: tq.UnknownScheme(9, "9", empty, zeros, 0),
        ):
            one, other = make(), make()
            assert one == one  # noqa: PLR0124
            assert one != other
            assert tuple(one) != one
            assert len({one, one, other}) == 2

    def test_scales_that_are_not_there(self) -> None:
        content = build.one(
            build.constant(WEIGHT, name="w", details=build.blockwise(32)),
            build.TensorSpec("s", (4, 2)),
        )
        tensor = tq.open(content)["w"]
        assert repr(tensor.quantization) == (
            "Blockwise(blocks of 32, scales in tensor 1, which cannot be read)"
        )
        with pytest.raises(tq.UnsupportedError, match="'w': its parameters: .*'s': not constant"):
            tensor.dequantize()
        assert (
            tq.open(content).get_tensor_details()[0]["quantization_parameters"]["block_size"] == 32
        )

    @pytest.mark.parametrize("kind", ["STRING", "BOOL", "COMPLEX64"])
    @pytest.mark.parametrize("part", ["scales", "zero points"])
    def test_parameters_that_are_no_numbers(self, part: str, kind: str) -> None:
        """Every view shows the tensor, as one whose parameters cannot be read."""
        string = np.array([1, 12, 13], "<i4").tobytes() + b"x"
        content = {"STRING": string, "BOOL": b"\1", "COMPLEX64": bytes(8)}[kind]
        other = build.TensorSpec("s", (1,), getattr(tflite.TensorType, kind), data=content)
        parts = (2, 1) if part == "scales" else (1, 2)
        model = tq.open(
            build.one(
                build.constant(WEIGHT[:, :32], name="w", details=build.blockwise(32, None, *parts)),
                build.constant(SCALES[:, :1], name="g"),
                other,
            )
        )
        tensor = model["w"]
        scheme = tensor.quantization
        assert isinstance(scheme, tq.Blockwise)
        assert (scheme.scales if part == "scales" else scheme.zero_points) is None
        assert f"in tensor {2}, which cannot be read" in repr(scheme)
        with pytest.raises(tq.QuantizationError, match="scales or zero points has no numbers"):
            tensor.dequantize()
        details = model.get_tensor_details()[0]["quantization_parameters"]
        assert details["scales" if part == "scales" else "zero_points"].size == 0
        assert list(tensor_lines(tensor))
        (row,) = (line for line in model_lines(model, model.subgraphs) if line.endswith(" w"))
        cells = [cell.strip() for cell in row.split("  ") if cell.strip()]
        assert cells[4 if part == "scales" else 5] == "in tensor 2"
        assert "".join(model_json(model, model.subgraphs))

    def test_scales_of_more_axes_than_numpy_iterates_over(self) -> None:
        shape = (*[1] * 62, 2, 64)
        content = build.one(
            build.constant(np.ones(shape, np.int8), name="w", details=build.blockwise(32, None, 1)),
            build.constant(np.arange(4, dtype=np.float32).reshape(*shape[:-1], 2), name="s"),
        )
        lines = list(tensor_lines(tq.open(content)["w"]))
        assert [line.split() for line in lines[-4:]] == [
            ["0", "0.0"], ["1", "1.0"], ["2", "2.0"], ["3", "3.0"]
        ]  # fmt: skip

    def test_zero_points_in_the_first_tensor_that_are_no_numbers(self) -> None:
        """An index of 0 is a tensor's: the zero points are not taken for 0."""
        model = tq.open(
            build.one(
                build.constant(np.ones((4, 1), np.bool_), name="z"),
                build.constant(WEIGHT[:, :32], name="w", details=build.blockwise(32, None, 2, 0)),
                build.constant(SCALES[:, :1], name="s"),
            )
        )
        assert "zero points in tensor 0, which cannot be read" in repr(model["w"].quantization)
        with pytest.raises(tq.QuantizationError, match="scales or zero points has no numbers"):
            model["w"].dequantize()

    @pytest.mark.parametrize("details", [build.blockwise(32), multi_axis([0, 1], 32)])
    def test_the_range_is_shown_where_there_is_one(self, details: Any) -> None:
        scales = build.constant(SCALES, name="s")
        for given in ({}, {"min": [-1.0]}, {"max": [2.0]}):
            weight = build.constant(WEIGHT, name="w", details=details, **given)
            scheme = tq.open(build.one(weight, scales))["w"].quantization
            found = (scheme.min, scheme.max)
            expected = (given.get("min"), given.get("max"))
            assert tuple(None if v is None else v.tolist() for v in found) == expected

    def test_zero_points_that_are_floats_have_no_place_in_the_details(self) -> None:
        zeros = np.full((4, 2), np.nan, np.float32)
        details = model_of(build.blockwise(32, zeros=2), zeros=zeros).get_tensor_details()[0]
        assert details["quantization_parameters"]["zero_points"].size == 0

    def test_scales_that_name_themselves(self) -> None:
        tensor = model_of(build.blockwise(64, scales=0))["w"]
        with pytest.raises(tq.QuantizationError, match="scales are int8"):
            tensor.dequantize()

    @pytest.mark.parametrize(("scales", "zeros"), [(-1, -1), (2, -1), (1, -2), (1, 2)])
    @pytest.mark.parametrize("kind", ["blockwise", "multi"])
    def test_tensors_that_are_not_there(self, kind: str, scales: int, zeros: int) -> None:
        details = (
            build.blockwise(32, None, scales, zeros)
            if kind == "blockwise"
            else multi_axis([0], 0, scales, zeros)
        )
        with pytest.raises(tq.CorruptModelError, match="tensor 0, quantization, details: '.*' is"):
            model_of(details)

    def test_the_converters_own_model(self) -> None:
        """At most half a step from the float weights that it started from."""
        blocks = tq.open(ROOT / "fixtures/blockwise_int4.tflite")
        floats = tq.open(ROOT / "fixtures/quantizer_float32.tflite")
        found = [t for t in blocks.tensors if isinstance(t.quantization, tq.Blockwise)]
        assert len(found) == 2
        for tensor in found:
            scheme = tensor.quantization
            assert isinstance(scheme, tq.Blockwise)
            assert scheme.scales is not None
            original = floats[tensor.name].data
            step = scheme.scales.astype(np.float32).repeat(32, axis=1)
            error = np.abs(tensor.dequantize() - original) / step
            assert error.max() < 0.501
            assert error.max() > 0.4

    @pytest.mark.parametrize("name", ["blockwise_int4", "int4", "int4_asymmetric", "int2"])
    def test_the_quantizers_own_dequantizer(self, name: str) -> None:
        """Where the quantizer is installed: it is one of the tools that make the fixtures."""
        package = "litert_quantizer.algorithms.uniform_quantize.uniform_quantize_tensor"
        peer = pytest.importorskip(package, reason="needs the dependency group fixtures")
        with tq.open(ROOT / f"fixtures/{name}.tflite") as model:
            quantized = (tq.Blockwise, tq.PerAxis)
            found = [t for t in model.tensors if isinstance(t.quantization, quantized)]
            assert found
            for tensor in found:
                parameters = peer.qtyping.UniformQuantParams(**their_parameters(tensor))
                theirs = peer.uniform_dequantize(tensor.data.astype(np.int32), parameters)
                assert np.array_equal(tensor.dequantize(), theirs.astype(np.float32))

    @pytest.mark.parametrize("name", ["int4", "int4_asymmetric", "int2"])
    def test_the_converters_small_integers(self, name: str) -> None:
        model = tq.open(ROOT / f"fixtures/{name}.tflite")
        floats = tq.open(ROOT / "fixtures/quantizer_float32.tflite")
        found = [t for t in model.tensors if t.type.name in ("INT4", "INT2") and t.is_constant]
        assert found
        for tensor in found:
            scheme = tensor.quantization
            assert isinstance(scheme, tq.PerAxis)
            original = floats[tensor.name].data
            error = np.abs(tensor.dequantize() - original) / scheme.scales[:, None]
            assert error.max() < 0.501


def their_parameters(tensor: tq.Tensor) -> dict[str, Any]:
    """Say a tensor's parameters in the words of the quantizer."""
    scheme = tensor.quantization
    assert isinstance(scheme, tq.Blockwise | tq.PerAxis)
    assert scheme.scales is not None
    zeros = np.zeros(1, np.int32) if scheme.zero_points is None else scheme.zero_points
    shared = {"num_bits": 4, "symmetric": not zeros.any()}
    if isinstance(scheme, tq.PerAxis):
        shape = [1] * len(tensor.shape)
        shape[scheme.axis] = -1
        arrays = {"scale": scheme.scales.reshape(shape), "zero_point": zeros.reshape(shape)}
        return shared | arrays | {"quantized_dimension": scheme.axis}
    arrays = {
        "scale": scheme.scales.astype(np.float32),
        "zero_point": np.zeros(scheme.scales.shape, np.int32),
    }
    return shared | arrays | {"quantized_dimension": 0, "block_size": scheme.block_size}


class TestMultiAxis:
    @pytest.mark.parametrize(
        ("axes", "scales", "size", "blocks"),
        [
            ([0, 1], (4, 6), 0, [1, 1, 5]),
            ([0, 2], (4, 5), 0, [1, 6, 1]),
            ([2, 0], (5, 4), 0, [1, 6, 1]),
            ([0, 2], (4, 1, 5), 0, [1, 6, 1]),
            ([0, 1], (4, 2), 3, [1, 3, 5]),
            ([0, 1], (4, 6), 1, [1, 1, 5]),
            ([1], (6,), 0, [4, 1, 5]),
            ([1], (1, 6, 1), 0, [4, 1, 5]),
            ([0, 1, 2], (4, 6, 5), 0, [1, 1, 1]),
        ],
    )
    def test_values(
        self, axes: list[int], scales: tuple[int, ...], size: int, blocks: list[int]
    ) -> None:
        r = np.random.default_rng(2)
        q = r.integers(-128, 128, (4, 6, 5)).astype(np.int8)
        values = r.uniform(0.1, 1, scales).astype(np.float32)
        zeros = r.integers(-5, 5, scales).astype(np.int32)
        tensor = model_of(multi_axis(axes, size, zeros=2), q, values, zeros)["w"]
        counts = [n // b for n, b in zip(q.shape, blocks, strict=True)]
        if len(scales) < 3:
            order = np.argsort(axes)
            values, zeros = values.transpose(order), zeros.transpose(order)
        expected = by_hand(q, values.reshape(counts), zeros.reshape(counts), blocks)
        assert np.array_equal(tensor.dequantize(), expected)
        assert isinstance(tensor.quantization, tq.MultiAxis)
        assert tensor.quantization.axes == tuple(axes)

    @pytest.mark.parametrize(
        ("axes", "scales", "size"),
        [
            ([0, 1], (4, 5), 0),
            ([0, 1], (6, 4), 0),
            ([0, 0], (4, 4), 0),
            ([0, 3], (4, 5), 0),
            ([-1, 0], (5, 4), 0),
            ([], (1,), 0),
            ([0, 1], (4, 2), 2),
            ([0, 1], (2, 2), 2),
            ([0], (4, 6, 1), 0),
            ([0, 3], (4, 1, 5), 0),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, axes: list[int], scales: tuple[int, ...], size: int
    ) -> None:
        q = np.zeros((4, 6, 5), np.int8)
        tensor = model_of(multi_axis(axes, size), q, np.ones(scales, np.float32))["w"]
        blocks = f" in blocks of {size}" if size else ""
        with pytest.raises(tq.QuantizationError) as caught:
            tensor.dequantize()
        assert str(caught.value) == (
            f"subgraph 0, tensor 0 'w': scales have shape {scales}, which does not fit axes "
            f"{tuple(axes)} of shape (4, 6, 5){blocks}"
        )

    @pytest.mark.parametrize("details", [build.blockwise(3), multi_axis([0, 1], 3)])
    def test_values_that_are_no_integers(self, details: Any) -> None:
        q, scales = np.zeros((4, 6), np.float16), np.ones((4, 2), np.float32)
        with pytest.raises(tq.QuantizationError, match="'w': .*with scales is float16"):
            model_of(details, q, scales)["w"].dequantize()

    def test_repr(self) -> None:
        q, scales = np.zeros((4, 6), np.int8), np.full((4, 2), 0.5, np.float32)
        tensor = model_of(multi_axis([0, 1], 3), q, scales)["w"]
        assert repr(tensor.quantization) == (
            "MultiAxis(axes=(0, 1), blocks of 3, (4, 2) scales 0.5, zero_point 0)"
        )
        whole = model_of(multi_axis([0, 1]), q, np.full((4, 6), 0.5, np.float32))["w"]
        assert repr(whole.quantization) == "MultiAxis(axes=(0, 1), (4, 6) scales 0.5, zero_point 0)"
        details = model_of(multi_axis([0, 1], 3), q, scales).get_tensor_details()
        assert details[0]["quantization_parameters"]["scales"].size == 0


class TestArithmetic:
    def test_memory_layouts_and_out(self) -> None:
        expected = by_hand(WEIGHT, SCALES, 3, [1, 32])
        for q in (
            WEIGHT,
            np.asfortranarray(WEIGHT),
            WEIGHT.astype(SWAPPED),
            WEIGHT.astype(np.int64),
        ):
            out = np.empty(q.shape, np.float32, order="F")
            assert tq.dequantize_blockwise(q, SCALES, 3, out) is out
            assert np.array_equal(out, expected)

    def test_rank_0_and_no_values(self) -> None:
        assert tq.dequantize_blockwise(np.int8(3), 0.5, 1) == 1
        for shape in ((0, 4), (4, 0), (0, 0)):
            none = np.zeros(shape, np.int8)
            assert tq.dequantize_blockwise(none, np.ones((1, 2))).shape == shape

    @pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32])
    def test_differences_of_wide_integers_are_rounded_once(self, dtype: Any) -> None:
        """Neither value nor zero point is a float32, but their difference is."""
        q = np.array([2**24 + 1, 2**24 + 2, 2**24 + 3, 2**30 + 1]).astype(dtype)
        for zero in (2**24 + 1, 2**24 - 1):
            expected = (q.astype(np.int64) - zero).astype(np.float32).reshape(2, 2)
            found = tq.dequantize_blockwise(q.reshape(2, 2), np.ones((2, 1)), zero)
            assert found.tolist() == expected.tolist()
            zeros = np.full((2, 1), zero)
            assert np.array_equal(
                tq.dequantize_blockwise(q.reshape(2, 2), np.ones((2, 1)), zeros), expected
            )

    @pytest.mark.parametrize("shape", [(2, 3 * BLOCK), (2 * BLOCK, 3), (BLOCK + 2, 3)])
    def test_arrays_that_are_worked_on_piece_by_piece(self, shape: tuple[int, int]) -> None:
        """Of rows that are each longer than a piece, and of more rows than a piece has."""
        q = (np.arange(shape[0] * shape[1]) % 999).astype(np.int16).reshape(shape)
        scales, zeros = np.array([[1, 2, 4], [8, 16, 32]]), np.array([[0, 1, 2], [3, 4, 5]])
        along = [each.repeat(shape[0] // 2, 0).repeat(shape[1] // 3, 1) for each in (scales, zeros)]
        expected = (q - along[1]) * along[0]
        assert np.array_equal(tq.dequantize_blockwise(q, scales, zeros), expected)

    @pytest.mark.parametrize("shape", [(0,), (0, 4), (4, 0), (0, 0), (2, 0, 4)])
    def test_arrays_without_values(self, shape: tuple[int, ...]) -> None:
        """One scale, or as few blocks as there are values."""
        for scales in (np.ones([1] * len(shape)), np.ones([size // 2 for size in shape])):
            assert tq.dequantize_blockwise(np.ones(shape, np.int8), scales).shape == shape
            with pytest.raises(tq.QuantizationError, match="do not divide"):
                tq.dequantize_blockwise(np.ones([4] * len(shape), np.int8), np.ones(shape))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            (([1.5], [1]), TypeError, "q has dtype float64"),
            ((np.zeros(1, np.dtype("f8").newbyteorder()), [1]), TypeError, "q has dtype float64"),
            (([1], [1], 0.5), TypeError, "zero_point has dtype float64"),
            (([1, 2], [1, 1, 1]), tq.QuantizationError, "do not divide shape"),
            (([1, 2], [np.inf]), tq.QuantizationError, "a scale is inf"),
            (([1, 2], [1], [1, 2]), tq.QuantizationError, r"zero points have shape \(2,\)"),
        ],
    )
    def test_bad_arguments(
        self, arguments: tuple[Any, ...], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message):
            tq.dequantize_blockwise(*arguments)
