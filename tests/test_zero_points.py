"""What is said of zero points of int16 activations, against what runtimes make of them.

The converter writes none but 0. Each operator runs with 0, and with another zero point on integers
that are as much larger: what honours it gives integers that are as much larger, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

import tflite_quant as tq
from tests import faults, oracle, tflm
from tests.build import TensorSpec, constant
from tflite_quant.checks.rule import Domain, Each, Operand, Role
from tflite_quant.checks.rules import RULES

SHAPE = (1, 4, 4, 2)
SHIFT = 1000


def wide(zero_point: int, *shape: int, name: str = "x") -> TensorSpec:
    return TensorSpec(
        name, shape or SHAPE, tflite.TensorType.INT16, scale=0.01, zero_point=zero_point
    )


def numbers(*values: Any) -> TensorSpec:
    return constant(np.array(values, np.int32), name="n")


class Case(NamedTuple):
    """How to call an operator: what it reads and writes, given a zero point, and its options."""

    inputs: Callable[[int], list[TensorSpec]]
    outputs: Callable[[int], list[TensorSpec]]
    fields: Any = {}  # noqa: RUF012
    version: int = 1

    def model(self, name: str, zero_point: int) -> bytes:
        inputs, outputs = self.inputs(zero_point), self.outputs(zero_point)
        return faults.operator(name, inputs, outputs, self.version, **self.fields)


def one(z: int) -> list[TensorSpec]:
    return [wide(z)]


def two(z: int) -> list[TensorSpec]:
    return [wide(z), wide(z, name="x2")]


def halves(z: int) -> list[TensorSpec]:
    return [wide(z, 1, 2, 4, 2), wide(z, 1, 2, 4, 2, name="y2")]


PADS = [[0, 0], [1, 1], [1, 1], [0, 0]]
POOL = faults.options(
    "Pool2DOptions", stride_w=2, stride_h=2, filter_width=3, filter_height=3,
    fused_activation_function=3,
)  # fmt: skip
CONDITION = constant(np.arange(32).reshape(SHAPE) % 2 == 0, name="c")


def padding(z: int) -> TensorSpec:
    return constant(np.full(1, 5 + z, np.int16), 0.01, z, name="value")


CASES = {
    "AVERAGE_POOL_2D": Case(one, lambda z: [wide(z, 1, 2, 2, 2)], POOL),
    "BROADCAST_TO": Case(
        lambda z: [wide(z), numbers(2, 4, 4, 2)], lambda z: [wide(z, 2, 4, 4, 2)], version=3
    ),
    "EXPAND_DIMS": Case(lambda z: [wide(z), numbers(0)], lambda z: [wide(z, 1, *SHAPE)]),
    "FILL": Case(
        lambda z: [numbers(2), TensorSpec("v", (), 7, scale=0.01, zero_point=z)],
        lambda z: [wide(z, 2)],
    ),
    "GATHER": Case(
        lambda z: [wide(z), numbers(1, 0)], lambda z: [wide(z, 1, 2, 4, 2)],
        faults.options("GatherOptions", axis=1),
    ),
    "GATHER_ND": Case(lambda z: [wide(z), numbers([0, 1])], lambda z: [wide(z, 1, 4, 2)]),
    "GELU": Case(one, one, faults.options("GeluOptions"), 2),
    "MAXIMUM": Case(two, one),
    "MAX_POOL_2D": Case(one, lambda z: [wide(z, 1, 2, 2, 2)], POOL),
    "MINIMUM": Case(two, one),
    "PACK": Case(
        two, lambda z: [wide(z, 2, *SHAPE)], faults.options("PackOptions", values_count=2, axis=0)
    ),
    "PAD": Case(lambda z: [wide(z), numbers(*PADS)], lambda z: [wide(z, 1, 6, 6, 2)]),
    "PADV2": Case(
        lambda z: [wide(z), numbers(*PADS), padding(z)], lambda z: [wide(z, 1, 6, 6, 2)]
    ),
    "QUANTIZE": Case(
        one, lambda z: [TensorSpec("y", SHAPE, scale=1.0, zero_point=3)]
    ),
    "RELU": Case(one, one),
    "RESHAPE": Case(lambda z: [wide(z), numbers(1, 32)], lambda z: [wide(z, 1, 32)]),
    "RESIZE_BILINEAR": Case(
        lambda z: [wide(z), numbers(8, 8)], lambda z: [wide(z, 1, 8, 8, 2)],
        faults.options("ResizeBilinearOptions"),
    ),
    "RESIZE_NEAREST_NEIGHBOR": Case(
        lambda z: [wide(z), numbers(8, 8)], lambda z: [wide(z, 1, 8, 8, 2)],
        faults.options("ResizeNearestNeighborOptions"),
    ),
    "REVERSE_V2": Case(lambda z: [wide(z), numbers(1)], one),
    "SELECT": Case(lambda z: [CONDITION, *two(z)], one),
    "SLICE": Case(
        lambda z: [wide(z), numbers(0, 0, 0, 0), numbers(1, 2, 2, 2)],
        lambda z: [wide(z, 1, 2, 2, 2)],
    ),
    "SPLIT": Case(
        lambda z: [numbers(1), wide(z)], halves, faults.options("SplitOptions", num_splits=2)
    ),
    "SPLIT_V": Case(
        lambda z: [wide(z), numbers(2, 2), numbers(1)], halves,
        faults.options("SplitVOptions", num_splits=2),
    ),
    "SQUEEZE": Case(one, lambda z: [wide(z, 4, 4, 2)]),
    "STRIDED_SLICE": Case(
        lambda z: [wide(z), numbers(0, 0, 0, 0), numbers(1, 2, 2, 2), numbers(1, 1, 1, 1)],
        lambda z: [wide(z, 1, 2, 2, 2)], faults.options("StridedSliceOptions"),
    ),
    "TILE": Case(lambda z: [wide(z), numbers(1, 2, 1, 1)], lambda z: [wide(z, 1, 8, 4, 2)]),
    "TRANSPOSE": Case(lambda z: [wide(z), numbers(0, 2, 1, 3)], one),
    "UNPACK": Case(
        one, lambda z: [wide(z, 1, 4, 2, name=f"y{n}") for n in range(4)],
        faults.options("UnpackOptions", num=4, axis=1),
    ),
}  # fmt: skip

# They move a value between operators, or read no value at all.
OTHERS = {"ASSIGN_VARIABLE", "READ_VARIABLE", "SHAPE"}

Outputs = list[NDArray[np.int64]] | None
"""None where a runtime refuses the model."""


def is_unchecked(operand: Operand | None) -> bool:
    return operand is not None and (
        operand.role is Role.ACTIVATION
        and operand.zero_point == (0, 0)
        and operand.scale is None
        and "zero_point" not in operand.checks
    )


def test_every_operator_is_tried() -> None:
    def asked(name: str) -> bool:
        rule = RULES[Domain.INT16X8][name]
        operands = [
            operand
            for side in (rule.inputs, rule.outputs)
            for operand in ((side.operand,) if isinstance(side, Each) else side)
        ]
        return rule.has_kernel and any(map(is_unchecked, operands))

    names = {name for name in RULES[Domain.INT16X8] if asked(name)}
    assert names <= CASES.keys() | OTHERS


def given(zero_point: int, model: bytes) -> list[NDArray[np.int16]]:
    random = np.random.default_rng(7)
    return [
        (random.integers(-20_000, 20_000, one.shape) + zero_point).astype(np.int16)
        for one in tq.open(model).inputs
    ]


def litert(model: bytes, values: list[NDArray[np.int16]], is_reference: bool) -> Outputs:
    try:
        runner = oracle.interpreter(model, is_reference)
        with oracle.quiet():
            runner.allocate_tensors()
            for one, each in zip(runner.get_input_details(), values, strict=True):
                runner.set_tensor(one["index"], each)
            runner.invoke()
    except (ValueError, RuntimeError):
        return None
    details = runner.get_output_details()
    return [runner.get_tensor(one["index"]).astype(np.int64) for one in details]


def test_what_runtimes_make_of_them() -> None:
    """Errors are refused, notes are honoured by all, warnings are ignored by some."""
    models = {name: [case.model(name, z) for z in (0, SHIFT)] for name, case in CASES.items()}
    jobs = [
        tflm.Job(model, given(z, model))
        for pair in models.values()
        for z, model in zip((0, SHIFT), pair, strict=True)
    ]
    tried = tflm.answers(jobs)
    theirs: list[Outputs] = [
        None if each.refusal else [values.astype(np.int64) for values in each.outputs]
        for each in tried
    ]
    expected: dict[str, str] = {}
    for index, (name, (plain, shifted)) in enumerate(models.items()):
        answers = [theirs[2 * index : 2 * index + 2]]
        pair = ((0, plain), (SHIFT, shifted))
        answers += [
            [litert(model, given(z, model), is_reference) for z, model in pair]
            for is_reference in (False, True)
        ]
        assert answers[1][0] is not None, name
        moved = 0 if name == "QUANTIZE" else SHIFT
        honoured = [
            after is not None and is_moved(before, after, moved)
            for before, after in answers
            if before is not None
        ]
        is_refused = answers[1][1] is None
        expected[name] = "error" if is_refused else "note" if all(honoured) else "warning"
    found = {
        name: str(max(one.severity for one in tq.check(shifted) if one.id == "TQ204"))
        for name, (_, shifted) in models.items()
    }
    assert found == expected
    assert [name for name in found if found[name] == "warning"] == ["GELU", "PAD"]
    ids = {one.id for plain, _ in models.values() for one in tq.check(plain)}
    assert ids <= {"TQ211"}


def is_moved(before: list[NDArray[np.int64]], after: list[NDArray[np.int64]], by: int) -> bool:
    """Tell whether integers are larger by the zero point, but for what rounding makes of them."""
    return all(
        (np.abs(one + by - other) <= 1).all() for one, other in zip(before, after, strict=True)
    )
