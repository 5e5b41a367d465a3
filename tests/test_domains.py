"""What is outside the specification is checked against what kernels ask, and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tflite_quant as tq
from tests import build, faults, refusal
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec
from tests.one_operator import one_operator
from tflite_quant.checks.coverage import Coverage
from tflite_quant.checks.rule import Domain
from tflite_quant.checks.rules import RULES

T = faults.TYPES


def severities(model: bytes) -> list[tuple[str, str]]:
    return [(one.id, str(one.severity)) for one in tq.check(model) if one.id != "TQ211"]


def of(domain: Domain, name: str, position: int, **changes: Any) -> bytes:
    return one_operator(name, RULES[domain][name]).with_tensor(position, **changes).model


UINT8: dict[str, tuple[str, int, dict[str, Any], str]] = {
    "no input scale": ("RELU", 0, {"scale": None, "zero_point": None}, "TQ101"),
    "a zero point of a bias": ("CONV_2D", 2, {"zero_point": [5]}, "TQ204"),
    "weights with several scales": (
        "CONV_2D", 1, {"scale": [0.5, 0.25, 0.125], "zero_point": [9] * 3}, "TQ202",
    ),
    "a scale of LOGISTIC": ("LOGISTIC", 1, {"scale": 1 / 128}, "TQ205"),
    "a zero point of SOFTMAX": ("SOFTMAX", 1, {"zero_point": 128}, "TQ204"),
    "a zero point of L2_NORMALIZATION": ("L2_NORMALIZATION", 1, {"zero_point": 0}, "TQ204"),
    "a ratio of HARD_SWISH": ("HARD_SWISH", 1, {"scale": 1 / 32 / 128}, "TQ212"),
    "a scale of a bias": ("FULLY_CONNECTED", 2, {"scale": [0.5]}, "TQ207"),
    "values that are moved": ("PACK", 0, {"scale": 0.5}, "TQ206"),
}  # fmt: skip
SEEN_ONLY_BY_RESULTS = {"no input scale", "a zero point of SOFTMAX"}
"""What LiteRT runs, with other results."""


@pytest.mark.parametrize("what", UINT8)
def test_what_is_wrong_in_uint8(what: str) -> None:
    name, position, changes, id = UINT8[what]
    assert (id, "error") in severities(of(Domain.UINT8, name, position, **changes))


def test_litert_refuses_what_is_wrong_in_uint8() -> None:
    models = {
        what: of(Domain.UINT8, name, position, **changes)
        for what, (name, position, changes, _) in UINT8.items()
    }
    runs = dict(zip(models, refusal.runs(list(models.values())), strict=True))
    assert {what for what in runs if runs[what]} == SEEN_ONLY_BY_RESULTS


class TestOptions:
    """Options and optional inputs that only LiteRT looks at."""

    def wide(self, name: str) -> Any:
        return one_operator(name, RULES[Domain.INT16X8][name])

    def test_the_type_of_a_bias(self) -> None:
        dense = self.wide("FULLY_CONNECTED")
        models = [
            dense.with_options(quantized_bias_type=number).model
            for number in (T.FLOAT32, T.INT64, T.INT32)
        ]
        assert [("TQ212", "warning") in severities(model) for model in models] == [
            False, False, True,
        ]  # fmt: skip
        assert refusal.runs(models) == [True, True, False]

    @pytest.mark.parametrize("case", ["the type of a bias", "no bias", "no new shape", "a shift"])
    def test_what_only_litert_refuses(self, case: str) -> None:
        """An error if LiteRT is the only target, nothing if the other is, a warning for both."""
        conv, dense, add = map(self.wide, ("CONV_2D", "FULLY_CONNECTED", "ADD"))
        content, id = {
            "the type of a bias": (dense.with_options(quantized_bias_type=T.INT32).model, "TQ212"),
            "no bias": (replace(conv, inputs=conv.inputs[:2]).model, "TQ212"),
            "no new shape": (replace(self.wide("RESHAPE"), inputs=self.wide("RESHAPE").inputs[:1],
                                     table=None).model, "TQ212"),
            "a shift": (add.with_tensor(0, zero_point=3).model, "TQ204"),
        }[case]  # fmt: skip
        assert refusal.runs([content]) == [False]
        found = {
            target: [str(one.severity) for one in tq.check(content, target=target) if one.id == id]
            for target in ("litert", "tflm", None)
        }
        assert found == {"litert": ["error"], "tflm": [], None: ["warning"]}
        with_effect = tq.check(content, target="litert")
        assert not any("Micro" in one.effect for one in with_effect if one.id == id)

    def test_a_bias_of_int32_that_no_option_announces(self) -> None:
        """LiteRT reads it as int64."""
        bias = np.full(3, 1000, np.int32)
        found = {
            name: severities(self.wide(name).with_tensor(at, type=T.INT32, data=bias).model)
            for name, at in (("CONV_2D", 2), ("FULLY_CONNECTED", 2), ("TRANSPOSE_CONV", 3))
        }
        assert {name: dict(ids)["TQ212"] for name, ids in found.items()} == {
            "CONV_2D": "warning", "FULLY_CONNECTED": "warning", "TRANSPOSE_CONV": "error",
        }  # fmt: skip

    def test_no_bias(self) -> None:
        conv = self.wide("CONV_2D")
        report = tq.check(replace(conv, inputs=conv.inputs[:2]).model)
        (finding,) = (one for one in report if one.id != "TQ211")
        assert (finding.id, str(finding.severity)) == ("TQ212", "warning")
        assert finding.effect == "LiteRT refuses the model; TensorFlow Lite Micro runs it."
        old = one_operator("CONV_2D", RULES[Domain.UINT8]["CONV_2D"])
        report = tq.check(replace(old, inputs=old.inputs[:2]).model, target="litert")
        (finding,) = (one for one in report if one.id != "TQ211")
        assert (str(finding.severity), finding.effect) == ("error", "LiteRT refuses the model.")

    def test_a_rank_that_the_converter_does_not_know(self) -> None:
        pool = one_operator("MAX_POOL_2D", RULES[Domain.INT8]["MAX_POOL_2D"])
        assert severities(pool.with_tensor(0, shape=()).model) == []
        assert severities(pool.with_tensor(0, shape=(4, 4, 2)).model) == [("TQ212", "error")]


def test_weights_of_a_float_operator_that_no_kernel_reads() -> None:
    """Float weights make no hybrid operator; those of float16 need a DEQUANTIZE."""
    wrong = {"type": T.FLOAT16, "scale": None, "zero_point": None}
    data = np.ones((3, 2, 2, 2))
    half = of(Domain.HYBRID, "CONV_2D", 1, data=data.astype(np.float16), **wrong)
    assert severities(half) == [("TQ201", "error")]
    wrong["type"] = T.FLOAT32
    assert severities(of(Domain.HYBRID, "CONV_2D", 1, data=data.astype("<f4"), **wrong)) == []


def test_weights_that_need_not_be_symmetric() -> None:
    """Only int8 kernels add products of int8 weights in 16 bits; 4 bits have few values."""
    lowest = np.full((3, 4), -128, np.int8)
    assert severities(of(Domain.HYBRID, "FULLY_CONNECTED", 1, data=lowest)) == []
    assert ("TQ209", "note") in severities(of(Domain.INT8, "FULLY_CONNECTED", 1, data=lowest))
    assert severities(of(Domain.INT8X4, "FULLY_CONNECTED", 1, data=b"\x88" * 6)) == []
    few = severities(of(Domain.INT8X4, "FULLY_CONNECTED", 1, data=b"\x11" * 6))
    assert few == [("TQ503", "note")]


def test_which_operators_are_counted() -> None:
    floats = TensorSpec("f", (1, 4), T.FLOAT32)
    numbers = TensorSpec("i", (1, 4), T.INT32)
    steps = [
        OperatorSpec(faults.OPERATORS.RELU, [0], [1]),
        OperatorSpec(faults.OPERATORS.CUSTOM, [1], [1], custom="Mine"),
        OperatorSpec(faults.OPERATORS.SIN, [2], [2]),
        OperatorSpec(faults.OPERATORS.NEG, [3], [3]),
        OperatorSpec(faults.OPERATORS.DEQUANTIZE, [1], [2]),
    ]
    graph = SubgraphSpec([faults.X, faults.SAME, floats, numbers], [0, 2, 3], [1, 2, 3], steps)
    report = tq.check(build.model(graph))
    assert report.coverage == Coverage(checked=2, custom=1, floating=1, others=1)
    assert "2 operators checked, 1 custom, 1 float and 1 other not" in str(report)


def test_every_operator_of_a_model_is_counted(model_path: Path) -> None:
    with tq.open(model_path) as model:
        count = sum(len(graph.operators) for graph in model.subgraphs)
        coverage = tq.check(model).coverage
    assert coverage is not None
    assert coverage.checked + coverage.custom + coverage.floating + coverage.others == count
