"""The names under which TensorFlow has its interpreter and its analyzer.

A script that says `tf.lite.Interpreter` or `tf.lite.experimental.Analyzer.analyze` changes one
line, `import tensorflow as tf`, to `import tflite_quant as tf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from ..escape import for_terminal
from ..format.source import Source
from . import interpreter
from .analyzer import analyze
from .interpreter import (
    Interpreter,
    InterpreterWithCustomOps,
    OpResolverType,
    SignatureRunner,
    load_delegate,
)

__all__ = [
    "Interpreter",
    "InterpreterWithCustomOps",
    "OpResolverType",
    "SignatureRunner",
    "experimental",
    "load_delegate",
]


class experimental:  # noqa: N801  # TensorFlow's own name for it
    """Takes the place of TensorFlow's module `tf.lite.experimental`."""

    OpResolverType = interpreter.OpResolverType

    @staticmethod
    def load_delegate(library: object, options: object = None) -> NoReturn:
        """Raise `UnsupportedError`: this library does not run models."""
        interpreter.load_delegate(library, options)

    class Analyzer:
        """Prints what is in a model."""

        @staticmethod
        def analyze(
            model_path: Source | None = None,
            model_content: Source | None = None,
            gpu_compatibility: bool = False,
        ) -> None:
            """Print the analyzer's report on a model.

            Parameters
            ----------
            model_path : path, optional
            model_content : bytes-like, optional
                Exactly one of the two.
            gpu_compatibility : bool
                Accepted, but not looked at, which a last line says: it needs LiteRT's GPU delegate.

            Raises
            ------
            ValueError
                Both of the two are given, or neither.
            """
            given = [source for source in (model_path, model_content) if source is not None]
            if len(given) != 1:
                raise ValueError(
                    f"{len(given)} models are given, expected model_path or model_content"
                )
            title = "TFLite ModelAnalyzer" if model_path is None else str(model_path)
            print(f"=== {for_terminal(title)} ===\n")
            print(analyze(given[0]))
            if gpu_compatibility:
                print("gpu_compatibility was not looked at: it needs LiteRT's GPU delegate")


_CONVERTING = {
    "OpsSet", "Optimize", "QuantizationDebugOptions", "QuantizationDebugger",
    "RepresentativeDataset", "TFLiteConverter", "TargetSpec", "TocoConverter",
}  # fmt: skip

if not TYPE_CHECKING:

    def __getattr__(name: str) -> NoReturn:
        if name in _CONVERTING:
            raise AttributeError(
                f"lite.{name} is for converting models, and this library only reads them: "
                "convert with TensorFlow"
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
