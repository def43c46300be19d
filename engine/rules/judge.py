"""The judge that needs nothing: each question is answered by rules of a file of its own. It is always to be had."""

from __future__ import annotations

from engine.judge import Assessment, Case
from engine.rules import assessing


class RulesJudge:
    name = "rules"

    async def assess(self, case: Case) -> Assessment:
        return assessing.assess(case)
