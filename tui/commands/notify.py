"""`loopdesk notify --test`: does what deserves it reach you?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import click

from engine import notify
from engine.notices import Message
from engine.notify import MayHaveArrived, NotSent, Way
from tui.commands.cli import Context
from workspace.config import config_file
from workspace.errors import LoopdeskError
from workspace.text import plain

_TEST = Message("loopdesk: a test", "Notices arrive this way.", ("test",), ("test",))


@click.command("notify")
@click.option("--test", "is_test", is_flag=True, help="Send a test over every configured way.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_obj
def command(context: Context, is_test: bool, as_json: bool) -> int:
    """How the engine tells you of what deserves it: `[notify]` in config.toml. A test goes out at once, in quiet hours
    too."""
    if not is_test:
        raise click.UsageError("Say --test to send a test over every configured way")
    ways = notify.ways(context.config)
    if not ways:
        raise LoopdeskError(
            "No way of telling you is set up",
            "The engine keeps to the inbox",
            f"Set command, webhook or mail under [notify] in {config_file()}",
        )
    with ThreadPoolExecutor(len(ways)) as pool:
        outcomes = list(pool.map(_tried, ways))
    if as_json:
        click.echo(json.dumps({"ways": outcomes}))
    else:
        for one in outcomes:
            # Whether a chat or a mailbox shows it is theirs to say.
            click.echo(f"{one['way']}: {'taken' if one['arrived'] else one['error']}", err=not one["arrived"])
    return 0 if all(one["arrived"] for one in outcomes) else 1


def _tried(way: Way) -> Mapping[str, object]:
    error = ""
    try:
        way.send(_TEST)
    except (NotSent, MayHaveArrived) as found:
        error = plain(found, 500)
    return {"way": way.name, "arrived": not error, "error": error}
