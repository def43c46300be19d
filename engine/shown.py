"""What an agent was shown and must not hand on: words that nobody writes by chance, out of memory notes, rows, prompts
and other repositories. Pure.

Letters and digits mixed are an id, a key, or somebody's name for something; an address is a person's. A change needs
none of them, unless they stand in its repository already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from engine.secrets import Canaries

LEFT_OUT = "…"
_MOST_ENCODED = 2_000
"""Of so many also base64, hexadecimal and the like are looked for; of all others the word as it stands."""
_ADDRESS = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_WORD = re.compile(rf"{_ADDRESS}|[A-Za-z0-9]{{10,}}")
_FEWEST_DIGITS = 2


def marks(texts: Iterable[str]) -> frozenset[str]:
    """Such words, in small letters."""
    return frozenset(dict.fromkeys(word for text in texts for word in _marks_in(text)))


def handed_on(shown: frozenset[str], text: str) -> frozenset[str]:
    """Those that stand in `text`, as they are or encoded."""
    found = shown & marks([text])
    encoded = [word for word in sorted(shown - found)[:_MOST_ENCODED] if sum(map(str.isalnum, word)) >= 8]
    if not Canaries(tuple(encoded)).are_in(text):
        return found
    return found | {word for word in encoded if Canaries((word,)).are_in(text)}


def without(shown: frozenset[str], text: str) -> str:
    """`text` as it may leave."""
    return _WORD.sub(lambda found: LEFT_OUT if found[0].casefold() in shown else found[0], text) if shown else text


def _marks_in(text: str) -> Iterator[str]:
    for found in _WORD.finditer(text):
        word = found[0].casefold()
        digits = sum(map(str.isdigit, word))
        if "@" in word or (_FEWEST_DIGITS <= digits < len(word)):
            yield word
