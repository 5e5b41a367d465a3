"""LiteRT's `Interpreter` for inspecting models: a script only changes its import.

    from tflite_quant import Interpreter

It does not run models. Apart from that, it returns what `tf.lite.Interpreter` and
`ai_edge_litert.interpreter.Interpreter` return; docs/interpreter.md lists where it does not, and
why.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, NoReturn, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..format.schema import TensorType
from ..format.source import Source
from ..model.model import Model, Signature, open
from ..model.subgraph import counted
from ..model.tensor import Tensor

__all__ = ["Interpreter", "SignatureRunner"]

_AS_INT8 = (TensorType.FLOAT8_E4M3FN, TensorType.FLOAT8_E5M2)
_FOR_RUNNING = ("num_threads", "experimental_")


class Interpreter:
    """A model's tensors, as LiteRT's interpreter describes them.

    Parameters
    ----------
    model_path : path, optional
    model_content : bytes-like, optional
        Exactly one of the two.
    **options
        `num_threads` and all that begin with `experimental_` are accepted and ignored: they say
        how to run the model.

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
        **options: object,
    ) -> None:
        for name in options:
            if not name.startswith(_FOR_RUNNING):
                raise TypeError(f"Interpreter has no option {name!r}")
        given = [source for source in (model_path, model_content) if source is not None]
        if len(given) != 1:
            raise ValueError(f"{len(given)} models are given, expected model_path or model_content")
        self._model = open(given[0])

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

    def get_tensor_details(self, subgraph_index: int = 0) -> list[dict[str, Any]]:
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

    def get_input_details(self) -> list[dict[str, Any]]:
        """Return the details of the inputs of the first subgraph, in their order."""
        return self._some_details(self._model.inputs)

    def get_output_details(self) -> list[dict[str, Any]]:
        """Return the details of the outputs of the first subgraph, in their order."""
        return self._some_details(self._model.outputs)

    def _some_details(self, tensors: tuple[Tensor, ...]) -> list[dict[str, Any]]:
        details = self.get_tensor_details()
        return [details[tensor.index] for tensor in tensors]

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
        """Return a copy of the values of a constant.

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
            The tensor is not constant.
        """
        tensor = self._tensor(operator.index(tensor_index), subgraph_index)
        if not tensor.is_constant:
            raise UnsupportedError(
                f"tensor {tensor.index} {tensor.name!r} has values only while the model runs, and "
                "this library does not run models"
            )
        if tensor.type in _AS_INT8:
            return tensor.stored.view(np.int8).copy()
        values = tensor.stored if tensor.is_sparse else tensor.data
        return values.astype(values.dtype.newbyteorder("="))

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

    def tensor(self, tensor_index: int) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("tensor")


class SignatureRunner:
    """The inputs and outputs of a signature; made by `Interpreter.get_signature_runner`."""

    def __init__(self, model: Model, signature: Signature) -> None:
        self._model, self._signature = model, signature

    def __repr__(self) -> str:
        return f"SignatureRunner({self._signature!r})"

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        """Return the details of each input, by its name in the signature."""
        return self._details(self._signature.inputs)

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        """Return the details of each output, by its name in the signature."""
        return self._details(self._signature.outputs)

    def _details(self, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
        details = self._model.get_tensor_details(self._signature.subgraph.index)
        return {name: details[tensors[name].index] for name in sorted(tensors)}

    def __call__(self, **inputs: object) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        _refuse("a signature")


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(
        f"{what} needs LiteRT's own interpreter: this library does not run models"
    )
