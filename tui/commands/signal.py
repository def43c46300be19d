"""`loopdesk signal`: hand the engine something that nobody measures, and read what it knows."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from engine.inbox import Inbox
from engine.model import Signal, aged
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

_MOST_CHARACTERS = 8_000


@click.group("signal", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Observations that something may be wrong or worth doing."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say which: add or list", ctx)


@command.command("add", short_help="Tell the engine something.")
@click.argument("text", metavar="TEXT|-")
@click.option("--id", "source_id", default="", help="What it is about; the same id again renews the signal.")
@click.option("--weight", type=click.FloatRange(0, 1), default=0.5, show_default=True)
@click.option("--project", default="", help="Whose rounds it is about.")
@click.option("--client", default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def add(context: Context, text: str, source_id: str, weight: float, project: str, client: str, as_json: bool) -> None:
    """Hand in a signal; its first line is its title. `-` reads it from standard input."""
    said = sys.stdin.read(_MOST_CHARACTERS + 1) if text == "-" else text
    content = "\n".join(plain_lines(said)).strip()
    if not content or len(content) > _MOST_CHARACTERS:
        raise LoopdeskError(f"A signal has between 1 and {_MOST_CHARACTERS:,} characters")
    now = datetime.now(UTC)
    extra = {name: value for name, value in (("project", project), ("client", client)) if value}
    signal = Signal("user", "note", source_id or content, content, weight, now, extra)
    with closing(Inbox(context.workspace)) as inbox:
        id = inbox.add_signal(signal, now)
    if as_json:
        click.echo(json.dumps({"id": id}))
    else:
        click.echo(f"Handed in as {id[:8]}. `loopdesk engine once` takes it in now, a running engine by itself.")


@command.command("list", short_help="What the engine knows.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """The newest thousand signals, the newest first, with what each is worth today."""
    now, zone = datetime.now(UTC), ZoneInfo(context.config.zone)
    with closing(Inbox(context.workspace, read_only=True)) as inbox:
        found = inbox.signals()
        waiting = inbox.counts()["signals_in"]
    if as_json:
        click.echo(json.dumps([_document(one.id, one.signal, now) for one in found]))
        return
    for one in found:
        signal = one.signal
        kind = plain(f"{signal.source_product}/{signal.source_type}", 34)
        worth = aged(signal.weight, now - signal.occurred_at)
        at = f"{signal.occurred_at.astimezone(zone):%Y-%m-%d %H:%M}"
        click.echo(f"{one.id[:8]}  {at}  {worth:4.2f}  {kind:<34}  {plain(signal.title, 200)}")
    if waiting:
        click.echo(f"{counted(waiting, 'signal')} not taken in yet: loopdesk engine once", err=True)
    elif not found:
        click.echo("No signal yet. `loopdesk engine once` looks for some.", err=True)


def _document(id: str, signal: Signal, now: datetime) -> dict[str, object]:
    return {
        "id": id,
        "source_product": signal.source_product,
        "source_type": signal.source_type,
        "source_id": plain(signal.source_id),
        "content": "\n".join(plain_lines(signal.content)),
        "weight": signal.weight,
        "weight_now": round(aged(signal.weight, now - signal.occurred_at), 4),
        "occurred_at": signal.occurred_at.isoformat(),
        "extra": signal.extra,
    }
