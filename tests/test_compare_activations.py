"""What two models computed, side by side, and the page that says how to record it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from conftest import ROOT
from tests import build, oracle, work
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec

FLOAT, INT8 = ROOT / "fixtures/residual_float32.tflite", ROOT / "fixtures/residual_int8.tflite"
PAGE = ROOT / "docs/compare.md"
IMAGE = np.random.default_rng(1).normal(size=(1, 32, 32, 3)).astype(np.float32)

Q = np.array([[3, 5, -5, 21]], np.int8)
R = np.array([[1.0, 2.0, -3.0, 10.0]])

Recording = dict[int, NDArray[Any]]


def run_page() -> dict[str, Any]:
    """Run the page, and give the names that are left at its end."""
    oracle.litert()
    test = doctest.DocTestParser().get_doctest(
        PAGE.read_text(encoding="utf-8"), {}, PAGE.name, str(PAGE), 0
    )
    runner = doctest.DocTestRunner()
    with oracle.quiet():
        runner.run(test, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
    return test.globs


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    return run_page()


@pytest.fixture(scope="module")
def recorded(page: dict[str, Any]) -> tuple[Recording, Recording]:
    return page["recorded"]  # type: ignore[no-any-return]


def test_the_page_shows_what_comes_out(page: dict[str, Any]) -> None:
    """Within what another processor's kernels may change."""
    block = PAGE.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    shown = [line.split() for line in block.splitlines()]
    found = page["comparison"].activations
    assert [line[:-1] for line in shown] == [
        [each.operator] if each.operator else [] for each in found
    ]
    for line, each in zip(shown, found, strict=True):
        assert float(line[-1]) == pytest.approx(each.sqnr, abs=0.5)


class TestRecorded:
    def test_every_activation_is_compared(self, recorded: tuple[Recording, Recording]) -> None:
        comparison = tq.compare(FLOAT, INT8, activations=recorded)
        assert comparison.unmatched == ()
        with tq.open(INT8) as model:
            names = [each.name for each in model.tensors if not each.is_constant]
            written = [operator.outputs[0] for operator in model.operators]
            in_order = [each.name for each in (*model.inputs, *written) if each is not None]
        assert sorted(each.name for each in comparison.activations) == sorted(names)
        # In the order of the operators, the input first.
        assert [each.name for each in comparison.activations] == in_order

    def test_the_measures_are_those_computed_here(
        self, recorded: tuple[Recording, Recording]
    ) -> None:
        comparison = tq.compare(FLOAT, INT8, activations=recorded)
        with tq.open(INT8) as model, tq.open(FLOAT) as original:
            for each in comparison.activations:
                q = recorded[1][each.index]
                scheme = model.tensors[each.index].quantization
                assert isinstance(scheme, tq.PerTensor)
                x = (q.astype(np.float64) - scheme.zero_point) * np.float64(scheme.scale)
                r = recorded[0][original[each.reference_name].index].astype(np.float64)
                e = x - r
                wanted = 10 * np.log10(np.sum(r**2) / np.sum(e**2))
                assert each.sqnr == pytest.approx(wanted, rel=1e-6)
                assert each.measures.bias == pytest.approx(np.mean(e) / scheme.scale, rel=1e-4)
                at_ends = np.mean((q == -128) | (q == 127))
                assert each.measures.at_ends == pytest.approx(at_ends)

    def test_floats_and_names_and_files_say_the_same(
        self, recorded: tuple[Recording, Recording], tmp_path: Path
    ) -> None:
        wanted = [each.sqnr for each in tq.compare(FLOAT, INT8, activations=recorded).activations]
        with tq.open(INT8) as model, tq.open(FLOAT) as original:
            names = {original[i].name: array for i, array in recorded[0].items()}
            real = {model[i].name: model[i].dequantize(q) for i, q in recorded[1].items()}
        assert [t.sqnr for t in tq.compare(FLOAT, INT8, activations=(names, real)).activations] == (
            pytest.approx(wanted)
        )
        for name, arrays in (("a", recorded[0]), ("b", recorded[1])):
            np.savez(tmp_path / name, **{str(index): array for index, array in arrays.items()})  # type: ignore[arg-type]
        files = (tmp_path / "a.npz", tmp_path / "b.npz")
        found = tq.compare(FLOAT, INT8, activations=files).activations
        assert [each.sqnr for each in found] == wanted

    def test_a_quantize_at_the_start(self, page: dict[str, Any]) -> None:
        """What a QUANTIZE writes is compared with what it reads."""
        path = ROOT / "fixtures/residual_int8_float_io.tflite"
        with oracle.quiet():
            arrays = page["record"](str(path), IMAGE)
        originals = page["recorded"][0]
        comparison = tq.compare(FLOAT, path, activations=(originals, arrays))
        assert comparison.unmatched == ()
        operators = [each.operator for each in comparison.activations]
        assert operators[:3] == ["", "QUANTIZE", "CONV_2D"]
        assert operators[-2:] == ["SOFTMAX", "DEQUANTIZE"]
        assert comparison.activations[0].measures.is_exact

    def test_what_only_one_side_has(self, recorded: tuple[Recording, Recording]) -> None:
        one, other = ({18: arrays[18], 19: arrays[19]} for arrays in recorded)
        del one[19]
        other[20] = recorded[1][20][:, :4]
        one[20] = recorded[0][20]
        comparison = tq.compare(FLOAT, INT8, activations=(one | {99: one[18]}, other))
        assert [each.index for each in comparison.activations] == [18]
        reasons = {(each.side, each.reason) for each in comparison.unmatched}
        assert reasons == {
            ("reference", "no tensor 99: subgraph 0 has 31 tensors"),
            ("quantized", "nothing that belongs to it was recorded of the reference"),
            ("quantized", "shape (1, 4, 8, 64), but (1, 8, 8, 64) in the reference"),
        }


def negative(kind: int, **quantization: Any) -> bytes:
    """Build a model of one operator."""
    tensors = [TensorSpec(name, (1, 4), kind, **quantization) for name in ("a", "b")]
    operator = OperatorSpec(tflite.BuiltinOperator.NEG, [0], [1])
    return build.model(SubgraphSpec(tensors, [0], [1], [operator]))


class TestByHand:
    """Models of one operator, whose arrays anybody can add up."""

    FLOAT = negative(tflite.TensorType.FLOAT32)
    INT8 = negative(tflite.TensorType.INT8, scale=0.5, zero_point=1)

    def test_integers_are_real_values(self) -> None:
        arrays = ({"b": R}, {"b": Q})
        (each,) = tq.compare(self.FLOAT, self.INT8, activations=arrays).activations
        assert each.measures.is_exact
        arrays = (arrays[0], {"b": np.array([[3, 5, -5, 127]], np.int8)})
        (each,) = tq.compare(self.FLOAT, self.INT8, activations=arrays).activations
        assert each.measures.max_error == 53
        assert each.measures.max_error_steps == 106
        assert each.measures.at_ends == 0.25
        assert each.sqnr == pytest.approx(10 * np.log10(114 / 53**2))
        assert (each.operator, each.role) == ("NEG", "output")

    def test_a_reference_that_is_quantized(self) -> None:
        arrays = ({"b": Q}, {"b": Q - [[0, 0, 0, 1]]})
        (each,) = tq.compare(self.INT8, self.INT8, activations=arrays).activations
        assert (each.measures.max_error, each.measures.max_error_steps) == (0.5, 1)

    def test_a_reference_that_is_no_model(self) -> None:
        comparison = tq.compare({}, self.INT8, activations=({"b": R, "c": R[0]}, {1: Q}))
        assert comparison["b"].measures.is_exact
        assert [each.name for each in comparison.unmatched] == ["c"]

    @pytest.mark.parametrize("values", [np.array([[True] * 4]), np.array([["x"] * 4])])
    def test_what_are_no_numbers(self, values: NDArray[Any]) -> None:
        arrays = ({"b": np.ones((1, 4))}, {"b": values})
        comparison = tq.compare(self.FLOAT, self.INT8, activations=arrays)
        assert comparison.activations == ()
        assert comparison.unmatched[0].reason.endswith("values are not real numbers")

    def test_integers_without_a_scale(self) -> None:
        arrays = ({"b": np.ones((1, 4))}, {"b": np.ones((1, 4), np.int8)})
        plain = negative(tflite.TensorType.INT8)
        comparison = tq.compare(self.FLOAT, plain, activations=arrays)
        assert "has no scale" in comparison.unmatched[0].reason


SCHEMES = [
    {"scale": [0.5] * 3, "zero_point": [0] * 3, "axis": 1},
    {"scale": [0.5] * 3, "zero_point": [0] * 3, "axis": 7},
    {"scale": [0.5] * 3, "zero_point": [0] * 3, "axis": -1},
    {"scale": [0.5], "zero_point": [], "axis": 4},
]


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
@pytest.mark.parametrize("shape", [(2, 3), (2, 4), (3,), ()])
@pytest.mark.parametrize("scheme", SCHEMES, ids=range(len(SCHEMES)))
def test_scales_that_do_not_fit_what_was_recorded(
    scheme: dict[str, Any], shape: tuple[int, ...], dtype: Any
) -> None:
    """The values of a run may have another shape than the file says; the scales need not fit."""
    array = np.ones(shape, dtype)
    content = build.model(SubgraphSpec([TensorSpec("x", (2, 3), **scheme)], [0], [0]))
    comparison = tq.compare({}, content, activations=({"x": array.astype(float)}, {"x": array}))
    fits = scheme["axis"] == 1 and shape == (2, 3)
    assert len(comparison.activations) == fits
    if not fits:
        assert re.search("scale|axis|shape", comparison.unmatched[0].reason)


def test_scales_of_a_scheme_that_nobody_knows() -> None:
    """They are no steps; the recorded floats are compared all the same."""

    def write(b: build.Builder) -> int:
        return build.table(b, "CustomQuantization")

    spec = TensorSpec("x", (1, 3), scale=[0.5, 0.5], zero_point=[0, 0], details=(1, write))
    array = np.ones((1, 3), np.float32)
    recorded = {"x": array}, {"x": array * 2}
    content = build.model(SubgraphSpec([spec], [0], [0]))
    (activation,) = tq.compare({}, content, activations=recorded).activations
    assert activation.scheme == "custom"
    assert (activation.measures.step, activation.measures.mean_error) == (None, 1.0)


@pytest.mark.parametrize("scale", [1e-45, 3e38, np.inf])
def test_errors_that_are_larger_than_any_float(scale: float) -> None:
    """No warning: what cannot be said is None."""
    content = build.model(SubgraphSpec([TensorSpec("x", (1, 2), scale=scale, zero_point=0)], [0]))
    array = np.array([[1.7e308, -1.7e308]])
    recorded = {"x": np.zeros((1, 2))}, {"x": array}
    (activation,) = tq.compare({}, content, activations=recorded).activations
    assert activation.sqnr == -np.inf
    assert (activation.measures.max_error_steps is None) == np.isinf(scale)


def test_thousands_of_names_that_nothing_has() -> None:
    """The nearest names are looked for a few times only: it takes milliseconds each time."""
    content = build.one(*[TensorSpec(f"layer_{index}/conv2d") for index in range(300)])
    recorded = {f"layer{index}/conv2d": [1] for index in range(300)}
    comparison: list[tq.Comparison] = []

    def ask() -> None:
        comparison.append(tq.compare({}, content, activations=({}, recorded)))

    assert work.calls(ask) < 500_000
    reasons = [each.reason for each in comparison[0].unmatched]
    assert len(reasons) == 300
    assert "'layer_0/conv2d'" in reasons[0]
    assert reasons[-1] == "no tensor has the name 'layer299/conv2d'"
