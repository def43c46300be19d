"""`loopdesk flags`: the knobs that loops read, on the configured PostHog or the embedded one, and what they did."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from queries.catalog import catalog
from queries.morning import open_backend
from queries.rest import Rest, open_rest
from queries.rest_flags import Change, Flag, apply, flag_named, flags, rolled_out, switched
from queries.views.experiment import Experiment, Plan, experiment
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

_DAYS = 30


@click.group("flags", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the flags, switch them, roll them out, and compare what rounds scored under their variants."""
    if ctx.invoked_subcommand is not None:
        return
    with _rest(ctx.obj) as rest:
        found = flags(rest)
    if as_json:
        click.echo(json.dumps([_document(flag) for flag in found]))
        return
    for flag in found:
        rollout = "by set" if flag.rollout is None else f"{flag.rollout:g} %"
        variants = ", ".join(f"{variant.key} {variant.share:g} %" for variant in flag.variants)
        click.echo(f"{flag.key:32} {'on' if flag.is_on else 'off':3} {rollout:>7}  {variants}".rstrip())
    if not found:
        click.echo("No flag yet.", err=True)


@command.command("on")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def on(context: Context, key: str, yes: bool) -> None:
    """Switch a flag on."""
    _change(context, key, lambda flag: switched(flag, True), is_sure=yes)


@command.command("off")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def off(context: Context, key: str, yes: bool) -> None:
    """Switch a flag off."""
    _change(context, key, lambda flag: switched(flag, False), is_sure=yes)


@command.command("rollout")
@click.argument("key")
@click.argument("percent", type=float)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def rollout(context: Context, key: str, percent: float, yes: bool) -> None:
    """Have a flag reach so many percent."""
    _change(context, key, lambda flag: rolled_out(flag, percent), is_sure=yes)


@command.command("compare")
@click.argument("key")
@click.option("--rounds", type=click.IntRange(min=8), help="The planned sample: scored rounds of each variant.")
@click.option("--effect", type=float, help="Or the smallest difference of the score that is worth seeing.")
@click.option("--days", type=click.IntRange(1, 365), default=_DAYS, show_default=True, help="How far back.")
@click.option("--project", default="", help="Only this loop.")
@click.option("--client", default="", help="Only this client.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def compare(
    context: Context,
    key: str,
    rounds: int | None,
    effect: float | None,
    days: int,
    project: str,
    client: str,
    as_json: bool,
) -> None:
    """What rounds scored under each variant of a flag, by the plan that was made before."""
    if effect is not None and not effect > 0:
        raise LoopdeskError("--effect must be above 0")
    now = datetime.now(UTC)
    question = catalog.load("round_variants")
    given = {"since": now - timedelta(days=days), "until": now, "flag": key, "project": project, "client": client}
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError("There are no events yet", do="Send events to `loopdesk serve`, or import a log")
    try:
        result = backend.query(question.text, question.values(given), question.types)
    finally:
        backend.close()
    found = experiment(result, Plan(key, rounds=rounds, effect=effect))
    if as_json:
        click.echo(json.dumps(asdict(found)))
        return
    _show(found)


def _show(found: Experiment) -> None:
    click.echo(plain(found.verdict, 1_000))
    for each in found.distributions:
        low, middle, high = each.quartiles
        click.echo(
            f"  {plain(each.variant, 30):30} {len(each.scores):>5} rounds  mean {each.mean:.4f}  "
            f"quartiles {low:.4f} {middle:.4f} {high:.4f}  best {each.best:.4f}"
        )
    for one in found.by_loop:
        span = "too few rounds"
        if one.interval is not None:
            span = f"{one.interval.difference:+.4f} ({one.interval.low:+.4f} to {one.interval.high:+.4f})"
        click.echo(f"  {plain(one.loop, 30):30} {plain(one.variant, 20)}: {span}")
    for warning in found.warnings:
        click.echo(f"Careful: {plain(warning, 300)}")


def _change(context: Context, key: str, change: Callable[[Flag], Change], *, is_sure: bool) -> None:
    """What is confirmed is what is sent: the flag is read again in between."""
    with _rest(context) as rest:
        wanted = change(flag_named(rest, key))
        click.echo(wanted.said)
        if not is_sure:
            if not sys.stdin.isatty():
                raise LoopdeskError("Nobody is there to confirm it", "Nothing was sent", "Give --yes")
            if not click.confirm("Send this change?"):
                raise LoopdeskError("Nothing was changed")
        apply(rest, wanted)
    click.echo("Done.")


@contextmanager
def _rest(context: Context) -> Iterator[Rest]:
    rest = open_rest(context.config, lambda said: click.echo(f"loopdesk: {plain(said, 500)}", err=True))
    try:
        yield rest
    finally:
        rest.close()


def _document(flag: Flag) -> dict[str, object]:
    return {name: value for name, value in asdict(flag).items() if name != "filters"}
