"""Which issue an `$exception` belongs to: its fingerprint and the issue's id, the same on every machine. Pure.

PostHog keeps a fingerprint that came with the event and else makes one of the exceptions' types and frames. Ours is of
the same kind but is not the same text, so an issue here and its twin in PostHog have different ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from uuid import UUID, uuid5

EXCEPTION = "$exception"
_ISSUES = UUID("6c1e1c0f-6f5b-5b0e-9a63-0d6f2f3f7f10")
_MAX_GIVEN = 64  # characters: PostHog hashes a longer fingerprint
_MAX_PARTS = 200  # exceptions in a chain, and frames of one: a recursion has thousands
# What differs between two occurrences of one error.
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"0x[0-9a-f]+", re.IGNORECASE)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_HEX = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def issue_properties(properties: Mapping[str, object]) -> dict[str, object]:
    """`$exception_fingerprint` and `$exception_issue_id`; ids that came with the event are kept."""
    given = properties.get("$exception_fingerprint")
    fingerprint = _bounded(given) if isinstance(given, str) and given else _fingerprint(properties)
    issue = properties.get("$exception_issue_id")
    if not (isinstance(issue, str) and issue):
        issue = str(uuid5(_ISSUES, fingerprint))
    return {"$exception_fingerprint": fingerprint, "$exception_issue_id": issue}


def normalised(message: str) -> str:
    """The first line of a message without what differs between two occurrences: ids, addresses, quoted words, numbers.

    >>> normalised("No row 17 in 'rounds' at 0x7f")
    'No row # in * at #'
    """
    line = message.strip().partition("\n")[0][:500]
    line = _QUOTED.sub("*", line)
    for pattern in (_UUID, _ADDRESS, _HEX, _NUMBER):
        line = pattern.sub("#", line)
    return " ".join(line.split())


def _fingerprint(properties: Mapping[str, object]) -> str:
    chain = properties.get("$exception_list")
    exceptions = [item for item in chain if isinstance(item, Mapping)][:_MAX_PARTS] if isinstance(chain, list) else []
    if not exceptions:  # as older SDKs send it
        exceptions = [
            {"type": properties.get("$exception_type"), "value": properties.get("$exception_message")},
        ]
    text = "\n".join(part for exception in exceptions for part in _identity(exception))
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _identity(exception: Mapping[str, object]) -> list[str]:
    """Its type, then where our own code raised it; what it says only where that is not known."""
    frames = _frames(exception.get("stacktrace"))
    own = [frame for frame in frames if frame.get("in_app") is True] or frames
    places = [place for frame in own[-_MAX_PARTS:] if (place := _place(frame))]
    return [_text(exception.get("type")), *(places or [normalised(_text(exception.get("value")))])]


def _frames(stacktrace: object) -> list[Mapping[str, object]]:
    frames = stacktrace.get("frames") if isinstance(stacktrace, Mapping) else None
    return [frame for frame in frames if isinstance(frame, Mapping)] if isinstance(frames, Sequence) else []


def _place(frame: Mapping[str, object]) -> str:
    """A file and a function. The line is left out: an edit above it is not another error."""
    file = _text(frame.get("module")) or _text(frame.get("filename"))
    return f"{file}:{_text(frame.get('function'))}" if file else _text(frame.get("function"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _bounded(fingerprint: str) -> str:
    if len(fingerprint) <= _MAX_GIVEN:
        return fingerprint
    return hashlib.sha512(fingerprint.encode("utf-8", "replace")).hexdigest()
