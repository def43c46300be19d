"""`eval fix`: the harness tells right from wrong, with a script and with the real agent CLI, and says who answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.agents.protocol import Answer, Snapshot, Task
from engine.diff import Diff
from engine.evals import fix, fix_cases, fix_script
from engine.evals.fix import FixAnswer, Try
from engine.guard import Finding, Verdict
from engine.judge import Unavailable
from engine.sandbox.bubblewrap import Bubblewrap
from engine.store import Store
from tests.agent_api import agent_api, answers
from tests.conftest import NOW
from tests.engines import Desk
from tests.fixes import SAID, edits, script
from tests.jails import jails
from tui.commands import eval_fix
from tui.commands.cli import run
from workspace.errors import LoopdeskError

CASES = {case.name: case for case in fix_cases.built_in()}
RETRY = CASES["retry-loop"]
PASSED, BIG = Verdict("a" * 40, "b" * 40), Finding("size", "", "It is large")


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


class TestWithAScript:
    def test_the_command_says_that_no_model_was_asked_and_tells_right_from_wrong(
        self, sandbox: Bubblewrap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        """With a dependency: what the wrong answer changes is not what is installed."""
        assert run(["--workspace", str(tmp_path / "w"), "eval", "fix", "rate-limit", "--scripted", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["is_scripted"] and found["cost_usd"] == 0
        assert [(one["played"], one["ended"], one["is_told_right"]) for one in found["answers"]] == [
            ("the solution", "fixed", True),
            ("changes the vendored library", "wrong", True),
            ("no change", "nothing", True),
            ("a question", "question", True),
        ]
        right, wrong, *_ = found["answers"]
        assert (right["own_tests"], right["guard"]) == (wrong["own_tests"], wrong["guard"]) == ("passed", "passed")
        assert (right["files_beyond_reference"], right["lines_beyond_reference"]) == (0, 0)
        assert wrong["files_beyond_reference"] == 1 and "60.0" in wrong["why"]
        assert found["fixed"] == {"count": 1, "of": 4, "share": 0.25}

    def test_every_case_is_played_right_and_wrong(self):
        plays = fix_script.plays(list(CASES.values()))
        assert {play.case.name for play in plays if play.expected == ("fixed",)} == set(CASES)
        assert {play.case.name for play in plays if "wrong" in play.expected} == set(CASES)
        assert {("nothing",), ("question",)} <= {play.expected for play in plays}

    def test_an_answer_that_is_taken_for_another_is_an_error(self):
        plays = fix_script.plays([RETRY])
        as_they_are = [FixAnswer(RETRY, play.expected[0]) for play in plays]
        eval_fix.check(eval_fix.Found(fix.scored("script", as_they_are), plays))
        for place in range(len(plays)):
            taken = [replace(one, ended="failed") if at == place else one for at, one in enumerate(as_they_are)]
            found = eval_fix.Found(fix.scored("script", taken), plays)
            with pytest.raises(LoopdeskError, match=plays[place].name):
                eval_fix.check(found)
            said = "\n".join(eval_fix.lines(found))
            assert f"{len(plays) - 1} of {len(plays)}" in said and "no model was asked" in said and "%" not in said
        by_model = "\n".join(eval_fix.lines(eval_fix.Found(fix.scored("claude-x", as_they_are))))
        assert "Mended by claude-x" in by_model and "1 of 4 (25.0 %)" in by_model


class Says:
    """An `Agent` that answers the first question, and no other."""

    def __init__(self, answer: Answer | Unavailable) -> None:
        self.answer = answer

    async def ask(self, task: Task, snapshot: Callable[[Snapshot], Awaitable[None]] | None = None) -> Answer:
        if isinstance(self.answer, Unavailable):
            raise self.answer
        return self.answer


class TestScores:
    def test_what_breaks_off_is_counted_with_its_cost_and_a_budget_stops_the_rest(self, sandbox: Bubblewrap):
        said = [
            Answer(None, "It gave no answer", turns=3, cost_usd=0.25),
            Answer({"is_specific": False, "question": "Which?", "plan": ""}, turns=1, cost_usd=0.05),
            Unavailable("The night's budget is reached"),
            Answer(None, "never asked"),
        ]
        tries = [Try(RETRY, lambda blobs, one=one: Says(one)) for one in said]  # type: ignore[misc]
        found = asyncio.run(fix.score("an agent", tries, sandbox, lambda: NOW, 1.0))
        assert [(one.ended, one.turns) for one in found.answers] == [("failed", 3), ("question", 1)]
        assert "no answer" in found.answers[0].why and found.answers[1].why == "Which?"
        assert (found.cost_usd, found.turns, found.fixed.of) == (0.3, 4, 2) and "budget" in found.stopped
        with pytest.raises(Unavailable, match="budget"):
            asyncio.run(fix.score("an agent", tries[2:], sandbox, lambda: NOW, 1.0))

    def test_clean_is_what_the_guard_lets_through_at_once_and_own_tests_count_where_they_can_pass(self):
        always = CASES["case-sampler"]
        found = fix.scored(
            "an agent",
            [
                FixAnswer(RETRY, "fixed", tests="passed", guard=PASSED),
                FixAnswer(RETRY, "fixed", tests="passed", guard=replace(PASSED, stops=(BIG,))),
                FixAnswer(RETRY, "fixed", tests="passed", guard=replace(PASSED, waits=(BIG,))),
                FixAnswer(RETRY, "wrong", tests="failed", guard=PASSED),
                FixAnswer(always, "fixed", tests="failed", guard=PASSED),
                FixAnswer(RETRY, "nothing"),
            ],
        )
        assert (found.fixed.count, found.fixed.of, found.clean.count) == (4, 6, 2)
        assert (found.visible.count, found.visible.of) == (3, 4)
        assert found.ended == {"fixed": 4, "wrong": 1, "question": 0, "nothing": 1, "failed": 0}

    @pytest.mark.parametrize("case", CASES.values(), ids=CASES)
    def test_the_reference_is_nothing_beyond_itself(self, case: fix_cases.FixCase):
        assert fix._beyond(case, Diff("a" * 40, "b" * 40, ())) == (0, 0)

    def test_of_a_long_output_the_part_that_says_what_failed_is_told(self):
        said = "FAIL: test_a\n" + "x\n" * 40 + "AssertionError: 1 != 2\n\n-----\nRan 3 tests\n\x1b[31mred"
        assert fix.told(FixAnswer(RETRY, "wrong", said)) == "FAIL: test_a / AssertionError: 1 != 2"
        assert "\x1b" not in fix.told(FixAnswer(RETRY, "nothing", "\x1b[31mred"))


class TestWithAModel:
    def test_without_a_key_or_a_yes_it_refuses_and_names_the_script(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        line = ["--workspace", str(tmp_path / "w"), "eval", "fix", "retry-loop"]
        with pytest.raises(LoopdeskError, match=r"ANTHROPIC_API_KEY.*--scripted"):
            run(line)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
        jails()
        with pytest.raises(LoopdeskError, match=r"say yes.*--scripted"):
            run(line)

    def test_the_real_agent_is_asked_after_the_estimate_and_paid_from_the_night(
        self, sandbox: Bubblewrap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ):
        desk = Desk(tmp_path / "w")
        desk.applied("consent", "", answer="yes")
        desk.close()
        after = fix_cases.edited(RETRY.files, RETRY.reference)
        written = [block for path in ("patience/retry.py", "tests/test_retry.py") for block in edits(path, after[path])]
        with agent_api(script([written, answers(SAID)])) as api:
            monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-test")
            monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
            assert run(["--workspace", str(tmp_path / "w"), "eval", "fix", "retry-loop", "--json"]) == 0
        said = capsys.readouterr()
        found = json.loads(said.out)
        (answer,) = found["answers"]
        assert (answer["ended"], answer["own_tests"], answer["guard"]) == ("fixed", "passed", "passed")
        assert not found["is_scripted"] and found["cost_usd"] > 0 and answer["turns"] == len(api.requests)
        assert "at most $0.50" in said.err and "$5.00 is left" in said.err
        shown = json.dumps(api.requests[0].body)
        assert "maybe 50" in shown and "is_distractor" not in shown and RETRY.bug not in shown
        store = Store.open(desk.workspace.inbox_db)
        spent, reports = store.connection.execute(
            "SELECT sum(cost_usd), count(DISTINCT report_id) FROM spend"
        ).fetchone()
        store.close()
        assert spent == pytest.approx(found["cost_usd"]) and reports == 1
