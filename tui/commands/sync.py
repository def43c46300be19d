"""`loopdesk sync`: a PostHog project's loop events into the store, page by page, from where the last pull ended."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from queries.cursor import source_key
from queries.keyset import MOST_ROWS
from queries.local.retention import keeps_prompts
from queries.local.store import Store
from queries.pulls import one_at_a_time, refuse_wrong_places
from queries.remote import Manner, RemoteBackend, open_remote
from queries.sync import FIRST_PULL, OVERLAP, Synced, Wanted, kept, sync
from queries.turns import Priority, Wait
from queries.views.words import counted
from tui.commands.cli import Context
from tui.moments import moment
from workspace.errors import LoopdeskError
from workspace.text import plain

# A sync is not in a hurry: it waits where the desk would say so, and a page may take several tries.
_MANNER = Manner(Priority.SYNC, deadline_s=900, patience_s=120, name="loopdesk sync")
_STEPS = 1000


@click.command("sync")
@click.option(
    "--since", metavar="TIME", help=f"First pull: from when, as 2026-11-01 or 90d. Default {FIRST_PULL.days}d."
)
@click.option("--until", metavar="TIME", help="Default: now.")
@click.option("--project-id", metavar="ID", help="Default: POSTHOG_PROJECT_ID, else the key's current project.")
@click.option(
    "--overlap",
    type=click.FloatRange(min=0, max=24 * 365),
    metavar="HOURS",
    default=OVERLAP.total_seconds() / 3600,
    show_default=True,
    help="How far back events that reached PostHog late are looked for.",
)
@click.option("--prompts", is_flag=True, help="Also prompts and completions, which PostHog keeps for 30 days.")
@click.option("--again", is_flag=True, help="Pull everything again; nothing is stored twice.")
@click.option(
    "--page",
    type=click.IntRange(1, 50_000),
    default=MOST_ROWS,
    show_default=True,
    help="Most events asked for at once.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(
    context: Context,
    since: str | None,
    until: str | None,
    project_id: str | None,
    overlap: float,
    prompts: bool,
    again: bool,
    page: int,
    as_json: bool,
) -> int:
    """Pull the loop events of a PostHog project into the store, to read them offline.

    It goes on where the last pull ended, however that ended, within PostHog's limits and after the desk's questions.
    """
    if prompts and not keeps_prompts(context.config.prompt_days):
        raise LoopdeskError("prompt_days is 0: no prompts are stored here", do="Raise it, or leave --prompts out")
    now = datetime.now(UTC)
    zone = ZoneInfo(context.config.zone)
    wanted = Wanted(
        since=moment("--since", since, now, zone),
        until=moment("--until", until, now, zone),
        overlap=timedelta(hours=overlap),
        prompts=prompts,
        again=again,
        most_rows=page,
    )
    config = replace(context.config, posthog_project_id=project_id) if project_id else context.config
    refuse_wrong_places(config)
    backend = open_remote(config, warn=_say, manner=replace(_MANNER, told=_tell_wait))
    try:
        source = source_key(backend.host, backend.project_number())
        with one_at_a_time(context.workspace.create(), source), _bar() as told:
            store = Store.open(context.workspace.events_db, keep_prompts=keeps_prompts(config.prompt_days))
            done = _pull(backend, store, source, wanted, now, told)
    finally:
        backend.close()
    if isinstance(done, KeyboardInterrupt):
        return 130
    if as_json:
        click.echo(json.dumps(_document(backend, done), indent=2))
    else:
        click.echo(_told(backend, done, zone))
    return 0


def _pull(
    backend: RemoteBackend, store: Store, source: str, wanted: Wanted, now: datetime, told: Callable[[Synced], None]
) -> Synced | KeyboardInterrupt:
    """Ctrl-C ends it between two transactions, and it says what is stored."""
    done: list[Synced] = []

    def note(synced: Synced) -> None:
        done[:] = [synced]
        told(synced)

    try:
        return sync(backend, store, source, wanted, now=now, told=note)
    except KeyboardInterrupt as stopped:
        _say(f"Stopped: {kept(done[0])}." if done else "Stopped before anything was pulled.")
        return stopped
    finally:
        store.close()


@contextmanager
def _bar() -> Iterator[Callable[[Synced], None]]:
    """A progress bar by event time; only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=_STEPS, file=sys.stderr, label="Pulling", show_eta=True) as bar:

        def told(done: Synced) -> None:
            whole = (done.until - done.since) / timedelta(seconds=1)
            share = (done.at - done.since) / timedelta(seconds=1) / whole if whole else 1.0
            bar.label = f"Pulling, {done.stored:,} new"
            bar.update(max(0, int(_STEPS * share) - bar.pos))

        yield told


def _tell_wait(wait: Wait) -> None:
    if sys.stderr.isatty() and (wait.seconds or 0) >= 2:
        # Over the bar's line, which the next page paints again.
        wide = shutil.get_terminal_size().columns - 1
        click.echo(f"\r{plain(wait.sentence, wide)}\033[K", nl=False, err=True)


def _say(text: str) -> None:
    click.echo(f"loopdesk: {text}", err=True)


def _told(backend: RemoteBackend, done: Synced, zone: ZoneInfo) -> str:
    since, until = done.since.astimezone(zone), done.until.astimezone(zone)
    parts = [f"Stored {counted(done.stored, 'new event')}"]
    if done.known:
        parts.append(f"{done.known:,} were there already")
    if done.prompts:
        parts.append(f"{done.prompts:,} got their prompts")
    lines = [
        f"{'; '.join(parts)}. From project {plain(backend.project_id, 40)} of {backend.host}, "
        f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M %Z}."
    ]
    if done.rejected:
        lines.append(f"{done.rejected:,} could not be stored; the first because {plain(done.first_rejected, 200)}.")
    return "\n".join(lines)


def _document(backend: RemoteBackend, done: Synced) -> dict[str, object]:
    return {
        "host": backend.host,
        "project_id": backend.project_id,
        "since": done.since.isoformat(),
        "until": done.until.isoformat(),
        "stored": done.stored,
        "known": done.known,
        "rejected": done.rejected,
        "prompts": done.prompts,
        "pages": done.pages,
    }
