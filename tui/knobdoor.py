"""The desk's way to flags, experiments and annotations: read by a few threads, changed by another, in its order.

What speaks to PostHog is loaded on its first use: no first paint waits for it. A change waits for no reading, and is
never cancelled: whoever leaves the desk meanwhile leaves it whole or not made.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from textual.message import Message

from tui.work import Spawn, Target, Threads, Work, unforeseen
from workspace.config import Config
from workspace.errors import LoopdeskError

if TYPE_CHECKING:
    from queries import rest_experiments, rest_flags
    from queries.annotations import Draft
    from queries.rest import Rest
    from queries.rest_knobs import Creation

    Change = rest_flags.Change | rest_experiments.Change | Creation

_READERS = 3  # flags, experiments and annotations: where one waits for PostHog, the others do not wait for it
_LEAVES_WITHIN_S = 3.0
Found = TypeVar("Found")


class Changed(Message, bubble=False):
    """What a change came to. `error` is why it was not made; `found` what is there now, where it was; `how` is given
    back as it came."""

    def __init__(self, change: Change, found: object, error: LoopdeskError | None, how: object) -> None:
        super().__init__()
        self.change, self.found, self.error, self.how = change, found, error, how


class Annotated(Message, bubble=False):
    """What an annotation came to; `id` is None where it was not made. `is_kept`: PostHog is away, as `error` says, and
    it is sent with the next one. `how` is given back as it came."""

    def __init__(
        self, draft: Draft, id: int | None, is_new: bool, error: LoopdeskError | None, is_kept: bool, how: object
    ) -> None:
        super().__init__()
        self.draft, self.id, self.is_new, self.error, self.is_kept, self.how = draft, id, is_new, error, is_kept, how


class TakenOff(Message, bubble=False):
    """An annotation is on no time line any more, or is still there for what `error` says."""

    def __init__(self, draft: Draft, error: LoopdeskError | None) -> None:
        super().__init__()
        self.draft, self.error = draft, error


class KnobDoor:
    """`spawn` runs calls away from the screen, both what is asked and what is changed."""

    def __init__(self, config: Config, *, spawn: Spawn | None = None) -> None:
        self._config = config
        self._work = Work(spawn or Threads(_READERS).start)
        self._spawn = spawn or Threads(1).start
        self._own = threading.local()
        self._last: threading.Event | None = None

    def ask(self, target: Target, job: str, call: Callable[[Rest], object]) -> None:
        """`Told` or `Failed` arrives at `target`; the newest asking of a job wins."""
        self._work.load(target, job, lambda: call(self._rest()))

    def accept(self, target: Target, message: Any) -> bool:
        return self._work.accept(target, message)

    def cancel(self, target: Target) -> None:
        """Nothing that was asked for `target` arrives any more. Changes are never cancelled."""
        self._work.cancel(target)

    def send(self, target: Target, change: Change, how: object = None) -> None:
        """`Changed` arrives at `target`, also where nothing was changed."""

        def run() -> None:
            found, error = _tried(lambda: _applied(self._rest(), change))
            target.post_message(Changed(change, found, error, how))

        self._sent(run)

    def annotate(self, target: Target, draft: Draft, how: object = None) -> None:
        """`Annotated` arrives at `target`."""

        def run() -> None:
            found, error = _tried(lambda: _annotated(self._rest(), draft))
            id, is_new, away = found or (None, False, None)
            target.post_message(Annotated(draft, id, is_new, error or away, away is not None, how))

        self._sent(run)

    def take_off(self, target: Target, id: int, draft: Draft) -> None:
        """`TakenOff` arrives at `target`."""

        def run() -> None:
            from queries.annotations import remove

            _, error = _tried(lambda: remove(self._rest(), id))
            target.post_message(TakenOff(draft, error))

        self._sent(run)

    def is_asking(self, target: Target) -> bool:
        return bool(self._work.pending(target))

    def close(self) -> bool:
        """Wait a little for what was sent last; False where nobody knows whether PostHog took it."""
        return self._last is None or self._last.wait(_LEAVES_WITHIN_S)

    def _sent(self, run: Callable[[], None]) -> None:
        is_done = self._last = threading.Event()

        def whole() -> None:
            run()
            is_done.set()

        self._spawn(whole)

    def _rest(self) -> Rest:
        """A way to PostHog is for one thread."""
        rest = getattr(self._own, "rest", None)
        if rest is None:
            from queries.rest import open_rest

            rest = self._own.rest = open_rest(self._config)
        return rest


def _tried(call: Callable[[], Found]) -> tuple[Found | None, LoopdeskError | None]:
    try:
        return call(), None
    except LoopdeskError as error:
        return None, error
    except Exception as error:  # a fault of ours must not vanish in a thread
        return None, unforeseen(error)


def _applied(rest: Rest, change: Change) -> object:
    from queries import rest_experiments, rest_flags, rest_knobs

    if isinstance(change, rest_flags.Change):
        return rest_flags.apply(rest, change)
    if isinstance(change, rest_knobs.Creation):
        flag, is_new = rest_knobs.create(rest, change)
        if not is_new:
            raise LoopdeskError(f"There is a flag {flag.key} by now", "It stays as it is", "Look at it, then decide")
        return flag
    return rest_experiments.apply(rest, change)


def _annotated(rest: Rest, draft: Draft) -> tuple[int | None, bool, LoopdeskError | None]:
    """Its id, and whether it is new; and where PostHog is away and it was kept for later, why."""
    from queries.annotations import Waiting, make
    from queries.backend import QueryTimedOut
    from queries.remote_errors import PostHogBusy, PostHogUnreachable, Throttled
    from workspace.paths import state_folder

    waiting = Waiting(state_folder())
    try:
        id, is_new = make(rest, draft)
    except (PostHogUnreachable, PostHogBusy, Throttled, QueryTimedOut) as error:
        waiting.add(rest.place, draft)
        return None, True, error
    with contextlib.suppress(LoopdeskError):  # what was asked for is done; what waits goes on waiting
        waiting.flush(rest)
    return id, is_new, None
