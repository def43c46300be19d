"""Asking for the rounds on both sides of a mark."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from queries.backend import Backend
from queries.catalog import catalog
from queries.views import marks
from queries.views.filters import Filters
from queries.views.marks import AROUND, Around


def around(
    backend: Backend, at: datetime, others: Iterable[datetime], now: datetime, filters: Filters | None = None
) -> Around:
    """Blocking; two questions. `others` are the moments of the other marks. Raises `LoopdeskError`."""
    moments, filters = list(others), filters or Filters()
    before, after = marks.spans(at, AROUND, now, moments)
    question = catalog.load("headline")

    def asked(since: datetime, until: datetime):
        given = {"since": since, "until": until, "project": filters.project, "client": filters.client}
        return backend.query(question.text, question.values(given), question.types)

    found = (asked(before.since, before.until), asked(after.since, after.until))
    return marks.around(at, before, after, moments, found)
