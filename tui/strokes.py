"""How keys are written in the table, pressed on a terminal, and spelled for people."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Names of keys that are longer than one character; anything else longer than that is a sequence.
_NAMED = frozenset(
    ("up", "down", "left", "right", "home", "end", "pageup", "pagedown", "enter", "escape", "tab", "space")
) | {"backspace", "delete", "insert", *(f"f{number}" for number in range(1, 25))}
_CHARACTERS = {"comma": ","}  # the table parts keys by commas; a press is its character
_SPELLED = {
    "escape": "esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
}


def parse(keys: str) -> tuple[tuple[str, ...], ...]:
    """`"gg,home"` -> `(("g", "g"), ("home",))`."""
    tokens = [token.strip() for token in keys.split(",")]
    return tuple(_stroke(token) for token in tokens if token)


def _stroke(token: str) -> tuple[str, ...]:
    token = _CHARACTERS.get(token, token)
    is_one_key = len(token) == 1 or token in _NAMED or re.match(r"(ctrl|shift|alt|super)\+.", token)
    return (token,) if is_one_key else tuple(token)


def spell(stroke: Iterable[str]) -> str:
    return "".join(_SPELLED.get(key, key) for key in stroke)


def typed(key: str, character: str | None) -> str:
    """A key press as the table names it: the character where there is a visible one, else Textual's name."""
    return character if character and character.isprintable() and character != " " else key
