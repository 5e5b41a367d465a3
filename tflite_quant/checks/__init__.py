"""Checks a model against the quantization specification.

`rules` is the specification as data, and `findings` lists what can be wrong. `checker` runs the
checks in `tensors`, `operators`, `weights` and `graph`; `report_formats` writes their findings as
text, JSON and SARIF.
"""
