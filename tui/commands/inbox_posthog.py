"""`loopdesk inbox posthog`: the reports of PostHog's own inbox, and what you decide about them, sent back to it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from queries.posthog_inbox import (
    MOST_REPORTS,
    OPEN,
    REASONS,
    STATUSES,
    Listed,
    NoPostHogInbox,
    PostHogInbox,
    PostHogReport,
    open_inbox,
)
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

_FULL_ID = 32  # characters; a shorter one is looked for
_SHOWN_ID = 8


@click.group("posthog", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Reports of the connected PostHog project's own inbox. One is named by its id or the beginning of it."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Say which: {', '.join(command.commands)}", ctx)


@command.command("list", short_help="What PostHog's inbox holds.")
@click.option("--all", "is_all", is_flag=True, help="Also hunches, and what is over.")
@click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only these; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_(context: Context, is_all: bool, statuses: tuple[str, ...], as_json: bool) -> None:
    """PostHog's own reports, the newest change first. A project without such an inbox is said, and is no error."""
    with _open(context) as inbox:
        found = inbox.reports(statuses or (STATUSES if is_all else OPEN))
    if as_json:
        document = {"reports": [_document(one) for one in found.reports], "is_all": found.is_all}
        click.echo(json.dumps(document | {"unavailable": found.unavailable}))
        return
    for line in _lines(found, ZoneInfo(context.config.zone), shutil.get_terminal_size().columns):
        click.echo(line)
    if said := _said(found):
        click.echo(said, err=True)


@command.command("show", short_help="One report in full.")
@click.argument("report")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def show(context: Context, report: str, as_json: bool) -> None:
    """A report of PostHog's with its summary and address."""
    with _open(context) as inbox:
        found = inbox.report(_id(inbox, report))
    if as_json:
        click.echo(json.dumps(_document(found)))
        return
    head = [found.status.replace("_", " "), found.priority, counted(found.signals, "signal")]
    click.echo(found.title)
    click.echo(" · ".join(part for part in head if part))
    click.echo(f"\n{found.summary}\n\n{found.url}" if found.summary else f"\n{found.url}")


@command.command("resolve", short_help="It is done.")
@click.argument("report")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def resolve(context: Context, report: str, as_json: bool) -> None:
    """Say that a report's problem is solved. PostHog takes it for one that is ready, needs input or was dismissed."""
    _send(context, report, "resolved", PostHogInbox.resolve, as_json=as_json)


@command.command("dismiss", short_help="Not worth doing, and why.")
@click.argument("report")
@click.option("--reason", type=click.Choice(REASONS), required=True)
@click.option("--note", default="", help="Kept with it in PostHog.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def dismiss(context: Context, report: str, reason: str, note: str, as_json: bool) -> None:
    """Dismiss a report, with the reason that PostHog learns from."""
    _send(context, report, "dismissed", lambda inbox, id: inbox.dismiss(id, reason, note), as_json=as_json)


@command.command("snooze", short_help="Out of sight until it comes again.")
@click.argument("report")
@click.option("--signals", type=click.IntRange(1), required=True, metavar="N", help="Until so many further signals.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def snooze(context: Context, report: str, signals: int, as_json: bool) -> None:
    """Put a report off until N more signals came. PostHog knows no snoozing until a time."""
    _send(context, report, "snoozed", lambda inbox, id: inbox.snooze(id, signals), as_json=as_json)


@command.command("reopen", short_help="Have it gathered again.")
@click.argument("report")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def reopen(context: Context, report: str, as_json: bool) -> None:
    """Take a verdict back: the report gathers signals again."""
    _send(context, report, "reopened", PostHogInbox.reopen, as_json=as_json)


@contextmanager
def _open(context: Context) -> Iterator[PostHogInbox]:
    inbox = open_inbox(context.config, lambda said: print(f"loopdesk: {plain(said, 300)}", file=sys.stderr))
    try:
        yield inbox
    finally:
        inbox.close()


def _send(
    context: Context, report: str, outcome: str, send: Callable[[PostHogInbox, str], None], *, as_json: bool
) -> None:
    with _open(context) as inbox:
        id = _id(inbox, report)
        send(inbox, id)
    click.echo(json.dumps({"id": id, "outcome": outcome}) if as_json else f"{id[:_SHOWN_ID]} is {outcome} in PostHog.")


def _id(inbox: PostHogInbox, text: str) -> str:
    """Raises `LoopdeskError` for none, and for several."""
    said = text.strip().rstrip("…")
    if len(said) >= _FULL_ID:
        return said
    listed = inbox.reports(STATUSES)
    if listed.unavailable:
        raise NoPostHogInbox(listed.unavailable)
    found = [one.id for one in listed.reports if said and one.id.lower().startswith(said.lower())]
    if len(found) == 1:
        return found[0]
    what = "No report" if not found else f"{len(found)} reports"
    beyond = "" if listed.is_all else f" among the newest {MOST_REPORTS}"
    raise LoopdeskError(
        f"{what} of PostHog's inbox{beyond} begin{'' if len(found) > 1 else 's'} with {plain(text, 60)!r}",
        do="See: loopdesk inbox posthog list --all --json",
    )


def _lines(found: Listed, zone: ZoneInfo, width: int) -> Iterator[str]:
    length = _SHOWN_ID
    ids = [one.id for one in found.reports]
    while len({id[:length] for id in ids}) < len(ids):
        length += 1
    for one in found.reports:
        changed = _local(one.updated_at, zone)
        status, signals = one.status.replace("_", " "), counted(one.signals, "signal")
        columns = f"{one.id[:length]}  {one.priority or '–':2}  {status:13}  {signals:>11}  {changed}"
        yield f"{columns}  {plain(one.title, max(20, width - len(columns) - 2))}"


def _said(found: Listed) -> str:
    if found.unavailable:
        return found.unavailable
    if not found.reports:
        return "PostHog's own inbox has no such report."
    return "" if found.is_all else f"There are more than the newest {len(found.reports)}."


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else "–" * 16


def _document(one: PostHogReport) -> dict[str, object]:
    return {
        "id": one.id,
        "title": one.title,
        "summary": one.summary,
        "status": one.status,
        "priority": one.priority,
        "signals": one.signals,
        "created_at": one.created_at.isoformat() if one.created_at else None,
        "updated_at": one.updated_at.isoformat() if one.updated_at else None,
        "url": one.url,
        "origin": "posthog",
    }
