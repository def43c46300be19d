"""One file from its path to the store, and a report of what was understood and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from queries.importers import detect, ledger
from queries.importers.commits import CommitTimes, moments
from queries.importers.files import LogFile, read
from queries.importers.ledger import Recorded
from queries.importers.log import (
    LogName,
    Moment,
    ParsedLog,
    Summary,
    doubt_about_goal,
    entries,
    judge,
    summarise,
)
from queries.importers.spool import ParsedSpool
from queries.importers.wanted import Wanted
from queries.local.store import Store
from workspace.errors import LoopdeskError
from workspace.text import plain

UNSAID_CLIENT = "internal"


@dataclass(frozen=True, slots=True)
class Request:
    """What the person said about the files. `now` bounds estimated times: a file's time may be ahead of the clock."""

    wanted: Wanted
    now: datetime
    project: str | None = None
    client: str | None = None
    run: str | None = None
    commits: CommitTimes | None = None
    spacing: timedelta = timedelta(minutes=5)
    replace: bool = False


@dataclass(frozen=True, slots=True)
class LogReport:
    """What a log says and what of it was stored. `known_times` counts the rounds whose time is no estimate."""

    file: str
    log: ParsedLog
    name: LogName
    summary: Summary
    known_times: int
    time_source: str
    first: datetime
    last: datetime
    recorded: Recorded
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SpoolReport:
    file: str
    spool: ParsedSpool
    stored_events: int
    known_events: int
    notes: tuple[str, ...]


def take_in(path: Path, request: Request, open_store: Callable[[], Store], taken: set[str]) -> LogReport | SpoolReport:
    """Read, understand and store one file. The store is opened only when there is something to store.

    `taken` holds the names of logs of this import, so that two results.tsv are not taken for one. Raises
    `LoopdeskError`, and then nothing of the file was stored, or the sentence says how much (see `ledger.record`).
    """
    file = read(path)
    parsed = detect(file).parse(file.text, request.wanted)
    if isinstance(parsed, ParsedSpool):
        return _store_spool(file, parsed, request, open_store())
    name = LogName(
        project=request.project or parsed.format,
        client=request.client or parsed.client or UNSAID_CLIENT,
        name=request.run or file.name,
    )
    if name.key in taken:
        raise LoopdeskError(
            f"Another file of this import is the log {plain(name.key, 120)} too",
            "Logs are told apart by their names, so this one was not stored",
            "Import it by itself with --run NAME",
        )
    taken.add(name.key)
    return _store_log(file, parsed, name, request, open_store)


def _store_log(
    file: LogFile, log: ParsedLog, name: LogName, request: Request, open_store: Callable[[], Store]
) -> LogReport:
    judged = judge(log.rounds, log.goal)
    store = open_store()
    stored = None if request.replace else ledger.stored_end(store, name)
    placed = moments(log.rounds, request.commits, request.spacing, min(file.modified, request.now), stored)
    known = sum(not moment.estimated for moment in placed)
    made = list(entries(log, judged, placed, name))
    recorded = ledger.record(store, name, made, log.row_count, replace=request.replace)
    doubt = doubt_about_goal(judged, log.goal)
    return LogReport(
        file=file.name,
        log=log,
        name=name,
        summary=summarise(judged, log.goal),
        known_times=known,
        time_source=_time_source(log, placed, request),
        first=min(moment.at for moment in placed),
        last=max(moment.at for moment in placed),
        recorded=recorded,
        notes=tuple(note for note in (doubt, _unused_commits(log, request)) if note),
    )


def _store_spool(file: LogFile, spool: ParsedSpool, request: Request, store: Store) -> SpoolReport:
    stored, duplicates, rejected = ledger.record_spool(store, spool)
    notes = [f"the store refused an event: {plain(reason, 200)}" for reason in rejected]
    said = [request.project, request.client, request.run, request.wanted.metric, request.wanted.goal, request.commits]
    if any(said) or request.replace:
        notes.append("spooled events are stored as they were sent: the options about logs had no effect")
    return SpoolReport(file.name, spool, stored, duplicates, tuple(notes))


def _time_source(log: ParsedLog, placed: Sequence[Moment], request: Request) -> str:
    """In words, where the times come from."""
    minutes = f"{request.spacing / timedelta(minutes=1):g} minutes"
    known = sum(not moment.estimated for moment in placed)
    if not known:
        return f"estimated, {minutes} a round back from the file's own time"
    from_log = sum(round.at is not None for round in log.rounds)
    sources = [f"{from_log} from {log.time_source}"] if from_log else []
    if request.commits and known > from_log:
        sources.append(f"{known - from_log} from the commits in {request.commits.source}")
    if known < len(placed):
        sources.append(f"{len(placed) - known} estimated between them or {minutes} apart")
    return ", ".join(sources)


def _unused_commits(log: ParsedLog, request: Request) -> str | None:
    if request.commits is None or any(request.commits.of(round.commit) for round in log.rounds):
        return None
    return f"none of the {len(request.commits)} commits in {request.commits.source} is in this log"
