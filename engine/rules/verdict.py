"""What rules say of one problem in a report, before it is put into words for the whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.judge import Actionability

START: Final[Actionability] = "immediately_actionable"
ASK: Final[Actionability] = "requires_human_input"
DROP: Final[Actionability] = "not_actionable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`priority` is 0 to 4. `title` says what is to be done, in the imperative where it is known; `matters` why anybody
    should care; `question` what the owner is asked, only for `ASK`. Clauses end with a full stop."""

    actionability: Actionability
    reason: str
    priority: int
    priority_reason: str
    title: str
    matters: str
    question: str = ""
    is_addressed: bool = False
