"""Store a log once. `imported_rows` remembers every row that went in, so a grown log adds only its new rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queries.importers.commits import StoredEnd
from queries.importers.log import EVENTS_OF_A_ROUND, Entry, LogName, event_uuid
from queries.importers.spool import ParsedSpool
from queries.local.store import Store
from queries.local.times import instant
from workspace.errors import LoopdeskError
from workspace.text import plain

AT_ONCE = 2_000  # rows of one transaction: about a third of a second, and other writers wait at most ten
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
    """Store the rows that are new. `rows` is how many the log has, bad ones too.

    With `replace` what came from this log earlier is removed first. Raises `LoopdeskError`: this is another log under a
    name already taken, or the store refuses an event, and then nothing was stored; or the file cannot be written. Then
    up to `AT_ONCE` rows are stored all or none, and of a longer log its first rows may be: importing it again goes on
    after them, because every row that is stored is in the ledger.
    """
    with store.transaction():
        replaced = _forget(store, name) if replace else 0
        known = _rows(store, name)
        new = [entry for entry in entries if entry.row not in known]
        edited = _edited(entries, known)
        _refuse_another_log(name, len(entries) - len(new), edited)
        stored = _take(store, name, new[:AT_ONCE], 0)
    for start in range(AT_ONCE, len(new), AT_ONCE):
        with store.transaction():
            stored += _take(store, name, new[start : start + AT_ONCE], start)
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
        if not round_id:
            return None  # never imported; an event may well have an empty round id
        latest = "SELECT max(timestamp) FROM events WHERE p_round_id = ?"
        (micros,) = store.connection.execute(latest, (round_id,)).fetchone()
    return None if micros is None else StoredEnd(row, instant(micros))


def record_spool(store: Store, spool: ParsedSpool) -> tuple[int, int, tuple[str, ...]]:
    """Store spooled events: how many were new, how many already there, why others were refused. Where the file cannot
    be written halfway, importing it again stores the rest: an event is known by its uuid."""
    done = store.ingest(spool.events)
    return done.stored, done.duplicates, done.rejected


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


def _take(store: Store, name: LogName, new: Sequence[Entry], before: int) -> int:
    """Store rows with their ledger entries; `before` is how many rows of the log went in already."""
    kept = f"{before:,} rows before it were stored" if before else "Nothing of the log was stored"
    try:
        ingested = store.ingest([event for entry in new for event in entry.events()])
    except LoopdeskError as error:
        if not before:
            raise
        raise LoopdeskError(error.what, kept, f"{error.do or 'Mend that'}, and import it again: it goes on") from error
    if ingested.rejected:
        raise LoopdeskError(f"The store refused an event of it: {plain(ingested.rejected[0], 200)}", kept)
    # Another import of the same log may have been here between two transactions.
    store.connection.executemany(
        "INSERT OR IGNORE INTO imported_rows(log, row, identity, content) VALUES (?, ?, ?, ?)",
        ((name.key, entry.row, entry.round_id, entry.content) for entry in new),
    )
    return ingested.stored
