"""What users hold: a model, its subgraphs, tensors, operators, buffers and quantization schemes.

`model` has `open` and the `Model` that it returns, which leads to the objects of `subgraph`,
`tensor`, `operator` and `buffer`; `quantization` and `block_quantization` have the schemes. Their
facts are plain attributes, made once (`once` does it safely for threads); only values are read
from the file each time.
"""
