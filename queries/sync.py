"""Pulling a project's loop events from a PostHog into the store, so that they can be read offline.

Pages are stored together with the cursor that speaks of them, so whatever ends a pull, the next one goes on from the
last page. Event times are PostHog's, already corrected; they are not corrected again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from queries.backend import Backend
from queries.cursor import Cursor, Place, read_cursor, write_cursor
from queries.keyset import BEHIND, IN_ORDER, MOST_ROWS, Page, pages
from queries.local.store import Store
from queries.remote_answer import wire_time
from queries.remote_errors import PostHogFailed
from queries.views.words import counted
from workspace.errors import LoopdeskError

# What loops send (DESIGN, "What the loops send").
EVENTS = (
    "round_started", "proposal_generated", "proposal_applied", "round_scored", "round_kept", "round_reverted",
    "model_escalated", "stop_triggered", "finetune_batch_published",
    "step.plan", "step.tool_called", "step.tool_returned", "step.observation", "step.reflection", "step.retry",
    "eval.run", "eval.case", "eval.regression",
    "token_machine.request", "token_machine.team_summary", "token_machine.anomaly",
    "$ai_generation", "$ai_embedding", "$ai_span", "$ai_trace", "$ai_metric", "$ai_feedback",
    "$exception",
)  # fmt: skip
FIRST_PULL = timedelta(days=30)
OVERLAP = timedelta(hours=48)
PROMPTS_KEPT = timedelta(days=30)  # PostHog's own time for `posthog.ai_events`
_PROMPT_ROWS = 500
# An event is stamped when PostHog takes it in and can be asked for a little later: hours, on a bad day.
_VISIBLE_WITHIN = timedelta(hours=6)

_COLUMNS = {"uuid", "event", "timestamp", "distinct_id", "properties", "created_at"}
_NAMES = ", ".join(f"'{name}'" for name in EVENTS)
_EVENTS_TEXT = f"""SELECT uuid, event, timestamp, distinct_id, properties, created_at
FROM events
WHERE event IN ({_NAMES})
  AND {BEHIND}
  AND (timestamp >= toDateTime({{unread_from}}) OR created_at >= toDateTime({{arrived_from}}))
{IN_ORDER}"""
_PROMPTS = {
    "input": "$ai_input",
    "output_choices": "$ai_output_choices",
    "input_state": "$ai_input_state",
    "output_state": "$ai_output_state",
    "tools": "$ai_tools",
}
_PROMPTS_TEXT = f"""SELECT uuid, timestamp, {", ".join(_PROMPTS)}
FROM posthog.ai_events
WHERE {BEHIND}
{IN_ORDER}"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`since` None goes on where the last pull ended. `overlap` is how far back late arrivals are looked for. `again`
    forgets what was pulled before; nothing is stored twice."""

    since: datetime | None = None
    until: datetime | None = None
    overlap: timedelta = OVERLAP
    prompts: bool = False
    again: bool = False
    most_rows: int = MOST_ROWS


@dataclass(frozen=True, slots=True)
class Synced:
    """What a pull did so far. `at` is how far it came on its way from `since` to `until`."""

    since: datetime
    until: datetime
    at: datetime
    pages: int = 0
    stored: int = 0
    known: int = 0
    rejected: int = 0
    first_rejected: str = ""
    prompts: int = 0


class SyncStopped(LoopdeskError):
    """A pull that ended early; what it stored stays, and the next one goes on from there."""

    def __init__(self, error: LoopdeskError, done: Synced) -> None:
        super().__init__(error.what, f"{error.means or 'The pull stopped'}; {kept(done)}", error.do)
        self.done = done


def kept(done: Synced) -> str:
    """The clause that says what a pull that ended early leaves behind."""
    count = counted(done.stored, "event")
    return f"{count} of this pull are stored, and `loopdesk sync` goes on at {done.at:%Y-%m-%d %H:%M} UTC"


def sync(
    backend: Backend,
    store: Store,
    source: str,
    wanted: Wanted,
    *,
    now: datetime,
    told: Callable[[Synced], None] = lambda _: None,
) -> Synced:
    """Blocking; `told` after every page. `source` is `cursor.source_key`'s. Raises `SyncStopped`, or `LoopdeskError`
    for a time range that is none."""
    before = None if wanted.again else read_cursor(store.connection, source)
    if before and wanted.since and wanted.since < before.since:
        before = None  # older events than ever asked for: the stretch is read anew, and what is there stays
    start, until = _stretch(before, wanted, now)
    since = start.at
    done = Synced(since, until, since)
    cursor = before or Cursor(since, Place(since), now)
    values = {
        "unread_from": wire_time(before.reached.at if before else since),
        "arrived_from": wire_time((before.asked_at if before else now) - _VISIBLE_WITHIN),
    }
    try:
        for page in pages(backend, _EVENTS_TEXT, values, start, until, most_rows=wanted.most_rows):
            if cursor.reached < page.place:
                cursor = replace(cursor, reached=page.place)
            done = _store(store, source, page, cursor, done)
            told(done)
        # A pull that ends before what is there, or that looks back less far, has not looked for all late arrivals.
        if since < until and cursor.reached.at <= until:
            looked = before is None or wanted.overlap >= OVERLAP
            with store.transaction():
                write_cursor(store.connection, source, replace(cursor, asked_at=now) if looked else cursor)
        if wanted.prompts:
            done = _pull_prompts(backend, store, f"{source} prompts", wanted, cursor.since, now, done, told)
    except LoopdeskError as error:
        raise SyncStopped(error, done) from error
    return done


def _stretch(before: Cursor | None, wanted: Wanted, now: datetime) -> tuple[Place, datetime]:
    until = wanted.until or now
    if before:
        again = Place(max(before.since, before.reached.at - wanted.overlap))
        start = min(before.reached, again) if wanted.overlap else before.reached
        return min(start, Place(until)), until
    since = wanted.since or min(now, until) - FIRST_PULL
    if since >= until:
        raise LoopdeskError("There is no time between --since and --until", do="Give an earlier --since")
    return Place(since), until


def _store(store: Store, source: str, page: Page, cursor: Cursor, done: Synced) -> Synced:
    events, arrived, broken = wire_events(page.rows)
    # PostHog has checked the times: none of them is too far in the future, whatever this machine's clock says.
    latest = max([datetime.now(UTC), page.place.at])
    with store.transaction():
        ingested = store.ingest(events, arrived=arrived, now=latest)
        write_cursor(store.connection, source, cursor)
    reasons = [*broken, *ingested.rejected]
    return replace(
        done,
        at=page.place.at,
        pages=done.pages + 1,
        stored=done.stored + ingested.stored,
        known=done.known + ingested.duplicates,
        rejected=done.rejected + len(reasons),
        first_rejected=done.first_rejected or next(iter(reasons), ""),
    )


def wire_events(rows: Sequence[Mapping[str, object]]) -> tuple[list[dict], dict[str, datetime], list[str]]:
    """Rows of `events` as wire events, when each came to PostHog, and why others were left out."""
    events, arrived, broken = [], {}, []
    if rows and _COLUMNS - rows[0].keys():
        raise PostHogFailed("PostHog's page of events lacks columns that were asked for", do="Check POSTHOG_HOST")
    for row in rows:
        try:
            properties = row["properties"]
            found = json.loads(properties) if isinstance(properties, str) else properties
            if not isinstance(found, dict):
                raise ValueError
        except (ValueError, RecursionError):
            broken.append("its properties are not a JSON object")
            continue
        uuid = str(row["uuid"])
        events.append({name: row[name] for name in ("event", "timestamp", "distinct_id")} | {"uuid": uuid})
        events[-1]["properties"] = found
        came = _time(row["created_at"])
        if came:
            arrived[uuid] = came
    return events, arrived, broken


def _pull_prompts(
    backend: Backend,
    store: Store,
    source: str,
    wanted: Wanted,
    events_since: datetime,
    now: datetime,
    done: Synced,
    told: Callable[[Synced], None],
) -> Synced:
    """Of the events that are stored, whichever pull brought them."""
    kept_since = now - PROMPTS_KEPT
    oldest = max(kept_since, wanted.since or events_since)
    before = None if wanted.again else read_cursor(store.connection, source)
    if before and before.since <= oldest:
        start, cursor = max(kept_since, before.since, before.reached.at - wanted.overlap), before
    else:
        start, cursor = oldest, Cursor(oldest, Place(oldest), now)
    most = min(_PROMPT_ROWS, wanted.most_rows)
    for page in pages(backend, _PROMPTS_TEXT, {}, Place(start), wanted.until or now, most_rows=most):
        if cursor.reached < page.place:
            cursor = replace(cursor, reached=page.place)
        heavy = {str(row["uuid"]): found for row in page.rows if (found := _heavy(row))}
        with store.transaction():
            added = store.add_prompts(heavy)
            write_cursor(store.connection, source, cursor)
        done = replace(done, pages=done.pages + 1, prompts=done.prompts + added)
        told(done)
    return done


def _heavy(row: Mapping[str, object]) -> dict[str, object]:
    """PostHog's typed columns as the properties that they were sent as."""
    return {
        prop: value for name, prop in _PROMPTS.items() if (value := _document(row.get(name))) not in (None, "", [], {})
    }


def _document(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return value


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    except ValueError:
        return None
