"""The words of manipulation, compiled once from `manipulation.toml`, which says what its tables mean."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import re2

from engine.rules.readings import fold

END = "\x1e"
"""Stands in a text where a sentence ends."""
# What a clause can begin after, whatever the language; a quote or a mark of emphasis may stand before its first word.
_AT_START = r"(?:^|[\x1e\n:;,>(\[{\"'`*#|=?&/]|[-–—] "
_MARKS = r")[\s\"'`*_>“”«»„]*"
_GAPS = {"gap": f"[^{END};]", "far": f"[^{END}]"}
_LONG_GAP = re.compile(r"\{0,\d\d+\}\??")
_MOST_MEMORY = 16 << 20
_SOME, _MAYBE = r"[ \n]+", r"[ \n]*"


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of manipulation in one language. `pattern`'s group 1 is the sign itself."""

    name: str
    weight: int
    language: str
    is_order: bool
    pattern: Any


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`glances` are name, weight and one pattern over all languages, for a first look. `unless`, `mentions` and `told`
    take a sign back: it is forbidden, only quoted, or told of as done with. `spoils` does so for one sign alone."""

    enough: int
    minor: frozenset[str]
    concealed: Mapping[str, int]
    glances: Sequence[tuple[str, int, Any]]
    signs: Sequence[Sign]
    threats: Mapping[str, str]
    says: Mapping[str, str]
    unless: Mapping[str, Any]
    mentions: Any
    told: Any
    spoils: Mapping[str, Any]


@cache
def lexicon() -> Lexicon:
    text = resources.files("engine.rules").joinpath("manipulation.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    return Lexicon(
        enough=table["enough"],
        minor=frozenset(table["minor"]),
        concealed=table["concealed"],
        glances=tuple(_glances(table)),
        signs=tuple(_signs(table)),
        threats=table["threats"],
        says=table["says"],
        unless={language: _compiled(fold(words)) for language, words in table["unless"].items()},
        mentions=_any(map(fold, table["mentions"].values())),
        told=_any(map(fold, table["told"].values())),
        spoils={name: _compiled(fold(words)) for name, words in table["spoils"].items()},
    )


def _any(patterns: Any) -> Any:
    return _compiled("|".join(f"(?:{pattern})" for pattern in patterns))


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False  # short of memory it is slower, and says so on stderr
    return re2.compile(pattern, options)


def _glances(table: Mapping[str, Any]) -> Iterator[tuple[str, int, Any]]:
    for name, weight in table["weights"].items():
        bodies = [
            _body(patterns, table, language)
            for where in ("orders", "signs")
            for language, patterns in table[name].get(where, {}).items()
        ]
        # A gap of any length is a far smaller machine, and finds no less.
        yield name, weight, _any(_LONG_GAP.sub("*", body) for body in bodies)


def _signs(table: Mapping[str, Any]) -> Iterator[Sign]:
    for name, weight in table["weights"].items():
        for language, patterns in table[name].get("orders", {}).items():
            begins = fold(table["begins"][language])
            start = rf"{_AT_START}|(?:^|[^a-z])(?:{begins})\s{_MARKS}"
            pattern = _compiled(f"{start}({_body(patterns, table, language)})")
            yield Sign(name, weight, language, True, pattern)
        for language, patterns in table[name].get("signs", {}).items():
            yield Sign(name, weight, language, False, _compiled(f"({_body(patterns, table, language)})"))


def _body(patterns: Sequence[str], table: Mapping[str, Any], language: str) -> str:
    words = table["words"]["all"] | table["words"].get(language, {})
    return "|".join(_blanks(_filled(fold(pattern), words)) for pattern in patterns)


def _filled(pattern: str, words: Mapping[str, str]) -> str:
    while (slot := re.search(r"\{([a-z]+)(\d*)\}", pattern)) is not None:
        name, number = slot.groups()
        word = rf"{_GAPS[name]}{{0,{number}}}?" if name in _GAPS else fold(words[name])
        pattern = pattern[: slot.start()] + word + pattern[slot.end() :]
    return pattern.replace(r"[^\n", rf"[^\n{END}")


def _blanks(pattern: str) -> str:
    """A blank of a pattern is any run of blanks of a text, line ends among them; within brackets it is itself."""
    out: list[str] = []
    is_escaped = is_class = False
    for place, character in enumerate(pattern):
        if character == "?" and out and out[-1] == _SOME and pattern[place - 1] == " ":
            out[-1] = _MAYBE
        elif character == " " and not is_class and not is_escaped:
            out.append(_SOME)
        else:
            out.append(character)
        is_class = not is_escaped and (character == "[" or (is_class and character != "]"))
        is_escaped = character == "\\" and not is_escaped
    return "".join(out)
