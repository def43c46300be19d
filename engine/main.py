"""The engine's process: take in what came, decide what follows until nothing does, run what is due, and sleep until
the next instant or until somebody else writes into `inbox.db`."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from os import getpid
from typing import Any, TypeVar

from engine import commands, process
from engine.executor import Executor, Handler
from engine.reconcile import Plan, reconcile
from engine.states import IllegalTransition
from engine.store import NewerInbox, Store
from workspace import databases
from workspace.errors import LoopdeskError
from workspace.paths import Workspace
from workspace.text import plain

T = TypeVar("T")

POLL_S = 0.5
HEARTBEAT = timedelta(seconds=5)
STAGE_TRIES_AGAIN = timedelta(minutes=1)
IDLE = timedelta(seconds=60)
"""How long an engine that a desk started stays with nothing to do and nobody there."""
_BROKEN_FOR_S = 30.0
_MOST_ROUNDS = 1_000
_LONGEST_STEP = timedelta(minutes=2)  # a machine that slept ran no engine


@dataclass(frozen=True, slots=True)
class Worked:
    """What a stage did, and when it wants to be called again although nothing has arrived. While something of it
    `is_on_its_way`, the engine does not end by itself."""

    done: int = 0
    next_due: datetime | None = None
    is_on_its_way: bool = False


Stage = Callable[[Store, datetime], Awaitable[Worked]]
"""One step from signals to reports: sources, safety, grouping. Called in order, in every turn; writes in transactions
of its own and answers quickly where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of: `stages` run in order in every turn, `handlers` do jobs by kind."""

    stages: Sequence[Stage] = ()
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    close: Callable[[], Awaitable[None]] | None = None
    """Called when the engine has ended, in its loop."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """How many jobs of a kind are begun at once, where it is not what the executor says."""


Build = Callable[[Store], Parts]
"""Parts may keep books of their own in the store, so they are built over it."""


@dataclass
class Done:
    """What an engine did since it started."""

    signals: int = 0
    applied: int = 0
    refused: int = 0
    jobs: int = 0


def warn(said: str) -> None:
    print(f"loopdesk: {plain(said, 500)}", file=sys.stderr, flush=True)


def utc_now() -> datetime:
    return datetime.now(UTC)


def own_name() -> str:
    """Names this process among all that ever run jobs here."""
    from ulid import ULID

    return f"{socket.gethostname()}:{getpid()}:{ULID()}"


class Engine:
    """The clock is asked, never waited for."""

    def __init__(self, store: Store, parts: Parts, *, clock: Callable[[], datetime] = utc_now, owner: str = "") -> None:
        self.store, self.stages, self.handlers = store, parts.stages, parts.handlers
        self.clock, self.owner = clock, owner or own_name()
        self.executor = Executor(store, self.handlers, self.owner, clock, parts.limits)
        self.done = Done()
        self._looked_at = clock()
        self._told: set[str] = set()
        self._is_on_its_way = False

    def settle(self, now: datetime) -> tuple[Plan, bool]:
        """Apply commands that are due and write what follows, to the fixed point; whether there was anything."""
        for rounds in range(_MOST_ROUNDS):
            plan = reconcile(self.store.state(now, self.owner))
            if plan.is_settled:
                return plan, rounds > 0
            for command_id in plan.commands:
                command = self.store.apply(command_id, commands.decide, now)
                if command is not None:
                    self.done.applied += command.applied_at is not None
                    self.done.refused += command.refused_at is not None
            if plan.steps and not self._write(plan, now):
                return replace(plan, steps=(), next_due=now + STAGE_TRIES_AGAIN), rounds > 0
        raise LoopdeskError(f"The engine found no rest in {_MOST_ROUNDS:,} rounds", "This is a fault of loopdesk")

    def _write(self, plan: Plan, now: datetime) -> bool:
        """Whether anything could be written. A row that cannot be is a fault of ours, and holds up no other."""
        try:
            with self.store.transaction("reconcile"):
                self.store.write(plan.effects, now)
            return True
        except IllegalTransition:
            wrote = False
        for step in plan.steps:
            try:
                with self.store.transaction("reconcile"):
                    self.store.write(step, now)
                wrote = True
            except IllegalTransition as error:
                self._tell_once(f"{error} This is a fault of loopdesk: please report it.")
        return wrote

    async def turn(self) -> datetime | None:
        """Everything that can be done without waiting; returns the next instant at which there is more."""
        while True:
            # Only here: a handler that ends from now on is seen, in this turn or right after it.
            self.executor.finished.clear()
            now = self.clock()
            self._count_run_time(now)
            while (taken := self.store.ingest(now)).total:
                self.done.signals += taken.new + taken.revised  # what was known already is no news
            wanted: list[datetime] = []
            by_stages, self._is_on_its_way = 0, False
            for stage in self.stages:
                worked = await self._worked(stage, now)
                by_stages += worked.done
                self._is_on_its_way |= worked.is_on_its_way
                wanted += [worked.next_due] if worked.next_due else []
            plan, wrote = self.settle(now)
            wrote |= by_stages > 0
            # A handler that ends at once is part of this turn, and what a command released is the stages' again.
            wrote |= self.executor.pump(now)
            self.done.jobs = self.executor.applied
            await asyncio.sleep(0)
            if not wrote and not self.executor.finished.is_set():
                return min([*wanted, *([plan.next_due] if plan.next_due else [])], default=None)

    async def _worked(self, stage: Stage, now: datetime) -> Worked:
        """A stage that fails is asked again later, and holds up neither the others nor what a human decided."""
        try:
            worked = await stage(self.store, now)
        except NewerInbox:
            raise
        except Exception as error:
            name = getattr(stage, "__name__", type(stage).__name__)
            said = str(error) if isinstance(error, LoopdeskError) else f"{type(error).__name__}: {error}"
            self._tell_once(f"{name} could not do its work: {said}")
            return Worked(next_due=now + STAGE_TRIES_AGAIN)
        return worked

    def _tell_once(self, said: str) -> None:
        if said not in self._told:
            self._told.add(said)
            warn(said)

    async def once(self) -> None:
        """To the fixed point, jobs and what is on its way included."""
        await self.turn()
        while self._is_busy:
            await self._wait(self.executor.finished, POLL_S if self._is_on_its_way else HEARTBEAT.total_seconds())
            if self.executor.is_busy:
                self.executor.beat(self.clock())
            await self.turn()

    @property
    def _is_busy(self) -> bool:
        return self.executor.is_busy or self._is_on_its_way

    async def run(self, stop: asyncio.Event, is_idle: Callable[[], bool] = lambda: False) -> None:
        """Until `stop` is set, or `is_idle` says so while there is nothing to do. Ends between two transactions."""
        try:
            while not stop.is_set():
                version = self.store.data_version()
                next_due = await self._turn_until(stop)
                if await self._sleep(stop, version, next_due, is_idle):
                    return
        finally:
            await self.executor.stop(self.clock())

    async def _turn_until(self, stop: asyncio.Event) -> datetime | None:
        """A turn; what a model takes minutes over, or ten thousand signals, ends where it waits once `stop` is set."""
        turn, stopped = asyncio.create_task(self.turn()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({turn, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            turn.cancel()
            await asyncio.wait({turn})
        return None if turn.cancelled() else turn.result()

    async def _sleep(
        self, stop: asyncio.Event, version: int, next_due: datetime | None, is_idle: Callable[[], bool]
    ) -> bool:
        beat_at = self.clock() + HEARTBEAT
        while not stop.is_set() and not self.executor.finished.is_set():
            now = self._looked_at = self.clock()
            if self.store.data_version() != version or (next_due is not None and next_due <= now):
                return False
            if self.executor.is_busy and now >= beat_at:
                self.executor.beat(now)
                beat_at = now + HEARTBEAT
            if not self._is_busy and is_idle():
                return True
            await self._wait(stop, POLL_S)
        return False

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)

    def _count_run_time(self, now: datetime) -> None:
        ran = min(max(now - self._looked_at, timedelta()), _LONGEST_STEP)
        self._looked_at = now
        # Only commands that wait grow old by it.
        if ran and self.store.has_waiting():
            self.store.add_run_time(ran // timedelta(microseconds=1))

    def waiting_kinds(self) -> Mapping[str, int]:
        """Intended jobs that nothing here can do, by kind."""
        return Counter(job.kind for job in self.store.jobs("intended") if job.kind not in self.handlers)


def run_once(
    workspace: Workspace,
    build: Build,
    *,
    clock: Callable[[], datetime] = utc_now,
) -> tuple[Done, Mapping[str, int]]:
    """One turn to the fixed point; what was done, and jobs that nothing can do, by kind. Raises `LoopdeskError` beside
    a running engine."""
    with process.only_engine(workspace.create()):
        store = Store.open(workspace.inbox_db)
        try:
            parts = build(store)
            engine = Engine(store, parts, clock=clock)
            asyncio.run(_until_closed(engine.once(), parts))
            return engine.done, engine.waiting_kinds()
        except sqlite3.Error as error:
            raise databases.explained(error, store.path) from error
        finally:
            store.close()


def run(
    workspace: Workspace,
    build: Build,
    *,
    clock: Callable[[], datetime] = utc_now,
    is_detached: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> None:
    """Be the workspace's engine until SIGTERM or SIGINT; a detached one also ends when nobody needs it. Raises
    `LoopdeskError` where another one is."""
    while True:
        with process.only_engine(workspace.create()):
            process.say_running(workspace, clock(), is_detached=is_detached)
            store = Store.open(workspace.inbox_db)
            try:
                parts = build(store)
                engine = Engine(store, parts, clock=clock)
                was_stopped = asyncio.run(_until_closed(_serve(engine, workspace, is_detached, tell), parts))
            finally:
                store.close()
        # Whoever submitted while the lock was still held started no engine of their own.
        if was_stopped or not _has_waiting(workspace):
            return


async def _until_closed(work: Coroutine[Any, Any, T], parts: Parts) -> T:
    try:
        return await work
    finally:
        if parts.close is not None:
            await parts.close()


async def _serve(engine: Engine, workspace: Workspace, is_detached: bool, tell: Callable[[str], None]) -> bool:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, *([] if is_detached else [signal.SIGHUP])):
        loop.add_signal_handler(number, stop.set)
    if is_detached:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Whoever waits for this line may stop it at once.
    tell(f"The engine works for {workspace.root}. Stop it with Ctrl-C, or: loopdesk engine stop")
    leaves = _Leaves(workspace) if is_detached else (lambda: False)
    while not stop.is_set():
        try:
            await engine.run(stop, leaves)
            break
        except NewerInbox:
            raise
        except (LoopdeskError, sqlite3.Error) as error:
            # A full disk or a lock may pass; an engine that is gone helps nobody.
            said = databases.explained(error, engine.store.path) if isinstance(error, sqlite3.Error) else error
            warn(f"{said} Trying again.")
            await engine._wait(stop, _BROKEN_FOR_S)
    return stop.is_set()


class _Leaves:
    """Whether nobody has been there for a while. Measured on the machine's own clock, which no one sets back."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._alone_since = workspace, time.monotonic()

    def __call__(self) -> bool:
        if process.anyone_connected(self._workspace):
            self._alone_since = time.monotonic()
        return time.monotonic() - self._alone_since > IDLE.total_seconds()


def _has_waiting(workspace: Workspace) -> bool:
    store = Store.open(workspace.inbox_db)
    try:
        return store.has_waiting()
    finally:
        store.close()
