"""An attempt at a job from intended to its end: each step as the rows to write. Pure.

A job's subject is what it works on: its proposal, or the report itself where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from engine.effects import Effect, Log, SaveJob, SaveProposal, SaveReport
from engine.model import ENGINE, Job, Proposal, Report

MOST_FAILURES = 3
BACK_OFF = timedelta(minutes=1)
LONGEST_BACK_OFF = timedelta(hours=1)
HELD_FOR = timedelta(minutes=15)
"""How long work is held where nobody says until when."""
MOST_ERROR = 500
Subject = Report | Proposal


def intended(report: Report, kind: str, now: datetime) -> tuple[Effect, ...]:
    """The first attempt of the report's next pass. The number of the pass is in the key, so it is intended once."""
    run = report.runs + 1
    job = Job(
        key=f"{kind}:{report.id}:{run}",
        kind=kind,
        report_id=report.id,
        created_at=now,
        changed_at=now,
        not_before=now,
        brief={"report": report.id, "run": run},
    )
    return (SaveReport(replace(report, runs=run)), SaveJob(job))


def next_attempt(job: Job, now: datetime) -> Job:
    """After a failed attempt; waits 1, 2, 4 ... minutes by the number of failures, at most an hour."""
    wait = min(BACK_OFF * 2 ** (job.failures - 1), LONGEST_BACK_OFF) if job.failures else timedelta()
    return replace(
        job,
        attempt=job.attempt + 1,
        state="intended",
        created_at=now,
        changed_at=now,
        not_before=now + wait,
        result=None,
        reserved_usd=0.0,
        owner="",
        heartbeat=None,
        error="",
    )


def queued(job: Job, now: datetime) -> tuple[Effect, ...]:
    after, line = job.moved("queued", by=ENGINE, reason="due", now=now)
    return (Log(line), SaveJob(after))


def begun(
    subject: Subject | None, job: Job, owner: str, signals: Mapping[str, int], now: datetime
) -> tuple[Effect, ...]:
    """Its owner runs it from now on; the brief names the signals that it reads, and in which revision."""
    brief = {**job.brief, "signals": dict(signals)}
    after, line = job.moved("running", by=ENGINE, reason="begun", now=now, owner=owner, heartbeat=now, brief=brief)
    effects: list[Effect] = [Log(line), SaveJob(after)]
    reason = f"attempt {job.attempt} began"
    match subject:
        case Report(status="candidate"):
            researching, moved = subject.moved("in_progress", by=ENGINE, reason=reason, now=now)
            effects += [Log(moved), SaveReport(researching)]
        case Proposal(state="queued"):
            building, moved = subject.moved("building", by=ENGINE, reason=reason, now=now)
            effects += [Log(moved), SaveProposal(building)]
        case Proposal(state="building"):
            effects.append(SaveProposal(replace(subject, said="")))
    return tuple(effects)


def returned(job: Job, result: Mapping[str, object], now: datetime) -> tuple[Effect, ...]:
    after, line = job.moved("returned", by=ENGINE, reason="it has a result", now=now, result=result)
    return (Log(line), SaveJob(after))


def applied(job: Job, now: datetime) -> tuple[Effect, ...]:
    after, line = job.moved("applied", by=ENGINE, reason="its result was applied", now=now)
    return (Log(line), SaveJob(after))


def failed(
    subject: Subject | None, job: Job, error: str, now: datetime, *, is_fault: bool = True, is_final: bool = False
) -> tuple[Effect, ...]:
    """The attempt ends without a result; its report waits for another, unless it `is_final`: another would end in the
    same way. Stopping the engine is no fault of the job."""
    error = error[:MOST_ERROR]
    failures = MOST_FAILURES if is_final else job.failures + is_fault
    after, line = job.moved("failed", by=ENGINE, reason=error, now=now, error=error, failures=failures)
    effects: list[Effect] = [Log(line), SaveJob(after)]
    if isinstance(subject, Report) and subject.status == "in_progress":
        waiting, moved = subject.moved("candidate", by=ENGINE, reason="the attempt failed", now=now)
        effects += [Log(moved), SaveReport(waiting)]
    return tuple(effects)


def held(subject: Subject | None, job: Job, why: str, until: datetime | None, now: datetime) -> tuple[Effect, ...]:
    """What the attempt needs cannot be had now, such as a model or a budget: nobody's fault, and never a reason to give
    up. Its report says so, and the next attempt waits until then, and longer each time: a night without a model is a
    few lines in its history and not a hundred."""
    patience = min(BACK_OFF * 2 ** min(job.attempt - job.failures - 1, 10), LONGEST_BACK_OFF)
    until = max(until or now + HELD_FOR, now + patience)
    why = why[:MOST_ERROR]
    after, line = job.moved("failed", by=ENGINE, reason=why, now=now, error=why)
    effects: list[Effect] = [Log(line), SaveJob(after)]
    again = SaveJob(replace(next_attempt(after, now), not_before=until))
    hold = f"is held until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC: {why}"
    match subject:
        case Report(status="in_progress"):
            waiting, moved = subject.moved(
                "candidate", by=ENGINE, reason="its research is held", now=now, hold=f"Its research {hold}"
            )
            effects += [Log(moved), SaveReport(waiting), again]
        case Proposal():
            effects += [SaveProposal(replace(subject, said=f"It {hold}")), again]
    return tuple(effects)


def cancelled(job: Job, reason: str, now: datetime) -> tuple[Effect, ...]:
    after, line = job.moved("cancelled", by=ENGINE, reason=reason, now=now)
    return (Log(line), SaveJob(after))
