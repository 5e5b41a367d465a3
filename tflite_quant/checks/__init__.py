"""The quantization specification, checked against a model.

`rules` is the specification as data, `findings` the kinds of things that can be wrong. `checker`
runs the checks of `tensors`, `operators`, `weights` and `graph`; `report_formats` writes what they
find as text, JSON and SARIF.
"""
