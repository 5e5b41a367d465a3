"""Models that grow in one way each: ten times as large must take about ten times the work.

`python -m tests.growth [--count N] [WORD ...]` prints the processor's seconds that each question
takes of a model and of one ten times as large, of those whose names have one of these words. Tests
count calls and bytes; they do not see what is quadratic inside one function of numpy.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tflite

import tflite_quant as tq
from tests import bombs, build, faults
from tests.bombs import finished, graph, in_operators, in_tensors, two_buffers
from tests.build import (
    OperatorSpec,
    SignatureSpec,
    SubgraphSpec,
    TensorSpec,
    constant,
    numbers,
    references,
    table,
    text,
)

__all__ = ["MODELS", "QUESTIONS"]

OPERATORS = tflite.BuiltinOperator
X = TensorSpec("x", (1, 4), scale=0.5, zero_point=3)


class Apart(flatbuffers.Builder):  # type: ignore[misc]  # package flatbuffers has no types
    """A builder that gives each table a vtable of its own."""

    def EndObject(self) -> int:
        self.vtables.clear()
        return int(super().EndObject())


def chain(count: int) -> list[OperatorSpec]:
    return [OperatorSpec(OPERATORS.RELU, [i], [i + 1], version=2) for i in range(count)]


def named(count: int, **changes: Any) -> list[TensorSpec]:
    return [replace(X, name=f"tensor {index}", **changes) for index in range(count)]


def tensors(count: int) -> bytes:
    return build.model(SubgraphSpec(named(count), [0], [count - 1]))


def constants(count: int) -> bytes:
    """Build tensors of one name, which a header must tell apart."""
    values = np.arange(4, dtype=np.int8)
    return build.one(*[constant(values, 0.5, 0, name="weights") for _ in range(count)])


def operators(count: int) -> bytes:
    fields = faults.options("ReshapeOptions")
    steps = [replace(step, code=OPERATORS.RESHAPE, fields=fields) for step in chain(count)]
    return build.model(SubgraphSpec(named(count + 1), [0], [count], steps))


def subgraphs(count: int) -> bytes:
    graphs = [SubgraphSpec(named(2), [0], [1], chain(1), f"graph {i}") for i in range(count)]
    return build.model(*graphs)


def subgraphs_apart(count: int) -> bytes:
    """Build subgraphs with tensors and operators, in which no two tables share a vtable."""
    b = Apart(1024)
    graphs = []
    for index in range(count):
        own = [table(b, "Tensor", name=text(b, f"t{i}"), **bombs.INT8) for i in range(2)]
        ends = {"inputs": numbers(b, [0], "<i4"), "outputs": numbers(b, [1], "<i4")}
        steps = references(b, [table(b, "Operator", **ends)])
        parts = {"tensors": references(b, own), "operators": steps, "name": text(b, f"g{index}")}
        graphs.append(table(b, "SubGraph", **ends, **parts))
    return bombs.in_subgraphs(b, graphs)


def subgraphs_that_call(count: int) -> bytes:
    """Build subgraphs of which each calls the next two."""
    graphs = []
    for index in range(count):
        body, condition = ((index + step) % count for step in (1, 2))
        fields = {"cond_subgraph_index": condition, "body_subgraph_index": body}
        told = faults.options("WhileOptions", **fields)
        step = OperatorSpec(OPERATORS.WHILE, [0], [1], fields=told)
        graphs.append(SubgraphSpec(named(2), [0], [1], [step]))
    return build.model(*graphs)


def vtables(count: int) -> bytes:
    """Build tensors with quantization, in which no two tables share a vtable."""
    b = Apart(1024)
    offsets = []
    for index in range(count):
        parts = {"scale": numbers(b, [0.5], "<f4"), "zero_point": numbers(b, [3], "<i8")}
        found = table(b, "QuantizationParameters", **parts)
        name = text(b, f"tensor {index}")
        offsets.append(table(b, "Tensor", name=name, quantization=found, **bombs.INT8))
    return in_tensors(b, offsets)


def signatures(count: int) -> bytes:
    keys = [SignatureSpec(f"key {i}", {"x": 0}, {"y": 1}) for i in range(count)]
    return build.model(SubgraphSpec(named(2), [0], [1], chain(1)), signatures=keys)


def signature_entries(count: int) -> bytes:
    names = {f"name {index}": index for index in range(count)}
    one = SignatureSpec("key", names, names)
    return build.model(SubgraphSpec(named(count), range(count)), signatures=[one])


def metadata(count: int) -> bytes:
    names = {f"entry {index}": 1 for index in range(count)}
    return build.one(*named(2), metadata=names, buffers=[b"abcd"])


def buffers(count: int) -> bytes:
    return build.one(*named(2), buffers=[b"abcd"] * count)


def operator_codes(count: int) -> bytes:
    steps = [replace(step, code=32, custom=f"code {step.inputs[0]}") for step in chain(count)]
    return build.model(SubgraphSpec(named(count + 1), [0], [count], steps))


def rank(count: int) -> bytes:
    return build.one(TensorSpec("x", [1] * count, data=b"a", scale=0.5, zero_point=0))


def sparse_rank(count: int) -> bytes:
    """Build a sparse tensor whose every dimension is cut into blocks."""
    order, blocks = list(range(2 * count)), list(range(count))
    fields = build.sparse_fields(*[1] * 2 * count, order=order, blocks=blocks)
    return build.one(TensorSpec("x", [1] * count, data=b"a", fields=fields))


def block_map(count: int) -> bytes:
    """Build a sparse tensor that says one dimension is cut into blocks again and again."""
    fields = build.sparse_fields(1, order=list(range(count)), blocks=[0] * count)
    return build.one(TensorSpec("x", [1] * count, data=b"a", fields=fields))


def strings(count: int) -> bytes:
    """Build a buffer of many strings, and as many tensors that are it, in many shapes."""
    first = 4 * (count + 2)
    content = np.array([count, *[first] * (count + 1)], "<i4").tobytes()
    shapes = [(*[1] * (i // 20), count, *[1] * (i % 20)) for i in range(count)]
    kind = tflite.TensorType.STRING
    tensors = [TensorSpec(f"t{i}", shape, kind, buffer=1) for i, shape in enumerate(shapes)]
    return build.one(*tensors, buffers=[content])


def values(count: int) -> bytes:
    """Build a buffer of many values, and as many tensors that are it."""
    tensors = named(count, shape=(count, 4), buffer=1)
    return build.one(*tensors, buffers=[np.arange(4 * count).astype(np.int8).tobytes()])


def weights(count: int) -> bytes:
    """Build operators that share weights of many channels, a bias and an input."""
    scales = np.linspace(0.01, 0.02, count, dtype=np.float32)
    kernel = np.full((count, 4), 127, np.int8)
    tensors = [
        X,
        constant(kernel, scales, np.zeros(count), name="w"),
        constant(np.zeros(count, np.int32), scales / 2, np.zeros(count), name="b"),
        *named(count, shape=(1, count)),
    ]
    fields = faults.options("FullyConnectedOptions")
    steps = [
        OperatorSpec(OPERATORS.FULLY_CONNECTED, [0, 1, 2], [3 + index], version=5, fields=fields)
        for index in range(count)
    ]
    return build.model(SubgraphSpec(tensors, [0], range(3, 3 + count), steps))


def scales_of_blocks(count: int) -> bytes:
    """Build tensors quantized by blocks which have their scales in one."""
    scales = constant(np.full((count, 1), 0.5, np.float16), name="scales")
    details = build.blockwise(32)
    weights = constant(np.zeros((count, 32), np.int8), name="w", details=details)
    details = build.blockwise(32, None, 0)
    same = replace(weights, details=details, data=None, buffer=1)
    return build.one(scales, *[same] * count, buffers=[bytes(32 * count)])


def channels(count: int) -> bytes:
    """Build one layer of many channels."""
    scales = np.linspace(0.01, 0.02, count, dtype=np.float32)
    kernel = np.full((count, 4), 127, np.int8)
    bias = constant(np.zeros(count, np.int32), scales / 2, np.zeros(count), name="b")
    y = replace(X, name="y", shape=(1, count))
    return faults.dense(X, constant(kernel, scales, np.zeros(count), name="w"), bias, y)


def operands(count: int) -> bytes:
    """Build one operator that has many inputs and outputs."""
    step = OperatorSpec(OPERATORS.CONCATENATION, list(range(count)), list(range(count)))
    ends = list(range(count))
    return build.model(SubgraphSpec(named(count), ends, ends, [replace(step, intermediates=ends)]))


def readers(count: int) -> bytes:
    """Build many operators that read one tensor."""
    steps = [OperatorSpec(OPERATORS.RELU, [0], [1 + i], version=2) for i in range(count)]
    return build.model(SubgraphSpec(named(count + 1), [0], range(1, count + 1), steps))


def islands(count: int) -> bytes:
    """Build a chain of float operators, with integer operators at its ends."""
    middle = named(count + 1, type=tflite.TensorType.FLOAT32, scale=None, zero_point=None)
    specs = [X, X, *middle, X, X]
    codes = [OPERATORS.RELU, OPERATORS.DEQUANTIZE, *[OPERATORS.SIN] * count]
    codes += [OPERATORS.QUANTIZE, OPERATORS.RELU]
    steps = [OperatorSpec(code, [i], [i + 1], version=2) for i, code in enumerate(codes)]
    return build.model(SubgraphSpec(specs, [0], [len(specs) - 1], steps))


def options(count: int) -> bytes:
    """Build an operator with long options, and a custom one."""
    b = build.start()
    told = bombs.option("ReshapeOptions", bombs.vector("new_shape", value=7))(b, 4 * count)()
    custom = b.CreateByteVector(bombs.flexbuffer(16 * count))
    return in_operators(
        b, [table(b, "Operator", **told), table(b, "Operator", custom_options=custom)]
    )


def external_buffers(count: int) -> bytes:
    ids = tuple(range(5, 5 + count))
    return build.external_model(*[(id, 0, 0, 12, "zip") for id in ids], ids=ids)


def uses(count: int) -> bytes:
    """Build tensors of one name, shape, quantization and buffer, as a converter shares them."""
    b = build.start()
    parts = {"scale": numbers(b, [0.5], "<f4"), "zero_point": numbers(b, [3], "<i8")}
    found = table(b, "QuantizationParameters", **parts)
    shape = numbers(b, [1], "<i4")
    one = table(b, "Tensor", name=text(b, "t"), shape=shape, quantization=found, **bombs.INT8)
    tensors = graph(b, tensors=references(b, [one] * count))
    return finished(b, buffers=two_buffers(b, numbers(b, [3], "<u1")), subgraphs=tensors)


def lookup_table(name: str) -> list[TensorSpec]:
    """Give the constants of which a DECODE makes two values, by a table of two."""
    ancillary = build.ancillary(0, (0xF1, 2), bytes([3, 4]))
    return [
        TensorSpec(f"{name} {which}", (len(data),), tflite.TensorType.UINT8, data)
        for which, data in (("encoded", b"\x40"), ("ancillary", ancillary))
    ]


def decoding_operators(count: int) -> bytes:
    """Build operators that decode the same constants."""
    tensors = [*lookup_table("w"), *named(count, shape=(2,))]
    steps = [build.decode([0, 1], [2 + index]) for index in range(count)]
    return build.model(SubgraphSpec(tensors, (), range(2, 2 + count), steps))


def decoded_outputs(count: int) -> bytes:
    """Build one operator that decodes constants again and again."""
    tensors = [*lookup_table("w"), *named(count, shape=(2,))]
    outputs = range(2, 2 + count)
    return build.model(SubgraphSpec(tensors, (), outputs, [build.decode([0, 1] * count, outputs)]))


MODELS: Mapping[str, Callable[[int], bytes]] = {
    "tensors": tensors,
    "constants of one name": constants,
    "operators": operators,
    "subgraphs": subgraphs,
    "subgraphs with vtables of their own": subgraphs_apart,
    "subgraphs that call others": subgraphs_that_call,
    "vtables": vtables,
    "signatures": signatures,
    "entries of a signature": signature_entries,
    "metadata": metadata,
    "buffers": buffers,
    "operator codes": operator_codes,
    "rank": rank,
    "sparse rank": sparse_rank,
    "block map": block_map,
    "strings under many shapes": strings,
    "values under many names": values,
    "operators that share weights": weights,
    "tensors that share scales": scales_of_blocks,
    "channels": channels,
    "operands": operands,
    "readers": readers,
    "float operators": islands,
    "options": options,
    "external buffers": external_buffers,
    "uses of one tensor": uses,
    "operators that decode one constant": decoding_operators,
    "outputs of one DECODE": decoded_outputs,
}

QUESTIONS: Mapping[str, Callable[[str], object]] = {
    "properties": lambda path: bombs.walk(tq.open(path), with_values=False),
    "summary": bombs.QUESTIONS["summary"],
    "details": bombs.QUESTIONS["details"],
    "c_header": bombs.QUESTIONS["c_header"],
    "memory_plan": bombs.QUESTIONS["memory_plan"],
    "model_cost": bombs.QUESTIONS["model_cost"],
    "tq.compare": bombs.QUESTIONS["tq.compare"],
    "records": lambda path: tq.open(path).to_records(),
    **{name: bombs.QUESTIONS[name] for name in bombs.COMMANDS if name != "check --format json"},
}
"""Real values are not asked for here: of tensors that share them, each has them all."""


def ask(question: str, path: str) -> None:
    """Ask; a refusal is an answer."""
    try:
        QUESTIONS[question](path)
    except tq.TFLiteError:
        return


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m tests.growth", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD")
    parser.add_argument("--count", type=int, default=200, help="how many things the smaller has")
    arguments = parser.parse_args()
    print(f"{'grows':36} {'question':20} {'kB':>6} {'s':>8} {'kB':>6} {'s':>8} {'times':>6}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        for name, write in MODELS.items():
            if arguments.words and not any(word in name for word in arguments.words):
                continue
            contents = [write(count) for count in (arguments.count, 10 * arguments.count)]
            for question in QUESTIONS:
                cells, seconds = "", []
                for content in contents:
                    path.write_bytes(content)
                    start = time.process_time()
                    ask(question, str(path))
                    seconds.append(time.process_time() - start)
                    cells += f" {len(content) / 1e3:6.0f} {seconds[-1]:8.3f}"
                mark = " !" if seconds[1] > 20 * seconds[0] + 0.1 else ""
                times = seconds[1] / seconds[0]
                print(f"{name:36} {question:20}{cells} {times:6.1f}{mark}", flush=True)


if __name__ == "__main__":
    main()
