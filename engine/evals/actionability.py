"""The verdict on labelled reports: which it lets through, which it drops, and how urgent it takes them to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from engine.evals.asking import asked
from engine.evals.metrics import Part, part
from engine.evals.records import Record
from engine.evals.split import Half, half_of
from engine.judge import Actionability, Assessment, Case, Evidence, Judge
from engine.model import Signal
from engine.results import PRIORITIES

LABELS: tuple[str, ...] = get_args(Actionability)
DROPPED = "not_actionable"
_WHEN = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ActionabilityCase:
    """`priority` empty and `is_addressed` None: the set does not say, and they are not scored. `doubt` names the labels
    that it lies between."""

    id: str
    label: str
    priority: str
    is_addressed: bool | None
    doubt: str
    case: Case

    @property
    def half(self) -> Half:
        return half_of("actionability", self.id)


@dataclass(frozen=True, slots=True)
class ActionabilityAnswer:
    """`said` None: there was no answer, and `why` says why not."""

    case: ActionabilityCase
    said: Assessment | None
    why: str = ""

    @property
    def label(self) -> str:
        return self.said.actionability if self.said else ""

    @property
    def is_mistake(self) -> bool:
        return self.said is not None and self.label != self.case.label


@dataclass(frozen=True, slots=True)
class ActionabilityScore:
    """Admitted is what reaches a human: ready, or with a question. `false_admits` are of those that are not actionable,
    `false_drops` of those that are or need input. `confusion` counts (label, what was said). `addressed` are reports
    whose fix is merged or in flight and which were said to be so, `wrongly_addressed` those that were said to be so of
    all others. Reports without an answer are in `held` alone."""

    judge: str
    right: Part
    right_in_doubt: Part
    false_admits: Part
    false_drops: Part
    confusion: Mapping[tuple[str, str], int]
    priority_exact: Part
    priority_within_one: Part
    addressed: Part
    wrongly_addressed: Part
    held: int
    answers: tuple[ActionabilityAnswer, ...]

    @property
    def mistakes(self) -> tuple[ActionabilityAnswer, ...]:
        return tuple(answer for answer in self.answers if answer.is_mistake)


def case(record: Record) -> ActionabilityCase:
    """`label` and `signals` (texts) are needed; `id`, `title`, `evidence` (texts), `priority`, `already_addressed` and
    `doubt` are optional. Raises `ValueError`."""
    id = record.text("id", f"line {record.number}")
    contents = record.texts("signals")
    if not contents or not all(content.strip() for content in contents):
        raise ValueError("signals has no text, or an empty one")
    signals = [Signal("eval", "signal", f"{id}/{place}", content, 0.5, _WHEN) for place, content in enumerate(contents)]
    evidence = [Evidence("", said) for said in record.texts("evidence", ())]
    title = record.text("title", signals[0].title)
    return ActionabilityCase(
        id=id,
        label=record.one_of("label", LABELS),
        priority=record.one_of("priority", PRIORITIES, ""),
        is_addressed=record.truth("already_addressed", False) if "already_addressed" in record.fields else None,
        doubt=record.text("doubt", ""),
        case=Case(id, title, {signal.id: signal for signal in signals}, evidence),
    )


async def score(
    judge: Judge, cases: Sequence[ActionabilityCase], tell: Callable[[], None] = lambda: None
) -> ActionabilityScore:
    """Raises `Unavailable` where the judge answered nothing."""
    found = await asked(cases, lambda one: judge.assess(one.case), tell)
    answers = [
        ActionabilityAnswer(one, None, said) if isinstance(said, str) else ActionabilityAnswer(one, said)
        for one, said in found
    ]
    return scored(judge.name, answers)


def scored(judge: str, answers: Sequence[ActionabilityAnswer]) -> ActionabilityScore:
    answered = [(each.case, each.said) for each in answers if each.said is not None]
    steps = [
        abs(PRIORITIES.index(said.priority) - PRIORITIES.index(one.priority))
        for one, said in answered
        if one.priority and said.priority in PRIORITIES
    ]
    return ActionabilityScore(
        judge=judge,
        right=part(said.actionability == one.label for one, said in answered),
        right_in_doubt=part(said.actionability == one.label for one, said in answered if one.doubt),
        false_admits=part(said.actionability != DROPPED for one, said in answered if one.label == DROPPED),
        false_drops=part(said.actionability == DROPPED for one, said in answered if one.label != DROPPED),
        confusion=Counter((one.label, said.actionability) for one, said in answered),
        priority_exact=part(step == 0 for step in steps),
        priority_within_one=part(step <= 1 for step in steps),
        addressed=part(said.already_addressed for one, said in answered if one.is_addressed is True),
        wrongly_addressed=part(said.already_addressed for one, said in answered if one.is_addressed is False),
        held=len(answers) - len(answered),
        answers=tuple(answers),
    )
