"""`loopdesk connect`: the PostHog whose project the boards ask, tried and then written to the config file."""

from __future__ import annotations

import json
import sys

import click

from tui.commands.cli import Context
from tui.connecting import connect
from workspace.connection import CURRENT, HOSTS, checked, offered_host


@click.command("connect")
@click.option("--host", help=f"{HOSTS[0]}, {HOSTS[1]}, or the address of your own.")
@click.option("--project", help="The project's number. Default: the key's own.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def command(context: Context, host: str | None, project: str | None, as_json: bool) -> None:
    """Connect a PostHog project. The personal key (phx_...) is asked for, or read as one line from a pipe; it is never
    an option, because other users of the machine can read those."""
    settings = context.config
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        host = host or click.prompt("Host", default=offered_host(settings), err=True)
        if project is None:
            project = click.prompt("Project number", default=settings.posthog_project_id or CURRENT, err=True)
        key = click.prompt("Personal key (phx_..., not shown)", hide_input=True, err=True)
    else:
        key = sys.stdin.readline()
        host = host or offered_host(settings)
    made = checked(host or "", project or "", key)
    done = connect(made, settings.zone)
    if as_json:
        newest = done.found.newest_at
        document = {
            "host": made.host,
            "project_id": made.project_id,
            "events": done.found.events,
            "newest_at": newest.isoformat() if newest else None,
            "config": str(done.path),
        }
        click.echo(json.dumps(document))
        return
    for sentence in done.sentences:
        click.echo(sentence)
