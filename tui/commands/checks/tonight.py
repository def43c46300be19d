"""Whether tonight's events will be kept: somebody who receives them, something that keeps it running, room for them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from engine import process
from observability.posthog_client import Settings, spool_folder
from queries.local.backend import LocalBackend
from queries.views.answers import records
from queries.views.words import counted
from tui.commands.checks import serving
from tui.commands.checks.line import Line, note, ok, wrong
from tui.commands.checks.settings import without_password
from tui.commands.service_managers import Status, manager
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import nearest_folder
from workspace.text import plain

_RECENT = timedelta(days=7)  # who sent within these counts on being received tonight
_SILENT = timedelta(days=3)
_WAITING_S = 3600.0
_LAST_HEARD = """
SELECT properties.project AS project, max(timestamp) AS last_at
FROM events
WHERE properties.imported_from IS NULL AND properties.simulated IS NULL AND timestamp >= toDateTime({since})
GROUP BY project
LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """When a project last sent an event, whatever it was."""

    project: str
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Spooled:
    """A file of events that were not delivered yet, and when it last changed (seconds since 1970)."""

    path: Path
    events: int
    changed: float


def check(config: Config) -> list[Line]:
    now = datetime.now(UTC)
    listener, status = serving.look(config.port), manager().status()
    has_engine = process.find(config.workspace) is not None
    has_listener = listener.is_ready and listener.serves(config.workspace.root) is not False
    heard: tuple[Heard, ...] | LoopdeskError
    try:
        heard = last_heard(config, now)
    except LoopdeskError as error:
        heard = error
    projects = () if isinstance(heard, LoopdeskError) else heard
    lines = [
        receiver(config, has_listener, projects, now),
        service(status),
        engine(has_engine, manager("engine").status()),
    ]
    lines += [note("projects", str(heard))] if isinstance(heard, LoopdeskError) else silence(heard, now, config.zone)
    lines += waiting(spooled(), time.time())
    lines.append(room(config, now))
    return lines


def receiver(config: Config, has_listener: bool, heard: Sequence[Heard], now: datetime) -> Line:
    """Pure."""
    if has_listener:
        return ok("tonight", "`loopdesk serve` is up and takes what loops send")
    if config.posthog_host and not config.is_own_server:
        return ok("tonight", f"loops send to {plain(without_password(config.posthog_host), 100)}")
    do = "loopdesk service install, or `loopdesk serve` in tmux"
    said = "nobody receives events on this machine; a loop keeps its own in its spool until somebody does"
    sent = any(now - one.last_at < _RECENT for one in heard)
    return wrong("tonight", said, do) if sent else note("tonight", said, do)


def service(status: Status) -> Line:
    """Pure."""
    if not status.installed:
        return note(
            "service",
            "not installed: a restart of this machine, or logging out, ends `serve`",
            "loopdesk service install",
        )
    if not status.running:
        return wrong(
            "service",
            f"installed and not running: {status.said or 'stopped'}",
            "loopdesk service status, then: loopdesk service install",
        )
    if status.is_lingering is False:
        return note("service", "running, and ends when you log out", "loginctl enable-linger")
    return ok("service", f"running for {plain(status.workspace, 200)}, also while you are logged out")


def engine(is_running: bool, status: Status) -> Line:
    """Pure."""
    if is_running:
        return ok("engine", "running: signals become reports, and what you decide is applied")
    do = "loopdesk service install" if not status.installed else "loopdesk service status"
    said = "no engine runs: tonight's signals wait, and so does what you decide"
    return wrong("engine", said, do) if status.installed else note("engine", said, do)


def silence(heard: Sequence[Heard], now: datetime, zone: str) -> list[Line]:
    """Pure. A line for each project."""
    if not heard:
        return [note("projects", "no loop has sent anything in the last year (imported and simulated rounds aside)")]
    lines = []
    for one in heard:
        at = f"{one.last_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
        name, is_silent = plain(one.project, 60), now - one.last_at > _SILENT
        lines.append(
            note(name, f"silent since {at}", "Does it still run, and where does it send?")
            if is_silent
            else ok(name, f"last heard {at}")
        )
    return lines


def waiting(files: Sequence[Spooled], now: float) -> list[Line]:
    """Pure. Events in spools of this machine's loops."""
    full = [file for file in files if file.events]
    if not full:
        return [ok("spool", "no events wait to be sent")]
    lines = []
    for file in full:
        hours = (now - file.changed) / 3600
        said = f"{counted(file.events, 'event')} wait in {plain(file.path, 200)}, written {hours:,.1f} h ago"
        if now - file.changed > _WAITING_S:
            lines.append(note("spool", said, f"The loop's next start sends them; or: loopdesk import '{file.path}'"))
        else:
            lines.append(ok("spool", said))
    return lines


def last_heard(config: Config, now: datetime) -> tuple[Heard, ...]:
    """From the workspace's own store, newest first; what was imported was not sent. Raises `LoopdeskError`."""
    path = config.workspace.events_db
    if not path.exists():
        return ()
    backend = LocalBackend(path, config.zone)
    try:
        rows = records(backend.query(_LAST_HEARD, {"since": now - timedelta(days=365)}))
    finally:
        backend.close()
    found = (Heard(row["project"], datetime.fromisoformat(row["last_at"])) for row in rows)
    return tuple(sorted(found, key=lambda one: one.last_at, reverse=True))


def spooled() -> tuple[Spooled, ...]:
    """What this machine's loops have not delivered; a file that goes away meanwhile was delivered."""
    folder = Settings.from_environment().spool or spool_folder()
    found = []
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        try:
            with path.open("rb") as lines:  # delivered events are blanked in place
                events = sum(1 for line in lines if line.strip())
            found.append(Spooled(path, events, path.stat().st_mtime))
        except OSError:
            continue
    return tuple(found)


def room(config: Config, now: datetime) -> Line:
    """Whether the disk holds three nights like the last one."""
    root = config.workspace.root
    place = nearest_folder(root)
    free, needed = shutil.disk_usage(place).free, 3 * _last_night_bytes(config, now)
    if free < needed:
        return wrong(
            "room",
            f"{free / 1e6:,.0f} MB are free; three nights like the last take {needed / 1e6:,.0f} MB",
            "loopdesk storage",
        )
    return ok("room", f"{free / 1e9:,.1f} GB are free; a night like the last takes {needed / 3e6:,.1f} MB")


def _last_night_bytes(config: Config, now: datetime) -> float:
    path = config.workspace.events_db
    if not path.exists():
        return 0.0
    backend = LocalBackend(path, config.zone)
    try:
        text = "SELECT countIf(timestamp > toDateTime({since})), count() FROM events"
        ((recent, every),) = backend.query(text, {"since": now - timedelta(days=1)}).rows
    except LoopdeskError:
        return 0.0
    finally:
        backend.close()
    return path.stat().st_size * recent / every if every else 0.0
