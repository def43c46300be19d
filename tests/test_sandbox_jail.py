"""The jail against an agent that tries everything: nothing of the host is there, limits hold, nobody is left."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.sandbox import folders, mending, selftest, usage, watchdog
from engine.sandbox.bubblewrap import Bubblewrap, command
from engine.sandbox.folders import remove_leftovers, run_folder
from engine.sandbox.mending import Kernel, why_no_jail
from engine.sandbox.orphans import remove_orphans
from engine.sandbox.protocol import CLONE, HOME, Limits, NoSandbox, Run, Usage, Why
from tests.jails import hostile, jails, ran
from tui.commands.checks import sandbox as check
from tui.commands.checks.line import NOTE, OK, WRONG

SECRET = "canary-7f3a-of-the-host"
SMALL = Limits(memory_bytes=512 << 20, tasks=64, wall_s=20.0, disk_bytes=64 << 20, scratch_bytes=4 << 20)


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    return folder


async def test_an_agent_finds_nothing_of_the_host_and_no_way_out(
    sandbox: Bubblewrap, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    secrets = [tmp_path / "home" / ".ssh" / "id_ed25519", tmp_path / "other" / "code.py", tmp_path / "inbox.db"]
    for path in secrets:
        path.parent.mkdir(exist_ok=True)
        path.write_text(SECRET)
    (clone / "link").symlink_to(secrets[0])
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{SECRET}")
        abstract.listen()
        facts = {
            "paths": [str(path) for path in secrets] + [f"{CLONE}/link", "/etc/shadow", "/root/.profile"],
            "home": str(tmp_path / "home"),
            "secret": SECRET[:12],
            "loopback_port": listener.getsockname()[1],
            "abstract": SECRET,
            "pid": os.getpid(),
            "scratch_bytes": SMALL.scratch_bytes,
        }
        # Its own command line says what to look for.
        facts["secret"] = SECRET
        answers, ended = await ran(sandbox, _told_by_file(sandbox, facts, clone))
    assert len(answers) > 35
    assert {attempt: said for attempt, said in answers.items() if not said.startswith("no")} == {}
    assert ended.exit_code == 0 and ended.why == Why.EXIT


def _told_by_file(sandbox: Bubblewrap, facts: dict[str, object], clone: Path) -> Run:
    """Not by its arguments, which are what it searches."""
    import json

    (clone / "facts.json").write_text(json.dumps(facts))
    run = hostile(sandbox, "escape", clone=clone, limits=SMALL)
    code = (
        "import json, runpy; a = runpy.run_path('/opt/hostile_agent.py');"
        "print(json.dumps(a['escape'](json.load(open('facts.json')))))"
    )
    return Run([sandbox.python, "-I", "-c", code], clone=clone, read_only=run.read_only, limits=SMALL)


async def test_its_environment_is_what_it_was_given_and_nothing_else(
    sandbox: Bubblewrap, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOOPDESK_SOMETHING", SECRET)
    run = Run(["env"], environment={"CLAUDE_CODE_MAX_RETRIES": "0", "LANG": "C"})
    jail = await sandbox.start(run)
    lines = dict(line.split("=", 1) for line in (await jail.stdout.read()).decode().splitlines())
    await jail.wait()
    assert lines["CLAUDE_CODE_MAX_RETRIES"] == "0" and lines["LANG"] == "C" and lines["HOME"] == HOME
    assert SECRET not in lines.values() and "LOOPDESK_SOMETHING" not in lines


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "LD_PRELOAD", "CLAUDE_CODE_OAUTH_TOKEN", "HOME"])
def test_a_variable_that_is_not_on_the_list_is_refused(name: str):
    with pytest.raises(ValueError):
        Run(["true"], environment={name: "x"})


async def test_a_read_only_clone_stays_as_it_is(sandbox: Bubblewrap, clone: Path):
    run = Run(["sh", "-c", "echo x > evil; mkdir evils; echo done"], clone=clone, clone_is_read_only=True)
    jail = await sandbox.start(run)
    assert await jail.stdout.read() == b"done\n"
    ended = await jail.wait()
    assert list(clone.iterdir()) == [] and "Read-only" in ended.errors


async def test_it_is_spoken_to_while_it_works_and_its_exit_code_comes_back(sandbox: Bubblewrap):
    jail = await sandbox.start(Run(["sh", "-c", "read a; echo heard $a; read b; echo also $b; exit 7"]))
    jail.stdin.write(b"one\n")
    assert await jail.stdout.readline() == b"heard one\n"
    jail.stdin.write(b"two\n")
    assert await jail.stdout.readline() == b"also two\n"
    assert (await jail.wait()).exit_code == 7


class TestLimits:
    async def test_a_fork_bomb(self, sandbox: Bubblewrap):
        limits = Limits(tasks=64, wall_s=3.0)
        _, ended = await ran(sandbox, hostile(sandbox, "fork_bomb", {"most": 400}, limits=limits))
        if os.getuid() == 0 and not sandbox.scope:  # whom the kernel's own limit does not hold
            assert ended.why == Why.TASKS and "64" in ended.said
        else:
            assert ended.usage.tasks <= 64

    async def test_memory(self, sandbox: Bubblewrap):
        limits = Limits(memory_bytes=96 << 20, wall_s=20)
        _, ended = await ran(sandbox, hostile(sandbox, "eat_memory", {"most_mb": 600}, limits=limits))
        assert ended.why == Why.MEMORY and "96 MB" in ended.said and ended.usage.memory_bytes > 96 << 20

    async def test_the_disk(self, sandbox: Bubblewrap, clone: Path):
        limits = Limits(disk_bytes=8 << 20, wall_s=20)
        _, ended = await ran(sandbox, hostile(sandbox, "fill_disk", {"most_mb": 400}, clone=clone, limits=limits))
        assert ended.why == Why.DISK and "8 MB" in ended.said

    async def test_time(self, sandbox: Bubblewrap):
        before = time.monotonic()
        _, ended = await ran(sandbox, hostile(sandbox, "sleep", limits=Limits(wall_s=0.3)))
        assert ended.why == Why.WALL and ended.exit_code == 137
        assert time.monotonic() - before < 10

    @pytest.mark.parametrize(
        ("now", "free", "why"),
        [
            (Usage(tasks=11), 1 << 40, Why.TASKS),
            (Usage(memory_bytes=11), 1 << 40, Why.MEMORY),
            (Usage(), 1 << 20, Why.MEMORY),
            (Usage(disk_bytes=11), 1 << 40, Why.DISK),
            (Usage(wall_s=10.1), 1 << 40, Why.WALL),
            (Usage(10, 10, 10, 10), 1 << 40, None),
        ],
    )
    def test_which_limit_was_passed(self, now: Usage, free: int, why: Why | None):
        found = watchdog.passed(now, Limits(10, 10, 10, 10), free)
        assert (found[0] if found else None) == why

    def test_a_scope_is_given_the_same_limits(self, tmp_path: Path):
        sandbox = Bubblewrap("bwrap", ("systemd-run", "--user", "--scope"))
        line = sandbox._scoped(Run(["true"], limits=Limits(memory_bytes=5, tasks=6, wall_s=7)))
        assert line[:3] == ["systemd-run", "--user", "--scope"] and line[-1] == "--"
        assert {"--property=MemoryMax=5", "--property=TasksMax=6", "--property=RuntimeMaxSec=37"} <= set(line)

    def test_the_disk_is_walked_without_following_a_link(self, tmp_path: Path):
        (tmp_path / "big").mkdir()
        (tmp_path / "big" / "file").write_bytes(b"x" * 300_000)
        (tmp_path / "clone").mkdir()
        (tmp_path / "clone" / "link").symlink_to(tmp_path / "big")
        (tmp_path / "clone" / "file").symlink_to(tmp_path / "big" / "file")
        assert usage.disk([tmp_path / "clone"], 1 << 40) < 100_000
        assert usage.disk([tmp_path / "big"], 1 << 40) >= 300_000
        (tmp_path / "instead").symlink_to(tmp_path / "big")
        assert usage.disk([tmp_path / "instead"], 1 << 40) == 0


class TestTheEnd:
    async def test_processes_left_behind_are_gone_before_the_end_is_told(self, sandbox: Bubblewrap, clone: Path):
        said, ended = await ran(sandbox, hostile(sandbox, "leave_behind", clone=clone))
        assert said == "left" and ended.exit_code == 0
        size = (clone / "ticks").stat().st_size
        await asyncio.sleep(0.05)
        assert (clone / "ticks").stat().st_size == size > 0

    async def test_an_agent_that_kills_everyone_kills_its_own_jail(self, sandbox: Bubblewrap):
        _, ended = await ran(sandbox, hostile(sandbox, "kill_everyone"))
        assert ended.exit_code != 0 and ended.why == Why.EXIT

    async def test_it_is_killed_on_request(self, sandbox: Bubblewrap):
        jail = await sandbox.start(hostile(sandbox, "sleep"))
        jail.kill()
        assert (await jail.wait()).why == Why.KILLED

    async def test_a_run_that_is_cancelled_takes_its_jail_along(self, sandbox: Bubblewrap):
        jail = await sandbox.start(hostile(sandbox, "sleep"))
        waiting = asyncio.create_task(jail.wait())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await jail._process.wait() == -signal.SIGKILL

    async def test_whatever_was_dug_into_a_clone_is_removed(self, sandbox: Bubblewrap, tmp_path: Path):
        with run_folder(tmp_path / "runs") as folder:
            _, ended = await ran(sandbox, hostile(sandbox, "dig", {"deep": 2_000}, clone=folder.clone))
            assert ended.why == Why.DISK  # nobody can count it
            assert (folder.clone / "deep" / "deep").is_dir()
        assert list((tmp_path / "runs").iterdir()) == []


OWNER = """
import asyncio, sys
from pathlib import Path
from engine.sandbox.bubblewrap import find
from engine.sandbox.folders import run_folder
from engine.sandbox.gateway import Gateway, Upstream
from engine.sandbox.protocol import Run
from engine.sandbox.requests import Terms

async def main():
    with run_folder(Path(sys.argv[1])) as folder:
        upstream = Upstream("http://127.0.0.1:9", "", None, None)
        async with Gateway(folder.socket, upstream, Terms("m", 1), None, 1.0, None) as gateway:
            command = ["sh", "-c", "sleep 61.5 & echo up; sleep 62.5"]
            jail = await find().start(Run(command, clone=folder.clone, gateway=gateway))
            await jail.stdout.readline()
            print(jail.pid, jail._watchdog.first, flush=True)
            await jail.wait()

asyncio.run(main())
"""


class TestLeftovers:
    def test_after_the_owner_was_killed_no_process_socket_or_folder_stays(self, sandbox: Bubblewrap, tmp_path: Path):
        runs = tmp_path / "runs"
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(runs)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        assert owner.stdout is not None
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        (folder,) = (path for path in runs.iterdir() if path.is_dir())
        assert (folder / "gateway.sock").is_socket()
        assert remove_leftovers(runs) == 0 and folder.is_dir()  # its owner is alive
        first = os.pidfd_open(pids[1])
        owner.kill()
        owner.wait()
        owner.stdout.close()
        assert select.select([first], [], [], 10)[0], "the jail outlived its owner"
        os.close(first)
        assert remove_leftovers(runs) == 1
        assert list(runs.iterdir()) == []

    def test_a_jail_whose_maker_was_killed_while_it_made_it_is_ended(self, tmp_path: Path, sandbox: Bubblewrap):
        """bubblewrap's maker waits for `held` here, which makes a moment of `make torture` last."""
        (tmp_path / "runs" / "clone").mkdir(parents=True)
        held, hold = os.pipe()
        told, tell = os.pipe()
        run = Run(["true"], clone=tmp_path / "runs" / "clone")
        whole = command(run, sandbox.program, sandbox.python, told_by=tell)
        program, *rest = (part for part in whole if part != "--disable-userns")  # it does not go with the other
        maker = subprocess.Popen([program, "--userns-block-fd", str(held), *rest], pass_fds=(held, tell))
        first = json.loads(os.read(told, 1_000))["child-pid"]
        assert remove_orphans((tmp_path / "runs",)) == 0  # its maker is alive
        orphan = os.pidfd_open(first)
        maker.kill()
        maker.wait()
        assert remove_orphans((tmp_path / "other",)) == 0  # not ours
        assert remove_orphans((tmp_path / "runs",)) == 1
        assert select.select([orphan], [], [], 10)[0]
        for descriptor in (held, hold, told, tell, orphan):
            os.close(descriptor)

    def test_what_is_no_run_is_left_alone(self, tmp_path: Path):
        (tmp_path / "mine").mkdir()
        assert remove_leftovers(tmp_path) == 0 and (tmp_path / "mine").is_dir()
        assert remove_leftovers(tmp_path / "nowhere") == 0

    def test_a_link_in_place_of_a_run_is_not_followed(self, tmp_path: Path):
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "file").write_text("x")
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / ("a" * 16)).symlink_to(tmp_path / "precious")
        remove_leftovers(tmp_path / "runs")
        assert (tmp_path / "precious" / "file").read_text() == "x"
        assert list((tmp_path / "runs").iterdir()) == []

    def test_a_run_has_a_folder_of_its_own_while_it_lasts(self, tmp_path: Path):
        with run_folder(tmp_path / "runs") as one, run_folder(tmp_path / "runs") as other:
            assert one.root != other.root and one.clone.is_dir()
            assert one.root.stat().st_mode & 0o777 == 0o700
            assert folders.remove_leftovers(tmp_path / "runs") == 0
        assert list((tmp_path / "runs").iterdir()) == []


class TestMending:
    @pytest.mark.parametrize(
        ("errors", "kernel", "what", "do"),
        [
            (None, Kernel(), "not installed", "apt install bubblewrap"),
            ("bwrap: Unknown option --disable-userns", Kernel(), "older than 0.8", "newer"),
            (
                "bwrap: No space left",
                Kernel(most_user_namespaces=0),
                "allows no user namespaces",
                "max_user_namespaces",
            ),
            ("bwrap: x", Kernel(unprivileged_userns_clone=0), "allows no user namespaces", "userns_clone=1"),
            (
                "bwrap: setting up uid map: Permission denied",
                Kernel(apparmor_restricts=1),
                "AppArmor",
                "apparmor.d/bwrap",
            ),
            ("bwrap: Operation not permitted", Kernel(is_container=True), "container", "seccomp"),
            ("bwrap: \x1b[31mout of luck", Kernel(), "out of luck", "doctor"),
            ("", Kernel(apparmor_restricts=0), "said nothing", "doctor"),
        ],
    )
    def test_why_there_is_no_jail_and_what_mends_it(self, errors: str | None, kernel: Kernel, what: str, do: str):
        error = why_no_jail(errors, kernel)
        assert what in error.what and do in error.do and "\x1b" not in str(error)

    def test_this_kernel_is_read(self):
        assert mending.kernel().most_user_namespaces != -1

    async def test_what_is_no_bubblewrap_is_no_sandbox(self, tmp_path: Path):
        fake = tmp_path / "bwrap"
        fake.write_text("#!/bin/sh\necho 'bwrap: Unknown option --disable-userns' >&2\nexit 1\n")
        fake.chmod(0o755)
        with pytest.raises(NoSandbox, match=r"older than 0\.8"):
            await Bubblewrap(str(fake)).start(Run(["true"]))
        with pytest.raises(NoSandbox, match="could not be started"):
            await Bubblewrap(str(tmp_path / "none")).start(Run(["true"]))

    def test_a_machine_without_it_refuses(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("shutil.which", lambda *_, **__: None)
        with pytest.raises(NoSandbox, match="not installed"):
            selftest.look()
        (line,) = check.check(None)  # type: ignore[arg-type]
        assert line.state == NOTE and "apt install bubblewrap" in line.do


class TestSelftest:
    def test_a_real_jail_has_no_leaks(self, sandbox: Bubblewrap):
        found = selftest.look()
        assert found.leaks == () and found.limits == ("scope" if sandbox.scope else "watchdog")
        assert {line.state for line in check.lines(found)} <= {OK, NOTE}

    async def test_a_jail_that_is_none_is_found_out(self, tmp_path: Path):
        """A program that speaks as bubblewrap does and only runs the command."""
        fake, probe = tmp_path / "bwrap", Path(selftest.__file__).parent / "inside" / "probe.py"
        fake.write_text(
            f"#!{sys.executable}\n"
            "import os, sys\n"
            "told = int(sys.argv[sys.argv.index('--info-fd') + 1])\n"
            "os.write(told, b'{\"child-pid\": %d}' % os.getpid())\n"
            f"os.execv({sys.executable!r}, [{sys.executable!r}, {str(probe)!r}])\n"
        )
        fake.chmod(0o755)
        found = await selftest.examine(Bubblewrap(str(fake)))
        assert {"a network", "processes of the machine", "a writable system"} <= set(found.leaks) or os.getuid() != 0
        assert "processes of the machine" in found.leaks
        assert check.lines(found)[0].state == WRONG


def test_the_command_line_holds_no_secret(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    line = command(Run(["claude", "--model", "m"]), "bwrap", sys.executable, told_by=9)
    assert not any(SECRET in part for part in line)
    assert line[-3:] == ["claude", "--model", "m"] and line.index("--clearenv") < line.index("--setenv")
