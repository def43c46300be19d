"""What became of a round, from the status words of many dialects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from queries.importers.vocabulary import listed, words


class Verdict(Enum):
    KEPT = "kept"
    DISCARDED = "discarded"
    CRASHED = "crashed"
    """It gave no result; a number beside it is not a score."""
    UNSAID = "unsaid"
    """It ran; whether it was kept shows only in the scores."""
    PENDING = "pending"
    """It has not ended yet."""


@dataclass(frozen=True, slots=True)
class Status:
    """`failure_mode` is None where the verdict alone does not tell it."""

    verdict: Verdict
    failure_mode: str | None = None


UNSAID = Status(Verdict.UNSAID)
_KEPT = Status(Verdict.KEPT)
_DISCARDED = Status(Verdict.DISCARDED)


def _crashed(failure_mode: str) -> Status:
    return Status(Verdict.CRASHED, failure_mode)


# Phrases of up to three words; the longest one that begins the cell counts, so "no" does not swallow "no op".
_DIALECTS: tuple[tuple[Status, str], ...] = (
    (
        _KEPT,
        """keep, kept, keeping, accept, accepted, improve, improved, improvement, yes, y, true, 1, merge, merged,
        advance, advanced, baseline, best, new best, better, win, winner, commit, committed, adopt, adopted""",
    ),
    (
        _DISCARDED,
        """discard, discarded, revert, reverted, reject, rejected, no, n, false, 0, drop, dropped, undo, undone,
        not kept, not keep, not accepted, not improved, no improvement, no gain, no change, no better, worse, neutral,
        same, tie, regressed, regression, rollback, rolled back, abandoned, lost""",
    ),
    (Status(Verdict.DISCARDED, "skipped"), "skip, skipped, no op, noop, blocked, hook blocked"),
    (
        _crashed("crash"),
        """crash, crashed, error, errored, err, fail, failed, failure, exception, broken, killed, aborted, nan,
        diverged, segfault""",
    ),
    (_crashed("oom"), "oom, out of memory, cuda oom"),
    (_crashed("timeout"), "timeout, timed out, time out"),
    (_crashed("json_fail"), "json fail, json failed, json error, jsonfail"),
    (_crashed("val_fail"), "val fail, val failed, validation fail, validation failed, validation error, valfail"),
    (UNSAID, "ok, okay, success, succeeded, successful, done, complete, completed, finished, ran, pass, passed"),
    (Status(Verdict.PENDING), "pending, running, in progress, started, queued, todo, tbd"),
)
_PHRASES = {phrase: status for status, phrases in _DIALECTS for phrase in listed(phrases)}
_SIGNS = {"✓": _KEPT, "✔": _KEPT, "✅": _KEPT, "+": _KEPT, "✗": _DISCARDED, "✘": _DISCARDED, "❌": _DISCARDED}
_SIGNS |= {"💥": _crashed("crash")}


def status_of(cell: str) -> Status | None:
    """The status that a cell begins with ("KEPT (new best)"), or None for words of no known dialect."""
    spoken = words(cell[:200])
    for length in (3, 2, 1):
        found = _PHRASES.get(" ".join(spoken[:length])) if len(spoken) >= length else None
        if found:
            return found
    return _SIGNS.get(cell.strip()[:1]) if not spoken else None


def mentions_crash(text: str) -> bool:
    """Whether a free description speaks of a crash; used only where no status and no usable score says otherwise."""
    return any(_PHRASES.get(word, UNSAID).verdict is Verdict.CRASHED for word in words(text[:2000]))


def combined(statuses: list[Status]) -> Status:
    """One status from several columns ("status: ok", "kept: true"): a crash counts first, then a decision."""
    for verdict in (Verdict.PENDING, Verdict.CRASHED, Verdict.KEPT, Verdict.DISCARDED):
        for status in statuses:
            if status.verdict is verdict:
                return status
    return UNSAID
