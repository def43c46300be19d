"""Which report a signal belongs to, by rules: its fields first, then how much its words are alike, within them only.

Joining what does not belong together is the costly error: two problems in one report are one pull request that fixes
half, while one problem in two reports is a key to join them. What is not sure gets a report of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from engine.embedding import Lexical
from engine.judge import Candidate, Match
from engine.model import Signal
from engine.rules.words import Words, named_in
from engine.structure import Structure, structure

# By what the fields of two signals say, the most telling first: how much alike (cosine of the lexical embedder) their
# texts must still be.
ALIKE = {
    "same exception fingerprint": -1.0,
    "same deploy and metric": -1.0,
    "same project, client and dimension": 0.25,
    "same project and dimension": 0.35,
    "same project, client and metric": 0.15,
    "same project and metric": 0.25,
}
# Where the fields say too little: what the telling words that a signal shares with a report must weigh together (each
# the logarithm of how rare it is), and by how much more than with any other report.
WORDS_WITHIN_CLIENT = 3.5
WORDS_WITHIN_PROJECT = 5.5
WORDS_ALONE = 6.0
WORDS_OF_MACHINES = 9.0
"""Both sides were written by a source: its sentences are alike by themselves."""
AHEAD = 2.0
_QUOTED = re.compile("“(.*?)” is not the same problem as “(.*?)”")
_PEOPLE = ("issue", "note", "ticket", "github_issues")


@dataclass(frozen=True, slots=True)
class _Found:
    """The better fit has the greater `rank`."""

    rank: tuple[int, float]
    why: str
    candidate: Candidate


def queries(signal: Signal) -> tuple[str, ...]:
    """Its title, its fields, and what it calls by name."""
    about = structure(signal)
    fields = (about.project, about.client, about.dimension, *sorted(about.metrics))
    names = sorted(named_in(signal.content))[:8]
    found = (signal.title, " ".join(filter(None, fields)), " ".join(names))
    return tuple(dict.fromkeys(text for text in found if text.strip()))


def match(signal: Signal, candidates: Sequence[Candidate]) -> Match:
    """Deterministic; ties go to the candidate that comes first."""
    open_to_it = [one for one in candidates if not _was_split_off(signal, one)]
    found = [one for candidate in open_to_it if (one := _by_fields(signal, candidate))]
    if found:
        best = max(found, key=lambda one: one.rank)
        return Match(best.why, best.candidate.report_id)
    return _by_words(signal, open_to_it)


def _by_fields(signal: Signal, candidate: Candidate) -> _Found | None:
    mine, best = structure(signal), None
    for example in candidate.examples:
        same = _same(mine, structure(example))
        if same is None:
            continue
        alike = _alike(signal.content, example.content)
        found = _Found((-list(ALIKE).index(same), alike), _said(same, alike), candidate)
        if alike >= ALIKE[same] and (best is None or found.rank > best.rank):
            best = found
    return best


def _same(mine: Structure, other: Structure) -> str | None:
    """What the fields have in common that tells of one problem; None where that is too little."""
    if mine.fingerprint and mine.fingerprint == other.fingerprint and mine.project == other.project:
        return "same exception fingerprint"
    if _of_one_deploy(mine, other) or _of_one_deploy(other, mine):
        return "same deploy and metric"
    if not mine.project or mine.project != other.project or mine.client != other.client or _apart(mine, other):
        return None
    client = ", client" if mine.client else ""
    for name, is_same in (
        ("dimension", mine.dimension and mine.dimension == other.dimension),
        ("metric", mine.metrics & other.metrics),
    ):
        if is_same:
            return f"same project{client} and {name}"
    return None


def _of_one_deploy(blaming: Structure, other: Structure) -> bool:
    """What went wrong under the code that a deploy is blamed for, in the same measure."""
    if not blaming.blames or not blaming.git_sha or blaming.git_sha != other.git_sha:
        return False
    is_within = not other.client or other.client in {blaming.client, *blaming.clients}
    return blaming.project == other.project and is_within and bool(blaming.metrics & other.metrics)


def _apart(mine: Structure, other: Structure) -> bool:
    """Both say whose, which or what, and they do not say the same."""
    pairs = [(getattr(mine, name), getattr(other, name)) for name in ("project", "client", "dimension", "fingerprint")]
    others = dict(other.kinds)
    pairs += [(value, others.get(name, "")) for name, value in mine.kinds]
    return any(one and two and one != two for one, two in pairs)


def _by_words(signal: Signal, candidates: Sequence[Candidate]) -> Match:
    words = Words(signal, [one.examples for one in candidates])
    about = words.about(signal)
    weighed = []
    for candidate in candidates:
        if any(_apart(about, words.about(example)) for example in candidate.examples):
            continue
        shared = words.shared(signal, candidate.examples)
        weighed.append((sum(shared.values()), sorted(shared, key=lambda word: -shared[word])[:3], candidate))
    if not weighed:
        return Match("a report of its own: nothing that could be the same is known")
    weighed.sort(key=lambda one: -one[0])
    weight, told, best = weighed[0]
    second = weighed[1][0] if len(weighed) > 1 else 0.0
    is_machine = not _is_people(signal) and not any(_is_people(one) for one in best.examples)
    theirs = [words.about(one) for one in best.examples]
    whose, needed = "", WORDS_ALONE
    if about.client and any(one.client == about.client for one in theirs):
        whose, needed = "same client; ", WORDS_WITHIN_CLIENT
    elif about.project and any(one.project == about.project for one in theirs):
        whose, needed = "same project; ", WORDS_WITHIN_PROJECT
    needed = WORDS_OF_MACHINES if is_machine else needed
    said = ", ".join(f"“{word}”" for word in told)
    if weight >= needed and weight >= second + AHEAD:
        return Match(f"{whose}both speak of {said}", best.report_id)
    return Match("a report of its own: none is alike enough")


def _is_people(signal: Signal) -> bool:
    return signal.source_type in _PEOPLE or signal.source_product == "user"


def _was_split_off(signal: Signal, candidate: Candidate) -> bool:
    """Whether it is more like what was split off this report by hand than like what stayed."""
    for correction in candidate.corrections:
        if told := _QUOTED.search(correction):
            # Both reports carry the sentence: the title that is not the candidate's own is the other's.
            other = min(told.groups(), key=lambda title: _alike(title, candidate.title))
            stayed = max((_alike(signal.content, one.content) for one in candidate.examples), default=0.0)
            if _alike(signal.title, other) > max(stayed, _alike(signal.title, candidate.title)):
                return True
    return False


def _said(same: str, alike: float) -> str:
    return same if ALIKE[same] < 0 else f"{same}; {alike:.2f} alike"


def _alike(one: str, other: str) -> float:
    return float(sum(a * b for a, b in zip(_vector(one), _vector(other), strict=True)))


@lru_cache(maxsize=2048)
def _vector(text: str) -> tuple[float, ...]:
    return tuple(Lexical().embed([text])[0].tolist())
