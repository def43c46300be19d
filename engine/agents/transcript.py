"""What an agent said and did in one run, item by item: JSON lines, clipped, of which nothing is known to be true."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar

MOST_TEXT = 20_000  # characters of one text
MOST_BYTES = 4 << 20  # of all items together
_DEEPEST = 6
_MOST_MEMBERS = 100


@dataclass(frozen=True, slots=True)
class Item:
    kind: ClassVar[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Asked(Item):
    """What it was asked by us: the task, or to mend its answer."""

    kind = "asked"
    text: str


@dataclass(frozen=True, slots=True)
class Said(Item):
    """`turn` counts the model's answers, from 1 on; `message` is the answer's id."""

    kind = "said"
    turn: int
    message: str
    text: str


@dataclass(frozen=True, slots=True)
class Called(Item):
    """A tool, by the model. `call` pairs it with what returned."""

    kind = "called"
    turn: int
    message: str
    call: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Returned(Item):
    kind = "returned"
    call: str
    tool: str
    is_ok: bool
    latency_ms: float
    text: str
    size: int
    """Bytes, before it was clipped."""


@dataclass(frozen=True, slots=True)
class HostCall(Item):
    """A tool that ran on the host: what it was really called with, and what it answered."""

    kind = "host_call"
    tool: str
    arguments: Mapping[str, Any]
    is_ok: bool
    latency_ms: float
    text: str


@dataclass(frozen=True, slots=True)
class Refused(Item):
    """By the gateway. `what` is a `sandbox.protocol.Kind`."""

    kind = "refused"
    what: str
    said: str


@dataclass(frozen=True, slots=True)
class ModelCall(Item):
    """As the gateway measured it. `status` is the API's, 0 where it gave none; `message` the id of its answer."""

    kind = "model_call"
    model: str
    status: int
    latency_ms: float
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    cost_usd: float
    message: str


@dataclass(frozen=True, slots=True)
class Note(Item):
    """Of ours: a snapshot that was taken, or how the run ended."""

    kind = "note"
    text: str


_KINDS: Mapping[str, type[Item]] = {
    one.kind: one for one in (Asked, Said, Called, Returned, HostCall, Refused, ModelCall, Note)
}


class Transcript:
    """Grows while a run goes on. `told` hears of every item, also of those that have no room any more."""

    def __init__(self, told: Callable[[Item], None] = lambda _: None) -> None:
        self._lines: list[bytes] = []
        self._bytes = 0
        self._left_out = 0
        self._told = told
        self._last: datetime | None = None

    def add(self, item: Item) -> None:
        line = _line(item)
        self._last = item.at
        if self._bytes + len(line) <= MOST_BYTES:
            self._lines.append(line)
            self._bytes += len(line)
        else:
            self._left_out += 1
        self._told(item)

    def written(self) -> bytes:
        lines = list(self._lines)
        if self._left_out and self._last:
            lines.append(_line(Note(self._last, f"{self._left_out:,} more items had no room")))
        return b"".join(lines)


def read(written: bytes) -> Iterator[Item]:
    """Raises `ValueError` for what is no transcript."""
    for line in written.splitlines():
        try:
            told = json.loads(line)
            kind = _KINDS[told.pop("kind")]
            yield kind(**{**told, "at": datetime.fromisoformat(told["at"])})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"that is no item of a transcript ({type(error).__name__})") from None


def clipped(value: Any, most: int = MOST_TEXT, depth: int = 0) -> Any:
    """JSON that is not longer than anybody reads; names of members are values too."""
    if isinstance(value, str):
        # What no encoding has, no file takes.
        text = value if len(value) <= most else f"{value[:most]} … ({len(value) - most:,} more characters)"
        return text.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping | list | tuple) and depth == _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        members = list(value.items())[:_MOST_MEMBERS]
        return {clipped(str(name), 200): clipped(inner, most, depth + 1) for name, inner in members}
    if isinstance(value, list | tuple):
        return [clipped(inner, most, depth + 1) for inner in value[:_MOST_MEMBERS]]
    return value


def _line(item: Item) -> bytes:
    told = {"kind": item.kind} | {one.name: clipped(getattr(item, one.name)) for one in fields(item)}
    told["at"] = item.at.isoformat()
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
