"""Read TensorFlow Lite (LiteRT) models without TensorFlow.

`open` reads every tensor, buffer and quantization parameter straight from the FlatBuffer;
`Tensor.dequantize` returns the real values of a tensor's integers.

>>> import tflite_quant as tq
>>> with tq.open("fixtures/residual_int8.tflite") as model:
...     weights = model.operators[0].inputs[1]
...     weights.quantization.scheme, weights.data.dtype, weights.dequantize().dtype
('per-axis', dtype('int8'), dtype('float32'))
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .arithmetic.affine import dequantize, quantize
from .arithmetic.blockwise import dequantize_blockwise
from .errors import (
    CorruptModelError,
    ExternalFileError,
    NotTFLiteError,
    QuantizationError,
    TFLiteError,
    UnsupportedError,
)
from .format.schema import TensorType
from .format.tables import ExternalBuffer
from .model.block_quantization import Blockwise, MultiAxis
from .model.buffer import Buffer
from .model.model import Metadata, Model, Signature, open
from .model.names import Named
from .model.operator import Operator
from .model.quantization import (
    Custom,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
)
from .model.subgraph import Subgraph
from .model.tensor import Tensor

if TYPE_CHECKING:
    from .checks.checker import check
    from .checks.findings import Finding, Report, Severity
    from .firmware.c_header import c_header
    from .firmware.fixedpoint import Multiplier, activation_range, quantize_multiplier
    from .firmware.kernels import operator_requantization
    from .firmware.requantization import Arithmetic, Requantization
    from .litert import lite
    from .litert.analyzer import analyze
    from .litert.interpreter import Interpreter

__version__ = "0.1.0"

__all__ = [
    "Arithmetic",
    "Blockwise",
    "Buffer",
    "CorruptModelError",
    "Custom",
    "ExternalBuffer",
    "ExternalFileError",
    "Finding",
    "Interpreter",
    "Metadata",
    "Model",
    "MultiAxis",
    "Multiplier",
    "Named",
    "NotQuantized",
    "NotTFLiteError",
    "Operator",
    "PerAxis",
    "PerTensor",
    "Quantization",
    "QuantizationError",
    "Report",
    "Requantization",
    "Severity",
    "Signature",
    "Subgraph",
    "TFLiteError",
    "Tensor",
    "TensorType",
    "UnknownScheme",
    "UnsupportedError",
    "activation_range",
    "analyze",
    "c_header",
    "check",
    "dequantize",
    "dequantize_blockwise",
    "lite",
    "open",
    "operator_requantization",
    "quantize",
    "quantize_multiplier",
]

_LATER = {
    "Arithmetic": ".firmware.requantization",
    "Finding": ".checks.findings",
    "Interpreter": ".litert.interpreter",
    "Multiplier": ".firmware.fixedpoint",
    "Report": ".checks.findings",
    "Requantization": ".firmware.requantization",
    "Severity": ".checks.findings",
    "activation_range": ".firmware.fixedpoint",
    "analyze": ".litert.analyzer",
    "c_header": ".firmware.c_header",
    "check": ".checks.checker",
    "lite": ".litert.lite",
    "operator_requantization": ".firmware.kernels",
    "quantize_multiplier": ".firmware.fixedpoint",
}
"""Names that are imported when they are first used: a model can be read without them."""

if not TYPE_CHECKING:
    # Type checkers read the imports above instead, and so report a mistyped name as an error.
    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = import_module(_LATER[name], __name__)
        return module if name == "lite" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
