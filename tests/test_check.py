"""Findings: each kind in a model that has it, none in its twin, and what LiteRT says of both."""

from __future__ import annotations

import itertools
import math
import tracemalloc
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from docs.make import findings_page
from tests import build, faults, refusal
from tests import three_runtimes as runtimes
from tests.build import TensorSpec
from tests.faults import FAULTS
from tests.one_operator import OneOperator, one_operator
from tests.work import calls
from tflite_quant.checks.kinds import KINDS, Severity
from tflite_quant.checks.rule import Domain
from tflite_quant.checks.rules import RULES
from tflite_quant.format import values


def found(model: bytes, id: str, **arguments: Any) -> list[tq.Finding]:
    return [one for one in tq.check(model, **arguments) if one.id == id]


def test_every_kind_has_a_fault() -> None:
    assert FAULTS.keys() == KINDS.keys()


@pytest.mark.parametrize("id", FAULTS)
def test_a_model_that_has_it(id: str) -> None:
    fault = FAULTS[id]
    (one,) = found(fault.bad, id, **fault.arguments)
    assert str(one.severity) == fault.severity
    assert (None if one.tensor is None else one.tensor.index) == fault.tensor
    assert one.effect.endswith(".")


@pytest.mark.parametrize("id", FAULTS)
def test_its_twin_has_not(id: str) -> None:
    assert found(FAULTS[id].good, id, **FAULTS[id].arguments) == []


# LiteRT runs these: it multiplies by a scale that is no number, or takes several for 0, or does
# not look at the parameters of blocks.
UNSEEN = {"TQ102", "TQ106", "TQ202", "TQ213", "TQ402"}


def test_litert_refuses_the_errors_and_runs_all_else() -> None:
    ids = [id for id in FAULTS if id not in UNSEEN]
    refused = {id: FAULTS[id].severity == "error" for id in ids}
    bad = refusal.runs([FAULTS[id].bad for id in ids])
    assert {id: not runs for id, runs in zip(ids, bad, strict=True)} == refused
    good = refusal.runs([FAULTS[id].good for id in ids])
    assert dict(zip(ids, good, strict=True)) == dict.fromkeys(ids, True)


def test_errors_are_in_no_model_that_runs(model_path: Path) -> None:
    """A false error is worse than a missed note."""
    if tq.check(model_path, target="litert").at_least(Severity.ERROR):
        assert refusal.runs([model_path.read_bytes()]) == [False]


class TestOtherSeverities:
    def one(self, model: bytes, id: str) -> tq.Finding:
        (finding,) = found(model, id)
        return finding

    def test_scales_that_are_zero_or_denormal(self) -> None:
        zero = faults.dense(w=replace(faults.W, scale=[0.25, 0.0]))
        assert str(self.one(zero, "TQ102").severity) == "warning"
        tiny = faults.dense(x=replace(faults.X, scale=1e-40))
        assert str(self.one(tiny, "TQ102").severity) == "warning"
        activation = faults.dense(x=replace(faults.X, scale=0.0))
        assert str(self.one(activation, "TQ102").severity) == "error"

    def test_a_count_that_does_not_fit_the_axis(self) -> None:
        wrong = replace(faults.W, scale=[0.5] * 3, zero_point=[0] * 3)
        assert (
            "3 scales along axis 0 of shape (2, 4)"
            in self.one(faults.dense(w=wrong), "TQ103").found
        )

    def test_the_axis_of_a_bias(self) -> None:
        """As in a model of microcontrollers, which LiteRT refuses and they run."""
        finding = self.one(faults.dense(b=replace(faults.B, axis=3)), "TQ104")
        assert str(finding.severity) == "warning"

    def test_weights_with_one_scale(self) -> None:
        model = faults.dense(w=faults.W1, b=faults.B1)
        assert str(self.one(model, "TQ202").severity) == "note"

    def test_moved_values_with_several_scales(self) -> None:
        several: dict[str, Any] = {"scale": [0.5] * 4, "zero_point": [0] * 4, "axis": 1}
        x, y = replace(faults.X, **several), replace(faults.SAME, **several)
        findings = found(faults.unary("SQUEEZE", y, x), "TQ202")
        assert [str(one.severity) for one in findings] == ["warning", "warning"]
        assert found(faults.unary("SQUEEZE", y, x), "TQ206") == []
        for changes in ({"scale": [0.5, 0.5, 0.5, 0.25]}, {"zero_point": [0, 0, 0, 1]}):
            assert len(found(faults.unary("SQUEEZE", replace(y, **changes), x), "TQ206")) == 1

    def test_values_that_are_nearly_quantized_alike(self) -> None:
        """Kernels that compare scales refuse the smallest difference; others refuse nothing."""
        for scale in (0.5, 512.0):
            near = np.nextafter(np.float32(scale), np.float32(0))
            x, y = replace(faults.X, scale=scale), replace(faults.SAME, scale=near)
            assert found(faults.unary("SQUEEZE", y, x), "TQ206") == []
        near = np.nextafter(np.float32(0.5), np.float32(1))
        checked = faults.unary("MIRROR_PAD", replace(faults.SAME, scale=near))
        assert str(self.one(checked, "TQ206").severity) == "error"

    def test_operands_that_are_not_moved(self) -> None:
        axis = build.constant(np.array([0], np.int32), name="axis")
        y = replace(faults.SAME, shape=(1, 1, 4))
        model = faults.operator("EXPAND_DIMS", [faults.X, axis], [y])
        assert tq.check(model).findings == ()
        blocks = replace(faults.X, scale=None, zero_point=None, details=build.blockwise(2))
        assert found(faults.unary("SQUEEZE", faults.SAME, blocks), "TQ206") == []

    def test_scales_that_only_some_operators_need(self) -> None:
        x = replace(faults.X, scale=None, zero_point=None)
        truth = TensorSpec("y", (1, 4), faults.TYPES.BOOL)
        findings = found(faults.operator("EQUAL", [x, faults.X], [truth], 2), "TQ101")
        assert [one.found for one in findings] == ["input 0 of type INT8 without a scale"]
        index = TensorSpec("y", (1,), faults.TYPES.INT32)
        axis = build.constant(np.array([1], np.int32), name="axis")
        assert found(faults.operator("ARG_MAX", [x, axis], [index], 2), "TQ101") == []

    def test_one_zero_point_of_weights_that_the_kernel_subtracts(self) -> None:
        model = faults.dense(w=replace(faults.W1, zero_point=1), b=faults.B1)
        assert str(self.one(model, "TQ204").severity) == "warning"
        several = faults.dense(w=replace(faults.W, zero_point=[0, 1]))
        assert str(self.one(several, "TQ204").severity) == "error"

    def test_values_that_are_moved(self) -> None:
        model = faults.unary("RELU", faults.SAME)
        assert found(model, "TQ206") == []
        moved = faults.unary("SQUEEZE", replace(faults.SAME, scale=0.25))
        assert str(self.one(moved, "TQ206").severity) == "error"
        shifted = faults.unary("SQUEEZE", replace(faults.SAME, zero_point=4))
        assert str(self.one(shifted, "TQ206").severity) == "error"

    @pytest.mark.parametrize(("factor", "severity"), [(1.003, "note"), (1.005, "error")])
    def test_values_that_are_moved_between_scales_that_nearly_agree(
        self, factor: float, severity: str
    ) -> None:
        """The integer -128 is 131 steps from 0: half a step is one of 262 of the scale."""
        moved = faults.unary("SQUEEZE", replace(faults.SAME, scale=0.5 * factor))
        assert str(self.one(moved, "TQ206").severity) == severity

    def test_values_that_are_moved_without_a_scale(self) -> None:
        """Every runtime moves the same integers, and so it is a note."""
        moved = one_operator("STRIDED_SLICE", RULES[Domain.INT8]["STRIDED_SLICE"])
        unscaled = moved.with_tensor(len(moved.inputs), scale=None, zero_point=None)
        one = self.one(unscaled.model, "TQ206")
        assert "no scale" in one.expected
        assert str(one.severity) == "note"
        for with_scale, without in self.answers(moved, unscaled):
            assert np.array_equal(with_scale, without)

    def test_sums_are_rescaled(self) -> None:
        """Kernels rescale, whatever the specification says, and so it is a note.

        LiteRT's reference kernel gives no sums at all of int16 values, whatever the scales.
        """
        plain = one_operator("SUM", RULES[Domain.INT16X8]["SUM"])
        doubled = 2 * np.asarray(plain.outputs[0].scale)
        halved = plain.with_tensor(len(plain.inputs), scale=doubled)
        assert str(self.one(halved.model, "TQ206").severity) == "note"
        for sums, halves in self.answers(plain, halved)[1:]:
            assert np.abs(sums / 2 - halves).max() <= 1

    def test_scales_that_do_not_matter(self) -> None:
        """No runtime looks at the values, and so it is a note."""
        plain = one_operator("SHAPE", RULES[Domain.INT8]["SHAPE"])
        several = plain.with_tensor(0, scale=[0.5, 0.25, 1, 2], zero_point=[0] * 4, axis=1)
        assert str(self.one(several.model, "TQ202").severity) == "note"
        for one_scale, scales in self.answers(plain, several):
            assert np.array_equal(one_scale, scales)

    def answers(self, *models: OneOperator) -> list[list[NDArray[np.int64]]]:
        """Return what each runtime gives for each model, of the same small integers."""
        fed = [one for one in models[0].inputs if one is not None and one.data is None]
        shapes = [tuple(one.shape or ()) for one in fed]
        values = [np.arange(math.prod(shape)).reshape(shape) for shape in shapes]
        kind = np.int16 if fed[0].type == faults.TYPES.INT16 else np.int8
        inputs = [each.astype(kind) for each in values]
        found = []
        for runtime in runtimes.RUNTIMES:
            outputs = runtimes.answers(runtime, [(model.model, inputs) for model in models])
            found.append([each[0].astype(np.int64) for each in outputs if each is not None])
            assert len(found[-1]) == len(models)
        return found

    def test_padding_that_is_quantized_as_the_output(self) -> None:
        pads = build.constant(np.zeros((2, 2), np.int32), name="pads")
        value = build.constant(np.zeros(1, np.int8), 0.5, 3, name="value")

        def padded(value: TensorSpec) -> bytes:
            return faults.operator("PADV2", [faults.X, pads, value], [faults.SAME], 2)

        assert found(padded(value), "TQ206") == []
        near = np.nextafter(np.float32(0.5), np.float32(1))
        changes: list[dict[str, Any]] = [{"scale": 0.25}, {"scale": near}, {"zero_point": 2}]
        models = [padded(replace(value, **change)) for change in changes]
        assert [str(self.one(model, "TQ206").severity) for model in models] == ["error"] * 3
        assert refusal.runs([padded(value), *models]) == [True, False, False, False]

    def test_a_type_or_scale_that_the_kernel_does_not_check(self) -> None:
        narrow = faults.unary("TANH", replace(faults.SAME, scale=1 / 256, zero_point=0))
        assert str(self.one(narrow, "TQ205").severity) == "warning"
        wide = replace(faults.SAME, type=faults.TYPES.INT16, zero_point=0)
        assert str(self.one(faults.unary("GELU", wide), "TQ201").severity) == "error"
        options = faults.options("SoftmaxOptions", beta=1.0)
        taken = faults.unary("SOFTMAX", replace(wide, scale=1 / 32768), **options)
        assert str(self.one(taken, "TQ201").severity) == "note"

    def test_one_channel_has_one_scale(self) -> None:
        w = build.constant(np.array([[1, -127, 3, 4]], np.int8), 0.25, 0, name="w")
        b = build.constant(np.array([5], np.int32), 0.125, 0, name="b")
        assert tq.check(faults.dense(w=w, b=b, y=replace(faults.Y, shape=(1, 1)))).findings == ()

    def test_weights_without_the_axis_of_the_channels(self) -> None:
        w = replace(faults.W1, shape=(1, 2, 4))
        model = faults.operator("DEPTHWISE_CONV_2D", [faults.X, w, faults.B1], [faults.Y])
        assert found(model, "TQ202") + found(model, "TQ203") == []

    def test_two_scales_along_another_axis(self) -> None:
        finding = self.one(faults.dense(w=replace(faults.W, axis=1)), "TQ203")
        assert (finding.found, finding.expected) == ("2 scales along axis 1", "axis 0")

    def test_two_scales_where_one_is_specified(self) -> None:
        y = replace(faults.Y, scale=[1.0, 0.5], zero_point=[0, 0], axis=1)
        assert self.one(faults.unary("GELU", y), "TQ202").found == "2 scales"

    def test_a_shape_that_has_no_scale(self) -> None:
        shape = build.constant(np.array([1, 1, 1, 2], np.int32), name="shape")
        x, y = replace(faults.X, shape=(1, 1, 1, 4)), replace(faults.Y, shape=(1, 1, 1, 2))
        w = replace(faults.W, shape=(2, 1, 1, 4))
        fields = faults.options("TransposeConvOptions", stride_w=1, stride_h=1)
        model = faults.operator("TRANSPOSE_CONV", [shape, w, x, faults.B], [y], 3, **fields)
        assert tq.check(model).findings == ()
        assert refusal.runs([model]) == [True]

    def test_parameters_that_a_rule_does_not_describe(self) -> None:
        """Those of blocks are looked at for the tensor."""
        details = build.blockwise(2, scales=3)
        w = replace(faults.W, scale=None, zero_point=None, details=details)
        assert found(faults.dense(w=w), "TQ101") == []

    def test_the_scales_of_a_hard_swish(self) -> None:
        y = replace(faults.SAME, scale=None, zero_point=None)
        assert [one.id for one in tq.check(faults.unary("HARD_SWISH", y))] == ["TQ101"]
        finding = self.one(faults.unary("HARD_SWISH", replace(y, scale=0.5 / 256)), "TQ212")
        assert finding.found == "an input scale 256 times the output scale"

    def test_constants_that_operators_share(self) -> None:
        """They are looked at once."""
        bias = replace(faults.B, data=np.array([100, -(2**31)], np.int32))
        tensors = [faults.X, faults.ZEROS, bias, faults.Y, replace(faults.Y, name="y2")]
        steps = [
            build.OperatorSpec(
                faults.OPERATORS.FULLY_CONNECTED, [0, 1, 2], [output], version=5,
                fields=faults.options("FullyConnectedOptions"),
            )
            for output in (3, 4)
        ]  # fmt: skip
        model = build.model(build.SubgraphSpec(tensors, [0], [3, 4], steps, "main"))
        assert [one.id for one in tq.check(model)] == ["TQ502", "TQ501"]

    def test_a_bias_without_a_scale(self) -> None:
        """No kernel reads it but that of FULLY_CONNECTED, which takes it for 0."""
        unscaled: dict[str, Any] = {"scale": None, "zero_point": None}
        models = [
            faults.dense(b=replace(faults.B, **unscaled)),
            *(
                faults.dense(w=faults.W1, b=replace(faults.B1, **unscaled), y=y)
                for y in (faults.Y, replace(faults.Y, scale=10))
            ),
        ]
        findings = [self.one(model, "TQ207") for model in models]
        assert {one.found for one in findings} == {"no scale"}
        assert [str(one.severity) for one in findings] == ["note", "error", "note"]
        assert refusal.runs(models) == [True, False, True]
        assert findings[1].effect == (
            "LiteRT takes no scale for 0. The kernel refuses the model, whatever the bias' values: "
            "the scales differ by 0.125 steps of the output, more than 0.02."
        )

    def test_a_bias_whose_scale_is_off_in_one_channel(self) -> None:
        data = np.array([100, -8000], np.int32)
        model = faults.dense(b=replace(faults.B, scale=[0.125, 0.0625 * 1.001], data=data))
        finding = self.one(model, "TQ207")
        assert "of channel 1" in finding.found
        assert str(finding.severity) == "warning"
        assert finding.effect.endswith(": the output is off by 0.5 steps in channel 1.")
        finding = self.one(faults.dense(b=faults.B1), "TQ207")
        assert finding.found == "scale 0.125 of channel 1"
        assert finding.expected.startswith("0.0625,")

    def test_a_bias_of_several_scales_where_the_kernel_reads_one(self) -> None:
        """LiteRT takes them for 0; a kernel for microcontrollers takes the first."""
        several = replace(faults.B, scale=[0.125, 0.125])
        models = [
            faults.dense(w=faults.W1, b=several, y=y)
            for y in (faults.Y, replace(faults.Y, scale=10))
        ]
        finding = self.one(models[0], "TQ207")
        assert (finding.found, str(finding.severity)) == ("2 scales", "error")
        assert finding.expected.startswith("0.125,")
        assert found(models[1], "TQ207") == []
        assert refusal.runs(models) == [False, True]

    def test_a_bias_of_another_count_of_scales(self) -> None:
        b = replace(faults.B, scale=[0.5] * 3, zero_point=[0] * 3)
        assert [one.id for one in tq.check(faults.dense(b=b))] == ["TQ103"]

    def test_a_bias_whose_scale_only_some_kernels_refuse(self) -> None:
        """FULLY_CONNECTED compares the difference with the scale of its output."""
        wrong: dict[str, Any] = {"w": faults.W1, "b": replace(faults.B1, scale=0.125 + 0.03)}
        models = [faults.dense(y=replace(faults.Y, scale=scale), **wrong) for scale in (1.0, 2.0)]
        severities = [str(self.one(model, "TQ207").severity) for model in models]
        assert severities == ["error", "warning"]
        assert refusal.runs(models) == [False, True]

    def test_a_bias_whose_product_is_not_known(self) -> None:
        unscaled = replace(faults.W, scale=None, zero_point=None)
        assert found(faults.dense(w=unscaled), "TQ207") == []

    @pytest.mark.parametrize(("off", "is_found"), [(2.0**-21, False), (2.0**-20, True)])
    def test_how_far_rounding_may_take_a_bias(self, off: float, is_found: bool) -> None:
        b = replace(faults.B, scale=[0.125, 0.0625 * (1 + off)])
        model = faults.dense(b=replace(b, data=np.array([0, 1 << 28], np.int32)))
        assert bool(found(model, "TQ207")) is is_found

    def test_an_svdf(self) -> None:
        assert found(faults.svdf(1), "TQ212") == []
        assert self.one(faults.svdf(0), "TQ212").found == "fused activation 0"
        assert refusal.runs([faults.svdf(1), faults.svdf(0)]) == [True, False]

    def test_an_lstm(self) -> None:
        assert tq.check(faults.lstm()).findings == ()
        odd = faults.lstm(cell=0.001)
        assert "a cell state" in self.one(odd, "TQ212").found
        assert found(faults.lstm(cell=1.0001 * 2**-11), "TQ212") == []
        assert refusal.runs([faults.lstm()]) == [True]
        bias = self.one(faults.lstm(scale=0.25), "TQ207")
        assert (bias.found, str(bias.severity)) == ("scale 0.25", "warning")
        state = faults.lstm(scale=None, zero_point=None)
        assert self.one(state, "TQ207").found == "no scale"

    @pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan])
    def test_a_cell_state_whose_scale_has_no_logarithm(self, scale: float) -> None:
        assert self.one(faults.lstm(scale), "TQ212").expected == "a power of two"

    def test_only_one_lstm_limits_the_scale_of_its_cell_state(self) -> None:
        models = [
            faults.lstm(scale, name)
            for name in ("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM")
            for scale in (2.0**-9, 2.0**-8)
        ]
        assert [len(found(model, "TQ212")) for model in models] == [0, 1, 0, 0]
        finding = self.one(models[1], "TQ212")
        assert finding.expected == "a power of two of at most 2^-9"
        # LiteRT runs it, but computes with parameters that were never set.
        assert "rest unset" in finding.effect
        assert refusal.runs(models) == [True] * 4

    def test_the_biases_of_an_lstm(self) -> None:
        weights = build.constant(np.full((2, 2), 100, np.int8), 0.5, 0, name="projection")
        bias = build.constant(np.array([1, 2], np.int32), 0.5 * 0.01, 0, name="bias")
        assert found(faults.lstm(inputs={16: weights, 17: bias}), "TQ207") == []
        wrong = replace(bias, scale=0.5 * 0.02)
        finding = self.one(faults.lstm(inputs={16: weights, 17: wrong}), "TQ207")
        assert finding.expected.startswith("0.005, the product")
        assert found(faults.lstm(inputs={17: bias}), "TQ207") == []
        fewer = faults.lstm(inputs={16: weights, 17: bias}, intermediates=4)
        assert found(fewer, "TQ207") == []

        factors = build.constant(np.full(2, 20000, np.int16), 0.5, 0, name="normalization")
        findings = found(faults.lstm(inputs=dict.fromkeys(range(20, 24), factors)), "TQ207")
        assert {one.expected.split(",")[0] for one in findings} == {str(0.5 / 1024)}
        assert len(findings) == 4


class TestTensors:
    """Findings about tensors that no operator reads."""

    def said(self, id: str, *tensors: TensorSpec) -> list[tuple[str, str, str]]:
        findings = found(build.one(*tensors), id)
        return [(str(one.severity), one.found, one.expected) for one in findings]

    def test_scales_that_are_no_real_numbers(self) -> None:
        scales = [0.5, np.nan, -1.0, np.inf, -np.inf, -2.0]
        spec = TensorSpec("t", (6,), scale=scales, zero_point=[0] * 6)
        text = "scales nan, -1.0, inf, -inf and 1 more"
        assert self.said("TQ102", spec) == [("error", text, "finite, positive scales")]
        spec = replace(spec, shape=(5,), scale=scales[:5], zero_point=[0] * 5)
        text = "scales nan, -1.0, inf, -inf"
        assert self.said("TQ102", spec) == [("error", text, "finite, positive scales")]

    def test_infinite_scales_are_compared_in_silence(self) -> None:
        """Whether operators that move values have the same: numpy warns of inf - inf."""
        infinite = {"scale": [np.inf, 0.5], "zero_point": [0, 0], "axis": 1, "shape": (1, 2)}
        x = replace(faults.X, **infinite)  # type: ignore[arg-type]
        y = replace(x, scale=[np.inf, 0.25])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(found(faults.unary("SQUEEZE", y, x), "TQ206")) == 1

    def test_what_a_scale_of_zero_does(self) -> None:
        spec = TensorSpec("t", (4,), scale=0.0, zero_point=0)
        stored = replace(spec, data=np.zeros(4, np.int8))
        effects = [found(build.one(one), "TQ102")[0].effect for one in (spec, stored)]
        assert effects == [
            "Quantizing a value divides by zero.",
            "All real values of a slice with scale zero are zero.",
        ]

    def test_the_smallest_scale(self) -> None:
        tiny = np.finfo(np.float32).tiny
        spec = TensorSpec("t", (4,), scale=tiny, zero_point=0)
        assert self.said("TQ102", spec) == []
        below = replace(spec, scale=np.nextafter(tiny, np.float32(0)))
        assert [severity for severity, *_ in self.said("TQ102", below)] == ["warning"]

    @pytest.mark.parametrize(
        ("type", "zero_point", "text"),
        [
            ("INT8", -128, None), ("INT8", -129, "-128 to 127, the range of INT8"),
            ("UINT8", 255, None), ("UINT8", -1, "0 to 255, the range of UINT8"),
            ("INT64", 2**63 - 1, None), ("UINT64", 2**63 - 1, None),
        ],
    )  # fmt: skip
    def test_the_range_of_zero_points(self, type: str, zero_point: int, text: str | None) -> None:
        number = getattr(faults.TYPES, type)
        spec = TensorSpec("t", (4,), number, scale=0.5, zero_point=zero_point)
        expected = [] if text is None else [("warning", f"zero point {zero_point}", text)]
        assert self.said("TQ105", spec) == expected
        many = replace(spec, scale=[0.5] * 4, zero_point=[0, 1, zero_point, zero_point])
        text_of_many = f"zero points {zero_point}, {zero_point}"
        expected = [] if text is None else [("warning", text_of_many, str(text))]
        assert self.said("TQ105", many) == expected

    @pytest.mark.parametrize(
        ("shape", "axis", "severity", "expected"),
        [
            ((3, 2), 2, "error", "an axis from 0 to 1"),
            ((3, 2), -1, "error", "an axis from 0 to 1"),
            ((3,), 1, "warning", "axis 0"),
            ((2,), 1, "error", "axis 0"),
            ((), 0, "error", "one scale"),
        ],
    )
    def test_axes(self, shape: tuple[int, ...], axis: int, severity: str, expected: str) -> None:
        spec = TensorSpec("t", shape, scale=[0.5] * 3, zero_point=[0] * 3, axis=axis)
        text = f"3 scales along axis {axis} of shape {shape}"
        assert self.said("TQ104", spec) == [(severity, text, expected)]
        (finding,) = found(build.one(spec), "TQ104")
        assert ("microcontrollers" in finding.effect) == (severity == "warning")

    def test_counts(self) -> None:
        spec = TensorSpec("t", (1, 4), scale=[0.5] * 3, zero_point=[0] * 3, axis=0)
        text = "3 scales along axis 0 of shape (1, 4)"
        assert self.said("TQ103", spec) == [("error", text, "1 scale")]
        text = "3 scales along axis 1 of shape (1, 4)"
        assert self.said("TQ103", replace(spec, axis=1)) == [("error", text, "1 or 4 scales")]
        one = replace(spec, scale=0.5, zero_point=[0, 0])
        expected = "as many zero points as scales"
        assert self.said("TQ103", one) == [("error", "1 scale and 2 zero points", expected)]

    def test_zero_points_of_blocks(self) -> None:
        zeros = TensorSpec("z", (2, 2))
        scales = build.constant(np.ones((2, 2), np.float16), name="s")
        w = build.constant(np.zeros((2, 4), np.int8), name="w", details=build.blockwise(2))
        assert self.said("TQ106", zeros, scales, w) == []
        w = replace(w, details=build.blockwise(2, zeros=0))
        text, expected = "no zero points in tensor 0", "a constant tensor of numbers"
        assert self.said("TQ106", zeros, scales, w) == [("error", text, expected)]

    @pytest.mark.parametrize(("size", "is_found"), [(2, True), (3, False), (0, False)])
    def test_blocks_along_the_first_axis(self, size: int, is_found: bool) -> None:
        fields = build.sparse_fields(1, 4, size, order=[0, 1, 2], blocks=[0])
        spec = TensorSpec("t", (3, 4), data=np.ones(4 * size, np.int8), fields=fields)
        text = "blocks of 2 along axis 0 of shape (3, 4)"
        expected = [("warning", text, "blocks that divide the axis evenly")] if is_found else []
        assert self.said("TQ304", spec) == expected

    def test_blocks_along_several_axes(self) -> None:
        """A finding names the first; an axis that is named twice counts once."""
        fields = build.sparse_fields(1, 2, 2, 2, 2, order=[0, 1, 2, 3, 4], blocks=[1, 0, 1])
        spec = TensorSpec("t", (3, 5), data=np.ones(16, np.int8), fields=fields)
        ((_, text, _),) = self.said("TQ304", spec)
        assert text == "blocks of 2 along axis 1 of shape (3, 5), and along 1 more"

    def test_strings(self) -> None:
        """Their bytes must be strings; those of a few bytes may be anything."""
        broken = TensorSpec("t", (3,), faults.TYPES.STRING, data=b"\5\0\0\0abcd")
        ((severity, text, _),) = self.said("TQ301", broken)
        assert (severity, text[:24]) == ("error", "an unreadable constant (")
        other = replace(broken, type=faults.TYPES.INT8, shape=(8,))
        assert self.said("TQ301", other) == []

    def test_tensors_that_read_a_buffer_in_different_ways(self) -> None:
        """The first that differs is enough."""
        one = TensorSpec("t", (4,), scale=0.5, zero_point=0, buffer=1)
        for changes in ({"scale": 0.25}, {"zero_point": 1}, {"scale": None, "zero_point": None}):
            other = replace(one, **changes)
            model = build.one(one, one, other, other, buffers=[b"abcd"])
            assert [f.tensor.index for f in found(model, "TQ303") if f.tensor] == [2]
        many = replace(one, shape=(2, 2), scale=[0.5, 0.25], zero_point=[0, 0])
        model = build.one(many, replace(many, axis=1), buffers=[b"abcd"])
        assert len(found(model, "TQ303")) == 1

    @pytest.mark.parametrize(
        ("index", "text"),
        [(0, "a constant of 1 byte"), (1, "a constant of 3 bytes"), (2, "a tensor")],
    )
    def test_tensors_that_no_operator_uses(self, index: int, text: str) -> None:
        byte, three = (build.constant(np.ones(n, np.int8), name="c") for n in (1, 3))
        (_, said, _) = self.said("TQ302", byte, three, TensorSpec("t"))[index]
        assert said == f"{text} that no operator uses"


class TestValues:
    """Values of weights and biases, at the limits from which on they are found."""

    def texts(self, model: bytes, id: str) -> list[str]:
        return [one.found for one in found(model, id)]

    def weights(self, *rows: list[int], scale: float | None = None) -> bytes:
        data = np.array(rows, np.int8)
        if scale is None:
            return faults.dense(w=replace(faults.W, data=data))
        return faults.dense(w=replace(faults.W1, data=data), b=faults.B1)

    @pytest.mark.parametrize(
        ("first", "second", "is_added"),
        [
            (0, 1, False), (0, 7, False), (0, 8, True), (0, 9, False), (3, 11, True),
            (0, 16, False), (8, 16, False), (12, 20, False),
        ],
    )  # fmt: skip
    def test_weights_out_of_range(self, first: int, second: int, is_added: bool) -> None:
        """Which products are added in 16 bits is what LiteRT does on an emulated Cortex-A53."""
        rows = np.ones((4, 64), np.int8)
        rows[:, 40] = 127
        rows[1, [first, second]] = -128
        scales = np.full(4, 0.25, np.float32)
        w = build.constant(rows, scales, [0] * 4, name="w")
        b = build.constant(np.zeros(4, np.int32), scales / 2, [0] * 4, name="b")
        x, y = (replace(faults.X, shape=(1, 64)), replace(faults.Y, shape=(1, 4)))
        (one,) = found(faults.dense(x, w, b, y), "TQ209")
        text = "values from -128 to 127, 2 of them out of range"
        assert (one.found, one.expected) == (text, "-127 to 127")
        assert str(one.severity) == ("warning" if is_added else "note")

    def test_weights_out_of_range_in_different_channels(self) -> None:
        rows = np.full((2, 24), 127, np.int8)
        rows[0, 11] = rows[1, 3] = -128
        (one,) = found(faults.wide(rows), "TQ209")
        assert str(one.severity) == "note"

    @pytest.mark.parametrize(
        ("depth", "first", "second", "is_added"),
        [
            (8, 0, 8, True), (8, 3, 11, True), (8, 8, 16, False), (16, 3, 11, True),
            (16, 8, 16, False), (24, 27, 35, True), (24, 36, 44, True), (24, 19, 27, True),
        ],
    )  # fmt: skip
    def test_weights_out_of_range_of_a_convolution(
        self, depth: int, first: int, second: int, is_added: bool
    ) -> None:
        """Likewise; XNNPACK begins a block at each position, LiteRT's own kernel does not."""
        values = np.full((2, 9 * depth), 127, np.int8)
        values[1, [first, second]] = -128
        w = build.constant(values.reshape(2, 3, 3, depth), [0.25, 0.125], [0, 0], name="w")
        x = TensorSpec("x", (1, 4, 4, depth), scale=0.5, zero_point=0)
        y = TensorSpec("y", (1, 2, 2, 2), scale=128.0, zero_point=0)
        fields = faults.options("Conv2DOptions", stride_w=1, stride_h=1, padding=1)
        (one,) = found(faults.operator("CONV_2D", [x, w, faults.B], [y], 3, **fields), "TQ209")
        assert str(one.severity) == ("warning" if is_added else "note")

    def test_weights_out_of_range_of_a_depthwise_convolution(self) -> None:
        """Likewise, of each two of nine positions."""
        warned = []
        for pair in itertools.combinations(range(9), 2):
            values = np.full((9, 16), 127, np.int8)
            values[pair, 1] = -128
            scales = np.full(16, 0.25, np.float32)
            w = build.constant(values.reshape(1, 3, 3, 16), scales, [0] * 16, name="w", axis=3)
            b = build.constant(np.zeros(16, np.int32), scales / 2, [0] * 16, name="b")
            x = TensorSpec("x", (1, 6, 6, 16), scale=0.5, zero_point=0)
            y = TensorSpec("y", (1, 4, 4, 16), scale=128.0, zero_point=0)
            strides = {"stride_w": 1, "stride_h": 1, "depth_multiplier": 1, "padding": 1}
            fields = faults.options("DepthwiseConv2DOptions", **strides)
            model = faults.operator("DEPTHWISE_CONV_2D", [x, w, b], [y], 3, **fields)
            (one,) = found(model, "TQ209")
            if str(one.severity) == "warning":
                warned.append(pair)
        assert warned == [(0, 3), (1, 6), (2, 5), (4, 7)]

    def test_weights_of_an_svdf(self) -> None:
        """It sums the products of int8 weights in 32 bits, and so those of its int16 weights."""
        assert self.texts(faults.svdf(1, time=512), "TQ209") == []
        # Three weights a unit, states down to -32768, and a bias of 2.
        most = (2**31 - 1 - 2) // (3 * 32768)
        for time, severity in ((most, "note"), (most + 1, "warning")):
            (one,) = found(faults.svdf(1, time=time), "TQ209")
            text = f"values from {time} to {time}, 6 of them out of range"
            assert (one.found, str(one.severity)) == (text, severity)
            assert "32 bits" in one.effect
        lowest = np.full((2, 4), -128, np.int8)
        (one,) = found(faults.svdf(1, 4, feature=lowest), "TQ209")
        assert (getattr(one.tensor, "name", None), str(one.severity)) == ("feature", "note")

    def test_weights_out_of_range_of_wide_activations(self) -> None:
        """Their products are never added in 16 bits."""
        x, y = (replace(one, type=faults.TYPES.INT16, zero_point=0) for one in (faults.X, faults.Y))
        w = replace(faults.W, data=np.array([[-128, -128, 3, 4], [127, 6, 7, 8]], np.int8))
        b = replace(faults.B, type=faults.TYPES.INT64, data=np.array([1, 2], np.int64))
        (one,) = found(faults.dense(x=x, w=w, b=b, y=y), "TQ209")
        assert str(one.severity) == "note"

    def test_zeros(self) -> None:
        assert self.texts(self.weights([127] * 4, [0] * 4), "TQ501") == ["only zeros in channel 1"]
        assert self.texts(self.weights([127] * 4, [0] * 4, scale=1), "TQ501") == []
        assert self.texts(self.weights([0] * 4, [0] * 4, scale=1), "TQ501") == ["only zeros"]

    def test_an_unused_range(self) -> None:
        texts = self.texts(self.weights([1, 0, 0, 0], [-63, 0, 0, 0]), "TQ503")
        assert texts == ["no absolute value above 63 in channels 0, 1"]
        assert self.texts(self.weights([64, 0, 0, 0], [0, -64, 0, 0]), "TQ503") == []
        texts = self.texts(faults.svdf(1, time=255), "TQ503")
        assert texts == ["no absolute value above 255"]
        assert self.texts(faults.svdf(1, time=256), "TQ503") == []

    @pytest.mark.parametrize(
        ("size", "distinct", "at_end", "is_found"),
        [
            (64, 16, 49, True), (63, 16, 48, False), (64, 15, 50, False),
            (64, 58, 7, True), (64, 59, 6, False),
        ],
    )  # fmt: skip
    def test_how_many_weights_make_a_crowd(
        self, size: int, distinct: int, at_end: int, is_found: bool
    ) -> None:
        values = np.full((2, size), 127, np.int8)
        values[:, : distinct - 1] = np.arange(distinct - 1)
        assert np.count_nonzero(values[0] == 127) == at_end
        assert bool(found(faults.wide(values), "TQ502")) is is_found

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            ([100, -(2**31)], "a value at the end of the INT32 range in channel 1"),
            ([2**31 - 1, 5], "a value at the end of the INT32 range in channel 0"),
            ([5, -(2**31) + 1], "a value at the end of the INT32 range in channel 1"),
            ([2**31 - 1, -(2**31)], "values at the end of the INT32 range in channels 0, 1"),
        ],
    )
    def test_a_bias_at_the_ends_of_its_type(self, values: list[int], text: str) -> None:
        model = faults.dense(b=replace(faults.B, data=np.array(values, np.int32)))
        assert self.texts(model, "TQ502") == [text]

    def test_a_bias_inside_the_range_of_its_type(self) -> None:
        inside = np.array([2**31 - 2, -(2**31) + 2], np.int32)
        assert self.texts(faults.dense(b=replace(faults.B, data=inside)), "TQ502") == []

    @pytest.mark.parametrize("zero_point", [-128, 3, 127])
    def test_sums_at_the_ends_of_int32(self, zero_point: int) -> None:
        """Those of 10 * q and -7 * r, where q and r are any int8 less the zero point."""
        w = replace(faults.W, data=np.array([[1, -127, 3, 4], [10, -7, 0, 0]], np.int8))

        def check(value: int) -> list[tuple[str, str]]:
            b = replace(faults.B, data=np.array([0, value], np.int32))
            model = faults.dense(x=replace(faults.X, zero_point=zero_point), w=w, b=b)
            return [(one.found, one.expected) for one in found(model, "TQ504")]

        low, high = -128 - zero_point, 127 - zero_point
        largest, smallest = 2**31 - 1 - (10 * high - 7 * low), -(2**31) - (10 * low - 7 * high)
        assert check(largest) == check(smallest) == []
        expected = f"at most {2**31 - 1}"
        text = "sums of up to 2147483648 in channel 1"
        assert check(largest + 1) == [(text, expected)]
        text = "sums of up to 2147483649 in channel 1"
        assert check(smallest - 1) == [(text, expected)]

    def test_sums_of_a_bias_that_does_not_fit_the_weights(self) -> None:
        """Which sum each value begins is not known."""
        for summands, is_found in (([2**31 - 2], False), ([2**31 - 2] * 2, True)):
            b = replace(faults.B1, shape=(len(summands),), data=np.array(summands, np.int32))
            assert bool(found(faults.dense(b=b), "TQ504")) is is_found

    def test_a_bias_that_cannot_be_read(self) -> None:
        model = faults.dense(b=replace(faults.B, data=b"\1\2\3"))
        assert [one.id for one in tq.check(model)] == ["TQ301"]

    @pytest.mark.parametrize(("width", "is_found"), [(64, True), (65, False)])
    def test_sparse_weights(self, width: int, is_found: bool) -> None:
        """Those of more than 64 values for each byte that is stored are not looked at."""
        fields = build.sparse_fields(2, ([0, 1, 2], [0, 1]), order=[0, 1])
        w = replace(faults.W, shape=(2, width), data=np.array([5, 6], np.int8), fields=fields)
        model = faults.dense(x=replace(faults.X, shape=(1, width)), w=w)
        assert bool(found(model, "TQ503")) is is_found


class TestQuantize:
    """A QUANTIZE converts from and to several types, each pair with rules of its own."""

    def findings(self, read: TensorSpec, written: TensorSpec) -> list[tuple[str, str]]:
        report = tq.check(faults.unary("QUANTIZE", written, read))
        return [(one.id, str(one.severity)) for one in report if one.id != "TQ211"]

    def spec(self, type: str, scale: float | None = 0.5, zero_point: int | None = 0) -> TensorSpec:
        number = getattr(faults.TYPES, type)
        return TensorSpec(type, (1, 4), number, scale=scale, zero_point=zero_point)

    def test_what_is_specified(self) -> None:
        floats = self.spec("FLOAT32", None, None)
        for read in ("INT8", "INT16"):
            for written in ("INT8", "INT16"):
                assert self.findings(self.spec(read), self.spec(written)) == []
        # Neither runtime has a kernel.
        found = self.findings(self.spec("INT16"), self.spec("UINT8"))
        assert {severity for _, severity in found} == {"error"}
        assert self.findings(floats, self.spec("INT8", zero_point=5)) == []
        assert self.findings(floats, self.spec("INT16")) == []
        assert self.findings(self.spec("INT8"), self.spec("UINT8", zero_point=200)) == []

    def test_float_to_several_scales(self) -> None:
        floats = self.spec("FLOAT32", None, None)
        several: dict[str, Any] = {"scale": [0.5] * 4, "zero_point": [0] * 4, "axis": 1}
        assert self.findings(floats, replace(self.spec("INT8"), **several)) == []
        ids = self.findings(self.spec("INT8"), replace(self.spec("INT8"), **several))
        assert ids == [("TQ202", "error")]

    def test_zero_points_of_int16(self) -> None:
        wrong = self.spec("INT16", zero_point=7)
        assert self.findings(wrong, self.spec("INT16")) == [("TQ204", "warning")]
        (finding,) = tq.check(faults.unary("QUANTIZE", self.spec("INT16"), wrong))
        assert "TensorFlow Lite Micro computes with the zero point" in finding.effect
        assert self.findings(wrong, self.spec("INT8")) == [("TQ204", "note")]
        assert self.findings(self.spec("FLOAT32", None, None), wrong) == [("TQ204", "note")]


class TestNotSpecified:
    """TQ210 is for operators that compute on quantized integers, but have no rule."""

    @pytest.mark.parametrize("name", ["DIV", "ELU", "FLOOR"])
    def test_an_operator_without_a_rule(self, name: str) -> None:
        (finding,) = found(faults.unary(name, faults.SAME), "TQ210")
        assert finding.found == "an INT8 activation with scale 0.5"
        assert finding.expected == "an operator that the specification lists"

    def test_a_type_without_a_rule(self) -> None:
        wide = replace(faults.X, type=faults.TYPES.INT16)
        (finding,) = found(faults.operator("PRELU", [wide, wide], [wide]), "TQ210")
        assert finding.expected == "a type that the specification lists"

    @pytest.mark.parametrize("name", ["DENSIFY", "IF", "CALL_ONCE", "CUSTOM"])
    def test_an_operator_that_computes_nothing_itself(self, name: str) -> None:
        assert found(faults.unary(name, faults.SAME), "TQ210") == []

    @pytest.mark.parametrize(
        "changes", [{"scale": None, "zero_point": None}, {"type": faults.TYPES.FLOAT32}]
    )
    def test_tensors_that_are_not_quantized(self, changes: dict[str, Any]) -> None:
        x = replace(faults.X, **changes)
        assert found(faults.unary("ELU", x, x), "TQ210") == []


class TestIslands:
    def test_what_ends_in_an_output_is_none(self) -> None:
        assert found(FAULTS["TQ401"].good, "TQ401") == []

    @pytest.mark.parametrize(
        ("inputs", "outputs", "count"),
        [([0], [5], 1), ([0], [5, 3], 0), ([0], [5, 4], 0), ([0, 6], [5], 0)],
    )
    def test_what_also_reaches_an_input_or_output_is_none(
        self, inputs: list[int], outputs: list[int], count: int
    ) -> None:
        """The model's user has, or wants, these real values."""
        floats = [TensorSpec(f"f{i}", (1, 4), faults.TYPES.FLOAT32) for i in range(4)]
        tensors = [faults.X, faults.X, *floats[:3], faults.SAME, floats[3]]
        steps = [
            build.OperatorSpec(faults.OPERATORS.RELU, [0], [1], version=2),
            build.OperatorSpec(faults.OPERATORS.DEQUANTIZE, [1], [2], version=2),
            build.OperatorSpec(faults.OPERATORS.ADD, [2, 6] if 6 in inputs else [2, 2], [3]),
            build.OperatorSpec(faults.OPERATORS.SIN, [3], [4]),
            build.OperatorSpec(faults.OPERATORS.QUANTIZE, [4], [5]),
        ]
        model = build.model(build.SubgraphSpec(tensors, inputs, outputs, steps, "main"))
        assert len(found(model, "TQ401")) == count

    def test_two_islands_are_two_findings(self) -> None:
        names = ["DEQUANTIZE", "SIN", "QUANTIZE", "DEQUANTIZE", "COS", "QUANTIZE", "RELU"]
        findings = found(faults.island(names), "TQ401")
        assert [one.found for one in findings] == ["float operator 2 SIN", "float operator 5 COS"]

    def test_an_operator_without_a_builtin_name(self) -> None:
        floats = [TensorSpec(f"f{i}", (1, 4), faults.TYPES.FLOAT32) for i in range(2)]
        steps = [
            build.OperatorSpec(faults.OPERATORS.DEQUANTIZE, [0], [1]),
            build.OperatorSpec(faults.OPERATORS.CUSTOM, [1], [2], custom="Mine"),
            build.OperatorSpec(faults.OPERATORS.QUANTIZE, [2], [3]),
        ]
        tensors = [faults.X, *floats, faults.SAME]
        (finding,) = found(build.model(build.SubgraphSpec(tensors, [0], [3], steps)), "TQ401")
        assert finding.found == "float operator 1 Mine"
        assert finding.place == "subgraph 0, operator 1 Mine"

    def test_an_island_of_many_operators(self) -> None:
        names = ["DEQUANTIZE", *["SIN"] * 8, "QUANTIZE"]
        (finding,) = found(faults.island(names), "TQ401")
        assert finding.found.endswith("8 SIN, 9 SIN")
        assert finding.place == "subgraph 0, operator 2 SIN"
        (finding,) = found(faults.island([*names[:-1], "COS", "QUANTIZE"]), "TQ401")
        assert finding.found.endswith("8 SIN, 9 SIN and 1 more")

    def test_an_operator_that_only_writes_floats(self) -> None:
        floats = [TensorSpec(f"f{i}", (1, 4), faults.TYPES.FLOAT32) for i in range(3)]
        tensors = [faults.X, *floats, faults.SAME, TensorSpec("i", (1, 4), faults.TYPES.INT32)]
        steps = [
            build.OperatorSpec(faults.OPERATORS.DEQUANTIZE, [0], [1]),
            build.OperatorSpec(faults.OPERATORS.CAST, [5], [2]),
            build.OperatorSpec(faults.OPERATORS.ADD, [1, 2], [3]),
            build.OperatorSpec(faults.OPERATORS.QUANTIZE, [3], [4]),
        ]
        (finding,) = found(build.model(build.SubgraphSpec(tensors, [0, 5], [4], steps)), "TQ401")
        assert finding.found == "float operators 1 CAST, 2 ADD"

    def test_a_conversion_alone_is_none(self) -> None:
        assert found(faults.island(["DEQUANTIZE", "QUANTIZE", "RELU"]), "TQ401") == []


class TestWork:
    """A small file cannot make a check do much: what is counted is calls, bytes and strings."""

    @pytest.mark.parametrize("is_shared", ["buffer", "bytes"])
    def test_strings_are_decoded_once(
        self, is_shared: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Those of one buffer in many shapes, and those of many buffers of the same bytes."""
        decoded: list[int] = []
        decode = values.decode_strings

        def counting(content: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
            strings = decode(content, count)
            decoded.append(strings.size)
            return strings

        monkeypatch.setattr(values, "decode_strings", counting)
        content = np.array([64, *[4 * 66] * 65], "<i4").tobytes()

        def buffers(b: build.Builder) -> int:
            data = build.numbers(b, np.frombuffer(content, np.uint8), "u1")
            tables = [build.table(b, "Buffer", data=data) for _ in range(20)]
            return build.references(b, [build.table(b, "Buffer"), *tables])

        shapes = [(*[1] * rank, 64) for rank in range(20)]
        others = [(*shape[:-1], 63) for shape in shapes]
        model = build.one(
            *[
                TensorSpec("t", shape, faults.TYPES.STRING, buffer=1 + i * (is_shared == "bytes"))
                for each in (shapes, others)
                for i, shape in enumerate(each)
            ],
            fields={"buffers": buffers},
        )
        (finding,) = found(model, "TQ301")
        assert "64 strings in 264 bytes, expected 63" in finding.found
        assert decoded == [64]

    def test_a_long_block_map(self) -> None:
        """Each axis of a long shape, and all of the shape, are not told of each axis."""

        def model(rank: int) -> bytes:
            fields = build.sparse_fields(
                *[1] * rank, *[2] * rank, order=[*range(2 * rank)], blocks=[*range(rank)]
            )
            return build.one(TensorSpec("t", [1] * rank, data=b"\1", fields=fields))

        small, large = model(100), model(1000)
        assert len(found(large, "TQ304")) == 1
        assert len(str(tq.check(large))) < len(str(tq.check(small))) + 20
        assert calls(lambda: tq.check(large)) < 10 * calls(lambda: tq.check(small))
        tracemalloc.start()
        try:
            tq.check(large)
            assert tracemalloc.get_traced_memory()[1] < 20 * len(large)
        finally:
            tracemalloc.stop()

    def test_many_operators(self) -> None:
        def chain(count: int) -> bytes:
            steps = [
                build.OperatorSpec(faults.OPERATORS.RELU, [i], [i + 1], version=2)
                for i in range(count)
            ]
            tensors = [replace(faults.X, name=f"t{i}") for i in range(count + 1)]
            return build.model(build.SubgraphSpec(tensors, [0], [count], steps))

        small, large = chain(100), chain(1000)
        assert calls(lambda: tq.check(large)) < 10 * calls(lambda: tq.check(small))


class TestReport:
    def test_what_it_says(self) -> None:
        report = tq.check(faults.dense(w=faults.FEW, y=replace(faults.Y, scale=np.inf)))
        assert report.summary == "1 error, 1 note"
        assert [one.id for one in report] == ["TQ102", "TQ503"]
        assert len(report) == 2
        assert repr(report) == "Report(None, 1 error, 1 note)"
        assert str(report).startswith(
            "model (full integer int8): 1 error, 1 note (1 operator checked)\n"
            "error TQ102: subgraph 0, tensor 3 'y'"
        )
        assert [one.id for one in report.at_least(Severity.WARNING)] == ["TQ102"]

    def test_of_an_open_model(self) -> None:
        with tq.open("fixtures/mixed.tflite") as model:
            assert model.name is not None
            assert tq.check(model) == tq.check(model.name)

    def test_the_page_is_what_the_code_says(self) -> None:
        assert (ROOT / "docs/findings.md").read_text(encoding="utf-8") == findings_page()
