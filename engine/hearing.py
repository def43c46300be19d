"""What others wrote at a forge, read by the safety filter before an agent is shown it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.forges.protocol import Check
from engine.judge import Judge, SignalText

WITHHELD = "Its log is withheld: it seems to manipulate whoever reads it."


async def heard(judge: Judge, checks: Sequence[Check], known: Collection[str] = ()) -> tuple[Check, ...]:
    """The same checks; a log that manipulates is not among them. `known` were read before. Raises `Unavailable`."""
    return tuple([await _heard(judge, check, known) for check in checks])


async def _heard(judge: Judge, check: Check, known: Collection[str]) -> Check:
    # Of checks that passed nobody is shown the log.
    if check.state != "failed" or not check.summary or check.summary in known:
        return check
    safety = await judge.safety(SignalText("forge/check", {"name": check.name, "log": check.summary}))
    return check if safety.is_safe else replace(check, summary=WITHHELD)
