"""Names as loops write them, taken apart into words."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|\d+")
_LETTER_AND_NUMBER = re.compile(r"[a-z]\d{1,2}")


def words(name: str) -> list[str]:
    """The lower-case words of a name in any spelling: val_bpb, valBPB, "Val BPB". f1 and p95 stay whole."""
    found: list[str] = []
    for part in re.split(r"[\W_]+", name):
        if _LETTER_AND_NUMBER.fullmatch(part.lower()):
            found.append(part.lower())
        else:
            found += [word.lower() for word in _WORD.findall(part)]
    return found


def listed(text: str) -> tuple[str, ...]:
    """The entries of a comma-separated list, which may run over several lines."""
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
