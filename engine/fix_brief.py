"""All that a fix needs to know, read from the inbox at home: plain JSON, complete, and nothing of a blocked text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from engine import budget
from engine.inbox import Inbox
from engine.listed import ReportDetail
from engine.model import Artefact, Job, Proposal
from engine.proposals import FIX
from engine.repositories import Repository, pinned, repositories
from engine.research import context_of, memory_of
from engine.shown import marks
from engine.work import WillNotDo
from workspace.config import Config
from workspace.text import plain

MOST_SIGNALS, MOST_CONTENT, MOST_LOG = 10, 3_000, 4_000
_LEAST_USD = 0.01
"""With less no agent is begun: it could not ask a single question."""
_READABLE = ("passed", "released")


@dataclass(frozen=True, slots=True)
class FixBrief:
    """`bundle`, `session` are blobs of the build before this one; `base_sha` is what that stood on. `hidden` are names
    that stay home."""

    report_id: str
    proposal_id: str
    build: int
    repository: Repository
    title: str
    summary: str
    limit_usd: float
    root_cause: str = ""
    evidence: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    findings: tuple[Mapping[str, Any], ...] = ()
    context: tuple[str, ...] = ()
    memory: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    base: str = ""
    base_sha: str = ""
    bundle: str = ""
    session: str = ""
    feedback: tuple[Mapping[str, Any], ...] = field(default=())
    failed_checks: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def shown(self) -> frozenset[str]:
        """Words of what the agent is shown that stay home."""
        found = [str(one.get("said", "")) for one in self.findings]
        return marks([*self.signals, *self.memory, *self.tried, *found, self.summary, self.root_cause]) - marks(
            [*self.evidence, self.report_id, self.proposal_id]
        )

    def document(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> FixBrief:
        """From its JSON."""
        values: dict[str, Any] = _tuples(document)
        return cls(**{**values, "repository": Repository(**_tuples(values["repository"]))})


def _tuples(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}


def brief_of(config: Config, inbox: Inbox, job: Job, now: datetime) -> FixBrief:
    """Raises `WillNotDo` where no repository is known, `budget.Reached` where the night has had its proposals."""
    detail = inbox.report(job.report_id)
    proposal = detail.listed.proposal if detail else None
    if detail is None or proposal is None or proposal.id != job.proposal_id:
        raise WillNotDo("The proposal to build is not in this workspace any more")
    _refuse_more(config, inbox, proposal, job, now)
    left_usd = round(budget.limits(config).report_usd - detail.cost_usd, 6)
    if left_usd < _LEAST_USD:
        raise budget.Reached(
            f"The report's budget of ${budget.limits(config).report_usd:.2f} is reached",
            "Its fix goes on once there is more",
            "Raise report_usd under [budgets] in config.toml",
            retry_at=budget.night_of(now, config).until,
            report_id=detail.listed.report.id,
        )
    report = detail.listed.report
    checks = proposal.checks.get("checks", [])
    failed = [one for one in checks if one.get("state") == "failed"] if isinstance(checks, list) else []
    waiting = proposal.feedback.get("waiting", [])
    return FixBrief(
        report_id=report.id,
        proposal_id=proposal.id,
        build=proposal.builds,
        repository=repository_of(config, detail, proposal),
        title=plain(report.title, 200),
        summary=report.summary,
        limit_usd=left_usd,
        root_cause=_last(detail.artefacts, "judgement", "root_cause"),
        evidence=stored_evidence(detail.artefacts),
        signals=_observed(detail),
        findings=_found(detail.artefacts),
        context=context_of(detail.artefacts),
        memory=memory_of(inbox.notes(), (report.id, report.recurrence_of), detail.signals),
        tried=_tried(detail, proposal),
        hidden=hidden_names(detail),
        base=proposal.base,
        base_sha=proposal.base_sha,
        bundle=str(proposal.change.get("bundle", "")),
        session=proposal.session,
        feedback=tuple(waiting) if isinstance(waiting, list) else (),
        failed_checks=tuple(
            {"name": plain(one["name"], 100), "log": str(one.get("summary", ""))[-MOST_LOG:]} for one in failed[:5]
        ),
    )


def repository_of(config: Config, detail: ReportDetail, proposal: Proposal) -> Repository:
    """The proposal's own, the one that research chose, the one that is pinned to its project, or the only one. Raises
    `WillNotDo`."""
    known = repositories(config)
    named = proposal.repository or _last(detail.artefacts, "judgement", "repository")
    if named:
        found = next((one for one in known if one.name == named), None)
        if found is None:
            raise WillNotDo(f"[repositories.{plain(named, 40)}] is not in the configuration any more")
        return found
    pins = {one.name: one for project in detail.listed.projects if (one := pinned(known, project)) is not None}
    if len(pins) == 1:
        return next(iter(pins.values()))
    if len(pins) > 1:
        raise WillNotDo(
            f"Its signals are of projects in different repositories ({', '.join(pins)})", do="Split the report"
        )
    unpinned = [one for one in known if not one.projects]
    if len(unpinned) == 1:
        return unpinned[0]
    raise WillNotDo(
        "It is not known which repository to change",
        "No [repositories.NAME] in config.toml names its project",
        f'Add projects = ["{next(iter(detail.listed.projects), "NAME")}"] to one',
    )


def _refuse_more(config: Config, inbox: Inbox, proposal: Proposal, job: Job, now: datetime) -> None:
    """The first build of a proposal counts against the night's."""
    if proposal.builds > 1:
        return
    night = budget.night_of(now, config)
    most = budget.limits(config).proposals_a_night
    if len(begun_before(inbox.jobs(), job, night.since)) >= most:
        raise budget.Reached(
            f"The night's {most} proposals were started",
            "More wait for the next night",
            "Raise proposals_a_night under [budgets] in config.toml",
            retry_at=night.until,
        )


def begun_before(jobs: Iterable[Job], job: Job, since: datetime) -> frozenset[str]:
    """The other proposals whose first build was begun since then. One that only waits for its turn, or is held, is none
    of them: several that are started at once would hold each other for ever. Of those that run the earlier counts."""
    return frozenset(
        one.proposal_id
        for one in jobs
        if one.kind == FIX
        and one.proposal_id != job.proposal_id
        and one.brief.get("build") == 1
        and one.created_at >= since
        and (
            one.state in ("returned", "applied")
            or (one.state == "cancelled" and one.heartbeat is not None)
            or (one.state == "failed" and one.failures > 0)
            or (one.state == "running" and (one.changed_at, one.id) < (job.changed_at, job.id))
        )
    )


def _observed(detail: ReportDetail) -> tuple[str, ...]:
    """What its signals say, without what was decided about it."""
    signals = [
        one.signal.content[:MOST_CONTENT]
        for one in detail.signals
        if one.safety in _READABLE and not one.signal.is_own_word
    ]
    return tuple(signals[:MOST_SIGNALS])


def stored_evidence(artefacts: Sequence[Artefact]) -> tuple[str, ...]:
    """What the stored questions said, of the last pass that has any."""
    found = [one for one in artefacts if one.kind == "finding" and one.content.get("question")]
    last = found[-1].at if found else None
    return tuple(str(one.content["said"]) for one in found if one.at == last)


def _found(artefacts: Sequence[Artefact]) -> tuple[Mapping[str, Any], ...]:
    """What an agent found in the code, in its last pass: an agent's words, so none of them is evidence."""
    found = [one for one in artefacts if one.kind == "finding" and one.content.get("places")]
    return tuple(
        {"said": one.content["said"], "places": one.content["places"]} for one in found if one.at == found[-1].at
    )


def _last(artefacts: Sequence[Artefact], kind: str, name: str) -> str:
    found = next((one for one in reversed(artefacts) if one.kind == kind), None)
    return str(found.content.get(name) or "") if found else ""


def _tried(detail: ReportDetail, proposal: Proposal) -> tuple[str, ...]:
    """Why other proposals for this report did not make it."""
    ended = ("failed", "closed", "superseded")
    return tuple(
        plain(line.reason, 300)
        for line in detail.log
        if line.noun == "proposal" and line.subject != proposal.id and line.after in ended
    )


def hidden_names(detail: ReportDetail) -> tuple[str, ...]:
    """Clients' names and distinct ids of what its signals are about."""
    found = dict.fromkeys(detail.listed.clients)
    for one in detail.signals:
        for name in ("client", "distinct_id", "user_id"):
            if isinstance(value := one.signal.extra.get(name), str) and value:
                found[value] = None
    return tuple(found)
