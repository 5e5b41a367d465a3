"""What the build of a microcontroller's firmware needs from a model.

`fixedpoint` computes the integers that kernels work with: multipliers, shifts, offsets, ranges.
`c_header` writes a header and a source in C: `c_interface` the model's inputs and outputs,
`c_constants` its weights, `resolver` its operators, in the words of `c_text`. `output_files` puts
files where a build looks for them.
"""
