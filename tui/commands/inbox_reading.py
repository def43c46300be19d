"""`loopdesk inbox list` and `show`: what there is to decide, and everything about one report."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from engine.inbox import HitRate, Inbox, InboxReport, ReportDetail, StoredSignal
from engine.model import Proposal, Report, aged
from engine.promotion import promotion
from tui import proposals
from tui.commands import inbox_naming, inbox_text
from tui.commands.cli import Context
from tui.commands.inbox_deciding import command_document
from tui.commands.inbox_listing import Listing, listing, status
from workspace.text import plain, plain_lines


@click.command("list", short_help="What asks something of you, and the rest.")
@click.option("--group", default="", help='Only this group, for example "ready".')
@click.option("--search", default="", metavar="TEXT", help="Only reports that hold this text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_(context: Context, group: str, search: str, as_json: bool) -> None:
    """Reports by what they ask of you, with what waits for them and why."""
    now = datetime.now(UTC)
    with closing(Inbox(context.workspace, read_only=True)) as inbox:
        found = listing(inbox.reports(), inbox.commands(1_000), inbox.blocked(), group=group, search=search)
        fixes, offer = inbox.hit_rate(), inbox.offer(context.config)
    if as_json:
        click.echo(json.dumps(_listing_document(found, fixes, now)))
        return
    for line in inbox_text.listing(found, now, ZoneInfo(context.config.zone), _width(), is_whole=bool(group)):
        click.echo(line)
    if fixes.said and not (group or search):
        click.echo("\n".join(["", fixes.said, *([offer] if offer else [])]))
    if not found.groups and not found.held:
        said = "Nothing fits." if group or search else "The inbox is empty. `loopdesk engine once` looks for something."
        click.echo(said, err=True)


@click.command("show", short_help="Everything about one report.")
@click.argument("report")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def show(context: Context, report: str, as_json: bool) -> None:
    """A report with its summary, its signals and why each is in it, what was found out and judged, and its history."""
    now = datetime.now(UTC)
    with closing(Inbox(context.workspace, read_only=True)) as inbox:
        found = inbox_naming.report(inbox, report)
    if as_json:
        click.echo(json.dumps(_detail_document(found, now)))
        return
    for line in inbox_text.detail(found, now, ZoneInfo(context.config.zone), _width()):
        click.echo(line)


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 120


def _listing_document(found: Listing, fixes: HitRate, now: datetime) -> dict[str, Any]:
    reports = []
    for one in found.reports:
        refused = found.refused.get(one.report.id)
        reports.append({**_report(one), "refused": command_document(refused) if refused else None})
    return {
        "reports": reports,
        "held_back": [_signal(one, now) for one in found.held],
        "refused": [command_document(command) for report, command in found.refused.items() if not report],
        "fixes": {
            "merged": fixes.merged,
            "verified": fixes.verified,
            "regressed": fixes.regressed,
            "inconclusive": fixes.inconclusive,
            "too_early": fixes.too_early,
            "cost_usd": fixes.cost_usd,
            "per_merged_usd": fixes.per_merged_usd,
            "per_verified_usd": fixes.per_verified_usd,
            "said": fixes.said,
        },
    }


def _detail_document(found: ReportDetail, now: datetime) -> dict[str, Any]:
    report = found.listed.report
    return {
        **_report(found.listed),
        "summary": "\n".join(plain_lines(report.summary)),
        "passes": report.passes,
        "runs": report.runs,
        "waits_for": plain(promotion(report).why),
        "signals_in_it": [_signal(one, now) for one in inbox_naming.observed(found)],
        "artefacts": [
            {"kind": one.kind, "actor": plain(one.actor), "at": one.at.isoformat(), "content": one.content}
            for one in found.artefacts
        ],
        "jobs": [
            {
                "id": job.id,
                "kind": job.kind,
                "attempt": job.attempt,
                "state": job.state,
                "changed_at": job.changed_at.isoformat(),
                "reserved_usd": job.reserved_usd,
                "error": plain(job.error),
            }
            for job in found.jobs
        ],
        "history": [
            {
                "at": line.at.isoformat(),
                "actor": plain(line.actor),
                "noun": line.noun,
                "subject": plain(line.subject),
                "before": line.before,
                "after": line.after,
                "reason": plain(line.reason),
            }
            for line in found.log
        ],
        "commands": [command_document(command) for command in found.commands],
    }


def _report(one: InboxReport) -> dict[str, Any]:
    report, proposal = one.report, one.proposal
    return {
        "id": report.id,
        "group": one.group,
        "title": one.title,
        "status": report.status,
        "shown_as": status(one),
        "priority": report.priority or None,
        "actionability": report.actionability or None,
        "signals": report.signals,
        "weight": round(report.weight, 4),
        "created_at": report.created_at.isoformat(),
        "changed_at": report.changed_at.isoformat(),
        "version": report.version,
        "why": one.why,
        "question": plain(report.question),
        "snoozed_until": report.snoozed_until.isoformat() if report.snoozed_until else None,
        "wakes_at_signals": report.wakes_at_signals,
        "recurrence_of": report.recurrence_of or None,
        "joined_into": report.joined_into or None,
        "proposal": _proposal(report, proposal) if proposal else None,
        "waiting": [command_document(command) for command in one.waiting],
    }


_OF_A_CHANGE = ("sha", "base_sha", "files", "added", "removed", "title", "why", "how", "untested")


def _proposal(report: Report, one: Proposal) -> dict[str, Any]:
    step = proposals.next_step(report, one)
    return {
        "state": one.state,
        "number": one.number,
        "url": plain(one.url),
        "title": plain(one.title),
        "shown_as": proposals.state(one),
        "waits_for": one.waits_for or None,
        "said": plain(one.said),
        "next": {"expect": step.expect, "second": step.is_second, "sha": step.sha or None} if step else None,
        "repository": plain(one.repository) or None,
        "branch": plain(one.branch) or None,
        "base": plain(one.base) or None,
        "head_sha": one.head_sha or None,
        "change": {name: one.change[name] for name in _OF_A_CHANGE if name in one.change},
        "checks": one.checks,
        "tests": one.tests,
        "review": one.review,
        "guard": one.guard,
        "asked": proposals.asked(one),
        "rounds": one.rounds,
        "countdown_until": one.countdown_until.isoformat() if one.countdown_until else None,
        "verdict": one.verdict or None,
        "verdict_seen_at": one.verdict_seen_at.isoformat() if one.verdict_seen_at else None,
        "outcome": one.outcome,
    }


def _signal(one: StoredSignal, now: datetime) -> dict[str, Any]:
    signal = one.signal
    return {
        "id": one.id,
        "source_product": plain(signal.source_product),
        "source_type": plain(signal.source_type),
        "content": "\n".join(plain_lines(signal.content)),
        "weight": signal.weight,
        "weight_now": round(aged(signal.weight, now - signal.occurred_at), 4),
        "occurred_at": signal.occurred_at.isoformat(),
        "extra": signal.extra,
        "reason": plain(one.reason),
        "safety": one.safety,
        "threat": plain(one.threat),
        "quote": plain(one.quote),
        "safety_why": plain(one.why),
    }
