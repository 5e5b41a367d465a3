"""What a .tflite file is, byte by byte.

`source` loads the bytes, `flatbuffer` reads the tables of any FlatBuffer, `schema` says which
tables TensorFlow Lite has, and `tables` reads those of a model within the limits of `budget`.
`values` and `sparsity` read the values of tensors from their buffers, `operator_options` and
`flexbuffer` the options of operators.
"""
