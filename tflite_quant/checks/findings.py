"""What a check found in a model: a single finding, and the report with all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

from ..escape import for_terminal
from ..summary.html import table
from .coverage import Coverage
from .kinds import Kind, Severity


def counted(count: int, word: str) -> str:
    """Return a count and a word: '1 scale', '2 scales'."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


@dataclass(frozen=True)
class Subject:
    """An operator or tensor that a finding is about, by its index in the subgraph and its name."""

    index: int
    name: str

    @property
    def shown(self) -> str:
        """The name with unprintable characters escaped, so that no file can control a terminal."""
        return for_terminal(self.name)


@dataclass(frozen=True)
class Finding:
    """One problem in a model.

    Attributes
    ----------
    kind : Kind
    severity : Severity
    subgraph : int
        The subgraph's index.
    operator, tensor : Subject or None
        What it is about.
    found, expected : str
        What the file has, and what it should have, as phrases.
    effect : str
        What the consequence is, in one sentence.
    """

    kind: Kind
    severity: Severity
    subgraph: int
    operator: Subject | None
    tensor: Subject | None
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
            f"  found {for_terminal(self.found)}; expected {for_terminal(self.expected)}\n"
            f"  {self.effect}"
        )


@dataclass(frozen=True)
class Report:
    """All findings about a model, the worst first; `print` shows them.

    Attributes
    ----------
    name : str or None
        The path of the model.
    findings : tuple of Finding
    scheme : str
        How the model is quantized, in the words of `Model.summary`; empty for several models.
    coverage : Coverage or None
        How many operators were checked, and how many were not.
    """

    name: str | None
    findings: tuple[Finding, ...]
    scheme: str = ""
    coverage: Coverage | None = None

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        """Return a finding, or some of them."""
        return self.findings[index]

    def _repr_html_(self) -> str:
        rows = ((f.severity, f.id, f.place, f.found, f.expected, f.effect) for f in self)
        titles = ("severity", "id", "place", "found", "expected", "effect")
        name = table([], [[self.name or "model", self.scheme, self.summary]])
        return name + (table(titles, rows, len(self)) if self.findings else "")

    def __repr__(self) -> str:
        return f"Report({self.name!r}, {self.summary})"

    def __str__(self) -> str:
        return "\n".join([self.title, *map(str, self.findings)])

    @property
    def title(self) -> str:
        """The first line of its text: the model, its scheme, what was found, what was checked."""
        name = "model" if self.name is None else for_terminal(self.name)
        scheme = f" ({self.scheme})" if self.scheme else ""
        covered = "" if self.coverage is None else f" ({self.coverage})"
        return f"{name}{scheme}: {self.summary}{covered}"

    @property
    def summary(self) -> str:
        """How many findings there are: '1 error, 2 notes'; 'no findings'."""
        counts = Counter(finding.severity for finding in self.findings)
        parts = [counted(counts[severity], str(severity)) for severity in sorted(counts)[::-1]]
        return ", ".join(parts) or "no findings"

    def at_least(self, severity: Severity) -> tuple[Finding, ...]:
        """Return the findings of at least this severity."""
        return tuple(finding for finding in self.findings if finding.severity >= severity)
