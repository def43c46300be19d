"""`loopdesk flags rounds` and `compare`: which round saw which variant of a flag, and what they scored."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import inf

import click

from queries.rest_experiments import Running, experiment_on, experiments, planned
from queries.views.answers import records
from queries.views.experiment import Experiment, Plan, experiment, variant_of
from tui.commands.cli import Context
from tui.commands.knobs import by_variant, opened
from workspace.errors import LoopdeskError
from workspace.text import plain

_DAYS = 30


@click.command("rounds")
@click.argument("key")
@click.option("--days", type=click.IntRange(1, 365), default=_DAYS, show_default=True, help="How far back.")
@click.option("--project", default="", help="Only this loop.")
@click.option("--client", default="", help="Only this client.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def rounds(context: Context, key: str, days: int, project: str, client: str, as_json: bool) -> None:
    """Which rounds saw which variant of a flag, the newest first."""
    now = datetime.now(UTC)
    result = by_variant(context, key, now - timedelta(days=days), now, {"project": project, "client": client})
    found = [{**row, "variant": variant_of(row["variant"])} for row in records(result)]
    if as_json:
        click.echo(json.dumps(found))
        return
    for row in found:
        loop = "/".join(part for part in (row["project"], row["client"]) if part)
        score = "no score" if row["score"] is None else f"{row['score']:.4f}"
        mixed = "  and another variant" if row["n_variants"] > 1 else ""
        line = f"{row['round_id']:26}  {row['variant']:16} {score:>10}  {row['started'][:16]}  {loop}{mixed}"
        click.echo(plain(line, 200))
    if not found:
        click.echo(f"No round saw {plain(key, 100)} in the last {days} days.", err=True)


@click.command("compare")
@click.argument("key")
@click.option("--rounds", "n", type=click.IntRange(min=8), help="The planned sample: scored rounds of each variant.")
@click.option("--effect", type=float, help="Or the smallest difference of the score that is worth seeing.")
@click.option("--days", type=click.IntRange(1, 365), help=f"How far back; else the experiment's time, or {_DAYS}.")
@click.option("--project", default="", help="Only this loop.")
@click.option("--client", default="", help="Only this client.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def compare(
    context: Context,
    key: str,
    n: int | None,
    effect: float | None,
    days: int | None,
    project: str,
    client: str,
    as_json: bool,
) -> None:
    """What rounds scored under each variant of a flag, by the plan that was made before.

    Without --rounds or --effect that is the plan of the flag's experiment, over its time.
    """
    if n is not None and effect is not None:
        raise LoopdeskError("A plan has either --rounds or --effect", do="Give the one that was decided before")
    if effect is not None and not 0 < effect < inf:
        raise LoopdeskError("--effect must be a number above 0")
    now = datetime.now(UTC)
    running = None if n or effect else _running(context, key)
    plan = running.plan if running and running.plan else Plan(key, rounds=n, effect=effect)
    since, until = now - timedelta(days=days or _DAYS), now
    if running and running.started_at and not days:
        since, until = running.started_at, running.ended_at or now
    result = by_variant(context, key, since, until, {"project": project, "client": client})
    found = experiment(result, plan)
    if as_json:
        shown = {"rounds": plan.rounds, "effect": plan.effect, "experiment": running.id if running else None}
        window = {"since": since.isoformat(), "until": until.isoformat()}
        click.echo(json.dumps({**asdict(found), "plan": shown, **window}))
        return
    if running:
        by = f"planned over {planned(running.plan)}" if running.plan else "without a plan"
        click.echo(f'The experiment "{running.name}" {by}, {running.state}.')
    _show(found)


def _running(context: Context, key: str) -> Running | None:
    """What was measured is shown also where the plan cannot be read."""
    try:
        with opened(context) as rest:
            return experiment_on(experiments(rest), key)
    except LoopdeskError as error:
        click.echo(f"loopdesk: the plan is not known. {plain(error, 500)}", err=True)
        return None


def _show(found: Experiment) -> None:
    click.echo(plain(found.verdict, 1_000))
    for each in found.distributions:
        low, middle, high = each.quartiles
        click.echo(
            f"  {plain(each.variant, 30):30} {len(each.scores):>5} rounds  mean {each.mean:.4f}  "
            f"quartiles {low:.4f} {middle:.4f} {high:.4f}  best {each.best:.4f}"
        )
    for one in found.compared:
        if one.chance is not None:
            click.echo(f"  {plain(one.variant, 30)}: by ranks the chance of such a difference is {one.chance:.2g}")
    for one in found.by_loop:
        span = "too few rounds"
        if one.interval is not None:
            span = f"{one.interval.difference:+.4f} ({one.interval.low:+.4f} to {one.interval.high:+.4f})"
        click.echo(f"  {plain(one.loop, 30):30} {plain(one.variant, 20)}: {span}")
    for warning in found.warnings:
        click.echo(f"Careful: {plain(warning, 300)}")
