"""What a research job does: read the report, have its texts judged together, measure, and have it assessed.

Everything is read through the read-only door and the stored events; what follows is the result's, applied by
`engine.results`. A text that belongs to somebody else only ever reaches a judge, never a question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from engine import evidence
from engine.inbox import Inbox, ReportDetail, StoredSignal
from engine.judge import Assessment, Case, Evidence, Judge, Safety, texts_of
from engine.metrics import Metric, for_signals
from engine.model import Artefact, Job, Note, Signal
from queries.morning import open_local
from workspace.config import Config
from workspace.errors import LoopdeskError

MOST_NOTES = 20
_READABLE = ("passed", "released")
_RULES = "rules"


@dataclass(frozen=True, slots=True)
class Read:
    """What the job may look at. `is_released`: these texts were blocked together before, and a human let them pass."""

    report_id: str
    title: str
    signals: Mapping[str, Signal]
    context: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    is_released: bool = False


class Research:
    """The handler of research jobs. Raises `Unavailable` where the judge cannot be had, `LoopdeskError` for a report
    that is not there."""

    def __init__(self, config: Config, judge: Judge, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._config, self._judge, self._clock = config, judge, clock

    async def __call__(self, job: Job) -> Mapping[str, object]:
        read = await asyncio.to_thread(self._read, job)
        if read.signals and not read.is_released:
            safety = await self._judge.safety_together([texts_of(signal) for signal in read.signals.values()])
            if not safety.is_safe:
                return blocked(safety)
        measured = await asyncio.to_thread(self._measured, list(read.signals.values()))
        case = Case(read.report_id, read.title, read.signals, measured, read.context, read.memory)
        metric = for_signals(read.signals.values())
        return result(await self._judge.assess(case), measured, self._judge.name, metric)

    def _read(self, job: Job) -> Read:
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            detail = inbox.report(job.report_id)
            if detail is None:
                raise LoopdeskError("The report to research is not in this workspace")
            return read_for(job, detail, inbox.notes())

    def _measured(self, signals: Sequence[Signal]) -> list[Evidence]:
        now, config = self._clock(), self._config
        backend = open_local(config, lambda: now)
        if backend is None:
            return []
        with closing(backend):
            return evidence.gathered(backend, signals, now, config.zone, config.night_starts_hour)


def read_for(job: Job, detail: ReportDetail, notes: Sequence[Note]) -> Read:
    """Of what the inbox holds, what this job may read."""
    report, wanted = detail.listed.report, _revisions(job.brief)
    signals = {one.id: one.signal for one in detail.signals if one.id in wanted and one.safety in _READABLE}
    return Read(
        report_id=report.id,
        title=report.title,
        signals=signals,
        context=context_of(detail.artefacts),
        memory=memory_of(notes, (report.id, report.recurrence_of), detail.signals),
        is_released=is_released(detail.artefacts, detail, wanted),
    )


def context_of(artefacts: Iterable[Artefact]) -> tuple[str, ...]:
    """What humans added and did not withdraw, oldest first."""
    found: dict[str, str] = {}
    for one in artefacts:
        if one.kind == "context":
            found[str(one.content.get("command"))] = str(one.content.get("note", ""))
        elif one.kind == "context_withdrawn":
            found.pop(str(one.content.get("undoes")), None)
    return tuple(found.values())


def memory_of(notes: Iterable[Note], reports: Sequence[str], signals: Iterable[StoredSignal]) -> tuple[str, ...]:
    """Notes in force, the newest first: those about no report, about this one or the one it recurs from, and those that
    name one of its signals."""
    titles = [f"“{one.signal.title}”" for one in signals]
    found = [
        note.text
        for note in notes
        if note.withdrawn_at is None
        and (not note.report_id or note.report_id in reports or any(title in note.text for title in titles))
    ]
    return tuple(found[:MOST_NOTES])


def is_released(artefacts: Sequence[Artefact], detail: ReportDetail, wanted: Mapping[str, int]) -> bool:
    """Whether a human has let these texts pass: a release holds for what was blocked, and not for what came later."""
    blocks = [one.content for one in artefacts if one.kind == "safety_blocked"]
    releases = [_run(one.content) for one in artefacts if one.kind == "safety_released"]
    if not blocks or max(releases, default=0) < _run(blocks[-1]):
        return False
    before = _run(blocks[-1])
    seen = next((_revisions(job.brief) for job in detail.jobs[::-1] if job.brief.get("run") == before), {})
    return all(seen.get(id) == revision for id, revision in wanted.items())


def blocked(safety: Safety) -> Mapping[str, object]:
    return {"blocked": {"threat": safety.threat, "quote": safety.quote, "why": safety.why}}


def result(
    found: Assessment, measured: Iterable[Evidence], judged_by: str, metric: Metric | None = None
) -> Mapping[str, object]:
    """In the form that `engine.results.research` takes."""
    shown = for_the_owner(found) if judged_by == _RULES else found
    return {
        "title": shown.title,
        "summary": shown.summary,
        "actionability": shown.actionability,
        "reason": shown.reason,
        "priority": shown.priority,
        "priority_reason": shown.priority_reason,
        "question": shown.question,
        "already_addressed": shown.already_addressed,
        "judged": found.actionability,
        "judged_by": judged_by,
        "findings": [asdict(one) for one in measured],
        "metric": metric.document if metric else {},
    }


def for_the_owner(found: Assessment) -> Assessment:
    """Without a model nothing here can begin the work, so what could be begun is put to the owner."""
    if found.actionability != "immediately_actionable":
        return found
    question = f"{found.reason} Will you see to it yourself? With a model key it would be ready to start."
    return replace(found, actionability="requires_human_input", question=question)


def _revisions(brief: Mapping[str, object]) -> Mapping[str, int]:
    found = brief.get("signals", {})
    assert isinstance(found, Mapping)  # the brief is our own
    return found


def _run(content: Mapping[str, object]) -> int:
    return int(str(content.get("run") or 0))
