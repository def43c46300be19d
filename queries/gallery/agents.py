"""The agents as users and the nights as cohorts: what became of each one's rounds, and who came back.

An agent is project, client and role. It took part in a round where it began, proposed, scored, kept or reverted it, or
reflected on it. A night is from noon to noon, so that a loop that begins before the evening is in its own night.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from queries.backend import QueryResult
from queries.boards import BEFORE, NOW, Board
from queries.gallery import missing
from queries.gallery.sheet import Column, Row, Sheet, Unit, Value, empty
from queries.views import drill
from queries.views.answers import best_of, better, goal_of, records
from queries.views.words import counted, day, share

ENOUGH = 10
"""Decided rounds from which on an agent's kept rate is named in the sentence."""

NIGHTS_LATER = 7
NO_AGENT = "(no agent)"
SOURCE = "Cost: round_kept and round_reverted. A round counts for each of its agents: columns do not add up."

Key = tuple[str, str, str]
"""Project, client and agent: `distinct_id` in parts."""


@dataclass(frozen=True, slots=True)
class Agent:
    """`spent_usd` is what its rounds cost, None where nobody sent it. `mean` and `best` are scores by their goal."""

    key: Key
    rounds: int
    nights: int
    kept: int
    decided: int
    mean: float | None
    best: float | None
    priced: int
    spent_usd: float | None

    @property
    def owner(self) -> str:
        return "/".join(part for part in self.key[:2] if part)

    @property
    def kept_share(self) -> float | None:
        return self.kept / self.decided if self.decided else None


def agents(found: QueryResult) -> Sheet:
    """From `agent_nights`' rows: each project's and client's agents, the one with most rounds first."""
    by: dict[Key, list[dict]] = {}
    for row in records(found):
        by.setdefault(_key(row), []).append(row)
    if not by:
        return empty("No agent took part in a round in this window.")
    everyone = sorted(
        (_agent(key, rows) for key, rows in by.items()), key=lambda one: (one.key[:2], -one.rounds, one.key)
    )
    columns = (
        Column("project"),
        Column("client"),
        Column("agent"),
        Column("rounds", Unit.COUNT),
        Column("kept", Unit.SHARE),
        Column("mean", Unit.SCORE, 3),
        Column("best", Unit.SCORE, 1),
        Column("cost", Unit.USD, 2),
        Column("nights", Unit.COUNT),
    )
    return Sheet(_verdict(everyone), columns, tuple(map(_row, everyone)), notes=_notes(everyone))


def retention(now: QueryResult, before: QueryResult) -> Sheet:
    """From `agent_nights`' rows of both spans: of the agents first seen in a night, the share that was active 1, 2, 3
    ... nights later, by the calendar; a night that is not in the window yet is None. Who was seen in the span before is
    not new, and stands in no cohort."""
    known = {_key(row) for row in records(before)}
    active: dict[Key, set[date]] = {}
    for row in records(now):
        active.setdefault(_key(row), set()).add(date.fromisoformat(row["night"]))
    if not active:
        return empty("No agent took part in a round in this window.")
    cohorts: dict[date, list[Key]] = {}
    for key, nights in active.items():
        if key not in known:
            cohorts.setdefault(min(nights), []).append(key)
    last = max(max(nights) for nights in active.values())
    old = sum(key in known for key in active)
    notes = (f"{counted(old, 'agent')} of the window ran in the time before it too: not new.",) if old else ()
    if not cohorts:
        return empty("No agent is new in this window.", notes)
    steps = range(1, min(NIGHTS_LATER, (last - min(cohorts)).days) + 1)
    rows = tuple(_cohort(night, cohorts[night], active, last, steps) for night in sorted(cohorts))
    columns = (
        Column("first night"),
        Column("agents", Unit.COUNT),
        *(Column(f"+{step}", Unit.SHARE, step - 1) for step in steps),
    )
    return Sheet(_came_back(cohorts, active, last), columns, rows, notes=notes)


def _key(row: Mapping) -> Key:
    return (row["project"], row["client"] or "", row["agent"] or "")


def _agent(key: Key, rows: Sequence[dict]) -> Agent:
    goal = goal_of(min((row["goal"] for row in rows if row["goal"]), default=None))
    scored = sum(row["scored"] for row in rows)
    priced = sum(row["priced"] for row in rows)
    best = None
    for row in rows:
        best = better(goal, best, best_of(goal, row))
    return Agent(
        key=key,
        rounds=sum(row["rounds"] for row in rows),
        nights=len({row["night"] for row in rows}),
        kept=sum(row["kept"] for row in rows),
        decided=sum(row["decided"] for row in rows),
        mean=sum(row["score_total"] or 0.0 for row in rows) / scored if scored else None,
        best=best,
        priced=priced,
        spent_usd=sum(row["spent_usd"] or 0.0 for row in rows) if priced else None,
    )


def _row(one: Agent) -> Row:
    project, client, agent = one.key
    cells = (
        project,
        client or None,
        agent or NO_AGENT,
        one.rounds,
        one.kept_share,
        one.mean,
        one.best,
        one.spent_usd,
        one.nights,
    )
    return Row(cells, drill=drill.of_agent(project, client, agent))


def _verdict(everyone: Sequence[Agent]) -> str:
    """An owner's kept rate is that of its agent with most rounds: roles differ in which rounds reach them."""
    owners = {one.owner: one for one in reversed(everyone)}
    said = f"{counted(len(everyone), 'agent')} of {counted(len(owners), 'client')}"
    named = sorted(
        ((one.kept / one.decided, owner) for owner, one in owners.items() if one.decided >= ENOUGH), reverse=True
    )
    if not named:
        return f"{said}; none has {ENOUGH} decided rounds yet."
    most, least = named[0], named[-1]
    if most[0] == least[0]:
        return f"{said}; {share(most[0])} of the rounds kept."
    return f"Kept most: {most[1]} ({share(most[0])}); least: {least[1]} ({share(least[0])})."


def _notes(everyone: Sequence[Agent]) -> tuple[str, ...]:
    whole, decided = sum(one.rounds for one in everyone), sum(one.decided for one in everyone)
    return (
        SOURCE,
        "A judge only meets rounds that came so far: compare a role with the same role.",
        *missing.shares(whole, "rounds", [(sum(one.rounds for one in everyone if not one.key[2]), "name no agent")]),
        *missing.shares(decided, "decided rounds", [(decided - sum(one.priced for one in everyone), "have no cost")]),
    )


def _cohort(
    night: date, members: Sequence[Key], active: Mapping[Key, set[date]], last: date, steps: Iterable[int]
) -> Row:
    shares: list[Value] = [_share_at(night + timedelta(days=step), members, active, last) for step in steps]
    return Row((day(night), len(members), *shares))


def _share_at(night: date, members: Sequence[Key], active: Mapping[Key, set[date]], last: date) -> float | None:
    return None if night > last else sum(night in active[key] for key in members) / len(members)


def _came_back(cohorts: Mapping[date, Sequence[Key]], active: Mapping[Key, set[date]], last: date) -> str:
    """Of all cohorts that have had a next night."""
    had = [(night, key) for night, members in cohorts.items() for key in members if night < last]
    new = counted(sum(map(len, cohorts.values())), "new agent")
    if not had:
        return f"{new}, all of the last night: nothing to see yet."
    back = sum(night + timedelta(days=1) in active[key] for night, key in had)
    return f"{new}; {back} of {len(had)} ({share(back / len(had))}) ran again the night after their first."


BOARDS: Mapping[str, Board] = {
    "agents": Board("Agents", (("agent_nights", NOW),), lambda _, found: agents(*found)),
    "retention": Board(
        "Agents who came back", (("agent_nights", NOW), ("agent_nights", BEFORE)), lambda _, found: retention(*found)
    ),
}
SIBLINGS: Mapping[str, str] = {}
