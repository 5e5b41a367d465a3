"""What a check may find in a model: the kinds of findings, one finding, and the report of all.

Everything that is said of a kind in general is in `KINDS`: docs/findings.md and the rules of a
SARIF log are made from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

__all__ = ["KINDS", "Finding", "Kind", "Named", "Report", "Severity"]


class Severity(IntEnum):
    """How bad a finding is; a worse one is greater."""

    NOTE = 1  # worth knowing
    WARNING = 2  # outside the specification
    ERROR = 3  # no runtime can run it as it is meant

    def __str__(self) -> str:
        return self.name.lower()


class Kind(NamedTuple):
    """A kind of finding.

    Attributes
    ----------
    id : str
        Stays what it is in all versions of this library.
    name : str
        A word or two.
    severity : Severity
        The worst that such a finding may be.
    title : str
        What is the matter, in one sentence.
    about : str
        When it is found, and what severity it then has.
    effect : str
        What it does to the result, in one sentence.
    """

    id: str
    name: str
    severity: Severity
    title: str
    about: str
    effect: str


@dataclass(frozen=True)
class Named:
    """An operator or a tensor: its index in the subgraph, and its name."""

    index: int
    name: str

    @property
    def shown(self) -> str:
        """The name with what is not printable escaped, so that no file can steer a terminal."""
        return repr(self.name)[1:-1]


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes
    ----------
    kind : Kind
    severity : Severity
    subgraph : int
        The subgraph's index.
    operator, tensor : Named or None
        Which ones it is about.
    found, expected : str
        What the file has, and what it should have.
    effect : str
        What it does to the result, in one sentence.
    """

    kind: Kind
    severity: Severity
    subgraph: int
    operator: Named | None
    tensor: Named | None
    found: str
    expected: str
    effect: str

    @property
    def id(self) -> str:
        """The identifier of its kind."""
        return self.kind.id

    @property
    def place(self) -> str:
        """Where it is: "subgraph 0, operator 3 CONV_2D, tensor 7 'kernel'"."""
        parts = [f"subgraph {self.subgraph}"]
        if self.operator is not None:
            parts.append(f"operator {self.operator.index} {self.operator.shown}")
        if self.tensor is not None:
            parts.append(f"tensor {self.tensor.index} '{self.tensor.shown}'")
        return ", ".join(parts)

    def __str__(self) -> str:
        return (
            f"{self.severity} {self.id}: {self.place}\n"
            f"  found {self.found}; expected {self.expected}\n"
            f"  {self.effect}"
        )


@dataclass(frozen=True)
class Report:
    """All that was found in a model, the worst first. `print` shows it.

    Attributes
    ----------
    name : str or None
        The path of the model.
    findings : tuple of Finding
    """

    name: str | None
    findings: tuple[Finding, ...]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return f"Report({self.name!r}, {self.summary})"

    def __str__(self) -> str:
        lines = [f"{'model' if self.name is None else self.name}: {self.summary}"]
        return "\n".join([*lines, *map(str, self.findings)])

    @property
    def summary(self) -> str:
        """How many findings there are: '1 error, 2 notes'; 'no findings'."""
        counts = Counter(finding.severity for finding in self.findings)
        parts = [
            f"{counts[severity]} {severity}" + ("s" if counts[severity] > 1 else "")
            for severity in sorted(counts, reverse=True)
        ]
        return ", ".join(parts) or "no findings"

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Give the findings that are as bad, or worse."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR

_KINDS = (
    Kind(
        "TQ101", "missing scale", _ERROR,
        "A tensor has no scale, but its operator computes with one.",
        "The tensor is an integer activation or weight of an operator that rescales what it reads. "
        "Operators that only move values, such as RESHAPE, need none.",
        "The kernel has nothing to compute its multiplier from: it refuses the model, or divides "
        "by zero.",
    ),
    Kind(
        "TQ102", "unusable scale", _ERROR,
        "A scale is negative, infinite, not a number, zero or denormal.",
        "A warning, not an error, where a constant has a scale of zero (all its values are then "
        "zero), and where a scale is denormal.",
        "Real values cannot be told from such a scale.",
    ),
    Kind(
        "TQ103", "count of parameters", _ERROR,
        "The counts of scales and zero points fit neither each other nor the axis.",
        "There are as many zero points as scales, and of either one, or as many as the tensor has "
        "slices along its axis.",
        "Some slices have no parameters of their own; LiteRT refuses the model, other runtimes "
        "read past the end of the list.",
    ),
    Kind(
        "TQ104", "axis out of range", _ERROR,
        "A tensor has several scales along an axis that it does not have.",
        "A warning where the tensor is of rank 1 and has as many scales as values, as biases do: "
        "there is but one axis that can be meant, and kernels do not look. Of one scale, the axis "
        "says nothing, and is not looked at.",
        "Nobody can tell which scale belongs to which values; LiteRT refuses to open the model.",
    ),
    Kind(
        "TQ105", "zero point out of range", _WARNING,
        "A zero point is outside the range of the tensor's type.",
        "The real value 0 then has no integer of its own.",
        "Zero, and with it padding, cannot be represented; kernels that keep zero points in the "
        "tensor's own type read another one.",
    ),
    Kind(
        "TQ106", "unreadable parameters", _ERROR,
        "The scales or zero points of blocks, which are tensors of their own, cannot be read.",
        "They are not constant, or are not numbers, or their bytes are not there.",
        "Real values cannot be computed.",
    ),
    Kind(
        "TQ201", "type", _ERROR,
        "A tensor has another type than the specification gives it.",
        "An error where the kernel checks the type, otherwise a warning: some kernels take more "
        "types than the specification lists.",
        "A kernel for this type need not exist, or reads the bytes as another type.",
    ),
    Kind(
        "TQ202", "granularity", _ERROR,
        "A tensor has several scales where one is specified, or one where there may be several.",
        "An error where the operator computes with the scale, since its kernel reads just one; a "
        "warning where it only moves values. A note where weights have one scale although the "
        "operator takes one per channel: that is right, but less precise.",
        "The kernel reads one scale for all values.",
    ),
    Kind(
        "TQ203", "axis", _ERROR,
        "Weights have their scales along another axis than the operator's channels.",
        "The kernel uses scale c for channel c, whatever axis the file says.",
        "The kernel multiplies channels by scales that belong to other values, or refuses the "
        "model.",
    ),
    Kind(
        "TQ204", "zero point", _ERROR,
        "A zero point is not the one that the operator prescribes.",
        "Weights and biases have 0, as have int16 activations; some outputs have one that is built "
        "in. An error where the kernel checks it or takes it for granted, otherwise a warning.",
        "The kernel refuses the model, or computes as if the zero point were the prescribed one.",
    ),
    Kind(
        "TQ205", "output scale", _ERROR,
        "An output has not the scale that the operator prescribes.",
        "The range of a SOFTMAX, a TANH, a LOGISTIC is known, so that the scale is, too. An error "
        "where the kernel checks it, otherwise a warning.",
        "The kernel refuses the model, or writes integers for the prescribed scale.",
    ),
    Kind(
        "TQ206", "scales that must agree", _ERROR,
        "Inputs and outputs of an operator that copies or compares integers are quantized in "
        "different ways.",
        "An error where the kernel checks it, otherwise a warning.",
        "The kernel does not rescale: the same integer stands for another real value afterwards.",
    ),
    Kind(
        "TQ207", "bias scale", _ERROR,
        "The scale of a bias is not the product of the scales of input and weights.",
        "What float rounding explains is let pass. A warning; an error where a FULLY_CONNECTED has "
        "one scale and the difference is more than a fiftieth of the output's scale, which its "
        "kernel refuses.",
        "The kernel adds the bias as if it had the product for its scale.",
    ),
    Kind(
        "TQ208", "bias type", _ERROR,
        "A bias has not the type that the operator adds: int32, or int64 with int16 activations.",
        "An error where the kernel checks the type, or reads the bytes as the other one; otherwise "
        "a warning.",
        "The kernel refuses the model, or reads the bias as another type.",
    ),
    Kind(
        "TQ209", "weights out of range", _WARNING,
        "Weights hold a value outside the specified range, such as -128 in int8.",
        "Symmetric weights have the range [-127, 127].",
        "Fast kernels add two products in 16 bits, which -128 times -128 can overflow.",
    ),
    Kind(
        "TQ210", "not specified", _NOTE,
        "An operator computes on quantized integers, but is not in the specification.",
        "The converter does not write it in this type; a kernel may exist all the same.",
        "Whether the operator runs depends on the runtime.",
    ),
    Kind(
        "TQ211", "no kernel", _WARNING,
        "LiteRT has no kernel for an operator in this type, though the converter writes it.",
        "Other runtimes may have one.",
        "LiteRT refuses to run the model.",
    ),
    Kind(
        "TQ212", "kernel's condition", _ERROR,
        "An operator does not meet a condition that only its kernel makes.",
        "The scale of an LSTM's cell state is a power of two; the input's scale of a HARD_SWISH is "
        "less than 128 times the output's; an SVDF has the activation RELU.",
        "The kernel refuses the model.",
    ),
    Kind(
        "TQ301", "size of a constant", _ERROR,
        "The bytes of a constant do not fit its shape and type.",
        "",
        "The values cannot be read; LiteRT refuses the model.",
    ),
    Kind(
        "TQ302", "dead tensor", _NOTE,
        "No operator reads or writes a tensor, and it is no input or output.",
        "",
        "It does nothing to the result; but a constant takes up memory.",
    ),
    Kind(
        "TQ303", "shared buffer", _NOTE,
        "Several tensors share the bytes of one buffer, but read them in different ways.",
        "A converter stores equal bytes once; that the parameters differ is no fault then, but "
        "whoever changes the bytes changes all of them.",
        "It does nothing to the result, as long as nobody changes the bytes.",
    ),
    Kind(
        "TQ304", "sparse blocks", _WARNING,
        "The blocks of a sparse tensor do not fill the dimension that they cut.",
        "TensorFlow's converter writes such files.",
        "The weights past the last whole block are lost: they are read as zero.",
    ),
    Kind(
        "TQ401", "float island", _WARNING,
        "Operators compute in float between a DEQUANTIZE and a QUANTIZE.",
        "All that flows into them comes from a DEQUANTIZE, and all that flows out ends in a "
        "QUANTIZE: the rest of the model around them computes on integers.",
        "They take float kernels, time and memory on a device that was to compute on integers.",
    ),
    Kind(
        "TQ501", "channels of zeros", _NOTE,
        "All weights of a channel are zero.",
        "",
        "The channel's output is its bias, whatever the input: it costs time and says nothing.",
    ),
    Kind(
        "TQ502", "saturated values", _WARNING,
        "Values crowd at the ends of their range: the scale is too small for them.",
        "Of a bias, a value at an end of int32. Of weights, a tenth of the values of a channel of "
        "64 or more, where there are 16 different values at least.",
        "The real values were larger than what is stored.",
    ),
    Kind(
        "TQ503", "unused range", _NOTE,
        "Weights use less than half of their range: the scale is too large for them.",
        "Of channels of zeros, TQ501 speaks.",
        "At least one bit of precision is thrown away.",
    ),
    Kind(
        "TQ504", "accumulator overflow", _WARNING,
        "A sum of products and bias can be more than 32 bits hold.",
        "The worst input that the quantized input can be is taken.",
        "For such inputs the sum wraps around.",
    ),
)  # fmt: skip

KINDS = {kind.id: kind for kind in _KINDS}
"""All kinds of findings by their identifiers."""
