"""Reports of PostHog's own inbox as rows and pages of the desk's. Pure; what is true of them is PostHog's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.groups import DONE, GATHERING, IN_PROGRESS, NEEDS_INPUT, READY
from engine.states import SHOWN
from engine.verbs import REASONS
from queries.views.trace.detail import Line
from queries.views.words import counted
from workspace.text import plain

if TYPE_CHECKING:  # it brings the HTTP client along, which no first paint waits for
    from queries.posthog_inbox import PostHogReport

MARK = "PostHog: "
"""Begins the title, so that no narrow column cuts it off."""
_GROUPS: Mapping[str, str] = {
    "potential": GATHERING,
    "candidate": GATHERING,
    "in_progress": IN_PROGRESS,
    "pending_input": NEEDS_INPUT,
    "failed": NEEDS_INPUT,
    "ready": READY,
    "resolved": DONE,
    "suppressed": DONE,
    "deleted": DONE,
}
_NEVER = datetime.fromtimestamp(0, UTC)
_WORDS = {"decline": "declined", "resolve": "resolved", "snooze": "snoozed", "reopen": "reopened"}
_TELLING = ("candidate", "failed", "suppressed", "resolved")  # what the name of the group does not say


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The row of a report that is PostHog's. `sent` is what was decided here and is not read back from there yet."""

    found: PostHogReport
    sent: str = ""

    @property
    def id(self) -> str:
        return self.found.id

    @property
    def group(self) -> str:
        """A status that we do not know asks nothing of anybody."""
        return _GROUPS.get(self.found.status, GATHERING)

    @property
    def last_seen(self) -> datetime:
        return self.found.updated_at or self.found.created_at or _NEVER

    @property
    def is_dated(self) -> bool:
        return self.last_seen is not _NEVER


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is sent to PostHog, about one report or several: decline, resolve, snooze or reopen."""

    verb: str
    reports: tuple[Elsewhere, ...]
    reason: str = ""
    note: str = ""
    signals: int = 0
    """Snoozed until so many more came; PostHog snoozes by no clock."""

    @property
    def words(self) -> str:
        """`snoozed until 3 more signals`"""
        until = f" until {counted(self.signals, 'more signal')}" if self.verb == "snooze" else ""
        return f"{_WORDS[self.verb]}{until}"

    @property
    def what(self) -> str:
        """As the journal calls it."""
        why = f": {REASONS[self.reason]}" if self.reason else ""
        return f"{self.words} {named(self.reports, 70)} in PostHog{why}"


def named(rows: tuple[Elsewhere, ...], longest: int) -> str:
    return f"“{plain(rows[0].found.title, longest)}”" if len(rows) == 1 else counted(len(rows), "report")


def why(row: Elsewhere) -> str:
    """A few words: what was just sent, else how it stands and what it is about."""
    if row.sent:
        return f"Sent: {row.sent}"
    said = plain(row.found.summary, 300)
    status = status_words(row)
    if row.found.status in _TELLING or row.found.status not in _GROUPS:
        return f"{status}: {said}" if said else status
    return said


def status_words(row: Elsewhere) -> str:
    return SHOWN.get(row.found.status, "A status that loopdesk does not know")


def lines(row: Elsewhere, clock: Callable[[datetime], str], key: Callable[[str], str]) -> Iterator[Line]:
    """All that is known of it. `key` gives the key of a verb, empty where this desk does not have it."""
    found = row.found
    yield Line("heading", found.title)
    told = ("PostHog's own", found.priority, status_words(row), counted(found.signals, "signal"))
    yield Line("dim", "  ".join(part for part in told if part))
    if row.sent:
        yield Line("name", f"{row.sent[0].upper()}{row.sent[1:]}: sent to PostHog, and not read back yet.")
    yield Line("text", "")
    yield Line("heading", "Summary")
    for line in found.summary.splitlines() or ["PostHog has written none yet."]:
        yield Line("text", line)
    yield Line("text", "")
    times = (("Updated", found.updated_at), ("created", found.created_at))
    if dated := ", ".join(f"{word} {clock(at)}" for word, at in times if at):
        yield Line("dim", f"{dated[0].upper()}{dated[1:]}.")
    yield Line("dim", found.url)
    yield Line("text", "")
    verbs = {"inbox-decline": "declines", "inbox-resolve": "resolves", "inbox-snooze": "snoozes"}
    keys = [f"{key(name)} {word}" for name, word in verbs.items() if key(name)]
    there = f" Here {', '.join(keys)} it there." if keys else ""
    yield Line("text", f"This report is PostHog's.{there} {key('inbox-link')} copies its link.")
