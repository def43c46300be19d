"""How far two groupings of the same things agree, and how often a filter or a verdict is right. Pure.

A grouping is a sequence of labels, one for each thing, in the same order in both; only which labels are equal counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import comb, log

Labels = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Part:
    """`count` of `of`."""

    count: int
    of: int

    @property
    def share(self) -> float | None:
        """0..1; None where there is nothing to have a share of."""
        return self.count / self.of if self.of else None


def part(answers: Iterable[bool]) -> Part:
    """How many of them are true."""
    found = list(answers)
    return Part(sum(found), len(found))


@dataclass(frozen=True, slots=True)
class Agreement:
    """`over_joined`: wrongly joined pairs of all that were joined. `under_joined`: torn pairs of all that belong
    together. The first is the costly error: it hides one problem behind another."""

    things: int
    true_groups: int
    found_groups: int
    adjusted_rand: float
    homogeneity: float
    completeness: float
    purity: float
    over_joined: Part
    under_joined: Part


def agreement(truth: Labels, found: Labels) -> Agreement:
    """Raises `ValueError` for no things, or for labels of another number of things."""
    _check(truth, found)
    joined, together = _pairs(found), _pairs(truth)
    right = _pairs(list(zip(truth, found, strict=True)))
    return Agreement(
        things=len(truth),
        true_groups=len(set(truth)),
        found_groups=len(set(found)),
        adjusted_rand=adjusted_rand(truth, found),
        homogeneity=homogeneity(truth, found),
        completeness=completeness(truth, found),
        purity=purity(truth, found),
        over_joined=Part(joined - right, joined),
        under_joined=Part(together - right, together),
    )


def adjusted_rand(truth: Labels, found: Labels) -> float:
    """(R - E) / (M - E): 1 for the same grouping, about 0 for chance, below 0 for worse.

    R is the pairs that both join, E what chance would give: joined pairs of the one times those of the other over all
    pairs; M is the mean of the two. (Hubert and Arabie, "Comparing partitions", 1985.)
    """
    _check(truth, found)
    both, mine, others = _pairs(list(zip(truth, found, strict=True))), _pairs(truth), _pairs(found)
    by_chance = mine * others / comb(len(truth), 2) if len(truth) > 1 else 0.0
    most = (mine + others) / 2
    # Only where both join nothing, or both join everything, is there nothing to correct: then they are the same.
    return 1.0 if most == by_chance else (both - by_chance) / (most - by_chance)


def homogeneity(truth: Labels, found: Labels) -> float:
    """1 - H(truth | found) / H(truth): 1 where no group mixes problems. (Rosenberg and Hirschberg, "V-measure: a
    conditional entropy-based external cluster evaluation measure", 2007.)"""
    _check(truth, found)
    whole = _entropy(truth)
    return 1.0 if whole == 0 else max(0.0, 1 - _entropy_within(truth, found) / whole)


def completeness(truth: Labels, found: Labels) -> float:
    """1 - H(found | truth) / H(found): 1 where no problem is torn. Homogeneity the other way round (same source)."""
    return homogeneity(found, truth)


def purity(truth: Labels, found: Labels) -> float:
    """The share of things that are of their group's commonest problem. (Manning, Raghavan and Schütze, "Introduction to
    Information Retrieval", 2008, section 16.3.) Groups of one are pure: read it beside completeness."""
    _check(truth, found)
    commonest: dict[Hashable, int] = {}
    for (_, group), count in Counter(zip(truth, found, strict=True)).items():
        commonest[group] = max(commonest.get(group, 0), count)
    return sum(commonest.values()) / len(truth)


def _pairs(labels: Labels) -> int:
    """How many pairs have the same label."""
    return sum(comb(count, 2) for count in Counter(labels).values())


def _entropy(labels: Labels) -> float:
    """In nats: -sum(p * log(p))."""
    return -sum(count / len(labels) * log(count / len(labels)) for count in Counter(labels).values())


def _entropy_within(labels: Labels, groups: Labels) -> float:
    """H(labels | groups) = -sum(n_lg / n * log(n_lg / n_g))."""
    sizes = Counter(groups)
    both = Counter(zip(labels, groups, strict=True))
    return -sum(count / len(labels) * log(count / sizes[group]) for (_, group), count in both.items())


def _check(truth: Labels, found: Labels) -> None:
    if not truth or len(truth) != len(found):
        raise ValueError(f"{len(truth)} labels of the truth for {len(found)} that were found")
