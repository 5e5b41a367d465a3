"""A project's own choices for `check`: the table [tool.tflite-quant] of its pyproject.toml.

```toml
[tool.tflite-quant]
select = ["TQ1", "TQ2"]
ignore = ["TQ503"]
fail-on = "warning"
target = "tflm"
require = ["int8"]

[tool.tflite-quant.per-file-ignores]
"legacy/*.tflite" = ["TQ202"]
```
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .terminal import RefusedError

__all__ = ["Settings", "read_settings"]

_TABLE = "tool.tflite-quant"
_PER_FILE = "per-file-ignores"
_KEYS = ("select", "ignore", "require", "fail-on", "target", _PER_FILE)


@dataclass(frozen=True)
class Settings:
    """What a project has chosen; None, or nothing, where it has not.

    Attributes
    ----------
    select, ignore, require : str
        As the arguments of `check`: names with commas between them.
    fail_on, target : str or None
    per_file_ignores : mapping of str to str
        Identifiers of findings to ignore, by patterns of paths.
    """

    select: str = ""
    ignore: str = ""
    require: str = ""
    fail_on: str | None = None
    target: str | None = None
    per_file_ignores: Mapping[str, str] = field(default_factory=dict)


def read_settings(folder: Path) -> Settings:
    """Read the settings of the project that a folder belongs to.

    Parameters
    ----------
    folder : Path
        The first pyproject.toml in it or above it that has the table is read.

    Raises
    ------
    RefusedError
        The file is no TOML, or has a key or value that is none of these.
    """
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        table = _table(path) if path.is_file() else None
        if table is not None:
            return _settings(table, path)
    return Settings()


def _table(path: Path) -> Any:
    content = path.read_bytes()
    if _TABLE.encode() not in content:
        return None
    if sys.version_info < (3, 11):
        raise RefusedError(f"{path}: [{_TABLE}] can be read with Python 3.11 or newer only")
    import tomllib  # noqa: PLC0415  # new in 3.11

    try:
        data = tomllib.loads(content.decode())
    except ValueError as error:
        raise RefusedError(f"{path}: {error}") from None
    return data.get("tool", {}).get("tflite-quant")


def _settings(table: Any, path: Path) -> Settings:
    if not isinstance(table, dict):
        raise RefusedError(f"{path}: {_TABLE} is no table")
    for key in table:
        if key not in _KEYS:
            raise RefusedError(
                f"{path}: [{_TABLE}] has no key {key!r}; there are {', '.join(_KEYS)}"
            )
    per_file = table.get(_PER_FILE, {})
    if not isinstance(per_file, dict):
        raise RefusedError(f"{path}: {_PER_FILE} is no table")
    return Settings(
        select=_joined(table.get("select", []), "select", path),
        ignore=_joined(table.get("ignore", []), "ignore", path),
        require=_joined(table.get("require", []), "require", path),
        fail_on=_string(table.get("fail-on"), "fail-on", path),
        target=_string(table.get("target"), "target", path),
        per_file_ignores={
            pattern: _joined(ids, pattern, path) for pattern, ids in per_file.items()
        },
    )


def _joined(value: Any, key: str, path: Path) -> str:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise RefusedError(f"{path}: {key!r} must be a list of strings")
    return ",".join(value)


def _string(value: Any, key: str, path: Path) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RefusedError(f"{path}: {key!r} must be a string")
    return value
