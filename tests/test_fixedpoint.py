"""Fixed-point numbers are those of a C program; activation ranges are rounded as kernels do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import tflite_quant as tq
from tests.compiler import compiled

PROGRAM = r"""
/* Written from the formula: the significand times 2^31, rounded to the nearest, halves away from
   zero, and carried into the exponent where it has become 2^31. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

int main(void) {
  double real;
  while (scanf("%la", &real) == 1) {
    int exponent = 0;
    double significand = frexp(real, &exponent);
    int64_t fixed = (int64_t)round(ldexp(significand, 31));
    if (fixed == INT64_C(2147483648)) {
      fixed = INT64_C(1073741824);
      exponent = exponent + 1;
    }
    if (fixed == 0 || exponent < -31) {
      fixed = 0;
      exponent = 0;
    }
    printf("%ld %d\n", (long)fixed, exponent);
  }
  return 0;
}
"""


def reals() -> NDArray[np.float64]:
    r = np.random.default_rng(3)
    spread = np.exp2(r.uniform(-40, 20, 20_000))
    halves = (r.integers(1 << 30, 1 << 31, 5_000) + 0.5) / (1 << 31)
    near_one = 1 - np.exp2(-r.integers(30, 54, 200).astype(float))
    edges = [0.0, 1.0, 0.5, 2.0**-31, 2.0**-32, 2.0**-33, 5e-324, 1e300]
    return np.concatenate([spread, halves, near_one, edges])


class TestMultipliers:
    def test_a_c_program_has_the_same(self, tmp_path: Path) -> None:
        source = tmp_path / "multiplier.c"
        source.write_text(PROGRAM)
        program = compiled(source, tmp_path / "multiplier", "c99")
        values = reals()
        text = "\n".join(value.hex() for value in values.tolist())
        output = subprocess.check_output([program], input=text, text=True)
        theirs = np.array([line.split() for line in output.splitlines()], np.int64)
        multipliers, shifts = tq.quantize_multiplier(values)
        assert np.array_equal(multipliers, theirs[:, 0])
        assert np.array_equal(shifts, theirs[:, 1])

    def test_they_are_what_they_stand_for(self) -> None:
        values = reals()
        values = values[(values > 2.0**-31) & (values < 2.0**30)]
        multipliers, shifts = tq.quantize_multiplier(values)
        assert ((multipliers >= 1 << 30) & (multipliers <= (1 << 31) - 1)).all()
        back = np.ldexp(multipliers.astype(np.float64), shifts - 31)
        assert (np.abs(back - values) <= values * 2.0**-31).all()

    def test_no_number(self) -> None:
        assert [part.shape for part in tq.quantize_multiplier([])] == [(0,), (0,)]

    def test_one_number_and_many(self) -> None:
        assert tq.quantize_multiplier(0.0) == (0, 0)
        found = tq.quantize_multiplier(np.array([[0.5, 0.25]]))
        assert [part.shape for part in found] == [(1, 2), (1, 2)]
        assert all(part.dtype == np.int32 for part in found)

    @pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
    def test_what_is_none(self, value: float) -> None:
        with pytest.raises(tq.QuantizationError, match="negative or not finite"):
            tq.quantize_multiplier([0.5, value])


class TestActivationRange:
    def test_halves_are_rounded_away_from_zero(self) -> None:
        assert tq.activation_range(tq.TensorType.INT8, 0.4, 0, 2) == (-3, 3)
        assert tq.activation_range(tq.TensorType.INT8, 4.0, 5, 3) == (5, 7)

    def test_without_an_activation(self) -> None:
        assert tq.activation_range(tq.TensorType.INT16, 0.5, 7) == (-32768, 32767)

    def test_the_smallest_scale(self) -> None:
        assert tq.activation_range(tq.TensorType.INT8, 2.0**-30, 0, 2) == (-128, 127)
        with pytest.raises(tq.QuantizationError, match="-1.0 divided by scale .* 32 bits"):
            tq.activation_range(tq.TensorType.INT8, 2.0**-31, 0, 2)

    def test_what_is_refused(self) -> None:
        with pytest.raises(tq.UnsupportedError, match="fused activation 4"):
            tq.activation_range(tq.TensorType.INT8, 0.5, 0, 4)
        with pytest.raises(tq.UnsupportedError, match="the output is INT32"):
            tq.activation_range(tq.TensorType.INT32, 0.5, 0)
        for scale in (0.0, -1.0, np.nan, np.inf):
            with pytest.raises(tq.QuantizationError, match="must be positive and finite"):
                tq.activation_range(tq.TensorType.INT8, scale, 0)
        with pytest.raises(tq.QuantizationError, match="does not fit into 32 bits"):
            tq.activation_range(tq.TensorType.INT8, 1e-12, 0, 3)
