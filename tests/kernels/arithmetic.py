"""The integer arithmetic of kernels, in numpy, written from its definition.

A number of *n* integer bits in a 32-bit integer has 31 - n fractional bits; in a 16-bit integer,
15 - n. The functions are those of gemmlowp's fixedpoint.h, which both runtimes use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_quant import Multiplier, Requantization

__all__ = [
    "clamped", "inverse_root", "logistic", "looked_up", "narrowed", "power", "reciprocal",
    "rounded_half", "saturated", "shifted_right", "sigmoid_steps", "softmax_exponential",
    "table_of_curve", "tanh", "tanh_steps", "times", "times_wide", "wide",
]  # fmt: skip

Integers = Any


def wide(q: NDArray[Any], offset: int = 0) -> NDArray[np.int64]:
    """Give integers that do not overflow, with an offset added."""
    return q.astype(np.int64) + offset


def clamped(values: Integers, found: Requantization, dtype: Any) -> NDArray[Any]:
    """Add the output's offset and clamp to its range."""
    return narrowed(values + found.offsets["output"], found.range, dtype)


def narrowed(values: Integers, bounds: tuple[int, int] | None, dtype: Any) -> NDArray[Any]:
    """Clamp to a range that a kernel has."""
    assert bounds is not None
    result: NDArray[Any] = np.clip(values, *bounds).astype(dtype)
    return result


def power(multiplier: int, shift: int) -> Multiplier:
    """Give a fixed-point number."""
    parts = (np.array([part], np.int32) for part in (multiplier, shift))
    return Multiplier(np.zeros(1), *parts)


def shifted_right(x: Integers, by: Integers) -> Integers:
    """Divide by a power of two; halves are rounded away from zero."""
    mask = (np.int64(1) << by) - 1
    rest, threshold = x & mask, (mask >> 1) + (x < 0)
    return (x >> by) + (rest > threshold)


def rounded_half(a: Integers, b: Integers, bits: int = 32) -> Integers:
    """Multiply two numbers without integer bits: the upper half of twice the product."""
    one = 1 << (bits - 2)
    product = np.asarray(a, np.int64) * np.asarray(b, np.int64)
    nudged = product + np.where(product >= 0, one, 1 - one)
    high = np.where(nudged >= 0, nudged >> bits - 1, -(-nudged >> bits - 1))
    return np.minimum(high, (1 << bits - 1) - 1)


def times(x: Integers, by: Multiplier) -> Integers:
    """Multiply 32-bit integers by fixed-point numbers, rounding twice."""
    shift = by.shift.astype(np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    # The kernels' sums and shifted values are int32, and wrap around.
    wrapped = (np.asarray(x, np.int64) << left).astype(np.int32)
    return shifted_right(rounded_half(wrapped, by.multiplier), right)


def times_wide(x: Integers, by: Multiplier) -> Integers:
    """Multiply 64-bit integers by the upper half of fixed-point numbers, rounding once."""
    reduced = np.where(by.multiplier < 0x7FFF0000, by.multiplier + (1 << 15) >> 16, 0x7FFF)
    total = 15 - by.shift.astype(np.int64)
    # What does not fit into int32 wraps around.
    result = x * reduced.astype(np.int64) + (np.int64(1) << total - 1) >> total
    return result.astype(np.int32).astype(np.int64)


def saturated(x: Integers, left: int, bits: int) -> Integers:
    """Shift to the left, saturating; to the right, rounding."""
    if left < 0:
        return shifted_right(x, -left)
    limit = 1 << bits - 1
    return np.clip(np.asarray(x, np.int64) << left, -limit, limit - 1)


def _constant(value: int, bits: int) -> int:
    return value if bits == 32 else int(shifted_right(np.int64(value), 16))


def softmax_exponential(x: Integers, integer_bits: int, bits: int = 32) -> Integers:
    """Compute e**x of numbers below zero, or zero; the result has no integer bits."""
    x = np.asarray(x, np.int64)
    fraction = bits - 1 - integer_bits
    quarter = 1 << fraction - 2
    modulo = (x & quarter - 1) - quarter
    result = _exponential_of_a_quarter(saturated(modulo, integer_bits, bits), bits)
    rest = modulo - x
    factors = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
    for exponent, factor in zip(range(-2, 5), factors, strict=True):
        if integer_bits > exponent:
            multiplied = rounded_half(result, _constant(factor, bits), bits)
            result = np.where(rest & (1 << fraction + exponent), multiplied, result)
    if integer_bits > 5:
        result = np.where(x < -(1 << fraction + 5), 0, result)
    return np.where(x == 0, (1 << bits - 1) - 1, result)


def _exponential_of_a_quarter(x: Integers, bits: int) -> Integers:
    """Compute e**x in [-1/4, 0): the Taylor series around -1/8."""

    def half(a: Integers, b: Integers) -> Integers:
        return rounded_half(a, b, bits)

    eighth, third = _constant(1895147668, bits), _constant(715827883, bits)
    x = x + (1 << bits - 4)
    x2 = half(x, x)
    x3, x4 = half(x2, x), half(x2, x2)
    inner = half(shifted_right(x4, 2) + x3, third) + x2
    return eighth + half(eighth, x + shifted_right(inner, 1))


def _newton(x: Integers, bits: int) -> Integers:
    """Compute 2 / (1 + x) in [0, 1], with two integer bits."""
    one = (1 << bits - 1) - 1
    total = np.asarray(x, np.int64) + one
    half = (total + np.where(total >= 0, 1, -1)) // 2
    slope, start = _constant(-1010580540, bits), _constant(1515870810, bits)
    y = start + rounded_half(half, slope, bits)
    for _ in range(3):
        error = (1 << bits - 3) - rounded_half(half, y, bits)
        y = y + saturated(rounded_half(y, error, bits), 2, bits)
    return y


def _one_over_one_plus(x: Integers, bits: int = 32) -> Integers:
    return saturated(_newton(x, bits), 1, bits)


def logistic(x: Integers, integer_bits: int, bits: int = 32) -> Integers:
    """Compute the logistic function; the result has no integer bits."""
    x = np.asarray(x, np.int64)
    above = _one_over_one_plus(softmax_exponential(-np.abs(x), integer_bits, bits), bits)
    below = (1 << bits - 1) - 1 - above
    return np.where(x == 0, 1 << bits - 2, np.where(x > 0, above, below))


def tanh(x: Integers, integer_bits: int, bits: int = 32) -> Integers:
    """Compute tanh; the result has no integer bits."""
    x = np.asarray(x, np.int64)
    power = softmax_exponential(-np.abs(x), integer_bits + 1, bits)
    above = saturated(_newton(power, bits) - (1 << bits - 3), 2, bits)
    return np.where(x == 0, 0, np.where(x < 0, -above, above))


def reciprocal(x: int, integer_bits: int) -> tuple[int, int]:
    """Compute 1 / x: a number without integer bits, and how many bits x is above 1."""
    zeros = 32 - x.bit_length()
    shifted = (x << zeros) - (1 << 31)
    return int(_one_over_one_plus(np.int64(shifted))), integer_bits - zeros


def inverse_root(x: int) -> tuple[int, int]:
    """Compute 1 / sqrt(x): a multiplier and a shift."""
    if x <= 1:
        return (1 << 31) - 1, 0
    shift = 11
    while x >= 1 << 29:
        x, shift = x // 4, shift + 1
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    x, shift = x << 2 * pairs, shift - pairs
    half = int(shifted_right(np.int64(x >> 1), 1))
    y = np.int64(1 << 28)
    for _ in range(5):
        cube = saturated(rounded_half(rounded_half(y, y), y), 6, 32)
        y = saturated(rounded_half((1 << 28) + (1 << 27), y) - rounded_half(half, cube), 3, 32)
    root = int(rounded_half(y, 1518500250))
    return (root << -shift, 0) if shift < 0 else (root, -shift)


def _sigmoid_table() -> NDArray[np.int64]:
    """Fill the table of sigmoid(i / 24), raised by half the error in the middle of each step."""
    curve = 65536 / (1 + np.exp(-np.arange(-1, 257) / 24))
    here, bend = curve[1:-1], 2 * curve[1:-1] - curve[:-2] - curve[2:]
    table = np.floor(here + bend / 16 + 0.5).astype(np.int64)
    table[-1] = 65535
    return table


_SIGMOID = _sigmoid_table()


def sigmoid_steps(q: NDArray[np.int16], multiplier: int, shift: int) -> NDArray[np.int16]:
    """Compute the logistic function of 16-bit integers by interpolating in a table."""
    x = _stepped(q, multiplier, shift)
    size = np.abs(x)
    place = np.minimum(size >> 9, 254)
    low, high = _SIGMOID[place], _SIGMOID[place + 1]
    value = np.where(size >> 9 >= 255, 0x7FFF << 10, (low << 9) + (size & 0x1FF) * (high - low))
    value = np.where(x >= 0, value + (1 << 9), (1 << 25) - value + (1 << 9) - 1)
    return (value >> 10).astype(np.int16)


def tanh_steps(q: NDArray[np.int16], multiplier: int, shift: int) -> NDArray[np.int16]:
    """Compute tanh of 16-bit integers by interpolating in the table of the logistic function."""
    x = _stepped(q, multiplier, shift)
    size = np.abs(x)
    place = np.minimum(size >> 8, 254)
    low, high = _SIGMOID[place], _SIGMOID[place + 1]
    value = np.where(size >> 8 >= 255, 0xFFFF << 8, (low << 8) + (size & 0xFF) * (high - low))
    value = np.where(x >= 0, value - (1 << 23) + (1 << 7), -value + (1 << 23) + (1 << 7) - 1)
    return (value >> 8).astype(np.int16)


def _stepped(q: NDArray[np.int16], multiplier: int, shift: int) -> NDArray[np.int64]:
    if multiplier == 0:
        multiplier, shift = 3 << shift, 0
    return q.astype(np.int64) * multiplier + (1 << shift - 1 if shift else 0) >> shift


def table_of_curve(
    curve: Callable[[Any], Any], input_scale: Any, zero_point: int, output_scale: Any, dtype: Any
) -> NDArray[np.int64]:
    """Fill a table for 16-bit integers: 512 steps, each shifted by half the error in its middle."""
    first, last = (
        dtype(input_scale) * (-32768 - zero_point),
        dtype(input_scale) * (32767 - zero_point),
    )
    step = (last - first) / dtype(512)
    inverse = dtype(65536) / (dtype(output_scale) * 32767 - dtype(output_scale) * -32768)
    steps = np.arange(512).astype(dtype)
    values = curve(first + steps * step)
    middles = curve(first + steps * step + step / dtype(2))
    following = curve(first + (steps + dtype(1)) * step)
    samples = _away(values * inverse)
    between = _away((following * inverse + samples) / dtype(2))
    bias = _away((between - _away(middles * inverse)) / dtype(2))
    end = _away(curve(np.array([last], dtype)) * inverse)
    table = np.clip(np.concatenate([samples - bias, end]), -32768, 32767)
    return np.asarray(table.astype(np.int64))


def _away(x: Any) -> Any:
    """Round halves away from zero."""
    return np.trunc(x + np.copysign(x.dtype.type(0.5), x))


def looked_up(x: Integers, table: NDArray[np.int64]) -> Integers:
    """Interpolate 16-bit integers in a table of 513 values."""
    place, offset = 256 + (x >> 7), x & 0x7F
    low = table[place]
    return low + ((table[place + 1] - low) * offset + 64 >> 7)
