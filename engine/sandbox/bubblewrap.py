"""The jail on Linux: bubblewrap around the whole command.

Within: namespaces of its own without a network, an unprivileged user, `/usr` read-only, `/proc` read-only, scratch
folders in memory, and what the run names. What uses more than its limits is ended by a systemd scope where the user
has one, and by a watchdog in any case, which also sees the disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.sandbox.mending import why_no_jail
from engine.sandbox.protocol import CLONE, GATEWAY_PORT, GATEWAY_URL, HOME, OUT, SESSION, Ended, NoSandbox, Run, Why
from engine.sandbox.watchdog import Watchdog

SCRIPTS = "/opt/loopdesk"
_SOCKET = "/run/loopdesk.sock"
_INSIDE = Path(__file__).with_name("inside")
_SYSTEM_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Of /etc, what programs need to be found and to speak TLS to themselves; never the folder as a whole.
_ETC = ("alternatives", "ld.so.cache", "ssl/certs", "ssl/openssl.cnf", "localtime", "mime.types")
_NAMES_OF_HOSTS = ("/etc/resolv.conf", "/etc/nsswitch.conf")
# What the host's side needs to reach the user's systemd. No key is in the environment of any process of a jail.
_HOST_NAMES = ("PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
_STREAM_BYTES = 1 << 20  # the longest line of an agent's output that is read at once
_MOST_ERRORS = 8_192
_STARTS_WITHIN_S = 20.0
# After the watchdog's own end, so that the sentence is the watchdog's.
_HARD_WALL_S = 30.0
_DEFAULTS: Mapping[str, str] = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "GIT_AUTHOR_NAME": "loopdesk",
    "GIT_AUTHOR_EMAIL": "loopdesk@localhost",
    "GIT_COMMITTER_NAME": "loopdesk",
    "GIT_COMMITTER_EMAIL": "loopdesk@localhost",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}
# Not a run's to choose. The key is none: the gateway adds the real one.
_FIXED: Mapping[str, str] = {
    "HOME": HOME,
    "USER": "agent",
    "CLAUDE_CONFIG_DIR": SESSION,
    "ANTHROPIC_BASE_URL": GATEWAY_URL,
    "ANTHROPIC_API_KEY": "none-in-here",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
}


@dataclass(frozen=True, slots=True)
class Bubblewrap:
    """`scope` is the beginning of a command line that puts what follows into a systemd scope, empty where there is no
    such thing; limits go in between."""

    program: str
    scope: tuple[str, ...] = ()
    name: str = "bubblewrap"
    python: str = os.path.realpath(sys.executable)
    scripts: str = SCRIPTS

    async def start(self, run: Run) -> BubblewrapJail:
        """Raises `NoSandbox`. The jail dies with the thread that calls this."""
        told, tell = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._scoped(run),
                *command(run, self.program, self.python, told_by=tell),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={name: os.environ[name] for name in _HOST_NAMES if name in os.environ},
                cwd="/",
                pass_fds=(tell,),
                start_new_session=True,
                limit=_STREAM_BYTES,
            )
        except OSError as error:
            os.close(told)
            raise NoSandbox(f"{self.program} could not be started: {error.strerror}") from error
        finally:
            os.close(tell)
        try:
            first = await _first_process(told)
        except (OSError, ValueError, KeyError, TimeoutError):
            with suppress(ProcessLookupError):
                process.kill()
            _, errors = await process.communicate()
            raise why_no_jail(errors.decode("utf-8", "replace")) from None
        return BubblewrapJail(run, process, first)

    def _scoped(self, run: Run) -> list[str]:
        if not self.scope:
            return []
        limits = {
            "MemoryMax": run.limits.memory_bytes,
            "MemorySwapMax": 0,
            "TasksMax": run.limits.tasks,
            "RuntimeMaxSec": int(run.limits.wall_s + _HARD_WALL_S),
        }
        return [*self.scope, *(f"--property={name}={value}" for name, value in limits.items()), "--"]


def find() -> Bubblewrap:
    """The one of this machine. Raises `NoSandbox` where it is not installed; whether a jail starts, `selftest` says."""
    if not sys.platform.startswith("linux"):
        raise NoSandbox("There is no jail for agents on this system yet", "Research and fixes need Linux")
    program = shutil.which("bwrap", path=f"{os.environ.get('PATH', '')}:/usr/bin:/usr/local/bin")
    if program is None:
        raise why_no_jail(None)
    return Bubblewrap(program, _scope())


def _scope() -> tuple[str, ...]:
    """A scope of the user's own systemd, tried once."""
    program = shutil.which("systemd-run")
    if program is None or not os.environ.get("XDG_RUNTIME_DIR"):
        return ()
    line = (program, "--user", "--scope", "--quiet", "--collect")
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([*line, "--", "true"], stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        return line if done.returncode == 0 else ()
    return ()


def command(run: Run, program: str, python: str, *, told_by: int) -> list[str]:
    """The jail's command line. Bubblewrap writes about its first process to the descriptor `told_by`. No secret."""
    scratch = str(run.limits.scratch_bytes)
    parts = [
        *(program, "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"),
        *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--cap-drop", "ALL"),
        *("--info-fd", str(told_by), "--clearenv"),
        *_system(python),
        *("--proc", "/proc", "--dev", "/dev"),
        *(part for folder in ("/dev/shm", "/tmp", HOME) for part in ("--size", scratch, "--tmpfs", folder)),  # noqa: S108
        *("--ro-bind", str(_INSIDE), SCRIPTS),
        *(part for name in ("passwd", "group", "hosts") for part in _bound(_INSIDE / "etc" / name, f"/etc/{name}")),
    ]
    if run.clone is not None:
        parts += _bound(run.clone, CLONE, is_writable=not run.clone_is_read_only)
    if run.session is not None:
        parts += _bound(run.session, SESSION, is_writable=True)
    if run.out is not None:
        parts += _bound(run.out, OUT, is_writable=True)
    for within, path in run.read_only.items():
        parts += _bound(path, within)
    for within, path in run.written.items():
        parts += _bound(path, within, is_writable=True)
    if run.has_network:
        parts += ["--share-net", *(part for name in _NAMES_OF_HOSTS for part in ("--ro-bind-try", name, name))]
    if run.gateway is not None:
        parts += _bound(run.gateway.socket, _SOCKET)
    # Last, because bubblewrap makes the places to mount on there. /proc as a whole: where root runs the engine, the
    # kernel would let the jail write settings of the whole machine, such as what it runs after a crash.
    for folder in ("/proc", "/dev", "/"):
        parts += ["--remount-ro", folder]
    for name, value in {**_DEFAULTS, **run.environment, **_FIXED}.items():
        parts += ["--setenv", name, value]
    relay = [python, "-I", "-S", f"{SCRIPTS}/relay.py", str(run.limits.tasks), str(run.limits.disk_bytes)]
    relay += [str(int(run.limits.wall_s + _HARD_WALL_S)), str(GATEWAY_PORT), _SOCKET if run.gateway else ""]
    return [*parts, "--chdir", CLONE if run.clone is not None else HOME, "--", *relay, *run.command]


def _system(python: str) -> list[str]:
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM_FOLDERS:
        path = Path("/", name)
        if path.is_symlink():
            parts += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            parts += _bound(path, str(path))
    for name in _ETC:
        parts += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    prefix = Path(sys.base_prefix).resolve()
    if not prefix.is_relative_to("/usr") and Path(python).is_relative_to(prefix):
        parts += _bound(prefix, str(prefix))
    return parts


def _bound(path: Path, within: str, *, is_writable: bool = False) -> list[str]:
    return ["--bind" if is_writable else "--ro-bind", str(path), within]


async def _first_process(told: int) -> int:
    """A descriptor of the first process of the jail's namespace, which is the last of it to go. Closes `told`."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(told, "rb", buffering=0)
    )
    try:
        # It keeps the pipe open while it runs: the end of the JSON is the end of what is said.
        said = await asyncio.wait_for(reader.readuntil(b"}"), _STARTS_WITHIN_S)
    except asyncio.IncompleteReadError:
        raise ValueError("nothing was said") from None
    finally:
        transport.close()
    return int(json.loads(said)["child-pid"])


class BubblewrapJail:
    """A running jail."""

    def __init__(self, run: Run, process: asyncio.subprocess.Process, first: int) -> None:
        """`first` is the process that all others of the jail go with. Raises `ProcessLookupError`."""
        assert process.stdin and process.stdout and process.stderr
        self._run, self._process = run, process
        self.stdin, self.stdout, self.pid = process.stdin, process.stdout, process.pid
        try:
            self._first: int | None = os.pidfd_open(first)
        except ProcessLookupError:
            self._first = None  # it was a very short command
        self._watchdog = Watchdog(run, first)
        self._ended_by: tuple[Why, str] | None = None
        self._errors = asyncio.create_task(_tail(process.stderr))
        self._watching = asyncio.create_task(self._watch())

    def kill(self) -> None:
        self._end(Why.KILLED, "It was stopped")

    async def wait(self) -> Ended:
        """Raises nothing; a caller that is cancelled meanwhile kills the jail."""
        try:
            code = await self._process.wait()
            await self._gone()
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            errors = await self._errors
        except asyncio.CancelledError:
            self.kill()
            self._watching.cancel()
            raise
        code = code if code >= 0 else 128 - code
        why, said = self._ended_by or (Why.EXIT, "It ended by itself")
        refusals = tuple(self._run.gateway.refusals) if self._run.gateway else ()
        return Ended(code, why, said, self._watchdog.usage, refusals, errors)

    async def _watch(self) -> None:
        why, said = await self._watchdog.watch()
        self._end(why, said)

    def _end(self, why: Why, said: str) -> None:
        self._ended_by = self._ended_by or (why, said)
        if self._first is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
        with suppress(ProcessLookupError):
            self._process.kill()

    async def _gone(self) -> None:
        """The first process of a namespace ends after all others have: only then is nobody left to write."""
        if self._first is None:
            return
        first, self._first = self._first, None
        gone = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(first, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(first)
            os.close(first)


async def _tail(stream: asyncio.StreamReader) -> str:
    kept = b""
    while chunk := await stream.read(_MOST_ERRORS):
        kept = (kept + chunk)[-_MOST_ERRORS:]
    return kept.decode("utf-8", "replace")
