"""What the build of a microcontroller's firmware needs.

`fixedpoint` derives the integers that kernels compute with: multipliers, shifts, offsets, ranges.
`c_header` writes parameters, weights and the model as C.
"""
