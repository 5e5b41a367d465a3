"""The kinds of findings: what is wrong, when it is found, what it does, and how to mend it.

docs/findings.md and the rules of a SARIF log are made from these.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How bad a finding is; worse is greater."""

    NOTE = 1  # worth knowing
    WARNING = 2  # outside the specification
    ERROR = 3  # none of the targets can run the model as intended

    def __str__(self) -> str:
        return self.name.lower()


class Kind(NamedTuple):
    """A kind of finding.

    Attributes
    ----------
    id : str
        The same in all versions of this library.
    name : str
        A word or two.
    severity : Severity
        The highest that a finding of this kind can have.
    title : str
        What is wrong, in one sentence.
    about : str
        When it is found, and with which severity.
    effect : str
        What the consequence is, in one sentence.
    fix : str
        How to mend or avoid it, in one sentence.
    """

    id: str
    name: str
    severity: Severity
    title: str
    about: str
    effect: str
    fix: str


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR

_KINDS = (
    Kind(
        "TQ101", "missing scale", _ERROR,
        "A tensor has no scale, but its operator computes with one.",
        "The tensor is an integer activation or weight of an operator that rescales its inputs. "
        "Operators that only move values, such as RESHAPE, need no scale.",
        "The kernel cannot compute its multiplier: it refuses the model or divides by zero.",
        "Convert the model again with a representative dataset, so that every activation is "
        "calibrated.",
    ),
    Kind(
        "TQ102", "unusable scale", _ERROR,
        "A scale is negative, infinite, not a number, zero or denormal.",
        "Only a warning if a constant has a scale of zero (all its real values are then zero), or "
        "if the scale is denormal. A scale of zero of a block is an error: LiteRT refuses it.",
        "The tensor's real values cannot be computed from such a scale.",
        "Look at the calibration data: a tensor that is always zero, or overflows, has no "
        "usable scale.",
    ),
    Kind(
        "TQ103", "count of parameters", _ERROR,
        "The numbers of scales and zero points do not match each other or the axis.",
        "There must be as many zero points as scales: either one, or one for each slice of the "
        "tensor along its axis. Only a warning if there is one zero point for several scales, "
        "which LiteRT refuses, unless LiteRT is the only target. "
        "Of blocks there is one scale for each; a note if only the shape of the scales is wrong.",
        "Some slices have no parameters; LiteRT refuses the model, and other runtimes read past "
        "the end of the list.",
        "Write as many zero points as scales; the converter does.",
    ),
    Kind(
        "TQ104", "axis out of range", _ERROR,
        "A tensor has several scales along an axis that does not exist.",
        "Only a warning if the tensor has rank 1 and one scale for each value, as biases do: only "
        "one axis is possible, and kernels ignore the one in the file. The axis of a single scale "
        "has no meaning and is not checked.",
        "It is not known which scale belongs to which values; LiteRT refuses to open the model.",
        "Set quantized_dimension to the axis of the channels.",
    ),
    Kind(
        "TQ105", "zero point out of range", _WARNING,
        "A zero point is outside the range of the tensor's type.",
        "No integer of the type then represents the real value 0.",
        "Zero, and so padding, cannot be represented; LiteRT's default delegate refuses many such "
        "models, and kernels that store zero points in the tensor's own type compute with a "
        "different one.",
        "Choose a real range that contains 0 when the parameters are computed.",
    ),
    Kind(
        "TQ106", "unreadable parameters", _ERROR,
        "The tensor with the scales or zero points of a blockwise quantization cannot be read.",
        "It is not constant, does not hold numbers, or lacks the bytes. A warning if the scales of "
        "blocks are not FLOAT16, which is what LiteRT takes them for.",
        "The real values cannot be computed.",
        "Store the scales as a constant FLOAT16 tensor, and the zero points as integers.",
    ),
    Kind(
        "TQ201", "type", _ERROR,
        "A tensor's type is not the one in the specification.",
        "A note if a kernel takes this type, too, though the specification does not list it; a "
        "warning if that kernel reads one scale of several.",
        "There may be no kernel for this type, or the kernel reads the bytes as another type.",
        "Convert the model with one of the converter's schemes "
        "(`target_spec.supported_ops`), not by hand.",
    ),
    Kind(
        "TQ202", "granularity", _ERROR,
        "A tensor has several scales where one is specified, or one where several are.",
        "An error if the operator computes with the scale, because its kernel reads only one; a "
        "warning if the operator only moves values. A note if the result is the same whatever the "
        "scales, and if weights have one scale, but could have one for each channel: this is "
        "correct, but less precise.",
        "The kernel uses one scale for all values.",
        "Weights per channel: leave `_experimental_disable_per_channel` off. Activations "
        "have one scale.",
    ),
    Kind(
        "TQ203", "axis", _ERROR,
        "The scales of weights are not along the axis of the operator's channels.",
        "The kernel uses scale c for channel c, whatever axis the file says.",
        "The kernel multiplies channels by scales of other values, or refuses the model.",
        "Set quantized_dimension to the axis of the output channels, or quantize the weights "
        "anew.",
    ),
    Kind(
        "TQ204", "zero point", _ERROR,
        "A zero point is not the one that the operator prescribes.",
        "It must be 0 for weights, biases, blocks and int16 activations, and a fixed number for "
        "some outputs. An error if the kernel checks or assumes it, a note if all kernels read "
        "the one in the file, otherwise a warning.",
        "The kernel refuses the model, or computes as if the zero point were the prescribed one.",
        "Quantize weights, biases and int16 activations symmetrically; take the prescribed "
        "zero point for outputs.",
    ),
    Kind(
        "TQ205", "output scale", _ERROR,
        "An output's scale is not the one that the operator prescribes.",
        "The range of the results of SOFTMAX, TANH or LOGISTIC is known, and with it the scale. An "
        "error if the kernel checks it, otherwise a warning.",
        "The kernel refuses the model, or writes integers for the prescribed scale.",
        "Give the output the prescribed scale and zero point, and requantize after it if "
        "another is needed.",
    ),
    Kind(
        "TQ206", "scales that must agree", _ERROR,
        "An operator copies or compares integers, but its inputs and outputs are quantized "
        "differently.",
        "An error if the kernel checks it, or if an integer then means a value more than half a "
        "step away. A note if it means one that is nearer, if the kernel rescales, or if there is "
        "no scale.",
        "The kernel does not rescale, so the same integer means another real value in the output.",
        "Give inputs and outputs the same parameters, or put a QUANTIZE between them.",
    ),
    Kind(
        "TQ207", "bias scale", _ERROR,
        "The scale of a bias is not the product of the scales of input and weights.",
        "A warning if this moves the output by half a step or more: |q| · |product - scale| / "
        "(scale of the output), for the values q of the bias. So biases of zeros may have any "
        "scale; one that is computed is taken to be as large as the output's range. A note if "
        "there is no scale. An error if the weights of a FULLY_CONNECTED have one scale and the "
        "difference is more than a fiftieth of the output's scale, which its kernel refuses "
        "whatever the values; it takes 0 for the scale of a bias that has none, or several.",
        "The kernel adds the bias as if the product were its scale.",
        "Quantize the bias with the product of the scales of input and weights.",
    ),
    Kind(
        "TQ208", "bias type", _ERROR,
        "A bias is not of the type that the operator adds: int32, or with int16 activations int64.",
        "An error if the kernel checks the type or reads the bytes as another type, otherwise a "
        "note.",
        "The kernel refuses the model, or reads the bias as another type.",
        "Store the bias as int32, or as int64 beside int16 activations.",
    ),
    Kind(
        "TQ209", "weights out of range", _WARNING,
        "Weights have a value outside the specified range, such as -128 in int8.",
        "The range of symmetric int8 weights is [-127, 127]; that of an SVDF's int16 weights is "
        "[-512, 512], since its kernel sums their products in 32 bits. A warning if a kernel can "
        "be affected: if the sum of an SVDF can exceed 32 bits, or if a channel has two weights of "
        "-128 whose products are added in 16 bits: those in the same place of the halves of a "
        "block of 16, in a DEPTHWISE_CONV_2D those at two neighbouring positions. A note "
        "otherwise, and if activations are int16.",
        "Kernels for Arm processors without a dot product add two products in 16 bits, which "
        "overflow if both are -128 times -128.",
        "Clip weights to -127 when they are quantized (`narrow_range=True`).",
    ),
    Kind(
        "TQ210", "not specified", _NOTE,
        "An operator computes on quantized integers, but the specification does not list it.",
        "The converter does not write this operator with this type, but a kernel may exist.",
        "Whether the operator runs depends on the runtime.",
        "Try the operator in the runtime that the model is for, or leave it in float.",
    ),
    Kind(
        "TQ211", "no kernel", _ERROR,
        "A runtime does not have an operator, or has no kernel for the types of its tensors.",
        "One finding for all operators that are refused alike. An error if none of the targets "
        "runs the model, and so what the only target refuses; else a note.",
        "The runtime refuses the model.",
        "Replace the operator, or change its types; `--target` says which runtime the model "
        "is for.",
    ),
    Kind(
        "TQ212", "kernel's condition", _ERROR,
        "An operator does not meet a condition of its kernel.",
        "Inputs that must be there are, images have rank 4, integer kernels know only fused "
        "activations that clip, an int16 operator's option quantized_bias_type is the type of its "
        "bias. The scale of an LSTM's cell state must be a power of two; the input scale of "
        "HARD_SWISH must be less than 128 times the output scale; the activation of SVDF must be "
        "RELU. A warning if only LiteRT refuses the model and no target is named.",
        "The kernel refuses the model.",
        "Change the operator as the finding says.",
    ),
    Kind(
        "TQ213", "custom operator", _NOTE,
        "A custom operator comes with none of the runtimes.",
        "One finding for all of a model. Operators that only one of the runtimes has, such as "
        "TFLM_DECODE, are reported as TQ211.",
        "The application must register the operator, or the runtime refuses the model.",
        "Register the operator's kernel with the interpreter.",
    ),
    Kind(
        "TQ301", "bytes of a constant", _ERROR,
        "The bytes of a constant do not fit its shape and type, or cannot be read.",
        "They may lie in another file in the model's folder, which must be there, too. Only a note "
        "if a tensor that an operator writes has a buffer of 0 bytes, which LiteRT refuses, unless "
        "LiteRT is the only target; nothing is found if TensorFlow Lite Micro is the only one.",
        "The values cannot be read; LiteRT refuses the model.",
        "Write the model again; or put the file with its values beside it.",
    ),
    Kind(
        "TQ302", "dead tensor", _NOTE,
        "No operator uses a tensor that is neither an input nor an output of the model.",
        "",
        "The result is not affected, but a constant takes up memory.",
        "Remove the tensor; converters do when the model is converted again.",
    ),
    Kind(
        "TQ303", "shared buffer", _NOTE,
        "Several tensors share a buffer, but have different quantization parameters.",
        "Converters store equal bytes once, so this is not an error. But changing the bytes of one "
        "tensor changes all of them.",
        "The result is not affected as long as nobody changes the bytes.",
        "Nothing, unless the bytes are to be changed: then give each tensor its own buffer.",
    ),
    Kind(
        "TQ304", "sparse blocks", _WARNING,
        "The blocks of a sparse tensor do not divide their dimension evenly.",
        "TensorFlow's converter writes such files.",
        "The weights after the last whole block are lost: they are read as zero.",
        "Choose a block size that divides the dimension.",
    ),
    Kind(
        "TQ401", "float island", _WARNING,
        "Operators compute in float between a DEQUANTIZE and a QUANTIZE.",
        "All their inputs come from DEQUANTIZE and all their outputs end in QUANTIZE: the rest of "
        "the model around them computes on integers.",
        "Float kernels take extra time and memory on a device meant to compute on integers.",
        "Ask for integer kernels alone (`supported_ops = [TFLITE_BUILTINS_INT8]`), or "
        "replace the operator.",
    ),
    Kind(
        "TQ402", "required scheme", _ERROR,
        "A model has none of the schemes that are required.",
        "Only where schemes are required, with --require or `require`. In an integer scheme every "
        "operator computes on integers of that type; only a QUANTIZE or DEQUANTIZE may have other "
        "types.",
        "The model is not quantized as its user asks.",
        "Convert the model with the required scheme.",
    ),
    Kind(
        "TQ501", "channels of zeros", _NOTE,
        "All weights of a channel are zero.",
        "",
        "Whatever the input, the channel's output is its bias: computing it is a waste of time.",
        "Remove the channel, or train it.",
    ),
    Kind(
        "TQ502", "saturated values", _WARNING,
        "Many values are at the ends of their range: the scale is too small for them.",
        "For a bias, one value at an end of its type is enough, where the converter clips it: "
        "-2147483647 and 2147483647. For weights, it takes a tenth of the values of a channel "
        "that has at least 64 values and 16 different ones.",
        "The real values were larger than what is stored.",
        "Recompute the scale from the largest absolute value.",
    ),
    Kind(
        "TQ503", "unused range", _NOTE,
        "Weights use less than half of their range: the scale is too large for them.",
        "Channels with only zeros are reported as TQ501.",
        "At least one bit of precision is lost.",
        "Quantize the weights per channel, each with a scale from its own largest value.",
    ),
    Kind(
        "TQ504", "accumulator overflow", _WARNING,
        "The sum of products and bias can exceed 32 bits.",
        "Of int8 activations; of int16 activations if the bias is an int32, or if there is none "
        "and the option `quantized_bias_type` does not rule it out. A warning if inputs that "
        "nobody picked for it do this: values spread evenly over the range of their type, or over "
        "its positive or negative part, within four standard deviations, whose products are at "
        "most four times the output's range. A note if only others do.",
        "For such inputs the sum wraps around: a large output becomes one at the other end.",
        "Use smaller weights or fewer products a channel; with int16 activations an int64 bias.",
    ),
)  # fmt: skip

KINDS = {kind.id: kind for kind in _KINDS}
"""All kinds of findings, by identifier."""
