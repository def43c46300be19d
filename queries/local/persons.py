"""The minimal `persons`: who sent events, and the person properties that events set.

A row for each distinct id. `id` is the person's: made of the distinct id, so that it is the same on every machine,
until `$identify` or `$create_alias` says that two distinct ids are one person.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid5

from queries.local.texts import clean, encode, storable

MAX_PROPERTIES_BYTES = 512 * 1024  # PostHog's limit; a change that goes over it is left out
_PERSONS = UUID("2f0f8f0c-7f8b-5a7e-8f5c-5b1c8e9b7a41")
_MERGES = {"$identify": "$anon_distinct_id", "$create_alias": "alias"}
# PostHog never merges these: they are what a bug sends, and everybody would become one person.
_NOBODY = (
    "anonymous", "guest", "distinctid", "distinct_id", "id", "not_authenticated", "email", "undefined",
    "true", "false", "null", "none", "nan", "0", "", "[object object]",
)  # fmt: skip
_ENOUGH_KNOWN = 200_000  # ids kept in memory


@dataclass(frozen=True, slots=True)
class PersonChange:
    """What one event says about its person. `same_as` is another distinct id of theirs."""

    set: Mapping[str, object] = field(default_factory=dict)
    set_once: Mapping[str, object] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    same_as: str = ""


_NOTHING = PersonChange()


def change_of(event: str, properties: Mapping[str, object]) -> PersonChange | None:
    """None where the event asks for no person profile. `$exception` changes no properties, as in PostHog."""
    if properties.get("$process_person_profile") in (False, "false"):
        return None
    same_as = _other_id(event, properties)
    if event == "$exception" or not (same_as or properties.keys() & {"$set", "$set_once", "$unset"}):
        return _NOTHING
    unset = properties.get("$unset")
    return PersonChange(
        _object(properties.get("$set")),
        _object(properties.get("$set_once")),
        tuple(name for name in unset if isinstance(name, str)) if isinstance(unset, list | dict) else (),
        same_as,
    )


def changed(properties: Mapping[str, object], change: PersonChange) -> dict[str, object]:
    """The person's properties after the event."""
    found = {**change.set_once, **properties, **change.set}
    return {name: value for name, value in found.items() if name not in change.unset}


def person_id(distinct_id: str) -> str:
    return str(uuid5(_PERSONS, distinct_id))


class Persons:
    """The table over a connection; the caller opens the transaction. Distinct ids seen before cost a look in a set."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: set[str] = set()

    def record(self, said: Iterable[tuple[str, PersonChange | None]], created_at: int) -> None:
        """Distinct ids with what their events say, in order of arrival."""
        for distinct_id, change in said:
            if change is None or (change is _NOTHING and distinct_id in self._known):
                continue
            self._add(distinct_id, created_at)
            if change.same_as:
                self._merge(distinct_id, change.same_as, created_at)
            if change is not _NOTHING:
                self._change(distinct_id, change)

    def forget(self) -> None:
        """After a rollback: what was added may not be there."""
        self._known.clear()

    def _add(self, distinct_id: str, created_at: int, id: str = "") -> None:
        if distinct_id in self._known:
            return
        row = (distinct_id, id or person_id(distinct_id), created_at, "{}")
        self._connection.execute(
            "INSERT OR IGNORE INTO persons(distinct_id, id, created_at, properties) VALUES (?, ?, ?, ?)", row
        )
        if len(self._known) >= _ENOUGH_KNOWN:
            self._known.clear()
        self._known.add(distinct_id)

    def _merge(self, distinct_id: str, other: str, created_at: int) -> None:
        if distinct_id.strip().lower() in _NOBODY:
            return
        person, properties = self._row(distinct_id)
        self._add(other, created_at, person)
        others_person, others_properties = self._row(other)
        # Someone who was identified before is not taken away from themselves.
        if others_person != person_id(other) or others_person == person:
            return
        self._connection.execute("UPDATE persons SET id = ? WHERE id = ?", (person, others_person))
        self._write(person, {**others_properties, **properties})

    def _change(self, distinct_id: str, change: PersonChange) -> None:
        person, properties = self._row(distinct_id)
        after = changed(properties, change)
        if after != properties:
            self._write(person, after)

    def _row(self, distinct_id: str) -> tuple[str, dict[str, object]]:
        found = self._connection.execute(
            "SELECT id, properties FROM persons WHERE distinct_id = ?", (distinct_id,)
        ).fetchone()
        # Another process may have removed a person that this one remembers.
        return (found[0], json.loads(found[1])) if found else (person_id(distinct_id), {})

    def _write(self, person: str, properties: Mapping[str, object]) -> None:
        text = storable(encode(properties))
        if len(text.encode()) <= MAX_PROPERTIES_BYTES:
            self._connection.execute("UPDATE persons SET properties = ? WHERE id = ?", (text, person))


def _other_id(event: str, properties: Mapping[str, object]) -> str:
    other = properties.get(_MERGES.get(event, ""))
    if not isinstance(other, str) or other.strip().lower() in _NOBODY:
        return ""
    return clean(other)[:200]


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
