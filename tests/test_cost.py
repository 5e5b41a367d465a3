"""Multiply-accumulates are those of LiteRT's kernels, and parameters those of the models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tflite

import tflite_quant as tq
from conftest import ROOT
from tests import build, faults, oracle

VALID = tflite.Padding.VALID
STRIDES = {"padding": VALID, "stride_h": 2, "stride_w": 3}
DILATIONS = {"dilation_h_factor": 1, "dilation_w_factor": 1}
VOLUME = {**DILATIONS, "padding": VALID, "stride_d": 1, "stride_h": 1, "stride_w": 2,
          "dilation_d_factor": 1}  # fmt: skip


def ones(*shape: int) -> build.TensorSpec:
    return build.constant(np.ones(shape, np.float32))


def zeros(*shape: int) -> build.TensorSpec:
    return build.constant(np.zeros(shape, np.float32))


def spec(*shape: int) -> build.TensorSpec:
    return build.TensorSpec("t", shape, tflite.TensorType.FLOAT32)


def shape_of(*shape: int) -> build.TensorSpec:
    return build.constant(np.array(shape, np.int32))


# Each with weights of ones, and without padding: then an output is the number of its products.
@pytest.mark.parametrize(
    ("name", "inputs", "output", "table", "options"),
    [
        ("CONV_2D", [spec(2, 9, 8, 3), ones(5, 3, 2, 3), zeros(5)], spec(2, 4, 3, 5),
         "Conv2DOptions", {**STRIDES, **DILATIONS}),
        ("CONV_2D", [spec(1, 4, 4, 6), ones(9, 3, 3, 2), zeros(9)], spec(1, 1, 1, 9),
         "Conv2DOptions", {**STRIDES, **DILATIONS}),
        ("DEPTHWISE_CONV_2D", [spec(2, 9, 8, 3), ones(1, 3, 2, 6)], spec(2, 4, 3, 6),
         "DepthwiseConv2DOptions", {**STRIDES, **DILATIONS, "depth_multiplier": 2}),
        ("CONV_3D", [spec(1, 4, 5, 6, 3), ones(2, 3, 2, 3, 4)], spec(1, 3, 3, 3, 4),
         "Conv3DOptions", VOLUME),
        ("CONV_3D_TRANSPOSE",
         [shape_of(1, 4, 5, 6, 3), ones(2, 3, 2, 3, 4), spec(1, 3, 3, 3, 4)],
         spec(1, 4, 5, 6, 3), "Conv3DOptions", VOLUME),
        ("TRANSPOSE_CONV", [shape_of(2, 9, 8, 3), ones(3, 3, 2, 5), spec(2, 4, 3, 5)],
         spec(2, 9, 8, 3), "TransposeConvOptions", STRIDES),
        ("FULLY_CONNECTED", [spec(3, 7), ones(4, 7)], spec(3, 4), "FullyConnectedOptions", {}),
        ("FULLY_CONNECTED", [spec(3, 2, 7), ones(4, 7)], spec(3, 2, 4),
         "FullyConnectedOptions", {"keep_num_dims": True}),
        ("BATCH_MATMUL", [spec(2, 3, 4), spec(2, 4, 5)], spec(2, 3, 5), "BatchMatMulOptions", {}),
        ("BATCH_MATMUL", [spec(2, 4, 3), spec(2, 5, 4)], spec(2, 3, 5),
         "BatchMatMulOptions", {"adj_x": True, "adj_y": True}),
    ],
)  # fmt: skip
def test_macs_are_the_products_that_the_kernel_sums(
    name: str,
    inputs: list[build.TensorSpec],
    output: build.TensorSpec,
    table: str,
    options: dict[str, Any],
) -> None:
    given = faults.options(table, **options)
    content = faults.operator(name, inputs, [output], **given)
    runner = oracle.interpreter(content, reference=True)
    with oracle.quiet():
        runner.allocate_tensors()
        for detail in runner.get_input_details():
            runner.set_tensor(detail["index"], np.ones(detail["shape"], np.float32))
        runner.invoke()
    sums = runner.get_tensor(runner.get_output_details()[0]["index"])
    assert sums.shape == output.shape
    assert tq.model_cost(content).macs == sums.sum()


def test_recurrent_layers_multiply_each_weight_at_each_step() -> None:
    """Keras's layer LSTM(32) has so many parameters, for an input of 8 steps of 16 values."""
    weights, biases = 4 * (16 + 32) * 32, 4 * 32
    with tq.open(ROOT / "fixtures/lstm_int8.tflite") as model:
        cost = tq.operator_cost(model.operators[0])
    assert (cost.macs, cost.parameters) == (8 * weights, weights + biases)


def test_quantizing_changes_no_count() -> None:
    paths = sorted(ROOT.glob("fixtures/residual_*.tflite"))
    costs = [tq.model_cost(path) for path in paths]
    assert len(paths) >= 7
    assert len({(cost.macs, cost.parameters) for cost in costs}) == 1
    assert costs[0].macs == sum(cost.macs or 0 for cost in costs[0].operators)


def test_shared_parameters_count_once() -> None:
    tensors = [spec(1, 4), ones(4, 4), spec(1, 4), spec(1, 4)]
    code = tflite.BuiltinOperator.FULLY_CONNECTED
    operators = [build.OperatorSpec(code, [at, 1, -1], [at + 2 - at // 2]) for at in (0, 2)]
    cost = tq.model_cost(build.model(build.SubgraphSpec(tensors, [0], [3], operators)))
    assert [each.parameters for each in cost.operators] == [16, 16]
    assert (cost.macs, cost.parameters) == (32, 16)


def test_custom_operators_are_not_known() -> None:
    code = tflite.BuiltinOperator.CUSTOM
    mine = build.OperatorSpec(code, [0], [1], custom="Mine")
    no_weights = build.OperatorSpec(tflite.BuiltinOperator.CONV_2D, [0], [1])
    graph = build.SubgraphSpec([spec(4), spec(4)], [0], [1], [mine, no_weights])
    cost = tq.model_cost(build.model(graph))
    assert [operator.index for operator in cost.unknown] == [0, 1]
    assert cost.macs == 0
