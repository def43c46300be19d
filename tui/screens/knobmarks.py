"""Annotating at the Knobs screen: what happened, when it was, and taking that back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from queries.annotations import Draft, draft
from tui import history
from tui.journal import Passing
from tui.knobdoor import Annotated, TakenOff
from tui.moments import moment
from workspace.errors import LoopdeskError
from workspace.text import plain

if TYPE_CHECKING:
    from tui.screens.sectioned import Sectioned
else:
    Sectioned = object


@dataclass(slots=True)
class _Kept:
    """An annotation of this desk's; made again it is another one."""

    draft: Draft
    id: int


class KnobMarks(Sectioned):
    """For the Knobs screen."""

    def ask_for_marks(self) -> None:
        raise NotImplementedError

    def action_annotate(self) -> None:
        def written(text: str) -> str:
            try:
                draft(text, self.desk.now())
            except LoopdeskError as error:
                return str(error)
            self._ask_when(text)
            return ""

        sentences = ("It is marked on the time lines, here and in PostHog. When it was is asked next.",)
        self.write("What happened?", sentences, written)

    def _ask_when(self, text: str) -> None:
        def written(when: str) -> str:
            now = self.desk.now()
            try:
                at = moment("The time", when or None, now, self.desk.zone) or now
                wanted = draft(text, at)
            except LoopdeskError as error:
                return str(error)
            self._annotate(wanted)
            return ""

        sentences = (text, "Empty is now; else 2h ago, 3d ago, 2026-11-19 or 2026-11-19T22:00.")
        self.write("When was it?", sentences, written, is_optional=True)

    def _annotate(self, wanted: Draft, kept: _Kept | None = None) -> None:
        if self.desk.knobs is not None:
            self.desk.say(Passing("Annotating…"))
            self.desk.knobs.annotate(self, wanted, kept)

    def on_annotated(self, message: Annotated) -> None:
        at = self.desk.clock_time(message.draft.at)
        if message.is_kept:
            self.desk.say(f"PostHog is away, so the mark is kept and sent with the next one: {message.error}")
        elif message.error is not None or message.id is None:
            self.desk.say(f"Not annotated: {message.error}")
        elif not message.is_new:
            self.desk.say(f"That was annotated already, at {at}.")
        elif isinstance(message.how, _Kept):
            message.how.id = message.id
            self.desk.say(f"Annotated again at {at}.")
        else:
            self._remember(_Kept(message.draft, message.id), at)
        if message.error is None:
            self.ask_for_marks()

    def _remember(self, kept: _Kept, at: str) -> None:
        what = f"annotated {at}: {plain(kept.draft.content, 70)}"
        again = partial(self._annotate, kept.draft, kept)
        self.desk.did(history.Change(what, partial(self._take_off, kept), again, lambda: self.is_attached, True))
        self.desk.say(Passing(f"Annotated {at}; {self.desk.keys.key('undo', self.KEYS)} takes it off."))

    def _take_off(self, kept: _Kept) -> None:
        if self.desk.knobs is not None:
            self.desk.knobs.take_off(self, kept.id, kept.draft)

    def on_taken_off(self, message: TakenOff) -> None:
        if message.error is not None:
            self.desk.say(f"Not taken off: {message.error}")
        else:
            self.desk.say(f"Undone: {plain(message.draft.content, 70)} is on no time line any more.")
            self.ask_for_marks()
