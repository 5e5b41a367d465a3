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
from .format.compression import Compression
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
    from .checks.findings import Finding, Report
    from .checks.kinds import Severity
    from .comparison.comparer import compare
    from .comparison.measures import Channels, Measures
    from .comparison.results import Comparison, TensorComparison, Unmatched
    from .firmware.c_header import c_header, c_source
    from .firmware.cost import ModelCost, OperatorCost, model_cost, operator_cost
    from .firmware.fixedpoint import Multiplier, activation_range, quantize_multiplier
    from .firmware.kernels import operator_requantization
    from .firmware.memory_plan import (
        MemoryPlan,
        PlannedBuffer,
        UncertainOperator,
        memory_plan,
    )
    from .firmware.requantization import Arithmetic, Requantization
    from .litert import lite
    from .litert.analyzer import analyze
    from .litert.interpreter import Interpreter
    from .report.page import html_report
    from .summary.file_records import file_records

__version__ = "0.2.0"

__all__ = [
    "Arithmetic",
    "Blockwise",
    "Buffer",
    "Channels",
    "Comparison",
    "Compression",
    "CorruptModelError",
    "Custom",
    "ExternalBuffer",
    "ExternalFileError",
    "Finding",
    "Interpreter",
    "Measures",
    "MemoryPlan",
    "Metadata",
    "Model",
    "ModelCost",
    "MultiAxis",
    "Multiplier",
    "Named",
    "NotQuantized",
    "NotTFLiteError",
    "Operator",
    "OperatorCost",
    "PerAxis",
    "PerTensor",
    "PlannedBuffer",
    "Quantization",
    "QuantizationError",
    "Report",
    "Requantization",
    "Severity",
    "Signature",
    "Subgraph",
    "TFLiteError",
    "Tensor",
    "TensorComparison",
    "TensorType",
    "UncertainOperator",
    "UnknownScheme",
    "Unmatched",
    "UnsupportedError",
    "activation_range",
    "analyze",
    "c_header",
    "c_source",
    "check",
    "compare",
    "dequantize",
    "dequantize_blockwise",
    "file_records",
    "html_report",
    "lite",
    "memory_plan",
    "model_cost",
    "open",
    "operator_cost",
    "operator_requantization",
    "quantize",
    "quantize_multiplier",
]

_LATER = {
    "Arithmetic": ".firmware.requantization",
    "Channels": ".comparison.measures",
    "Comparison": ".comparison.results",
    "Finding": ".checks.findings",
    "Interpreter": ".litert.interpreter",
    "Measures": ".comparison.measures",
    "MemoryPlan": ".firmware.memory_plan",
    "ModelCost": ".firmware.cost",
    "Multiplier": ".firmware.fixedpoint",
    "OperatorCost": ".firmware.cost",
    "PlannedBuffer": ".firmware.memory_plan",
    "Report": ".checks.findings",
    "Requantization": ".firmware.requantization",
    "Severity": ".checks.kinds",
    "TensorComparison": ".comparison.results",
    "Unmatched": ".comparison.results",
    "UncertainOperator": ".firmware.memory_plan",
    "activation_range": ".firmware.fixedpoint",
    "analyze": ".litert.analyzer",
    "c_header": ".firmware.c_header",
    "c_source": ".firmware.c_header",
    "check": ".checks.checker",
    "file_records": ".summary.file_records",
    "compare": ".comparison.comparer",
    "html_report": ".report.page",
    "lite": ".litert.lite",
    "memory_plan": ".firmware.memory_plan",
    "model_cost": ".firmware.cost",
    "operator_cost": ".firmware.cost",
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
