"""What the build of a microcontroller's firmware needs from a model.

`fixedpoint` computes the integers that kernels work with: multipliers, shifts, offsets, ranges.
`c_header` writes a model's parameters, its weights and the whole file as C.
"""
