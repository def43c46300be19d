"""`loopdesk demo`: the desk on a simulated weekend, in a workspace that is thrown away afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from engine import process
from engine.demo.repository import folder as repository_folder
from engine.demo.repository import make as make_repository
from engine.demo.story import story
from queries.local.store import Store
from queries.rest import LocalRest
from queries.simulator import night_spans, simulate, stories
from tui.commands.cli import Context
from tui.commands.demo_knobs import Deploys, deploys_in, make_knobs
from workspace import config
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace, write_private

NIGHTS = 4
# Beside the packages both in a checkout and in an installed wheel.
MINI_LOOP = Path(__file__).resolve().parents[2] / "examples" / "mini_autoresearch" / "loop.py"


@click.command("demo")
@click.option("--live", is_flag=True, help="A real small loop runs beside it, and its rounds arrive on screen.")
@click.option("--prepare", metavar="DIR", type=click.Path(path_type=Path), help="Only write the workspace there.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another weekend.")
@click.option("--quiet", is_flag=True, help="A weekend on which nothing went wrong.")
@click.pass_obj
def command(context: Context, live: bool, prepare: Path | None, seed: int, quiet: bool) -> int:
    """Open the desk on a simulated weekend of three loops. Keys and projects of your environment are not used."""
    if prepare is not None:
        workspace = Workspace(prepare.absolute())
        stored = fill(workspace, context.config, seed, quiet=quiet)
        judge(_without_the_environment(context.config, workspace))
        click.echo(f"Stored {stored:,} simulated events in {workspace.root}. Open it with:")
        click.echo(f"  loopdesk --workspace {workspace.root}")
        return 0
    with tempfile.TemporaryDirectory(prefix="loopdesk-demo-", ignore_cleanup_errors=True) as folder:
        workspace = Workspace(Path(folder))
        click.echo("Simulating a weekend of three loops ...", err=True)
        fill(workspace, context.config, seed, quiet=quiet)
        settings = _without_the_environment(context.config, workspace)
        judge(settings)
        try:
            if not quiet:
                process.start_detached(workspace)  # what has begun goes on while the desk is open
            if not live:
                return _open_desk(settings)
            with _serving(workspace) as server, _looping(workspace, server):
                return _open_desk(settings)
        finally:
            process.stop(workspace)  # one that the desk has started for what was decided


def fill(workspace: Workspace, settings: Config, seed: int, *, quiet: bool = False) -> int:
    """Put a simulated weekend that ends now into an empty workspace; returns the number of events.

    Raises `LoopdeskError` where the workspace already holds events: simulated ones never mix with real ones.
    """
    workspace.create()
    now, zone = datetime.now(UTC), ZoneInfo(settings.zone)
    deploys: Deploys = {}
    store = Store.open(workspace.events_db)
    try:
        if store.connection.execute("SELECT 1 FROM bodies LIMIT 1").fetchone():
            raise LoopdeskError(
                f"{workspace.root} already holds events",
                "Simulated rounds are never mixed with real ones",
                "Name an empty folder",
            )
        # The mark comes first: whatever happens later, simulated rounds never pass for real ones.
        told = [] if quiet else [f"{story.project}: {story.what}" for story in stories(seed)]
        _mark(workspace, json.dumps({"seed": seed, "stories": told}))
        # One transaction: a demo that was interrupted leaves an empty store.
        with store.transaction():
            stored = 0
            for batch in simulate(seed, until=now, tz=zone, nights=NIGHTS, quiet=quiet):
                stored += store.ingest(batch, now=now).stored
                deploys_in(batch, deploys)
    finally:
        store.close()
    rest = LocalRest(_without_the_environment(settings, workspace), lambda: now)
    make_knobs(rest, night_spans(now, NIGHTS, zone), deploys)
    if not quiet:
        try:
            make_repository(repository_folder(workspace.root), story(), now)
        except LoopdeskError as error:
            click.echo(f"loopdesk: No report is fixed in this demo. {error}", err=True)
    return stored


def judge(settings: Config) -> None:
    """Have the engine turn the weekend into an inbox, as it would have done by the morning: all but the fix of one
    report, which is begun while somebody is looking."""
    from engine.main import Parts, run_once
    from engine.proposals import FIX
    from engine.runtime import parts
    from engine.store import Store as Reports

    build = parts(settings)

    def before_the_fix(store: Reports) -> Parts:
        made = build(store)
        return replace(made, handlers={kind: do for kind, do in made.handlers.items() if kind != FIX})

    run_once(settings.workspace, before_the_fix)


def _mark(workspace: Workspace, text: str) -> None:
    try:
        write_private(workspace.demo_marker, text)
    except OSError as error:
        raise LoopdeskError(f"Cannot write {workspace.demo_marker}: {error.strerror}", "Nothing was stored") from error


def _without_the_environment(settings: Config, workspace: Workspace) -> Config:
    overrides = {
        "workspace_dir": str(workspace.root),
        "timezone": settings.zone,
        "theme": settings.theme,
        "backend": "embedded",
    }
    return config.load(overrides, environment={})


def _open_desk(settings: Config) -> int:
    from tui.app import run_desk
    from tui.main import desk_options

    return run_desk(settings, desk_options([]))


@contextmanager
def _serving(workspace: Workspace) -> Iterator[dict]:
    """`loopdesk serve` on a free port, in a process of its own; yields its address and key."""
    arguments = [sys.executable, "-m", "tui.main", "serve", "--port", "0", "--json", "--workspace", str(workspace.root)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise LoopdeskError("The embedded PostHog did not start", do="Try: loopdesk serve")
            yield json.loads(line)
        finally:
            process.terminate()


@contextmanager
def _looping(workspace: Workspace, server: dict) -> Iterator[None]:
    """The small example loop, sending its rounds to `server` until the desk is closed."""
    if not MINI_LOOP.is_file():
        raise LoopdeskError(f"The example loop is not at {MINI_LOOP}", do="Run the demo without --live")
    environment = {
        **os.environ,
        "POSTHOG_HOST": server["url"],
        "POSTHOG_API_KEY": server["project_key"],
        "AUTORESEARCH_PROJECT": "mini-autoresearch",
        "AUTORESEARCH_CLIENT": "internal",
        "LOOPDESK_SPOOL": str(workspace.root / "spool"),
    }
    arguments = [
        sys.executable,
        str(MINI_LOOP),
        "--pause",
        "2",
        "--rounds",
        "500",
        "--dir",
        str(workspace.root / "mini"),
    ]
    with subprocess.Popen(
        arguments, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield
        finally:
            process.terminate()
