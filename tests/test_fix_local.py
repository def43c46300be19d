"""The whole way of a fix on a repository of this machine: start, build, review, push, checks, merge."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.sandbox.bubblewrap import Bubblewrap
from tests.agent_api import agent_api
from tests.fixes import FILES, RIGHT, Loop, mends, script
from tests.jails import jails
from tests.repositories import Repo, bare


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = bare(tmp_path / "code.git")
    made.commit("main", FILES)
    return made


def test_from_a_ready_report_to_a_merge(tmp_path: Path, sandbox: Bubblewrap, repo: Repo):
    with agent_api(script(mends())) as api:
        loop = Loop(tmp_path / "w", sandbox, api.url, {"path": str(repo.folder)})
        loop.is_ready()
        proposal = loop.starts()
        print(proposal)
        assert proposal.state == "green"
        assert repo.show(proposal.branch, "calc.py") == RIGHT.strip()
        command = loop.approves("merge")
        assert command.applied_at, command.said
        assert loop.proposal().state == "merged" and loop.report().status == "resolved"
        assert repo.show("main", "calc.py") == RIGHT.strip()
        loop.close()
