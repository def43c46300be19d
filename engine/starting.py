"""The stage that starts fixes by itself, where the owner allowed it: off by default, and only on facts we computed.

What a model says of a report's urgency starts nothing alone: there have to be two independent signals or one of our own
sources, nothing that a human had to release, and a repository that the configuration pins to the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from engine import reading
from engine.effects import AddArtefact, Effect, SaveProposal, SaveReport
from engine.listed import ReportDetail, detail
from engine.main import Worked
from engine.model import ENGINE, Artefact, Proposal, Report
from engine.repositories import Repository, pinned, repositories
from engine.results import PRIORITIES
from engine.store import Store
from workspace.config import Config

_INTERNAL = ("loops", "error_tracking", "llm_analytics", "model_router")
"""The products of our own sources, which measure."""


@dataclass(frozen=True, slots=True)
class Start:
    """Why a report is started by itself, or why it is not: one of the two is empty."""

    why: str = ""
    why_not: str = ""


def may_start(found: ReportDetail, repository: Repository | None) -> Start:
    """Pure."""
    report = found.listed.report
    if repository is None or not repository.autostart:
        return Start(why_not="Its project starts nothing by itself.")
    if report.status != "ready" or found.listed.proposal is not None:
        return Start(why_not="It is not ready, or has had a proposal.")
    if not report.priority or PRIORITIES.index(report.priority) > PRIORITIES.index(repository.autostart):
        return Start(why_not=f"Its priority is below {repository.autostart}.")
    if any(one.safety == "released" for one in found.signals):
        return Start(why_not="One of its signals was released by hand.")
    sources = {(one.signal.source_product, one.signal.source_type) for one in found.signals if one.signal.weight > 0}
    if not any(product in _INTERNAL for product, _ in sources) and len(sources) < 2:
        return Start(why_not="Only one source from outside says so.")
    return Start(why=f"It is {report.priority}, and {repository.name} starts from {repository.autostart}.")


class Starting:
    """Looks at reports that became ready. The night's cap is the fix's own (`engine.fix_brief`)."""

    def __init__(self, config: Config) -> None:
        self._repositories = repositories(config)

    async def __call__(self, store: Store, now: datetime) -> Worked:
        if not any(one.autostart for one in self._repositories):
            return Worked()
        query = (
            "WHERE status = 'ready' AND start_approved_by = '' AND snoozed_until IS NULL AND NOT EXISTS "
            "(SELECT 1 FROM proposals WHERE report_id = reports.id) ORDER BY priority, id"
        )
        ready = reading.select(store.connection, Report, "reports", query)
        started = 0
        for report in ready:
            found = detail(store.connection, report.id)
            if found is None:
                continue
            start = may_start(found, _only(found, self._repositories))
            if start.why:
                with store.transaction("reconcile"):
                    store.write(_started(found.listed.report, start.why, now), now)
                started += 1
        return Worked(started)


def _only(found: ReportDetail, known: Sequence[Repository]) -> Repository | None:
    """The one repository that the configuration pins all its projects to."""
    pins = {one.name: one for project in found.listed.projects if (one := pinned(known, project)) is not None}
    return next(iter(pins.values())) if len(pins) == 1 else None


def _started(report: Report, why: str, now: datetime) -> tuple[Effect, ...]:
    from ulid import ULID

    id = str(ULID.from_datetime(now))
    proposal = Proposal(id, report.id, now, now, title=report.title)
    after = report.edited(by=ENGINE, now=now, start_approved_by=ENGINE, note="")
    told = Artefact(report.id, "start_approved", {"by": ENGINE, "why": why}, ENGINE, now)
    return (SaveProposal(proposal), SaveReport(after), AddArtefact(told))
