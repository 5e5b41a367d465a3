"""Says how a model is quantized, as a whole.

`float_operators` finds out which operators compute in float and which on quantized integers.
`summary` names the scheme of the model in the converter's words and counts types and operators.
"""
