"""What a research job does: have the report's texts judged together, measure, have an agent look into the code where
there is one to ask, and have the report assessed.

What is read is read at home, into the brief; what follows is the result's, applied by `engine.results`. A text that
belongs to somebody else only ever reaches a judge or an agent, as data, and never a question.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from engine import evidence
from engine.in_thread import in_thread
from engine.inbox import Inbox, ReportDetail, StoredSignal
from engine.judge import Assessment, Case, Evidence, Judge, Safety, texts_of
from engine.metrics import Metric, for_signals
from engine.model import Artefact, Job, Note, Signal
from engine.repositories import Repository, candidates, repositories
from engine.rows import signal_from_text, signal_text
from engine.sandbox.protocol import NoSandbox
from engine.work import Progress
from queries.backend import Backend
from queries.morning import open_local
from workspace.config import Config
from workspace.errors import LoopdeskError

MOST_SIGNALS = 100
"""The newest are read; a report of more says nothing else."""
MOST_NOTES = 20
# Characters of a signal in a brief, which may travel: more than a model is ever shown of one.
_MOST_CONTENT, _MOST_EXTRA = 8_000, 16_000
_MOST_MEMORY = 100  # notes that an agent can look through
_READABLE = ("passed", "released")
_RULES = "rules"


@dataclass(frozen=True, slots=True)
class Read:
    """What the job may look at. `memory` are the notes that bear on the report, `notes` all that are in force.
    `is_released`: these texts were blocked together before, and a human let them pass."""

    report_id: str
    title: str
    signals: Mapping[str, Signal]
    context: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_released: bool = False
    repositories: tuple[Repository, ...] = ()
    """Where the cause may be: more than one is chosen from."""
    is_pinned: bool = False
    """Whether the configuration names the one repository for the report's projects."""


class NoAgent(LoopdeskError):
    """There is no agent to ask, or no code for it to look into: the report is judged without."""


class LooksIntoCode(Protocol):
    async def look(self, case: Case, read: Read, progress: Progress) -> Mapping[str, object]:
        """A result in the form that `engine.results.research` takes. Raises `NoAgent`, `NoSandbox`, `Unavailable`,
        `LoopdeskError`."""


class Research:
    """`engine.work.Work`. `agent` makes who looks into the code; None is an engine that has none. Raises `Unavailable`
    where the judge, the agent or the repository cannot be had now, `LoopdeskError` for a report that is not there."""

    def __init__(
        self,
        config: Config,
        judge: Judge,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        agent: Callable[[], LooksIntoCode] | None = None,
    ) -> None:
        """Raises `LoopdeskError` for repositories that make no sense."""
        self._config, self._judge, self._clock, self._agent = config, judge, clock, agent
        self._repositories = repositories(config)

    def brief(self, job: Job) -> Mapping[str, object]:
        with closing(Inbox(self._config.workspace, read_only=True)) as inbox:
            detail = inbox.report(job.report_id)
            if detail is None:
                raise LoopdeskError("The report to research is not in this workspace")
            read = read_for(job, detail, inbox.notes())
        projects = {str(one.extra.get("project") or "") for one in read.signals.values()}
        offered, is_pinned = candidates(self._repositories, projects)
        return written(replace(read, repositories=offered, is_pinned=is_pinned))

    async def do(self, brief: Mapping[str, object], progress: Progress) -> Mapping[str, object]:
        read = read_back(brief)
        if read.signals and not read.is_released:
            safety = await self._judge.safety_together([texts_of(signal) for signal in read.signals.values()])
            if not safety.is_safe:
                return blocked(safety)
        measured = await in_thread(lambda: self._measured(list(read.signals.values())), "evidence")
        case = Case(read.report_id, read.title, read.signals, measured, read.context, read.memory)
        try:
            return await self._looked(case, read, progress)
        except (NoAgent, NoSandbox) as error:
            # Judgement needs neither; that nobody looked into the code is said.
            metric = for_signals(read.signals.values())
            without = result(await self._judge.assess(case), measured, self._judge.name, metric)
            return {**without, "code": f"The code was not looked at. {error}"}

    async def _looked(self, case: Case, read: Read, progress: Progress) -> Mapping[str, object]:
        if not read.signals:
            raise NoAgent("None of the report's signals may be read")
        if not read.repositories:
            raise NoAgent(
                "No repository is configured for it", do="Say under [repositories.NAME] where the loops' code is"
            )
        if self._agent is None or self._judge.name == _RULES:
            raise NoAgent("No model may be asked to look")
        return await self._agent().look(case, read, progress)

    def _measured(self, signals: Sequence[Signal]) -> list[Evidence]:
        now, config = self._clock(), self._config
        backend: Backend | None = open_local(config, lambda: now)
        if backend is None and config.asks_posthog:
            # A worker has no store of its own.
            from engine.agents.tools import backend_of

            backend = backend_of(config)
        if backend is None:
            return []
        with closing(backend):
            return evidence.gathered(backend, signals, now, config.zone, config.night_starts_hour)


def written(read: Read) -> Mapping[str, object]:
    """As JSON, for whoever does the work."""
    return {
        **asdict(replace(read, signals={})),
        "signals": {id: json.loads(signal_text(one)) for id, one in read.signals.items()},
    }


def read_back(brief: Mapping[str, object]) -> Read:
    found: dict[str, Any] = dict(brief)
    return Read(
        found["report_id"],
        found["title"],
        {id: signal_from_text(json.dumps(one)) for id, one in found["signals"].items()},
        tuple(found["context"]),
        tuple(found["memory"]),
        tuple(found["notes"]),
        found["is_released"],
        tuple(_repository(one) for one in found["repositories"]),
        found["is_pinned"],
    )


def _repository(found: Mapping[str, Any]) -> Repository:
    """JSON has lists alone."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    return Repository(**values)


def read_for(job: Job, detail: ReportDetail, notes: Sequence[Note]) -> Read:
    """Of what the inbox holds, what this job may read."""
    report, wanted = detail.listed.report, _revisions(job.brief)
    may = [one for one in detail.signals if one.id in wanted and one.safety in _READABLE]
    return Read(
        report_id=report.id,
        title=report.title,
        signals={one.id: _clipped(one.signal) for one in may[-MOST_SIGNALS:]},
        context=context_of(detail.artefacts),
        memory=memory_of(notes, (report.id, report.recurrence_of), detail.signals),
        notes=tuple(note.text for note in notes if note.withdrawn_at is None)[:_MOST_MEMORY],
        is_released=is_released(detail.artefacts, detail, wanted),
    )


def _clipped(signal: Signal) -> Signal:
    """What is judged is what is shown: nothing stands behind the cut."""
    extra: Mapping[str, object] = signal.extra
    if len(str(extra)) > _MOST_EXTRA:
        # Whose it is decides where its cause is looked for.
        extra = {name: str(extra[name])[:200] for name in ("project", "client") if name in extra}
    return replace(signal, content=signal.content[:_MOST_CONTENT], extra=extra)


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
