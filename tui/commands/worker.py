"""`loopdesk worker`: do research and fixes on this machine for an engine on another."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from dataclasses import replace
from datetime import UTC, datetime

import click

from engine import leftovers
from engine.sandbox import selftest
from engine.workers import check_installed
from tui.commands.cli import Context
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.locks import only_one
from workspace.paths import Workspace
from workspace.text import plain

LOCK = "worker.lock"


@click.command("worker")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 16), help="How many at once.")
@click.option(
    "--finish-within",
    "finish_s",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0, 40),  # a worker that ends sends no heartbeats any more
    metavar="SECONDS",
    help="When stopped, hand back what is not finished by then.",
)
@click.pass_obj
def command(context: Context, jobs: int, finish_s: float) -> None:
    """Do research and fixes of the engine whose Postgres LOOPDESK_DATABASE_URL names, until you stop it.

    What happens is a line of JSON each. A second Ctrl-C hands back at once what is being done.
    """
    refuse(context.config)
    # Of its own, so that an engine on this machine finds nothing of it in its way.
    workspace = Workspace(context.workspace.root / "worker").create()
    busy = LoopdeskError(
        f"Another worker uses {workspace.root}",
        do="Have that one do more at once with --jobs, or give this one a --workspace of its own",
    )
    with only_one(workspace.root / LOCK, busy):
        leftovers.remove_all(workspace)
        asyncio.run(_work(replace(context.config, workspace_dir=str(workspace.root)), jobs, finish_s))


def refuse(config: Config) -> None:
    """Raises `LoopdeskError` where a worker could do nothing here."""
    if not config.database_url:
        raise LoopdeskError(
            "No Postgres is configured",
            "Through one an engine and its workers find each other",
            "Set LOOPDESK_DATABASE_URL to the address that the engine has",
        )
    check_installed()
    from engine.workers.postgres import check_url

    check_url(config.database_url)
    if not config.anthropic_key:
        raise LoopdeskError("No model is configured", "Agents do the work", "Set ANTHROPIC_API_KEY")
    selftest.refuse_leaks(selftest.look())


async def _work(config: Config, jobs: int, finish_s: float) -> None:
    from engine.workers import means
    from engine.workers.worker import Stop, Worker, quiet

    quiet()
    stop = Stop()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.signal)
    build = means.by(config, lambda said: log("warned", said=said))
    worker = Worker(config.database_url, build, log, _now, at_once=jobs, finish_s=finish_s)
    await worker.run(stop)
    log("stopped")


def log(event: str, **names: object) -> None:
    line = {"at": _now().isoformat(timespec="milliseconds"), "event": event, "worker": socket.gethostname()}
    words = {name: plain(value, 500) if isinstance(value, str) else value for name, value in names.items()}
    print(json.dumps({**line, **words}), file=sys.stdout, flush=True)


def _now() -> datetime:
    return datetime.now(UTC)
