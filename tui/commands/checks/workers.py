"""Whether other machines can do research and fixes: the Postgres between them, and who works there now."""

from __future__ import annotations

from engine.workers import check_installed
from queries.views.words import counted
from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.errors import LoopdeskError


def check(config: Config) -> list[Line]:
    if not config.database_url:
        return [ok("workers", "none: this machine does research and fixes by itself")]
    try:
        check_installed()
        from engine.workers.standing import look

        return lines(*look(config.database_url))
    except LoopdeskError as error:
        return [wrong("postgres", error.what, error.do)]


def lines(is_prepared: bool, workers: int, waiting: int, running: int) -> list[Line]:
    """Pure."""
    if not is_prepared:
        return [note("postgres", "answers, and is still empty", "The engine makes its tables when it starts")]
    jobs = f"{counted(waiting, 'job')} waiting, {running} being done"
    found = [ok("postgres", f"answers; {jobs}")]
    if workers:
        return [*found, ok("workers", f"{counted(workers, 'worker')} alive")]
    do = "Start one on a machine with a sandbox: loopdesk worker"
    said = "none is alive, so research and fixes are held"
    return [*found, wrong("workers", said, do) if waiting else note("workers", said, do)]
