"""The parts of a text that say something else once they are taken out of it or decoded: comments, markup that is not
shown, invisible characters, and codes. Each is looked for in one pass, and a limited number of each is taken."""

from __future__ import annotations

import base64
import codecs
import html
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import re2

PLAIN, HIDDEN, ENCODED, OBSCURED = "plain", "hidden", "encoded", "obscured"
WORSE = (PLAIN, HIDDEN, ENCODED, OBSCURED)
TURNED = ("rot13", "reversed letters", "reversed words")
_MOST_PIECES = 256
_A_FILE = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Piece:
    """What a part of a text says, and the places where it stands."""

    says: str
    stands: range
    kind: str
    how: str


_COMMENT = re2.compile(r"(?s)<!--(.*?)(?:-->|$)")
_MARKDOWN_COMMENT = re2.compile(r"(?m)^\[(?://|comment|_)?\]:\s*(?:#|<>)?\s*[\"'(](.*)[\"')]\s*$")
_UNSEEN = re2.compile(
    r"(?is)<[a-z]+\b[^>]*(?:display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?:[;\"'. ]|$)"
    r"|color\s*:\s*(?:white|#fff(?:fff)?\b|transparent)|left\s*:\s*-\d{3,}|\shidden\b|aria-hidden=)[^>]*>([^<]*)"
)
_ATTRIBUTE = re2.compile(
    r"(?is)<(?:meta|input|img|a|span|div|p|data)\b[^>]*?\b(?:content|alt|title|value|aria-label|data-[a-z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')"
)
_OUT_OF_SIGHT = (
    ("a comment", _COMMENT),
    ("a comment", _MARKDOWN_COMMENT),
    ("markup that is not shown", _UNSEEN),
    ("markup that is not shown", _ATTRIBUTE),
)
_BASE64 = re2.compile(r"[A-Za-z0-9+/_-]{16,}(?:\s*\n\s*[A-Za-z0-9+/_-]{16,})*={0,2}")
_BASE32 = re2.compile(r"\b[A-Z2-7]{24,}={0,6}")
_HEX = re2.compile(r"(?i)(?:[0-9a-f]{2}){8,}|\b(?:(?:0x|\\\\?x)?[0-9a-f]{2}[\s,:]*){8,}")
_BINARY = re2.compile(r"(?:[01]{8}[\s,]*){4,}")
_PERCENT = re2.compile(r"[^\s\"'<>]*(?:%[0-9A-Fa-f]{2}[^\s\"'<>]*){2,}")
_PLUS = re2.compile(r"[A-Za-z',.:]+(?:\+[A-Za-z0-9',.:]+){3,}")
_ENTITIES = re2.compile(r"[A-Za-z]{0,24}(?:&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});[^&\n<>]{0,24}){2,}")
_ESCAPES = re2.compile(
    r"[A-Za-z]{0,24}(?:(?:\\u\{?[0-9a-fA-F]{4,6}\}?|\\x[0-9a-fA-F]{2}|\\[0-7]{3})[^\\\n\"]{0,12}){3,}"
)
_NUMBERS = re2.compile(r"(?:\b\d{2,3}\b[\s,;]+){7,}\d{2,3}\b")
_TAGS = re2.compile("[\U000e0020-\U000e007e]+")
_BITS = re2.compile("[\u200b-\u200f\u2060-\u2064\ufeff]{16,}")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_LATIN = re.compile("[^\x00-\u024f]")  # rot13 leaves it as it is
_FLAG = "\U0001f3f4"


def pieces(text: str) -> Iterator[Piece]:
    for how, pattern in _OUT_OF_SIGHT:
        for found in _first(pattern, text):
            if group := next((number for number, said in enumerate(found.groups(), 1) if said), 0):
                yield Piece(found.group(group), range(*found.span(group)), HIDDEN, how)
    if not text.isascii():
        yield from _tags(text)
        yield from _zero_width_bits(text)
    for how, pattern, decode, shifts in _CODES:
        for found in _first(pattern, text):
            code = found.group()
            # A code may begin behind letters that look like it.
            for begin in range(min(shifts, len(code))):
                said = decode(code[begin:])
                if said != code[begin:] and _is_readable(said):
                    yield Piece(said, range(found.start() + begin, found.end()), _kind_of(how, code, said), how)
                    break
    # Turned round, what is no code is nonsense that matches nothing.
    turned = _NOT_LATIN.sub(" ", codecs.encode(text, "rot13"))
    yield Piece(turned, range(len(text)), OBSCURED, "rot13")
    yield Piece(text[::-1], range(len(text) - 1, -1, -1), OBSCURED, "reversed letters")
    yield Piece(_LETTERS.sub(lambda word: word[0][::-1], text), range(len(text)), OBSCURED, "reversed words")


def _first(pattern: Any, text: str) -> Iterator[Any]:
    for count, found in enumerate(pattern.finditer(text)):
        if count == _MOST_PIECES:
            return
        if found.end() > found.start():
            yield found


def _tags(text: str) -> Iterator[Piece]:
    for found in _first(_TAGS, text):
        if text[: found.start()].endswith(_FLAG):  # a flag of a region is spelled so
            continue
        said = "".join(chr(ord(character) - 0xE0000) for character in found.group())
        yield Piece(said, range(*found.span()), OBSCURED, "invisible tag characters")


def _zero_width_bits(text: str) -> Iterator[Piece]:
    for found in _first(_BITS, text):
        signs = sorted(set(found.group()))
        if len(signs) != 2:
            continue
        for zero in signs:
            bits = "".join("0" if sign == zero else "1" for sign in found.group())
            said = _from_bits(bits)
            if said and _is_readable(said):
                yield Piece(said, range(*found.span()), OBSCURED, "invisible bits")


def _from_bits(bits: str) -> str:
    whole = len(bits) // 8 * 8
    return _text(int(bits[place : place + 8], 2) for place in range(0, whole, 8))


def _text(codes: Iterable[int]) -> str:
    try:
        return bytes(codes).decode("utf-8")
    except ValueError:
        return ""


def _base64(code: str) -> str:
    letters = re.sub(r"\s+", "", code).rstrip("=").replace("-", "+").replace("_", "/")
    letters = letters[: len(letters) // 4 * 4 + (len(letters) % 4 if len(letters) % 4 != 1 else 0)]
    try:
        raw = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except ValueError:
        return ""
    for encoding in ("utf-8", "utf-16-le"):  # PowerShell's encoded commands are the latter
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


def _base32(code: str) -> str:
    letters = code.rstrip("=")
    try:
        return base64.b32decode(letters + "=" * (-len(letters) % 8)).decode("utf-8")
    except ValueError:
        return ""


def _hex(code: str) -> str:
    digits = re.sub(r"(?i)0x|\\+x|[^0-9a-f]", "", code)
    try:
        return bytes.fromhex(digits[: len(digits) // 2 * 2]).decode("utf-8")
    except ValueError:
        return ""


def _escapes(code: str) -> str:
    def character(found: re.Match[str]) -> str:
        wide, short, octal = found.groups()
        number = int(wide or short, 16) if wide or short else int(octal, 8)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""

    return re.sub(r"\\u\{?([0-9a-fA-F]{4,6})\}?|\\x([0-9a-fA-F]{2})|\\([0-7]{3})", character, code)


def _percent(code: str) -> str:
    # What stands before the query is the address, and no sentence.
    return unquote(code.replace("+", " ")) if "%20" not in code else unquote(code)


_ESCAPED = r"%[0-9A-Fa-f]{2}|&#?\w+;|\\u\{?[0-9a-fA-F]{4,6}\}?|\\x[0-9a-fA-F]{2}|\\[0-7]{3}"
# The last number is how many beginnings of it are tried.
_CODES: tuple[tuple[str, object, Callable[[str], str], int], ...] = (
    ("base64", _BASE64, _base64, 4),
    ("base32", _BASE32, _base32, 1),
    ("hex", _HEX, _hex, 3),
    ("binary digits", _BINARY, lambda code: _from_bits(re.sub(r"[^01]", "", code)), 1),
    ("percent signs", _PERCENT, _percent, 1),
    ("plus signs", _PLUS, lambda code: code.replace("+", " "), 1),
    ("HTML entities", _ENTITIES, html.unescape, 1),
    ("escapes", _ESCAPES, _escapes, 1),
    ("character numbers", _NUMBERS, lambda code: _text(n for n in map(int, re.findall(r"\d+", code)) if n < 256), 1),
)


def _kind_of(how: str, code: str, said: str) -> str:
    """Nobody escapes letters that need no escape, or hides a sentence in base64; whole files travel in it every day."""
    if how in ("percent signs", "HTML entities", "escapes", "plus signs"):
        kept = sum(letter.isascii() and letter.isalpha() for letter in re.sub(_ESCAPED, "", code))
        letters = sum(letter.isascii() and letter.isalpha() for letter in said)
        return OBSCURED if letters - kept >= 8 else ENCODED
    return OBSCURED if len(said) < _A_FILE else ENCODED


def _is_readable(text: str) -> bool:
    """Bytes that are no text decode to controls and rare letters."""
    sample = text[:400]
    odd = sum(not (character.isprintable() or character in "\n\t\r") for character in sample)
    return len(text.strip()) >= 4 and odd * 10 <= len(sample)
