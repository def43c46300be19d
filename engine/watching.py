"""The stage that looks after open proposals: what forges show of them, and what follows.

A look is a few conditional requests in a thread of its own; where nothing changed a forge answers so, and the engine
writes nothing. A comment is read by the safety filter before it may start any work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from engine import reading
from engine.babysitting import ALSO_LOOKED_AT, WATCHED, Said, Seen, observed
from engine.delivering import Forges
from engine.forges.errors import Limited
from engine.forges.protocol import Check, Comment, Forge, PullRequest
from engine.hearing import Key, heard
from engine.in_thread import LOOK_AGAIN, Flight
from engine.judge import Judge, SignalText, Unavailable
from engine.main import Worked, warn
from engine.model import Proposal
from engine.proposals import followed
from engine.store import NewerInbox, Store
from workspace.errors import LoopdeskError
from workspace.text import plain

SOON, LATER = timedelta(seconds=20), timedelta(minutes=2)
"""Between two looks: while checks run or a round is near, and while it waits for a person."""
_STATES = ", ".join(repr(state) for state in (*WATCHED, *ALSO_LOOKED_AT))
_WATCHED = f"WHERE number IS NOT NULL AND is_closed_there = 0 AND state IN ({_STATES}) ORDER BY id"


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look found of one proposal, or why it found nothing."""

    pull: PullRequest | None = None
    checks: tuple[Check, ...] = ()
    comments: tuple[Comment, ...] = ()
    error: LoopdeskError | None = None


class Watching:
    """Raises nothing: a forge that does not answer is asked again later."""

    def __init__(self, forges: Forges, judge: Judge, tell: Callable[[str], None] = warn) -> None:
        self._forges, self._judge, self._tell = forges, judge, tell
        self._next: dict[str, datetime] = {}
        self._flight: Flight[Mapping[str, _Look]] = Flight("forges")
        self._is_flying = False
        self._told: set[str] = set()
        self._looked_at = datetime.min.replace(tzinfo=UTC)
        self._withheld: dict[str, dict[Key, Key]] = {}

    async def __call__(self, store: Store, now: datetime) -> Worked:
        watched = {one.id: one for one in reading.select(store.connection, Proposal, "proposals", _WATCHED)}
        if now < self._looked_at:  # a clock was set back: what was put off is not put off for that long
            self._next.clear()
        self._looked_at = now
        self._next = {id: at for id, at in self._next.items() if id in watched}
        self._withheld = {id: found for id, found in self._withheld.items() if id in watched}
        due = [one for id, one in watched.items() if self._next.get(id, now) <= now]
        done = 0
        if due or self._is_flying:
            loop = asyncio.get_running_loop()
            self._is_flying = True
            landed = await self._flight.landed(lambda: self._looked(due, loop))
            if landed is None:
                return Worked(done, now + LOOK_AGAIN, is_on_its_way=True)
            self._is_flying = False
            for id, look in landed.result().items():
                if id not in watched:
                    continue
                try:
                    done += await self._follow(store, watched[id], look, now)
                except NewerInbox:
                    raise
                except Exception as error:
                    # A fault of ours with one of them holds up no other.
                    self._failed(watched[id], _fault(error), now)
        return Worked(done, min(self._next.values(), default=None))

    def _looked(self, due: Sequence[Proposal], loop: asyncio.AbstractEventLoop) -> Mapping[str, _Look]:
        found = {}
        for proposal in due:
            try:
                found[proposal.id] = _look(self._forges.of(proposal.repository, loop), proposal)
            except Exception as error:
                found[proposal.id] = _Look(error=_fault(error))
        return found

    async def _follow(self, store: Store, proposal: Proposal, look: _Look, now: datetime) -> int:
        self._next[proposal.id] = now + (SOON if _is_lively(proposal) else LATER)
        if look.error is not None or look.pull is None:
            self._failed(proposal, look.error, now)
            return 0
        try:
            said = [await self._heard(comment) for comment in _new(proposal, look.comments)]
            checks = await self._checks(proposal, look)
        except Unavailable as error:
            self._failed(proposal, error, now)
            return 0
        with store.transaction("reconcile"):
            # It may have moved while the forge was asked.
            current = reading.proposal(store.connection, proposal.id)
            if current != proposal:
                return 0
            effects = observed(proposal, Seen(look.pull, checks, tuple(said)), now)
            report = reading.report(store.connection, proposal.report_id)
            store.write((*effects, *followed(report, effects, now)), now)
        if effects:
            self._next[proposal.id] = now + SOON
        return len(effects)

    async def _checks(self, proposal: Proposal, look: _Look) -> tuple[Check, ...]:
        """What was read before is not read again in every look, and what was withheld stays so."""
        stored = [one for one in _list(proposal.checks, "checks") if one.get("state") == "failed"]
        known = {(one.get("name", ""), one.get("summary", "")) for one in stored}
        withheld = self._withheld.setdefault(proposal.id, {})
        found = []
        for check in look.checks:
            key = (check.name, check.summary)
            if check.state == "failed" and key in withheld:
                name, summary = withheld[key]
                found.append(replace(check, name=name, summary=summary))
                continue
            (read,) = await heard(self._judge, [check], known)
            if read != check:
                withheld[key] = (read.name, read.summary)
            found.append(read)
        return tuple(found)

    async def _heard(self, comment: Comment) -> Said:
        if not comment.is_trusted or comment.is_ours:
            return Said(comment, is_safe=False)
        text = SignalText("forge/comment", {"body": comment.body, "path": comment.path})
        return Said(comment, (await self._judge.safety(text)).is_safe)

    def _failed(self, proposal: Proposal, error: LoopdeskError | None, now: datetime) -> None:
        if isinstance(error, Limited):
            self._next[proposal.id] = max(error.until, now + SOON)
        said = f"The proposal “{plain(proposal.title, 60)}” could not be looked after: {error}"
        if said not in self._told:
            self._told.add(said)
            self._tell(said)


def _fault(error: Exception) -> LoopdeskError:
    return error if isinstance(error, LoopdeskError) else LoopdeskError(f"{type(error).__name__}: {error}")


def _look(forge: Forge, proposal: Proposal) -> _Look:
    assert proposal.number is not None
    pull = forge.read(proposal.number)
    if pull.state != "open" or pull.head_sha != proposal.head_sha or proposal.state in ALSO_LOOKED_AT:
        return _Look(pull)
    return _Look(pull, forge.checks(pull.head_sha), forge.conversation(proposal.number))


def _new(proposal: Proposal, comments: Sequence[Comment]) -> list[Comment]:
    seen = _list(proposal.feedback, "seen")
    return [one for one in comments if one.id not in seen]


def _is_lively(proposal: Proposal) -> bool:
    return proposal.state in ("open", "red") or proposal.countdown_until is not None


def _list(document: Mapping[str, object], name: str) -> list[Any]:
    found = document.get(name, [])
    assert isinstance(found, list)  # the row is our own
    return found
