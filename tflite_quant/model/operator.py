"""An operator: what it computes, on which tensors, and with which options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from ..format.budget import Budget
from ..format.flexbuffer import read_map
from ..format.operator_options import Options, options_of
from ..format.schema import OpenEnum
from ..format.tables import OperatorCode, Structure
from .once import cached_property
from .operands import bias_positions, weight_positions
from .tensor import Tensor

if TYPE_CHECKING:
    from .subgraph import Subgraph

_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


class Operator:
    """One step of a subgraph.

    Attributes
    ----------
    subgraph_index, index : int
        Which subgraph of the model the operator belongs to, and its index there.
    code : IntEnum
        The builtin operator, such as `BuiltinOperator.CONV_2D`; `BuiltinOperator.CUSTOM` for a
        custom one. It is the schema's number, too.
    name : str
        The name of a custom operator, if it has one; else that of the builtin one: CONV_2D.
    custom_name : str or None
        The name of a custom operator; None for a builtin one.
    version : int
        The version of the operator.
    inputs : tuple of Tensor or None
        The tensors that it reads; None where an optional one is left out.
    outputs : tuple of Tensor or None
        The tensors that it writes.
    intermediates : tuple of Tensor or None
        Tensors with the quantization parameters of its internal results, as in an LSTM.
    """

    subgraph_index: int
    index: int
    code: OpenEnum
    custom_name: str | None
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]
    intermediates: tuple[Tensor | None, ...]

    def __init__(
        self,
        subgraph: Subgraph,
        shared: _OptionsOfAll,
        index: int,
        code: OperatorCode,
        inputs: tuple[Tensor | None, ...],
        outputs: tuple[Tensor | None, ...],
        intermediates: tuple[Tensor | None, ...],
    ) -> None:
        self._home, self._shared = subgraph.home, shared
        self.subgraph_index, self.index = subgraph.index, index
        self.code, self.custom_name, self.version = code
        is_custom = self.code.name == "CUSTOM"
        self.name: str = (is_custom and self.custom_name) or self.code.name
        self.inputs, self.outputs, self.intermediates = inputs, outputs, intermediates

    def __repr__(self) -> str:
        def indices(tensors: tuple[Tensor | None, ...]) -> list[int]:
            return [-1 if tensor is None else tensor.index for tensor in tensors]

        custom = "" if self.custom_name is None else f" {self.custom_name!r}"
        return (
            f"Operator({self.index}, {self.code.name}{custom}, version {self.version}, "
            f"inputs {indices(self.inputs)}, outputs {indices(self.outputs)})"
        )

    @property
    def subgraph(self) -> Subgraph:
        """The subgraph that the operator belongs to."""
        return self._home.subgraph

    @property
    def weights(self) -> Tensor | None:
        """The tensor with its weights; None for an operator that has none, or several tensors."""
        return self._only_operand(weight_positions(self.code.name, len(self.inputs)))

    @property
    def bias(self) -> Tensor | None:
        """The tensor with its bias; None for an operator that has none, or several."""
        return self._only_operand(bias_positions(self.code.name, len(self.inputs)))

    def _only_operand(self, positions: Sequence[int]) -> Tensor | None:
        return self.inputs[positions[0]] if len(positions) == 1 else None

    @property
    def activation(self) -> IntEnum | None:
        """The fused activation, such as `ActivationFunctionType.RELU`; None if it can have none.

        Raises
        ------
        CorruptModelError, ValueError
            As `options`.
        """
        activation = self.options.get("fused_activation_function")
        return activation if isinstance(activation, IntEnum) else None

    @property
    def options(self) -> Mapping[str, object]:
        """The operator's builtin options, by the names of the schema's fields.

        A read-only mapping to plain values: numbers, members of enumerations such as
        `Padding.SAME`, which are numbers too, strings, tuples of numbers, `bytes`. It is empty for
        an operator without builtin options, and for options that are newer than this library;
        `options_name` has their name or number.

        Raises
        ------
        CorruptModelError
            The options run past the end of the file, or so many operators share them that they
            would take more than the file's budget.
        ValueError
            The model is closed, and no options of this subgraph were read before.
        """
        options = self._builtin_options
        return _NO_OPTIONS if options is None else options.values

    @property
    def options_name(self) -> str | None:
        """The name of the table of builtin options, such as Conv2DOptions; None without one."""
        options = self._builtin_options
        return None if options is None else options.name

    @property
    def _builtin_options(self) -> Options | None:
        options = self._shared.options[self.index]
        if isinstance(options, CorruptModelError):
            raise CorruptModelError(str(options))
        return options

    @property
    def custom_data(self) -> NDArray[np.uint8]:
        """The bytes of a custom operator's options; empty if it has none. A read-only view."""
        tables, file = self._shared.structure.operators, self._shared.structure.file
        rows = slice(row := self._shared.rows.start + self.index, row + 1)
        names = ("large_custom_options_offset", "large_custom_options_size")
        offset, size = (int(tables.numbers(name, rows)[0]) for name in names)
        if offset <= 1:
            return tables.vectors("custom_options", rows).view(0)
        if offset > file.size or size > file.size - offset:
            raise CorruptModelError(
                f"{tables.label(row)}: custom options run past the end of the file with a size of "
                f"{size:_} (offset {offset:_} of {file.size:_})"
            )
        return file.view(offset, size, np.dtype(np.uint8))

    @property
    def custom_options(self) -> dict[str, object] | None:
        """The custom options, if they are a FlexBuffer map; else None.

        Raises
        ------
        CorruptModelError
            They look like a FlexBuffer map, but are not one. `custom_data` has the bytes.
        """
        shared, fresh = self._shared, Budget(self._shared.structure.file.size)
        options = self.read_custom_options(fresh if self.index in shared.paid else shared.budget)
        shared.paid.add(self.index)
        return options

    def read_custom_options(self, budget: Budget) -> dict[str, object] | None:
        """Read `custom_options` for a larger question, whose budget is charged."""
        label = f"subgraph {self.subgraph_index}, operator {self.index}"
        return read_map(self.custom_data.tobytes(), label, budget)


class _OptionsOfAll:
    """The options of all operators of a subgraph, read together when the first are asked for."""

    structure: Structure
    rows: slice
    budget: Budget
    paid: set[int]

    def __init__(self, structure: Structure, rows: slice) -> None:
        self.structure, self.rows = structure, rows
        # Custom options are read anew each time. They are charged here only the first time.
        self.budget, self.paid = Budget(structure.file.size), set[int]()

    @cached_property
    def options(self) -> list[Options | CorruptModelError | None]:
        """The options of each operator, or the error that says why they cannot be read."""
        return options_of(self.structure.operators, self.structure.file.afresh(), self.rows)


def make_operators(structure: Structure, subgraph: Subgraph) -> tuple[Operator, ...]:
    """Make the operators of a subgraph from the columns.

    Raises
    ------
    ValueError
        The model is closed.
    """
    rows = slice(*structure.operator_bounds[subgraph.index : subgraph.index + 2].tolist())
    # The index -1 means no tensor, and finds the None at the end.
    tensors = (*subgraph.tensors, None)
    operands = [
        [tuple([tensors[index] for index in indices]) for indices in vectors.lists()]
        for vectors in (
            structure.operators.vectors(name, rows)
            for name in ("inputs", "outputs", "intermediates")
        )
    ]
    indices = structure.operators.numbers("opcode_index", rows).tolist()
    codes, shared = structure.codes, _OptionsOfAll(structure, rows)
    columns = zip([codes[index] for index in indices], *operands, strict=True)
    return tuple([Operator(subgraph, shared, index, *facts) for index, facts in enumerate(columns)])
