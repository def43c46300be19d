"""The stage that groups: each signal that may be read comes into the report it belongs to, or opens one, with a reason.

Serially in (occurred at, id) order, one transaction a signal: what was placed a moment ago is found by the next.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from engine import reading
from engine.embedding import Embedder, blob
from engine.judge import MOST_QUERIES, Candidate, Judge, Match, Unavailable
from engine.main import STAGE_TRIES_AGAIN, Worked, warn
from engine.model import Report, Signal
from engine.neighbours import Neighbour, Neighbours, Prepared
from engine.placement import placed
from engine.recurrence import is_before_fix
from engine.store import Store
from workspace.text import plain

MOST_CANDIDATES = 30  # those that most searches found
MOST_EXAMPLES = 6  # of a candidate: each is read by the judge
TOGETHER = 16
"""Signals that are searched for in one product."""
CAME_AGAIN = "it came again after its report was resolved"
_LET_OTHERS_FIRST = 3  # tries in a row, after which a signal that no answer can be had for steps behind the others
_REASON_CHARACTERS = 300

Waiting = tuple[str, Signal, str]
"""As `Store.unplaced` gives them."""


class Grouping:
    """`judge` decides; a signal for which it has no answer waits and is neither dropped nor placed by chance."""

    def __init__(
        self,
        judge: Judge,
        embedder: Embedder,
        *,
        new_id: Callable[[datetime], str] | None = None,
        tell: Callable[[str], None] = warn,
    ) -> None:
        self._judge, self._embedder, self._tell = judge, embedder, tell
        self._new_id = new_id or _Ids()
        self._neighbours = Neighbours(embedder)
        self._failures: Counter[str] = Counter()
        self._told: set[str] = set()
        self._pause: tuple[datetime, datetime, str] | None = None
        """Since when and until when which judge is not asked."""
        self._queries: dict[str, tuple[str, ...]] = {}
        """By signal: the text that they are about, then the queries."""

    async def __call__(self, store: Store, now: datetime) -> Worked:
        waiting = store.unplaced()
        # A clock that was set back ends it too.
        if waiting and self._pause and self._pause[0] <= now < self._pause[1] and self._pause[2] == self._judge.name:
            return Worked(next_due=self._pause[1])
        self._pause = None
        if not waiting:
            return Worked()
        if renewed := self._neighbours.refresh(store, now):
            return Worked(renewed)
        waiting.sort(key=lambda one: self._failures[one[0]] // _LET_OTHERS_FIRST)
        batch, failure = await self._ask(store, waiting[:TOGETHER])
        done = 0
        for (id, signal, recurs_from), prepared in zip(batch, self._prepared(batch), strict=True):
            try:
                await self._place(store, id, signal, recurs_from, prepared, now)
            except Unavailable as error:
                return self._wait(id, error, done, now)
            self._failures.pop(id, None)
            self._queries.pop(id, None)
            done += 1
            if store.has_waiting():
                return Worked(done)
            await asyncio.sleep(0)
        return self._wait(*failure, done, now) if failure else Worked(done)

    async def _ask(
        self, store: Store, waiting: Sequence[Waiting]
    ) -> tuple[Sequence[Waiting], tuple[str, Unavailable] | None]:
        """What each is about, up to the first for which there is no answer. Nothing is asked twice. A model takes its
        time over each: whoever is at the door does not wait for all of them."""
        for number, (id, signal, recurs_from) in enumerate(waiting):
            if number and store.has_waiting():
                return waiting[:number], None
            if recurs_from or self._queries.get(id, ("",))[0] == signal.content:
                continue
            try:
                found = await self._judge.queries(signal)
            except Unavailable as error:
                return waiting[:number], (id, error)
            self._queries[id] = (signal.content, *list(found)[:MOST_QUERIES])
        return waiting, None

    def _prepared(self, batch: Sequence[Waiting]) -> list[Prepared]:
        return self._neighbours.prepare(
            [self._embedder.embed(self._queries.get(id, (signal.content,))) for id, signal, _ in batch]
        )

    def _wait(self, id: str, error: Unavailable, done: int, now: datetime) -> Worked:
        self._failures[id] += 1
        again_at = now + STAGE_TRIES_AGAIN
        if error.retry_at is not None and error.retry_at > now:
            again_at = error.retry_at
        self._pause = (now, again_at, self._judge.name)
        if (said := str(error)) not in self._told:
            self._told.add(said)
            self._tell(f"Signals wait to be grouped: {said}")
        return Worked(done, again_at)

    async def _place(
        self, store: Store, id: str, signal: Signal, recurs_from: str, prepared: Prepared, now: datetime
    ) -> None:
        """Raises `Unavailable`."""
        if recurs_from:
            match = Match(CAME_AGAIN, recurs_from)
        else:
            near, searched = self._neighbours.around(store, signal, prepared, now)
            offered = candidates(store.connection, near, searched)
            match = checked(await self._judge.match(signal, offered), offered)
        vector = prepared.vectors[0]
        with store.transaction("place"):
            chosen = followed(store.connection, match.report_id)
            # Of one that was in that report before, intake has decided it.
            is_old = (
                chosen is not None
                and not recurs_from
                and chosen.status == "resolved"
                and is_before_fix(store.connection, chosen.id, signal.occurred_at, signal.extra)
            )
            effects = placed(
                id, signal.title, chosen, match.reason, new_id=self._new_id(now), now=now, is_before_fix=is_old
            )
            store.write(effects, now)
            store.embedded(id, blob(vector), self._embedder.name)
        self._neighbours.add(id, signal, vector)


def candidates(connection: sqlite3.Connection, near: Sequence[Neighbour], searched: int) -> list[Candidate]:
    """One a report, the nearest first. A report that was joined, or that came again, is represented by what it became;
    `searched` is how many searches were made."""
    reports: dict[str, Report] = {}
    mine: dict[str, list[Neighbour]] = {}
    became: dict[str, Report | None] = {}
    for one in near:
        if one.report_id not in became:
            became[one.report_id] = followed(connection, one.report_id)
        report = became[one.report_id]
        if report is not None:
            reports[report.id] = report
            mine.setdefault(report.id, []).append(one)
    strongest = sorted(
        mine, key=lambda id: (-len({name for one in mine[id] for name in one.found_by}), -mine[id][0].similarity)
    )
    kept = set(strongest[:MOST_CANDIDATES])
    learned = corrections(connection) if reports else {}
    return [
        Candidate(
            report_id=report.id,
            title=report.title,
            signals=report.signals,
            found_by=tuple(dict.fromkeys(name for one in mine[id] for name in one.found_by)),
            searches=searched,
            similarity=mine[id][0].similarity,
            examples=tuple(one.signal for one in mine[id][:MOST_EXAMPLES]),
            corrections=tuple(learned.get(id, ())),
        )
        for id, report in reports.items()
        if id in kept
    ]


def corrections(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """What was joined and split by hand and not taken back, in sentences, by each report that it is about."""
    rows = connection.execute(
        "SELECT key, text FROM memory WHERE withdrawn_at IS NULL AND "
        "(key BETWEEN 'joined:' AND 'joined;' OR key BETWEEN 'split:' AND 'split;') ORDER BY key"
    )
    found: dict[str, list[str]] = {}
    for key, text in rows:
        for id in key.split(":")[1:]:
            found.setdefault(id, []).append(text)
    return found


def followed(connection: sqlite3.Connection, report_id: str) -> Report | None:
    """The report, or what it was joined into; of one that was resolved and came again, what it came again as."""
    seen: set[str] = set()
    report = reading.report(connection, report_id) if report_id else None
    while report is not None and report.id not in seen:
        seen.add(report.id)
        after = None
        if report.joined_into:
            after = reading.report(connection, report.joined_into)
        elif report.status == "resolved":
            rest = "WHERE recurrence_of = ? AND recurrence_of != '' ORDER BY created_at DESC, id DESC LIMIT 1"
            after = next(iter(reading.select(connection, Report, "reports", rest, (report.id,))), None)
        if after is None:
            return report
        report = after
    return report


def checked(match: Match, offered: Sequence[Candidate]) -> Match:
    """A report that was not offered is not taken: the signal gets one of its own, and says why."""
    reason = plain(match.reason, _REASON_CHARACTERS)
    if not match.report_id or any(one.report_id == match.report_id for one in offered):
        return Match(reason, match.report_id)
    return Match(f"a report of its own: the one that was named was not offered ({reason})")


class _Ids:
    """ULIDs, each greater than the one before, also within a millisecond."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self, now: datetime) -> str:
        from ulid import ULID

        self._last = max(int(ULID.from_datetime(now)), self._last + 1)
        return str(ULID.from_int(self._last))
