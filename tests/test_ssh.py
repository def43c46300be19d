"""The desk over a real OpenSSH server on loopback, alone and in tmux: lines that break, come back, or do not."""

from __future__ import annotations

import asyncio
import getpass
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine import process
from engine.inbox import Inbox
from engine.main import Engine, Parts
from engine.store import Store
from queries.cache import AnswerCache
from tests.required import required
from tests.terminals import ROOT, Terminal, desk_command, left_unclean
from tests.test_commands import loopdesk
from workspace.paths import Workspace

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
"""


@dataclass
class Ssh:
    """A server that is this user's own, and what its clients left behind."""

    folder: Path
    port: int
    workspace: Path

    def open(self, remote: str, size: tuple[int, int] = (160, 48)) -> Terminal:
        """A client in a terminal, which runs the command there."""
        options = {
            "Port": self.port,
            "IdentityFile": self.folder / "user",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "UserKnownHostsFile": self.folder / "known",
            "StrictHostKeyChecking": "yes",
            "LogLevel": "ERROR",
        }
        spelled = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        command = ["ssh", "-F", "none", *spelled, "-tt", f"{getpass.getuser()}@127.0.0.1", remote]
        return Terminal(command, size, is_elsewhere=True)

    def desk(self, *, colours: str = "truecolor") -> str:
        """The command that opens the desk, as a login shell there takes it."""
        settings = f"env COLORTERM={colours} LOOPDESK_CONFIG_DIR={self.folder / 'config'}"
        return f"cd {shlex.quote(str(ROOT))} && exec {settings} {shlex.join(desk_command(self.workspace))}"

    def tmux(self, *arguments: str) -> str:
        return shlex.join(["tmux", "-S", str(self.folder / "tmux"), "-f", "/dev/null", *arguments])

    def desks(self) -> list[int]:
        """The desks that run on this workspace."""
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,stat=,args="], capture_output=True, text=True, check=True
        )
        arguments = " ".join(desk_command(self.workspace)[1:])
        found = []
        for line in listed.stdout.splitlines():
            pid, state, program, *_ = [*line.split(), ""]
            if line.endswith(arguments) and Path(program).name.startswith("python") and not state.startswith("Z"):
                found.append(int(pid))
        return found

    def until_no_desk(self) -> None:
        end = time.monotonic() + 60
        while desks := self.desks():
            assert time.monotonic() < end, f"still there: {desks}"
            time.sleep(0.05)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ssh") / "workspace"
    done = loopdesk("demo", "--prepare", folder, "--seed", "5")
    assert done.returncode == 0, done.stderr
    # Opened once: from then on it paints what it remembers, in one go.
    terminal = Terminal(desk_command(folder), (160, 48))
    terminal.read(until=b"as of")
    terminal.press(b"2", until=b"outcome")
    terminal.press(b"1q")
    assert terminal.ended() == 0
    terminal.close()
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Iterator[Ssh]:
    sshd, keygen, _ = required("ssh", "sshd", "ssh-keygen", "ssh")
    folder = tmp_path_factory.mktemp("sshd")
    for key in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "config_file").write_text(CONFIG.format(port=port, folder=folder))
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian makes it when the service starts
    process = subprocess.Popen([sshd, "-D", "-e", "-f", str(folder / "config_file")], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        while "Server listening" not in (line := process.stderr.readline()):
            assert line, "sshd did not start"
        yield Ssh(folder, port, prepared)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def ssh(server: Ssh) -> Iterator[Ssh]:
    """Every test's desk opens as the first one did, wherever the test before left its own."""
    cache = AnswerCache(server.workspace / "desk.db")
    cache.set_state("left", {})
    cache.close()
    yield server
    server.until_no_desk()


@pytest.fixture
def opened() -> Iterator[Callable[[Terminal], Terminal]]:
    """Closes terminals that a failing test left open."""
    terminals: list[Terminal] = []

    def note(terminal: Terminal) -> Terminal:
        terminals.append(terminal)
        return terminal

    yield note
    for terminal in terminals:
        terminal.close()


Opened = Callable[[Terminal], Terminal]


def test_the_desk_works_over_ssh_within_its_budget(ssh: Ssh, opened: Opened):
    """DESIGN's budgets, in bytes, as they go over the line."""
    terminal = opened(ssh.open(ssh.desk()))
    assert len(terminal.read(until=b"as of")) <= 48_000
    assert 0 < len(terminal.press(b"\t", until=b"Score trend")) <= 8_000
    assert len(terminal.press(b"2", until=b"outcome")) <= 48_000
    assert 0 < len(terminal.press(b"j")) <= 600
    assert 0 < len(terminal.press(b"\x1b[6~")) <= 10_000
    assert "Rounds" in terminal.picture()[0]
    assert b"Keys" in terminal.press(b"?", until=b"Keys")
    terminal.press(b"\x1b")
    assert b"HogQL" in terminal.press(b"+", until=b"HogQL")
    terminal.forget()
    terminal.resize((100, 30))
    terminal.read(until=b"quit")
    assert "HogQL" in "\n".join(terminal.picture()) and "q quit" in terminal.picture()[-1]
    terminal.press(b"\x1b")
    rest = terminal.press(b"q")
    assert terminal.ended() == 0 and left_unclean(rest) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_killed_desk_leaves_the_terminal_clean(ssh: Ssh, opened: Opened, number: int):
    terminal = opened(ssh.open(ssh.desk()))
    terminal.read(until=b"as of")
    (desk,) = ssh.desks()
    os.kill(desk, number)
    rest = terminal.read()
    assert terminal.ended() == 128 + number and left_unclean(rest) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_after_a_crash_that_no_program_survives_reset_helps(ssh: Ssh, opened: Opened, number: int):
    """Nobody is left to take the modes back: ctrl+j, `reset`, ctrl+j does, typed blindly."""
    terminal = opened(ssh.open("exec env PS1='$ ' sh -i"))
    terminal.read(until=b"$ ")
    terminal.press(f"({ssh.desk()})\r".encode(), until=b"as of")
    (desk,) = ssh.desks()
    terminal.forget()
    os.kill(desk, number)
    terminal.read(until=b"$ ")
    assert "mouse" in left_unclean(terminal.stream)
    assert b"\x1bc" in terminal.press(b"\nreset\n", until=b"\x1bc")
    terminal.press(b"exit\n")
    terminal.ended()


@pytest.mark.parametrize("how", ["killed", "cut"])
def test_a_hang_up_ends_the_desk_and_leaves_nothing_half_written(ssh: Ssh, opened: Opened, how: str):
    there_was = {path.name for path in ssh.workspace.iterdir()}
    terminal = opened(ssh.open(ssh.desk()))
    terminal.read(until=b"as of")
    terminal.press(b"2", until=b"outcome")
    terminal.press(b"w")
    terminal.type(b"7\rjjjR1\t\t+")  # in the middle of it
    if how == "killed":
        terminal.send(signal.SIGKILL)
    else:
        terminal.cut()
    ssh.until_no_desk()
    assert {path.name for path in ssh.workspace.iterdir()} <= {
        *there_was,
        *("engine.lock", "desks.lock"),
        *(f"{name}.db-{side}" for name in ("events", "desk", "inbox") for side in ("wal", "shm")),
    }
    for name in ("events.db", "desk.db", "inbox.db"):
        connection = sqlite3.connect(ssh.workspace / name)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
    again = opened(ssh.open(ssh.desk()))
    assert b"as of" in again.read(until=b"as of")
    again.press(b"q")
    assert again.ended() == 0


def test_a_decision_right_before_a_hang_up_is_applied_once(ssh: Ssh, opened: Opened, tmp_path: Path):
    there = replace(ssh, workspace=tmp_path / "w")
    shutil.copytree(ssh.workspace, there.workspace)
    workspace = Workspace(there.workspace)
    terminal = opened(there.open(there.desk()))
    terminal.read(until=b"as of")
    terminal.press(b"3", until=b"History")
    terminal.press(b"jj")  # past the group's line, to one that no fix is under way for: that would be asked about
    terminal.press(b"v", until=b"undoes it until")
    terminal.cut()
    there.until_no_desk()
    process.stop(workspace)  # the one that the desk has started; a later one finds the decision
    store = Store.open(workspace.inbox_db)
    for _ in range(2):
        asyncio.run(Engine(store, Parts(), clock=lambda: datetime.now(UTC) + timedelta(minutes=1)).once())
    store.close()
    (command,) = (inbox := Inbox(workspace, read_only=True)).commands()
    detail = inbox.report(command.report_id)
    inbox.close()
    assert command.verb == "resolve" and command.applied_at is not None
    assert detail is not None and [line.after for line in detail.log if line.noun == "report"].count("resolved") == 1


def test_in_tmux_the_desk_is_found_as_it_was_left(ssh: Ssh, opened: Opened):
    required("ssh", "tmux")
    start = ssh.tmux("new-session", "-s", "desk", ssh.desk())
    first = opened(ssh.open(start))
    first.read(until=b"as of")
    first.press(b"2", until=b"outcome")
    first.press(b"jjj")
    first.press(b"\x1b[6~")
    (desk,) = ssh.desks()
    left = first.picture()[:-1]  # the last line is tmux's own, with a clock
    assert left[0].lstrip().startswith("Rounds")
    first.send(signal.SIGKILL)
    attach = ssh.tmux("attach", "-t", "desk")
    second = opened(ssh.open(attach))
    second.read(until=b"outcome")
    assert second.picture()[:-1] == left and ssh.desks() == [desk]
    assert 0 < len(second.press(b"j")) <= 1_000
    # From a smaller screen as well; the larger one is closed.
    second.send(signal.SIGKILL)
    third = opened(ssh.open(attach, (80, 24)))
    third.read(until=b"quit")
    third.forget()
    third.press(b"1", until=b"Round funnel")
    assert ssh.desks() == [desk]
    third.press(b"q")
    third.ended()
    ssh.until_no_desk()


def test_what_is_copied_goes_through_ssh_to_the_persons_own_clipboard(ssh: Ssh, opened: Opened):
    terminal = opened(ssh.open(ssh.desk()))
    terminal.read(until=b"as of")
    terminal.press(b"2", until=b"outcome")
    assert b"\x1b]52;c;" in terminal.press(b"y")
    terminal.press(b"q")
    assert terminal.ended() == 0


def test_ctrl_z_over_ssh_without_a_shell_does_not_stop_the_desk_for_ever(ssh: Ssh, opened: Opened):
    terminal = opened(ssh.open(ssh.desk()))
    terminal.read(until=b"as of")
    terminal.press(b"\x1a")
    assert b"outcome" in terminal.press(b"2", until=b"outcome")
    terminal.press(b"q")
    assert terminal.ended() == 0
