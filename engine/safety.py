"""The stage that reads before anything else does: what manipulates is blocked, what cannot be judged is held."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from engine.judge import THREATS, Safety, SignalText, Unavailable, texts_of
from engine.main import Worked
from engine.model import Signal
from engine.store import Store

AGAIN = timedelta(minutes=15)
"""How long a signal that could not be judged is held."""
SOONEST = timedelta(minutes=1)
"""A judge that asks to be asked again at once would never let the engine rest."""
_AT_ONCE = 4


class Reader(Protocol):
    """The part of a `Judge` that this stage asks."""

    @property
    def name(self) -> str: ...

    async def safety(self, text: SignalText) -> Safety: ...


@dataclass(frozen=True, slots=True)
class Finding:
    """What is written of a signal: `safety` is `passed`, `blocked` or `held`, the last until `again_at`."""

    safety: str
    threat: str = ""
    quote: str = ""
    why: str = ""
    again_at: datetime | None = None


class SafetyFilter:
    """Nothing passes because the judge failed, and a judge that is not there is asked once, not by every signal."""

    def __init__(self, judge: Reader) -> None:
        self._judge = judge
        self._unavailable: Unavailable | None = None
        self._again_at: datetime | None = None
        self._asked = ""
        """The judge that was not there; after a yes or a no another one is."""

    async def __call__(self, store: Store, now: datetime) -> Worked:
        done = 0
        if self._again_at is None or self._again_at <= now or self._asked != self._judge.name:
            self._again_at = self._unavailable = None
            waiting = store.unjudged(now)
            for first in range(0, len(waiting), _AT_ONCE):
                done += await self._judged(store, waiting[first : first + _AT_ONCE], now)
                # A model takes its time: whoever is at the door does not wait for all of them.
                if self._unavailable is not None or store.has_waiting():
                    break
        if self._unavailable is not None and self._again_at is not None:
            done += store.hold_unjudged(str(self._unavailable), now, again_at=self._again_at)
        return Worked(done, store.next_judgement())

    async def _judged(self, store: Store, signals: Sequence[tuple[str, Signal]], now: datetime) -> int:
        """How many were judged; those that the judge was not there for still wait."""
        findings = await asyncio.gather(*(self._finding(signal, now) for _, signal in signals))
        judged = [(id, found) for (id, _), found in zip(signals, findings, strict=True) if found is not None]
        with store.transaction("place"):
            for id, found in judged:
                store.judged(
                    id,
                    found.safety,
                    threat=found.threat,
                    quote=found.quote,
                    why=found.why,
                    by=self._judge.name,
                    again_at=found.again_at,
                )
        return len(judged)

    async def _finding(self, signal: Signal, now: datetime) -> Finding | None:
        try:
            return finding(await self._judge.safety(texts_of(signal)), now)
        except Unavailable as error:
            asked_for = error.retry_at or now + AGAIN
            self._unavailable, self._again_at = error, max(asked_for, now + SOONEST)
            self._asked = self._judge.name
            return None
        except Exception as error:
            # One text that a judge falls over must neither pass nor hold up the others.
            return _held(f"The judge failed over it ({type(error).__name__}).", now)


def finding(answer: Safety, now: datetime) -> Finding:
    """What an answer means. One that contradicts itself is no answer."""
    if answer.is_safe is True and not (answer.threat or answer.quote):
        return Finding("passed", why=answer.why)
    if answer.is_safe is not False:
        return _held("The judge called it safe and manipulation at once.", now)
    if answer.threat not in THREATS:
        return _held("The judge named a threat that is none.", now)
    if not answer.quote.strip():
        return _held("The judge quoted nothing of what it would block.", now)
    return Finding("blocked", answer.threat, answer.quote, answer.why)


def _held(why: str, now: datetime) -> Finding:
    return Finding("held", why=why, again_at=now + AGAIN)
