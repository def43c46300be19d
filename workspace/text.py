"""Text from events, logs and tools, made safe for a terminal.

Such text may hold escape sequences, bidirectional overrides and invisible characters. Nothing is drawn, copied or
exported before it went through `plain`.
"""

from __future__ import annotations

import re
import unicodedata

# An escape sequence is removed whole (CSI, then OSC/DCS/PM/APC/SOS strings, then two-byte ones), so that its tail does
# not stay behind as litter. An unterminated string sequence ends at the end of its line; one that begins with a C1
# control has to be terminated, because UTF-8 that was read as Latin-1 is full of them: "don’t" holds a \x99.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|[\x90\x98\x9d\x9e\x9f][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)
_LAYOUT = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_LINE_ENDS = re.compile(r"\r\n|[\n\v\f\r\x85\u2028\u2029]")
# Cc control, Cf format (bidi, zero-width, tags), Cs lone surrogates, Co private use, Cn unassigned, Me enclosing marks.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Me"})
# What terminals count differently, or draw as a blank where a letter stands: variation selectors, skin tones, and
# fillers. A flag becomes the two letters of its country.
_SETTLED: dict[int, str | None] = {
    **dict.fromkeys([*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x1810)]),
    **dict.fromkeys(range(0x1F3FB, 0x1F400)),
    **dict.fromkeys([0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0]),
    **{0x1F1E6 + place: chr(ord("A") + place) for place in range(26)},
}
_MOST_MARKS = 4  # on one letter; scripts that people write need no more, stacks that climb out of their line do


def plain(text: object, limit: int | None = None) -> str:
    """One line of printable characters; `limit` is a length in characters, marked by an ellipsis when it cuts."""
    value = text if isinstance(text, str) else str(text)
    if limit is not None and len(value) > 4 * limit + 256:
        value = value[: 4 * limit + 256]
    line = _printable(_LAYOUT.sub(" ", _ESCAPES.sub("", value))).strip()
    if limit is not None and len(line) > limit:
        return line[: max(0, limit - 1)].rstrip() + "…"
    return line


def plain_lines(text: object) -> list[str]:
    """The lines of `text`, each printable; tabs become four spaces and indentation stays."""
    value = text if isinstance(text, str) else str(text)
    return [_printable(line.replace("\t", "    ")) for line in _LINE_ENDS.split(_ESCAPES.sub("", value))]


def _printable(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    found: list[str] = []
    marks = _MOST_MARKS  # before any letter there is nothing of this text's own to stand on
    for char in line.translate(_SETTLED):
        category = unicodedata.category(char)
        if category in _DROPPED:
            continue
        if category in ("Mn", "Mc"):
            marks += 1
            if marks > _MOST_MARKS:
                continue
        else:
            marks = _MOST_MARKS if char.isspace() else 0
        found.append(char)
    return "".join(found)
