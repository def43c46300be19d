"""Store a log once. `imported_rows` remembers every row that went in, so a grown log adds only its new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from queries.importers.commits import StoredEnd
from queries.importers.log import EVENTS_OF_A_ROUND, Entry, LogName, event_uuid
from queries.importers.spool import ParsedSpool
from queries.local.store import Store
from workspace.errors import LoopdeskError
from workspace.text import plain

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 2_000  # rows or events at a time
_ENOUGH_TO_JUDGE = 3  # rows


@dataclass(frozen=True, slots=True)
class EditedRow:
    """A row that differs from what was imported under its number; it is not stored."""

    row: int
    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Counts of rows and events. `gone`: rows imported earlier that the log no longer has; they stay stored."""

    stored_rows: int
    known_rows: int
    stored_events: int
    edited: tuple[EditedRow, ...] = ()
    gone: int = 0
    replaced_events: int = 0


def record(store: Store, name: LogName, entries: Sequence[Entry], rows: int, *, replace: bool = False) -> Recorded:
    """Store the rows that are new, in one transaction. `rows` is how many the log has, bad ones too.

    With `replace` what came from this log earlier is removed first. Raises `LoopdeskError` when nothing was stored:
    the file cannot be written, or this is another log under a name already taken.
    """
    with store.transaction():
        replaced = _forget(store, name) if replace else 0
        known = _rows(store, name)
        new = [entry for entry in entries if entry.row not in known]
        edited = _edited(entries, known)
        _refuse_another_log(name, len(entries) - len(new), edited)
        stored = _ingest(store, new)
        store.connection.executemany(
            "INSERT INTO imported_rows(log, row, identity, content) VALUES (?, ?, ?, ?)",
            ((name.key, entry.row, entry.round_id, entry.content) for entry in new),
        )
    return Recorded(
        stored_rows=len(new),
        known_rows=len(entries) - len(new) - len(edited),
        stored_events=stored,
        edited=tuple(edited),
        gone=sum(row > rows for row in known),
        replaced_events=replaced,
    )


def stored_end(store: Store, name: LogName) -> StoredEnd | None:
    """Where the log ended when it was last imported."""
    with store.transaction():
        row, round_id = max(((row, identity) for row, (identity, _) in _rows(store, name).items()), default=(0, ""))
        latest = "SELECT max(timestamp) FROM events WHERE p_round_id = ?"
        (micros,) = store.connection.execute(latest, (round_id,)).fetchone()
    return None if micros is None else StoredEnd(row, _EPOCH + timedelta(microseconds=micros))


def record_spool(store: Store, spool: ParsedSpool) -> tuple[int, int, tuple[str, ...]]:
    """Store spooled events in one transaction: how many were new, how many already there, why others were refused."""
    stored = duplicates = 0
    rejected: list[str] = []
    with store.transaction():
        for start in range(0, len(spool.events), _CHUNK):
            ingested = store.ingest(spool.events[start : start + _CHUNK])
            stored += ingested.stored
            duplicates += ingested.duplicates
            rejected += ingested.rejected
    return stored, duplicates, tuple(rejected)


def _rows(store: Store, name: LogName) -> dict[int, tuple[str, str]]:
    found = store.connection.execute("SELECT row, identity, content FROM imported_rows WHERE log = ?", (name.key,))
    return {row: (identity, content) for row, identity, content in found}


def _edited(entries: Sequence[Entry], known: dict[int, tuple[str, str]]) -> list[EditedRow]:
    edited = []
    for entry in entries:
        identity, content = known.get(entry.row, (entry.round_id, entry.content))
        if identity != entry.round_id:
            edited.append(EditedRow(entry.row, entry.place, "its commit or description"))
        elif content != entry.content:
            edited.append(EditedRow(entry.row, entry.place, "its score, status or another column"))
    return edited


def _refuse_another_log(name: LogName, overlap: int, edited: Sequence[EditedRow]) -> None:
    if overlap < _ENOUGH_TO_JUDGE or len(edited) < overlap:
        return
    if any("commit" in row.what for row in edited):
        what = f"All {overlap} rows differ from those imported earlier as {plain(name.key, 120)}"
        means = "It seems to be another log of the same name, so nothing of it was stored"
        do = "Give it a name of its own with --run NAME, or import it afresh with --replace"
    else:
        what = f"All {overlap} rows read differently from when they were imported as {plain(name.key, 120)}"
        means = "The metric, the goal or the columns changed, so nothing of it was stored"
        do = "Import it afresh with --replace"
    raise LoopdeskError(what, means, do)


def _forget(store: Store, name: LogName) -> int:
    """Remove the events and the ledger rows of a log; returns how many events there were."""
    rounds = [identity for identity, _ in _rows(store, name).values()]
    removed = store.delete([event_uuid(round_id, event) for round_id in rounds for event in EVENTS_OF_A_ROUND])
    store.connection.execute("DELETE FROM imported_rows WHERE log = ?", (name.key,))
    return removed


def _ingest(store: Store, new: Sequence[Entry]) -> int:
    stored = 0
    for start in range(0, len(new), _CHUNK):
        ingested = store.ingest([event for entry in new[start : start + _CHUNK] for event in entry.events()])
        if ingested.rejected:
            raise LoopdeskError(
                f"The store refused an event of it: {plain(ingested.rejected[0], 200)}", "Nothing of the log was stored"
            )
        stored += ingested.stored
    return stored
