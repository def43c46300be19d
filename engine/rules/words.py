"""The words that tell one problem from another: not what everybody says, not what any loop's signals speak of, not
whose it is, and not what many reports say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from engine.model import Signal
from engine.structure import Structure, structure

_TOKEN = re.compile(r"[^\W_]+(?:[-_.][^\W_]+)*")
_JOINT = re.compile(r"[-_.]")
_HAS_NUMBER = re.compile(r"\d")
_NUMBER = re.compile(r"[\d.,]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NAME = re.compile(r"[^\W\d_][-_.]\w|\w[_.][^\W\d_]|[a-z][A-Z]|[^\W\d_]\d|\d[^\W\d_]")
_ENDING = re.compile("(?<=...)(?:ings?|ed|es|e|s)$")  # `patch`, `patched` and `patches` are one word
_SPEAKER = re.compile(r"^<[^<>\n]{1,40}>", re.MULTILINE)  # who says it, in a chat
_LONG_NUMBER = 5  # digits; a shorter number is a measure, and tonight's says nothing of the problem
_SHORTEST, _STEM = 3, 6  # letters: so are `escalates` and `escalation`
_LONGEST = 1_000  # characters that are read of a text: what it is about stands first
TOLD_BY, FEW_REPORTS = 0.25, 2  # a word that more reports of those compared speak of, tells nothing

_EVERYDAY = (
    "the and for with from that this was were are has have had not but all any its his her our your they them then "
    "than when where which who why how what into onto over under after before again still does did done doing can "
    "could cannot may might must would should will shall just only also more most less least very much many some each "
    "every once there here been being about per one two three four five six seven eight nine ten same other another "
    "now out off too let lets see seen saw tell told say says said make makes made get gets got getting give gives "
    "gave given take takes took taken put puts set sets need needs needed want wants wanted try tries tried go goes "
    "went gone come comes came keep keeps use used uses using look looks looked like likes find finds found show "
    "shows shown know knows known think seems seem work works worked because since until while during between "
    "within without against through around above below down back away please maybe never always often sometimes "
    "usually already yet even ever almost quite rather instead though although however both either neither none "
    "nothing something anything everything nobody somebody anybody everybody someone anyone everyone thing things "
    "way ways lot lots bit kind part parts place last first second third next new old big small large good better "
    "best bad worse worst right wrong whole half half full empty few several such those these their whose whom "
    "yesterday today tomorrow tonight morning evening hour hours minute minutes month months year years monday "
    "tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january february march april june "
    "july august september october november december jan feb mar apr jun jul aug sep oct nov dec"
)
# What the signals of any loop speak of.
_LOOP = (
    "round run night loop score scored scoring kept keep revert model call cost metric dimension client project event "
    "data case prior best time fail error usual median share line file value agent planner coder judge critic prompt "
    "token test proposal proposed change deploy commit regressed regression stop stopped reason average day week "
    "report recommend router machine request lost lose number name goal gain budget spend spent task user host step "
    "tool retry retries latency slow slower start started end ended second wait limit rate check input output answer "
    "result results total count percent level type list page board desk pane version crash crashed missing history "
    "problem issue bug fix fixed since higher lower rise rose fall fell drop dropped jump jumped went"
)


def named_in(text: str) -> frozenset[str]:
    """What looks like a name that somebody gave: `facts-40`, `stall_rounds`, `results.tsv`, `namingConventions`; and
    long numbers, which are names too."""
    return frozenset(token for token in _TOKEN.findall(text[:_LONGEST]) if _is_name(token))


def spelled(word: str, text: str) -> str:
    """How the text spells a word that `Words` found in it."""
    for token in _TOKEN.findall(text[:_LONGEST]):
        for part in (token, *_parts(token)):
            if word in (part, _stem(part)):
                return part
    return word


def _said(text: str) -> frozenset[str]:
    """Words of at least three letters by their stems, also those that names are made of, and names; not what everybody
    says."""
    return _said_in(text[:_LONGEST])


@lru_cache(maxsize=4096)
def _said_in(text: str) -> frozenset[str]:
    tokens = _TOKEN.findall(_SPEAKER.sub("", text))
    words = {part for token in tokens for part in _parts(token)}
    stems = {_stem(word) for word in words if len(word) >= _SHORTEST and word not in _MUTE}
    return frozenset(stems | {token for token in tokens if _is_name(token)})


def _is_name(token: str) -> bool:
    return len(token) > _LONG_NUMBER if _NUMBER.fullmatch(token) else bool(_NAME.search(token))


def _parts(token: str) -> list[str]:
    pieces = [part.casefold() for piece in _JOINT.split(token) for part in _CAMEL.split(piece)]
    return [piece for piece in pieces if not piece.isdigit()]


def _stem(word: str) -> str:
    if not (word.isalpha() and word.isascii()):
        return word
    return (_ENDING.sub("", word) or word)[:_STEM]


_MUTE = frozenset(_EVERYDAY.split())
_LOOP_STEMS = frozenset(map(_stem, _LOOP.split()))


class Words:
    """Of one signal and the reports that it may belong to. `groups` are the reports' signals."""

    def __init__(self, signal: Signal, groups: Sequence[Sequence[Signal]]) -> None:
        every = [signal, *(one for group in groups for one in group)]
        loops = {(about.project, about.client) for one in every if (about := structure(one))}
        self._projects = sorted({project for project, _ in loops} - {""})
        # A client that several projects have, such as `internal`, is no name that a text calls somebody by.
        having = Counter(client for _, client in loops if client)
        self._clients = sorted(client for client, projects in having.items() if projects == 1)
        # Whose it is, in which dimension and by which model is the fields' to say.
        models = {str(one.extra[name]) for one in every for name in ("model", "to_model") if one.extra.get(name)}
        fields = [*self._projects, *self._clients, *models, structure(signal).dimension]
        known = Counter(word for group in groups for word in frozenset().union(*(_said(one.content) for one in group)))
        most = max(FEW_REPORTS, len(groups) * TOLD_BY)
        common = {word for word, reports in known.items() if reports > most}
        self._mute = _LOOP_STEMS | common | {word for field in fields for word in _said(field)}

    def about(self, signal: Signal) -> Structure:
        """Its fields; where it names no project or client, the one that its text speaks of."""
        found = structure(signal)
        if not found.project:
            found = replace(found, project=_spoken_of(signal.content, self._projects))
        if not found.client:
            found = replace(found, client=_spoken_of(signal.content, self._clients))
        return found

    def shared(self, one: Signal, other: Signal) -> tuple[dict[str, int], int]:
        """The telling words that both say, and what each counts: a name with a number in it (`facts-40`) counts as
        two. A name is one word, whether it is written whole or in parts. Then how many the wordier one says."""
        mine, theirs = (_said(text.content) - self._mute for text in (one, other))
        common = mine & theirs
        for name in sorted(word for word in mine | theirs if _is_name(word)):
            parts = {_stem(part) for part in _parts(name)} & common
            common -= parts if name in common else set(sorted(parts)[1:])
        counts = {word: 2 if _HAS_NUMBER.search(word) else 1 for word in common}
        return counts, max(len(mine), len(theirs))


def _spoken_of(text: str, names: Sequence[str]) -> str:
    """The one of `names` that the text calls by its whole name or, where only one begins like that, by its first part:
    `acme` for `acme-shop`. Empty where it calls several or none."""
    said = {token.casefold() for token in _TOKEN.findall(text[:_LONGEST])}
    said |= {part for token in said for part in _JOINT.split(token)}
    whole = [name for name in names if name.casefold() in said]
    first = [name for name in names if len(part := _JOINT.split(name.casefold())[0]) > 3 and part in said]
    found = whole or first
    return found[0] if len(found) == 1 else ""
