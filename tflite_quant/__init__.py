"""Read TensorFlow Lite (LiteRT) models without TensorFlow.

Every tensor, buffer and quantization parameter straight from the FlatBuffer, and the real values
behind the integers.

>>> import tflite_quant as tq
>>> with tq.open("fixtures/residual_int8.tflite") as model:
...     weights = model.operators[0].inputs[1]
...     weights.quantization.scheme, weights.data.dtype, weights.dequantize().dtype
('per-axis', dtype('int8'), dtype('float32'))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .affine import dequantize, quantize
from .blockwise import dequantize_blockwise
from .buffer import Buffer, ExternalBuffer
from .errors import (
    CorruptModelError,
    NotTFLiteError,
    QuantizationError,
    TFLiteError,
    UnsupportedError,
)
from .model import Metadata, Model, Signature, open
from .quantization import (
    Blockwise,
    Custom,
    MultiAxis,
    NotQuantized,
    PerAxis,
    PerTensor,
    Quantization,
    UnknownScheme,
)
from .schema import TensorType
from .subgraph import Operator, Subgraph
from .tensor import Tensor

if TYPE_CHECKING:
    from . import lite
    from .analyzer import analyze
    from .checker import check
    from .findings import Finding, Report, Severity
    from .fixedpoint import (
        Multiplier,
        Requantization,
        activation_range,
        operator_requantization,
        quantize_multiplier,
    )
    from .header import c_header
    from .interpreter import Interpreter

__version__ = "0.1.0"

__all__ = [
    "Blockwise",
    "Buffer",
    "CorruptModelError",
    "Custom",
    "ExternalBuffer",
    "Finding",
    "Interpreter",
    "Metadata",
    "Model",
    "MultiAxis",
    "Multiplier",
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
    "Finding": ".findings",
    "Interpreter": ".interpreter",
    "Multiplier": ".fixedpoint",
    "Report": ".findings",
    "Requantization": ".fixedpoint",
    "Severity": ".findings",
    "activation_range": ".fixedpoint",
    "analyze": ".analyzer",
    "c_header": ".header",
    "check": ".checker",
    "lite": ".lite",
    "operator_requantization": ".fixedpoint",
    "quantize_multiplier": ".fixedpoint",
}
"""What is imported when it is asked for: a model can be read without it."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_LATER[name], __name__)
    return module if name == "lite" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
