"""The ways in which a text can be read: folded to plain letters, decoded, and with what people do not see lifted out.

A reading remembers where each of its characters stands in the text, so that a finding in it is quoted as it stands. All
work is linear in the text; what is decoded is read once more, no deeper than `_DEEPEST`, within a budget of characters.
"""

from __future__ import annotations

import base64
import codecs
import html
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote

import re2

MOST_READ = 64_000
"""Characters of one text that are read; what stands behind them makes a text too long to be judged."""
_MOST_DECODED = 200_000
_DEEPEST = 2
_MOST_PIECES = 64

PLAIN, HIDDEN, ENCODED, OBSCURED = "plain", "hidden", "encoded", "obscured"
_WORSE = (PLAIN, HIDDEN, ENCODED, OBSCURED)
TURNED = ("rot13", "reversed letters", "reversed words")


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` is folded; its character at `place` comes from `places[place]` of the original.

    `kind` says how a person would have met it: open, hidden from their eyes, as a code that programs need, or in a way
    that only keeps it from being seen; `how` names the way. `code` is where the code stands that all of this was decoded
    from: no part of it can be quoted alone.
    """

    text: str
    places: Sequence[int]
    kind: str = PLAIN
    how: str = ""
    code: tuple[int, int] | None = None

    def where(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original, whichever way it was turned."""
        if self.code is not None:
            return self.code
        found = self.places[start:end]
        return min(found), max(found) + 1


@dataclass(frozen=True, slots=True)
class Piece:
    """What a part of a text says, and the places where it stands."""

    says: str
    stands: range
    kind: str
    how: str


# Invisible in any text: zero-width and joining characters, bidirectional controls, soft hyphens, variation selectors.
_INVISIBLE = frozenset(
    code
    for first, last in (
        *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180E, 0x180E)),
        *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
        *((0xFFA0, 0xFFA0), (0xE0000, 0xE007F), (0xE0100, 0xE01EF)),
    )
    for code in range(first, last + 1)
)
_SAME_QUOTES = {0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x0131: "i", 0x0142: "l", 0x00F8: "o", 0x0111: "d", 0x3000: " "}
# Letters of other alphabets that look like Latin ones (Unicode's confusables, the common part), folded already.
_LOOKALIKES = str.maketrans(
    "авсеԁһіјкӏмнорԛгѕтцѵԝхуьαβεηικνορτυχωɑɡıոսքց",
    "abcedhijklmhopqrstuvwxybabenikvoptuxwaginuqg",
)
_LEET = str.maketrans("013457@$!|8", "oieastasilb")
# A 1 is an i, an l, or one at the beginning and the other within.
_ONES = (re.compile("$^"), re.compile("1"), re.compile("(?<=[a-z0-9])1(?!n)"))
_WORD = re.compile(r"[^\s\"'`()<>]{3,}")


@lru_cache(maxsize=8192)
def _folded(character: str) -> str:
    code = ord(character)
    if code in _INVISIBLE:
        return ""
    if code in _SAME_QUOTES:
        return _SAME_QUOTES[code]
    parts = unicodedata.normalize("NFKD" if code < 0x0600 or 0x1D00 <= code < 0x2C00 else "NFKC", character)
    return "".join(part for part in parts.casefold() if not 0x0300 <= ord(part) <= 0x036F).replace("ı", "i")


def fold(text: str) -> str:
    """Small letters without accents, as patterns are written."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


def readings(text: str) -> Iterator[Reading]:
    """Every reading of a text, the open one first; of a text longer than `MOST_READ` only what stands before that."""
    text = text[:MOST_READ]
    yield from _readings(Reading(text, range(len(text))), 0, [_MOST_DECODED])


def _readings(raw: Reading, depth: int, budget: list[int]) -> Iterator[Reading]:
    base = _folded_reading(raw)
    if base.text.strip():
        yield base
        yield from _respelled(base)
    if depth == _DEEPEST:
        return
    for piece in _pieces(raw.text, raw.how.endswith(TURNED)):
        if budget[0] <= 0:
            return
        budget[0] -= len(piece.says) + 64
        yield from _readings(_taken_out(raw, piece), depth + 1, budget)


def _folded_reading(raw: Reading) -> Reading:
    if raw.text.isascii():
        return replace(raw, text=raw.text.lower())
    letters: list[str] = []
    places: list[int] = []
    for place, character in zip(raw.places, raw.text, strict=True):
        for part in _folded(character):
            letters.append(part)
            places.append(place)
    return replace(raw, text="".join(letters), places=places)


def _taken_out(raw: Reading, piece: Piece) -> Reading:
    stands, says = piece.stands, piece.says
    kind = max(raw.kind, piece.kind, key=_WORSE.index)
    how = piece.how if not raw.how else f"{raw.how}, then {piece.how}"
    if len(says) == len(stands) and raw.code is None:
        return Reading(says, [raw.places[place] for place in stands], kind, how)
    ends = (raw.places[stands[0]], raw.places[stands[-1]])
    code = raw.code or (min(ends), max(ends) + 1)
    return Reading(says, [code[0]] * len(says), kind, how, code)


SPELLINGS = ("look-alike letters", "digits for letters", "letters set apart")


def _more(base: Reading, how: str) -> str:
    return f"{base.how}, then {how}" if base.how else how


def _respelled(base: Reading) -> Iterator[Reading]:
    """Other spellings of the same letters, each only where there is a sign of it."""
    text = base.text
    if not text.isascii() and _mixed(text):
        yield replace(base, text=text.translate(_LOOKALIKES), how=_more(base, "look-alike letters"))
    if _is_leet(text):
        for one in _ONES:
            turned = _WORD.sub(lambda word: _unleet(word[0], one), text)  # noqa: B023
            yield replace(base, text=turned, how=_more(base, "digits for letters"))
    if (apart := _closed_up(base)) is not None:
        yield apart


_LATIN, _CYRILLIC_GREEK = re.compile("[a-z]"), re.compile("[\u0370-\u03ff\u0400-\u052f\u0561-\u0587]")


def _mixed(text: str) -> bool:
    return any(_LATIN.search(word) and _CYRILLIC_GREEK.search(word) for word in re.findall(r"\w+", text))


_LEET_WORD = re.compile(r"(?:[a-z@$!|]+[0134578@$!|]+){1,}[a-z@$!|]*|[0134578@$]+[a-z]+[a-z0134578@$!|]*")


def _is_leet(text: str) -> bool:
    found = [word for word in _WORD.findall(text) if len(word) < 24 and _LEET_WORD.fullmatch(word.strip(".,:;!?"))]
    return len(found) >= 2


def _unleet(word: str, one: re.Pattern[str]) -> str:
    if len(word) >= 32 or not re.search("[a-z]", word) or not re.search(r"[0134578@$!|]", word):
        # A number between words that are spelled so is spelled so too: `70 411` is "to all".
        return word.translate(_LEET) if re.fullmatch(r"[013457]{2,4}", word) else word
    body = word.rstrip(".,:;!?")
    turned = one.sub("l", body).translate(_LEET)
    return turned + word[len(body) :]


# Letters with one blank or mark between each two; two blanks are between words.
_APART = re.compile(r"(?<![^\W_])(?:[^\W\d_][ ._*-]{1,3}){5,}[^\W\d_](?![^\W_])")


def _closed_up(base: Reading) -> Reading | None:
    """`i g n o r e   a l l` is two words."""
    letters: list[str] = []
    places: list[int] = []
    last = 0
    for found in _APART.finditer(base.text):
        kept = [*range(last, found.start())]
        is_marked = any(mark in found.group() for mark in "._*-")
        for place in range(found.start(), found.end()):
            is_letter = base.text[place].isalpha()
            is_double = place + 1 < found.end() and not base.text[place + 1].isalpha()
            is_between_words = base.text[place] == " " and (is_marked or is_double)
            if is_letter or is_between_words:
                kept.append(place)
        letters += [base.text[place] for place in kept]
        places += [base.places[place] for place in kept]
        last = found.end()
    if not last:
        return None
    letters.append(base.text[last:])
    return replace(
        base,
        text="".join(letters),
        places=[*places, *base.places[last:]],
        how=_more(base, "letters set apart"),
    )


# Pieces of a text that say something else when they are taken by themselves.

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
_ESCAPES = re2.compile(r"[A-Za-z]{0,24}(?:(?:\\u\{?[0-9a-fA-F]{4,6}\}?|\\x[0-9a-fA-F]{2}|\\[0-7]{3})[^\\\n\"]{0,12}){3,}")
_NUMBERS = re2.compile(r"(?:\b\d{2,3}\b[\s,;]+){7,}\d{2,3}\b")
_TAGS = re2.compile("[\U000e0020-\U000e007e]+")
_BITS = re2.compile("[\u200b-\u200f\u2060-\u2064\ufeff]{16,}")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_LATIN = re.compile("[^\x00-\u024f]")  # rot13 leaves it as it is
_FLAG = "\U0001f3f4"


def _pieces(text: str, is_turned: bool) -> Iterator[Piece]:
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
    if not is_turned:
        # In both, what is no code turns into nonsense that matches nothing.
        turned = _NOT_LATIN.sub(" ", codecs.encode(text, "rot13"))
        yield Piece(turned, range(len(text)), OBSCURED, "rot13")
        yield Piece(text[::-1], range(len(text) - 1, -1, -1), OBSCURED, "reversed letters")
        yield Piece(_LETTERS.sub(lambda word: word[0][::-1], text), range(len(text)), OBSCURED, "reversed words")


def _first(pattern, text: str):
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


def _text(codes) -> str:
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
    """Nobody escapes letters that need no escape."""
    if how in ("percent signs", "HTML entities", "escapes", "plus signs"):
        kept = sum(letter.isascii() and letter.isalpha() for letter in re.sub(_ESCAPED, "", code))
        plain_letters = sum(letter.isascii() and letter.isalpha() for letter in said)
        return OBSCURED if plain_letters - kept >= 8 else ENCODED
    return OBSCURED


def _is_readable(text: str) -> bool:
    """Bytes that are no text decode to controls and rare letters."""
    sample = text[:400]
    odd = sum(not (character.isprintable() or character in "\n\t\r") for character in sample)
    return len(text.strip()) >= 4 and odd * 10 <= len(sample)


def invisible(text: str) -> int:
    """How many characters of it nobody sees."""
    return 0 if text.isascii() else sum(ord(character) in _INVISIBLE for character in text)
