"""`loopdesk trace`: a round step by step, as on the Trace screen, for pipes and files."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime

import click

from queries import traces
from queries.morning import open_backend
from queries.views.trace import export
from tui.commands.cli import Context
from workspace.errors import LoopdeskError


@click.command("trace")
@click.argument("round_id", metavar="ROUND")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--markdown", "as_markdown", is_flag=True, help="A Markdown table.")
@click.option("--depth", type=click.IntRange(min=0), help="Leave out what stands deeper; 1 is the round's own steps.")
@click.pass_obj
def command(context: Context, round_id: str, as_json: bool, as_markdown: bool, depth: int | None) -> None:
    """Print what happened in a round. ROUND is its id, the beginning of it if no other round begins so, or the
    $ai_trace_id of a model call."""
    if as_json and as_markdown:
        raise LoopdeskError("--json and --markdown are two formats", do="Choose one of them")
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError(
            f"There is nothing to show: {context.workspace.events_db} does not exist",
            do="Send events to `loopdesk serve`, or import a log with `loopdesk import FILE`",
        )
    now = datetime.now(UTC)
    try:
        trace = traces.load(backend, traces.find(backend, round_id, now), now)
    finally:
        backend.close()
    tree, account = trace.tree, trace.account
    if as_json:
        click.echo(export.to_json(tree, account, depth))
        return
    if as_markdown:
        lines = export.markdown(tree, account, depth)
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        ascii = context.config.ascii or not _takes_unicode()
        lines = export.text(tree, account, depth, ascii=ascii, width=width)
    for line in lines:
        click.echo(line)


def _takes_unicode() -> bool:
    try:
        "█→".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
