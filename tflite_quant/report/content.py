"""What the page says, as plain data. All text may be a stranger's; the template escapes it."""

from __future__ import annotations

from dataclasses import dataclass

from .bars import Bars


@dataclass(frozen=True)
class End:
    """An input or output.

    Attributes
    ----------
    kind : str
        "input" or "output".
    name, type, shape, scale, zero_point, real : str
        Its facts; `real` is the range of its real values.
    formula : str
        How to quantize an input, how to dequantize an output; empty for values that are as they
        are.
    """

    kind: str
    name: str
    type: str
    shape: str
    scale: str
    zero_point: str
    real: str
    formula: str


@dataclass(frozen=True)
class Ends:
    """The inputs and outputs of a subgraph.

    Attributes
    ----------
    title : str
        Which subgraph it is; empty for the only one.
    ends : tuple of End
    left_out : int
        How many are not shown.
    """

    title: str
    ends: tuple[End, ...]
    left_out: int


@dataclass(frozen=True)
class Block:
    """A buffer in the picture of the arena, which is 1000 wide and 1000 high.

    Attributes
    ----------
    x, y, width, height : float
        `y` counts from the top; the arena begins at the bottom.
    is_scratch, is_at_peak : bool
        Whether it is scratch memory, and whether it is live where most memory is.
    about : str
    """

    x: float
    y: float
    width: float
    height: float
    is_scratch: bool
    is_at_peak: bool
    about: str


@dataclass(frozen=True)
class Arena:
    """The memory that a model needs on a microcontroller, over the time of a run.

    Attributes
    ----------
    text : str
        How much it needs, or why that is not known.
    about : str
        What the picture shows; empty without one.
    blocks : tuple of Block
    left_out : int
        Buffers that are not drawn: the smallest.
    peak : float or None
        Where the operator stands at which most memory is live, from 0 to 1000.
    head : str
        The bytes that the picture's height stands for.
    first, last : str
        The first and the last operator.
    live : tuple of (str, str)
        The bytes and names of the largest buffers that are live there.
    """

    text: str
    about: str = ""
    blocks: tuple[Block, ...] = ()
    left_out: int = 0
    peak: float | None = None
    head: str = ""
    first: str = ""
    last: str = ""
    live: tuple[tuple[str, str], ...] = ()

    @property
    def has_scratch(self) -> bool:
        """Whether scratch memory is drawn."""
        return any(block.is_scratch for block in self.blocks)


@dataclass(frozen=True)
class Problem:
    """Findings of one kind and severity.

    Attributes
    ----------
    severity, id, title, fix : str
        As `Kind` has them.
    count : int
    places : str
        The operators or tensors.
    examples : tuple of (str, str, str, str)
        The place, what is found, what is expected, and the consequence, of the first findings.
    """

    severity: str
    id: str
    title: str
    fix: str
    count: int
    places: str
    examples: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class Problems:
    """The findings of the check.

    Attributes
    ----------
    text : str
        How many there are and how much was checked, or why nothing was.
    kinds : tuple of Problem
    """

    text: str
    kinds: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Weights:
    """A constant that an operator reads.

    Attributes
    ----------
    name, role : str
    facts : tuple of str
        Its type, shape, size and scheme.
    figures : tuple of (str, str)
        What its values are like: names and numbers.
    pictures : tuple of Bars
    sqnr, quality : str
        Beside the reference; empty without one.
    remark : str
        Why it has no values, if so.
    """

    name: str
    role: str
    facts: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    pictures: tuple[Bars, ...]
    sqnr: str
    quality: str
    remark: str


@dataclass(frozen=True)
class Layer:
    """An operator with its constants.

    Attributes
    ----------
    title, about : str
    weights : tuple of Weights
    """

    title: str
    about: str
    weights: tuple[Weights, ...]


@dataclass(frozen=True)
class Layers:
    """The operators that have constants.

    Attributes
    ----------
    layers : tuple of Layer
    left_out : int
        Constants that are not shown: the smallest.
    """

    layers: tuple[Layer, ...]
    left_out: int


@dataclass(frozen=True)
class Cost:
    """What quantization cost one tensor.

    Attributes
    ----------
    operator, name, sqnr, quality, worst_channel, range_used, at_ends : str
    bar : float
        The length of its bar, from 0 to 100.
    remarks : str
    """

    operator: str
    name: str
    sqnr: str
    quality: str
    worst_channel: str
    range_used: str
    at_ends: str
    bar: float
    remarks: str


@dataclass(frozen=True)
class Costs:
    """The model beside its reference.

    Attributes
    ----------
    reference, text : str
    rows : tuple of Cost
        The worst first.
    left_out : int
    unmatched : tuple of (str, str, str)
        The side, the tensor and the reason, of what was not compared.
    unmatched_left_out : int
    """

    reference: str
    text: str
    rows: tuple[Cost, ...]
    left_out: int
    unmatched: tuple[tuple[str, str, str], ...]
    unmatched_left_out: int


@dataclass(frozen=True)
class Content:
    """All that the page says.

    Attributes
    ----------
    name, version : str
        Of the model's file, and of this library.
    facts : tuple of (str, str)
    ends : tuple of Ends
    subgraphs_left_out : int
    arena : Arena
    problems : Problems
    layers : Layers
    costs : Costs or None
    """

    name: str
    version: str
    facts: tuple[tuple[str, str], ...]
    ends: tuple[Ends, ...]
    subgraphs_left_out: int
    arena: Arena
    problems: Problems
    layers: Layers
    costs: Costs | None

    @property
    def has_formulas(self) -> bool:
        """Whether an input or output is quantized in a way that a formula says."""
        return any(end.formula for graph in self.ends for end in graph.ends)
