"""Runs a command in the jail: sets its hard limits, and offers the gateway's socket to it as HTTP on loopback.

    relay.py TASKS FILE_BYTES WALL_S PORT SOCKET COMMAND ...        without a gateway SOCKET is empty

Exits as the command does; the jail ends with it, whatever else still runs there.
"""

import os
import resource
import signal
import socket
import sys
import threading
from contextlib import suppress

_CHUNK = 65_536
_MOST_CONNECTIONS = 64


def main() -> int:
    tasks, file_bytes, wall_s, port, path, *command = sys.argv[1:]
    # The host's watchdog is the first to end a run; this holds where the host's engine hangs.
    signal.alarm(int(wall_s))
    listener = _listen(int(port)) if path else None
    agent = os.fork()
    if agent == 0:
        _exec(int(tasks), int(file_bytes), command)
    if listener is not None:
        threading.Thread(target=_serve, args=(listener, path), daemon=True).start()
    # Whoever reads the command's output is told by its end, not by this process's.
    _let_go()
    _, status = os.waitpid(agent, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _listen(port):
    listener = socket.create_server(("127.0.0.1", port), backlog=_MOST_CONNECTIONS)
    os.set_inheritable(listener.fileno(), False)
    return listener


def _exec(tasks, file_bytes, command):
    signal.alarm(0)
    try:
        for limit, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, file_bytes),
            # Counted within the jail's own user namespace; root of the host is exempt, and left to the watchdog.
            (resource.RLIMIT_NPROC, tasks),
        ):
            hard = resource.getrlimit(limit)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(limit, (most, most))
        os.execvp(command[0], command)  # noqa: S606 - no shell is meant
    except OSError as error:
        os.write(2, f"cannot run {command[0]}: {error.strerror}\n".encode("utf-8", "replace"))
    finally:
        os._exit(127)


def _let_go():
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _serve(listener, path):
    room = threading.BoundedSemaphore(_MOST_CONNECTIONS)
    while True:
        client, _ = listener.accept()
        room.acquire()
        threading.Thread(target=_pass_on, args=(client, path, room), daemon=True).start()


def _pass_on(client, path, room):
    try:
        with client, socket.socket(socket.AF_UNIX) as gateway:
            gateway.connect(path)
            there = threading.Thread(target=_copy, args=(client, gateway), daemon=True)
            there.start()
            _copy(gateway, client)
            there.join()
    except OSError:
        pass  # the client sees its connection closed
    finally:
        room.release()


def _copy(source, target):
    try:
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    sys.exit(main())
