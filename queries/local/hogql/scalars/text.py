"""Text functions of ClickHouse that SQLite lacks. Places and lengths are bytes, in the `_utf8` forms characters; they
count from 1. A character that is cut through becomes the replacement character."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from queries.local.hogql.scalars.complaints import Complaint, whole

MAX_LENGTH = 1_000_000  # of what repeat and the pads make; ClickHouse's own limit for both
_MAX_TRIMMED = 1_000

Part = TypeVar("Part", str, bytes)


def _by_bytes(function: Callable[..., bytes]) -> Callable[..., str | None]:
    """A function of bytes as one of text."""

    def run(text: str | None, *args: int | None) -> str | None:
        if text is None or None in args:
            return None
        return function(text.encode(), *args).decode("utf-8", "replace")

    return run


def _by_letters(function: Callable[..., str]) -> Callable[..., str | None]:
    def run(text: str | None, *args: int | None) -> str | None:
        return None if text is None or None in args else function(text, *args)

    return run


def _substring(text: Part, start: int, length: int | None = None) -> Part:
    """From `start`, from the end if negative, nothing from 0; a negative `length` leaves so many off at the end."""
    if start == 0:
        return text[:0]
    first = start - 1 if start > 0 else len(text) + start
    end = len(text) if length is None else first + length if length >= 0 else len(text) + length
    return text[max(first, 0) : max(end, 0)]


def _left(text: Part, count: int) -> Part:
    return text[:count] if count >= 0 else text[: max(len(text) + count, 0)]


def _right(text: Part, count: int) -> Part:
    if count < 0:
        return text[-count:]
    return text[len(text) - count :] if count < len(text) else text


def _pad(at_left: bool, utf8: bool) -> Callable[..., str | None]:
    def pad(text: str | None, length: int | None, fill: str | None = " ") -> str | None:
        if text is None or length is None or fill is None:
            return None
        if length < 0:
            raise Complaint(f"The padded length ({length}) is negative")
        whole(length, MAX_LENGTH, "The padded text")
        padded = _padded(text, length, fill) if utf8 else _padded(text.encode(), length, fill.encode())
        return padded if isinstance(padded, str) else padded.decode("utf-8", "replace")

    def _padded(text: Part, length: int, fill: Part) -> Part:
        missing = length - len(text)
        if missing <= 0 or not fill:
            return text[:length]
        padding = (fill * (missing // len(fill) + 1))[:missing]
        return padding + text if at_left else text + padding

    return pad


def repeat(text: str | None, count: int | None) -> str | None:
    if text is None or count is None:
        return None
    whole(len(text) * count, MAX_LENGTH, "The repeated text")
    return text * max(0, count)


def replace_all(text: str | None, old: str | None, new: str | None) -> str | None:
    if text is None or old is None or new is None:
        return None
    if not old:
        return text
    if len(new) > len(old):
        whole(len(text) + text.count(old) * (len(new) - len(old)), MAX_LENGTH, "The replaced text")
    return text.replace(old, new)


def replace_one(text: str | None, old: str | None, new: str | None) -> str | None:
    if text is None or old is None or new is None:
        return None
    return text.replace(old, new, 1) if old else text


def split(separator: str | None, text: str | None) -> str:
    text = text or ""  # a list is never NULL in ClickHouse
    if separator:
        return json.dumps(text.split(separator), ensure_ascii=False)
    letters = [bytes([byte]).decode("utf-8", "replace") for byte in text.encode()]
    return json.dumps(letters, ensure_ascii=False)


def ends_with(text: str | None, end: str | None) -> bool | None:
    return None if text is None or end is None else text.endswith(end)


def position(text: str | None, part: str | None) -> int | None:
    """In bytes; 0 where it is not in the text."""
    if text is None or part is None:
        return None
    return text.encode().find(part.encode()) + 1


def position_utf8(text: str | None, part: str | None) -> int | None:
    return None if text is None or part is None else text.find(part) + 1


def count_substrings(text: str | None, part: str | None) -> int | None:
    return None if text is None or part is None else text.count(part) if part else 0


def _trim(strip: Callable[[str, str], str]) -> Callable[..., str | None]:
    def trim(text: str | None, letters: str | None = " ") -> str | None:
        if text is None or letters is None:
            return None
        whole(len(letters), _MAX_TRIMMED, "The letters to trim")
        return strip(text, letters)

    return trim


def _whole(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else function(text)


FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "hq_lower": (1, _whole(str.lower)),
    "hq_upper": (1, _whole(str.upper)),
    "hq_reverse": (1, _by_bytes(lambda text: text[::-1])),
    "hq_reverse_utf8": (1, _by_letters(lambda text: text[::-1])),
    "hq_trim": (-1, _trim(str.strip)),
    "hq_ltrim": (-1, _trim(str.lstrip)),
    "hq_rtrim": (-1, _trim(str.rstrip)),
    "hq_replace": (3, replace_all),
    "hq_replace_one": (3, replace_one),
    "hq_substring": (-1, _by_bytes(_substring)),
    "hq_substring_utf8": (-1, _by_letters(_substring)),
    "hq_left": (2, _by_bytes(_left)),
    "hq_left_utf8": (2, _by_letters(_left)),
    "hq_right": (2, _by_bytes(_right)),
    "hq_right_utf8": (2, _by_letters(_right)),
    "hq_lpad": (-1, _pad(at_left=True, utf8=False)),
    "hq_lpad_utf8": (-1, _pad(at_left=True, utf8=True)),
    "hq_rpad": (-1, _pad(at_left=False, utf8=False)),
    "hq_rpad_utf8": (-1, _pad(at_left=False, utf8=True)),
    "hq_repeat": (2, repeat),
    "hq_split": (2, split),
    "hq_ends_with": (2, ends_with),
    "hq_position": (2, position),
    "hq_position_utf8": (2, position_utf8),
    "hq_count_substrings": (2, count_substrings),
}
