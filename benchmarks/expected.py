"""Changes models to what the findings about them expect.

The tensor gets the parameters that the finding asks for, and the integers that stand for the same
real values as before: a runtime that computes what the file says gives the same results.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import tflite_quant as tq
from benchmarks.rewriting import has_own_values, with_parameters, with_values
from tflite_quant.format.schema import INTEGER_RANGES

__all__ = [
    "ABOUT_PARAMETERS",
    "ROUNDED",
    "NotExpressedError",
    "as_expected",
    "parameters_of",
    "restated",
]

ROUNDED = {"TQ201", "TQ202", "TQ209", "TQ504"}
"""Kinds of findings for which weights are rounded anew: an output may move by a step."""

_UNPAIRED = "it is not known which zero point belongs to which scale"

_REASONS: Mapping[str, str] = {
    "TQ102": "no scale is expected but any positive one",
    "TQ106": "the scales are a tensor of another type",
    "TQ206": _UNPAIRED,
    "TQ502": "the values before they were clipped are not in the file",
}
"""Why a model is not changed, by the kind of the finding."""


class NotExpressedError(Exception):
    """A model cannot be changed to what a finding expects; the text says why."""


def restated(
    values: NDArray[Any], tensor: tq.Tensor, scales: ArrayLike, zero_points: ArrayLike, axis: int
) -> NDArray[np.int64]:
    """Return the integers that stand for the same real values with other parameters.

    Parameters
    ----------
    values : ndarray of int
        In the shape of the tensor.
    tensor : Tensor
        Its parameters are those of the values; its type is that of the result, too.
    scales, zero_points : array_like, shape (n,)
    axis : int
        That of the other parameters.
    """
    *old_parameters, old_axis = parameters_of(tensor)
    old, zeros = (_spread(one, old_axis, values.ndim) for one in old_parameters)
    new, new_zeros = (
        _spread(np.asarray(one, np.float64), axis, values.ndim) for one in (scales, zero_points)
    )
    real = (values.astype(np.float64) - zeros) * old
    stated = np.rint(np.divide(real, new, out=np.zeros_like(real), where=new > 0)) + new_zeros
    return np.clip(stated, *INTEGER_RANGES[tensor.type]).astype(np.int64)


def parameters_of(
    tensor: tq.Tensor,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Return the scales, the zero points and the axis of a tensor, which is 0 if it has none.

    Raises
    ------
    NotExpressedError
        They are those of blocks, there are none, or their numbers do not fit.
    """
    scheme = tensor.quantization
    if not isinstance(scheme, tq.PerTensor | tq.PerAxis):
        raise NotExpressedError("the parameters are not one list of scales and one of zero points")
    if scheme.zero_points.size not in (1, scheme.scales.size):
        raise NotExpressedError(_UNPAIRED)
    return scheme.scales.astype(np.float64), scheme.zero_points.astype(np.float64), scheme.axis or 0


def _spread(values: NDArray[np.float64], axis: int, rank: int) -> NDArray[np.float64]:
    """Return values along an axis, or a single one, in the shape that numpy broadcasts."""
    if values.size == 1:
        return values.reshape((1,) * rank)
    return values.reshape([-1 if each == axis else 1 for each in range(rank)])


class _Case:
    """A model in bytes, opened, and a finding about it."""

    def __init__(self, content: bytes, finding: tq.Finding) -> None:
        self.content, self.finding, self.model = content, finding, tq.open(content)

    @property
    def tensor(self) -> tq.Tensor:
        """The tensor that the finding is about."""
        assert self.finding.tensor is not None
        return self.model.subgraphs[self.finding.subgraph].tensors[self.finding.tensor.index]

    @property
    def operator(self) -> tq.Operator:
        """The operator that the finding is about."""
        assert self.finding.operator is not None
        return self.model.subgraphs[self.finding.subgraph].operators[self.finding.operator.index]

    def with_parameters(
        self,
        scales: ArrayLike,
        zero_points: ArrayLike,
        axis: int | None = None,
        tensor: tq.Tensor | None = None,
    ) -> _Case:
        """Return it with other parameters, and the same real values, of a tensor."""
        tensor = tensor or self.tensor
        *_, old_axis = parameters_of(tensor)
        axis = old_axis if axis is None else axis
        content = with_parameters(self.content, tensor, scales, zero_points, axis)
        if tensor.is_constant and axis == old_axis:
            values = restated(tensor.data, tensor, scales, zero_points, axis)
            if (values != tensor.data).any():
                content = self._with_values(content, tensor, values)
        return _Case(content, self.finding)

    def _with_values(self, content: bytes, tensor: tq.Tensor, values: NDArray[Any]) -> bytes:
        if not has_own_values(self.model, tensor):
            raise NotExpressedError("the values are packed, or shared with other tensors")
        return with_values(content, tensor, values)

    def with_values(self, values: NDArray[Any]) -> _Case:
        """Return it with other values of the constant that the finding is about."""
        return _Case(self._with_values(self.content, self.tensor, values), self.finding)

    def times(self, tensor: tq.Tensor | None, factor: float) -> _Case:
        """Return it with the scales of a constant times a factor, and its values divided by it."""
        if tensor is None:
            return self
        scales, zeros, _ = parameters_of(tensor)
        return self.with_parameters(scales * factor, zeros, tensor=tensor)


def as_expected(content: bytes, finding: tq.Finding) -> bytes:
    """Return a model that is changed to what a finding about it expects.

    Raises
    ------
    NotExpressedError
        It cannot be.
    """
    change = _CHANGES.get(finding.id)
    if change is None:
        raise NotExpressedError(_REASONS.get(finding.id, "it is not about parameters"))
    return change(_Case(content, finding)).content


def _number(pattern: str, finding: tq.Finding) -> float:
    match = re.match(pattern, finding.expected)
    if match is None:
        raise NotExpressedError(f"what is expected is no number: {finding.expected}")
    return float(Fraction(match[1]))


def _zero_point_for_each(case: _Case) -> _Case:
    scales, zeros, _ = parameters_of(case.tensor)
    return case.with_parameters(scales, np.broadcast_to(zeros, scales.shape))


def _first_axis(case: _Case) -> _Case:
    scales, zeros, _ = parameters_of(case.tensor)
    return case.with_parameters(scales, zeros, axis=0)


def _zero_points(case: _Case) -> _Case:
    """Give the zero points that are expected, or the nearest ones."""
    scales, zeros, _ = parameters_of(case.tensor)
    ends = re.match(r"(-?\d+)(?: to (-?\d+))?", case.finding.expected)
    assert ends is not None
    return case.with_parameters(scales, np.clip(zeros, int(ends[1]), int(ends[2] or ends[1])))


def _one_scale(case: _Case) -> _Case:
    scales, zeros, _ = parameters_of(case.tensor)
    return case.with_parameters([scales.max()], zeros[:1])


def _output_scale(case: _Case) -> _Case:
    _, zeros, _ = parameters_of(case.tensor)
    return case.with_parameters([_number(r"scale (\d+(?:/\d+)?)", case.finding)], zeros)


_FACTORS = {"TRANSPOSE_CONV": (2, 1)}
"""Inputs whose scales are multiplied for the bias, where they are not the first two."""


def _product(case: _Case) -> _Case:
    """Give a bias the product that is expected; of several scales the finding names only one."""
    scales, zeros, _ = parameters_of(case.tensor)
    if scales.size == 1:
        return case.with_parameters([_number(r"([\d.e-]+)", case.finding)], zeros)
    product = np.ones(1)
    for index in _FACTORS.get(case.operator.code.name, (0, 1)):
        factor = case.operator.inputs[index]
        assert factor is not None
        product = product * parameters_of(factor)[0]
    return case.with_parameters(np.broadcast_to(product, scales.shape), zeros)


def _in_range(case: _Case) -> _Case:
    """Clip weights that are out of range by one; of others multiply the scale by a power of two."""
    low, high = (int(one) for one in re.findall(r"-?\d+", case.finding.expected))
    data = case.tensor.data.astype(np.int64)
    most = int(np.abs(data).max())
    if most <= high + 1:
        return case.with_values(np.clip(data, low, high))
    return _times_a_power_of_two(case, case.tensor, most / high)


def _without_overflow(case: _Case) -> _Case:
    match = re.search(r"sums of up to (\d+)", case.finding.found)
    assert match is not None
    return _times_a_power_of_two(case, case.operator.weights, int(match[1]) / (2**31 - 1))


def _times_a_power_of_two(case: _Case, weights: tq.Tensor | None, least: float) -> _Case:
    factor = 2.0 ** math.ceil(math.log2(least))
    return case.times(weights, factor).times(case.operator.bias, factor)


_CHANGES: Mapping[str, Callable[[_Case], _Case]] = {
    "TQ103": _zero_point_for_each,
    "TQ104": _first_axis,
    "TQ105": _zero_points,
    "TQ201": _one_scale,
    "TQ202": _one_scale,
    "TQ204": _zero_points,
    "TQ205": _output_scale,
    "TQ207": _product,
    "TQ209": _in_range,
    "TQ504": _without_overflow,
}

ABOUT_PARAMETERS = _CHANGES.keys() | _REASONS.keys()
"""Kinds of findings that are about parameters, or values, of tensors."""
