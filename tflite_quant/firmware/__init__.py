"""What the build of a microcontroller's firmware needs from a model.

`fixedpoint` has the arithmetic of kernels: multipliers, shifts, activation ranges. `kernels` says
what the kernel of an operator computes with, in either of two `runtimes`. How that follows from the
operator's tensors is in `products`, `elementwise`, `windows`, `curves` and `recurrent`, a module
for each family of operators, and what all give is a `requantization`.

`memory_plan` says how much memory a model needs: `lifetimes` when each buffer is in use, `scratch`
what kernels ask for, `greedy` where each lies, `tail` what else there is. `cost` counts operations.

`c_header` writes a header and a source in C: `c_interface` the model's inputs and outputs,
`c_constants` its weights, `c_arena` its memory, `resolver` its operators, in the words of `c_text`.
`output_files` puts files where a build looks for them.
"""
