"""Converts between quantized integers and real values.

`affine` uses one scale for all values, or one for each index along an axis; `blockwise` uses one
for each block of values. Both work on plain numpy arrays and know nothing of models.
"""
