"""`loopdesk engine`: the process that turns signals into reports and applies what you decided."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from engine import main, process
from engine.inbox import Inbox
from engine.runtime import parts
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain


@click.group("engine", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Run the engine: one for each workspace. `service install` has it run day and night."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say which: run, once, status or stop", ctx)


@command.command("run", short_help="Work until you stop it.")
@click.option("--detached", is_flag=True, hidden=True, help="End when there is nothing to do and no desk is open.")
@click.pass_obj
def run(context: Context, detached: bool) -> None:
    """Take signals in, apply commands, run jobs, until it is stopped (Ctrl-C, or `loopdesk engine stop`)."""
    main.run(context.workspace, parts(context.config), is_detached=detached, tell=_tell)


@command.command("once", short_help="Work until nothing is left, and end.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def once(context: Context, as_json: bool) -> None:
    """Do all that can be done now, and end. Refuses beside a running engine."""
    done, waiting = main.run_once(context.workspace, parts(context.config))
    inbox = Inbox(context.workspace)
    try:
        left, held = inbox.counts()["commands"], _held_back(inbox)
    finally:
        inbox.close()
    if as_json:
        document = {**asdict(done), "jobs_waiting": dict(waiting), "commands_waiting": left}
        click.echo(json.dumps(document))
        return
    click.echo(
        f"Took in {counted(done.signals, 'signal')}, applied {counted(done.applied, 'command')}, "
        f"ended {counted(done.jobs, 'job')}."
    )
    if done.refused:
        click.echo(f"Refused {counted(done.refused, 'command')}; each says why.")
    if left:
        click.echo(f"{counted(left, 'command')} can still be undone and wait for the end of that time.")
    if held:
        click.echo(held)
    for kind, count in waiting.items():
        click.echo(f"{counted(count, f'{kind} job')} intended; nothing is set up here that does {kind}.")


@command.command("status", short_help="Say whether it runs, and what waits.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def status(context: Context, as_json: bool) -> int:
    """Say whether the engine runs and what it has to do. Exit code 0 only if it runs."""
    running = process.find(context.workspace)
    inbox = Inbox(context.workspace, read_only=True)
    try:
        counts, held = inbox.counts(), _held_back(inbox)
    finally:
        inbox.close()
    if as_json:
        since = running.started_at.isoformat() if running and running.started_at else None
        document = {
            "running": running is not None,
            "pid": running.pid or None if running else None,
            "since": since,
            "detached": running.is_detached if running else None,
            "workspace": str(context.workspace.root),
            "waiting": {name: counts[name] for name in _WAITING},
            "reports": {name: count for name, count in counts.items() if name not in _WAITING},
        }
        click.echo(json.dumps(document))
        return 0 if running else 1
    if running is None:
        click.echo(f"No engine runs for {context.workspace.root}.")
        click.echo("Start it with: loopdesk engine run; or for good: loopdesk service install")
    else:
        since = f" since {running.started_at:%Y-%m-%d %H:%M} UTC" if running.started_at else ""
        until = "; it ends when nobody needs it" if running.is_detached else ""
        click.echo(f"The engine runs for {context.workspace.root}{since} (process {running.pid or 'unknown'}){until}.")
    waits = [counted(counts[name], word) for name, word in _WAITING.items() if counts[name]]
    click.echo(f"Waiting: {', '.join(waits)}." if waits else "Nothing waits.")
    if held:
        click.echo(held)
    return 0 if running else 1


_WAITING = {"signals_in": "signal", "commands": "command", "jobs": "job"}


@command.command("stop", short_help="End it.")
@click.pass_obj
def stop(context: Context) -> None:
    """Ask the running engine to end, and wait for it. What it was doing goes on when it starts again."""
    ended = process.stop(context.workspace)
    if ended is None:
        raise LoopdeskError(f"No engine runs for {context.workspace.root}")
    click.echo(f"The engine (process {ended.pid}) has ended.")


def _held_back(inbox: Inbox) -> str:
    """What goes no further by itself, or not now; empty where nothing does."""
    found = inbox.digest(datetime.fromtimestamp(0, UTC))
    reports = sum(bool(one.report.hold) for one in inbox.reports())
    held = [
        *([f"{counted(found.blocked, 'signal')} blocked"] if found.blocked else []),
        *([f"{counted(found.held, 'signal')} not read yet"] if found.held else []),
        *([f"{counted(reports, 'report')} not researched yet"] if reports else []),
    ]
    return f"Held back: {', '.join(held)}. `loopdesk inbox list` says why." if held else ""


def _tell(line: str) -> None:
    print(plain(line, 500), file=sys.stderr, flush=True)
