"""What reading the values of constants may cost, of which many may share the same bytes."""

from __future__ import annotations

from ..errors import UnsupportedError
from ..format.budget import CHARACTER_COST, Budget
from ..model.model import Model
from ..model.tensor import Tensor
from .constants import Constant

_PER_BYTE = 64
"""Bytes that a comparison may cost for each byte of a file: int2 has 4 values in a byte."""
_VALUE_COST, _GROUP_COST, _TENSOR_COST = 4, 256, 16_384
"""What a value costs, a channel or block, and a tensor: time, too."""


class Purse:
    """What comparing may cost of one model: many of its tensors may share the same values."""

    def __init__(self, model: Model) -> None:
        self._budget = Budget(model.structure.file.size, _PER_BYTE)
        self._known: dict[str, int] = {}

    def cost(self, constant: Constant) -> int:
        """Return what it costs to read and compare a constant.

        Raises
        ------
        TFLiteError
            The constant cannot be read, or costs more than the whole budget.
        """
        tensor, stored = constant.tensor, constant.stored
        if stored.is_constant and not stored.is_sparse:
            # Values that the file does not have are refused here, whatever the shape says.
            stored.stored  # noqa: B018
        self._know_file_of(stored)
        axis, scales = constant.channel_axis, stored.quantization.scales
        groups = max(
            1 if axis is None else tensor.shape[axis], 0 if scales is None else scales.size
        )
        count = max(tensor.size, stored.size, 0)
        cost = _TENSOR_COST + _GROUP_COST * groups + _VALUE_COST * count
        if cost > self._budget.limit:
            raise UnsupportedError(f"{count:_} values are too many for a file of this size")
        return cost + CHARACTER_COST * sum(map(len, constant.names))

    def _know_file_of(self, stored: Tensor) -> None:
        """Let the bytes of a file beside the model count like those of the model."""
        external = stored.external_buffer
        if external is not None:
            more = external.offset + external.length - self._known.get(external.file, 0)
            if more > 0:
                self._known[external.file] = external.offset + external.length
                self._budget.limit += _PER_BYTE * more

    def spend(self, cost: int) -> None:
        """Charge what is about to be read.

        Raises
        ------
        CorruptModelError
            All that was charged exceeds the limit.
        """
        self._budget.spend(cost, "comparing tensors that share values")
