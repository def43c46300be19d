"""`loopdesk storage`: what is stored and how large it is, and giving unused room back to the disk."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from observability.posthog_client import Settings, spool_folder
from queries.local.store import Store
from queries.local.usage import Usage, usage
from queries.views.words import counted
from tui.commands.cli import Context
from tui.commands.prune import count_answers, prune
from workspace.databases import explained
from workspace.errors import LoopdeskError
from workspace.inventory import KINDS, StoredFile, inventory, megabytes
from workspace.paths import nearest_folder
from workspace.text import plain

_MOST_KINDS = 12


@click.group("storage", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Say what is stored, by file, kind and age. `prune` forgets what is old, `vacuum` gives room back to the disk."""
    if ctx.invoked_subcommand is None:
        _say_what_is_stored(ctx.obj, as_json)


def _say_what_is_stored(context: Context, as_json: bool) -> None:
    root, now = context.workspace.root, datetime.now(UTC)
    files, waiting = inventory(root), _waiting_elsewhere(root)
    answers = count_answers(context)
    found, unread = None, ""
    try:
        found = _usage(context, now)
    except LoopdeskError as error:  # the sizes are worth saying all the same
        unread = str(error)
    free = shutil.disk_usage(nearest_folder(root)).free
    if as_json:
        click.echo(json.dumps(_document(root, files, waiting, found, answers, free) | {"unread": unread}, indent=2))
        return
    if not files and not waiting:
        click.echo(f"Nothing is stored in {root}.")
        return
    click.echo(f"{root}: {megabytes(sum(file.bytes for file in files))}; {megabytes(free)} are free on its disk")
    for kind, words in KINDS.items():
        mine = [file for file in files if file.kind == kind]
        if mine:
            click.echo(f"  {megabytes(sum(file.bytes for file in mine)):>12}  {words}")
            if kind in ("copies", "aside", "unfinished", "other"):
                click.echo("\n".join(f"{'':16}{plain(file.name, 60)}" for file in mine[:_MOST_KINDS]))
    if found:
        click.echo("\n".join(_usage_lines(found, ZoneInfo(context.config.zone))))
    if unread:
        click.echo(f"events.db cannot be counted: {unread}")
    click.echo(f"{counted(answers, 'answer')} remembered by the desk")
    if waiting:
        size = megabytes(sum(path.stat().st_size for path in waiting))
        click.echo(f"{counted(len(waiting), 'spool file')} with events to be sent: {size} in {waiting[0].parent}")


@command.command("vacuum", short_help="Give unused room back to the disk.")
@click.pass_obj
def vacuum(context: Context) -> None:
    """Write events.db anew without its unused room. Loops' events wait meanwhile; needs twice its size free."""
    path = context.workspace.events_db
    if not path.exists():
        raise LoopdeskError(f"There is no events.db in {path.parent}")
    store = Store.open(path)
    try:
        freed = store.vacuum()
    finally:
        store.close()
    click.echo(f"{megabytes(max(0, freed))} were given back; events.db takes {megabytes(path.stat().st_size)} now.")


def _usage(context: Context, now: datetime) -> Usage | None:
    if not context.workspace.events_db.exists():
        return None
    store = Store.open(context.workspace.events_db, read_only=True)
    try:
        return usage(store, now)
    except sqlite3.Error as error:
        raise explained(error, store.path) from error
    finally:
        store.close()


def _waiting_elsewhere(root: Path) -> list[Path]:
    """Spool files of this machine's loops outside of the workspace."""
    folder = Settings.from_environment().spool or spool_folder()
    try:
        return [] if folder.is_relative_to(root) else sorted(folder.glob("*.jsonl"))
    except OSError:
        return []


def _usage_lines(found: Usage, zone: ZoneInfo) -> list[str]:
    lines = [f"{counted(found.events, 'event')}; {megabytes(found.free_bytes)} within events.db are unused"]
    for kind in found.kinds[:_MOST_KINDS]:
        first, last = (f"{edge.astimezone(zone):%Y-%m-%d}" for edge in (kind.first, kind.last))
        lines.append(f"  {megabytes(kind.bytes):>12}  {plain(kind.event, 40)}: {kind.events:,}, {first} to {last}")
    if len(found.kinds) > _MOST_KINDS:
        lines.append(f"{'':16}... and {len(found.kinds) - _MOST_KINDS} more kinds; --json has them all")
    lines += [f"  {count:>12,}  happened within {words}" for words, count in found.ages]
    if found.prompts:
        oldest = f", the oldest of {found.oldest_prompt.astimezone(zone):%Y-%m-%d}" if found.oldest_prompt else ""
        calls = counted(found.prompts, "model call")
        lines.append(f"  {megabytes(found.prompt_bytes):>12}  prompts and completions of {calls}{oldest}")
    return lines


def _document(
    root: Path, files: Sequence[StoredFile], waiting: Sequence[Path], found: Usage | None, answers: int, free: int
) -> dict:
    kinds = found.kinds if found else ()
    return {
        "workspace": str(root),
        "disk_free_bytes": free,
        "total_bytes": sum(file.bytes for file in files),
        "kinds": {kind: sum(file.bytes for file in files if file.kind == kind) for kind in KINDS},
        "files": [{"name": plain(file.name), "kind": file.kind, "bytes": file.bytes} for file in files],
        "events": [
            {
                "event": plain(kind.event),
                "events": kind.events,
                "bytes": kind.bytes,
                "first": kind.first.isoformat(),
                "last": kind.last.isoformat(),
            }
            for kind in kinds
        ],
        "events_by_age": [{"within": words, "events": count} for words, count in (found.ages if found else ())],
        "prompts": found.prompts if found else 0,
        "prompt_bytes": found.prompt_bytes if found else 0,
        "unused_bytes": found.free_bytes if found else 0,
        "answers": answers,
        "spool": [{"file": str(path), "bytes": path.stat().st_size} for path in waiting],
    }


command.add_command(prune)
