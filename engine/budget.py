"""What the engine may spend, and what it has spent: reserved before a request is sent, booked from its answer.

A row of `spend` costs its whole reservation until it is booked. So a request whose answer never came, because the
engine died or the line did, counts as spent. Reading is stdlib `sqlite3` alone: the desk shows the same figures.

[budgets]
night_usd = 5.0
report_usd = 2.0
proposals_a_night = 3
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

from engine.effects import SaveJob
from engine.instants import stored
from engine.judge import Unavailable
from engine.model import Job
from workspace.config import Config
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from engine.store import Store

_ROUNDING_USD = 1e-9
_LEAST_USD, _CENT = 0.5, 0.01  # what a single long request of an agent may cost: with less it is not begun
_ASIDE_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most in USD of a night and of one report, and the most proposals that a night starts. 0 is none at all."""

    night_usd: float = 5.0
    report_usd: float = 2.0
    proposals_a_night: int = 3


@dataclass(frozen=True, slots=True)
class Night:
    """From `since` (included) to `until` (excluded): from one `night_starts_hour` to the next, local time. What is
    spent by day counts to the night before, so there is no hour without a limit."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """USD. `reserved_usd` is the part of `usd` whose requests are on their way, or never came back."""

    usd: float = 0.0
    reserved_usd: float = 0.0
    requests: int = 0
    by_role: Mapping[str, float] = field(default_factory=dict)
    by_report: Mapping[str, float] = field(default_factory=dict)
    """By report id; empty is for what belongs to none yet, such as the safety of a signal."""


class Reached(Unavailable):
    """A limit holds work: the night's, or that of `report_id`."""

    def __init__(self, what: str, means: str, do: str, *, retry_at: datetime | None, report_id: str = "") -> None:
        self.report_id = report_id
        super().__init__(what, means, do, retry_at=retry_at)


def limits(config: Config) -> Limits:
    """`[budgets]` over the defaults. Raises `LoopdeskError` for an unknown name or an odd value."""
    defaults = {one.name: getattr(Limits(), one.name) for one in fields(Limits)}
    for name, value in config.budgets.items():
        if name not in defaults:
            raise LoopdeskError(
                f"[budgets] has a setting that loopdesk does not know: {name}",
                do=f"Known settings are {', '.join(defaults)}",
            )
        is_whole = isinstance(defaults[name], int)
        right = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
        if not right or not (math.isfinite(value) and value >= 0):  # type: ignore[arg-type, operator]
            wanted = "a whole number from 0 on" if is_whole else "a number of USD from 0 on"
            raise LoopdeskError(f"budgets.{name} is {value!r}, but must be {wanted}")
    return Limits(**{**defaults, **config.budgets})


def night_of(now: datetime, config: Config) -> Night:
    """The night that `now` counts to."""
    zone = ZoneInfo(config.zone)
    start = now.astimezone(zone).replace(hour=config.night_starts_hour, minute=0, second=0, microsecond=0, fold=0)
    # By timestamps: wall clocks of one zone subtract wrongly where it changes its time.
    if start.timestamp() > now.timestamp():
        start -= timedelta(days=1)
    return Night(start, start + timedelta(days=1))


def spent(connection: sqlite3.Connection, since: datetime | None = None) -> Spent:
    """Everything that was reserved from `since` on, or ever."""
    rows = connection.execute(
        "SELECT role, report_id, sum(cost_usd), count(*), total(CASE WHEN booked_at IS NULL THEN cost_usd END) "
        "FROM spend WHERE at >= ? GROUP BY role, report_id",
        (stored(since) if since else 0,),
    ).fetchall()
    by_role: dict[str, float] = {}
    by_report: dict[str, float] = {}
    for role, report_id, usd, _, _ in rows:
        by_role[role] = by_role.get(role, 0.0) + usd
        by_report[report_id] = by_report.get(report_id, 0.0) + usd
    return Spent(sum(by_role.values()), sum(row[4] for row in rows), sum(row[3] for row in rows), by_role, by_report)


def spent_on(connection: sqlite3.Connection, report_id: str) -> float:
    """USD, ever."""
    return _usd(connection, "report_id = ?", report_id)


@dataclass(frozen=True, slots=True)
class Spending:
    """For a screen. `ever` is everything that was ever spent; `proposals` were begun in the night."""

    night: Night
    limits: Limits
    tonight: Spent = field(default_factory=Spent)
    ever: Spent = field(default_factory=Spent)
    proposals: int = 0


def spending(connection: sqlite3.Connection | None, config: Config, now: datetime) -> Spending:
    """`connection` None is a workspace without an inbox. Raises `LoopdeskError` for `[budgets]` that make no sense."""
    night, most = night_of(now, config), limits(config)
    if connection is None:
        return Spending(night, most)
    (proposals,) = connection.execute(
        "SELECT count(*) FROM proposals WHERE created_at >= ?", (stored(night.since),)
    ).fetchone()
    return Spending(night, most, spent(connection, night.since), spent(connection), proposals)


def _usd(connection: sqlite3.Connection, where: str, value: object) -> float:
    return connection.execute(f"SELECT total(cost_usd) FROM spend WHERE {where}", (value,)).fetchone()[0]


class Purser(Protocol):
    """Who pays for what a model is asked: `Books`, or on a worker the reservation of its job."""

    def reserve(self, usd: float, *, role: str, model: str, report_id: str = "") -> int:
        """Raises `Reached`."""

    def book(self, seq: int, usd: float, *, input_tokens: int = 0, output_tokens: int = 0) -> None: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A request in the ledger of a worker. `usd` is what was reserved for it where it `is_booked` not."""

    id: int
    role: str
    model: str
    usd: float
    input_tokens: int
    output_tokens: int
    at: datetime
    is_booked: bool


class Books:
    """What keeps the engine within its limits. For the one thread of the engine."""

    def __init__(self, config: Config, store: Store, clock: Callable[[], datetime]) -> None:
        """Raises `LoopdeskError` for `[budgets]` that make no sense."""
        self._config, self._store, self._clock = config, store, clock
        self.limits = limits(config)

    def reserve(self, usd: float, *, role: str, model: str, report_id: str = "") -> int:
        """Put aside what a request costs at most, before it is sent. Raises `Reached` where a limit would be passed,
        and keeps that it was."""
        # Within another transaction it would be undone with it, and the request be sent all the same.
        assert not self._store.connection.in_transaction
        now = self._clock()
        with self._store.transaction("reserve"):
            reached = self._reached(usd, report_id, now)
            if reached is not None:
                self._hold(reached, now)
            else:
                row = self._store.connection.execute(
                    # On the job that works on the report, where it is one.
                    "INSERT INTO spend(job_id, attempt, report_id, role, model, cost_usd, at) "
                    "SELECT CASE count(*) WHEN 1 THEN max(id) ELSE '' END, "
                    "CASE count(*) WHEN 1 THEN max(attempt) ELSE 0 END, ?1, ?2, ?3, ?4, ?5 "
                    "FROM jobs WHERE report_id = ?1 AND state = 'running' RETURNING seq",
                    (report_id, role, model, usd, stored(now)),
                ).fetchone()
        if reached is not None:
            raise reached
        return row[0]

    def _reached(self, usd: float, report_id: str, now: datetime) -> Reached | None:
        # Always with a time to try again: what no night lifts, the owner may have lifted by then.
        night = night_of(now, self._config)
        tonight = _usd(self._store.connection, "at >= ?", stored(night.since))
        most = self.limits.night_usd
        if usd > most + _ROUNDING_USD:
            return Reached(
                f"One request may cost ${usd:.2f}, and a night's budget is ${most:.2f}",
                "So no model is asked",
                "Raise night_usd under [budgets] in config.toml and start the engine again",
                retry_at=night.until,
            )
        if tonight + usd > most + _ROUNDING_USD:
            return Reached(
                f"The night's budget of ${most:.2f} is reached (${tonight:.2f} are spent or reserved)",
                "What needs a model waits for the next night",
                "Raise night_usd under [budgets] in config.toml and start the engine again to go on now",
                retry_at=night.until,
            )
        on_report = spent_on(self._store.connection, report_id) if report_id else 0.0
        if report_id and on_report + usd > self.limits.report_usd + _ROUNDING_USD:
            return Reached(
                f"The report's budget of ${self.limits.report_usd:.2f} is reached (${on_report:.2f} are spent)",
                "No model is asked about it any more",
                "Raise report_usd under [budgets] in config.toml and start the engine again to go on",
                retry_at=night.until,
                report_id=report_id,
            )
        return None

    def _hold(self, reached: Reached, now: datetime) -> None:
        self._store.connection.execute(
            "INSERT INTO budget_holds VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (stored(night_of(now, self._config).since), reached.report_id, stored(now)),
        )

    def book(self, seq: int, usd: float, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        """What it did cost, in place of the reservation; 0 for a request that was refused."""
        with self._store.transaction("book"):
            self._store.connection.execute(
                "UPDATE spend SET cost_usd = ?, input_tokens = ?, output_tokens = ?, booked_at = ? WHERE seq = ?",
                (usd, input_tokens, output_tokens, stored(self._clock()), seq),
            )

    def reserve_job(self, job: Job, most_usd: float) -> float:
        """Put aside what a running job may cost elsewhere: `most_usd`, or what is left of the night and the report.
        What an earlier attempt put aside and never settled is taken over. Raises `Reached`."""
        now, connection = self._clock(), self._store.connection
        with self._store.transaction("reserve"):
            row = connection.execute(f"SELECT seq, cost_usd FROM spend WHERE {_OF_A_JOB}", (job.id,)).fetchone()
            usd = row[1] if row else min(most_usd, self._left_usd(job.report_id, now))
            least = max(min(_LEAST_USD, most_usd, self.limits.night_usd, self.limits.report_usd), _CENT)
            refused = None if row or usd >= least else self._refusal(least, usd, job, now)
            if row:
                connection.execute("UPDATE spend SET attempt = ? WHERE seq = ?", (job.attempt, row[0]))
            elif refused is None:
                connection.execute(
                    "INSERT INTO spend(job_id, attempt, report_id, role, model, cost_usd, at) "
                    "VALUES (?, ?, ?, ?, '', ?, ?)",
                    (job.id, job.attempt, job.report_id, job.kind, usd, stored(now)),
                )
            if refused is None:
                self._store.write([SaveJob(replace(job, reserved_usd=usd))], now)
        if refused is not None:
            raise refused
        return usd

    def _left_usd(self, report_id: str, now: datetime) -> float:
        tonight = _usd(self._store.connection, "at >= ?", stored(night_of(now, self._config).since))
        on_report = spent_on(self._store.connection, report_id)
        return max(min(self.limits.night_usd - tonight, self.limits.report_usd - on_report), 0.0)

    def _refusal(self, least: float, left: float, job: Job, now: datetime) -> Reached | None:
        aside = self._store.connection.execute(f"SELECT total(cost_usd) FROM spend WHERE {_ASIDE}").fetchone()[0]
        if left + aside >= least:
            # Nothing is reached: most of it comes back when these jobs end.
            return Reached(
                f"What is left of the budget is put aside for other jobs that workers do (${aside:.2f})",
                "It waits for one of these to end",
                "",
                retry_at=now + _ASIDE_AGAIN,
            )
        reached = self._reached(least, job.report_id, now)
        if reached is not None:
            self._hold(reached, now)
        return reached

    def has_aside(self, job_id: str) -> bool:
        """Whether something is put aside for it and not settled."""
        return bool(self._store.connection.execute(f"SELECT 1 FROM spend WHERE {_OF_A_JOB}", (job_id,)).fetchone())

    def settle(self, job_id: str, ledger: Sequence[Entry] | None) -> None:
        """The ledger in place of the job's reservation; without a ledger, the whole reservation is what was spent.
        Where it was settled before, nothing is written twice."""
        connection, now = self._store.connection, stored(self._clock())
        with self._store.transaction("book"):
            found = connection.execute(f"SELECT seq, attempt, report_id FROM spend WHERE {_OF_A_JOB}", (job_id,))
            row = found.fetchone()
            if row is None:
                return
            if ledger is None:
                connection.execute("UPDATE spend SET booked_at = ? WHERE seq = ?", (now, row[0]))
                return
            connection.execute("DELETE FROM spend WHERE seq = ?", (row[0],))
            connection.executemany(
                # An engine may die before the ledger is cleared.
                "INSERT INTO spend(job_id, attempt, report_id, role, model, input_tokens, output_tokens, cost_usd, at, "
                "booked_at, ledger_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [
                    (
                        *(job_id, *row[1:], one.role, one.model, one.input_tokens, one.output_tokens),
                        *(one.usd, stored(one.at), now if one.is_booked else None, one.id),
                    )
                    for one in ledger
                ],
            )


# The reservation of a job that is done elsewhere: of no model, and not booked.
_ASIDE = "model = '' AND booked_at IS NULL"
_OF_A_JOB = f"job_id = ? AND {_ASIDE}"
