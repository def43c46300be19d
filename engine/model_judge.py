"""Judgement by a model, behind the same protocol as the rules. Safety asks the rules first: what they block, no model
ever reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from engine import prompts
from engine.data_blocks import Data, decoded
from engine.judge import (
    MOST_NAME,
    MOST_QUERIES,
    MOST_TEXT,
    THREATS,
    Actionability,
    Assessment,
    Candidate,
    Case,
    Judge,
    Match,
    Safety,
    SignalText,
    clipped,
    shown,
    texts_of,
)
from engine.llm import About, Model, Question
from engine.model import Signal, signal_id

MOST_TITLE, MOST_SUMMARY_WORDS = 70, 200
_MOST_TOGETHER = 60_000
_MOST_ASSESSED = 24
_EXAMPLES, _EXAMPLE = 3, 500
_ITEMS = 20

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Threat = Literal[
    "none", "instruction_override", "hidden_instructions", "encoded_payload", "secret_exfiltration", "remote_code"
]
assert get_args(Threat)[1:] == THREATS


class _Form(BaseModel):
    """Nothing but its own fields: an answer that brings more has obeyed somebody else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SafetyAnswer(_Form):
    why: Annotated[Text, Field(max_length=400, description="What the text does, in one sentence.")]
    is_safe: bool
    threat: Annotated[Threat, Field(description="none where it is safe.")]
    quote: Annotated[str, Field(max_length=500, description="Copied from the data; empty where it is safe.")]


class QueriesAnswer(_Form):
    queries: Annotated[
        list[Annotated[Text, Field(max_length=200)]], Field(min_length=1, description=f"At most {MOST_QUERIES}.")
    ]


class MatchAnswer(_Form):
    reason: Annotated[Text, Field(max_length=300)]
    report: Annotated[int, Field(description="The place of a report that was offered, or 0 for a new one.")]


class AssessAnswer(_Form):
    reason: Annotated[Text, Field(max_length=600, description="Why this actionability.")]
    actionability: Actionability
    question: Annotated[str, Field(max_length=400, description="Empty unless human input is required.")]
    priority_reason: Annotated[Text, Field(max_length=600)]
    priority: Literal["P0", "P1", "P2", "P3", "P4"]
    already_addressed: bool
    title: Annotated[Text, Field(max_length=MOST_TITLE)]
    summary: Annotated[Text, Field(description=f"At most {MOST_SUMMARY_WORDS} words.")]

    @field_validator("summary")
    @classmethod
    def _is_short(cls, summary: str) -> str:
        if len(summary.split()) > MOST_SUMMARY_WORDS:
            raise ValueError(f"it has more than {MOST_SUMMARY_WORDS} words")
        return summary


_SAFETY = Question("safety", prompts.SAFETY, SafetyAnswer, 600)
_TOGETHER = Question("safety", prompts.SAFETY_TOGETHER, SafetyAnswer, 600)
_QUERIES = Question("grouping", prompts.QUERIES, QueriesAnswer, 400)
_MATCH = Question("grouping", prompts.MATCH, MatchAnswer, 400)
_ASSESS = Question("assess", prompts.ASSESS, AssessAnswer, 1_500)


class ModelJudge:
    """`rules` reads every text before a model does. `report_of` knows in which report a signal is, empty for none."""

    def __init__(self, model: Model, rules: Judge, report_of: Callable[[str], str]) -> None:
        self._model, self._rules, self._report_of = model, rules, report_of

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(self._model.models.values()))

    async def close(self) -> None:
        await self._model.close()

    async def safety(self, text: SignalText) -> Safety:
        found = await self._rules.safety(text)
        if not found.is_safe:
            return found
        return await self._safety(_SAFETY, [shown(text)], About(_id_of(text)))

    async def safety_together(self, texts: Sequence[SignalText]) -> Safety:
        report_id = self._report_of(_id_of(texts[0])) if texts else ""
        found = await self._rules.safety_together(texts)
        for part in _parts([shown(text) for text in texts]):
            if not found.is_safe:
                break
            found = await self._safety(_TOGETHER, part, About(_id_of(texts[0]), report_id))
        return found

    async def _safety(
        self, question: Question[SafetyAnswer], signals: Sequence[Mapping[str, str]], about: About
    ) -> Safety:
        def quoted(answer: SafetyAnswer) -> str:
            """The fragment as it stands in one of the fields; empty where it stands in none."""
            fragments = [one for one in (answer.quote.strip(), decoded(answer.quote.strip())) if one]
            fields = [part for signal in signals for pair in signal.items() for part in pair]
            return next((one for one in fragments if any(one in part for part in fields)), "")

        def wrong(answer: SafetyAnswer) -> str:
            has_threat = answer.threat != "none"
            if answer.is_safe:
                return "It is called safe, and has a threat or a quote." if has_threat or answer.quote else ""
            if not has_threat:
                return "It is called unsafe, and no threat is named."
            return "" if quoted(answer) else "The quote does not occur in the data."

        blocks = [Data("signal", signal) for signal in signals]
        answer = await self._model.ask(question, blocks, about, wrong)
        if answer.is_safe:
            return Safety(True, why=answer.why)
        return Safety(False, answer.threat, quoted(answer), answer.why)

    async def queries(self, signal: Signal) -> Sequence[str]:
        def wrong(answer: QueriesAnswer) -> str:
            return f"There are more than {MOST_QUERIES} queries." if len(answer.queries) > MOST_QUERIES else ""

        blocks = [Data("signal", shown(texts_of(signal)))]
        answer = await self._model.ask(_QUERIES, blocks, About(signal.id), wrong)
        return tuple(dict.fromkeys(" ".join(query.split()) for query in answer.queries))

    async def match(self, signal: Signal, candidates: Sequence[Candidate]) -> Match:
        if not candidates:
            return Match("No report is like it")

        def wrong(answer: MatchAnswer) -> str:
            offered = 0 <= answer.report <= len(candidates)
            return "" if offered else f"Only reports 1 to {len(candidates)} were offered, or 0 for a new one."

        offers = [Data("report", _offer(place, one)) for place, one in enumerate(candidates, 1)]
        blocks = [Data("signal", shown(texts_of(signal))), *offers]
        answer = await self._model.ask(_MATCH, blocks, About(signal.id), wrong)
        chosen = candidates[answer.report - 1].report_id if answer.report else ""
        return Match(" ".join(answer.reason.split()), chosen)

    async def assess(self, case: Case) -> Assessment:
        def wrong(answer: AssessAnswer) -> str:
            is_wanted, is_there = answer.actionability == "requires_human_input", bool(answer.question.strip())
            if is_wanted == is_there:
                return ""
            return "Human input is required, but nothing asked." if is_wanted else "Nobody is to answer a question."

        newest = list(case.signals.values())[-_MOST_ASSESSED:]
        signals = [shown(texts_of(signal)) for signal in newest]
        while sum(map(_size, signals)) > _MOST_TOGETHER and len(signals) > 1:
            signals.pop(0)
        blocks = [
            Data("report", {"title": clipped(case.title), "signals": len(case.signals)}),
            *(Data("signal", signal) for signal in signals),
            *(Data("evidence", _evidence(one.question, one.said, one.values)) for one in case.evidence[:_ITEMS]),
            *(Data("added_by_a_person", clipped(text)) for text in case.context[-_ITEMS:]),
            *(Data("note", clipped(text)) for text in case.memory[-_ITEMS:]),
        ]
        answer = await self._model.ask(_ASSESS, blocks, About(report_id=case.report_id), wrong)
        return Assessment(
            actionability=answer.actionability,
            reason=answer.reason,
            priority=answer.priority,
            priority_reason=answer.priority_reason,
            title=" ".join(answer.title.split()),
            summary=answer.summary,
            question=answer.question.strip(),
            already_addressed=answer.already_addressed,
        )


def _size(signal: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) for name, value in signal.items())


def _parts(signals: Sequence[dict[str, str]]) -> list[list[dict[str, str]]]:
    """All of them, in order, in as many requests as they need."""
    parts: list[list[dict[str, str]]] = []
    room = 0
    for signal in signals:
        if not parts or _size(signal) > room:
            parts.append([])
            room = _MOST_TOGETHER
        parts[-1].append(signal)
        room -= _size(signal)
    return parts


def _offer(place: int, candidate: Candidate) -> dict[str, object]:
    examples = [_example(signal) for signal in candidate.examples[:_EXAMPLES]]
    return {
        "place": place,
        "title": clipped(candidate.title, MOST_TEXT),
        "signals": candidate.signals,
        "found_by": f"{len(candidate.found_by)} of {candidate.searches} searches",
        "similarity": round(candidate.similarity, 2),
        "examples": examples,
        "corrections": [clipped(text, _EXAMPLE) for text in candidate.corrections[-_ITEMS:]],
    }


def _example(signal: Signal) -> dict[str, str]:
    """Less of what safety read."""
    return {name: clipped(value, _EXAMPLE) for name, value in shown(texts_of(signal)).items() if name != "source_id"}


def _evidence(question: str, said: str, values: Mapping[str, object]) -> dict[str, object]:
    few = islice(values.items(), _ITEMS)
    return {
        "question": clipped(question, _EXAMPLE),
        "said": clipped(said),
        "values": {clipped(str(name), MOST_NAME): clipped(str(value), _EXAMPLE) for name, value in few},
    }


def _id_of(text: SignalText) -> str:
    product, _, kind = text.source.partition("/")
    return signal_id(product, kind, text.fields.get("source_id", ""))
