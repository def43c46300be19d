"""The judge that needs nothing: each question is answered by rules of a file of its own. It is always to be had."""

from __future__ import annotations

from collections.abc import Sequence

from engine.judge import Assessment, Case, Safety, SignalText
from engine.rules import assessing, manipulation


class RulesJudge:
    name = "rules"

    async def safety(self, text: SignalText) -> Safety:
        return manipulation.found(text)

    async def safety_together(self, texts: Sequence[SignalText]) -> Safety:
        return manipulation.found_together(texts)

    async def assess(self, case: Case) -> Assessment:
        return assessing.assess(case)
