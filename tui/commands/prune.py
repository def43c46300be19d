"""`loopdesk storage prune`: say what is old enough to go, ask, and forget it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from engine.inbox import Inbox
from queries.cache import AnswerCache
from queries.local import pruning
from queries.local.store import Store
from queries.local.usage import count_events, count_prompts, free_bytes
from queries.views.words import counted
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.inventory import StoredFile, inventory, megabytes
from workspace.text import plain


class Days(click.ParamType):
    """`30d` or `4w`, at least a day."""

    name = "days"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9]\d{0,4})([dw])", str(value))
        if not found:
            self.fail(f"{plain(value, 20)!r} is not a number of days such as 30d or 4w, at least 1d", param, ctx)
        return int(found[1]) * (7 if found[2] == "w" else 1)


@click.command("prune", short_help="Forget what is old.")
@click.option("--prompts-older-than", "prompts", type=Days(), metavar="30d", help="Prompts and completions.")
@click.option("--events-older-than", "events", type=Days(), metavar="400d", help="Events, whole nights at a time.")
@click.option(
    "--blobs-older-than", "blobs", type=Days(), metavar="30d", help="Changes, sessions, transcripts of fixes."
)
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
    blobs: int | None,
    answers: bool,
    copies: bool,
    moved_aside: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Forget what is old, after saying what that is. Loops and the desk may go on meanwhile."""
    wanted = [kind for kind, is_wanted in (("copies", copies), ("aside", moved_aside)) if is_wanted]
    if not (prompts or events or blobs or answers or wanted):
        raise LoopdeskError("Nothing was named that may go", do="See: loopdesk storage prune --help")
    path = context.workspace.events_db
    store = Store.open(path) if (prompts or events) and path.exists() else None
    try:
        plan = [
            *(_prompts(context, store, prompts) if prompts and store else ()),
            *(_events(context, store, events) if events and store else ()),
            *(_blobs(context, blobs) if blobs else ()),
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
                f"{megabytes(free_bytes(store))} within events.db are free for new events; "
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


def _blobs(context: Context, days: int) -> list[Step]:
    """What no open proposal goes on from. The engine may write meanwhile: what it writes is young."""
    before = _before(context, days)
    with closing(Inbox(context.workspace, read_only=True)) as inbox:
        in_use = inbox.blobs_in_use()
    files = [
        file
        for file in inventory(context.workspace.root)
        if file.kind == "blobs" and file.path.name not in in_use and file.path.stat().st_mtime < before.timestamp()
    ]

    def forget() -> None:
        for file in files:
            _remove(file.path)

    size = megabytes(sum(file.bytes for file in files))
    said = f"{counted(len(files), 'blob')} of fixes that are over, from before {_when(before)} ({size})"
    return [Step(len(files), said, forget)]


def _forget_answers(context: Context) -> list[Step]:
    def forget() -> None:
        cache = AnswerCache(context.workspace.desk_db)
        cache.forget()
        cache.close()

    count = count_answers(context)
    return [Step(count, f"{counted(count, 'answer')} that the desk remembers", forget)]


def _files(files: Sequence[StoredFile]) -> list[Step]:
    def said(file: StoredFile) -> str:
        return f"{plain(file.name, 100)} ({megabytes(file.bytes)})"

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


def count_answers(context: Context) -> int:
    """How many answers the desk remembers."""
    if not context.workspace.desk_db.exists():
        return 0
    cache = AnswerCache(context.workspace.desk_db, read_only=True)
    try:
        return cache.count()
    finally:
        cache.close()
