"""Slow work off the screen's thread: one job a pane, the newest wins, and nothing but messages comes back."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from textual.message import Message

from tui.messages import Arrived, Failed, InboxMoved, Told
from workspace.errors import LoopdeskError
from workspace.text import plain


class Target(Protocol):
    """A screen or the app: `post_message` may be called from any thread."""

    def post_message(self, message: Message) -> bool: ...


Spawn = Callable[[Callable[[], object]], None]


class Work:
    """Runs jobs through `spawn` and posts `Told` or `Failed`.

    A job is named by its target and its name. Starting it again, or leaving the screen, makes the earlier one stale:
    it is not begun any more, and what it found is not posted.
    """

    def __init__(self, spawn: Spawn) -> None:
        self._spawn = spawn
        self._tokens: dict[tuple[int, str], int] = {}
        self._pending: set[tuple[int, str]] = set()
        self._count = 0

    def load(self, target: Target, job: str, call: Callable[[], object]) -> None:
        """Run `call` for `target`; its result or its `LoopdeskError` arrives as a message."""
        key = (id(target), job)
        self._count += 1
        token = self._tokens[key] = self._count
        self._pending.add(key)

        def run() -> None:
            if self._tokens.get(key) != token:
                return
            message: Message
            try:
                message = Told(job, token, call())
            except LoopdeskError as error:
                message = Failed(job, token, error)
            except Exception as error:  # a fault of ours must not vanish in a thread, nor take the desk down
                message = Failed(job, token, unforeseen(error))
            if self._tokens.get(key) == token:
                target.post_message(message)

        self._spawn(run)

    def aside(self, call: Callable[[], object]) -> None:
        """Run `call` when there is time; nobody waits for it."""
        self._spawn(call)

    def accept(self, target: Target, message: Told | Failed) -> bool:
        """Whether the message still counts. It counts once."""
        key = (id(target), message.job)
        if self._tokens.get(key) != message.token:
            return False
        self._pending.discard(key)
        return True

    def pending(self, target: Target) -> tuple[str, ...]:
        """The jobs of `target` that have not been answered."""
        return tuple(sorted(job for owner, job in self._pending if owner == id(target)))

    def cancel(self, target: Target) -> tuple[str, ...]:
        """Make every job of `target` stale; returns those that were not answered."""
        jobs = self.pending(target)
        for key in [key for key in self._tokens if key[0] == id(target)]:
            del self._tokens[key]
            self._pending.discard(key)
        return jobs


def unforeseen(error: Exception) -> LoopdeskError:
    said = plain(f"{type(error).__name__}: {error}", 200)
    return LoopdeskError(f"This could not be worked out ({said})", "It is a fault of loopdesk", "Please report it")


class Threads:
    """A few daemon threads, so that quitting never waits for a query."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._running = 0
        self._queue: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def start(self, run: Callable[[], object]) -> None:
        self._queue.put(run)
        if self._running < self._number:
            self._running += 1
            threading.Thread(target=self._work, name=f"loopdesk-work-{self._running}", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._queue.get()()


class Watcher:
    """Looks for new events, and whether the inbox was written to, from a thread of its own: a desk at rest never wakes
    its event loop."""

    FOCUSED_S, AWAY_S = 1.0, 5.0

    def __init__(
        self, arrived: Callable[[], frozenset[str]], target: Target, inbox: Callable[[], bool] = lambda: False
    ) -> None:
        self._arrived, self._target, self._inbox = arrived, target, inbox
        self._stop = threading.Event()
        self.interval_s = self.FOCUSED_S

    def start(self) -> None:
        threading.Thread(target=self._watch, name="loopdesk-watch", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        while not self._stop.wait(self.interval_s):
            self.look()

    def look(self) -> None:
        """Tell the target what arrived since the last look, if anything."""
        # A store that cannot be read now may be later; the panes that ask it say what is wrong.
        with contextlib.suppress(Exception):
            if events := self._arrived():
                self._target.post_message(Arrived(events))
        with contextlib.suppress(Exception):
            if self._inbox():
                self._target.post_message(InboxMoved())
