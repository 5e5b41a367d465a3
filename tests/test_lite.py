"""Scripts that were written for TensorFlow, with one line changed."""

from __future__ import annotations

import pytest

import tflite_quant as tf
from conftest import ROOT

MODEL = str(ROOT / "fixtures/residual_int8.tflite")


def test_the_interpreter() -> None:
    interpreter = tf.lite.Interpreter(model_path=MODEL)
    interpreter.allocate_tensors()
    names = [detail["name"] for detail in interpreter.get_tensor_details()]
    assert names[17] == "residual_1/stem_conv_1/convolution"


def test_the_analyzer(capsys: pytest.CaptureFixture[str]) -> None:
    tf.lite.experimental.Analyzer.analyze(model_path=MODEL)
    assert capsys.readouterr().out == f"=== {MODEL} ===\n\n{tf.analyze(MODEL)}\n"
    with open(MODEL, "rb") as file:
        tf.lite.experimental.Analyzer.analyze(model_content=file.read())
    assert capsys.readouterr().out.startswith("=== TFLite ModelAnalyzer ===\n\n")


def test_what_the_analyzer_cannot_do() -> None:
    with pytest.raises(ValueError, match="expected model_path or model_content"):
        tf.lite.experimental.Analyzer.analyze()


def test_what_was_not_looked_at_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    tf.lite.experimental.Analyzer.analyze(MODEL, gpu_compatibility=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"=== {MODEL} ==="
    assert lines[-1] == "gpu_compatibility was not looked at: it needs LiteRT's GPU delegate"


@pytest.mark.parametrize("name", ["TFLiteConverter", "OpsSet", "Optimize"])
def test_converting(name: str) -> None:
    with pytest.raises(AttributeError, match=f"lite.{name} is for converting models"):
        getattr(tf.lite, name)
    assert not hasattr(tf.lite, "Nothing")
