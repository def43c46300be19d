"""The ways in which a text can be read: folded to plain letters, decoded, and with what people do not see lifted out.

A reading remembers where each of its characters stands in the text, so that a finding in it is quoted as it stands. All
work is linear in the text; what is decoded is read once more, no deeper than `_DEEPEST`, within a budget of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from engine.rules.pieces import PLAIN, TURNED, WORSE, Piece, pieces

MOST_READ = 64_000
"""Characters that are read at a time."""
_MOST_DECODED = 200_000
_DEEPEST = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """`text` is folded; its character at `place` comes from `places[place]` of the original.

    `kind` says how a person would have met it: open, hidden from their eyes, as a code that programs need, or in a way
    that only keeps it from being seen; `how` names the way. `code` is where the code stands that all of this was
    decoded from: no part of it can be quoted alone.
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
    # What was turned round is read, not searched for more: by chance anything turns into anything.
    if depth == _DEEPEST or raw.how.endswith(TURNED):
        return
    for piece in pieces(raw.text):
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
    kind = max(raw.kind, piece.kind, key=WORSE.index)
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


def invisible(text: str) -> int:
    """How many characters of it nobody sees."""
    return 0 if text.isascii() else sum(ord(character) in _INVISIBLE for character in text)
