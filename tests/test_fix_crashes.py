"""Killed around everything that leaves for a forge, the next engine goes on: one branch, one pull request, one comment,
one merge. What happened is read from the repository and from the records beside it, without the engine."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.crash_points import ON_A_FORGE
from tests import inbox_invariants
from tests.fix_crashing import DECLINES, MERGES, run_forked
from tests.fixes import FILES, RIGHT, WRONG
from tests.forks import FORKS
from tests.jails import jails
from tests.repositories import Repo, bare


@pytest.fixture(scope="module", autouse=True)
def _jails() -> None:
    jails()


def run(folder: Path, repo: Repo, steps: Sequence[str], crash_at: str = "") -> tuple[int, list[str]]:
    output = folder / f"{crash_at or 'end'}.txt"
    process = FORKS.Process(target=run_forked, args=(folder / "w", repo.folder, steps, crash_at, output))
    process.start()
    process.join(120)
    text = output.read_text()
    assert process.exitcode in (0, -signal.SIGKILL), text
    return process.exitcode, [line.removeprefix("step ") for line in text.splitlines() if line.startswith("step ")]


@pytest.mark.parametrize("name", [*ON_A_FORGE, "snapshot"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_killed_there_it_happens_once(side: str, name: str, tmp_path: Path):
    repo = bare(tmp_path / "code.git")
    repo.commit("main", FILES)
    steps = DECLINES if name == "close" else MERGES
    code, began = run(tmp_path, repo, steps, f"{side}_{name}")
    assert code == -signal.SIGKILL, "the point was never reached"
    check(tmp_path, repo)
    assert run(tmp_path, repo, steps[len(began) - 1 :])[0] == 0
    check(tmp_path, repo)
    (record,) = records(tmp_path)
    # Nothing of the killed one stays: no folder of a jail, no socket, no half-made export.
    assert not list((tmp_path / "w" / "runs").iterdir())
    assert not [one for one in (tmp_path / "w" / "mirrors").iterdir() if one.name.startswith(("ci-", "taken-"))]
    branch = repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads/loopdesk")
    assert branch.startswith("loopdesk/fix-") and len(branch.splitlines()) == 1
    if name == "close":
        assert record["is_closed"] and repo.show("main", "calc.py") == WRONG.strip()
    else:
        assert repo.show("main", "calc.py") == RIGHT.strip()
        assert len(repo.git("rev-list", "--merges", "main").split()) == 1
        assert len(record["comments"]) == 1


def check(folder: Path, repo: Repo) -> None:
    inbox_invariants.check(folder / "w" / "inbox.db")
    assert len(repo.git("for-each-ref", "refs/heads/loopdesk").splitlines()) <= 1
    assert len(repo.git("rev-list", "--merges", "main").split()) <= 1
    assert len(records(folder)) <= 1


def records(folder: Path) -> list[dict[str, Any]]:
    found = list((folder / "w" / "mirrors").glob("*.json"))
    return json.loads(found[0].read_text())["pulls"] if found else []
