"""Asks for traces: which round is meant, its events, and on demand what they said in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from urllib.parse import quote

from queries.backend import Backend, Columnar, QueryResult
from queries.catalog import catalog
from queries.views.answers import records
from queries.views.rounds import Round, rounds
from queries.views.trace.account import Account, account
from queries.views.trace.compare import Side, about, side
from queries.views.trace.conversation import Conversation, conversation
from queries.views.trace.detail import Said
from queries.views.trace.events import Events
from queries.views.trace.grower import grow, is_running
from queries.views.trace.replay import Replay, replay
from queries.views.trace.tail import grow_on
from queries.views.trace.tree import Tree
from queries.views.window import Span
from queries.views.words import listed
from workspace.errors import LoopdeskError
from workspace.text import plain

FIRST_PAGE, PAGE = 1_500, 5_000  # events; small enough that what is fetched at once needs little memory
MEMORY = timedelta(days=365)
FOLLOWED_AGAIN = timedelta(minutes=2)  # events of a running round may come in another order than they happened
PROMPT_DAYS = 30  # PostHog's ai_events forgets prompts after this long
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = "\uffff"  # sorts behind every character of an id


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a trace is: `events` is about how many there are in `span`."""

    trace_id: str
    span: Span
    events: int


@dataclass(frozen=True)
class Trace:
    """A round as far as it was read: `is_whole` once that is everything. `about` are its first event's properties."""

    extent: Extent
    tree: Tree
    account: Account
    is_whole: bool
    backend: str
    asked_at: datetime
    about: Mapping[str, object] = field(default_factory=dict)

    @cached_property
    def replay(self) -> Replay:
        """Made when somebody first steps or plays."""
        return replay(self.tree)

    @property
    def trace_id(self) -> str:
        return self.extent.trace_id

    def word(self, name: str) -> str:
        """A property that all events of the round share."""
        value = self.about.get(name)
        return plain(value, 200) if isinstance(value, str) else ""


def find(backend: Backend, text: str, now: datetime) -> Extent:
    """The trace with this `round_id` or `$ai_trace_id`, or the only one whose id begins so. Raises `LoopdeskError`."""
    wanted = text.strip()
    if not wanted:
        raise LoopdeskError("A round is named by its id", do="Give a round id, or its beginning")
    span = Span(now - MEMORY, now + timedelta(days=1))
    exact = records(_ask(backend, "trace_extent", span, id=wanted))
    if any(row["found_by"] == "round_id" for row in exact):
        return _extent(wanted, exact)
    # A model call may have a trace id of its own: then the trace is the round that it was made in.
    end = wanted + ("!" if exact else _LAST)
    found = records(_ask(backend, "trace_find", _span(exact) if exact else span, id=wanted, id_end=end))
    if exact:
        found = [row for row in found if row["id"]][:1]
    if not found:
        raise LoopdeskError(
            f"There is no round or trace {plain(wanted, 80)} in the last year",
            do="`loopdesk query rounds` lists the rounds with their ids",
        )
    if len(found) > 1:
        names = listed([plain(row["id"], 80) for row in found], 4)
        raise LoopdeskError(
            f"More than one round begins with {plain(wanted, 80)}: {names}", do="Give more characters of the id"
        )
    trace_id = str(found[0]["id"])
    return _extent(trace_id, records(_ask(backend, "trace_extent", span, id=trace_id)))


def load(backend: Backend, extent: Extent, now: datetime) -> Trace:
    """The whole trace. Raises `LoopdeskError`."""
    return list(parts(backend, extent, now))[-1]


def parts(backend: Backend, extent: Extent, now: datetime) -> Iterator[Trace]:
    """The trace as far as it was read: its beginning at once, then all of it. Raises `LoopdeskError`."""
    events = Events()
    about_it: Mapping[str, object] = {}
    for place, columns in enumerate(_columns(backend, extent)):
        events.extend_columns(columns)
        if place == 0:
            about_it = _about(backend, extent, events)
            if len(events) < extent.events:
                yield _grown(backend, extent, events, now, about_it, is_whole=False)
    yield _grown(backend, extent, events, now, about_it, is_whole=True)


def _columns(backend: Backend, extent: Extent) -> Iterator[Sequence[Sequence]]:
    """The events of a trace as columns, in parts: of one answer that is read bit by bit, or of many short ones."""
    if isinstance(backend, Columnar):
        yield from backend.columns(*_asked("trace_events", extent.span, id=extent.trace_id), rows=FIRST_PAGE)
        return
    for within in pages(extent):
        result = _ask(backend, "trace_events", within, id=extent.trace_id)
        if result.is_cut:
            raise LoopdeskError(
                f"More than {result.limit:,} events of this round fall into one moment", do="Ask for them with HogQL"
            )
        if result.rows:
            yield tuple(zip(*result.rows, strict=True))


def more(backend: Backend, trace: Trace, now: datetime) -> Trace:
    """The trace with what arrived since. Raises `LoopdeskError`."""
    found = find(backend, trace.trace_id, now)
    if found.events <= PAGE:
        return load(backend, found, now)
    events = trace.tree.events
    since = min(trace.extent.span.until - FOLLOWED_AGAIN, found.span.until - _SECOND)
    since_us = _microseconds(since)
    known = {events.uuid(place) for place, at in enumerate(events.at) if at >= since_us}
    rest = Extent(found.trace_id, Span(max(found.span.since, since), found.span.until), found.events - len(events))
    before = len(events)
    for columns in _columns(backend, rest):
        events.extend([row for row in zip(*columns, strict=True) if row[0] not in known])
    now_us = _microseconds(now)
    if len(events) == before and trace.tree.is_running == is_running(trace.tree, now_us):
        return replace(trace, extent=found, asked_at=now)
    tree = grow_on(trace.tree, range(before, len(events)), now_us)
    return Trace(found, tree, account(tree), True, backend.name, now, trace.about)


def pages(extent: Extent) -> list[Span]:
    """Spans of whole seconds with about `PAGE` events each, the first one short so that it is there at once."""
    since, until = extent.span.since, extent.span.until
    whole = until - since
    if extent.events <= PAGE or whole <= 2 * _SECOND:
        return [extent.span]
    cuts = [since + _seconds(whole * FIRST_PAGE / extent.events)]
    count = -(-extent.events // PAGE)
    cuts += [since + _seconds(whole * part / count) for part in range(1, count)]
    edges = sorted({since, until, *(cut for cut in cuts if since < cut < until)})
    return [Span(*pair) for pair in pairwise(edges)]


def said(backend: Backend, trace: Trace, places: Sequence[int]) -> tuple[Said, ...]:
    """Everything that these events said but prompts and completions, in order of time. Raises `LoopdeskError`."""
    return _said(backend, trace.extent, trace.tree.events, places)


def conversations(backend: Backend, trace: Trace, told: Sequence[Said], now: datetime) -> Mapping[str, Conversation]:
    """Prompts and completions of model calls by uuid; `told` are their events. Raises `LoopdeskError` with a sentence
    that says why where there is nothing to show."""
    calls = [one for one in told if one.event.startswith("$ai_")]
    if not calls:
        return {}
    moments = [datetime.fromisoformat(one.timestamp) for one in calls]
    try:
        result = _ask(
            backend,
            "trace_payloads",
            Span(_floor(min(moments)), _floor(max(moments)) + _SECOND),
            id=str(calls[0].properties.get("$ai_trace_id") or trace.trace_id),
            uuids=[one.uuid for one in calls],
        )
    except LoopdeskError as error:
        raise LoopdeskError(
            "Prompts and completions could not be read here", error.what, error.do or "The other properties are shown"
        ) from error
    found = {row["uuid"]: conversation(row) for row in records(result)}
    found = {uuid: talk for uuid, talk in found.items() if not talk.is_empty}
    if not found:
        days = (now - max(moments)).days
        if days >= PROMPT_DAYS:
            raise LoopdeskError(
                f"Prompts are kept for {PROMPT_DAYS} days, and this call was {days:,} days ago",
                "Its tokens, cost and times are still here",
            )
        raise LoopdeskError("No prompt and no completion came with this call", "The loop may send in privacy mode")
    return found


def rounds_of_run(backend: Backend, trace: Trace) -> tuple[Round, ...]:
    """The rounds of the same run, the earliest first; only this one's run is asked for. Raises `LoopdeskError`."""
    run_id = trace.word("run_id")
    if not run_id:
        return ()
    day = timedelta(days=1)
    span = Span(trace.extent.span.since - day, trace.extent.span.until + day)
    found = rounds(_ask(backend, "rounds", span, run=run_id))
    return tuple(sorted(found.rows, key=lambda row: (row.started, row.round_id)))


def one_side(backend: Backend, trace: Trace) -> Side:
    """A round as one side of a comparison. Raises `LoopdeskError`."""
    told = said(backend, trace, about(trace.tree))
    return side(trace.tree, trace.account, [(one.event, one.properties) for one in told])


def trace_link(host: str, project_id: str, trace_id: str) -> str:
    """Where PostHog shows the trace's model calls, in a browser; without a project's number, of the one that is chosen
    there."""
    project = f"/project/{project_id}" if project_id else ""
    return f"{host.rstrip('/')}{project}/llm-analytics/traces/{quote(trace_id, safe='')}"


def _grown(
    backend: Backend, extent: Extent, events: Events, now: datetime, about_it: Mapping[str, object], *, is_whole: bool
) -> Trace:
    tree = grow(extent.trace_id, events, _microseconds(now))
    return Trace(extent, tree, account(tree), is_whole, backend.name, now, about_it)


def _about(backend: Backend, extent: Extent, events: Events) -> Mapping[str, object]:
    first = min(range(len(events)), key=events.at.__getitem__, default=None)
    found = _said(backend, extent, events, (first,)) if first is not None else ()
    return found[0].properties if found else {}


def _said(backend: Backend, extent: Extent, events: Events, places: Sequence[int]) -> tuple[Said, ...]:
    if not places:
        return ()
    moments = [_EPOCH + timedelta(microseconds=events.at[place]) for place in places]
    result = _ask(
        backend,
        "trace_properties",
        Span(_floor(min(moments)), _floor(max(moments)) + _SECOND),
        id=extent.trace_id,
        uuids=[events.uuid(place) for place in places],
    )
    return tuple(
        Said(uuid, event, timestamp, distinct_id, _object(text))
        for uuid, event, timestamp, distinct_id, text in result.rows
    )


def _object(text: object) -> Mapping[str, object]:
    try:
        found = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"properties": text}


def _extent(trace_id: str, found: Sequence[Mapping]) -> Extent:
    return Extent(trace_id, _span(found), max(row["events"] for row in found))


def _span(found: Sequence[Mapping]) -> Span:
    started = min(datetime.fromisoformat(row["started"]) for row in found)
    ended = max(datetime.fromisoformat(row["ended"]) for row in found)
    return Span(_floor(started), _floor(ended) + _SECOND)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def _floor(instant: datetime) -> datetime:
    """ClickHouse's toDateTime knows no fractions of a second."""
    return instant.replace(microsecond=0)


def _seconds(length: timedelta) -> timedelta:
    return timedelta(seconds=length // _SECOND)


def _ask(backend: Backend, name: str, span: Span, **given: object) -> QueryResult:
    return backend.query(*_asked(name, span, **given))


def _asked(name: str, span: Span, **given: object) -> tuple[str, Mapping[str, object], Mapping[str, str]]:
    """Text, values and types of a question of the catalog."""
    question = catalog.load(name)
    return question.text, question.values({"since": span.since, "until": span.until, **given}), question.types
