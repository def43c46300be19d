"""The inbox as a person reads it: a list in its groups, and one report in full."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size

from engine import verbs
from engine.groups import DONE
from engine.inbox import InboxReport, ReportDetail, StoredSignal
from engine.model import Artefact, Command, aged
from engine.promotion import promotion
from engine.states import SHOWN
from queries.views.words import counted, listed
from tui import proposals, proposaltab
from tui.commands.inbox_deciding import state
from tui.commands.inbox_listing import Listing, status
from tui.commands.inbox_naming import end, observed
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

_MOST_DONE = 10  # of a list that nothing is asked of any more
_MOST_HELD = 20
_MOST_IDS = 3  # of the rounds and traces behind a signal; JSON has them all
_INDENT = "  "
_WIDEST = 100  # longer lines of prose are hard to read


def listing(found: Listing, now: datetime, zone: ZoneInfo, width: int, *, is_whole: bool) -> list[str]:
    """`is_whole` False: of what is done only the newest are shown."""
    lines: list[str] = []
    for name, members in found.groups:
        most = len(members) if is_whole or name != DONE else _MOST_DONE
        lines += ["", f"{name} ({len(members)})"]
        for one in members[:most]:
            lines += _row(one, found.refused.get(one.report.id), found.end, now, zone, width)
        if len(members) > most:
            lines.append(f"{_INDENT}... and {len(members) - most} more: loopdesk inbox list --group {name.lower()}")
    if found.held:
        # While a model cannot be had all that comes is held; only what is blocked waits for a person.
        shown = sorted(found.held, key=lambda one: one.safety != "blocked")[:_MOST_HELD]
        length = end([one.id for one in found.held])
        lines += ["", f"Held back by the safety filter ({len(found.held)})"]
        lines += [line for one in shown for line in _held(one, length, width)]
        if len(shown) < len(found.held):
            lines.append(f"{_INDENT}... and {len(found.held) - len(shown):,} more: loopdesk inbox list --json")
    if "" in found.refused:
        lines += ["", _cut(_refusal(found.refused[""], zone), width)]
    return lines[1:]


def detail(found: ReportDetail, now: datetime, zone: ZoneInfo, width: int) -> list[str]:
    wide = min(width, _WIDEST)
    lines = [*_wrapped(found.listed.title, wide, ""), *_head(found, now, zone, wide)]
    report = found.listed.report
    for title, text in (("Summary", report.summary), ("Question", report.question)):
        if text.strip():
            lines += ["", title, *_paragraphs(text, wide)]
    lines += _proposal(found, zone, wide)
    signals = observed(found)
    lines += ["", f"Signals ({len(signals)})"]
    length = end([one.id for one in signals])
    for one in signals:
        lines += _signal(one, length, now, zone, wide)
    judged = [one for one in found.artefacts if one.kind in _JUDGED]
    if judged:
        lines += ["", "Judged", *(line for one in judged for line in _artefact(one, zone, wide))]
    findings = [one for one in found.artefacts if one.kind == "finding"]
    if findings:
        lines += ["", "Evidence", *(line for one in findings for line in _finding(one, zone, wide))]
    return [*lines, "", "History", *_history(found, zone, wide)]


def age(since: timedelta) -> str:
    """`3 m`, `5 h`, `2 d`: the largest unit that fits."""
    seconds = max(0, since // timedelta(seconds=1))
    for unit, size in (("d", 86_400), ("h", 3_600)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds // 60} m"


_JUDGED = ("judgement", "safety_blocked")
_COMMAND = 8  # characters of its end that tell a command from all others
_LONGEST_STATUS = len("Needs input")


def _row(
    one: InboxReport, refused: Command | None, length: int, now: datetime, zone: ZoneInfo, width: int
) -> Iterator[str]:
    report = one.report
    signals, old = counted(report.signals, "signal"), age(now - report.created_at)
    columns = (
        f"{report.id[-length:]}  {report.priority or '–':2}  {status(one):{_LONGEST_STATUS}}  {signals:>10}  {old:>5}"
    )
    yield _cut(f"{_INDENT}{columns}  {one.title}", width)
    under = _INDENT * 2
    if why := _why(one, zone):
        yield from _wrapped(why, min(width, _WIDEST), under)
    for command in one.waiting:
        yield from _wrapped(_waiting(command, now, zone), min(width, _WIDEST), under)
    if refused is not None:
        yield from _wrapped(_refusal(refused, zone), min(width, _WIDEST), under)


def _why(one: InboxReport, zone: ZoneInfo) -> str:
    """How its proposal stands, where that is how the report stands; an outcome has a sentence of its own."""
    proposal = one.proposal
    if proposal is None or not proposals.speaks_for(one.report, proposal) or proposal.state == "merged":
        return one.why
    said = proposals.sentence(proposal, _clock(zone))
    return f"{said[:1].upper()}{said[1:]}"


def _clock(zone: ZoneInfo) -> Callable[..., str]:
    def clock(at: datetime, *, seconds: bool = False) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}" if seconds else _at(at, zone)

    return clock


def _held(one: StoredSignal, length: int, width: int) -> Iterator[str]:
    kind = one.threat.replace("_", " ") or one.safety
    yield _cut(f"{_INDENT}{one.id[-length:]}  {plain(kind, 30)}  {plain(one.signal.title, 200)}", width)
    said = f"“{plain(one.quote, 200)}” {plain(one.why, 200)}" if one.quote else plain(one.why, 200)
    if said:
        yield from _wrapped(said, min(width, _WIDEST), _INDENT * 2)


def _head(found: ReportDetail, now: datetime, zone: ZoneInfo, width: int) -> Iterator[str]:
    one = found.listed
    report = one.report
    words = [status(one), one.group, report.priority, report.actionability.replace("_", " ")]
    yield f"{report.id}  {', '.join(dict.fromkeys(word for word in words if word))}"
    yield f"since {_at(report.created_at, zone)}, changed {_at(report.changed_at, zone)}, version {report.version}"
    if report.recurrence_of:
        yield f"It came again after {report.recurrence_of} was resolved."
    if report.joined_into:
        yield f"It was joined into {report.joined_into}."
    if one.proposal is not None:
        proposal = one.proposal
        number = f" #{proposal.number}" if proposal.number else ""
        yield f"Proposal{number}: {proposals.state(proposal)} {plain(proposal.url, 200)}".rstrip()
    is_question = one.why == plain(report.question, 400)  # which has a place of its own
    waits = ["" if is_question else one.why, promotion(report).why if report.status in ("potential", "ready") else ""]
    for said in dict.fromkeys(word for word in waits if word):
        yield from _wrapped(said, width, "")
    for command in one.waiting:
        yield from _wrapped(_waiting(command, now, zone), width, "")


_DOES: Mapping[str, str] = {
    "inbox-approve": "inbox approve",
    "inbox-diff": "inbox diff",
    "inbox-changes": "inbox request-changes",
    "inbox-stop": "inbox stop",
    "inbox-context": "inbox context",
    "inbox-decline": "inbox decline",
    "inbox-revert": "inbox revert",
    "inbox-acknowledge": "inbox acknowledge",
    "inbox-link": "inbox show",
}
"""What a key of the desk is here."""


def _proposal(found: ReportDetail, zone: ZoneInfo, width: int) -> Iterator[str]:
    proposal = found.listed.proposal
    if proposal is None:
        return
    yield from ("", "Proposal")
    report, does = found.listed.report, lambda verb: f"`{_DOES.get(verb, verb)}`"
    for line in proposaltab.lines(report, proposal, found.artefacts, found.cost_usd, _clock(zone), does):
        blank = len(line.text) - len(line.text.lstrip())
        yield from _wrapped(line.text, width, _INDENT + " " * blank) if line.text.strip() else [""]


def _signal(one: StoredSignal, length: int, now: datetime, zone: ZoneInfo, width: int) -> Iterator[str]:
    signal = one.signal
    worth = aged(signal.weight, now - signal.occurred_at)
    kind = plain(f"{signal.source_product}/{signal.source_type}", 40)
    yield f"{_INDENT}{one.id[-length:]}  {_at(signal.occurred_at, zone)}  weighs {worth:.2f}  {kind}"
    for line in plain_lines(signal.content):
        yield from _wrapped(line, width, _INDENT * 2)
    if one.reason:
        yield from _wrapped(f"why here: {one.reason}", width, _INDENT * 2)
    if one.safety not in ("", "passed"):
        yield from _wrapped(f"safety: {one.safety} {one.threat.replace('_', ' ')} {one.why}", width, _INDENT * 2)
    for name, value in signal.extra.items():
        said = _ids(value) if name.endswith("_ids") and isinstance(value, list | tuple) else _value(value)
        yield from _wrapped(f"{plain(name, 40)}: {said}", width, _INDENT * 2)


def _ids(ids: Sequence[object]) -> str:
    return listed([_value(id) for id in ids], _MOST_IDS + 1)


def _artefact(one: Artefact, zone: ZoneInfo, width: int) -> Iterator[str]:
    yield f"{_INDENT}{_at(one.at, zone)}  {plain(one.kind, 40)}, by {plain(one.actor, 40)}"
    for name, value in one.content.items():
        if value not in ("", None, [], {}):
            yield from _wrapped(f"{plain(name, 40).replace('_', ' ')}: {_value(value)}", width, _INDENT * 2)


def _finding(one: Artefact, zone: ZoneInfo, width: int) -> Iterator[str]:
    """What was measured, in a sentence, and what was asked for it."""
    content = one.content
    yield from _wrapped(f"{_at(one.at, zone)}  {_value(content.get('said', ''))}", width, _INDENT)
    if content.get("question"):
        given = f", {_value(content['parameters'])}" if content.get("parameters") else ""
        yield from _wrapped(f"asked: {_value(content['question'])}{given}", width, _INDENT * 2)


def _history(found: ReportDetail, zone: ZoneInfo, width: int) -> Iterator[str]:
    report = found.listed.report
    told = [(report.created_at, "engine: opened")]
    for line in found.log:
        noun = "" if line.noun == "report" else f"{line.noun} "
        before, after = (SHOWN.get(each, each) if line.noun == "report" else each for each in (line.before, line.after))
        change = f"{before} -> {after}".replace("_", " ")
        told.append((line.at, f"{line.actor}: {noun}{change}, {line.reason}"))
    for command in found.commands:
        note = f" “{command.arguments['note']}”" if command.arguments.get("note") else ""
        outcome = f"{state(command)}. {command.said}" if command.said else state(command)
        told.append((command.made_at, f"{command.actor}: {_said(command, zone)}{note}: {outcome}"))
    known = {command.id for command in found.commands}
    for artefact in found.artefacts:
        # What came of a decision about another report, such as one that joined this one.
        by = artefact.content.get("command")
        if by is not None and by not in known:
            told.append(
                (artefact.at, f"{artefact.actor}: {artefact.kind}: {_value(artefact.content.get('report', ''))}")
            )
    for at, said in sorted(told, key=lambda each: each[0]):
        yield from _wrapped(f"{_at(at, zone)}  {plain(said)}", width, _INDENT)


def _said(command: Command, zone: ZoneInfo) -> str:
    """The verb with what tells it apart: `decline (wontfix intentional)`."""
    given: Mapping[str, object] = command.arguments
    about = str(given.get("expect") or given.get("reason") or given.get("until") or given.get("into") or "")
    if "until" in given:
        with suppress(LoopdeskError):
            about = f"until {_at(verbs.instant(given['until']), zone)}"
    return f"{command.verb} ({plain(about, 60).replace('_', ' ')})" if about else command.verb


def _waiting(command: Command, now: datetime, zone: ZoneInfo) -> str:
    is_due = command.apply_after <= now
    when = "waits for an engine" if is_due else f"applies after {command.apply_after.astimezone(zone):%H:%M:%S}"
    return f"decided: {_said(command, zone)}, {when}; loopdesk inbox undo {command.id[-_COMMAND:]}"


def _refusal(command: Command, zone: ZoneInfo) -> str:
    return f"refused: {_said(command, zone)}: {plain(command.said, 300)}"


def _value(value: object) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str), 2_000)


def _at(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


def _paragraphs(text: str, width: int) -> Iterable[str]:
    for line in plain_lines(text):
        yield from _wrapped(line, width, _INDENT) if line.strip() else [""]


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        plain(text), max(width, 20), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + "…"
