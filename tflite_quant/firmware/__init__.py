"""What the build of a microcontroller's firmware needs of a model.

`fixedpoint` derives the integers that kernels compute with: multipliers, shifts, offsets, ranges.
`c_header` writes a model's parameters, its weights and the whole file as C.
"""
