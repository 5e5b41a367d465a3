"""The rules of operators on int8 or int16 whose weights have 4 or 2 bits.

The specification does not list them. They are what LiteRT's kernels ask (google-ai-edge/LiteRT,
revision f67457790c9c, tflite/kernels: conv.cc, depthwise_conv.cc, fully_connected.cc and
kernel_util.cc, PopulateConvolutionQuantizationParams).
"""

from __future__ import annotations

from dataclasses import replace

from ..format.schema import INTEGER_RANGES
from .rule import INT2, INT4, Operand, Rule
from .rules_int8 import CONV_B8, CONV_W, DENSE_B8, DENSE_W, DEPTHWISE_W, X8
from .rules_int16x8 import CONV_B16, DENSE_B16, X16Z


def _narrow(operand: Operand, *checks: str) -> Operand:
    return replace(operand, types=(INT4,), range=INTEGER_RANGES[INT4]).checked(
        *operand.checks, *checks
    )


_CONV_W, _DEPTHWISE_W = _narrow(CONV_W), _narrow(DEPTHWISE_W)
_DENSE_W = replace(_narrow(DENSE_W, "zero_point"), types=(INT4, INT2))

INT8_RULES: dict[str, Rule] = {
    "CONV_2D": Rule((X8, _CONV_W, CONV_B8), (X8,)),
    "DEPTHWISE_CONV_2D": Rule((X8, _DEPTHWISE_W, CONV_B8), (X8,)),
    "FULLY_CONNECTED": Rule((X8, _DENSE_W, DENSE_B8), (X8,)),
}
INT16_RULES: dict[str, Rule] = {
    "CONV_2D": Rule((X16Z, _CONV_W, CONV_B16), (X16Z,)),
    "FULLY_CONNECTED": Rule((X16Z, _DENSE_W, DENSE_B16), (X16Z,)),
}
