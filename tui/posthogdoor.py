"""The desk's way to PostHog's own inbox: asked and told through one thread, in its order.

PostHog's client is loaded on its first use: no first paint waits for it.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.work import Spawn, Target, Threads, Work
from workspace.config import Config
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from queries.posthog_inbox import Listed, PostHogInbox
    from tui.elsewhere import Elsewhere, Verdict

THEIRS = "theirs"
_OVER = ("potential", "resolved", "suppressed")
_MOST_OVER = 100
_LEAVES_WITHIN_S = 3.0


class Sent(Message, bubble=False):
    """PostHog took the verdict about `taken`. `error` is the first reason why it is not all of them; `how` is given
    back as it came."""

    def __init__(self, verdict: Verdict, taken: Verdict, error: LoopdeskError | None, how: str) -> None:
        super().__init__()
        self.verdict, self.taken, self.error, self.how = verdict, taken, error, how


class PostHogDoor:
    """`spawn` runs one call after the other, away from the screen."""

    def __init__(self, config: Config, *, spawn: Spawn | None = None) -> None:
        self._config = config
        self._spawn = spawn or Threads(1).start
        self._work = Work(self._spawn)
        self._inbox: PostHogInbox | None = None
        self._all_sent: threading.Event | None = None

    def ask(self, target: Target) -> None:
        """`Told` with what PostHog lists, or `Failed`, arrives at `target`; the newest asking wins."""
        self._work.load(target, THEIRS, self._read)

    def accept(self, target: Target, message: Any) -> bool:
        return self._work.accept(target, message)

    def send(self, target: Target, verdict: Verdict, how: str) -> None:
        """`Sent` arrives at `target`, also where PostHog took nothing."""
        is_done = self._all_sent = threading.Event()

        def run() -> None:
            taken: list[Elsewhere] = []
            error: LoopdeskError | None = None
            try:
                taken, error = self._tell(verdict)
            except LoopdeskError as problem:  # there is nobody to tell
                error = problem
            is_done.set()
            target.post_message(Sent(verdict, replace(verdict, reports=tuple(taken)), error, how))

        self._spawn(run)

    def close(self) -> bool:
        """Wait a little for what was decided last; False where it may not have reached PostHog."""
        return self._all_sent is None or self._all_sent.wait(_LEAVES_WITHIN_S)

    # In the thread

    def _read(self) -> Listed:
        """What is open, and the newest of what is over: those must not crowd out the others."""
        from queries.posthog_inbox import OPEN

        inbox = self._opened()
        found = inbox.reports(OPEN)
        if found.unavailable:
            return found
        over = inbox.reports(_OVER, most=_MOST_OVER).reports
        # A report that was moved between the two askings is where it was seen last.
        return replace(found, reports=tuple({one.id: one for one in (*found.reports, *over)}.values()))

    def _tell(self, verdict: Verdict) -> tuple[list[Elsewhere], LoopdeskError | None]:
        from queries.remote_errors import KeyRefused, PostHogBusy, PostHogUnreachable, Throttled

        inbox = self._opened()
        taken: list[Elsewhere] = []
        first: LoopdeskError | None = None
        for row in verdict.reports:
            try:
                _send(inbox, row.id, verdict)
            except (KeyRefused, PostHogBusy, PostHogUnreachable, Throttled) as error:
                return taken, first or error  # the next would fare no better
            except LoopdeskError as error:
                first = first or error
            else:
                taken.append(row)
        return taken, first

    def _opened(self) -> PostHogInbox:
        from queries.posthog_inbox import open_inbox

        if self._inbox is None:
            self._inbox = open_inbox(self._config)
        return self._inbox


def _send(inbox: PostHogInbox, id: str, verdict: Verdict) -> None:
    if verdict.verb == "decline":
        inbox.dismiss(id, verdict.reason, verdict.note)
    elif verdict.verb == "resolve":
        inbox.resolve(id)
    elif verdict.verb == "snooze":
        inbox.snooze(id, verdict.signals)
    else:
        inbox.reopen(id)
