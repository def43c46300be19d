"""The words of signals that tell one problem from another, and how much each tells: the rarer, the more."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from math import log

from engine.model import Signal
from engine.structure import Structure, structure

_TOKEN = re.compile(r"[^\W_]+(?:[-_.][^\W_]+)*")
_NUMBER = re.compile(r"[\d.,]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[^\W\d_][-_.]\w|\w[_.][^\W\d_]|[a-z][A-Z]|[^\W\d_]\d|\d[^\W\d_]")
_ENDING = re.compile("(?<=...)(?:ings?|ed|es|e|s)$")  # `patch`, `patched` and `patches` are one word
_SHORTEST, _STEM = 3, 6  # letters: so are `escalates` and `escalation`
_LONGEST = 8_000
_REPORTS_BEFORE = 10
"""As if there had been this many reports already that hold the common words: with few reports, rarity says little."""

_EVERYDAY = frozenset(
    "the and for with from that this was were are has have had not but all any its his her our your they them then "
    "than when where which who why how what into onto over under after before again still does did done can could "
    "would should will just only also more most less least very much many some each every once there here been being "
    "about per one two three same other another now out off too let see tell say said make makes made get gets got go "
    "goes went come came keep keeps use used uses using put set need needs want try tried since until while please "
    "because never always often last first next new old like".split()
)
# What the signals of any loop speak of.
_LOOP = frozenset(
    "round rounds run runs night nights loop loops score scores scored scoring kept keep reverted model models call "
    "calls cost costs metric dimension client project event events data case cases prior best time times times fail "
    "fails failed error errors usual usually median share line file value agent planner coder judge critic prompt "
    "prompts token tokens test tests proposal proposals proposed change changed changes deploy commit regressed "
    "regression stopped stop reason average days day weeks week reports recommends".split()
)


def words_of(text: str) -> frozenset[str]:
    """Words of at least three letters by their stems, the names in them whole and in parts, and long numbers; not
    what everybody says."""
    return _words(text[:_LONGEST])


@lru_cache(maxsize=2048)
def _words(text: str) -> frozenset[str]:
    found: set[str] = set()
    for token in _TOKEN.findall(text):
        if _NUMBER.fullmatch(token):
            found |= {token} if len(token) > 5 else set()
            continue
        whole = token.casefold()
        parts = [part.casefold() for piece in re.split("[-_.]", token) for part in _CAMEL.split(piece)]
        found |= {_stem(word) for word in (whole, *parts) if len(word) >= _SHORTEST and word not in _EVERYDAY}
    return frozenset(word for word in found if not word.isdigit())


def named_in(text: str) -> frozenset[str]:
    """What looks like a name that somebody gave: `facts-40`, `stall_rounds`, `results.tsv`, `namingConventions`."""
    return frozenset(token for token in _TOKEN.findall(text[:_LONGEST]) if _NAME.search(token))


def _stem(word: str) -> str:
    if not (word.isalpha() and word.isascii()):
        return word
    return (_ENDING.sub("", word) or word)[:_STEM]


_LOOP_STEMS = frozenset(_stem(word) for word in _LOOP)


class Words:
    """Weighed for one signal and the reports that it may belong to."""

    def __init__(self, signal: Signal, groups: Sequence[Sequence[Signal]]) -> None:
        every = [signal, *(one for group in groups for one in group)]
        self._projects = sorted({structure(one).project for one in every} - {""})
        self._clients = sorted({structure(one).client for one in every} - {""})
        # Whose it is and in which measure is the fields' to say.
        fields = [*self._projects, *self._clients, structure(signal).dimension]
        self._fields = frozenset(word for field in fields for word in words_of(field)) | frozenset(fields)
        self._reports = len(groups)
        self._known: Counter[str] = Counter()
        for group in groups:
            self._known.update(frozenset().union(*(words_of(one.content) for one in group)))

    def about(self, signal: Signal) -> Structure:
        """Its fields; where it names no project or client, the one that its text speaks of."""
        found = structure(signal)
        if not found.project:
            found = replace(found, project=_spoken_of(signal.content, self._projects))
        if not found.client:
            found = replace(found, client=_spoken_of(signal.content, self._clients))
        return found

    def shared(self, signal: Signal, group: Iterable[Signal]) -> dict[str, float]:
        """What it shares with the signals of one report, and what each word weighs: ln(reports / those with it)."""
        theirs = frozenset().union(*(words_of(one.content) for one in group))
        return {word: self._weight(word) for word in (words_of(signal.content) & theirs) - self._fields}

    def _weight(self, word: str) -> float:
        common = _REPORTS_BEFORE / 2 if word in _LOOP_STEMS else 0
        return log((_REPORTS_BEFORE + self._reports + 1) / (self._known[word] + common))


def _spoken_of(text: str, names: Sequence[str]) -> str:
    """The one of `names` that the text calls by its whole name or, where only one begins like that, by its first part:
    `acme` for `acme-shop`. Empty where it calls several or none."""
    said = {token.casefold() for token in _TOKEN.findall(text[:_LONGEST])}
    said |= {part for token in said for part in re.split("[-_.]", token)}
    whole = [name for name in names if name.casefold() in said]
    first = [name for name in names if len(part := re.split("[-_.]", name.casefold())[0]) > 3 and part in said]
    found = whole or first
    return found[0] if len(found) == 1 else ""
