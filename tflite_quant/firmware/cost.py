"""What a model costs to run and to store: multiply-accumulates and parameters.

A multiply-accumulate (MAC) is one product that is added to a sum, as in a convolution. Products of
padding count, as is usual; those of zeros in sparse weights do, too. Operators that do not sum
products, such as ADD or SOFTMAX, have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..format.budget import MAX_ARRAY_RANK
from ..format.schema import TensorType
from ..format.source import Source
from ..model.model import Model, open
from ..model.operands import bias_positions, operand_at, weight_positions
from ..model.operator import Operator
from ..model.tensor import Tensor

__all__ = ["ModelCost", "OperatorCost", "model_cost", "operator_cost"]

_REAL = (TensorType.FLOAT32, TensorType.FLOAT16, TensorType.BFLOAT16, TensorType.FLOAT64)


@dataclass(frozen=True)
class OperatorCost:
    """What one operator costs.

    Attributes
    ----------
    operator : Operator
    macs : int or None
        Multiply-accumulates of one run; None if they cannot be known, as of a custom operator.
    parameters : int
        Values of its constants that stand for real numbers: weights, biases, factors, tables.
        Shapes, axes and indices are none.
    """

    operator: Operator
    macs: int | None
    parameters: int


@dataclass(frozen=True)
class ModelCost:
    """What a model costs.

    Attributes
    ----------
    macs : int
        The sum over all operators whose number is known. Each subgraph counts once, however often
        it runs: of an IF both branches, of a WHILE one round.
    parameters : int
        As of an operator. What several of them share counts once.
    operators : tuple of OperatorCost
        Each operator of each subgraph, in their order.
    """

    macs: int
    parameters: int
    operators: tuple[OperatorCost, ...]

    @property
    def unknown(self) -> tuple[Operator, ...]:
        """The operators whose multiply-accumulates are not known."""
        return tuple(cost.operator for cost in self.operators if cost.macs is None)


def model_cost(model: Model | Source) -> ModelCost:
    """Return how many multiply-accumulates and parameters a model has.

    Parameters
    ----------
    model : Model, or what `open` takes

    Raises
    ------
    CorruptModelError
        The options of an operator cannot be read.
    TFLiteError, OSError
        The model cannot be opened.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> cost = tq.model_cost("fixtures/residual_int8.tflite")
    >>> cost.macs, cost.parameters
    (1848576, 29578)
    >>> [(each.operator.name, each.macs) for each in cost.operators][:2]
    [('CONV_2D', 1204224), ('MAX_POOL_2D', 0)]
    """
    if not isinstance(model, Model):
        with open(model) as opened:
            return model_cost(opened)
    graphs = model.subgraphs
    costs = tuple(operator_cost(operator) for graph in graphs for operator in graph.operators)
    # Subgraphs and tensors may share a buffer.
    sizes: dict[object, int] = {}
    for cost in costs:
        for tensor in _parameters(cost.operator):
            key = tensor.external_buffer or tensor.buffer.index
            sizes[key] = max(sizes.get(key, 0), _size(tensor))
    macs = sum(cost.macs for cost in costs if cost.macs is not None)
    return ModelCost(macs, sum(sizes.values()), costs)


def operator_cost(operator: Operator) -> OperatorCost:
    """Return how many multiply-accumulates and parameters an operator has.

    Parameters
    ----------
    operator : Operator

    Raises
    ------
    CorruptModelError
        Its options cannot be read.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
    ...     tq.operator_cost(model.operators[0]).macs
    1204224
    """
    return OperatorCost(operator, _macs(operator), sum(map(_size, _parameters(operator))))


def _size(tensor: Tensor) -> int:
    return max(0, math.prod(tensor.shape[:MAX_ARRAY_RANK]))


def _parameters(operator: Operator) -> list[Tensor]:
    """Return the constants that are parameters of an operator, or that these are made of."""
    name, count = operator.code.name, len(operator.inputs)
    if any(tensor is not None and tensor.converted for tensor in operator.outputs):
        # It only converts a constant, which is a parameter of those that read the result.
        return []
    positions = {*weight_positions(name, count), *bias_positions(name, count)}
    found: dict[Tensor, None] = {}
    for position, tensor in enumerate(operator.inputs):
        constant = None if tensor is None else _constant(tensor)
        is_real = constant is not None and (constant.type in _REAL or constant.is_quantized)
        if constant is not None and (is_real or position in positions):
            found[constant] = None
    return list(found)


def _constant(tensor: Tensor) -> Tensor | None:
    """Return the constant behind a tensor, if there is one."""
    found: Tensor | None = tensor
    while found is not None and not found.is_constant:
        conversion = found.converted
        found = None if conversion is None else conversion.inputs[0]
    return found


class _NoShapeError(Exception):
    """Operands are missing, or have too few dimensions."""


def _macs(operator: Operator) -> int | None:
    if operator.code.name == "CUSTOM":
        return None
    rule = _RULES.get(operator.code.name)
    try:
        return 0 if rule is None else rule(operator)
    except _NoShapeError:
        return None


def _input(operator: Operator, position: int) -> Tensor:
    tensor = operand_at(operator.inputs, position)
    if tensor is None:
        raise _NoShapeError
    return tensor


def _output(operator: Operator) -> Tensor:
    tensor = operand_at(operator.outputs, 0)
    if tensor is None:
        raise _NoShapeError
    return tensor


def _dimension(tensor: Tensor, axis: int) -> int:
    if not -len(tensor.shape) <= axis < len(tensor.shape):
        raise _NoShapeError
    return max(0, tensor.shape[axis])


def _convolution(operator: Operator) -> int:
    """Each output sums a filter: its height, width and input channels (of its group)."""
    weights = _input(operator, 1)
    return _size(_output(operator)) * (_size(weights) // max(1, _dimension(weights, 0)))


def _depthwise(operator: Operator) -> int:
    weights = _input(operator, 1)
    return _size(_output(operator)) * _dimension(weights, 1) * _dimension(weights, 2)


def _conv_3d(operator: Operator) -> int:
    """Each output sums a filter: its depth, height, width and input channels."""
    weights = _input(operator, 1)
    return _size(_output(operator)) * (_size(weights) // max(1, _dimension(weights, -1)))


def _transpose_conv(operator: Operator) -> int:
    """Each input goes through the filter of each output channel."""
    weights, inputs = _input(operator, 1), _input(operator, 2)
    return _size(inputs) * (_size(weights) // max(1, _dimension(weights, 3)))


def _conv_3d_transpose(operator: Operator) -> int:
    weights, inputs = _input(operator, 1), _input(operator, 2)
    return _size(inputs) * (_size(weights) // max(1, _dimension(weights, -1)))


def _fully_connected(operator: Operator) -> int:
    return _size(_output(operator)) * _dimension(_input(operator, 1), -1)


def _batch_matmul(operator: Operator) -> int:
    axis = -2 if operator.options.get("adj_x") else -1
    return _size(_output(operator)) * _dimension(_input(operator, 0), axis)


def _svdf(operator: Operator) -> int:
    """Features of the input, then of the filters' memory."""
    batches = _dimension(_input(operator, 0), 0)
    return batches * (_size(_input(operator, 1)) + _size(_input(operator, 2)))


def _recurrent(operator: Operator) -> int:
    """Each step multiplies each weight once; other than in RNN and LSTM, the input has steps."""
    inputs, name = _input(operator, 0), operator.code.name
    steps = _dimension(inputs, 0)
    if name not in ("RNN", "LSTM"):
        steps *= _dimension(inputs, 1)
    weights = (operator.inputs[at] for at in weight_positions(name, len(operator.inputs)))
    return steps * sum(_size(tensor) for tensor in weights if tensor is not None)


_RULES: Mapping[str, Callable[[Operator], int]] = {
    "BATCH_MATMUL": _batch_matmul,
    "BIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "BIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
    "CONV_2D": _convolution,
    "CONV_3D": _conv_3d,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "LSTM": _recurrent,
    "RNN": _recurrent,
    "SVDF": _svdf,
    "TRANSPOSE_CONV": _transpose_conv,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _recurrent,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _recurrent,
}
