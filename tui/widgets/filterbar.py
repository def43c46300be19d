"""Typing into the status line: what `/` and the choosers read. A plain value, so that no cursor blinks over SSH."""

from __future__ import annotations

from dataclasses import dataclass

from workspace.text import plain

_LONGEST = 200


@dataclass(slots=True)
class Prompt:
    """A line of typed text, edited at its end."""

    text: str = ""
    longest: int = _LONGEST

    def press(self, key: str, character: str | None) -> bool:
        """Take a key; False where it is not one of text."""
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        elif key == "ctrl+w":
            self.text = self.text.rstrip().rpartition(" ")[0]
        elif character and character.isprintable():
            self.insert(character)
        else:
            return False
        return True

    def insert(self, text: str) -> None:
        """Typed or pasted text; of several lines, one."""
        clean = plain(text, self.longest) if len(text) > 1 else text
        self.text = (self.text + clean)[: self.longest]
