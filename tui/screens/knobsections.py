"""The sections of the Knobs screen: which rows each has, in which columns, and everything about one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from queries.rest_experiments import DRAFT, ENDED, PAUSED, RUNNING, planned
from queries.variants import SEVERAL
from queries.views.marks import Side, notes, word
from queries.views.trace.detail import Line
from queries.views.words import counted, money, score, share, signed
from tui.experimentlines import chance, lines, untold
from tui.knobview import (
    ExperimentRow,
    FlagRow,
    MarkRow,
    budget_rows,
    experiment_rows,
    flag_rows,
    mark_rows,
    rounds_words,
)
from tui.palette import Palette
from tui.sections import ClockTime, Section, fact, text_lines
from tui.widgets.rowtable import Column
from tui.widgets.strips import Run
from workspace.knobs import BUDGET, KILL_SWITCH
from workspace.text import plain

FLAGS, EXPERIMENTS, BUDGETS, ANNOTATIONS = "Flags", "Experiments", "Budgets", "Annotations"
_STATES: Mapping[str, str] = {RUNNING: "running", PAUSED: "paused", DRAFT: "draft", ENDED: "ended", "": "no plan"}


# Flags, budgets and the kill switch


def _on(row: FlagRow, palette: Palette) -> Run:
    if row.sending:
        return f"{palette.glyphs.arrow} sent", palette.warn
    if row.flag is None:
        return f"{palette.glyphs.dash} none", palette.dim
    if not row.flag.is_on:
        return f"{palette.glyphs.ring} off", palette.dim
    return f"{palette.glyphs.ok} on", palette.warn if row.kind == KILL_SWITCH else palette.text


def _rollout(row: FlagRow) -> str:
    if row.flag is None:
        return ""
    return "by set" if row.flag.rollout is None else f"{row.flag.rollout:g} %"


def _key(row: FlagRow, palette: Palette) -> Run:
    return row.key, palette.text if row.flag else palette.dim


def _changed(clock_time: ClockTime) -> Column[FlagRow]:
    def changed(row: FlagRow, palette: Palette) -> Run:
        return clock_time(row.changed_at) if row.changed_at else palette.glyphs.dash, palette.dim

    return Column("changed", 9, changed, rank=4)


def _flag_columns(clock_time: ClockTime) -> tuple[Column[FlagRow], ...]:
    def variants(row: FlagRow, palette: Palette) -> Run:
        return ", ".join(
            f"{each.key} {each.share:g} %" for each in (row.flag.variants if row.flag else ())
        ), palette.text

    return (
        Column("flag", 22, _key, most=32),
        Column("is", 6, _on),
        Column("rollout", 7, lambda r, p: (_rollout(r), p.text), right=True),
        Column("rounds that saw it", 26, lambda r, p: (rounds_words(r.rounds), p.text), rank=1, most=40),
        Column("variants", 26, variants, rank=2),
        _changed(clock_time),
        Column("what it is for", 20, lambda r, p: (r.about, p.dim), rank=3, grows=True),
    )


def _budget_columns(clock_time: ClockTime) -> tuple[Column[FlagRow], ...]:
    def says(row: FlagRow, palette: Palette) -> Run:
        return _kind(row), palette.text if row.flag else palette.dim

    return (
        Column("knob", 22, _key, most=28),
        Column("is", 6, _on),
        Column("what", 19, says),
        Column("rollout", 7, lambda r, p: (_rollout(r), p.text), right=True, rank=3),
        _changed(clock_time),
        Column("what it does", 22, lambda r, p: (r.about, p.dim), rank=1, grows=True),
    )


def _kind(row: FlagRow) -> str:
    if row.kind == KILL_SWITCH:
        return f"stop all loops{f': {_word(row)}' if row.flag else ''}"
    if row.flag is not None and row.flag.usd is not None:
        return f"{money(row.flag.usd)} a night"
    return "a budget" if row.kind == BUDGET else ""


def _word(row: FlagRow) -> str:
    return "on" if row.flag is not None and row.flag.is_on else "off"


def _flag_details(row: FlagRow, clock_time: ClockTime) -> list[Line]:
    flag = row.flag
    about = text_lines(row.about, "name") if row.about else []
    if flag is None:
        made = "It is known, and not made as a flag yet: loops go on as without it."
        return [Line("heading", row.key), *about, Line("text", ""), *text_lines(made)]
    passing = f" of those that pass {counted(flag.conditions, 'filter')}" if flag.conditions else ""
    found = [
        Line("heading", row.key),
        *about,
        *(text_lines(f"On its way: {row.sending}", "bad") if row.sending else []),
        Line("text", ""),
        fact("it is", _word(row)),
        fact("rollout", f"{_rollout(row)}{passing}"),
    ]
    if flag.usd is not None:
        found += [fact("budget", f"{money(flag.usd)} a night")]
    if flag.variants:
        drawn = "anew for each round" if flag.goes_by_round else "once by each agent, which keeps its variant"
        found.append(fact("drawn", drawn))
    if row.experiment is not None:
        found.append(fact("experiment", f"{plain(row.experiment.name, 80)}, {_STATES[row.experiment.state]}"))
    if row.changed_at is not None:
        found.append(fact("changed", clock_time(row.changed_at, seconds=True)))
    if row.kind == KILL_SWITCH or (row.kind == BUDGET and flag.is_on):
        found += [Line("text", ""), *text_lines(does(row, flag.is_on))]
    found += list(_variants(row))
    if flag.name and flag.name != row.about:
        found += [Line("text", ""), *text_lines(flag.name, "dim")]
    return found


def does(row: FlagRow, is_on: bool, usd: float | None = None) -> str:
    """What a kill switch or a budget does to the loops, said before it is switched and after; `usd` is a budget that it
    does not hold yet."""
    if row.kind == KILL_SWITCH:
        if is_on:
            return "Every loop that reads it stops before its next round, tonight's too, until it is off again."
        return "Loops may begin rounds. Those that were stopped begin when they are started again."
    if not is_on:
        return "While it is off it ends no run."
    usd = usd if usd is not None or row.flag is None else row.flag.usd
    amount = money(usd) if usd is not None else "so much"
    return f"A loop that reads it ends its run once that has cost {amount}; of several budgets the smallest holds."


def _variants(row: FlagRow) -> Iterator[Line]:
    rounds = dict(row.rounds or {})
    shares = row.flag.shares if row.flag else {}
    if not (rounds or shares):
        if row.rounds is not None:
            yield Line("text", "")
            yield Line("dim", "No round of this window saw it.")
        return
    yield Line("text", "")
    yield Line("name", f"{'variant':<16} {'share':>6}  rounds of this window")
    several = rounds.pop(SEVERAL, 0)
    for name in dict.fromkeys((*shares, *rounds)):
        of = f"{shares[name]:g} %" if name in shares else ""
        seen = "" if row.rounds is None else f"{rounds.get(name, 0):,}"
        yield Line("text", f"{plain(name, 16):<16} {of:>6}  {seen}".rstrip())
    if several:
        yield Line("bad", f"{counted(several, 'round')} saw more than one: the flag changed on the way.")


# Experiments


def _experiment_state(row: ExperimentRow, palette: Palette) -> Run:
    glyphs, word = palette.glyphs, _STATES[row.state]
    if row.sending:
        return f"{glyphs.arrow} sent", palette.warn
    mark, style = {
        RUNNING: (glyphs.dot, palette.good),
        PAUSED: (glyphs.ring, palette.warn),
        DRAFT: (glyphs.ring, palette.dim),
        ENDED: (glyphs.ok, palette.text),
    }.get(row.state, (glyphs.dash, palette.dim))
    return f"{mark} {word}", style


def _experiment_columns(clock_time: ClockTime) -> tuple[Column[ExperimentRow], ...]:
    def sizes(row: ExperimentRow, palette: Palette) -> Run:
        found = row.compared.found.distributions if row.compared else ()
        return " / ".join(f"{len(each.scores):,}" for each in found), palette.text

    def difference(row: ExperimentRow, palette: Palette) -> Run:
        one = next((one for one in _compared(row) if one.interval is not None), None)
        if one is None or one.interval is None:
            return "", palette.text
        ink = {True: palette.good, False: palette.bad, None: palette.text}[one.is_better]
        word = {True: "better", False: "worse", None: "open"}[one.is_better]
        return f"{signed(one.interval.difference)} {word}", ink

    def within(row: ExperimentRow, palette: Palette) -> Run:
        found = next((one.interval for one in _compared(row) if one.interval is not None), None)
        return "" if found is None else f"{signed(found.low)} to {signed(found.high)}", palette.text

    def by_chance(row: ExperimentRow, palette: Palette) -> Run:
        found = next((one.chance for one in _compared(row) if one.chance is not None), None)
        return "" if found is None else f"p {chance(found)}", palette.text

    def plan(row: ExperimentRow, palette: Palette) -> Run:
        one = next(iter(_compared(row)), None)
        if one is None or one.needed is None:
            return _planned(row) or palette.glyphs.dash, palette.dim
        return f"{min(one.needed, *one.rounds):,} of {one.needed:,}", palette.text

    def verdict(row: ExperimentRow, palette: Palette) -> Run:
        return (row.compared.found.verdict if row.compared else row.problem), palette.text

    return (
        Column("flag", 20, lambda r, p: (r.key, p.text), most=28),
        Column("is", 9, _experiment_state),
        Column("rounds", 9, sizes, right=True, rank=2),
        Column("difference", 14, difference, rank=1),
        Column("95 % within", 17, within, rank=4),
        Column("chance", 9, by_chance, rank=5),
        Column("plan", 11, plan, rank=3),
        Column("verdict", 24, verdict, rank=6, grows=True),
    )


def _planned(row: ExperimentRow) -> str:
    """As a narrow column has room for; nothing where nothing is planned."""
    plan = row.running.plan if row.running else None
    if plan is None:
        return ""
    return f"{plan.rounds:,} each" if plan.rounds is not None else f"by {plan.effect or 0:g}"


def _compared(row: ExperimentRow) -> tuple:
    return row.compared.found.compared if row.compared else ()


def _experiment_details(row: ExperimentRow, clock_time: ClockTime) -> list[Line]:
    one = row.running
    found = [Line("heading", row.key)]
    if row.sending:
        found += text_lines(f"On its way: {row.sending}", "bad")
    if one is None:
        found += text_lines("Rounds see its variants, but no experiment says how many of them would tell.", "dim")
    else:
        times = [f"since {clock_time(one.started_at)}"] if one.started_at else []
        times += [f"to {clock_time(one.ended_at)}"] if one.ended_at else []
        found += text_lines(one.name, "name")
        found += text_lines(" ".join((_STATES[one.state], *times)), "dim")
        if one.state == PAUSED:
            found += text_lines("Its flag is off: rounds see no variant.", "bad")
        if one.plan is not None:
            found += text_lines(f"Planned: {planned(one.plan)}.", "dim")
    if row.state == DRAFT:
        return [*found, *text_lines("It has not begun: no round counts yet.")]
    if row.compared is None and not row.is_asked:
        return [*found, Line("text", ""), Line("dim", _UNCOMPARED)]
    return [*found, Line("text", ""), *(lines(row.compared, clock_time) if row.compared else untold(row.problem))]


# Annotations


def _mark_columns(clock_time: ClockTime) -> tuple[Column[MarkRow], ...]:
    def kind(row: MarkRow, palette: Palette) -> Run:
        return "commit" if row.mark.is_commit else "note", palette.dim

    return (
        Column("when", 10, lambda r, p: (clock_time(r.mark.at), p.text)),
        Column("is", 6, kind),
        Column("what happened", 30, lambda r, p: (r.mark.content, p.text), grows=True),
    )


def _mark_details(row: MarkRow, clock_time: ClockTime) -> list[Line]:
    mark = row.mark
    kind = "a commit" if mark.is_commit else "a note"
    found = [
        *text_lines(mark.content, "heading"),
        Line("dim", f"{kind} of {clock_time(mark.at, seconds=True)}, annotation {mark.id}"),
        Line("text", ""),
    ]
    around = row.around
    if around is None:
        return [*found, *(text_lines(row.problem, "bad") if row.problem else [Line("dim", _UNASKED)])]
    since, until = clock_time(around.before.since), clock_time(around.after.until)
    found += [
        Line("name", plain(around.verdict, 500)),
        Line("dim", f"Before: from {since}. After: to {until}."),
        *(Line("bad", plain(note, 500)) for note in notes(around)),
    ]
    for one in around.effects:
        found += [
            Line("text", ""),
            Line("heading", f"{plain(one.project, 60)}: {word(one)}"),
            fact("before", _side(one.before)),
            fact("after", _side(one.after)),
        ]
    return found


_UNCOMPARED = "Enter compares its rounds: there are too many flags to ask about each."
_UNASKED = "Enter asks for the rounds before and after it."


def _side(side: Side | None) -> str:
    if side is None:
        return "no round"
    kept = f"{share(side.kept_share)} kept, best {score(side.best)}, {money(side.per_kept_usd)} per kept"
    return f"{counted(side.rounds, 'round')}, {kept}"


ALL: Mapping[str, Section] = {
    section.name: section
    for section in (
        Section(
            FLAGS,
            "There is no flag yet. Make one with loopdesk flags create, or in PostHog.",
            flag_rows,
            _flag_columns,
            lambda row: row.key,
            _flag_details,
        ),
        Section(
            EXPERIMENTS,
            "No flag parts the rounds: give one variants, or a rollout under 100 %, and its rounds are compared here.",
            experiment_rows,
            _experiment_columns,
            lambda row: (row.key, row.running.id if row.running else None),
            _experiment_details,
        ),
        Section(
            BUDGETS,
            "No budget and no kill switch is known.",
            budget_rows,
            _budget_columns,
            lambda row: row.key,
            _flag_details,
        ),
        Section(
            ANNOTATIONS,
            "Nothing is annotated yet: A marks a moment, loopdesk annotate --install-hook marks each commit.",
            mark_rows,
            _mark_columns,
            lambda row: row.mark.id,
            _mark_details,
        ),
    )
}
