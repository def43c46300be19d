"""Which report a signal belongs to, by rules: its fields first, then how much its words are alike, within them only.

Joining what does not belong together is the costly error: two problems in one report are one pull request that fixes
half, while one problem in two reports is a key to join them. What is not sure gets a report of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.embedding import Lexical
from engine.judge import Candidate, Match
from engine.model import Signal
from engine.rules.words import Words, named_in, spelled
from engine.structure import Structure, structure
from workspace.text import plain

if TYPE_CHECKING:
    from engine.embedding import Vectors

# What the fields of two signals have in common, the most telling first, and how much alike (cosine of the lexical
# embedder, -1..1) their texts must still be.
ALIKE = {
    "same exception fingerprint": -1.0,
    "same deploy and metric": -1.0,
    "same project, client and dimension": 0.5,
    "same project and dimension": 0.5,
    "same project, client and metric": 0.4,
    "same project and metric": 0.4,
}
ALIKE_TO_ROUTER = 0.2
"""The model router only repeats in its own words what a metric shows."""
WORDS = {"": 3, "project": 2, "client": 2}
"""Where the fields say too little and a human wrote one of the two: how many telling words (`engine.rules.words`) they
share, by what both name besides; at least a tenth of all that the wordier one says, and more than with any other
report."""
WORDS_OF_ALL = 0.1
WORTH_NAMING = 0.3
"""How much alike the nearest must be to be named where it was not enough."""

_PEOPLE = ("issue", "note", "ticket", "github_issues")
_DIFFER = re.compile("“(.*?)” is not the same problem as “(.*?)”")  # as `engine.commands` notes a split
_TITLE_CHARACTERS = 80
_READ = 4_000  # characters that are compared of a text; no source writes more


def queries(signal: Signal) -> tuple[str, ...]:
    """Its title, and what it calls by name; its fields are searched anyway."""
    found = (signal.title, " ".join(sorted(named_in(signal.content))[:8]))
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def match(signal: Signal, candidates: Sequence[Candidate]) -> Match:
    """The same for the same candidates; of two that fit as well, the one that comes first."""
    left = [one for one in candidates if not _was_split_off(signal, one)]
    found = [one for candidate in left if (one := _by_fields(signal, candidate))] or _by_words(signal, left)
    if found:
        best = max(found, key=lambda one: one.rank)
        return Match(best.why, best.candidate.report_id)
    about = structure(signal)
    possible = [one for one in left if not any(_apart(about, structure(example)) for example in one.examples)]
    nearest = max(possible, key=lambda one: one.similarity, default=None)
    if nearest is None or nearest.similarity < WORTH_NAMING:
        return Match("a report of its own: nothing like it is known")
    title = plain(nearest.title, _TITLE_CHARACTERS)
    return Match(f"a report of its own: “{title}” comes nearest, {nearest.similarity:.2f} alike; that is not enough")


@dataclass(frozen=True, slots=True)
class _Fit:
    rank: tuple[float, ...]
    """The better fit has the greater one."""
    why: str
    candidate: Candidate


def _by_fields(signal: Signal, candidate: Candidate) -> _Fit | None:
    mine, others = structure(signal), [structure(example) for example in candidate.examples]
    is_apart = any(_apart(mine, other) for other in others)
    fits = []
    for example, other in zip(candidate.examples, others, strict=True):
        same = _same(mine, other)
        if same is None or (is_apart and ALIKE[same] >= 0):
            continue
        alike = _alike(signal.content, example.content)
        is_routers = "model_router" in (signal.source_product, example.source_product)
        if alike >= min(ALIKE[same], ALIKE_TO_ROUTER if is_routers else 1.0):
            said = same if ALIKE[same] < 0 else f"{same}; {alike:.2f} alike"
            fits.append(_Fit((-list(ALIKE).index(same), alike), said, candidate))
    return max(fits, key=lambda one: one.rank, default=None)


def _same(mine: Structure, other: Structure) -> str | None:
    """What tells of one problem; None where the fields say too little, or that it is another."""
    if mine.fingerprint and mine.fingerprint == other.fingerprint and mine.project == other.project:
        return "same exception fingerprint"
    if _of_one_deploy(mine, other) or _of_one_deploy(other, mine):
        return "same deploy and metric"
    if not mine.project or mine.project != other.project or mine.client != other.client or _apart(mine, other):
        return None
    whose = "same project, client" if mine.client else "same project"
    if mine.dimension and mine.dimension == other.dimension:
        return f"{whose} and dimension"
    return f"{whose} and metric" if mine.metrics & other.metrics else None


def _of_one_deploy(blaming: Structure, other: Structure) -> bool:
    """What went wrong under the code that a deploy is blamed for, in the same measure."""
    is_its_code = blaming.blames and blaming.git_sha and blaming.git_sha == other.git_sha
    is_within = not other.client or other.client in {blaming.client, *blaming.clients}
    return bool(is_its_code and is_within and blaming.project == other.project and blaming.metrics & other.metrics)


def _apart(mine: Structure, other: Structure) -> bool:
    """Both say whose, which or what, and they do not say the same."""
    pairs = [(getattr(mine, name), getattr(other, name)) for name in ("project", "client", "dimension", "fingerprint")]
    if mine.blames and other.blames:
        pairs.append((mine.git_sha, other.git_sha))
    kinds = dict(other.kinds)
    pairs += [(value, kinds.get(name, "")) for name, value in mine.kinds]
    return any(one and two and one != two for one, two in pairs)


def _by_words(signal: Signal, candidates: Sequence[Candidate]) -> list[_Fit]:
    """The one report with which it shares enough telling words, and more than with any other."""
    words = Words(signal, [one.examples for one in candidates])
    shared = [(told, candidate) for candidate in candidates if (told := _telling(signal, candidate, words))]
    shared.sort(key=lambda one: -one[0].count)
    if not shared or (len(shared) > 1 and shared[0][0].count == shared[1][0].count):
        return []
    told, candidate = shared[0]
    if told.count < max(WORDS[told.within], WORDS_OF_ALL * told.of):
        return []
    named = sorted(told.words, key=lambda word: (-told.words[word], word))[:3]
    said = ", ".join(f"“{plain(spelled(word, signal.content), 40)}”" for word in named)
    whose = f"same {told.within}; " if told.within else ""
    return [_Fit((told.count,), f"{whose}both speak of {said}", candidate)]


@dataclass(frozen=True, slots=True)
class _Told:
    words: Mapping[str, int]
    of: int
    within: str
    """What both name besides: the client, at least the project, or nothing."""

    @property
    def count(self) -> int:
        return sum(self.words.values())


def _telling(signal: Signal, candidate: Candidate, words: Words) -> _Told | None:
    """What it shares with the one example that it shares most with; None where it cannot be the same problem."""
    about, others = words.about(signal), [(example, words.about(example)) for example in candidate.examples]
    if any(_apart(about, other) for _, other in others):
        return None
    told = [
        _Told(*words.shared(signal, example), _within(about, other))
        for example, other in others
        # What sources write is alike by itself, and what belongs together they say in fields.
        if _is_people(signal) or _is_people(example)
    ]
    return max(told, key=lambda one: one.count, default=None)


def _within(about: Structure, other: Structure) -> str:
    if about.client and about.client == other.client:
        return "client"
    return "project" if about.project and about.project == other.project else ""


def _is_people(signal: Signal) -> bool:
    return signal.source_type in _PEOPLE or signal.source_product == "user"


def _was_split_off(signal: Signal, candidate: Candidate) -> bool:
    """Whether it is more like what was split off this report by hand than like what stayed."""
    for correction in candidate.corrections:
        if said := _DIFFER.search(correction):
            # Both reports carry the sentence: the title that is less like the candidate's own is the other's.
            other = min(said.groups(), key=lambda title: _alike(title, candidate.title))
            stayed = [_alike(signal.content, one.content) for one in candidate.examples]
            if _alike(signal.title, other) > max(*stayed, _alike(signal.title, candidate.title), 0.0):
                return True
    return False


def _alike(one: str, other: str) -> float:
    return float(_vector(one[:_READ]) @ _vector(other[:_READ]))


@lru_cache(maxsize=2048)
def _vector(text: str) -> Vectors:
    return Lexical().embed([text])[0]
