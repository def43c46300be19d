"""Whether something that is seen again shows that a fix did not hold, or was seen on the code from before it.

A merged fix does not run at once: a night that has begun goes on with the old code, and so does a loop that nobody
deploys. What is observed there belongs to the resolved report and opens no fresh one. Reading only, stdlib `sqlite3`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from engine.instants import stored


def is_before_fix(
    connection: sqlite3.Connection, report_id: str, occurred_at: datetime, extra: Mapping[str, object]
) -> bool:
    """Whether the report's fix was merged, has no verdict yet, and cannot have run where this was observed: earlier
    than the merge, or with a version of the code that its signals named already. Once there is a verdict everything
    that is seen again counts."""
    merged = connection.execute(
        "SELECT max(merged_at) FROM proposals WHERE report_id = ? AND state = 'merged' AND verdict = '' "
        "AND reverts = ''",
        (report_id,),
    ).fetchone()[0]
    if merged is None:
        return False
    if stored(occurred_at) <= merged:
        return True
    sha = extra.get("git_sha")
    if not isinstance(sha, str) or not sha:
        return False
    known = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM report_signals JOIN signals ON signals.id = signal_id "
        "WHERE report_id = ? AND left_at IS NULL AND json_extract(extra, '$.git_sha') = ?)",
        (report_id, sha),
    )
    return bool(known.fetchone()[0])
