"""The sections of the Engine screen: which rows each has, in which columns, and everything about one of them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from queries.views.trace.detail import Line
from queries.views.words import counted, money
from tui.engineview import BudgetRow, CommandRow, JobRow, NoteRow
from tui.palette import Palette
from tui.sections import ClockTime, Section, fact, text_lines
from tui.widgets.rowtable import Column
from tui.widgets.strips import Run
from workspace.text import plain

if TYPE_CHECKING:
    from engine.inbox import SourceRow, StoredSignal
    from engine.model import Command

SOURCES, BLOCKED, JOBS, BUDGETS, MEMORY, DECISIONS = "Sources", "Blocked", "Jobs", "Budgets", "Memory", "Decisions"


# Sources


def _on(row: SourceRow, palette: Palette) -> Run:
    return (f"{palette.glyphs.ok} on", palette.text) if row.is_on else (f"{palette.glyphs.ring} off", palette.dim)


def _times(row: SourceRow) -> str:
    if row.state is not None and row.state.weight_by_hand is not None:
        return f"{row.weight:.3g} by hand"
    return f"{row.weight:.3g} by record" if row.weight != 1.0 else ""


def _configured(row: SourceRow) -> str:
    return "its own" if row.configured_weight is None else f"{row.configured_weight:g}"


def _source_columns(clock_time: ClockTime) -> tuple[Column[SourceRow], ...]:
    def newest(row: SourceRow, palette: Palette) -> Run:
        return (clock_time(row.newest), palette.text) if row.newest else (palette.glyphs.dash, palette.dim)

    def reports(row: SourceRow, palette: Palette) -> Run:
        return (f"{row.record.reports:,}", palette.text) if row.record.reports else (palette.glyphs.dash, palette.dim)

    def signals(row: SourceRow, palette: Palette) -> Run:
        return (f"{row.signals:,}", palette.text) if row.signals else (palette.glyphs.dash, palette.dim)

    return (
        Column("source", 30, lambda r, p: (r.title, p.text if r.is_on else p.dim), most=40),
        Column("is", 6, _on),
        Column("signals", 7, signals, right=True, rank=1),
        Column("reports", 7, reports, right=True, rank=4),
        Column("newest", 9, newest, rank=3),
        Column("weight", 7, lambda r, p: (_configured(r), p.text), right=True, rank=2),
        Column("times", 14, lambda r, p: (_times(r), p.warn if r.weight != 1.0 else p.text), rank=1, grows=True),
    )


def _source_details(row: SourceRow, clock_time: ClockTime) -> list[Line]:
    state = row.state
    switched = "" if state is None or state.is_on is None else ", by hand"
    return [
        Line("heading", plain(row.title, 200)),
        Line("name", _weighs(row)),
        *text_lines(row.why),
        Line("text", ""),
        fact("source", plain(row.source, 200)),
        fact("listens to", plain(row.where, 200)),
        fact("it is", f"{'on' if row.is_on else 'off'}{switched or ', as configured'}"),
        fact("signals", counted(row.signals, "signal") + (f", newest {clock_time(row.newest)}" if row.newest else "")),
        fact("reports", counted(row.record.reports, "report") + " with one of its signals"),
    ]


def _weighs(row: SourceRow) -> str:
    own = row.configured_weight
    if own is None:
        return f"A signal of it weighs what it brings{f', times {row.weight:.3g}' if row.weight != 1.0 else ''}."
    if row.weight == 1.0:
        return f"A signal of it weighs {own:g}."
    return f"A signal of it weighs {own * row.weight:.3g}: {own:g} as configured, times {row.weight:.3g}."


# Blocked


def _held(row: StoredSignal, palette: Palette) -> Run:
    mark = palette.glyphs.fail if row.safety == "blocked" else palette.glyphs.ring
    return f"{mark} {row.safety}", palette.bad if row.safety == "blocked" else palette.warn


def _blocked_columns(clock_time: ClockTime) -> tuple[Column[StoredSignal], ...]:
    return (
        Column("signal", 26, lambda r, p: (r.signal.title, p.text), grows=True),
        Column("is", 9, _held),
        Column("threat", 20, lambda r, p: (_words(r.threat) or p.glyphs.dash, p.text), rank=1),
        Column("quote", 20, lambda r, p: (f"“{r.quote}”" if r.quote else p.glyphs.dash, p.dim), rank=2, grows=True),
        Column("when", 9, lambda r, p: (clock_time(r.signal.occurred_at), p.text), rank=3),
    )


def _blocked_details(row: StoredSignal, clock_time: ClockTime) -> list[Line]:
    signal = row.signal
    found = (
        [fact("threat", _words(row.threat)), *text_lines(f"“{row.quote}”", "bad")]
        if row.quote
        else [fact("threat", _words(row.threat) or "none named")]
    )
    return [
        Line("heading", plain(signal.title, 200)),
        fact("it is", "blocked: nothing reads it" if row.safety == "blocked" else "held: it is judged again"),
        *found,
        *text_lines(row.why or "No reason was given."),
        Line("text", ""),
        Line("name", f"What came, as data ({plain(signal.source_product, 80)}/{plain(signal.source_type, 80)})"),
        *text_lines(signal.content),
        Line("text", ""),
        Line("dim", f"{clock_time(signal.occurred_at, seconds=True)}, signal {row.id}"),
    ]


# Jobs


def _job_state(row: JobRow, palette: Palette) -> Run:
    glyphs, state = palette.glyphs, row.job.state
    mark, style = {
        "applied": (glyphs.ok, palette.text),
        "failed": (glyphs.fail, palette.bad),
        "cancelled": (glyphs.ring, palette.dim),
        "running": (glyphs.dot, palette.good),
    }.get(state, (glyphs.dot, palette.text))
    return f"{mark} {state}", style


def _job_columns(clock_time: ClockTime) -> tuple[Column[JobRow], ...]:
    return (
        Column("job", 10, lambda r, p: (r.job.kind, p.text), most=14),
        Column("report", 24, lambda r, p: (r.title or p.glyphs.dash, p.text), grows=True),
        Column("is", 11, _job_state),
        Column("try", 3, lambda r, p: (str(r.job.attempt), p.text), right=True, rank=2),
        Column("cost", 7, lambda r, p: (money(r.report_usd) if r.report_usd else p.glyphs.dash, p.text), None, True, 3),
        Column("since", 9, lambda r, p: (clock_time(r.job.changed_at), p.text), rank=1),
        Column("what went wrong", 20, lambda r, p: (r.job.error, p.warn), rank=4, grows=True),
    )


def _job_details(row: JobRow, clock_time: ClockTime) -> list[Line]:
    job = row.job
    found = [
        Line("heading", f"{plain(job.kind, 80)}: {row.title or 'no report'}"),
        fact("it is", f"{job.state} since {clock_time(job.changed_at, seconds=True)}, attempt {job.attempt}"),
        fact("made", clock_time(job.created_at, seconds=True)),
    ]
    if job.state in ("intended", "queued") and job.not_before > job.created_at:
        found.append(fact("not before", clock_time(job.not_before, seconds=True)))
    if job.failures:
        found.append(fact("failures", counted(job.failures, "attempt") + " ended by a fault"))
    if job.reserved_usd:
        found.append(fact("reserved", money(job.reserved_usd)))
    if row.report_usd:
        found.append(fact("cost", f"{money(row.report_usd)} on this report so far"))
    if job.error:
        found += [Line("text", ""), *text_lines(job.error, "bad")]
    return [*found, Line("text", ""), Line("dim", f"job {plain(job.key, 200)}")]


# Budgets


def _budget_columns(clock_time: ClockTime) -> tuple[Column[BudgetRow], ...]:
    def spent(row: BudgetRow, palette: Palette) -> Run:
        is_full = row.spent is not None and row.limit is not None and row.spent >= row.limit
        return _amount(row, row.spent), palette.warn if is_full else palette.text

    return (
        Column("budget", 24, lambda r, p: (r.name, p.text), grows=True),
        Column("spent", 8, spent, right=True),
        Column("reserved", 8, lambda r, p: (_amount(r, r.reserved or None), p.text), right=True, rank=2),
        Column("limit", 8, lambda r, p: (_amount(r, r.limit), p.text), right=True, rank=1),
        Column("what", 26, lambda r, p: (r.about, p.dim), rank=3, grows=True),
    )


def _amount(row: BudgetRow, value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if row.is_count else money(value)


def _budget_details(row: BudgetRow, clock_time: ClockTime) -> list[Line]:
    of = " of " if row.spent is not None and row.limit is not None else ""
    amount = f"{_amount(row, row.spent)}{of}{_amount(row, row.limit)}"
    told = [line for said in row.said if said for line in (Line("text", ""), *text_lines(said))]
    where = "[models]" if row.key == "judge" else "[budgets]"
    return [
        Line("heading", plain(row.name, 200)),
        *text_lines(f"{amount} {row.about}".strip()),
        *told,
        Line("text", ""),
        Line("dim", f"What is set stands under {where} in config.toml."),
    ]


# Memory


def _note_columns(clock_time: ClockTime) -> tuple[Column[NoteRow], ...]:
    def text(row: NoteRow, palette: Palette) -> Run:
        return row.note.text, palette.dim if row.note.withdrawn_at else palette.text

    def state(row: NoteRow, palette: Palette) -> Run:
        if row.note.withdrawn_at:
            return f"{palette.glyphs.ring} withdrawn", palette.dim
        return f"{palette.glyphs.ok} in use", palette.text

    return (
        Column("key", 20, lambda r, p: (r.note.key, p.text), most=36),
        Column("note", 24, text, grows=True),
        Column("is", 11, state, rank=1),
        Column("written", 9, lambda r, p: (clock_time(r.note.written_at), p.text), rank=2),
    )


def _note_details(row: NoteRow, clock_time: ClockTime) -> list[Line]:
    note = row.note
    withdrawn = f", withdrawn {clock_time(note.withdrawn_at)}" if note.withdrawn_at else ", given to research"
    return [
        Line("heading", plain(note.key, 200)),
        Line("dim", f"written {clock_time(note.written_at)}{withdrawn}"),
        *([Line("dim", f"learned from {row.title}")] if row.title else []),
        Line("text", ""),
        *text_lines(note.text),
    ]


# Decisions


def decided(command: Command, title: str) -> str:
    """A command in words: `decline: Stop the crash`, `loops/crash off`."""
    given = {name: plain(value, 120) for name, value in command.arguments.items()}
    match command.verb:
        case "switch":
            is_on = command.arguments.get("on")
            return f"{given.get('source', '')} {'as configured' if is_on is None else 'on' if is_on else 'off'}"
        case "weigh":
            weight = command.arguments.get("weight")
            return f"{given.get('source', '')} weighs {'by its record' if weight is None else given['weight']}"
        case "remember":
            return f"note {given.get('key', '')}"
        case "forget":
            return f"withdraw the note {given.get('key', '')}"
        case "consent":
            return "yes to a model" if given.get("answer") == "yes" else "no to a model"
        case "release" if not command.report_id:
            return "release a signal"
    return f"{_words(command.verb)}: {title or command.report_id}"


def _outcome(command: Command) -> str:
    if command.undone_at:
        return "undone"
    if command.refused_at:
        return "refused"
    return "done" if command.applied_at else "waits"


def _command_state(row: CommandRow, palette: Palette) -> Run:
    glyphs, state = palette.glyphs, _outcome(row.command)
    mark, style = {
        "undone": (glyphs.ring, palette.dim),
        "refused": (glyphs.fail, palette.bad),
        "done": (glyphs.ok, palette.text),
        "waits": (glyphs.dot, palette.warn),
    }[state]
    return f"{mark} {state}", style


def _command_columns(clock_time: ClockTime) -> tuple[Column[CommandRow], ...]:
    return (
        Column("decided", 9, lambda r, p: (clock_time(r.command.made_at), p.text), rank=1),
        Column("what", 26, lambda r, p: (decided(r.command, r.title), p.text), grows=True),
        Column("is", 9, _command_state),
        Column("what came of it", 22, lambda r, p: (r.command.said, p.dim), rank=2, grows=True),
        Column("by", 6, lambda r, p: (r.command.actor, p.dim), rank=3, most=10),
    )


def _command_details(row: CommandRow, clock_time: ClockTime) -> list[Line]:
    command = row.command
    state = _outcome(command)
    until = f" until {clock_time(command.apply_after, seconds=True)}, and can be undone" if state == "waits" else ""
    tone = "bad" if state == "refused" else "text"
    return [
        Line("heading", plain(decided(command, row.title), 300)),
        fact("it is", f"{state}{until}"),
        fact("decided", f"{clock_time(command.made_at, seconds=True)}, at the {plain(command.actor, 40)}"),
        *(text_lines(command.said, tone) if command.said else []),
        Line("text", ""),
        *(line for name, value in sorted(command.arguments.items()) for line in text_lines(f"{name}: {value}", "dim")),
        Line("dim", f"command {command.id}"),
    ]


def _words(name: str) -> str:
    return plain(name, 80).replace("_", " ")


ALL: Mapping[str, Section] = {
    section.name: section
    for section in (
        Section(
            SOURCES,
            "No engine has run here, so nothing is known of its sources.",
            lambda state: state.sources,
            _source_columns,
            lambda row: row.source,
            _source_details,
        ),
        Section(
            BLOCKED,
            "No signal is held back.",
            lambda state: state.blocked,
            _blocked_columns,
            lambda row: row.id,
            _blocked_details,
        ),
        Section(
            JOBS,
            "No work was ever wanted.",
            lambda state: state.jobs,
            _job_columns,
            lambda row: (row.job.id, row.job.attempt),
            _job_details,
        ),
        Section(
            BUDGETS,
            "The budgets are not known: the line above says why.",
            lambda state: state.budgets,
            _budget_columns,
            lambda row: row.key,
            _budget_details,
            is_counted=False,
        ),
        Section(
            MEMORY,
            "Nothing was learned yet. What you decline and correct leaves a note here; you can write one too.",
            lambda state: state.notes,
            _note_columns,
            lambda row: row.note.key,
            _note_details,
        ),
        Section(
            DECISIONS,
            "Nothing was decided yet.",
            lambda state: state.commands,
            _command_columns,
            lambda row: row.command.id,
            _command_details,
        ),
    )
}
