"""The page about a model: whole, safe, and with the figures that the other commands have."""

from __future__ import annotations

import contextlib
import doctest
import html
import math
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES, ROOT
from tests import build
from tests.attacks import ATTACKS
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tflite_quant.command.cli import main
from tflite_quant.comparison.constants import constants_of, values_of
from tflite_quant.report import ends, page
from tflite_quant.report.bars import in_groups
from tflite_quant.report.content import Content
from tflite_quant.report.layers import real_range
from tflite_quant.summary.statistics import histogram

FULLY_CONNECTED = tflite.BuiltinOperator.FULLY_CONNECTED
FLOAT, INT8 = "fixtures/residual_float32.tflite", "fixtures/residual_int8.tflite"
VOID = {"meta", "link", "br"}
ALLOWED = {
    "article", "a", "bdi", "body", "br", "code", "dd", "div", "dl", "dt", "figcaption", "figure",
    "footer", "h1", "h2", "h3", "head", "header", "html", "li", "line", "link", "main", "meta",
    "nav", "p", "path", "rect", "section", "span", "strong", "style", "svg", "table", "tbody", "td",
    "th", "thead", "title", "tr", "ul",
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page; fails if an element is not closed, or is not one that a report has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.paths: list[str] = []
        self.rectangles: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.style = ""
        self.feed(text)
        self.close()
        assert not self.open
        assert text.isascii()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._element(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._element(tag, dict(attrs))

    def _element(self, tag: str, attributes: dict[str, str | None]) -> None:
        assert tag in ALLOWED, tag
        self.tags[tag] += 1
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            assert name not in ("src", "srcset", "style", "xlink:href"), name
            if name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
        if tag == "path":
            self.paths.append(attributes["d"] or "")
        elif tag == "rect":
            self.rectangles.append(attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """All that is read, with single blanks."""
        return " ".join("".join(self.texts).split())


def whole(text: str) -> Page:
    """Read a page that needs nothing else, and is no program."""
    found = Page(text)
    assert text.startswith("<!doctype html>")
    assert found.ids == sorted(set(found.ids), key=found.ids.index)
    anchors = {f"#{each}" for each in found.ids}
    assert set(found.links) - {"data:,"} <= anchors
    assert "url(" not in found.style
    assert "@import" not in found.style
    assert found.text.isprintable()
    return found


def content(model: tq.Model | str | bytes, reference: str | None = None) -> Content:
    with contextlib.ExitStack() as stack:
        opened = model if isinstance(model, tq.Model) else stack.enter_context(tq.open(model))
        return page.content_of(opened, reference)


def test_each_model_has_a_page(model_path: Path) -> None:
    for reference in (None, model_path):
        try:
            text = tq.html_report(model_path, reference)
        except tq.TFLiteError:
            continue
        assert len(text) < 1_000_000
        found = whole(text)
        assert found.tags["h1"] == 1
        assert ("comparison" in found.ids) == (reference is not None)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_have_a_page_or_an_error(name: str) -> None:
    for reference in (None, ATTACKS[name].content):
        with contextlib.suppress(tq.TFLiteError):
            whole(tq.html_report(ATTACKS[name].content, reference))


HOSTILE = (
    "</title></style><script>alert(1)</script><img src=x onerror=alert(2)>",
    '"><svg onload="alert(3)">',
    "' onmouseover='alert(4)",
    "{{ 7 * 7 }}{% include 'x' %}$\\frac{1}{2}$",
    "a\u202ecod.exe\u2066\u200b\x1b[31m\x00\r\n::error::b ##[error]c",
    "javascript:alert(5)",
    "<!-- ]]> &lt;b&gt; &#60;i&#62;",
    "\ud800 lone",
    "\u05d0\u05d1\u05d2 <bdo dir=rtl>",
)


def named(name: str) -> bytes:
    """Build a model in which everything that may has this name."""
    encoded = name.encode("utf-8", "surrogatepass")
    kernel = np.arange(8, dtype=np.int8).reshape(2, 4)
    tensors = [
        TensorSpec(encoded, (1, 4), scale=0.5, zero_point=0),  # type: ignore[arg-type]
        constant(kernel, [0.1, 0.2], [0, 0], axis=3, name=encoded),
        TensorSpec(encoded, (1, 2), scale=0.5, zero_point=0),  # type: ignore[arg-type]
    ]  # fmt: skip
    custom = OperatorSpec(tflite.BuiltinOperator.CUSTOM, [0, 1], [2], encoded)  # type: ignore[arg-type]
    graph = SubgraphSpec(tensors, [0], [2], [custom, OperatorSpec(FULLY_CONNECTED, [0, 1], [2])])
    graph.name = encoded  # type: ignore[assignment]
    signature = build.SignatureSpec(encoded, {encoded: 0}, {encoded: 2})  # type: ignore[arg-type, dict-item]
    return build.model(
        graph,
        graph,
        signatures=[signature],
        description=encoded,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(name: str) -> None:
    """No element comes of them, and nothing that hides or turns around what is beside it."""
    usual, found = (whole(tq.html_report(named(each), named(each))) for each in ("plain", name))
    assert found.tags == usual.tags
    assert found.links == usual.links
    shown = re.sub(r"\s+", " ", name.split("\u202e", maxsplit=1)[0].split("\ud800", maxsplit=1)[0])
    assert found.text.count(shown) >= 20


def test_the_name_of_the_file_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "<b>&.tflite"
    try:
        path.write_bytes(Path(INT8).read_bytes())
    except OSError:
        pytest.skip("no file can have such a name here")
    found = whole(tq.html_report(path))
    assert "<b>&.tflite" in found.text
    assert str(tmp_path) not in found.text


def heights(path: str) -> dict[int, int]:
    """Give the heights of the bars of a picture, by their places."""
    bars = re.findall(r"M(\d+) 100V(\d+)h\.9V100z", path)
    assert "".join(f"M{x} 100V{y}h.9V100z" for x, y in bars) == path
    return {int(x): 100 - int(y) for x, y in bars}


def test_histograms_have_numpys_counts() -> None:
    """Of integers, 32 bars or fewer share the range of the type; of floats, that of the values."""
    checked = 0
    for path in FIXTURES:
        with tq.open(path) as model:
            constants = {each.name: each for each in constants_of(model).real}
            for layer in content(model).layers.layers:
                for weights in layer.weights:
                    constant = constants.get(weights.name)
                    if constant is None or not weights.pictures:
                        continue
                    bars = weights.pictures[0]
                    values = values_of(constant)
                    stored = values.real if values.integers is None else values.integers
                    assert stored is not None
                    if stored.dtype == np.int8 and values.ends == (-128, 127):
                        expected = np.bincount((stored.ravel().astype(int) + 128) // 8)
                        shown = np.array(bars.values)[: expected.size]
                    elif stored.dtype.kind == "f":
                        expected = np.histogram(stored.astype(np.float64), 32)[0]
                        shown = np.array(bars.values)
                    else:
                        assert sum(bars.values) == stored.size
                        continue
                    assert np.array_equal(shown, expected)
                    assert sum(bars.values) == stored.size
                    most = expected.max()
                    assert heights(bars.path) == {
                        x: max(round(100 * n / most), 1) for x, n in enumerate(expected) if n
                    }
                    checked += 1
    assert checked > 50


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32", "float32"])
def test_a_histogram_of_many_values(dtype: str) -> None:
    """There are several blocks, and more than one value a bar."""
    r = np.random.default_rng(3)
    values = r.integers(0, 120, (3, 100_001)).astype(dtype)
    for start, end, count in histogram(values, 7):
        last = values == values.max() if end == values.max() else False
        inside = (values >= start) & ((values < end) | last)
        if values.dtype.kind != "f":
            inside = (values >= start) & (values <= end)
        assert count == np.count_nonzero(inside)
    assert sum(count for *_, count in histogram(values, 7)) == values.size


def test_scales_are_drawn() -> None:
    kernel = content(INT8).layers.layers[0].weights[0]
    with tq.open(INT8) as model:
        scales = model["residual_1/stem_conv_1/convolution"].quantization.scales
    assert scales is not None
    assert kernel.pictures[1].values == tuple(scales.astype(np.float64).tolist())
    assert kernel.pictures[1].right == "31"


def test_many_numbers_share_bars() -> None:
    values = np.random.default_rng(4).normal(size=1000)
    values[17] = np.nan
    found, together = in_groups(values, np.maximum)
    assert (len(found), together) == (63, 16)
    values[17] = 0
    assert found == [values[i : i + 16].max() for i in range(0, 1000, 16)]
    assert in_groups(values, np.minimum)[0][-1] == values[-8:].min()


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_real_ranges_are_those_of_the_real_values(path: Path) -> None:
    with tq.open(path) as model:
        for constant in constants_of(model).real:
            real = constant.tensor.dequantize()
            expected = (float(real.min()), float(real.max())) if real.size else None
            assert real_range(values_of(constant)) == expected


def test_figures_are_those_of_the_commands() -> None:
    for path in FIXTURES:
        with tq.open(path) as model:
            text = whole(tq.html_report(model)).text
            report, summary = tq.check(model), model.summary()
        assert summary.scheme in text
        assert f"{path.stat().st_size:,} bytes" in text
        assert report.summary in text
        for finding in report:
            assert " ".join(finding.kind.fix.split()) in text
            assert finding.kind.title in text
        assert text.count("What to do") == len({(each.id, each.severity) for each in report})


def test_the_target_is_that_of_the_check() -> None:
    path = "fixtures/blockwise_int4.tflite"
    for target in ("litert", "tflm"):
        text = whole(tq.html_report(path, target=target)).text
        assert tq.check(path, target=target).summary in text
    with pytest.raises(ValueError, match="target is 'x'"):
        tq.html_report(path, target="x")


def test_the_comparison_is_that_of_compare() -> None:
    comparison = tq.compare(FLOAT, INT8)
    costs = content(INT8, FLOAT).costs
    assert costs is not None
    worst_first = sorted(comparison, key=lambda each: each.sqnr)
    assert [cost.sqnr for cost in costs.rows] == [f"{each.sqnr:.1f} dB" for each in worst_first]
    assert [cost.bar for cost in costs.rows] == [
        round(min(each.sqnr / 72, 1) * 100, 1) for each in worst_first
    ]
    text = whole(tq.html_report(INT8, FLOAT)).text
    assert comparison.weights is not None
    assert f"weights {comparison.weights.sqnr:.1f} dB" in text
    assert comparison.matched in text
    channels = comparison["residual_1/stem_conv_1/convolution"].channels
    assert channels is not None
    layers = content(INT8, FLOAT).layers.layers
    assert layers[0].weights[0].pictures[2].values == tuple(channels.sqnr.tolist())
    # Of 128 channels, the worse of two shares a bar with its neighbour.
    wide = next(each for each in layers if each.title.startswith("operator 6 "))
    channels = comparison[wide.weights[0].name].channels
    assert channels is not None
    assert len(channels) == 128
    lower = channels.sqnr.reshape(64, 2).min(axis=1)
    assert wide.weights[0].pictures[2].values == tuple(lower.tolist())


def test_what_has_no_counterpart_is_listed() -> None:
    text = whole(tq.html_report(INT8, {"other": np.ones((3, 5))})).text
    assert "of the reference: float64 (3, 5) other: no counterpart" in text
    assert text.count("of this model: ") == 16


def test_the_picture_of_the_arena_is_the_plan() -> None:
    plan = tq.memory_plan(INT8)
    with tq.open(INT8) as model:
        steps = len(model.operators) + 1
        blocks = content(model).arena.blocks
    found = sorted(
        (
            round((1000 - block.y - block.height) * plan.head / 1000, -2),
            round(block.height * plan.head / 1000, -2),
            round(block.x * steps / 1000) - 1,
            round((block.x + block.width) * steps / 1000) - 2,
            block.is_scratch,
        )
        for block in blocks
    )
    assert found == sorted(
        (round(each.offset, -2), round(each.size, -2), each.first_use, each.last_use,
         each.tensor is None)
        for each in plan.buffers
    )  # fmt: skip
    assert plan.peak is not None
    live = [each for each in plan.buffers if each.first_use is not None]
    live = [each for each in live if each.first_use <= plan.peak.index <= each.last_use]  # type: ignore[operator]
    assert sum(block.is_at_peak for block in blocks) == len(live)
    text = whole(tq.html_report(INT8)).text
    assert f"{plan.head:,} bytes" in text
    for each in live:
        assert f"{each.size:,}" in text


def test_a_plan_that_is_not_known_says_why() -> None:
    tensors = [TensorSpec("t", (4,), tflite.TensorType.STRING), TensorSpec("u", (4,))]
    graph = SubgraphSpec(tensors, [0], [1], [OperatorSpec(tflite.BuiltinOperator.RELU, [0], [1])])
    found = whole(tq.html_report(build.model(graph)))
    assert "TFLM arena not known: subgraph 0, tensor 0 't'" in found.text
    assert not found.rectangles


def test_formulas_compute_what_the_functions_do() -> None:
    """A formula is Python; each integer comes back from its real value."""
    checked = 0
    for path in FIXTURES:
        with tq.open(path) as model:
            for tensor in (*model.inputs, *model.outputs):
                forward, back = (
                    ends.quantization_formula(tensor),
                    ends.dequantization_formula(tensor),
                )
                if not forward:
                    assert tensor.dtype.kind == "f" or not tensor.is_quantized
                    continue
                info = np.iinfo(tensor.dtype)
                q = np.linspace(info.min, info.max, 256).astype(tensor.dtype)
                scheme = tensor.quantization
                real = tq.dequantize(q, scheme.scales, scheme.zero_points)  # type: ignore[arg-type]
                for integer, value in zip(q.tolist(), real.tolist(), strict=True):
                    assert computed(back, q=integer) == pytest.approx(value, rel=1e-6)
                    assert computed(forward, real=value) == integer
                outside = 2 * float(abs(real).max()) + 1
                assert computed(forward, real=outside) == info.max
                assert computed(forward, real=-outside) == info.min
                checked += 1
    assert checked > 10


def computed(formula: str, **values: float) -> float:
    _, expression = formula.split(" = ")
    functions: dict[str, Any] = {
        "clamp": lambda x, low, high: max(low, min(x, high)),
        "round": lambda x: math.copysign(math.floor(abs(x) + 0.5), x),
    }
    found: float = eval(expression, {"__builtins__": {}}, functions | values)
    return found


def test_many_layers_stay_a_page() -> None:
    """The largest are shown, in the order of the graph; it is said how many are not."""
    count = 1_000
    size = [1 + (7 * i) % count for i in range(count)]
    tensors = [TensorSpec("x" * 2000, (1, 1), scale=1.0, zero_point=0)]
    tensors += [
        constant(np.ones((size[i], 1), np.int8), 1.0, name=f"w{i}" + "y" * 2000)
        for i in range(count)
    ]
    operators = [OperatorSpec(FULLY_CONNECTED, [0, 1 + i], [0]) for i in range(count)]
    graph = SubgraphSpec(tensors, [0] * 1_000, [0], operators)
    source = build.model(graph, *[SubgraphSpec([], name="empty")] * 100)
    text = tq.html_report(source, source)
    found = whole(text)
    assert len(text) < 1_000_000
    assert "700 more constants, the smallest, are not shown" in found.text
    assert "968 more are not shown" in found.text
    assert "85 more subgraphs are not shown" in found.text
    layers = content(source).layers.layers
    shown = [int(layer.title.split()[1]) for layer in layers]
    assert shown == sorted(i for i in range(count) if size[i] > 700)


def test_values_that_cannot_be_had_are_explained() -> None:
    text = whole(tq.html_report(named("plain"))).text
    assert "no values: quantized dimension 3 is out of range" in text


def test_the_page_of_the_documentation() -> None:
    path = str(ROOT / "docs/report.md")
    results = doctest.testfile(path, module_relative=False, encoding="utf-8")
    assert results.attempted == 3
    assert not results.failed


class TestCommand:
    def test_it_writes_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        output = tmp_path / "report.html"
        assert main(["report", INT8, "--reference", FLOAT, "-o", str(output)]) == 0
        assert capsys.readouterr().out == ""
        assert output.read_text(encoding="ascii") == tq.html_report(INT8, FLOAT)
        for arguments in ([], ["-o", "-"]):
            assert main(["report", INT8, "--reference", FLOAT, *arguments]) == 0
            assert capsys.readouterr().out == output.read_text(encoding="ascii")

    def test_arrays_are_a_reference(self, tmp_path: Path) -> None:
        with tq.open(FLOAT) as model:
            arrays = {
                each.name: each.dequantize() for each in model.tensors if each.role == "weight"
            }
        path, output = tmp_path / "weights.npz", tmp_path / "report.html"
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        assert main(["report", INT8, "--reference", str(path), "-o", str(output)]) == 0
        assert "Comparison with weights.npz" in whole(output.read_text(encoding="ascii")).text

    def test_it_refuses(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        model = tmp_path / "model.tflite"
        model.write_bytes(Path(INT8).read_bytes())
        for arguments, message in (
            ([str(model), "-o", str(model)], "is a file that is read"),
            ([INT8, "--reference", str(model), "-o", str(model)], "is a file that is read"),
            ([INT8, "-o", str(tmp_path)], str(tmp_path)),
            ([str(tmp_path / "none")], "No such file"),
            ([INT8, "--reference", str(tmp_path / "none")], "No such file"),
            (["pyproject.toml"], "pyproject.toml"),
        ):
            assert main(["report", *arguments]) == 2
            printed = capsys.readouterr()
            assert (printed.out, printed.err.count("\n")) == ("", 1)
            assert message in printed.err
        assert model.read_bytes() == Path(INT8).read_bytes()

    def test_without_jinja2_it_says_what_to_install(self) -> None:
        code = (
            "import sys; sys.modules['jinja2'] = None; "
            "from tflite_quant.command.cli import main; "
            f"sys.exit(main(['report', {INT8!r}]))"
        )
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
        )
        assert (found.returncode, found.stdout) == (2, "")
        assert found.stderr == (
            'tflite-quant: a report needs jinja2: pip install "tflite-quant[report]"\n'
        )


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)


@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
class TestInABrowser:
    def opened(self, text: str, folder: Path) -> tuple[str, str]:
        """Open a page; give what it is then, and what the console says."""
        assert BROWSER is not None
        path = folder / "page.html"
        path.write_text(text, encoding="ascii")
        options = (
            "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--enable-logging=stderr",
            "--v=0", f"--user-data-dir={folder / 'profile'}",
        )  # fmt: skip
        run = subprocess.run(
            [BROWSER, *options, path.as_uri()],
            capture_output=True, text=True, encoding="utf-8", check=True, timeout=120,
        )  # fmt: skip
        said = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
        return run.stdout, "\n".join(said)

    def test_the_console_is_silent(self, tmp_path: Path) -> None:
        for source in (INT8, named(HOSTILE[0]), named(HOSTILE[1])):
            dom, said = self.opened(tq.html_report(source, FLOAT), tmp_path)
            assert not said
            assert "<h2>Weights" in dom

    def test_the_policy_lets_nothing_run(self, tmp_path: Path) -> None:
        """If a name could become an element, the browser still would not obey it."""
        bad = '<script>document.title = "obeyed"</script><img src="missing.png">'
        text = tq.html_report(INT8).replace("<header>", f"{bad}<header>")
        dom, said = self.opened(text, tmp_path)
        assert "<title>obeyed" not in dom
        assert said.count("Content Security Policy") >= 2

    def test_nothing_is_wider_than_the_window(self, tmp_path: Path) -> None:
        """On a phone, a tablet and a desktop: frames of these widths."""
        measure = (
            "<script>onload = () => { document.title = [...document.querySelectorAll('iframe')]"
            ".map(each => each.contentDocument.documentElement)"
            ".map(root => root.clientWidth + '/' + root.scrollWidth).join(' ') }</script>"
        )
        for source in (INT8, named("n" * 500), "fixtures/mixed.tflite"):
            page = html.escape(tq.html_report(source, FLOAT))
            frames = [
                f'<iframe style="width: {width}px; height: 800px; border: 0" srcdoc="{page}">'
                "</iframe>"
                for width in (390, 768, 1280)
            ]
            dom, _ = self.opened("".join([*frames, measure]), tmp_path)
            found = re.findall(r"(\d+)/(\d+)", dom[dom.index("<title>") : dom.index("</title>")])
            assert len(found) == 3
            for (inside, scrolled), width in zip(found, (390, 768, 1280), strict=True):
                # Without the bar that scrolls.
                assert width - 20 <= int(inside) <= width
                assert scrolled == inside
