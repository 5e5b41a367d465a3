"""What is said of biases, against what runtimes compute.

A model is changed to what the finding expects: the bias gets the scale that it should have, and the
integers that stand for the same real values. If the finding is right, the outputs move by as many
steps as it says, and without a finding they do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import build, faults, oracle, refusal, tflm
from tests.build import TensorSpec, constant
from tests.one_operator import one_operator
from tflite_quant.checks.rule import Domain
from tflite_quant.checks.rules import RULES

TYPES = tflite.TensorType
RANDOM = np.random.default_rng(207)
_START = RANDOM.bit_generator.state


@pytest.fixture(autouse=True)
def _from_the_start() -> None:
    """Give each test the same random numbers, whatever ran before it."""
    RANDOM.bit_generator.state = _START


CHANNELS = 4


@dataclass
class Layer:
    """An operator with a bias; `specs` gives its inputs, given that bias."""

    name: str
    specs: Callable[[TensorSpec], list[TensorSpec]]
    output: TensorSpec
    product: NDArray[np.float64]
    fields: dict[str, Any]
    type: Any = np.int32

    def model(self, values: NDArray[Any], scales: NDArray[Any]) -> bytes:
        bias = constant(values.astype(self.type), scales, [0] * scales.size, name="b")
        return faults.operator(self.name, self.specs(bias), [self.output], 5, **self.fields)

    @property
    def multiplier(self) -> NDArray[np.float64]:
        """Steps of the output in a step of the bias, for each channel."""
        per_step = self.product / np.float32(self.output.scale).astype(np.float64)  # type: ignore[arg-type]
        return np.broadcast_to(per_step, CHANNELS)


def layer(name: str, type: int, is_per_axis: bool) -> Layer:
    """Build a layer of random weights, whose outputs seldom reach the ends of their range."""
    depth = 8
    is_wide = type == TYPES.INT16
    # Where the channels are, and how many products a sum has.
    shape, axis, count = {
        "FULLY_CONNECTED": ((CHANNELS, depth), 0, depth),
        "CONV_2D": ((CHANNELS, 3, 3, depth), 0, 9 * depth),
        "DEPTHWISE_CONV_2D": ((1, 3, 3, CHANNELS), 3, 9),
        "TRANSPOSE_CONV": ((CHANNELS, 1, 1, depth), 0, depth),
    }[name]
    weights = RANDOM.integers(-127, 128, shape).astype(np.int8)
    scales = RANDOM.uniform(0.001, 0.01, CHANNELS if is_per_axis else 1).astype(np.float32)
    zeros = [0] * scales.size
    w = constant(weights, scales, zeros, name="w", axis=axis if is_per_axis else 0)
    is_dense = name == "FULLY_CONNECTED"
    inputs = CHANNELS if axis == 3 else depth
    zero = 0 if is_wide else 3
    read = (64, depth) if is_dense else (1, 8, 8, inputs)
    x = TensorSpec("x", read, type, scale=0.02, zero_point=zero)
    product = np.float64(np.float32(0.02)) * scales
    most = 32767 if is_wide else 127
    step = float(product.max() * np.sqrt(count) * 73 * 0.58 * most * 3 / most)
    written = (64, CHANNELS) if is_dense else (1, 8, 8, CHANNELS)
    y = TensorSpec("y", written, type, scale=step, zero_point=0 if is_wide else -5)
    table = "".join(word.title() for word in name.split("_")).replace("2D", "2D") + "Options"
    strides = {} if is_dense else {"stride_w": 1, "stride_h": 1}
    if axis == 3:
        strides["depth_multiplier"] = 1
    fields = dict(faults.options(table, **strides))

    def specs(bias: TensorSpec) -> list[TensorSpec]:
        if name == "TRANSPOSE_CONV":
            form = constant(np.array(written, np.int32), name="shape")
            return [form, w, x, bias]
        return [x, w, bias]

    return Layer(name, specs, y, product, fields, np.int64 if is_wide else np.int32)


def outputs(models: Sequence[bytes]) -> list[list[NDArray[np.int64]]]:
    """Run models on the same random inputs with LiteRT's kernels, both kinds, and with TFLM."""
    found = []
    for model in models:
        each = []
        for is_reference in (False, True):
            runner = oracle.interpreter(model, is_reference)
            with oracle.quiet():
                runner.allocate_tensors()
                (one,) = runner.get_input_details()
                (given,) = tflm.random_inputs([(one["shape"], one["dtype"])], 7)
                runner.set_tensor(one["index"], given)
                runner.invoke()
            result = runner.get_tensor(runner.get_output_details()[0]["index"])
            each.append(result.astype(np.int64))
        found.append(each)
    for each, answer in zip(
        found, tflm.answers([tflm.Job(one, seed=7) for one in models]), strict=True
    ):
        assert not answer.refusal
        each.append(answer.outputs[0].astype(np.int64))
    return found


def differences(models: Sequence[bytes], others: Sequence[bytes]) -> list[list[NDArray[np.int64]]]:
    """Return by how many steps outputs differ: for each pair of models, and each kernel."""
    results = outputs([*models, *others])
    count = len(models)
    return [
        [one - other for one, other in zip(results[index], results[count + index], strict=True)]
        for index in range(count)
    ]


LAYERS = [
    (name, type, is_per_axis)
    for name in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
    for type in (TYPES.INT8, TYPES.INT16)
    for is_per_axis in (True, False)
    # The kernel refuses a FULLY_CONNECTED whose only scales do not agree.
    if name != "FULLY_CONNECTED" or is_per_axis
]


@pytest.mark.parametrize(("name", "type", "is_per_axis"), LAYERS)
def test_the_effect_of_a_scale(name: str, type: int, is_per_axis: bool) -> None:
    models, repaired, wrong = [], [], []
    for _ in range(8):
        one = layer(name, type, is_per_axis)
        values = np.rint(RANDOM.uniform(-40, 40, CHANNELS) / one.multiplier)
        values[RANDOM.random(CHANNELS) < 0.4] = 0
        factors = 1 + RANDOM.choice([-1, 1]) * 10 ** RANDOM.uniform(-3, -0.3, one.product.size)
        scales = (one.product * factors).astype(np.float32)
        models.append(one.model(values, scales))
        real = values * scales.astype(np.float64)
        good = one.product.astype(np.float32)
        repaired.append(one.model(np.rint(real / one.product), good))
        wrong.append(np.abs(real / one.product - values) * one.multiplier)
    warned = 0
    for model, fixed, effects, found in zip(
        models, repaired, wrong, differences(models, repaired), strict=True
    ):
        assert not [one for one in tq.check(fixed) if one.id == "TQ207"]
        findings = [one for one in tq.check(model) if one.id == "TQ207"]
        moved = [np.abs(difference).reshape(-1, CHANNELS) for difference in found]
        if not findings:
            assert effects.max() < 0.5
            assert max(difference.max() for difference in moved) <= 1
            continue
        warned += 1
        (finding,) = findings
        assert str(finding.severity) == "warning"
        match = re.search(r"off by ([\d.]+) steps? in channel (\d)", finding.effect)
        assert match
        steps, channel = float(match[1]), int(match[2])
        others = re.search(r"more in (\d+) other channel", finding.effect)
        visible = np.count_nonzero(effects >= 0.5)
        assert visible == 1 + (int(others[1]) if others else 0)
        assert channel == effects.argmax()
        for difference in moved:
            # Outputs are rounded, those at the ends of the range move less.
            assert abs(np.median(difference[:, channel]) - steps) <= 1 + steps / 100
            assert difference[:, channel].any()
    assert 1 < warned < 8


@pytest.mark.parametrize("is_reference", [False, True])
@pytest.mark.parametrize(
    "name", ["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"]
)
def test_scales_that_kernels_of_uint8_compare(name: str, is_reference: bool) -> None:
    """They refuse what is said to be an error: from a fiftieth of a step on, no scale being 0.

    LiteRT's default delegate does not compare those that there are.
    """
    one = one_operator(name, RULES[Domain.UINT8][name])
    position = len(one.inputs) - 1
    bias, step = one.inputs[position], float(np.asarray(one.outputs[0].scale))
    assert bias is not None
    product = float(np.asarray(bias.scale).reshape(-1)[0])
    models = [
        one.with_tensor(position, scale=product + gap * step, data=np.asarray(bias.data) * 0)
        for gap in (-0.019, 0.019, 0.021, 1)
        if product + gap * step > 0
    ]
    larger = one.with_tensor(len(one.inputs), scale=product / 0.019)
    smaller = one.with_tensor(len(one.inputs), scale=product / 0.021)
    models += [
        each.with_tensor(position, scale=None, zero_point=None) for each in (larger, smaller)
    ]
    contents = [model.model for model in models]
    runs = [not reason for reason in refusal.reasons(contents, reference=is_reference)]
    said = [bool(tq.check(each).at_least(tq.Severity.ERROR)) for each in contents]
    assert said == [not each for each in runs]
    assert {True, False} == set(runs)


def test_biases_of_zeros() -> None:
    """Their scale changes nothing, not a bit; convolutions share them whatever it is."""
    names = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")
    layers = [layer(name, TYPES.INT8, True) for name in names]
    zeros = np.zeros(CHANNELS)
    models = [one.model(zeros, (7 * one.product).astype(np.float32)) for one in layers]
    good = [one.model(zeros, one.product.astype(np.float32)) for one in layers]
    assert [one for model in models for one in tq.check(model) if one.id == "TQ207"] == []
    for found in differences(models, good):
        assert not any(difference.any() for difference in found)


def summed(
    name: str,
    weights: NDArray[np.int8],
    bias: NDArray[np.int64] | None,
    is_narrow: bool,
    step: float = 1.0,
    option: int | None = None,
) -> bytes:
    """Build a layer of int16 values, whose sums have 32 bits or 64."""
    kind = TYPES.INT32 if is_narrow else TYPES.INT64
    count, depth = weights.shape
    is_dense = name == "FULLY_CONNECTED"
    x = TensorSpec("x", (1, depth) if is_dense else (1, 1, 1, depth), TYPES.INT16, None, 1e-3, 0)
    y = TensorSpec("y", (1, count) if is_dense else (1, 1, 1, count), TYPES.INT16, None, step, 0)
    shape = weights.shape if is_dense else (count, 1, 1, depth)
    scales = np.full(count, 2.0**-6)
    w = constant(weights.reshape(shape), scales, [0] * count, name="w")
    inputs = [x, w]
    if name == "TRANSPOSE_CONV":
        form = constant(np.array([1, 1, 1, count], np.int32), name="shape")
        inputs = [form, w, x]
    if bias is not None:
        values = bias.astype(np.int32 if is_narrow else np.int64)
        product = np.float32(1e-3) * scales
        inputs.append(constant(values, product, [0] * count, name="b"))
    table = {
        "FULLY_CONNECTED": "FullyConnectedOptions",
        "CONV_2D": "Conv2DOptions",
        "TRANSPOSE_CONV": "TransposeConvOptions",
    }[name]
    strides = {} if is_dense else {"stride_w": 1, "stride_h": 1}
    kind = kind if option is None else option
    fields = faults.options(table, quantized_bias_type=kind, **strides)
    return faults.operator(
        name, inputs, [y], {"CONV_2D": 8, "TRANSPOSE_CONV": 5}.get(name, 11), **fields
    )


def ran(model: bytes, values: NDArray[np.int16], is_reference: bool) -> NDArray[np.int64]:
    """Run a model with LiteRT."""
    runner = oracle.interpreter(model, is_reference)
    with oracle.quiet():
        runner.allocate_tensors()
        (one,) = runner.get_input_details()
        runner.set_tensor(one["index"], values.reshape(one["shape"]))
        runner.invoke()
    result = runner.get_tensor(runner.get_output_details()[0]["index"])
    return np.asarray(result, np.int64).reshape(-1)


def overflows(model: bytes) -> list[tq.Finding]:
    return [one for one in tq.check(model) if one.id == "TQ504"]


NARROW = ("FULLY_CONNECTED", "CONV_2D", "TRANSPOSE_CONV")


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_int16_that_exceed_32_bits(name: str, sign: int) -> None:
    """For the worst input outputs differ from those of sums of 64 bits, from one value on."""
    weights = RANDOM.integers(-127, 128, (2, 600)).astype(np.int8)
    worst = np.where(sign * weights[1] > 0, 32767, -32768).astype(np.int16)
    furthest = int(weights[1].astype(np.int64) @ worst.astype(np.int64))
    end = 2**31 - 1 if sign > 0 else -(2**31)
    models = [
        summed(name, weights, np.array([0, end - furthest + sign * beyond]), is_narrow)
        for beyond in (0, 1)
        for is_narrow in (True, False)
    ]
    answers = [[ran(model, worst, kind) for kind in (False, True)] for model in models]
    if name != "TRANSPOSE_CONV":
        # That of TFLM sums in 64 bits, whatever the bias.
        jobs = [tflm.Job(model, [worst.reshape(_shape(model))]) for model in models]
        for each, answer in zip(answers, tflm.answers(jobs), strict=True):
            each.append(answer.outputs[0].astype(np.int64).reshape(-1))
    same, moved = (
        [np.abs(one - other) for one, other in zip(*pair, strict=True)]
        for pair in (answers[:2], answers[2:])
    )
    assert [len(overflows(model)) for model in models] == [0, 0, 1, 0]
    assert max(difference.max() for difference in same) <= 1
    (finding,) = overflows(models[2])
    assert finding.found == f"sums of up to {abs(end) + 1} in channel 1"
    match = re.search(r"off by up to (\d+) steps", finding.effect)
    assert match
    for difference in moved:
        assert difference[0] <= 1
        assert abs(difference[1] - int(match[1])) <= 1


def _shape(model: bytes) -> tuple[int, ...]:
    return tq.open(model).inputs[0].shape


@pytest.mark.parametrize("is_likely", [False, True])
def test_sums_that_only_picked_inputs_make_so_large(is_likely: bool) -> None:
    """A warning says that inputs after a RELU, for example, overflow; a note that they do not."""
    weights = RANDOM.integers(-127, 128, (2, 4000)).astype(np.int8)
    if is_likely:
        weights[1] = np.abs(weights[1])
    zeros = np.zeros(2, np.int64)
    models = [summed("FULLY_CONNECTED", weights, zeros, narrow, 8.0) for narrow in (True, False)]
    (finding,) = overflows(models[0])
    assert str(finding.severity) == ("warning" if is_likely else "note")
    assert finding.effect.startswith("The sum wraps" if is_likely else "Only inputs far from")
    differs = False
    for low, high in ((-32768, 32768), (0, 32768), (-32768, 1)):
        for _ in range(20):
            values = RANDOM.integers(low, high, 4000).astype(np.int16)
            answers = [ran(model, values, True) for model in models]
            differs |= bool((np.abs(answers[0] - answers[1]) > 1).any())
    assert differs == is_likely


def test_sums_that_the_output_was_never_scaled_for() -> None:
    """Inputs that make them are none that the model was calibrated with."""
    weights = np.full((2, 4000), 100, np.int8)
    zeros = np.zeros(2, np.int64)
    steps = {
        "warning": 2.0**31 * 2**-6 * 1e-3 / 65535 / 3.9,
        "note": 2.0**31 * 2**-6 * 1e-3 / 65535 / 4.1,
    }
    for severity, step in steps.items():
        (finding,) = overflows(summed("FULLY_CONNECTED", weights, zeros, True, step))
        assert str(finding.severity) == severity


def test_sums_without_a_bias() -> None:
    """The kernel that LiteRT runs by default sums in 32 bits unless the option forbids it."""
    weights = np.full((2, 4000), 127, np.int8)
    most = np.full(4000, 32767, np.int16)
    model = {
        option: summed("FULLY_CONNECTED", weights, None, True, 10.0, option)
        for option in (TYPES.FLOAT32, TYPES.INT32, TYPES.INT64)
    }
    (right, _) = ran(model[TYPES.INT64], most, True)
    assert (ran(model[TYPES.FLOAT32], most, False) != right).all()
    assert (ran(model[TYPES.INT32], most, True) != right).all()
    for is_reference in (False, True):
        assert (ran(model[TYPES.INT64], most, is_reference) == right).all()
    assert [len(overflows(one)) for one in model.values()] == [1, 1, 0]
    (finding,) = overflows(model[TYPES.INT32])
    assert finding.tensor
    assert finding.tensor.name == "w"
    refused = summed("CONV_2D", weights, None, True, 10.0, TYPES.FLOAT32)
    assert overflows(refused) == []
    assert len(overflows(summed("CONV_2D", weights, None, True, 10.0))) == 1


def test_sums_that_wrap_around_by_less_than_the_output_shows() -> None:
    weights = np.full((2, 4000), 127, np.int8)
    zeros = np.zeros(2, np.int64)
    visible = 2.0**32 * 2**-6 * float(np.float32(1e-3)) * 2
    for step, count in ((0.99 * visible, 1), (1.01 * visible, 0)):
        model = summed("FULLY_CONNECTED", weights, zeros, True, step)
        assert len(overflows(model)) == count


def test_sums_of_int8_without_a_bias() -> None:
    """It takes 65,000 weights."""
    for count, severities in ((65_000, []), (67_000, ["note"])):
        w = constant(np.full((2, count), 127, np.int8), [0.25, 0.25], [0, 0], name="w")
        x = TensorSpec("x", (1, count), TYPES.INT8, None, 0.5, -128)
        y = TensorSpec("y", (1, 2), TYPES.INT8, None, 1.0, -1)
        fields = faults.options("FullyConnectedOptions")
        findings = overflows(faults.operator("FULLY_CONNECTED", [x, w], [y], 5, **fields))
        assert [str(one.severity) for one in findings] == severities


def lstm(random: np.random.Generator, gate: int, factor: float, is_repaired: bool) -> bytes:
    """Build an LSTM whose gates are not saturated, and one gate's bias has a wrong scale."""
    steps, inputs, units = 24, 16, 8
    x = TensorSpec("x", (1, steps, inputs), scale=1 / 64, zero_point=0)
    y = TensorSpec("y", (1, steps, units), scale=1 / 128, zero_point=0)

    def weights(columns: int) -> TensorSpec:
        values = random.integers(-60, 61, (units, columns)).astype(np.int8)
        return constant(values, 1 / 127, 0)

    kernels = [weights(inputs) for _ in range(4)] + [weights(units) for _ in range(4)]
    scale = float(np.float32(1 / 64)) * float(np.float32(1 / 127))
    biases = []
    for index in range(4):
        values, scales = np.rint(random.normal(0, 0.8, units) / scale), scale
        if index == gate:
            values, scales = (
                (np.rint(values * factor), scale) if is_repaired else (values, scale * factor)
            )
        biases.append(constant(values.astype(np.int32), scales, 0, name=f"bias {index}"))
    states = [
        TensorSpec("output", (1, units), scale=1 / 128, zero_point=0, is_variable=True),
        TensorSpec("cell", (1, units), TYPES.INT16, None, 2.0**-11, 0, is_variable=True),
    ]
    inside = [TensorSpec("i", (1,), TYPES.INT16, None, 0.001, 0) for _ in range(4)]
    inside.append(TensorSpec("hidden", (1,), scale=1 / 128, zero_point=0))
    tensors = [x, *kernels, *biases, *states, *inside, y]
    indices = [*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1]
    one = build.OperatorSpec(
        tflite.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM, indices, [20], version=2,
        intermediates=list(range(15, 20)),
        fields=faults.options("UnidirectionalSequenceLSTMOptions", fused_activation_function=4),
    )  # fmt: skip
    return build.model(build.SubgraphSpec(tensors, [0], [20], [one], "main"))


def test_the_effect_of_a_scale_of_a_gate() -> None:
    """It is an estimate: below half a step nearly no output changes, far above it most do."""
    warned = set[bool]()
    for number in range(24):
        factor = 1 + 10 ** np.random.default_rng(number).uniform(-4, -0.5)
        wrong, repaired = (
            lstm(np.random.default_rng(number), number % 4, factor, is_repaired)
            for is_repaired in (False, True)
        )
        findings = [one.effect for one in tq.check(wrong) if one.id == "TQ207"]
        results = []
        for model in (wrong, repaired):
            runner = oracle.interpreter(model)
            with oracle.quiet():
                runner.allocate_tensors()
                for seed in range(10):
                    values = np.random.default_rng(seed).integers(-100, 100, (1, 24, 16))
                    runner.set_tensor(0, values.astype(np.int8))
                    runner.invoke()
                    results.append(runner.get_tensor(20).astype(np.int64))
        moved = np.abs(np.array(results[:10]) - np.array(results[10:]))
        warned.add(bool(findings))
        if not findings:
            assert moved.max() <= 1
            assert np.count_nonzero(moved) < 0.05 * moved.size
            continue
        match = re.search(r"what enters the gate is off by ([\d.]+) steps? of the", findings[0])
        assert match
        assert 1 <= moved.max() <= 4 * float(match[1]) + 2
        if float(match[1]) > 20:
            assert np.count_nonzero(moved) > 0.2 * moved.size
    assert warned == {False, True}


def test_a_bias_that_is_computed() -> None:
    """It is taken to be as large as the output's range: 255 steps."""
    for factor, text in ((1 + 0.4 / 255, None), (1 + 5 / 255, "up to 5 steps if the bias is as")):
        one = layer("CONV_2D", TYPES.INT8, False)
        bias = TensorSpec("b", (CHANNELS,), TYPES.INT32, None, one.product * factor, 0)
        model = faults.operator(one.name, one.specs(bias), [one.output], 5, **one.fields)
        findings = [found.effect for found in tq.check(model) if found.id == "TQ207"]
        assert len(findings) == (text is not None)
        assert text is None or text in findings[0]


def test_the_effect_of_a_scale_in_an_svdf() -> None:
    """It adds its bias to the sums that its output's scale is for."""
    for data, is_found in (([1, 2], False), ([1, -80], True)):
        values = np.array(data, np.int32)
        wrong = faults.svdf(1, 4, data=values, scale=2 * 0.125 * 0.5)
        repaired = faults.svdf(1, 4, data=2 * values)
        findings = [one.effect for one in tq.check(wrong) if one.id == "TQ207"]
        assert [one.split(": ")[1] for one in findings] == (
            ["the output is off by 5 steps in channel 1."] if is_found else []
        )
        moved = np.abs(ran_svdf(wrong) - ran_svdf(repaired))
        assert moved.max() == (5 if is_found else 0)


def ran_svdf(model: bytes) -> NDArray[np.int64]:
    runner = oracle.interpreter(model)
    with oracle.quiet():
        runner.allocate_tensors()
        runner.set_tensor(0, np.full((1, 4), 4, np.int8))
        runner.invoke()
    return np.asarray(runner.get_tensor(5), np.int64)


def each_output(content: bytes, indices: list[int]) -> dict[int, NDArray[np.int64]]:
    """Run a model on random inputs with LiteRT, and return what some operators write."""
    module = oracle.litert()
    kind = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    with oracle.quiet():
        runner = module.Interpreter(
            model_content=content,
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=True,
        )
        runner.allocate_tensors()
        details = runner.get_input_details()
        given = tflm.random_inputs([(one["shape"], one["dtype"]) for one in details], 1)
        for one, values in zip(details, given, strict=True):
            runner.set_tensor(one["index"], values)
        runner.invoke()
        return {index: runner.get_tensor(index).astype(np.int64) for index in indices}


def changeable(content: bytes) -> Iterator[tuple[tq.Operator, tq.Tensor, bytes]]:
    """Yield convolutions whose bias has scales and values that nothing else in the file has."""
    (graph, *_) = tq.open(content).subgraphs
    constants = [tensor.buffer.index for tensor in graph.tensors if tensor.is_constant]
    for operator in graph.operators:
        if operator.code.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        x, w, *others = operator.inputs
        bias = others[0] if others else None
        if x is None or w is None or bias is None or not bias.is_constant:
            continue
        schemes = (x.quantization, bias.quantization, operator.outputs[0].quantization)  # type: ignore[union-attr]
        scales = [getattr(scheme, "scales", np.empty(0, np.float32)) for scheme in schemes]
        if x.type.name not in ("INT8", "INT16") or not all(one.size for one in scales):
            continue
        stored = scales[1].astype("<f4").tobytes()
        if content.count(stored) == constants.count(bias.buffer.index) == 1:
            yield operator, bias, stored


def test_the_effect_of_a_scale_in_whole_models(model_paths: list[Path]) -> None:
    """The scale is changed in the file, and in another the values."""
    contents = [path.read_bytes() for path in model_paths]
    warned = silent = 0
    for content, runs in zip(contents, refusal.runs(contents), strict=True):
        some = list(changeable(content))[:6] if runs else []
        if not some:
            continue
        indices = [operator.outputs[0].index for operator, *_ in some]  # type: ignore[union-attr]
        before = each_output(content, indices)
        for number, (operator, bias, stored) in enumerate(some):
            factor = (1.0005, 1.003, 1.02, 1.1, 0.95, 1.5)[number % 6]
            scales = (np.frombuffer(stored, "<f4") * factor).astype("<f4")
            wrong = content.replace(stored, scales.tobytes())
            values = np.rint(bias.data * factor).astype(bias.data.dtype.newbyteorder("<"))
            start = bias.buffer.offset
            repaired = content[:start] + values.tobytes() + content[start + values.nbytes :]
            findings = [
                one
                for one in tq.check(wrong)
                if one.id == "TQ207" and one.operator and one.operator.index == operator.index
            ]
            if [str(one.severity) for one in findings] == ["error"]:
                continue
            after = each_output(repaired, [indices[number]])
            channels = before[indices[number]].reshape(-1, bias.data.size)
            moved = np.abs(after[indices[number]].reshape(channels.shape) - channels)
            if not findings:
                silent += 1
                assert moved.max() <= 1
                continue
            warned += 1
            match = re.search(r"off by ([\d.]+) steps?( in channel (\d+))?", findings[0].effect)
            assert match
            channel = channels[:, int(match[3] or 0)]
            assert moved.max() <= 1.01 * float(match[1]) + 1
            # Those at an end stay there.
            is_free = (channels.min() < channel) & (channel < channels.max())
            assert moved[:, int(match[3] or 0)].any() or not is_free.any()
    assert warned > 10
    assert silent > 10
