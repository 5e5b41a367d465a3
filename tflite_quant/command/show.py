"""`tflite-quant show`: tensors, operators or one tensor, as tables or as JSON."""

from __future__ import annotations

import argparse
import sys

from ..model.model import Model, open
from ..model.subgraph import Subgraph, counted
from ..model.tensor import Tensor
from .json_text import model_json, tensor_json
from .terminal import RefusedError, width
from .text_tables import model_lines, operator_lines, tensor_lines


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
    """Print the text or the JSON and return the exit status."""
    with open(options.model) as model:
        subgraphs = _subgraphs(model, options.subgraph)
        tensor = None if options.tensor is None else _tensor(subgraphs[0], options.tensor)
        if options.json:
            chunks = model_json(model, subgraphs) if tensor is None else tensor_json(tensor)
            sys.stdout.writelines(chunks)
            print()
            return 0
        if tensor is not None:
            lines = tensor_lines(tensor, width())
        elif options.operators:
            lines = operator_lines(model, subgraphs, width())
        else:
            lines = model_lines(model, subgraphs, width())
        for line in lines:
            print(line)
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
