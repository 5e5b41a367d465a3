"""The command `tflite-quant`.

`cli` parses the arguments and sets the exit status; `show`, `check`, `header`, `analyze` and `spec`
run the subcommands. `show` prints what `model_screen`, `tensor_screen` and `json_text` write;
`layout` makes tables, and `terminal` has what the subcommands share.
"""
