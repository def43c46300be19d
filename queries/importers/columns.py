"""Which column of a results table is what: metric, status, commit, description, time.

Loops name their columns as they like; roles are read from the names and checked against the cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from queries.importers.commits import instant
from queries.importers.goals import direction
from queries.importers.numbers import is_no_value, is_not_finite, number
from queries.importers.verdicts import status_of
from queries.importers.vocabulary import listed, words
from workspace.errors import LoopdeskError

_COMMIT = listed("commit, sha, hash, git_sha, commit_hash, commit_sha, git_commit, git_hash, revision, rev")
_DESCRIPTION = listed("""
    description, desc, change, changes, hypothesis, idea, message, summary, notes, note, what, comment, details, title,
    experiment, name
""")
_STATUS = listed("status, outcome, verdict, decision, action, kept, keep, accepted, improved, result, state")
_TIME = listed("timestamp, datetime, date, time, ts, started_at, created_at, start_time, finished_at, when")
_ROUND = frozenset(listed("iteration, iter, round, run, exp, experiment, trial, attempt, generation"))
_COUNTER = _ROUND | set(listed("step, id, index, idx, n, no, num, number, row, epoch, seed, #, gen"))
_PLAIN_METRIC = frozenset(
    listed("metric, metric_value, score, objective, value, primary_metric, target_metric, result")
)
# What a round used up or is compared with; a metric only where nothing else can be it.
_ASIDE = frozenset(
    listed("""
        memory, mem, vram, ram, gb, mb, kb, peak, params, parameters, tokens, steps, time, duration, elapsed, seconds,
        secs, sec, minutes, mins, runtime, hours, latency, ms, cost, usd, price, delta, diff, change, improvement,
        previous, prev, baseline, best, lr, rate, batch, depth, size, dim, seed, gpu, std, stderr, var, variance, ci,
        guard
    """)
)
_HELD_OUT = frozenset({"val", "valid", "validation", "test", "eval", "dev", "heldout"})
_TRAINING = frozenset({"train", "training"})

Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of the roles; `extras` and `dims` are (place, name) of the other columns."""

    metric: int
    metric_why: str
    statuses: tuple[int, ...]
    commit: int | None
    description: int | None
    time: int | None
    dims: tuple[tuple[int, str], ...]
    extras: tuple[tuple[int, str], ...]

    @property
    def needed(self) -> int:
        """How many cells a row must have to be whole; what stands after them may be missing."""
        roles = (self.metric, *self.statuses, self.commit, self.description, self.time)
        return 1 + max(place for place in roles if place is not None)


def looks_like_a_loop(names: Cells) -> bool:
    """Whether a header has columns as a loop's log has: rounds told apart and, where that is all, a metric's name."""
    simple = {_simple(name) for name in names}
    if simple & {*_COMMIT, *_STATUS, *_ROUND}:
        return True
    return bool(simple & {*_DESCRIPTION, *_COUNTER, *_TIME}) and any(map(_reads_as_metric, names))


def assign(names: Cells, rows: Sequence[Cells], metric: str | None = None) -> Columns:
    """`metric` is the person's choice of column. Raises `LoopdeskError` where no column can be the metric."""
    table = _Sight([_simple(name) for name in names], rows)
    chosen = _named(names, metric) if metric else None
    commit = table.first(_COMMIT, but=[chosen])
    statuses = table.every(_STATUS, but=[chosen, commit], if_cells=table.are_statuses)
    time = table.first(_TIME, but=[chosen, *statuses], if_cells=table.are_times)
    description = table.first(_DESCRIPTION, but=[chosen, commit, time, *statuses], if_cells=table.are_text)
    taken = {place for place in (commit, description, time, *statuses) if place is not None}
    place, why = (chosen, "as given by --metric") if chosen is not None else _metric(names, table, taken)
    rest = [(at, name) for at, name in enumerate(names) if at != place and at not in taken]
    return Columns(
        place, why, tuple(statuses), commit, description, time,
        dims=tuple((at, name.removeprefix("dim_")) for at, name in rest if name.startswith("dim_") and name != "dim_"),
        extras=tuple((at, name) for at, name in rest if not name.startswith("dim_") or name == "dim_"),
    )  # fmt: skip


def _named(names: Cells, metric: str) -> int:
    for place, name in enumerate(names):
        if name.casefold() == metric.strip().casefold():
            return place
    raise LoopdeskError(
        f'It has no column "{metric}"', do=f"Name one of its columns with --metric: {', '.join(names[:30])}"
    )


def _metric(names: Cells, table: _Sight, taken: set[int]) -> tuple[int, str]:
    free = [place for place, name in enumerate(table.simple) if place not in taken and name not in _COUNTER]
    numeric = [place for place in free if table.are_numbers(place)]
    named = [place for place in free if _reads_as_metric(names[place])]
    plain = [
        place for place in numeric if not _ASIDE & set(words(names[place])) and not names[place].startswith("dim_")
    ]
    # A column named like a metric that holds no numbers may be a log of crashes only, or a damaged one; it comes
    # before a resource's column, which would be a metric by accident.
    for candidates, why in (
        ([place for place in named if place in numeric], "its name reads as a metric"),
        (plain, "the first column of numbers"),
        (named, "its name reads as a metric"),
        (numeric, "the first column of numbers"),
    ):
        if candidates:
            return min(candidates, key=lambda place: (_rank(names[place]), place)), why
    raise LoopdeskError(
        "No column of it can be the metric",
        f"Its columns are {', '.join(names[:30])}, and none of them holds scores",
        "Name the one that does with --metric",
    )


def _reads_as_metric(name: str) -> bool:
    spoken = set(words(name))
    return _simple(name) in _PLAIN_METRIC or (direction(name) is not None and not spoken & _ASIDE)


def _rank(name: str) -> int:
    """Held-out scores before unqualified ones before those on training data."""
    spoken = set(words(name))
    return 0 if spoken & _HELD_OUT or _simple(name) in _PLAIN_METRIC else 2 if spoken & _TRAINING else 1


def _simple(name: str) -> str:
    return "#" if name.strip() == "#" else "_".join(words(name))


def _says_something(cell: str) -> bool:
    return not is_no_value(cell) and not is_not_finite(cell)


class _Sight:
    """The table as roles are looked for: simplified names, and what kind of cells a column has."""

    def __init__(self, simple: Cells, rows: Sequence[Cells]) -> None:
        self.simple = simple
        self.rows = rows

    def first(
        self,
        wanted: Iterable[str],
        but: Iterable[int | None] = (),
        if_cells: Callable[[int], bool] = lambda place: True,
    ) -> int | None:
        return next(iter(self.every(wanted, but, if_cells)), None)

    def every(
        self,
        wanted: Iterable[str],
        but: Iterable[int | None] = (),
        if_cells: Callable[[int], bool] = lambda place: True,
    ) -> list[int]:
        """Columns in the order of `wanted`."""
        taken = set(but)
        places = [place for name in wanted for place, simple in enumerate(self.simple) if simple == name]
        return [place for place in places if place not in taken and if_cells(place)]

    def are_numbers(self, place: int) -> bool:
        return self._share(place, lambda cell: number(cell) is not None) >= 0.5

    def are_text(self, place: int) -> bool:
        return self._share(place, lambda cell: number(cell) is None, of_nothing=1) >= 0.5

    def are_times(self, place: int) -> bool:
        return self._share(place, lambda cell: instant(cell) is not None) >= 0.5

    def are_statuses(self, place: int) -> bool:
        # A column named "status" is one, whatever its words: unknown ones are told, row by row.
        if self.simple[place] == "status":
            return True
        return self._share(place, lambda cell: status_of(cell) is not None) >= 0.5

    def _share(self, place: int, is_one: Callable[[str], bool], of_nothing: float = 0) -> float:
        cells = [row[place] for row in self.rows if len(row) > place and _says_something(row[place])]
        return sum(map(is_one, cells)) / len(cells) if cells else of_nothing
