"""Parts that a machine may lack: a test that needs one is skipped by name, or fails where it was promised."""

from __future__ import annotations

import os
import shutil

import pytest


def required(part: str, *programs: str) -> list[str]:
    """The paths of the programs. `LOOPDESK_REQUIRE=ssh,browser` turns a missing one from a skip into a failure.

    A name with bars is the first of its alternatives that is there: `chromium|google-chrome`.
    """
    found = []
    for program in programs:
        path = next(filter(None, map(_which, program.split("|"))), None)
        if path is None:
            if part in os.environ.get("LOOPDESK_REQUIRE", "").split(","):
                pytest.fail(f"LOOPDESK_REQUIRE names {part}, but this machine has no {program}")
            pytest.skip(f"{part}: this machine has no {program}")
        found.append(path)
    return found


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
