"""Finding things by name: patterns, the nearest names, and things that are listed by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import translate
from typing import TypeVar, overload

T = TypeVar("T")

_LONGEST = 200
"""Characters of a name that are compared; names that are longer are no slip of the hand."""
_MOST_NAMES = 2000
"""Names that are compared by their letters, which takes long."""


def matcher(pattern: str) -> Callable[[str], object]:
    """Return a function that tells whether a name matches a pattern with `*`, `?` and `[...]`.

    Case matters, on every system.

    Examples
    --------
    >>> bool(matcher("*conv*")("a/conv2d")), bool(matcher("conv")("a/conv2d"))
    (True, False)
    """
    return re.compile(translate(pattern)).match


def nearest(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Return the names that somebody may have meant: those that contain it, and similar ones.

    Examples
    --------
    >>> nearest("kernel", ["conv/kernel", "conv/bias", "kernal"])
    ['conv/kernel', 'kernal']
    """
    # A tenth of this library's import time, for a rare error.
    import difflib  # noqa: PLC0415

    short = [each for each in dict.fromkeys(names) if len(each) <= _LONGEST]
    lower = name.lower()
    containing = [each for each in short if lower and lower in each.lower()]
    similar = difflib.get_close_matches(name[:_LONGEST], short[:_MOST_NAMES], n=most)
    return list(dict.fromkeys([*containing, *similar]))[:most]


class Named(Mapping[str, T]):
    """Things by name, in the file's order.

    A mapping, but for one thing: if several have a name, all of them are in `len`, `keys`, `values`
    and `items`, and asking for one by this name is an error.

    Parameters
    ----------
    pairs : sequence of (str, object)

    Examples
    --------
    >>> inputs = Named([("image", 3), ("mask", 4)])
    >>> inputs["image"], list(inputs)
    (3, ['image', 'mask'])
    """

    def __init__(self, pairs: Sequence[tuple[str, T]]) -> None:
        self._pairs = tuple(pairs)

    def __getitem__(self, name: str) -> T:
        """Return what has a name.

        Raises
        ------
        KeyError
            Nothing has the name, or several things have it.
        """
        return _only(name, self._pairs)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def values(self) -> tuple[T, ...]:  # type: ignore[override]
        """Return all things."""
        return tuple([thing for _, thing in self._pairs])

    def items(self) -> tuple[tuple[str, T], ...]:  # type: ignore[override]
        """Return all names, each with its thing."""
        return self._pairs

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Named):
            return self._pairs == other._pairs
        return super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{name!r}: {thing!r}' for name, thing in self._pairs)}}}"


class Listed(Sequence[T]):
    """Things in the file's order, which can be found by name, too.

    Parameters
    ----------
    pairs : sequence of (str, object)

    Examples
    --------
    >>> signatures = Listed([("serving_default", "s"), ("train", "t")])
    >>> signatures[0], signatures["train"], "train" in signatures, list(signatures)
    ('s', 't', True, ['s', 't'])
    """

    def __init__(self, pairs: Sequence[tuple[str, T]]) -> None:
        self._pairs = tuple(pairs)
        self._things = tuple([thing for _, thing in self._pairs])

    @overload
    def __getitem__(self, key: int | str) -> T: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[T, ...]: ...
    def __getitem__(self, key: int | str | slice) -> T | tuple[T, ...]:
        """Return a thing by its index or name, or some things.

        Raises
        ------
        KeyError
            Nothing has the name, or several things have it.
        IndexError
            The index is out of range.
        """
        return _only(key, self._pairs) if isinstance(key, str) else self._things[key]

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, key: object) -> bool:
        return key in self.keys() if isinstance(key, str) else key in self._things

    def keys(self) -> tuple[str, ...]:
        """Return the names of all things."""
        return tuple([name for name, _ in self._pairs])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.keys())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Listed):
            return self._pairs == other._pairs
        return self._things == other

    def __hash__(self) -> int:
        return hash(self._things)

    def __repr__(self) -> str:
        return repr(self._things)


def _only(name: str, pairs: Sequence[tuple[str, T]]) -> T:
    """Return the one thing with a name."""
    found = [thing for each, thing in pairs if each == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise KeyError(f"{len(found)} things have the name {name!r}; `items()` has all")
    near = nearest(name, [each for each, _ in pairs])
    hint = f"; the nearest are {near}" if near else ""
    raise KeyError(f"nothing has the name {name!r}{hint}")
