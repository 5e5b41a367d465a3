"""Which inputs of an operator are its weights, and which its biases, by their positions.

The positions are those of the kernels (google-ai-edge/LiteRT, tflite/kernels: conv.cc,
transpose_conv.cc, svdf.cc, basic_rnn.cc, lstm.cc, bidirectional_sequence_lstm.cc and others).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_WEIGHTS: Mapping[str, Sequence[int]] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 12), 16, *range(18, 29), 33, *range(40, 48)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 5, 6, 10, 11),
    "CONV_2D": (1,),
    "CONV_3D": (1,),
    "CONV_3D_TRANSPOSE": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "EMBEDDING_LOOKUP": (1,),
    "FULLY_CONNECTED": (1,),
    "LSTM": (*range(1, 12), 16, *range(20, 24)),
    "PRELU": (1,),
    "RNN": (1, 2),
    "SVDF": (1, 2),
    "TRANSPOSE_CONV": (1,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 12), 16, *range(20, 24)),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2),
}
_BIASES: Mapping[str, Sequence[int]] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(12, 16), 17, *range(29, 33), 34),
    "BIDIRECTIONAL_SEQUENCE_RNN": (3, 7),
    "CONV_2D": (2,),
    "CONV_3D": (2,),
    "CONV_3D_TRANSPOSE": (3,),
    "DEPTHWISE_CONV_2D": (2,),
    "FULLY_CONNECTED": (2,),
    "LSTM": (*range(12, 16), 17),
    "RNN": (3,),
    "SVDF": (3,),
    "TRANSPOSE_CONV": (3,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (*range(12, 16), 17),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (3,),
}
_BASIC_LSTM_INPUTS, _BASIC_LSTM_WEIGHTS, _BASIC_LSTM_BIAS = 5, (2,), (3,)
"""An LSTM with the basic kernel has these inputs: input, state, weights, bias, state."""


def operand_at(operands: Sequence[T | None], position: int) -> T | None:
    """Return one of an operator's inputs or outputs; None where it is left out, or not there.

    A file may have fewer of them than the operator's kernel reads.

    Examples
    --------
    >>> operand_at(("input", None), 0), operand_at(("input", None), 1), operand_at((), 0)
    ('input', None, None)
    """
    return operands[position] if position < len(operands) else None


def weight_positions(operator: str, inputs: int) -> Sequence[int]:
    """Return which inputs of an operator are weights.

    Parameters
    ----------
    operator : str
        The name of the builtin operator.
    inputs : int
        How many inputs it has.

    Examples
    --------
    >>> weight_positions("CONV_2D", 3), weight_positions("ADD", 2), weight_positions("LSTM", 5)
    ((1,), (), (2,))
    """
    return _positions(_WEIGHTS, _BASIC_LSTM_WEIGHTS, operator, inputs)


def bias_positions(operator: str, inputs: int) -> Sequence[int]:
    """Return which inputs of an operator are biases; see `weight_positions`.

    Examples
    --------
    >>> bias_positions("CONV_2D", 3), bias_positions("CONV_2D", 2), bias_positions("LSTM", 5)
    ((2,), (), (3,))
    """
    return _positions(_BIASES, _BASIC_LSTM_BIAS, operator, inputs)


def _positions(
    table: Mapping[str, Sequence[int]], of_basic: Sequence[int], operator: str, inputs: int
) -> Sequence[int]:
    is_basic = operator == "LSTM" and inputs == _BASIC_LSTM_INPUTS
    positions = of_basic if is_basic else table.get(operator, ())
    return tuple([position for position in positions if position < inputs])
