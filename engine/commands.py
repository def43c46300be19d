"""What a command does: (what the store holds, command, now) -> effects and a sentence, or a refusal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from engine import general, proposal_commands, verbs
from engine.decision import Decision, Refused
from engine.effects import (
    AddArtefact,
    AddDecision,
    Effect,
    Log,
    PlaceSignal,
    Remember,
    SaveJob,
    SaveProposal,
    SaveReport,
    Withdraw,
)
from engine.model import Artefact, Command, Job, Note, Proposal, Report, Signal
from engine.rows import COMMAND
from engine.states import SHOWN
from workspace.text import plain

OLDEST = timedelta(hours=12)
_KEPT = ("ready", "pending_input", "failed", "resolved")
_JOINABLE = ("potential", "candidate", "in_progress", "pending_input", "ready", "failed")
_WITHDRAWN = ("context", "approve")
_RESEARCHABLE = ("potential", "ready", "pending_input", "failed")


@dataclass(frozen=True, slots=True)
class Scene:
    """What a command may look at. `signals` are its report's own, id -> title; `joined` are those that came with
    `other`, the report that is joined into or split off. `jobs` are live ones. `safety` is what was found of the
    signal that a command names, `blocked_run` the last of the report's passes that its safety check ended. `ran_us` is
    as in `Command`, now."""

    report: Report | None = None
    other: Report | None = None
    proposal: Proposal | None = None
    jobs: Sequence[Job] = ()
    signals: Mapping[str, str] = field(default_factory=dict)
    joined: Sequence[str] = ()
    safety: str = ""
    blocked_run: int = 0
    undoes: Command | None = None
    ran_us: int = 0


def decide(scene: Scene, command: Command, now: datetime) -> Decision:
    """Raises `LoopdeskError`: stale, without sense in the present state, or not a command at all."""
    verbs.check(command.verb, command.report_id, command.arguments)
    _refuse_stale(scene, command)
    if not command.report_id:
        decision = general.decide(scene.safety, command, now)
        return replace(decision, effects=(*decision.effects, AddDecision(_signal(None, command, now))))
    report = scene.report
    if report is None:
        raise Refused("That report is not in this workspace")
    if report.status == "deleted":
        raise Refused("That report was joined into another", do="Decide about the other one")
    if command.verb in proposal_commands.VERBS:
        decision = proposal_commands.decide(report, scene.proposal, command, now)
    else:
        decision = _VERBS[command.verb](scene, report, command, now)
    place = report.id
    if command.verb == "join":
        place = str(command.arguments["into"])
    return replace(decision, effects=(*decision.effects, AddDecision(_signal(report, command, now), place)))


def _refuse_stale(scene: Scene, command: Command) -> None:
    if timedelta(microseconds=scene.ran_us - command.ran_us) > OLDEST:
        raise Refused(
            f"It waited for more than {OLDEST // timedelta(hours=1)} hours while the engine ran", do="Decide again"
        )
    report, proposal = scene.report, scene.proposal
    if report is None or command.verb in verbs.NEVER_STALE:
        return
    if command.seen_version is not None and command.seen_version < report.engine_version:
        raise Refused(
            f"The report has moved since you saw it; it is {SHOWN[report.status].lower()} now", do="Look again"
        )
    if command.seen_sha and (
        proposal is None or command.seen_sha not in (proposal.head_sha, proposal.change.get("sha"))
    ):
        raise Refused("Its proposal has another head than the one that you saw", do="Look again")


def _decline(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    reason, note = str(command.arguments["reason"]), str(command.arguments.get("note", ""))
    if report.status == "suppressed":
        raise Refused("It is declined already")
    said = f"Declined: {verbs.REASONS[reason]}"
    # A problem that is fixed does not come again: the next signal shows that it was not (the reference does the same).
    if reason == "already_fixed":
        effects = _asleep(report, command, now, said, wakes_at_signals=report.signals + 1)
        said = "Declined as fixed already; it comes back with its next signal."
    else:
        effects = _ended(report, "suppressed", command, now, said, declined_for=reason)
        said = f"{said}."
    learned = f"“{_title(report)}” was declined: {verbs.REASONS[reason]}. {note}".strip()
    return Decision(
        (
            *effects,
            *_stopped(scene, command, now, "its report was declined"),
            _artefact(report, "dismissal", command, now),
            _note(f"declined:{report.id}", learned, report, command, now),
        ),
        said,
    )


def _context(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    added = _artefact(report, "context", command, now)
    if (answered := proposal_commands.answered(scene.proposal, command, now)) is not None:
        return Decision((added, *answered), "Added; the fix goes on with it.")
    if report.status not in ("pending_input", "failed"):
        return Decision((added, SaveReport(report.edited(by=command.actor, now=now))), "Added.")
    effects = _queued(report, command, now, "context was added")
    return Decision((added, *effects), "Added; it is researched again.")


def _withdraw(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    undoes = scene.undoes
    if undoes is None or undoes.applied_at is None or undoes.report_id != report.id or undoes.verb not in _WITHDRAWN:
        raise Refused("There is nothing that this could take back")
    withdrawn = AddArtefact(
        Artefact(report.id, f"{undoes.verb}_withdrawn", dict(command.arguments), command.actor, now)
    )
    if undoes.verb == "approve":
        taken_back = proposal_commands.withdrawn(report, scene.proposal, undoes, command, now)
        return replace(taken_back, effects=(*taken_back.effects, withdrawn))
    # Where nothing has happened since, the pass that the context asked for is not wanted either.
    is_untouched = report.status == "candidate" and report.changed_at == undoes.applied_at
    if is_untouched and report.status_before in _KEPT:
        back = _moved(report, report.status_before, command, now, "its context was withdrawn", is_by_hand=False)
        return Decision((*back, *_cancelled(scene, command, now, "not wanted any more"), withdrawn), "Withdrawn.")
    return Decision((withdrawn, SaveReport(report.edited(by=command.actor, now=now))), "Withdrawn.")


def _snooze(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if report.status in ("suppressed", "resolved"):
        raise Refused(f"It is {SHOWN[report.status].lower()}; there is nothing to put off")
    if "until" in command.arguments:
        until = verbs.instant(command.arguments["until"])
        if until <= now:
            raise Refused("The time that it should sleep until is over")
        marks: dict[str, object] = {"snoozed_until": until}
        said = f"Snoozed until {until:%Y-%m-%d %H:%M} UTC."
    else:
        more = int(str(command.arguments["signals"]))
        marks, said = {"wakes_at_signals": report.signals + more}, f"Snoozed until {more} more signals."
    effects = _asleep(report, command, now, "snoozed", **marks)
    return Decision((*effects, *_cancelled(scene, command, now, "its report was snoozed")), said)


def _wake(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if not report.is_snoozed:
        raise Refused("It is not snoozed")
    effects = woken(report, by=command.actor, reason="woken", now=now)
    return Decision((*effects, Withdraw(f"declined:{report.id}")), "Awake again.")


def _resolve(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if report.status == "resolved":
        raise Refused("It is resolved already")
    effects = _ended(report, "resolved", command, now, "resolved by hand")
    stopped = _stopped(scene, command, now, "its report was resolved")
    return Decision((*effects, *stopped, _artefact(report, "resolution", command, now)), "Resolved.")


def _reopen(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if report.is_snoozed:
        return _wake(scene, report, command, now)
    if report.status not in ("suppressed", "resolved"):
        raise Refused(f"It is open: {SHOWN[report.status].lower()}")
    back = report.status_before or "potential"
    effects = _moved(report, back, command, now, "reopened", status_before="", declined_for="")
    return Decision((*effects, Withdraw(f"declined:{report.id}")), "Open again.")


def _research(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if report.status not in _RESEARCHABLE:
        raise Refused(f"It cannot be researched now: it is {SHOWN[report.status].lower()}")
    return Decision(_queued(report, command, now, "asked for by hand"), "Its research is queued.")


def _acknowledge(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    proposal = scene.proposal
    if proposal is None or proposal.state != "merged" or proposal.reverts:
        raise Refused("It has no merged fix whose outcome could have been seen")
    if not proposal.verdict:
        raise Refused("What its fix did is not known yet", "It is measured once it has run for some nights")
    if proposal.verdict_seen_at is not None:
        raise Refused("Its outcome was seen already")
    # Not a change of the proposal's own: what counts as news goes by that.
    return Decision((SaveProposal(replace(proposal, verdict_seen_at=now)),), "Its outcome was seen.")


def _join(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    into = scene.other
    if into is None or into.id == report.id:
        raise Refused("The report to join it into is not another one of this workspace")
    if into.status not in _JOINABLE:
        raise Refused(f"Nothing can join that report: it is {SHOWN[into.status].lower()}")
    if scene.proposal is not None and scene.proposal.is_open:
        raise Refused("It has an open proposal", do="Close that first, or join the other report into this one")
    gone = _moved(
        report,
        "deleted",
        command,
        now,
        f"joined into {into.id}",
        joined_into=into.id,
        status_before=_kept(report),
        is_by_hand=False,
        **_AWAKE,
    )
    larger = into.edited(by=command.actor, now=now, passes=max(into.passes, report.passes))
    moves = [PlaceSignal(id, into.id, "joined by hand", report.id) for id in scene.signals]
    learned = f"“{_title(report)}” and “{_title(into)}” are the same problem: joined by hand."
    return Decision(
        (
            *gone,
            SaveReport(larger),
            *moves,
            *_stopped(scene, command, now, "its report was joined into another"),
            _artefact(into, "joined", command, now, of=report.id),
            _note(f"joined:{into.id}:{report.id}", learned, into, command, now),
            Withdraw(f"split:{into.id}:{report.id}"),
        ),
        f"Joined into “{_title(into)}”.",
    )


def _split(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    if "report" in command.arguments:
        return _split_joined(scene, report, command, now)
    going = [str(id) for id in command.arguments["signals"]]  # type: ignore[attr-defined]
    if any(id not in scene.signals for id in going):
        raise Refused("Not all of these signals are in this report any more", do="Look again")
    if len(set(going)) == len(scene.signals):
        raise Refused("A report keeps at least one of its signals")
    title = scene.signals[going[0]]
    # The command's own id: whoever split it off knows what the new report is called.
    new = Report(command.id, created_at=now, changed_at=now, title=title)
    learned = f"“{plain(title, 120)}” is not the same problem as “{_title(report)}”: split off by hand."
    return Decision(
        (
            SaveReport(new),
            *[PlaceSignal(id, new.id, "split off by hand", report.id) for id in going],
            SaveReport(report.edited(by=command.actor, now=now)),
            _artefact(report, "split", command, now, of=new.id),
            _note(f"split:{report.id}:{new.id}", learned, report, command, now),
        ),
        f"Split off as “{plain(title, 120)}”.",
    )


def _split_joined(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    gone = scene.other
    if gone is None or gone.joined_into != report.id:
        raise Refused("That report did not join this one")
    back = _moved(
        gone,
        gone.status_before or "potential",
        command,
        now,
        f"split off {report.id}",
        joined_into="",
        status_before="",
    )
    return Decision(
        (
            *back,
            *[PlaceSignal(id, gone.id, "split off by hand", report.id) for id in scene.joined],
            SaveReport(report.edited(by=command.actor, now=now)),
            _artefact(report, "split", command, now, of=gone.id),
            Withdraw(f"joined:{report.id}:{gone.id}"),
        ),
        f"“{_title(gone)}” is a report of its own again.",
    )


def _release(scene: Scene, report: Report, command: Command, now: datetime) -> Decision:
    """A report that its safety check refused as a whole: whoever has read what it quotes takes it on."""
    if not scene.blocked_run or report.status != "failed":
        raise Refused("That report is not held back")
    released = Artefact(
        report.id, "safety_released", {"run": scene.blocked_run, "command": command.id}, command.actor, now
    )
    effects = _queued(report, command, now, "released by hand")
    return Decision((AddArtefact(released), *effects), "Released; it is researched again.")


_VERBS: Mapping[str, Callable[[Scene, Report, Command, datetime], Decision]] = {
    "decline": _decline,
    "context": _context,
    "withdraw": _withdraw,
    "snooze": _snooze,
    "wake": _wake,
    "resolve": _resolve,
    "reopen": _reopen,
    "research": _research,
    "acknowledge": _acknowledge,
    "join": _join,
    "split": _split,
    "release": _release,
}
_AWAKE: Mapping[str, None] = {"snoozed_until": None, "wakes_at_signals": None}


def woken(report: Report, *, by: str, reason: str, now: datetime) -> tuple[Effect, ...]:
    """A snoozed report goes back to where it was."""
    if report.status_before in _KEPT:
        after, line = report.moved(report.status_before, by=by, reason=reason, now=now, status_before="", **_AWAKE)
        return (Log(line), SaveReport(after))
    return (SaveReport(report.edited(by=by, now=now, status_before="", **_AWAKE)),)


def _asleep(report: Report, command: Command, now: datetime, reason: str, **marks: object) -> tuple[Effect, ...]:
    changes = {**_AWAKE, **marks, "is_by_hand": False}
    if report.status == "potential":
        return (SaveReport(report.edited(by=command.actor, now=now, **changes)),)
    return _moved(report, "potential", command, now, reason, status_before=_kept(report), **changes)


def _ended(
    report: Report, status: str, command: Command, now: datetime, reason: str, declined_for: str = ""
) -> tuple[Effect, ...]:
    changes = {"status_before": _kept(report), "is_by_hand": False, "declined_for": declined_for, **_AWAKE}
    return _moved(report, status, command, now, reason, **changes)


def _queued(report: Report, command: Command, now: datetime, reason: str) -> tuple[Effect, ...]:
    return _moved(
        report, "candidate", command, now, reason, is_by_hand=True, question="", status_before=_kept(report), **_AWAKE
    )


def _moved(
    report: Report, status: str, command: Command, now: datetime, reason: str, **changes: object
) -> tuple[Effect, ...]:
    after, line = report.moved(status, by=command.actor, reason=reason, now=now, **changes)
    return (Log(line), SaveReport(after))


def _kept(report: Report) -> str:
    """Where the report goes back to: what research once found is not lost by a pass that did not end."""
    status = report.status_before if report.status in ("candidate", "in_progress", "potential") else report.status
    return status if status in _KEPT else ""


def _stopped(scene: Scene, command: Command, now: datetime, reason: str) -> list[Effect]:
    """The report's work ends: its jobs are cancelled, and its proposal is not wanted any more."""
    effects = _cancelled(scene, command, now, reason)
    if scene.proposal is not None and (scene.proposal.is_open or scene.proposal.state == "failed"):
        closed, line = scene.proposal.moved("closed", by=command.actor, reason=reason, now=now)
        effects += [Log(line), SaveProposal(closed)]
    return effects


def _cancelled(scene: Scene, command: Command, now: datetime, reason: str) -> list[Effect]:
    effects: list[Effect] = []
    for job in scene.jobs:
        cancelled, line = job.moved("cancelled", by=command.actor, reason=reason, now=now)
        effects += [Log(line), SaveJob(cancelled)]
    return effects


def _artefact(report: Report, kind: str, command: Command, now: datetime, of: str = "") -> AddArtefact:
    content = {**command.arguments, "command": command.id, **({"report": of} if of else {})}
    return AddArtefact(Artefact(report.id, kind, content, command.actor, now))


def _note(key: str, text: str, report: Report, command: Command, now: datetime) -> Remember:
    return Remember(Note(key, f"{now:%Y-%m-%d}: {text}", report.id, command.id, now))


def _signal(report: Report | None, command: Command, now: datetime) -> Signal:
    note = str(command.arguments.get("note") or command.arguments.get("text") or "")
    about = _title(report) if report else str(next(iter(command.arguments.values()), ""))
    content = f"{command.verb}: {plain(about, 120)}\n{note}".strip()
    extra = {**({"report": report.id} if report else {}), "verb": command.verb, **command.arguments}
    return Signal(*COMMAND, command.id, content, 0.0, now, extra)


def _title(report: Report) -> str:
    return plain(report.title, 120) or report.id
