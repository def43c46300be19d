"""When rounds happened: from commits, from what the log says, and estimated in between."""

from __future__ import annotations

import os
import subprocess
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path

from queries.importers.files import lines
from queries.importers.log import LogRound, Moment
from queries.importers.numbers import number
from workspace.errors import LoopdeskError
from workspace.text import plain

_MIN_SHA = 4
_HEX = frozenset("0123456789abcdef")
_MAX_COMMITS = 200_000
_GIT_PATIENCE_S = 60


def instant(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 date and time, or a Unix time in seconds or milliseconds, in UTC; None on anything else.

    `zone` is that of a time which does not say its own. A date alone is no time.
    """
    text = text.strip()
    seconds = number(text)
    try:
        if seconds is not None:
            seconds = seconds / 1000 if seconds > 1e11 else seconds
            found = datetime.fromtimestamp(seconds, UTC) if seconds > 1e9 else None
        elif len(text) > 10 and text[4:5] == "-":
            found = datetime.fromisoformat(text)
            found = (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
        else:
            found = None
    except (ValueError, OverflowError, OSError):
        return None
    return found if found and 1990 <= found.year <= 2200 else None


@dataclass(frozen=True, slots=True)
class StoredEnd:
    """The last row of a log that is stored already, and its time: what is new came later."""

    row: int
    at: datetime


class CommitTimes:
    """Commit times by sha, whole or shortened."""

    def __init__(self, times: Mapping[str, datetime], source: str) -> None:
        self._times = times
        self._shas = sorted(times)
        self.source = source

    def __len__(self) -> int:
        return len(self._times)

    def of(self, sha: str) -> datetime | None:
        """The time of the one commit that `sha` can mean; None when it means none or several."""
        sha = sha.strip().lower()
        if len(sha) < _MIN_SHA or not _HEX.issuperset(sha):
            return None
        if sha in self._times:
            return self._times[sha]
        at = bisect_left(self._shas, sha)
        longer = [known for known in self._shas[at : at + 2] if known.startswith(sha)]
        shorter = [sha[:length] for length in range(_MIN_SHA, len(sha)) if sha[:length] in self._times]
        meant = longer or shorter
        return self._times[meant[0]] if len(meant) == 1 else None


def parse_commits(text: str, source: str, zone: tzinfo = UTC) -> CommitTimes:
    """`sha<TAB>time<TAB>subject` per line. Raises `LoopdeskError` where no line is of that form."""
    times: dict[str, datetime] = {}
    for line in lines(text):
        sha, _, rest = line.partition("\t")
        at = instant(rest.partition("\t")[0], zone)
        sha = sha.strip().lower()
        if at and len(sha) >= _MIN_SHA and _HEX.issuperset(sha):
            times[sha] = at
    if not times:
        raise LoopdeskError(
            f"{source} holds no commit times",
            "Each line must be a commit's sha, a tab and its time, as 2026-03-08T03:38:47+00:00",
            "Write it with: git log --format='%h%x09%cI%x09%s'",
        )
    return CommitTimes(times, source)


def from_repository(folder: Path) -> CommitTimes:
    """Commit times of all branches and of the reflog, which still knows discarded rounds. Raises `LoopdeskError`."""
    try:
        done = subprocess.run(
            _git_log(folder),
            env=_git_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_GIT_PATIENCE_S,
        )
    except FileNotFoundError as error:
        raise LoopdeskError("git is not installed", "--repo needs it", "Install git, or use --commits FILE") from error
    except (subprocess.TimeoutExpired, OSError, ValueError) as error:
        raise LoopdeskError(f"git could not read {folder}: {plain(error, 200)}", do="Use --commits FILE") from error
    if done.returncode:
        said = plain(done.stderr.decode("utf-8", "replace"), 200) or "it gave no reason"
        raise LoopdeskError(f"git could not read {folder}: {said}", do="Name the loop's repository with --repo")
    return parse_commits(done.stdout.decode("utf-8", "replace"), str(folder))


def moments(
    rounds: Sequence[LogRound],
    commits: CommitTimes | None,
    spacing: timedelta,
    end: datetime,
    stored: StoredEnd | None = None,
) -> list[Moment]:
    """When each round began. What the log says of its time comes first, then its commit's time, then an estimate.

    Several rounds may name the same commit (a discarded one its parent, say): only the first began at its time.
    Raises `LoopdeskError` when spacing leads out of the calendar.
    """
    seen: set[str] = set()
    known: list[datetime | None] = []
    for round in rounds:
        at = round.at
        if at is None and commits and round.commit not in seen:
            at = commits.of(round.commit)
        seen.add(round.commit)
        known.append(at)
    try:
        if any(known):
            return _between(known, spacing, end)
        fresh = sum(round.row > stored.row for round in rounds) if stored else 0
        return _back_from(end, len(known), _step(spacing, stored.at if stored else None, end, fresh))
    except OverflowError as error:
        raise LoopdeskError(
            f"{len(rounds):,} rounds {spacing} apart reach out of the calendar", do="Lower --minutes-per-round"
        ) from error


def _back_from(end: datetime, count: int, step: timedelta) -> list[Moment]:
    return [Moment(end - (count - 1 - place) * step, True) for place in range(count)]


def _between(known: Sequence[datetime | None], spacing: timedelta, end: datetime) -> list[Moment]:
    """Between known times evenly; before the first and after the last `spacing` apart, but not later than `end`."""
    fixed = [(place, at) for place, at in enumerate(known) if at is not None]
    (first, start), (last, stop) = fixed[0], fixed[-1]
    after = _step(spacing, stop if stop < end else None, end, len(known) - 1 - last)
    placed = [Moment(start - (first - place) * spacing, True) for place in range(first)]
    for (left, at), (right, then) in pairwise(fixed):
        placed.append(Moment(at, False))
        placed += [Moment(at + (then - at) * step / (right - left), True) for step in range(1, right - left)]
    placed.append(Moment(stop, False))
    return placed + [Moment(stop + step * after, True) for step in range(1, len(known) - last)]


def _step(spacing: timedelta, since: datetime | None, until: datetime, count: int) -> timedelta:
    """`spacing`, or less where `count` rounds would not fit into the time there was."""
    if since is None or not count:
        return spacing
    return min(spacing, max(until - since, timedelta(0)) / count)


def _git_log(folder: Path) -> list[str]:
    # A repository's own configuration can name programs to run: monitors, hooks, pagers, signature checkers.
    return [
        "git", "--no-pager", "-C", str(folder),
        "-c", "core.fsmonitor=", "-c", f"core.hooksPath={os.devnull}", "-c", "core.pager=cat",
        "-c", "log.showSignature=false", "-c", "protocol.allow=never", "-c", "credential.helper=",
        "log", "--all", "--reflog", f"--max-count={_MAX_COMMITS}", "--no-show-signature", "--no-color", "--no-decorate",
        "--no-mailmap", "--no-patch", "--encoding=UTF-8", "--format=tformat:%H%x09%cI%x09%s", "--",
    ]  # fmt: skip


def _git_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {
        "LC_ALL": "C", "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1",
    }  # fmt: skip
