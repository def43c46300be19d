"""Parts that a machine may lack: a test that needs one is skipped by name, or fails where it was promised."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest

# Read now: within a test the environment no longer says it.
_PROMISED = frozenset(os.environ.get("LOOPDESK_REQUIRE", "").split(","))


def required(part: str, *programs: str, also: Iterable[Path] = ()) -> list[str]:
    """The paths of the programs. `LOOPDESK_REQUIRE=ssh,browser` turns a missing one from a skip into a failure.

    A name with bars is the first of its alternatives that is there: `chromium|google-chrome`. `also` are folders to
    look into beside the PATH.
    """
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin", *map(str, also)])
    found = []
    for program in programs:
        path = next(filter(None, (shutil.which(name, path=places) for name in program.split("|"))), None)
        if path is None:
            _missing(part, program)
        else:
            found.append(path)
    return found


def required_modules(part: str, *names: str) -> None:
    """The same for what an extra installs. None of them is imported."""
    for name in names:
        try:
            is_there = importlib.util.find_spec(name) is not None
        except ModuleNotFoundError:  # of a part whose package is missing
            is_there = False
        if not is_there:
            _missing(part, f"module {name}")


def _missing(part: str, what: str) -> NoReturn:
    if part in _PROMISED:
        pytest.fail(f"LOOPDESK_REQUIRE names {part}, but this machine has no {what}")
    pytest.skip(f"{part}: this machine has no {what}")
