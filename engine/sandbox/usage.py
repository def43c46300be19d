"""What a jail uses, read from outside: its processes by /proc, its folders by their entries. Nothing is opened.

Linux only. A process or a file that goes while it is looked at counts as gone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

DEEPEST = 200  # folders within each other; every one of them is a descriptor that is held
MOST_ENTRIES = 500_000


@dataclass(frozen=True, slots=True)
class Processes:
    """`memory_bytes` is what cannot be dropped again: anonymous and shared memory."""

    tasks: int
    memory_bytes: int


def processes(pid: int, most_bytes: int) -> Processes:
    """Of `pid` and everything below it. Whatever a jail's processes do, they stay below the first of its namespace.

    Pages that processes share are first counted for each of them. Only where that is more than `most_bytes` are they
    counted once, which takes the kernel ten times as long.
    """
    family = list(_family(pid))
    states = [_facts(one, "status") for one in family]
    tasks = sum(_number(facts.get("Threads")) for facts in states)
    memory = sum(_number(facts.get("RssAnon")) + _number(facts.get("RssShmem")) for facts in states) * 1024
    if memory > most_bytes:
        shares = [_facts(one, "smaps_rollup") for one in family]
        memory = sum(_number(facts.get("Pss_Anon")) + _number(facts.get("Pss_Shmem")) for facts in shares) * 1024
    return Processes(tasks, memory)


def _facts(pid: int, name: str) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _number(value: str | None) -> int:
    return int(value.split()[0]) if value else 0


def _family(pid: int) -> Iterator[int]:
    waiting, seen = [pid], {pid}
    while waiting:
        one = waiting.pop()
        yield one
        try:
            threads = Path(f"/proc/{one}/task").iterdir()
            lines = [(thread / "children").read_text(encoding="ascii") for thread in threads]
        except OSError:
            continue
        found = {int(child) for line in lines for child in line.split()} - seen
        seen |= found
        waiting += found


def free_memory_bytes() -> int:
    """Of the machine, as the kernel estimates it."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * _number(line.split(":", 1)[1])
    return 0


def disk(folders: Iterable[Path], most_bytes: int) -> int:
    """Bytes on the disk in `folders`, or any number above `most_bytes` once that is passed. A tree that is too deep or
    has too many entries to be counted passes it too: that is no project."""
    total = entries = 0
    for folder in folders:
        for size in _sizes(folder):
            total, entries = total + size, entries + 1
            if total > most_bytes or entries > MOST_ENTRIES:
                return max(total, most_bytes + 1)
    return total


def _sizes(folder: Path) -> Iterator[int]:
    """Of every entry. Folders are entered by their descriptor, never through a link: the agent may change them while
    they are walked."""
    try:
        open_ = [_entered(folder, None)]
    except OSError:
        return
    try:
        while open_:
            descriptor, names = open_[-1]
            if not names:
                os.close(descriptor)
                open_.pop()
                continue
            name = names.pop()
            try:
                facts = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                yield facts.st_blocks * 512
                if (facts.st_mode & 0o170000) == 0o040000:
                    if len(open_) == DEEPEST:
                        yield 1 << 62
                        continue
                    open_.append(_entered(name, descriptor))
            except OSError:
                continue
    finally:
        for descriptor, _ in open_:
            os.close(descriptor)


def _entered(name: Path | str, within: int | None) -> tuple[int, list[str]]:
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=within)
    try:
        return descriptor, os.listdir(descriptor)  # noqa: PTH208 - a path would be looked up again
    except OSError:
        os.close(descriptor)
        raise
