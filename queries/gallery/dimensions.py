"""On which dimensions each client scores lowest, by the scores of rounds or by those of eval cases.

Clients have other dimensions on other scales, so a dimension is held against its own client's others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.owners import owners
from queries.gallery.sheet import Column, Row, Sheet, Unit, empty
from queries.views import drill
from queries.views.answers import buckets, records
from queries.views.heatmap import DimensionRow
from queries.views.window import Window
from queries.views.words import counted, score, size

NO_DIMENSION = "(no dimension)"
FEWEST = 8
"""Scores below which a dimension is not called the lowest."""

Key = tuple[str, str, str]
"""Project, client (empty where none is sent), dimension."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Where scores of dimensions are heard of. `count` is the question's column with how many scores a row averages."""

    event: str
    noun: str
    count: str


ROUNDS = Scores("round_scored", "round", "rounds")
CASES = Scores("eval.case", "case", "scored")


@dataclass(frozen=True, slots=True)
class Dimension:
    """`below` is the average minus the mean of the same client's other dimensions, without those of few scores; None
    where there is no other. `place` is 0 for the lowest of its client."""

    project: str
    client: str
    name: str
    owner: str
    count: int
    average: float
    before: float | None
    below: float | None
    place: int
    course: tuple[float | None, ...]

    @property
    def is_few(self) -> bool:
        return self.count < FEWEST


def dimensions(window: Window, scores: Scores, now: QueryResult, before: QueryResult) -> Sheet:
    """From `dimension_heatmap`'s or `case_dimensions`' rows of both spans. First the lowest dimension of every client,
    farthest below its others first; then every client's second, and so on. Averages weigh every score the same."""
    names = buckets(window, now.timezone)
    rows = records(now)
    found = _dimensions(_by_key(rows, scores), _by_key(records(before), scores), names)
    if not found:
        scored = "carries a dimension" if scores is ROUNDS else "has a score"
        return empty(f"No {scores.noun} in this window {scored}.", _notes(rows, scores))
    columns = (
        Column("client"),
        Column("dimension"),
        Column("average", Unit.SCORE),
        Column("against its others", Unit.CHANGE, 2),
        Column("change", Unit.CHANGE, 1),
        Column(f"{scores.noun}s", Unit.COUNT, 4),
        Column("over time", Unit.COURSE, 3),
    )
    notes = (*_notes(rows, scores), *missing.cut(now, "averages"))
    return Sheet(_verdict(found), columns, tuple(_row(one, scores) for one in found), names, notes=notes)


def _by_key(rows: Sequence[Mapping], scores: Scores) -> dict[Key, dict[str, tuple[float, int]]]:
    """Average and count of each bucket."""
    found: dict[Key, dict[str, tuple[float, int]]] = defaultdict(dict)
    for row in rows:
        if row["average"] is not None and row[scores.count]:
            key = (row["project"], row["client"] or "", _named(row["dim"]))
            # A name that came with the prefix and without it is one dimension.
            average, count = found[key].get(row["bucket"], (0.0, 0))
            together = count + row[scores.count]
            mean = (average * count + row["average"] * row[scores.count]) / together
            found[key][row["bucket"]] = (mean, together)
    return found


def _named(dim: str | None) -> str:
    return (dim or "").removeprefix("dim_") or NO_DIMENSION


def _dimensions(
    known: Mapping[Key, Mapping[str, tuple[float, int]]],
    earlier: Mapping[Key, Mapping[str, tuple[float, int]]],
    names: Sequence[str],
) -> list[Dimension]:
    averages = {key: _mean(points) for key, points in known.items()}
    counts = {key: sum(count for _, count in points.values()) for key, points in known.items()}
    of_client: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in sorted(known, key=lambda key: (counts[key] < FEWEST, averages[key], key)):
        of_client[key[:2]].append(key)
    found, named = [], owners(of_client)
    for keys in of_client.values():
        for place, key in enumerate(keys):
            others = [averages[other] for other in keys if other != key and counts[other] >= FEWEST]
            found.append(
                Dimension(
                    *key,
                    owner=named[key[:2]],
                    count=counts[key],
                    average=averages[key],
                    before=_mean(earlier[key]) if key in earlier else None,
                    below=averages[key] - sum(others) / len(others) if others else None,
                    place=place,
                    course=tuple(known[key][name][0] if name in known[key] else None for name in names),
                )
            )
    return sorted(found, key=lambda one: (one.is_few, one.place, _depth(one), one.owner, one.name))


def _mean(points: Mapping[str, tuple[float, int]]) -> float:
    return sum(mean * count for mean, count in points.values()) / sum(count for _, count in points.values())


def _depth(one: Dimension) -> float:
    """How far below its client's others, by their size: the scales of clients differ. The farthest is the least."""
    if one.below is None:
        return 0.0
    size = abs(one.average - one.below)
    return one.below / size if size else one.below


def _row(one: Dimension, scores: Scores) -> Row:
    word = f"few {scores.noun}s" if one.is_few else "" if one.place else "lowest"
    change = one.average - one.before if one.before is not None else None
    return Row(
        (one.owner, one.name, one.average, one.below, change, one.count, one.course), word, drill=_behind(one, scores)
    )


def _behind(one: Dimension, scores: Scores) -> drill.Drill:
    if scores is CASES:
        return drill.with_case(one.project, one.client, one.name)
    return drill.of_dimension(DimensionRow("", one.name, one.average, None, (), one.project, one.client))


def _verdict(found: Sequence[Dimension]) -> str:
    first = found[0]
    if first.is_few:
        total = sum(one.count for one in found)
        return f"{counted(total, 'score')} over {counted(len(found), 'dimension')}: too few to call one the lowest."
    said = f"{first.owner} is lowest on {first.name}: {score(first.average)}"
    if first.below is not None and first.below < 0:
        said += f", {size(first.below)} below its others"
    return said + "."


def _notes(rows: Sequence[Mapping], scores: Scores) -> tuple[str, ...]:
    count = scores.count
    total = sum(row[count] for row in rows)
    nameless = sum(row[count] for row in rows if not row["client"])
    notes = missing.shares(total, "scores", [(nameless, "name no client")])
    if scores is ROUNDS:
        return notes
    cases = sum(row["cases"] for row in rows)
    unnamed = sum(row["cases"] for row in rows if not row["dim"])
    lacks = [(cases - total, "have no score that is a number"), (unnamed, "name no dimension")]
    return (*notes, *missing.shares(cases, "cases", lacks))
