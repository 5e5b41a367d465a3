"""The names under which TensorFlow has its interpreter and its analyzer.

A script that says `tf.lite.Interpreter` or `tf.lite.experimental.Analyzer.analyze` changes one
line, `import tensorflow as tf`, to `import tflite_quant as tf`.
"""

from __future__ import annotations

from ..errors import UnsupportedError
from ..escape import for_terminal
from ..format.source import Source
from .analyzer import analyze
from .interpreter import Interpreter

__all__ = ["Interpreter", "experimental"]


class experimental:  # noqa: N801  # TensorFlow's own name for it
    """Takes the place of TensorFlow's module `tf.lite.experimental`."""

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
                Not available here: it needs the runtime's own delegate.

            Raises
            ------
            ValueError
                Both of the two are given, or neither.
            UnsupportedError
                `gpu_compatibility` is asked for.
            """
            if gpu_compatibility:
                raise UnsupportedError("gpu_compatibility needs TensorFlow's own analyzer")
            given = [source for source in (model_path, model_content) if source is not None]
            if len(given) != 1:
                raise ValueError(
                    f"{len(given)} models are given, expected model_path or model_content"
                )
            title = "TFLite ModelAnalyzer" if model_path is None else str(model_path)
            print(f"=== {for_terminal(title)} ===\n")
            print(analyze(given[0]))
