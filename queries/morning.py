"""What the desk has to know before it asks a board: is anything stored, which window, which projects and runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from queries.backend import Backend, QueryResult
from queries.catalog import catalog
from queries.local.backend import LocalBackend
from queries.local.schema import MIGRATIONS
from queries.views import window as windows
from queries.views.answers import records
from queries.views.window import Span, Window
from queries.views.words import day
from workspace import databases
from workspace.config import Config
from workspace.errors import LoopdeskError

_MEMORY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Run:
    run_id: str
    project: str
    client: str
    since: datetime
    until: datetime
    rounds: int


@dataclass(frozen=True, slots=True)
class Scope:
    """What there is to choose from, newest run first. No projects means that nothing is stored."""

    projects: tuple[str, ...]
    clients: tuple[str, ...]
    runs: tuple[Run, ...]
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A window, and a sentence where it is not the one that was asked for."""

    window: Window
    note: str = ""
    is_bare: bool = False
    """No project has sent anything for a year."""


def open_backend(config: Config) -> Backend | None:
    """Who answers: the configured PostHog, or the workspace's own store; None while there is none.

    Raises `LoopdeskError`."""
    if not config.asks_posthog:
        return open_local(config)
    from queries.remote import open_remote

    return open_remote(config)


def open_local(
    config: Config, now: Callable[[], datetime] = lambda: datetime.now(UTC), *, read_only: bool = False
) -> LocalBackend | None:
    """The workspace's own store; None while there is none.

    Unless `read_only`, its schema is brought up to date, and a file that is no database is moved aside. Raises
    `LoopdeskError`.
    """
    path = config.workspace.events_db
    if not path.exists():
        return None
    if not read_only:
        databases.open_database(path, MIGRATIONS).close()
    return LocalBackend(path, config.zone, now=now)


def scope(backend: Backend, *, now: datetime) -> Scope:
    """Blocking. What the last year holds."""
    projects = _projects(backend, now - _MEMORY, now)
    return Scope(
        projects=tuple(dict.fromkeys(row["project"] for row in projects)),
        clients=tuple(sorted({row["client"] for row in projects if row["client"]})),
        runs=_runs(backend, now),
        last_at=_last_at(projects),
    )


def choose_window(
    backend: Backend, kind: str, *, now: datetime, zone: str, night_starts_hour: int, run_id: str = ""
) -> Chosen:
    """Blocking. Where last night is empty but rounds exist, the latest night that has rounds, and a note that says so.

    Raises `LoopdeskError` for a run that is not there.
    """
    if kind == "run":
        return Chosen(_run_window(backend, run_id, now))
    if kind != "night":
        return Chosen(windows.rolling(kind, now))
    window = windows.night(now, zone, night_starts_hour)
    # The night is a small range of the year, and mostly it is not empty.
    if _projects(backend, window.span.since, now):
        return Chosen(window)
    last = _last_at(_projects(backend, now - _MEMORY, now))
    if last is None:
        return Chosen(window, is_bare=True)
    latest = windows.night(last + timedelta(hours=6), zone, night_starts_hour)
    # The night is over: it ends a day after it began, or now, whichever is first.
    start = latest.span.since
    end = min(start + timedelta(days=1), now, key=datetime.timestamp)
    shown = Window("night", Span(start, end), Span(start - timedelta(days=1), end - timedelta(days=1)))
    name = day(start.astimezone(ZoneInfo(zone)))
    return Chosen(shown, f"No rounds last night; this is the latest night that has some: {name}.")


def _run_window(backend: Backend, run_id: str, now: datetime) -> Window:
    runs = _runs(backend, now)
    run = next((run for run in runs if run.run_id == run_id), None)
    if run is None:
        raise LoopdeskError(f"There is no run {run_id}", do="Choose one with w")
    earlier = next(
        (r for r in runs if (r.project, r.client) == (run.project, run.client) and r.since < run.since), None
    )
    end = timedelta(microseconds=1)
    before = (earlier.run_id, Span(earlier.since, earlier.until + end)) if earlier else None
    return windows.one_run(run_id, run.since, run.until, before)


def _projects(backend: Backend, since: datetime, now: datetime) -> list[dict]:
    return records(_ask(backend, "projects", since, now))


def _last_at(projects: Sequence[dict]) -> datetime | None:
    return max((datetime.fromisoformat(row["last_at"]) for row in projects), default=None)


def _runs(backend: Backend, now: datetime) -> tuple[Run, ...]:
    return tuple(_run(row) for row in records(_ask(backend, "runs", now - _MEMORY, now)))


def _ask(backend: Backend, name: str, since: datetime, now: datetime) -> QueryResult:
    question = catalog.load(name)
    # A loop's clock may be ahead of ours.
    values = question.values({"since": since, "until": now + timedelta(days=1)})
    return backend.query(question.text, values, question.types)


def _run(row: dict) -> Run:
    since, until = datetime.fromisoformat(row["since"]), datetime.fromisoformat(row["until"])
    return Run(row["run_id"], row["project"], row["client"] or "", since, until, row["rounds"])
