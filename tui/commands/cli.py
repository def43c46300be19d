"""The command line beside the desk: one click group that loads a subcommand's file only when it is called."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
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
    "connect": ("connect", "Connect the PostHog project that the boards ask."),
    "sync": ("sync", "Pull a PostHog project's loop events into the store."),
    "query": ("query", "Answer a catalog question or a HogQL text."),
    "trace": ("trace", "What happened in a round, step by step."),
    "brief": ("brief", "The morning in text, for a pipe, a mail or cron."),
    "web": ("web", "The desk in a browser of this machine."),
    "doctor": ("doctor", "Check what loopdesk needs, and say what to do."),
    "signal": ("signal", "Tell the engine something, or read what it knows."),
    "engine": ("engine", "The engine: signals become reports, and what you decide is applied."),
    "worker": ("worker", "Do research and fixes here for an engine on another machine."),
    "inbox": ("inbox", "Decide about what the engine found."),
    "eval": ("eval", "Score the engine's judgement on labelled sets."),
    "instrument": ("instrument", "The drop-in file into loops' repositories; --check for their CI."),
    "annotate": ("annotate", "Mark a moment on the time lines, or each commit by a git hook."),
    "flags": ("flags", "The knobs that loops read: list, switch, roll out, compare by round."),
    "posthog": ("posthog", "Check what the loops send, and bring the boards into PostHog."),
    "notify": ("notify", "Whether what deserves it reaches you: send a test."),
    "service": ("service", "Have `serve` and the engine run day and night."),
    "storage": ("storage", "What is stored, how large it is, and making it smaller."),
    "backup": ("backup", "The whole workspace in one file, while everything runs."),
    "restore": ("restore", "Bring a workspace back from such a file."),
}

_BACKEND = click.Choice(config.BACKENDS)


@dataclass(frozen=True, slots=True)
class Context:
    """What every subcommand is given."""

    config: Config
    overrides: Mapping[str, object]
    """What the command line said, by setting."""

    @classmethod
    def of(cls, overrides: Mapping[str, object]) -> Context:
        return cls(config.load(overrides), overrides)

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
        _take_common_options(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The one-line helps stand in the table, so that `--help` loads no subcommand.
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _after(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None and parameter.name is not None:
        ctx.obj = Context.of({**ctx.obj.overrides, parameter.name: value})


def _take_common_options(command: click.Command) -> None:
    # --workspace and --backend may stand before or after the subcommand, and after a subcommand's own.
    if not any(parameter.name == "workspace_dir" for parameter in command.params):
        command.params += [
            click.Option(["--workspace", "workspace_dir"], expose_value=False, callback=_after, hidden=True),
            click.Option(["--backend"], type=_BACKEND, expose_value=False, callback=_after, hidden=True),
        ]
    for inner in getattr(command, "commands", {}).values():
        _take_common_options(inner)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Without a command loopdesk opens the desk. Its options: --workspace DIR, --timezone ZONE, --theme NAME, "
    "--backend posthog|embedded, --window night|24h|7d|30d, --project NAME, --client NAME, --ascii, --no-mouse, "
    "--read-only.",
)
@click.version_option(VERSION, prog_name="loopdesk", message="%(prog)s %(version)s")
@click.option("--workspace", "workspace_dir", metavar="DIR", help="The data folder.")
@click.option("--timezone", metavar="ZONE", help='IANA name, for example "Europe/Berlin".')
@click.option("--backend", type=_BACKEND, help="Who answers; default is what is configured.")
@click.pass_context
def group(ctx: click.Context, workspace_dir: str | None, timezone: str | None, backend: str | None) -> None:
    """Review what overnight experimentation loops did, from a terminal."""
    ctx.obj = Context.of({"workspace_dir": workspace_dir, "timezone": timezone, "backend": backend})


def run(arguments: Sequence[str]) -> int:
    """Run a subcommand; the exit code is 0 only on success. `LoopdeskError` is the caller's to print."""
    try:
        result = group.main(list(arguments), prog_name="loopdesk", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        return 130
    except click.ClickException as error:
        place = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "loopdesk"
        raise LoopdeskError(error.format_message(), do=f"See: {place} --help") from error
    if sys.stdout is not None:  # closed by whoever called, as cron may
        sys.stdout.flush()
    return result if isinstance(result, int) else 0
