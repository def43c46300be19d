"""What follows from what is stored, at this moment: commands that are due, rows to write, jobs to run. Pure.

Applied again and again it reaches a point where nothing follows any more, and stays there until something arrives or
an instant is reached (`Plan.next_due`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine import attempts, proposals
from engine.commands import woken
from engine.effects import Effect, Log, SaveJob, SaveReport
from engine.model import ENGINE, Job, Proposal, Report
from engine.promotion import promotion
from engine.states import LIVE_JOB
from queries.views.words import counted

RESEARCH = "research"
_WANTED = ("candidate", "in_progress")


@dataclass(frozen=True, slots=True)
class State:
    """`reports` and `proposals` are those that can move by themselves, by id. `jobs` are all that are not over, failed
    attempts that nothing has followed yet, and the last attempt at whatever a proposal has needed so far. `due` are
    commands whose grace has passed. `owner` names this engine."""

    now: datetime
    owner: str
    reports: Mapping[str, Report] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    due: Sequence[str] = ()
    next_command: datetime | None = None
    proposals: Mapping[str, Proposal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands come first and alone: what follows is decided from what they leave. `steps` are rows that belong
    together, one step a subject."""

    commands: tuple[str, ...] = ()
    steps: tuple[tuple[Effect, ...], ...] = ()
    next_due: datetime | None = None

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(effect for step in self.steps for effect in step)

    @property
    def is_settled(self) -> bool:
        return not self.commands and not self.steps


def reconcile(state: State) -> Plan:
    if state.due:
        return Plan(commands=tuple(state.due))
    found: list[tuple[Effect, ...]] = []
    moved: set[str] = set()
    # One step a subject and round: what comes next is decided from what is stored then.
    of_proposals = proposals.steps(state.proposals, state.jobs, state.owner, state.now)
    for id, step in (*_jobs(state), *_reports(state), *of_proposals):
        if id not in moved:
            moved.add(id)
            found.append(tuple(step))
    return Plan(steps=tuple(found), next_due=None if found else _next_due(state))


def _jobs(state: State) -> Iterator[tuple[str, Sequence[Effect]]]:
    now = state.now
    for job in state.jobs:
        if job.proposal_id:
            continue
        report = state.reports.get(job.report_id)
        is_wanted = report is not None and report.status in _WANTED
        if job.state in LIVE_JOB and not is_wanted:
            yield job.report_id, attempts.cancelled(job, "not wanted any more", now)
        elif job.state == "running" and job.owner != state.owner:
            # Of what a worker does, no engine dies.
            gone, is_here = "the engine that ran it is gone", not job.reserved_usd
            yield job.report_id, attempts.failed(report, job, gone, now, is_fault=is_here)
        elif job.state == "failed" and report is not None and _is_current(job, report):
            yield job.report_id, _after_failure(report, job, now)


def _is_current(job: Job, report: Report) -> bool:
    return report.status == "candidate" and job.brief.get("run") == report.runs


def _after_failure(report: Report, job: Job, now: datetime) -> Sequence[Effect]:
    if job.failures < attempts.MOST_FAILURES:
        return (SaveJob(attempts.next_attempt(job, now)),)
    after, line = report.moved(
        "failed",
        by=ENGINE,
        reason=f"{job.failures} attempts failed",
        now=now,
        question=f"Its research failed {job.failures} times, the last time so: {job.error}",
        is_by_hand=False,
        status_before="",
        runs=report.runs + 1,  # this number is used up: a pass by hand is another job
    )
    return (Log(line), SaveReport(after))


def _reports(state: State) -> Iterator[tuple[str, Sequence[Effect]]]:
    now = state.now
    own = [job for job in state.jobs if not job.proposal_id]
    busy = {job.report_id for job in own if job.is_live}
    failed = {(job.report_id, job.brief.get("run")) for job in own if job.state == "failed"}
    for report in state.reports.values():
        if report.is_snoozed:
            if report.status == "potential" and (reason := _wakes(report, now)):
                yield report.id, woken(report, by=ENGINE, reason=reason, now=now)
        elif report.status == "candidate":
            if report.id not in busy and (report.id, report.runs) not in failed:
                yield report.id, attempts.intended(report, RESEARCH, now)
        elif report.status == "in_progress" and report.id not in busy:
            # Nothing works on it: it waits for a pass again.
            after, line = report.moved("candidate", by=ENGINE, reason="nothing works on it", now=now)
            yield report.id, (Log(line), SaveReport(after))
        elif promotion(report).is_due:
            yield report.id, _promoted(report, now)


def _promoted(report: Report, now: datetime) -> Sequence[Effect]:
    are = "is" if report.signals == 1 else "are"
    reason = (
        f"{counted(report.signals, 'signal')} of weight {report.weight:.1f} {are} enough for pass {report.passes + 1}"
    )
    before = "ready" if report.status == "ready" else ""
    after, line = report.moved("candidate", by=ENGINE, reason=reason, now=now, is_by_hand=False, status_before=before)
    return (Log(line), SaveReport(after))


def _wakes(report: Report, now: datetime) -> str:
    if report.snoozed_until is not None and report.snoozed_until <= now:
        return "its time is over"
    if report.wakes_at_signals is not None and report.signals >= report.wakes_at_signals:
        return "more signals came"
    return ""


def _next_due(state: State) -> datetime | None:
    instants = [report.snoozed_until for report in state.reports.values() if report.snoozed_until is not None]
    instants += [job.not_before for job in state.jobs if job.state == "intended"]
    instants += proposals.next_due(state.proposals.values())
    if state.next_command is not None:
        instants.append(state.next_command)
    return min((at for at in instants if at > state.now), default=None)
