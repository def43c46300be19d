"""The real agent CLI in the real jail, run by `engine.agents.run`, against a scripted model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.agents import transcript
from engine.agents.protocol import Answer, HostTool, Task
from engine.agents.run import JailedAgent, Means
from engine.agents.transcript import Called, HostCall, Item, ModelCall, Returned
from engine.blobs import FolderBlobs
from engine.budget import Reached
from engine.judge import Unavailable
from engine.sandbox.bubblewrap import Bubblewrap
from engine.sandbox.protocol import CLONE, Kind
from tests.agent_api import agent_api, answers, calls, host, results, says
from tests.conftest import NOW
from tests.jails import jails
from tests.messages_api import MessagesApi, fails
from tests.test_sandbox_requests import Purse
from workspace.config import Config
from workspace.errors import LoopdeskError

SYSTEM = "You judge."
GOOD: Mapping[str, Any] = {"verdict": "good"}
SCHEMA = {
    "type": "object",
    "properties": {"verdict": {"enum": ["good", "bad"]}, "notes": {"type": "array", "items": {"type": "string"}}},
    "required": ["verdict"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    return jails()


class Bench:
    """An agent of a folder, and what it left there."""

    def __init__(self, sandbox: Bubblewrap, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.blobs = FolderBlobs(folder / "blobs")
        self.purse: Any = Purse()
        self.clone = folder / "clone"
        self.clone.mkdir()
        (self.clone / "a.txt").write_text("hello\n")

    async def asks(self, api: MessagesApi | str, **more: Any) -> Answer:
        url = api if isinstance(api, str) else api.url
        config = Config(workspace_dir=str(self.folder), anthropic_key="the-real-key", anthropic_url=url)
        means = Means(
            self.sandbox, self.folder / "runs", self.blobs, lambda task, model: self.purse, lambda: NOW, retries=0
        )
        task = {"role": "research", "system": SYSTEM, "prompt": "Judge it.", "schema": SCHEMA, **more}
        return await JailedAgent(config, means).ask(Task(**task))

    def items(self, answer: Answer, kind: type[Item]) -> list[Any]:
        return [one for one in transcript.read(self.blobs.get(answer.transcript)) if isinstance(one, kind)]


@pytest.fixture
def bench(sandbox: Bubblewrap, tmp_path: Path) -> Bench:
    return Bench(sandbox, tmp_path)


async def test_an_answer_fits_its_schema_and_is_paid_for_by_what_the_gateway_measured(bench: Bench):
    with agent_api({SYSTEM: [answers(GOOD)]}) as api:
        answer = await bench.asks(api)
    assert answer.content == GOOD and answer.why == "" and answer.turns == 1
    (measured,) = bench.items(answer, ModelCall)
    assert answer.cost_usd == pytest.approx(measured.cost_usd) and measured.cost_usd > 0
    assert {one.key for one in api.requests} == {"the-real-key"}
    assert not list((bench.folder / "runs").iterdir())


async def test_an_answer_in_no_form_is_asked_for_once_more(bench: Bench):
    # The CLI itself nudges once, so the third is ours.
    with agent_api({SYSTEM: [says("It is good."), says("As I said."), answers(GOOD)]}) as api:
        answer = await bench.asks(api)
    assert answer.content == GOOD and answer.turns == 3


async def test_without_an_answer_there_is_the_reason(bench: Bench):
    with agent_api({SYSTEM: [says("It is good.")] * 4}) as api:
        answer = await bench.asks(api)
    assert answer.content is None and answer.why and answer.turns == 4


async def test_the_turns_are_bounded(bench: Bench):
    with agent_api({SYSTEM: [calls("Bash", command="ls")] * 9}) as api:
        answer = await bench.asks(api, clone=bench.clone, turns=2)
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


async def test_who_only_reads_cannot_write(bench: Bench):
    turns = [
        calls("Write", file_path=f"{CLONE}/b.txt", content="x"),
        calls("Bash", command=f"cat a.txt; echo x > {CLONE}/c.txt"),
        lambda request: answers({"verdict": "bad", "notes": results(request)}),
    ]
    with agent_api({SYSTEM: turns}) as api:
        answer = await bench.asks(api, clone=bench.clone)
    assert answer.denied == ("Write",)
    assert answer.content is not None and "hello" in answer.content["notes"][0]  # type: ignore[index]
    assert [one.name for one in bench.clone.iterdir()] == ["a.txt"]
    assert [one.tool for one in bench.items(answer, Called)] == ["Write", "Bash", "StructuredOutput"]


async def test_who_writes_changes_the_clone(bench: Bench):
    turns = [calls("Write", file_path=f"{CLONE}/b.txt", content="made"), answers(GOOD)]
    with agent_api({SYSTEM: turns}) as api:
        answer = await bench.asks(api, clone=bench.clone, may_write=True)
    assert answer.content == GOOD and answer.denied == ()
    assert (bench.clone / "b.txt").read_text() == "made"


async def test_a_prompt_is_read_by_nobody_but_the_model(bench: Bench):
    """No file that it names is added to it, and no command that it looks like is run."""
    with agent_api({SYSTEM: [answers(GOOD)]}) as api:
        await bench.asks(api, clone=bench.clone, prompt=f"/clear @{CLONE}/a.txt")
    assert f"/clear @{CLONE}/a.txt" in str(api.requests[0].body) and "hello" not in str(api.requests[0].body)


async def test_what_is_longer_than_a_line_of_the_jail_comes_through(bench: Bench):
    text = "x" * (3 << 20)
    with agent_api({SYSTEM: [says(text) + answers(GOOD)]}) as api:
        answer = await bench.asks(api)
    assert answer.content == GOOD


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


@pytest.mark.parametrize("status", [401, 429, 529])
async def test_a_model_that_cannot_be_had_holds_the_work(bench: Bench, status: int):
    with agent_api({SYSTEM: [fails(status)]}) as api, pytest.raises(Unavailable) as raised:
        await bench.asks(api)
    assert raised.value.retry_at is not None and raised.value.retry_at > NOW
    assert "the-real-key" not in str(raised.value)


async def test_a_model_that_cannot_be_reached_holds_the_work(bench: Bench):
    with pytest.raises(Unavailable) as raised:
        await bench.asks("http://127.0.0.1:1")
    assert "cannot be reached" in str(raised.value)


async def test_a_request_that_the_model_cannot_take_is_no_outage(bench: Bench):
    with agent_api({SYSTEM: [fails(400, "that is no request")]}) as api:
        answer = await bench.asks(api)
    assert answer.content is None and answer.why
