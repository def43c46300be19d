"""Jumping with `;`: every part of the screen shows a letter, and the next key goes there or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.journal import Passing

if TYPE_CHECKING:
    from tui.screens.base import BaseScreen
else:
    BaseScreen = object

LETTERS = "asdfghjkl"


class Jumping(BaseScreen):
    """For a screen of several parts."""

    JUMPS_TO = "part"
    _is_jumping = False

    def parts(self) -> Sequence[str]:
        """The names of what can be jumped to, in the order of their letters."""
        raise NotImplementedError

    def jump_to(self, part: str) -> None:
        raise NotImplementedError

    def mark_part(self, part: str, letter: str) -> None:
        """Show the letter at the part; an empty one takes it away."""
        raise NotImplementedError

    def action_jump(self) -> None:
        self._jumping(True)
        self.say(Passing(f"Jump to which {self.JUMPS_TO}? Press its letter."))

    def capture(self, key: str, character: str | None) -> bool:
        if not self._is_jumping:
            return super().capture(key, character)
        self._jumping(False)
        self.say("")
        parts = self.parts()
        if key in LETTERS[: len(parts)]:
            self.jump_to(parts[LETTERS.index(key)])
        return True

    def _jumping(self, is_on: bool) -> None:
        self._is_jumping = is_on
        for part, letter in zip(self.parts(), LETTERS, strict=False):
            self.mark_part(part, letter if is_on else "")
