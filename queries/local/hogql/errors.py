"""What a person is told when a text is not HogQL that the embedded store can answer: PostHog's 400."""

from __future__ import annotations

from queries.backend import QueryRefused


class HogQLError(QueryRefused):
    """`message` says what; `start` and `end` are offsets into the text, None where the place is not known."""

    def __init__(self, message: str, start: int | None = None, end: int | None = None, do: str = "") -> None:
        super().__init__(message, start, end, do)
        self.message = message
