"""`loopdesk flags`: the knobs that loops read, on the configured PostHog or the embedded one, and what they did."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

import click

from queries.rest_flags import Change, Flag, amount, apply, budgeted, find_flag, flag_named, flags, rolled_out, switched
from queries.rest_knobs import Creation, create
from tui.commands import flags_experiment, flags_rounds
from tui.commands.cli import Context
from tui.commands.knobs import confirm, opened
from workspace.errors import LoopdeskError
from workspace.knobs import Knob
from workspace.text import plain


@click.group("flags", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List the flags, make and change them, and compare what rounds scored under their variants."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj, as_json=as_json)
    elif as_json:
        raise click.UsageError(f"Say --json behind {ctx.invoked_subcommand}", ctx)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """The flags, as without a command."""
    _list(context, as_json=as_json)


def _list(context: Context, *, as_json: bool) -> None:
    with opened(context) as rest:
        found = flags(rest)
    known = context.config.knobs
    if as_json:
        click.echo(json.dumps([_document(flag, known) for flag in found]))
        return
    for flag in found:
        rollout = "by set" if flag.rollout is None else f"{flag.rollout:g} %"
        more = [f"{variant.key} {variant.share:g} %" for variant in flag.variants]
        more += [amount(flag.usd)] if flag.usd is not None else []
        click.echo(f"{flag.key:32} {'on' if flag.is_on else 'off':3} {rollout:>7}  {', '.join(more)}".rstrip())
        if _description(flag, known):
            click.echo(f"    {_description(flag, known)}")
    missing = [knob for name, knob in known.items() if name not in {flag.key for flag in found}]
    if missing:
        click.echo("Known, and not made yet:")
    for knob in missing:
        click.echo(f"  loopdesk flags create {knob.name:32} {plain(knob.description, 200)}")


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


@command.command("budget")
@click.argument("key")
@click.argument("usd", type=float)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def budget(context: Context, key: str, usd: float, yes: bool) -> None:
    """Have a budget allow so many USD a night."""
    _change(context, key, lambda flag: budgeted(flag, usd), is_sure=yes)


@command.command("create")
@click.argument("key")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def create_(context: Context, key: str, yes: bool) -> None:
    """Make a known knob as a flag, off; where there is one nothing is sent."""
    knob = context.config.knobs.get(key)
    if knob is None:
        raise LoopdeskError(
            f"{plain(key, 100)} is no knob that loopdesk knows: those are {', '.join(context.config.knobs)}",
            do="Describe it under [knobs] in config.toml",
        )
    with opened(context) as rest:
        is_new = find_flag(rest, key) is None
        if is_new:
            wanted = Creation(knob)
            confirm(wanted.said, is_sure=yes)
            _, is_new = create(rest, wanted)
    click.echo(f"Done. Switch it on: loopdesk flags on {key}" if is_new else f"{key} is there already.")


command.add_command(flags_rounds.rounds)
command.add_command(flags_rounds.compare)
command.add_command(flags_experiment.command)


def _change(context: Context, key: str, change: Callable[[Flag], Change], *, is_sure: bool) -> None:
    """What is confirmed is what is sent: the flag is read again in between."""
    with opened(context) as rest:
        wanted = change(flag_named(rest, key))
        confirm(wanted.said, is_sure=is_sure)
        apply(rest, wanted)
    click.echo("Done.")


def _document(flag: Flag, known: Mapping[str, Knob]) -> dict[str, object]:
    found = {name: value for name, value in asdict(flag).items() if name != "filters"}
    kind = known[flag.key].kind if flag.key in known else None
    return {**found, "description": _description(flag, known), "kind": kind}


def _description(flag: Flag, known: Mapping[str, Knob]) -> str:
    """The owner's, else PostHog's."""
    return plain(known[flag.key].description, 200) if flag.key in known else flag.name
