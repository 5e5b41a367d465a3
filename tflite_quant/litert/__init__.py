"""The two tools that people know from TensorFlow, without TensorFlow.

`interpreter` inspects a model as LiteRT's `Interpreter` does, with the dictionaries that
`tensor_details` makes; `analyzer` writes the report of TensorFlow's model analyzer; `lite` has both
under TensorFlow's names. Keys, types and text equal LiteRT's; docs/interpreter.md and
docs/analyzer.md list the exceptions.
"""
