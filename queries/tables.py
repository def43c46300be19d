"""Rows as a file: CSV for spreadsheets, JSON for scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """RFC 4180: CRLF, quotes doubled, NULL is an empty field, lists are JSON. Nothing is changed: a text that begins
    with `=` stays one, so a spreadsheet should import the file as text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_field(value) for value in row] for row in rows)
    return text.getvalue()


def json_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A list of objects, one a row; times are ISO 8601."""
    documents = [dict(zip(columns, row, strict=True)) for row in rows]
    return json.dumps(documents, default=datetime.isoformat, ensure_ascii=False, indent=1) + "\n"


def _field(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value
