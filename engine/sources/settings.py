"""What the owner says about the sources: `[sources.NAME]` with `enabled`, `weight` and the source's own thresholds.

[sources.plateau]
weight = 0.5
rounds = 50
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from workspace.errors import LoopdeskError

_COMMON = ("enabled", "weight")
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list of words"}


@dataclass(frozen=True, slots=True)
class Setting:
    """Of one source: is it on, what its signals weigh, and its thresholds with the owner's values."""

    is_enabled: bool
    weight: float
    thresholds: Any


def known(table: Mapping[str, object], names: tuple[str, ...]) -> None:
    """Raises `LoopdeskError` for a source that there is not."""
    for name in table:
        if name not in names:
            raise LoopdeskError(
                f"config.toml has a table [sources.{name}], but there is no such source",
                do=f"Sources are {', '.join(names)}",
            )


def setting(name: str, weight: float, thresholds: Any, table: object) -> Setting:
    """One source's table over its defaults. Raises `LoopdeskError` for an unknown key or an odd value."""
    if not isinstance(table, Mapping):
        raise LoopdeskError(f"sources.{name} is {table!r}, but must be a table", do=f"Write [sources.{name}]")
    own = {field.name: getattr(thresholds, field.name) for field in fields(thresholds)}
    for key in table:
        if key not in own and key not in _COMMON:
            raise LoopdeskError(
                f"[sources.{name}] has a setting that it does not know: {key}",
                do=f"Known settings are {', '.join((*_COMMON, *own))}",
            )
    changed = {key: _like(own[key], value, f"sources.{name}.{key}") for key, value in table.items() if key in own}
    return Setting(
        is_enabled=_like(True, table.get("enabled", True), f"sources.{name}.enabled"),
        weight=_like(weight, table.get("weight", weight), f"sources.{name}.weight"),
        thresholds=replace(thresholds, **changed),
    )


def _like(default: Any, value: object, where: str) -> Any:
    """`value`, if it is of the default's kind and not negative."""
    if isinstance(default, tuple):
        if isinstance(value, list | tuple) and all(isinstance(word, str) and word for word in value):
            return tuple(value)
    elif isinstance(default, bool):
        if isinstance(value, bool):
            return value
    elif not isinstance(value, bool) and isinstance(value, int if isinstance(default, int) else (int, float)):
        if value < 0 or value != value or value == float("inf"):
            raise LoopdeskError(f"{where} is {value!r}, but must be a number from 0 on")
        return type(default)(value)
    raise LoopdeskError(f"{where} is {value!r}, but must be {_WORDS[type(default)]}")
