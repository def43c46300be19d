"""`loopdesk annotate`: a mark on the time lines, from a person, a script or a git hook."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from queries.annotations import Draft, Waiting, draft, make, on_time_lines
from queries.around import around
from queries.backend import QueryTimedOut
from queries.morning import open_backend
from queries.remote_errors import PostHogBusy, PostHogUnreachable, Throttled
from queries.rest import Rest, open_rest
from queries.views.marks import Side, moments, notes, word
from queries.views.words import counted, money, score, share
from tui.commands import annotate_hook
from tui.commands.cli import Context
from tui.moments import moment
from workspace.errors import LoopdeskError
from workspace.paths import state_folder
from workspace.text import plain

_AWAY = (PostHogUnreachable, PostHogBusy, Throttled, QueryTimedOut)


@click.command("annotate")
@click.argument("text", required=False)
@click.option("--at", metavar="TIME", help="When it happened: 2026-11-01T22:00, or 2h ago. Default: now.")
@click.option("--sha", default="", help="The commit it is about; a commit is annotated once.")
@click.option("--queue", is_flag=True, help="Keep it for later whatever PostHog answers, as the hook does.")
@click.option("--list", "is_list", is_flag=True, help="What is annotated, the newest first.")
@click.option("--effect", type=int, metavar="ID", help="Rounds in the three days before and after an annotation.")
@click.option("--install-hook", metavar="DIR", help="Mark each commit of this git repository from now on.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(
    context: Context,
    text: str | None,
    at: str | None,
    sha: str,
    queue: bool,
    is_list: bool,
    effect: int | None,
    install_hook: str | None,
    as_json: bool,
) -> None:
    """Mark a moment on the time lines. While PostHog cannot be reached it is kept, and sent with the next one."""
    if (text is not None) + is_list + (effect is not None) + (install_hook is not None) != 1:
        raise LoopdeskError(
            "Say one thing: TEXT, --list, --effect ID or --install-hook DIR", do="See: loopdesk annotate --help"
        )
    if install_hook is not None:
        _install(context, install_hook, as_json=as_json)
    elif effect is not None:
        _effect(context, effect, as_json=as_json)
    elif is_list:
        _list(context, as_json=as_json)
    else:
        now, zone = datetime.now(UTC), ZoneInfo(context.config.zone)
        _make(context, draft(text or "", moment("--at", at, now, zone) or now, sha), queue=queue, as_json=as_json)


def _make(context: Context, wanted: Draft, *, queue: bool, as_json: bool) -> None:
    waiting = Waiting(state_folder())
    rest = open_rest(context.config, _warn)
    try:
        id, is_new = make(rest, wanted)
    except LoopdeskError as error:
        if not (queue or isinstance(error, _AWAY)):
            raise
        waiting.add(rest.place, wanted)
        _warn(f"It is kept, and sent with the next annotation: {error}")
        if as_json:
            click.echo(json.dumps({"outcome": "queued", "id": None}))
        return
    else:
        _flush(waiting, rest)
    finally:
        rest.close()
    if as_json:
        click.echo(json.dumps({"outcome": "made" if is_new else "known", "id": id}))
    else:
        click.echo(f"Annotation {id} is made." if is_new else f"That is annotation {id} already.")


def _flush(waiting: Waiting, rest: Rest) -> None:
    try:
        flushed = waiting.flush(rest)
    except LoopdeskError as error:
        _warn(str(error))  # what was asked for is done
        return
    if flushed.sent:
        _warn(f"{counted(flushed.sent, 'annotation')} that waited {'is' if flushed.sent == 1 else 'are'} made too.")
    if flushed.refused:
        _warn(f"{counted(flushed.waiting, 'annotation')} still waiting: {flushed.refused}")


def _list(context: Context, *, as_json: bool) -> None:
    rest = open_rest(context.config, _warn)
    try:
        found = on_time_lines(rest)
    finally:
        rest.close()
    if as_json:
        rows = [
            {"id": one.id, "at": one.at.isoformat(), "content": one.content, "is_commit": one.is_commit}
            for one in found
        ]
        click.echo(json.dumps(rows))
        return
    zone = ZoneInfo(context.config.zone)
    for one in found:
        click.echo(f"{one.id:>6}  {one.at.astimezone(zone):%Y-%m-%d %H:%M}  {plain(one.content, 200)}")
    if not found:
        click.echo("No annotation yet.", err=True)


def _effect(context: Context, id: int, *, as_json: bool) -> None:
    rest = open_rest(context.config, _warn)
    try:
        marks = on_time_lines(rest)
    finally:
        rest.close()
    mark = next((one for one in marks if one.id == id), None)
    backend = open_backend(context.config)
    if mark is None or backend is None:
        raise LoopdeskError(f"There is no annotation {id}", do="See: loopdesk annotate --list")
    try:
        found = around(backend, mark.at, moments(marks, mark.at), datetime.now(UTC))
    finally:
        backend.close()
    if as_json:
        document = {
            "id": id,
            "at": mark.at.isoformat(),
            "since": found.before.since.isoformat(),
            "until": found.after.until.isoformat(),
            "other_marks": found.others,
            "projects": [asdict(one) for one in found.effects],
        }
        click.echo(json.dumps(document))
        return
    zone = ZoneInfo(context.config.zone)
    click.echo(f"{mark.at.astimezone(zone):%Y-%m-%d %H:%M}  {plain(mark.content, 200)}")
    since, until = (one.astimezone(zone) for one in (found.before.since, found.after.until))
    click.echo(f"From {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}. {found.verdict}")
    for one in found.effects:
        click.echo(f"{plain(one.project, 30):<30}  before {_side(one.before)}  after {_side(one.after)}  {word(one)}")
    for sentence in notes(found):
        click.echo(sentence)


def _side(side: Side | None) -> str:
    if side is None:
        return "no round"
    kept, cost = share(side.kept_share), money(side.per_kept_usd)
    return f"{counted(side.rounds, 'round')}, best {score(side.best)}, {kept} kept, {cost} a kept one"


def _install(context: Context, folder: str, *, as_json: bool) -> None:
    named = context.config.sources.get("workspace_dir") in ("command line", "environment")
    workspace_dir = context.config.workspace_dir if named else ""
    hook, is_chained = annotate_hook.install(Path(folder), workspace_dir, _own_command())
    if as_json:
        click.echo(json.dumps({"hook": str(hook), "is_chained": is_chained}))
    else:
        after = ", after the hook that was there" if is_chained else ""
        click.echo(f"Each commit is annotated from now on{after}: {hook}")


def _own_command() -> str:
    """Where this loopdesk is installed; empty where it runs without being."""
    beside = Path(sys.executable).with_name("loopdesk")
    return str(beside) if beside.is_file() else shutil.which("loopdesk") or ""


def _warn(said: str) -> None:
    print(f"loopdesk: {plain(said, 500)}", file=sys.stderr)
