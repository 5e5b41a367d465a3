"""What the build of a microcontroller's firmware needs from a model.

`fixedpoint` has the arithmetic of kernels: multipliers, shifts, activation ranges. `kernels` says
what the kernel of an operator computes with, in either of two `runtimes`. How that follows from the
operator's tensors is in `products`, `elementwise`, `windows`, `curves` and `recurrent`, a module
for each family of operators, and what all give is a `requantization`. `c_header` writes a model's
parameters, its weights and the whole file as C.
"""
