"""Lists the files that are packed behind a model, in a ZIP archive at the end of the file."""

from __future__ import annotations

import io
import zipfile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptModelError

_END, _END_SIZE = b"PK\x05\x06", 22
_LONGEST_COMMENT = 65_535
_LARGEST_LIST = 1 << 20
"""Bytes of an archive's list of files; one that is longer is not read."""


class PackedFile(NamedTuple):
    """A file that is packed behind a model.

    Attributes
    ----------
    name : str
    nbytes : int
        Its size when it is unpacked, as the archive says.
    """

    name: str
    nbytes: int


def packed_files(memory: NDArray[np.uint8]) -> tuple[PackedFile, ...]:
    """Return the files in an archive that ends where the file ends; most models have none.

    Parameters
    ----------
    memory : ndarray of uint8, shape (size,)

    Returns
    -------
    tuple of PackedFile

    Raises
    ------
    CorruptModelError
        There is an archive, but its list of files is broken, or longer than a mebibyte.

    Examples
    --------
    >>> import io, zipfile
    >>> file = io.BytesIO(b"a model")
    >>> with zipfile.ZipFile(file, "a") as archive:
    ...     archive.writestr("labels.txt", "cat dog")
    >>> packed_files(np.frombuffer(file.getvalue(), np.uint8))
    (PackedFile(name='labels.txt', nbytes=7),)
    """
    tail = memory[-(_END_SIZE + _LONGEST_COMMENT) :].tobytes()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return ()
    size = int.from_bytes(tail[at + 12 : at + 16], "little")
    end = len(tail) - at
    if int.from_bytes(tail[at + 20 : at + 22], "little") != end - _END_SIZE:
        # These four bytes are part of the weights.
        return ()
    if size > _LARGEST_LIST:
        raise CorruptModelError(f"the list of the packed files has {size:_} bytes")
    listed = memory[max(memory.size - end - size, 0) :].tobytes()
    try:
        with zipfile.ZipFile(io.BytesIO(listed)) as archive:
            return tuple([PackedFile(i.filename, i.file_size) for i in archive.infolist()])
    except Exception as error:
        # Module zipfile raises many kinds of errors for archives that are broken.
        raise CorruptModelError(f"the list of the packed files is broken: {error}") from None
