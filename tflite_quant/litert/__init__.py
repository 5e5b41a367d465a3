"""The two tools that people know from TensorFlow, without TensorFlow.

`interpreter` is LiteRT's `Interpreter` for looking at a model, and `analyzer` its Model Analyzer.
Keys, types and text equal LiteRT's; the modules and docs/ say where they do not.
"""
