"""`loopdesk posthog`: whether what the loops send is right, and the boards inside PostHog."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import click

from queries.catalog import catalog
from queries.instrumentation import NOTE, OK, WRONG, Finding, Looked, look
from queries.morning import open_backend
from queries.posthog_boards.boards import boards
from queries.posthog_boards.pushing import CHANGE, KEEP, MAKE, NEEDED, PLACE, Step, existing, plan, push
from queries.rest import Rest, open_rest
from queries.scopes import Has, lacking, scopes
from queries.views.answers import records
from queries.views.words import listed
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

_MARKS = {OK: "ok   ", NOTE: "note ", WRONG: "WRONG"}
_MOST_COUNTS = 40


@click.group("posthog", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Set PostHog up, and find mistakes of the loops' instrumentation on the first morning."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Say which: {', '.join(command.commands)}", ctx)


@command.command("check", short_help="What the loops sent in the last day, and what is wrong with it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def check(context: Context, as_json: bool) -> int:
    """The key's scopes, the events of the last day, and mistakes in them. Exit code 1 if anything is wrong."""
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError(
            f"There is nothing to check: {context.workspace.events_db} does not exist",
            do="Send events to `loopdesk serve`, or run: loopdesk connect",
        )
    try:
        looked = look(backend)
    finally:
        backend.close()
    found = [*_scopes(context), *looked.findings]
    is_well = not any(one.state == WRONG for one in found)
    if as_json:
        click.echo(json.dumps(_document(looked, found, is_well=is_well)))
    else:
        _print(looked, found)
    return 0 if is_well else 1


@command.command("push", short_help="Bring the six boards into PostHog as a dashboard.")
@click.option("--yes", is_flag=True, help="Do it. Without this, only what would be done is shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def push_(context: Context, yes: bool, as_json: bool) -> None:
    """Make the boards in PostHog, or bring those that loopdesk made up to date. Touches nothing else there."""
    if not context.config.asks_posthog:
        raise LoopdeskError(
            "There are no dashboards here", "The desk itself shows the six boards", "For PostHog's: loopdesk connect"
        )
    wanted = boards(_dimensions(context))
    rest = open_rest(context.config, _warn)
    steps: list[Step] = []
    try:
        _check_scopes(rest, is_needed=yes)
        found = existing(rest)
        for step in push(rest, wanted, found) if yes else plan(wanted, found):
            steps.append(step)
            if not as_json:
                click.echo(_step(step, is_done=yes))
    finally:
        rest.close()
    if as_json:
        rows = [{"action": one.action, "key": one.key, "name": one.name, "id": one.id} for one in steps]
        click.echo(json.dumps({"done": yes, "steps": rows}))
    elif not yes and any(step.action != KEEP for step in steps):
        click.echo("Nothing was done. To do it: loopdesk posthog push --yes", err=True)


def _check_scopes(rest: Rest, *, is_needed: bool) -> None:
    """Before anything is made: a key that may make dashboards and no insights would leave an empty one."""
    missing = lacking(rest, NEEDED)
    if not missing:
        return
    problem = LoopdeskError(
        f"The key lacks the scope{'s' if len(missing) > 1 else ''} {listed(missing)}",
        "Nothing was made",
        "Add it to the key under Settings > Personal API keys, then push again",
    )
    if is_needed:
        raise problem
    _warn(str(problem))


def _step(step: Step, *, is_done: bool) -> str:
    words = {
        MAKE: ("would be made", "made"),
        CHANGE: ("would be changed", "changed"),
        PLACE: ("would be placed", "placed"),
        KEEP: ("is right", "is right"),
    }
    why = f": {step.why}" if step.why else ""
    return f"{words[step.action][is_done]:<16}  {step.key:<17}  {step.name}{why}"


def _dimensions(context: Context) -> list[str]:
    """The names that the loops really use: they differ by client and template."""
    backend = open_backend(context.config)
    if backend is None:
        return []
    now = datetime.now(UTC)
    question = catalog.load("dimension_heatmap")
    values = question.values({"since": now - timedelta(days=30), "until": now + timedelta(days=1)})
    try:
        return sorted({row["dim"] for row in records(backend.query(question.text, values, question.types))})
    finally:
        backend.close()


def _scopes(context: Context) -> list[Finding]:
    if not context.config.asks_posthog:
        return [Finding(OK, "The embedded store needs no scopes")]
    rest = open_rest(context.config, _warn)
    try:
        tried = scopes(rest)
    finally:
        rest.close()
    # Nobody has to give a key more than they use: a missing scope is a note.
    return [Finding(OK, "The key has the scope query:read"), *(_scope(one) for one in tried)]


def _scope(one: Has) -> Finding:
    scope = one.scope
    if one.has:
        return Finding(OK, f"The key has the scope {scope.name}")
    if one.has is None:
        return Finding(NOTE, f"Whether the key has the scope {scope.name} is not known: {plain(one.why, 200)}")
    return Finding(NOTE, f"The key lacks the scope {scope.name}", f"Add it where you want: {scope.needed_for}")


def _print(looked: Looked, found: list[Finding]) -> None:
    for count in looked.counts[:_MOST_COUNTS]:
        click.echo(f"{count.events:>9,}  {plain(count.event, 40):<40}  {plain(count.project or '–', 40)}")
    if len(looked.counts) > _MOST_COUNTS:
        click.echo(f"           and {len(looked.counts) - _MOST_COUNTS} more kinds: --json")
    if looked.counts:
        click.echo()
    for one in found:
        click.echo(f"{_MARKS[one.state]}  {one.said}.{f' {one.do}.' if one.do else ''}")


def _document(looked: Looked, found: list[Finding], *, is_well: bool) -> dict[str, object]:
    return {
        "ok": is_well,
        "events": [{"event": one.event, "project": one.project, "events": one.events} for one in looked.counts],
        "findings": [{"state": one.state, "said": plain(one.said), "do": one.do} for one in found],
    }


def _warn(said: str) -> None:
    print(f"loopdesk: {plain(said, 500)}", file=sys.stderr)
