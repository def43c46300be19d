"""The two keys of the embedded PostHog, made once per workspace and kept in a 0600 file."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from workspace.errors import LoopdeskError
from workspace.paths import refuse_writable_by_others


@dataclass(frozen=True, slots=True)
class Keys:
    """`project` is what loops send events with (not a secret); `personal` may ask questions (a secret)."""

    project: str
    personal: str = field(repr=False)


def load_keys(root: Path) -> Keys:
    """The workspace's keys, made on first use. Two processes that start at once end up with the same ones."""
    path = root / "keys.json"
    fresh = Keys(f"phc_{secrets.token_urlsafe(24)}", f"phx_{secrets.token_urlsafe(32)}")
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
        return Keys(**json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LoopdeskError(f"Cannot keep the keys in {path}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        raise LoopdeskError(f"{path} does not hold loopdesk's keys", do="Move it away; new keys are made") from error
    finally:
        part.unlink(missing_ok=True)
