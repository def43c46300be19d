"""The events of a trace in columns: 100,000 of them take a few bytes each, and are never objects all at once."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

NONE = 0  # the code of a word that is absent


class Event(NamedTuple):
    """One event as the question `trace_events` answers it, in its order. Times are microseconds since 1970."""

    uuid: str
    event: str
    at_us: int
    arrived_us: int | None = None
    agent: str | None = None
    step_id: str | None = None
    suite_id: str | None = None
    case_id: str | None = None
    span_id: str | None = None
    parent_id: str | None = None
    tool: str | None = None
    model: str | None = None
    ok: str | None = None
    text: str | None = None
    latency_ms: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    cost_usd: float | None = None
    score: float | None = None
    delta: float | None = None
    goal: str | None = None


WORDS = ("event", "agent", "case_id", "tool", "model", "ok", "text", "goal")
IDS = ("step_id", "suite_id", "span_id", "parent_id")
NUMBERS = ("latency_ms", "tokens_in", "tokens_out", "cost_usd", "score", "delta")
_PLACES = {name: place for place, name in enumerate(Event._fields)}


class Events:
    """Collects events in any order, also the same one twice; places are those of arrival.

    `word[name][place]` is a code of `words`, `number[name][place]` a float (NaN where there is none), `id[name][place]`
    a hash: ids are only ever compared, and 50,000 of them would be most of the memory. 0 is no id.
    """

    def __init__(self) -> None:
        self._codes = _Codes()
        self.at = array("q")
        self.arrived = array("q")
        self._uuids = bytearray()
        self.word: dict[str, array[int]] = {name: array("I") for name in WORDS}
        self.id: dict[str, array[int]] = {name: array("q") for name in IDS}
        self.number: dict[str, array[float]] = {name: array("d") for name in NUMBERS}

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def of(cls, events: Iterable[Sequence]) -> Events:
        made = cls()
        made.extend(events)
        return made

    def extend(self, events: Iterable[Sequence]) -> None:
        """Rows in the order of `Event`'s fields."""
        columns = tuple(zip(*events, strict=True))
        if columns:
            self.extend_columns(columns)

    def extend_columns(self, columns: Sequence[Sequence]) -> None:
        """The same in columns. No call of ours for a cell: there are two millions of them in a large round."""
        given = dict(zip(Event._fields, columns, strict=True))
        at, arrived = given["at_us"], given["arrived_us"]
        for name in WORDS:
            self.word[name].extend(map(self._codes.__getitem__, given[name]))
        for name in IDS:
            self.id[name].extend([hash(text) if text else 0 for text in given[name]])
        for name in NUMBERS:
            self.number[name].extend([math.nan if value is None else value for value in given[name]])
        self._uuids += _packed_all(given["uuid"])
        self.arrived.extend(arrived if None not in arrived else map(_first_known, arrived, at))
        self.at.extend(at)  # the last: an event is there once it has a time

    @property
    def words(self) -> Sequence[str]:
        """Each code's word."""
        return self._codes.words

    def code_of(self, word: str) -> int | None:
        """The code of a word that some event has; None of any other."""
        return self._codes.get(word)

    def said(self, name: str, place: int) -> str:
        """A word of an event; empty where it has none."""
        return self._codes.words[self.word[name][place]]

    def measured(self, name: str, place: int) -> float | None:
        value = self.number[name][place]
        return value if math.isfinite(value) else None

    def repeats(self) -> bool:
        """Whether an event may be there twice: two have the same half of their uuid. Cheaper than looking for which."""
        return len(set(array("Q", bytes(self._uuids))[1::2])) < len(self)

    def uuid(self, place: int) -> str:
        return str(UUID(bytes=self.key(place)))

    def key(self, place: int) -> bytes:
        """What tells an event from every other."""
        return bytes(self._uuids[16 * place : 16 * place + 16])


class _Codes(dict[str | None, int]):
    """Word -> its code; a new word gets a new one."""

    def __init__(self) -> None:
        super().__init__({None: NONE, "": NONE})
        self.words = [""]

    def __missing__(self, word: str) -> int:
        code = self[word] = len(self.words)
        self.words.append(word)
        return code


def id_of(text: str | None) -> int:
    """Two of 100,000 ids meet once in a billion traces."""
    return hash(text) if text else 0


def _first_known(then: int | None, moment: int) -> int:
    return moment if then is None else then


def _packed_all(uuids: Sequence[str]) -> bytes:
    """16 bytes each. All at once where all are of the usual form."""
    if all(map(_LENGTH_OF_UUID.__eq__, map(len, uuids))):
        try:
            packed = bytes.fromhex("".join(uuids).replace("-", ""))
        except ValueError:
            packed = b""
        if len(packed) == 16 * len(uuids):
            return packed
    return b"".join(map(_packed, uuids))


_LENGTH_OF_UUID = 36


def _packed(uuid: str) -> bytes:
    try:
        key = bytes.fromhex(uuid.replace("-", ""))
    except ValueError:
        key = b""
    # An id of another form still is one key an event.
    return key if len(key) == 16 else blake2b(uuid.encode("utf-8", "replace"), digest_size=16).digest()
