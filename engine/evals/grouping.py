"""Grouping on labelled signals: they go through the engine's own stage, one after the other as they occurred, and what
ends up in one report is compared with what is one problem."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from pathlib import Path

from engine.evals.metrics import Agreement, agreement
from engine.evals.records import Record
from engine.evals.split import Half, family, half_of
from engine.instants import stored
from engine.main import Stage
from engine.model import Signal
from engine.rows import check_signal, signal_text
from engine.store import Store
from workspace.errors import LoopdeskError

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_YEARS = range(1970, 3000)
_A_WHILE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class GroupingCase:
    """Signals of one `problem` belong into one report. `family` is kept together by the split; `near` is the problem
    that it is easily mistaken for."""

    id: str
    problem: str
    signal: Signal
    near: str = ""
    family: str = ""

    @property
    def half(self) -> Half:
        return half_of("grouping", self.family or self.problem)


@dataclass(frozen=True, slots=True)
class GroupingAnswer:
    """`report` is empty where grouping gave no answer: such a signal is scored as a report of its own."""

    case: GroupingCase
    report: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GroupingScore:
    """`mixed` are reports with more than one problem, the problems by their number of signals; `torn` are problems in
    more than one report, with the number of signals in each. `near_joined` counts pairs that were wrongly joined with
    just what they are nearly."""

    judge: str
    agreement: Agreement
    singletons: int
    unplaced: int
    near_joined: int
    mixed: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]
    torn: tuple[tuple[str, tuple[int, ...]], ...]
    answers: tuple[GroupingAnswer, ...]


def case(record: Record) -> GroupingCase:
    """`problem` and `content` are needed; the signal's other fields, `id` and `near` are optional. A line without a
    time occurred a minute after the line before. Raises `ValueError`."""
    problem, number = record.text("problem"), record.number
    signal = Signal(
        source_product=record.text("source_product", "eval"),
        source_type=record.text("source_type", "signal"),
        source_id=record.text("source_id", f"line {number}"),
        content=record.text("content"),
        weight=record.number_of("weight", 0.5),
        occurred_at=_time(record.text("occurred_at", ""), number),
        extra=record.mapping("extra", {}),
    )
    check_signal(signal)
    signal_text(signal)  # what could not be handed in at the door cannot be scored
    near = record.text("near", "")
    return GroupingCase(record.text("id", f"line {number}"), problem, signal, near)


def checked(cases: Sequence[GroupingCase]) -> tuple[GroupingCase, ...]:
    """In the order in which they occurred, each with its family. Raises `LoopdeskError` where two are one signal: the
    engine would take the later one for a revision of the earlier."""
    seen: dict[str, str] = {}
    for one in cases:
        if one.signal.id in seen:
            raise LoopdeskError(
                f"{one.id} and {seen[one.signal.id]} are the same signal", do="Give each a source_id of its own"
            )
        seen[one.signal.id] = one.id
    near: dict[str, str | None] = {}
    for one in cases:
        near[one.problem] = near.get(one.problem) or one.near or None
    placed = (replace(one, family=family(one.problem, near)) for one in cases)
    return tuple(sorted(placed, key=lambda one: (one.signal.occurred_at, one.signal.id)))


async def score(
    judge: str,
    stage: Callable[[Store], Stage],
    cases: Sequence[GroupingCase],
    tell: Callable[[], None] = lambda: None,
) -> GroupingScore:
    """`stage` makes the engine's grouping over a store, here one in a folder that is gone afterwards. `judge` is its
    name. Raises `LoopdeskError` where no signal found its place."""
    with tempfile.TemporaryDirectory(prefix="loopdesk-eval-") as folder:
        store = Store.open(Path(folder) / "inbox.db")
        try:
            # Nothing here has to outlive a power cut.
            store.connection.execute("PRAGMA synchronous = OFF")
            await _place_all(store, stage(store), cases, tell)
            found = _places(store)
        finally:
            store.close()
    answers = [GroupingAnswer(one, *found.get(one.signal.id, ("", ""))) for one in cases]
    if not any(answer.report for answer in answers):
        raise LoopdeskError("No signal was grouped", "The judge gave no answer")
    return scored(judge, answers)


def scored(judge: str, answers: Sequence[GroupingAnswer]) -> GroupingScore:
    truth = [answer.case.problem for answer in answers]
    found = [answer.report or f"alone: {answer.case.id}" for answer in answers]
    by_report: dict[str, Counter[str]] = defaultdict(Counter)
    by_problem: dict[str, Counter[str]] = defaultdict(Counter)
    for problem, report in zip(truth, found, strict=True):
        by_report[report][problem] += 1
        by_problem[problem][report] += 1
    return GroupingScore(
        judge=judge,
        agreement=agreement(truth, found),
        singletons=sum(sum(problems.values()) == 1 for problems in by_report.values()),
        unplaced=sum(not answer.report for answer in answers),
        near_joined=_near_joined(answers, by_report),
        mixed=tuple((name, tuple(held.most_common())) for name, held in by_report.items() if len(held) > 1),
        torn=tuple(
            (name, tuple(sorted(parts.values(), reverse=True))) for name, parts in by_problem.items() if len(parts) > 1
        ),
        answers=tuple(answers),
    )


async def _place_all(store: Store, stage: Stage, cases: Sequence[GroupingCase], tell: Callable[[], None]) -> None:
    now = _FIRST
    for one in cases:
        now = one.signal.occurred_at
        with store.transaction("add_signal"):
            store.connection.execute(
                "INSERT INTO signals_in(signal, added_at) VALUES (?, ?)", (signal_text(one.signal), stored(now))
            )
        store.ingest(now)
        store.judged(one.signal.id, "passed")
        await _place(store, stage, now)
        tell()
    # What got no answer is asked once more, as the engine would after a while.
    await _place(store, stage, now + _A_WHILE)


async def _place(store: Store, stage: Stage, now: datetime) -> None:
    """A turn of the stage may do something else first, such as reading what a new embedder has to read."""
    while store.unplaced(1) and (await stage(store, now)).done:
        pass


def _places(store: Store) -> dict[str, tuple[str, str]]:
    """Report and reason, by signal."""
    found = store.connection.execute(
        "SELECT signal_id, report_id, reason FROM report_signals WHERE left_at IS NULL"
    ).fetchall()
    return {signal: (report, reason) for signal, report, reason in found}


def _near_joined(answers: Sequence[GroupingAnswer], by_report: dict[str, Counter[str]]) -> int:
    near = {(answer.case.problem, answer.case.near) for answer in answers if answer.case.near}
    return sum(
        held[one] * held[other]
        for held in by_report.values()
        for one, other in combinations(held, 2)
        if (one, other) in near or (other, one) in near
    )


def _time(text: str, number: int) -> datetime:
    if not text:
        return _FIRST + timedelta(minutes=number)
    try:
        found = datetime.fromisoformat(text)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("occurred_at is not a time") from error
    if found.year not in _YEARS:
        raise ValueError(f"occurred_at is not of the years {_YEARS[0]} to {_YEARS[-1]}")
    return found
