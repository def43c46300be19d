"""What comes of a command: rows to write and a sentence, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass

from engine.effects import Effect
from workspace.errors import LoopdeskError


@dataclass(frozen=True, slots=True)
class Decision:
    effects: tuple[Effect, ...]
    said: str


class Refused(LoopdeskError):
    """The command is not applied, and the person is shown why."""
