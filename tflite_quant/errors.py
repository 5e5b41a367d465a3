"""The exceptions that this library raises, and helpers that write their messages."""

from __future__ import annotations


class TFLiteError(ValueError):
    """The bytes of a model, or the parameters in it, cannot be used as asked.

    Whatever the bytes of a file, they raise no other error than this class and its subclasses.
    Wrong arguments raise what Python programmers expect: `TypeError`, `KeyError`, `IndexError`
    or plain `ValueError`. The system raises `OSError`.
    """


class NotTFLiteError(TFLiteError):
    """The bytes are not a TensorFlow Lite model; the message says what they look like."""


class CorruptModelError(TFLiteError):
    """The structure of the model is broken: an offset, length, index or size is wrong."""


class QuantizationError(TFLiteError):
    """The quantization parameters or the values do not allow the requested arithmetic."""


class UnsupportedError(TFLiteError):
    """The model is valid, but this library cannot do what was asked."""


class ExternalFileError(TFLiteError, OSError):
    """A file beside the model, which holds values of its tensors, cannot be read.

    It is an `OSError` too, as for any file that is missing.
    """


def brief(numbers: tuple[int, ...]) -> str:
    """Return a tuple, such as a shape, as text; a long one is cut, since a broken file may have it.

    Examples
    --------
    >>> brief((1, 28, 28)), brief((1,) * 500)
    ('(1, 28, 28)', '(1, 1, 1, 1, 1, 1, 1, 1, ... 500 numbers)')
    """
    if len(numbers) <= 16:
        return str(numbers)
    return f"({', '.join(map(str, numbers[:8]))}, ... {len(numbers)} numbers)"


def plural(word: str, count: int) -> str:
    """Return a noun in the number that a count asks for.

    Examples
    --------
    >>> plural("scale", 1), plural("scale", 2), plural("scale", 0)
    ('scale', 'scales', 'scales')
    """
    return word if count == 1 else f"{word}s"
