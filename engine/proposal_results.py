"""What a returned result does to its proposal. Pure; a result is checked here, whoever it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine import babysitting, proposals
from engine.effects import AddArtefact, Effect, Log, SaveProposal
from engine.forges.protocol import Check
from engine.model import ENGINE, Artefact, Job, Proposal
from engine.results import MOST_TITLE, BadResult
from workspace.text import plain

MOST_SAID = 600
_SHA = re.compile(r"[0-9a-f]{40}")
_BLOB = re.compile(r"[0-9a-f]{64}")
Result = Mapping[str, Any]


def built(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    """`{"change": {"sha", "base_sha", "base", "bundle", "diff", "files", "added", "removed", "title", "why", "how",
    "untested"}, "repository", "branch", "session"?, "tests"?, "review"?, "transcripts"?: [{"blob", "round_id", "role",
    "turns", "cost_usd"}], "refusals"?: [{"at", "kind", "said"}]}`, or `{"question"}` where it is not specific enough,
    or `{"nothing": why}`."""
    result: Result = job.result or {}
    if "question" in result:
        return _asks(proposal, _text(result, "question"), result, now)
    if "nothing" in result:
        return _failed(proposal, f"Nothing was changed: {_text(result, 'nothing')}", now)
    change = result.get("change")
    if not isinstance(change, Mapping) or not _SHA.fullmatch(str(change.get("sha"))):
        raise BadResult("The fix has no commit")
    if not _SHA.fullmatch(str(change.get("base_sha"))) or not _BLOB.fullmatch(str(change.get("bundle"))):
        raise BadResult("The fix does not say what it stands on")
    if proposal.base_sha and change["base_sha"] != proposal.base_sha:
        raise BadResult("The fix stands on another commit than the one before it")
    after = replace(
        proposal,
        changed_at=now,
        title=(_text(change, "title") or proposal.title)[:MOST_TITLE],
        repository=_text(result, "repository"),
        branch=proposal.branch or _text(result, "branch"),
        base=_text(change, "base"),
        base_sha=str(change["base_sha"]),
        change={**change, "build": proposal.builds},
        session=str(result.get("session", "")),
        tests=_document(result, "tests"),
        review=_document(result, "review"),
        # What was asked for is answered by this change.
        feedback={**proposal.feedback, "waiting": []},
        said="",
    )
    return (SaveProposal(after), *_left(proposal, result, now))


def delivered(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    """`{"guard", "waits": True}` for a human's push, `{"guard", "stopped": why}`, `{"elsewhere": why}`,
    `{"there": "merged" | "closed", "number", "merge_sha", "head_sha"}` where somebody was faster, or `{"guard", "sha",
    "number", "url", "to_run", "consent", "say"?}` of the pull request that stands."""
    result: Result = job.result or {}
    guard = _document(result, "guard")
    if _BLOB.fullmatch(str(result.get("diff"))):
        # Read by us from our own mirror: it takes the place of what the maker of the change said it was.
        proposal = replace(proposal, change={**proposal.change, "diff": result["diff"]})
    if "stopped" in result:
        return _failed(proposal, _text(result, "stopped"), now, guard=guard)
    if result.get("there") in ("merged", "closed"):
        found = replace(proposal, number=proposal.number or int(result["number"]))
        merge_sha, head_sha = str(result.get("merge_sha", "")), str(result.get("head_sha", ""))
        return babysitting.ended(found, str(result["there"]), merge_sha, head_sha, now)
    if "elsewhere" in result:
        return _failed(proposal, _text(result, "elsewhere"), now)
    if result.get("waits") is True:
        said = str(guard.get("sentence", "Your push is needed."))
        return _moved(proposal, "waiting_for_you", said, now, waits_for="push", guard=guard)
    sha, number = str(result.get("sha")), result.get("number")
    if sha != proposal.change.get("sha") or type(number) is not int:
        raise BadResult("The delivery is not of the change that was built")
    checks = {"sha": sha, "standing": "none", "checks": [], "to_run": result.get("to_run") is True}
    # What takes a merge back is that and nothing else: no agent mends it.
    consent = "never" if proposal.reverts else str(result.get("consent", "auto"))
    url = plain(result.get("url", ""), 300)
    if say := result.get("say"):
        to_say = [*proposal.feedback.get("to_say", []), {"key": f"round-{proposal.builds}-{proposal.id}", "text": say}]  # type: ignore[misc]
        proposal = replace(proposal, feedback={**proposal.feedback, "to_say": to_say})
    return _moved(
        proposal, "open", "", now, head_sha=sha, number=number, url=url, guard=guard, checks=checks, consent=consent
    )


def checked(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    """`{"checks": [{"name", "state", "url", "summary"}]}`."""
    found = (job.result or {}).get("checks")
    if not isinstance(found, list):
        raise BadResult("The checks have no list")
    checks = [Check(**one) for one in found]
    ran = replace(proposal, checks={**proposal.checks, "to_run": False})
    return babysitting.checked(ran, checks, now) or (SaveProposal(ran),)


def merged(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    """`{"merged": sha}`, or `{"refused": why}`: then its merge has to be approved again."""
    result: Result = job.result or {}
    if "refused" in result:
        said = _text(result, "refused")
        return (SaveProposal(replace(proposal, merge_approved="", said=said, changed_at=now)),)
    sha = str(result.get("merged", ""))
    return _moved(proposal, "merged", "Merged.", now, merge_sha=sha if _SHA.fullmatch(sha) else "", merged_at=now)


def closed(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    return (SaveProposal(replace(proposal, is_closed_there=True)),)


def said(proposal: Proposal, job: Job, now: datetime) -> tuple[Effect, ...]:
    return (SaveProposal(proposals.without_saying(proposal, str(job.brief["key"]))),)


APPLY: Mapping[str, Callable[[Proposal, Job, datetime], tuple[Effect, ...]]] = {
    proposals.FIX: built,
    proposals.REVERT: built,
    proposals.DELIVER: delivered,
    proposals.CHECKS: checked,
    proposals.MERGE: merged,
    proposals.CLOSE: closed,
    proposals.SAY: said,
}


def _asks(proposal: Proposal, question: str, result: Result, now: datetime) -> tuple[Effect, ...]:
    if not question:
        raise BadResult("The fix has a question without words")
    session = str(result.get("session", ""))
    asked = _moved(proposal, "waiting_for_you", question, now, waits_for="answer", session=session)
    return (*asked, *_left(proposal, result, now))


def _failed(proposal: Proposal, said: str, now: datetime, **changes: Any) -> tuple[Effect, ...]:
    return _moved(proposal, "failed", said, now, **changes)


def _moved(proposal: Proposal, state: str, said: str, now: datetime, **changes: Any) -> tuple[Effect, ...]:
    after, line = proposal.moved(state, by=ENGINE, reason=said or state, now=now, said=said, **changes)
    return (Log(line), SaveProposal(after))


def _left(proposal: Proposal, result: Result, now: datetime) -> list[Effect]:
    """Of the agents' runs: each to be read as a trace, and what they tried to get and did not."""
    effects: list[Effect] = []
    for name, kind in (("transcripts", "transcript"), ("refusals", "refusal")):
        found = result.get(name, [])
        if not isinstance(found, list) or not all(isinstance(one, Mapping) for one in found):
            raise BadResult(f"The result has {name} that are none")
        about = {"proposal": proposal.id, "build": proposal.builds}
        effects += [
            AddArtefact(Artefact(proposal.report_id, kind, {**one, **about}, ENGINE, now)) for one in found[:20]
        ]
    return effects


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name, "")
    if not isinstance(value, str):
        raise BadResult(f"The result has a {name} that is not text")
    return plain(value.strip(), MOST_SAID)


def _document(result: Result, name: str) -> dict[str, Any]:
    value = result.get(name, {})
    if not isinstance(value, Mapping):
        raise BadResult(f"The result has a {name} that is none")
    return dict(value)
