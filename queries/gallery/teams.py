"""Whom the router's team summaries name: best and worst performer, and who should get a bigger model.

User ids are shown as they were sent.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from queries.backend import QueryResult
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Tone, Unit, empty
from queries.views import drill
from queries.views.answers import buckets, records
from queries.views.window import Window
from queries.views.words import counted, listed

Team = tuple[str, str]
"""Project and client; the client is empty where it was not sent."""

MOST = 100  # names of one summary: a list without end is no list of candidates


def teams(window: Window, found: QueryResult) -> Sheet:
    """From `team_summaries`' rows, newest first: a row a team, which is a project and client. Requests and cost are
    those of its last summary: nothing says whether summaries overlap, so they are not added up."""
    rows = records(found)
    if not rows:
        return empty("The router summed up no team in this window.")
    by_team: dict[Team, list[dict]] = {}
    for row in rows:
        by_team.setdefault(_team(row), []).append(row)
    names = buckets(window, found.timezone)
    columns = (
        Column("team"),
        Column("best"),
        Column("worst"),
        Column("candidates"),
        Column("summaries", Unit.COUNT, 3),
        Column("requests", Unit.COUNT, 4),
        Column("cost", Unit.USD, 2),
        Column("quality", Unit.SCORE, 1),
        Column("course of quality", Unit.COURSE, 5),
    )
    ordered = sorted(by_team.items(), key=lambda pair: (-len(candidates(pair[1][0]["candidates"])), pair[0]))
    return Sheet(
        _verdict(rows),
        columns,
        tuple(_row(_called(team, by_team), part, names) for team, part in ordered),
        names,
        notes=(*_notes(rows), *missing.cut(found, "summaries")),
    )


def candidates(sent: str | None) -> tuple[str, ...]:
    """A summary's escalation candidates: a JSON list, or names with commas between them."""
    text = (sent or "").strip()
    if text.startswith("["):
        try:
            names: list[object] = json.loads(text)
        except (ValueError, RecursionError):
            names = [text]
        return tuple(name if isinstance(name, str) else json.dumps(name) for name in names[:MOST] if name)
    return tuple(name for part in text.split(",")[:MOST] if (name := part.strip()))


def _team(row: Mapping) -> Team:
    return (row["project"], row["client"] or "")


def _called(team: Team, teams: Iterable[Team]) -> str:
    """By its client, and by its project too where another one has a client of that name."""
    project, client = team
    if not client:
        return project
    return client if [one for _, one in teams].count(client) == 1 else f"{project}/{client}"


def _row(team: str, rows: Sequence[dict], names: Sequence[str]) -> Row:
    last = rows[0]
    waiting = candidates(last["candidates"])
    cells = (
        team,
        _most_named(row["best"] for row in rows),
        _most_named(row["worst"] for row in rows),
        listed(waiting, 2) or None,
        len(rows),
        None if last["total_requests"] is None else round(last["total_requests"]),
        last["total_cost"],
        last["avg_quality"],
        tuple(_mean(row["avg_quality"] for row in rows if row["bucket"] == name) for name in names),
    )
    of_team = drill.Drill(f"rounds of {team}", params=(("client", last["client"] or ""),), projects=(last["project"],))
    leads_to = drill.of_run(team, last["run_id"]) if last["run_id"] else of_team
    return Row(cells, "escalate" if waiting else "", Tone.BAD if waiting else Tone.PLAIN, leads_to)


def _most_named(names: Iterable[str | None]) -> str | None:
    """`a`, or `a 3 of 5` where summaries differ."""
    found = Counter(name for name in names if name)
    if not found:
        return None
    name, times = min(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return name if len(found) == 1 else f"{name} {times} of {found.total()}"


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _verdict(rows: Sequence[Mapping]) -> str:
    newest: dict[Team, Mapping] = {}
    for row in rows:
        newest.setdefault(_team(row), row)
    waiting = sorted({name for row in newest.values() for name in candidates(row["candidates"])})
    said = f"{counted(len(rows), 'summary', 'summaries')} of {counted(len(newest), 'team')}; "
    if not waiting:
        return f"{said}nobody is a candidate for a bigger model."
    return f"{said}for a bigger model: {listed(waiting)}."


def _notes(rows: Sequence[Mapping]) -> tuple[str, ...]:
    lacking = missing.shares(
        len(rows),
        "summaries",
        [
            (sum(not row["best"] for row in rows), "name no best performer"),
            (sum(not row["worst"] for row in rows), "name no worst performer"),
            (sum(row["candidates"] is None for row in rows), "say nothing of candidates"),
        ],
    )
    return (
        "Requests, cost, quality and candidates are the last summary's.",
        "Cost: token_machine.team_summary.total_cost.",
        *lacking,
    )
