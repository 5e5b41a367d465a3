"""Eight mebi values turned into real numbers: this library, numpy's plainest ways, two runtimes.

ONNX Runtime runs a model of one `DequantizeLinear`, on one thread; LiteRT one of one DEQUANTIZE, on
one thread, too. What a runtime does not have (int4 along blocks, say) is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

import tflite_quant as tq
from benchmarks.timing import medians
from tests import build
from tests.oracle import quiet

__all__ = ["Case", "cases", "few", "measured"]

SHAPE = (2048, 4096)


class Case(NamedTuple):
    """A way of being quantized: the values, and what they are computed with."""

    name: str
    q: NDArray[Any]
    scale: Any
    zero_point: Any
    axis: int | None = None
    tensor: Any = None
    """Packed values, as a model's tensor: what is measured then begins with them."""
    block: int = 0


def cases() -> Iterator[Case]:
    """Give the ways in which values are quantized."""
    r = np.random.default_rng(1)
    q8 = r.integers(-128, 128, SHAPE).astype(np.int8)
    q16 = r.integers(-(1 << 15), 1 << 15, SHAPE).astype(np.int16)
    rows, columns = (r.uniform(0.001, 0.1, n).astype(np.float32) for n in SHAPE)
    yield Case("int8 per-tensor", q8, np.float32(0.02), 3)
    yield Case("int8 per-axis, first", q8, rows, np.zeros(rows.size, np.int64), 0)
    yield Case("int8 per-axis, last", q8, columns, np.zeros(columns.size, np.int64), 1)
    yield Case("int16 per-tensor", q16, np.float32(0.02), 0)
    yield packed(r, rows)
    yield blocks(r)


def packed(r: np.random.Generator, rows: NDArray[np.float32]) -> Case:
    """Give int4 values, two in each byte."""
    data = r.integers(0, 256, (SHAPE[0], SHAPE[1] // 2)).astype(np.uint8)
    zeros = np.zeros(rows.size, np.int64)
    spec = build.TensorSpec("q", SHAPE, tflite.TensorType.INT4, data, scale=rows, zero_point=zeros)
    tensor = tq.open(build.one(spec)).tensors[0]
    return Case("int4 per-axis, first", tensor.data, rows, zeros, 0, tensor)


def blocks(r: np.random.Generator, size: int = 32) -> Case:
    """Give int4 values of which every 32 in a row share a scale."""
    data = r.integers(0, 256, (SHAPE[0], SHAPE[1] // 2)).astype(np.uint8)
    scales = r.uniform(0.001, 0.1, (SHAPE[0], SHAPE[1] // size)).astype(np.float16)
    spec = build.TensorSpec("q", SHAPE, tflite.TensorType.INT4, data, details=build.blockwise(size))
    tensor = tq.open(build.one(spec, build.constant(scales, name="s"))).tensors[0]
    wide = scales.astype(np.float32).repeat(size, 1)
    return Case("int4 blockwise, 32", tensor.data, wide, 0, None, tensor, size)


def measured(case: Case) -> dict[str, float]:
    """Give the median of each way, in seconds."""
    out = np.empty(SHAPE, np.float32)
    ways: dict[str, Callable[[], object]] = {
        "ours": functools.partial(ours, case, None),
        "ours, out=": functools.partial(ours, case, out),
        "astype": lambda: case.q.astype(np.float32),
        "one-liner": functools.partial(one_liner, case),
    }
    if not case.block:
        ways |= runtimes(case)
    check(case, ways)
    return medians(ways)


def ours(case: Case, out: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Turn the values into real numbers with this library."""
    if case.tensor is not None:
        return case.tensor.dequantize(out=out)  # type: ignore[no-any-return]
    return tq.dequantize(case.q, case.scale, case.zero_point, case.axis, out)


def one_liner(case: Case) -> NDArray[Any]:
    """Do so in the way in which everybody writes it."""
    if case.axis is None:
        return (case.q.astype(np.float32) - case.zero_point) * case.scale  # type: ignore[no-any-return]
    column = (-1,) + (1,) * (case.q.ndim - 1 - case.axis)
    zeros = np.asarray(case.zero_point, np.float32).reshape(column)
    return (case.q.astype(np.float32) - zeros) * case.scale.reshape(column)  # type: ignore[no-any-return]


def check(case: Case, ways: dict[str, Callable[[], object]]) -> None:
    """See that all ways that give real numbers give the same, but for rounding."""
    wanted = ours(case, None)
    for name, way in ways.items():
        if name != "astype" and (found := way()) is not None:
            np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-5, err_msg=name)


def runtimes(case: Case) -> dict[str, Callable[[], object]]:
    """Give the ways of the runtimes."""
    ways: dict[str, Callable[[], object]] = {"ONNX Runtime": onnx_way(case)}
    # LiteRT's kernel has no int4 along an axis.
    if (case.q.dtype == np.int8 and case.tensor is None) or case.q.dtype == np.int16:
        ways["LiteRT"] = litert_way(case)
    return ways


def onnx_way(case: Case) -> Callable[[], object]:
    """Give a run of a model of one DequantizeLinear, on one thread, into memory of its own.

    Packed values are its input as the bytes that hold two each.
    """
    helper, types = onnx.helper, onnx.TensorProto
    is_packed = case.tensor is not None
    kind = types.INT4 if is_packed else helper.np_dtype_to_tensor_dtype(case.q.dtype)
    shape = [case.scale.size] if case.axis is not None else []
    zeros = np.broadcast_to(np.asarray(case.zero_point), shape).reshape(-1).tolist()
    weights = [
        helper.make_tensor("scale", types.FLOAT, shape, np.asarray(case.scale).reshape(-1)),
        helper.make_tensor("zero_point", kind, shape, zeros),
    ]
    node = helper.make_node(
        "DequantizeLinear", ["q", "scale", "zero_point"], ["r"], axis=case.axis or 0
    )
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("q", kind, SHAPE)],
        [helper.make_tensor_value_info("r", types.FLOAT, SHAPE)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return bound(session, case, kind if is_packed else None)


def bound(session: Any, case: Case, packed: int | None) -> Callable[[], object]:
    """Bind input and output to memory, so that a run neither copies nor allocates."""
    out = np.empty(SHAPE, np.float32)
    binding = session.io_binding()
    q = case.tensor.stored if packed is not None else case.q
    element = q.dtype.type if packed is None else packed
    binding.bind_input("q", "cpu", 0, element, SHAPE, q.ctypes.data)
    binding.bind_output("r", "cpu", 0, np.float32, SHAPE, out.ctypes.data)

    def run() -> NDArray[np.float32]:
        session.run_with_iobinding(binding)
        return out

    return run


def litert_way(case: Case) -> Callable[[], object]:
    """Give a run of a model of one DEQUANTIZE, without a delegate, on one thread."""
    zeros = case.zero_point if case.axis is not None else [case.zero_point]
    kind = build.TYPES[case.q.dtype.newbyteorder("<")]
    source = build.TensorSpec("q", SHAPE, kind, None, case.scale, zeros, case.axis or 0)
    target = build.TensorSpec("r", SHAPE, tflite.TensorType.FLOAT32)
    operator = build.OperatorSpec(tflite.BuiltinOperator.DEQUANTIZE, [0], [1], version=5)
    with quiet():
        runner = Interpreter(
            model_content=build.model(build.SubgraphSpec([source, target], [0], [1], [operator])),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            num_threads=1,
        )
        runner.allocate_tensors()
    runner.set_tensor(0, case.q)
    runner.invoke()
    np.testing.assert_allclose(runner.get_tensor(1), ours(case, None), rtol=1e-5)

    def run() -> None:
        runner.invoke()

    return run


def few(shape: tuple[int, ...], axis: int | None) -> dict[str, float]:
    """Give the medians for few values, where what a call costs counts: ours and the one-liner."""
    r = np.random.default_rng(2)
    q = r.integers(-128, 128, shape).astype(np.int8)
    if axis is None:
        scale = np.float32(0.02)
        return medians(
            {
                "ours": lambda: tq.dequantize(q, scale, 3),
                "one-liner": lambda: (q.astype(np.float32) - 3) * scale,
            },
            seconds=0.5,
        )
    scales = r.uniform(0.001, 0.1, shape[axis]).astype(np.float32)
    zeros = np.zeros(shape[axis], np.int64)
    column = (-1,) + (1,) * (len(shape) - 1 - axis)
    return medians(
        {
            "ours": lambda: tq.dequantize(q, scales, zeros, axis),
            "one-liner": lambda: (
                (q.astype(np.float32) - zeros.astype(np.float32).reshape(column))
                * scales.reshape(column)
            ),
        },
        seconds=0.5,
    )
