"""What a person does at the desk: written down, taken back, and remembered for the next one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from textual.app import App

from queries.cache import AnswerCache
from queries.views.words import counted
from tui import clipboard
from tui.asker import Place
from tui.history import Change, History
from tui.journal import Journal, Passing
from tui.keymap import screen_name
from tui.left import LEFT, Left, document
from tui.screens.base import BaseScreen
from tui.words import sentence
from tui.work import Work
from workspace.errors import LoopdeskError
from workspace.text import plain_lines


class Deeds(App[str], inherit_bindings=False):
    """The part of the desk that remembers. It begins where the last one was left."""

    cache: AnswerCache
    work: Work
    now: Callable[[], datetime]
    place: Place

    def __init__(self, left: Left, *, read_only: bool, **options: Any) -> None:
        self.left = left
        self.DEFAULT_MODE = left.screen  # type: ignore[misc]
        super().__init__(**options)
        self.sorts = dict(left.sorts)
        self.history = History()
        self.is_read_only = read_only

    def begin_journal(self) -> None:
        self.journal = Journal(self.cache, None if self.is_read_only else self.work.aside)

    def say(self, message: str) -> None:
        if isinstance(self.screen, BaseScreen):
            self.screen.say(message)

    def note(self, said: str) -> None:
        """Write down what was done; a journal that is being looked at shows it."""
        screen = self.screen
        keys = getattr(screen, "KEYS", "")
        self.journal.note(self.now(), screen_name(keys) if keys else "", said)
        if isinstance(screen, BaseScreen):
            screen.noted()

    def did(self, change: Change) -> None:
        """A person changed something: it can be undone, and is written down."""
        self.history.did(change)
        self.note(sentence(change.what))

    def copy(self, text: str, what: str) -> str:
        """Copy through the terminal (OSC 52); returns what the status line says, which shows the text as well."""
        text = clipboard.copyable(text)
        if clipboard.is_too_long(text):
            return f"Not copied: {what} is longer than a terminal takes."
        self.copy_to_clipboard(text)
        self.work.aside(lambda: clipboard.give_to_tmux(text))
        # The words stay out of the journal: prompts are kept for as long as their owner said, and not once more.
        self.note(f"Copied {what}, {counted(len(text), 'character')}.")
        return Passing(f"Copied {what}: {text}")

    def action_undo(self) -> None:
        change = self.history.undo()
        if change is not None and change.is_told:
            self.say(Passing("Undoing…"))
        else:
            self.say(f"Undone: {change.what}." if change else Passing("Nothing to undo."))

    def action_redo(self) -> None:
        change = self.history.redo()
        if change is not None and change.is_told:
            self.say(Passing("Doing it again…"))
        else:
            self.say(f"Done again: {change.what}." if change else Passing("Nothing to do again."))

    def action_edit(self) -> None:
        from tui.editor import edited

        screen = self.screen
        text = screen.long_text() if isinstance(screen, BaseScreen) else None
        if not text or not isinstance(screen, BaseScreen):
            self.say(Passing("Nothing here is long enough for an editor."))
            return
        try:
            changed = edited(self, "\n".join(plain_lines(text)) + "\n", suffix=screen.LONG_TEXT_SUFFIX)
        except LoopdeskError as error:
            self.say(str(error))
        else:
            self.say("Read in the editor; its changes are not used." if changed else Passing("Back from the editor."))

    def action_journal(self) -> None:
        from tui.screens.journal import JournalScreen

        if isinstance(self.screen, JournalScreen):
            self.screen.action_back()
        else:
            self.push_screen(JournalScreen())

    def exit(self, *arguments: Any, **options: Any) -> None:
        """Leave, and remember where."""
        if not self.is_read_only:
            self.cache.set_state(LEFT, document(self._where()))
        super().exit(*arguments, **options)

    def _where(self) -> Left:
        found: dict[str, str] = {}
        for mode in self.MODES:
            with contextlib.suppress(KeyError):  # not looked at this time: as it was left before
                for screen in self.get_screen_stack(mode)[:1]:
                    found |= screen.left() if isinstance(screen, BaseScreen) else {}
        return replace(
            self.left, place=self.place, screen=self.current_mode, sorts=self.sorts, left_at=self.now(), **found
        )
