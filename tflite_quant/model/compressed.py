"""Which tensors are compressed: what an operator DECODE makes, and what the metadata lists."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import TFLiteError
from ..format.compression import DECODE, Encoding, Target, of_metadata, of_operator
from ..format.compression_metadata import DECODE_OPERATOR, LookupTable
from .block_quantization import Blockwise, MultiAxis
from .buffer import Buffer

if TYPE_CHECKING:
    from .operator import Operator
    from .tensor import Tensor

__all__ = [
    "Decoded",
    "decoded_tensors",
    "encoding_of",
    "lookup_table_of",
    "place_of",
    "places_of",
    "sources_of",
]


class Decoded(NamedTuple):
    """A tensor that an operator DECODE makes, and what it makes it of.

    Attributes
    ----------
    encoded, ancillary : Tensor
        The constants with the encoded values, and with how to decode them.
    tensor : Tensor
    """

    encoded: Tensor
    ancillary: Tensor
    tensor: Tensor


def decoded_tensors(operator: Operator) -> Iterator[Decoded]:
    """Yield what a DECODE makes of constants; nothing for any other operator.

    It has two inputs for each output (tensorflow/tflite-micro,
    tensorflow/lite/micro/kernels/decode.cc).
    """
    if operator.custom_name != DECODE_OPERATOR or operator.code.name != "CUSTOM":
        return
    for encoded, ancillary, output in zip(
        operator.inputs[::2], operator.inputs[1::2], operator.outputs, strict=False
    ):
        if encoded is None or ancillary is None or output is None or output.is_constant:
            continue
        if encoded.is_constant and ancillary.is_constant:
            yield Decoded(encoded, ancillary, output)


def sources_of(tensor: Tensor) -> Decoded | None:
    """Return what a DECODE makes a tensor of; None if no DECODE makes it."""
    if tensor.is_constant or not tensor._structure.has_decode:
        return None
    return tensor.subgraph.connections.decoded.get(tensor.index)


def lookup_table_of(tensor: Tensor) -> LookupTable | None:
    """Return where the metadata say that the values of a constant are; None if they do not.

    Raises
    ------
    TFLiteError
        The metadata cannot be read.
    """
    if not tensor.is_constant:
        return None
    found = tensor._structure.lookup_tables
    if isinstance(found, TFLiteError):
        raise type(found)(str(found))
    return found.get(tensor._row)


def encoding_of(tensor: Tensor) -> Encoding | None:
    """Return how the values of a tensor are compressed; None if they are not.

    Raises
    ------
    TFLiteError
        It cannot be told, or is not as TFLM decodes it.
    """
    if tensor.is_constant:
        table = lookup_table_of(tensor)
        if table is None:
            return None
        starts, sizes = tensor._structure.buffer_starts, tensor._structure.buffer_sizes
        place = int(starts[table.buffer]), int(sizes[table.buffer])
        values = Buffer(table.buffer, *place, tensor._structure.file).data
        return of_metadata(tensor._content(), values, table.bits, _target(tensor))
    sources = sources_of(tensor)
    if sources is None:
        return None
    return of_operator(
        sources.encoded._content(), sources.ancillary._content(), _target(tensor, with_zeros=True)
    )


def _target(tensor: Tensor, with_zeros: bool = False) -> Target:
    """Return what the kernels ask of a tensor.

    Parameters
    ----------
    tensor : Tensor
    with_zeros : bool
        Whether scales without zero points do not count, as for DECODE.
    """
    scheme = tensor.quantization
    if isinstance(scheme, Blockwise | MultiAxis):
        # TFLM does not read the details of a quantization.
        return Target(tensor.type, tensor.shape, 0, 0, np.empty(0, np.int64))
    count = 0 if with_zeros and not scheme.zero_points.size else scheme.scales.size
    return Target(tensor.type, tensor.shape, count, scheme.axis or 0, scheme.zero_points)


def places_of(tensor: Tensor) -> Hashable:
    """Return where a tensor's values are, as a key: what has the same key has the same values.

    For a compressed tensor these are two places, or more.
    """
    sources = sources_of(tensor)
    if sources is not None:
        as_what = (tensor.type, tensor.shape, tensor.quantization)
        return DECODE, place_of(sources.encoded), place_of(sources.ancillary), as_what
    found = tensor._structure.lookup_tables
    table = None if isinstance(found, TFLiteError) else found.get(tensor._row)
    return (place_of(tensor), table) if table is not None else place_of(tensor)


def place_of(tensor: Tensor) -> tuple[str, int]:
    """Return where the bytes of a constant are, as a key: tensors may share them."""
    external = tensor.external_buffer
    return ("buffer", tensor.buffer.index) if external is None else ("external", external.id)
