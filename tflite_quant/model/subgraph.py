"""A subgraph: one graph of operators and tensors."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import plural
from ..format.tables import Structure
from .once import cached_property
from .operator import Operator, make_operators
from .tensor import Tensor, make_tensors


class Subgraph:
    """One graph of operators and tensors.

    `subgraph[3]` returns a tensor by index, `subgraph["name"]` by name.

    Attributes
    ----------
    index : int
    name : str
        The subgraph's name; empty if it has none.
    """

    def __init__(self, structure: Structure, index: int) -> None:
        self._structure, self.index = structure, index
        (self.name,) = structure.subgraphs.strings("name", self._row)

    def __repr__(self) -> str:
        return (
            f"Subgraph({self.index}, {self.name!r}, {counted(self.tensors, 'tensor')}, "
            f"{counted(self.operators, 'operator')})"
        )

    @property
    def _row(self) -> slice:
        return slice(self.index, self.index + 1)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """All tensors, by index."""
        return make_tensors(self._structure, self.index)

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """All operators, in the order in which they run."""
        return make_operators(self._structure, self)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that the caller sets."""
        return self._listed("inputs")

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that hold the results."""
        return self._listed("outputs")

    def _listed(self, field: str) -> tuple[Tensor, ...]:
        (indices,) = self._structure.subgraphs.vectors(field, self._row).lists()
        return tuple([self.tensors[index] for index in indices])

    @cached_property
    def _indices(self) -> dict[str, list[int]]:
        """The indices of the tensors of each name."""
        indices: dict[str, list[int]] = {}
        for tensor in self.tensors:
            indices.setdefault(tensor.name, []).append(tensor.index)
        return indices

    def __getitem__(self, key: str | int) -> Tensor:
        """Return a tensor by its name or index.

        Raises
        ------
        KeyError
            No tensor has the name, and the message has the nearest names; or several tensors have
            it, and the message has their indices.
        IndexError
            The index is out of range.
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


def counted(things: Sequence[object], word: str) -> str:
    """Return how many things there are: '1 tensor', '2 tensors'."""
    return f"{len(things)} {plural(word, len(things))}"
