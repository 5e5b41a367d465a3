"""What quantization cost: the measures, against numbers computed here or known by construction."""

from __future__ import annotations

import importlib
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tflite_quant.comparison import measures as measuring

FIXTURES = ROOT / "fixtures"
PAIRS = {
    **dict.fromkeys(
        [
            "residual_float16", "residual_dynamic_range", "residual_int8",
            "residual_int8_per_tensor", "residual_uint8_io", "residual_int8_float_io",
            "residual_int16x8", "outside_buffers",
        ],
        "residual_float32",
    ),
    **dict.fromkeys(["int4", "int2", "int4_asymmetric", "blockwise_int4"], "quantizer_float32"),
    "sparse_int8": "sparse",
    "lstm_int8": "lstm",
}  # fmt: skip
"""Which fixture was made from which."""
OTHERS = {"residual_float32": 1, "quantizer_float32": 0, "sparse": 0, "lstm": 3}
"""Constants without real values: the axes of a mean, the bounds of a slice."""

Doubles = NDArray[np.float64]
pairs = pytest.mark.parametrize("name", PAIRS)


def fixture(name: str) -> Path:
    return FIXTURES / f"{name}.tflite"


def compared(name: str) -> tq.Comparison:
    return tq.compare(fixture(PAIRS[name]), fixture(name))


# ------------------------------------------------------------ computed here, without blocks


def steps_of(tensor: tq.Tensor) -> Doubles | None:
    """Give the step of each value: the scales, repeated for what shares them."""
    scheme = tensor.quantization
    if isinstance(scheme, tq.PerTensor):
        return np.full(tensor.shape, np.float64(np.float32(scheme.scale)))
    if isinstance(scheme, tq.PerAxis):
        shape = [1] * tensor.ndim
        shape[scheme.axis] = -1
        along = scheme.scales.astype(np.float64).reshape(shape)
        return np.broadcast_to(along, tensor.shape)
    if isinstance(scheme, tq.Blockwise):
        assert scheme.scales is not None
        scales = scheme.scales.astype(np.float64)
        for axis, size in enumerate(tensor.shape):
            scales = np.repeat(scales, size // scales.shape[axis], axis)
        return scales
    return None


def expected(
    r: Doubles, x: Doubles, s: Doubles | None, q: NDArray[Any] | None, ends: tuple[int, int] | None
) -> dict[str, float | None]:
    """Compute the measures of some values in the plainest way."""
    e = x - r
    found: dict[str, float | None] = {
        "count": r.size,
        "sqnr": math.inf if not e.any() else 10 * math.log10(np.sum(r * r) / np.sum(e * e)),
        "max_error": np.max(np.abs(e)),
        "mean_error": float(np.mean(np.abs(e))),
    }
    steps = ("max_error_steps", "mean_error_steps", "bias", "step")
    found |= dict.fromkeys((*steps, "at_ends", "range_used"))
    if s is not None:
        numbers = (np.max(np.abs(e / s)), np.mean(np.abs(e / s)), np.mean(e / s), np.max(s))
        found |= dict(zip(steps, map(float, numbers), strict=True))
    if q is not None and ends is not None:
        found["at_ends"] = float(np.mean((q == ends[0]) | (q == ends[1])))
        found["range_used"] = (int(q.max()) - int(q.min())) / (ends[1] - ends[0])
    return found


def agree(measures: tq.Measures, wanted: dict[str, float | None]) -> None:
    """Check every measure."""
    for name, value in wanted.items():
        given = getattr(measures, name)
        if value is None:
            assert given is None, name
        else:
            assert given == pytest.approx(value, rel=1e-9, abs=1e-12), name


def stored_and_read(model: tq.Model, name: str) -> tuple[tq.Tensor, Doubles]:
    """Give the tensor with a constant's integers, and its real values."""
    tensor = model[name]
    real = tensor.dequantize().astype(np.float64)
    return tensor, real


@pairs
class TestFixtures:
    def test_every_constant_is_matched(self, name: str) -> None:
        comparison = compared(name)
        assert comparison.unmatched == ()
        assert {each.matched_by for each in comparison} == {"name"}
        with tq.open(fixture(PAIRS[name])) as model:
            floats = [t for t in model.tensors if t.is_constant and t.type.name == "FLOAT32"]
        assert sorted(t.name for t in floats) == sorted(t.reference_name for t in comparison)
        assert comparison.others == OTHERS[PAIRS[name]]

    def test_without_names_the_graph_says_the_same(self, name: str) -> None:
        content = fixture(name).read_bytes()
        with tq.open(content) as model:
            names = sorted({t.name for t in model.tensors}, key=len, reverse=True)
        for each in names:
            content = content.replace(each.encode(), each.swapcase().encode())
        one, other = compared(name), tq.compare(fixture(PAIRS[name]), content)
        assert {each.matched_by for each in other} == {"graph"}
        assert other.unmatched == ()
        for before, after in zip(one, other, strict=True):
            assert (after.name, after.reference_name) == (
                before.name.swapcase(), before.reference_name,
            )  # fmt: skip
            assert after.measures == before.measures

    def test_the_measures_are_those_computed_here(self, name: str) -> None:
        weights: list[tuple[Doubles, Doubles]] = []
        comparison = compared(name)
        with tq.open(fixture(PAIRS[name])) as original, tq.open(fixture(name)) as model:
            for each in comparison:
                r = original[each.reference_name].dequantize().astype(np.float64)
                tensor, x = stored_and_read(model, each.name)
                q = tensor.data if tensor.is_quantized else None
                ends = None if q is None else ends_of(tensor, q)
                s = steps_of(tensor)
                agree(each.measures, expected(r, x, s, q, ends))
                if each.role == "weight":
                    weights.append((r.reshape(-1), x.reshape(-1)))
                self.check_channels(each, r, x, s, q, ends)
        r, x = (np.concatenate(values) for values in zip(*weights, strict=True))
        assert comparison.weights is not None
        assert comparison.weights.sqnr == pytest.approx(
            10 * math.log10(np.sum(r * r) / np.sum((x - r) ** 2)), rel=1e-9
        )

    def check_channels(
        self,
        each: tq.TensorComparison,
        r: Doubles,
        x: Doubles,
        s: Doubles | None,
        q: NDArray[Any] | None,
        ends: tuple[int, int] | None,
    ) -> None:
        if each.role == "bias":
            assert each.channels is None
            return
        assert each.channels is not None
        axis = 3 if each.operator == "DEPTHWISE_CONV_2D" else 0
        assert (each.channels.axis, len(each.channels)) == (axis, r.shape[axis])
        rows = [np.moveaxis(np.asarray(v), axis, 0) for v in (r, x) if v is not None]
        for index, measures in enumerate(each.channels):
            s_here = None if s is None else np.moveaxis(s, axis, 0)[index]
            q_here = None if q is None else np.moveaxis(q, axis, 0)[index]
            wanted = expected(rows[0][index], rows[1][index], s_here, q_here, ends)
            agree(measures, wanted)
        of_each = [measures.sqnr for measures in each.channels]
        assert each.channels.worst == of_each.index(min(of_each))


def ends_of(tensor: tq.Tensor, q: NDArray[Any]) -> tuple[int, int]:
    """Give the ends of the range: symmetric for weights that do not use the lowest integer."""
    bits = int(re.sub(r"\D", "", tensor.type.name))
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    is_symmetric = tensor.role == "weight" and int(q.min()) > low
    return low + is_symmetric, high


class TestTheQuantizersOwnMeasures:
    """Those of the tool that makes the models, where it is installed."""

    @pytest.fixture
    def functions(self) -> Any:
        try:
            return importlib.import_module("litert_quantizer.utils.validation_utils")
        except ImportError as error:
            pytest.skip(f"{error}; it is in the dependency group fixtures")

    @pairs
    def test_of_a_pair(self, functions: Any, name: str) -> None:
        """It computes in float32, and adds a billionth to the noise."""
        with tq.open(fixture(PAIRS[name])) as original, tq.open(fixture(name)) as model:
            for each in compared(name):
                r = original[each.reference_name].dequantize()
                x = model[each.name].dequantize()
                error = functions.mean_squared_difference(x, r)
                if each.measures.is_exact:
                    assert error == 0
                    continue
                signal = float(np.mean(np.float64(r) ** 2))
                assert 10 * math.log10(signal / error) == pytest.approx(each.sqnr, rel=1e-5)
                noise = signal / 10 ** (each.sqnr / 10)
                ratio = functions.signal_to_noise_ratio(x, r)
                assert ratio == pytest.approx(signal / (noise + 1e-9), rel=1e-5)


# ------------------------------------------------------------ known by construction


DENSE = tflite.BuiltinOperator.FULLY_CONNECTED


def dense(weights: TensorSpec, *others: TensorSpec, name: str = "kernel") -> bytes:
    """Build a model of a dense layer with these weights, and perhaps a bias."""
    weights.name = name
    shape = weights.shape
    assert shape is not None
    ends = [TensorSpec("in", (1, shape[1]), 0), TensorSpec("out", (1, shape[0]), 0)]
    inputs = [0, *range(2, 3 + len(others))]
    operator = OperatorSpec(DENSE, inputs, [1])
    return build.model(SubgraphSpec([*ends, weights, *others], [0], [1], [operator]))


def cost(reference: NDArray[Any], weights: TensorSpec) -> tq.TensorComparison:
    """Compare one array of weights."""
    (tensor,) = tq.compare({"kernel": reference}, dense(weights))
    return tensor


R = np.random.default_rng(5)


class TestByConstruction:
    def test_a_channel_whose_step_is_too_large(self) -> None:
        """Half of it is lost, with its sign: an error of 0.5 of 2 a value is 12.04 dB."""
        q = np.array([[10, -20, 30, 40]] * 3, np.int8)
        reference = q.astype(np.float32) * 0.5
        reference[1] *= 0.5
        tensor = cost(reference, constant(q, [0.5, 0.5, 0.5], [0, 0, 0]))
        assert tensor.channels is not None
        assert tensor.channels.sqnr.tolist() == [math.inf, 0.0, math.inf]
        assert tensor.channels.worst == 1
        signal = float(np.sum(np.float64(reference) ** 2))
        noise = float(np.sum(np.float64(reference[1]) ** 2))
        assert tensor.sqnr == pytest.approx(10 * math.log10(signal / noise))
        # The real values are twice the reference: 10, 20, 30 and 40 half steps too far.
        assert tensor.channels[1].max_error_steps == 20
        assert tensor.channels[1].bias == pytest.approx((10 - 20 + 30 + 40) / 2 / 4)
        assert tensor.measures.max_error == 10

    def test_six_decibels_a_bit(self) -> None:
        """Of values that are spread evenly: 6.02 dB a bit (Gersho and Gray, section 5.3)."""
        r = R.uniform(-1, 1, (64, 4096)).astype(np.float32)
        for bits in (4, 6, 8):
            step = np.float32(2 / 2**bits)
            q = np.clip(np.round(r / step), -128, 127).astype(np.int8)
            assert cost(r, constant(q, step)).sqnr == pytest.approx(6.0206 * bits, abs=0.2)

    def test_a_channel_of_zeros(self) -> None:
        q = np.array([[1, 2], [0, 0], [3, 4]], np.int8)
        r = np.array([[1, 2], [5, 6], [3, 4]], np.float32)
        tensor = cost(r, constant(q, [1, 1e-9, 1], [0, 0, 0]))
        assert tensor.channels is not None
        assert tensor.channels.sqnr.tolist() == [math.inf, 0.0, math.inf]
        assert tensor.channels.range_used[1] == 0
        assert tensor.measures.max_error == 6

    def test_a_reference_of_zeros(self) -> None:
        q = np.array([[1, 2]], np.int8)
        tensor = cost(np.zeros((1, 2)), constant(q, 1.0))
        assert tensor.sqnr == -math.inf
        assert tensor.note == "the reference is all zero"
        tensor = cost(np.zeros((1, 2)), constant(np.zeros((1, 2), np.int8), 1.0))
        assert tensor.sqnr == math.inf
        assert tensor.measures.is_exact
        assert tensor.note == "the reference is all zero"

    @pytest.mark.parametrize("share", [0, 1 / 16, 0.5, 1])
    @pytest.mark.parametrize("low", [-128, -127])
    def test_a_known_share_is_at_the_ends(self, share: float, low: int) -> None:
        """A signed range is symmetric unless the lowest integer is there."""
        q = np.full((4, 64), 3, np.int8)
        count = int(share * 64)
        q[:, : count // 2], q[:, count // 2 : count] = low, 127
        measures = cost(q.astype(np.float32), constant(q, 1.0)).measures
        assert measures.at_ends == share
        assert measures.range_used == pytest.approx((127 - low) / (127 - low) if count > 1 else 0)

    def test_what_is_beyond_the_range(self) -> None:
        """Saturated values have an error of many steps."""
        r = np.array([[-300.0, -5.0, 100.0, 400.0]], np.float32)
        q = np.clip(r, -127, 127).astype(np.int8)
        measures = cost(r, constant(q, 1.0)).measures
        assert measures.max_error_steps == 273
        assert measures.bias == (173 - 273) / 4
        assert measures.at_ends == 0.5

    def test_float16(self) -> None:
        """A value that float16 has is exact; others have 11 bits; steps there are none."""
        r = R.normal(size=(8, 32)).astype(np.float32)
        tensor = cost(r, constant(r.astype(np.float16)))
        wanted = r.astype(np.float16).astype(np.float64) - r
        assert tensor.sqnr == pytest.approx(
            10 * math.log10(np.sum(np.float64(r) ** 2) / np.sum(wanted**2))
        )
        assert (tensor.measures.step, tensor.measures.bias, tensor.measures.at_ends) == (None,) * 3
        exact = r.astype(np.float16).astype(np.float32)
        tensor = cost(exact, constant(r.astype(np.float16)))
        assert tensor.measures.is_exact
        assert tensor.channels is not None
        assert np.isinf(tensor.channels.sqnr).all()

    def test_float16_that_overflows(self) -> None:
        r = np.array([[1.0, 70_000.0]], np.float32)
        with np.errstate(over="ignore"):
            tensor = cost(r, constant(r.astype(np.float16)))
        assert (tensor.sqnr, tensor.measures.max_error) == (-math.inf, math.inf)
        assert tensor.note == "real values are not finite"

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
    def test_a_reference_that_is_not_finite(self, bad: float) -> None:
        """Such values are left out, and said; what is under a limit includes the tensor."""
        r = np.array([[1.0, bad, 3.0], [4.0, 5.0, 6.5]])
        q = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
        comparison = tq.compare({"kernel": r}, dense(constant(q, 1.0)))
        (tensor,) = comparison
        assert (tensor.not_finite, tensor.measures.count) == (1, 5)
        assert tensor.note == "1 value of the reference not finite, left out"
        wanted = 10 * math.log10((1 + 9 + 16 + 25 + 6.5**2) / 0.25)
        assert tensor.sqnr == pytest.approx(wanted)
        assert comparison.under(-100) == (tensor,)

    def test_nothing_finite(self) -> None:
        q = np.array([[1, 2]], np.int8)
        comparison = tq.compare({"kernel": np.full((1, 2), np.nan)}, dense(constant(q, 1.0)))
        assert len(comparison) == 0
        assert comparison.unmatched[0].reason == "no value of the reference is finite"

    @pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
    @pytest.mark.parametrize("scale", [None, 1.0, [1.0] * 3])
    def test_no_values(self, shape: tuple[int, int], scale: Any) -> None:
        zeros = [0] * 3 if isinstance(scale, list) else 0
        dtype = np.float32 if scale is None else np.int8
        weights = constant(np.zeros(shape, dtype), scale, zeros, axis=shape.index(max(shape)))
        comparison = tq.compare({"kernel": np.zeros(shape)}, dense(weights))
        assert comparison.tensors == ()
        (left,) = comparison.unmatched
        fits = not isinstance(scale, list) or 3 in shape
        assert ("it has no values" in left.reason) == fits

    def test_a_step_of_zero(self) -> None:
        q = np.array([[1, 2], [3, 4]], np.int8)
        tensor = cost(np.ones((2, 2)), constant(q, [0.0, 1.0], [0, 0]))
        assert tensor.measures.max_error_steps is None
        assert tensor.channels is not None
        assert tensor.channels[0].bias is None
        assert tensor.channels[1].max_error_steps == 3

    @pytest.mark.parametrize("shape", [(2, 70_000), (300, 700), (1, 5), (7, 1), (70_000, 2)])
    @pytest.mark.parametrize("kind", ["tensor", "axis", "last axis"])
    def test_any_shape_in_blocks(self, shape: tuple[int, int], kind: str) -> None:
        """The sums of blocks are those of the whole, wherever a block ends."""
        q = R.integers(-128, 128, shape).astype(np.int8)
        axis = {"tensor": 0, "axis": 0, "last axis": 1}[kind]
        count = 1 if kind == "tensor" else shape[axis]
        scale = R.uniform(0.5, 2, count).astype(np.float32)
        zero = R.integers(-5, 5, count)
        spec = constant(q, scale, zero, axis=axis)
        model = tq.open(dense(spec))
        x = model["kernel"].dequantize().astype(np.float64)
        r = x + R.normal(size=shape)
        tensor = cost(r, constant(q, scale, zero, axis=axis))
        s = steps_of(model["kernel"])
        ends = ends_of(model["kernel"], q)
        agree(tensor.measures, expected(r, x, s, q, ends))
        if shape[axis] == 1 or shape[1 - axis] == 1:
            assert tensor.channels is None
            return
        assert tensor.channels is not None
        for index in range(0, shape[axis], 997):
            assert s is not None
            r_, x_, s_, q_ = (np.moveaxis(each, axis, 0)[index] for each in (r, x, s, q))
            agree(tensor.channels[index], expected(r_, x_, s_, q_, ends))

    @pytest.mark.parametrize("shape", [(5, 33), (2, 70_000)])
    @pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint8"])
    def test_wider_types(self, dtype: str, shape: tuple[int, int]) -> None:
        """The bits are those of the whole tensor, also where a block has one channel."""
        bounds = np.iinfo(dtype)
        q = R.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
        q[0, 0] = bounds.max
        scale = R.uniform(1e-9, 2e-9, shape[0]).astype(np.float32)
        zeros = [0] * shape[0]
        with tq.open(dense(constant(q, scale, zeros))) as model:
            x = model["kernel"].dequantize().astype(np.float64)
        assert cost(x, constant(q, scale, zeros)).measures.is_exact
        with tq.open(dense(constant(q, 1.5e-9, 7))) as model:
            of_one_scale = model["kernel"].dequantize()
        assert cost(of_one_scale, constant(q, 1.5e-9, 7)).measures.is_exact
        r = x * 1.001
        measures = cost(r, constant(q, scale, zeros)).measures
        s = scale.astype(np.float64)[:, None] * np.ones(shape)
        low = bounds.min + (bounds.min < 0 and int(q.min()) > bounds.min)
        agree(measures, expected(r, x, s, q, (low, bounds.max)))


class TestTheModelAsAWhole:
    def test_the_sums_are_those_of_all_weights(self) -> None:
        comparison = compared("int4")
        weights = [each for each in comparison if each.role == "weight"]
        total = sum(each.measures.count for each in weights)
        assert comparison.weights is not None
        assert comparison.weights.count == total
        for name in ("mean_error", "mean_error_steps", "bias", "at_ends", "range_used"):
            mean = sum(getattr(e.measures, name) * e.measures.count for e in weights) / total
            assert getattr(comparison.weights, name) == pytest.approx(mean), name
        for name in ("max_error", "max_error_steps", "step"):
            largest = max(getattr(each.measures, name) for each in weights)
            assert getattr(comparison.weights, name) == largest

    def test_weights_of_which_some_have_no_step(self) -> None:
        comparison = compared("blockwise_int4")
        stepped = [e for e in comparison if e.role == "weight" and e.measures.step is not None]
        assert comparison.weights is not None
        total = sum(each.measures.count for each in stepped)
        mean = sum((e.measures.bias or 0) * e.measures.count for e in stepped) / total
        assert comparison.weights.bias == pytest.approx(mean)
        assert comparison.weights.count > total

    def test_the_worst_come_first(self) -> None:
        comparison = compared("residual_int8")
        figures = [each.sqnr for each in comparison.worst(5)]
        assert figures == sorted(each.sqnr for each in comparison)[:5]
        assert [each.sqnr for each in comparison.under(45)] == [f for f in figures if f < 45]

    def test_a_tensor_by_its_name(self) -> None:
        comparison = compared("int4")
        assert comparison["dense_1/small_1/MatMul"].shape == (7, 64)
        with pytest.raises(KeyError, match="the nearest are .'dense_1/small_1/MatMul"):
            comparison["small_1"]

    def test_records_make_a_table(self) -> None:
        records = compared("residual_int8").to_records()
        assert len({tuple(record) for record in records}) == 1
        first = records[0]
        assert (first["operator"], first["worst_channel"], first["type"]) == ("CONV_2D", 17, "INT8")
        assert json.dumps(first)


class TestMemory:
    def test_real_values_are_not_kept(self) -> None:
        """Neither those of the tensors before, nor, of narrow integers, those of the whole."""
        import tracemalloc  # noqa: PLC0415

        q = R.integers(-127, 128, (1024, 4096)).astype(np.int8)
        content = dense(constant(q, np.full(1024, 0.5, np.float32), [0] * 1024))
        reference = dense(constant(q.astype(np.float32) * np.float32(0.5)))
        with tq.open(content) as model, tq.open(reference) as original:
            tracemalloc.start()
            comparison = tq.compare(original, model)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert comparison.tensors[0].measures.is_exact
        # The real values alone have 16 MB; the blocks, and what finds them, less than 4.
        assert peak < 4_000_000

    def test_blocks_cover_every_value_once(self) -> None:
        for shape in [(3, 5, 7), (1, 2, 200_000), (400, 500, 1), (1, 70_000, 3), (1, 1, 1)]:
            seen = np.zeros(shape, np.int8)
            for block in measuring.blocks(shape):
                seen[block] += 1
                assert seen[block].size <= measuring.workspace().shape[1]
            assert (seen == 1).all()
        assert list(measuring.blocks((0, 3, 4))) == []
