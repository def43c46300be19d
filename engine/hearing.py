"""What others wrote at a forge, read by the safety filter before an agent is shown it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.forges.protocol import Check
from engine.judge import Judge, SignalText

WITHHELD = "Its log is withheld: it seems to manipulate whoever reads it."


UNNAMED = "a check"
Key = tuple[str, str]
"""Of a failed check: what it is called, and what it says."""


async def heard(judge: Judge, checks: Sequence[Check], known: Collection[Key] = ()) -> tuple[Check, ...]:
    """The same checks; a log or a name that manipulates is not among them. `known` were read before. Raises
    `Unavailable`."""
    return tuple([await _heard(judge, check, known) for check in checks])


async def _heard(judge: Judge, check: Check, known: Collection[Key]) -> Check:
    # Of checks that passed nobody is shown the log: it was not read, and is not known.
    if check.state != "failed" or (check.name, check.summary) in known:
        return check
    safety = await judge.safety(SignalText("forge/check", {"name": check.name, "log": check.summary}))
    if safety.is_safe:
        return check
    name = await judge.safety(SignalText("forge/check", {"name": check.name}))
    return replace(check, name=check.name if name.is_safe else UNNAMED, summary=WITHHELD)
