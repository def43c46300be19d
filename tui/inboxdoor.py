"""The desk's way to the inbox: what is asked and what is decided goes through one thread, in its order.

The engine's door is loaded on its first use: no first paint waits for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.work import Spawn, Target, Threads, Work
from workspace.errors import LoopdeskError
from workspace.paths import Workspace

if TYPE_CHECKING:
    from engine.inbox import Inbox
    from engine.model import Command

_LEAVES_WITHIN_S = 3.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A command that is to be submitted. `seen_version` is the report's and `seen_sha` its proposal's head or change
    that was on screen; `about` are its words. `at_once` leaves out the time in which it could be undone."""

    verb: str
    report_id: str
    about: str
    arguments: dict[str, object] = field(default_factory=dict)
    seen_version: int | None = None
    seen_sha: str = ""
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person decided at once, about one report or several, and how the journal calls it. `commands` are those
    that were submitted, in the order of the wishes."""

    what: str
    wishes: tuple[Wish, ...]
    commands: tuple[Command, ...] = ()
    before: object = None
    """Where this is done again: what remembers the deed that was undone."""


class Submitted(Message, bubble=False):
    """The deed is in the inbox: whatever becomes of this process, it is applied. `error` says what it still lacks: an
    engine that could not be started, or the wishes that were not taken."""

    def __init__(self, deed: Deed, error: LoopdeskError | None = None) -> None:
        super().__init__()
        self.deed, self.error = deed, error


class TakenBack(Message, bubble=False):
    """What undoing the deed came to: how many of its commands never happen, and the inverses that were sent."""

    def __init__(self, deed: Deed, undone: int, inverses: Sequence[Command], error: LoopdeskError | None) -> None:
        super().__init__()
        self.deed, self.undone, self.inverses, self.error = deed, undone, tuple(inverses), error


class InboxDoor:
    """`spawn` runs one call after the other, away from the screen; `starts` is whether a decision starts an engine."""

    def __init__(
        self, workspace: Workspace, *, read_only: bool = False, spawn: Spawn | None = None, starts: bool = True
    ) -> None:
        self.workspace, self.read_only = workspace, read_only
        self._spawn = spawn or Threads(1).start
        self._work = Work(self._spawn)
        self._starts = starts and not read_only
        self._inbox: Inbox | None = None
        self._looking: Inbox | None = None
        self._seen: tuple[int, bool] | None = None
        self._held = contextlib.ExitStack()

    # What is asked

    def ask(self, target: Target, job: str, call: Callable[[Inbox], object]) -> None:
        """`Told` or `Failed` arrives at `target`; the newest asking of a job wins."""
        self._work.load(target, job, lambda: call(self._opened()))

    def accept(self, target: Target, message: Any) -> bool:
        return self._work.accept(target, message)

    def cancel(self, target: Target) -> None:
        """Nothing that was asked for `target` arrives any more. Decisions are never cancelled."""
        self._work.cancel(target)

    def has_moved(self) -> bool:
        """Whether anybody has written since the last look, or an engine began or ended. For one thread, which is not
        the door's."""
        if self._looking is None:
            self._looking = self._new(read_only=True)
        before, self._seen = self._seen, (self._looking.data_version(), self._looking.running() is not None)
        return before is not None and before != self._seen

    # What is decided

    def submit(self, target: Target, deed: Deed, now: datetime) -> None:
        """`Submitted` arrives at `target`, also where nothing could be taken."""

        def run() -> None:
            from engine.verbs import GRACE

            commands: list[Command] = []
            error: LoopdeskError | None = None
            try:
                inbox = self._opened()
                for wish in deed.wishes:
                    made = inbox.command(
                        wish.verb,
                        wish.report_id,
                        wish.arguments,
                        now=now,
                        seen_version=wish.seen_version,
                        seen_sha=wish.seen_sha,
                        grace=timedelta() if wish.at_once else GRACE,
                    )
                    commands.append(inbox.submit(made))
                self._start(inbox)
            except LoopdeskError as problem:
                error = problem
            target.post_message(Submitted(replace(deed, commands=tuple(commands)), error))

        self._spawn(run)

    def take_back(self, target: Target, deed: Deed, now: datetime) -> None:
        """Undo what was not taken yet, send the inverse of the rest; `TakenBack` arrives at `target`."""

        def run() -> None:
            undone, inverses = 0, []
            error: LoopdeskError | None = None
            for command in reversed(deed.commands):
                try:
                    result = self._opened().undo(command.id, now)
                except LoopdeskError as problem:
                    error = problem
                else:
                    undone += result.is_undone
                    inverses += [result.inverse] if result.inverse else []
            try:
                self._start(self._opened())
            except LoopdeskError as problem:
                error = error or problem
            target.post_message(TakenBack(deed, undone, inverses, error))

        self._spawn(run)

    def _start(self, inbox: Inbox) -> None:
        if self._starts:
            inbox.start_engine()

    # Opening and leaving

    def hold(self) -> None:
        """An engine that a desk started stays as long as this desk is open."""

        def run() -> None:
            with contextlib.suppress(LoopdeskError):  # then it may leave early, and the next decision starts it again
                self._held.enter_context(self._opened().connected())

        if not self.read_only:
            self._spawn(run)

    def close(self) -> None:
        """Wait until what was decided is written down, and leave."""
        is_done = threading.Event()

        def run() -> None:
            self._held.close()
            if self._inbox is not None:
                self._inbox.close()
                self._inbox = None
            is_done.set()

        self._spawn(run)
        is_done.wait(_LEAVES_WITHIN_S)

    def _opened(self) -> Inbox:
        if self._inbox is None:
            self._inbox = self._new(read_only=self.read_only)
        return self._inbox

    def _new(self, *, read_only: bool) -> Inbox:
        from engine.inbox import Inbox

        return Inbox(self.workspace, read_only=read_only)
