"""What happened, on the time lines of charts: annotations, one mark for each stretch of time that holds any. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from queries.moments import moment_of
from queries.views.answers import bucket_of, buckets
from queries.views.window import Window
from workspace.text import plain, plain_lines

_LABEL = 60  # characters
_SHORT_SHA = 7
_SHA = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True, slots=True)
class Annotation:
    """`content` is printable, but for line ends."""

    id: int
    content: str
    at: datetime
    is_commit: bool

    @property
    def sha(self) -> str:
        """As much of its commit's sha as it says; empty where it is about none."""
        first = self.content.split(maxsplit=1)[0] if self.content.strip() else ""
        return first if self.is_commit and _SHA.fullmatch(first) else ""

    @property
    def label(self) -> str:
        """One line for a chart; of a sha only what people read."""
        sha = self.sha
        return plain(sha[:_SHORT_SHA] + self.content.strip().removeprefix(sha), _LABEL)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, in a bucket of a chart. `label` may be untrusted text; `annotations`, the oldest first,
    are those that it stands for, where that is known."""

    bucket: str
    label: str
    annotations: tuple[Annotation, ...] = ()


def annotation_of(row: Mapping) -> Annotation | None:
    """From PostHog's document. None for one without a moment, which is on no time line, and for what is deleted."""
    at, id = moment_of(row.get("date_marker")), row.get("id")
    if at is None or type(id) is not int or row.get("deleted"):
        return None
    content = "\n".join(plain_lines(str(row.get("content") or ""))).strip()
    return Annotation(id, content, at, row.get("creation_type") == "GIT")


def newest_first(found: Iterable[Annotation]) -> tuple[Annotation, ...]:
    return tuple(sorted(found, key=lambda one: (one.at, one.id), reverse=True))


def within(annotations: Iterable[Annotation], window: Window, zone: str) -> tuple[Annotation, ...]:
    """Those of the window, the oldest first; its last bucket counts whole, so that what is marked now is seen now."""
    return tuple(one for _, one in _placed(annotations, window, zone))


def marks_on(
    annotations: Iterable[Annotation], window: Window, zone: str, shas: Collection[str] = ()
) -> tuple[Mark, ...]:
    """The window's annotations by bucket, in order of time. `zone` is that of the answer's buckets. A commit of `shas`
    is on the chart already, as a deploy, and is left out."""
    found: dict[str, list[Annotation]] = defaultdict(list)
    for bucket, one in _placed(annotations, window, zone):
        if not any(same_commit(one.sha, sha) for sha in shas):
            found[bucket].append(one)
    return tuple(_mark(bucket, rows) for bucket, rows in found.items())


def joined(marks: Sequence[Mark]) -> Mark:
    """At least one mark, as the one that stands for all where a chart has a single cell for them."""
    if len(marks) == 1:
        return marks[0]
    known = [one for mark in marks for one in mark.annotations]
    if known and all(mark.annotations for mark in marks):
        return _mark(marks[0].bucket, known)
    count = sum(len(mark.annotations) or 1 for mark in marks)
    return Mark(marks[0].bucket, f"({count}) {plain(marks[0].label, _LABEL)}", tuple(known))


def same_commit(one: str, other: str) -> bool:
    """Of two shas, each perhaps only the beginning."""
    shorter, longer = sorted((one.lower(), other.lower()), key=len)
    return len(shorter) >= _SHORT_SHA and longer.startswith(shorter)


def _placed(annotations: Iterable[Annotation], window: Window, zone: str) -> list[tuple[str, Annotation]]:
    names = set(buckets(window, zone))
    later = newest_first(one for one in annotations if one.at >= window.span.since)
    return [(bucket, one) for one in reversed(later) if (bucket := bucket_of(one.at, window, zone)) in names]


def _mark(bucket: str, rows: Sequence[Annotation]) -> Mark:
    """What a person wrote says more than a commit."""
    named = next((one for one in rows if not one.is_commit), rows[0]).label
    return Mark(bucket, named if len(rows) == 1 else f"({len(rows)}) {named}", tuple(rows))
