"""The command `tflite-quant`.

`cli` reads the arguments and decides the exit status. `show` draws tables, `json_data` turns a
model into plain data for JSON.
"""
