"""The gate: a model that has none of the required schemes has an error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tflite_quant as tq
from conftest import FIXTURES
from tests import build, faults
from tflite_quant.checks.requirements import REQUIREMENTS


def meets(model: bytes | Path, *required: str) -> bool:
    return not [one for one in tq.check(model, require=required) if one.id == "TQ402"]


def why(model: bytes | Path, *required: str) -> str:
    (one,) = [one for one in tq.check(model, require=required) if one.id == "TQ402"]
    return one.found


SCHEMES = {
    "residual_float32": "float32", "residual_float16": "float16",
    "residual_dynamic_range": "dynamic-range", "int4": "dynamic-range",
    "int4_asymmetric": "weight-only-int4",
    "residual_int8": "int8-io", "residual_int8_per_tensor": "int8-io", "lstm_int8": "int8-io",
    "residual_int8_float_io": "int8", "residual_uint8_io": "int8",
    "residual_int16x8": "int16x8-io",
}  # fmt: skip
"""The strictest scheme that a fixture meets; an "-io" meets the plain one, too."""


@pytest.mark.parametrize("name", SCHEMES)
def test_what_a_fixture_meets(name: str) -> None:
    path = next(path for path in FIXTURES if path.stem == name)
    expected = {SCHEMES[name], SCHEMES[name].removesuffix("-io")}
    # Weights of 8 bits are also allowed where those of 4 are.
    expected |= {one.replace("int8", "int8x4") for one in expected if one.startswith("int8")}
    assert {one for one in REQUIREMENTS if meets(path, one)} == expected


@pytest.mark.parametrize("name", ["mixed", "strings", "control_flow", "signatures"])
def test_what_no_integer_scheme_fits(name: str) -> None:
    path = next(path for path in FIXTURES if path.stem == name)
    assert not any(meets(path, one) for one in REQUIREMENTS if one.removesuffix("-io") != "float32")


def test_one_of_several_is_enough() -> None:
    assert meets(Path("fixtures/residual_int16x8.tflite"), "int8-io", "int16x8")
    assert not meets(Path("fixtures/residual_float32.tflite"), "int8-io", "int16x8")


def test_reasons() -> None:
    assert why(Path("fixtures/mixed.tflite"), "int8") == (
        "scheme 'mixed': operator 3 SIN computes in FLOAT32"
    )
    assert why(Path("fixtures/residual_int8_float_io.tflite"), "int8-io") == (
        "scheme 'full integer int8 with float inputs/outputs': "
        "input 0 is FLOAT32, output 0 is FLOAT32"
    )
    assert why(Path("fixtures/residual_int8.tflite"), "float32", "float16") == (
        "scheme 'full integer int8'"
    )
    assert why(Path("fixtures/residual_float32.tflite"), "int8").endswith(", and more")
    assert why(Path("fixtures/mixed.tflite"), "int8", "int16x8") == (
        "scheme 'mixed': for int8, operator 3 SIN computes in FLOAT32; for int16x8, operator 1 "
        "CONV_2D writes INT8, operator 3 SIN computes in FLOAT32, operator 5 CONV_2D writes INT8, "
        "and more"
    )


def test_other_integers_among_int8() -> None:
    wide = replace(faults.SAME, type=faults.TYPES.INT16, zero_point=0)
    narrow = faults.unary("QUANTIZE", wide)
    assert meets(faults.unary("RELU", faults.SAME), "int8")
    assert not meets(narrow, "int8")
    assert why(faults.unary("TANH", replace(wide, name="y")), "int8") == (
        "scheme 'full integer int8': operator 0 TANH writes INT16"
    )
    weights = build.constant(np.ones((2, 4), np.int16), 0.25, 0, name="w")
    assert why(faults.dense(w=weights), "int8").endswith("FULLY_CONNECTED has weights of INT16")


def test_names_that_mean_nothing() -> None:
    with pytest.raises(ValueError, match="no scheme is called 'int9'; there are float32, "):
        tq.check(faults.GOOD, require=["int9"])
    with pytest.raises(
        TypeError, match=r"require is 'int8', expected a tuple of names: \('int8',\)"
    ):
        tq.check(faults.GOOD, require="int8")
