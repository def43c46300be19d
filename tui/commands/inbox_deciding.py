"""A decision on its way: submitted with the version that was read, told how to take it back and when it applies."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from zoneinfo import ZoneInfo

import click

from engine import process, verbs
from engine.inbox import Inbox, ReportDetail
from engine.model import Command
from tui.commands import inbox_naming as naming
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

ACTOR = "cli"
_ASKED = "# What should the engine know about “{title}”? Lines that begin with # are left out.\n"


class Door:
    """The inbox, and what the command line said about how to decide."""

    def __init__(self, inbox: Inbox, zone: ZoneInfo, *, as_json: bool, at_once: bool, starts_engine: bool) -> None:
        self.inbox, self.zone = inbox, zone
        self._as_json, self._starts_engine = as_json, starts_engine
        self._grace = timedelta() if at_once else verbs.GRACE

    @property
    def now(self) -> datetime:
        """Asked for each time: a text may have been in the editor for an hour."""
        return datetime.now(UTC)

    def report(self, text: str) -> ReportDetail:
        """Raises `LoopdeskError`."""
        return naming.report(self.inbox, text)

    def decide(
        self,
        verb: str,
        report: str,
        arguments: Mapping[str, object],
        said: str,
        *,
        about: str = "",
        sha: str = "",
        at_once: bool = False,
    ) -> None:
        """Submit it and say so. `about` is the title of what is decided where it is no report; `sha` is the change that
        it is about."""
        id, version = "", None
        if not about:
            seen = self.report(report).listed
            id, version, about = seen.report.id, seen.report.version, seen.title
        made = self.inbox.command(
            verb,
            id,
            arguments,
            now=self.now,
            seen_version=version,
            seen_sha=sha,
            actor=ACTOR,
            grace=timedelta() if at_once else self._grace,
        )
        made = self.inbox.submit(made)
        self._tell(made, f"{said}: “{plain(about, 120)}”.")

    def undo(self, command: Command) -> None:
        undone = self.inbox.undo(command.id, self.now)
        if undone.inverse is not None:
            self._tell(
                undone.inverse, f"{_done(command, self.zone)} is taken back by its opposite: {undone.inverse.verb}."
            )
        elif self._as_json:
            click.echo(json.dumps({"undone": command.id, "command": None}))
        else:
            click.echo(f"{_done(command, self.zone)} is undone: it never happens.")

    def _tell(self, made: Command, said: str) -> None:
        engine = self._engine()
        if self._as_json:
            document = {**command_document(made), "undone": made.arguments.get("undoes"), "engine": engine}
            click.echo(json.dumps(document))
            return
        if made.apply_after > made.made_at:
            at = f"{made.apply_after.astimezone(self.zone):%H:%M:%S}"
            click.echo(f"{said} Until {at} it can be undone: loopdesk inbox undo")
            click.echo(_APPLIES[engine].format(when=f" after {at}"))
        else:
            click.echo(said)
            click.echo(_APPLIES[engine].format(when=""))

    def _engine(self) -> str:
        """`running`, `started` or `none`. That none could be started is said; what was decided stays decided."""
        if process.find(self.inbox.workspace) is not None:
            return "running"
        if not self._starts_engine:
            return "none"
        try:
            return "started" if self.inbox.start_engine() else "running"
        except LoopdeskError as error:
            click.echo(f"loopdesk: {error}", err=True)
            return "none"


_APPLIES = {
    "running": "The running engine applies it{when}.",
    "started": "An engine was started, and applies it{when}.",
    "none": "No engine runs; once one does, it is applied{when}. Start one with: loopdesk engine once, or engine run",
}


def deciding(function: Callable[..., None]) -> Callable[..., None]:
    """A command that decides something: it is given a `Door`, and has the options of all of them."""

    @click.option("--now", "at_once", is_flag=True, help="Apply at once, without the ten seconds to undo it in.")
    @click.option("--no-engine", is_flag=True, help="Start no engine where none runs.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    @click.pass_obj
    @wraps(function)
    def command(context: Context, as_json: bool, no_engine: bool, at_once: bool, **arguments: Any) -> None:
        zone = ZoneInfo(context.config.zone)
        with closing(Inbox(context.workspace)) as inbox:
            function(Door(inbox, zone, as_json=as_json, at_once=at_once, starts_engine=not no_engine), **arguments)

    return command


def command_document(command: Command) -> dict[str, Any]:
    """Stable keys; `state` is waiting, undone, claimed, applied or refused."""
    return {
        "command": command.id,
        "verb": command.verb,
        "report": command.report_id or None,
        "arguments": dict(command.arguments),
        "actor": plain(command.actor),
        "made_at": command.made_at.isoformat(),
        "apply_after": command.apply_after.isoformat(),
        "state": state(command),
        "said": plain(command.said),
    }


def state(command: Command) -> str:
    if command.undone_at is not None:
        return "undone"
    if command.refused_at is not None:
        return "refused"
    if command.applied_at is not None:
        return "applied"
    return "waiting" if command.claimed_at is None else "claimed"


def written(title: str) -> str:
    """A text from standard input, or on a terminal from the person's editor. Raises `LoopdeskError`."""
    if not sys.stdin.isatty():
        text = sys.stdin.read(verbs.MOST_NOTE + 1)
        return "\n".join(plain_lines(text))
    from tui.editor import rewritten

    lines = plain_lines(rewritten(_ASKED.format(title=plain(title, 120))) or "")
    return "\n".join(line for line in lines if not line.startswith("#"))


def _done(command: Command, zone: ZoneInfo) -> str:
    return f"“{command.verb}” of {command.made_at.astimezone(zone):%Y-%m-%d %H:%M}"
