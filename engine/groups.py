"""Where a report stands in the inbox: the first group that fits."""

from __future__ import annotations

from engine.model import Proposal, Report

REVIEW, IN_PROGRESS, NEEDS_INPUT, READY, GATHERING, OUTCOMES, DONE = GROUPS = (
    "Review and merge",
    "In progress",
    "Needs input",
    "Ready to start",
    "Gathering",
    "Outcomes",
    "Done",
)


def group(report: Report, proposal: Proposal | None) -> str:
    """One of `GROUPS`. `proposal` is the report's latest, whatever its state."""
    state = proposal.state if proposal else ""
    if state in ("green", "waiting_for_you"):
        return REVIEW
    if report.status == "in_progress" or state in ("queued", "building", "open", "red"):
        return IN_PROGRESS
    if report.status in ("pending_input", "failed") or state == "failed":
        return NEEDS_INPUT
    if report.status == "ready":
        return READY
    if report.status in ("potential", "candidate"):
        return GATHERING
    # What takes a fix back is measured by nobody.
    if proposal and state == "merged" and not proposal.reverts and proposal.verdict_seen_at is None:
        return OUTCOMES
    return DONE
