"""`loopdesk brief`: the morning in words, for a pipe, a mail or cron.

Exit code 0 also where nothing is stored: it says so, which is the answer. 1 where a board could not be asked; the
others are printed.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import click

from queries import boards
from queries.brief import gather
from queries.morning import open_backend
from queries.views.brief_document import document
from queries.views.brief_text import markdown, text
from queries.views.filters import Filters
from tui.commands.cli import Context
from workspace.errors import LoopdeskError

WINDOWS = ("night", "24h", "7d", "30d")


@click.command("brief")
@click.option("--window", type=click.Choice(WINDOWS), default="night", show_default=True)
@click.option("--project", default="", help="Only this project.")
@click.option("--client", default="", help="Only this client.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Headings and tables, for an issue or a chat.")
@click.pass_obj
def command(context: Context, window: str, project: str, client: str, as_json: bool, as_markdown: bool) -> int:
    """Print the morning: verdicts and key figures of the headline and the six boards."""
    if as_json and as_markdown:
        raise LoopdeskError("--json and --markdown exclude each other", do="See: loopdesk brief --help")
    if not (context.config.asks_posthog or context.workspace.root.is_dir() or not context.config.workspace_dir):
        # A mistyped folder in a crontab must not pass for a quiet night.
        raise LoopdeskError(f"There is no folder {context.workspace.root}", do="Check --workspace")
    backend = open_backend(context.config)
    try:
        brief = gather(backend, context.config, window, Filters(project, client), now=datetime.now(UTC))
    finally:
        if backend is not None:
            backend.close()
    if as_json:
        said = json.dumps(document(brief), allow_nan=False, indent=2)
    else:
        said = (markdown if as_markdown else text)(brief, boards.TITLES)
    # cron may hand over a locale without dashes and arrows: a brief with question marks beats none.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    click.echo(said)
    sys.stdout.flush()
    for board, why in brief.failed.items():
        click.echo(f"loopdesk: {boards.TITLES[board]} could not be asked: {why}", err=True)
    return 1 if brief.failed else 0
