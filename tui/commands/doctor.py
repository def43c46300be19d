"""`loopdesk doctor`: what is configured, what works, and what to do about what does not.

JSON: `{"ok": bool, "checks": [{"group", "name", "state": "ok" | "note" | "wrong", "said", "do"}]}`.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from tui.commands.checks import (
    code,
    files,
    judging,
    machine,
    mcp,
    posthog,
    sandbox,
    serving,
    settings,
    terminal,
    tonight,
    workers,
)
from tui.commands.checks.line import OK, WRONG, Line, wrong
from tui.commands.checks.together import Outcome, together
from tui.commands.cli import Context
from workspace.config import Config

CHECKS: Mapping[str, Callable[[Config], list[Line]]] = {
    "Settings": settings.check,
    "Workspace": files.check,
    "serve": serving.check,
    "PostHog": posthog.check,
    "Engine": judging.check,
    "Terminal": terminal.check,
    "Machine": machine.check,
    "Agents": lambda config: [*sandbox.check(config), *mcp.check(config)],
    "Code": code.check,
    "Workers": workers.check,
    "Tonight": tonight.check,
}
_LIMIT_S = 30.0  # of all together; each step within has a shorter one of its own
_INDENT = 32  # the said begins there
_MARKS = {OK: "ok   ", WRONG: "WRONG"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(context: Context, as_json: bool) -> int:
    """Look at settings, workspace, PostHog, terminal and whether tonight's events will be kept.

    Every line is ok, a note or wrong, with what to do. Exit code 1 if anything is wrong.
    """
    found = together({name: _bound(check, context.config) for name, check in CHECKS.items()}, _LIMIT_S)
    groups = {name: _lines(name, outcome) for name, outcome in found.items()}
    is_well = not any(line.state == WRONG for lines in groups.values() for line in lines)
    if as_json:
        checks = [{"group": name, **asdict(line)} for name, lines in groups.items() for line in lines]
        click.echo(json.dumps({"ok": is_well, "checks": checks}, indent=2))
    else:
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
        click.echo("\n".join(_text(groups)))
    return 0 if is_well else 1


def _bound(check: Callable[[Config], list[Line]], config: Config) -> Callable[[], list[Line]]:
    return lambda: check(config)


def _lines(name: str, outcome: Outcome[list[Line]]) -> list[Line]:
    if outcome.value is not None:
        return outcome.value
    if outcome.error is not None:
        return [
            wrong(name, f"could not be looked at: {_place(outcome.error)}", "A fault of loopdesk: please report it")
        ]
    return [wrong(name, f"no answer within {_LIMIT_S:g} s", "Is the disk or the network hanging?")]


def _place(error: Exception) -> str:
    """What broke, and where; not its message, which may hold a secret."""
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" in {Path(frame[0].filename).name}, line {frame[0].lineno}" if frame else ""
    return f"{type(error).__name__}{where}"


def _text(groups: Mapping[str, Sequence[Line]]) -> list[str]:
    lines = []
    for name, found in groups.items():
        lines += ["", name]
        for line in found:
            lines += _folded(f"  {_MARKS.get(line.state, 'note ')}  {line.name:<22} ", line.said)
            if line.do:
                lines += _folded(" " * _INDENT, line.do)
    every = [line for found in groups.values() for line in found]
    bad = [line.name for line in every if line.state == WRONG]
    verdict = f"Wrong: {', '.join(bad)}." if bad else "Nothing is wrong."
    return [*lines[1:], "", verdict]


def _folded(head: str, text: str) -> list[str]:
    """Within the terminal's width; words that are longer, such as paths, stay whole to be copied."""
    wide = max(60, shutil.get_terminal_size().columns)
    return textwrap.wrap(
        text,
        wide,
        initial_indent=head,
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]
