"""What users hold: a model, its subgraphs, tensors, operators and quantization schemes.

`open` makes a `Model`, and everything else is reached from it. The objects hold plain facts; only
values are read from the file when they are asked for.
"""
