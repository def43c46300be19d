"""Everything about one row, as lines to read: what is odd about it, what it said, its properties, its conversation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from queries.views.trace.conversation import Conversation, Turn, pretty
from queries.views.trace.export import count, duration, offset
from queries.views.trace.rows import Row
from queries.views.words import money
from workspace.text import plain, plain_lines

LONGEST = 20_000  # characters of one property
MOST_LINES = 5_000


@dataclass(frozen=True, slots=True)
class Said:
    """One event in full."""

    uuid: str
    event: str
    timestamp: str
    distinct_id: str
    properties: Mapping[str, object]


class Line(NamedTuple):
    """`tone` is heading, name, text, dim, bad or good. The text is printable, and as long as it is."""

    tone: str
    text: str


# What a person looks for first, before the rest in the order of the alphabet.
_FIRST = (
    "plan", "next_action", "confidence", "args_json", "error", "result", "cause", "prior_error", "attempt", "verdict",
    "issues", "rationale", "score", "passed", "ok", "reason", "failure_mode", "delta", "$ai_model", "$ai_error",
    "$exception_list",
)  # fmt: skip
_PLACES = {name: place for place, name in enumerate(_FIRST)}
_MEANS = {
    "no return": "The call was never answered, as far as events came.",
    "no call": "An answer without its call: the call's event is missing.",
    "no start": "The event that began this is missing.",
    "parent missing": "It names a parent that is not among the events.",
    "parents in a loop": "Its parents lead back to itself; it stands at the round instead.",
    "clocks differ": "Its answer came before it, by the clocks of two machines.",
    "outside the round": "More than a minute before the round's start or after its end: another clock.",
    "late": "It arrived after the round's outcome, though it happened before.",
    "running": "Not answered yet.",
}


def detail(
    row: Row, said: Sequence[Said], talks: Mapping[str, Conversation] | None = None, remark: str = ""
) -> list[Line]:
    """`remark` is a sentence where the conversation would be."""
    return list(_most(_lines(row, said, talks or {}, remark)))


def _lines(row: Row, said: Sequence[Said], talks: Mapping[str, Conversation], remark: str) -> Iterator[Line]:
    yield Line("heading", row.label)
    yield Line("dim", _facts(row))
    for mark in row.marks:
        if mark in _MEANS:
            yield Line("bad", f"{mark}: {_MEANS[mark]}")
    if any(mark.startswith("×") for mark in row.marks):
        yield Line("bad", "The same event came more than once; it is counted once.")
    for talk in talks.values():
        yield from _conversation(talk)
    if remark:
        yield Line("text", "")
        yield Line("dim", plain(remark))
    for one in said:
        yield Line("text", "")
        yield Line("heading", plain(one.event))
        yield Line("dim", plain(f"{one.timestamp}  {one.distinct_id}  {one.uuid}"))
        for name in sorted(one.properties, key=lambda name: (_PLACES.get(name, len(_PLACES)), name)):
            yield from _property(name, one.properties[name])


def _facts(row: Row) -> str:
    parts = [
        row.kind,
        offset(row.offset_s),
        f"took {duration(row.duration_s)}" if row.duration_s is not None else "",
        f"{count(row.tokens)} tokens" if row.tokens is not None else "",
        money(row.cost_usd) if row.cost_usd is not None else "",
        ", ".join(row.marks),
        f"{row.children} below" if row.children else "",
    ]
    return "  ".join(part for part in parts if part)


def _property(name: str, value: object) -> Iterator[Line]:
    shown = plain(name, 80)
    if value is None or isinstance(value, bool | int | float):
        yield Line("name", f"{shown}: {json.dumps(value)}")
        return
    text = pretty(value)
    left_out = len(text) - LONGEST
    lines = plain_lines(text[:LONGEST])
    if len(lines) == 1:
        yield Line("name", f"{shown}: {lines[0]}")
    else:
        yield Line("name", f"{shown}:")
        yield from (Line("text", f"  {line}") for line in lines)
    if left_out > 0:
        yield Line("dim", f"  and {left_out:,} more characters")


def _conversation(talk: Conversation) -> Iterator[Line]:
    for turns in (talk.prompt, talk.answer):
        for turn in turns:
            yield from _turn(turn)
    if talk.tools:
        yield Line("text", "")
        yield Line("dim", plain(f"Tools it was offered: {', '.join(talk.tools)}"))


def _turn(turn: Turn) -> Iterator[Line]:
    yield Line("text", "")
    yield Line("heading", plain(turn.role, 40))
    yield from (Line("text", line) for line in plain_lines(turn.text))
    if turn.left_out:
        yield Line("dim", f"and {turn.left_out:,} more characters")


def _most(lines: Iterator[Line]) -> Iterator[Line]:
    for number, line in enumerate(lines):
        if number >= MOST_LINES:
            yield Line("dim", "and more lines than are shown here: copy or export them")
            return
        yield line


def properties_json(said: Sequence[Said]) -> str:
    """The events with all their properties, for the clipboard: printable characters only, as in everything copied."""
    found = [{"uuid": one.uuid, "event": one.event, "timestamp": one.timestamp, **_clean(one)} for one in said]
    return "\n".join(plain_lines(json.dumps(found[0] if len(found) == 1 else found, ensure_ascii=False, indent=2)))


def _clean(one: Said) -> dict[str, object]:
    return {"distinct_id": one.distinct_id, "properties": dict(one.properties)}
