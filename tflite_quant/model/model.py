"""What users hold: a model with its subgraphs, signatures and metadata.

Everything here is a view: an object knows which row of the model's columns it is, and reads when
it is asked. Nothing changes after `open`, so threads may share a model. After `close`, arrays
that were handed out stay valid, and asking for more raises `ValueError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError
from ..format.flatbuffer import File, Table
from ..format.schema import IDENTIFIER
from ..format.source import Source, load, require_identifier
from ..format.structure import Access, Structure, read_structure
from .buffer import Buffer
from .subgraph import Operator, Subgraph, counted
from .tensor import Tensor

if TYPE_CHECKING:
    from ..summary.summary import Summary

__all__ = ["Metadata", "Model", "Signature", "open"]


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
    >>> import tflite_quant as tq
    >>> with tq.open("fixtures/residual_int8.tflite") as model:
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
        self._access = Access(structure, None if name is None else os.path.dirname(name))

    def __repr__(self) -> str:
        if not self._access.is_open:
            return f"Model({self.name!r}, closed)"
        return (
            f"Model({self.name!r}, version {self.version}, {counted(self.subgraphs, 'subgraph')}, "
            f"{counted(self.tensors, 'tensor')}, {counted(self.operators, 'operator')})"
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
        return int(self.structure.model.number("version"))

    @property
    def description(self) -> str:
        """What the converter wrote about the model; empty if nothing."""
        return self.structure.model.string("description") or ""

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
        return tuple(
            Metadata(entry.string("name") or "", self.buffers[entry.number("buffer")])
            for entry in self.structure.metadata
        )

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """The signatures, in the file's order."""
        structure = self.structure
        return tuple(
            Signature(
                signature.string("signature_key") or "",
                subgraph := self.subgraphs[signature.number("subgraph_index")],
                _named(inputs, subgraph),
                _named(outputs, subgraph),
            )
            for signature, inputs, outputs in zip(
                structure.signatures,
                structure.signature_inputs,
                structure.signature_outputs,
                strict=True,
            )
        )

    def summary(self) -> Summary:
        """Say what kind of model this is: its scheme, its types, its operators left in float.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/mixed.tflite") as model:
        ...     model.summary().scheme, model.summary().float_operators
        ('mixed', (('SIN', 1),))
        """
        from ..summary.summary import summarize  # noqa: PLC0415  # it imports this module

        return summarize(self)

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
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model.get_tensor_details()[0]["dtype"]
        <class 'numpy.int8'>
        """
        from ..litert.tensor_details import tensor_details  # noqa: PLC0415  # it stands above

        count = len(self.structure.subgraphs)
        if not 0 <= subgraph_index < count:
            raise ValueError(f"subgraph_index is {subgraph_index}; there are {count} subgraphs")
        return tensor_details(
            self.structure, subgraph_index, lambda i: self.subgraphs[subgraph_index].tensors[i]
        )


def _named(entries: tuple[Table, ...], subgraph: Subgraph) -> Mapping[str, Tensor]:
    """Give a signature's inputs or outputs by name."""
    return MappingProxyType(
        {
            entry.string("name") or "": subgraph.tensors[entry.number("tensor_index")]
            for entry in entries
        }
    )


class Metadata(NamedTuple):
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


class Signature(NamedTuple):
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
