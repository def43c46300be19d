"""`loopdesk query`: a catalog question or any HogQL text, as a table, as one JSON document or as CSV."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import click

from queries import tables
from queries.backend import Backend, QueryRefused, QueryResult
from queries.catalog import catalog
from queries.gallery import own, registry
from queries.local.backend import document
from queries.morning import open_backend
from queries.views import window as windows
from queries.views.window import Span
from queries.views.words import counted
from tui.commands import query_table
from tui.commands.cli import Context
from tui.commands.query_error import marked
from tui.commands.query_params import Asked, Parameter, find_text, read_parameters
from tui.moments import moment
from workspace.errors import LoopdeskError
from workspace.text import plain, plain_lines

_WINDOWS = ("night", "24h", "7d", "30d")
_MOST_ROWS = 50_000  # PostHog's highest LIMIT
_Answer = TypeVar("_Answer")


@click.command("query")
@click.argument("text", metavar="NAME|HOGQL|@FILE|-", required=False)
@click.option("--window", type=click.Choice(_WINDOWS), help="Of a catalog question. Default 30d.")
@click.option("--since", metavar="TIME", help="From here on, or 90d ago, instead of --window (catalog questions).")
@click.option("--until", metavar="TIME", help="Up to here, with --since. Default: now.")
@click.option("--project", default="", help="Only this project (catalog questions).")
@click.option("--client", default="", help="Only this client (catalog questions).")
@click.option("--run", default="", metavar="RUN_ID", help="Only this run (catalog questions).")
@click.option("--param", "params", multiple=True, metavar="NAME[:TYPE]=VALUE", help="A {placeholder}'s value.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--csv", "as_csv", is_flag=True, help="RFC 4180, every value as it is.")
@click.option("--hogql", "--show", "show", is_flag=True, help="Also say which HogQL was asked.")
@click.option("--explain", is_flag=True, help="Show the embedded store's SQLite text instead of asking.")
@click.pass_obj
def command(
    context: Context,
    text: str | None,
    window: str | None,
    since: str | None,
    until: str | None,
    project: str,
    client: str,
    run: str,
    params: Sequence[str],
    as_json: bool,
    as_csv: bool,
    show: bool,
    explain: bool,
) -> int:
    """Answer a question by name, the catalog's or your own, or any HogQL text. Without either, list the questions."""
    if as_json and as_csv:
        raise LoopdeskError("--json and --csv are two answers", do="Choose one")
    if text is None:
        _list_catalog(as_json)
        return 0
    asked = find_text(text)
    filters = {"project": project, "client": client, "run": run}
    if asked.question is None and (window or since or until or any(filters.values())):
        raise LoopdeskError(
            "--window, --since, --until, --project, --client and --run belong to the questions of the catalog",
            do="Write the conditions into the query, with {placeholders} and --param",
        )
    given = read_parameters(params, asked.question, context.config.zone)
    values, types = _values(context, asked, window, since, until, filters, given)
    if explain:
        click.echo(_explained(asked.text, types))
        return 0
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError(
            f"There is nothing to ask: {context.workspace.events_db} does not exist",
            do="Send events to `loopdesk serve`, or import a log with `loopdesk import FILE`",
        )
    try:
        result = _unless_cancelled(lambda: backend.query(asked.text, values, types))
        hint = _unknown_project(backend, project) if asked.question and project and not result.rows else ""
    except QueryRefused as error:
        _point(asked.text, error)
        raise
    except KeyboardInterrupt:
        click.echo("Cancelled.", err=True)
        return 130
    finally:
        backend.close()
    if show:
        for line in plain_lines(asked.text):
            click.echo(line, err=True)
    if as_json:
        shown = {"query": asked.text} if show else {}
        click.echo(json.dumps(document(result) | shown, allow_nan=False))
    elif as_csv:
        sys.stdout.write(tables.csv_text(result.columns, result.rows))
    else:
        _print_table(result, hint)
    return 0


def _values(
    context: Context,
    asked: Asked,
    window: str | None,
    since: str | None,
    until: str | None,
    filters: dict[str, str],
    given: Sequence[Parameter],
) -> tuple[dict[str, object], dict[str, str]]:
    own = {parameter.name: parameter.value for parameter in given}
    question = asked.question
    if question is None:
        return own, {parameter.name: parameter.type for parameter in given}
    window = window or "30d"
    span = _span(context, window, since, until)
    bucket = "day" if span.until - span.since > timedelta(days=3) else "hour"
    filled = {"since": span.since, "until": span.until, "bucket": bucket, **filters, **own}
    return question.values(filled), question.types


def _span(context: Context, window: str, since: str | None, until: str | None) -> Span:
    now = datetime.now(UTC)
    zone = context.config.zone
    if since or until:
        start, end = moment("--since", since, now, ZoneInfo(zone)), moment("--until", until, now, ZoneInfo(zone))
        if start is None:
            raise LoopdeskError("--until needs --since", do="Say from when on")
        end = end or now + timedelta(seconds=1)
        if start >= end:
            raise LoopdeskError("--since is not before --until")
        return Span(start, end)
    if window == "night":
        return windows.night(now, zone, context.config.night_starts_hour).span
    return Span(windows.rolling(window, now).span.since, now + timedelta(seconds=1))


def _unless_cancelled(ask: Callable[[], _Answer]) -> _Answer:
    """`ask()` in a thread of its own, so that Ctrl-C is heard at once, wherever the backend waits."""
    found: list[_Answer] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(ask())
        except BaseException as error:  # handed over to the caller below
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(3600)
    if failed:
        raise failed[0]
    return found[0]


def _unknown_project(backend: Backend, project: str) -> str:
    """A sentence where the year has no such project."""
    question = catalog.load("projects")
    now = datetime.now(UTC)
    found = backend.query(
        question.text,
        question.values({"since": now - timedelta(days=365), "until": now + timedelta(days=1)}),
        question.types,
    )
    place = found.columns.index("project")
    names = sorted({plain(row[place]) for row in found.rows if row[place]})
    if project in names:
        return ""
    known = f"There are {', '.join(names[:8])}" if names else "No project has sent an event"
    return f"There is no project {plain(project)}. {known}."


def _explained(text: str, types: dict[str, str]) -> str:
    from queries.local.hogql.compiler import compile_query

    try:
        return compile_query(text, types).sql
    except QueryRefused as error:
        _point(text, error)
        raise


def _point(text: str, error: QueryRefused) -> None:
    for line in marked(text, error.start, error.end, shutil.get_terminal_size((100, 24)).columns):
        click.echo(line, err=True)


def _list_catalog(as_json: bool) -> None:
    questions = [*(catalog.load(name) for name in catalog.names()), *own.questions(registry.taken())]
    if as_json:
        click.echo(json.dumps([{"name": q.name, "title": q.title, "asks": q.asks} for q in questions]))
        return
    for question in questions:
        click.echo(f"{question.name:<20} {plain(question.asks)}")


def _print_table(result: QueryResult, hint: str) -> None:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in query_table.lines(result, width):
        click.echo(line)
    click.echo(" ".join(part for part in (_said(result), hint) if part), err=True)


def _said(result: QueryResult) -> str:
    said = f"{counted(len(result.rows), 'row')} in {result.elapsed_ms:.0f} ms."
    if not result.has_more:
        return said
    if result.limit is not None and result.limit >= _MOST_ROWS:
        return f"{said} PostHog answers at most {_MOST_ROWS:,} rows; page by keys: WHERE timestamp > last."
    return f"{said} The first {result.limit} are shown; write a LIMIT to see more."
