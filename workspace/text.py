"""Text from events, logs and tools, made safe for a terminal.

Such text may hold escape sequences, bidirectional overrides and invisible characters. Nothing is drawn, copied or
exported before it went through `plain`.
"""

from __future__ import annotations

import re
import unicodedata

# An escape sequence is removed whole (CSI, then OSC/DCS/PM/APC/SOS strings, then two-byte ones), so that its tail does
# not stay behind as litter. An unterminated string sequence ends at the end of its line.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_LAYOUT = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_LINE_ENDS = re.compile(r"\r\n|[\n\v\f\r\x85\u2028\u2029]")
# Cc control, Cf format (bidi, zero-width, tags), Cs lone surrogates, Co private use, Cn unassigned.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


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
    return "".join(char for char in line if unicodedata.category(char) not in _DROPPED)
