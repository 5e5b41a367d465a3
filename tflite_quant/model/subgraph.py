"""A subgraph and its operators.

Both are views: an object knows which row of the model's columns it is, and reads when asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError
from ..format.columns import Tables
from ..format.operator_options import Options, builtin_options, custom_options
from ..format.schema import builtin_operator_name
from ..format.structure import Access
from ..format.vectors import require_modest
from .tensor import Tensor

__all__ = ["Operator", "Subgraph", "counted", "require_modest_options"]


class Subgraph:
    """One graph of operators and tensors.

    `subgraph[3]` gives a tensor by index, `subgraph["name"]` by name.

    Attributes
    ----------
    index : int
    """

    def __init__(self, index: int, access: Access) -> None:
        self.index = index
        self._access = access

    def __repr__(self) -> str:
        return (
            f"Subgraph({self.index}, {self.name!r}, {counted(self.tensors, 'tensor')}, "
            f"{counted(self.operators, 'operator')})"
        )

    @property
    def name(self) -> str:
        """The subgraph's name; empty if it has none."""
        return self._access.structure.subgraphs[self.index].string("name") or ""

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, by index."""
        start, end = self._access.structure.tensor_bounds[self.index : self.index + 2].tolist()
        return tuple(
            Tensor(self.index, row - start, row, self._access) for row in range(start, end)
        )

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """All operators, in the order in which they run."""
        start, end = self._access.structure.operator_bounds[self.index : self.index + 2].tolist()
        return tuple(Operator(self, row - start, row, self._access) for row in range(start, end))

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that are fed in."""
        return self._listed("inputs")

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that are the result."""
        return self._listed("outputs")

    def _listed(self, field: str) -> tuple[Tensor, ...]:
        indices = self._access.structure.subgraphs[self.index].vector(field).tolist()
        return tuple(self.tensors[index] for index in indices)

    @cached_property
    def _indices(self) -> dict[str, list[int]]:
        """The indices of the tensors of each name."""
        start, end = self._access.structure.tensor_bounds[self.index : self.index + 2].tolist()
        indices: dict[str, list[int]] = {}
        names = self._access.structure.tensors.strings("name", slice(start, end))
        for index, name in enumerate(names):
            indices.setdefault(name, []).append(index)
        return indices

    def __getitem__(self, key: str | int) -> Tensor:
        """Give a tensor by its name or index.

        Raises
        ------
        KeyError
            No tensor has the name, or several have; the message has the nearest names, or the
            indices.
        IndexError
            There are not so many tensors.
        """
        if not isinstance(key, str):
            try:
                return self.tensors[key]
            except IndexError:
                count = counted(self.tensors, "tensor")
                raise IndexError(f"no tensor {key}: subgraph {self.index} has {count}") from None
        indices = self._indices.get(key, [])
        if len(indices) == 1:
            return self.tensors[indices[0]]
        if indices:
            raise KeyError(f"tensors {indices} of subgraph {self.index} have the name {key!r}")
        import difflib  # noqa: PLC0415  # a tenth of this library's import time, for a rare error

        near = difflib.get_close_matches(key, self._indices, n=3)
        hint = f"; the nearest are {near}" if near else ""
        raise KeyError(f"subgraph {self.index} has no tensor {key!r}{hint}")


class Operator:
    """One step of a subgraph.

    Attributes
    ----------
    subgraph : Subgraph
    index : int
        The operator's index in the subgraph.
    """

    def __init__(self, subgraph: Subgraph, index: int, row: int, access: Access) -> None:
        self.subgraph = subgraph
        self.index = index
        self._row = row
        self._access = access

    def __repr__(self) -> str:
        def indices(tensors: tuple[Tensor | None, ...]) -> list[int]:
            return [-1 if tensor is None else tensor.index for tensor in tensors]

        custom = "" if self.custom_name is None else f" {self.custom_name!r}"
        return (
            f"Operator({self.index}, {self.name}{custom}, version {self.version}, "
            f"inputs {indices(self.inputs)}, outputs {indices(self.outputs)})"
        )

    @property
    def _tables(self) -> Tables:
        return self._access.structure.operators

    @property
    def _code(self) -> tuple[Tables, int]:
        index = self._tables.number("opcode_index", self._row)
        return self._access.structure.operator_codes, index

    @property
    def code(self) -> int:
        """The number of the builtin operator.

        It was a byte once; of that field and the wider one that replaced it, the larger counts
        (google-ai-edge/LiteRT, tflite/converter/schema/schema_utils.cc, GetBuiltinCode).
        """
        codes, index = self._code
        fields = ("builtin_code", "deprecated_builtin_code")
        return max(int(codes.number(field, index)) for field in fields)

    @property
    def name(self) -> str:
        """The name of the builtin operator, such as CONV_2D; CUSTOM for all others."""
        return builtin_operator_name(self.code)

    @property
    def custom_name(self) -> str | None:
        """The name of a custom operator; None for a builtin one."""
        codes, index = self._code
        return codes.string("custom_code", index)

    @property
    def version(self) -> int:
        """The version of the operator."""
        codes, index = self._code
        return int(codes.number("version", index))

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:
        """The tensors it reads; None where it leaves out an optional one."""
        return self._listed("inputs")

    @property
    def outputs(self) -> tuple[Tensor | None, ...]:
        """The tensors it writes."""
        return self._listed("outputs")

    @property
    def intermediates(self) -> tuple[Tensor | None, ...]:
        """Tensors that carry the parameters of what it computes inside, as in an LSTM."""
        return self._listed("intermediates")

    @property
    def options(self) -> Mapping[str, object]:
        """What the operator was told beside its tensors, by the names of the schema's fields.

        A read-only mapping to plain values: numbers (enumerations too), strings, tuples of
        numbers, `bytes`. It is empty for an operator without builtin options, and for options
        that are newer than this library; `options_name` has their name or number.

        Raises
        ------
        CorruptModelError
            The options run past the end of the file.
        """
        found = self._builtin_options
        return MappingProxyType({}) if found is None else found.values

    @property
    def options_name(self) -> str | None:
        """The name of the table of builtin options, such as Conv2DOptions; None without one."""
        found = self._builtin_options
        return None if found is None else found.name

    @property
    def _builtin_options(self) -> Options | None:
        for union, field in ((1, "builtin_options"), (2, "builtin_options2")):
            member = self._tables.number(f"{field}_type", self._row)
            position = int(self._tables.references(field)[self._row])
            if member:
                place = self._tables.place(self._row)
                return builtin_options(self._access.structure.file, union, member, position, place)
        return None

    @property
    def custom_data(self) -> NDArray[np.uint8]:
        """The bytes of a custom operator's options; empty if it has none. A read-only view."""
        file, tables = self._access.structure.file, self._tables
        offset = tables.number("large_custom_options_offset", self._row)
        size = tables.number("large_custom_options_size", self._row)
        if offset <= 1:
            return tables.vector("custom_options", self._row)
        if offset > file.size or size > file.size - offset:
            raise CorruptModelError(
                f"{tables.place(self._row)}: its {size:_} bytes of custom options run past the "
                f"end of the file (offset {offset:_} of {file.size:_})"
            )
        return file.view(offset, size, np.dtype(np.uint8))

    @property
    def custom_options(self) -> dict[str, object] | None:
        """The custom options, where they are a FlexBuffer map; else None.

        Raises
        ------
        CorruptModelError
            They look like a FlexBuffer map, and are none. `custom_data` has the bytes.
        """
        return custom_options(self.custom_data.tobytes(), self._tables.place(self._row))

    @property
    def _options_place(self) -> tuple[int, ...]:
        """Where options lie that are not in the operator's own table: several may share them."""
        tables, row = self._tables, self._row
        references = (
            tables.references(name)[row] for name in ("builtin_options", "builtin_options2")
        )
        numbers = ("large_custom_options_offset", "large_custom_options_size")
        return (*map(int, references), *(int(tables.number(name, row)) for name in numbers))

    def _options_size(self) -> int:
        """Give the bytes of the vectors and strings in them."""
        try:
            values = [v for v in self.options.values() if isinstance(v, tuple | bytes | str)]
            large = self._tables.number("large_custom_options_offset", self._row) > 1
            return sum(map(len, values)) + (self.custom_data.size if large else 0)
        except CorruptModelError:
            # What is broken is not shown.
            return 0

    def _listed(self, field: str) -> tuple[Tensor | None, ...]:
        tensors = self.subgraph.tensors
        indices = self._tables.vector(field, self._row).tolist()
        return tuple(None if index < 0 else tensors[index] for index in indices)


def require_modest_options(subgraphs: Iterable[Subgraph]) -> None:
    """Refuse operators that share large options so much that showing all takes long.

    Raises
    ------
    CorruptModelError
    """
    sizes: dict[tuple[int, ...], int] = {}
    total = 0
    for subgraph in subgraphs:
        for operator in subgraph.operators:
            place = operator._options_place
            if place not in sizes:
                sizes[place] = operator._options_size()
            total += sizes[place]
            file = operator._access.structure.file
            require_modest(file, total, "the options of operators")


def counted(things: tuple[object, ...], word: str) -> str:
    """Say how many things there are: '1 tensor', '2 tensors'."""
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"
