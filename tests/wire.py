"""A small HTTP client for tests, and what is stored afterwards."""

from __future__ import annotations

import json
import sqlite3
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message

from tests.conftest import Served


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    text: str
    headers: Message

    @property
    def json(self) -> dict:
        return json.loads(self.text)


def send(url: str, body: bytes | object = None, method: str = "POST", **headers: str) -> Reply:
    """Header names are given with underscores; the content type is JSON unless said otherwise."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, data if method == "POST" else None, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Reply(response.status, response.read().decode(), response.headers)
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read().decode(), error.headers)


def rows(served: Served, sql: str) -> list[tuple]:
    connection = sqlite3.connect(served.events_db)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def names(served: Served) -> list[str]:
    """Of the stored events, in order of time."""
    return [name for (name,) in rows(served, "SELECT event FROM events ORDER BY timestamp, id")]


def properties(served: Served) -> list[dict]:
    return [json.loads(text) for (text,) in rows(served, "SELECT properties FROM bodies ORDER BY id")]
