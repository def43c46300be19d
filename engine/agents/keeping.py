"""What a run leaves to go on from, in blobs: the agent's session, and a bundle of its work so far.

Both are written by a fixed script in a jail of its own, which only reads the clone and the session while the agent
may still be at work. The host copies its files and opens nothing else of the agent's.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.agents.protocol import Snapshot, Task
from engine.blobs import Blobs
from engine.in_thread import in_thread
from engine.sandbox.bundles import Untrusted, copied, receive, run_script
from engine.sandbox.folders import RunFolder
from engine.sandbox.inside.keep import SESSION as SESSION_FILE
from engine.sandbox.protocol import CLONE, OUT, SESSION, Limits, Run, Sandbox
from workspace.errors import LoopdeskError
from workspace.text import plain

MOST_SESSION_BYTES = 64 << 20
_READ = "/jail/session"
_TAR = "/jail/session.tar.gz"
_LIMITS = Limits(wall_s=120.0, disk_bytes=256 << 20)


Snapshots = Callable[[Snapshot], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys of blobs; empty where there is none, for the reason `why`. `bundle` is empty too where nothing changed."""

    session: str = ""
    bundle: str = ""
    why: str = ""


class Keeper:
    """Takes the snapshots of one run: every so many turns beside the work, one at a time, and a last one after it.
    `complaints` say what could not be kept."""

    def __init__(
        self, sandbox: Sandbox, blobs: Blobs, task: Task, folder: RunFolder, snapshot: Snapshots | None, every: int
    ) -> None:
        self._sandbox, self._blobs, self._task, self._folder = sandbox, blobs, task, folder
        self._snapshot, self._every = snapshot, every
        self._taking: asyncio.Task[Kept] | None = None
        self._taken = 0
        self.complaints: list[str] = []

    def after(self, turns: int) -> None:
        """So many are over. One that is due while the last is still taken is left out."""
        is_due = self._snapshot is not None and turns and turns % self._every == 0
        if is_due and (self._taking is None or self._taking.done()):
            self._taking = asyncio.create_task(self._take(turns))

    def end(self, turns: int) -> None:
        """Begin the last one: every process of the agent's is gone."""
        self._taking = asyncio.create_task(self._last(self._taking, turns))

    async def kept(self) -> Kept:
        """The last one's. Raises what `snapshot` raised."""
        assert self._taking is not None
        return await self._taking

    async def _last(self, before: asyncio.Task[Kept] | None, turns: int) -> Kept:
        if before is not None:
            await before
        return await self._take(turns)

    async def stop(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)

    async def _take(self, turns: int) -> Kept:
        self._taken += 1
        scratch = self._folder.root / f"kept-{self._taken}"
        clone = self._task.clone if self._task.may_write else None
        try:
            kept = await keep(self._sandbox, self._blobs, self._folder.session, clone, self._task.base, scratch)
        except LoopdeskError as error:
            # The work goes on: what is not kept is only done twice.
            kept = Kept(why=str(error))
        if kept.why:
            self.complaints.append(f"Not all could be kept after {turns} turns: {kept.why}")
        if self._snapshot is not None and (kept.session or kept.bundle):
            await self._snapshot(Snapshot(kept.bundle, kept.session, turns))
        return kept


async def keep(sandbox: Sandbox, blobs: Blobs, session: Path, clone: Path | None, base: str, scratch: Path) -> Kept:
    """`scratch` is a new folder of the host's. The work is kept where there is a `clone` that may have changed since
    `base`. Raises `NoSandbox` and `LoopdeskError` where blobs cannot be written."""
    out, received = scratch / "out", scratch / "received"
    for folder in (scratch, out, received):
        folder.mkdir(mode=0o700)
    script = [sandbox.python, "-I", "-S", f"{sandbox.scripts}/keep.py", _READ, OUT]
    if clone is not None and base:
        script += [CLONE, base]
    run = Run(script, clone=clone, clone_is_read_only=True, out=out, read_only={_READ: session}, limits=_LIMITS)
    ended = await run_script(sandbox, run)
    if ended.exit_code:
        return Kept(why=plain(ended.errors, 200) or ended.said)
    try:
        kept = await in_thread(lambda: _taken(blobs, out, received, bool(clone is not None and base)), "keep")
    except Untrusted as error:
        return Kept(why=str(error))
    finally:
        shutil.rmtree(received, ignore_errors=True)
    return kept if kept.session else replace(kept, why=plain(ended.errors, 200) or "there was no session")


def _taken(blobs: Blobs, out: Path, received: Path, has_work: bool) -> Kept:
    folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        session = copied(folder, SESSION_FILE, received, MOST_SESSION_BYTES)
    finally:
        os.close(folder)
    left = receive(out, received) if has_work else None
    return Kept(
        blobs.put(session.read_bytes()) if session else "",
        blobs.put(left.bundle.read_bytes()) if left and left.bundle else "",
        left.error if left else "",
    )


async def restore(sandbox: Sandbox, blobs: Blobs, key: str, session: Path, scratch: Path) -> None:
    """Unpack a session into its empty folder, in a jail. Raises `Untrusted` for one that is not what a session has to
    be, `NoSandbox`, and `LoopdeskError` where it is gone."""
    packed = await in_thread(lambda: blobs.get(key), "restore")
    tar = scratch / "session.tar.gz"
    tar.write_bytes(packed)
    script = [sandbox.python, "-I", "-S", f"{sandbox.scripts}/restore.py", _TAR, SESSION]
    ended = await run_script(sandbox, Run(script, session=session, read_only={_TAR: tar}, limits=_LIMITS))
    tar.unlink()
    if ended.exit_code:
        raise Untrusted(f"The agent's session cannot be gone on with ({plain(ended.errors, 120) or ended.said})")
