"""`loopdesk restore`: a workspace as it was when `loopdesk backup` was run."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from engine import schema as inbox_schema
from queries import cache
from queries.local import schema
from tui.commands.backup import told
from tui.commands.cli import Context
from workspace.restore import restore_backup

SCHEMAS = {
    "events.db": len(schema.MIGRATIONS),
    "desk.db": len(cache.MIGRATIONS),
    "inbox.db": len(inbox_schema.MIGRATIONS),
}


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Move what the workspace holds aside (it is not deleted).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(context: Context, file: Path, replace: bool, as_json: bool) -> None:
    """Restore FILE into the workspace, after every byte of it was checked. Refuses while anything has it open.

    A loop keeps its spool: what it sends again is stored once.
    """
    root = context.workspace.root
    done = restore_backup(file.absolute(), context.workspace, SCHEMAS, now=datetime.now(UTC), replace=replace)
    if as_json:
        aside = str(done.aside) if done.aside else None
        click.echo(json.dumps({"workspace": str(root), "moved_aside": aside, **asdict(done.manifest)}))
        return
    for kept in done.manifest.files:
        click.echo(f"{kept.name:<10} {told(kept)}")
    click.echo(f"Restored into {root}, as it was on {done.manifest.made_at} ({done.manifest.made_by}).")
    if done.aside:
        click.echo(f"What was there is in {done.aside}.")
