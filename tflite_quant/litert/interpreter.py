"""LiteRT's `Interpreter` for inspecting models: a script only changes its import.

    from tflite_quant import Interpreter

It does not run models. Apart from that, it returns what `tf.lite.Interpreter` and
`ai_edge_litert.interpreter.Interpreter` return; docs/interpreter.md lists where it does not, and
why.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..format.schema import TensorType
from ..format.source import Source
from ..format.values import VIEWED, stored_bytes
from ..model.model import Model, Signature, open
from ..model.operator import Operator
from ..model.subgraph import counted
from ..model.tensor import Tensor

if TYPE_CHECKING:
    from .tensor_details import TensorDetails

__all__ = [
    "Interpreter",
    "InterpreterWithCustomOps",
    "OpDetails",
    "OpResolverType",
    "SignatureRunner",
    "load_delegate",
]

_AS_INT8 = (TensorType.FLOAT8_E4M3FN, TensorType.FLOAT8_E5M2)


class OpResolverType(Enum):
    """Which kernels LiteRT would run; here, it makes no difference."""

    AUTO = 0
    BUILTIN = 1
    BUILTIN_REF = 2
    BUILTIN_WITHOUT_DEFAULT_DELEGATES = 3


class OpDetails(TypedDict):
    """What LiteRT says of an operator."""

    index: int
    op_name: str
    inputs: NDArray[np.int32]
    outputs: NDArray[np.int32]
    operand_types: list[type]
    result_types: list[type]


def load_delegate(library: object, options: object = None) -> NoReturn:
    """Raise `UnsupportedError`: this library does not run models."""
    _refuse("load_delegate")


class Interpreter:
    """A model's tensors, as LiteRT's interpreter describes them.

    Parameters
    ----------
    model_path : path, optional
    model_content : bytes-like, optional
        Exactly one of the two.
    experimental_delegates, num_threads, experimental_op_resolver_type, **options
        These, and all that begin with `experimental_`, are accepted and ignored: they say how to
        run the model.

    Raises
    ------
    ValueError
        Both of the two are given, or neither.
    TypeError
        There is another option.
    NotTFLiteError, CorruptModelError, OSError
        As `tflite_quant.open`.

    Examples
    --------
    >>> interpreter = Interpreter(model_path="fixtures/residual_int8.tflite")
    >>> interpreter.allocate_tensors()
    >>> interpreter.get_input_details()[0]["quantization"]
    (0.03245079517364502, 4)
    """

    def __init__(
        self,
        model_path: Source | None = None,
        model_content: Source | None = None,
        experimental_delegates: object = None,
        num_threads: object = None,
        experimental_op_resolver_type: object = OpResolverType.AUTO,
        *args: object,
        **options: object,
    ) -> None:
        for name in options:
            if not name.startswith("experimental_"):
                raise TypeError(f"Interpreter has no option {name!r}")
        # In LiteRT, too, an empty path is none.
        paths = () if isinstance(model_path, str) and not model_path else (model_path,)
        given = [source for source in (*paths, model_content) if source is not None]
        if len(given) != 1:
            raise ValueError(f"{len(given)} models are given, expected model_path or model_content")
        self._model = open(given[0])
        self._interpreter = _Native(self._model)

    def __repr__(self) -> str:
        return f"Interpreter({self._model!r})"

    @property
    def model(self) -> Model:
        """The model, which says more than LiteRT's dictionaries."""
        return self._model

    def allocate_tensors(self) -> None:
        """Do nothing; it is here because scripts call it first."""

    def num_subgraphs(self) -> int:
        """Return the number of subgraphs."""
        return len(self._model.subgraphs)

    def get_tensor_details(self, subgraph_index: int = 0) -> list[TensorDetails]:
        """Return the details of all tensors of a subgraph.

        Parameters
        ----------
        subgraph_index : int

        Returns
        -------
        list of dict
            With the keys 'name', 'index', 'shape', 'shape_signature', 'dtype', 'quantization',
            'quantization_parameters' and 'sparsity_parameters'.

        Raises
        ------
        ValueError
            There is no such subgraph.
        """
        return self._model.get_tensor_details(subgraph_index)

    def get_input_details(self) -> list[TensorDetails]:
        """Return the details of the inputs of the first subgraph, in their order."""
        return self._some_details(self._model.inputs)

    def get_output_details(self) -> list[TensorDetails]:
        """Return the details of the outputs of the first subgraph, in their order."""
        return self._some_details(self._model.outputs)

    def _some_details(self, tensors: tuple[Tensor, ...]) -> list[TensorDetails]:
        details = self.get_tensor_details()
        return [details[tensor.index] for tensor in tensors]

    def _get_ops_details(self) -> list[OpDetails]:
        """Return what LiteRT says of each operator of the first subgraph."""
        types = [detail["dtype"] for detail in self.get_tensor_details()]
        return [_op_details(each, types) for each in self._model.operators]

    def _get_op_details(self, op_index: int) -> OpDetails:
        """Return what LiteRT says of an operator of the first subgraph.

        Raises
        ------
        ValueError
            There is no such operator.
        """
        types = [detail["dtype"] for detail in self.get_tensor_details()]
        return _op_details(self._interpreter.node(op_index), types)

    def _get_tensor_details(self, tensor_index: int, subgraph_index: int = 0) -> TensorDetails:
        """Return the details of one tensor.

        Raises
        ------
        ValueError
            There is no such tensor or subgraph.
        """
        tensor = self._tensor(operator.index(tensor_index), operator.index(subgraph_index))
        return self.get_tensor_details(subgraph_index)[tensor.index]

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """Return the names of each signature's inputs and outputs, in alphabetical order."""
        return {
            signature.key: {
                "inputs": sorted(signature.inputs),
                "outputs": sorted(signature.outputs),
            }
            for signature in sorted(self._model.signatures, key=lambda signature: signature.key)
        }

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        """Return a signature, whose inputs and outputs can be inspected.

        Parameters
        ----------
        signature_key : str, optional
            Not needed if the model has only one.

        Raises
        ------
        ValueError
            There is no such signature, or none is named and there are several.
        """
        signatures = {signature.key: signature for signature in self._model.signatures}
        if signature_key is None and len(signatures) == 1:
            (signature_key,) = signatures
        if signature_key not in signatures:
            raise ValueError(f"no signature {signature_key!r}: the model has {sorted(signatures)}")
        return SignatureRunner(self._model, signatures[signature_key])

    def get_tensor(self, tensor_index: SupportsIndex, subgraph_index: int = 0) -> NDArray[Any]:
        """Return a copy of the values of a constant; of a scalar, a numpy scalar.

        Parameters
        ----------
        tensor_index, subgraph_index : int

        Returns
        -------
        ndarray
            The values in the tensor's shape and the machine's byte order; for a sparse tensor,
            only those that are stored. 8-bit floats are returned as int8, as in LiteRT.

        Raises
        ------
        ValueError
            There is no such tensor.
        UnsupportedError
            The tensor is not constant, or has no values.
        """
        values = self._constant(operator.index(tensor_index), subgraph_index)
        return _as_litert(values.astype(values.dtype.newbyteorder("=")))

    def tensor(self, tensor_index: SupportsIndex) -> Callable[[], NDArray[Any]]:
        """Return a function that gives a view of the values of a constant, read-only.

        Raises
        ------
        ValueError, UnsupportedError
            When the function is called: as `get_tensor`.
        """
        return lambda: _as_litert(self._constant(operator.index(tensor_index), 0))

    def _constant(self, index: int, subgraph_index: int) -> NDArray[Any]:
        """Return the values of a constant as LiteRT has them in memory."""
        tensor = self._tensor(index, subgraph_index)
        if not tensor.is_constant:
            raise UnsupportedError(
                f"tensor {tensor.index} {tensor.name!r} has values only while the model runs, and "
                "this library does not run models"
            )
        if tensor.nbytes == 0:
            raise UnsupportedError(f"tensor {tensor.index} {tensor.name!r} has no values")
        if tensor.type in _AS_INT8:
            return tensor.stored.view(np.int8)
        if tensor.is_compressed and tensor.type in VIEWED:
            return _as_it_lies(tensor)
        return tensor.stored if tensor.is_sparse or tensor.type in VIEWED else tensor.data

    def _tensor(self, index: int, subgraph_index: int) -> Tensor:
        if not 0 <= subgraph_index < self.num_subgraphs():
            raise ValueError(
                f"subgraph_index is {subgraph_index}, expected 0 to {self.num_subgraphs() - 1}"
            )
        tensors = self._model.subgraphs[subgraph_index].tensors
        if not 0 <= index < len(tensors):
            raise ValueError(f"no tensor {index}: the subgraph has {counted(tensors, 'tensor')}")
        return tensors[index]

    def invoke(self) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("invoke")

    def set_tensor(self, tensor_index: int, value: object) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("set_tensor")

    def resize_tensor_input(
        self, input_index: int, tensor_size: object, strict: bool = False
    ) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("resize_tensor_input")

    def reset_all_variables(self) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("reset_all_variables")


class InterpreterWithCustomOps(Interpreter):
    """The same as `Interpreter`: no operator is run, so that all are known."""

    def __init__(
        self, custom_op_registerers: object = None, *arguments: Any, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)


class _Native:
    """What scripts ask of LiteRT's own `Interpreter._interpreter`; names are LiteRT's."""

    def __init__(self, model: Model) -> None:
        self._model = model

    def node(self, index: SupportsIndex) -> Operator:
        """Return an operator of the first subgraph."""
        operators, wanted = self._model.operators, operator.index(index)
        if not 0 <= wanted < len(operators):
            raise ValueError(f"no operator {wanted}: there are {len(operators)}")
        return operators[wanted]

    def NumNodes(self) -> int:
        """Return the number of operators of the first subgraph."""
        return len(self._model.operators)

    def NodeName(self, index: SupportsIndex) -> str:
        """Return the name of an operator of the first subgraph."""
        return self.node(index).name

    def NodeInputs(self, index: SupportsIndex) -> NDArray[np.int32]:
        """Return the indices of the tensors that an operator reads; -1 for none."""
        return _indices(self.node(index).inputs)

    def NodeOutputs(self, index: SupportsIndex) -> NDArray[np.int32]:
        """Return the indices of the tensors that an operator writes; -1 for none."""
        return _indices(self.node(index).outputs)

    def NumTensors(self, subgraph_index: SupportsIndex = 0) -> int:
        """Return the number of tensors of a subgraph."""
        return len(self._model.subgraphs[operator.index(subgraph_index)].tensors)


def _as_litert(values: NDArray[Any]) -> NDArray[Any]:
    """Return an array, or the numpy scalar that LiteRT returns in place of one without axes."""
    scalar: NDArray[Any] = values if values.ndim else values[()]
    return scalar


def _as_it_lies(tensor: Tensor) -> NDArray[Any]:
    """Return the bytes of a compressed constant as LiteRT takes them: for plain values."""
    expected = stored_bytes(tensor.type, tensor.shape)
    if tensor.nbytes != expected:
        raise UnsupportedError(
            f"tensor {tensor.index} {tensor.name!r} has {tensor.nbytes} bytes, which LiteRT "
            "refuses: its values are compressed; tflite_quant.open() reads them"
        )
    return tensor.stored.view(tensor.dtype).reshape(tensor.shape)


def _op_details(node: Operator, types: Sequence[type]) -> OpDetails:
    return {
        "index": node.index,
        "op_name": node.name,
        "inputs": _indices(node.inputs),
        "outputs": _indices(node.outputs),
        "operand_types": [types[each.index] for each in node.inputs if each is not None],
        "result_types": [types[each.index] for each in node.outputs if each is not None],
    }


def _indices(tensors: Sequence[Tensor | None]) -> NDArray[np.int32]:
    return np.array([-1 if tensor is None else tensor.index for tensor in tensors], np.int32)


class SignatureRunner:
    """The inputs and outputs of a signature; made by `Interpreter.get_signature_runner`."""

    def __init__(self, model: Model, signature: Signature) -> None:
        self._model, self._signature = model, signature

    def __repr__(self) -> str:
        return f"SignatureRunner({self._signature!r})"

    @property
    def _subgraph_index(self) -> int:
        return self._signature.subgraph.index

    def get_input_details(self) -> dict[str, TensorDetails]:
        """Return the details of each input, by its name in the signature."""
        return self._details(self._signature.inputs)

    def get_output_details(self) -> dict[str, TensorDetails]:
        """Return the details of each output, by its name in the signature."""
        return self._details(self._signature.outputs)

    def _details(self, tensors: Mapping[str, Tensor]) -> dict[str, TensorDetails]:
        details = self._model.get_tensor_details(self._signature.subgraph.index)
        # In LiteRT, too, the last of several with a name counts.
        indices = {name: tensor.index for name, tensor in tensors.items()}
        return {name: details[indices[name]] for name in sorted(indices)}

    def __call__(self, **inputs: object) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("a signature")


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(
        f"{what} needs LiteRT's own interpreter: this library does not run models"
    )
