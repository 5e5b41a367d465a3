"""Finds out which constant of a model belongs to which of another, or to which array.

Four rules, each for what the ones before it left over:

- *name*: both have the name, and nothing else of this size has it.
- *part of the name*: converters join the names of what they fuse, `a;b;c`. The one with the most
  parts in common, of the same shape and role; or the array whose layer, `stem_conv` of
  `stem_conv/kernel`, is part of the constant's name.
- *graph*: the n-th constant that is operand k of an operator of a kind, with the same shape, if
  both models have equally many.
- *shape and order*: likewise for arrays, by shape alone.

All of them require a shape that fits. Nothing is matched that has two candidates.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from ..format.budget import MAX_ARRAY_RANK
from .constants import Constant
from .layouts import Layout, layouts
from .references import Original

T = TypeVar("T", Constant, Original)

_MOST_PARTS, _MOST_CANDIDATES = 16, 8
"""Parts of a name that are looked up, and candidates that have a part in common: a part that more
have says little."""
_ROLES = {
    "bias": "bias", "beta": "bias", "kernel": "weight", "weight": "weight",
    "depthwise_kernel": "weight", "pointwise_kernel": "weight", "embeddings": "weight",
    "recurrent_kernel": "weight",
}  # fmt: skip
"""What the last word of an array's name says that it is for, in Keras and PyTorch."""
_NUMBER = re.compile(r"(_\d+)?(:\d+)?$")


class Pair(NamedTuple):
    """A constant, and what it is compared with.

    Attributes
    ----------
    constant : Constant
    original : Original
    rule : str
        What matched them: "name", "part of the name", "graph" or "shape and order".
    layouts : list of Layout
        The layouts in which the original has the constant's shape.
    """

    constant: Constant
    original: Original
    rule: str
    layouts: list[Layout]


class Matches(NamedTuple):
    """What was matched, in the order of the constants, and what was not.

    Attributes
    ----------
    pairs : list of Pair
    constants : list of Constant
    originals : list of Original
    """

    pairs: list[Pair]
    constants: list[Constant]
    originals: list[Original]


def match(constants: Sequence[Constant], originals: Sequence[Original]) -> Matches:
    """Match the constants of a model with those of another, or with arrays.

    Parameters
    ----------
    constants : sequence of Constant
        In the order in which operators read them.
    originals : sequence of Original
        Likewise, or in the order of a mapping.
    """
    matcher = _Matcher(constants, originals)
    matcher.by_key("name", _names_and_size, _names_and_size)
    matcher.by_key("name", _names_and_place, _names_and_place)
    # Twice, since some have only one candidate when others are taken.
    matcher.by_parts()
    matcher.by_parts()
    matcher.in_order("graph", _operand, _operand_of)
    matcher.in_order("shape and order", _kind, _kind_of)
    return matcher.matches()


class _Matcher:
    """What is still to be matched, and what has been."""

    def __init__(self, constants: Sequence[Constant], originals: Sequence[Original]) -> None:
        self.constants, self.originals = dict.fromkeys(constants), dict.fromkeys(originals)
        self.order = {constant: index for index, constant in enumerate(constants)}
        self.pairs: list[Pair] = []
        self.roles = {each: each.role for each in constants}
        self.roles_of = {each: _role_of(each) for each in originals}
        self.fitting: dict[Hashable, bool] = {}

    def matches(self) -> Matches:
        """Return what came of it."""
        self.pairs.sort(key=lambda pair: self.order[pair.constant])
        return Matches(self.pairs, list(self.constants), list(self.originals))

    def take(self, constant: Constant, original: Original, rule: str) -> None:
        """Match two, if the shape fits and neither is taken."""
        if constant not in self.constants or original not in self.originals:
            return
        found = _layouts(constant, original)
        if found:
            self.pairs.append(Pair(constant, original, rule, found))
            del self.constants[constant], self.originals[original]

    def by_key(
        self,
        rule: str,
        keys: Callable[[Constant], Iterable[Hashable]],
        keys_of: Callable[[Original], Iterable[Hashable]],
    ) -> None:
        """Match those that alone have a key."""
        offered, wanted = _grouped(self.originals, keys_of), _grouped(self.constants, keys)
        for key, those in wanted.items():
            if len(those) == len(offered.get(key, ())) == 1:
                self.take(those[0], offered[key][0], rule)

    def in_order(
        self,
        rule: str,
        key: Callable[[Constant], Hashable | None],
        key_of: Callable[[Original], Hashable | None],
    ) -> None:
        """Match those with the same key one after the other, if there are equally many."""
        offered = _grouped(self.originals, lambda each: [key_of(each)])
        for shared, those in _grouped(self.constants, lambda each: [key(each)]).items():
            if shared is not None and len(those) == len(offered.get(shared, ())):
                for constant, original in zip(those, offered[shared], strict=True):
                    self.take(constant, original, rule)

    def by_parts(self) -> None:
        """Match those with the most parts of their names in common."""
        offered = _grouped(self.originals, _parts_of)
        for constant in list(self.constants):
            shared: Counter[Original] = Counter()
            for part in _parts(constant):
                candidates = offered.get(part, ())
                if len(candidates) <= _MOST_CANDIDATES:
                    shared.update(each for each in candidates if each in self.originals)
            fitting = (pair for pair in shared.most_common() if self.fits(constant, pair[0]))
            best = list(islice(fitting, 2))
            if len(best) == 1 or (len(best) == 2 and best[0][1] > best[1][1]):
                self.take(constant, best[0][0], "part of the name")

    def fits(self, constant: Constant, original: Original) -> bool:
        """Return whether shape and role of the two fit; many of them have the same."""
        roles = self.roles[constant], self.roles_of[original]
        if roles[1] not in ("", roles[0]):
            return False
        key = constant.shape, original.shape, original.constant is None
        if key not in self.fitting:
            self.fitting[key] = bool(_layouts(constant, original))
        return self.fitting[key]


def _grouped(
    things: Iterable[T], keys: Callable[[T], Iterable[Hashable]]
) -> dict[Hashable, list[T]]:
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for thing in things:
        for key in keys(thing):
            groups[key].append(thing)
    return groups


def _layouts(constant: Constant, original: Original) -> list[Layout]:
    return layouts(original.shape, constant.shape, original.constant is None)


def _names_and_size(each: Constant | Original) -> Iterable[Hashable]:
    return [(name, _size(each)) for name in each.names if name]


def _names_and_place(each: Constant | Original) -> Iterable[Hashable]:
    constant = each if isinstance(each, Constant) else each.constant
    if constant is None:
        return []
    place = (constant.tensor.subgraph_index, constant.role)
    return [(name, _size(each), *place) for name in each.names if name]


def _size(each: Constant | Original) -> int:
    """Return the number of values; 0 where no array can have the shape, which may be very long."""
    return math.prod(each.shape) if len(each.shape) <= MAX_ARRAY_RANK else 0


def _operand(constant: Constant) -> Hashable | None:
    operator = constant.operator
    if operator is None:
        return None
    shape = tuple(size for size in constant.shape if size != 1)
    return constant.tensor.subgraph_index, operator.name, constant.operand, shape


def _operand_of(original: Original) -> Hashable | None:
    return None if original.constant is None else _operand(original.constant)


def _kind(constant: Constant) -> Hashable | None:
    """Return the shape in any order of axes, and the role."""
    return constant.role, tuple(sorted(size for size in constant.shape if size != 1))


def _kind_of(original: Original) -> Hashable | None:
    if original.constant is not None:
        return None
    role = _role(original.name)
    long = tuple(sorted(size for size in original.shape if size != 1))
    return role or ("bias" if len(original.shape) == 1 else "weight"), long


def _role_of(original: Original) -> str:
    """Return what an original is for; empty if that is not known."""
    return _role(original.name) if original.constant is None else original.constant.role


def _role(name: str) -> str:
    """Return what an array is for, by the last word of its name; empty if that does not tell."""
    return _ROLES.get(re.split(r"[/.]", name)[-1].partition(":")[0], "")


def _parts(constant: Constant) -> Iterable[Hashable]:
    """Return the parts of a constant's name, and the layers in it."""
    parts: dict[Hashable, None] = {}
    for part in (part for name in constant.names for part in name.split(";", _MOST_PARTS)):
        parts[part] = None
        layers = part.split("/", _MOST_PARTS)
        parts |= {("layer", layer): None for layer in layers}
        # Keras 3 appends a number to each layer's name when a model is called again.
        parts |= {("layer", _NUMBER.sub("", layer)): None for layer in layers}
    parts.pop("", None)
    return parts


def _parts_of(original: Original) -> Iterable[Hashable]:
    if original.constant is not None:
        names = (part for name in original.names for part in name.split(";", _MOST_PARTS))
        return dict.fromkeys(part for part in names if part)
    words = re.split(r"[/.]", original.name, maxsplit=_MOST_PARTS)
    if len(words) > 1 and _role(original.name):
        return [("layer", words[-2])]
    return [original.name]
