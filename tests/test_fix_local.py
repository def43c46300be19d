"""The whole way of a fix on a repository of this machine: start, build, review, push, checks, merge, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.babysitting import COUNTDOWN
from engine.sandbox.bubblewrap import Bubblewrap
from tests.agent_api import agent_api
from tests.fixes import FILES, RIGHT, SAID, WRONG, Loop, Played, mends, script, writes
from tests.jails import jails
from tests.repositories import Repo, bare

Made = Callable[..., Loop]


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = bare(tmp_path / "code.git")
    made.commit("main", FILES)
    return made


@pytest.fixture
def loop(tmp_path: Path, sandbox: Bubblewrap, repo: Repo) -> Iterator[Made]:
    made: list[Loop] = []

    def start(*plays: Any, table: dict[str, Any] | None = None, **more: Any) -> Loop:
        agent = Played(*plays, **{name: more.pop(name) for name in ("reviews", "question") if name in more})
        one = Loop(tmp_path / "w", sandbox, {"path": str(repo.folder), **(table or {})}, agent=agent, **more)
        made.append(one)
        one.is_ready()
        one.starts()
        return one

    yield start
    for one in made:
        one.close()


def test_from_a_ready_report_to_a_merge_with_the_real_agent(tmp_path: Path, sandbox: Bubblewrap, repo: Repo):
    with agent_api(script(mends())) as api:
        loop = Loop(tmp_path / "w", sandbox, {"path": str(repo.folder)}, model_url=api.url)
        loop.is_ready()
        loop.starts()
        proposal = loop.has("green")
        assert {one.key for one in api.requests} == {"the-real-key"}
    assert repo.show(proposal.branch, "calc.py") == RIGHT.strip() and repo.show("main", "calc.py") == WRONG.strip()
    # One commit of ours on the base, whatever the agent committed.
    assert repo.git("log", "--format=%an", f"main..{proposal.branch}") == "loopdesk"
    assert (proposal.tests["state"], proposal.guard["passed"]) == ("passed", True)
    found = loop.inbox.report(proposal.report_id)
    assert found is not None and found.cost_usd > 0
    assert loop.approves("merge").applied_at
    assert loop.has("merged").merge_sha == repo.head("main") and loop.report().status == "resolved"
    assert repo.show("main", "calc.py") == RIGHT.strip()
    loop.close()


def test_a_merge_is_taken_back_by_a_proposal(loop: Made, repo: Repo):
    repo.commit("main", {"check.py": "import calc\n"})
    one = loop(writes())
    merge = one.approves("merge")
    one.has("merged")
    assert not one.inbox.undo(merge.id, one.now).is_undone
    one.turn()
    revert = one.has("green")
    assert revert.reverts and repo.show(revert.branch, "calc.py") == WRONG.strip()
    one.approves("merge")
    assert one.has("merged").id == revert.id and repo.show("main", "calc.py") == WRONG.strip()
    assert one.report().status == "pending_input"


def test_red_checks_are_mended_after_a_countdown(loop: Made, repo: Repo):
    wrong = writes("def add(a, b):\n    return a * b\n")
    one = loop(wrong, wrong, writes())
    red = one.has("red")
    # Its tests fail, but they fail without it as well: that is said, and CI says it too.
    assert red.tests["state"] == "failed" and "check ci failed" in red.said
    assert red.countdown_until == one.now + COUNTDOWN
    one.waits(timedelta(seconds=119))
    one.has("red")
    one.waits(timedelta(seconds=1))
    green = one.has("green")
    assert (green.rounds, green.builds) == (1, 2) and green.number == red.number
    assert len(repo.git("log", "--format=%s", f"main..{green.branch}").splitlines()) == 2  # each build a commit


class TestBeforeItIsPushed:
    def test_what_is_not_specific_enough_is_asked_and_the_answer_resumes_it(self, loop: Made):
        one = loop(writes(), question="Which of the two adders?")
        asked = one.has("waiting_for_you")
        assert (asked.waits_for, asked.said, asked.branch) == ("answer", "Which of the two adders?", "")
        assert one.applied("context", one.report(), note="The one in calc.py").applied_at
        one.has("green")
        (told,) = [task for task in one.agent.asked if task.may_write]  # type: ignore[union-attr]
        assert "The one in calc.py" in told.prompt and told.session

    def test_what_the_review_must_have_goes_back_once_and_the_rest_is_attached(self, loop: Made):
        must = {"path": "calc.py", "line": 2, "text": "It has to add.", "must": True}
        rest = {"path": "calc.py", "line": 1, "text": "No docstring.", "must": False}
        one = loop(
            writes("def add(a, b):\n    return 5\n"),
            writes(),
            reviews=[{"summary": "Cheating.", "points": [must, rest]}],
        )
        green = one.has("green")
        tasks = one.agent.asked  # type: ignore[union-attr]
        assert [(task.role, task.may_write) for task in tasks] == [
            ("fix", False),
            ("fix", True),
            ("review", False),
            ("fix", True),
        ]
        assert "It has to add." in tasks[-1].prompt and "No docstring." not in tasks[-1].prompt
        assert [point["text"] for point in green.review["points"]] == ["It has to add.", "No docstring."]
        review = tasks[2]
        assert not review.session and review.clone != tasks[1].clone  # fresh, in a clone of its own

    def test_an_agent_that_changes_nothing_has_failed_whatever_it_says(self, loop: Made):
        one = loop(lambda task: {**SAID, "why": "It is all done!"})
        failed = one.has("failed")
        assert "Nothing was changed" in failed.said and one.inbox.reports()[0].group == "Needs input"

    def test_a_change_that_breaks_the_tests_is_not_pushed(self, loop: Made, repo: Repo):
        repo.commit("main", {"check.py": "import calc\n"})
        one = loop(writes("def add(\n"))
        assert "tests fail with the change" in one.has("failed").said
        assert len(repo.git("for-each-ref", "refs/heads").splitlines()) == 1

    def test_what_ci_executes_waits_for_a_push(self, loop: Made, repo: Repo):
        one = loop(writes("all:\n\ttrue\n", "Makefile"))
        waits = one.has("waiting_for_you")
        assert waits.waits_for == "push" and "Makefile" in waits.said and not waits.head_sha
        assert len(repo.git("for-each-ref", "refs/heads").splitlines()) == 1
        assert one.approves("push").applied_at
        assert one.proposal().head_sha == repo.head(waits.branch)

    def test_the_owner_may_trust_ci_with_branches(self, loop: Made):
        assert loop(writes("x\n", "Makefile"), table={"ci_trusts_branches": True}).proposal().number == 1

    @pytest.mark.parametrize("path", [".gitattributes", "sub/.gitmodules", ".loopdesk.toml"])
    def test_a_protected_path_stops_it(self, loop: Made, path: str, repo: Repo):
        one = loop(writes("* -text\n", path))
        assert "is protected by" in one.has("failed").said
        assert len(repo.git("for-each-ref", "refs/heads").splitlines()) == 1

    def test_without_a_repository_for_its_project_it_fails_at_once_and_says_what_to_do(self, loop: Made):
        one = loop(writes(), table={"projects": ["another"]})
        failed = one.has("failed")
        assert "[repositories.NAME]" in failed.said and "autoagent" in failed.said
        assert len([job for job in one.inbox.jobs() if job.kind == "fix"]) == 1  # no use in trying again

    def test_the_nights_proposals_are_counted(self, loop: Made):
        one = loop(writes(), budgets={"proposals_a_night": 0})
        held = one.has("building")
        assert "is held until" in held.said and "proposals" in held.said
        assert not one.agent.asked  # type: ignore[union-attr]

    def test_a_report_whose_budget_is_spent_is_held(self, loop: Made):
        one = loop(writes(), budgets={"report_usd": 0.0})
        assert "budget of $0.00 is reached" in one.has("building").said and not one.agent.asked  # type: ignore[union-attr]


class TestAfterIt:
    def test_without_a_check_a_merge_needs_a_second_key(self, loop: Made, repo: Repo):
        one = loop(writes(), table={"ci": []})
        one.waits(timedelta(minutes=4))
        assert one.has("waiting_for_you").waits_for == "second_key"
        assert one.approves("merge").refused_at
        assert one.approves("merge", second=True).applied_at
        one.has("merged")

    def test_what_moved_since_it_was_seen_is_not_merged(self, loop: Made, repo: Repo):
        one = loop(writes())
        green = one.has("green")
        repo.commit(green.branch, {"calc.py": "import os\n"})
        refused = one.approves("merge")
        assert one.proposal().state != "merged" and repo.show("main", "calc.py") == WRONG.strip()
        assert refused.refused_at or "moved" in one.proposal().said or "Somebody pushed" in one.proposal().said
        one.waits(timedelta(minutes=5))
        assert one.has("waiting_for_you").waits_for == "hand"

    def test_a_conflict_is_noticed_and_goes_with_its_cause(self, loop: Made, repo: Repo):
        one = loop(writes())
        base = repo.head("main")
        repo.commit("main", {"calc.py": "def add(a, b):\n    return sum((a, b))\n"})
        one.waits(timedelta(minutes=5))
        waits = one.has("waiting_for_you")
        assert waits.waits_for == "hand" and "conflicts with main" in waits.said
        repo.git("update-ref", "refs/heads/main", base)
        one.waits(timedelta(minutes=5))
        one.has("green")

    def test_merged_by_hand_it_is_resolved(self, loop: Made, repo: Repo):
        one = loop(writes())
        repo.git("update-ref", "refs/heads/main", one.has("green").head_sha)
        one.waits(timedelta(minutes=5))
        assert one.has("merged").merged_at and one.report().status == "resolved"

    def test_a_branch_that_is_deleted_is_a_decline(self, loop: Made, repo: Repo):
        one = loop(writes())
        repo.git("update-ref", "-d", f"refs/heads/{one.has('green').branch}")
        one.waits(timedelta(minutes=5))
        one.has("closed")
        assert one.report().status == "suppressed"

    def test_a_decline_closes_it(self, loop: Made):
        one = loop(writes())
        one.has("green")
        assert one.applied("decline", one.report(), reason="analysis_wrong").applied_at
        assert one.has("closed").is_closed_there

    def test_its_start_withdrawn_it_is_cancelled(self, loop: Made):
        one = loop(writes())
        start = next(command for command in one.inbox.commands() if command.verb == "approve")
        one.inbox.undo(start.id, one.now)
        one.turn()
        assert one.has("closed").is_closed_there and one.report().status == "ready"

    def test_after_three_rounds_it_needs_you(self, loop: Made):
        one = loop(writes("def add(a, b):\n    return a * b\n"), writes("def add(a, b):\n    return a ** b\n"))
        for attempt in range(3):
            assert one.has("red").rounds == attempt
            one.agent.mends = [writes(f"def add(a, b):\n    return a * b + {attempt}\n")]  # type: ignore[union-attr]
            one.waits(COUNTDOWN)
        failed = one.has("failed")
        assert failed.rounds == 3 and "check ci failed" in failed.said and one.inbox.reports()[0].group == "Needs input"

    def test_a_countdown_is_stopped_and_another_round_approved(self, loop: Made):
        one = loop(writes("def add(a, b):\n    return a * b\n"))
        one.has("red")
        assert one.applied("stop", one.report()).applied_at
        one.waits(COUNTDOWN * 2)
        assert one.has("waiting_for_you").waits_for == "consent"
        one.agent.mends = [writes()]  # type: ignore[union-attr]
        assert one.applied("approve", one.report(), expect="start").applied_at
        one.has("green")

    @pytest.mark.parametrize(("consent", "state"), [("ask", "waiting_for_you"), ("never", "red")])
    def test_by_consent_it_is_not_mended_by_itself(self, loop: Made, consent: str, state: str):
        one = loop(writes("def add(a, b):\n    return a * b\n"), table={"consent": consent})
        assert one.waits(COUNTDOWN * 3).state == state and one.proposal().rounds == 0

    def test_changes_are_requested_from_the_desk(self, loop: Made, repo: Repo):
        one = loop(writes(), writes("def add(a, b):\n    return b + a\n"))
        one.has("green")
        assert one.applied(
            "request_changes", one.report(), note="The other way round", path="calc.py", line=2
        ).applied_at
        green = one.has("green")
        assert repo.show(green.branch, "calc.py").endswith("b + a")
        assert "The other way round" in one.agent.asked[-2].prompt  # type: ignore[union-attr]
