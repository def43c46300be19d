"""The drop-in client's spool: one PostHog wire event per line, stored as it was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from queries.importers.commits import instant
from queries.importers.files import lines
from queries.importers.log import Problem, refuse_if_mostly_bad
from queries.importers.wanted import Wanted
from workspace.errors import LoopdeskError

FORMAT = "spool"
_LOOKED_AT = 5  # lines; the first may be damaged


@dataclass(frozen=True, slots=True)
class ParsedSpool:
    format: str
    events: tuple[Mapping[str, Any], ...]
    problems: tuple[Problem, ...] = ()


class SpoolFile:
    format = FORMAT

    def recognises(self, text: str) -> bool:
        starts = [line for line in lines(text[:2_000_000]) if line.strip()][:_LOOKED_AT]
        return any("event" in event and "properties" in event for event in map(_object, starts) if event)

    def parse(self, text: str, wanted: Wanted) -> ParsedSpool:
        """Raises `LoopdeskError` when too many lines are no events."""
        every = lines(text)
        last = len(every) - 1
        events: list[Mapping[str, Any]] = []
        problems: list[Problem] = []
        for index, line in enumerate(every):
            if not line.strip():
                continue
            event = _object(line)
            wrong = _wrong(event)
            if wrong is None and event is not None:
                events.append(event if event.get("uuid") else {**event, "uuid": _uuid_of(line)})
            elif index == last:
                problems.append(Problem(f"line {index + 1}", "the last line is cut short and is left out"))
            else:
                problems.append(Problem(f"line {index + 1}", wrong or "", lost=True))
        if not events and not any(problem.lost for problem in problems):
            raise LoopdeskError("It holds no whole event", do="Check that it is the right file")
        refuse_if_mostly_bad(problems, len(events) + sum(problem.lost for problem in problems))
        return ParsedSpool(FORMAT, tuple(events), tuple(problems))


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _wrong(event: Mapping[str, Any] | None) -> str | None:
    """What the store would refuse, or mend with the time of the import, which is not when it happened."""
    if event is None:
        return "it is not a JSON object"
    if not isinstance(event.get("event"), str) or not event["event"].strip():
        return "it has no event name"
    if not isinstance(event.get("distinct_id"), str) or not event["distinct_id"]:
        return "it has no distinct_id"
    if not isinstance(event.get("properties"), dict):
        return "its properties are not an object"
    if not isinstance(event.get("timestamp"), str) or instant(event["timestamp"]) is None:
        return "it has no timestamp"
    try:
        UUID(str(event.get("uuid") or _uuid_of("")))
    except ValueError:
        return "its uuid is not a UUID"
    return None


def _uuid_of(line: str) -> str:
    """The same line is the same event, however often it is imported."""
    return str(uuid5(NAMESPACE_URL, f"loopdesk:spool:{line.strip()}"))
