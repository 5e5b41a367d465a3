"""What a model is compared with: another model, or arrays by name, as Keras and PyTorch have them.

Arrays come as a mapping, or from a .npz file, which is a ZIP archive of .npy files. Such files may
come from strangers, too: an array is read only if its header and the archive agree on its size.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import CorruptModelError, NotTFLiteError, UnsupportedError, brief
from ..format.budget import DENSE_PER_BYTE, MAX_ARRAY_RANK, Budget
from .constants import Constant, values_of

_ZIP = b"PK\x03\x04"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What numpy writes. Python decompresses others without a limit: a bomb would take all memory."""
_MOST_MEMBERS = 100_000
_BROKEN = (
    ValueError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
    OverflowError, OSError,
)  # fmt: skip
"""What zipfile and numpy raise about bytes that are broken."""

_MAGIC, _LONGEST_HEADER = b"\x93NUMPY", 10_000
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""By the version of the format, the bytes of the header's length."""
_ENTRY = re.compile(
    r"\s*'(?P<key>descr|fortran_order|shape)'\s*:\s*"
    r"(?P<value>'[^']*'|\[.*\]|True|False|\((?:\s*-?\d+L?\s*,)*(?:\s*-?\d+L?)?\s*\))\s*(?:,|(?=\}))",
    re.DOTALL,
)
"""An entry of the dictionary that a header is. It is no expression for Python to evaluate: that can
warn, or overflow the parser's stack."""
_SCALAR = re.compile(r"[<>|=]?(?:[biufcSUV]\d{1,9}|[mM]8(?:\[\w{1,9}\])?)")
_LONGEST_NUMBER = 19


@dataclass(frozen=True, eq=False)
class Original:
    """An array that the real values of a constant are compared with.

    Attributes
    ----------
    name : str
    names : tuple of str
        Its name, and others that it has.
    shape : tuple of int
    type : str
        The type of its values.
    constant : Constant or None
        The constant of a model that it is.
    read : callable
        Returns its real values.
    """

    name: str
    names: tuple[str, ...]
    shape: tuple[int, ...]
    type: str
    constant: Constant | None
    read: Callable[[], NDArray[Any]]


def of_a_constant(constant: Constant) -> Original:
    """Return a constant of another model as what is compared with."""

    def read() -> NDArray[Any]:
        values = values_of(constant)
        return constant.tensor.dequantize() if values.real is None else values.real

    kind = constant.stored.type.name
    return Original(constant.name, constant.names, constant.shape, kind, constant, read)


def of_arrays(
    arrays: Mapping[str, ArrayLike] | Mapping[str, LazyArray],
) -> tuple[list[Original], list[tuple[str, str]]]:
    """Return arrays as what is compared with.

    Returns
    -------
    originals : list of Original
    refused : list of (str, str)
        The names of those that are not real numbers, with what they are.
    """
    originals, refused = [], []
    for key, value in arrays.items():
        array = value if isinstance(value, LazyArray) else np.asarray(value)
        name, dtype = str(key), array.dtype
        if dtype.kind not in "fiu" and dtype.name != "bfloat16":
            refused.append((name, f"{dtype.name} values are not real numbers"))
            continue
        read = array.read if isinstance(array, LazyArray) else _reader(array)
        originals.append(Original(name, (name,), array.shape, dtype.name, None, read))
    return originals, refused


def _reader(array: NDArray[Any]) -> Callable[[], NDArray[Any]]:
    """Return a function that returns the array; those of package ml_dtypes as float32."""
    return lambda: array.astype(np.float32) if array.dtype.kind not in "fiu" else array


@dataclass(frozen=True, eq=False)
class LazyArray:
    """An array of a .npz file, which is read when it is asked for.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy.dtype
    read : callable
        Returns the array.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    read: Callable[[], NDArray[Any]]


def is_npz(source: object) -> bool:
    """Return whether a source is a path to a .npz file, by its first bytes."""
    if not isinstance(source, str | PathLike):
        return False
    with Path(source).open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def open_npz(path: str | PathLike[str], stack: ExitStack) -> dict[str, LazyArray]:
    """Return the arrays of a .npz file by name; they can be read until the stack is closed.

    Raises
    ------
    NotTFLiteError
        It is a ZIP archive without arrays, or a broken one.
    CorruptModelError
        An array's header and the archive do not agree.
    UnsupportedError
        An array has Python objects.
    """
    label = fspath(path)
    size = Path(path).stat().st_size
    budget = Budget(size, DENSE_PER_BYTE)
    try:
        archive = stack.enter_context(zipfile.ZipFile(path))
        members = [each for each in archive.infolist() if each.filename.endswith(".npy")]
    except _BROKEN as error:
        raise NotTFLiteError(f"{label}: a ZIP archive that cannot be read: {error}") from None
    if not members:
        raise NotTFLiteError(f"{label}: a ZIP archive without arrays (.npy files)")
    if len(members) > _MOST_MEMBERS:
        raise UnsupportedError(f"{label}: {len(members):_} arrays, at most {_MOST_MEMBERS:_}")
    return {
        member.filename.removesuffix(".npy"): _lazy(archive, member, budget, label)
        for member in members
    }


def _lazy(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: Budget, label: str
) -> LazyArray:
    where = f"{label}: array {member.filename.removesuffix('.npy')!r}"
    if member.compress_type not in _METHODS:
        raise UnsupportedError(f"{where}: compressed by method {member.compress_type}")
    try:
        with archive.open(member) as file:
            text = _header(file)
            start = file.tell()
        shape, is_fortran, descr = _facts(text)
        dtype = np.dtype(descr) if _SCALAR.fullmatch(descr) else None
    except (*_BROKEN, TypeError) as error:
        raise CorruptModelError(f"{where}: {' '.join(str(error).split())}") from None
    if dtype is None:
        kind = "Python objects" if "O" in descr else f"values of type {descr[:60]!r}"
        raise UnsupportedError(f"{where}: {kind} are not read")
    if any(length < 0 for length in shape):
        raise CorruptModelError(f"{where}: shape {brief(shape)} has a negative size")
    count = math.prod(shape) * dtype.itemsize
    if start + count != member.file_size:
        raise CorruptModelError(
            f"{where}: {member.file_size - start:_} bytes, expected {count:_} for {dtype.name} of "
            f"shape {brief(shape)}"
        )

    def read() -> NDArray[Any]:
        budget.spend(count, where)
        try:
            with archive.open(member) as file:
                file.read(start)
                content = file.read(count)
            array = np.frombuffer(content, dtype)
            return array.reshape(shape, order="F" if is_fortran else "C")
        except _BROKEN as error:
            raise CorruptModelError(f"{where}: {' '.join(str(error).split())}") from None

    return LazyArray(shape, dtype, read)


def _header(file: IO[bytes]) -> str:
    """Read the header of a .npy file (numpy, numpy/lib/_format_impl.py).

    Raises
    ------
    ValueError
        It is none.
    """
    magic = file.read(len(_MAGIC) + 2)
    version = tuple(magic[len(_MAGIC) :])
    if not magic.startswith(_MAGIC) or len(version) < 2:
        raise ValueError(f"it begins with {magic!r}, expected {_MAGIC!r}")
    if version[0] not in _LENGTH_BYTES or version[1]:
        raise ValueError(f"version {version} of the format is not known")
    length = int.from_bytes(file.read(_LENGTH_BYTES[version[0]]), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length:_} bytes, at most {_LONGEST_HEADER:_}")
    return file.read(length).decode("latin-1")


def _facts(header: str) -> tuple[tuple[int, ...], bool, str]:
    """Return shape, order and type that a header says.

    Raises
    ------
    ValueError
        The header is not a dictionary of these three.
    """
    found: dict[str, str] = {}
    position = 1
    while (match := _ENTRY.match(header, position)) is not None:
        found[match["key"]] = match["value"]
        position = match.end()
    is_whole = header.startswith("{") and header[position:].strip() == "}"
    descr, order = found.get("descr", ""), found.get("fortran_order", "")
    numbers = re.findall(r"-?\d+", found.get("shape", ""))
    if not is_whole or len(found) < 3 or descr[0] not in "'[" or order not in ("True", "False"):
        raise ValueError(f"a header that is no description of an array: {header[:60]!r}")
    if len(numbers) > MAX_ARRAY_RANK or any(len(each) > _LONGEST_NUMBER for each in numbers):
        raise ValueError(f"no array has shape {found['shape'][:60]}")
    return tuple([int(each) for each in numbers]), order == "True", descr.strip("'")
