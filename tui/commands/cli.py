"""The command line beside the desk: one click group that loads a subcommand's file only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from tui.main import VERSION
from workspace import config
from workspace.config import Config
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

# Subcommand -> the module in this folder that holds it as `command`, and the line `--help` shows.
COMMANDS = {
    "demo": ("demo", "The desk on a simulated weekend."),
    "serve": ("serve", "The embedded PostHog: loops send their events to it."),
    "import": ("import_", "Read the logs of loops into the store."),
    "query": ("query", "Answer a catalog question or a HogQL text."),
    "trace": ("trace", "What happened in a round, step by step."),
}


@dataclass(frozen=True, slots=True)
class Context:
    """What every subcommand is given."""

    config: Config

    @property
    def workspace(self) -> Workspace:
        return self.config.workspace


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"tui.commands.{COMMANDS[cmd_name][0]}").command
        # DESIGN: --workspace may stand before or after the subcommand.
        if not any(parameter.name == "workspace_dir" for parameter in command.params):
            command.params.append(
                click.Option(
                    ["--workspace", "workspace_dir"], expose_value=False, callback=_workspace_after, hidden=True
                )
            )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The one-line helps stand in the table, so that `--help` loads no subcommand.
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _workspace_after(ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.obj = Context(config.load({"workspace_dir": value}))


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command loopdesk opens the desk. Its options: --workspace DIR, --timezone ZONE, --theme NAME, "
    "--window night|24h|7d|30d, --project NAME, --client NAME, --ascii, --no-mouse, --read-only.",
)
@click.version_option(VERSION, prog_name="loopdesk", message="%(prog)s %(version)s")
@click.option("--workspace", "workspace_dir", metavar="DIR", help="The data folder.")
@click.option("--timezone", metavar="ZONE", help='IANA name, for example "Europe/Berlin".')
@click.pass_context
def group(ctx: click.Context, workspace_dir: str | None, timezone: str | None) -> None:
    """Review what overnight experimentation loops did, from a terminal."""
    ctx.obj = Context(config.load({"workspace_dir": workspace_dir, "timezone": timezone}))


def run(arguments: Sequence[str]) -> int:
    """Run a subcommand; the exit code is 0 only on success. `LoopdeskError` is the caller's to print."""
    try:
        result = group.main(list(arguments), prog_name="loopdesk", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        raise LoopdeskError(error.format_message(), do="See: loopdesk --help") from error
    sys.stdout.flush()
    return result if isinstance(result, int) else 0
