"""Whether agents could be let to work here: the jail is started once and looked at from within, and the agent CLI in
it."""

from __future__ import annotations

import asyncio

from engine.agents import cli
from engine.sandbox import selftest
from engine.sandbox.bubblewrap import find
from engine.sandbox.protocol import NoSandbox
from engine.sandbox.selftest import Found
from tui.commands.checks.line import Line, note, ok, wrong
from workspace.config import Config
from workspace.errors import LoopdeskError

_LIMITS = {
    "scope": "systemd holds memory, tasks and time; a watchdog the disk",
    "watchdog": "a watchdog holds memory, tasks, time and the disk; there is no systemd of yours to do it at once",
}


def check(config: Config) -> list[Line]:
    try:
        found = selftest.look()
    except NoSandbox as error:
        # The desk, triage and the boards need no agent.
        return [note("jail", f"{error.what}: no agent can do research or fixes here", error.do)]
    return [*lines(found), agent()]


def agent() -> Line:
    try:
        said = asyncio.run(cli.version(find(), cli.find()))
    except LoopdeskError as error:
        return note("agent", f"{error.what}: no agent can do research or fixes here", error.do)
    return ok("agent", f"the CLI {said} starts in the jail")


def lines(found: Found) -> list[Line]:
    try:
        selftest.refuse_leaks(found)
    except LoopdeskError as error:
        return [wrong("jail", error.what, error.do)]
    answer = [ok("jail", f"{found.name} starts, without a network and without anything of yours")]
    answer.append(ok("limits", _LIMITS[found.limits]))
    if found.is_root:
        answer.append(note("user", "this is root", "Run the engine as a user of its own: a jail is safer without root"))
    return answer
