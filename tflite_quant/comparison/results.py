"""What a comparison returns: of each tensor its error, of the model that of all weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from ..errors import plural
from ..model.names import nearest
from .measures import Channels, Measures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_REFERENCE = "nothing in the reference belongs to it"
NO_QUANTIZED = "nothing in the quantized model belongs to it"
"""Why most of what was not compared was not."""

Arrays = tuple[NDArray[Any], NDArray[Any]]
"""The original values of a tensor, and its real values."""


@dataclass(frozen=True)
class TensorComparison:
    """How far the real values of one tensor are from its reference.

    Attributes
    ----------
    name : str
        The tensor's name in the quantized model.
    index, subgraph_index : int
        Its index there, and that of its subgraph.
    role : str
        What it is for; see `Tensor.role`.
    operator : str
        The operator that reads it, such as CONV_2D; of an activation, the one that writes it.
        Empty if there is none.
    operator_index : int or None
    type, scheme : str
        The type of its stored values, and its quantization scheme.
    shape : tuple of int
    reference_name, reference_type : str
    matched_by : str
        "name", "part of the name", "graph", or "shape and order": how the two were matched.
    layout : str
        What was done to the reference to get the tensor's shape; empty for nothing.
    measures : Measures
    channels : Channels or None
        The measures of each channel, if there are several channels of several values.
    not_finite : int
        Reference values that are not finite in float32, and were left out.
    note : str
        What else is to be said, in words; often empty.
    """

    name: str
    index: int
    subgraph_index: int
    role: str
    operator: str
    operator_index: int | None
    type: str
    scheme: str
    shape: tuple[int, ...]
    reference_name: str
    reference_type: str
    matched_by: str
    layout: str
    measures: Measures
    channels: Channels | None
    not_finite: int
    note: str

    @property
    def sqnr(self) -> float:
        """The signal-to-quantization-noise ratio in dB; see `Measures`."""
        return self.measures.sqnr

    def __repr__(self) -> str:
        return f"TensorComparison({self.name!r}, {self.sqnr:.1f} dB)"


@dataclass(frozen=True)
class Unmatched:
    """What was not compared.

    Attributes
    ----------
    side : str
        "reference" or "quantized".
    name : str
    shape : tuple of int
    type : str
    reason : str
    """

    side: str
    name: str
    shape: tuple[int, ...]
    type: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """A model beside what it was quantized from.

    `comparison["name"]` is the comparison of a tensor; iteration and `len` are those of `tensors`.

    Attributes
    ----------
    reference, quantized : str or None
        The paths of the two; None for what does not come from a path.
    tensors : tuple of TensorComparison
        The constants that were compared, in the order in which operators read them.
    activations : tuple of TensorComparison
        The recorded tensors that were compared, in the order in which operators write them.
    unmatched : tuple of Unmatched
        What was not compared, on both sides: it has no counterpart, or cannot be read.
    others : int
        How many constants of the quantized model have no real values: shapes, indices and so on.
    weights : Measures or None
        The measures over all values of all weights; None if no weights were compared.
    """

    reference: str | None
    quantized: str | None
    tensors: tuple[TensorComparison, ...]
    activations: tuple[TensorComparison, ...]
    unmatched: tuple[Unmatched, ...]
    others: int
    weights: Measures | None
    _read: Callable[[TensorComparison, bool], Arrays] | None = field(
        default=None, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[TensorComparison]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __bool__(self) -> bool:
        """Return True: even a comparison without tensors is one."""
        return True

    def __getitem__(self, name: str) -> TensorComparison:
        """Return the comparison of a constant, or of a recorded tensor.

        Raises
        ------
        KeyError
            None has the name, or several have it.
        """
        found = [each for each in (*self.tensors, *self.activations) if each.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise KeyError(f"{len(found)} tensors have the name {name!r}")
        near = nearest(name, [each.name for each in self.tensors])
        raise KeyError(
            f"no tensor {name!r} was compared" + (f"; the nearest are {near}" if near else "")
        )

    def worst(self, count: int = 10) -> tuple[TensorComparison, ...]:
        """Return the constants with the lowest SQNR, the worst first."""
        return tuple(sorted(self.tensors, key=lambda each: each.sqnr)[:count])

    def under(self, limit: float) -> tuple[TensorComparison, ...]:
        """Return the tensors whose SQNR in dB is under a limit, the worst first.

        Activations are among them, and tensors of which reference values are not finite.
        """
        everything = sorted((*self.tensors, *self.activations), key=lambda each: each.sqnr)
        return tuple([each for each in everything if each.sqnr < limit or each.not_finite])

    @property
    def matched(self) -> str:
        """How many constants were compared, of how many, in words."""
        sides = [each for each in self.unmatched if each.side == "quantized"]
        total = len(self.tensors) + len(sides)
        return f"{len(self.tensors)} of {total} {plural('constant', total)} matched"

    def to_records(self) -> list[dict[str, Any]]:
        """Return a flat dictionary for each tensor, of which data frames are made.

        Returns
        -------
        list of dict
            The attributes of `TensorComparison` and `Measures`, and 'worst_channel' with its
            'worst_channel_sqnr'; None where there is none. First constants, then activations.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> folder = "fixtures/residual_"
        >>> comparison = tq.compare(folder + "float32.tflite", folder + "int8.tflite")
        >>> comparison.to_records()[0]["operator"]
        'CONV_2D'
        """
        from .reports import record  # noqa: PLC0415  # it imports this module

        return [record(each) for each in (*self.tensors, *self.activations)]

    def arrays(self, tensor: str | TensorComparison) -> Arrays:
        """Return the original values and the real values of a tensor that was compared.

        A comparison keeps no values, but what it was made of: models and arrays as they were given,
        and paths, whose files are read again. Models that were given must still be open.

        Parameters
        ----------
        tensor : str or TensorComparison
            A name, as in `comparison[name]`, or the comparison of the tensor.

        Returns
        -------
        (original, real) : ndarray of numbers, ndarray of floats; shape `tensor.shape`
            The original in the layout of the tensor.

        Raises
        ------
        KeyError
            No tensor that was compared has the name, or several have it.
        ValueError
            A model is closed, was read from a stream, or is not the one that was compared.
        TFLiteError, OSError
            As `compare`.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> folder = "fixtures/residual_"
        >>> comparison = tq.compare(folder + "float32.tflite", folder + "int8.tflite")
        >>> original, real = comparison.arrays("residual_1/stem_conv_1/convolution")
        >>> original.shape, real.shape, f"{abs(real - original).max():.4f}"
        ((32, 7, 7, 3), (32, 7, 7, 3), '0.0040')
        """
        found = self[tensor] if isinstance(tensor, str) else tensor
        if self._read is None:
            raise ValueError("a model was read from a stream, which cannot be read again")
        return self._read(found, any(each is found for each in self.activations))

    def plot(
        self,
        kind: Literal["sqnr", "activations", "scatter"] = "sqnr",
        *,
        tensor: str | TensorComparison | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw the comparison with matplotlib, which the extra `plot` installs.

        Parameters
        ----------
        kind : "sqnr", "activations" or "scatter"
            A bar for each constant, or for each recorded tensor, in the order of `tensors` and
            `activations`, which is that of the graph: as long as its SQNR. Or the real values of
            one tensor against the original ones.
        tensor : str or TensorComparison
            The tensor whose values are drawn; see `arrays`. Only for "scatter".
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure, as high as the names need.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        UnsupportedError
            Nothing was compared.
        ImportError
            matplotlib is not installed.
        KeyError, ValueError, TFLiteError, OSError
            As `arrays`; an argument is none of those above.

        Notes
        -----
        The bar of an exact tensor is as long as the picture is wide, and hatched; an SQNR of minus
        infinity is a cross. Of more than 10,969 values, 9,973 at even distances are drawn, and the
        996 with the largest error.

        Examples
        --------
        >>> import tflite_quant as tq
        >>> folder = "fixtures/residual_"
        >>> comparison = tq.compare(folder + "float32.tflite", folder + "int8.tflite")
        >>> ax = comparison.plot("scatter", tensor=comparison.worst(1)[0])  # doctest: +SKIP
        """
        from ..pictures.comparisons import plot_comparison  # noqa: PLC0415  # it imports this module

        return plot_comparison(self, kind, tensor, ax)

    def __repr__(self) -> str:
        weights = "" if self.weights is None else f", weights {self.weights.sqnr:.1f} dB"
        return f"Comparison({self.reference!r}, {self.quantized!r}, {self.matched}{weights})"
