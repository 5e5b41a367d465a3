"""Pictures: what is drawn is what numpy counts here, and text from a model stays text."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import tflite
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import ArrayLike, NDArray

import tflite_quant as tq
from conftest import FIXTURES, ROOT, many
from tests import build, oracle
from tests.attacks import FOLDER
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tflite_quant.pictures.histograms import bars_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS: tuple[Literal["real", "stored", "scales"], ...] = ("real", "stored", "scales")
KERNEL = "residual_1/stem_conv_1/convolution"
HOSTILE = "$\\frac{1}{0}$ $ \x1b[31m\n::error::x\u202e"


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    """Draw without a window, and close the figures that a test has made."""
    matplotlib: Any = oracle.package("matplotlib")
    matplotlib.use("Agg")
    yield
    oracle.package("matplotlib.pyplot").close("all")


def int8(values: ArrayLike) -> NDArray[np.int8]:
    return np.array(values, np.int8)


def float32(values: ArrayLike) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def fixture(name: str) -> Path:
    return ROOT / "fixtures" / f"{name}.tflite"


def opened(*tensors: TensorSpec) -> tq.Model:
    return tq.open(build.model(SubgraphSpec(tensors)))


def untyped(thing: object) -> Any:
    """Give a thing of matplotlib, whose attributes have wide types, or none where it is not."""
    return thing


def bars(ax: Axes) -> SimpleNamespace:
    """Give the counts and edges that are drawn."""
    (patch,) = untyped(ax).patches
    counts, edges, _ = patch.get_data()
    return SimpleNamespace(counts=np.asarray(counts), edges=np.asarray(edges))


def lines(ax: Axes) -> list[float]:
    """Give where lines stand from the bottom to the top."""
    found = []
    for line in ax.lines:
        x = np.asarray(line.get_xdata(), float)
        if x.size == 2 and x[0] == x[1] and list(np.asarray(line.get_ydata())) == [0, 1]:
            found.append(float(x[0]))
    return found


def legend(ax: Axes) -> str:
    found = ax.get_legend()
    assert found is not None
    return "\n".join(text.get_text() for text in found.get_texts())


def render(ax: Axes, kind: str = "png") -> None:
    """Draw to the end: what text cannot be drawn is seen only then."""
    untyped(ax.figure).savefig(io.BytesIO(), format=kind, dpi=30)


def new_axes() -> Axes:
    """Give Axes of a figure that pyplot does not know: it is made faster."""
    figure: Any = oracle.package("matplotlib.figure").Figure()
    axes: Axes = figure.subplots()
    return axes


# ------------------------------------------------------------ tensors


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_every_histogram_counts_every_value(path: Path) -> None:
    with tq.open(path) as model:
        tensors = [t for t in model if t.is_constant and t.type.name != "STRING" and t.size]
        for tensor in tensors:
            drawn = bars(tensor.plot("stored", ax=new_axes()))
            expected = np.histogram(tensor.data.astype(np.float64), drawn.edges)[0]
            assert drawn.counts.tolist() == expected.tolist()
            assert drawn.counts.sum() == tensor.size
            if not tensor.is_quantized and tensor.data.dtype.kind != "f":
                continue
            drawn = bars(tensor.plot(ax=new_axes()))
            # A value at the edge of two bars is in one or the other.
            assert drawn.counts.sum() == tensor.size
            assert drawn.counts.size <= 64
            real = tensor.dequantize().astype(np.float64)
            assert drawn.edges[0] <= real.min() <= real.max() <= drawn.edges[-1]
            between = np.histogram(real, drawn.edges)[0]
            assert np.abs(np.cumsum(drawn.counts - between)).max() <= np.count_nonzero(
                np.isclose(real.reshape(-1, 1), drawn.edges, rtol=1e-6, atol=0)
            )


def test_bars_per_tensor_are_whole_steps_wide() -> None:
    values = np.arange(-128, 128, dtype=np.int8)
    with opened(constant(values, 0.1, -3)) as model:
        drawn = bars(model.tensors[0].plot())
        # Each integer is there once: without whole steps, bars of 3, 4 and 5 would alternate.
        assert drawn.counts.tolist() == [4] * 64
        assert np.allclose(np.diff(drawn.edges), 4 * np.float32(0.1))
        assert bars(model.tensors[0].plot(bins=100)).counts.tolist() == [3] * 85 + [1]
        assert bars(model.tensors[0].plot("stored", bins=1)).counts.tolist() == [256]


def test_the_ends_of_the_range() -> None:
    values = int8([[-128, 127], [127, 0]])
    with opened(constant(values, 0.5, 1)) as model:
        ax = model.tensors[0].plot()
        assert lines(ax) == [(-128 - 1) * 0.5, (127 - 1) * 0.5]
        assert "range -64.5 .. 63, 75 % at its ends" in legend(ax)
        assert lines(model.tensors[0].plot("stored")) == [-128, 127, 1]
    with opened(constant(values, [0.5, 2.0], [0, 0], axis=0)) as model:
        ax = model.tensors[0].plot()
        assert lines(ax) == [-256, 254]
        assert "ends of the range of each scale\nwidest range -256 .. 254" in legend(ax)
        marks = [
            list(np.asarray(line.get_xdata())) for line in ax.lines if line.get_marker() == "|"
        ]
        assert marks == [[-256, -64], [63.5, 254]]


def test_the_ends_with_blocks() -> None:
    with tq.open(fixture("blockwise_int4")) as model:
        for tensor in model:
            scheme = tensor.quantization
            if not isinstance(scheme, tq.Blockwise):
                continue
            assert scheme.scales is not None
            largest = float(scheme.scales.max())
            assert np.allclose(lines(tensor.plot()), [-8 * largest, 7 * largest])


def test_a_range_that_would_hide_the_values() -> None:
    with opened(constant(np.array([-5, 0, 7], np.int32), 0.5)) as model:
        ax = model.tensors[0].plot()
        assert lines(ax) == []
        assert "range -1.074e+09 .. 1.074e+09, 0 % at its ends, beyond the picture" in legend(ax)
        low, high = ax.get_xlim()
        assert -10 < low < -2.5
        assert 3.5 < high < 10


def test_stored_values_along_the_top() -> None:
    with opened(constant(int8([-128, 3, 127]), 0.25, 3)) as model:
        ax = model.tensors[0].plot()
        render(ax)
        (top,) = ax.child_axes
        assert np.allclose(np.array(ax.get_xlim()) / 0.25 + 3, top.get_xlim())
        assert top.get_xlabel() == "stored value"


def test_scales_by_channel() -> None:
    with tq.open(fixture("residual_int8")) as model:
        ax = model[KERNEL].plot("scales")
        scheme = model[KERNEL].quantization
        assert isinstance(scheme, tq.PerAxis)
        (dots,) = ax.lines
        assert np.asarray(dots.get_xdata()).tolist() == list(range(32))
        assert np.array_equal(dots.get_ydata(), scheme.scales)
        assert (ax.get_yscale(), ax.get_xlabel()) == ("log", "index along axis 0")


@pytest.mark.parametrize(
    ("block", "by", "what"), [((1, 4), 0, "index"), ((3, 1), 1, "index"), ((3, 2), 1, "block")]
)
def test_scales_of_blocks_by_channel(block: tuple[int, int], by: int, what: str) -> None:
    """The channels are the axis that is not cut; if both are, the one with more blocks."""
    shape = 6 // block[0], 8 // block[1]
    scales = np.arange(1, 1 + shape[0] * shape[1], dtype=np.float32).reshape(shape)
    details = build.blockwise(4, list(block))
    weights = constant(np.ones((6, 8), np.int8), name="w", details=details)
    with opened(weights, constant(scales, name="s")) as model:
        ax = model["w"].plot("scales")
    (dots,) = ax.lines
    found = zip(np.asarray(dots.get_xdata()), np.asarray(dots.get_ydata()), strict=True)
    expected = [(index[by], scale) for index, scale in np.ndenumerate(scales)]
    assert sorted(found) == sorted(expected)
    assert ax.get_xlabel() == f"{what} along axis {by}"


def test_many_scales_are_a_band() -> None:
    count = 5000
    scales = np.random.default_rng(1).uniform(1, 2, count).astype(np.float32)
    values = np.tile(int8([-128, 127]), (count, 1))
    spec = constant(values, scales, np.zeros(count, np.int64), axis=0)
    with opened(spec) as model:
        ax = model.tensors[0].plot("scales")
        render(ax)
        (band,) = ax.collections
        (path,) = untyped(band).get_paths()
        ends = path.vertices[:, 1]
        assert (ends.min(), ends.max()) == (scales.min(), scales.max())
        # The groups of channels are 5 wide; that of the largest scale reaches it.
        start = int(scales.argmax()) // 5 * 5
        at_start = path.vertices[path.vertices[:, 0] == start, 1]
        assert scales.max() in at_start
        marks = [line for line in model.tensors[0].plot().lines if line.get_marker() == "|"]
        assert [len(np.asarray(line.get_xdata())) for line in marks] == [500, 500]


@pytest.mark.parametrize("scale", [0.0, -1.0, 1e-45, 3e38, math.inf, math.nan])
def test_scales_that_no_converter_writes(scale: float) -> None:
    with opened(constant(int8([1, -2, 3]), scale)) as model:
        for kind in KINDS:
            try:
                ax = model.tensors[0].plot(kind)
            except tq.TFLiteError:
                assert kind == "real"
                continue
            render(ax)
        if not scale > 0 or scale == math.inf:
            ax = model.tensors[0].plot("scales")
            assert "1 scale, 1 not a positive number" in legend(ax)


VALUES: dict[str, Any] = {
    "none": np.zeros((0, 3), np.int8),
    "one": int8([5]),
    "alike": np.full(9, 1e-6, np.float32),
    "zeros": np.zeros(4, np.float32),
    "no numbers": float32([np.nan, np.inf, -np.inf]),
    "some numbers": float32([np.nan, 1, 2, np.inf]),
    "far apart": float32([-3.4e38, 3.4e38]),
    "beyond": np.array([-1.7e308, 1.0, 1.7e308]),
    "near zero": float32([1e-45, 3e-45]),
    "nearer zero": np.array([5e-324, 1e-320]),
    "near each other": np.array([1e30, np.nextafter(1e30, 2e30)]),
    "wide integers": np.array([-(2**63), 2**63 - 1]),
    "unsigned": np.array([0, 2**64 - 1], np.uint64),
    "bool": np.array([True, False, True]),
}


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        *[(name, None) for name in VALUES],
        *[(name, 0.5) for name, values in VALUES.items() if values.dtype.kind in "iu"],
    ],
)
def test_values_that_are_hard_to_draw(name: str, scale: float | None) -> None:
    values = VALUES[name]
    with opened(constant(values, scale)) as model:
        tensor = model.tensors[0]
        ax = tensor.plot("stored")
        render(ax)
        wide = values.astype(np.float64)
        count = np.count_nonzero(np.abs(wide) <= np.finfo(np.float32).max)
        assert bars(ax).counts.sum() == count
        if count < values.size:
            assert f"and {values.size - count} not finite" in legend(ax)
        if scale is not None or values.dtype == np.float32:
            render(tensor.plot())


@given(
    arrays(st.sampled_from([np.float32, np.float64, np.int8, np.int64]), array_shapes(max_side=8)),
    st.integers(1, 20),
)
@many(1)
def test_bars_leave_nothing_out(values: Any, most: int) -> None:
    found = bars_of(values, most, 1 if values.dtype.kind == "i" else None)
    assert found.counts.size <= most
    assert found.counts.sum() + found.not_finite == values.size
    assert (np.diff(found.edges) > 0).all()
    assert found.edges.size == found.counts.size + 1


def test_it_is_drawn_where_it_is_said() -> None:
    plt: Any = oracle.package("matplotlib.pyplot")
    figures: Any = oracle.package("matplotlib.figure")
    ours = figures.Figure()
    comparison = tq.compare(fixture("residual_float32"), fixture("residual_int8"))
    with tq.open(fixture("residual_int8")) as model:
        axes = ours.subplots(2, 3).flat
        for kind, ax in zip(KINDS, axes, strict=False):
            assert model[KERNEL].plot(kind, ax=ax) is ax
        assert comparison.plot(ax=axes[3]) is axes[3]
        assert comparison.plot("scatter", tensor=KERNEL, ax=axes[4]) is axes[4]
        assert plt.get_fignums() == []
        one, other = model[KERNEL].plot(), model[KERNEL].plot()
        assert one.figure is not other.figure
        assert len(plt.get_fignums()) == 2


def test_the_colours_are_those_of_the_style() -> None:
    matplotlib: Any = oracle.package("matplotlib")
    with (
        tq.open(fixture("residual_int8")) as model,
        matplotlib.rc_context({"axes.prop_cycle": matplotlib.cycler(color=["#010203", "#040506"])}),
    ):
        ax = model[KERNEL].plot()
        assert matplotlib.colors.to_hex(ax.patches[0].get_facecolor()) == "#010203"
        assert matplotlib.colors.to_hex(ax.lines[-1].get_color()) == "#040506"


def test_what_cannot_be_drawn() -> None:
    plt: Any = oracle.package("matplotlib.pyplot")
    with tq.open(fixture("residual_int8")) as model:
        with pytest.raises(tq.UnsupportedError, match=r"tensor 0 .*: not constant"):
            model.tensors[0].plot()
        assert model.inputs[0].plot("scales").get_title().endswith("zero point 4")
        with pytest.raises(ValueError, match="kind is 'hist', expected 'real', 'stored' or 'sc"):
            model[KERNEL].plot("hist")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="bins is 0, expected at least 1"):
            model[KERNEL].plot(bins=0)
    plt.close("all")
    with (
        tq.open(fixture("residual_float32")) as model,
        pytest.raises(tq.QuantizationError, match=r"tensor \d+ .* has no scale"),
    ):
        model[KERNEL].plot("scales")
    with tq.open(fixture("strings")) as model:
        text = next(t for t in model if t.type.name == "STRING" and t.is_constant)
        with pytest.raises(tq.UnsupportedError, match="STRING values are not real numbers"):
            text.plot("stored")
    with pytest.raises(ValueError, match="closed"):
        text.plot("stored")
    # No empty figure is left behind.
    assert plt.get_fignums() == []


def test_text_from_a_model_stays_text() -> None:
    matplotlib: Any = oracle.package("matplotlib")
    with opened(constant(int8([1, 2]), 0.5, name=HOSTILE)) as model:
        # Were it mathematics, this would be an error; were it TeX, it would need a TeX.
        for settings in ({}, {"text.usetex": True}):
            with matplotlib.rc_context(settings):
                ax = model.tensors[0].plot()
                assert not ax.title.get_parse_math()
                assert not ax.title.get_usetex()
        for kind in ("png", "svg", "pdf"):
            render(model.tensors[0].plot(), kind)
    name, facts = ax.get_title().split("\n")
    assert name == "$\\frac{1}{0}$ $ \\x1b[31m\\n:\\x3aerror::x\\u202e"
    assert facts == "INT8 (2,), scale 0.5, zero point 0"


def test_long_names_are_shortened() -> None:
    with opened(constant(int8([1, 2]), 0.5, name="a" * 5000 + "z")) as model:
        ax = model.tensors[0].plot()
    name, _ = ax.get_title().split("\n")
    assert len(name) == 60
    assert name.startswith("aaa")
    assert name.endswith("aaz")


def test_characters_that_no_font_has_are_escaped() -> None:
    with opened(constant(int8([1, 2]), 0.5, name="é漢")) as model:
        ax = model.tensors[0].plot()
        render(ax)
        assert ax.get_title().startswith("é\\u6f22\n")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.tflite")), ids=lambda path: path.stem)
def test_an_attack_is_drawn_or_refused(path: Path) -> None:
    try:
        model = tq.open(path)
    except tq.TFLiteError:
        return
    for tensor in model.tensors[:20]:
        for kind in KINDS:
            try:
                ax = tensor.plot(kind, ax=new_axes())
            except tq.TFLiteError:
                continue
            render(ax)


# ------------------------------------------------------------ comparisons


def test_bars_are_as_long_as_the_sqnr() -> None:
    comparison = tq.compare(fixture("residual_float32"), fixture("residual_int8"))
    ax = comparison.plot()
    drawn = {
        round(bar.get_y() + bar.get_height() / 2): bar.get_width() for bar in untyped(ax).patches
    }
    assert [drawn[row] for row in range(16)] == [each.sqnr for each in comparison.tensors]
    low, high = ax.get_xlim()
    assert (low, high) == (0, max(drawn.values()) * 1.05)
    # The first is at the top.
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "0 CONV_2D  residual_1/stem_conv_1/convolution"[: len(names[0])]
    assert legend(ax) == "8 weights\n8 biases"
    render(ax)


def pair(reference: Any, quantized: Any) -> tq.Comparison:
    """Compare a fully connected layer with its original, which need not be alike."""
    return tq.compare({"w": reference, "$b$": [0.0, 0.0]}, two_layers(quantized))


def two_layers(weights: Any) -> bytes:
    tensors = [
        build.TensorSpec("x", (1, 2), tflite.TensorType.FLOAT32),
        constant(int8(weights), 1.0, name="w"),
        constant(float32([0, 1]), name="$b$"),
        build.TensorSpec("y", (1, 2), tflite.TensorType.FLOAT32),
    ]
    operators = [OperatorSpec(tflite.BuiltinOperator.FULLY_CONNECTED, [0, 1, 2], [3])]
    return build.model(SubgraphSpec(tensors, [0], [3], operators))


def test_exact_and_lost_tensors_are_marked() -> None:
    comparison = pair([[1, 2], [3, 4]], [[1, 2], [3, 4]])
    assert [each.sqnr for each in comparison.tensors] == [math.inf, -math.inf]
    ax = comparison.plot()
    (bar,) = untyped(ax).patches
    assert (bar.get_hatch(), bar.get_width()) == ("///", ax.get_xlim()[1])
    (cross,) = ax.lines
    assert (cross.get_marker(), list(np.asarray(cross.get_ydata()))) == ("x", [1])
    assert legend(ax) == "1 of -∞ dB\n1 weight, exact"
    labels = ax.get_yticklabels()
    assert labels[1].get_text() == "0 FULLY_CONNECTED  $b$"
    assert not any(label.get_parse_math() for label in labels)
    render(ax)


def test_a_figure_less_than_nothing_goes_to_the_left() -> None:
    ax = pair([[1, 2], [2, 1]], [[-1, -2], [-2, -1]]).plot()
    (bar,) = untyped(ax).patches
    assert bar.get_width() == pytest.approx(10 * math.log10(1 / 4))
    assert ax.get_xlim()[0] == bar.get_width()


def test_the_scatter_has_both_values() -> None:
    comparison = tq.compare(fixture("residual_float32"), fixture("residual_int8"))
    ax = comparison.plot("scatter", tensor=KERNEL)
    dots = ax.lines[-1]
    with tq.open(fixture("residual_float32")) as one, tq.open(fixture("residual_int8")) as other:
        assert np.array_equal(dots.get_xdata(), one[KERNEL].data.ravel())
        assert np.array_equal(dots.get_ydata(), other[KERNEL].dequantize().ravel())
    assert ax.get_title().endswith("INT8 (32, 7, 7, 3), per-axis, 42.8 dB")
    render(ax)


def test_what_is_drawn_of_many_values() -> None:
    values = np.random.default_rng(1).integers(-99, 100, (512, 200)).astype(np.int8)
    original = values.astype(np.float32)
    # Of five in a row, those at even distances are one at most.
    original[17, 3:8] = [500, 501, 502, 503, 504]
    with opened(constant(values, 1.0, name="w")) as model:
        ax = tq.compare({"w": original}, model).plot("scatter", tensor="w")
        x = np.asarray(ax.lines[-1].get_xdata())
        assert 9973 <= x.size <= 9973 + 996
        assert {500, 501, 502, 503, 504} <= set(x.tolist())
        assert "102,400 values" in legend(ax)
        render(ax)


def test_values_that_are_not_finite() -> None:
    ax = pair([[1, np.nan], [np.inf, 4]], [[1, 2], [3, 4]]).plot("scatter", tensor="w")
    assert np.asarray(ax.lines[-1].get_xdata()).tolist() == [1, 4]
    assert "2 values, and 2 not finite" in legend(ax)


def test_arrays_of_what_was_compared(tmp_path: Path) -> None:
    with tq.open(fixture("residual_float32")) as model:
        kernel = model[KERNEL].data
    archive = tmp_path / "weights.npz"
    np.savez(archive, stem_conv=kernel.transpose(1, 2, 3, 0))
    recorded = [{0: float32([[[[1, 2]]]])}, {0: int8([[[[3, 4]]]])}]
    for reference in (
        fixture("residual_float32"),
        archive,
        fixture("residual_float32").read_bytes(),
    ):
        comparison = tq.compare(reference, fixture("residual_int8"), activations=tuple(recorded))  # type: ignore[arg-type]
        found = next(each for each in comparison if each.name == KERNEL)
        original, real = comparison.arrays(found)
        assert np.array_equal(original, kernel)
        assert np.abs(real - original).max() == pytest.approx(found.measures.max_error)
    comparison = tq.compare(
        fixture("residual_float32"),
        fixture("residual_int8"),
        activations=tuple(recorded),  # type: ignore[arg-type]
    )
    (activation,) = comparison.activations
    original, real = comparison.arrays(activation)
    assert original.tolist() == [[[[1, 2]]]]
    with tq.open(fixture("residual_int8")) as model:
        assert np.array_equal(real, model.inputs[0].dequantize(int8([[[[3, 4]]]])))
    render(comparison.plot("activations"))
    render(comparison.plot("scatter", tensor=activation))


def test_arrays_in_the_layout_that_was_taken() -> None:
    comparison = pair([[1, 3], [2, 4]], [[1, 2], [3, 4]])
    assert comparison["w"].layout == "axes (1, 0)"
    original, real = comparison.arrays("w")
    assert original.tolist() == real.tolist() == [[1, 2], [3, 4]]


def test_what_cannot_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(fixture("residual_int8").read_bytes())
    with path.open("rb") as stream:
        comparison = tq.compare(fixture("residual_float32"), stream)
    with pytest.raises(ValueError, match="read from a stream"):
        comparison.plot("scatter", tensor=KERNEL)
    with tq.open(path) as model:
        comparison = tq.compare(fixture("residual_float32"), model)
        comparison.arrays(KERNEL)
    with pytest.raises(ValueError, match="closed"):
        comparison.arrays(KERNEL)
    comparison = tq.compare(fixture("residual_float32"), path)
    path.write_bytes(fixture("mixed").read_bytes())
    with pytest.raises(ValueError, match="is not in the model: it is not the one compared"):
        comparison.arrays(comparison.tensors[-1])


def test_comparisons_that_cannot_be_drawn() -> None:
    comparison = tq.compare({}, fixture("residual_int8"))
    with pytest.raises(tq.UnsupportedError, match="no constant was compared"):
        comparison.plot()
    with pytest.raises(tq.UnsupportedError, match="no recorded tensor was compared"):
        comparison.plot("activations")
    with pytest.raises(ValueError, match="kind is 'bars', expected 'sqnr', "):
        comparison.plot("bars")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kind is 'scatter' and tensor is None"):
        comparison.plot("scatter")
    with pytest.raises(KeyError, match="no tensor 'x' was compared"):
        comparison.plot("scatter", tensor="x")


def test_many_tensors_have_room() -> None:
    comparison = tq.compare(fixture("residual_float32"), fixture("residual_int8"))
    many_of_them = tq.Comparison(None, None, comparison.tensors * 40, (), (), 0, None)
    ax = many_of_them.plot()
    assert len(ax.get_yticks()) == 640 // 3 + 1
    assert untyped(ax.figure).get_size_inches()[1] == 60


def test_without_matplotlib() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import tflite_quant as tq\n"
        "model = tq.open('fixtures/residual_int8.tflite')\n"
        "for plot in (model.tensors[1].plot, tq.compare(model, model).plot):\n"
        "    try: plot()\n"
        "    except ImportError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == 'plots need matplotlib: pip install "tflite-quant[plot]"\n' * 2


def test_the_page_draws() -> None:
    plt: Any = oracle.package("matplotlib.pyplot")
    page = (ROOT / "docs/compare.md").read_text(encoding="utf-8")
    (code,) = [block for block in page.split("```python\n") if block.startswith("# A bar")]
    comparison = tq.compare(fixture("residual_float32"), fixture("residual_int8"))
    exec(
        code.split("```")[0],
        {"tq": tq, "comparison": comparison, "worst": comparison.worst(1)[0]},
    )
    assert len(plt.get_fignums()) == 5
