"""What the commands about knobs share: a way to PostHog, and the yes before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import click

from queries import variants
from queries.backend import QueryResult
from queries.morning import open_backend
from queries.rest import Rest, open_rest
from queries.views.window import Span
from tui.commands.cli import Context
from workspace.errors import LoopdeskError
from workspace.text import plain


@contextmanager
def opened(context: Context) -> Iterator[Rest]:
    rest = open_rest(context.config, lambda said: click.echo(f"loopdesk: {plain(said, 500)}", err=True))
    try:
        yield rest
    finally:
        rest.close()


def confirm(said: str, *, is_sure: bool) -> None:
    """Shows what will be sent. Raises `LoopdeskError` without a yes."""
    click.echo(said)
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise LoopdeskError("Nobody is there to confirm it", "Nothing was sent", "Give --yes")
    if not click.confirm("Send this change?"):
        raise LoopdeskError("Nothing was changed")


def by_variant(context: Context, flag: str, since: datetime, until: datetime, loop: Mapping[str, str]) -> QueryResult:
    """The rounds of a flag; `loop` narrows by project and client. Raises `LoopdeskError`."""
    backend = open_backend(context.config)
    if backend is None:
        raise LoopdeskError("There are no events yet", do="Send events to `loopdesk serve`, or import a log")
    try:
        result = variants.asked(backend, Span(since, until), flag=flag, **loop)
    finally:
        backend.close()
    if result.is_cut:
        click.echo(f"loopdesk: the oldest rounds are missing: only {len(result.rows):,} are read at once.", err=True)
    return result
