"""Attributes that are computed when they are first read, once for all threads."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functools import cached_property as cached_property  # noqa: PLC0414
else:

    class cached_property(functools.cached_property):  # noqa: N801
        """A cached property whose first value is the one that every thread gets.

        Since Python 3.12 `functools.cached_property` has no lock: threads that read it at the same
        time would get different objects, such as different tensors.
        """

        def __get__(self, instance: Any, owner: Any = None) -> Any:
            """Return the value; compute it if it is not there."""
            if instance is None:
                return self
            values = instance.__dict__
            if self.attrname not in values:
                values.setdefault(self.attrname, self.func(instance))
            return values[self.attrname]
