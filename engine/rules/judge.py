"""The judge that needs nothing: each question is answered by rules of a file of its own. It is always to be had."""

from __future__ import annotations

from collections.abc import Sequence

from engine.in_thread import in_thread
from engine.judge import Assessment, Candidate, Case, Match, Safety, SignalText
from engine.model import Signal
from engine.rules import assessing, manipulation, matching


class RulesJudge:
    name = "rules"

    async def safety(self, text: SignalText) -> Safety:
        return manipulation.found(text)

    async def safety_together(self, texts: Sequence[SignalText]) -> Safety:
        # Ten milliseconds a text, and a report may hold thousands: whoever decides meanwhile does not wait for it.
        return await in_thread(lambda: manipulation.found_together(texts), "safety")

    async def queries(self, signal: Signal) -> Sequence[str]:
        return matching.queries(signal)

    async def match(self, signal: Signal, candidates: Sequence[Candidate]) -> Match:
        return matching.match(signal, candidates)

    async def assess(self, case: Case) -> Assessment:
        return assessing.assess(case)
