"""The verbs of a proposal: each says what is about to happen, with the head that was on screen, and asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from engine.about import About
from engine.model import Proposal
from queries.views.words import counted, listed
from tui import proposals
from tui.inboxdoor import Deed
from tui.journal import Passing
from tui.proposals import Step
from tui.reports import Listed
from tui.screens.deciding import Deciding, named, titles
from tui.screens.noting import NoteScreen
from tui.words import sentence
from workspace.text import plain

_NO_MODEL = "No model may be asked now: it is recorded, and the fix waits until one may."


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a change, on its new side."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{plain(self.path, 120)}:{self.line}"


class Proposing(Deciding):
    def place(self) -> Place | None:
        """The line of the change that is looked at, where one is."""
        return None

    # Yes

    def action_approve(self) -> None:
        rows = self._reports()
        steps = [(row, proposals.next_step(row.found.report, row.found.proposal)) for row in rows]
        able = [(row, step) for row, step in steps if step is not None]
        if rows and not able:
            one = rows[0].found
            self.say(Passing(proposals.why_none(one.report, one.proposal, one.status)))
        elif able and any(command.verb == "approve" for row, _ in able for command in row.found.waiting):
            self.say(Passing(f"It is approved already; {self.desk.keys.key('undo', self.KEYS)} takes that back."))
        elif len(rows) > 1:
            ready = [row for row, step in able if step.expect == "start"]
            if ready:
                self._start(ready, len(rows) - len(ready))
            else:
                self.say(Passing("A push and a merge are approved one by one."))
        elif able:
            ((row, step),) = able
            if step.expect == "start":
                self._start([row], 0)
            else:
                self._approve_one(row, step)

    def _start(self, ready: Sequence[Listed], left: int) -> None:
        proposal = ready[0].found.proposal
        is_round = len(ready) == 1 and proposal is not None and proposal.is_open
        what = "Have another round made of" if is_round else "Start the fix of"
        sentences = [
            f"{what} {titles(ready)}: an agent works on a copy of the code in a jail. Nothing is merged without you.",
            *([_NO_MODEL] if self.about is not None and self.about.judge == "rules" else []),
            *([f"{counted(left, 'other marked report')} cannot be started, and is left as it is."] if left else []),
        ]
        words = "approved another round of" if is_round else "approved the start of the fix of"
        deed = partial(self._deed, "approve", ready, words, {"expect": "start"})
        self._confirm("Another round?" if is_round else "Start the fix?", sentences, deed)

    def _approve_one(self, row: Listed, step: Step) -> None:
        proposal = row.found.proposal
        assert proposal is not None  # only a proposal is pushed or merged
        given = {"expect": step.expect, **({"second": True} if step.is_second else {})}
        words = f"approved the {step.expect} of {proposals.number(proposal)} for"
        deed = partial(self._deed, "approve", [row], words, given, sha=step.sha)
        if step.expect == "push":
            self._confirm("Push it?", list(_push_sentences(proposal)), deed)
        elif not step.is_second:
            self._confirm("Merge it?", list(_merge_sentences(proposal)), deed)
        else:
            self._second_key(proposal, deed)

    def _second_key(self, proposal: Proposal, deed: partial[Deed]) -> None:
        """Asked for with a word that no held Enter types."""
        wanted = str(proposal.number)
        sentences = [*_merge_sentences(proposal), f"Nothing has checked it. Type {wanted} to merge it all the same."]

        def typed(text: str | None) -> None:
            if text is not None and text.strip().removeprefix("#") == wanted:
                self.desk.decide(deed())
            elif text is not None:
                self.say(Passing(f"Not merged: that was not {wanted}."))

        self.app.push_screen(NoteScreen(f"The second key for #{wanted}", sentences), typed)

    # A word to it

    def action_changes(self) -> None:
        if (found := self._one_proposal()) is None:
            return
        row, proposal = found
        if not proposal.is_open or not proposal.is_built:
            self.say(Passing(f"There is no change yet to ask for another one: {proposals.state(proposal)}."))
            return
        sentences = [_goes_to_the_agent(self.about), "The change is made again, and reviewed and checked again."]
        self._note_on(row, proposal, "request_changes", "Changes to", sentences, "requested changes of")

    def action_comment(self) -> None:
        if (found := self._one_proposal()) is None:
            return
        row, proposal = found
        if not proposal.is_open or proposal.number is None:
            self.say(Passing("There is no open pull request to comment on."))
            return
        sentences = [f"Exactly this text is posted on #{proposal.number}, for everybody who can read it there."]
        self._note_on(row, proposal, "comment", "Comment on", sentences, "commented on the proposal for")

    def _note_on(
        self, row: Listed, proposal: Proposal, verb: str, heading: str, sentences: Sequence[str], words: str
    ) -> None:
        place = self.place()
        where = {"path": place.path, "line": place.line} if place else {}
        sha = str(proposal.change.get("sha", "")) if place else ""
        at = f" at {place}" if place else ""

        def noted(text: str | None) -> None:
            if text:
                self.desk.decide(self._deed(verb, [row], words, {"note": text, **where}, at, sha=sha))

        title = f"{heading} {proposals.number(proposal)}{at}" if proposal.number else f"{heading} {named([row])}{at}"
        self.app.push_screen(NoteScreen(title, [*sentences, "ctrl+e writes more of it in your editor."]), noted)

    # Stopping, taking back, having seen

    def action_stop(self) -> None:
        if (found := self._one_proposal()) is None:
            return
        row, proposal = found
        if proposal.countdown_until is None:
            self.say(Passing("No countdown is running."))
        else:
            # A countdown does not wait for the grace of a command.
            self.desk.decide(self._deed("stop", [row], "stopped the countdown of", {}, at_once=True))

    def action_revert(self) -> None:
        if (found := self._one_proposal()) is None:
            return
        row, proposal = found
        if proposal.state != "merged":
            self.say(Passing("There is nothing merged to take back."))
            return
        sentences = [
            f"{proposals.standing(proposal)}: “{proposals.title(proposal)}” was merged.",
            "What takes it back becomes a proposal of its own, which is checked and waits for your yes like any other.",
        ]
        deed = partial(self._deed, "revert", [row], "asked for a revert of", {})
        self._confirm("Propose to take it back?", sentences, deed)

    def action_acknowledge(self) -> None:
        rows = [row for row in self._reports() if _is_unseen(row.found.proposal)]
        if rows:
            self._decide_at_once("acknowledge", rows, "saw the outcome of")
        elif self.entry is not None:
            self.say(Passing("No outcome of it is known that you have not seen."))

    # Looking

    def action_diff(self) -> None:
        from tui.screens.diff import DiffScreen

        row = self.entry
        proposal = row.found.proposal if isinstance(row, Listed) else None
        if not isinstance(row, Listed) or proposal is None or not proposal.change.get("diff"):
            self.say(Passing("There is no change to look at yet."))
        else:
            self.app.push_screen(DiffScreen(row, self.about))

    def _one_proposal(self) -> tuple[Listed, Proposal] | None:
        row = self.entry
        if not isinstance(row, Listed):
            if row is not None:
                self._not_a_report()
        elif row.found.proposal is None:
            self.say(Passing("It has no proposal yet."))
        else:
            return row, row.found.proposal
        return None


def _is_unseen(proposal: Proposal | None) -> bool:
    return proposal is not None and bool(proposal.verdict) and proposal.verdict_seen_at is None


def _push_sentences(proposal: Proposal) -> Iterable[str]:
    yield f"Push “{proposals.title(proposal)}”, {proposals.size(proposal)}, at {str(proposal.change.get('sha'))[:10]}."
    yield plain(proposal.guard.get("sentence", ""), 400)
    yield "CI executes what is pushed, with the secrets that it has. Look at the change first."


def _merge_sentences(proposal: Proposal) -> Iterable[str]:
    yield f"Merge {proposals.standing(proposal)}: “{proposals.title(proposal)}”, {proposals.size(proposal)}."
    known = proposals.checks(proposal)
    if known:
        names = [plain(one.get("name", ""), 40) for one in known]
        said = sentence(proposals.checks_said(proposal))[:-1]
        yield f"{said} are green: {listed(names, 5)}."
    musts = sum(bool(one.get("must")) for one in proposals.points(proposal))
    guard = plain(proposal.guard.get("sentence", ""), 200)
    review = counted(len(proposals.points(proposal)), "point")
    yield f"{guard} The review has {review}{f', {musts} of them a must' if musts else ''}.".strip()
    yield "If it moves before that it is not merged, and shown again. What is merged is taken back by a revert."


def _goes_to_the_agent(about: About | None) -> str:
    who = f" ({about.judge})" if about is not None and about.judge != "rules" else ""
    return f"Exactly this text goes to the agent that made the change{who}."
