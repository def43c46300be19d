"""`loopdesk backup`: the whole workspace in one file, while everything runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from tui.commands.cli import Context
from tui.main import VERSION
from workspace.backups import make_backup
from workspace.manifest import Kept


@click.command("backup")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Put it in the place of a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(context: Context, file: Path | None, replace: bool, as_json: bool) -> None:
    """Write events, the desk's state and the keys into FILE (.tar.gz, readable by you alone), or into a folder FILE.

    Loops and the desk may go on meanwhile. config.toml is not in it: it may hold PostHog's key. Events that a loop has
    not delivered yet are in its spool, not here.
    """
    now = datetime.now(UTC)
    target = (file or Path()).absolute()
    if target.is_dir():
        target /= f"loopdesk-backup-{now:%Y%m%d-%H%M%S}.tar.gz"
    made = make_backup(context.workspace, target, made_by=f"loopdesk {VERSION}", now=now, replace=replace)
    size = target.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(target), "bytes": size, **asdict(made)}))
        return
    for kept in made.files:
        click.echo(f"{kept.name:<10} {told(kept)}")
    click.echo(f"Wrote {target} ({size / 1e6:,.1f} MB). Keep it private: it holds what the loops said, and the keys.")


def told(kept: Kept) -> str:
    """A file's size and what it holds, in words."""
    parts = [f"{kept.bytes / 1e6:>8,.1f} MB"]
    if kept.schema is not None:
        parts.append(f"schema {kept.schema}")
    if kept.events is not None:
        parts.append(f"{kept.events:,} events")
    return ", ".join(parts)
