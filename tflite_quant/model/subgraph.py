"""A subgraph: one graph of operators and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import plural
from ..format.tables import Structure
from .connections import Connections, Home, connect
from .names import matcher, nearest
from .once import cached_property
from .operator import Operator, make_operators
from .tensor import Tensor, make_tensors


class Subgraph:
    """One graph of operators and tensors.

    It is a container of its tensors: `subgraph[3]` and `subgraph["name"]` return a tensor by index
    and by name, `"name" in subgraph` tells whether there is one, and iteration and `len` are those
    of `tensors`.

    Attributes
    ----------
    index : int
    name : str
        The subgraph's name; empty if it has none.
    """

    structure: Structure
    index: int
    home: Home
    name: str

    def __init__(self, structure: Structure, index: int) -> None:
        self.structure, self.index = structure, index
        self.home = Home(self)
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
        return make_tensors(self.home, self.structure, self.index)

    @cached_property
    def operators(self) -> tuple[Operator, ...]:
        """All operators, in the order in which they run."""
        return make_operators(self.structure, self)

    @cached_property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that the caller sets."""
        return self._listed("inputs")

    @cached_property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that hold the results."""
        return self._listed("outputs")

    def _listed(self, field: str) -> tuple[Tensor, ...]:
        (indices,) = self.structure.subgraphs.vectors(field, self._row).lists()
        return tuple([self.tensors[index] for index in indices])

    @cached_property
    def connections(self) -> Connections:
        """The operators around each tensor; see `Tensor.producer`, `.consumers` and `.role`."""
        return connect(self)

    @cached_property
    def _indices(self) -> dict[str, list[int]]:
        """The indices of the tensors of each name."""
        indices: dict[str, list[int]] = {}
        for tensor in self.tensors:
            indices.setdefault(tensor.name, []).append(tensor.index)
        return indices

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __bool__(self) -> bool:
        """Return True: even a subgraph without tensors is one."""
        return True

    def __contains__(self, key: object) -> bool:
        """Tell whether a tensor has a name, or is one of this subgraph."""
        return key in self._indices if isinstance(key, str) else key in self.tensors

    def keys(self) -> tuple[str, ...]:
        """Return the names of the tensors, each once."""
        return tuple(self._indices)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._indices)

    def find(self, pattern: str) -> tuple[Tensor, ...]:
        """Return the tensors whose names match a pattern.

        Parameters
        ----------
        pattern : str
            As for file names: `*` stands for any characters, `?` for one, `[ab]` for one of some.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     [tensor.index for tensor in model.subgraphs[0].find("*stem_conv*")]
        [16, 17, 18]
        """
        matches = matcher(pattern)
        return tuple([tensor for tensor in self.tensors if matches(tensor.name)])

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
        near = nearest(key, self._indices)
        hint = f"; the nearest are {near}" if near else ""
        raise KeyError(f"subgraph {self.index} has no tensor {key!r}{hint}")


def counted(things: Sequence[object], word: str) -> str:
    """Return how many things there are: '1 tensor', '2 tensors'."""
    return f"{len(things)} {plural(word, len(things))}"
