"""Regexes in flag conditions, run by RE2 in time that grows with the text alone: no pattern can hang the server.

PostHog's server runs Rust's `regex`, RE2's sibling. What RE2 does otherwise is translated: its `\\d`, `\\w` and `\\s`
know ASCII only, Rust's know Unicode. Look-around and back-references, which RE2 has not, are refused when a flag is
saved.
"""

from __future__ import annotations

from functools import lru_cache

import re2

MAX_PATTERN = 1_000  # characters; ours: PostHog names no limit
MAX_VALUE = 65_536  # characters of a property's value that a pattern is tried on; a longer value matches no pattern

_CLASSES = {
    "d": r"\p{Nd}",
    "w": r"\p{L}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}",
    "s": r"\t-\r \x{85}\p{Z}",
}
# Within brackets only the negation that is one class of Unicode can be said.
_NEGATED_WITHIN = {"D": r"\P{Nd}"}


class PatternRefused(ValueError):
    """Why a pattern cannot be used, as a clause."""


def check(pattern: str) -> None:
    """Raises `PatternRefused`."""
    if _compiled(pattern) is None:
        raise PatternRefused(_reason(pattern))


def found(pattern: str, text: str) -> bool | None:
    """Whether `pattern` occurs in `text`; None where the pattern is no regex or the text is too long to try."""
    compiled = _compiled(pattern)
    if compiled is None or len(text) > MAX_VALUE:
        return None
    return compiled.search(text.encode("utf-8", "replace").decode("utf-8")) is not None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re2._Regexp | None:
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        return re2.compile(_translated(pattern), _options())
    except (re2.error, UnicodeEncodeError):
        return None


def _reason(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN:
        return f"it is longer than {MAX_PATTERN:,} characters"
    try:
        re2.compile(_translated(pattern), _options())
    except re2.error as error:
        said = error.args[0] if error.args else ""
        return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    except UnicodeEncodeError:
        return "it holds half a surrogate pair"
    return "it cannot be compiled"


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return options


def _translated(pattern: str) -> str:
    parts: list[str] = []
    within = False
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\" and place + 1 < len(pattern):
            parts.append(_escape(pattern[place + 1], within))
            place += 2
            continue
        if character == "[" and not within:
            within = True
        elif character == "]" and within and parts[-1] not in ("[", "[^"):
            within = False
        elif character == "^" and within and parts[-1] == "[":
            parts[-1] = "[^"
            place += 1
            continue
        parts.append(character)
        place += 1
    return "".join(parts)


def _escape(letter: str, within: bool) -> str:
    if letter in _CLASSES:
        return _CLASSES[letter] if within else f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES and not within:
        return f"[^{_CLASSES[letter.lower()]}]"
    return _NEGATED_WITHIN.get(letter, "\\" + letter) if within else "\\" + letter
