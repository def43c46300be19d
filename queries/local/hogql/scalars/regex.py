"""Regular expressions and LIKE by RE2, ClickHouse's own engine: the same dialect, and linear in the text whatever the
pattern, so that one cell cannot outlast the time limit.

It is only loaded when a query that needs it is compiled or run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from queries.local.hogql.scalars.complaints import Complaint, whole

MAX_PATTERN = 5_000
MAX_STEPS = 100_000_000  # letters times the size of the compiled pattern: at worst about a second
_MEMORY = 1 << 20  # bytes for one compiled pattern


@cache
def _engine() -> ModuleType:
    try:
        import re2
    except ImportError:
        raise Complaint("Regular expressions need the package google-re2, which is not installed") from None
    return re2


@lru_cache(maxsize=256)
def compiled(pattern: str, ignore_case: bool = False) -> Any:
    """Raises `Complaint` for a pattern that ClickHouse would refuse too, or that is too long."""
    whole(len(pattern), MAX_PATTERN, "A regular expression")
    engine = _engine()
    options = engine.Options()
    options.dot_nl = True  # in ClickHouse a dot is any letter, a line's end too
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    try:
        return engine.compile(pattern, options)
    except engine.error as error:
        said = error.args[0]
        reason = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        raise Complaint(f"Bad regular expression '{pattern[:80]}': {reason}") from None


@lru_cache(maxsize=256)
def _like_pattern(pattern: str) -> str:
    parts = re.split(r"(\\[%_\\]|[%_])", pattern)
    words = {"%": ".*", "_": "."}
    # A backslash before any other letter is itself.
    return "".join(
        words.get(part) or re.escape(part[1:] if len(part) == 2 and part[0] == "\\" and part[1] in "%_\\" else part)
        for part in parts
    )


def like(text: str | None, pattern: str | None, ignore_case: int) -> bool | None:
    if text is None or pattern is None:
        return None
    return _affordable(compiled(_like_pattern(pattern), bool(ignore_case)), text).fullmatch(text) is not None


def match(text: str | None, pattern: str | None) -> bool | None:
    if text is None or pattern is None:
        return None
    return _searched(text, pattern) is not None


def extract(text: str | None, pattern: str | None) -> str | None:
    """The first group of the first match, or the match; '' where nothing matches."""
    if text is None or pattern is None:
        return None
    hit = _searched(text, pattern)
    return _found(hit) if hit else ""


def extract_all(text: str | None, pattern: str | None) -> str:
    """As ClickHouse, it ends at the first match that is empty."""
    hits: list[str] = []
    for hit in _hits(text or "", pattern or ""):
        if hit.start() == hit.end():
            break
        hits.append(_found(hit))
    return json.dumps(hits, ensure_ascii=False)


def replace_regexp(text: str | None, pattern: str | None, replacement: str | None, count: int) -> str | None:
    if text is None or pattern is None or replacement is None:
        return None
    if not pattern:
        return text
    fill = _filled(replacement, compiled(pattern).groups)
    written, end, last = [], 0, -1
    for number, hit in enumerate(_hits(text, pattern)):
        if (count and number == count) or hit.start() == last:  # RE2's binding finds the empty end twice
            break
        written += [text[end : hit.start()], fill(hit)]
        end, last = hit.end(), hit.start()
    return "".join([*written, text[end:]])


def _affordable(regex: Any, text: str) -> Any:
    if len(text) > 10_000:
        whole(len(text) * regex.programsize, MAX_STEPS, "Text times pattern of a regular expression")
    return regex


def _searched(text: str, pattern: str) -> Any:
    return _affordable(compiled(pattern), text).search(text)


def _hits(text: str, pattern: str) -> Iterator[Any]:
    return _affordable(compiled(pattern), text).finditer(text)


def _found(hit: Any) -> str:
    return (hit[1] if hit.re.groups else hit[0]) or ""


def _filled(replacement: str, groups: int) -> Callable[[Any], str]:
    r"""What stands for a match: `\0` is the match, `\1` its first group."""
    pieces = re.split(r"\\([0-9\\])", replacement)
    for piece in pieces[1::2]:
        if piece != "\\" and int(piece) > groups:
            raise Complaint(f"The replacement names group {piece}, the regular expression has {groups}")

    def fill(hit: Any) -> str:
        return "".join(
            piece if place % 2 == 0 or piece == "\\" else hit[int(piece)] or "" for place, piece in enumerate(pieces)
        )

    return fill


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_like": (3, like),
    "hq_match": (2, match),
    "hq_extract": (2, extract),
    "hq_extract_all": (2, extract_all),
    "hq_replace_regexp": (4, replace_regexp),
}
