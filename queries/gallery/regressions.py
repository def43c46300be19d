"""How many eval cases regressed in each run, on which dimensions, and how badly.

That it is a regression is what the loop said. A delta has the direction of its dimension, which nobody sends: it is the
one that most of the dimension's regressions have. One that goes the other way is counted, and never called the worst.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.owners import owners
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, empty
from queries.statistics import same_mix
from queries.views import drill
from queries.views.answers import records
from queries.views.window import Window
from queries.views.words import counted, day, listed, share, signed

FEWEST_CASES = 20
"""Cases of a run, and of all others, before its rate is held against theirs."""
FEWEST = 5
"""Regressions of a run before its rate is called high."""
MOST_CHANCE = 0.001

Key = tuple[str, str, str]
"""Run (empty where none is named), project, client."""
NO_DIMENSION = "(no dimension)"


@dataclass(frozen=True, slots=True)
class Worst:
    """The largest change in the direction that regressions of its dimension have."""

    dim: str
    case_id: str
    delta: float


@dataclass(slots=True)
class Run:
    """One run. `cases` is None where it sends none. `dims` are regressions by dimension."""

    key: Key
    began: datetime
    cases: int | None = None
    dims: Counter[str] = field(default_factory=Counter)
    worst: Worst | None = None

    @property
    def regressions(self) -> int:
        return self.dims.total()

    @property
    def rate(self) -> float | None:
        return self.regressions / self.cases if self.cases else None


def regressions(
    window: Window, now: QueryResult, cases: QueryResult, before: QueryResult, cases_before: QueryResult
) -> Sheet:
    """From `run_regressions`' and `run_cases`' rows of both spans. The runs with most regressions come first, those
    without any last."""
    rows = records(now)
    runs = _runs(rows, records(cases))
    if not runs:
        return empty("No eval case was sent in this window.")
    runs.sort(key=lambda run: (-run.regressions, -run.began.timestamp(), run.key))
    columns = (
        Column("run of"),
        Column("regressions", Unit.COUNT),
        Column("of cases", Unit.SHARE, 1),
        Column("cases", Unit.COUNT, 4),
        Column("worst", Unit.CHANGE, 1),
        Column("on", Unit.TEXT, 2),
        Column("began", Unit.TEXT, 3),
        Column("dimensions", Unit.TEXT, 5),
    )
    zone = ZoneInfo(now.timezone)
    named = owners(run.key[1:] for run in runs)
    found = tuple(_row(run, named[run.key[1:]], _is_high(run, runs), zone) for run in runs)
    earlier = (sum(row["regressions"] for row in records(before)), sum(row["cases"] for row in records(cases_before)))
    notes = (*_notes(rows, runs), *missing.cut(now, "dimensions of runs"), *missing.cut(cases, "runs with cases"))
    return Sheet(_verdict(runs, earlier, window.compared_with), columns, found, notes=notes)


def _runs(rows: Sequence[Mapping], cases: Sequence[Mapping]) -> list[Run]:
    directions = _directions(rows)
    runs: dict[Key, Run] = {}
    for row in [*rows, *cases]:
        began = datetime.fromisoformat(row["began"])
        run = runs.setdefault(_key(row), Run(_key(row), began))
        run.began = min(run.began, began)
    for row in cases:
        run = runs[_key(row)]
        run.cases = (run.cases or 0) + row["cases"]
    for row in rows:
        run = runs[_key(row)]
        run.dims[_named(row["dim"])] += row["regressions"]
        worst = _worst(row, directions[row["project"], _named(row["dim"])])
        if worst and (run.worst is None or abs(worst.delta) > abs(run.worst.delta)):
            run.worst = worst
    return list(runs.values())


def _key(row: Mapping) -> Key:
    return row["run_id"] or "", row["project"], row["client"] or ""


def _named(dim: str | None) -> str:
    return (dim or "").removeprefix("dim_") or NO_DIMENSION


def _directions(rows: Sequence[Mapping]) -> dict[tuple[str, str], int]:
    """-1 for a dimension whose regressions fall, 1 for one whose regressions rise, by project and dimension; of as many
    of both it is -1, as scores of dimensions usually are better when higher."""
    rises: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        told = rises[row["project"], _named(row["dim"])]
        told[0] += row["rises"]
        told[1] += row["measured"]
    return {key: 1 if 2 * up > measured else -1 for key, (up, measured) in rises.items()}


def _worst(row: Mapping, direction: int) -> Worst | None:
    delta, case_id = (row["highest"], row["highest_case"]) if direction > 0 else (row["lowest"], row["lowest_case"])
    if delta is None or delta * direction <= 0:
        return None
    return Worst(_named(row["dim"]), case_id or "", delta)


def _is_high(run: Run, runs: Sequence[Run]) -> bool:
    """Whether the run's rate is above that of the others by more than chance."""
    others = [other for other in runs if other is not run and other.cases]
    cases, regressed = sum(other.cases or 0 for other in others), sum(other.regressions for other in others)
    if min(run.cases or 0, cases) < FEWEST_CASES or run.regressions < FEWEST or run.rate is None:
        return False
    table = [[hit, max(0, whole - hit)] for hit, whole in ((run.regressions, run.cases or 0), (regressed, cases))]
    return run.rate > regressed / cases and same_mix(table) < MOST_CHANCE


def _row(run: Run, owner: str, is_high: bool, zone: ZoneInfo) -> Row:
    dims = listed([f"{name} {times}" for name, times in run.dims.most_common()])
    worst = run.worst
    began = run.began.astimezone(zone)
    run_id, project, client = run.key
    return Row(
        (
            owner,
            run.regressions,
            run.rate,
            run.cases,
            worst.delta if worst else None,
            f"{worst.dim} ({worst.case_id})" if worst and worst.case_id else worst.dim if worst else None,
            f"{day(began)} {began:%H:%M}" if run_id else "(no run)",
            dims or None,
        ),
        "more than others" if is_high else "",
        Tone.BAD if is_high else Tone.PLAIN,
        drill.regressed(owner, project, client, run_id) if run.regressions and run_id else None,
    )


def _verdict(runs: Sequence[Run], earlier: tuple[int, int], compared_with: str) -> str:
    total, cases = sum(run.regressions for run in runs), sum(run.cases or 0 for run in runs)
    if not total:
        return f"No regression in {counted(cases, 'eval case')}; {_before(earlier)} {compared_with}."
    said = f"{counted(total, 'regression')} in {counted(sum(run.regressions > 0 for run in runs), 'run')}"
    if cases >= FEWEST_CASES:
        said += f": {_rate(total, cases)} of cases"
    elif cases:
        said += f", of {counted(cases, 'case')}"
    if sum(earlier):
        said += f" ({_before(earlier)} before)"
    worst = max((run for run in runs if run.worst), key=lambda run: abs(_delta(run)), default=None)
    return f"{said}; worst {worst.worst.dim} {signed(_delta(worst))}." if worst and worst.worst else f"{said}."


def _delta(run: Run) -> float:
    return run.worst.delta if run.worst else 0.0


def _before(earlier: tuple[int, int]) -> str:
    """As a share of the cases where there were enough of them."""
    regressed, cases = earlier
    if cases >= FEWEST_CASES:
        return _rate(regressed, cases)
    return f"{regressed:,}" if regressed or cases else "nothing sent"


def _rate(regressed: int, cases: int) -> str:
    part = regressed / cases
    return share(part) if not part or part >= 0.005 else "under 1 %"


def _notes(rows: Sequence[Mapping], runs: Sequence[Run]) -> tuple[str, ...]:
    total = sum(run.regressions for run in runs)
    measured = sum(row["measured"] for row in rows)
    directions = _directions(rows)
    odd = sum(
        row["measured"] - row["rises"] if directions[row["project"], _named(row["dim"])] > 0 else row["rises"]
        for row in rows
    )
    lacks = [
        (total - measured, "carry no delta"),
        (sum(run.regressions for run in runs if not run.key[0]), "name no run"),
        (sum(row["regressions"] for row in rows if not row["dim"]), "name no dimension"),
        (sum(run.regressions for run in runs if run.cases is None), "are of runs without eval.case, so have no rate"),
    ]
    contradicts = [(odd, "went the other way than the rest of their dimension")]
    return missing.shares(total, "regressions", lacks) + missing.shares(measured, "regressions", contradicts)
