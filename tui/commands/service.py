"""`loopdesk service`: have `serve` and the engine run day and night, so that a night's events are kept and read."""

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
from tui.commands.service_managers import Launchd, Status, Systemd, call, managers, must
from workspace.errors import LoopdeskError
from workspace.service_units import PASSED, Service
from workspace.text import plain


@click.group("service", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Have `serve` and the engine run by systemd (Linux) or launchd (macOS), also while nobody is logged in."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say which: install, status or remove", ctx)


@command.command("install", short_help="Have them run from now on.")
@click.option("--dry-run", is_flag=True, help="Only print what would be written and run.")
@click.option(
    "--linger/--no-linger",
    default=None,
    help="Linux: go on after you log out (loginctl enable-linger). Asked where neither is said.",
)
@click.pass_obj
def install(context: Context, dry_run: bool, linger: bool | None) -> None:
    """Write the services' files, start them, and have them started with the machine."""
    machines = managers()
    service = Service(
        python=Path(sys.executable),
        workspace=context.workspace.root.absolute(),
        environment={name: os.environ[name] for name in PASSED if os.environ.get(name)},
    )
    if dry_run:
        _say_plan(machines, service, linger)
        return
    machines[0].check()
    for machine in machines:
        _refuse_another(machine, service)
    context.workspace.create()
    systemd = [machine for machine in machines if isinstance(machine, Systemd)]
    if systemd:
        is_on = _linger(systemd[0], linger) or any(machine.switched_linger_on() for machine in systemd)
        service = replace(service, enabled_linger=is_on)
    for machine in machines:
        for step in machine.before_install():
            call(step)  # whether it ran before does not matter
        _write(machine.file, machine.text(replace(service, part=machine.part)))
    for machine in machines:
        for step in machine.install_commands():
            must(step)
        click.echo(f"Installed {machine.file}; `loopdesk {machine.part}` runs with {service.workspace}.")
    click.echo("Ask them with: loopdesk service status")


def _say_plan(machines: Sequence[Systemd | Launchd], service: Service, linger: bool | None) -> None:
    for machine in machines:
        click.echo(f"Would write {machine.file}:\n")
        click.echo(machine.text(replace(service, part=machine.part)).decode())
    click.echo("Would run:")
    first = machines[0]
    steps = [first.linger_command(True)] if isinstance(first, Systemd) and linger is not False else []
    for step in [*steps, *(step for machine in machines for step in machine.install_commands())]:
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
        click.echo("They stop when you log out. To let them go on: loginctl enable-linger", err=True)
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
    """Stop the services and undo all that installing did. Events, reports and keys stay."""
    machines = managers()
    systemd = [machine for machine in machines if isinstance(machine, Systemd)]
    undo_linger = any(machine.switched_linger_on() for machine in systemd)
    last = [systemd[0].linger_command(False)] if undo_linger else []
    if dry_run:
        for machine in machines:
            click.echo(f"Would remove {machine.file}.")
        click.echo("Would run:")
        steps = [[*machine.remove_commands(), *machine.after_removal()] for machine in machines]
        for step in [*(step for some in steps for step in some), *last]:
            click.echo(f"  {shlex.join(step)}")
        return
    installed = [machine for machine in machines if machine.file.exists()]
    if not installed:
        click.echo(f"There is no {machines[0].file}: nothing to remove.")
        return
    failed: list[list[str]] = []
    for machine in installed:
        failed += _removed(machine)
    failed += [step for step in last if call(step).returncode]
    names = ", ".join(str(machine.file) for machine in installed)
    click.echo(f"Removed {names}.{' Lingering is off again.' if undo_linger else ''}")
    _tell_failed(failed)


def _removed(machine: Systemd | Launchd) -> list[list[str]]:
    """Returns the steps that failed. The file goes even where the manager is away: then nothing starts it any more."""
    failed = [step for step in machine.remove_commands() if call(step).returncode]
    try:
        machine.file.unlink()
    except OSError as error:
        raise LoopdeskError(f"{machine.file} cannot be removed: {error.strerror}") from error
    return failed + [step for step in machine.after_removal() if call(step).returncode]


def _tell_failed(failed: Sequence[Sequence[str]]) -> None:
    if failed:
        raise LoopdeskError(
            f"`{shlex.join(failed[0])}` failed",
            "It may still be running until you log out",
            "Run it again when you are logged in",
        )


@command.command("status", short_help="Say whether they run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(as_json: bool) -> int:
    """Say whether they are installed, enabled and running. Exit code 0 only if both run."""
    machines = managers()
    found = {machine.part: machine.status() for machine in machines}
    is_well = all(status.running for status in found.values())
    if as_json:
        documents = {machine.part: {"file": str(machine.file), **asdict(found[machine.part])} for machine in machines}
        # The keys beside `engine` are `serve`'s: they were there before there was an engine.
        click.echo(json.dumps({"manager": machines[0].name, **documents["serve"], "engine": documents["engine"]}))
        return 0 if is_well else 1
    for machine in machines:
        _say(machine, found[machine.part])
    is_lingering = found["serve"].is_lingering
    if is_lingering is not None:
        stops = "no: they stop when you log out (loginctl enable-linger)"
        click.echo(f"lingering  {'yes: they go on when you log out' if is_lingering else stops}")
    return 0 if is_well else 1


def _say(machine: Systemd | Launchd, found: Status) -> None:
    click.echo(f"{machine.part}")
    click.echo(f"installed  {'yes, ' + str(machine.file) if found.installed else 'no'}")
    if found.installed:
        click.echo(f"enabled    {'yes: it starts with the machine' if found.enabled else 'no'}")
        since = f", since {found.since}" if found.since else ""
        click.echo(f"running    {'yes' + since if found.running else 'no: ' + (found.said or 'it was stopped')}")
        click.echo(f"workspace  {plain(found.workspace) or 'another program wrote this file'}")
    click.echo("")
