"""The real agent CLI in the real jail, run by `engine.agents.run`, against a scripted model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from engine.agents.outage import outage
from engine.agents.protocol import HostTool
from engine.agents.transcript import Called, HostCall, ModelCall, Returned
from engine.budget import Reached
from engine.llm_errors import Explainer
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.gateway import Call
from engine.sandbox.meter import Answer as Usage
from engine.sandbox.protocol import CLONE, Kind, Limits
from tests.agent_api import agent_api, answers, calls, host, results, says
from tests.agent_bench import GOOD, SYSTEM, Bench
from tests.conftest import NOW
from tests.jails import jails
from tests.messages_api import HANGS
from tests.test_sandbox_requests import Purse
from tui.commands.checks import sandbox as sandbox_check
from tui.commands.checks.line import NOTE, OK
from workspace.errors import LoopdeskError


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


@pytest.fixture
def bench(sandbox: Bubblewrap, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "a.txt").write_text("hello\n")
    return folder


async def test_an_answer_fits_its_schema_and_is_paid_for_by_what_the_gateway_measured(bench: Bench):
    with agent_api({SYSTEM: [answers(GOOD)]}) as api:
        answer = await bench.asks(api)
    assert answer.content == GOOD and answer.why == "" and answer.turns == 1
    (measured,) = bench.items(answer, ModelCall)
    assert answer.cost_usd == pytest.approx(measured.cost_usd) and measured.cost_usd > 0
    assert {one.key for one in api.requests} == {"the-real-key"}
    assert "Co-Authored-By" not in str(api.requests[0].body)
    assert not list((bench.folder / "runs").iterdir())


async def test_an_answer_in_no_form_is_asked_for_once_more(bench: Bench):
    # The CLI itself nudges once, so the third is ours. The second is longer than a line that the jail's stream reads.
    with agent_api({SYSTEM: [says("It is good."), says("x" * (3 << 20)), answers(GOOD)]}) as api:
        answer = await bench.asks(api, limit_usd=50.0)
    assert answer.content == GOOD and answer.turns == 3


async def test_without_an_answer_there_is_the_reason(bench: Bench):
    with agent_api({SYSTEM: [says("It is good.")] * 4}) as api:
        answer = await bench.asks(api)
    assert answer.content is None and answer.why and answer.turns == 4


async def test_the_turns_are_bounded(bench: Bench, clone: Path):
    with agent_api({SYSTEM: [calls("Bash", command="ls")] * 9}) as api:
        answer = await bench.asks(api, clone=clone, turns=2)
    assert answer.content is None and "2 turns" in answer.why and len(api.requests) == 2


async def test_tools_of_ours_run_on_the_host_and_are_checked_and_clipped(bench: Bench):
    seen: list[Mapping[str, object]] = []

    async def rows(arguments: Mapping[str, object]) -> str:
        seen.append(arguments)
        if arguments["question"] == "secret":
            raise LoopdeskError("That table is not open", do="Ask for another")
        return "row " * 50_000

    schema = {"properties": {"question": {"type": "string"}}, "required": ["question"]}
    turns = [
        host("ask", question="cost"),
        host("ask", question=3),
        host("ask", question="secret"),
        lambda request: answers({"verdict": "good", "notes": results(request)}),
    ]
    with agent_api({SYSTEM: turns}) as api:
        answer = await bench.asks(api, tools=[HostTool("ask", "Asks the store.", schema, rows)])
    assert seen == [{"question": "cost"}, {"question": "secret"}]
    assert answer.content is not None and "That table is not open" in answer.content["notes"][0]  # type: ignore[index]
    good, refused = bench.items(answer, HostCall)
    assert good.is_ok and len(good.text) < 50_000 and "more characters" in good.text
    assert not refused.is_ok
    assert [one.is_ok for one in bench.items(answer, Returned)] == [True, False, False, True]
    assert [one["name"] for one in api.requests[0].body["tools"]].count("mcp__host__ask") == 1


async def test_who_only_reads_cannot_write(bench: Bench, clone: Path):
    turns = [
        calls("Write", file_path=f"{CLONE}/b.txt", content="x"),
        calls("Bash", command=f"cat a.txt; echo x > {CLONE}/c.txt"),
        lambda request: answers({"verdict": "bad", "notes": results(request)}),
    ]
    # Of a prompt, no file that it names is added, and no command that it looks like is run.
    prompt = f"/clear @{CLONE}/a.txt"
    with agent_api({SYSTEM: turns}) as api:
        answer = await bench.asks(api, clone=clone, prompt=prompt)
    assert prompt in str(api.requests[0].body) and "hello" not in str(api.requests[0].body)
    assert answer.denied == ("Write",)
    assert answer.content is not None and "hello" in answer.content["notes"][0]  # type: ignore[index]
    assert [one.name for one in clone.iterdir()] == ["a.txt"]
    assert [one.tool for one in bench.items(answer, Called)] == ["Write", "Bash", "StructuredOutput"]


async def test_who_writes_changes_the_clone(bench: Bench, clone: Path):
    turns = [calls("Write", file_path=f"{CLONE}/b.txt", content="made"), answers(GOOD)]
    with agent_api({SYSTEM: turns}) as api:
        answer = await bench.asks(api, clone=clone, may_write=True)
    assert answer.content == GOOD and answer.denied == ()
    assert (clone / "b.txt").read_text() == "made"


async def test_its_own_allowance_ends_a_run_with_the_reason(bench: Bench):
    with agent_api({SYSTEM: [answers(GOOD)]}) as api:
        answer = await bench.asks(api, limit_usd=0.01)
    assert answer.content is None and "$0.01" in answer.why and not api.requests
    assert {one.kind for one in answer.refusals} == {Kind.BUDGET}


async def test_a_budget_that_is_reached_holds_the_work(bench: Bench):
    class Empty(Purse):
        def reserve(self, usd: float) -> int:
            raise Reached("The night's budget is reached", "It waits", "", retry_at=NOW)

    bench.purse = Empty()
    with agent_api({SYSTEM: [answers(GOOD)]}) as api, pytest.raises(Reached) as raised:
        await bench.asks(api)
    assert raised.value.retry_at == NOW and not api.requests


@pytest.mark.parametrize(
    ("status", "wait", "again_s"), [(0, "", 300), (403, "", 300), (429, "4000", 4_000), (500, "", 300), (529, "9", 300)]
)
def test_what_the_api_answered_last_says_when_to_ask_again(status: int, wait: str, again_s: float):
    call = Call(NOW, 0.1, {}, status, Usage(is_stream=False), 0.0, b"<html>", wait)
    found = outage(None, call, "a-model", Explainer("key"), NOW)
    assert found is not None and found.retry_at == NOW + timedelta(seconds=again_s)


@pytest.mark.parametrize("status", [200, 400, 413])
def test_a_reason_of_the_runs_own_is_no_outage(status: int):
    call = Call(NOW, 0.1, {}, status, Usage(is_stream=False), 0.0)
    assert outage(None, call, "a-model", Explainer("key"), NOW) is None
    assert outage(None, None, "a-model", Explainer("key"), NOW) is None


async def test_a_run_that_is_too_long_is_ended_with_the_reason(bench: Bench):
    with agent_api({SYSTEM: [HANGS]}) as api:
        answer = await bench.asks(api, limits=Limits(wall_s=0.8))
    assert answer.content is None and "longer than" in answer.why and not list(bench.runs.iterdir())


async def test_what_an_agent_writes_into_the_clis_own_output_only_ends_its_run(bench: Bench, clone: Path):
    forged = "for p in /proc/[0-9]*; do echo '{\"type\": ' > $p/fd/1; done"
    with agent_api({SYSTEM: [calls("Bash", command=forged), answers(GOOD)]}) as api:
        answer = await bench.asks(api, clone=clone)
    assert answer.content is None and answer.why


def test_the_doctor_starts_the_cli_in_the_jail(sandbox: Bubblewrap, monkeypatch: pytest.MonkeyPatch):
    line = sandbox_check.agent()
    assert line.state == OK and re.search(r"\d+\.\d+\.\d+", line.said)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    line = sandbox_check.agent()
    assert line.state == NOTE and "claude-agent-sdk" in line.do
