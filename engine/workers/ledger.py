"""The books of one job on a worker: its reservation, held in Postgres, so that whoever works on it next has only what
is left, and the engine reads what was spent whatever became of the worker."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import LiteralString

import psycopg

from engine.budget import Reached
from engine.workers.claim import Claim
from engine.workers.postgres import Gone, connect, explained

# All that was reserved or spent so far, also by workers that are gone.
_RESERVE: LiteralString = """
INSERT INTO loopdesk_spend(job_id, role, model, usd)
SELECT job_id, %(role)s, %(model)s, %(usd)s FROM loopdesk_jobs AS job
WHERE job_id = %(job)s AND claim = %(claim)s AND state = 'running' AND reserved_usd + 1e-9 >= %(usd)s
  + coalesce((SELECT sum(usd) FROM loopdesk_spend AS spent WHERE spent.job_id = job.job_id), 0)
RETURNING id
"""


class JobBooks:
    """`engine.budget.Purser`. Each word is an exchange with Postgres, for which the worker's loop waits: some
    milliseconds before a model takes seconds. A context manager."""

    def __init__(self, url: str, claim: Claim) -> None:
        self._url, self._claim = url, claim
        self._connection: psycopg.Connection | None = None

    def __enter__(self) -> JobBooks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def reserve(self, usd: float, *, role: str, model: str, report_id: str = "") -> int:
        """Raises `Reached`, and `Gone`: what cannot be written down is not spent."""
        claim = self._claim
        names = {"role": role, "model": model, "usd": usd, "job": claim.job_id, "claim": claim.id}
        with explained():
            row = self._open().execute(_RESERVE, names).fetchone()
        if row is None:
            raise Reached(
                f"What was put aside for this job is used up: ${claim.reserved_usd:.2f}",
                "It goes on once the engine has put more aside",
                "",
                retry_at=None,
            )
        return row[0]

    def book(self, seq: int, usd: float, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        # What cannot be written down counts as it was reserved.
        with suppress(Gone), explained():
            self._open().execute(
                "UPDATE loopdesk_spend SET usd = %s, input_tokens = %s, output_tokens = %s, is_booked = true "
                "WHERE id = %s",
                (usd, input_tokens, output_tokens, seq),
            )

    def _open(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url)
        return self._connection
