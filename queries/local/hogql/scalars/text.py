"""Text functions of ClickHouse that SQLite lacks. Places and lengths count characters from 1."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache

_MAX_LENGTH = 1_000_000


@lru_cache(maxsize=256)
def _regex(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None


@lru_cache(maxsize=256)
def _like_regex(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    parts, escaped = [], False
    for letter in pattern:
        if escaped:
            parts.append(re.escape(letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            parts.append(".*" if letter == "%" else "." if letter == "_" else re.escape(letter))
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(text: str | None, pattern: str | None, ignore_case: int) -> bool | None:
    if text is None or pattern is None:
        return None
    return _like_regex(pattern, bool(ignore_case)).fullmatch(text) is not None


def match(text: str | None, pattern: str | None) -> bool | None:
    found = None if text is None or pattern is None else _regex(pattern)
    return None if found is None else found.search(text) is not None  # type: ignore[arg-type]


def extract(text: str | None, pattern: str | None) -> str | None:
    """The first group of the first match, or the match; '' where nothing matches."""
    found = None if text is None or pattern is None else _regex(pattern)
    if found is None:
        return None
    hit = found.search(text)  # type: ignore[arg-type]
    if not hit:
        return ""
    return (hit[1] if found.groups else hit[0]) or ""


def extract_all(text: str | None, pattern: str | None) -> str | None:
    found = None if text is None or pattern is None else _regex(pattern)
    if found is None:
        return None
    hits = [(hit[1] if found.groups else hit[0]) or "" for hit in found.finditer(text)]  # type: ignore[arg-type]
    return json.dumps(hits, ensure_ascii=False)


def replace_regexp(text: str | None, pattern: str | None, replacement: str | None, count: int) -> str | None:
    found = None if text is None or pattern is None or replacement is None else _regex(pattern)
    if found is None:
        return None
    pieces = re.split(r"\\([0-9\\])", replacement)  # type: ignore[arg-type]

    def fill(hit: re.Match[str]) -> str:
        filled = []
        for place, piece in enumerate(pieces):
            if place % 2 == 0 or piece == "\\":
                filled.append(piece)
            elif int(piece) <= found.groups:
                filled.append(hit[int(piece)] or "")
        return "".join(filled)

    return found.sub(fill, text, count=count)  # type: ignore[arg-type]


def substring(text: str | None, start: int | None, length: int | None = -1) -> str | None:
    """From `start` (from the end if negative; nothing from 0), `length` characters or all."""
    if text is None or start is None or length is None or start == 0:
        return None if text is None or start is None or length is None else ""
    first = start - 1 if start > 0 else max(len(text) + start, 0)
    return text[first:] if length == -1 else text[first : first + length] if length >= 0 else ""


def left(text: str | None, count: int | None) -> str | None:
    return None if text is None or count is None else text[:count]


def right(text: str | None, count: int | None) -> str | None:
    if text is None or count is None:
        return None
    return text[-count:] if count > 0 else text[-count:] if count else ""


def pad(at_left: int, text: str | None, length: int | None, fill: str | None = " ") -> str | None:
    if text is None or length is None or not fill:
        return text
    length = min(length, _MAX_LENGTH)
    if length <= len(text):
        return text[:length]
    missing = length - len(text)
    padding = (fill * (missing // len(fill) + 1))[:missing]
    return padding + text if at_left else text + padding


def repeat(text: str | None, count: int | None) -> str | None:
    if text is None or count is None:
        return None
    return text * max(0, min(count, _MAX_LENGTH // max(len(text), 1)))


def replace_one(text: str | None, old: str | None, new: str | None) -> str | None:
    if text is None or old is None or new is None:
        return None
    return text.replace(old, new, 1) if old else text


def split(separator: str | None, text: str | None) -> str | None:
    if text is None or separator is None:
        return None
    return json.dumps(text.split(separator) if separator else list(text), ensure_ascii=False)


def ends_with(text: str | None, end: str | None) -> bool | None:
    return None if text is None or end is None else text.endswith(end)


def count_substrings(text: str | None, part: str | None) -> int | None:
    return None if text is None or part is None else text.count(part) if part else 0


def _whole(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else function(text)


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_lower": (1, _whole(str.lower)),
    "hq_upper": (1, _whole(str.upper)),
    "hq_reverse": (1, _whole(lambda text: text[::-1])),
    "hq_like": (3, like),
    "hq_match": (2, match),
    "hq_extract": (2, extract),
    "hq_extract_all": (2, extract_all),
    "hq_replace_regexp": (4, replace_regexp),
    "hq_replace_one": (3, replace_one),
    "hq_substring": (-1, substring),
    "hq_left": (2, left),
    "hq_right": (2, right),
    "hq_pad": (-1, pad),
    "hq_repeat": (2, repeat),
    "hq_split": (2, split),
    "hq_ends_with": (2, ends_with),
    "hq_count_substrings": (2, count_substrings),
}
