"""Compares a model with the one that it was quantized from, weight by weight.

`constants` lists the weights of a model and reads their values; `references` does so for arrays
that are no model. `matching` finds out which belong together, and `layouts` how an array was
transposed. `measures` has the formulas, `summing` goes through the values block by block.
`activations` compares what two models computed. `comparer` puts all together, `results` is what
users hold, and `reports` turns it into plain data.
"""
