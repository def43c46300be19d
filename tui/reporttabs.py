"""All that is known of one report, as lines to read in tabs: four, and one for its proposal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.inbox import Inbox, ReportDetail, StoredSignal
from engine.model import Artefact, Command, Note, Transition
from engine.promotion import PROMOTES, promotion
from engine.states import SHOWN
from engine.verbs import REASONS
from queries.views.trace.detail import Line
from queries.views.words import counted, money
from tui import proposals, proposaltab
from tui.decisions import done
from tui.reports import Listed, Stopped, stopped_words, title, waiting_words
from tui.words import sentence
from workspace.text import plain, plain_lines

SUMMARY, PROPOSAL, WHY, SIGNALS, HISTORY = ALL_TABS = ("Summary", "Proposal", "Why", "Signals", "History")
_MOST = 4_000  # characters of one text
_MOST_LINES = 60  # of one text
_ACTIONABILITY = {
    "immediately_actionable": "can be acted on at once",
    "requires_human_input": "needs an answer of yours",
    "not_actionable": "nothing to be done",
}
_SAFETY = {
    "waiting": "not judged yet",
    "passed": "",
    "blocked": "blocked by the safety filter",
    "held": "held: nobody could judge it yet",
    "released": "released by hand",
}
# What a card says in other words, or is only for the engine.
_NOT_EVIDENCE = ("project", "client", "round_ids", "trace_ids", "numbers", "metric", "report", "url")
_ENDED = ("applied", "failed", "cancelled")
"""Of a job's states those that say what became of it."""
Clock = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Known:
    """A report with what was learned from it."""

    detail: ReportDetail
    notes: tuple[Note, ...] = ()

    @property
    def signals(self) -> tuple[StoredSignal, ...]:
        """Without what the desk and the command line decided about it, which the engine keeps as signals too."""
        return tuple(one for one in self.detail.signals if not one.signal.is_own_word)

    @property
    def is_blocked(self) -> bool:
        """Whether its safety check ended the last pass: releasing it is for a human."""
        return self.detail.listed.report.status == "failed" and "safety_blocked" in {
            one.kind for one in self.detail.artefacts
        }

    def newest(self, kind: str) -> Artefact | None:
        return next((one for one in reversed(self.detail.artefacts) if one.kind == kind), None)


def read(inbox: Inbox, report_id: str) -> Known | None:
    """Blocking. Raises `LoopdeskError`."""
    detail = inbox.report(report_id)
    if detail is None:
        return None
    return Known(detail, tuple(note for note in inbox.notes() if note.report_id == report_id))


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of a tab; `cards` are the places of the lines that a cursor stops at, each with what it is about."""

    lines: tuple[Line, ...]
    cards: tuple[tuple[int, StoredSignal], ...] = ()


def tabs_of(row: object) -> tuple[str, ...]:
    """The tabs that a report has."""
    has_one = isinstance(row, Listed) and row.found.proposal is not None
    return ALL_TABS if has_one else tuple(tab for tab in ALL_TABS if tab != PROPOSAL)


def shown_tab(tab: str, row: object) -> str:
    """The one that was turned to, where the report has it."""
    return tab if tab in tabs_of(row) else SUMMARY


def page(tab: str, row: Listed, known: Known | None, clock: Clock, key: Callable[[str], str]) -> Page:
    """`key` gives the key of a verb, as people read it. `known` None is a report that is still being read."""
    if tab == SIGNALS:
        return _signals(known, clock) if known else Page((Line("dim", "Reading…"),))
    if tab == WHY:
        return Page(tuple(_why(row, known, clock)))
    if tab == PROPOSAL and (proposal := row.found.proposal) is not None:
        told, cost_usd = (known.detail.artefacts, known.detail.cost_usd) if known else ((), 0.0)
        return Page(tuple(proposaltab.lines(row.found.report, proposal, told, cost_usd, clock, key)))
    if tab == HISTORY:
        return Page(tuple(_history(known, clock)) if known else (Line("dim", "Reading…"),))
    return Page(tuple(_summary(row, known, clock, key)))


def stopped_page(row: Stopped, clock: Clock, key: Callable[[str], str]) -> Page:
    """A blocked signal: what stopped it, then what it says."""
    found = row.found
    lines = [
        Line("heading", title(row)),
        Line("bad", stopped_words(found)),
        *_paragraph(found.why if found.quote else ""),
        Line("text", ""),
        Line("text", f"No model and no report reads it. {key('inbox-release')} releases it, if it is harmless."),
        Line("text", ""),
        *_signal(found, clock),
    ]
    return Page(tuple(lines))


def _summary(row: Listed, known: Known | None, clock: Clock, key: Callable[[str], str]) -> Iterator[Line]:
    report = row.found.report
    yield Line("heading", row.found.title)
    whose = ", ".join(plain(name, 60) for name in row.found.projects)
    yield Line(
        "dim",
        "  ".join(
            part for part in (report.priority, row.found.status, counted(report.signals, "signal"), whose) if part
        ),
    )
    for command in row.found.waiting:
        yield Line("name", f"{waiting_words(command, lambda at: clock(at, seconds=True))}.")
    if row.refused is not None:
        verb = done(row.refused.verb, row.refused.arguments)
        yield Line("bad", f"Refused ({verb}): {plain(row.refused.said, _MOST)}")
    if report.question:
        is_asked = report.status == "pending_input"
        yield from _block("It asks" if is_asked else "What went wrong", report.question)
    yield from _block("Note", " ".join(part for part in (report.hold, report.note) if part))
    yield from _block("Outcome", row.found.outcome)
    yield from _block("Summary", report.summary)
    if not report.summary and known is not None:
        yield from _block("Summary", "Nothing was researched yet. Its signals say:")
        for one in known.signals[:5]:
            yield Line("text", f"  {plain(one.signal.title, 200)}")
    yield from _judged(row, known)
    if known is not None:
        yield Line("text", "")
        spent = money(known.detail.cost_usd) if known.detail.cost_usd else "nothing"
        yield Line("text", f"Cost so far: {spent}. {_passes(row)}")
    if (proposal := row.found.proposal) is not None:
        parts = (sentence(proposals.state(proposal))[:-1], proposals.standing(proposal), proposals.size(proposal))
        yield from _block("Proposal", "  ".join(part for part in parts if part))
    yield from _block("Next", next_step(row, known, clock, key))


def _judged(row: Listed, known: Known | None) -> Iterator[Line]:
    report = row.found.report
    judgement = known.newest("judgement") if known else None
    said: Mapping[str, object] = judgement.content if judgement else {}
    reasons = [
        (report.priority, f"{report.priority}: ", said.get("priority_reason")),
        (
            report.actionability,
            f"{sentence(_ACTIONABILITY.get(report.actionability, report.actionability))[:-1]}: ",
            said.get("reason"),
        ),
    ]
    if any(given for given, _, _ in reasons):
        yield Line("text", "")
    for given, words, reason in reasons:
        if given:
            yield Line("text", f"{words}{plain(reason or 'no reason was given', _MOST)}")
    if said.get("already_addressed"):
        yield Line("text", "Somebody seems to have it in hand already.")
    for words, name in (("Cause: ", "root_cause"), ("", "code")):
        if told := said.get(name):
            yield Line("text", f"{words}{plain(told, _MOST)}")


def _passes(row: Listed) -> str:
    runs = row.found.report.runs
    return f"Researched {counted(runs, 'time')}." if runs else "Not researched yet."


def next_step(row: Listed, known: Known | None, clock: Clock, key: Callable[[str], str]) -> str:
    """What would happen next, and what a human can do about it."""
    report, proposal = row.found.report, row.found.proposal
    if report.is_snoozed:
        return row.found.why
    if proposal is not None and proposals.speaks_for(report, proposal):
        return proposaltab.next_words(report, proposal, key, clock)
    if known is not None and known.is_blocked:
        return f"{key('inbox-release')} releases it, and it is researched; {key('inbox-decline')} declines it."
    if report.status == "ready":
        if report.start_approved_by:
            return "Its start is approved: the engine takes it up."
        return f"{key('inbox-approve')} starts the fix, which waits here for your yes before anything is merged."
    return {
        "pending_input": f"{key('inbox-context')} answers, and it is researched again.",
        "failed": f"{key('inbox-research')} has it researched again; {key('inbox-context')} adds what would help.",
        "potential": f"It waits for more. {key('inbox-research')} has it researched at once.",
        "candidate": "Its research is queued; the engine takes it up.",
        "in_progress": "The engine researches it.",
        "suppressed": "Nothing: it was declined, and takes in what belongs to it.",
        "resolved": "Nothing: if it comes again, it opens a report of its own.",
    }.get(report.status, "")


def _why(row: Listed, known: Known | None, clock: Clock) -> Iterator[Line]:
    report = row.found.report
    yield Line("heading", f"Why it is in “{row.found.group}”")
    moved = [one for one in known.detail.log if one.noun == "report" and one.subject == report.id] if known else []
    if moved:
        yield Line("text", f"{row.found.status} since {clock(moved[-1].at)}: {plain(moved[-1].reason, _MOST)}")
    else:
        yield Line("text", f"{row.found.status} since {clock(report.created_at)}, when its first signal came.")
    if row.found.why:
        yield from _paragraph(row.found.why)
    if report.recurrence_of:
        yield Line("text", f"It comes again: report {plain(report.recurrence_of, 40)} was resolved before.")
    yield from _judged(row, known)
    yield Line("text", "")
    yield Line("heading", "Why not yet" if report.status in PROMOTES else "Gates")
    gate = promotion(report)
    yield Line("text", gate.why or "Nothing holds it: its next pass is due.")
    yield Line("dim", f"Weight {report.weight:.2f}, {counted(report.signals, 'signal')}, {report.passes} of 4 passes.")
    for kind, words in (("safety_blocked", "Its safety check stopped a pass"), ("safety_released", "Released by hand")):
        artefact = known.newest(kind) if known else None
        if artefact:
            quote = plain(artefact.content.get("quote", ""), _MOST)
            yield Line("bad", f"{words}, {clock(artefact.at)}{f': “{quote}”' if quote else '.'}")
    if known is None:
        return
    yield Line("text", "")
    yield Line("heading", "Why each signal is in it")
    for one in known.signals:
        yield Line("name", plain(one.signal.title, 300))
        marks = [plain(one.reason, _MOST) or "no reason was kept", _SAFETY.get(one.safety, one.safety)]
        yield Line("text", f"  {'; '.join(mark for mark in marks if mark)}")
    findings = [one for one in known.detail.artefacts if one.kind == "finding"]
    if findings:
        yield Line("text", "")
        yield Line("heading", "What research found")
    for finding in findings:
        yield Line("text", f"  {plain(finding.content.get('said') or _brief(finding.content), _MOST)}")
        places = finding.content.get("places")
        for place in places if isinstance(places, list) else ():
            yield Line("dim", f"    {_place(place)}")


def _place(place: Mapping[str, object]) -> str:
    """Where an agent saw it: a line of the code, a commit, or what it asked."""
    line = f":{place['line']}" if place.get("line") else ""
    return f"{plain(place.get('where'), 200)}{line}  {plain(place.get('said'), 300)}"


def _signals(known: Known, clock: Clock) -> Page:
    lines: list[Line] = []
    cards: list[tuple[int, StoredSignal]] = []
    for one in known.signals:
        if lines:
            lines.append(Line("text", ""))
        cards.append((len(lines), one))
        lines.append(Line("heading", plain(one.signal.title, 300) or "(no title)"))
        lines += _signal(one, clock)
    return Page(tuple(lines) or (Line("dim", "No signal is in it any more."),), tuple(cards))


def _signal(one: StoredSignal, clock: Clock) -> Iterator[Line]:
    signal, extra = one.signal, one.signal.extra
    yield Line(
        "dim",
        f"{plain(signal.source_product, 40)}/{plain(signal.source_type, 40)}  weight {signal.weight:g}  "
        f"{clock(signal.occurred_at)}",
    )
    whose = "  ".join(plain(extra[name], 80) for name in ("project", "client", "metric") if extra.get(name))
    if whose:
        yield Line("dim", whose)
    body = signal.content.partition("\n")[2]
    for line in plain_lines(body[:_MOST])[:_MOST_LINES]:
        yield Line("text", line)
    numbers = extra.get("numbers")
    told = dict(numbers) if isinstance(numbers, Mapping) else {}
    told |= {name: value for name, value in extra.items() if name not in _NOT_EVIDENCE}
    for name, value in told.items():
        yield Line("text", f"  {plain(name, 60)}: {plain(_number(value), 300)}")
    if url := link_of(one):
        yield Line("text", f"  {url}")
    if rounds := rounds_of(one):
        yield Line("name", f"Enter shows the {counted(len(rounds), 'round')} behind it.")


def _number(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def agents_runs(artefacts: Iterable[Artefact]) -> list[str]:
    """The traces of the agents that worked on a report, oldest first."""
    found = [one.content.get("round_id") for one in artefacts if one.kind == "transcript"]
    return [id for id in found if isinstance(id, str) and id]


def rounds_of(one: StoredSignal) -> tuple[str, ...]:
    """The ids of the rounds behind a signal, else of its traces."""
    for name in ("round_ids", "trace_ids"):
        found = one.signal.extra.get(name)
        if isinstance(found, list | tuple) and found:
            return tuple(id for id in found if isinstance(id, str) and id)
    return ()


def link_of(one: StoredSignal) -> str:
    """Where the signal came from, if that is a web address."""
    url = one.signal.extra.get("url")
    return plain(url, 400) if isinstance(url, str) and url.startswith(("https://", "http://")) else ""


def _history(known: Known, clock: Clock) -> Iterator[Line]:
    events = [
        *((one.at, _transition(one)) for one in known.detail.log if one.noun != "job" or one.after in _ENDED),
        *((one.made_at, _command(one, clock)) for one in known.detail.commands),
        # What an agent asked is many lines, and in its trace.
        *((one.at, _artefact(one)) for one in known.detail.artefacts if one.kind != "tool_call"),
        *((one.written_at, _note(one)) for one in known.notes),
    ]
    if not events:
        yield Line("dim", "Nothing has happened to it since its first signal came.")
    # What happened at the same instant is told backwards too.
    for at, (tone, actor, said) in sorted(events, key=lambda event: event[0])[::-1]:
        yield Line("dim", f"{clock(at, seconds=True)}  {plain(actor, 40)}")
        yield Line(tone, f"  {said}")


Told = tuple[str, str, str]
"""Tone, actor and words of a line of the history."""


def _transition(one: Transition) -> Told:
    before, after = (
        (SHOWN.get(one.before, one.before), SHOWN.get(one.after, one.after))
        if one.noun == "report"
        else (one.before, one.after)
    )
    what = "" if one.noun == "report" else f"{one.noun} "
    return "text", one.actor, f"{what}{before or 'new'} to {after}: {plain(one.reason, _MOST)}"


def _command(one: Command, clock: Clock) -> Told:
    given = ", ".join(
        plain(REASONS.get(str(value), value), 300)
        for name, value in one.arguments.items()
        if name not in ("undoes", "command")
    )
    verb = f"command {one.verb}{f' ({given})' if given else ''}"
    if one.refused_at is not None:
        return "bad", one.actor, f"{verb}: refused. {plain(one.said, _MOST)}"
    if one.undone_at is not None:
        return "text", one.actor, f"{verb}: undone before it was applied."
    if one.applied_at is not None:
        return "name", one.actor, f"{verb}: {plain(one.said, _MOST) or 'applied'}"
    return "name", one.actor, f"{verb}: is applied after {clock(one.apply_after, seconds=True)}."


def _artefact(one: Artefact) -> Told:
    if one.kind == "comment":
        place = f" on {plain(one.content['path'], 120)}:{one.content.get('line')}" if one.content.get("path") else ""
        return (
            "text",
            proposaltab.comment_author(one.content),
            f"comment{place}: {plain(one.content.get('body', ''), 300)}",
        )
    if one.kind == "outcome":
        return (
            "text",
            one.actor,
            f"outcome: {plain(one.content.get('verdict', ''))}. {plain(one.content.get('said', ''))}",
        )
    return "text", one.actor, f"{one.kind.replace('_', ' ')}: {_brief(one.content)}"


def _note(one: Note) -> Told:
    taken = " (withdrawn)" if one.withdrawn_at else ""
    return "text", "memory", f"learned{taken}: {plain(one.text, _MOST)}"


def _brief(content: Mapping[str, object]) -> str:
    parts = [
        f"{plain(name, 40)} {plain(_number(value), 300).rstrip('.')}".replace("_", " ")
        for name, value in content.items()
        if name not in ("command", "proposal") and value not in ("", None, [], {}, False)
    ]
    return "; ".join(parts) or "nothing more was said"


def _block(heading: str, text: str) -> Iterator[Line]:
    if text.strip():
        yield Line("text", "")
        yield Line("heading", heading)
        yield from _paragraph(text)


def _paragraph(text: str) -> Sequence[Line]:
    return [Line("text", line) for line in plain_lines(text[:_MOST])[:_MOST_LINES]] if text.strip() else []
