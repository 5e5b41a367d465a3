"""The constants of a model that have real values: what operators read as weights and biases.

A constant may go through operators before it is read: weights in float16 through a DEQUANTIZE,
sparse ones through a DENSIFY. Then the tensor that comes out is the constant, with the name and the
integers of what goes in. Constants that are the scales of another, and the input of such an
operator, are not listed apart. Shapes, indices and other integers that have no scale are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arithmetic.affine import are_exact, dequantize_exactly
from ..errors import UnsupportedError
from ..format.schema import INTEGER_RANGES, TensorType
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.quantization import PerAxis, PerTensor, Quantization
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor

_FLOATS = frozenset(
    {
        TensorType.FLOAT64, TensorType.FLOAT32, TensorType.FLOAT16, TensorType.BFLOAT16,
        TensorType.FLOAT8_E4M3FN, TensorType.FLOAT8_E5M2,
    }
)  # fmt: skip
_VIEWED = frozenset({TensorType.FLOAT64, TensorType.FLOAT32, TensorType.FLOAT16})
_CHANNELS = {"CONV_3D": -1, "CONV_3D_TRANSPOSE": -2, "DEPTHWISE_CONV_2D": -1}
"""The axis of the output channels of weights; 0 for all other operators. Source:
google-ai-edge/LiteRT, tflite/kernels, conv3d.cc, conv3d_transpose.cc and depthwise_conv.cc."""
_LONGEST_CHAIN = 3


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant as operators read it.

    Attributes
    ----------
    tensor : Tensor
        The tensor that operators read: a constant, or what an operator makes of one.
    stored : Tensor
        The tensor whose integers and scales it has: itself, or what a DEQUANTIZE reads.
    names : tuple of str
        The name of the constant, and of what operators make of it.
    operator : Operator or None
        The first operator that reads it and is no conversion.
    operand : int
        Which input of that operator it is; -1 without one.
    """

    tensor: Tensor
    stored: Tensor
    names: tuple[str, ...]
    operator: Operator | None
    operand: int

    @property
    def name(self) -> str:
        """The name of the constant."""
        return self.names[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its real values."""
        return self.tensor.shape

    @property
    def role(self) -> str:
        """What it is for: weight, bias or constant."""
        return self.tensor.role

    @property
    def place(self) -> tuple[int, int, int]:
        """Where it stands in the order in which the operators run."""
        operators = len(self.tensor.subgraph.operators)
        index = operators if self.operator is None else self.operator.index
        return self.tensor.subgraph_index, index, self.operand

    @property
    def channel_axis(self) -> int | None:
        """The axis with the channels: that of the scales, or that of the operator's outputs."""
        scheme, rank = self.stored.quantization, len(self.shape)
        if isinstance(scheme, PerAxis):
            return scheme.axis if 0 <= scheme.axis < rank else None
        if self.role != "weight" or rank < 2:
            return None
        name = "" if self.operator is None else self.operator.code.name
        return _CHANNELS.get(name, 0) % rank


class Values(NamedTuple):
    """The values of a constant.

    Attributes
    ----------
    real : ndarray of floats, or None
        The real values; None if they are computed of the integers block by block.
    integers : ndarray of integers, or None
        The stored integers; None where there are none.
    scheme : Quantization
        What the integers stand for.
    ends : (int, int) or None
        The lowest and the highest integer of the type.
    """

    real: NDArray[Any] | None
    integers: NDArray[Any] | None
    scheme: Quantization
    ends: tuple[int, int] | None

    def block(
        self, integers: NDArray[Any], groups: slice, out: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return the real values of a block of the integers, shape (before, groups, after)."""
        scales, zeros = self.scheme.scales, self.scheme.zero_points
        assert scales is not None
        assert zeros is not None
        # Scales are float32 here, and one or as many as there are groups; so are zero points.
        if scales.size > 1:
            scales = scales[groups, np.newaxis]
        if zeros.size > 1:
            zeros = zeros[groups, np.newaxis]
        memory = out[: integers.size].reshape(integers.shape)
        shift = zeros.astype(np.float32) if np.count_nonzero(zeros) else None
        dequantize_exactly(integers, memory, scales, shift)
        return memory


def values_of(constant: Constant) -> Values:
    """Read the values of a constant.

    Raises
    ------
    TFLiteError
        They cannot be read, or have no real values.
    """
    stored = constant.stored
    if stored.type in _VIEWED and stored.is_constant and not stored.is_quantized:
        # Not the copy that `dequantize` makes.
        return Values(stored.data, None, stored.quantization, None)
    integers = _integers(stored) if stored.is_quantized else None
    scheme, ends = stored.quantization, INTEGER_RANGES.get(stored.type)
    if integers is None or not _by_blocks(integers, scheme):
        return Values(constant.tensor.dequantize(), integers, scheme, ends)
    return Values(None, integers, scheme, ends)


def _integers(stored: Tensor) -> NDArray[Any] | None:
    """Return the integers of a tensor; None where they cannot be had."""
    operator = None if stored.is_constant else stored.converted
    if operator is not None and operator.code.name == "DENSIFY" and operator.inputs[0] is not None:
        stored = operator.inputs[0]
    try:
        data = stored.data
    except UnsupportedError:
        # Of weights that are decoded while the model runs, or of an unknown type.
        return None
    return data if data.dtype.kind in "iu" else None


def _by_blocks(integers: NDArray[Any], scheme: Quantization) -> bool:
    """Return whether blocks have the bits of the whole: a wide integer's depend on all scales."""
    if integers.dtype.itemsize > 2 or not isinstance(scheme, PerTensor | PerAxis):
        return False
    scales, zeros = scheme.scales, scheme.zero_points
    if not (np.isfinite(scales).all() and are_exact(zeros) and zeros.size in (1, scales.size)):
        return False
    if isinstance(scheme, PerTensor):
        return True
    is_axis = 0 <= scheme.axis < integers.ndim
    return is_axis and scales.size == integers.shape[scheme.axis] and zeros.size > 0


class Constants(NamedTuple):
    """The constants of a model.

    Attributes
    ----------
    real : list of Constant
        Those that have real values, or should have, as weights.
    others : int
        How many others there are, such as shapes and indices.
    """

    real: list[Constant]
    others: int


def constants_of(model: Model) -> Constants:
    """Return the constants of all subgraphs, in the order in which operators read them.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_float16.tflite") as model:
    ...     found = constants_of(model)
    ...     len(found.real), found.others, found.real[0].operator.name, found.real[0].stored.type
    (16, 1, 'CONV_2D', <TensorType.FLOAT16: 1>)
    """
    everything = [each for graph in model.subgraphs for each in _of_a_subgraph(graph)]
    real = [each for each in everything if _is_real(each)]
    return Constants(sorted(real, key=lambda each: each.place), len(everything) - len(real))


def _is_real(constant: Constant) -> bool:
    is_number = constant.stored.type in _FLOATS or constant.stored.is_quantized
    return is_number or constant.role in ("weight", "bias")


def _of_a_subgraph(graph: Subgraph) -> Iterator[Constant]:
    connections = graph.connections
    readers = _readers(graph)
    parameters = _parameters(graph)
    for tensor in graph.tensors:
        if not tensor.is_constant and tensor.index not in connections.converted:
            continue
        reader, operand = readers.get(tensor.index, (None, -1))
        if tensor.index in parameters or (reader is None and tensor.index in connections.consumers):
            continue
        names, stored = _origin(tensor)
        yield Constant(tensor, stored, names, reader, operand)


def _readers(graph: Subgraph) -> dict[int, tuple[Operator, int]]:
    """Return the first operator that reads each tensor and is no conversion, and as which input."""
    conversions = {operator.index for operator in graph.connections.converted.values()}
    readers: dict[int, tuple[Operator, int]] = {}
    for operator in graph.operators:
        if operator.index not in conversions:
            for position, tensor in enumerate(operator.inputs):
                if tensor is not None:
                    readers.setdefault(tensor.index, (operator, position))
    return readers


def _parameters(graph: Subgraph) -> set[int]:
    """Return the indices of the tensors that are scales or zero points of others."""
    schemes = (tensor.quantization for tensor in graph.tensors)
    return {
        index
        for scheme in schemes
        if isinstance(scheme, Blockwise | MultiAxis)
        for index in (scheme.scales_tensor, scheme.zero_points_tensor)
    }


def _origin(tensor: Tensor) -> tuple[tuple[str, ...], Tensor]:
    """Return the names of a constant, its own first, and the tensor with its integers."""
    names, stored, source = [tensor.name], tensor, tensor
    is_dequantized = True
    for _ in range(_LONGEST_CHAIN):
        operator = None if source.is_constant else source.converted
        if operator is None or operator.code.name not in ("DEQUANTIZE", "DENSIFY"):
            break
        if operator.inputs[0] is None:
            break
        source = operator.inputs[0]
        names.insert(0, source.name)
        is_dequantized &= operator.code.name == "DEQUANTIZE"
        if is_dequantized:
            stored = source
    return tuple(dict.fromkeys(names)), stored
