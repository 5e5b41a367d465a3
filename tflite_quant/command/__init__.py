"""The command `tflite-quant`.

`cli` parses the arguments and sets the exit status; `show`, `check`, `header` and `analyze` run the
subcommands. `show` prints what `text_tables` and `json_text` write, and `terminal` has what the
subcommands share.
"""
