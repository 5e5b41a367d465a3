"""The quantization specification as data: one rule for each operator, for each way to compute.

A rule says what an operator requires of its tensors. For int8, and for int16 with int8 weights,
the facts are from google-ai-edge/LiteRT, revision f67457790c9c, where three places specify them:
the document (tflite/g3doc/performance/quantization_spec.md), the converter (operator_property.cc
and quantize_model.cc in tflite) and the kernels (tflite/kernels). They do not always agree. A rule
follows the document, then the converter; docs/disagreements.md lists where they differ, and where
a rule follows another source. For all else, only the kernels say what they ask.

>>> RULES[Domain.INT8]["SOFTMAX"].outputs[0].scale
Fraction(1, 256)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import rules_float, rules_int8, rules_int16x8, rules_narrow, rules_uint8
from .rule import Domain, Rule

RULES: Mapping[Domain, Mapping[str, Rule]] = MappingProxyType(
    {
        domain: MappingProxyType(rules)
        for domain, rules in (
            (Domain.INT8, rules_int8.RULES),
            (Domain.INT16X8, rules_int16x8.RULES),
            (Domain.UINT8, rules_uint8.RULES),
            (Domain.INT8X4, rules_narrow.INT8_RULES),
            (Domain.INT16X4, rules_narrow.INT16_RULES),
            (Domain.HYBRID, rules_float.HYBRID_RULES),
            (Domain.FLOAT16, rules_float.HALF_RULES),
        )
    }
)
"""The rule of each operator, by the operator's name."""
