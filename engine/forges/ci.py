"""CI for a forge that has none: the workspace's configured command, on the files of a commit, in somebody's jail."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.forges.mirror import Mirror
from engine.forges.protocol import Check
from engine.forges.trees import export
from workspace.text import plain_lines

TIMEOUT_S = 900
MOST_SUMMARY = 4000  # characters; the end of a log is where it says what failed


@dataclass(frozen=True, slots=True)
class Ran:
    """`output` is standard output and error as they came, its end where it was too long. `code` is None where the
    command was stopped after its time."""

    code: int | None
    output: bytes


class Runner(Protocol):
    """Runs a stranger's code: whoever implements this answers for the jail."""

    def run(self, command: Sequence[str], folder: Path, timeout_s: float) -> Ran:
        """In `folder`, which may be written. Raises `LoopdeskError` where nothing was run, with the reason."""


def ran(mirror: Mirror, sha: str, command: Sequence[str], runner: Runner, timeout_s: float = TIMEOUT_S) -> Check:
    """The command comes from the workspace's configuration, never from `sha`. Raises `LoopdeskError` where it could not
    be run: that is no check that failed."""
    scratch = Path(tempfile.mkdtemp(prefix="ci-", dir=mirror.folder.parent))
    try:
        export(mirror, sha, scratch / "tree")
        done = runner.run(command, scratch / "tree", timeout_s)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    said = clipped(done.output.decode("utf-8", "replace"))
    if done.code is None:
        return Check("ci", "failed", summary=f"Stopped after {timeout_s:g} s\n{said}".rstrip())
    return Check("ci", "passed" if done.code == 0 else "failed", summary=said)


def clipped(text: str) -> str:
    """The end of a log, plain: data for whoever reads it."""
    said = "\n".join(plain_lines(text[-4 * MOST_SUMMARY :])).strip()
    return said if len(said) <= MOST_SUMMARY else "…" + said[-MOST_SUMMARY + 1 :]
