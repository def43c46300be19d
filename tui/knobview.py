"""What the Knobs screen knows at one moment, its rows, and what its first lines say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from queries.moments import moment_of
from queries.rest import MOST_LISTED
from queries.rest_experiments import DRAFT, ENDED, PAUSED, RUNNING, Running, experiment_on
from queries.rest_flags import Flag
from queries.variants import SEVERAL, Compared, Seen
from queries.views.experiment import Plan
from queries.views.marks import Around
from queries.views.timeline import Annotation
from queries.views.window import Span
from queries.views.words import counted, listed
from tui.sections import ClockTime, Said
from workspace.knobs import BUDGET, FLAG, KILL_SWITCH, Knob

FLAGS, EXPERIMENTS, ANNOTATIONS = "flags", "experiments", "annotations"
"""What is asked of PostHog, each by itself."""
SEEN, COMPARED, AROUND = "rounds", "comparisons", "before and after"
"""What is asked about events."""
LOOKS_BACK = timedelta(days=30)
"""How far a flag's rounds are compared where no experiment says since when."""
MOST_COMPARED = 20
"""Without being asked for one by one: each is a question, and a PostHog answers 240 of them a minute."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was answered last and when; `problem` is why a later asking was not. Neither: nothing was answered yet."""

    rows: tuple[Any, ...] = ()
    as_of: datetime | None = None
    problem: str = ""

    @property
    def is_known(self) -> bool:
        return self.as_of is not None or bool(self.problem)


@dataclass(frozen=True, slots=True)
class KnobState:
    """`sending` holds what is on its way, by the flag's key; `problems` why something about events is not known."""

    known: Mapping[str, Knob] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    seen: Seen | None = None
    compared: Mapping[str, Compared] = field(default_factory=dict)
    around: Mapping[int, Around] = field(default_factory=dict)
    """By the annotation's id."""
    chosen: frozenset[str] = frozenset()
    """Names of comparisons that were asked for by hand."""
    problems: Mapping[str, str] = field(default_factory=dict)
    sending: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_problem(self) -> bool:
        return bool(self.problems) or any(part.problem for part in self.parts.values())

    def part(self, name: str) -> Part:
        return self.parts.get(name, Part())

    def answered(self, name: str, rows: tuple[Any, ...], at: datetime) -> KnobState:
        return replace(self, parts={**self.parts, name: Part(rows, at)})

    def failed(self, name: str, problem: str) -> KnobState:
        """What was known before stays, with its age."""
        return replace(self, parts={**self.parts, name: replace(self.part(name), problem=problem)})

    def with_problem(self, name: str, problem: str = "") -> KnobState:
        others = {key: said for key, said in self.problems.items() if key != name}
        return replace(self, problems={**others, name: problem} if problem else others)

    def with_flag(self, flag: Flag) -> KnobState:
        """The flag as it is after a change of ours."""
        part = self.part(FLAGS)
        rows = tuple(flag if one.id == flag.id else one for one in part.rows)
        return replace(self, parts={**self.parts, FLAGS: replace(part, rows=rows)})

    def with_sending(self, key: str, said: str) -> KnobState:
        """An empty `said`: nothing is on its way any more."""
        others = {name: words for name, words in self.sending.items() if name != key}
        return replace(self, sending={**others, key: said} if said else others)


@dataclass(frozen=True, slots=True)
class FlagRow:
    """`flag` is None for a knob that is known and not made yet. `rounds` are those that saw each variant, None while
    that is not known; `sending` is the change that is on its way."""

    key: str
    flag: Flag | None
    knob: Knob | None
    rounds: Mapping[str, int] | None = None
    sending: str = ""
    experiment: Running | None = None

    @property
    def kind(self) -> str:
        """Whoever reads flags takes any number of dollars in a payload for a budget."""
        if self.knob is not None:
            return self.knob.kind
        return BUDGET if self.flag is not None and self.flag.usd is not None else FLAG

    @property
    def about(self) -> str:
        """What it is for."""
        return self.knob.description if self.knob else self.flag.name if self.flag else ""

    @property
    def changed_at(self) -> datetime | None:
        return moment_of(self.flag.updated_at) if self.flag else None


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """A flag whose rounds are compared, with the experiment on it where there is one. One that is not `is_asked` is
    compared when somebody opens it."""

    key: str
    flag: Flag | None
    running: Running | None
    compared: Compared | None
    problem: str = ""
    sending: str = ""
    is_asked: bool = True

    @property
    def state(self) -> str:
        return self.running.state if self.running else ""


@dataclass(frozen=True, slots=True)
class MarkRow:
    """`around` is None until it was asked for."""

    mark: Annotation
    around: Around | None = None
    problem: str = ""


def flag_rows(state: KnobState) -> tuple[FlagRow, ...]:
    return tuple(row for row in _flag_rows(state) if row.kind == FLAG)


def budget_rows(state: KnobState) -> tuple[FlagRow, ...]:
    """Kill switches first."""
    rows = [row for row in _flag_rows(state) if row.kind in (BUDGET, KILL_SWITCH)]
    return tuple(sorted(rows, key=lambda row: (row.kind != KILL_SWITCH, row.key)))


def _flag_rows(state: KnobState) -> list[FlagRow]:
    part, seen = state.part(FLAGS), state.seen
    if part.as_of is None:
        return []
    made = {flag.key: flag for flag in part.rows}
    running = state.part(EXPERIMENTS).rows
    return [
        FlagRow(
            key,
            made.get(key),
            state.known.get(key),
            seen.rounds.get(key, {}) if seen else None,
            state.sending.get(key, ""),
            experiment_on(running, key),
        )
        # Those that are there come first: what could be made is not what is looked for.
        for key in (*sorted(made), *sorted(state.known.keys() - made.keys()))
    ]


def experiment_rows(state: KnobState) -> tuple[ExperimentRow, ...]:
    """What runs first, then drafts, then flags that part the rounds without an experiment, then what ended. Of the
    flags, those that rounds of the window saw come first."""
    flags = {flag.key: flag for flag in state.part(FLAGS).rows}
    running: Sequence[Running] = state.part(EXPERIMENTS).rows
    ran = {one.flag for one in running}
    bare = [key for key, flag in flags.items() if key not in ran and parts_rounds(flag)]
    order = {RUNNING: 0, PAUSED: 1, DRAFT: 2, "": 3, ENDED: 4}
    seen = state.seen.rounds if state.seen else {}
    rows = [
        ExperimentRow(
            key,
            flags.get(key),
            one,
            state.compared.get(name_of(key, one)),
            state.problems.get(COMPARED, ""),
            state.sending.get(key, ""),
        )
        for key, one in (*((one.flag, one) for one in running), *((key, None) for key in bare))
    ]
    rows.sort(key=lambda row: (order[row.state], row.running is None and row.key not in seen))
    began = [name_of(row.key, row.running) for row in rows if row.state != DRAFT]
    asked = {*began[:MOST_COMPARED], *state.chosen}
    return tuple(replace(row, is_asked=name_of(row.key, row.running) in asked) for row in rows)


def name_of(key: str, running: Running | None) -> str:
    """What a comparison is kept by: a flag may have had several experiments."""
    return f"{key} {running.id if running else ''}"


def parts_rounds(flag: Flag) -> bool:
    """Whether some rounds see the flag otherwise than others."""
    return len(flag.variants) > 1 or (flag.is_on and flag.rollout is not None and 0 < flag.rollout < 100)


def questions(state: KnobState, now: datetime) -> tuple[tuple[str, Plan, Span], ...]:
    """What has to be asked about events for experiments that have begun: (name, plan, since when and until)."""
    return tuple(
        (name_of(row.key, row.running), _plan(row), _span(row, now))
        for row in experiment_rows(state)
        if row.state != DRAFT and row.is_asked
    )


def _plan(row: ExperimentRow) -> Plan:
    planned = row.running.plan if row.running else None
    # A flag that is on or off is compared by who had it off.
    return planned or Plan(row.key, shares=row.flag.shares if row.flag else None)


def _span(row: ExperimentRow, now: datetime) -> Span:
    one = row.running
    until = one.ended_at if one and one.ended_at else now
    return Span(one.started_at if one and one.started_at else until - LOOKS_BACK, until)


def mark_rows(state: KnobState) -> tuple[MarkRow, ...]:
    problem = state.problems.get(AROUND, "")
    return tuple(MarkRow(mark, state.around.get(mark.id), problem) for mark in state.part(ANNOTATIONS).rows)


def rounds_words(rounds: Mapping[str, int] | None) -> str:
    """`control 40, test 38`; rounds that saw more than one variant are last."""
    if not rounds:
        return ""
    named = [f"{variant} {number:,}" for variant, number in rounds.items() if variant != SEVERAL]
    return ", ".join([*named, *([f"mixed {rounds[SEVERAL]:,}"] if SEVERAL in rounds else [])])


# The lines over the sections


def head(state: KnobState, section: str, clock_time: ClockTime) -> Sequence[Said]:
    """`section` is the part that is shown: what is wrong with it is said first."""
    said = [("strong", _summary(state, clock_time))]
    for words in state.sending.values():
        said.append(("warn", f"On its way: {words}. It is done once PostHog has said so."))
    stopped = [row.key for row in budget_rows(state) if row.kind == KILL_SWITCH and row.flag and row.flag.is_on]
    if stopped:
        said.append(("warn", f"{listed(stopped)} is on: loops that read it begin no round."))
    for name in dict.fromkeys((section, FLAGS) if section == EXPERIMENTS else (section,)):
        part = state.part(name)
        if part.problem and part.as_of is not None:
            said.append(("warn", f"{part.problem} What is shown is of {clock_time(part.as_of)}."))
        elif part.problem and section == EXPERIMENTS and experiment_rows(state):
            said.append(("warn", part.problem))  # where there is no row, it stands in their place
        if len(part.rows) >= MOST_LISTED:
            which = "newest" if name == ANNOTATIONS else "first"
            said.append(("warn", f"Only the {which} {len(part.rows):,} {name} are shown: there may be more."))
    problem = state.problems.get(SEEN if section == FLAGS else COMPARED if section == EXPERIMENTS else "", "")
    if problem and problem != state.part(section).problem:
        said.append(("warn", f"Rounds are not counted: {problem}"))
    return said


def _summary(state: KnobState, clock_time: ClockTime) -> str:
    flags, running = state.part(FLAGS), state.part(EXPERIMENTS)
    if flags.as_of is None:
        return "The flags are not known." if flags.problem else "Asking for the flags…"
    on = sum(flag.is_on for flag in flags.rows)
    live = sum(one.is_live for one in running.rows)
    runs = f"; {counted(live, 'experiment')} {'runs' if live == 1 else 'run'}" if live else ""
    return f"{counted(len(flags.rows), 'flag')}, {on} on{runs}, as of {clock_time(flags.as_of)}."
