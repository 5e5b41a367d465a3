"""What a .tflite file is, byte by byte.

Bytes come in at `source`; `flatbuffer` reads tables of any FlatBuffer, `schema` says which ones
TensorFlow Lite has, and `structure` reads those of a model. `values` and `sparsity` say how the
values of a tensor lie in a buffer. Nothing here knows what the numbers mean.
"""
