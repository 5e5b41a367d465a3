"""Integers and the real numbers they stand for.

`affine` has one scale, or one for each slice along an axis; `blockwise` has one for each block.
Both work on plain numpy arrays and know nothing of models.
"""
