"""A configured command in a jail of its own: the tests of a change, the checks of a forge without CI, the dependencies
of a repository."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from engine.forges.ci import Ran
from engine.forges.mirror import Mirror
from engine.forges.trees import export
from engine.repositories import Repository
from engine.sandbox.protocol import Ended, Limits, Run, Sandbox, Why
from workspace.errors import LoopdeskError
from workspace.text import plain

DEPENDENCIES = "/work/deps"
SETUP_S = 1_800.0
_MOST_OUTPUT = 1 << 20
# Both streams in the order in which they were written; the command's words are arguments and no shell reads them.
_TOGETHER = ("/bin/sh", "-c", 'exec "$@" 2>&1', "sh")


@dataclass(frozen=True, slots=True)
class JailRunner:
    """`engine.forges.ci.Runner` from any thread but the loop's own: jails are started in `loop`, with which they die.
    `dependencies` is a prepared folder, or None; `read_only` are more, by where they are within."""

    sandbox: Callable[[], Sandbox]
    loop: asyncio.AbstractEventLoop
    dependencies: Path | None = None
    read_only: Mapping[str, Path] = field(default_factory=dict)
    _running: list[Future[tuple[bytes, Ended]]] = field(default_factory=list, repr=False)

    def stop(self) -> None:
        """Kill what runs now: whoever waits for it in a thread is not wanted any more."""
        for one in list(self._running):
            one.cancel()

    def run(self, command: Sequence[str], folder: Path, timeout_s: float) -> Ran:
        """Raises `NoSandbox`."""
        prepared = {DEPENDENCIES: self.dependencies} if self.dependencies else {}
        run = Run(
            [*_TOGETHER, *command],
            clone=folder,
            read_only={**self.read_only, **prepared},
            limits=Limits(wall_s=timeout_s, disk_bytes=4 << 30),
        )
        running = asyncio.run_coroutine_threadsafe(_ran(self.sandbox(), run), self.loop)
        self._running.append(running)
        try:
            output, ended = running.result()
        finally:
            self._running.remove(running)
        if ended.why is Why.WALL:
            return Ran(None, output)
        if ended.why is not Why.EXIT:
            return Ran(ended.exit_code or 1, output + f"\n{ended.said}".encode())
        return Ran(ended.exit_code, output)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Dependencies by repository and lock file, each made once in `folder`."""

    folder: Path
    limits: Limits = field(default_factory=lambda: Limits(wall_s=SETUP_S, disk_bytes=8 << 30))

    async def dependencies(
        self, repository: Repository, mirror: Mirror, base: str, sandbox: Callable[[], Sandbox]
    ) -> Path | None:
        """What the `setup` of the base commit made, from the base commit's own lock file: the one command that has a
        network, and runs nothing of an agent's. Raises `NoSandbox`, `LoopdeskError`."""
        if not repository.setup:
            return None
        lock = await asyncio.to_thread(mirror.file, base, repository.lock) if repository.lock else None
        made_from = [repository.name, *repository.setup, (lock or base.encode()).hex()]
        ready = self.folder / hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:32]
        if ready.is_dir():
            return ready
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="part-", dir=self.folder))
        try:
            (scratch / "deps").mkdir()
            await asyncio.to_thread(export, mirror, base, scratch / "tree")
            run = Run(
                [*_TOGETHER, *repository.setup],
                clone=scratch / "tree",
                written={DEPENDENCIES: scratch / "deps"},
                has_network=True,
                limits=self.limits,
            )
            output, ended = await _ran(sandbox(), run)
            if ended.exit_code or ended.why is not Why.EXIT:
                said = plain(output.decode("utf-8", "replace")[-400:], 300)
                raise LoopdeskError(
                    f"The dependencies of {repository.name} could not be prepared ({said or ended.said})",
                    "Without them its tests do not run",
                    f"Mend setup under [repositories.{repository.name}]",
                )
            try:
                os.rename(scratch / "deps", ready)  # noqa: PTH104  # refuses where somebody was faster
            except OSError:
                if not ready.is_dir():
                    raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return ready


async def _ran(sandbox: Sandbox, run: Run) -> tuple[bytes, Ended]:
    """The end of its output, and how it ended."""
    jail = await sandbox.start(run)
    try:
        jail.stdin.close()
        output = b""
        while chunk := await jail.stdout.read(1 << 16):
            output = (output + chunk)[-_MOST_OUTPUT:]
        return output, await jail.wait()
    except asyncio.CancelledError:
        jail.kill()
        await jail.wait()
        raise
