"""What was held for a judge or a budget is tried again at once where that is another now.

[budgets] raised, or a yes or no to a model: whoever did it does not mean the next night.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from engine.instants import stored


def lift(connection: sqlite3.Connection, now: datetime) -> None:
    """Within a transaction of the caller's."""
    assert connection.in_transaction
    at = stored(now)
    connection.execute(
        "UPDATE signals SET judge_again_at = ? WHERE safety IN ('waiting', 'held') AND safety = 'held' "
        "AND judge_again_at > ?",
        (at, at),
    )
    # Others wait out the back-off of a failure.
    connection.execute(
        "UPDATE jobs SET not_before = ? WHERE state = 'intended' AND not_before > ? "
        "AND EXISTS (SELECT 1 FROM reports WHERE reports.id = report_id AND hold != '')",
        (at, at),
    )
