"""Operators that keep a state between runs: SVDF and LSTM.

Sources are below tensorflow/lite/micro/kernels of tensorflow/tflite-micro, and below tflite/kernels
of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import numpy as np

from ..errors import UnsupportedError
from ..format.schema import TensorType
from ..model.tensor import Tensor
from .elementwise import rounded_logarithm
from .requantization import Kernel, Requantization, parameters_of

_GATES = {"input": (1, 5), "forget": (2, 6), "cell": (3, 7), "output": (4, 8)}
"""The inputs that are the weights of each gate of an LSTM: for the input, and for the state."""

_OUTPUT_STATE, _CELL_STATE = 18, 19
_OTHER_INPUTS = {
    "peephole connections": range(9, 12), "a projection": (16, 17),
    "layer normalization": range(20, 24),
}  # fmt: skip


def svdf(kernel: Kernel) -> Requantization:
    """Derive SVDF: the first multiplier makes the state, the second the output.

    Sources: svdf_common.cc, PrepareSvdf; svdf.cc, Prepare.
    """
    scale, zero_point = parameters_of(kernel.input(0))
    feature_scale, _ = parameters_of(kernel.input(1))
    time_scale, _ = parameters_of(kernel.input(2))
    state = kernel.input(4)
    state_scale, state_zero_point = parameters_of(state)
    output_scale, output_zero_point = parameters_of(kernel.output)
    if not kernel.is_tflm and state.type is not TensorType.INT16:
        raise kernel.refused(f"takes no state of {state.type.name}, only INT16")
    precision = kernel.precision
    reals = {
        "state": precision(scale) * precision(feature_scale) / precision(state_scale),
        "output": precision(state_scale) * precision(time_scale) / precision(output_scale),
    }
    offsets = {"input": -zero_point, "state": state_zero_point, "output": output_zero_point}
    return kernel.fixed_point(offsets, reals, kernel.whole_range)


def lstm(kernel: Kernel) -> Requantization:
    """Derive UNIDIRECTIONAL_SEQUENCE_LSTM without peephole, projection and layer normalization.

    Sources: lstm_eval_common.cc, PrepareGateParametersInteger; unidirectional_sequence_lstm.cc,
    PopulateQuantizedLstmParams8x8_16.
    """
    for what, indices in _OTHER_INPUTS.items():
        if any(kernel.has_input(index) for index in indices):
            raise UnsupportedError(f"{kernel.name} with {what} is not derived")
    scale, zero_point = parameters_of(kernel.input(0))
    state_scale, state_zero_point = parameters_of(kernel.input(_OUTPUT_STATE))
    cell_scale, _ = parameters_of(kernel.input(_CELL_STATE))
    reals = _gates(kernel, scale, state_scale)
    hidden = kernel.input(_OUTPUT_STATE) if kernel.is_tflm else _intermediate(kernel, 4)
    hidden_scale, hidden_zero_point = parameters_of(hidden)
    real = np.float64(2.0**-30) / np.float64(hidden_scale)
    reals["hidden"] = real if kernel.is_tflm else np.float64(np.float32(real))
    exponent, _ = rounded_logarithm(cell_scale)
    constants = {"cell_scale_exponent": exponent}
    if kernel.is_tflm:
        whole = np.float64(cell_scale)
        reals["forget_times_cell"] = np.float64(2.0**-15) * whole / whole
        reals["input_times_cell"] = np.float64(2.0**-30) / whole
    else:
        constants |= {"forget_times_cell_shift": -15, "input_times_cell_shift": -30 - exponent}
    offsets = {"input": -zero_point, "state": -state_zero_point, "output": hidden_zero_point}
    clip = _clip(kernel, cell_scale)
    if clip is not None:
        constants["cell_clip"] = clip
    return kernel.fixed_point(offsets, reals, kernel.whole_range, constants=constants)


def _gates(kernel: Kernel, scale: np.float32, state_scale: np.float32) -> dict[str, np.floating]:
    """Return the real numbers of each gate, whose sums have the scale 2**-12.

    LiteRT lets the input gate be left out.
    """
    reals: dict[str, np.floating] = {}
    for gate, (of_input, of_state) in _GATES.items():
        if gate == "input" and not kernel.is_tflm and not kernel.has_input(of_input):
            continue
        for name, index, by in (("input", of_input, scale), ("state", of_state, state_scale)):
            weight_scale, _ = parameters_of(kernel.input(index))
            product = kernel.precision(by) * kernel.precision(weight_scale)
            reals[f"{name}_to_{gate}"] = np.float64(product) / 2.0**-12
    return reals


def _clip(kernel: Kernel, cell_scale: np.float32) -> int | None:
    """Return the largest cell state, as an integer; None if it is not clipped."""
    clip = np.float32(kernel.option("cell_clip", 0.0))
    if not clip > 0:
        return None
    precision = np.float64 if kernel.is_tflm else np.float32
    return int(min(precision(clip) / precision(cell_scale), 32767))


def _intermediate(kernel: Kernel, index: int) -> Tensor:
    tensors = kernel.operator.intermediates
    tensor = tensors[index] if index < len(tensors) else None
    if tensor is None:
        raise kernel.refused(f"needs intermediate tensor {index}, which is not there")
    return tensor
