"""What a source's signals weigh by its own record: how often its reports were of use, and how often declined."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

AGAINST = ("report_unclear", "analysis_wrong", "wontfix_intentional", "wontfix_irrelevant")
"""The reasons for declining that say something against whoever raised it."""
ENOUGH_AGAINST = 3
LEAST = 0.25

SOURCE = "(source_product || '/' || source_type)"
"""A source's name in SQL over `signals`, as everywhere: `product/type`."""


@dataclass(frozen=True, slots=True)
class Record:
    """Reports that hold a signal of the source: all, those that were resolved or started, those declined for a reason
    that speaks against it."""

    reports: int = 0
    useful: int = 0
    against: int = 0

    @property
    def weight(self) -> float:
        """What its signals' weight is multiplied by: 1 until three of its reports were declined, then the share of
        useful ones among the decided, (useful + 2) / (decided + 2), at least a quarter."""
        if self.against < ENOUGH_AGAINST or self.useful >= self.against:
            return 1.0
        return max(LEAST, (self.useful + 2) / (self.useful + self.against + 2))

    @property
    def why(self) -> str:
        if not self.useful + self.against:
            return "Nothing of it was decided yet."
        said = f"{self.useful} of its reports were of use, {self.against} were declined"
        if self.weight == 1.0:
            return f"{said}; it weighs less once {ENOUGH_AGAINST} and more of them are declined than of use."
        return f"{said}; so its signals weigh {self.weight:.2f} of what they would."


# No json_each: the door's connection allows no virtual tables.
_AGAINST = ", ".join(f"'{reason}'" for reason in AGAINST)
_RECORDS = f"""
SELECT source, count(*), sum(status = 'resolved' OR start_approved_by != ''),
  sum(status = 'suppressed' AND declined_for IN ({_AGAINST}))
FROM (
  SELECT DISTINCT {SOURCE} AS source, reports.id, status, start_approved_by, declined_for
  FROM signals JOIN report_signals ON signal_id = signals.id AND left_at IS NULL
  JOIN reports ON reports.id = report_id
  WHERE status != 'deleted' AND signals.weight > 0 {{of}}
)
GROUP BY source
"""


def records(connection: sqlite3.Connection, sources: Collection[str] | None = None) -> dict[str, Record]:
    """By source, `product/type`; of those given, else of all whose signals are in a report."""
    chosen = "" if sources is None else f"AND {SOURCE} IN ({', '.join('?' * len(sources))})"
    found = connection.execute(_RECORDS.format(of=chosen), list(sources or ()))
    return {source: Record(reports, useful, against) for source, reports, useful, against in found}
