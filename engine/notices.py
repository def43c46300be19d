"""What deserves to be told, and in which words. Pure: (what the store holds, now) -> notices.

A subject is told once: a condition of a loop once a night, a report once for every way of waiting for you, a budget
once a night. What happened longer than a day ago is no news; the inbox has it.

What leaves the machine is a title and counts, without clients, distinct ids and secrets. With `details` the findings
and clients come along.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.model import Report, Signal
from engine.sources.facts import night_of
from observability.posthog_client import Redactor
from queries.views.words import counted
from workspace.text import plain, plain_lines

NEWS = timedelta(days=1)
URGENT = ("P0", "P1")
WAITS = {"ready": "is ready to start", "pending_input": "needs your input"}
# Source of a signal -> the notice's kind, and what is said of the loop.
TOLD: Mapping[str, tuple[str, str]] = {
    "loops/eval_regressions": ("eval_regression", "dimensions regressed"),
    "loops/bad_stops": ("bad_stop", "a run ended by a crash or a kill switch"),
    "loopdesk/outcome": ("regressed_fix", "a merged fix did not help"),
}
_COUNTS = (("rounds_hit", "round"), ("stops", "stop"), ("rounds_without_end", "round without an end"))
_MOST_TITLE, _MOST_BODY, _MOST_LISTED = 140, 2_000, 12


@dataclass(frozen=True, slots=True)
class Held:
    """Work waits because a budget is reached: the night's, or that of `report_id`."""

    at: datetime
    report_id: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the store holds that may deserve a notice. `reports` wait for a human since the instant beside them."""

    signals: Sequence[Signal] = ()
    reports: Sequence[tuple[Report, datetime]] = ()
    held: Sequence[Held] = ()


@dataclass(frozen=True, slots=True)
class Names:
    """What must stay at home: the loops' clients, and the projects that distinct ids begin with."""

    clients: Collection[str] = ()
    projects: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """`subject` is what it is told about, once; `body` may be empty. Both texts are printable."""

    subject: str
    kind: str
    title: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: one line, then lines. `id` is the same for the same notices."""

    title: str
    body: str
    subjects: Sequence[str]
    kinds: Sequence[str]


@dataclass(frozen=True, slots=True)
class Quiet:
    """Local hours in which nothing is sent; `start` may be later than `end`, over midnight."""

    start: time
    end: time

    def until(self, now: datetime, zone: str) -> datetime | None:
        """When the present quiet hours end; None outside of them."""
        local = now.astimezone(ZoneInfo(zone))
        clock = local.time()
        is_over_midnight = self.start > self.end
        is_evening = clock >= self.start
        if not ((is_evening or clock < self.end) if is_over_midnight else (is_evening and clock < self.end)):
            return None
        day = local.date() + timedelta(days=is_over_midnight and is_evening)
        # An hour that the clocks skip or repeat must not end before now.
        return max(_instant(day, self.end, zone), now.astimezone(UTC))


def _instant(day: date, clock: time, zone: str) -> datetime:
    return datetime.combine(day, clock, ZoneInfo(zone)).astimezone(UTC)


def news(facts: Facts, now: datetime, zone: str, night_starts_hour: int) -> dict[str, Signal | Report | Held]:
    """By subject, in the order in which they should be read: budget, reports, conditions of loops."""
    since = now - NEWS
    found: dict[str, Signal | Report | Held] = {}
    for held in facts.held:
        scope = f"report:{held.report_id}" if held.report_id else "night"
        found.setdefault(f"budget:{scope}:{night_of(held.at, zone, night_starts_hour)}", held)
    for report, waits_since in facts.reports:
        if report.priority in URGENT and report.status in WAITS and not report.is_snoozed and waits_since >= since:
            found[f"report:{report.id}:{report.status}"] = report
    for signal in facts.signals:
        # An outcome that weighs nothing is good news, or none.
        if _source(signal) in TOLD and signal.weight and signal.occurred_at >= since:
            night = night_of(signal.occurred_at, zone, night_starts_hour)
            found[f"{signal.source_type}:{signal.id}:{night}"] = signal
    return found


def notice(subject: str, about: Signal | Report | Held, names: Names, *, details: bool) -> Notice:
    if isinstance(about, Held):
        whose = "A report's budget" if about.report_id else "The night's budget"
        return Notice(subject, "budget", f"{whose} is reached; what needs a model is held")
    if isinstance(about, Report):
        return _about_report(subject, about, names, details=details)
    return _about_signal(subject, about, names, details=details)


def message(notices: Sequence[Notice]) -> Message:
    """One notice as it is; several as a summary that lists them."""
    subjects, kinds = [one.subject for one in notices], list(dict.fromkeys(one.kind for one in notices))
    if len(notices) == 1:
        return Message(notices[0].title, notices[0].body, subjects, kinds)
    listed = [f"- {one.title}{f' ({first})' if (first := one.body.partition(chr(10))[0]) else ''}" for one in notices]
    rest = len(listed) - _MOST_LISTED
    lines = [*listed[:_MOST_LISTED], *([f"- and {rest} more"] if rest > 0 else [])]
    return Message(f"{len(notices)} things need a look", "\n".join(lines)[:_MOST_BODY], subjects, kinds)


def _about_report(subject: str, report: Report, names: Names, *, details: bool) -> Notice:
    title = redacted(report.title, names, details=details) or "(no title)"
    lines = [counted(report.signals, "signal")]
    if details:
        lines += _lines(report.question if report.status == "pending_input" else report.summary)
    said = f"{report.priority} {WAITS[report.status]}: {title}"
    return Notice(subject, "report", plain(said, _MOST_TITLE), "\n".join(lines)[:_MOST_BODY])


def _about_signal(subject: str, signal: Signal, names: Names, *, details: bool) -> Notice:
    kind, said = TOLD[_source(signal)]
    project = redacted(str(signal.extra.get("project", "")) or "a loop", names, details=details)
    counts = [counted(number, name) for key, name in _COUNTS if (number := _count(signal, key)) > 0]
    lines = [", ".join(counts)] if counts else []
    if details:
        lines += _lines(signal.content)
    return Notice(subject, kind, plain(f"{plain(project, 60)}: {said}", _MOST_TITLE), "\n".join(lines)[:_MOST_BODY])


def redacted(text: str, names: Names, *, details: bool) -> str:
    """One printable line. Secrets go whatever the owner wants to read."""
    line = Redactor().text(plain(text))
    if details:
        return line
    for project in _longest_first(names.projects):
        line = re.sub(rf"(?<!\w){re.escape(project)}:[^\s:]+:[^\s,;]+", "[id]", line)
    for client in _longest_first(names.clients):
        line = re.sub(rf"(?<!\w){re.escape(client)}(?!\w)", "[client]", line, flags=re.IGNORECASE)
    return line


def _longest_first(names: Collection[str]) -> list[str]:
    return sorted({name for each in names if (name := plain(each))}, key=lambda name: (-len(name), name))


def _lines(text: str) -> list[str]:
    return [Redactor().text(line) for line in plain_lines(text) if line.strip()]


def _count(signal: Signal, key: str) -> int:
    numbers = signal.extra.get("numbers")
    number = numbers.get(key) if isinstance(numbers, Mapping) else None
    return number if type(number) is int else 0


def _source(signal: Signal) -> str:
    return f"{signal.source_product}/{signal.source_type}"
