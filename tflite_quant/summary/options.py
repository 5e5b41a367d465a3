"""An operator's options as text: words for enumerations, without defaults, long ones shortened."""

from __future__ import annotations

from collections.abc import Callable, Sized
from enum import IntEnum
from itertools import islice
from typing import Any

from ..errors import TFLiteError
from ..escape import for_terminal
from ..format.budget import Budget
from ..format.operator_options import default_options
from ..model.operator import Operator

_LONGEST_OPTION, _LONGEST_TEXT, _MOST_ITEMS = 200, 100, 16
"""Characters of an option, characters of a string in one, and bytes or items of a list in one."""
_WORDS = {"fused_activation_function": "fused_activation"}
_ALWAYS = {"padding", "stride_w", "stride_h", "axis", "keep_dims", "alpha", "beta"}
"""Options that are shown even if they have the default value, since one looks for them."""


def options_text(operator: Operator, budget: Budget) -> str:
    """Return an operator's options in one line, escaped for a terminal.

    Parameters
    ----------
    operator : Operator
    budget : Budget
        It is charged for custom options.

    Returns
    -------
    str
        Without what is at its default, unless one looks for it; the activation, if there is none,
        is left out, too. Options that cannot be read are an error in words.
    """
    try:
        name, options = operator.options_name, dict(operator.options)
        defaults = {} if name is None else default_options(name)
        shown = {
            key: value
            for key, value in options.items()
            if key in _ALWAYS or key not in defaults or value != defaults[key]
        }
        if operator.code.name == "CUSTOM":
            shown |= operator.read_custom_options(budget) or {}
    except TFLiteError as error:
        shown = {"error": str(error)}
    pairs = [
        f"{_WORDS.get(key, _brief(key, str))}={_cut(_brief(value, str), _LONGEST_OPTION)}"
        for key, value in islice(shown.items(), _MOST_ITEMS)
    ]
    return for_terminal(", ".join(pairs) + _more(shown))


def _brief(value: object, shown: Callable[[Any], str] = repr) -> str:
    """Return a value of an option as text, shortened."""
    match value:
        case IntEnum():
            return value.name
        case str() if len(value) > _LONGEST_TEXT:
            return f"{shown(value[:_LONGEST_TEXT])}... {len(value)} characters"
        case bytes() if len(value) > _MOST_ITEMS:
            return f"{value[:_MOST_ITEMS]!r}... {len(value)} bytes"
        case list() | tuple():
            items = [_brief(item) for item in value[:_MOST_ITEMS]]
            return f"[{', '.join(items)}{_more(value)}]"
        case dict():
            pairs = islice(value.items(), _MOST_ITEMS)
            items = [f"{_brief(key, str)}={_brief(item)}" for key, item in pairs]
            return f"{{{', '.join(items)}{_more(value)}}}"
        case bool():
            return str(value).lower()
    return shown(value)


def _more(items: Sized) -> str:
    return f", ... {len(items)} items" if len(items) > _MOST_ITEMS else ""


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 3]}..."
