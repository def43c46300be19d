"""`loopdesk storage`: what is stored and how large it is; forgetting what is old; giving room back to the disk."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from observability.posthog_client import Settings, spool_folder
from queries.cache import AnswerCache
from queries.local import pruning
from queries.local.store import Store
from queries.local.usage import Usage, count_events, count_prompts, free_bytes, usage
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.databases import explained
from workspace.errors import LoopdeskError
from workspace.inventory import KINDS, StoredFile, inventory
from workspace.text import plain

_MOST_KINDS = 12


class Days(click.ParamType):
    """`30d` or `4w`, at least a day."""

    name = "days"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9]\d{0,4})([dw])", str(value))
        if not found:
            self.fail(f"{plain(value, 20)!r} is not a number of days such as 30d or 4w, at least 1d", param, ctx)
        return int(found[1]) * (7 if found[2] == "w" else 1)


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
    answers = _answers(context)
    found, unread = None, ""
    try:
        found = _usage(context, now)
    except LoopdeskError as error:  # the sizes are worth saying all the same
        unread = str(error)
    free = shutil.disk_usage(_nearest(root)).free
    if as_json:
        click.echo(json.dumps(_document(root, files, waiting, found, answers, free) | {"unread": unread}, indent=2))
        return
    if not files and not waiting:
        click.echo(f"Nothing is stored in {root}.")
        return
    click.echo(f"{root}: {_megabytes(sum(file.bytes for file in files))}; {_megabytes(free)} are free on its disk")
    for kind, words in KINDS.items():
        mine = [file for file in files if file.kind == kind]
        if mine:
            click.echo(f"  {_megabytes(sum(file.bytes for file in mine)):>12}  {words}")
            if kind in ("copies", "aside", "unfinished", "other"):
                click.echo("\n".join(f"{'':16}{plain(file.name, 60)}" for file in mine[:_MOST_KINDS]))
    if found:
        click.echo("\n".join(_usage_lines(found, ZoneInfo(context.config.zone))))
    if unread:
        click.echo(f"events.db cannot be counted: {unread}")
    click.echo(f"{counted(answers, 'answer')} remembered by the desk")
    if waiting:
        size = _megabytes(sum(path.stat().st_size for path in waiting))
        click.echo(f"{counted(len(waiting), 'spool file')} with events to be sent: {size} in {waiting[0].parent}")


@command.command("prune", short_help="Forget what is old.")
@click.option("--prompts-older-than", "prompts", type=Days(), metavar="30d", help="Prompts and completions.")
@click.option("--events-older-than", "events", type=Days(), metavar="400d", help="Events, whole nights at a time.")
@click.option("--answers", is_flag=True, help="What the desk remembers to paint at once; it asks again.")
@click.option("--copies", is_flag=True, help="Copies of databases from before their schema changed.")
@click.option("--moved-aside", is_flag=True, help="Damaged or replaced files that were moved aside.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def prune(
    context: Context,
    prompts: int | None,
    events: int | None,
    answers: bool,
    copies: bool,
    moved_aside: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Forget what is old, after saying what that is. Loops and the desk may go on meanwhile."""
    wanted = [kind for kind, is_wanted in (("copies", copies), ("aside", moved_aside)) if is_wanted]
    if not (prompts or events or answers or wanted):
        raise LoopdeskError("Nothing was named that may go", do="See: loopdesk storage prune --help")
    path = context.workspace.events_db
    store = Store.open(path) if (prompts or events) and path.exists() else None
    try:
        plan = [
            *(_prompts(context, store, prompts) if prompts and store else ()),
            *(_events(context, store, events) if events and store else ()),
            *(_forget_answers(context) if answers else ()),
            *_files([file for file in inventory(context.workspace.root) if file.kind in wanted]),
        ]
        plan = [step for step in plan if step.count]
        for step in plan:
            click.echo(f"{'Would forget' if dry_run else 'To forget'}: {step.said}")
        if not plan:
            click.echo("There is nothing of that to forget.")
        if dry_run or not plan:
            return 0
        _agree(yes)
        for step in plan:
            step.run()
            click.echo(f"Forgotten: {step.said}")
        if store and (prompts or events):
            click.echo(
                f"{_megabytes(free_bytes(store))} within events.db are free for new events; "
                "`loopdesk storage vacuum` gives them back to the disk."
            )
    finally:
        if store:
            store.close()
    return 0


@dataclass(frozen=True, slots=True)
class Step:
    """Something that may go: how many, in words, and how."""

    count: int
    said: str
    run: Callable[[], object]


def _prompts(context: Context, store: Store, days: int) -> list[Step]:
    before = _before(context, days)
    count = count_prompts(store, before)
    said = f"the prompts and completions of {counted(count, 'model call')} from before {_when(before)}"
    return [Step(count, said, lambda: store.forget_payloads(before))]


def _events(context: Context, store: Store, days: int) -> list[Step]:
    before = _before(context, days)
    count = count_events(store, before=before)
    said = f"{counted(count, 'event')} from before {_when(before)}"
    return [Step(count, said, lambda: pruning.forget_events(store, before, _progress(count)))]


def _forget_answers(context: Context) -> list[Step]:
    def forget() -> None:
        cache = AnswerCache(context.workspace.desk_db)
        cache.forget()
        cache.close()

    count = _answers(context)
    return [Step(count, f"{counted(count, 'answer')} that the desk remembers", forget)]


def _files(files: Sequence[StoredFile]) -> list[Step]:
    def said(file: StoredFile) -> str:
        return f"{plain(file.name, 100)} ({_megabytes(file.bytes)})"

    return [Step(1, said(file), partial(_remove, file.path)) for file in files]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        raise LoopdeskError(f"{path} cannot be removed: {error.strerror}") from error


def _before(context: Context, days: int) -> datetime:
    return pruning.forget_before(datetime.now(UTC), days, context.config.zone, context.config.night_starts_hour)


def _when(before: datetime) -> str:
    return f"{before:%Y-%m-%d %H:%M %Z}"


def _agree(yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise LoopdeskError("Nobody is there to be asked", "Nothing was forgotten", "Add --yes to forget it")
    if not click.confirm("Forget this for good?"):
        raise LoopdeskError("Nothing was forgotten")


def _progress(total: int) -> Callable[[int], None]:
    if not sys.stderr.isatty():
        return lambda _: None
    return lambda done: click.echo(f"\r{done:,} of {total:,}", nl=done >= total, err=True)


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
    click.echo(f"Gave {_megabytes(freed)} back; events.db takes {_megabytes(path.stat().st_size)} now.")


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


def _answers(context: Context) -> int:
    if not context.workspace.desk_db.exists():
        return 0
    cache = AnswerCache(context.workspace.desk_db, read_only=True)
    try:
        return cache.count()
    finally:
        cache.close()


def _waiting_elsewhere(root: Path) -> list[Path]:
    """Spool files of this machine's loops outside of the workspace."""
    folder = Settings.from_environment().spool or spool_folder()
    try:
        return [] if folder.is_relative_to(root) else sorted(folder.glob("*.jsonl"))
    except OSError:
        return []


def _usage_lines(found: Usage, zone: ZoneInfo) -> list[str]:
    lines = [f"{counted(found.events, 'event')}; {_megabytes(found.free_bytes)} within events.db are unused"]
    for kind in found.kinds[:_MOST_KINDS]:
        first, last = (f"{edge.astimezone(zone):%Y-%m-%d}" for edge in (kind.first, kind.last))
        lines.append(f"  {_megabytes(kind.bytes):>12}  {plain(kind.event, 40)}: {kind.events:,}, {first} to {last}")
    if len(found.kinds) > _MOST_KINDS:
        lines.append(f"{'':16}... and {len(found.kinds) - _MOST_KINDS} more kinds; --json has them all")
    lines += [f"  {count:>12,}  happened within {words}" for words, count in found.ages]
    if found.prompts:
        oldest = f", the oldest of {found.oldest_prompt.astimezone(zone):%Y-%m-%d}" if found.oldest_prompt else ""
        calls = counted(found.prompts, "model call")
        lines.append(f"  {_megabytes(found.prompt_bytes):>12}  prompts and completions of {calls}{oldest}")
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


def _nearest(path: Path) -> Path:
    """The folder, or the one above that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 50_000 else f"{size / 1e3:,.1f} kB"
