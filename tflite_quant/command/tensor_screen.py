"""What `tflite-quant show --tensor` prints: facts, statistics, a histogram, the first scales."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import TFLiteError, brief, plural
from ..escape import for_terminal
from ..model import quantization as schemes
from ..model.block_quantization import Blockwise, MultiAxis
from ..model.operator import Operator
from ..model.tensor import Tensor
from ..summary.records import real_range
from ..summary.statistics import Statistics, histogram, integer_range, share_at, statistics
from ..summary.words import number, parameters, reason, type_text
from .layout import Column, text_table

_SCALES, _STRINGS, _OPERATORS = 8, 4, 8
"""How many scales, strings and operators are shown."""
_BAR = 40
"""Characters of the longest bar of a histogram."""


def tensor_lines(tensor: Tensor, width: int | None = None) -> Iterator[str]:
    """Yield everything about a tensor but its values.

    Parameters
    ----------
    tensor : Tensor
    width : int, optional
        The width of the terminal.
    """
    yield f"tensor {tensor.index}  {for_terminal(tensor.name)}".rstrip()
    facts = list(_facts(tensor))
    indent = max(len(key) for key, _ in facts) + 4
    for key, value in facts:
        yield f"  {key:{indent - 4}}  {value}".rstrip()
    yield from _values(tensor)
    yield from _first_scales(tensor, width)


def _facts(tensor: Tensor) -> Iterator[tuple[str, str]]:
    yield "type", type_text(tensor, ", ")
    signature = tensor.shape_signature
    dynamic = "" if signature == tensor.shape else f", signature {brief(signature)}"
    yield "shape", brief(tensor.shape) + dynamic
    yield "size", _place(tensor)
    yield "role", tensor.role + (", variable" if tensor.is_variable else "")
    yield "written by", _operators([] if tensor.producer is None else [tensor.producer])
    yield "read by", _operators(tensor.consumers)
    if tensor.is_compressed:
        try:
            yield "compression", str(tensor.compression)
        except TFLiteError as error:
            yield "compression", for_terminal(reason(tensor, error))
    yield from _quantization(tensor)
    if tensor.is_sparse:
        try:
            yield "sparsity", for_terminal(repr(tensor.sparsity))
        except TFLiteError as error:
            yield "sparsity", for_terminal(str(error))


def _place(tensor: Tensor) -> str:
    """Return how many bytes the values take, and where they are."""
    size = "unknown" if tensor.nbytes is None else f"{tensor.nbytes:,} bytes"
    external = tensor.external_buffer
    if external is not None:
        return f"{size} at offset {external.offset:,} of file {for_terminal(external.file)}"
    if tensor.is_constant:
        return f"{size} in buffer {tensor.buffer.index}, at offset {tensor.buffer.offset:,}"
    return f"{size}, not in the file"


def _operators(operators: Sequence[Operator]) -> str:
    named = [f"{each.index} {for_terminal(each.name)}" for each in operators[:_OPERATORS]]
    more = f" and {len(operators) - _OPERATORS} more" if len(operators) > _OPERATORS else ""
    return ", ".join(named) + more or "no operator"


def _quantization(tensor: Tensor) -> Iterator[tuple[str, str]]:
    scheme = tensor.quantization
    yield "scheme", scheme.scheme
    if isinstance(scheme, schemes.NotQuantized):
        return
    scale, zero_point, axis = parameters(scheme)
    yield "scale", scale
    if zero_point:
        yield "zero point", zero_point
    if axis:
        yield "blocks" if isinstance(scheme, Blockwise) else "axis", axis
    if isinstance(scheme, Blockwise | MultiAxis):
        tensors = [f"scales in tensor {scheme.scales_tensor}"]
        if scheme.zero_points_tensor >= 0:
            tensors.append(f"zero points in tensor {scheme.zero_points_tensor}")
        yield "parameters", ", ".join(tensors)
    ends = real_range(tensor)
    if ends is not None:
        yield "real range", f"{ends[0]:.6g} .. {ends[1]:.6g}"
    for key, recorded in (("recorded min", scheme.min), ("recorded max", scheme.max)):
        if recorded is not None:
            more = f" and {recorded.size - _SCALES} more" if recorded.size > _SCALES else ""
            yield key, ", ".join(f"{value:.6g}" for value in recorded[:_SCALES]) + more


def _values(tensor: Tensor) -> Iterator[str]:
    """Yield statistics of the stored and of the real values, and a histogram."""
    try:
        has_data = tensor.converted is None or tensor.is_compressed
        stored: NDArray[Any] | None = tensor.data if has_data else None
    except TFLiteError as error:
        yield f"\nno values: {for_terminal(reason(tensor, error))}"
        return
    if stored is not None and stored.dtype.kind == "O":
        yield from _strings(stored)
        return
    try:
        real: NDArray[np.float32] | None = tensor.dequantize()
        why = ""
    except TFLiteError as error:
        real, why = None, for_terminal(reason(tensor, error))
    if stored is None:
        stored, real = real, None
    if stored is None or stored.dtype.kind not in "iufb":
        because = f": {why}" if why else ""
        yield f"\nno statistics of {tensor.type.name} values{because}"
        return
    if stored.dtype.kind in "fb":
        real = None
    yield from _statistics(tensor, stored, real)
    if why and tensor.is_quantized:
        yield f"  no real values: {why}"
    yield from _bars(stored)


def _strings(stored: NDArray[Any]) -> Iterator[str]:
    yield f"\n{stored.size:,} {plural('string', stored.size)}"
    for string in stored.reshape(-1)[:_STRINGS]:
        text = string[:200].decode("utf-8", "backslashreplace")
        yield f"  {for_terminal(text)}" + (f"... {len(string)} bytes" if len(string) > 200 else "")
    if stored.size > _STRINGS:
        yield "  ..."


def _statistics(
    tensor: Tensor, stored: NDArray[Any], real: NDArray[np.float32] | None
) -> Iterator[str]:
    arrays = [statistics(stored), *([] if real is None else [statistics(real)])]
    rows = [
        ("min", *(f"{each.low:.6g}" for each in arrays)),
        ("max", *(f"{each.high:.6g}" for each in arrays)),
        ("mean", *(f"{each.mean:.6g}" for each in arrays)),
        ("zeros", *(f"{100 * each.zeros:.1f} %" for each in arrays)),
        *_use_of_the_range(tensor, stored, arrays[0]),
    ]
    if arrays[0].not_finite:
        rows.append(("not finite", f"{arrays[0].not_finite:,}"))
    titles = ("stored", "real") if real is not None else ("values",)
    columns = [Column(f"{stored.size:,} values"), *(Column(title, True) for title in titles)]
    rows = [(*row, *[""] * (len(columns) - len(row))) for row in rows]
    yield ""
    yield from text_table([*columns, Column("")], [(*row, "") for row in rows])


def _use_of_the_range(
    tensor: Tensor, stored: NDArray[Any], seen: Statistics
) -> Iterator[tuple[str, ...]]:
    """Yield which share of the values is at the ends of the range, and how much of it is used."""
    ends = integer_range(tensor, seen.low)
    if ends is None or not stored.size:
        return
    low, high = ends
    yield f"at the ends ({low}, {high})", f"{100 * share_at(stored, low, high):.1f} %"
    yield "range used", f"{100 * (seen.high - seen.low) / (high - low):.1f} %"


def _bars(values: NDArray[Any]) -> Iterator[str]:
    if values.dtype.kind == "b":
        values = values.view(np.uint8)
    bars = histogram(values)
    if not bars or values.size < 2:
        return
    most = max(count for _, _, count in bars)
    is_whole = values.dtype.kind in "iu"
    names = [f"{a:.6g}" if is_whole and a == b else f"{a:.4g} .. {b:.4g}" for a, b, _ in bars]
    wide, digits = max(map(len, names)), len(f"{most:,}")
    yield ""
    for name, (_, _, count) in zip(names, bars, strict=True):
        bar = "#" * -(-count * _BAR // most)
        yield f"  {name:>{wide}}  {count:>{digits},}  {bar}".rstrip()


def _first_scales(tensor: Tensor, width: int | None) -> Iterator[str]:
    """Yield the first scales and zero points, if there are several."""
    scheme = tensor.quantization
    scales, zeros = scheme.scales, scheme.zero_points
    if isinstance(scheme, schemes.PerTensor) or scales is None or scales.size < 2:
        return
    # Not `flat`, which numpy has for 32 axes only.
    zeros = np.empty(0, np.int64) if zeros is None else zeros
    pairs = zip_longest(scales.reshape(-1)[:_SCALES], zeros.reshape(-1)[:_SCALES])
    rows = [
        (
            str(index),
            "" if scale is None else number(float(scale)),
            "" if zero is None else str(zero),
        )
        for index, (scale, zero) in enumerate(pairs)
    ]
    yield ""
    yield from text_table([Column("", True), Column("scale"), Column("zero point")], rows, width)
    if scales.size > _SCALES:
        yield f"... {scales.size:,} scales; --json has all"


def value_lines(values: NDArray[Any]) -> Iterator[str]:
    """Yield all values of an array, as numpy writes them."""
    if values.dtype.kind == "O":
        yield from (for_terminal(repr(string)) for string in values.reshape(-1))
        return
    yield np.array2string(values, threshold=values.size + 1)
