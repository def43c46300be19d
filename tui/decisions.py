"""What a person decides about the inbox, at whatever screen: submitted, undone, followed until the engine took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tui.deeds import Deeds
from tui.history import Change
from tui.inboxdoor import Deed, InboxDoor, Submitted, TakenBack
from tui.journal import Passing
from tui.keymap import Keymap
from tui.messages import Failed, InboxMoved, Told
from tui.screens.base import BaseScreen
from tui.words import sentence
from workspace.text import plain

if TYPE_CHECKING:
    from engine.model import Command

OUTCOMES = "outcomes"
# What was decided, in a word or two, until the engine takes it.
DONE = {
    "approve": "start approved",
    "decline": "declined",
    "context": "context added",
    "snooze": "snoozed",
    "resolve": "resolved",
    "join": "joined",
    "split": "split off",
    "release": "released",
    "research": "research asked for",
    "request_changes": "changes requested",
    "comment": "comment sent",
    "stop": "countdown stopped",
    "revert": "revert asked for",
    "reopen": "reopened",
    "wake": "woken",
    "withdraw": "withdrawn",
    "acknowledge": "outcome seen",
    "remember": "note written",
    "forget": "note withdrawn",
    "weigh": "weight set",
    "switch": "switched",
    "consent": "answered",
}


_APPROVED = {"start": "start approved", "push": "push approved", "merge": "merge approved"}


def done(verb: str, arguments: Mapping[str, object]) -> str:
    """What was decided, in a word or two."""
    said = _APPROVED.get(str(arguments.get("expect"))) if verb == "approve" else None
    return said or DONE.get(verb, verb.replace("_", " "))


@dataclass(slots=True)
class _Kept:
    """The deed as it stands: doing it again makes other commands of it."""

    deed: Deed


class Decisions(Deeds, inherit_bindings=False):
    """The part of the desk that decides. A decision belongs to the desk rather than to the screen it was made on, which
    may be gone when the engine refuses it."""

    door: InboxDoor | None
    keys: Keymap

    def clock_time(self, instant: datetime, *, seconds: bool = False) -> str:
        raise NotImplementedError

    def begin_decisions(self, door: InboxDoor | None) -> None:
        self.door = door
        self._followed: dict[str, str] = {}
        """Commands that the engine has not taken yet, by id, with what they are about."""

    def decide(self, deed: Deed) -> None:
        """Once `Submitted` arrives it is applied exactly once, refused with a reason, or undone."""
        if self.door is not None:
            self.door.submit(self, deed, self.now())

    def on_submitted(self, message: Submitted) -> None:
        deed, error = message.deed, message.error
        if deed.commands:
            self._followed |= {
                command.id: wish.about for command, wish in zip(deed.commands, deed.wishes, strict=False)
            }
            first = deed.commands[0]
            words = sentence(done(first.verb, first.arguments))[:-1]
            many = f" {len(deed.commands)} reports" if len(deed.commands) > 1 else ""
            if all(wish.at_once for wish in deed.wishes):
                self.note(sentence(deed.what))
                self.say(Passing(f"{words}; the engine takes it at once."))
            else:
                self._remember(deed)
                until = self.clock_time(max(command.apply_after for command in deed.commands), seconds=True)
                self.say(Passing(f"{words}{many}; {self._undo_key()} undoes it until {until}."))
        if error is not None:
            missing = len(deed.wishes) - len(deed.commands)
            self.say(f"Not decided about {missing} of {len(deed.wishes)}: {error}" if missing else str(error))
        for screen in self._screens():
            screen.decided(deed)
        self.on_inbox_moved()

    def _remember(self, deed: Deed) -> None:
        if isinstance(deed.before, _Kept):
            deed.before.deed = deed
            self.note(f"Done again: {deed.what}.")
            return
        kept = _Kept(deed)
        self.did(Change(deed.what, partial(self._back, kept), partial(self._again, kept), is_told=True))

    def _back(self, kept: _Kept) -> None:
        if self.door is not None:
            self.door.take_back(self, kept.deed, self.now())

    def _again(self, kept: _Kept) -> None:
        self.decide(replace(kept.deed, commands=(), before=kept))

    def on_taken_back(self, message: TakenBack) -> None:
        self._followed |= {command.id: message.deed.wishes[0].about for command in message.inverses}
        if message.error is not None:
            self.say(f"{'Not all' if message.undone or message.inverses else 'Not'} undone: {message.error}")
        elif message.inverses:
            self.say(f"Taken back, as it was applied already: {message.deed.what}.")
        else:
            self.say(f"Undone: {message.deed.what}.")
        if message.error is None:
            for screen in self._screens():
                screen.taken_back(message.deed)
        self.on_inbox_moved()

    # What became of it

    def on_inbox_moved(self, message: InboxMoved | None = None) -> None:
        if self._followed and self.door is not None:
            self.door.ask(self, OUTCOMES, lambda inbox: inbox.commands())
        for screen in self._screens():
            screen.inbox_moved()

    def on_told(self, message: Told[Any]) -> None:
        if self.door is None or not self.door.accept(self, message):
            return
        for command in reversed(message.found):
            if command.id in self._followed and (command.applied_at or command.refused_at or command.undone_at):
                self._told_outcome(command, self._followed.pop(command.id))

    def on_failed(self, message: Failed) -> None:
        """The screens say what is wrong with the inbox; what is followed is asked for again when it moves."""

    def _told_outcome(self, command: Command, about: str) -> None:
        said = plain(command.said, 300)
        if command.refused_at is not None:
            self.say(f"Refused, {done(command.verb, command.arguments)}: {about}. {said}")
        elif command.applied_at is not None:
            self.note(f"{said} {about}".strip())

    def _screens(self) -> list[BaseScreen]:
        return [screen for screen in self.screen_stack if isinstance(screen, BaseScreen)]

    def _undo_key(self) -> str:
        return self.keys.key("undo", getattr(self.screen, "KEYS", "") or "morning") or "undo"
