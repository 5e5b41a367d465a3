"""Checks of the graph: tensors that no operator uses, islands of float operators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ..model.block_quantization import Blockwise, MultiAxis
from ..model.model import Model
from ..model.operator import Operator
from ..model.subgraph import Subgraph
from ..model.tensor import Tensor
from ..summary.float_operators import CONVERSIONS, FLOATS, walk
from .findings import Finding, Subject, counted
from .tensors import finding


def graph_findings(model: Model) -> Iterator[Finding]:
    """Find dead tensors and float islands in each subgraph."""
    named = {t for s in model.signatures for side in (s.inputs, s.outputs) for t in side.values()}
    for subgraph in model.subgraphs:
        yield from _dead(subgraph, named)
    mixed = [subgraph for subgraph in model.subgraphs if _may_have_islands(subgraph)]
    fixed = walk(model).fixed if mixed else set()
    for subgraph in mixed:
        yield from _islands(subgraph, fixed)


def _may_have_islands(subgraph: Subgraph) -> bool:
    return {operator.code.name for operator in subgraph.operators} >= {"DEQUANTIZE", "QUANTIZE"}


def _dead(subgraph: Subgraph, named: set[Tensor]) -> Iterator[Finding]:
    used: set[Tensor | None] = {*subgraph.inputs, *subgraph.outputs}
    for operator in subgraph.operators:
        used.update(operator.inputs, operator.outputs, operator.intermediates)
    parameters = set[int]()
    for tensor in subgraph.tensors:
        if isinstance(tensor.quantization, Blockwise | MultiAxis):
            scheme = tensor.quantization
            parameters |= {scheme.scales_tensor, scheme.zero_points_tensor}
    for tensor in subgraph.tensors:
        if not (tensor in used or tensor in named or tensor.index in parameters):
            size = f"constant of {counted(tensor.nbytes or 0, 'byte')}"
            found = f"a {size if tensor.is_constant else 'tensor'} that no operator uses"
            yield finding("TQ302", None, tensor, found, "an operator that reads or writes it")


class _Groups:
    """Groups of tensors that operators connect: a disjoint-set forest."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def find(self, tensor: int) -> int:
        """Return the tensor that represents the group of this one."""
        parents = self._parents
        while (parent := parents.setdefault(tensor, tensor)) != tensor:
            parents[tensor] = parents[parent]
            tensor = parent
        return tensor

    def join(self, tensors: Iterable[int]) -> None:
        """Put tensors, and so their groups, into one group."""
        first, *others = map(self.find, tensors)
        for other in others:
            self._parents[other] = first


def _islands(subgraph: Subgraph, fixed: set[Tensor]) -> Iterator[Finding]:
    def floats(tensors: tuple[Tensor | None, ...]) -> list[int]:
        return [
            tensor.index
            for tensor in tensors
            if tensor is not None and tensor.type in FLOATS and tensor not in fixed
        ]

    groups, members = _Groups(), defaultdict[int, list[Operator]](list)
    begun, ended, inside = set[int](), set[int](), []
    edges = floats((*subgraph.inputs, *subgraph.outputs))
    for operator in subgraph.operators:
        read, written = floats(operator.inputs), floats(operator.outputs)
        if operator.code.name == "DEQUANTIZE":
            begun.update(written)
        elif operator.code.name == "QUANTIZE":
            ended.update(read)
        elif operator.code.name not in CONVERSIONS and (read or written):
            groups.join((*read, *written))
            inside.append((operator, (*read, *written)[0]))
    for operator, tensor in inside:
        members[groups.find(tensor)].append(operator)
    for root, operators in members.items():
        ends = ({groups.find(tensor) for tensor in some} for some in (begun, ended, edges))
        is_fed, is_read, is_open = (root in end for end in ends)
        if is_fed and is_read and not is_open:
            yield _island(operators)


def _island(operators: list[Operator]) -> Finding:
    named = [Subject(one.index, one.name) for one in operators]
    names = [f"{one.index} {one.shown}" for one in named]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    if len(names) == 1:
        found, expected = f"float operator {shown}", "an integer operator, like those around it"
    else:
        found, expected = f"float operators {shown}", "integer operators, like those around them"
    return finding("TQ401", None, None, found, expected, None, operators[0])
