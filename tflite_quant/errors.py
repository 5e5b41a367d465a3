"""The exceptions: every way in which a file can be wrong has a kind."""

from __future__ import annotations

__all__ = [
    "CorruptModelError",
    "NotTFLiteError",
    "QuantizationError",
    "TFLiteError",
    "UnsupportedError",
]


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
