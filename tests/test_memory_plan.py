"""Memory plans are those of TensorFlow Lite Micro."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import FIXTURES
from tests import build, faults, memory, tflm, work

CODES = tflite.BuiltinOperator
FLOAT, INT8, INT16, INT32 = (
    getattr(tflite.TensorType, name) for name in ("FLOAT32", "INT8", "INT16", "INT32")
)
BOOL = tflite.TensorType.BOOL


def spec(*shape: int, type: int = FLOAT, **others: Any) -> build.TensorSpec:
    quantized = {"scale": 0.5, "zero_point": 0} if type in (INT8, INT16) else {}
    return build.TensorSpec("t", shape, type, **quantized | others)


def operator(
    name: str, inputs: list[int], outputs: list[int], table: str | None = None, **fields: Any
) -> build.OperatorSpec:
    told = faults.options(table, **fields) if table else {}
    return build.OperatorSpec(getattr(CODES, name), inputs, outputs, fields=told)


def head(content: bytes) -> int:
    """Give the head of a plan for a machine like this, which TFLM must have, too."""
    answer = tflm.answer(content)
    assert answer.was_prepared, answer.refusal
    plan = tq.memory_plan(content, pointer_bytes=8)
    assert plan.head == answer.head
    assert plan.uncertain == ()
    check_places(plan)
    return plan.head


def check_places(plan: tq.MemoryPlan) -> None:
    """Check that buffers do not overlap that are live at once, in models of one subgraph."""
    used = [
        (buffer, range(buffer.first_use, buffer.last_use + 1))
        for buffer in plan.buffers
        if buffer.first_use is not None and buffer.last_use is not None
    ]
    for (one, times), (other, other_times) in combinations(used, 2):
        assert one.size % 16 == one.offset % 16 == 0
        if times.start < other_times.stop and other_times.start < times.stop:
            ends = (one.offset + one.size, other.offset + other.size)
            assert ends[0] <= other.offset or ends[1] <= one.offset


def test_head_is_that_of_tflm(model_paths: list[Path]) -> None:
    found = memory.comparisons(tuple(model_paths))
    assert len(found) >= 12
    assert [each for each in found if each.head != each.their_head or each.uncertain] == []


def test_most_tails_are_near_those_of_tflm(model_paths: list[Path]) -> None:
    found = memory.comparisons(tuple(model_paths))
    assert sum(each.is_near for each in found) >= 0.95 * len(found)


def test_arena_is_large_enough_and_hardly_larger() -> None:
    """With a tenth more the runtime prepares the model, with a tenth less it does not."""
    prepared = [each.name for each in memory.comparisons(tuple(FIXTURES))]
    contents = [path.read_bytes() for path in FIXTURES if path.name in prepared]
    contents.append(_random_graph(random.Random(1), most=4))
    sizes = [memory.wheel_arena(content) for content in contents]
    for share, is_enough in ((1.1, True), (0.9, False)):
        jobs = [
            tflm.Job(content, arena=int(share * size))
            for content, size in zip(contents, sizes, strict=True)
        ]
        assert [each.was_prepared for each in tflm.answers(jobs)] == [is_enough] * len(jobs)


def test_lower_bound_is_the_largest_sum(model_paths: list[Path]) -> None:
    compared = 0
    for path in model_paths:
        with tq.open(path) as model:
            if any(tensor.type.name == "STRING" for tensor in model.tensors):
                continue
            plan = tq.memory_plan(model)
            assert plan.lower_bound <= plan.head
            is_planned = any(each.name == "OfflineMemoryAllocation" for each in model.metadata)
            if len(model.subgraphs) == 1 and plan.peak is not None and not is_planned:
                compared += 1
                sums = [_live_bytes(model, plan, operator) for operator in model.operators]
                assert max(sums) == sums[plan.peak.index] == plan.lower_bound
    assert compared >= 15


def _live_bytes(model: tq.Model, plan: tq.MemoryPlan, operator: tq.Operator) -> int:
    """Give the bytes that are needed while an operator runs; scratch memory as it was planned."""
    scratch = sum(buffer.size for buffer in plan.buffers if buffer.operator is operator)
    tensors = (
        tensor
        for tensor in model.tensors
        if not tensor.buffer.nbytes
        and tensor.external_buffer is None
        and not tensor.is_variable
        and _is_live(tensor, operator.index, model)
    )
    return scratch + sum(map(_aligned, tensors))


def _is_live(tensor: tq.Tensor, index: int, model: tq.Model) -> bool:
    """Tell whether a value that an operator reads or writes must be kept while one runs."""
    producer, consumers = tensor.producer, tensor.consumers
    is_made = producer is None or producer.index <= index
    ends = [each.index for each in consumers] + ([] if producer is None else [producer.index])
    return is_made and (tensor in model.outputs or max(ends, default=-1) >= index)


def _aligned(tensor: tq.Tensor) -> int:
    size = int(np.prod(tensor.shape, dtype=np.int64))
    # The arena does not pack int4.
    size *= 1 if tensor.type.name == "INT4" else tensor.dtype.itemsize
    return -(-size // 16) * 16


def test_plans_of_random_graphs_are_those_of_tflm() -> None:
    contents = [_random_graph(random.Random(seed)) for seed in range(60)]
    answers = tflm.answers([tflm.Job(content) for content in contents])
    for content, answer in zip(contents, answers, strict=True):
        assert answer.was_prepared, answer.refusal
        plan = tq.memory_plan(content)
        assert plan.head == answer.head
        check_places(plan)


def _random_graph(draw: random.Random, most: int = 41) -> bytes:
    """Give a graph whose sizes often repeat, since the order of equal ones matters."""
    lengths = [length for length in (1, 4, 8, 9, 16, 40, 41) if length <= most]
    sizes = [draw.choice(lengths) * draw.choice((1, 1, 1, 7)) for _ in range(40)]
    used, operators = [0, 1], []
    for index in range(2, 40):
        if draw.random() < 0.1:
            # Nobody writes it, and perhaps nobody reads it.
            used += [index] * draw.choice((0, 1))
            continue
        operators.append(operator("ADD", [draw.choice(used[-6:]), draw.choice(used)], [index]))
        used.append(index)
    graph = build.SubgraphSpec(list(map(spec, sizes)), [0, 1], [used[-1], used[-3]], operators)
    return build.model(graph)


def test_subgraphs_share_the_arena() -> None:
    """A WHILE runs an IF; a subgraph that nobody runs takes memory, too."""
    a, flag = spec(100), spec(1, type=BOOL)
    loop = {"cond_subgraph_index": 1, "body_subgraph_index": 2}
    main = build.SubgraphSpec(
        [a, spec(100), spec(300), spec(50)],
        [0],
        [3],
        [
            operator("ADD", [0, 0], [2]),
            operator("WHILE", [0], [1], "WhileOptions", **loop),
            operator("ADD", [1, 2], [3]),
        ],
    )
    condition = build.SubgraphSpec([a, flag], [0], [1], [operator("LESS", [0, 0], [1])])
    body = build.SubgraphSpec(
        [a, flag, spec(100), spec(77), spec(100)],
        [0],
        [4],
        [
            operator("LESS", [0, 0], [1]),
            operator("ADD", [0, 0], [3]),
            operator("IF", [1, 0], [2], "IfOptions", then_subgraph_index=3, else_subgraph_index=4),
            operator("ADD", [2, 3], [4]),
        ],
    )
    small = build.SubgraphSpec([a, a], [0], [1], [operator("ADD", [0, 0], [1])])
    empty = build.SubgraphSpec([a], [0], [0])
    alone = build.SubgraphSpec([spec(55), spec(66)], [0], [1], [operator("ADD", [0, 0], [1])])
    content = build.model(main, condition, body, small, empty, alone)
    answer = tflm.answer(content)
    assert answer.was_prepared, answer.refusal
    plan = tq.memory_plan(content, pointer_bytes=8)
    assert plan.head == answer.head
    while_input = next(b for b in plan.buffers if b.tensor is not None and b.tensor.index == 0)
    assert (while_input.first_use, while_input.last_use) == (-1, 1)


def test_resource_variables_are_in_the_tail() -> None:
    resource = spec(1, type=tflite.TensorType.RESOURCE)

    def handle(index: int) -> build.OperatorSpec:
        def write(b: build.Builder) -> int:
            name = build.text(b, "state")
            return build.table(b, "VarHandleOptions", shared_name=name)

        fields = {
            "builtin_options_type": tflite.BuiltinOptions.VarHandleOptions,
            "builtin_options": write,
        }
        return build.OperatorSpec(CODES.VAR_HANDLE, [], [index], fields=fields)

    main = build.SubgraphSpec(
        [spec(100), resource, spec(100), spec(100)],
        [0],
        [3],
        [
            operator("CALL_ONCE", [], [], "CallOnceOptions", init_subgraph_index=1),
            handle(1),
            operator("READ_VARIABLE", [1], [2]),
            operator("ADD", [0, 2], [3]),
            operator("ASSIGN_VARIABLE", [1, 3], []),
        ],
    )
    zeros = build.constant(np.zeros(100, np.float32))
    first = build.SubgraphSpec(
        [resource, zeros], [], [], [handle(0), operator("ASSIGN_VARIABLE", [0, 1], [])]
    )
    content = build.model(main, first)
    assert head(content) == 3 * 400
    estimate = tq.memory_plan(content, pointer_bytes=8).tail_estimate + memory.extra(2)
    assert estimate == pytest.approx(tflm.answer(content).tail, rel=0.1)


def test_offsets_that_the_converter_has_planned() -> None:
    """The tensors without one go into the gaps; a variable with one is planned, too."""
    sizes = [100, 100, 50, 60, 30]
    tensors = [spec(size) for size in sizes]
    operators = [operator("ADD", [index, index], [index + 1]) for index in range(4)]
    offsets = np.array([1, 0, 5, 480, -1, 0, -1, -1], "<i4").tobytes()
    graph = build.SubgraphSpec(tensors, [0], [4], operators)
    content = build.model(graph, buffers=[offsets], metadata={"OfflineMemoryAllocation": 1})
    assert head(content) >= 480 + 400
    broken = build.model(graph, buffers=[offsets[:-4]], metadata={"OfflineMemoryAllocation": 1})
    with pytest.raises(tq.CorruptModelError, match="no plan for the model's 5 tensors"):
        tq.memory_plan(broken)


def test_pointers_of_add_n_take_what_a_pointer_takes() -> None:
    graph = build.SubgraphSpec(
        [spec(1)] * 10, list(range(9)), [9], [operator("ADD_N", list(range(9)), [9])]
    )
    content = build.model(graph)
    assert head(content) == 10 * 16 + 80
    assert tq.memory_plan(content).head == 10 * 16 + 48


@pytest.mark.parametrize("name", ["REDUCE_MAX", "REDUCE_MIN", "MEAN", "SUM"])
@pytest.mark.parametrize("type", [FLOAT, INT8])
def test_scratch_of_reductions(name: str, type: int) -> None:
    axes = build.constant(np.array([1, 2], np.int32))
    graph = build.SubgraphSpec(
        [spec(3, 70, 4, type=type), axes, spec(3, type=type)],
        [0],
        [2],
        [operator(name, [0, 1], [2], "ReducerOptions", keep_dims=False)],
    )
    head(build.model(graph))


def test_scratch_of_int4_weights() -> None:
    weights = spec(8, 64, type=tflite.TensorType.INT4, data=bytes(256), scale=0.1, zero_point=0)
    graph = build.SubgraphSpec(
        [spec(1, 64, type=INT8), weights, spec(1, 8, type=INT8)],
        [0],
        [2],
        [operator("FULLY_CONNECTED", [0, 1, -1], [2], "FullyConnectedOptions")],
    )
    assert head(build.model(graph)) == 64 + 16 + 512


def test_what_is_not_known_is_named() -> None:
    graph = build.SubgraphSpec(
        [spec(4), spec(4)], [0], [1], [build.OperatorSpec(CODES.CUSTOM, [0], [1], custom="Mine")]
    )
    plan = tq.memory_plan(build.model(graph))
    assert plan.head == 32
    assert [(each.operator.name, each.reason) for each in plan.uncertain] == [
        ("Mine", "TensorFlow Lite Micro itself has no kernel for it")
    ]


def test_scratch_memory_of_a_subgraph_that_nothing_runs() -> None:
    """The runtime itself ends there."""
    main = build.SubgraphSpec([spec(4), spec(4)], [0], [1], [operator("ADD", [0, 0], [1])])
    axes = build.constant(np.array([1], np.int32))
    mean = operator("MEAN", [0, 1], [2], "ReducerOptions")
    other = build.SubgraphSpec([spec(4, 4), axes, spec(4)], [0], [2], [mean])
    content = build.model(main, other)
    assert tflm.answer(content).refusal.startswith("the process ended")
    (uncertain,) = tq.memory_plan(content).uncertain
    assert uncertain.operator.name == "MEAN"
    assert "nothing runs its subgraph" in uncertain.reason


def test_what_has_no_size_is_an_error() -> None:
    text = build.one(spec(4, type=tflite.TensorType.STRING))
    with pytest.raises(tq.UnsupportedError, match="no STRING tensors"):
        tq.memory_plan(text)
    with pytest.raises(tq.UnsupportedError, match="which is no size"):
        tq.memory_plan(build.one(spec(-1, 4)))
    for rank in (2, 60):
        with pytest.raises(tq.UnsupportedError, match="more than the 2 GB"):
            tq.memory_plan(build.one(spec(*[1 << 30] * rank)))


def test_subgraphs_that_run_themselves_are_an_error() -> None:
    again = operator("CALL_ONCE", [], [], "CallOnceOptions", init_subgraph_index=0)
    with pytest.raises(tq.UnsupportedError, match="more than 50 deep"):
        tq.memory_plan(build.model(build.SubgraphSpec([], [], [], [again])))
    nowhere = operator("CALL_ONCE", [], [], "CallOnceOptions", init_subgraph_index=7)
    with pytest.raises(tq.CorruptModelError, match="runs subgraph 7, but the model has 1"):
        tq.memory_plan(build.model(build.SubgraphSpec([], [], [], [nowhere])))


def test_arguments_are_checked() -> None:
    content = build.one(spec(4))
    with pytest.raises(ValueError, match="expected 'tflm'"):
        tq.memory_plan(content, "other")
    with pytest.raises(ValueError, match="expected 4 or 8"):
        tq.memory_plan(content, pointer_bytes=2)


def test_a_plan_for_no_tensors() -> None:
    """The converter's plan may say, rightly, that there are none."""
    plan = np.array([1, 0, 0], "<i4").tobytes()
    content = build.model(
        build.SubgraphSpec(()), buffers=[plan], metadata={"OfflineMemoryAllocation": 1}
    )
    assert tq.memory_plan(content).head == 0


def test_ends_of_subgraphs_that_run_very_often() -> None:
    """They are charged each time: here a thousand of them for each of 32,768 runs."""
    graphs = []
    for index in range(15):
        calls = dict.fromkeys(("cond_subgraph_index", "body_subgraph_index"), index + 1)
        step = operator("WHILE", [0], [0], "WhileOptions", **calls)
        graphs.append(build.SubgraphSpec([spec(1)], [0], [0], [step]))
    content = build.model(*graphs, build.SubgraphSpec([spec(1)], [0] * 1000, [0] * 1000))

    def ask() -> None:
        with pytest.raises(tq.CorruptModelError, match="the lifetimes of tensors would take"):
            tq.memory_plan(content)

    assert work.calls(ask) < 4_000_000
