"""A model with its subgraphs, signatures and metadata, and `open`, which reads one.

Nothing changes after `open`, so threads may share a model. After `close`, arrays that were returned
before stay valid, and objects keep their attributes. Asking for values, or for objects that have
not been made yet, raises `ValueError`.

Objects refer to what is below them, never up. So a model is freed, and its file with it, when the
last reference to it goes, without the garbage collector.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError, NotTFLiteError, TFLiteError, plural
from ..format.c_array import model_in_text
from ..format.flatbuffer import File, Positions, Tables
from ..format.lookalikes import damage, require_identifier
from ..format.packed import PackedFile, packed_files
from ..format.schema import IDENTIFIER
from ..format.source import Folder, Source, load
from ..format.tables import Structure, read_structure
from .buffer import Buffer
from .names import Listed, Named
from .once import cached_property
from .operator import Operator
from .subgraph import Subgraph, counted
from .tensor import Tensor

if TYPE_CHECKING:
    from ..litert.tensor_details import TensorDetails
    from ..summary.summary import Summary


def open(source: Source, array: str | None = None) -> Model:
    """Open a TensorFlow Lite model for reading.

    The structure of every subgraph is read and checked now; weights are read when asked for.

    Parameters
    ----------
    source : path, bytes-like, mmap, ndarray of uint8, or binary file object
        The file at a path is memory-mapped, or read if it has at most a mebibyte. Bytes in memory
        are not copied: do not change them while the model is in use. A file object is read from
        its current position to its end. C source with a model as an array of bytes is read, too.
    array : str, optional
        The name of the array, if C source has several models.

    Returns
    -------
    Model
        It is also a context manager, which closes it at the end.

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
    structure = _read(source, name, array)
    if isinstance(structure, Structure):
        return Model(structure, name)
    try:
        raise structure
    finally:
        # An error and the frame in which it was raised would form a reference cycle.
        del structure


def _read(source: Source, name: str | None, array: str | None) -> Structure | TFLiteError:
    """Return a model's tables, or an error, whose traceback then does not keep the file alive."""
    memory = load(source)
    label = "" if name is None else f"{name}: "
    try:
        if array is not None or memory[4:8].tobytes() != IDENTIFIER:
            memory = _from_text(memory, array)
        folder = None if name is None else Folder(name, memory)
        return read_structure(File(memory, folder))
    except CorruptModelError as error:
        # A file that was cut short is missed where something is past its end.
        hint = damage(memory, is_cut="past the end" in str(error))
        return CorruptModelError(f"{label}{error}" + (f" ({hint})" if hint else ""))
    except TFLiteError as error:
        return type(error)(f"{label}{error}")


def _from_text(memory: NDArray[np.uint8], array: str | None) -> NDArray[np.uint8]:
    """Return the bytes of a model that is an array in C source; raise what else it is."""
    found = model_in_text(memory, IDENTIFIER, array)
    if found is None:
        require_identifier(memory, IDENTIFIER)
        raise NotTFLiteError(f"not C source, in which there could be an array {array!r}")
    return found


class Model:
    """A model that is open for reading; made by `open`.

    It is a container of the tensors of the first subgraph: `model["name"]`, `"name" in model`,
    iteration, `len` and `keys()` are those of `model.subgraphs[0]`.

    Attributes
    ----------
    name : str or None
        The path from which the model was opened; None if from memory or a file object.
    version : int
        The version of the schema; 3 for all models in use.
    description : str
        What the converter wrote about the model; empty if nothing.
    """

    name: str | None
    version: int
    description: str

    def __init__(self, structure: Structure, name: str | None = None) -> None:
        self._structure: Structure | None = structure
        self.name, self.version = name, int(structure.model.numbers("version")[0])
        (self.description,) = structure.model.strings("description")

    def __repr__(self) -> str:
        if self._structure is None:
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
        """Release the file; the system closes it when no array is a view of it any more."""
        if self._structure is not None:
            self._structure.file.close()
            self._structure = None

    @property
    def structure(self) -> Structure:
        """The model's tables as columns, which other rooms of this library read.

        Raises
        ------
        ValueError
            The model is closed.
        """
        if self._structure is None:
            raise ValueError("the model is closed")
        return self._structure

    @cached_property
    def subgraphs(self) -> tuple[Subgraph, ...]:
        """All subgraphs; the first is the main one."""
        structure = self.structure
        return tuple([Subgraph(structure, index) for index in range(len(structure.subgraphs))])

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
        structure = self.structure
        spans = zip(structure.buffer_starts.tolist(), structure.buffer_sizes.tolist(), strict=True)
        buffers = [Buffer(index, *span, structure.file) for index, span in enumerate(spans)]
        return tuple(buffers[:-1])

    @cached_property
    def metadata(self) -> tuple[Metadata, ...]:
        """The metadata entries, in the file's order."""
        entries = self.structure.metadata
        pairs = zip(entries.strings("name"), entries.numbers("buffer").tolist(), strict=True)
        return tuple([Metadata(name, self.buffers[index]) for name, index in pairs])

    @cached_property
    def packed_files(self) -> tuple[PackedFile, ...]:
        """The files that are packed behind the model, as TensorFlow Lite's metadata tools do.

        Labels and vocabularies of task libraries are such files, in a ZIP archive: read them with
        `zipfile.ZipFile(path)`.
        """
        return packed_files(self.structure.file.memory)

    @cached_property
    def signatures(self) -> Listed[Signature]:
        """The signatures, in the file's order: `signatures[0]`, or `signatures["name"]`."""
        structure = self.structure
        columns = zip(
            structure.signatures.strings("signature_key"),
            [self.subgraphs[i] for i in structure.signatures.numbers("subgraph_index").tolist()],
            _entries(*structure.signature_inputs),
            _entries(*structure.signature_outputs),
            strict=True,
        )
        return Listed(
            [
                (key, Signature(key, graph, _named(inputs, graph), _named(outputs, graph)))
                for key, graph, inputs, outputs in columns
            ]
        )

    def summary(self) -> Summary:
        """Return how the model is quantized: its scheme, types, and operators left in float.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/mixed.tflite") as model:
        ...     model.summary().scheme, model.summary().float_operators
        ('mixed', (('SIN', 1),))
        """
        from ..summary.summary import summarize  # noqa: PLC0415  # it imports this module

        return summarize(self)

    def to_records(self, what: str = "tensors") -> list[dict[str, Any]]:
        """Return a flat dictionary for each tensor, or each operator, of all subgraphs.

        `pandas.DataFrame(model.to_records())`, `polars.DataFrame`, and
        `pyarrow.Table.from_pylist` make a table of them.

        Parameters
        ----------
        what : str
            "tensors" or "operators".

        Returns
        -------
        list of dict
            Numbers, strings, booleans and lists; see `tflite_quant.summary.records` for the keys.

        Raises
        ------
        CorruptModelError
            The records would be too large for a file of this size.
        ValueError
            `what` is something else, or the model is closed.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     model.to_records()[0]["role"], model.to_records("operators")[1]["name"]
        ('input', 'MAX_POOL_2D')
        """
        from ..summary import records  # noqa: PLC0415  # it imports this module

        if what not in ("tensors", "operators"):
            raise ValueError(f"what is {what!r}, expected 'tensors' or 'operators'")
        of_each = records.tensor_records if what == "tensors" else records.operator_records
        return of_each(self)

    def _repr_html_(self) -> str:
        from ..summary.html import model_html  # noqa: PLC0415  # it imports this module

        return model_html(self)

    def __getitem__(self, key: str | int) -> Tensor:
        """Return a tensor of the first subgraph by its name or index; see `Subgraph`."""
        return self.subgraphs[0][key]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, key: object) -> bool:
        """Tell whether a tensor of the first subgraph has a name, or is one of its tensors."""
        return key in self.subgraphs[0]

    def __bool__(self) -> bool:
        """Return True: even a model without tensors is one."""
        return True

    def keys(self) -> tuple[str, ...]:
        """Return the names of the tensors of the first subgraph, each once."""
        return self.subgraphs[0].keys()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.keys())

    def find(self, pattern: str) -> tuple[Tensor, ...]:
        """Return the tensors of all subgraphs whose names match a pattern; see `Subgraph.find`.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> with tq.open("fixtures/residual_int8.tflite") as model:
        ...     len(model.find("*conv*")), model.find("no such name")
        (21, ())
        """
        return tuple([tensor for graph in self.subgraphs for tensor in graph.find(pattern)])

    def get_tensor_details(self, subgraph_index: int = 0) -> list[TensorDetails]:
        """Return what LiteRT's `Interpreter.get_tensor_details()` returns for a subgraph.

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

        count = len(self.subgraphs)
        if not 0 <= subgraph_index < count:
            raise ValueError(f"subgraph_index is {subgraph_index}, expected 0 to {count - 1}")
        return tensor_details(self.structure, self.subgraphs[subgraph_index])


def _entries(tables: Tables, bounds: Positions) -> list[list[tuple[str, int]]]:
    """Return the names and tensor indices of each signature's inputs or outputs."""
    names, indices = tables.strings("name"), tables.numbers("tensor_index").tolist()
    entries = list(zip(names, indices, strict=True))
    return [entries[start:end] for start, end in pairwise(bounds.tolist())]


def _named(entries: list[tuple[str, int]], subgraph: Subgraph) -> Named[Tensor]:
    """Return a signature's inputs or outputs by name."""
    return Named([(name, subgraph.tensors[index]) for name, index in entries])


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
        return f"Metadata({self.name!r}, {(n := self.buffer.nbytes)} {plural('byte', n)})"

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
    inputs, outputs : Named
        The tensors by their names in the signature, which may differ from their own. A mapping, in
        the file's order.
    """

    key: str
    subgraph: Subgraph
    inputs: Named[Tensor]
    outputs: Named[Tensor]

    def __repr__(self) -> str:
        return f"Signature({self.key!r}, inputs {list(self.inputs)}, outputs {list(self.outputs)})"
