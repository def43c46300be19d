"""What a human decides about a proposal: start, push, merge, another round, a word to it, taking it back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from engine.babysitting import WATCHED
from engine.decision import Decision, Refused
from engine.effects import AddArtefact, Effect, Log, SaveProposal, SaveReport
from engine.model import Artefact, Command, Proposal, Report
from engine.proposals import rebuilt
from engine.states import SHOWN

_MENDABLE = ("open", "red", "green", "waiting_for_you", "failed")


def decide(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    """`proposal` is the report's latest. Raises `Refused`."""
    return VERBS[command.verb](report, proposal, command, now)


def answered(proposal: Proposal | None, command: Command, now: datetime) -> tuple[Effect, ...] | None:
    """Context that a fix has asked for resumes it; None where nothing waits for it."""
    if proposal is None or proposal.waits_for != "answer":
        return None
    return _told(proposal, command, now, "its question was answered")


def withdrawn(report: Report, proposal: Proposal | None, undoes: Command, command: Command, now: datetime) -> Decision:
    """An approval is taken back: what it began is cancelled; a merge that has happened is answered with a revert."""
    expect = undoes.arguments["expect"]
    is_in_force = proposal is not None and proposal.approved_by == undoes.id
    if expect == "merge" and proposal is not None and is_in_force and proposal.state == "merged":
        return _revert(report, proposal, command, now)
    if proposal is None or not proposal.is_open or not is_in_force:
        raise Refused("That approval is no longer in force")
    if expect == "merge":
        after = replace(proposal, merge_approved="", approved_by="", said="", changed_at=now)
        return Decision((SaveProposal(after),), "Its merge is not approved any more.")
    if expect == "push" and proposal.head_sha != proposal.push_approved:
        sentence = str(proposal.guard.get("sentence", ""))
        waits: dict[str, Any] = {"waits_for": "push", "said": sentence, "push_approved": "", "approved_by": ""}
        return Decision(
            _moved(proposal, "waiting_for_you", command, now, "push withdrawn", **waits), "It is not pushed."
        )
    if expect == "start" and proposal.id != undoes.id and proposal.state != "waiting_for_you":
        # Another round was approved: that is taken back, and what stands at the forge stays.
        said = "Another round was approved and taken back."
        back = _moved(proposal, "waiting_for_you", command, now, said, waits_for="consent", said=said, approved_by="")
        return Decision(back, "The round is cancelled; approve another one, or decline it.")
    closed = _moved(proposal, "closed", command, now, "its start was withdrawn", said="Its start was withdrawn.")
    stays = report.edited(by=command.actor, now=now, start_approved_by="", note="")
    return Decision((*closed, SaveReport(stays)), "It is cancelled.")


def _approve(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    return _EXPECTS[str(command.arguments["expect"])](report, proposal, command, now)


def _start(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is not None and proposal.waits_for == "consent":
        effects = rebuilt(
            proposal,
            by=command.actor,
            reason="another round was approved",
            now=now,
            rounds=proposal.rounds + 1,
            approved_by=command.id,
        )
        return Decision((*effects, _artefact(report, "round_approved", command, now)), "Another round begins.")
    if proposal is not None and proposal.is_open:
        raise Refused(f"It has a proposal already, which is {proposal.state.replace('_', ' ')}")
    if report.status != "ready":
        raise Refused(f"Only a ready report can be started; it is {SHOWN[report.status].lower()}")
    started = Proposal(command.id, report.id, now, now, title=report.title, approved_by=command.id)
    after = report.edited(by=command.actor, now=now, start_approved_by=command.id, note="")
    return Decision(
        (SaveProposal(started), SaveReport(after), _artefact(report, "start_approved", command, now)),
        "Its fix is started.",
    )


def _push(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or proposal.waits_for != "push":
        raise Refused("Nothing waits for a push")
    sha = str(proposal.change["sha"])
    if command.seen_sha != sha:
        raise Refused("What would be pushed is not what you saw", do="Look at the change first")
    effects = _moved(proposal, "building", command, now, "push approved", push_approved=sha, approved_by=command.id)
    return Decision((*effects, _artefact(report, "push_approved", command, now)), "It is pushed.")


def _merge(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or not proposal.is_open:
        raise Refused("There is no proposal to merge")
    needs_second = proposal.waits_for == "second_key"
    if proposal.state != "green" and not needs_second:
        raise Refused(f"Its proposal is {proposal.state.replace('_', ' ')}, and only a green one is merged")
    if needs_second and command.arguments.get("second") is not True:
        raise Refused("Nothing has checked this change", do="Approve it with the second key")
    if not command.seen_sha or command.seen_sha != proposal.head_sha:
        raise Refused("Its head is not the one that you saw", do="Look at the change first")
    if proposal.merge_approved:
        raise Refused("Its merge is approved already")
    after = replace(
        proposal, merge_approved=proposal.head_sha, approved_by=command.id, said="It is being merged.", changed_at=now
    )
    return Decision((SaveProposal(after), _artefact(report, "merge_approved", command, now)), "It is merged.")


_EXPECTS: Mapping[str, Callable[[Report, Proposal | None, Command, datetime], Decision]] = {
    "start": _start,
    "push": _push,
    "merge": _merge,
}


def _request_changes(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or proposal.state not in _MENDABLE or not proposal.is_built:
        raise Refused("There is no change to ask for another one")
    if proposal.state == "failed":
        raise Refused("Its proposal has failed", do="Add what you know as context and start it again")
    effects = _told(proposal, command, now, "changes were requested")
    return Decision((*effects, _artefact(report, "changes_requested", command, now)), "It is changed again.")


def _comment(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or proposal.number is None or proposal.state not in (*WATCHED, "building"):
        raise Refused("There is no open pull request to comment on")
    text = str(command.arguments["note"])
    if path := command.arguments.get("path"):
        text = f"`{path}` line {command.arguments['line']}:\n\n{text}"
    waiting = [*_list(proposal, "to_say"), {"key": command.id, "text": text}]
    after = replace(proposal, feedback={**proposal.feedback, "to_say": waiting}, changed_at=now)
    return Decision((SaveProposal(after), _artefact(report, "comment_by_hand", command, now)), "It is posted.")


def _stop(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or proposal.countdown_until is None or proposal.state not in WATCHED:
        raise Refused("No countdown is running")
    said = f"Another round was stopped. {proposal.said}"
    effects = _moved(proposal, "waiting_for_you", command, now, "its round was stopped", waits_for="consent", said=said)
    return Decision(effects, "It is not mended by itself; approve another round, or decline it.")


def _revert(report: Report, proposal: Proposal | None, command: Command, now: datetime) -> Decision:
    if proposal is None or proposal.state != "merged":
        raise Refused("There is nothing merged to take back")
    if not proposal.merge_sha:
        raise Refused("It is not known which commit merged it", do="Revert it by hand")
    back = Proposal(
        command.id,
        report.id,
        now,
        now,
        title=f"Revert “{proposal.title}”"[:70],
        repository=proposal.repository,
        base=proposal.base,
        reverts=proposal.id,
        approved_by=command.id,
    )
    return Decision((SaveProposal(back), _artefact(report, "revert_asked", command, now)), "A revert is proposed.")


VERBS: Mapping[str, Callable[[Report, Proposal | None, Command, datetime], Decision]] = {
    "approve": _approve,
    "request_changes": _request_changes,
    "comment": _comment,
    "stop": _stop,
    "revert": _revert,
}


def _told(proposal: Proposal, command: Command, now: datetime, reason: str) -> tuple[Effect, ...]:
    """The owner's own words go to the agent, and the change is made again."""
    said = {name: command.arguments.get(name) for name in ("path", "line")}
    waiting = [*_list(proposal, "waiting"), {"by": "owner", "text": command.arguments["note"], **said}]
    feedback = {**proposal.feedback, "waiting": waiting}
    return tuple(rebuilt(proposal, by=command.actor, reason=reason, now=now, feedback=feedback))


def _moved(
    proposal: Proposal, state: str, command: Command, now: datetime, reason: str, **changes: Any
) -> tuple[Effect, ...]:
    after, line = proposal.moved(state, by=command.actor, reason=reason, now=now, **changes)
    return (Log(line), SaveProposal(after))


def _artefact(report: Report, kind: str, command: Command, now: datetime) -> AddArtefact:
    return AddArtefact(Artefact(report.id, kind, {**command.arguments, "command": command.id}, command.actor, now))


def _list(proposal: Proposal, name: str) -> list[Mapping[str, object]]:
    found = proposal.feedback.get(name, [])
    assert isinstance(found, list)  # the row is our own
    return list(found)
