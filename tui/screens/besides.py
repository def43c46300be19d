"""PostHog's own reports beside ours: asked for once and on demand, decided about here, and told to PostHog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from engine.verbs import REASONS
from queries.views.words import counted
from tui.elsewhere import MARK, Elsewhere, Verdict, named, status_words
from tui.history import Change
from tui.journal import Passing
from tui.messages import Failed, Told
from tui.posthogdoor import Sent
from tui.reports import Listed
from tui.screens.chooser import Choice, Chooser
from tui.screens.confirming import ConfirmScreen
from tui.screens.noting import NoteScreen
from tui.screens.proposing import Proposing
from workspace.text import plain

UNDONE, AGAIN = "Undone", "Done again"
_LONGEST_NAME = 44
_SNOOZES = (1, 3, 10)  # signals, as for ours; PostHog snoozes by no clock


class Besides(Proposing):
    """For the screen that lists them. Textual calls the handlers of a message in each class: these take only what
    PostHog's door has sent."""

    def __init__(self) -> None:
        super().__init__()
        self._theirs: tuple[Any, ...] = ()
        self._theirs_at: datetime | None = None
        self._theirs_problem = ""
        self._was_asked = self._was_told_why = False
        self._sent: dict[str, Verdict] = {}
        self._answered: set[str] = set()
        """Of what was sent, the ids that PostHog has taken: the next reading says how they stand."""

    def show_unsorted(self) -> None:
        raise NotImplementedError

    def say_title(self) -> None:
        raise NotImplementedError

    def unmark(self) -> None:
        raise NotImplementedError

    # Reading

    @property
    def besides(self) -> list[Elsewhere]:
        return [Elsewhere(one, self._sent[one.id].words if one.id in self._sent else "") for one in self._theirs]

    def ask_once(self) -> None:
        if not self._was_asked:
            self.ask_posthog()

    def ask_posthog(self) -> None:
        """What it said last stays until it has answered."""
        if self.desk.posthog is not None:
            self._was_asked = True
            self.desk.posthog.ask(self)

    def on_told(self, message: Told[Any]) -> None:
        door = self.desk.posthog
        if door is None or not door.accept(self, message):
            return
        found, self._theirs_problem = message.found, ""
        if found.unavailable:
            if not self._was_told_why:
                self.desk.note(found.unavailable)
            self._was_told_why = True
            return
        self._theirs, self._theirs_at = found.reports, self.desk.now()
        self._sent = {id: verdict for id, verdict in self._sent.items() if id not in self._answered}
        self._answered.clear()
        if not found.is_all:
            self.desk.note(f"PostHog's inbox holds more than the newest {len(found.reports)} reports that are listed.")
        self.show_unsorted()

    def on_failed(self, message: Failed) -> None:
        door = self.desk.posthog
        if door is None or not door.accept(self, message):
            return
        problem = message.error.what
        if problem != self._theirs_problem:
            self.desk.note(f"PostHog's inbox: {problem}")
        self._theirs_problem = problem
        self.say_title()

    def besides_said(self) -> str:
        """For the title: how old they are, where PostHog does not answer."""
        if not self._theirs_problem:
            return ""
        at = self._theirs_at
        return f"PostHog's are as of {self.desk.clock_time(at)}." if at else "PostHog's could not be read."

    # Deciding

    def _reports(self) -> list[Listed]:
        """Ours; where one of theirs is meant, what can be done about it is said."""
        if any(isinstance(row, Elsewhere) for row in self.chosen()):
            self._not_a_report()
            return []
        return super()._reports()

    def _not_a_report(self) -> None:
        if not any(isinstance(row, Elsewhere) for row in (*self.chosen(), self.entry)):
            super()._not_a_report()
        elif any(not isinstance(row, Elsewhere) for row in self.chosen()):
            self.say(Passing("Some are ours and some are PostHog's: decide about one kind at a time."))
        else:
            key = self.desk.keys.key("inbox-link", self.KEYS)
            rest = f"the rest is there ({key} copies its link)"
            self.say(Passing(f"That report is PostHog's: decline, resolve or snooze it here, {rest}."))

    def _chosen_theirs(self) -> tuple[Elsewhere, ...]:
        """Empty where a decision is not about theirs alone."""
        rows = self.chosen()
        found = tuple(row for row in rows if isinstance(row, Elsewhere))
        return found if len(found) == len(rows) else ()

    def action_decline(self) -> None:
        if not (rows := self._chosen_theirs()):
            super().action_decline()
            return
        about = f"Decline {named(rows, _LONGEST_NAME)} in PostHog"
        choices = [Choice(words, "", reason) for reason, words in REASONS.items()]

        def reasoned(reason: object) -> None:
            if isinstance(reason, str):
                sentences = [
                    f"Declining because {REASONS[reason]}. PostHog gets the reason and the note, and learns from them.",
                    "Enter without a note declines as it is. Esc declines nothing.",
                ]
                self.app.push_screen(NoteScreen(about, sentences, is_optional=True), partial(noted, reason))

        def noted(reason: str, note: str | None) -> None:
            if note is not None:
                self._send(Verdict("decline", rows, reason, note))

        self.app.push_screen(Chooser(f"{about}, because", lambda _: choices, needs_scope=False), reasoned)

    def action_resolve(self) -> None:
        if not (rows := self._chosen_theirs()):
            super().action_resolve()
        elif len(rows) == 1:
            self._send(Verdict("resolve", rows))
        else:
            named_ones = [f"“{plain(row.found.title, 70)}”" for row in rows[:7]]
            more = [f"and {len(rows) - 7} more"] if len(rows) > 7 else []
            heading = f"Resolve {counted(len(rows), 'report')} in PostHog?"
            self._send_if_confirmed(heading, [*named_ones, *more], Verdict("resolve", rows))

    def _send_if_confirmed(self, heading: str, sentences: Sequence[str], verdict: Verdict) -> None:
        def confirmed(is_wanted: bool | None) -> None:
            if is_wanted:
                self._send(verdict)

        self.app.push_screen(ConfirmScreen(heading, sentences), confirmed)

    def action_snooze(self) -> None:
        if not (rows := self._chosen_theirs()):
            super().action_snooze()
            return
        choices = [
            Choice(f"Until {counted(number, 'more signal')}", "", Verdict("snooze", rows, signals=number))
            for number in _SNOOZES
        ]

        def snooze(verdict: object) -> None:
            if isinstance(verdict, Verdict):
                self._send(verdict)

        chooser = Chooser(f"Snooze {named(rows, _LONGEST_NAME)} in PostHog", lambda _: choices, needs_scope=False)
        self.app.push_screen(chooser, snooze)

    def action_release(self) -> None:
        if isinstance(self.entry, Elsewhere):
            self._not_a_report()
        else:
            super().action_release()

    def _send(self, verdict: Verdict, how: str = "") -> None:
        """The rows say at once what was sent; PostHog's answer comes as `Sent`."""
        if self.desk.posthog is not None:
            self._sent |= {row.id: verdict for row in verdict.reports}
            self._answered -= {row.id for row in verdict.reports}
            self.desk.posthog.send(self, verdict, how)
            self.unmark()
            self.show_unsorted()

    def on_sent(self, message: Sent) -> None:
        taken, error = message.taken, message.error
        latest = {id for id, verdict in self._sent.items() if verdict is message.verdict}
        self._answered |= latest & {row.id for row in taken.reports}
        for id in latest - self._answered:
            del self._sent[id]
        if taken.reports:
            self._taken(message.verdict, taken, message.how)
        if error is not None:
            of = f" about {len(message.verdict.reports) - len(taken.reports)} of {len(message.verdict.reports)}"
            what = f"{'Not undone' if message.how == UNDONE else 'Not decided'}{of if taken.reports else ''}"
            self.desk.say(f"{what}: {error.what.rstrip('.')}.")
        self.show_unsorted()
        self.ask_posthog()

    def _taken(self, verdict: Verdict, taken: Verdict, how: str) -> None:
        if how:
            self.desk.say(f"{how}: {taken.what}.")
            return
        reopen = Verdict("reopen", taken.reports)
        back, again = (partial(self._send, one, said) for one, said in ((reopen, UNDONE), (taken, AGAIN)))
        self.desk.did(Change(taken.what, back, again, lambda: self.is_attached, is_told=True))
        key = self.desk.keys.key("undo", self.KEYS)
        words = taken.words if len(taken.reports) == 1 else f"{taken.words}: {counted(len(taken.reports), 'report')}"
        self.desk.say(Passing(f"{words[0].upper()}{words[1:]} in PostHog; {key} reopens it there."))

    # Taking it elsewhere

    def action_copy(self) -> None:
        row = self.entry
        if isinstance(row, Elsewhere):
            found = row.found
            words = [f"{MARK}{found.title}", found.id, status_words(row), found.summary, found.url]
            self.say(self.desk.copy("\t".join(plain(word) for word in words), "the report"))
        else:
            super().action_copy()

    def action_link(self) -> None:
        row = self.entry
        if isinstance(row, Elsewhere):
            self.say(self.desk.copy(row.found.url, "the link"))
        else:
            super().action_link()
