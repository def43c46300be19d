"""Who should look at a change: those who wrote the lines that research names, by `git blame` in our own mirror."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.forges.mirror import Mirror
from engine.git import GitFailed
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST = 3
_MOST_PATHS = 8
_AROUND = 15  # lines on both sides of one that is named
_TIMEOUT_S = 20.0
_MOST_OUTPUT = 16 << 20
_MACHINE = re.compile(r"\[bot\]|^(dependabot|renovate|github-actions)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """`lines` of those that were looked at are last theirs."""

    name: str
    email: str
    lines: int


def reviewers(mirror: Mirror, sha: str, places: Iterable[tuple[str, int]]) -> tuple[Reviewer, ...]:
    """`places` are paths and lines, 0 for the whole file. Who wrote most comes first; machines are left out. A file
    that git cannot say it of is passed over. Blocks."""
    lines: Counter[tuple[str, str]] = Counter()
    ranges: dict[str, set[int]] = {}
    for path, line in places:
        ranges.setdefault(path, set()).add(line)
    for path, named in list(ranges.items())[:_MOST_PATHS]:
        lines.update(_blamed(mirror, sha, path, sorted(named)))
    people = sorted(lines.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Reviewer(name, email, count) for (name, email), count in people if not _MACHINE.search(name))[:MOST]


def _blamed(mirror: Mirror, sha: str, path: str, named: Sequence[int]) -> Counter[tuple[str, str]]:
    within = [] if 0 in named else [f"-L{max(line - _AROUND, 1)},+{2 * _AROUND + 1}" for line in named]
    try:
        done = mirror.run(
            "blame",
            "--line-porcelain",
            *within,
            mirror.commit(sha),
            "--",
            path,
            timeout_s=_TIMEOUT_S,
            most=_MOST_OUTPUT,
        )
    except (GitFailed, LoopdeskError):
        return Counter()
    found: Counter[tuple[str, str]] = Counter()
    name = ""
    for line in done.out.split(b"\n"):
        # A line of the file itself begins with a tab.
        if line.startswith(b"author "):
            name = plain(line[7:].decode("utf-8", "replace"), 100)
        elif line.startswith(b"author-mail "):
            found[name, plain(line[12:].decode("utf-8", "replace").strip("<> "), 100)] += 1
    return found
