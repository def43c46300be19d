"""How things stand in the workers' Postgres, for who only looks."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

from engine.workers.postgres import Times, connect, explained

_STANDING: LiteralString = """
SELECT (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => %s)),
  count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'running')
FROM loopdesk_jobs
"""


class Standing(NamedTuple):
    is_prepared: bool
    workers: int = 0
    waiting: int = 0
    running: int = 0


def look(url: str) -> Standing:
    """Blocks, makes nothing. Raises `Gone`, `LoopdeskError`."""
    with explained(), connect(url) as connection:
        row = connection.execute("SELECT to_regclass('loopdesk_jobs') IS NOT NULL").fetchone()
        if row is None or not row[0]:
            return Standing(False)
        row = connection.execute(_STANDING, (Times().stalled_s,)).fetchone()
    assert row is not None
    return Standing(True, *row)
