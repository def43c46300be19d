"""What the Engine screen knows at one moment, and what its first lines say of it. `gather` blocks; the rest is pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from queries.views.words import counted, money
from tui.sections import ClockTime, Said
from workspace.config import Config
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from engine.inbox import About, Inbox, Mode, Running, SourceRow, Spending, StoredSignal
    from engine.model import Command, Job, Note

_MOST_REPORTS = 100


@dataclass(frozen=True, slots=True)
class JobRow:
    """`title` is the report's; `report_usd` what models were paid for that report so far."""

    job: Job
    title: str
    report_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class NoteRow:
    note: Note
    title: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    command: Command
    title: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """USD, or a count where `is_count`. `spent` and `limit` are None where there is no such thing. `about` are words
    for the list, `said` sentences for who looks closer."""

    key: str
    name: str
    about: str
    spent: float | None = None
    reserved: float = 0.0
    limit: float | None = None
    said: tuple[str, ...] = ()
    is_count: bool = False


@dataclass(frozen=True, slots=True)
class EngineState:
    """`mode` and `spending` are None where the configuration makes no sense; `problem` says why."""

    running: Running | None = None
    about: About | None = None
    mode: Mode | None = None
    spending: Spending | None = None
    problem: str = ""
    sources: tuple[SourceRow, ...] = ()
    blocked: tuple[StoredSignal, ...] = ()
    jobs: tuple[JobRow, ...] = ()
    budgets: tuple[BudgetRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    commands: tuple[CommandRow, ...] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    fixes: str = ""
    """What came of merged fixes, in a sentence; empty where there are none."""


def gather(inbox: Inbox, config: Config, now: datetime) -> EngineState:
    """Everything at once, so that the parts of the screen never disagree. Raises `LoopdeskError`."""
    jobs, notes, commands = inbox.jobs(), inbox.notes(), inbox.commands()
    mode = spending = None
    problem = ""
    try:
        mode, spending = inbox.mode(config, now), inbox.spending(config, now)
    except LoopdeskError as error:
        problem = str(error)
    ever = spending.ever.by_report if spending else {}
    dearest = sorted(ever, key=lambda id: -ever[id])[: _MOST_REPORTS + 1]
    reports = (*(job.report_id for job in jobs), *(note.report_id for note in notes))
    named = inbox.titles({*reports, *(command.report_id for command in commands), *dearest})
    counts = inbox.counts()
    return EngineState(
        running=inbox.running(),
        about=inbox.about(),
        mode=mode,
        spending=spending,
        problem=problem,
        sources=inbox.sources(),
        blocked=inbox.blocked(),
        jobs=tuple(JobRow(job, named.get(job.report_id, ""), ever.get(job.report_id, 0.0)) for job in jobs),
        budgets=_budgets(mode, spending, named) if mode and spending else (),
        notes=tuple(NoteRow(note, named.get(note.report_id, "")) for note in notes),
        commands=tuple(CommandRow(command, named.get(command.report_id, "")) for command in commands),
        waiting={name: counts[name] for name in ("signals_in", "commands", "jobs")},
        fixes=" ".join(filter(None, (inbox.hit_rate().said, inbox.offer(config)))),
    )


def _budgets(mode: Mode, spending: Spending, named: Mapping[str, str]) -> tuple[BudgetRow, ...]:
    """Who judges, the night and what it went to, then every report that cost something, the dearest first."""
    tonight, limits = spending.tonight, spending.limits
    models = tuple(f"{role}: {model}" for role, model in mode.models.items()) if mode.has_key else ()
    by_role = sorted(tonight.by_role.items(), key=lambda pair: (-pair[1], pair[0]))
    by_report = sorted(spending.ever.by_report.items(), key=lambda pair: (-pair[1], pair[0]))
    said = (
        "What a request may cost at most is reserved before it is sent; where that would go over, it is not sent and "
        "waits for the next night.",
        *(
            [f"{money(tonight.reserved_usd)} is reserved for requests whose answer has not come, or never came."]
            if tonight.reserved_usd
            else []
        ),
    )
    return (
        BudgetRow("judge", f"judged by {mode.judge}", "who judges", said=(mode.why, *models, mode.with_model)),
        BudgetRow(
            "night",
            "this night",
            counted(tonight.requests, "request"),
            tonight.usd,
            tonight.reserved_usd,
            limits.night_usd,
            said,
        ),
        *(BudgetRow(f"for {role}", f"for {role}", "of this night", usd) for role, usd in by_role),
        BudgetRow(
            "proposals",
            "proposals",
            "fixes begun this night",
            spending.proposals,
            limit=limits.proposals_a_night,
            is_count=True,
        ),
        BudgetRow("a report", "any report", "the most that one may cost, ever", limit=limits.report_usd),
        *(
            BudgetRow(f"report {id}", named.get(id) or f"report {id}", "a report, ever", usd, limit=limits.report_usd)
            for id, usd in [pair for pair in by_report if pair[0]][:_MOST_REPORTS]
        ),
    )


def head(
    state: EngineState, clock_time: ClockTime, keys: Mapping[str, str], *, is_short: bool = False
) -> Sequence[Said]:
    """The lines over the sections. `keys` are those of `consent` and `start-engine` as people read them, empty where
    they are not bound. A short one leaves out what the section Budgets says too."""
    said = [_running(state, clock_time, keys), *_mode(state, keys)]
    if state.spending:
        said.append(("text", _spending(state.spending)))
    if state.fixes:
        said.append(("text", state.fixes))
    if not is_short:
        return said
    return [
        (tone, f"{text.partition('. ')[0].rstrip('.')}." if tone == "text" else text)
        for tone, text in said
        if tone != "dim"
    ]


def _running(state: EngineState, clock_time: ClockTime, keys: Mapping[str, str]) -> Said:
    waits = [
        counted(state.waiting.get(name, 0), noun)
        for name, noun in (("signals_in", "signal"), ("commands", "decision"), ("jobs", "job"))
        if state.waiting.get(name)
    ]
    waiting = f" Waiting: {', '.join(waits)}." if waits else ""
    running = state.running
    if running is not None:
        since = f" since {clock_time(running.started_at)}" if running.started_at else ""
        until = ", until nobody needs it" if running.is_detached else ""
        return "strong", f"The engine runs{since}{until}.{waiting}"
    key = keys.get("start-engine")
    start = f"{key} or your next decision starts one" if key else "loopdesk engine run starts one"
    return "strong", f"No engine {'runs' if state.about else 'has run here yet'}; {start}.{waiting}"


def _mode(state: EngineState, keys: Mapping[str, str]) -> list[Said]:
    mode, about = state.mode, state.about
    if mode is None:
        return [("warn", state.problem)] if state.problem else []
    if mode.asks_for_consent:
        key = keys.get("consent")
        answer = f"{key} answers; nothing is sent before." if key else "Nothing is sent before somebody says yes."
        return [("warn", f"May a model judge? {answer} {mode.estimate.said}")]
    said: list[Said] = [("text", mode.why)]
    if state.running is not None and about is not None and about.has_key != mode.has_key:
        has = "has a model key, and this desk has none" if about.has_key else "was started without the model key"
        said.append(("warn", f"The engine that runs {has}."))
    if mode.with_model:
        said.append(("dim", mode.with_model))
    return said


def _spending(spending: Spending) -> str:
    tonight, limits = spending.tonight, spending.limits
    reserved = f", {money(tonight.reserved_usd)} of it reserved" if tonight.reserved_usd else ""
    return (
        f"This night: {money(tonight.usd)} of {money(limits.night_usd)} spent{reserved}; "
        f"{spending.proposals} of {counted(limits.proposals_a_night, 'proposal')}."
    )


def consent_question(mode: Mode, address: str) -> Sequence[str]:
    """What is asked, and what the answer means. `address` is the API's, empty for Anthropic's own."""
    models = ", ".join(dict.fromkeys(mode.models.values()))
    return (
        f"Signals are then judged by {models}, which are asked of {address or 'Anthropic'}. {mode.estimate.said}",
        "Signals' texts are sent there, as data in a marked block; what the rules block is not. Nothing goes over the "
        "budgets, and you can say no again at any time.",
    )
