"""Cases of operators that keep a state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests import build, faults
from tests.build import OperatorSpec, SubgraphSpec, TensorSpec, constant
from tests.kernels.arithmetic import (
    clamped,
    logistic,
    narrowed,
    shifted_right,
    sigmoid_steps,
    tanh,
    tanh_steps,
    times,
    wide,
)
from tests.kernels.base import (
    DTYPES,
    TYPES,
    Array,
    Case,
    Random,
    integers,
    scale,
    scale_of,
    spec,
)
from tflite_quant import Requantization


def svdf(time: Any) -> Callable[[Random, int], Case]:
    """Make the first step of an SVDF, whose time weights and state have a dtype."""

    def make(r: Random, kind: int) -> Case:
        x, y = spec("x", (2, 6), r, kind), spec("y", (2, 2), r, kind)
        q = integers(r, kind, 2, 6)
        feature = r.integers(-127, 128, (4, 6)).astype(np.int8)
        weights = r.integers(-127, 128, (4, 3)).astype(time)
        b = r.integers(-100, 100, 2).astype(np.int32)
        time_scale, state_scale = scale(r), scale(r) * 8
        # A product of scales that is not near that of the bias is refused.
        product = np.float32(state_scale) * np.float32(time_scale)
        type = build.type_of(time)
        zero_point = int(r.integers(-9, 9)) if time is np.int8 else 0
        state = TensorSpec("s", (2, 12), type, None, state_scale, zero_point, is_variable=True)
        specs = [
            x, constant(feature, scale(r), 0, name="f"),
            constant(weights, time_scale, 0, name="t"), constant(b, product, 0, name="b"), state, y,
        ]  # fmt: skip
        options = faults.options("SVDFOptions", rank=2, fused_activation_function=1)
        step = OperatorSpec(faults.OPERATORS.SVDF, range(5), [5], version=3, fields=options)

        def expected(found: Requantization) -> Array:
            bounds = np.iinfo(time)
            sums = wide(q, found.offsets["input"]) @ wide(feature).T
            new = np.clip(times(sums, found.multipliers["state"]), bounds.min, bounds.max)
            # A state that does not fit wraps around. Before the first step, all of them are zero.
            new = wide((new + found.offsets["state"]).astype(time), -found.offsets["state"])
            total = (new * wide(weights)[:, -1]).reshape(2, 2, 2).sum(axis=2) + b
            return clamped(times(total, found.multipliers["output"]), found, DTYPES[kind])

        graph = SubgraphSpec(specs, [0], [5], [step], "main")
        return Case(build.model(graph), [q], expected)

    return make


def lstm(r: Random, kind: int) -> Case:
    """Make an LSTM of some steps."""
    steps, size, width = 5, 3, 4
    x, y = spec("x", (1, steps, width), r, kind), spec("y", (1, steps, size), r, kind)
    x.scale = scale(r) / 4
    q = integers(r, kind, 1, steps, width)
    narrow = [r.integers(-127, 128, (size, width)).astype(np.int8) for _ in range(4)]
    square = [r.integers(-127, 128, (size, size)).astype(np.int8) for _ in range(4)]
    bias_type = np.int64 if kind == TYPES.INT16 else np.int32
    biases = [r.integers(-500, 500, size).astype(bias_type) for _ in range(4)]
    scales = [scale(r) / 4 for _ in range(8)]
    y.scale = 1 / 128
    state = TensorSpec("h", (1, size), kind, None, y.scale, y.zero_point, is_variable=True)
    exponent = -int(r.integers(9, 13))
    cell = TensorSpec("c", (1, size), TYPES.INT16, None, 2.0**exponent, 0, is_variable=True)
    specs = [
        x,
        *(constant(w, s, 0, name="w") for w, s in zip(narrow, scales[:4], strict=True)),
        *(constant(w, s, 0, name="r") for w, s in zip(square, scales[4:], strict=True)),
        *(
            constant(b, np.float32(scale_of(x)) * np.float32(s), 0, name="b")
            for b, s in zip(biases, scales[:4], strict=True)
        ),
        state, cell,
        *(TensorSpec("i", (0,), TYPES.INT16, scale=2.0**-12, zero_point=0) for _ in range(4)),
        TensorSpec("i", (0,), kind, scale=y.scale, zero_point=y.zero_point), y,
    ]  # fmt: skip
    indices = [*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1]
    clip = float(r.choice([0.0, 1.0]))
    options = faults.options(
        "UnidirectionalSequenceLSTMOptions", fused_activation_function=4, cell_clip=clip
    )
    step = OperatorSpec(
        faults.OPERATORS.UNIDIRECTIONAL_SEQUENCE_LSTM, indices, [20], version=2,
        intermediates=[15, 16, 17, 18, 19], fields=options,
    )  # fmt: skip

    def expected(found: Requantization) -> Array:
        is_tflm = found.runtime == "tflm"
        hidden, cells = np.full(size, -found.offsets["state"]), np.zeros(size, np.int64)
        results = []
        for values in wide(q, found.offsets["input"])[0]:
            gates = {}
            for n, gate in enumerate(("input", "forget", "cell", "output")):
                of_input = wide(narrow[n]) @ values + biases[n]
                of_state = wide(square[n]) @ (hidden + found.offsets["state"])
                sums = [
                    times(part, found.multipliers[f"{name}_to_{gate}"])
                    for part, name in ((of_input, "input"), (of_state, "state"))
                ]
                first, second = (np.clip(part, -32768, 32767) for part in sums)
                if not is_tflm:
                    second = sums[1]
                gates[gate] = _gate(np.clip(first + second, -32768, 32767), gate, is_tflm)
            cells = _cell(gates, cells, found)
            if "cell_clip" in found.constants:
                limit = found.constants["cell_clip"]
                cells = np.clip(cells, -limit, limit)
            bent = _bent(cells, found.constants["cell_scale_exponent"], is_tflm)
            hidden = times(bent * gates["output"], found.multipliers["hidden"])
            hidden = narrowed(hidden + found.offsets["output"], found.range, np.int64)
            results.append(hidden)
        return np.array(results)[None].astype(DTYPES[kind])

    graph = SubgraphSpec(specs, [0], [20], [step], "main")
    return Case(build.model(graph), [q], expected)


def _gate(sums: Any, gate: str, is_tflm: bool) -> Any:
    """Apply the curve of a gate: TensorFlow Lite Micro's is a table, LiteRT's a polynomial."""
    narrow = sums.astype(np.int16)
    if is_tflm:
        return wide((tanh_steps if gate == "cell" else sigmoid_steps)(narrow, 0, 0))
    return (tanh if gate == "cell" else logistic)(sums, 3, 16)


def _cell(gates: Mapping[str, Any], cells: Any, found: Requantization) -> Any:
    kept, new = gates["forget"] * cells, gates["input"] * gates["cell"]
    if found.runtime == "tflm":
        kept = times(kept, found.multipliers["forget_times_cell"])
        new = times(new, found.multipliers["input_times_cell"])
    else:
        kept = shifted_right(kept, -found.constants["forget_times_cell_shift"])
        new = shifted_right(new, -found.constants["input_times_cell_shift"])
    return np.clip(np.clip(kept, -32768, 32767) + np.clip(new, -32768, 32767), -32768, 32767)


def _bent(cells: Any, exponent: int, is_tflm: bool) -> Any:
    """Compute tanh of the cell state."""
    if not is_tflm:
        return tanh(cells, 15 + exponent, 16)
    shift = 12 + exponent
    steps = (3, -shift) if shift < 0 else (0, shift)
    return wide(tanh_steps(cells.astype(np.int16), *steps))
