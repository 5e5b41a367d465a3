"""Compares a quantized model with what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

from numpy.typing import ArrayLike, NDArray

from ..errors import CorruptModelError, TFLiteError, brief
from ..format.source import Source
from ..model.model import Model, open
from ..model.tensor import Tensor
from .activations import Recorded, compare_activations, pairs_of_recorded
from .constants import Constant, constants_of, values_of
from .matching import Matches, Pair, match
from .purse import Purse
from .references import Original, is_npz, of_a_constant, of_arrays, open_npz
from .results import NO_QUANTIZED, NO_REFERENCE, Arrays, Comparison, TensorComparison, Unmatched
from .summing import Measured, measure, pooled

Reference = Model | Source | Mapping[str, ArrayLike]
"""What a model can be compared with."""
Progress = Callable[[Sequence[Any]], Iterable[Any]]
"""Wraps a sequence and shows how far it is, as `tqdm.tqdm` and `rich.progress.track` do."""


def compare(
    reference: Reference,
    quantized: Model | Source,
    *,
    activations: tuple[Recorded, Recorded] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compare the real values of a quantized model with those that it was quantized from.

    Parameters
    ----------
    reference : Model, what `open` takes, a mapping of str to array_like, or a path to a .npz file
        The original: a float model, one that is quantized otherwise, or weights by name, as out of
        Keras or PyTorch. Arrays whose axes converters put in another order are tried in those
        orders; of several that fit, the nearest is taken.
    quantized : Model, or what `open` takes
    activations : (recorded, recorded), optional
        What the two models computed from the same input: for each, a mapping of names or indices
        of tensors of the first subgraph to arrays, or the path of a .npz file with such names.
        Integers stand for what the tensor's quantization says, floats for themselves.
    progress : callable, optional
        Wraps the sequence of pairs, such as `tqdm.tqdm` or `rich.progress.track`.

    Returns
    -------
    Comparison
        Nothing is left out in silence: what could not be compared is in `unmatched`.

    Raises
    ------
    TFLiteError, OSError
        A file cannot be opened, or its tensors share values so much that comparing all would take
        more than the file's budget.
    TypeError, ValueError
        The arguments are of the wrong kind, or a model is closed.

    Examples
    --------
    >>> import tflite_quant as tq
    >>> comparison = tq.compare(
    ...     "fixtures/residual_float32.tflite", "fixtures/residual_int8.tflite"
    ... )
    >>> comparison.matched, round(comparison.weights.sqnr, 1)
    ('16 of 16 constants matched', 44.8)
    >>> worst = comparison.worst(1)[0]
    >>> worst.operator, round(worst.sqnr, 1), worst.channels.worst
    ('CONV_2D', 42.8, 17)
    """
    with ExitStack() as stack:
        model = _opened(quantized, stack)
        original, originals, refused = _originals(reference, stack)
        found = constants_of(model)
        matches = match(found.real, originals)
        purses = {id(each): Purse(each) for each in (model, original) if each is not None}
        pairs = matches.pairs if progress is None else progress(matches.pairs)
        purse, of_original = purses[id(model)], purses.get(id(original))
        results = [(pair, _compared(pair, purse, of_original)) for pair in pairs]
        done = [(pair, result) for pair, result in results if isinstance(result, Measured)]
        failed = [(pair, result) for pair, result in results if isinstance(result, str)]
        recorded, not_recorded = compare_activations(original, model, activations, stack)
        unmatched = (
            *[Unmatched("quantized", *_facts(pair.constant), why) for pair, why in failed],
            *_left_over(matches),
            *[Unmatched("reference", name, (), "", why) for name, why in refused],
            *not_recorded,
        )
        return Comparison(
            _name(reference) if original is None else original.name,
            model.name,
            tuple([_tensor(pair, result) for pair, result in done]),
            tuple(recorded),
            unmatched,
            found.others,
            pooled([result for pair, result in done if pair.constant.role == "weight"]),
            None
            if _is_stream(reference) or _is_stream(quantized)
            else _Reader(reference, quantized, activations),
        )


def _is_stream(source: object) -> bool:
    return hasattr(source, "read")


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads the values of one tensor again, from what was given to `compare`."""

    reference: Reference
    quantized: Model | Source
    activations: tuple[Recorded, Recorded] | None

    def __call__(self, tensor: TensorComparison, is_recorded: bool) -> Arrays:
        """Return the original values of a tensor, and its real values.

        Raises
        ------
        ValueError
            The tensor is not there, or a model is closed.
        TFLiteError, OSError
            As `compare`.
        """
        with ExitStack() as stack:
            model = _opened(self.quantized, stack)
            original, originals, _ = _originals(self.reference, stack)
            if is_recorded:
                assert self.activations is not None
                recorded, _ = pairs_of_recorded(original, model, self.activations, stack)
                for each in recorded:
                    if _is_of(tensor, each.tensor):
                        values, array = each.read()
                        assert values.real is not None
                        return array, values.real
            for pair in match(constants_of(model).real, originals).pairs:
                if not is_recorded and _is_of(tensor, pair.constant.tensor):
                    Purse(model).cost(pair.constant)
                    return _arrays(pair, tensor.layout)
        raise ValueError(f"tensor {tensor.name!r} is not in the model: it is not the one compared")


def _is_of(result: TensorComparison, tensor: Tensor) -> bool:
    return (result.subgraph_index, result.index) == (tensor.subgraph_index, tensor.index)


def _arrays(pair: Pair, layout: str) -> Arrays:
    """Return the original values of a constant, in the layout that was taken, and the real ones."""
    values = values_of(pair.constant)
    real = pair.constant.tensor.dequantize() if values.real is None else values.real
    for each in pair.layouts:
        if each.text == layout:
            return each.apply(_original(pair.original)), real
    raise ValueError(
        f"{pair.original.name!r} is not the array that was compared: its shape differs"
    )


def _opened(model: Model | Source, stack: ExitStack) -> Model:
    return model if isinstance(model, Model) else stack.enter_context(open(model))


def _name(reference: Reference) -> str | None:
    return fspath(reference) if isinstance(reference, str | PathLike) else None


def _originals(
    reference: Reference, stack: ExitStack
) -> tuple[Model | None, list[Original], list[tuple[str, str]]]:
    """Return the model that is compared with, if it is one; all arrays; and those refused."""
    if isinstance(reference, Mapping):
        return None, *of_arrays(reference)
    if is_npz(reference):
        assert isinstance(reference, str | PathLike)
        return None, *of_arrays(open_npz(reference, stack))
    reference = _opened(reference, stack)
    return reference, [of_a_constant(each) for each in constants_of(reference).real], []


def _compared(pair: Pair, purse: Purse, of_original: Purse | None) -> Measured | str:
    """Return the error of a pair, or why there is none."""
    other = pair.original.constant
    try:
        cost = purse.cost(pair.constant)
        cost_of_other = 0 if other is None or of_original is None else of_original.cost(other)
    except TFLiteError as error:
        return str(error)
    purse.spend(cost)
    if of_original is not None:
        of_original.spend(cost_of_other)
    try:
        return _measured(pair)
    except TFLiteError as error:
        return str(error)


def _measured(pair: Pair) -> Measured:
    """Return the error of a pair; of several layouts that fit, that with the smallest."""
    constant = pair.constant
    values, array = values_of(constant), _original(pair.original)
    tried = [
        measure(values, layout.apply(array), constant.channel_axis, constant.role == "weight")
        for layout in pair.layouts
    ]
    best = max(range(len(tried)), key=lambda index: tried[index].measures.sqnr)
    return tried[best]._replace(layout=pair.layouts[best].text)


def _original(original: Original) -> NDArray[Any]:
    """Read an array that is compared with."""
    array = original.read()
    if array.shape != original.shape:
        shapes = f"{brief(array.shape)}, expected {brief(original.shape)}"
        raise CorruptModelError(f"the reference {original.name!r} has values of shape {shapes}")
    return array


def _facts(constant: Constant) -> tuple[str, tuple[int, ...], str]:
    return constant.name, constant.shape, constant.stored.type.name


def _left_over(matches: Matches) -> Iterator[Unmatched]:
    for constant in matches.constants:
        yield Unmatched("quantized", *_facts(constant), NO_REFERENCE)
    for original in matches.originals:
        facts = (original.name, original.shape, original.type)
        yield Unmatched("reference", *facts, NO_QUANTIZED)


def _tensor(pair: Pair, result: Measured) -> TensorComparison:
    constant, tensor, operator = pair.constant, pair.constant.tensor, pair.constant.operator
    return TensorComparison(
        name=constant.name,
        index=tensor.index,
        subgraph_index=tensor.subgraph_index,
        role=constant.role,
        operator="" if operator is None else operator.name,
        operator_index=None if operator is None else operator.index,
        type=constant.stored.type.name,
        scheme=constant.stored.quantization.scheme,
        shape=constant.shape,
        reference_name=pair.original.name,
        reference_type=pair.original.type,
        matched_by=pair.rule,
        layout=result.layout,
        measures=result.measures,
        channels=result.channels,
        not_finite=result.not_finite,
        note=result.note(pair.rule.endswith("name")),
    )
