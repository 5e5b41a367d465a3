"""Records of model files, for tables over many models: a file that fails is a record, too."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from ..errors import TFLiteError
from ..escape import for_terminal
from ..model.model import Model, open
from .records import operator_records, tensor_records

__all__ = ["FIELDS", "arrow_schema", "file_records"]

_TENSOR_FIELDS = {
    "subgraph": "int64", "index": "int64", "name": "string", "type": "string", "role": "string",
    "shape": "list<int64>", "shape_signature": "list<int64>", "bytes": "int64",
    "constant": "bool", "variable": "bool", "sparse": "bool", "buffer": "int64",
    "scheme": "string", "scale": "double", "zero_point": "int64", "scales": "list<double>",
    "zero_points": "list<int64>", "axis": "int64", "low": "double", "high": "double",
    "producer": "int64", "consumers": "list<int64>", "compression": "string",
}  # fmt: skip
_OPERATOR_FIELDS = {
    "subgraph": "int64", "index": "int64", "name": "string", "code": "string", "version": "int64",
    "inputs": "list<int64>", "outputs": "list<int64>", "intermediates": "list<int64>",
    "options": "string",
}  # fmt: skip
_MODEL_FIELDS = {
    "bytes": "int64", "version": "int64", "description": "string", "scheme": "string",
    "inputs": "list<string>", "outputs": "list<string>", "variable_types": "list<string>",
    "compute_types": "list<string>", "subgraphs": "int64", "tensors": "int64",
    "operators": "int64", "signatures": "int64", "constants": "int64", "constant_bytes": "int64",
    "float_operators": "list<string>", "quantized_operators": "list<string>",
    "custom_operators": "list<string>",
}  # fmt: skip

FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    what: {"file": "string", "error": "string", **fields}
    for what, fields in (
        ("tensors", _TENSOR_FIELDS),
        ("operators", _OPERATOR_FIELDS),
        ("models", _MODEL_FIELDS),
    )
}
"""For each kind of record the keys, in order, and the types of the values, in Apache Arrow's words.

Every value but `file` may be None.
"""


def file_records(path: str | os.PathLike[str], what: str = "tensors") -> list[dict[str, Any]]:
    """Return the records of one file; a file that cannot be read is one record, with its error.

    It takes and returns plain data and raises nothing about the file, so that it can be mapped over
    a folder by a pool of processes or a cluster.

    Parameters
    ----------
    path : path
        A .tflite file.
    what : str
        "tensors", "operators" or "models": what a record is about.

    Returns
    -------
    list of dict
        Each has the keys of `FIELDS[what]`: `file`, the path; `error`, a text or None; then, for
        tensors and operators, those of `Model.to_records`. A file that cannot be read has None in
        all others.

    Raises
    ------
    ValueError
        `what` is something else.
    TypeError
        `path` is no path.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> records = tq.file_records("fixtures/residual_int8.tflite")
    >>> len(records), records[0]["name"], records[0]["scale"]
    (31, 'serving_default_image:0', 0.03245079517364502)
    >>> tq.file_records("README.md", "models")[0]["error"]
    "README.md: not a TensorFlow Lite model: bytes 4 to 8 are b'lite', expected b'TFL3'"
    """
    if what not in FIELDS:
        raise ValueError(f"what is {what!r}, expected {', '.join(map(repr, FIELDS))}")
    # Bytes would be taken for a model's content, which has no place in a table.
    name = os.fspath(path)
    if not isinstance(name, str):
        raise TypeError(f"path is {type(name).__name__}, expected a str or a path")
    empty = dict.fromkeys(FIELDS[what]) | {"file": name}
    try:
        with open(name) as model:
            return [empty | record for record in _records(model, what)]
    except OSError as error:
        text = f"{name}: {error.strerror}" if error.filename else str(error)
    except TFLiteError as error:
        text = str(error)
    except Exception as error:
        # One model that nobody foresaw must not lose the records of the others.
        text = f"{name}: internal error, please report it: {error!r}"
    return [empty | {"error": for_terminal(text)}]


def arrow_schema(what: str = "tensors") -> Any:
    """Return the `pyarrow.Schema` of records, so that every part of a table has the same types.

    Parameters
    ----------
    what : str
        "tensors", "operators" or "models".

    Raises
    ------
    ModuleNotFoundError
        pyarrow, the extra 'parquet', is not installed.
    """
    import pyarrow as pa  # noqa: PLC0415  # an optional extra

    def kind(name: str) -> Any:
        item = name.removeprefix("list<").removesuffix(">")
        scalar = pa.type_for_alias(item)
        return scalar if item == name else pa.list_(scalar)

    return pa.schema([(key, kind(name)) for key, name in FIELDS[what].items()])


def _records(model: Model, what: str) -> list[dict[str, Any]]:
    if what == "models":
        return [_model_record(model)]
    return tensor_records(model) if what == "tensors" else operator_records(model)


def _model_record(model: Model) -> dict[str, Any]:
    summary = model.summary()
    return {
        "bytes": model.structure.file.size,
        "version": model.version,
        "description": model.description,
        "scheme": summary.scheme,
        "inputs": list(summary.inputs),
        "outputs": list(summary.outputs),
        "variable_types": list(summary.variable_types),
        "compute_types": list(summary.compute_types),
        "subgraphs": len(model.subgraphs),
        "tensors": sum(len(graph.tensors) for graph in model.subgraphs),
        "operators": sum(len(graph.operators) for graph in model.subgraphs),
        "signatures": len(model.signatures),
        "constants": sum(count for _, count, _ in summary.constants),
        "constant_bytes": sum(nbytes for _, _, nbytes in summary.constants),
        "float_operators": [name for name, _ in summary.float_operators],
        "quantized_operators": [name for name, _ in summary.quantized_operators],
        "custom_operators": [name for name, _ in summary.custom_operators],
    }
