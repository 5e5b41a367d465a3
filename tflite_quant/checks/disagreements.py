"""Where the sources of the quantization specification differ, and which of them a rule follows.

Rules follow the document, then the converter, since a model is to be right by what it was promised
to be, not by what some kernel lets pass. Whether a kernel refuses what differs, `Operand.checks`
and `Rule.same` say. The sources are those of `rules`.
"""

from __future__ import annotations

from typing import NamedTuple

from .rules import Domain

__all__ = ["DISAGREEMENTS", "Disagreement", "disagreements"]

_BOTH = (Domain.INT8, Domain.INT16X8)
_INT8, _INT16X8 = (Domain.INT8,), (Domain.INT16X8,)
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


class Disagreement(NamedTuple):
    """One point on which the sources differ.

    Attributes
    ----------
    operators : tuple of str
        Empty: all of them.
    domains : tuple of Domain
    topic : str
    follows : str
        Which source the rule follows: "document", "converter", "kernel", or "none".
    why : str
        What the others say, and why it is not they that are followed.
    """

    operators: tuple[str, ...]
    domains: tuple[Domain, ...]
    topic: str
    follows: str
    why: str


def disagreements(operator: str, domain: Domain) -> tuple[Disagreement, ...]:
    """Give the points on which the sources differ about one operator.

    Examples
    --------
    >>> [one.topic for one in disagreements("SUM", Domain.INT16X8)]
    ['same scale and zero_point', 'int16 value range']
    """
    return tuple(
        one
        for one in DISAGREEMENTS
        if domain in one.domains and (not one.operators or operator in one.operators)
    )


# fmt: off
DISAGREEMENTS = (
    Disagreement(("FULLY_CONNECTED",), _INT8, "bias granularity", "none",
        "The document has one scale and a formula for many; the converter writes one per channel "
        "where the weights have, one where they do not; so the rule allows either."),
    Disagreement(("FULLY_CONNECTED",), _INT8, "per-axis weight support", "document",
        "Its introduction names convolutions only; its list, the converter and the kernel agree on "
        "one scale per row of the weights."),
    Disagreement(("FULLY_CONNECTED",), _INT8, "weight zero_point", "document",
        "The kernel subtracts one zero point of one scale, and takes those of many for 0: a model "
        "is portable only with 0."),
    Disagreement(("FULLY_CONNECTED",), _INT8, "bias dtype", "document",
        "The kernel lets an int64 bias pass, then reads its bytes as int32."),
    Disagreement((*_CONVOLUTIONS, "FULLY_CONNECTED"), _BOTH, "weight granularity", "document",
        "Kernels take one scale for all channels, and the converter has an option for it: right, "
        "but less precise."),
    Disagreement(("DEPTHWISE_CONV_2D", "TRANSPOSE_CONV"), _BOTH, "weight zero_point", "document",
        "These kernels take it for 0 without a look."),
    Disagreement(_CONVOLUTIONS, _BOTH, "bias scale", "document",
        "The kernel adds the bias as if it had this scale, whatever the file says."),
    Disagreement(("DEPTHWISE_CONV_2D",), _INT16X8, "bias dtype", "kernel",
        "The converter has one choice of int32 or int64 for a whole model, but this kernel takes "
        "int64 only."),
    Disagreement(("TANH",), _INT8, "output parameters", "document",
        "The kernel fills a table from whatever parameters the file has; others have 1/128 built "
        "in."),
    Disagreement(("LOGISTIC",), _INT8, "output zero_point", "document",
        "Only one variant of the kernel checks it; others have -128 built in."),
    Disagreement(("SOFTMAX",), _BOTH, "output scale tolerance", "document",
        "The kernel lets pass what is within a thousandth, and does not look at all where int16 "
        "comes from int8."),
    Disagreement(("MAXIMUM",), _INT8, "number of inputs", "converter",
        "The document speaks of the first input; but the kernel compares the integers of both, "
        "which have to mean the same."),
    Disagreement(("MINIMUM",), _INT8, "number of inputs", "converter",
        "As for MAXIMUM."),
    Disagreement(("PADV2",), _BOTH, "constant_values (input 2)", "kernel",
        "Neither document nor converter speak of it; the kernel refuses one that is quantized in "
        "another way than the output."),
    Disagreement(("AVERAGE_POOL_2D", "MAX_POOL_2D"), _BOTH, "same scale and zero_point", "document",
        "The kernel looks in debug builds only, and never at int16; it computes as if they were "
        "the same."),
    Disagreement(("CONCATENATION",), _INT16X8, "same scale and zero_point", "converter",
        "The kernel looks at the zero points only; it copies the integers."),
    Disagreement(("SUM",), _INT16X8, "same scale and zero_point", "converter",
        "The kernel rescales, so that other parameters do no harm."),
    Disagreement(("WHERE",), _BOTH, "output", "kernel",
        "The converter takes the output for a quantized activation, but it is indices."),
    Disagreement(("BROADCAST_TO", "DEPTH_TO_SPACE", "GATHER", "GATHER_ND", "MAXIMUM", "MINIMUM",
                  "PAD", "RESHAPE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2",
                  "SCATTER_ND", "SELECT", "SLICE", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE",
                  "STRIDED_SLICE", "TILE", "TRANSPOSE"), _BOTH, "same scale and zero_point",
        "converter",
        "These kernels copy the integers without a look at the parameters."),
    Disagreement(("WHERE",), _INT16X8, "int16 support", "converter",
        "There is no kernel; `has_kernel` says so."),
    Disagreement(("SCATTER_ND",), _INT16X8, "int16 support", "converter",
        "There is no kernel; `has_kernel` says so."),
    Disagreement(("SQUARED_DIFFERENCE",), _INT16X8, "int16 support", "converter",
        "There is no kernel in LiteRT; `has_kernel` says so."),
    Disagreement(("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"),
        _INT16X8, "int16 support", "converter",
        "There are kernels, but the converter does not write such operators; they have no rule."),
    Disagreement(("PRELU",), _INT16X8, "int16 support", "converter",
        "There is a kernel, but the converter does not write such operators; it has no rule."),
    Disagreement(("BATCH_MATMUL",), _INT16X8, "dtype of input 1", "converter",
        "It writes int16; the kernel takes int8, too."),
    Disagreement(("FULLY_CONNECTED",), _INT16X8, "weight dtype", "converter",
        "It writes int8; the kernel takes int4, int2 and int16, too."),
    Disagreement(("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "EXP"), _INT16X8, "zero_point",
        "kernel",
        "The converter's table has these as 8 bits in all cases; the kernels ask for 0 in int16, "
        "as all others do."),
    Disagreement(("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM", "SVDF"), _INT8, "8-bit weight symmetry",
        "document",
        "The converter's table does not call them symmetric, but it quantizes them so."),
    Disagreement(("SVDF",), _INT8, "state symmetry (input 4)", "converter",
        "Its table does not call the state symmetric, but it writes zero point 0."),
    Disagreement(("LSTM",), _INT8, "cell state scale (input 19)", "kernel",
        "It asks for a power of two of at most 2^-9; an older form asks for 2^-15."),
    Disagreement((), _INT16X8, "int16 value range", "kernel",
        "The converter scales by 32767, so that -32768 is in no model of its own; kernels clamp to "
        "the whole range."),
    Disagreement(("QUANTIZE", "DEQUANTIZE"), _BOTH, "granularity", "kernel",
        "The document lists one scale, and no DEQUANTIZE; the kernels take several scales, too, "
        "but for DEQUANTIZE of int16."),
    Disagreement(("ARG_MIN", "DIV", "ELU", "SELECT_V2"), _INT8, "int8 support", "converter",
        "There are kernels, but the converter does not write such operators; they have no rule."),
    Disagreement(("ABS", "ASSIGN_VARIABLE", "BATCH_MATMUL", "BROADCAST_TO", "DEPTH_TO_SPACE",
                  "EXP", "EXPAND_DIMS", "FILL", "GATHER_ND", "GELU", "HARD_SWISH", "LEAKY_RELU",
                  "LOG", "LSTM", "MIRROR_PAD", "PACK", "PRELU", "READ_VARIABLE", "REDUCE_MAX",
                  "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6", "RELU_N1_TO_1",
                  "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "RSQRT", "SCATTER_ND", "SELECT", "SPLIT",
                  "SPLIT_V", "SQRT", "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SVDF", "TILE",
                  "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNPACK", "VAR_HANDLE",
                  "WHERE"), _INT8, "presence in the document", "converter",
        "The document does not list them; the converter writes them."),
)
# fmt: on
