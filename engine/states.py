"""What may become what: the states of reports, proposals and jobs, as tables. Nothing changes state outside of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from workspace.errors import LoopdeskError

Noun = Literal["report", "proposal", "job"]

# From the public reference's status machine. Beyond it: a snoozed report is `potential` and wakes as what it was, and
# one that joined another is `deleted` until it is split off again; and one whose fix was taken back needs a word.
_REPORT: Mapping[str, frozenset[str]] = {
    status: frozenset(after.split())
    for status, after in {
        "potential": "candidate ready pending_input resolved failed suppressed deleted",
        "candidate": "in_progress potential ready pending_input failed resolved suppressed deleted",
        "in_progress": "candidate potential ready pending_input failed resolved suppressed deleted",
        "pending_input": "candidate potential resolved failed suppressed deleted",
        "ready": "candidate potential pending_input resolved failed suppressed deleted",
        "resolved": "potential ready pending_input failed suppressed deleted",
        "failed": "candidate potential pending_input resolved suppressed deleted",
        "suppressed": "potential ready pending_input resolved failed deleted",
        "deleted": "potential ready pending_input resolved failed suppressed",
    }.items()
}
_PROPOSAL: Mapping[str, frozenset[str]] = {
    state: frozenset(after.split())
    for state, after in {
        "queued": "building failed closed superseded",
        "building": "open waiting_for_you merged failed closed superseded",
        "open": "red green waiting_for_you building merged closed superseded failed",
        "red": "building open green waiting_for_you merged closed superseded failed",
        "green": "merged red open building waiting_for_you closed superseded failed",
        "waiting_for_you": "building open red green merged closed superseded failed",
        "failed": "queued merged closed superseded",
        "merged": "",
        "closed": "",
        "superseded": "",
    }.items()
}
# A failed attempt stays failed: what follows it is another attempt, in a row of its own.
_JOB: Mapping[str, frozenset[str]] = {
    state: frozenset(after.split())
    for state, after in {
        "intended": "queued cancelled",
        "queued": "running cancelled",
        "running": "returned failed cancelled",
        "returned": "applied failed cancelled",
        "applied": "",
        "failed": "",
        "cancelled": "",
    }.items()
}
TABLES: Mapping[Noun, Mapping[str, frozenset[str]]] = {"report": _REPORT, "proposal": _PROPOSAL, "job": _JOB}

LIVE_JOB = ("intended", "queued", "running", "returned")
OPEN_PROPOSAL = ("queued", "building", "open", "red", "green", "waiting_for_you")
# What a proposal that waits for you waits for: a push of what CI would execute; a second key, because nothing checks
# it; a yes to another round; an answer to its question; your own hand, because somebody moved it.
WAITS_FOR = ("push", "second_key", "consent", "answer", "hand")
# How a report's status is called on screen (DESIGN, "Words").
SHOWN: Mapping[str, str] = {
    "potential": "Gathering",
    "candidate": "Queued",
    "in_progress": "Researching",
    "pending_input": "Needs input",
    "ready": "Ready",
    "resolved": "Resolved",
    "failed": "Failed",
    "suppressed": "Declined",
    "deleted": "Deleted",
}


class IllegalTransition(LoopdeskError):
    """A state was asked for that the present one does not lead to."""

    def __init__(self, noun: Noun, id: str, before: str, after: str) -> None:
        self.before, self.after = before, after
        super().__init__(f"The {noun} {id} is {_word(noun, before)} and cannot become {_word(noun, after)} from there")


def check(noun: Noun, id: str, before: str, after: str) -> None:
    """Raises `IllegalTransition`, also for states that there are not."""
    if after not in TABLES[noun].get(before, frozenset()):
        raise IllegalTransition(noun, id, before, after)


def _word(noun: Noun, state: str) -> str:
    return SHOWN.get(state, state).lower() if noun == "report" else state.replace("_", " ")
