"""What kind of model it is.

`float_operators` finds out which operators compute in float and which on integers; `summary` puts
a name to the whole, in the converter's words.
"""
