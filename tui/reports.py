"""The inbox as a list says it: groups, reports and blocked signals as rows. Pure; what is true is the engine's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from engine.about import About
from engine.groups import DONE, GROUPS
from engine.inbox import Inbox, InboxReport, StoredSignal
from engine.model import Command
from engine.states import SHOWN
from engine.verbs import REASONS
from queries.views.filters import Filters
from queries.views.words import counted
from tui import elsewhere, proposals
from tui.decisions import done
from tui.elsewhere import MARK, Elsewhere
from tui.words import sentence
from workspace.text import plain

BLOCKED = "Blocked"
ORDER = (*(name for name in GROUPS if name != DONE), BLOCKED, DONE)
FOR_YOU: Mapping[str, tuple[str, str]] = {
    GROUPS[0]: ("is to review", "are to review"),
    GROUPS[2]: ("needs input", "need input"),
    GROUPS[3]: ("is ready to start", "are ready to start"),
}
"""What waits for a human, with the words for one and for more."""
MEANS: Mapping[str, str] = {
    "Review and merge": "A proposal is ready: it waits for your review.",
    "In progress": "The engine is at it; nothing is asked of you.",
    "Needs input": "The engine asks you something, or could not go on.",
    "Ready to start": "Researched, and something can be done: a fix starts once you approve it.",
    "Gathering": "Not enough is known yet; each says what it lacks.",
    "Outcomes": "Merged: what it did to the metric is not seen yet.",
    BLOCKED: "Signals that the safety filter holds back. No report and no model reads them until you release them.",
    "Done": "Resolved and declined.",
}
_LEAST = "P9"
# Statuses that the name of their group does not say already.
_TELLING = ("failed", "candidate", "suppressed", "resolved")


@dataclass(frozen=True, slots=True)
class Group:
    """The line above its rows. `shown` is less than `count` where a filter leaves rows out."""

    name: str
    count: int
    is_folded: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A report's row. `refused` is a command that the engine did not take, where nothing has happened since."""

    found: InboxReport
    refused: Command | None = None

    @property
    def id(self) -> str:
        return self.found.report.id

    @property
    def group(self) -> str:
        return self.found.group

    @property
    def last_seen(self) -> datetime:
        return self.found.newest or self.found.report.created_at


@dataclass(frozen=True, slots=True)
class Stopped:
    """The row of a signal that the safety filter holds back."""

    found: StoredSignal

    @property
    def id(self) -> str:
        return self.found.id

    @property
    def group(self) -> str:
        return BLOCKED

    @property
    def last_seen(self) -> datetime:
        return self.found.signal.occurred_at


Entry = Listed | Stopped | Elsewhere
Row = Group | Entry


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the list shows. `waits` are counts of what the engine has not worked off."""

    reports: tuple[Listed, ...] = ()
    blocked: tuple[Stopped, ...] = ()
    about: About | None = None
    waits: Mapping[str, int] = field(default_factory=dict)


def read(inbox: Inbox) -> Contents:
    """Blocking. Raises `LoopdeskError`."""
    found = inbox.reports()
    refused = _refused(inbox.commands(), found)
    reports = sorted((Listed(one, refused.get(one.report.id)) for one in found), key=_urgency)
    blocked = tuple(Stopped(one) for one in inbox.blocked())
    return Contents(tuple(reports), blocked, inbox.about(), dict(inbox.counts()))


def read_again(inbox: Inbox, before: Contents | None) -> Contents | None:
    """None where nothing is different."""
    found = read(inbox)
    return None if found == before else found


def priority(row: Listed | Elsewhere) -> str:
    return row.found.report.priority if isinstance(row, Listed) else row.found.priority


def _urgency(row: Listed | Elsewhere) -> tuple[str, float]:
    return priority(row) or _LEAST, -row.last_seen.timestamp()


def _refused(commands: Sequence[Command], reports: Sequence[InboxReport]) -> dict[str, Command]:
    """By report: what was refused, where nothing has happened to the report since."""
    found: dict[str, Command] = {}
    decided: dict[str, datetime] = {}
    for command in commands:
        decided[command.report_id] = max(command.made_at, decided.get(command.report_id, command.made_at))
        if command.refused_at is not None:
            found.setdefault(command.report_id, command)
    changed = {one.report.id: one.report.changed_at for one in reports}
    return {
        id: command
        for id, command in found.items()
        if command.refused_at is not None and id in changed and command.refused_at >= max(changed[id], decided[id])
    }


def chosen(contents: Contents, filters: Filters, status: str = "", besides: Sequence[Elsewhere] = ()) -> list[Entry]:
    """What the filters leave. A blocked signal has no status, and is left out where one is asked for; PostHog's reports
    are of no project or client of ours."""
    reports = [
        row
        for row in contents.reports
        if (not status or row.found.report.status == status)
        and (not filters.project or filters.project in row.found.projects)
        and (not filters.client or filters.client in row.found.clients)
    ]
    theirs = [] if filters != Filters() else [row for row in besides if not status or row.found.status == status]
    listed: list[Listed | Elsewhere] = [*reports, *theirs]
    return [
        *sorted(listed, key=_urgency),
        *(() if status else (row for row in contents.blocked if _is_of(row, filters))),
    ]


def _is_of(row: Stopped, filters: Filters) -> bool:
    extra = row.found.signal.extra
    wanted = (("project", filters.project), ("client", filters.client))
    return all(not value or extra.get(name) == value for name, value in wanted)


def grouped(entries: Sequence[Entry], folded: frozenset[str]) -> list[Row]:
    """The rows under the names of their groups, in the engine's order; a group without any has no line."""
    by_group: dict[str, list[Entry]] = {}
    for entry in entries:
        by_group.setdefault(entry.group, []).append(entry)
    rows: list[Row] = []
    for name in ORDER:
        if name in by_group:
            rows.append(Group(name, len(by_group[name]), name in folded))
            rows += () if name in folded else by_group[name]
    return rows


def in_order(entries: Sequence[Entry]) -> list[Entry]:
    """By group, without the groups' lines."""
    places = {name: place for place, name in enumerate(ORDER)}
    return sorted(entries, key=lambda entry: places[entry.group])


def verdict(contents: Contents, besides: Sequence[Elsewhere] = ()) -> str:
    """The inbox in one sentence."""
    if not contents.reports and not contents.blocked and not besides:
        return nothing(contents)
    rows: list[Listed | Elsewhere] = [*contents.reports, *besides]
    count = {name: sum(row.group == name for row in rows) for name in GROUPS}
    for_you = [f"{count[name]} {words[count[name] > 1]}" for name, words in FOR_YOU.items() if count[name]]
    if theirs := sum(row.group in FOR_YOU for row in besides):
        for_you.append(f"{theirs} of these in PostHog")
    parts = [f"For you: {', '.join(for_you)}." if for_you else "Nothing waits for you."]
    if contents.blocked:
        parts.append(f"{counted(len(contents.blocked), 'signal')} blocked.")
    return " ".join(parts)


def nothing(contents: Contents) -> str:
    """Why there is no report, and what to do."""
    if contents.waits.get("signals_in"):
        waiting = counted(contents.waits["signals_in"], "signal")
        return f"No report yet: {waiting} wait for the engine. `loopdesk engine run` starts it."
    if contents.about is None:
        return (
            "No engine has run in this workspace yet, so there is nothing to decide. `loopdesk engine run` starts "
            "one now; `loopdesk service install` has one run every night."
        )
    return (
        "No report: the engine has found nothing that somebody should look at. It listens to "
        f"{counted(sum(one.is_on for one in contents.about.sources), 'source')}; "
        "`loopdesk signal add` hands it something by hand."
    )


def waiting_words(command: Command, clock_time: Callable[[datetime], str]) -> str:
    """`Declined; can be undone until 07:31:12`."""
    words = sentence(done(command.verb, command.arguments))[:-1]
    return f"{words}; can be undone until {clock_time(command.apply_after)}"


def why(row: Entry, clock_time: Callable[..., str]) -> str:
    """A few words: what was just decided, what was refused, else what holds it, what it asks, or what it lacks."""
    if isinstance(row, Stopped):
        return stopped_words(row.found)
    if isinstance(row, Elsewhere):
        return elsewhere.why(row)
    report = row.found.report
    if row.found.waiting:
        return waiting_words(row.found.waiting[-1], partial(clock_time, seconds=True))
    if row.refused is not None:
        verb = done(row.refused.verb, row.refused.arguments)
        return f"Refused ({verb}): {plain(row.refused.said, 300)}"
    proposal = row.found.proposal
    if proposal is not None and proposals.speaks_for(report, proposal):
        return sentence(proposals.sentence(proposal, clock_time))[:-1]
    said = row.found.why
    if report.status == "suppressed" and report.declined_for in REASONS:
        said = REASONS[report.declined_for]
    if report.status in _TELLING:
        return f"{SHOWN[report.status]}: {said}" if said else SHOWN[report.status]
    return said


def proposal_tone(row: Entry) -> str:
    """How loud its proposal is, where that is how the report stands: good, bad, warn or text."""
    if not isinstance(row, Listed) or row.found.waiting:
        return "text"
    proposal = row.found.proposal
    speaks = proposal is not None and proposals.speaks_for(row.found.report, proposal)
    return proposals.tone(proposal) if proposal is not None and speaks else "text"


def stopped_words(found: StoredSignal) -> str:
    """`Instruction override: “ignore all previous …”`, or why nothing could be said about it."""
    if found.safety == "held":
        return f"Held: {plain(found.why, 300) or 'nobody could judge it yet'}"
    threat = sentence(plain(found.threat, 60).replace("_", " ") or "blocked")[:-1]
    return f"{threat}: “{plain(found.quote, 200)}”" if found.quote else f"{threat}: {plain(found.why, 200)}"


def title(row: Entry) -> str:
    if isinstance(row, Elsewhere):
        return f"{MARK}{row.found.title}"
    return row.found.title if isinstance(row, Listed) else plain(row.found.signal.title, 200) or "(no title)"
