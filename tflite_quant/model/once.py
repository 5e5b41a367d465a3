"""Attributes that are made when they are first asked for, once for all threads."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property as cached_property  # noqa: PLC0414
else:

    class cached_property(functools.cached_property):  # noqa: N801
        """One whose first value is the one that every thread gets.

        Since Python 3.12 `functools.cached_property` has no lock: threads that ask at the same time
        get objects of their own, which are not the same tensors.
        """

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """Return the value; make it if it is not there."""
            if instance is None:
                return self
            values = instance.__dict__
            if self.attrname not in values:
                values.setdefault(self.attrname, self.func(instance))
            return values[self.attrname]
