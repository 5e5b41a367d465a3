"""LiteRT's `Interpreter`, for looking only: a script changes its import and nothing else.

    from tflite_quant import Interpreter

What it tells of a model is what `tf.lite.Interpreter` and `ai_edge_litert.interpreter.Interpreter`
tell; where the two differ, and why, is in docs/interpreter.md. It does not run models.
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
        One of the two.
    **options
        `num_threads` and all that begin with `experimental_` are accepted: they say how to run
        the model, which this library does not.

    Raises
    ------
    ValueError
        Neither of the two is given, or both.
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
            raise ValueError("give model_path or model_content, one of the two")
        self._model = open(given[0])

    def __repr__(self) -> str:
        return f"Interpreter({self._model!r})"

    @property
    def model(self) -> Model:
        """The model, which has more to tell."""
        return self._model

    def allocate_tensors(self) -> None:
        """Do nothing: it is accepted since scripts call it first."""

    def num_subgraphs(self) -> int:
        """Say how many subgraphs there are."""
        return len(self._model.subgraphs)

    def get_tensor_details(self, subgraph_index: int = 0) -> list[dict[str, Any]]:
        """Give the details of all tensors of a subgraph.

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
        """Give the details of the inputs of the first subgraph, in their order."""
        return self._some_details(self._model.inputs)

    def get_output_details(self) -> list[dict[str, Any]]:
        """Give the details of the outputs of the first subgraph, in their order."""
        return self._some_details(self._model.outputs)

    def _some_details(self, tensors: tuple[Tensor, ...]) -> list[dict[str, Any]]:
        details = self.get_tensor_details()
        return [details[tensor.index] for tensor in tensors]

    def get_signature_list(self) -> dict[str, dict[str, list[str]]]:
        """Give for each signature the names of its inputs and outputs, in alphabetical order."""
        return {
            signature.key: {
                "inputs": sorted(signature.inputs),
                "outputs": sorted(signature.outputs),
            }
            for signature in sorted(self._model.signatures, key=lambda one: one.key)
        }

    def get_signature_runner(self, signature_key: str | None = None) -> SignatureRunner:
        """Give a signature, whose inputs and outputs can be looked at.

        Parameters
        ----------
        signature_key : str, optional
            Not needed where the model has only one.

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
        """Give the values of a constant: a copy.

        Parameters
        ----------
        tensor_index, subgraph_index : int

        Returns
        -------
        ndarray
            The stored values, in the tensor's shape and the machine's byte order; of a sparse
            tensor those that are stored. The bits of 8-bit floats are given as int8, as LiteRT
            gives them.

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
                f"subgraph_index is {subgraph_index}; there are {self.num_subgraphs()} subgraphs"
            )
        tensors = self._model.subgraphs[subgraph_index].tensors
        if not 0 <= index < len(tensors):
            raise ValueError(f"tensor_index is {index}; there are {len(tensors)} tensors")
        return tensors[index]

    def invoke(self) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("invoke")

    def set_tensor(self, tensor_index: int, value: object) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("set_tensor")

    def resize_tensor_input(
        self, input_index: int, tensor_size: object, strict: bool = False
    ) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("resize_tensor_input")

    def reset_all_variables(self) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("reset_all_variables")

    def tensor(self, tensor_index: int) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("tensor")


class SignatureRunner:
    """The inputs and outputs of a signature; made by `Interpreter.get_signature_runner`."""

    def __init__(self, model: Model, signature: Signature) -> None:
        self._model, self._signature = model, signature

    def __repr__(self) -> str:
        return f"SignatureRunner({self._signature!r})"

    def get_input_details(self) -> dict[str, dict[str, Any]]:
        """Give the details of each input, by its name in the signature."""
        return self._details(self._signature.inputs)

    def get_output_details(self) -> dict[str, dict[str, Any]]:
        """Give the details of each output, by its name in the signature."""
        return self._details(self._signature.outputs)

    def _details(self, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
        details = self._model.get_tensor_details(self._signature.subgraph.index)
        return {name: details[tensors[name].index] for name in sorted(tensors)}

    def __call__(self, **inputs: object) -> NoReturn:
        """Refuse: this library does not run models."""
        _refuse("a signature")


def _refuse(what: str) -> NoReturn:
    raise UnsupportedError(
        f"{what} needs LiteRT's own interpreter: this library looks at models and does not run them"
    )
