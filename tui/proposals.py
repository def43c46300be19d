"""A proposal in words: where it stands, what it waits for, and the next step that is a human's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.model import Proposal, Report
from engine.proposals import MOST_ROUNDS
from queries.views.words import counted, listed
from workspace.text import plain

WAITS: Mapping[str, str] = {
    "push": "waits for your push",
    "second_key": "waits for your second key",
    "consent": "waits for your yes",
    "answer": "asks you",
    "hand": "waits for your hand",
}
_GOOD, _BAD, _LOUD = ("verified",), ("red", "failed", "regressed"), ("waiting_for_you",)
_LONGEST_TITLE = 70


@dataclass(frozen=True, slots=True)
class Step:
    """What a human's yes would have done next. `sha` is what has to have been on screen for it."""

    expect: str
    words: str
    """As a key's legend names it: `merge #42`."""
    sha: str = ""
    is_second: bool = False
    """Whether nothing has checked it, and one yes is not enough."""


def next_step(report: Report, proposal: Proposal | None) -> Step | None:
    """None where nothing waits for a yes; `why_none` says why."""
    if proposal is not None and proposal.is_open:
        waits = proposal.waits_for
        if waits == "push":
            return Step("push", "push it", str(proposal.change.get("sha", "")))
        if waits == "consent":
            return Step("start", "another round")
        if (proposal.state == "green" or waits == "second_key") and not proposal.merge_approved:
            return Step("merge", f"merge {number(proposal)}", proposal.head_sha, waits == "second_key")
        return None
    has_begun = proposal is None and report.start_approved_by
    return Step("start", "start the fix") if report.status == "ready" and not has_begun else None


def why_none(report: Report, proposal: Proposal | None, status: str) -> str:
    """Why there is nothing to approve, in a sentence."""
    if proposal is not None and proposal.merge_approved and proposal.is_open:
        return "Its merge is approved already."
    if proposal is not None and proposal.is_open:
        return {
            "answer": "It asks you something: context answers it.",
            "hand": "Somebody else's hand is on it: merge or close it there.",
        }.get(proposal.waits_for, f"Its proposal is not there yet: {state(proposal)}.")
    if report.start_approved_by and proposal is None:
        return "Its start is approved already."
    return f"Only a ready report can be started. It is {status.lower()}."


def speaks_for(report: Report, proposal: Proposal | None) -> bool:
    """Whether how a report stands is how its proposal stands."""
    if proposal is None or report.is_snoozed:
        return False
    if proposal.state == "merged":
        return report.status == "resolved"
    return proposal.is_open or (proposal.state == "failed" and report.status != "pending_input")


def closing(proposals: Iterable[Proposal | None]) -> str:
    """What ending their reports does to proposals, in a sentence; empty where none is open."""
    found = [one for one in proposals if one is not None and one.is_open]
    if not found:
        return ""
    if len(found) > 1:
        return f"{len(found)} open proposals are closed with them, and taking that back later opens none of them again."
    which = f"Its proposal {number(found[0])}" if found[0].number is not None else "Its proposal"
    return f"{which} is closed with it, and taking that back later does not open it again."


def number(proposal: Proposal) -> str:
    return f"#{proposal.number}" if proposal.number is not None else "it"


def state(proposal: Proposal) -> str:
    """A few words: `checks 3 of 5`, `waits for your push`, `merged, verified −35 %`."""
    words = {
        "queued": "fix queued",
        "building": _building(proposal),
        "open": checks_said(proposal),
        "red": f"red: {listed(_names(proposal, 'failed'), 3)} failed" if _names(proposal, "failed") else "red",
        "green": "being merged" if proposal.merge_approved else f"green, {checks_said(proposal)}",
        "waiting_for_you": WAITS.get(proposal.waits_for, "waits for you"),
        "failed": "fix failed",
        "merged": _merged(proposal),
    }
    found = words.get(proposal.state, proposal.state.replace("_", " "))
    return f"revert, {found}" if proposal.reverts else found


def sentence(proposal: Proposal, clock: Callable[..., str]) -> str:
    """For a row: the state, when another round begins, and what was said of it."""
    found = state(proposal)
    if proposal.countdown_until is not None:
        return f"{found}; another round at {clock(proposal.countdown_until, seconds=True)}"
    is_told = proposal.state in ("failed", "closed") or proposal.waits_for in ("push", "answer", "hand", "consent")
    said = plain(proposal.said, 300) if is_told else ""
    return f"{found}: {said}" if said else found


def tone(proposal: Proposal) -> str:
    """good, bad, warn or text; the words say the same."""
    if proposal.state == "green" or proposal.verdict in _GOOD:
        return "good"
    if proposal.state in _BAD or proposal.verdict in _BAD:
        return "bad"
    return "warn" if proposal.state in _LOUD else "text"


def standing(proposal: Proposal) -> str:
    """`#42 into main at 1a2b3c4d5e`; as far as there is any of it."""
    parts = (
        number(proposal) if proposal.number is not None else "",
        f"into {plain(proposal.base, 60)}" if proposal.base else "",
        f"at {proposal.head_sha[:10]}" if proposal.head_sha else "",
    )
    return " ".join(part for part in parts if part)


def size(proposal: Proposal) -> str:
    """`3 files +42 −7`; empty before anything was built."""
    change: Mapping[str, Any] = proposal.change
    if not change:
        return ""
    files = change.get("files")
    counts = f"+{change.get('added', 0)} −{change.get('removed', 0)}"
    return f"{counted(files, 'file')} {counts}" if isinstance(files, int) else counts


def rounds(proposal: Proposal) -> str:
    return f"mended {proposal.rounds} of {MOST_ROUNDS} times" if proposal.rounds else ""


def title(proposal: Proposal) -> str:
    return plain(proposal.title, _LONGEST_TITLE) or "(no title yet)"


def checks(proposal: Proposal) -> Sequence[Mapping[str, Any]]:
    found = proposal.checks.get("checks", [])
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def points(proposal: Proposal) -> Sequence[Mapping[str, Any]]:
    """What the second agent had to say about places of the change."""
    return _list(proposal.review, "points")


def findings(proposal: Proposal) -> Sequence[Mapping[str, Any]]:
    return _list(proposal.guard, "findings")


def asked(proposal: Proposal) -> Sequence[Mapping[str, Any]]:
    """What was asked of it and is not answered yet."""
    return _list(proposal.feedback, "waiting")


def _list(document: Mapping[str, object], name: str) -> list[Mapping[str, Any]]:
    found = document.get(name, [])
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _names(proposal: Proposal, wanted: str) -> list[str]:
    return [plain(one.get("name", ""), 60) for one in checks(proposal) if one.get("state") == wanted]


def _building(proposal: Proposal) -> str:
    if proposal.is_built:
        return "being pushed" if proposal.number is None else "its new state is being pushed"
    if proposal.reverts:
        return "being made"
    return "fix being made" if proposal.builds == 1 else f"change {proposal.builds} being made"


def checks_said(proposal: Proposal) -> str:
    """`checks 3 of 5`: those that passed or were left out, of all."""
    known = checks(proposal)
    if not known:
        return "its checks run" if proposal.checks.get("to_run") else "no checks yet"
    passed = sum(one.get("state") in ("passed", "skipped") for one in known)
    return f"checks {passed} of {len(known)}"


def _merged(proposal: Proposal) -> str:
    if not proposal.verdict:
        return "merged, not measured yet"
    change = change_share(proposal)
    return f"merged, {proposal.verdict}{f' {change}' if change else ''}"


def change_share(proposal: Proposal) -> str:
    """How far its metric moved, of what it was before: `−35 %`; empty where that cannot be said."""
    before, after = (measured(proposal, side) for side in ("before", "after"))
    if before is None or after is None or before == 0:
        return ""
    share = round((after - before) / abs(before) * 100)
    return f"{'−' if share < 0 else '+'}{abs(share):,} %"


def measured(proposal: Proposal, side: str) -> float | None:
    """What its metric was before or after, in the metric's unit."""
    found = proposal.outcome.get(side)
    value = found.get("value") if isinstance(found, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
