"""`loopdesk flags experiment`: start one on a flag by a plan that is fixed before, list them, end one."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from queries.rest_experiments import Running, apply, ended, experiment_on, experiments, planned, started
from queries.rest_flags import flag_named
from queries.views.experiment import Plan
from tui.commands.cli import Context
from tui.commands.knobs import confirm, opened
from workspace.errors import LoopdeskError


@click.group("experiment", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Experiments on flags, counted by rounds."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Say which: {', '.join(command.commands)}", ctx)


@command.command("start")
@click.argument("key")
@click.option("--rounds", type=int, help="The planned sample: scored rounds of each variant.")
@click.option("--effect", type=float, help="Or the smallest difference of the score that is worth seeing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def start(context: Context, key: str, rounds: int | None, effect: float | None, yes: bool) -> None:
    """Start an experiment on a flag; a draft of it that is there is launched."""
    with opened(context) as rest:
        change = started(flag_named(rest, key), Plan(key, rounds=rounds, effect=effect), experiments(rest))
        confirm(change.said, is_sure=yes)
        apply(rest, change)
    click.echo(f"Done. See how it goes: loopdesk flags compare {key}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """What runs, drafts, and what has ended."""
    with opened(context) as rest:
        found = experiments(rest)
    if as_json:
        click.echo(json.dumps([document(one) for one in found]))
        return
    for one in found:
        plan = planned(one.plan) if one.plan else "no plan"
        times = " to ".join(_day(at, context.config.zone) for at in (one.started_at, one.ended_at) if at)
        click.echo(f"{one.flag:32} {one.state:8} {plan}  {times}".rstrip())
    if not found:
        click.echo("No experiment yet.", err=True)


@command.command("end")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def end(context: Context, key: str, yes: bool) -> None:
    """End the experiment that runs on a flag; the flag stays as it is."""
    with opened(context) as rest:
        running = experiment_on(experiments(rest), key)
        if running is None or not running.is_live:
            raise LoopdeskError(f"No experiment runs on {key[:100]}", do="List them: loopdesk flags experiment list")
        change = ended(running)
        confirm(change.said, is_sure=yes)
        apply(rest, change)
    click.echo("Done.")


def document(one: Running) -> dict[str, object]:
    """As `--json` shows it; times are ISO in UTC."""
    found = {name: value for name, value in asdict(one).items() if name not in ("description", "updated_at")}
    return found | {name: at.isoformat() if (at := getattr(one, name)) else None for name in ("started_at", "ended_at")}


def _day(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d}"
