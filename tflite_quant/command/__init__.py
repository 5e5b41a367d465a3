"""The command `tflite-quant`.

`cli` parses the arguments and decides the exit status; `show`, `check`, `header` and `analyze` are
the commands. `tables` and `json_data` are the two forms in which `show` prints a model.
"""
