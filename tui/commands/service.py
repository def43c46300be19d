"""`loopdesk service`: have `serve` run day and night, so that a night's events have somewhere to go."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from tui.commands.cli import Context
from tui.commands.service_managers import Launchd, Systemd, call, manager, must
from workspace.errors import LoopdeskError
from workspace.service_units import PASSED, Service
from workspace.text import plain


@click.group("service", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Have `loopdesk serve` run by systemd (Linux) or launchd (macOS), also while nobody is logged in."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say which: install, status or remove", ctx)


@command.command("install", short_help="Have it run from now on.")
@click.option("--dry-run", is_flag=True, help="Only print what would be written and run.")
@click.option(
    "--linger/--no-linger",
    default=None,
    help="Linux: go on after you log out (loginctl enable-linger). Asked where neither is said.",
)
@click.pass_obj
def install(context: Context, dry_run: bool, linger: bool | None) -> None:
    """Write the service's file, start it, and have it started with the machine."""
    machine = manager()
    service = Service(
        python=Path(sys.executable),
        workspace=context.workspace.root.absolute(),
        environment={name: os.environ[name] for name in PASSED if os.environ.get(name)},
    )
    if dry_run:
        _say_plan(machine, service, linger)
        return
    machine.check()
    _refuse_another(machine, service)
    context.workspace.create()
    if isinstance(machine, Systemd):
        service = replace(service, enabled_linger=_linger(machine, linger) or machine.switched_linger_on())
    for step in machine.before_install():
        call(step)  # whether it ran before does not matter
    _write(machine.file, machine.text(service))
    for step in machine.install_commands():
        must(step)
    click.echo(f"Installed {machine.file}; `loopdesk serve` runs with {service.workspace}.")
    click.echo("Ask it with: loopdesk service status")


def _say_plan(machine: Systemd | Launchd, service: Service, linger: bool | None) -> None:
    click.echo(f"Would write {machine.file}:\n")
    click.echo(machine.text(service).decode())
    click.echo("Would run:")
    steps = [*([machine.linger_command(True)] if isinstance(machine, Systemd) and linger is not False else [])]
    for step in [*steps, *machine.install_commands()]:
        click.echo(f"  {shlex.join(step)}")


def _refuse_another(machine: Systemd | Launchd, service: Service) -> None:
    status = machine.status()
    if status.installed and status.workspace != str(service.workspace):
        other = plain(status.workspace, 200) or "something that loopdesk did not write"
        raise LoopdeskError(
            f"{machine.file} is there already, for {other}",
            "Two services would want the same port",
            "Run `loopdesk service remove` first",
        )


def _linger(machine: Systemd, wanted: bool | None) -> bool:
    """Returns whether lingering was switched on just now."""
    if machine.is_lingering():
        return False
    if wanted is None and sys.stdin.isatty():
        click.echo("Without lingering, systemd stops your services when you log out, and starts them when you log in.")
        wanted = click.confirm("Let them run also while you are logged out (loginctl enable-linger)?", default=True)
    if wanted is None:
        click.echo("It stops when you log out. To let it go on: loginctl enable-linger", err=True)
    if not wanted:
        return False
    must(machine.linger_command(True))
    return True


def _write(file: Path, text: bytes) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text)
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise LoopdeskError(f"{file} cannot be written: {error.strerror}") from error


@command.command("remove", short_help="Undo all that installing did.")
@click.option("--dry-run", is_flag=True, help="Only print what would be removed and run.")
def remove(dry_run: bool) -> None:
    """Stop the service and undo all that installing did. Events and keys stay."""
    machine = manager()
    undo_linger = isinstance(machine, Systemd) and machine.switched_linger_on()
    last = [*machine.after_removal(), *([machine.linger_command(False)] if undo_linger else [])]  # type: ignore[union-attr]
    if dry_run:
        click.echo(f"Would remove {machine.file}. Would run:")
        for step in [*machine.remove_commands(), *last]:
            click.echo(f"  {shlex.join(step)}")
        return
    if not machine.file.exists():
        click.echo(f"There is no {machine.file}: nothing to remove.")
        return
    # The file goes even where the manager is away: then nothing starts it the next time.
    failed = [step for step in machine.remove_commands() if call(step).returncode]
    try:
        machine.file.unlink()
    except OSError as error:
        raise LoopdeskError(f"{machine.file} cannot be removed: {error.strerror}") from error
    failed += [step for step in last if call(step).returncode]
    click.echo(f"Removed {machine.file}.{' Lingering is off again.' if undo_linger else ''}")
    _tell_failed(failed)


def _tell_failed(failed: Sequence[Sequence[str]]) -> None:
    if failed:
        raise LoopdeskError(
            f"`{shlex.join(failed[0])}` failed",
            "It may still be running until you log out",
            "Run it again when you are logged in",
        )


@command.command("status", short_help="Say whether it runs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(as_json: bool) -> int:
    """Say whether it is installed, enabled and running. Exit code 0 only if it runs."""
    machine = manager()
    found = machine.status()
    if as_json:
        click.echo(json.dumps({"manager": machine.name, "file": str(machine.file), **asdict(found)}))
        return 0 if found.running else 1
    click.echo(f"installed  {'yes, ' + str(machine.file) if found.installed else 'no'}")
    if found.installed:
        click.echo(f"enabled    {'yes: it starts with the machine' if found.enabled else 'no'}")
        since = f", since {found.since}" if found.since else ""
        click.echo(f"running    {'yes' + since if found.running else 'no: ' + (found.said or 'it was stopped')}")
        click.echo(f"workspace  {plain(found.workspace) or 'another program wrote this file'}")
    if found.is_lingering is not None:
        stops = "no: it stops when you log out (loginctl enable-linger)"
        click.echo(f"lingering  {'yes: it goes on when you log out' if found.is_lingering else stops}")
    return 0 if found.running else 1
