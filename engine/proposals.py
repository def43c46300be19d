"""What a proposal needs next, from its row alone: at most one job at a time, named by what it is for. Pure.

So nothing has to remember what was begun: a job that nobody wants any more is not in the answer, and one that is wanted
and has failed gets another attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from engine import attempts
from engine.effects import Effect, Log, SaveJob, SaveProposal, SaveReport
from engine.model import ENGINE, Job, Proposal, Report
from workspace.text import plain

FIX, REVERT, DELIVER, CHECKS, MERGE, CLOSE, SAY = "fix", "revert", "deliver", "checks", "merge", "close", "say"
KINDS = (FIX, REVERT, DELIVER, CHECKS, MERGE, CLOSE, SAY)
MOST_ROUNDS = 3
_STANDS = ("open", "red", "green", "waiting_for_you")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that the proposal needs now. `key` is the natural one: as long as it is the same, it is the same work."""

    kind: str
    key: str
    brief: Mapping[str, object]


def wanted(proposal: Proposal) -> Wanted | None:
    """The first that fits."""
    id, head = proposal.id, proposal.head_sha
    if proposal.state in ("closed", "superseded"):
        # One without a number may be there all the same: its answer may have come after it was declined.
        needs_close = proposal.branch != "" and not proposal.is_closed_there
        return _job(CLOSE, proposal) if needs_close else None
    if proposal.state in ("queued", "building"):
        if not proposal.is_built:
            return _job(REVERT if proposal.reverts else FIX, proposal, str(proposal.builds), build=proposal.builds)
        sha = str(proposal.change["sha"])
        return _job(DELIVER, proposal, f"{proposal.builds}:{sha}:{'pushed' * (proposal.push_approved == sha)}")
    if proposal.state in ("green", "waiting_for_you") and proposal.merge_approved and proposal.merge_approved == head:
        return _job(MERGE, proposal, f"{head}:{proposal.approved_by}", sha=head)
    if proposal.state == "open" and proposal.checks.get("to_run") and proposal.checks.get("sha") == head:
        return _job(CHECKS, proposal, head, sha=head)
    if proposal.state in _STANDS and (saying := _list(proposal.feedback, "to_say")) and proposal.number is not None:
        key = str(saying[0]["key"])
        return Wanted(SAY, f"{SAY}:{id}:{key}", {"report": proposal.report_id, "key": key, "text": saying[0]["text"]})
    return None


def steps(
    proposals: Mapping[str, Proposal], jobs: Sequence[Job], owner: str, now: datetime
) -> Iterator[tuple[str, Sequence[Effect]]]:
    """By proposal, the rows to write. One step each; the next is decided from what is stored then."""
    of: dict[str, list[Job]] = {}
    for job in jobs:
        if job.proposal_id:
            of.setdefault(job.proposal_id, []).append(job)
    for id in dict.fromkeys((*of, *proposals)):
        step = _step(proposals.get(id), of.get(id, ()), owner, now)
        if step:
            yield id, step
    yield from _superseded(proposals.values(), now)


def _step(proposal: Proposal | None, jobs: Sequence[Job], owner: str, now: datetime) -> Sequence[Effect]:
    need = wanted(proposal) if proposal is not None else None
    for job in jobs:
        if job.is_live and (need is None or job.key != need.key):
            return attempts.cancelled(job, "not wanted any more", now)
        if job.state == "running" and job.owner != owner:
            # No fault of its own: what an agent does to its jail, no engine dies of.
            return attempts.failed(proposal, job, "the engine that ran it is gone", now, is_fault=False)
    if proposal is None:
        return ()
    if need is None:
        return _next_round(proposal, now)
    mine = [job for job in jobs if job.key == need.key]
    if any(job.is_live for job in mine):
        return ()
    last = max(mine, key=lambda job: job.attempt, default=None)
    if last is None:
        return (SaveJob(_intended(proposal, need, now)),)
    if last.state != "failed":
        # It was cancelled, or done once, and is wanted again: nothing of what failed before counts.
        again = attempts.next_attempt(replace(last, failures=0), now)
        rest = attempts.BACK_OFF if last.state == "applied" else timedelta()
        return (SaveJob(replace(again, not_before=now + rest)),)
    if last.failures < attempts.MOST_FAILURES:
        return (SaveJob(attempts.next_attempt(last, now)),)
    return given_up(proposal, need, last.error, now)


def _next_round(proposal: Proposal, now: datetime) -> Sequence[Effect]:
    """The countdown is over: it is mended."""
    until = proposal.countdown_until
    if until is None or until > now or proposal.state not in _STANDS:
        return ()
    return rebuilt(proposal, by=ENGINE, reason="the countdown is over", now=now, rounds=proposal.rounds + 1)


def rebuilt(proposal: Proposal, *, by: str, reason: str, now: datetime, **changes: Any) -> Sequence[Effect]:
    """Its change is made again, from where it stands."""
    changes = {"merge_approved": "", "builds": proposal.builds + 1, **changes}
    if proposal.state == "building":
        return (SaveProposal(replace(proposal, changed_at=now, said="", **changes)),)
    after, line = proposal.moved("building", by=by, reason=reason, now=now, **changes)
    return (Log(line), SaveProposal(after))


def given_up(proposal: Proposal, need: Wanted, error: str, now: datetime) -> Sequence[Effect]:
    """After the last attempt at a job. What it was for does not happen, and the proposal says so."""
    error = plain(error, attempts.MOST_ERROR)
    if need.kind == CLOSE:
        # It stays open there: whoever looks at it reads why.
        return (SaveProposal(replace(proposal, is_closed_there=True, said=f"It could not be closed there: {error}")),)
    if need.kind == SAY:
        return (SaveProposal(without_saying(proposal, str(need.brief["key"]), f"A comment was not posted: {error}")),)
    if need.kind == MERGE:
        said = f"It was not merged: {error}"
        return (SaveProposal(replace(proposal, merge_approved="", said=said, changed_at=now)),)
    if need.kind == CHECKS:
        said = f"Its checks could not be run: {error}"
        checks = {**proposal.checks, "to_run": False, "standing": "none", "could_not_run": True}
        after, line = proposal.moved(
            "waiting_for_you", by=ENGINE, reason=said, now=now, waits_for="second_key", said=said, checks=checks
        )
        return (Log(line), SaveProposal(after))
    said = f"Its {_WORK[need.kind]} failed {attempts.MOST_FAILURES} times, the last time so: {error}"
    after, line = proposal.moved("failed", by=ENGINE, reason=said, now=now, said=said)
    return (Log(line), SaveProposal(after))


_WORK = {FIX: "fix", REVERT: "revert", DELIVER: "delivery"}


def followed(report: Report | None, effects: Sequence[Effect], now: datetime) -> tuple[Effect, ...]:
    """What the forge did to its proposal is carried over to a report: merged is resolved, closed unmerged is declined,
    and a fix that was taken back needs a word."""
    last = next((one.proposal for one in reversed(effects) if isinstance(one, SaveProposal)), None)
    has_ended = any(isinstance(one, Log) and one.transition.after in ("merged", "closed") for one in effects)
    if report is None or report.status == "deleted" or last is None or not has_ended:
        return ()
    if last.state == "closed":
        status, changes = "suppressed", {"declined_for": "other"}
    elif last.reverts:
        status, changes = (
            "pending_input",
            {"question": "Its fix was taken back. Say what to do instead, or decline it."},
        )
    else:
        status, changes = "resolved", {}
    if report.status == status:
        return ()
    before = report.status_before if report.status in ("potential", "candidate", "in_progress") else report.status
    after, line = report.moved(
        status,
        by=ENGINE,
        reason=last.said,
        now=now,
        status_before=before if before in ("ready", "pending_input", "failed", "resolved") else "",
        is_by_hand=False,
        snoozed_until=None,
        wakes_at_signals=None,
        start_approved_by="",
        **changes,
    )
    return (Log(line), SaveReport(after))


def without_saying(proposal: Proposal, key: str, said: str = "") -> Proposal:
    left = [one for one in _list(proposal.feedback, "to_say") if one["key"] != key]
    return replace(proposal, feedback={**proposal.feedback, "to_say": left}, said=said or proposal.said)


def next_due(proposals: Iterable[Proposal]) -> Iterator[datetime]:
    return (one.countdown_until for one in proposals if one.countdown_until is not None and one.state in _STANDS)


def _superseded(proposals: Iterable[Proposal], now: datetime) -> Iterator[tuple[str, Sequence[Effect]]]:
    """A better one replaces a failed one only once it stands."""
    stands = {one.report_id for one in proposals if one.state in _STANDS and one.number is not None}
    for proposal in proposals:
        if proposal.state == "failed" and proposal.report_id in stands:
            said = "Another change took its place."
            after, line = proposal.moved("superseded", by=ENGINE, reason="another one stands", now=now, said=said)
            yield proposal.id, (Log(line), SaveProposal(after))


def _job(kind: str, proposal: Proposal, name: str = "", **brief: object) -> Wanted:
    key = f"{kind}:{proposal.id}" + (f":{name}" if name else "")
    return Wanted(kind, key, {"report": proposal.report_id, **brief})


def _intended(proposal: Proposal, need: Wanted, now: datetime) -> Job:
    return Job(
        key=need.key,
        kind=need.kind,
        report_id=proposal.report_id,
        proposal_id=proposal.id,
        created_at=now,
        changed_at=now,
        not_before=now,
        brief={**need.brief, "proposal": proposal.id},
    )


def _list(document: Mapping[str, object], name: str) -> list[dict[str, Any]]:
    found = document.get(name, [])
    assert isinstance(found, list)  # the row is our own
    return found
