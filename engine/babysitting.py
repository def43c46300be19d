"""What the forge shows of a proposal, and what follows: green, red, another round, somebody else's hand. Pure.

What somebody else did to a branch or a pull request is noticed and said, and never fought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from engine.effects import AddArtefact, Effect, Log, SaveProposal
from engine.forges.protocol import Check, Comment, PullRequest, standing
from engine.model import ENGINE, Artefact, Proposal
from engine.proposals import MOST_ROUNDS
from workspace.text import plain

COUNTDOWN = timedelta(minutes=2)
CHECKS_APPEAR_WITHIN = timedelta(minutes=3)
"""After a push; a forge without any check by then has none."""
MOST_COMMENT = 4_000
MOST_WAITING = 20
WATCHED = ("open", "red", "green", "waiting_for_you")
ALSO_LOOKED_AT = ("failed",)
"""Whether somebody merges or closes them all the same."""


@dataclass(frozen=True, slots=True)
class Said:
    """A new comment on a proposal. `is_safe` is what the safety filter found of it, where its author is trusted."""

    comment: Comment
    is_safe: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the forge. `checks` are those of the pull request's head."""

    pull: PullRequest
    checks: tuple[Check, ...]
    said: tuple[Said, ...] = ()


def observed(proposal: Proposal, seen: Seen, now: datetime) -> tuple[Effect, ...]:
    """Nothing where nothing is new."""
    pull = seen.pull
    heard, effects = _heard(proposal, seen.said, now)
    if pull.state != "open":
        return (*effects, *ended(heard, pull.state, pull.merge_sha, pull.head_sha, now))
    if proposal.state == "failed":
        return tuple(effects)
    if pull.base != proposal.base:
        said = (
            f"Its pull request leads into {plain(pull.base, 80)} now and not into {plain(proposal.base, 80)}: loopdesk "
            "leaves it alone. Merge or close it yourself."
        )
        return (*effects, *_waits(heard, "hand", said, now))
    if pull.head_sha != proposal.head_sha:
        said = (
            f"Somebody pushed to {plain(proposal.branch, 80)}: it stands at {pull.head_sha[:10]} now, and loopdesk "
            "leaves it alone. Merge or close it yourself."
        )
        return (*effects, *_waits(heard, "hand", said, now))
    if pull.mergeable is False:
        said = f"It conflicts with {plain(proposal.base, 80)}: bring the branch up to date, or close it."
        return (*effects, *_waits(heard, "hand", said, now))
    if proposal.checks.get("to_run") and proposal.waits_for == "hand":
        # What was in the way is gone before its checks have run.
        return (*effects, *_moved(heard, "open", "", now))
    is_unrun = proposal.checks.get("could_not_run") and proposal.waits_for == "second_key"
    if proposal.checks.get("to_run") or is_unrun or proposal.waits_for in ("push", "answer"):
        return (*effects, *_kept(proposal, heard, now))
    checked_ = checked(heard, seen.checks, now)
    return (*effects, *(checked_ or _kept(proposal, heard, now)))


def ended(proposal: Proposal, state: str, merge_sha: str, head_sha: str, now: datetime) -> tuple[Effect, ...]:
    """Its pull request was merged or closed, whoever did it."""
    if state == "merged":
        said = "It was merged by hand." if not proposal.merge_approved else "It was merged."
        return _moved(proposal, "merged", said, now, merge_sha=merge_sha, merged_at=now, head_sha=head_sha)
    said = "Its pull request was closed without being merged."
    if proposal.state == "failed":
        # That is no word about the report: another one may be on its way.
        return (SaveProposal(replace(proposal, is_closed_there=True, changed_at=now)),)
    return _moved(proposal, "closed", said, now, is_closed_there=True)


def checked(proposal: Proposal, checks: Sequence[Check], now: datetime) -> tuple[Effect, ...]:
    """What the checks of its head lead to."""
    stands = standing(checks)
    document = {
        "sha": proposal.head_sha,
        "standing": stands,
        "checks": [asdict(one) for one in checks],
        "to_run": False,
    }
    known = {name: value for name, value in proposal.checks.items() if name != "at"}
    if known != document:
        proposal = replace(proposal, checks={**document, "at": now.isoformat()}, changed_at=now)
        news: tuple[Effect, ...] = (SaveProposal(proposal),)
    else:
        news = ()
    if _waiting(proposal) and proposal.consent != "never":
        return _mends(proposal, "a comment asks for it", now) or news
    if stands == "red":
        return _red(proposal, checks, now) or news
    if stands == "green" and proposal.guard.get("passed") is True:
        is_there = proposal.state == "green"
        return news if is_there else _moved(proposal, "green", "All checks are green.", now)
    if stands == "none" and proposal.state == "open" and proposal.changed_at + CHECKS_APPEAR_WITHIN > now and not news:
        return ()
    if stands == "none":
        said = "Nothing checks it: merging it needs a second key."
        return _waits(proposal, "second_key", said, now) or news
    if proposal.state == "open" or proposal.waits_for == "consent":
        return news
    return _moved(proposal, "open", "", now)


def failed_checks(proposal: Proposal) -> list[dict[str, Any]]:
    found = proposal.checks.get("checks", [])
    assert isinstance(found, list)  # the row is our own
    return [one for one in found if one["state"] == "failed"]


def _red(proposal: Proposal, checks: Sequence[Check], now: datetime) -> tuple[Effect, ...]:
    if proposal.state == "red" or proposal.waits_for == "consent":
        return ()
    names = ", ".join(plain(one.name, 60) for one in checks if one.state == "failed")
    return _mends(proposal, f"the check {names} failed", now)


def _mends(proposal: Proposal, why: str, now: datetime) -> tuple[Effect, ...]:
    """Another round: by itself after a countdown, after a yes, or not at all."""
    if proposal.countdown_until is not None or proposal.waits_for in ("push", "answer", "consent"):
        return ()
    state = "red" if proposal.checks.get("standing") == "red" else "open"
    if proposal.rounds >= MOST_ROUNDS and proposal.consent != "never":
        said = f"It was mended {MOST_ROUNDS} times and {why} again: it needs you."
        return _moved(proposal, "failed", said, now)
    if proposal.consent == "never":
        # A comment alone begins nothing, and so keeps nothing from being merged.
        if state != "red" or proposal.state == "red":
            return ()
        return _moved(proposal, state, f"{_upper(why)}; by the configuration it is not mended by itself.", now)
    if proposal.consent == "ask":
        return _waits(proposal, "consent", f"{_upper(why)}. Approve another round, or decline it.", now)
    said = f"{_upper(why)}; round {proposal.rounds + 1} of {MOST_ROUNDS} begins by itself."
    until = now + COUNTDOWN
    if proposal.state == state:
        return (SaveProposal(replace(proposal, said=said, countdown_until=until, changed_at=now)),)
    return _moved(proposal, state, said, now, countdown_until=until)


def _heard(proposal: Proposal, said: Sequence[Said], now: datetime) -> tuple[Proposal, list[Effect]]:
    """New comments are kept for the desk; those that may start work wait to be answered."""
    known = set(_list(proposal.feedback, "seen"))
    effects: list[Effect] = []
    waiting = _waiting(proposal)
    for one in said:
        comment = one.comment
        if comment.id in known:
            continue
        known.add(comment.id)
        content = {
            "proposal": proposal.id,
            "id": comment.id,
            "author": comment.author,
            "association": comment.association,
            "body": comment.body[:MOST_COMMENT],
            "at": comment.at.isoformat(),
            "path": comment.path,
            "line": comment.line,
            "verdict": comment.verdict,
            "is_trusted": comment.is_trusted,
            "is_ours": comment.is_ours,
            "is_safe": one.is_safe,
        }
        effects.append(AddArtefact(Artefact(proposal.report_id, "comment", content, ENGINE, now)))
        asks = comment.body.strip() and comment.verdict != "approved"
        if comment.is_trusted and one.is_safe and not comment.is_ours and asks:
            text = comment.body[:MOST_COMMENT]
            waiting.append({"by": comment.author, "text": text, "path": comment.path, "line": comment.line})
    if not effects:
        return proposal, effects
    feedback = {**proposal.feedback, "seen": sorted(known), "waiting": waiting[:MOST_WAITING]}
    return replace(proposal, feedback=feedback, changed_at=now), effects


def _kept(before: Proposal, after: Proposal, now: datetime) -> tuple[Effect, ...]:
    """What was only heard."""
    if _waiting(after) != _waiting(before):
        return _mends(after, "a comment asks for it", now) or (SaveProposal(after),)
    return () if after == before else (SaveProposal(after),)


def _waits(proposal: Proposal, what: str, said: str, now: datetime) -> tuple[Effect, ...]:
    if proposal.state == "waiting_for_you" and proposal.waits_for == what:
        if proposal.said == said:
            return ()
        return (SaveProposal(replace(proposal, said=said, changed_at=now)),)
    if proposal.state == "waiting_for_you":
        return (SaveProposal(replace(proposal, waits_for=what, said=said, countdown_until=None, changed_at=now)),)
    return _moved(proposal, "waiting_for_you", said, now, waits_for=what)


def _moved(proposal: Proposal, state: str, said: str, now: datetime, **changes: Any) -> tuple[Effect, ...]:
    after, line = proposal.moved(
        state, by=ENGINE, reason=said or "its checks run", now=now, said=said, merge_approved="", **changes
    )
    return (Log(line), SaveProposal(after))


def _waiting(proposal: Proposal) -> list[Mapping[str, object]]:
    return _list(proposal.feedback, "waiting")


def _list(document: Mapping[str, object], name: str) -> list[Any]:
    found = document.get(name, [])
    assert isinstance(found, list)  # the row is our own
    return list(found)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
