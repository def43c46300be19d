"""How versions and variants of a scorer compare, and whether the comparison is fair.

A scorer that gives better scores is kinder, not better: the loop did not change with it. So a row has no good or bad.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import sqrt

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Unit, empty
from queries.statistics import same_mix
from queries.views import drill
from queries.views.answers import best_of, is_improvement, records
from queries.views.window import Window
from queries.views.words import listed, size

NO_VERSION, NO_VARIANT = "(no version)", "(no variant)"
FEWEST = 8
"""Scores on each side before two scorers are compared."""
MOST_CHANCE = 0.001
"""A mix that comes by chance less often is unequal."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """One version and variant in one loop. `spread` is the distance of the quartiles, `kept` a share of the rounds that
    were decided."""

    project: str
    version: str
    variant: str
    goal: str
    first_at: datetime
    scorings: int
    scored: int
    mean: float | None
    median: float | None
    spread: float | None
    best: float | None
    kept: float | None

    @property
    def key(self) -> tuple[str, str]:
        return self.version, self.variant

    @property
    def is_named(self) -> bool:
        return self.version != NO_VERSION

    @property
    def notch(self) -> float:
        """Half the width of the notch of a box plot: medians whose notches do not overlap differ, at about 95 %
        (McGill, Tukey and Larsen, Variations of Box Plots, 1978: 1.57 times the quartiles' distance by root n)."""
        return 1.57 * (self.spread or 0.0) / sqrt(self.scored)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A scorer against the one that came before it in the same loop. `change` is of the median; `is_kinder` None where
    the two are not told apart; `unfair` says in what their rounds differ."""

    scorer: Scorer
    earlier: Scorer
    change: float
    is_kinder: bool | None
    unfair: tuple[str, ...]


def scorers(window: Window, now: QueryResult, mix: QueryResult) -> Sheet:
    """From `scorer_versions`' and `scorer_mix`' rows. Loops with several scorers come first, the newest first."""
    rows = records(now)
    # A loop's scores have one direction, though some of its rounds may leave it to the default.
    low_is_good = {row["project"] for row in rows if row["goal"] == "min"}
    found = [_scorer(row, "min" if row["project"] in low_is_good else "max") for row in rows]
    if not found:
        return empty("No round was scored in this window.")
    mixes = _mixes(records(mix))
    by_loop: dict[str, list[Scorer]] = defaultdict(list)
    for scorer in sorted(found, key=lambda scorer: (scorer.first_at, scorer.key), reverse=True):
        by_loop[scorer.project].append(scorer)
    compared = {
        (one.scorer.project, *one.scorer.key): one for loop in by_loop.values() for one in _comparisons(loop, mixes)
    }
    ordered = sorted(by_loop.values(), key=lambda loop: (len(loop) < 2, loop[0].project))
    columns = (
        Column("loop"),
        Column("scorer"),
        Column("median", Unit.SCORE),
        Column("change", Unit.CHANGE, 1),
        Column("spread", Unit.SCORE, 4),
        Column("mean", Unit.SCORE, 5),
        Column("best", Unit.SCORE, 6),
        Column("kept", Unit.SHARE, 2),
        Column("rounds", Unit.COUNT, 3),
    )
    shown = tuple(_row(scorer, compared.get((scorer.project, *scorer.key))) for loop in ordered for scorer in loop)
    return Sheet(
        _verdict(found, list(compared.values())), columns, shown, notes=tuple(_notes(found, list(compared.values())))
    )


def _scorer(row: Mapping, goal: str) -> Scorer:
    has_quartiles = row["upper"] is not None and row["lower"] is not None
    return Scorer(
        project=row["project"],
        version=row["version"] or NO_VERSION,
        variant=row["variant"] or NO_VARIANT,
        goal=goal,
        first_at=datetime.fromisoformat(row["first_at"]),
        scorings=row["scorings"],
        scored=row["scored"],
        mean=row["mean"],
        median=row["median"],
        spread=row["upper"] - row["lower"] if has_quartiles else None,
        best=best_of(goal, row),
        kept=row["kept"] / row["decided"] if row["decided"] else None,
    )


Mix = Mapping[tuple[str, str, str], Mapping[str, Mapping[str, int]]]
"""Scores by project, version and variant, then by what they differ in, then by its name."""


def _mixes(rows: Sequence[Mapping]) -> Mix:
    found: dict[tuple[str, str, str], dict[str, dict[str, int]]] = defaultdict(
        lambda: {"clients": defaultdict(int), "nights": defaultdict(int)}
    )
    for row in rows:
        mine = found[row["project"], row["version"] or NO_VERSION, row["variant"] or NO_VARIANT]
        mine["clients"][row["client"] or ""] += row["scorings"]
        mine["nights"][row["night"]] += row["scorings"]
    return found


def _comparisons(loop: Sequence[Scorer], mixes: Mix) -> Iterator[Comparison]:
    """Each scorer with the next older one, of those that have a name and enough scores. `loop` is newest first."""
    known = [one for one in loop if one.is_named and one.scored >= FEWEST and one.median is not None]
    for newer, older in pairwise(known):
        change = (newer.median or 0.0) - (older.median or 0.0)
        is_told = abs(change) > newer.notch + older.notch
        sides = [mixes.get((one.project, *one.key), {}) for one in (newer, older)]
        unfair = tuple(what for what in ("nights", "clients") if _differ(*(side.get(what, {}) for side in sides)))
        yield Comparison(newer, older, change, is_improvement(newer.goal, change) if is_told else None, unfair)


def _differ(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether two have nothing in common, or shares that differ by more than chance."""
    names = sorted({*one, *other})
    return not set(one) & set(other) or same_mix([[side.get(name, 0) for name in names] for side in (one, other)]) < (
        MOST_CHANCE
    )


def _row(scorer: Scorer, compared: Comparison | None) -> Row:
    word = ""
    if scorer.scored < FEWEST:
        word = "few rounds"
    elif compared:
        word = {True: "kinder", False: "stricter", None: "about the same"}[compared.is_kinder]
    return Row(
        (
            scorer.project,
            _named(scorer),
            scorer.median,
            compared.change if compared else None,
            scorer.spread,
            scorer.mean,
            scorer.best,
            scorer.kept,
            scorer.scorings,
        ),
        word,
        drill=drill.with_scorer(scorer.project, scorer.version, scorer.variant, scorer.goal),
    )


def _named(scorer: Scorer) -> str:
    return scorer.version if scorer.variant == NO_VARIANT else f"{scorer.version} {scorer.variant}"


def _verdict(found: Sequence[Scorer], compared: Sequence[Comparison]) -> str:
    if not any(scorer.is_named for scorer in found):
        return "Nobody sends scorer_version."
    if not compared:
        projects = [scorer.project for scorer in found]
        several = sorted({project for project in projects if projects.count(project) > 1})
        if several:
            return f"Several versions scored {listed(several)}, but too few rounds each to compare them."
        return "Every loop was scored by one version throughout this window."
    told = [one for one in compared if one.is_kinder is not None]
    if not told:
        pairs = [f"{one.scorer.project}'s {_named(one.scorer)} and {_named(one.earlier)}" for one in compared]
        return f"{listed(pairs, 2)} are not told apart."
    most = max(
        told, key=lambda one: abs(one.change) / ((one.scorer.spread or 0.0) + (one.earlier.spread or 0.0) or 1.0)
    )
    how = "kinder" if most.is_kinder else "stricter"
    said = f"{most.scorer.project}: {_named(most.scorer)} is {size(most.change)} {how} than {_named(most.earlier)}"
    return (
        f"{said}, but on other {' and '.join(most.unfair)}."
        if most.unfair
        else f"{said}, on the same clients and nights."
    )


def _notes(found: Sequence[Scorer], compared: Sequence[Comparison]) -> Iterator[str]:
    for one in compared:
        if one.unfair:
            yield (
                f"{one.scorer.project}: {_named(one.scorer)} and {_named(one.earlier)} ran on other mixes of "
                f"{' and '.join(one.unfair)}, so the difference may be theirs."
            )
    total = sum(scorer.scorings for scorer in found)
    unnamed = sum(scorer.scorings for scorer in found if not scorer.is_named)
    unscored = total - sum(scorer.scored for scorer in found)
    lacks = [(unnamed, "name no scorer_version"), (unscored, "have no score that is a number")]
    yield from missing.shares(total, "scored rounds", lacks)
