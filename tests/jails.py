"""Real jails for the tests, and what is run in them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.sandbox import selftest
from engine.sandbox.bubblewrap import Bubblewrap, find
from engine.sandbox.protocol import Ended, NoSandbox, Run
from tests.required import required

AGENT = Path(__file__).with_name("hostile_agent.py")
_WITHIN = "/opt/hostile_agent.py"


def jails() -> Bubblewrap:
    """For a fixture of a module: within a test the environment no longer says what is required."""
    required("sandbox", "bwrap")
    try:
        selftest.look()
    except NoSandbox as error:
        if "sandbox" in os.environ.get("LOOPDESK_REQUIRE", "").split(","):
            pytest.fail(f"LOOPDESK_REQUIRE names sandbox, but no jail starts: {error}")
        pytest.skip(f"sandbox: {error}")
    return find()


def hostile(sandbox: Bubblewrap, attempt: str, facts: dict[str, Any] | None = None, **options: Any) -> Run:
    command = [sandbox.python, "-I", _WITHIN, attempt, json.dumps(facts or {})]
    return Run(command, read_only={_WITHIN: AGENT}, **options)


async def ran(sandbox: Bubblewrap, run: Run) -> tuple[Any, Ended]:
    """What it printed, as JSON, and how it ended."""
    jail = await sandbox.start(run)
    said = await jail.stdout.read()
    ended = await jail.wait()
    return (json.loads(said) if said.strip() else None), ended
