"""What users hold: a model with its subgraphs, operators, signatures and metadata.

Everything here is a view: an object knows which row of the model's columns it is, and reads when
it is asked. Nothing changes after `open`, so threads may share a model. After `close`, arrays
that were handed out stay valid, and asking for more raises `ValueError`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .details import tensor_details
from .errors import TFLiteError
from .flatbuffer import File, Tables
from .schema import IDENTIFIER, builtin_operator_name
from .source import Source, load, require_identifier
from .structure import Access, Structure, read_structure
from .tensor import Buffer, Tensor

__all__ = ["Metadata", "Model", "Operator", "Signature", "Subgraph", "open"]


def open(source: Source) -> Model:
    """Open a TensorFlow Lite model for reading.

    The structure of every subgraph is read and checked at once; weights are read when asked for.

    Parameters
    ----------
    source : path, bytes-like, mmap, ndarray of uint8, or binary file object
        A path is memory-mapped (a file below a mebibyte is read). Bytes in memory are not copied:
        do not change them while the model is in use. A file object is read from where it stands
        to its end.

    Returns
    -------
    Model
        Also a context manager, which closes it.

    Raises
    ------
    NotTFLiteError
        The bytes are something else; the message says what they look like.
    CorruptModelError
        The structure of the model is broken; the message says where.
    OSError
        The path cannot be read.
    TypeError
        The source is none of the above.

    Examples
    --------
    >>> with open("fixtures/residual_int8.tflite") as model:
    ...     model.inputs[0].type.name, model.inputs[0].shape
    ('INT8', (1, 32, 32, 3))
    """
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    memory = load(source)
    try:
        require_identifier(memory, IDENTIFIER)
        return Model(read_structure(File(memory)), name)
    except TFLiteError as error:
        if name is None:
            raise
        raise type(error)(f"{name}: {error}") from None


class Model:
    """A model that is open for reading; made by `open`.

    Attributes
    ----------
    name : str or None
        The path that the model was opened from.
    """

    def __init__(self, structure: Structure, name: str | None = None) -> None:
        self.name = name
        self._access = Access(structure)

    def __repr__(self) -> str:
        if not self._access.is_open:
            return f"Model({self.name!r}, closed)"
        return (
            f"Model({self.name!r}, version {self.version}, {_count(self.subgraphs, 'subgraph')}, "
            f"{_count(self.tensors, 'tensor')}, {_count(self.operators, 'operator')})"
        )

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; the system's file closes when no array holds it any more."""
        self._access.close()

    @property
    def structure(self) -> Structure:
        """The model's tables as columns, which the other modules of this library work on."""
        return self._access.structure

    @property
    def version(self) -> int:
        """The version of the schema; 3 for all models in use."""
        return int(self.structure.model.number("version", 0))

    @property
    def description(self) -> str:
        """What the converter wrote about the model; empty if nothing."""
        return self.structure.model.string("description", 0) or ""

    @cached_property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """All subgraphs; the first is the main one."""
        return tuple(
            Subgraph(index, self._access) for index in range(len(self.structure.subgraphs))
        )

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of the first subgraph."""
        return self.subgraphs[0].tensors

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the first subgraph."""
        return self.subgraphs[0].inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs of the first subgraph."""
        return self.subgraphs[0].outputs

    @property
    def operators(self) -> tuple[Operator, ...]:
        """The operators of the first subgraph, in the order in which they run."""
        return self.subgraphs[0].operators

    @cached_property
    def buffers(self) -> tuple[Buffer, ...]:
        """All buffers; tensors and metadata of all subgraphs refer to them by index."""
        return tuple(Buffer(index, self._access) for index in range(len(self.structure.buffers)))

    @cached_property
    def metadata(self) -> tuple[Metadata, ...]:
        """The metadata entries, in the file's order."""
        tables = self.structure.metadata
        return tuple(
            Metadata(name, self.buffers[buffer])
            for name, buffer in zip(
                tables.strings("name"), tables.numbers("buffer").tolist(), strict=True
            )
        )

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """The signatures, in the file's order."""
        structure = self.structure
        keys = structure.signatures.strings("signature_key")
        subgraphs = structure.signatures.numbers("subgraph_index").tolist()
        names = structure.signature_tensors.strings("name")
        tensors = structure.signature_tensors.numbers("tensor_index").tolist()
        bounds = structure.signature_bounds.tolist()

        def entries(vector: int, subgraph: Subgraph) -> Mapping[str, Tensor]:
            rows = range(bounds[vector], bounds[vector + 1])
            return MappingProxyType({names[row]: subgraph.tensors[tensors[row]] for row in rows})

        return tuple(
            Signature(
                key,
                subgraph := self.subgraphs[subgraph_index],
                entries(index, subgraph),
                entries(len(keys) + index, subgraph),
            )
            for index, (key, subgraph_index) in enumerate(zip(keys, subgraphs, strict=True))
        )

    def __getitem__(self, key: str | int) -> Tensor:
        """Give a tensor of the first subgraph by its name or index; see `Subgraph`."""
        return self.subgraphs[0][key]

    def get_tensor_details(self, subgraph_index: int = 0) -> list[dict[str, Any]]:
        """Give what LiteRT's `Interpreter.get_tensor_details()` gives for a subgraph.

        Parameters
        ----------
        subgraph_index : int

        Returns
        -------
        list of dict
            One for each tensor, with LiteRT's keys, types and array dtypes.

        Raises
        ------
        ValueError
            There is no such subgraph.

        Examples
        --------
        >>> with open("fixtures/residual_int8.tflite") as model:
        ...     model.get_tensor_details()[0]["dtype"]
        <class 'numpy.int8'>
        """
        count = len(self.structure.subgraphs)
        if not 0 <= subgraph_index < count:
            raise ValueError(f"subgraph_index is {subgraph_index}; there are {count} subgraphs")
        return tensor_details(self.structure, subgraph_index)


@dataclass(frozen=True, eq=False, repr=False)
class Subgraph:
    """One graph of operators and tensors.

    `subgraph[3]` gives a tensor by index, `subgraph["name"]` by name.

    Attributes
    ----------
    index : int
    """

    index: int
    _access: Access

    def __repr__(self) -> str:
        return (
            f"Subgraph({self.index}, {self.name!r}, {_count(self.tensors, 'tensor')}, "
            f"{_count(self.operators, 'operator')})"
        )

    @property
    def name(self) -> str:
        """The subgraph's name; empty if it has none."""
        return self._access.structure.subgraphs.string("name", self.index) or ""

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
        indices = self._access.structure.subgraphs.vector(field, self.index).tolist()
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
                count = _count(self.tensors, "tensor")
                raise IndexError(f"no tensor {key}: subgraph {self.index} has {count}") from None
        indices = self._indices.get(key, [])
        if len(indices) == 1:
            return self.tensors[indices[0]]
        if indices:
            raise KeyError(f"tensors {indices} of subgraph {self.index} have the name {key!r}")
        near = difflib.get_close_matches(key, self._indices, n=3)
        hint = f"; the nearest are {near}" if near else ""
        raise KeyError(f"subgraph {self.index} has no tensor {key!r}{hint}")


@dataclass(frozen=True, repr=False)
class Metadata:
    """A named buffer that belongs to the model as a whole.

    Attributes
    ----------
    name : str
    buffer : Buffer
    """

    name: str
    buffer: Buffer

    def __repr__(self) -> str:
        return f"Metadata({self.name!r}, {self.buffer.nbytes} bytes)"

    @property
    def data(self) -> NDArray[np.uint8]:
        """The bytes: a read-only view of the file."""
        return self.buffer.data


@dataclass(frozen=True, eq=False, repr=False)
class Operator:
    """One step of a subgraph.

    Attributes
    ----------
    subgraph : Subgraph
    index : int
        The operator's index in the subgraph.
    """

    subgraph: Subgraph
    index: int
    _row: int
    _access: Access

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

    def _listed(self, field: str) -> tuple[Tensor | None, ...]:
        tensors = self.subgraph.tensors
        indices = self._tables.vector(field, self._row).tolist()
        return tuple(None if index < 0 else tensors[index] for index in indices)


@dataclass(frozen=True, eq=False, repr=False)
class Signature:
    """A subgraph as a function with named inputs and outputs.

    Attributes
    ----------
    key : str
        The signature's name.
    subgraph : Subgraph
    inputs, outputs : mapping of str to Tensor
        The tensors by their names in the signature, which need not be their own.
    """

    key: str
    subgraph: Subgraph
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]

    def __repr__(self) -> str:
        return f"Signature({self.key!r}, inputs {list(self.inputs)}, outputs {list(self.outputs)})"


def _count(things: tuple[object, ...], word: str) -> str:
    return f"{len(things)} {word}" if len(things) == 1 else f"{len(things)} {word}s"
