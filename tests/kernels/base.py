"""A case: a model of one operator, its inputs, and what numpy makes of our numbers for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import oracle, tflm
from tests.build import TensorSpec
from tflite_quant import Requantization

TYPES = tflite.TensorType
Array = NDArray[Any]
Random = np.random.Generator
DTYPES: Mapping[int, Any] = {
    TYPES.INT8: np.int8, TYPES.UINT8: np.uint8, TYPES.INT16: np.int16, TYPES.INT32: np.int32,
}  # fmt: skip


@dataclass
class Case:
    """A model of one operator, its inputs, and a function from our numbers to its output."""

    content: bytes
    inputs: Sequence[Array]
    expected: Callable[[Requantization], Array]


def requantization(content: bytes, runtime: str) -> Requantization:
    """Give our numbers for the only operator of a model."""
    return tq.operator_requantization(tq.open(content).operators[0], runtime)


def outputs(cases: Sequence[Case], runtime: str) -> list[Array]:
    """Run models in a runtime; all must run."""
    if runtime == "litert":
        return [_in_litert(case) for case in cases]
    answers = tflm.answers([tflm.Job(case.content, case.inputs) for case in cases])
    assert [answer.refusal for answer in answers if answer.refusal] == []
    return [answer.outputs[0] for answer in answers]


def _in_litert(case: Case) -> Array:
    # LiteRT's reference kernel of SUM reads INT8 and INT16 as UINT8.
    is_sum = tq.open(case.content).operators[0].name == "SUM"
    runner = oracle.interpreter(case.content, reference=not is_sum)
    with oracle.quiet():
        runner.allocate_tensors()
        for details, values in zip(runner.get_input_details(), case.inputs, strict=True):
            runner.set_tensor(details["index"], values)
        runner.invoke()
    result: Array = runner.get_tensor(runner.get_output_details()[0]["index"])
    return result


def positive(r: Random, *shape: int) -> NDArray[np.float32]:
    return np.exp2(r.uniform(-9, -1, shape)).astype(np.float32)


def scale(r: Random) -> float:
    return float(positive(r, 1)[0])


def integers(r: Random, kind: int, *shape: int) -> Array:
    bounds = np.iinfo(DTYPES[kind])
    return r.integers(bounds.min, bounds.max, shape, DTYPES[kind], endpoint=True)


def zero(r: Random, kind: int) -> int:
    bounds = np.iinfo(DTYPES[kind])
    return 0 if kind == TYPES.INT16 else int(r.integers(bounds.min, bounds.max, endpoint=True))


def spec(name: str, shape: Sequence[int], r: Random, kind: int) -> TensorSpec:
    """Describe an activation with random parameters."""
    return TensorSpec(name, shape, kind, scale=scale(r), zero_point=zero(r, kind))


def two(r: Random, kind: int, size: int = 3000) -> tuple[list[Array], list[TensorSpec], TensorSpec]:
    """Give two inputs, and what they and the output are.

    There are many values, to see the last bits of a multiplier.
    """
    shape = (2, size)
    inputs = [integers(r, kind, *shape) for _ in range(2)]
    return inputs, [spec(name, shape, r, kind) for name in "ab"], spec("y", shape, r, kind)


def zero_of(tensor: TensorSpec) -> int:
    """Give the only zero point of a tensor."""
    return int(np.asarray(tensor.zero_point, np.int64))


def scale_of(tensor: TensorSpec) -> float:
    """Give the only scale of a tensor."""
    return float(np.asarray(tensor.scale, np.float64))
