"""`tflite-quant show`: tensors, operators or one tensor, as tables or as JSON."""

from __future__ import annotations

import argparse
import json

from ..model.model import Model, open
from ..model.subgraph import Subgraph, counted
from ..model.tensor import Tensor
from .cli import RefusedError, has_width
from .json_data import model_data, tensor_data

__all__ = ["add_arguments", "run"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Describe the arguments of the command."""
    command.add_argument("model", metavar="MODEL", help="a .tflite file")
    command.add_argument("--json", action="store_true", help="print JSON, with whole arrays")
    command.add_argument("--subgraph", type=int, metavar="N", help="show this subgraph only")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument(
        "--tensor",
        metavar="NAME_OR_INDEX",
        help="show one tensor of the first subgraph, or of that of --subgraph, with its values; "
        "a number is an index",
    )
    choice.add_argument("--operators", action="store_true", help="show operators, not tensors")


def run(options: argparse.Namespace) -> int:
    """Print the tables or the JSON and return the exit status."""
    if not options.json:
        # Before the model is opened, so that a missing package is the first thing reported.
        try:
            from rich.console import Console  # noqa: PLC0415  # an optional extra

            from . import tables  # noqa: PLC0415  # imports it, too
        except ModuleNotFoundError:
            raise RefusedError(
                "tables need the package rich: pip install 'tflite-quant[cli]'; --json does not"
            ) from None
    with open(options.model) as model:
        subgraphs = _subgraphs(model, options.subgraph)
        tensor = None if options.tensor is None else _tensor(subgraphs[0], options.tensor)
        if options.json:
            data = model_data(model, subgraphs) if tensor is None else tensor_data(tensor)
            print(json.dumps(data, indent=1, allow_nan=False))
            return 0
        # Nothing is to be folded in a file or a pipe.
        console = Console(width=None if has_width() else 1_000_000, highlight=False)
        if tensor is not None:
            parts = tables.tensor_tables(tensor)
        elif options.operators:
            parts = tables.operator_tables(subgraphs)
        else:
            parts = tables.model_tables(model, subgraphs, console.width if has_width() else None)
        for part in parts:
            console.print(part)
    return 0


def _subgraphs(model: Model, index: int | None) -> tuple[Subgraph, ...]:
    if index is None:
        return model.subgraphs
    if not 0 <= index < len(model.subgraphs):
        count = counted(model.subgraphs, "subgraph")
        raise RefusedError(f"no subgraph {index}: the model has {count}")
    return (model.subgraphs[index],)


def _tensor(subgraph: Subgraph, key: str) -> Tensor:
    is_index = key.isdecimal()
    if is_index and len(key) > 100:
        # Python refuses to read numbers that are very long.
        raise RefusedError(f"a number of {len(key)} digits is not an index")
    try:
        return subgraph[int(key) if is_index else key]
    except LookupError as error:
        raise RefusedError(error.args[0]) from None
