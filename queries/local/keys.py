"""The keys of the embedded PostHog, kept in a 0600 file of the workspace: two made once, and one for each machine
that was given its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.locks import only_one
from workspace.paths import refuse_writable_by_others, write_private

_MISSING = (0, 0, 0)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Keys:
    """`project` is what loops of this machine send events with (not a secret); `personal` may ask questions (a secret).

    `machines` holds the project key of each other machine by the machine's name: who holds one may send events here.
    """

    project: str
    personal: str = field(repr=False)
    machines: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_keys(root: Path) -> Keys:
    """The workspace's keys, made on first use. Two processes that start at once end up with the same ones."""
    path = keys_file(root)
    fresh = Keys(_project_key(), f"phx_{secrets.token_urlsafe(32)}")
    # Written whole under another name, then linked: whoever links first wins, and no one reads half a file.
    part = root / f".keys.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        if not path.exists():
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(fresh), file)
            with contextlib.suppress(FileExistsError):
                os.link(part, path)
        refuse_writable_by_others(path)
        return _checked(Keys(**json.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise LoopdeskError(f"Cannot keep the keys in {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise LoopdeskError(f"{path} does not hold loopdesk's keys", do="Move it away; new keys are made") from error
    finally:
        part.unlink(missing_ok=True)


def add_machine(root: Path, name: str) -> str:
    """A project key for the machine `name`; returns it. Raises `LoopdeskError` where it has one or the name is odd."""
    if not _NAME.fullmatch(name):
        raise LoopdeskError(
            "A machine's name is letters, digits, dots, - and _, at most 64 of them", do="Name it as its host is named"
        )
    with _changing(root):
        keys = load_keys(root)
        if name in keys.machines:
            raise LoopdeskError(
                f"The machine {name} has a key already",
                "A key is shown only when it is made",
                f"Run: loopdesk serve --remove-key {name}, then make a new one",
            )
        key = _project_key()
        _write(root, replace(keys, machines={**keys.machines, name: key}))
    return key


def remove_machine(root: Path, name: str) -> None:
    """A running server refuses the key from its next request on. Raises `LoopdeskError` for an unknown name."""
    with _changing(root):
        keys = load_keys(root)
        if name not in keys.machines:
            known = ", ".join(sorted(keys.machines)) or "none"
            raise LoopdeskError("There is no key of a machine of that name", f"Machines with a key: {known}")
        _write(root, replace(keys, machines={n: key for n, key in keys.machines.items() if n != name}))


def _changing(root: Path) -> AbstractContextManager[None]:
    # Two that read, change and write at once would lose one of the changes.
    return only_one(root / "keys.lock", LoopdeskError("Another loopdesk is changing the keys", do="Try again"))


def follow(root: Path) -> Callable[[], Keys]:
    """A function that gives the keys as the file has them now; it is read again only when it was replaced. While it is
    missing or cannot be trusted, the keys stay as they were."""
    path = keys_file(root)
    seen, keys = _version(path), load_keys(root)

    def current() -> Keys:
        nonlocal seen, keys
        version = _version(path)
        if version not in (seen, _MISSING):
            with contextlib.suppress(LoopdeskError):
                keys = load_keys(root)
            seen = version
        return keys

    return current


def keys_file(root: Path) -> Path:
    return root / "keys.json"


def _version(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return _MISSING
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _checked(keys: Keys) -> Keys:
    machines = keys.machines
    texts = [keys.project, keys.personal, *(machines.values() if isinstance(machines, dict) else [None])]
    if not all(isinstance(key, str) and key for key in texts):
        raise ValueError("a key is not text")
    return keys


def _project_key() -> str:
    return f"phc_{secrets.token_urlsafe(24)}"


def _write(root: Path, keys: Keys) -> None:
    try:
        write_private(keys_file(root), json.dumps(asdict(keys)))
    except OSError as error:
        raise LoopdeskError(f"Cannot keep the keys in {keys_file(root)}: {error.strerror}") from error
