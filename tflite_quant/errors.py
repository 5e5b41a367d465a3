"""The exceptions: every way in which a file can be wrong has a kind; how their texts are short."""

from __future__ import annotations


class TFLiteError(ValueError):
    """The bytes of a model, or the parameters in it, cannot be used as asked.

    Whatever the bytes of a file, this class and its kinds are all that leaves the library.
    Wrong arguments raise what Python programmers expect: `TypeError`, `KeyError`, `IndexError`,
    plain `ValueError`, and `OSError` from the system.
    """


class NotTFLiteError(TFLiteError):
    """The bytes are not a TensorFlow Lite model; the message says what they look like."""


class CorruptModelError(TFLiteError):
    """The structure of the model is broken: an offset, a length, an index, a size."""


class QuantizationError(TFLiteError):
    """The quantization parameters, or the values, do not allow the arithmetic asked for."""


class UnsupportedError(TFLiteError):
    """The model is valid, but this library cannot do what was asked of it."""


def brief(numbers: tuple[int, ...]) -> str:
    """Write a tuple, such as a shape, of which a broken file may have a long one.

    Examples
    --------
    >>> brief((1, 28, 28)), brief((1,) * 500)
    ('(1, 28, 28)', '(1, 1, 1, 1, 1, 1, 1, 1, ... 500 numbers)')
    """
    if len(numbers) <= 16:
        return str(numbers)
    return f"({', '.join(map(str, numbers[:8]))}, ... {len(numbers)} numbers)"
