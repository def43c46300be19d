"""What a jail looks like from within, as one line of JSON. It changes nothing."""

import ctypes
import json
import os
import sys
from pathlib import Path

_MUST_BE_READ_ONLY = ("/", "/usr", "/etc", "/dev", "/proc/sys/kernel/core_pattern", "/proc/self/oom_score_adj")
_OURS = ("LOOPDESK_", "POSTHOG_", "GITHUB_", "SSH_", "AWS_", "DBUS_", "XDG_")
_CLONE_NEWUSER = 0x10000000


def main() -> int:
    status = dict(line.split(":\t", 1) for line in _lines("/proc/self/status"))
    facts = {
        "uid": os.getuid(),
        "interfaces": sorted(line.split(":")[0].strip() for line in _lines("/proc/net/dev")[2:]),
        "processes": "own" if _lines("/proc/1/comm") == ["bwrap"] else "others",
        "writable": [path for path in _MUST_BE_READ_ONLY if _is_writable(path)],
        "namespaces": _makes_namespaces(),
        "capabilities": int(status["CapEff"], 16),
        "variables": [name for name in os.environ if name.startswith(_OURS)],
    }
    print(json.dumps(facts))
    return 0


def _lines(path):
    return Path(path).read_text(encoding="utf-8").splitlines()


def _is_writable(path):
    if Path(path).is_dir():
        return os.access(path, os.W_OK)
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True


def _makes_namespaces():
    child = os.fork()
    if child == 0:
        os._exit(ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


if __name__ == "__main__":
    sys.exit(main())
