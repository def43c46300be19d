"""Sources made of records that somebody else keeps: issues, tickets. Each record may become one signal.

A source fetches what is new since its cursor. The first time there is no cursor: then only the newest few records
become signals, marked as back-filled and so light that they never start a report by themselves. Switching a source on
must not flood the inbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from engine.model import Signal

BACKFILL = 5
BACKFILL_WEIGHT = 0.15
"""At most: five of them in one report stay below the weight of 1 that starts research."""

R = TypeVar("R")
C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Fetched(Generic[R]):
    """`cursor` is text that the next fetch gets back; the caller stores it in the transaction that stores the signals,
    so that a crash between fetching and storing only fetches again."""

    records: tuple[R, ...]
    cursor: str
    is_unchanged: bool = False


class RecordSource(Protocol[R]):
    @property
    def key(self) -> str:
        """Under which its cursor is kept: `product/type` of its signals, with `:which` where there are several."""
        ...

    def fetch(self, cursor: str | None, now: datetime) -> Fetched[R]:
        """Blocking. Raises `LoopdeskError`; then the cursor stays as it was."""
        ...

    def emit(self, record: R) -> Signal | None:
        """Pure. None for a record that is nobody's problem."""
        ...


class Emits(Protocol[C_contra]):
    def emit(self, record: C_contra) -> Signal | None: ...


def signals(source: Emits[R], records: Sequence[R], *, is_first: bool) -> list[Signal]:
    """What the records say, oldest first; of the first fetch only the newest few, marked and light."""
    found = [signal for record in records if (signal := source.emit(record)) is not None]
    found.sort(key=lambda signal: (signal.occurred_at, signal.id))
    return [_backfilled(signal) for signal in found[-BACKFILL:]] if is_first else found


def _backfilled(signal: Signal) -> Signal:
    return replace(signal, weight=min(signal.weight, BACKFILL_WEIGHT), extra={**signal.extra, "is_backfilled": True})
