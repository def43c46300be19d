"""The engine: whether one runs, who judges, and with what."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from engine import judges, process, roles
from engine.inbox import Inbox
from engine.schema import MIGRATIONS
from queries.views.words import counted
from tui.commands.checks.line import Line, note, ok, wrong
from workspace import databases
from workspace.config import Config
from workspace.errors import LoopdeskError

_WAITING = {"signals_in": "signal", "commands": "command", "jobs": "job"}


def check(config: Config) -> list[Line]:
    try:
        return [_running(config), _judge(config), _embedding(config)]
    except LoopdeskError as error:
        return [wrong("engine", str(error))]


def _running(config: Config) -> Line:
    running = process.find(config.workspace)
    with closing(Inbox(config.workspace, read_only=True)) as inbox:
        counts = inbox.counts()
    waits = [counted(counts[name], word) for name, word in _WAITING.items() if counts[name]]
    waiting = f"; {', '.join(waits)} wait" if waits else ""
    if running is not None:
        return ok("engine", f"runs (process {running.pid or 'unknown'}){waiting}")
    return note("engine", f"none runs{waiting}", "loopdesk engine run, or: loopdesk service install")


def _judge(config: Config) -> Line:
    roles.check(config)
    path = config.workspace.inbox_db
    if not path.exists():
        mode = judges.mode(config, None, datetime.now(UTC))
    else:
        with closing(databases.open_database(path, MIGRATIONS, read_only=True)) as connection:
            mode = judges.mode(config, connection, datetime.now(UTC))
    if mode.asks_for_consent:
        return note("judgement", f"{mode.why} {mode.estimate.said}", "Answer on the desk's Engine screen")
    return ok("judgement", mode.why)


def _embedding(config: Config) -> Line:
    if not config.embedding_model:
        return ok("similarity", "by words (no embedding_model is configured)")
    if find_spec("model2vec") is None:
        return wrong("similarity", "embedding_model is set, but model2vec is not installed", "pip install model2vec")
    if not Path(config.embedding_model).expanduser().is_dir():
        return wrong("similarity", f"embedding_model is no folder: {config.embedding_model}", "Name the model's folder")
    return ok("similarity", f"by the model in {config.embedding_model}")
