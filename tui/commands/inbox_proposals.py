"""`loopdesk inbox approve`, `diff` and what else is about a report's proposal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from engine import verbs
from engine.diff import Diff
from engine.inbox import Inbox, ReportDetail
from engine.model import Proposal
from tui import diffrows, remarks, words
from tui.commands import inbox_naming
from tui.commands.cli import Context
from tui.commands.inbox_deciding import Door, deciding, written
from tui.diffrows import Remark
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

_MOST_SAID = 40  # lines of one remark


@click.command("approve", short_help="Have the next step taken.")
@click.argument("report")
@click.option("--expect", type=click.Choice(verbs.EXPECTS), required=True, help="The step that you mean.")
@click.option("--second", is_flag=True, help="The second key: merge what nothing has checked.")
@deciding
def approve(door: Door, report: str, expect: str, second: bool) -> None:
    """Approve the next step of a report: start the fix or another round of it, push it, or merge it. Refused where the
    next step is another, and where the change is not the one of now any more."""
    given = {"expect": expect, **({"second": True} if second else {})}
    said, sha = f"Approved: {expect}", ""
    if expect != "start":
        proposal = _proposal(door.report(report))
        sha = proposal.head_sha if expect == "merge" else str(proposal.change.get("sha", ""))
        said = f"{said} at {sha[:10]}" if sha else said
    door.decide("approve", report, given, said, sha=sha)


@click.command("request-changes", short_help="Have the change made again.")
@click.argument("report")
@click.option("--note", help="What to change; without it standard input, or your $EDITOR on a terminal.")
@click.option("--at", "place", metavar="PATH:LINE", default="", help="The line of the change that it is about.")
@deciding
def request_changes(door: Door, report: str, note: str | None, place: str) -> None:
    """Say what a proposal should do otherwise: your text goes to the agent, and the change is made again."""
    _say(door, "request_changes", report, note, place, "Changes requested")


@click.command("comment", short_help="Comment on the pull request.")
@click.argument("report")
@click.option("--note", help="The text; without it standard input, or your $EDITOR on a terminal.")
@click.option("--at", "place", metavar="PATH:LINE", default="", help="The line of the change that it is about.")
@deciding
def comment(door: Door, report: str, note: str | None, place: str) -> None:
    """Post a comment on a report's pull request, as loopdesk."""
    _say(door, "comment", report, note, place, "Comment sent")


@click.command("stop", short_help="Stop the countdown of another round.")
@click.argument("report")
@deciding
def stop(door: Door, report: str) -> None:
    """Stop the round that would begin by itself. It is applied at once: a countdown waits for nobody."""
    door.decide("stop", report, {}, "Stopped", at_once=True)


@click.command("revert", short_help="Propose to take back what was merged.")
@click.argument("report")
@deciding
def revert(door: Door, report: str) -> None:
    """Have a proposal made that takes a merged one back. It is checked, and waits for your yes, like any other."""
    door.decide("revert", report, {}, "Revert asked for")


@click.command("diff", short_help="What the proposal would change.")
@click.argument("report")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def diff(context: Context, report: str, as_json: bool) -> None:
    """Print the change of a report's proposal, and below its lines what was said of them."""
    now, zone = datetime.now(UTC), ZoneInfo(context.config.zone)
    with closing(Inbox(context.workspace, read_only=True)) as inbox:
        detail = inbox_naming.report(inbox, report)
        proposal = _proposal(detail)
        found = inbox.change(proposal)
    if found is None:
        raise LoopdeskError(f"Nothing was built yet: its proposal is {proposal.state.replace('_', ' ')}")
    said = remarks.remarks(
        proposal,
        detail.artefacts,
        detail.listed.waiting,
        lambda at, *, seconds=False: words.clock_time(at, now, zone, seconds=seconds),
    )
    if as_json:
        told = [
            {"who": plain(one.who), "text": "\n".join(plain_lines(one.text)), "path": one.path, "line": one.line}
            for one in said
        ]
        click.echo(json.dumps({"report": detail.listed.report.id, "diff": asdict(found), "remarks": told}))
        return
    for line in diff_lines(found, said):
        click.echo(line)


COMMANDS = (approve, request_changes, comment, stop, revert, diff)


def diff_lines(diff: Diff, remarks: Sequence[Remark]) -> Iterator[str]:
    """A change much as git prints it, each remark below its line."""
    laid = diffrows.laid(diff, remarks, (), lambda text: [plain(line) for line in plain_lines(text)][:_MOST_SAID])
    for row in laid.rows:
        if row.kind == "file":
            file = diff.files[row.file]
            yield "  ".join(part for part in (diffrows.headline(file), *diffrows.sizes(file)) if part)
        elif row.kind == "hunk":
            yield diffrows.hunk_words(diff.files[row.file].hunks[row.hunk])
        elif (line := laid.line(row)) is not None:
            shown, mark = diffrows.printable(line)
            yield f"{line.sign}{shown}{f'  ({mark})' if mark else ''}"
        elif row.kind == "remark":
            yield f"  | {row.text}"
        else:
            yield f"  {row.text}".rstrip()


def _say(door: Door, verb: str, report: str, note: str | None, place: str, said: str) -> None:
    detail = door.report(report)
    where, sha = _place(place), ""
    if where:
        sha = str(_proposal(detail).change.get("sha", ""))
    text = note if note is not None else written(detail.listed.title)
    door.decide(verb, report, {"note": text.strip(), **where}, said, sha=sha)


def _place(text: str) -> dict[str, object]:
    if not text:
        return {}
    path, _, line = text.rpartition(":")
    if not path or not line.isdecimal() or not int(line):
        raise LoopdeskError(f"{plain(text, 80)!r} is no place of a change", do="Write it as src/planner.py:12")
    return {"path": path, "line": int(line)}


def _proposal(detail: ReportDetail) -> Proposal:
    found = detail.listed.proposal
    if found is None:
        raise LoopdeskError("That report has no proposal", do="loopdesk inbox approve --expect start has one made")
    return found
