"""`loopdesk query`: a catalog question or any HogQL text, as a table or as one JSON document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from queries.backend import QueryResult
from queries.catalog import catalog
from queries.local.backend import document
from queries.morning import open_backend
from queries.views import window as windows
from queries.views.window import Span
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain

_WIDEST_CELL = 60
_WINDOWS = ("night", "24h", "7d", "30d")


@click.command("query")
@click.argument("text", metavar="NAME|SQL", required=False)
@click.option("--window", type=click.Choice(_WINDOWS), help="Of a catalog question. Default 30d.")
@click.option("--project", default="", help="Only this project (catalog questions).")
@click.option("--client", default="", help="Only this client (catalog questions).")
@click.option("--run", default="", metavar="RUN_ID", help="Only this run (catalog questions).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_obj
def command(
    context: Context, text: str | None, window: str | None, project: str, client: str, run: str, as_json: bool
) -> None:
    """Answer a question of the catalog by name, or any HogQL text. Without either, list the catalog."""
    if text is None:
        _list_catalog(as_json)
        return
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError(
            f"There is nothing to ask: {context.workspace.events_db} does not exist",
            do="Send events to `loopdesk serve`, or import a log with `loopdesk import FILE`",
        )
    try:
        if text in catalog.names():
            question = catalog.load(text)
            window = window or "30d"
            span = _span(context, window)
            given = {"since": span.since, "until": span.until, "project": project, "client": client, "run": run}
            given["bucket"] = "day" if window in ("7d", "30d") else "hour"
            result = backend.query(question.text, question.values(given), question.types)
        elif text.replace("_", "").isalnum():
            catalog.load(text)  # one word is a name, never HogQL: this raises the sentence that lists the names
            return
        elif window or project or client or run:
            raise LoopdeskError(
                "--window, --project, --client and --run belong to the questions of the catalog",
                do="Write the conditions into the query",
            )
        else:
            result = backend.query(text)
    finally:
        backend.close()
    if as_json:
        click.echo(json.dumps(document(result), allow_nan=False))
    else:
        _print_table(result)


def _span(context: Context, window: str) -> Span:
    now = datetime.now(UTC)
    if window == "night":
        return windows.night(now, context.config.zone, context.config.night_starts_hour).span
    return Span(windows.rolling(window, now).span.since, now + timedelta(seconds=1))


def _list_catalog(as_json: bool) -> None:
    questions = [catalog.load(name) for name in catalog.names()]
    if as_json:
        click.echo(json.dumps([{"name": q.name, "title": q.title, "asks": q.asks} for q in questions]))
        return
    for question in questions:
        click.echo(f"{question.name:<20} {question.asks}")


def _print_table(result: QueryResult) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, type in zip(result.columns, result.types, strict=True):
        is_number = any(word in type for word in ("Int", "Float", "Decimal"))
        table.add_column(Text(plain(name)), justify="right" if is_number else "left")
    for row in result.rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console(highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = 10_000  # a pipe has no edge: nothing is folded or cut
    console.print(table)
    more = f" The first {result.limit} are shown; write a LIMIT to see more." if result.has_more else ""
    click.echo(
        f"{len(result.rows):,} row{'' if len(result.rows) == 1 else 's'} in {result.elapsed_ms:.0f} ms.{more}", err=True
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _WIDEST_CELL)
