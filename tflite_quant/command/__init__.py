"""The command `tflite-quant`.

`cli` parses the arguments and decides the exit status; `show`, `check`, `header` and `analyze` are
the commands. `show` prints a model as `text_tables` or as `json_text`, and `terminal` is what all
of them share.
"""
