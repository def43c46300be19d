"""Reports and signals of `inbox.db` as screens and scripts show them. Stdlib `sqlite3`; nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from engine import budget, reading
from engine.groups import group
from engine.instants import read
from engine.model import Artefact, Command, Job, Proposal, Report, Signal, Transition
from engine.promotion import promotion
from engine.states import SHOWN
from workspace.text import plain


@dataclass(frozen=True, slots=True)
class InboxReport:
    """A report as a list shows it. `proposal` is its latest; `waiting` are commands on it that can still be undone."""

    report: Report
    proposal: Proposal | None
    group: str
    waiting: tuple[Command, ...] = ()
    projects: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    """Whose signals it has."""
    newest: datetime | None = None
    """When the last of its signals happened."""

    @property
    def title(self) -> str:
        return plain(self.report.title, 200) or "(no title yet)"

    @property
    def status(self) -> str:
        return SHOWN[self.report.status]

    @property
    def outcome(self) -> str:
        """What its merged fix did, in words that begin with the verdict; empty where there is none."""
        fix = self.proposal
        if fix is None or fix.state != "merged" or fix.reverts:
            return ""
        if not fix.verdict:
            return "Its fix is merged; it is too early to say what that did."
        return plain(f"{fix.verdict.capitalize()}. {fix.outcome.get('said', '')}", 400)

    @property
    def why(self) -> str:
        """A sentence: what holds it, what it asks, what its fix did, or what it lacks; empty where it lacks nothing."""
        report, proposal = self.report, self.proposal
        of_proposal = proposal.said if proposal and (proposal.is_open or proposal.state == "failed") else ""
        asked = report.question if report.status in ("pending_input", "failed") else ""
        said = report.hold or of_proposal or report.note or asked
        said = said or (self.outcome if report.status == "resolved" else "")
        return plain(said or (promotion(report).why if report.status == "potential" else ""), 400)


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A signal and why it is where it is. `quote` is the fragment that the safety filter stopped at."""

    id: str
    signal: Signal
    reason: str = ""
    safety: str = ""
    threat: str = ""
    quote: str = ""
    why: str = ""
    """What the safety filter said, or why it could not say anything."""


@dataclass(frozen=True, slots=True)
class ReportDetail:
    """Everything about one report. `signals` are oldest first; `log` has its own transitions and its jobs'."""

    listed: InboxReport
    signals: tuple[StoredSignal, ...]
    artefacts: tuple[Artefact, ...]
    jobs: tuple[Job, ...]
    log: tuple[Transition, ...]
    commands: tuple[Command, ...]
    cost_usd: float = 0.0
    """What models were paid for it, with what is reserved for requests on their way."""


def reports(connection: sqlite3.Connection) -> tuple[InboxReport, ...]:
    """All but those that joined another, in no order of meaning."""
    found = reading.select(connection, Report, "reports", "WHERE status != 'deleted' ORDER BY id")
    proposals, waiting = reading.latest_proposals(connection), _waiting(connection)
    about = _about_signals(connection)
    return tuple(_listed(report, proposals.get(report.id), waiting, about) for report in found)


def detail(connection: sqlite3.Connection, id: str) -> ReportDetail | None:
    """By its id, or by as much of its beginning as is enough."""
    found = reading.select(
        connection, Report, "reports", "WHERE id >= ? AND id < ? LIMIT 2", (id.upper(), id.upper() + "\x7f")
    )
    if len(found) != 1:
        return None
    (report,) = found
    proposal, about = reading.latest_proposal(connection, report.id), _about_signals(connection, report.id)
    artefacts = reading.select(connection, Artefact, "artefacts", "WHERE report_id = ? ORDER BY seq", (report.id,))
    return ReportDetail(
        listed=_listed(report, proposal, _waiting(connection), about),
        signals=tuple(signals(connection, "WHERE report_id = ? AND left_at IS NULL", (report.id,))),
        artefacts=tuple(artefacts),
        jobs=tuple(reading.jobs_of(connection, report.id)),
        log=tuple(reading.log_of(connection, report.id)),
        commands=tuple(reading.commands(connection, "WHERE report_id = ? ORDER BY seq", (report.id,))),
        cost_usd=budget.spent_on(connection, report.id),
    )


_AboutSignals = tuple[set[str], set[str], datetime]
"""Projects, clients, and when the newest signal happened."""


def _about_signals(connection: sqlite3.Connection, report_id: str = "") -> dict[str, _AboutSignals]:
    """By report: of all, or of one."""
    found: dict[str, _AboutSignals] = {}
    rows = connection.execute(
        "SELECT report_id, json_extract(extra, '$.project'), json_extract(extra, '$.client'), max(occurred_at) "
        "FROM report_signals JOIN signals ON signals.id = signal_id "
        f"WHERE left_at IS NULL AND NOT {reading.OWN_WORD} "
        f"{'AND report_id = ?' if report_id else ''} GROUP BY 1, 2, 3",
        (report_id,) if report_id else (),
    )
    for id, project, client, newest in rows:
        at = read(newest)
        projects, clients, before = found.get(id, (set(), set(), at))
        projects.update([project] if isinstance(project, str) else ())
        clients.update([client] if isinstance(client, str) else ())
        found[id] = projects, clients, max(before, at)
    return found


def _listed(
    report: Report,
    proposal: Proposal | None,
    waiting: Mapping[str, list[Command]],
    about: Mapping[str, _AboutSignals],
) -> InboxReport:
    projects, clients, newest = about.get(report.id, ((), (), None))
    return InboxReport(
        report,
        proposal,
        group(report, proposal),
        tuple(waiting.get(report.id, ())),
        tuple(sorted(projects)),
        tuple(sorted(clients)),
        newest,
    )


def signals(connection: sqlite3.Connection, where: str, values: tuple) -> Iterator[StoredSignal]:
    """Oldest first; `where` is our own SQL, its values bound."""
    found = connection.execute(
        "SELECT signals.id, coalesce(reason, ''), safety, threat, quote, safety_why, source_product, source_type, "
        "source_id, content, weight, occurred_at, extra FROM signals "
        "LEFT JOIN report_signals ON signals.id = signal_id "
        f"AND left_at IS NULL {where} ORDER BY occurred_at, signals.id",
        values,
    )
    for id, reason, safety, threat, quote, why, *rest in found:
        yield StoredSignal(id, reading.signal_of(rest), reason, safety, threat, quote, why)


def _waiting(connection: sqlite3.Connection) -> dict[str, list[Command]]:
    """By report: commands that can still be undone."""
    found: dict[str, list[Command]] = {}
    for command in reading.commands(connection, "WHERE claimed_at IS NULL AND undone_at IS NULL ORDER BY seq"):
        found.setdefault(command.report_id, []).append(command)
    return found
