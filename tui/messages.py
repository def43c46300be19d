"""What workers and the watcher tell the screens. Everything that comes from another thread comes as one of these."""

from __future__ import annotations

from typing import Generic, TypeVar

from textual.message import Message

from workspace.errors import LoopdeskError

Found = TypeVar("Found")


class Told(Message, Generic[Found], bubble=False):
    """The result of a job. Its token says which asking it answers; `Work.is_current` says whether that still counts."""

    def __init__(self, job: str, token: int, found: Found) -> None:
        super().__init__()
        self.job, self.token, self.found = job, token, found


class Failed(Message, bubble=False):
    """A job ended with an error that a person can read."""

    def __init__(self, job: str, token: int, error: LoopdeskError) -> None:
        super().__init__()
        self.job, self.token, self.error = job, token, error


class Arrived(Message, bubble=False):
    """Events with these names were stored since the last time."""

    def __init__(self, events: frozenset[str]) -> None:
        super().__init__()
        self.events = events

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Arrived) and message.events <= self.events


class InboxMoved(Message, bubble=False):
    """Somebody has written to the inbox since the last time."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, InboxMoved)
